"""“You said, we did”: what was changed because of feedback, on evidence, for everybody to read."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

from django.db import transaction
from django.db.models import Count, Q
from django.utils.formats import number_format
from django.utils.translation import gettext

from feedback_portal.accounts.permissions import Actor
from feedback_portal.languages import percent
from feedback_portal.refusals import BadInput, InputError
from intake.cleaning import clean_line
from triage.improving.improvements import NotThisStep, change_row, tell
from triage.models import Action, ActionEvent, ActionLink

MOST: Final = 100
FEWEST_SHOWN: Final = 5
"""Fewer voices than this are not counted in public: nobody should be found among them."""


@dataclass(frozen=True)
class Change:
    """One entry. `numbers` is the evidence in a sentence; `is_back` says that it did not hold and is worked on again."""

    key: int
    title: str
    text: str
    published_at: datetime
    effective_from: date | None
    voices: int
    numbers: str
    is_back: bool


def publish(action: Action, *, by: Actor, at: datetime, title: str, version: int | None = None) -> Action:
    """Put it on the public page: only what its verdict says worked, in words reviewed for customers."""
    if action.verdict != Action.Outcome.WORKED or action.withdrawn_at is not None or not action.public_text:
        raise NotThisStep(
            gettext(
                "Only an action whose verdict is “Worked”, with a text for customers, is published: the page promises evidence."
            )
        )
    clean = clean_line(title, longest=160)
    if not clean:
        message = gettext("Give it a headline that customers understand.")
        raise BadInput(message, errors=(InputError("public_title", message),))
    with transaction.atomic():
        done = change_row(action, version, public_title=clean, published_at=action.published_at or at)
        tell(action, ActionEvent.Type.PUBLISHED, {"title": clean}, by=by, at=at)
    return done


def unpublish(action: Action, *, by: Actor, at: datetime, version: int | None = None) -> Action:
    if action.published_at is None:
        raise NotThisStep(gettext("%(reference)s is not on the public page.") % {"reference": action.reference})
    with transaction.atomic():
        done = change_row(action, version, published_at=None)
        tell(action, ActionEvent.Type.UNPUBLISHED, {}, by=by, at=at)
    return done


def published(*, most: int = MOST) -> Sequence[Change]:
    """Newest first. What a later look no longer calls “Worked” is gone from it by itself."""
    rows = Action.objects.filter(published_at__isnull=False, verdict=Action.Outcome.WORKED, withdrawn_at=None)
    found = list(rows.select_related("finding").order_by("-published_at", "-id")[:most])
    standing = ActionLink.objects.filter(action__in=found, unlinked_at=None).order_by().values_list("action")
    # A customer who said it three times is one; nobody knows who said what came without a name.
    nameless = Count("ticket__item", distinct=True, filter=Q(ticket__item__customer=None))
    voices = dict(standing.annotate(voices=Count("ticket__item__customer", distinct=True) + nameless))
    return [
        Change(
            key=action.pk,
            title=action.public_title,
            text=action.public_text,
            published_at=action.published_at,
            effective_from=action.effective_from,
            voices=count if (count := voices.get(action.pk, 0)) >= FEWEST_SHOWN else 0,
            numbers=numbers(action),
            is_back=action.step in {Action.Step.PLAN, Action.Step.DO},
        )
        for action in found
        if action.published_at is not None
    ]


def numbers(action: Action) -> str:
    """Before and after, each of its own items; as in the verdict, without the words of experts."""
    finding = getattr(action, "finding", None)
    if finding is None:
        return ""
    levels = {}
    for side in ("before", "after"):
        weeks = [week for week in finding.data.get("weeks", []) if week[3] == side]
        size = sum(week[2] for week in weeks)
        if not size:
            return ""
        levels[side] = (sum(week[1] for week in weeks) / size, len(weeks))
    told = {"weeks": levels["after"][1], "per": finding.data.get("per", "")}
    is_rate = finding.data.get("measure") == "rate"
    told |= {
        side: number_format(1000 * level, 1) if is_rate else percent(level, 1) for side, (level, _) in levels.items()
    }
    if is_rate:
        return gettext("%(before)s per 1,000 %(per)s before, %(after)s in the %(weeks)s weeks after.") % told
    return gettext("Said in %(before)s of all feedback before, and in %(after)s in the %(weeks)s weeks after.") % told
