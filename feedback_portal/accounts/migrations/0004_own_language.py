from django.db import migrations, models


class Migration(migrations.Migration):
    """A constant default: PostgreSQL adds such a column without touching the rows."""

    dependencies = [("accounts", "0003_absences_and_capacity")]

    operations = [
        migrations.AddField(
            model_name="user",
            name="language",
            field=models.CharField(blank=True, db_default="", default="", max_length=12),
        ),
    ]
