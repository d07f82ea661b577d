"""One review, and everybody whose words an action answers is told what came of them; four weeks later they are asked whether it held."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from django.conf import settings
from django.db import transaction
from django.db.models import IntegerField, Q, Sum
from django.db.models.fields.json import KT
from django.db.models.functions import Cast, Now
from django.utils.translation import gettext

from feedback_portal.accounts.permissions import Actor
from feedback_portal.marking import marked
from feedback_portal.pending import Drained, drain
from feedback_portal.refusals import BadInput, InputError, Refused
from intake.cleaning import clean_text
from triage import decisions, notifications
from triage.improving import improvements
from triage.improving.improvements import NotThisStep, tell
from triage.lifecycle import OPEN, Resolution
from triage.models import Action, ActionEvent, Notification, Telling, TellingPart, Ticket
from triage.models.tickets import TicketQuerySet

PART: Final = 200
"""Tickets that are resolved and written to in one transaction."""
ASK_AFTER: Final = timedelta(weeks=4)
_LEASE: Final = timedelta(minutes=5)
WHY: Final[Mapping[str, str]] = {
    "told": marked("are written to"),
    "same_person": marked("said it more than once and get one mail"),
    "no_address": marked("left no address"),
    "no_consent": marked("did not ask to be written to"),
    "opted_out": marked("want no mails"),
    "too_many": marked("had 3 such mails today"),
    "gone": marked("are gone"),
}


def ship(
    action: Action,
    *,
    by: Actor,
    at: datetime,
    public_text: str,
    resolve: bool = True,
    version: int | None = None,
) -> Action:
    """Ship it, and with `resolve` tell everybody at once in the same words, as a program does that reviewed them itself."""
    with transaction.atomic():
        shipped = improvements.ship(action, by=by, at=at, public_text=public_text, version=version)
        if resolve and voices(shipped):
            approve(shipped, by=by, at=at, texts={"": shipped.public_text})
    return shipped


def review(action: Action, *, most: int = 3) -> dict[str, Any]:
    """Who would hear of it and who would not and why, by counts; the languages they read; the first few messages as they would be."""
    counts, languages = Counter[str](), Counter[str]()
    first: list[Ticket] = []
    seen: set[int | None] = set()
    for voice in _loaded(voices(action)).iterator(chunk_size=1000):
        why = notifications.why_not(voice.item) or ("same_person" if voice.item.customer_id in seen else "told")
        counts[why] += 1
        if why == "told":
            seen.add(voice.item.customer_id)
            languages[notifications.language_of(voice.item)] += 1
            first += [voice] if len(first) < most else []
    return {"counts": counts, "languages": languages, "examples": first}


def approve(action: Action, *, by: Actor, at: datetime, texts: Mapping[str, str]) -> Telling:
    """Send it on its way: the open tickets end as shipped, and each customer is written to once. `texts` by language, "" for others."""
    if action.shipped_at is None or action.withdrawn_at is not None:
        raise NotThisStep(
            gettext("%(reference)s has not shipped, so there is nothing to tell yet.") % {"reference": action.reference}
        )
    clean = {language: clean_text(text, longest=improvements.LONGEST_TEXT) for language, text in texts.items()}
    clean = {language: text for language, text in clean.items() if text and language in {"", *dict(settings.LANGUAGES)}}
    if not clean.get(""):
        message = gettext("Write what was changed, in words customers can read.")
        raise BadInput(message, errors=(InputError("text", message),))
    with transaction.atomic():
        # Two who approve at once: the second finds the first.
        Action.objects.select_for_update().get(pk=action.pk)
        if TellingPart.objects.waiting().filter(telling__action=action, asks=False).exists():
            raise NotThisStep(gettext("These customers are being told right now."))
        told = Telling.objects.create(action=action, texts=clean, person=by.user, key=by.key, approved_at=at)
        numbers = list(voices(action).values_list("pk", flat=True))
        _write_parts(told, numbers, asks=False)
        tell(action, ActionEvent.Type.TOLD, {"tickets": len(numbers)}, by=by, at=at)
    return told


def voices(action: Action) -> TicketQuerySet:
    """The tickets it answers, and those that were merged into them."""
    links = Q(action_links__action=action, action_links__unlinked_at=None)
    linked = Ticket.objects.filter(links).values("pk")
    return Ticket.objects.filter(Q(pk__in=linked) | Q(duplicate_of__in=linked)).order_by("pk")


def tell_pending() -> Drained:
    """Resolve and write to what is due, a part a transaction: whoever dies in the middle leaves it whole to the next."""
    rows = TellingPart.objects.select_related("telling__action__team", "telling__person", "telling__key")
    return drain(rows, _tell, batch=1, lease=_LEASE)


def tell_at_once(action: Action) -> None:
    """What waits to be told about it, within the caller's transaction: for a story that is played and not lived."""
    parts = TellingPart.objects.waiting().filter(telling__action=action)
    _tell(list(parts.select_related("telling__action__team", "telling__person", "telling__key").order_by("pk")))
    parts.update(completed_at=Now())


def ask_again(*, at: datetime) -> int:
    """Four weeks after customers were told, ask them whether it stayed fixed, if we still think so; how many tellings."""
    due = Telling.objects.filter(asked_again_at=None, approved_at__lte=at - ASK_AFTER).order_by("approved_at")
    count = 0
    for telling in due.select_related("action")[:100]:
        with transaction.atomic():
            if not Telling.objects.filter(pk=telling.pk, asked_again_at=None).update(asked_again_at=at):
                continue
            holds = telling.action.step in {Action.Step.CHECK, Action.Step.ACT} and telling.action.withdrawn_at is None
            if holds:
                told = Notification.objects.filter(
                    kind=Notification.Kind.CHANGE, once_key__startswith=f"{_once(telling)}:"
                )
                numbers = list(told.exclude(completed_at=None).order_by("ticket").values_list("ticket", flat=True))
                _write_parts(telling, numbers, asks=True)
                count += 1
    return count


def progress(action: Action) -> dict[str, Any] | None:
    """How far its latest telling is, by the counts of its parts; None before the first."""
    telling = Telling.objects.filter(action=action).order_by("-pk").first()
    if telling is None:
        return None
    parts = telling.parts.filter(asks=False)
    sums = parts.aggregate(**{why: Sum(Cast(KT(f"counts__{why}"), IntegerField())) for why in WHY})
    return {
        "telling": telling,
        "waiting": parts.waiting().count(),
        "parked": parts.parked().count(),
        "counts": [(sums[why], gettext(words)) for why, words in WHY.items() if sums[why]],
    }


def _write_parts(telling: Telling, numbers: Sequence[int], *, asks: bool) -> None:
    TellingPart.objects.bulk_create(
        TellingPart(telling=telling, tickets=numbers[start : start + PART], asks=asks)
        for start in range(0, len(numbers), PART)
    )


def _tell(parts: list[TellingPart]) -> None:
    for part in parts:
        telling = part.telling
        tickets = list(_loaded(Ticket.objects.filter(pk__in=part.tickets).order_by("pk")))
        by = Actor(user=telling.person, key=telling.key)
        if not part.asks:
            for ticket in tickets:
                _resolve(ticket, telling, by=by)
        kind = Notification.Kind.STILL_FIXED if part.asks else Notification.Kind.CHANGE
        once = f"again:{_once(telling)}" if part.asks else _once(telling)
        # Who is asked four weeks later may have had mails about other changes since; only those of that day count.
        at = telling.asked_again_at if part.asks and telling.asked_again_at else telling.approved_at
        counts = notifications.write_changes(tickets, kind, once=once, texts=telling.texts, at=at)
        TellingPart.objects.filter(pk=part.pk).update(counts=dict(counts))


def _resolve(ticket: Ticket, telling: Telling, *, by: Actor) -> None:
    """End it as shipped without a message of its own; one that somebody decides in this moment, or that is another team's, stays."""
    if ticket.status not in OPEN or not by.may_see(ticket.team_id):
        return
    reason = telling.texts.get(notifications.language_of(ticket.item)) or telling.texts.get("", "")
    try:
        decisions.decide(
            ticket.reference,
            "resolve",
            by=by,
            at=telling.approved_at,
            resolution=Resolution.SHIPPED,
            reason=reason,
            tell=False,
        )
    except Refused:
        return


def _once(telling: Telling) -> str:
    return f"change:{telling.action_id}:{telling.pk}"


def _loaded(rows: TicketQuerySet) -> TicketQuerySet:
    return rows.select_related("item__customer", "item__submission").defer(
        "item__text", "item__context", "item__submission__payload", "item__submission__headers", "explanation"
    )
