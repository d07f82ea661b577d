"""Merges made so far were of one level: each duplicate was merged into its original. What came in last is to be compared."""

from django.db import migrations

FORWARD = """
UPDATE triage_ticket SET merged_into_id = duplicate_of_id WHERE duplicate_of_id IS NOT NULL AND merged_into_id IS NULL;
INSERT INTO triage_gathering (item_id)
SELECT submission_id FROM intake_feedbackitem ORDER BY submission_id DESC LIMIT 20000
ON CONFLICT DO NOTHING;
"""


class Migration(migrations.Migration):
    dependencies = [("triage", "0011_themes")]

    operations = [migrations.RunSQL(FORWARD, migrations.RunSQL.noop)]
