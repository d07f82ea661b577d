"""The hash of the text of every item understood before there were vectors, a batch at a time; nothing waits meanwhile."""

from django.apps.registry import Apps
from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

from triage.understanding.embeddings import text_hash

_AT_ONCE = 1_000


def fill(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    analyses = apps.get_model("triage", "Analysis").objects.filter(text_hash=None).order_by("item")
    last = 0
    while page := list(
        analyses.filter(item__gt=last).values_list("item", "item__title", "item__text", "item__submission__gone_at")[
            :_AT_ONCE
        ]
    ):
        rows = [
            analyses.model(pk=item, text_hash=text_hash(f"{title}\n{text}"))
            for item, title, text, gone in page
            if not gone
        ]
        analyses.model.objects.bulk_update(rows, ["text_hash"])
        last = page[-1][0]


class Migration(migrations.Migration):
    # An index that locks nobody out is made outside a transaction.
    atomic = False

    dependencies = [("triage", "0009_vectors_of_texts")]

    operations = [
        AddIndexConcurrently(
            model_name="analysis",
            index=models.Index(
                condition=models.Q(("text_hash__isnull", False)), fields=["text_hash"], name="analysis_same_text"
            ),
        ),
        migrations.RunPython(fill, migrations.RunPython.noop),
    ]
