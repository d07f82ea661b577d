"""The weekly audit: two people label each drawn item blind, a third settles what they do not agree on.

Blind means that nobody who answers is shown the portal's tags, its team, or what anybody else said. Whoever belongs to one team
only is not asked for the team: that the item exists for them gives it away.

What was found teaches the models as corrections of the best kind (`triage.learning.corrections`), but only once the audit is closed: until
then nothing that trains can see it, and what the portal had said was set down when the sample was drawn. So no model is measured
on an item it has learned from.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Count, Exists, OuterRef, Q, QuerySet
from django.utils.translation import gettext

from feedback_portal.accounts.models import Team, User
from feedback_portal.accounts.permissions import Actor
from feedback_portal.refusals import BadInput, InputError, NotAllowed, NotFound
from triage.journal import NotNow
from triage.models import Analysis, Audit, AuditAnswer, AuditedItem, Event, Ticket, Topic
from triage.models.learning import Field, mark_for_training

HELD_OUT = timedelta(days=7)
"""So long at least what an audit found stays out of training."""
CLOSES = timedelta(days=21)
"""Who has not answered by then is not waited for."""
MOST_SKIPS = 3
MOST_TOPICS = 10
SENTIMENTS = [Analysis.Sentiment.NEGATIVE, Analysis.Sentiment.NEUTRAL, Analysis.Sentiment.POSITIVE]

State = AuditedItem.State


@dataclass(frozen=True)
class Said:
    """What a person says of an item. `team` is None where they were not asked."""

    topics: Sequence[str] = ()
    team: str | None = None
    sentiment: str = ""


@dataclass(frozen=True)
class Progress:
    """Of the audits that are open: what this person answered, what still waits for them, and what waits to be settled."""

    answered: int
    waiting: int
    to_settle: int


def asks_team(actor: Actor) -> bool:
    """Whether the team can be asked for blind."""
    return actor.sees_everything or len(actor.team_ids) > 1


def next_to_label(actor: Actor) -> AuditedItem | None:
    """The next one for this person: of the oldest audit, one that nobody knows better first, begun pairs before new ones."""
    known = Event.objects.filter(item=OuterRef("item"), person=actor.user)
    seats = Count("answers", filter=Q(answers__seat__isnull=False))
    rows = _to_label(actor).annotate(is_known=Exists(known), seats=seats)
    return _shown(rows.order_by("audit__first_day", "is_known", "-seats", "pk"))


def next_to_settle(actor: Actor) -> AuditedItem | None:
    """The oldest one that two people see differently, for a third who may settle it."""
    return _shown(_to_settle(actor).order_by("audit__first_day", "pk")) if actor.may_steer else None


def shown_to(number: int, *, by: Actor) -> AuditedItem | None:
    """This one again, if it still waits for this person; None otherwise."""
    rows = _to_label(by) | _to_settle(by) if by.may_steer else _to_label(by)
    return _shown(rows.filter(pk=number))


def progress(actor: Actor) -> Progress:
    answered = AuditAnswer.objects.filter(person=actor.user, audited__audit__closed_at=None, skipped="")
    to_settle = _to_settle(actor).count() if actor.may_steer else 0
    return Progress(answered.count(), _to_label(actor).count(), to_settle)


def answer(number: int, said: Said, *, by: Actor, at: datetime) -> AuditedItem:
    """Label it as one of the two, or settle it as the third. Of three who answer at once one is told that it is done."""
    clean = _checked(said, by)
    with transaction.atomic():
        audited = _hold(number, by)
        given = list(audited.answers.exclude(seat=None).order_by("seat"))
        if audited.state == State.DISPUTED and not by.may_steer:
            raise NotAllowed(gettext("Two people have answered this one. A lead or a manager settles it."))
        if audited.state not in {State.OPEN, State.DISPUTED}:
            raise NotNow(gettext("This one is done: others have answered it meanwhile. Go on with the next."))
        mine = AuditAnswer.objects.create(
            audited=audited,
            person=_person(by),
            seat=len(given) + 1,
            team=clean.team,
            topics=list(clean.topics),
            sentiment=clean.sentiment,
            answered_at=at,
        )
        _conclude(audited, [*given, mine])
    return audited


def skip(number: int, *, reason: str, by: Actor, at: datetime) -> None:
    """Leave it to others, and say why; what too many skip is given up."""
    if reason not in AuditAnswer.Skipped.values:
        raise BadInput(
            gettext("Choose a reason from the list."), errors=(InputError("reason", gettext("Choose a reason.")),)
        )
    with transaction.atomic():
        audited = _hold(number, by)
        if audited.state == State.DISPUTED and not by.may_steer:
            raise NotNow(gettext("This one is done: others have answered it meanwhile. Go on with the next."))
        AuditAnswer.objects.create(audited=audited, person=_person(by), skipped=reason, answered_at=at)
        skips = audited.answers.exclude(skipped="").exclude(skipped=AuditAnswer.Skipped.KNOWN).count()
        if skips >= MOST_SKIPS and audited.state in {State.OPEN, State.DISPUTED}:
            _set(audited, State.UNUSABLE, None)


def close_due(*, at: datetime) -> int:
    """Close the audits that are done or overdue, and let what was found be learned from; how many."""
    waiting = AuditedItem.objects.filter(audit=OuterRef("pk"), state__in=[State.OPEN, State.DISPUTED])
    due = Audit.objects.filter(closed_at=None, drawn_at__lte=at - HELD_OUT).filter(
        ~Exists(waiting) | Q(drawn_at__lte=at - CLOSES)
    )
    numbers = list(due.order_by("first_day").values_list("pk", flat=True)[:20])
    return sum(_close(number, at=at) for number in numbers)


def _close(number: int, *, at: datetime) -> bool:
    with transaction.atomic():
        rows = AuditedItem.objects.select_for_update(of=("self",)).filter(audit=number).order_by("pk")
        labelled = [audited for audited in rows.prefetch_related("answers") if audited.label is not None]
        if not Audit.objects.filter(pk=number, closed_at=None).update(closed_at=at):
            return False
        week = str(Audit.objects.get(pk=number))
        Event.objects.bulk_create(
            Event(
                item_id=audited.item_id,
                type=Event.Type.AUDITED,
                source=Event.Source.PERSON,
                person_id=max(audited.answers.all(), key=lambda each: each.seat or 0).person_id,
                data={"audit": week, **(audited.label or {})},
                occurred_at=at,
            )
            for audited in labelled
        )
        if labelled:
            mark_for_training((Field.TOPIC, Field.TEAM, Field.SENTIMENT))
    return True


def _conclude(audited: AuditedItem, given: Sequence[AuditAnswer]) -> None:
    if len(given) == 1:
        return
    if len(given) == 3:
        _set(audited, State.SETTLED, _label(given[2:]))
        return
    first, second = given
    asked = first.team is not None and second.team is not None
    agree = set(first.topics) == set(second.topics) and (first.team == second.team or not asked)
    _set(audited, State.AGREED if agree else State.DISPUTED, _label(given) if agree else None)


def _label(given: Sequence[AuditAnswer]) -> dict[str, Any]:
    """What they agree on, or what the one who settles says; without a name that was not asked of all of them."""
    label: dict[str, Any] = {"topics": sorted(given[0].topics)}
    teams, sentiments = {each.team for each in given}, {each.sentiment for each in given}
    if len(teams) == 1 and None not in teams:
        label["team"] = given[0].team
    if len(sentiments) == 1 and "" not in sentiments:
        label["sentiment"] = given[0].sentiment
    return label


def _set(audited: AuditedItem, state: str, label: dict[str, Any] | None) -> None:
    audited.state, audited.label = state, label
    AuditedItem.objects.filter(pk=audited.pk).update(state=state, label=label)


def _hold(number: int, by: Actor) -> AuditedItem:
    """The row, locked, if it exists for this person and they have not said anything about it yet."""
    rows = _visible(AuditedItem.objects.all(), by).select_for_update(of=("self",))
    audited = rows.filter(pk=number).first()
    if audited is None:
        raise NotFound(gettext("This item is not, or no longer, in an audit for you. Go on with the next."))
    # Asked once the row is ours: whoever closes the audit takes every row of it first.
    if not Audit.objects.filter(pk=audited.audit_id, closed_at=None).exists():
        raise NotNow(gettext("This audit is closed. Go on with the next item."))
    if audited.answers.filter(person=by.user).exists():
        raise NotNow(gettext("You have answered this one already. Go on with the next."))
    return audited


def _person(by: Actor) -> User:
    if by.user is None:
        raise NotAllowed(gettext("Only people label items for an audit."))
    return by.user


def _checked(said: Said, by: Actor) -> Said:
    topics = list(dict.fromkeys(said.topics))
    known = set(Topic.objects.filter(is_active=True, slug__in=topics).values_list("slug", flat=True))
    errors = [] if known == set(topics) else [InputError("topic", gettext("Choose topics from the list."))]
    if len(topics) > MOST_TOPICS:
        errors.append(
            InputError("topic", gettext("Choose %(most_topics)s topics at most.") % {"most_topics": MOST_TOPICS})
        )
    team = said.team if asks_team(by) else None
    if asks_team(by) and not Team.objects.filter(slug=team or "", is_active=True).exists():
        errors.append(InputError("team", gettext("Choose the team that should have it.")))
    if said.sentiment and said.sentiment not in SENTIMENTS:
        errors.append(InputError("sentiment", gettext("Choose how it sounds from the list, or leave it open.")))
    if errors:
        raise BadInput(gettext("Correct what is marked and save it again."), errors=tuple(errors))
    return Said(topics, team, said.sentiment)


def _to_label(actor: Actor) -> QuerySet[AuditedItem]:
    return _waiting(actor, State.OPEN)


def _to_settle(actor: Actor) -> QuerySet[AuditedItem]:
    return _waiting(actor, State.DISPUTED)


def _waiting(actor: Actor, state: str) -> QuerySet[AuditedItem]:
    """In this state, for this person to look at: nothing they answered or skipped, and nothing that was erased meanwhile."""
    mine = AuditAnswer.objects.filter(audited=OuterRef("pk"), person=actor.user)
    rows = AuditedItem.objects.filter(audit__closed_at=None, state=state, item__submission__gone_at=None)
    return _visible(rows, actor).exclude(Exists(mine))


def _visible(rows: QuerySet[AuditedItem], actor: Actor) -> QuerySet[AuditedItem]:
    if actor.sees_everything:
        return rows
    return rows.filter(Exists(Ticket.objects.visible_to(actor).filter(item=OuterRef("item"))))


def _shown(rows: QuerySet[AuditedItem]) -> AuditedItem | None:
    return rows.select_related("audit", "item__channel").defer("item__context", "machine", "label").first()
