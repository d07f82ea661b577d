import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

# What Django would do is to take the foreign keys away and check them again, row by row, while nobody may write.
_DOUBLE = (
    ("triage_event", "item_id", "triage_event_item_id_10525fcb"),
    ("triage_event", "ticket_id", "triage_event_ticket_id_ebb1f3ef"),
    ("triage_event", "person_id", "triage_event_person_id_9bff7ae1"),
    ("triage_tagging", "item_id", "triage_tagging_item_id_8f3fb6d1"),
    ("triage_ticket", "item_id", "triage_ticket_item_id_42f6c27a"),
    ("triage_ticket", "team_id", "triage_ticket_team_id_439b3467"),
)


class Migration(migrations.Migration):
    atomic = False

    dependencies = [
        ("accounts", "0004_own_language"),
        ("intake", "0014_no_index_for_beginnings"),
        ("triage", "0033_why_looked_again_in_full"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[
                migrations.RunSQL(
                    f"DROP INDEX CONCURRENTLY IF EXISTS {name}",
                    f"CREATE INDEX CONCURRENTLY IF NOT EXISTS {name} ON {table} ({column})",
                )
                for table, column, name in _DOUBLE
            ],
            state_operations=[
                migrations.AlterField(
                    model_name="event",
                    name="item",
                    field=models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="events",
                        to="intake.feedbackitem",
                    ),
                ),
                migrations.AlterField(
                    model_name="event",
                    name="person",
                    field=models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                migrations.AlterField(
                    model_name="event",
                    name="ticket",
                    field=models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="events",
                        to="triage.ticket",
                    ),
                ),
                migrations.AlterField(
                    model_name="tagging",
                    name="item",
                    field=models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="taggings",
                        to="intake.feedbackitem",
                    ),
                ),
                migrations.AlterField(
                    model_name="ticket",
                    name="item",
                    field=models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="tickets",
                        to="intake.feedbackitem",
                    ),
                ),
                migrations.AlterField(
                    model_name="ticket",
                    name="team",
                    field=models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="tickets",
                        to="accounts.team",
                    ),
                ),
            ],
        ),
    ]
