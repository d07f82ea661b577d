import django.core.validators
import django.db.models.deletion
import django.db.models.functions.datetime
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("intake", "0002_every_channel")]

    operations = [
        migrations.CreateModel(
            name="Place",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("slug", models.SlugField(max_length=60, unique=True)),
                ("name", models.CharField(max_length=120)),
                ("languages", models.JSONField(default=list)),
                (
                    "exit_code",
                    models.CharField(
                        max_length=12,
                        validators=[
                            django.core.validators.RegexValidator("\\A\\d{4,12}\\Z", "Use four to twelve digits.")
                        ],
                    ),
                ),
                ("is_enabled", models.BooleanField(default=True)),
                ("created_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                (
                    "form",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="places", to="intake.form"
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="SpentProof",
            fields=[
                ("challenge", models.CharField(max_length=64, primary_key=True, serialize=False)),
                ("expires_at", models.DateTimeField(db_index=True)),
            ],
        ),
    ]
