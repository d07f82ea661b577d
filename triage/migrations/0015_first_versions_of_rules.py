"""Every rule that exists begins its history with how it stands."""

from django.db import migrations

_FIRST = """
INSERT INTO triage_ruleversion (rule_id, number, name, position, definition, is_enabled, is_shadow, changed_by_id, changed_at)
SELECT id, version, name, position, definition, is_enabled, is_shadow, changed_by_id, changed_at FROM triage_rule
ON CONFLICT DO NOTHING
"""


class Migration(migrations.Migration):
    dependencies = [("triage", "0014_rules_by_version")]

    operations = [migrations.RunSQL(_FIRST, migrations.RunSQL.noop)]
