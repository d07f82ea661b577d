"""Which definition counted from when on."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("kpis", "0004_count_the_new_number"),
    ]

    operations = [
        migrations.CreateModel(
            name="DefinitionVersion",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("kpi", models.CharField(max_length=40)),
                ("version", models.PositiveSmallIntegerField()),
                ("valid_from", models.DateTimeField()),
                ("name", models.CharField(max_length=80)),
                ("definition", models.TextField()),
                ("numerator", models.CharField(max_length=200)),
                ("denominator", models.CharField(max_length=200)),
                ("unit", models.CharField(max_length=20)),
                ("change", models.TextField(blank=True, default="")),
                ("sql_sha256", models.CharField(max_length=64)),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("kpi", "version"), name="definition_version_once"),
                    models.CheckConstraint(
                        condition=models.Q(("version", 1), models.Q(("change", ""), _negated=True), _connector="OR"),
                        name="later_version_says_why",
                    ),
                ],
            },
        ),
        migrations.RunSQL(
            "CREATE TRIGGER definitionversion_stays BEFORE UPDATE OR DELETE ON kpis_definitionversion"
            " FOR EACH ROW EXECUTE FUNCTION refuse_kpis_change()",
            "DROP TRIGGER definitionversion_stays ON kpis_definitionversion",
        ),
    ]
