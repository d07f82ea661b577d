from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("triage", "0002_events_are_append_only"),
    ]

    operations = [
        migrations.AlterField(
            model_name="event",
            name="type",
            field=models.CharField(
                choices=[
                    ("received", "received"),
                    ("changed", "changed what they said"),
                    ("receipt", "receipt sent"),
                    ("reply", "replied"),
                    ("triaged", "triaged"),
                    ("routed", "routed"),
                    ("assigned", "assigned"),
                    ("tagged", "tagged"),
                    ("untagged", "removed a tag"),
                    ("severity", "set the severity"),
                    ("noted", "wrote a note"),
                    ("merged", "merged"),
                    ("unmerged", "unmerged"),
                    ("snoozed", "snoozed"),
                    ("woke", "woke"),
                    ("waiting_customer", "waits for the customer"),
                    ("customer_replied", "the customer replied"),
                    ("action_linked", "linked an action"),
                    ("action_unlinked", "unlinked an action"),
                    ("work_started", "started work"),
                    ("resolved", "resolved"),
                    ("reopened", "reopened"),
                    ("closed", "closed"),
                    ("customer_told", "told the customer"),
                    ("score", "rated how we handled it"),
                    ("dismissed", "turned the proposal down"),
                    ("undone", "took back"),
                ],
                max_length=20,
            ),
        ),
    ]
