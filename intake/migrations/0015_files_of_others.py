import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("intake", "0014_no_index_for_beginnings")]

    operations = [
        migrations.AlterField(
            model_name="attachment",
            name="submission",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="attachments",
                to="intake.submission",
            ),
        ),
    ]
