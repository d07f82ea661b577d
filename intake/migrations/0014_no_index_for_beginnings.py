from django.db import migrations

# Beside each unique text Django makes a second index for searches by its beginning (LIKE 'x%'). Nobody asks for the
# beginning of a hash or of an id, so these were only written.
_UNUSED = (
    ("intake_submission", "tracking_hash", "intake_submission_tracking_hash_963b3496_like"),
    ("intake_customer", "external_id", "intake_customer_external_id_0fb2c1ab_like"),
    ("intake_account", "external_id", "intake_account_external_id_e83bbbed_like"),
)


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("intake", "0013_doors_without_channel")]

    operations = [
        migrations.RunSQL(
            f"DROP INDEX CONCURRENTLY IF EXISTS {name}",
            f"CREATE INDEX CONCURRENTLY IF NOT EXISTS {name} ON {table} ({column} varchar_pattern_ops)",
        )
        for table, column, name in _UNUSED
    ]
