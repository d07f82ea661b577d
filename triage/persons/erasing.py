"""Erasing one item on every table of this floor and the one below, while everything that is counted stays counted."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.db import connection, transaction

from intake import privacy
from intake.models import Submission
from triage.live.bulletins import tell_changed
from triage.models import (
    Analysis,
    Announcement,
    AnnouncementTry,
    Event,
    LinkedIssue,
    Mention,
    Notification,
    SearchText,
    Tagging,
    Ticket,
)
from triage.models.events import mark_changed
from triage.models.learning import Field, mark_for_training
from triage.themes import gathering
from triage.understanding import embeddings

_NOWHERE = "erased@invalid.invalid"
# What events hold of anybody's words; everything else in them is codes and times.
_WORDS = ("text", "reason", "quote")


_WORDS_OF_A_REASON = frozenset({"words", "quote", "spam"})

_BY_THEMSELVES = "The customer deleted this. It stays counted, without its words."


def erase(submission: Submission, *, at: datetime, said: str = _BY_THEMSELVES, source: str = "customer") -> None:
    """Whatever was said, quoted, found in it or written about it to its sender is gone when this returns."""
    with transaction.atomic():
        with connection.cursor() as cursor:
            # The one transaction in which events may be changed.
            cursor.execute("SET LOCAL portal.erasing = 'on'")
        item = submission.pk
        tickets = list(Ticket.objects.select_for_update().filter(item=item).order_by("pk"))
        for ticket in tickets:
            Ticket.objects.filter(pk=ticket.pk).update(
                explanation=_without_seen(ticket.explanation),
                resolution_reason=privacy.ERASED if ticket.resolution_reason else "",
            )
        events = list(Event.objects.filter(item=item))
        for event in events:
            event.data = _without_words(event.data)
        Event.objects.bulk_update(events, ["data"])
        SearchText.objects.filter(item=item).delete()
        gathering.forget([item])
        embeddings.forget_items([item])
        Analysis.objects.filter(item=item).update(evidence={}, failures={})
        Tagging.objects.filter(item=item).update(evidence={})
        Mention.objects.filter(item=item).delete()
        # A receiver may have sent back what it was told.
        told = Announcement.objects.about("ticket", [*(ticket.pk for ticket in tickets), -item])
        AnnouncementTry.objects.filter(announcement__in=told).update(answer="")
        LinkedIssue.objects.filter(ticket__in=tickets).update(title="", draft={})
        Notification.objects.filter(item=item, completed_at=None).delete()
        Notification.objects.filter(item=item).update(recipient=_NOWHERE, subject="", body="", last_error="")
        privacy.erase(submission, at=at)
        if any(event.person_id for event in events):
            # What was learned from its words is learned anew without them.
            mark_for_training(Field.values)
        if tickets:
            note = {"text": said}
            Event.objects.create(
                item_id=item, ticket=tickets[0], type=Event.Type.NOTED, source=source, data=note, occurred_at=at
            )
            mark_changed([tickets[0].received_at])
            tell_changed((ticket.pk, [ticket.team_id]) for ticket in tickets)


def erase_mails(addresses: Sequence[str]) -> None:
    """Mails that went to these addresses about nothing that is left, inside the caller's transaction."""
    for address in addresses:
        mails = Notification.objects.filter(recipient__iexact=address)
        mails.filter(completed_at=None).delete()
        mails.update(recipient=_NOWHERE, subject="", body="", last_error="")


def _without_words(data: dict[str, Any]) -> dict[str, Any]:
    kept = {name: value for name, value in data.items() if name not in _WORDS}
    before = kept.get("before")
    if isinstance(before, dict):
        reason = privacy.ERASED if before.get("resolution_reason") else ""
        kept["before"] = before | {"resolution_reason": reason}
        if "explanation" in before:
            kept["before"]["explanation"] = _without_seen(before["explanation"])
    return kept


def _without_seen(explanation: dict[str, Any]) -> dict[str, Any]:
    """The rules that held stay named; what they saw of the words does not, nor any of the words themselves."""
    held = [{"rule": told.get("rule"), "matched": told.get("matched")} for told in explanation.get("held", [])]
    kept = {name: value for name, value in explanation.items() if name not in _WORDS_OF_A_REASON}
    model = {name: value for name, value in explanation.get("model", {}).items() if name not in _WORDS_OF_A_REASON}
    return kept | {"held": [told | {"conditions": []} for told in held]} | ({"model": model} if model else {})
