"""What people do with a signal: take it, say what it turned out to be, link what is done about it. It always stands.

Every verb is one transaction: a compare-and-set on the signal's version, and the event that says what was done.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final

from django.db import IntegrityError, transaction
from django.db.models import F
from django.utils.translation import gettext

from feedback_portal.accounts.models import User
from feedback_portal.accounts.permissions import Actor
from feedback_portal.codes import action_number, signal_number
from feedback_portal.marking import marked
from feedback_portal.refusals import BadInput, InputError, NotFound, Refused
from intake.cleaning import clean_text
from kpis.models import Signal, SignalEvent
from triage.models import Action

LONGEST_REASON: Final = 1_000
ARGUMENTS: Final = frozenset({"owner", "verdict", "reason", "action"})


class StaleSignal(Refused):
    """Somebody changed it meanwhile; `extra["current"]` is the signal as it stands."""

    status = 409
    code = "stale-signal"
    title = marked("Somebody was quicker")


def find(reference: str, *, by: Actor) -> Signal:
    """The signal of this reference, if it exists for this actor."""
    number = signal_number(reference)
    rows = Signal.objects.visible_to(by).select_related("team", "owner", "theme", "action")
    signal = rows.filter(pk=number).first() if number else None
    if signal is None:
        raise NotFound(
            gettext("There is no such signal, or it belongs to a team you are not in. Its team can tell you more.")
        )
    return signal


def decide(
    reference: str, verb: str, *, by: Actor, at: datetime, version: int | None = None, **arguments: Any
) -> Signal:
    """Do `verb` on the signal with this reference, as a form or a program names them; the signal as it then is.

    Raises `NotFound` for what `by` may not see, `BadInput` for arguments, `StaleSignal`.
    """
    signal = find(reference, by=by)
    if verb not in VERBS:
        message = gettext("Use one of %(known)s.") % {"known": ", ".join(VERBS)}
        raise BadInput(message, errors=(InputError("verb", message),))
    if unknown := sorted(arguments.keys() - ARGUMENTS):
        message = gettext("There is no such field.")
        raise BadInput(gettext("Correct what is marked."), errors=(InputError(unknown[0][:80], message),))
    given = {name: value if isinstance(value, str) else "" for name, value in arguments.items()}
    if version is not None and version != signal.version:
        raise _stale(signal)
    changes, kind, data = VERBS[verb](signal, by, at, given)
    with transaction.atomic():
        try:
            with transaction.atomic():
                won = Signal.objects.filter(pk=signal.pk, version=signal.version).update(
                    version=F("version") + 1, **changes
                )
        except IntegrityError:
            raise Refused(
                gettext(
                    "The same series raised a signal anew meanwhile. Decide on that one; this one may stay as it is."
                )
            ) from None
        if not won:
            raise _stale(find(reference, by=by))
        SignalEvent.objects.create(signal=signal, type=kind, person=by.user, key=by.key, data=data, occurred_at=at)
    return Signal.objects.select_related("team", "owner", "theme", "action").get(pk=signal.pk)


def told(signal: Signal) -> dict[str, Any]:
    """A signal in a few names, as programs read it."""
    return {
        "reference": signal.reference,
        "version": signal.version,
        "kind": signal.kind,
        "name": signal.name,
        "series": signal.key,
        "also": signal.also,
        "team": signal.team.slug if signal.team else None,
        "owner": signal.owner.email if signal.owner else None,
        "action": signal.action.reference if signal.action else None,
        "theme": signal.theme.reference if signal.theme else None,
        "first_week": signal.first_week.isoformat(),
        "last_week": signal.last_week.isoformat(),
        "weeks": signal.weeks,
        "count": signal.count,
        "expected": signal.expected,
        "p": signal.p,
        "basis": signal.basis,
        "customers": signal.customers,
        "value": str(signal.value),
        "unknown_value": signal.unknown_value,
        "verdict": signal.verdict or None,
        "verdict_reason": signal.verdict_reason,
        "verdict_at": signal.verdict_at.isoformat() if signal.verdict_at else None,
        "raised_at": signal.raised_at.isoformat(),
        "seen_at": signal.seen_at.isoformat(),
    }


_Made = tuple[dict[str, Any], SignalEvent.Type, dict[str, Any]]


def _own(signal: Signal, by: Actor, at: datetime, given: Mapping[str, str]) -> _Made:
    """To a person by address, to whoever asks ("me"), or to nobody."""
    asked = given.get("owner", "").strip().lower()
    person = by.user if asked == "me" else User.objects.filter(email=asked, is_active=True).first() if asked else None
    if asked and person is None:
        raise _refused("owner", gettext("There is nobody of this address. Choose somebody who works here."))
    return {"owner": person}, SignalEvent.Type.OWNED, {"to": person.name if person else ""}


def _end(signal: Signal, by: Actor, at: datetime, given: Mapping[str, str]) -> _Made:
    """With a verdict and why; where it was real, what is done about it may be linked at once."""
    verdict, reason = given.get("verdict", ""), clean_text(given.get("reason", ""), longest=LONGEST_REASON).strip()
    if verdict not in Signal.Verdict.values:
        raise _refused("verdict", gettext("Choose whether it was real, had a known cause, or was noise."))
    if not reason:
        raise _refused("reason", gettext("Say in a sentence what it was, for whoever sees the next one."))
    changes: dict[str, Any] = {"verdict": verdict, "verdict_reason": reason, "verdict_at": at}
    if given.get("action", "").strip():
        changes["action"] = _action(given["action"], by)
    return changes, SignalEvent.Type.ENDED, {"verdict": verdict, "reason": reason}


def _reopen(signal: Signal, by: Actor, at: datetime, given: Mapping[str, str]) -> _Made:
    if signal.is_open:
        raise BadInput(gettext("It is open. There is nothing to take back."))
    taken_back = {"verdict": "", "verdict_reason": "", "verdict_at": None}
    return taken_back, SignalEvent.Type.REOPENED, {"verdict": signal.verdict}


def _link(signal: Signal, by: Actor, at: datetime, given: Mapping[str, str]) -> _Made:
    action = _action(given.get("action", ""), by)
    return {"action": action}, SignalEvent.Type.LINKED, {"action": action.reference}


VERBS: Final[Mapping[str, Callable[[Signal, Actor, datetime, Mapping[str, str]], _Made]]] = {
    "own": _own,
    "end": _end,
    "reopen": _reopen,
    "link": _link,
}


def _action(reference: str, by: Actor) -> Action:
    number = action_number(reference)
    action = Action.objects.visible_to(by).filter(pk=number).first() if number else None
    if action is None:
        raise _refused("action", gettext("There is no such action, or it belongs to a team you are not in."))
    return action


def _stale(signal: Signal) -> StaleSignal:
    return StaleSignal(
        gettext("Somebody changed this signal since you opened it. Look at it as it stands and decide again."),
        extra={"current": told(signal)},
    )


def _refused(field: str, message: str) -> BadInput:
    return BadInput(message, errors=(InputError(field, message),))
