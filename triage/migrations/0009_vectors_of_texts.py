from django.db import migrations, models
from django.db.models.functions import Now
from django.db.models.lookups import Exact


def has_bytes(name: str, number: int) -> models.Q:
    length = models.Func(models.F(name), function="octet_length", output_field=models.IntegerField())
    return models.Q(Exact(length, number))


class Migration(migrations.Migration):
    dependencies = [("triage", "0008_several_teams_on_one_item")]

    operations = [
        migrations.CreateModel(
            name="Embedding",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "text_hash", "fingerprint", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("text_hash", models.BinaryField()),
                ("fingerprint", models.CharField(max_length=16)),
                ("vector", models.BinaryField()),
                ("created_at", models.DateTimeField(db_default=Now())),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(condition=has_bytes("text_hash", 32), name="embedding_hash_is_whole"),
                    models.CheckConstraint(condition=has_bytes("vector", 768), name="embedding_vector_is_whole"),
                ],
            },
        ),
        migrations.AddField(
            model_name="analysis",
            name="text_hash",
            field=models.BinaryField(null=True),
        ),
    ]
