from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("intake", "0003_places_and_proofs"),
    ]

    operations = [
        migrations.AddField(
            model_name="form",
            name="closed_note",
            field=models.CharField(blank=True, db_default="", default="", max_length=300),
        ),
        migrations.AddField(
            model_name="form",
            name="draft",
            field=models.JSONField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="form",
            name="draft_changed_at",
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddConstraint(
            model_name="form",
            constraint=models.CheckConstraint(
                condition=models.Q(("draft__isnull", False), ("current__isnull", False), _connector="OR"),
                name="form_without_version_is_drafted",
            ),
        ),
    ]
