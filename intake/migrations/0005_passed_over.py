from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    dependencies = [("intake", "0004_form_drafts")]

    operations = [
        migrations.AddIndex(
            model_name="submission",
            index=models.Index(
                fields=["channel", "-id"], name="submission_passed_over", condition=Q(ignored_reason__gt="")
            ),
        ),
    ]
