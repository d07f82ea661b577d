import django.contrib.postgres.fields
import django.db.models.deletion
import django.db.models.functions.datetime
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0003_absences_and_capacity"),
        ("triage", "0030_linked_issues"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        # Nothing was told by the first form of it yet.
        migrations.DeleteModel(name="Telling"),
        migrations.CreateModel(
            name="Telling",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("texts", models.JSONField(default=dict)),
                ("approved_at", models.DateTimeField()),
                ("asked_again_at", models.DateTimeField(null=True)),
                (
                    "action",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="tellings", to="triage.action"
                    ),
                ),
                (
                    "key",
                    models.ForeignKey(
                        null=True, on_delete=django.db.models.deletion.PROTECT, related_name="+", to="accounts.apikey"
                    ),
                ),
                (
                    "person",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="TellingPart",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("attempts", models.PositiveSmallIntegerField(db_default=0, default=0)),
                ("next_attempt_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ("lease_token", models.UUIDField(editable=False, null=True)),
                ("completed_at", models.DateTimeField(null=True)),
                ("parked_at", models.DateTimeField(null=True)),
                ("last_error", models.TextField(blank=True, db_default="", default="")),
                ("tickets", django.contrib.postgres.fields.ArrayField(base_field=models.BigIntegerField(), size=None)),
                ("asks", models.BooleanField(default=False)),
                ("counts", models.JSONField(default=dict)),
                ("created_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                (
                    "telling",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="parts", to="triage.telling"
                    ),
                ),
            ],
        ),
        migrations.AddIndex(
            model_name="telling",
            index=models.Index(
                condition=models.Q(("asked_again_at", None)), fields=["approved_at"], name="telling_to_ask"
            ),
        ),
        migrations.AddIndex(
            model_name="tellingpart",
            index=models.Index(
                condition=models.Q(("completed_at", None), ("parked_at", None)),
                fields=["next_attempt_at", "id"],
                name="telling_part_due",
            ),
        ),
    ]
