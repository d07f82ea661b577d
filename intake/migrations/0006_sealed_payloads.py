from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("intake", "0005_passed_over"),
    ]

    operations = [
        migrations.AddField(
            model_name="revision",
            name="is_sealed",
            field=models.BooleanField(db_default=False, default=False),
        ),
        migrations.AddField(
            model_name="submission",
            name="is_sealed",
            field=models.BooleanField(db_default=False, default=False),
        ),
    ]
