from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("triage", "0024_improvements_whole")]

    operations = [
        AddIndexConcurrently(
            "event",
            models.Index(
                fields=["person", "-occurred_at"],
                name="event_of_person",
                condition=models.Q(("person__isnull", False)),
            ),
        ),
    ]
