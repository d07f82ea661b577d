import uuid

import django.contrib.postgres.indexes
import django.db.models.deletion
import django.db.models.functions.datetime
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("intake", "0001_initial"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Delivery",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("attempts", models.PositiveSmallIntegerField(db_default=0, default=0)),
                ("next_attempt_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ("lease_token", models.UUIDField(editable=False, null=True)),
                ("completed_at", models.DateTimeField(null=True)),
                ("parked_at", models.DateTimeField(null=True)),
                ("last_error", models.TextField(blank=True, db_default="", default="")),
                ("delivery_id", models.CharField(max_length=255)),
                ("url", models.CharField(max_length=2000)),
                ("headers", models.JSONField(default=dict)),
                ("body", models.BinaryField()),
                ("sha256", models.BinaryField(max_length=32)),
                ("received_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ("held", models.PositiveIntegerField(null=True)),
                ("brought", models.PositiveIntegerField(default=0)),
                ("ignored_reason", models.CharField(blank=True, db_default="", default="", max_length=200)),
                ("conflicting_body", models.BinaryField(null=True)),
            ],
        ),
        migrations.CreateModel(
            name="Import",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("attempts", models.PositiveSmallIntegerField(db_default=0, default=0)),
                ("next_attempt_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ("lease_token", models.UUIDField(editable=False, null=True)),
                ("completed_at", models.DateTimeField(null=True)),
                ("parked_at", models.DateTimeField(null=True)),
                ("last_error", models.TextField(blank=True, db_default="", default="")),
                ("public_id", models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                ("settings", models.JSONField(default=dict)),
                ("file_name", models.CharField(max_length=200)),
                ("stored_as", models.CharField(max_length=200)),
                ("size", models.PositiveBigIntegerField()),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("uploaded", "Its columns are still to be checked"),
                            ("waiting", "Waiting"),
                            ("running", "Running"),
                            ("paused", "Paused"),
                            ("done", "Done"),
                            ("cancelled", "Cancelled"),
                            ("refused", "Refused"),
                            ("undoing", "Being taken back"),
                            ("undone", "Taken back"),
                        ],
                        default="uploaded",
                        max_length=10,
                    ),
                ),
                ("created_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ("refused_reason", models.TextField(blank=True, default="")),
                ("finished_at", models.DateTimeField(null=True)),
                ("read", models.PositiveBigIntegerField(default=0)),
                ("read_bytes", models.PositiveBigIntegerField(default=0)),
                ("created", models.PositiveBigIntegerField(default=0)),
                ("updated", models.PositiveBigIntegerField(default=0)),
                ("duplicate", models.PositiveBigIntegerField(default=0)),
                ("skipped", models.PositiveBigIntegerField(default=0)),
                ("failed", models.PositiveBigIntegerField(default=0)),
                ("taken_back_up_to", models.PositiveBigIntegerField(default=0)),
            ],
        ),
        migrations.CreateModel(
            name="ImportNotice",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("row", models.PositiveBigIntegerField()),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("skipped", "Skipped"),
                            ("failed", "Failed"),
                            ("left_out", "Taken in, something left out"),
                        ],
                        max_length=10,
                    ),
                ),
                ("column", models.CharField(blank=True, default="", max_length=200)),
                ("reason", models.TextField()),
                ("cells", models.JSONField(default=list)),
            ],
        ),
        migrations.CreateModel(
            name="Poll",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("attempts", models.PositiveSmallIntegerField(db_default=0, default=0)),
                ("next_attempt_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ("lease_token", models.UUIDField(editable=False, null=True)),
                ("completed_at", models.DateTimeField(null=True)),
                ("parked_at", models.DateTimeField(null=True)),
                ("last_error", models.TextField(blank=True, db_default="", default="")),
                ("cursor", models.JSONField(default=dict)),
                ("every_seconds", models.PositiveIntegerField(default=300)),
                ("last_started_at", models.DateTimeField(null=True)),
                ("last_success_at", models.DateTimeField(null=True)),
                ("newest_at", models.DateTimeField(null=True)),
                ("taken", models.PositiveBigIntegerField(default=0)),
                ("brought", models.PositiveBigIntegerField(default=0)),
                ("failures", models.PositiveIntegerField(default=0)),
            ],
        ),
        migrations.CreateModel(
            name="Revision",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("payload", models.BinaryField()),
                ("content_type", models.CharField(max_length=120)),
                ("source_updated_at", models.DateTimeField(null=True)),
                ("replaced_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
            ],
        ),
        migrations.AddField(
            model_name="channel",
            name="hook_hash",
            field=models.CharField(editable=False, max_length=64, null=True, unique=True),
        ),
        migrations.AddField(
            model_name="channel",
            name="hook_salt",
            field=models.UUIDField(default=uuid.uuid4, editable=False),
        ),
        migrations.AddField(
            model_name="channel",
            name="raw_kept_days",
            field=models.PositiveIntegerField(default=180),
        ),
        migrations.AddField(
            model_name="channel",
            name="sealed_secrets",
            field=models.BinaryField(blank=True, default=b""),
        ),
        migrations.AddField(
            model_name="feedbackitem",
            name="author",
            field=models.CharField(blank=True, db_default="", default="", max_length=120),
        ),
        migrations.AddField(
            model_name="feedbackitem",
            name="follows",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="followed_by",
                to="intake.feedbackitem",
            ),
        ),
        migrations.AddField(
            model_name="feedbackitem",
            name="is_private",
            field=models.BooleanField(db_default=False, default=False),
        ),
        migrations.AddField(
            model_name="feedbackitem",
            name="thread",
            field=models.CharField(blank=True, db_default="", default="", max_length=255),
        ),
        migrations.AddField(
            model_name="submission",
            name="gone_at",
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name="submission",
            name="source_updated_at",
            field=models.DateTimeField(null=True),
        ),
        migrations.AddIndex(
            model_name="feedbackitem",
            index=models.Index(
                condition=models.Q(("thread", ""), _negated=True),
                fields=["channel", "thread", "submission"],
                name="feedback_by_thread",
            ),
        ),
        migrations.AddField(
            model_name="delivery",
            name="channel",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="deliveries", to="intake.channel"
            ),
        ),
        migrations.AddField(
            model_name="import",
            name="channel",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="imports", to="intake.channel"
            ),
        ),
        migrations.AddField(
            model_name="import",
            name="started_by",
            field=models.ForeignKey(
                null=True, on_delete=django.db.models.deletion.SET_NULL, related_name="+", to=settings.AUTH_USER_MODEL
            ),
        ),
        migrations.AddField(
            model_name="submission",
            name="brought_by",
            field=models.ForeignKey(
                null=True, on_delete=django.db.models.deletion.SET_NULL, related_name="submissions", to="intake.import"
            ),
        ),
        migrations.AddIndex(
            model_name="submission",
            index=models.Index(
                condition=models.Q(("brought_by__isnull", False)),
                fields=["brought_by", "id"],
                name="submission_by_import",
            ),
        ),
        migrations.AddIndex(
            model_name="submission",
            index=django.contrib.postgres.indexes.BrinIndex(fields=["received_at"], name="submission_by_age"),
        ),
        migrations.AddField(
            model_name="importnotice",
            name="run",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE, related_name="notices", to="intake.import"
            ),
        ),
        migrations.AddField(
            model_name="poll",
            name="channel",
            field=models.OneToOneField(
                on_delete=django.db.models.deletion.CASCADE, related_name="poll", to="intake.channel"
            ),
        ),
        migrations.AddField(
            model_name="revision",
            name="submission",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE, related_name="revisions", to="intake.submission"
            ),
        ),
        migrations.AddIndex(
            model_name="delivery",
            index=models.Index(
                condition=models.Q(("completed_at", None), ("parked_at", None)),
                fields=["next_attempt_at", "id"],
                name="delivery_due",
            ),
        ),
        migrations.AddIndex(
            model_name="delivery",
            index=models.Index(
                condition=models.Q(("parked_at__isnull", False)), fields=["-parked_at"], name="delivery_parked"
            ),
        ),
        migrations.AddIndex(
            model_name="delivery",
            index=models.Index(fields=["channel", "-id"], name="delivery_newest"),
        ),
        migrations.AddConstraint(
            model_name="delivery",
            constraint=models.UniqueConstraint(fields=("channel", "delivery_id"), name="delivery_once_per_channel"),
        ),
        migrations.AddIndex(
            model_name="import",
            index=models.Index(
                condition=models.Q(("completed_at", None), ("parked_at", None)),
                fields=["next_attempt_at", "id"],
                name="import_due",
            ),
        ),
        migrations.AddIndex(
            model_name="import",
            index=models.Index(
                condition=models.Q(("state__in", ["waiting", "running", "undoing"])),
                fields=["-id"],
                name="import_running",
            ),
        ),
        migrations.AddIndex(
            model_name="importnotice",
            index=models.Index(fields=["run", "id"], name="import_notice_in_order"),
        ),
        migrations.AddIndex(
            model_name="poll",
            index=models.Index(
                condition=models.Q(("completed_at", None), ("parked_at", None)),
                fields=["next_attempt_at", "id"],
                name="poll_due",
            ),
        ),
    ]
