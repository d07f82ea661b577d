"""One decision on many tickets, as a job that can be watched, paused and taken back as a whole.

A ticket is decided only if it is still as it was when the bulk was asked for and if the person who asked may still decide about it;
every other one is skipped, with the reason. Few tickets are decided at once, many in parts by whoever drains them.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any, Final

from django.db import connection, transaction
from django.db.models import Count, Func, IntegerField, Q, QuerySet, Sum
from django.db.models.functions import Now
from django.utils.formats import number_format
from django.utils.translation import gettext

from feedback_portal.accounts.permissions import Actor
from feedback_portal.codes import ticket_code, ticket_number
from feedback_portal.languages import in_a_line, said
from feedback_portal.marking import marked, worded
from feedback_portal.pending import Drained, drain
from feedback_portal.refusals import BadInput, InputError, NotFound, Refused
from triage import decisions, lifecycle
from triage.deciding import plans, undoing
from triage.journal import Deed, NotNow, Step, restore, write
from triage.lifecycle import Resolution
from triage.models import BulkAct, BulkPart, Ticket
from triage.models.tickets import QUEUE_ORDER, among

PART: Final = 1_000
MOST: Final = 50_000
"""So many tickets one bulk decides about, the most urgent first."""
AT_ONCE: Final = 100
"""Up to so many are decided while the asker waits."""
MOST_LISTED: Final = 500

# Verbs without a plan for many are done one by one: each of them writes to its customer, or waits for others.
ONE_BY_ONE: Final = frozenset({"resolve", "merge"})
_DONE: Final[Mapping[str, str]] = {
    "accept": marked("%(count)s kept"),
    "route": marked("%(count)s routed"),
    "claim": marked("%(count)s claimed"),
    "tag": marked("%(count)s tagged"),
    "severity": marked("%(count)s given a severity"),
    "snooze": marked("%(count)s snoozed"),
    "resolve": marked("%(count)s closed"),
    "merge": marked("%(count)s merged"),
}
_LATER = worded("Somebody decided about it meanwhile.")
_GONE = worded("It is not with your teams any more.")
_AWAY = worded("Whoever asked for this may not sign in any more.")
_PAUSED = "100 years"


@dataclass(frozen=True)
class Progress:
    """How far a bulk is, in tickets."""

    total: int = 0
    done: int = 0
    skipped: int = 0
    put_back: int = 0
    waiting: int = 0
    """Parts that are still to be done."""
    failed: int = 0
    """Tickets of parts that were given up on, which stand among parked work."""

    @property
    def looked_at(self) -> int:
        return self.done + self.skipped

    @property
    def is_over(self) -> bool:
        return not self.waiting


@transaction.atomic
def start(
    tickets: QuerySet[Ticket], verb: str, *, label: str, query: str = "", by: Actor, at: datetime, **arguments: Any
) -> BulkAct:
    """Ask for one decision on all these tickets. Wrong arguments are refused before anything is decided."""
    if by.user is None:
        raise BadInput(gettext("Only a person can ask for this. A program decides ticket by ticket."))
    _check(verb, by=by, at=at, **arguments)
    seen = list(tickets.order_by(*QUEUE_ORDER).values_list("pk", "version")[:MOST])
    if not seen:
        raise NotNow(gettext("Nothing matches any more, so there is nothing to decide."))
    act = BulkAct.objects.create(
        person=by.user, verb=verb, arguments=arguments, query=query, label=label[:160], asked_at=at
    )
    cuts = [seen[place : place + PART] for place in range(0, len(seen), PART)]
    parts = BulkPart.objects.bulk_create(
        BulkPart(act=act, tickets=[pk for pk, _ in cut], versions=[version for _, version in cut]) for cut in cuts
    )
    if len(seen) <= AT_ONCE:
        BulkPart.objects.filter(act=act).update(completed_at=Now())
        _decide(parts[0], at=at)
    return act


def chosen(references: Iterable[str], *, by: Actor) -> QuerySet[Ticket]:
    """These tickets, as far as they exist for who asks."""
    numbers = {number for each in islice(references, PART) if (number := ticket_number(each))}
    return Ticket.objects.visible_to(by).filter(pk__in=numbers)


def find(number: int, *, by: Actor) -> BulkAct:
    """A bulk of one's own, or of somebody whose work one answers for."""
    act = BulkAct.objects.select_related("person", "undone_by").filter(pk=number).first()
    if act is None or by.user is None or not (act.person_id == by.user.pk or by.answers_for(act.person_id)):
        raise NotFound(gettext("There is no such bulk decision, or somebody else asked for it."))
    return act


@transaction.atomic
def pause(act: BulkAct, *, by: Actor, at: datetime) -> None:
    """Stop after the parts that are being done now; `resume` goes on."""
    if not BulkAct.objects.filter(pk=act.pk, undone_at=None, paused_at=None).update(paused_at=at):
        raise NotNow(gettext("This rests or was taken back already."))
    _shift(act, f"statement_timestamp() + interval '{_PAUSED}'")


@transaction.atomic
def resume(act: BulkAct, *, by: Actor, at: datetime) -> None:
    if not BulkAct.objects.filter(pk=act.pk).exclude(paused_at=None).update(paused_at=None):
        raise NotNow(gettext("This does not rest."))
    _shift(act, "statement_timestamp()")


@transaction.atomic
def undo(act: BulkAct, *, by: Actor, at: datetime) -> None:
    """Put back what was done and nobody has touched since; what is still to be done is left alone."""
    # Waits for parts at work, so that what they did is known; those that come later see that it is undone.
    locked = BulkAct.objects.select_for_update().get(pk=act.pk)
    if locked.undone_at is not None:
        raise NotNow(gettext("This was taken back already."))
    if locked.asked_at < at - undoing.WITHIN:
        raise NotNow(gettext("This was decided more than a day ago. Decide anew instead of taking back."))
    BulkAct.objects.filter(pk=act.pk).update(undone_at=at, undone_by=by.user, paused_at=None)
    done = list(BulkPart.objects.filter(act=act, is_undo=False).exclude(done=[]).order_by("pk"))
    BulkPart.objects.filter(act=act, completed_at=None, lease_token=None).update(next_attempt_at=Now())
    back = BulkPart.objects.bulk_create(
        BulkPart(act=act, is_undo=True, tickets=part.done, versions=part.made) for part in done
    )
    if sum(len(part.done) for part in done) <= AT_ONCE:
        BulkPart.objects.filter(pk__in=[part.pk for part in back]).update(completed_at=Now())
        for part in back:
            part.act = BulkAct.objects.select_related("undone_by").get(pk=act.pk)
            _put_back(part, at=at)


def work_pending(*, at: datetime) -> Drained:
    """Do the parts of all bulks that are due, one a transaction."""

    def work(parts: list[BulkPart]) -> None:
        for part in parts:
            is_undone = _share(part.act_id)
            if part.is_undo:
                _put_back(part, at=at)
            elif not is_undone:
                _decide(part, at=at)

    return drain(BulkPart.objects.select_related("act__person", "act__undone_by"), work, batch=1)


def progress(acts: Sequence[BulkAct]) -> dict[int, Progress]:
    """How far each of these is, by its row number, in one statement."""
    sizes = {name: Func(name, function="cardinality", output_field=IntegerField()) for name in ("tickets", "done")}
    skipped = Func(
        "skipped", function="jsonb_object_keys", template="(SELECT count(*) FROM %(function)s(%(expressions)s))",
        output_field=IntegerField(),
    )  # fmt: skip
    parts = BulkPart.objects.filter(act__in=acts).order_by()
    rows = parts.annotate(n=sizes["tickets"], changed=sizes["done"], passed=skipped)
    forward = Q(is_undo=False)
    told = rows.values("act").annotate(
        total=Sum("n", filter=forward, default=0),
        decided=Sum("changed", filter=forward, default=0),
        left=Sum("passed", filter=forward, default=0),
        back=Sum("changed", filter=~forward, default=0),
        waiting=Count("pk", filter=Q(completed_at=None, parked_at=None)),
        failed=Sum("n", filter=Q(parked_at__isnull=False), default=0),
    )
    found = {
        row["act"]: Progress(row["total"], row["decided"], row["left"], row["back"], row["waiting"], row["failed"])
        for row in told
    }
    return {act.pk: found.get(act.pk, Progress()) for act in acts}


def sentence(act: BulkAct, how_far: Progress) -> str:
    """What came of it: "1,198 routed, 6 skipped"."""
    done = _grouped(how_far.done)
    if act.undone_at is not None:
        return gettext("%(count)s of %(total)s put back") % {"count": _grouped(how_far.put_back), "total": done}
    told = [gettext(_DONE.get(act.verb, marked("%(count)s decided"))) % {"count": done}]
    if how_far.skipped:
        told.append(gettext("%(count)s skipped") % {"count": _grouped(how_far.skipped)})
    if how_far.failed:
        failed = gettext("%(count)s failed (an administrator finds why in Parked work)")
        told.append(failed % {"count": _grouped(how_far.failed)})
    return in_a_line(*told)


def _grouped(count: int) -> str:
    return number_format(count, force_grouping=True)


def skipped(act: BulkAct) -> list[tuple[str, str]]:
    """Tickets it left alone, by reference, each with the reason."""
    rows = BulkPart.objects.filter(act=act).exclude(skipped={}).order_by("pk").values_list("skipped", flat=True)
    told = [(ticket_code(int(number)), said(why)) for part in rows[:MOST_LISTED] for number, why in part.items()]
    return told[:MOST_LISTED]


def recent(*, by: Actor, at: datetime) -> list[BulkAct]:
    """One's own bulks of the last day, and those of the people one answers for, newest first."""
    people = {*by.led, by.user.pk if by.user else 0}
    rows = BulkAct.objects.filter(asked_at__gt=at - undoing.WITHIN, person__in=people)
    return list(rows.select_related("person", "undone_by").order_by("-asked_at", "-pk")[:50])


def newest(*, by: Actor, at: datetime) -> BulkAct | None:
    """One's own last that stands."""
    rows = BulkAct.objects.filter(person=by.user, asked_at__gt=at - undoing.WITHIN, undone_at=None)
    return rows.order_by("-asked_at", "-pk").first()


def _check(verb: str, *, by: Actor, at: datetime, **arguments: Any) -> None:
    if verb in plans.PLANS:
        plans.PLANS[verb]([], by=by, at=at, **arguments)
    elif verb == "resolve":
        resolution = arguments.get("resolution")
        if resolution not in Resolution.values or resolution == Resolution.DUPLICATE:
            raise BadInput(
                gettext("Choose an outcome."), errors=(InputError("resolution", gettext("Unknown outcome.")),)
            )
        if resolution in lifecycle.NEEDS_REASON and not str(arguments.get("reason", "")).strip():
            message = gettext("Write a reason that the customers can read.")
            raise BadInput(message, errors=(InputError("reason", message),))
    elif verb == "merge":
        decisions.find(str(arguments.get("original", "")), by=by)
    else:
        raise BadInput(
            gettext('"%(verb)s" cannot be decided for many tickets at once. Open one of them.') % {"verb": verb[:20]}
        )


def _decide(part: BulkPart, *, at: datetime) -> None:
    """Decide about the tickets of a part, as far as they are still what was seen."""
    act = part.act
    by = Actor(user=act.person)
    seen = dict(zip(part.tickets, part.versions, strict=True))
    skipped: dict[int, str] = {}
    tickets: list[Ticket] = []
    if act.person.is_active:
        rows = Ticket.objects.visible_to(by).filter(pk__in=among(part.tickets)).order_by("pk")
        tickets = list(rows.for_deciding() if act.verb in ONE_BY_ONE else rows.with_shared_teams())
    there = {ticket.pk for ticket in tickets}
    skipped |= {pk: _GONE if act.person.is_active else _AWAY for pk in part.tickets if pk not in there}
    skipped |= {ticket.pk: _LATER for ticket in tickets if ticket.version != seen[ticket.pk]}
    fresh = [ticket for ticket in tickets if ticket.pk not in skipped]
    decide = _one_by_one if act.verb in ONE_BY_ONE else _together
    made = decide(fresh, act, skipped, by=by, at=at)
    done = list(made)
    BulkPart.objects.filter(pk=part.pk).update(
        done=done, made=[made[pk] for pk in done], skipped={str(pk): why for pk, why in skipped.items()}
    )


def _together(
    tickets: Sequence[Ticket], act: BulkAct, skipped: dict[int, str], *, by: Actor, at: datetime
) -> dict[int, int]:
    """Set-based; the versions that were made, and into `skipped` why the others were not."""
    deeds: list[Deed] = []
    for ticket, planned in zip(tickets, plans.PLANS[act.verb](tickets, by=by, at=at, **act.arguments), strict=True):
        if isinstance(planned, Refused):
            skipped[ticket.pk] = planned.message
        else:
            deeds.append(planned)
    marked = [
        Deed(deed.ticket, [(kind, data | {"bulk": act.pk}) for kind, data in deed.events], deed.changes)
        for deed in deeds
    ]
    written = write(marked, by=by, at=at) if marked else frozenset()
    if act.verb == "tag" and written:
        items = [deed.ticket.item_id for deed in marked if deed.ticket.pk in written]
        plans.put_on(sorted(set(items)), plans.topic_of(act.arguments["topic"]), by=by)
    skipped |= {deed.ticket.pk: _LATER for deed in marked if deed.ticket.pk not in written}
    return {deed.ticket.pk: deed.ticket.version for deed in marked if deed.ticket.pk in written}


def _one_by_one(
    tickets: Sequence[Ticket], act: BulkAct, skipped: dict[int, str], *, by: Actor, at: datetime
) -> dict[int, int]:
    made = {}
    for ticket in tickets:
        try:
            decided = decisions.decide(
                ticket.reference, act.verb, by=by, at=at, version=ticket.version, **act.arguments
            )
        except Refused as refused:
            skipped[ticket.pk] = refused.message
        else:
            made[ticket.pk] = decided.version
    return made


def _put_back(part: BulkPart, *, at: datetime) -> None:
    """Put the tickets of a part back to where the bulk found them, unless somebody has touched them since."""
    act, by = part.act, Actor(user=part.act.undone_by)
    if act.verb in ONE_BY_ONE:
        back = _put_back_one_by_one(part, by=by, at=at)
    else:
        steps = [Step(ticket, version, version) for ticket, version in zip(part.tickets, part.versions, strict=True)]
        back = restore(steps, by=by, at=at, bulk=act.pk)
        if act.verb == "tag":
            undoing.restore_tags([(step.ticket, step.act) for step in steps if step.ticket in back], at=at)
    left = {str(pk): _LATER for pk in part.tickets if pk not in back}
    BulkPart.objects.filter(pk=part.pk).update(done=sorted(back), made=[0] * len(back), skipped=left)


def _put_back_one_by_one(part: BulkPart, *, by: Actor, at: datetime) -> frozenset[int]:
    made = dict(zip(part.tickets, part.versions, strict=True))
    back = set()
    for ticket in Ticket.objects.for_deciding().filter(pk__in=part.tickets).order_by("pk"):
        try:
            with transaction.atomic():
                undoing.undo(ticket, by=by, at=at, act=made[ticket.pk])
        except Refused:
            continue
        back.add(ticket.pk)
    return frozenset(back)


def _shift(act: BulkAct, moment: str) -> None:
    """Let what waits fall due at this moment; a part at work is not touched."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE triage_bulkpart SET next_attempt_at = {moment} WHERE act_id = %s AND NOT is_undo"  # noqa: S608 -- ours
            " AND completed_at IS NULL AND parked_at IS NULL AND lease_token IS NULL",
            [act.pk],
        )


def _share(act: int) -> bool:
    """Whether a bulk is undone; until this transaction ends, nobody undoes it."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT undone_at IS NOT NULL FROM triage_bulkact WHERE id = %s FOR SHARE", [act])
        (is_undone,) = cursor.fetchone()
    return bool(is_undone)
