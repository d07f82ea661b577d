"""The half year acted out: everything comes in through the front door and is decided by the same verbs as anybody's.

It is played day by day in one transaction: either the whole story is there or nothing of it, and no worker can get hold of an
item before its time has come. What customers were written in the past counts as sent then; only mails of the last day go out.
"""

import heapq
import itertools
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime, time, timedelta
from functools import partial
from random import Random
from typing import Final

from django.db import connection, transaction
from django.db.models.functions import Now

from feedback_portal.accounts.models import Team, User
from feedback_portal.accounts.permissions import Actor
from feedback_portal.refusals import Refused
from intake import exposures, normalizing
from intake.models import Arrival, FeedbackItem, Submission
from kpis.demo import cast, organisation, sales
from kpis.demo.changes import Change
from kpis.demo.door import Door
from kpis.demo.fates import Fates, Step
from kpis.demo.improving import Improving
from kpis.demo.story import WEEKS, Mood, Said, Teller
from kpis.demo.talking import Talking
from kpis.demo.voices import Voices
from triage import decisions, notifications, pipeline
from triage.lifecycle import Status
from triage.models import Notification, Tagging, Ticket

SEED: Final = "halden"
_RECENTLY = timedelta(days=1)
_LOOK = timedelta(minutes=1)
_OF_THE_OWNER = 5
_SAY_WHETHER_FIXED = 0.4
# The planner needs no numbers of fewer; and what a rolled back story leaves of them (the sizes of tables) misleads it.
_WORTH_ANALYZING = 400
# The portal understands in seconds; here in rounds of so many hours, which is all that is faster about the past.
_ROUND = 3
_CHANGED_BY_VERBS = (
    "assignee",
    "status",
    "resolution",
    "resolution_reason",
    "severity",
    "rank",
    "snoozed_until",
    "merged_into",
    "duplicate_of",
    "version",
    "triaged_at",
    "resolved_at",
)


@transaction.atomic
def play(
    owner: User, *, now: datetime, say: Callable[[str], None], scale: float = 1.0, whole: Collection[str] = ()
) -> Submission:
    """Found Halden and act out its last half year; gives an item with a story worth showing on its private page. `scale` leaves out
    most of what is said, but for the themes in `whole`."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = 0")
    organisation.found(by=Actor(user=owner), at=now)
    shown = Player(owner, now=now, say=say, scale=scale, whole=whole).play()
    # Last, for it locks the owner's row, and whoever signs in by the printed link meanwhile would wait for all of the above.
    organisation.let_in(owner)
    return shown


class Player:
    """Keeps the tickets at hand and does with them what the story says, in the order of time."""

    def __init__(
        self, owner: User, *, now: datetime, say: Callable[[str], None], scale: float, whole: Collection[str]
    ) -> None:
        chance = Random(SEED)
        self._now, self._say, self._chance = now, say, chance
        self._voices = Voices(chance)
        self._said = Teller(chance, now=now, scale=scale, whole=whole).tell()
        self._fates = Fates(chance, now=now)
        self._door = Door()
        self._tools = pipeline.Tools.load(at=now)
        self._actors = {user.email: Actor(user=user) for user in User.objects.filter(is_active=True)}
        self._teams = Team.objects.select_related("stage").in_bulk()
        self._system = Actor(user=owner)
        self._tickets: dict[int, Ticket] = {}
        self._by_theme: defaultdict[str, list[Ticket]] = defaultdict(list)
        self._said_of: dict[int, Said] = {}
        self._agenda: list[tuple[datetime, int, Callable[[datetime], None]]] = []
        self._order = itertools.count()
        self._improving = Improving(
            now=now,
            actors=self._actors,
            system=self._system,
            by_theme=self._by_theme,
            told=self._retell,
            asked=self._asked,
        )
        self._talking = Talking(
            now=now, actors=self._actors, system=self._system, said_of=self._said_of, improving=self._improving
        )
        self._told_at: dict[int, datetime] = {}
        self._merged: defaultdict[int, list[Ticket]] = defaultdict(list)

    def play(self) -> Submission:
        parts = list(cast.on_stage(self._now))
        told = sorted([*self._said, *(said for _, said in parts)], key=lambda said: said.at)
        days = itertools.groupby(told, key=lambda said: said.at.date())
        self._improving.begin(self._plan)
        self._talking.begin(self._plan)
        today = self._now.date()
        sold = sales.told(today - timedelta(weeks=WEEKS), today - timedelta(days=1), chance=Random(SEED))
        exposures.take_counts(list(sold))
        for number, (day, said_that_day) in enumerate(days):
            self._arrive(list(said_that_day))
            while self._agenda and self._agenda[0][0].date() <= day:
                at, _, act = heapq.heappop(self._agenda)
                act(at)
            day_ends = min(self._now, datetime.combine(day, time.max, tzinfo=UTC))
            self._wake(day_ends)
            self._count_as_sent(day_ends)
            if number % 28 == 27:
                self._say(f"{day:%-d %B}: {len(self._tickets)} items so far.")
                if len(self._tickets) > _WORTH_ANALYZING:
                    with connection.cursor() as cursor:
                        cursor.execute("ANALYZE")
        self._set_the_stage(parts)
        self._say(f"Today: {len(self._tickets)} items, {len(self._improving)} improvements.")
        return self._worth_showing()

    def _plan(self, at: datetime, act: Callable[[datetime], None]) -> None:
        if at < self._now:
            heapq.heappush(self._agenda, (at, next(self._order), act))

    # What comes in

    def _arrive(self, said: Sequence[Said]) -> None:
        """Received and read as it comes, understood soon after; what is decided about it is planned."""
        submissions = dict(self._door.take(said))
        normalizing.normalize(list(submissions), at=self._now)
        rows = Submission.objects.filter(pk__in=[one.pk for one in submissions])
        rows.update(completed_at=Now(), attempts=1)
        items = FeedbackItem.objects.select_related("channel", "customer__account", "submission")
        found = items.in_bulk([submission.pk for submission in submissions])
        pairs = sorted(
            ((found[one.pk], said) for one, said in submissions.items() if one.pk in found), key=lambda pair: pair[1].at
        )
        for _, some in itertools.groupby(pairs, key=lambda pair: pair[1].at.hour // _ROUND):
            batch = list(some)
            understood_at = batch[-1][1].at
            self._plan(understood_at, partial(self._understand, batch))
            for item, one in batch:
                self._said_of[item.pk] = one
                for step in self._fates.of(one):
                    # Nobody decides about what the portal has not laid before them.
                    self._plan(max(step.at, understood_at + _LOOK), partial(self._do, item.pk, one, step))

    def _understand(self, batch: Sequence[tuple[FeedbackItem, Said]], at: datetime) -> None:
        items = [item for item, _ in batch]
        pipeline.take_in(items, tools=self._tools, at=at)
        Arrival.objects.filter(item__in=items).update(completed_at=Now(), attempts=1)
        said = {item.pk: one for item, one in batch}
        by_key = {item.pk: item for item in items}
        for ticket in Ticket.objects.filter(item__in=items).order_by("pk"):
            ticket.item, ticket.team = by_key[ticket.item_id], self._teams[ticket.team_id]
            self._tickets[ticket.item_id] = ticket
            self._by_theme[said[ticket.item_id].theme.words].append(ticket)

    # What people do

    def _do(self, item: int, said: Said, step: Step, at: datetime) -> None:
        """One step, unless the ticket has gone another way meanwhile."""
        ticket = self._tickets[item]
        try:
            _STEPS[step.does](self, ticket, said, step, at)
        except Refused:
            # Refused before anything was written, as every verb is.
            self._reread(ticket)
        if step.does in {"reply", "resolve"}:
            self._note_mail(ticket, at)

    def _settle(self, ticket: Ticket, said: Said, step: Step, at: datetime) -> None:
        """The first decision: sent where it belongs if the portal did not see it, else taken or kept; topics set right."""
        by = self._actors[step.by]
        if ticket.team.slug != said.theme.team:
            decisions.route(ticket, by=by, at=at, team=said.theme.team)
            ticket.team = self._teams[ticket.team_id]
        elif step.given["takes"]:
            decisions.claim(ticket, by=by, at=at)
        else:
            decisions.accept(ticket, by=by, at=at)
        self._put_topics(ticket, said, by=by, at=at)

    def _put_topics(self, ticket: Ticket, said: Said, *, by: Actor, at: datetime) -> None:
        """A missing topic is set. Of wrong ones some are overlooked on a complaint, and none on praise, which reads so unlike them."""
        standing = set(Tagging.objects.standing().filter(item=ticket.item_id).values_list("topic__slug", flat=True))
        if said.theme.topic and said.theme.topic not in standing:
            decisions.tag(ticket, by=by, at=at + timedelta(seconds=20), topic=said.theme.topic)
        wrong = sorted(standing - {said.theme.topic})
        for topic in wrong if said.theme.mood == Mood.GOOD else wrong[: self._chance.randint(0, 1)]:
            decisions.untag(ticket, by=by, at=at + timedelta(seconds=30), topic=topic)

    def _read(self, ticket: Ticket, said: Said, step: Step, at: datetime) -> None:
        """Seen to be about something else than the portal thought."""
        self._put_topics(ticket, said, by=self._actors[step.by], at=at)

    def _merge(self, ticket: Ticket, said: Said, step: Step, at: datetime) -> None:
        """Into the newest of the same theme that is still worked on; kept by itself where there is none."""
        earlier = (one for one in reversed(self._by_theme[said.theme.words]) if one.received_at < ticket.received_at)
        first = next((one for one in earlier if one.status == Status.OPEN), None)
        by = self._actors[step.by]
        if first is None:
            decisions.accept(ticket, by=by, at=at)
        else:
            decisions.merge(ticket, by=by, at=at, original=first.reference)
            self._merged[first.pk].append(ticket)

    def _link(self, ticket: Ticket, said: Said, step: Step, at: datetime) -> None:
        self._improving.answer(ticket, said.theme.words, by=self._actors[step.by], at=at)

    def _reply(self, ticket: Ticket, said: Said, step: Step, at: datetime) -> None:
        text = self._answer(said, step)
        decisions.reply(ticket, by=self._actors[step.by], at=at, text=text, wait=step.given.get("wait", False))

    def _note(self, ticket: Ticket, said: Said, step: Step, at: datetime) -> None:
        decisions.note(ticket, by=self._actors[step.by], at=at, text=self._answer(said, step))

    def _snooze(self, ticket: Ticket, said: Said, step: Step, at: datetime) -> None:
        decisions.snooze(ticket, by=self._actors[step.by], at=at, until=step.given["until"])

    def _resolve(self, ticket: Ticket, said: Said, step: Step, at: datetime) -> None:
        outcome = step.given["resolution"]
        reason = ""
        if "mood" in step.given:
            reason = self._voices.answer(
                said.language,
                "declined" if outcome == "declined" else step.given["mood"],
                colleague=self._colleague(step),
            )
        decisions.resolve(ticket, by=self._actors[step.by], at=at, resolution=outcome, reason=reason)

    def _hear(self, ticket: Ticket, said: Said, step: Step, at: datetime) -> None:
        decisions.hear(ticket, at=at, text=_PLATE.get(said.language, _PLATE["en"]))

    def _rate(self, ticket: Ticket, said: Said, step: Step, at: datetime) -> None:
        decisions.rate(ticket, at=at, value=step.given["value"])

    def _say_whether_fixed(self, ticket: Ticket, said: Said, step: Step, at: datetime) -> None:
        decisions.stayed_fixed(ticket, at=at, is_fixed=step.given["is_fixed"])

    def _answer(self, said: Said, step: Step) -> str:
        return self._voices.answer(
            said.language,
            step.given["mood"],
            colleague=self._colleague(step),
            city=self._voices.city("en"),
        )

    def _colleague(self, step: Step) -> str:
        others = [person.name.split()[0] for person in organisation.PEOPLE if person.email != step.by]
        return self._chance.choice(others)

    def _wake(self, at: datetime) -> None:
        """What was put aside until today comes back, as the portal does it every minute."""
        if decisions.wake_due(at=at):
            for ticket in self._tickets.values():
                if ticket.status == Status.SNOOZED:
                    self._reread(ticket)

    def _reread(self, ticket: Ticket) -> None:
        """What others changed about it; what it is about stays loaded."""
        ticket.refresh_from_db(fields=_CHANGED_BY_VERBS)

    def _note_mail(self, ticket: Ticket, at: datetime) -> None:
        for voice in (ticket, *self._merged[ticket.pk]):
            self._told_at[voice.pk] = at

    # What customers are told about changes

    def _retell(self, items: Iterable[int], at: datetime) -> None:
        """An improvement wrote to the customers of these, and may have resolved them."""
        for item in items:
            self._reread(self._tickets[item])
            self._note_mail(self._tickets[item], at)

    def _asked(self, items: Iterable[int], at: datetime, change: Change) -> None:
        """Some of those who are asked whether it stayed fixed say so; where it did not, somebody takes it up again."""
        self._retell(items, at)
        for item in items:
            if self._chance.random() > _SAY_WHETHER_FIXED:
                continue
            said, is_fixed = self._said_of[item], self._chance.random() < change.holds
            answers_at = at + timedelta(hours=self._chance.uniform(2, 90))
            self._plan(answers_at, partial(self._do, item, said, Step(answers_at, "say", given={"is_fixed": is_fixed})))
            for step in () if is_fixed else self._fates.again(answers_at, change.owner):
                self._plan(step.at, partial(self._do, item, said, step))

    # How it stands now

    def _set_the_stage(self, parts: Iterable[tuple[cast.Part, Said]]) -> None:
        """The cast waits: some of them claimed, some put aside for a while. The owner finds a few items of their own."""
        waiting = {said.customer.email: part for part, said in parts if said.customer}
        for ticket in self._tickets.values():
            customer = ticket.item.customer
            part = waiting.get(customer.email) if customer else None
            if part is None or not (part.snoozed or part.claimed_by):
                continue
            at = self._now - timedelta(minutes=part.minutes / 3)
            if part.claimed_by:
                # Where the portal put it is its own decision, so somebody else of that team may have to take it.
                crew = list(ticket.team.people.order_by("email").values_list("email", flat=True))
                if crew:
                    taker = part.claimed_by if part.claimed_by in crew else crew[0]
                    decisions.assign(ticket, by=self._system, at=at, assignee=taker)
            else:
                until = self._now + timedelta(hours=part.snoozed)
                decisions.snooze(ticket, by=self._actors[organisation.MINA.email], at=at, until=until)

        opened = [
            ticket for ticket in self._tickets.values() if ticket.status == Status.OPEN and not ticket.assignee_id
        ]
        ada, owner = self._actors[organisation.ADA.email], self._system.user
        for ticket in opened[-_OF_THE_OWNER:]:
            decisions.assign(
                ticket, by=ada, at=self._now - timedelta(minutes=50), assignee=owner.email if owner else ""
            )

    def _count_as_sent(self, day: datetime) -> None:
        """Mails of the past were read long ago: they are told, and not sent again now."""
        waiting = Notification.objects.waiting().select_related("item", "ticket").order_by("pk")
        sent = {}
        for row in waiting:
            # What colleagues are written to is not about one item.
            at = _LOOK + (
                row.item.received_at if row.item and not row.ticket_id else self._told_at.get(row.ticket_id or 0, day)
            )
            if at < self._now - _RECENTLY:
                sent[row] = at
        notifications.record_sent(sent)
        with connection.cursor() as cursor:
            cursor.execute(
                "UPDATE triage_notification AS row SET created_at = at, completed_at = at, attempts = 1"
                " FROM unnest(%s::bigint[], %s::timestamptz[]) AS sent (id, at) WHERE row.id = sent.id",
                [[row.pk for row in sent], list(sent.values())],
            )

    def _worth_showing(self) -> Submission:
        """The newest English one that is part of the work on the leaking seals, else the newest of all."""
        for ticket in reversed(self._by_theme["seal-leak"]):
            story = {"action_linked", "reply"} <= set(ticket.events.values_list("type", flat=True))
            if story and ticket.is_open and ticket.item.declared_language == "en":
                return ticket.item.submission
        return self._tickets[max(self._tickets)].item.submission


_STEPS: Mapping[str, Callable[[Player, Ticket, Said, Step, datetime], None]] = {
    "settle": Player._settle,
    "merge": Player._merge,
    "link": Player._link,
    "reply": Player._reply,
    "note": Player._note,
    "snooze": Player._snooze,
    "resolve": Player._resolve,
    "hear": Player._hear,
    "rate": Player._rate,
    "read": Player._read,
    "say": Player._say_whether_fixed,
}
_PLATE = {
    "en": "It says H4-2231 on the plate. Photo to follow.",
    "de": "Auf dem Schild steht H4-2231.",
    "fr": "La plaque indique H4-2231.",
    "sv": "Det står H4-2231 på skylten.",
    "es": "En la placa pone H4-2231.",
}
