"""Numbers are counted from facts, again to the same digits, and open exactly their items."""

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from intake.models import Customer, FeedbackItem
from kpis import recording
from kpis.definitions import definitions
from kpis.facts import Slice
from kpis.models import Measurement
from kpis.periods import Period
from tests.kpis.town import HOUR, MONDAY, NOW, WEEK, ZONE, Town, fill, read, recount
from tests.makers import make_team, make_ticket
from tests.shared_world import rows_that_last
from triage.models import Action, ActionLink, ChangedDay, Ticket
from triage.models.events import mark_changed


@pytest.fixture
def town(db: None) -> Town:
    return Town()


def test_satisfaction_is_a_share_with_its_interval(town: Town) -> None:
    for value in [5] * 6 + [4] * 3 + [2] * 3:
        town.item(scale="csat5", value=value)
    town.item(scale="stars5", value=5)
    recount()

    figure = read("csat").figure

    assert (figure.value, figure.numerator, figure.denominator) == (75.0, 9, 12)
    assert figure.low == pytest.approx(46.8, abs=0.1)
    assert figure.high == pytest.approx(91.1, abs=0.1)


def test_few_answers_are_told_without_a_rate(town: Town) -> None:
    town.item(scale="csat5", value=5)
    recount()

    figure = read("csat").figure

    assert figure.value is None
    assert "1 of 1" in figure.note


def test_no_answers_are_no_zero(town: Town) -> None:
    recount()

    assert read("csat").figure.value is None


def test_of_each_customer_only_the_latest_recommendation_counts(town: Town) -> None:
    ana = Customer.objects.create(external_id="ana")
    town.item(scale="nps", value=2, customer=ana)
    town.item(scale="nps", value=10, customer=ana, after=timedelta(days=2))
    town.item(scale="nps", value=3)
    recount()

    figure = read("nps").figure

    assert (figure.value, figure.numerator, figure.denominator) == (0.0, 1, 2)


def test_what_still_waits_counts_as_waiting(town: Town) -> None:
    for hours in (2, 4):
        town.happened(town.item(), "triaged", after=HOUR * hours)
    for _ in range(3):
        town.item()
    recount()

    figure = read("time-to-triage").figure

    assert figure.value is None
    assert "Fewer than half" in figure.note
    assert (figure.numerator, figure.denominator) == (2, 5)


def test_the_median_is_the_time_by_which_half_were_decided(town: Town) -> None:
    for hours in (1, 2, 3, 50, 60):
        town.happened(town.item(), "triaged", after=HOUR * hours)
    recount()

    assert read("time-to-triage").figure.value == pytest.approx(3, rel=0.01)


def test_a_reopened_item_is_open_again(town: Town) -> None:
    ticket = town.item()
    town.happened(ticket, "resolved", after=HOUR)
    town.happened(ticket, "reopened", after=HOUR * 2)
    recount()

    assert read("time-to-resolution").figure.numerator == 0

    town.happened(ticket, "resolved", after=HOUR * 9)
    recount()

    assert read("time-to-resolution").figure.value == pytest.approx(9, rel=0.01)


def test_only_a_shipped_action_is_acting(town: Town) -> None:
    tickets = [town.item() for _ in range(12)]
    for ticket in tickets:
        town.happened(ticket, "triaged", after=HOUR)
    town.ship(tickets[0], after=HOUR)
    withdrawn = Action.objects.create(title="Nothing", team=tickets[1].team, step="do", withdrawn_at=NOW)
    ActionLink.objects.create(action=withdrawn, ticket=tickets[1], linked_at=MONDAY)
    recount()

    assert (read("acted-on").figure.numerator, read("acted-on").figure.denominator) == (1, 12)


def test_spam_and_test_data_are_no_voices(town: Town) -> None:
    town.item()
    Ticket.objects.filter(pk=town.item().pk).update(status="resolved", resolution="spam", resolved_at=MONDAY)
    FeedbackItem.objects.filter(pk=town.item().item_id).update(is_test=True)
    recount()

    assert read("items-received").figure.value == 1


class TestAFilledTown:
    """One small week for all of them, since none changes its items."""

    @pytest.fixture(scope="class")
    @classmethod
    def kept(cls, django_db_setup: None, django_db_blocker: Any) -> Iterator[Town]:
        with rows_that_last(django_db_blocker):
            with django_db_blocker.unblock():
                town = Town()
                fill(town)
                recount()
            yield town

    @pytest.fixture
    def town(self, kept: Town, db: None) -> Town:
        return kept

    @pytest.mark.parametrize("kpi", definitions.all(), ids=lambda kpi: kpi.slug)
    def test_a_number_opens_exactly_its_items(self, town: Town, kpi) -> None:  # type: ignore[no-untyped-def]
        slices = [
            recording.EVERYTHING,
            *(Slice(team=team.pk) for team in town.teams.values()),
            Slice(channel=town.channel.pk),
        ]

        for slice in slices:
            figure = recording.read(kpi, WEEK, at=NOW, slice=slice).figure
            for side, number in (("numerator", figure.numerator), ("denominator", figure.denominator)):
                assert recording.items_behind(kpi, WEEK, side, as_of=NOW, slice=slice).count() == number

    @pytest.mark.parametrize("kpi", definitions.all(), ids=lambda kpi: kpi.slug)
    def test_measured_and_counted_afresh_agree(self, town: Town, kpi) -> None:  # type: ignore[no-untyped-def]
        measured = recording.read(kpi, WEEK, at=NOW).figure
        counted = kpi.figure(recording._counted(kpi, WEEK, recording.EVERYTHING, NOW), as_of=NOW)

        assert measured == counted

    def test_teams_add_up_to_everything(self, town: Town) -> None:
        parts = [read("items-received", Slice(team=team.pk)).figure.value for team in town.teams.values()]

        assert sum(part or 0 for part in parts) == read("items-received").figure.value == 12

    def test_counting_twice_gives_the_same_rows(self, town: Town) -> None:
        first = sorted(map(str, Measurement.objects.values_list("kpi", "day", "team", "channel", "parts")))
        recount()

        assert sorted(map(str, Measurement.objects.values_list("kpi", "day", "team", "channel", "parts"))) == first

    def test_days_counted_together_come_to_what_each_comes_to_alone(self, town: Town) -> None:
        days = [date(2026, 3, 2) + timedelta(days=offset) for offset in range(7)]

        def rows() -> list[str]:
            columns = ("kpi", "definition_version", "day", "days", "team", "channel", "stage", "parts")
            return sorted(map(str, Measurement.objects.values_list(*columns)))

        for day in reversed(days):
            recording.recount(day, at=NOW)
        alone = rows()
        # With gaps, and more than one batch of them.
        recording.recount(*days[:2], *days[3:], *(days[0] - timedelta(days=2 * back) for back in range(1, 20)), at=NOW)
        recording.recount(days[2], at=NOW)

        assert len(alone) > 200
        assert [row for row in rows() if "2026, 3, " in row] == [row for row in alone if "2026, 3, " in row]

    def test_more_days_need_no_more_statements(self, town: Town) -> None:
        days = [date(2026, 3, 2) + timedelta(days=offset) for offset in range(7)]
        recording.recount(*days, at=NOW)
        with CaptureQueriesContext(connection) as one:
            recording.recount(days[0], at=NOW)
        with CaptureQueriesContext(connection) as seven:
            recording.recount(*days, at=NOW)

        assert len(seven) == len(one)


def test_a_report_of_the_past_does_not_see_later_events(town: Town) -> None:
    ticket = town.item()
    town.happened(ticket, "triaged", after=HOUR * 5)
    kpi = definitions.get("time-to-triage")

    before = recording.read(kpi, WEEK, at=NOW, as_of=MONDAY + HOUR * 4).figure
    after = recording.read(kpi, WEEK, at=NOW, as_of=MONDAY + HOUR * 6).figure

    assert (before.numerator, after.numerator) == (0, 1)


@pytest.mark.django_db(transaction=True)
def test_changed_days_are_counted_and_then_done() -> None:
    town = Town()
    fill(town)
    ChangedDay.objects.create(day=date(2026, 3, 2))

    drained = recording.recount_changed_days(at=NOW)

    assert drained.as_dict() == {"done": 1, "retried": 0, "parked": 0}
    assert read("items-received").figure.value == 4


@pytest.mark.django_db(transaction=True)
def test_two_who_count_one_day_at_once_take_turns() -> None:
    fill(Town())
    counted = threading.Event()

    def count() -> None:
        recording.recount(date(2026, 3, 2), at=NOW)
        counted.set()
        connection.close()

    other = threading.Thread(target=count)
    with transaction.atomic():
        recording.recount(date(2026, 3, 2), at=NOW)
        other.start()
        assert not counted.wait(0.5)
    other.join()

    assert counted.is_set()
    assert read("items-received").figure.value == 4


def test_of_a_customer_of_two_teams_only_the_latest_answer_counts_and_teams_add_up(town: Town) -> None:
    ana = Customer.objects.create(external_id="ana")
    town.item(scale="nps", value=2, customer=ana)
    town.item(scale="nps", value=10, customer=ana, after=timedelta(days=2), team="logistics")
    town.item(scale="nps", value=9)
    recount()

    counts = [read("nps", Slice(team=team.pk)).figure.denominator for team in town.teams.values()]

    assert counts == [1, 1]
    assert read("nps").figure.denominator == 2


def test_a_week_that_was_measured_is_read_without_looking_at_items(
    town: Town, django_assert_num_queries: Callable[[int], AbstractContextManager[object]]
) -> None:
    town.item(scale="nps", value=9)
    recount()

    with django_assert_num_queries(1):
        figure = read("nps").figure
    with django_assert_num_queries(2):
        nothing = read("nps", Slice(team=town.teams["logistics"].pk)).figure

    assert (figure.denominator, nothing.denominator) == (1, 0)


def test_a_week_is_counted_again_with_any_of_its_days(town: Town) -> None:
    recount()
    assert read("nps").figure.denominator == 0
    town.item(scale="nps", value=9, after=timedelta(days=3))

    recording.recount(date(2026, 3, 5), at=NOW)

    assert read("nps").figure.denominator == 1


def test_the_usual_period_moves_on_with_the_day(town: Town) -> None:
    town.item(scale="nps", value=9)
    for days in range(3):
        recording.recount(date(2026, 3, 2), at=NOW + timedelta(days=days))

    today = Period.recent(zone=ZONE, at=NOW + timedelta(days=2))
    usual = Measurement.objects.filter(days=today.day_count, team=None, channel=None, stage=None)

    assert set(usual.values_list("day", flat=True)) == {today.first, today.previous().first}


def test_a_share_that_ripens_knows_what_it_had_come_to_on_every_day(town: Town) -> None:
    originals = [town.item(after=HOUR * 7 * number) for number in range(24)]
    for number, ticket in enumerate(originals):
        if number % 5:
            town.happened(ticket, "triaged", after=HOUR * 9 * number)
        if number % 3 == 0:
            town.ship(ticket, after=HOUR * (150 - 5 * number))
        if number % 8 == 7:
            at = ticket.received_at + HOUR * 40
            Ticket.objects.filter(pk=ticket.pk).update(
                status="resolved",
                resolution="duplicate",
                resolved_at=at,
                duplicate_of=originals[0],
                merged_into=originals[0],
            )
    recount()
    kpi, parts = definitions.get("acted-on"), read("acted-on").figure.parts

    seen = set()
    for offset in range(11):
        day = date(2026, 3, 2) + timedelta(days=offset)
        midnight = datetime(day.year, day.month, day.day, tzinfo=UTC) - timedelta(microseconds=1)
        then = kpi.figure_before(day, parts, as_of=NOW)
        counted = recording.read(kpi, WEEK, at=NOW, as_of=midnight).figure
        assert (then.numerator, then.denominator) == (counted.numerator, counted.denominator), day
        seen.add((then.numerator, then.denominator))
    assert len(seen) > 5


def test_open_tickets_are_counted_by_the_day_their_items_came_in(town: Town) -> None:
    for days in (0, 1, 1):
        town.item(after=timedelta(days=days))
    Ticket.objects.filter(pk=town.item().pk).update(status="resolved", resolution="answered", resolved_at=NOW)
    FeedbackItem.objects.filter(pk=town.item().item_id).update(is_test=True)
    town.item(team="logistics")
    recount()

    assert dict(recording.open_tickets(Slice(team=town.teams["quality"].pk))) == {
        date(2026, 3, 2): 1,
        date(2026, 3, 3): 2,
    }


@pytest.mark.django_db
def test_what_changed_after_a_long_drain_began_is_counted_when_its_day_is() -> None:
    ticket = make_ticket(team=make_team("quality"))
    began = timezone.now()
    Ticket.objects.filter(pk=ticket.pk).update(status="resolved", resolution="spam", resolved_at=timezone.now())
    mark_changed([ticket.received_at])

    recording.recount_changed_days(at=began)

    assert not Measurement.objects.filter(kpi="items-received", parts__items=1).exists()
