from django.contrib.postgres.operations import AddConstraintNotValid, AddIndexConcurrently, ValidateConstraint
from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("triage", "0012_what_was_merged")]

    operations = [
        AddIndexConcurrently(
            "ticket",
            models.Index(fields=["merged_into"], name="ticket_merged", condition=Q(merged_into__isnull=False)),
        ),
        AddConstraintNotValid(
            "ticket",
            models.CheckConstraint(
                condition=Q(duplicate_of=None, merged_into=None)
                | Q(duplicate_of__isnull=False, merged_into__isnull=False),
                name="ticket_merged_into_leads_to_original",
            ),
        ),
        ValidateConstraint("ticket", "ticket_merged_into_leads_to_original"),
    ]
