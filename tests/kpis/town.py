"""A small town whose items and events the tests of KPIs make as plainly as a table."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from feedback_portal.accounts.models import Team
from intake.models import Channel, Customer, FeedbackItem, Submission
from kpis import recording
from kpis.definitions import definitions
from kpis.facts import Slice
from kpis.periods import Period
from triage.models import Action, ActionLink, Event, Ticket

MONDAY = datetime(2026, 3, 2, 8, tzinfo=UTC)
NOW = MONDAY + timedelta(days=10)
ZONE = ZoneInfo("UTC")
WEEK = Period(date(2026, 3, 2), date(2026, 3, 9), ZONE)


class Town:
    """Makes items and what happened to them, as plainly as a table."""

    def __init__(self) -> None:
        self.channel = Channel.objects.create(slug="form", name="Form", kind="web_form")
        self.teams = {
            "quality": Team.objects.create(slug="quality", name="Quality"),
            "logistics": Team.objects.create(slug="logistics", name="Logistics"),
        }
        self.count = 0

    def item(
        self,
        *,
        after: timedelta = timedelta(),
        team: str = "quality",
        scale: str = "",
        value: int | None = None,
        customer: Customer | None = None,
    ) -> Ticket:
        self.count += 1
        at = MONDAY + after
        submission = Submission.objects.create(
            channel=self.channel,
            external_id=str(self.count),
            payload=b"",
            content_type="",
            sha256=b"",
            tracking_hash=str(self.count),
        )
        item = FeedbackItem.objects.create(
            submission=submission,
            channel=self.channel,
            text="It leaks",
            rating_scale=scale,
            rating_value=value,
            customer=customer,
            submitted_at=at,
            received_at=at,
        )
        return Ticket.objects.create(item=item, team=self.teams[team], due_at=at, received_at=at, created_at=at)

    def happened(self, ticket: Ticket, type: str, *, after: timedelta, **data: object) -> None:
        at = ticket.received_at + after
        Event.objects.create(
            item=ticket.item, ticket=ticket, type=type, source="system", occurred_at=at, recorded_at=at, data=data
        )

    def ship(self, ticket: Ticket, *, after: timedelta) -> None:
        at = ticket.received_at + after
        action = Action.objects.create(title="Re-seat the seal", team=ticket.team, step="check", shipped_at=at)
        ActionLink.objects.create(action=action, ticket=ticket, linked_at=at)


HOUR = timedelta(hours=1)


def recount() -> None:
    recording.recount(*(date(2026, 3, 2) + timedelta(days=offset) for offset in range(7)), at=NOW)


def read(slug: str, slice: Slice = recording.EVERYTHING) -> recording.Reading:
    return recording.read(definitions.get(slug), WEEK, at=NOW, slice=slice)


def fill(town: Town) -> None:
    """A small week: ratings, decisions, reopenings, an action, spam."""
    for number in range(12):
        ticket = town.item(
            after=HOUR * 5 * number, team="quality" if number % 3 else "logistics", scale="csat5", value=number % 5 + 1
        )
        if number % 4:
            town.happened(ticket, "triaged", after=HOUR * number)
        if number % 2:
            town.happened(ticket, "resolved", after=HOUR * 2 * number, resolution="answered")
        if number == 5:
            town.happened(ticket, "reopened", after=HOUR * 30)
        if number in (1, 2):
            town.ship(ticket, after=HOUR * 40)
        if number % 3 == 0:
            FeedbackItem.objects.filter(pk=ticket.item_id).update(may_contact=True)
            town.happened(ticket, "receipt", after=HOUR / 60 * number)
            town.happened(ticket, "reply", after=HOUR * 9)
            town.happened(ticket, "customer_told", after=HOUR * 18)
