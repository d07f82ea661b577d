import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("intake", "0011_customers_in_other_systems"),
    ]

    operations = [
        migrations.AlterField(
            model_name="feedbackitem",
            name="customer",
            field=models.ForeignKey(
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="items",
                to="intake.customer",
            ),
        ),
        migrations.AlterField(
            model_name="feedbackitem",
            name="follows",
            field=models.ForeignKey(
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="followed_by",
                to="intake.feedbackitem",
            ),
        ),
        migrations.AlterField(
            model_name="submission",
            name="brought_by",
            field=models.ForeignKey(
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="submissions",
                to="intake.import",
            ),
        ),
        migrations.AlterField(
            model_name="submission",
            name="channel",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="submissions",
                to="intake.channel",
            ),
        ),
        migrations.AddIndex(
            model_name="feedbackitem",
            index=models.Index(
                condition=models.Q(("follows__isnull", False)), fields=["follows"], name="feedback_followed"
            ),
        ),
    ]
