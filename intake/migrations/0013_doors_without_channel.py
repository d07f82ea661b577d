import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("intake", "0012_no_index_twice"),
    ]

    operations = [
        # Backwards: what counts pages that are no channel limits nobody for longer than an hour.
        migrations.RunSQL(migrations.RunSQL.noop, reverse_sql="DELETE FROM intake_allowance WHERE channel_id IS NULL"),
        migrations.RemoveConstraint(
            model_name="allowance",
            name="allowance_once_per_address",
        ),
        migrations.AlterField(
            model_name="allowance",
            name="channel",
            field=models.ForeignKey(
                null=True, on_delete=django.db.models.deletion.CASCADE, related_name="+", to="intake.channel"
            ),
        ),
        migrations.AddConstraint(
            model_name="allowance",
            constraint=models.UniqueConstraint(
                fields=("channel", "address"), name="allowance_once_for_address", nulls_distinct=False
            ),
        ),
    ]
