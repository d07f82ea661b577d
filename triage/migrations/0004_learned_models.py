import django.db.models.deletion
import django.db.models.functions.datetime
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("intake", "0012_no_index_twice"),
        ("triage", "0003_changed_at_the_source"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Artefact",
            fields=[
                ("sha256", models.CharField(max_length=64, primary_key=True, serialize=False)),
                ("size", models.PositiveIntegerField()),
                ("content", models.BinaryField()),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("size__lte", 67108864)), name="artefact_fits_in_a_worker"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            (
                                "size",
                                models.Func(
                                    models.F("content"), function="octet_length", output_field=models.IntegerField()
                                ),
                            )
                        ),
                        name="artefact_is_whole",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Training",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("attempts", models.PositiveSmallIntegerField(db_default=0, default=0)),
                ("next_attempt_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ("lease_token", models.UUIDField(editable=False, null=True)),
                ("completed_at", models.DateTimeField(null=True)),
                ("parked_at", models.DateTimeField(null=True)),
                ("last_error", models.TextField(blank=True, db_default="", default="")),
                ("field", models.CharField(choices=[("topic", "Topic"), ("team", "Team")], max_length=12)),
            ],
            options={
                "indexes": [
                    models.Index(
                        condition=models.Q(("completed_at", None), ("parked_at", None)),
                        fields=["next_attempt_at", "id"],
                        name="training_due",
                    )
                ],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(
                            ("attempts", 0), ("completed_at", None), ("lease_token", None), ("parked_at", None)
                        ),
                        fields=("field",),
                        name="training_waits_once",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="ModelVersion",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("field", models.CharField(choices=[("topic", "Topic"), ("team", "Team")], max_length=12)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("candidate", "Candidate"),
                            ("active", "In use"),
                            ("rejected", "Not better"),
                            ("retired", "Replaced"),
                        ],
                        default="candidate",
                        max_length=9,
                    ),
                ),
                ("corrections", models.PositiveIntegerField(default=0)),
                ("metrics", models.JSONField(default=dict)),
                ("thresholds", models.JSONField(default=dict)),
                ("encoder", models.CharField(blank=True, default="", max_length=64)),
                ("features", models.PositiveSmallIntegerField(default=1)),
                ("taxonomy", models.CharField(max_length=64)),
                ("why_rejected", models.TextField(blank=True, default="")),
                ("seconds", models.FloatField(default=0.0)),
                ("created_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ("activated_at", models.DateTimeField(blank=True, null=True)),
                ("pinned_at", models.DateTimeField(blank=True, null=True)),
                (
                    "activated_by",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "artefact",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="versions",
                        to="triage.artefact",
                    ),
                ),
                (
                    "parent",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="children",
                        to="triage.modelversion",
                    ),
                ),
            ],
            options={
                "indexes": [models.Index(fields=["field", "-id"], name="model_by_field")],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("state", "active")), fields=("field",), name="model_one_active_per_field"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("state", "active"), _negated=True),
                            models.Q(("activated_at__isnull", False), ("artefact__isnull", False)),
                            _connector="OR",
                        ),
                        name="model_active_can_be_loaded",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("state", "rejected"), _negated=True),
                            models.Q(("why_rejected", ""), _negated=True),
                            _connector="OR",
                        ),
                        name="model_rejected_says_why",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("pinned_at", None), ("state", "active"), _connector="OR"),
                        name="model_pinned_is_active",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Refinement",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("attempts", models.PositiveSmallIntegerField(db_default=0, default=0)),
                ("next_attempt_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ("lease_token", models.UUIDField(editable=False, null=True)),
                ("completed_at", models.DateTimeField(null=True)),
                ("parked_at", models.DateTimeField(null=True)),
                ("last_error", models.TextField(blank=True, db_default="", default="")),
                (
                    "item",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="refinements",
                        to="intake.feedbackitem",
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(
                        condition=models.Q(("completed_at", None), ("parked_at", None)),
                        fields=["next_attempt_at", "id"],
                        name="refinement_due",
                    )
                ],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(
                            ("attempts", 0), ("completed_at", None), ("lease_token", None), ("parked_at", None)
                        ),
                        fields=("item",),
                        name="refinement_waits_once",
                    )
                ],
            },
        ),
    ]
