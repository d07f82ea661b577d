from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("triage", "0016_reevaluations"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name="modelversion",
            name="model_active_can_be_loaded",
        ),
        migrations.AddConstraint(
            model_name="modelversion",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("state", "active"), _negated=True),
                    models.Q(
                        ("activated_at__isnull", False),
                        models.Q(("artefact__isnull", False), ("corrections", 0), _connector="OR"),
                    ),
                    _connector="OR",
                ),
                name="model_active_can_be_loaded",
            ),
        ),
    ]
