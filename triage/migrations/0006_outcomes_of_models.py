from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("triage", "0005_targets"),
    ]

    operations = [
        migrations.AddField(
            model_name="artefact",
            name="outcomes",
            field=models.BinaryField(default=bytes),
        ),
        migrations.AddField(
            model_name="modelversion",
            name="looked_again",
            field=models.PositiveIntegerField(default=0),
        ),
        migrations.AddField(
            model_name="refinement",
            name="why",
            field=models.CharField(
                choices=[
                    ("cheap", "looked at again with the better model"),
                    ("promoted", "looked at again with a newer model"),
                    ("back", "looked at again after the model was rolled back"),
                ],
                default="cheap",
                max_length=8,
            ),
        ),
    ]
