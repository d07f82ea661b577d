"""Taking back what an import brought: items that nobody decided leave without a trace, the others stay."""

from collections.abc import Sequence

from django.db import connection

from intake import importing
from intake.models import FeedbackItem, Import
from triage.models import Analysis, Event, Mention, Notification, SearchText, Tagging, Ticket
from triage.models.events import mark_changed
from triage.themes import gathering
from triage.understanding import embeddings

# What only a person does; a rule or the model may have done the rest by itself.
_BY_PEOPLE = ("person", "customer")


def without_taken_back(items: Sequence[FeedbackItem]) -> list[FeedbackItem]:
    """The items that stay. Those of an import that is being taken back are deleted, inside the caller's transaction, unless a
    person decided on them or their sender answered. The submission and its import must be loaded."""
    back = [item for item in items if _is_taken_back(item)]
    if not back:
        return list(items)
    keys = [item.pk for item in back]
    events = Event.objects.filter(item__in=keys).exclude(type=Event.Type.RECEIVED)
    decided = set(events.filter(source__in=_BY_PEOPLE).values_list("item", flat=True))
    gone = [item for item in back if item.pk not in decided]
    _delete([item.pk for item in gone])
    mark_changed(item.received_at for item in gone)
    return [item for item in items if not _is_taken_back(item)]


def _is_taken_back(item: FeedbackItem) -> bool:
    run = item.submission.brought_by
    return run is not None and run.state in (Import.State.UNDOING, Import.State.UNDONE)


def _delete(keys: Sequence[int]) -> None:
    with connection.cursor() as cursor:
        # The one kind of transaction in which events may be changed.
        cursor.execute("SET LOCAL portal.erasing = 'on'")
    gathering.forget(keys)
    embeddings.forget_items(keys)
    for model in (Event, Notification, Tagging, Mention, Analysis, SearchText, Ticket):
        model.objects.filter(item__in=keys).delete()
    importing.withdraw(keys)
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL portal.erasing = 'off'")
