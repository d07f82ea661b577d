"""What is done about themes: which ones ask for a plan, a plan begun where the need was seen, and the decision each one ends in."""

from datetime import date, datetime
from typing import Any

from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q, QuerySet, Subquery
from django.utils import timezone
from django.utils.translation import gettext

from feedback_portal.accounts.permissions import Actor
from feedback_portal.refusals import BadInput, InputError
from triage import decisions, inputs, themes
from triage.improving import improvements, plans
from triage.models import Action, Theme, ThemeAction, ThemeDecision, ThemeEvent, Ticket


def begin(
    *, by: Actor, at: datetime, theme: str = "", topic: str = "", ticket: str = "", product: str = "", **details: Any
) -> Action:
    """A new plan from wherever the need was seen: a theme, a topic (as of a bar of a chart), a ticket. It is linked, and what it
    should move is filled in as far as that says it."""
    found = themes.find(theme, by=by) if theme else None
    said = decisions.find(ticket, by=by) if ticket else None
    with transaction.atomic():
        made = improvements.create(by=by, at=at, **details)
        if found is not None:
            themes.decide(found.reference, "link", by=by, at=at, action=made.reference)
        if said is not None:
            improvements.link(made, said, by=by, at=at)
        if found is not None or topic:
            plans.expect(made, by=by, at=at, product=product, theme=theme, topic="" if found is not None else topic)
    return improvements.find(made.reference, by=by)


def suggested(*, by: Actor, most: int = 5) -> list[Theme]:
    """Themes that grow, or came back after a fix, and have no action under way: the next plan is probably one of these."""
    answered = ThemeAction.objects.filter(
        theme=OuterRef("pk"), unlinked_at=None, action__withdrawn_at=None, action__step__in=["plan", "do"]
    )
    growing = Theme.objects.living().visible_to(by).filter(state__in=[Theme.State.GROWING, Theme.State.REGRESSED])
    rows = growing.filter(~Exists(answered)).select_related("topic__team")
    return list(rows.order_by("-grew_at", "-id")[:most])


def decide(
    reference: str,
    *,
    by: Actor,
    at: datetime,
    choice: str,
    reason: str = "",
    until_customers: str | int | None = None,
    until_day: str | date | None = None,
    action: str = "",
    title: str = "",
    team: str = "",
) -> ThemeDecision:
    """End the talk about a theme: act (with a linked or a new action), decline (customers read the reason), or wait for more voices.

    It is kept with the numbers it stood on.
    """
    theme = themes.find(reference, by=by)
    if choice not in ThemeDecision.Choice.values:
        raise _wrong("choice", gettext("Choose to act, to decline, or to wait."))
    values = inputs.read({"reason": reason, "until_customers": until_customers, "until_day": until_day}, _DECISION)
    if choice == ThemeDecision.Choice.DECLINE and not values["reason"]:
        raise _wrong("reason", gettext("Write a reason that customers can read."))
    if choice == ThemeDecision.Choice.WAIT and not (values["until_customers"] or values["until_day"]):
        raise _wrong(
            "until_customers", gettext("Say how many customers it takes, or on which day it is looked at again.")
        )
    with transaction.atomic():
        if choice == ThemeDecision.Choice.ACT:
            if action or title:
                theme = themes.decide(theme.reference, "link", by=by, at=at, action=action, title=title, team=team)
            elif (
                not Action.objects.under_way().filter(theme_links__theme=theme, theme_links__unlinked_at=None).exists()
            ):
                raise _wrong("title", gettext("Link the action that answers it, or plan a new one."))
        made = ThemeDecision.objects.create(
            theme=theme,
            choice=choice,
            numbers=_numbers(theme),
            person=by.user,
            key=by.key,
            decided_at=at,
            **(values if choice != ThemeDecision.Choice.ACT else {}),
        )
        told = {"choice": str(made.get_choice_display()).lower()}
        ThemeEvent.objects.create(
            theme=theme, type=ThemeEvent.Type.DECIDED, person=by.user, key=by.key, data=told, occurred_at=at
        )
    return made


def open_tickets(theme: Theme, *, by: Actor) -> QuerySet[Ticket]:
    """Where its customers still wait for an answer, as far as `by` may give one."""
    return Ticket.objects.open().visible_to(by).filter(item__theme_member__theme=theme)


def awaiting(themes_of: QuerySet[Theme], *, at: datetime) -> QuerySet[Theme]:
    """Those on which a decision is due: none was taken, what was waited for has come, or it grew since."""
    last = ThemeDecision.objects.filter(theme=OuterRef("pk")).order_by("-pk")
    today = timezone.localtime(at, timezone.get_default_timezone()).date()
    told = themes_of.annotate(
        decided_at=Subquery(last.values("decided_at")[:1]),
        choice=Subquery(last.values("choice")[:1]),
        until_customers=Subquery(last.values("until_customers")[:1]),
        until_day=Subquery(last.values("until_day")[:1]),
    )
    return told.filter(
        Q(decided_at=None)
        | Q(grew_at__gt=F("decided_at"))
        | Q(choice="wait", customers__gte=F("until_customers"))
        | Q(choice="wait", until_day__lte=today)
    )


def _numbers(theme: Theme) -> dict[str, Any]:
    return {
        "size": theme.size,
        "customers": theme.customers,
        "state": theme.state,
        "growth": theme.growth,
        "last_at": theme.last_at.isoformat() if theme.last_at else None,
    }


def _customers(given: Any) -> int | None:
    return inputs.number(1, 1_000_000)(given) if given not in (None, "") else None


_DECISION: dict[str, inputs.Reader] = {
    "reason": inputs.prose(themes.LONGEST_TEXT),
    "until_customers": _customers,
    "until_day": improvements.as_day,
}


def _wrong(path: str, message: str) -> BadInput:
    return BadInput(message, errors=(InputError(path, message),))
