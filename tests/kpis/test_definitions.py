"""What each KPI counts, and from when."""

from datetime import timedelta

import pytest

from feedback_portal.accounts.models import User
from intake.models import FeedbackItem
from kpis import recording
from kpis.definitions import definitions
from tests.kpis.town import HOUR, MONDAY, NOW, WEEK, Town, read, recount
from tests.makers import make_person
from triage.models import Analysis, Event, Ticket

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)


@pytest.fixture
def town(db: None) -> Town:
    return Town()


@pytest.fixture
def tariq(db: None) -> User:
    return make_person("Tariq")


def sides(slug: str, *, at: timedelta | None = None) -> tuple[int, int]:
    moment = NOW if at is None else MONDAY + at
    figure = recording.read(definitions.get(slug), WEEK, at=moment).figure
    return figure.numerator, figure.denominator


def contactable(town: Town) -> Ticket:
    ticket = town.item()
    FeedbackItem.objects.filter(pk=ticket.item_id).update(may_contact=True)
    return ticket


def decided(town: Town, by: User, **data: object) -> Ticket:
    ticket = town.item()
    said = {"kept": True, "proposed_by": "topic"} | data
    Event.objects.create(
        item=ticket.item,
        ticket=ticket,
        type="triaged",
        source="person",
        person=by,
        occurred_at=MONDAY,
        recorded_at=MONDAY,
        data=said,
    )
    return ticket


def test_what_was_measured_on_monday_is_right_on_friday(town: Town) -> None:
    """Nothing happens in between but that a deadline passes."""
    late, early = town.item(), town.item()
    Ticket.objects.filter(pk=late.pk).update(due_at=MONDAY + DAY)
    Ticket.objects.filter(pk=early.pk).update(due_at=MONDAY + DAY)
    town.happened(early, "triaged", after=HOUR)
    recording.recount(WEEK.first, at=MONDAY + HOUR * 2)

    assert sides("decided-in-time", at=HOUR * 2) == (1, 1)
    assert (
        "1 is still pending"
        in recording.read(definitions.get("decided-in-time"), WEEK, at=MONDAY + HOUR * 2).figure.note
    )
    assert sides("decided-in-time", at=DAY * 2) == (1, 2)


def test_a_late_decision_is_a_missed_deadline_from_the_deadline_on(town: Town) -> None:
    ticket = town.item()
    Ticket.objects.filter(pk=ticket.pk).update(due_at=MONDAY + DAY)
    town.happened(ticket, "triaged", after=DAY * 2)
    recount()

    assert sides("decided-in-time") == (0, 1)


def test_a_customer_is_told_once_the_last_resolution_is_told(town: Town) -> None:
    ticket = contactable(town)
    town.happened(ticket, "resolved", after=HOUR)
    town.happened(ticket, "customer_told", after=HOUR * 2)
    recount()
    assert sides("loop-closed") == (1, 1)

    town.happened(ticket, "reopened", after=HOUR * 3)
    recount()
    assert sides("loop-closed") == (0, 0)

    town.happened(ticket, "resolved", after=DAY * 9)
    recount()
    assert sides("loop-closed") == (0, 0), "still in its seven days of grace"
    recording.recount(WEEK.first, at=MONDAY + DAY * 17)
    assert sides("loop-closed", at=DAY * 17) == (0, 1)


def test_who_may_not_be_written_to_is_not_owed_an_answer(town: Town) -> None:
    town.happened(town.item(), "resolved", after=HOUR)
    recording.recount(WEEK.first, at=MONDAY + DAY * 30)
    assert sides("loop-closed", at=DAY * 30) == (0, 0)


@pytest.mark.parametrize(("back_after", "expected"), [(DAY * 29, (1, 1)), (DAY * 31, (0, 1)), (None, (0, 1))])
def test_what_comes_back_within_thirty_days_was_closed_early(
    town: Town, back_after: timedelta | None, expected: tuple[int, int]
) -> None:
    ticket = town.item()
    town.happened(ticket, "resolved", after=timedelta())
    if back_after:
        town.happened(ticket, "reopened", after=back_after)
    recording.recount(WEEK.first, at=MONDAY + DAY * 40)

    assert sides("reopened", at=DAY * 40) == expected
    young = recording.read(definitions.get("reopened"), WEEK, at=MONDAY + DAY * 40, as_of=MONDAY + DAY * 29 + HOUR)
    assert young.figure.denominator == 0, "its thirty days are not over"


def test_a_receipt_counts_within_five_minutes(town: Town) -> None:
    for minutes in (1, 5, 6):
        town.happened(contactable(town), "receipt", after=timedelta(minutes=minutes))
    town.happened(town.item(), "receipt", after=timedelta(minutes=1))
    recount()
    assert sides("receipt-rate") == (2, 3)


def test_a_receipt_is_no_answer(town: Town) -> None:
    town.happened(contactable(town), "receipt", after=timedelta(minutes=1))
    town.happened(town.item(), "reply", after=HOUR)
    recount()
    assert sides("time-to-acknowledge") == (1, 2)


def test_what_is_resolved_without_an_action_waits_for_none(town: Town) -> None:
    acted, answered, open_still = (town.item() for _ in range(3))
    for ticket in (acted, answered, open_still):
        town.happened(ticket, "triaged", after=HOUR, actionable=True)
    town.happened(acted, "action_linked", after=HOUR * 4)
    town.happened(answered, "resolved", after=HOUR * 8)
    recount()

    figure = read("time-to-first-action").figure
    assert (figure.numerator, figure.denominator) == (1, 3)
    assert figure.waits is not None
    assert sorted(figure.waits.times)[:2] == [pytest.approx(4, rel=0.02), pytest.approx(8, rel=0.02)]
    assert sum(figure.waits.events) == 1


def test_right_at_once_is_what_no_person_moved(town: Town, tariq: User) -> None:
    decided(town, tariq)
    moved = decided(town, tariq, kept=False)
    by_rule = decided(town, tariq)
    merged = decided(town, tariq)
    town.item()
    for ticket, source in ((moved, "person"), (by_rule, "rule")):
        person = tariq if source == "person" else None
        data = {"team": "logistics", "from": "quality"}
        Event.objects.create(
            item=ticket.item,
            ticket=ticket,
            type="routed",
            source=source,
            person=person,
            occurred_at=MONDAY,
            recorded_at=MONDAY,
            data=data,
        )
    Ticket.objects.filter(pk=merged.pk).update(
        status="resolved", resolution="duplicate", resolved_at=MONDAY, duplicate_of=moved, merged_into=moved
    )
    recount()
    assert sides("first-time-right") == (2, 3)


def test_what_two_teams_have_is_a_duplicate_or_spam_only_as_a_whole(town: Town, tariq: User) -> None:
    original, shared = decided(town, tariq), decided(town, tariq)
    other = Ticket.objects.create(
        item=shared.item, team=town.teams["logistics"], due_at=MONDAY, received_at=MONDAY, created_at=MONDAY
    )
    done = {"status": "resolved", "resolved_at": MONDAY}
    Ticket.objects.filter(pk=shared.pk).update(
        resolution="duplicate", duplicate_of=original, merged_into=original, **done
    )
    recount()
    assert sides("first-time-right") == (2, 2)

    Ticket.objects.filter(pk=other.pk).update(
        resolution="duplicate", duplicate_of=original, merged_into=original, **done
    )
    recount()
    assert sides("first-time-right") == (1, 1)

    Ticket.objects.filter(pk=other.pk).update(resolution="spam", duplicate_of=None, merged_into=None)
    recount()
    assert sides("items-received") == (2, 2)


def test_proposals_are_kept_or_not_and_the_catch_all_proposes_nothing(town: Town, tariq: User) -> None:
    decided(town, tariq)
    decided(town, tariq, kept=False)
    decided(town, tariq, proposed_by="catch_all")
    recount()
    assert sides("proposals-kept") == (1, 2)


def test_effort_is_a_mean_with_its_interval_and_keeps_to_its_scale(town: Town) -> None:
    for value in (7, 7, 6, 4, 1):
        town.item(scale="ces7", value=value)
    town.item(scale="ces5", value=5)
    recount()

    figure = read("ces").figure
    assert (figure.value, figure.denominator) == (5.0, 5)
    assert figure.low == pytest.approx(1.83, abs=0.01)  # t(0.975, 4) = 2.776, sd = 2.55
    assert figure.high == pytest.approx(8.17, abs=0.01)


def test_few_stars_make_no_mean(town: Town) -> None:
    for _ in range(29):
        town.item(scale="stars5", value=4)
    recount()
    assert read("stars").figure.value is None
    assert "29 answers" in read("stars").figure.note
    town.item(scale="stars5", value=1)
    recount()
    assert read("stars").figure.value == pytest.approx(3.9)


def test_sentiment_is_withheld_while_too_much_of_it_is_unclear(town: Town) -> None:
    for number, sentiment in enumerate(["pos"] * 5 + ["neg"] * 10 + ["neu"] * 5 + ["none"] * 2):
        Analysis.objects.create(item=town.item(after=HOUR * number).item, sentiment=sentiment)
    recount()
    assert (read("sentiment").figure.value, sides("sentiment")) == (-25.0, (5, 20))

    Analysis.objects.create(item=town.item().item, sentiment="none")
    recount()
    assert read("sentiment").figure.value is None
    assert "Not clear for 3 of 23" in read("sentiment").figure.note
    assert sides("sentiment") == (5, 20)


def test_two_means_are_compared_by_welch() -> None:
    """Of two samples whose difference, by hand, is 2 with 4.41 degrees of freedom."""
    kpi = definitions.get("ces")
    now = kpi.figure({"a6": 2, "a7": 2, "a5": 1}, as_of=NOW)
    before = kpi.figure({"a6": 1, "a4": 2, "a2": 1, "a5": 1}, as_of=NOW)
    change = kpi.change(now, before, days=(7, 7))
    assert change.difference == pytest.approx(2.0)
    assert change.verdict == ("better" if (change.low or 0) > 0 else "noise")
