"""Days that were measured before a KPI existed have no row of it: they are counted again."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("kpis", "0003_reports_and_goals"), ("triage", "0002_events_are_append_only")]

    operations = [
        migrations.RunSQL(
            "INSERT INTO triage_changedday (day) SELECT DISTINCT day FROM kpis_measurement WHERE days = 1 ON CONFLICT DO NOTHING",
            migrations.RunSQL.noop,
        )
    ]
