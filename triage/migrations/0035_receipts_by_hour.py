from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("triage", "0034_one_index_for_one_question")]

    operations = [
        AddIndexConcurrently(
            "notification",
            models.Index(fields=["created_at"], name="notification_receipts", condition=models.Q(("kind", "receipt"))),
        ),
    ]
