from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("intake", "0006_sealed_payloads")]

    operations = [
        migrations.AddField(
            model_name="delivery", name="told_of", field=ArrayField(models.BigIntegerField(), default=list)
        ),
        migrations.AddIndex(model_name="delivery", index=GinIndex(fields=["told_of"], name="delivery_told_of")),
    ]
