import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("intake", "0008_sessions"),
    ]

    operations = [
        migrations.CreateModel(
            name="ForgedCalls",
            fields=[
                (
                    "channel",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="forged_calls",
                        serialize=False,
                        to="intake.channel",
                    ),
                ),
                ("count", models.PositiveBigIntegerField(default=1)),
                ("last_at", models.DateTimeField()),
            ],
        ),
        # A stranger's calls cost no flush; after a crash they are counted from nothing.
        migrations.RunSQL(
            "ALTER TABLE intake_forgedcalls SET UNLOGGED", reverse_sql="ALTER TABLE intake_forgedcalls SET LOGGED"
        ),
    ]
