"""Issues of trackers beside tickets and actions, and the triggers by which a decision rings them."""

import uuid

import django.db.models.deletion
import django.db.models.functions.datetime
from django.conf import settings
from django.db import migrations, models

RING = """
CREATE FUNCTION ring_issues_of_{log}() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    -- Something happened to a ticket or an action: its issues are looked at, those in somebody's hands once more afterwards.
    UPDATE triage_linkedissue i SET rung_at = statement_timestamp(), completed_at = NULL,
        attempts = CASE WHEN i.lease_token IS NULL THEN 0 ELSE i.attempts END,
        next_attempt_at = CASE WHEN i.lease_token IS NULL THEN greatest(statement_timestamp(), p.paused_until)
            ELSE i.next_attempt_at END
    FROM triage_trackerproject p
    WHERE p.id = i.project_id AND p.is_enabled AND i.unlinked_at IS NULL AND i.parked_at IS NULL
        AND i.{column} IN (SELECT {column} FROM appended);
    RETURN NULL;
END $$;
CREATE TRIGGER ring_linked_issues AFTER INSERT ON {table} REFERENCING NEW TABLE AS appended
    FOR EACH STATEMENT EXECUTE FUNCTION ring_issues_of_{log}();
"""
SILENCE = """
DROP TRIGGER ring_linked_issues ON {table};
DROP FUNCTION ring_issues_of_{log}();
"""


def ringing(log: str, table: str, column: str) -> migrations.RunSQL:
    names = {"log": log, "table": table, "column": column}
    return migrations.RunSQL(RING.format(**names), SILENCE.format(**names))


class Migration(migrations.Migration):
    dependencies = [
        ("triage", "0029_desks_of_people"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="TrackerProject",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("attempts", models.PositiveSmallIntegerField(db_default=0, default=0)),
                ("next_attempt_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ("lease_token", models.UUIDField(editable=False, null=True)),
                ("completed_at", models.DateTimeField(null=True)),
                ("parked_at", models.DateTimeField(null=True)),
                ("last_error", models.TextField(blank=True, db_default="", default="")),
                ("name", models.CharField(max_length=120)),
                ("kind", models.CharField(max_length=40)),
                ("settings", models.JSONField(default=dict)),
                ("sealed_secrets", models.BinaryField(default=b"")),
                ("statuses", models.JSONField(default=dict)),
                (
                    "when_done",
                    models.CharField(
                        choices=[
                            ("note", "Write it down"),
                            ("resolve", "Resolve the ticket as shipped, and tell nobody"),
                            ("tell", "Resolve the ticket as shipped, and tell the customer"),
                        ],
                        default="note",
                        max_length=7,
                    ),
                ),
                ("shares_notes", models.BooleanField(default=False)),
                ("is_enabled", models.BooleanField(default=True)),
                ("hook_hash", models.CharField(editable=False, max_length=64, null=True, unique=True)),
                ("hook_salt", models.UUIDField(default=uuid.uuid4, editable=False)),
                ("seen_until", models.DateTimeField(null=True)),
                ("failures", models.PositiveIntegerField(default=0)),
                ("trouble", models.TextField(blank=True, default="")),
                ("paused_until", models.DateTimeField(null=True)),
                ("last_success_at", models.DateTimeField(null=True)),
                ("version", models.PositiveIntegerField(default=1)),
                ("created_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
            ],
            options={
                "indexes": [
                    models.Index(
                        condition=models.Q(("completed_at", None), ("parked_at", None)),
                        fields=["next_attempt_at", "id"],
                        name="tracker_project_due",
                    )
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("when_done__in", ["note", "resolve", "tell"])),
                        name="tracker_project_knows_what_done_means",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="LinkedIssue",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("attempts", models.PositiveSmallIntegerField(db_default=0, default=0)),
                ("next_attempt_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ("lease_token", models.UUIDField(editable=False, null=True)),
                ("completed_at", models.DateTimeField(null=True)),
                ("parked_at", models.DateTimeField(null=True)),
                ("last_error", models.TextField(blank=True, db_default="", default="")),
                ("key", models.CharField(blank=True, default="", max_length=120)),
                ("draft", models.JSONField(blank=True, default=dict)),
                ("title", models.CharField(blank=True, default="", max_length=300)),
                ("url", models.CharField(blank=True, default="", max_length=2000)),
                ("status", models.CharField(blank=True, default="", max_length=120)),
                ("standing", models.CharField(blank=True, default="", max_length=7)),
                ("linked_at", models.DateTimeField()),
                ("unlinked_at", models.DateTimeField(null=True)),
                ("comments_until", models.DateTimeField()),
                ("rung_at", models.DateTimeField(null=True)),
                ("looked_at", models.DateTimeField(null=True)),
                ("acted_version", models.PositiveIntegerField(null=True)),
                (
                    "action",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="issues",
                        to="triage.action",
                    ),
                ),
                (
                    "person",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "ticket",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="issues",
                        to="triage.ticket",
                    ),
                ),
                (
                    "project",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="issues", to="triage.trackerproject"
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="CarriedComment",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("number", models.CharField(max_length=60)),
                ("event", models.BigIntegerField(null=True)),
                ("carried_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                (
                    "issue",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="comments", to="triage.linkedissue"
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("issue", "number"), name="carried_comment_once_from_there"),
                    models.UniqueConstraint(fields=("issue", "event"), name="carried_comment_once_from_here"),
                ],
            },
        ),
        migrations.AddIndex(
            model_name="linkedissue",
            index=models.Index(
                condition=models.Q(("completed_at", None), ("parked_at", None)),
                fields=["next_attempt_at", "id"],
                name="linked_issue_due",
            ),
        ),
        migrations.AddConstraint(
            model_name="linkedissue",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("action__isnull", False), ("ticket", None)),
                    models.Q(("action", None), ("ticket__isnull", False)),
                    _connector="OR",
                ),
                name="linked_issue_of_ticket_or_action",
            ),
        ),
        migrations.AddConstraint(
            model_name="linkedissue",
            constraint=models.UniqueConstraint(
                condition=models.Q(
                    ("ticket__isnull", False), ("unlinked_at", None), models.Q(("key", ""), _negated=True)
                ),
                fields=("project", "key", "ticket"),
                name="linked_issue_once_per_ticket",
            ),
        ),
        migrations.AddConstraint(
            model_name="linkedissue",
            constraint=models.UniqueConstraint(
                condition=models.Q(
                    ("action__isnull", False), ("unlinked_at", None), models.Q(("key", ""), _negated=True)
                ),
                fields=("project", "key", "action"),
                name="linked_issue_once_per_action",
            ),
        ),
        ringing("ticket", "triage_event", "ticket_id"),
        ringing("action", "triage_actionevent", "action_id"),
    ]
