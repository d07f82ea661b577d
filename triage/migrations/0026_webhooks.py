"""Other systems that are told of events, and the triggers by which every appended event is told."""

import django.contrib.postgres.fields
import django.db.models.deletion
import django.db.models.functions.datetime
from django.conf import settings
from django.db import migrations, models

ANNOUNCE = """
CREATE FUNCTION announce_{log}_events() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    -- Each event that was appended, for each subscriber that is told of its kind: due now, or when the subscriber's pause is
    -- over, or when an earlier event about the same thing that is being retried is tried again.
    INSERT INTO triage_announcement (subscriber_id, log, number, subject, kind, next_attempt_at)
    SELECT s.id, '{log}', e.id, {subject}, '{log}.' || e.type, greatest(statement_timestamp(), s.paused_until, (
        SELECT max(earlier.next_attempt_at) FROM triage_announcement earlier
        WHERE earlier.subscriber_id = s.id AND earlier.log = '{log}' AND earlier.subject = {subject}
            AND earlier.completed_at IS NULL AND earlier.parked_at IS NULL AND earlier.failures BETWEEN 1 AND 3
    ))
    FROM appended e JOIN triage_subscriber s ON s.switched_off_at IS NULL AND '{log}.' || e.type = ANY(s.kinds)
    ORDER BY e.id
    ON CONFLICT DO NOTHING;
    RETURN NULL;
END $$;
CREATE TRIGGER announce_appended AFTER INSERT ON {table} REFERENCING NEW TABLE AS appended
    FOR EACH STATEMENT EXECUTE FUNCTION announce_{log}_events();
"""
SILENCE = """
DROP TRIGGER announce_appended ON {table};
DROP FUNCTION announce_{log}_events();
"""


def announcing(log: str, table: str, subject: str) -> migrations.RunSQL:
    """Whoever appends to this log announces it by that: in the same transaction, with nothing to be called."""
    names = {"log": log, "table": table, "subject": subject}
    return migrations.RunSQL(ANNOUNCE.format(**names), SILENCE.format(**names))


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0003_absences_and_capacity"),
        ("triage", "0025_acts_by_person"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Subscriber",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.CharField(max_length=120)),
                ("url", models.CharField(max_length=2000)),
                (
                    "kinds",
                    django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=40), size=None),
                ),
                ("tells_persons", models.BooleanField(default=False)),
                ("sealed_secrets", models.BinaryField(default=b"")),
                ("switched_off_at", models.DateTimeField(null=True)),
                ("off_reason", models.TextField(blank=True, default="")),
                ("failures", models.PositiveIntegerField(default=0)),
                ("paused_until", models.DateTimeField(null=True)),
                ("last_success_at", models.DateTimeField(null=True)),
                ("version", models.PositiveIntegerField(default=1)),
                ("created_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                (
                    "created_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "team",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="accounts.team",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="Announcement",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("attempts", models.PositiveSmallIntegerField(db_default=0, default=0)),
                ("next_attempt_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ("lease_token", models.UUIDField(editable=False, null=True)),
                ("completed_at", models.DateTimeField(null=True)),
                ("parked_at", models.DateTimeField(null=True)),
                ("last_error", models.TextField(blank=True, db_default="", default="")),
                ("log", models.CharField(max_length=6)),
                ("number", models.BigIntegerField()),
                ("subject", models.BigIntegerField()),
                ("kind", models.CharField(max_length=40)),
                ("failures", models.PositiveSmallIntegerField(db_default=0, default=0)),
                ("made_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                (
                    "subscriber",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="announcements",
                        to="triage.subscriber",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="AnnouncementTry",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("tried_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ("took_ms", models.PositiveIntegerField()),
                ("status", models.PositiveSmallIntegerField(null=True)),
                ("answer", models.TextField(blank=True, default="")),
                ("trouble", models.TextField(blank=True, default="")),
                (
                    "announcement",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="tries", to="triage.announcement"
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            ("status__isnull", False), models.Q(("trouble", ""), _negated=True), _connector="OR"
                        ),
                        name="announcement_try_has_status_or_trouble",
                    )
                ],
            },
        ),
        migrations.AddConstraint(
            model_name="subscriber",
            constraint=models.CheckConstraint(
                condition=models.Q(("off_reason", ""), ("switched_off_at__isnull", False), _connector="OR"),
                name="subscriber_off_for_a_reason_is_off",
            ),
        ),
        migrations.AddIndex(
            model_name="announcement",
            index=models.Index(
                condition=models.Q(("completed_at", None), ("parked_at", None)),
                fields=["next_attempt_at", "id"],
                name="announcement_due",
            ),
        ),
        migrations.AddIndex(
            model_name="announcement",
            index=models.Index(
                condition=models.Q(("completed_at", None), ("parked_at", None)),
                fields=["subscriber", "log", "subject"],
                name="announcement_waits_about",
            ),
        ),
        migrations.AddIndex(
            model_name="announcement",
            index=models.Index(
                condition=models.Q(("completed_at", None), ("lease_token__isnull", False), ("parked_at", None)),
                fields=["subscriber"],
                name="announcement_in_hand",
            ),
        ),
        migrations.AddIndex(
            model_name="announcement",
            index=models.Index(fields=["subscriber", "-id"], name="announcement_newest"),
        ),
        migrations.AddIndex(
            model_name="announcement",
            index=models.Index(fields=["made_at"], name="announcement_by_age"),
        ),
        migrations.AddConstraint(
            model_name="announcement",
            constraint=models.UniqueConstraint(
                fields=("subscriber", "log", "number"), name="announcement_once_per_subscriber"
            ),
        ),
        announcing("ticket", "triage_event", "coalesce(e.ticket_id, -e.item_id)"),
        announcing("theme", "triage_themeevent", "e.theme_id"),
        announcing("action", "triage_actionevent", "e.action_id"),
    ]
