"""Synthetic feedback is consistent in every table, has the shape of real feedback, and is the same for the same seed."""

import json
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from io import StringIO
from random import Random
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db.models import Count, F, Max, Q
from django.utils import timezone

from feedback_portal.accounts.models import Team, User
from feedback_portal.accounts.permissions import Actor
from intake import normalizing
from intake.models import Arrival, Channel, Customer, FeedbackItem, Submission
from kpis import recording
from kpis.definitions import definitions
from kpis.models import Measurement
from kpis.periods import Period
from kpis.synthetic import draws, tables
from kpis.synthetic.draws import Drawn, Plan
from kpis.synthetic.ground import Ground, TopicPlace
from kpis.synthetic.vocabulary import Vocabulary
from tests.shared_world import rows_that_last
from triage import decisions
from triage.lifecycle import DONE, Resolution, Status
from triage.models import ActionLink, Analysis, Event, SearchText, Tagging, Ticket, Topic

ITEMS, DAYS = 300, 35
GROUND = Ground(
    channels={1: "nps"}, people={1: [1, 2]}, topics=[TopicPlace(1, 1, ["word"])], customers=[1, 2, 3], shipped={1: []}
)


def load(items: int = ITEMS, days: int = DAYS, seed: str = "7") -> dict[str, float]:
    out = StringIO()
    call_command("load_synthetic", items=items, days=days, seed=seed, processes=1, stdout=out)
    told = json.loads(out.getvalue())
    assert isinstance(told, dict)
    return told


@pytest.fixture(scope="module")
def kept(django_db_setup: None, django_db_blocker: Any) -> Iterator[dict[str, float]]:
    with rows_that_last(django_db_blocker), pytest.MonkeyPatch.context() as patch:
        patch.setattr(draws, "SLICE", 110)  # so that there are three of them
        with django_db_blocker.unblock():
            told = load()
        yield told


@pytest.fixture
def loaded(kept: dict[str, float], db: None) -> dict[str, float]:
    return kept


def test_every_table_is_filled_and_the_counts_are_true(loaded: dict[str, float]) -> None:
    for name, model in {
        "submissions": Submission, "items": FeedbackItem, "arrivals": Arrival, "analyses": Analysis, "search_texts": SearchText,
        "tickets": Ticket,
    }.items():  # fmt: skip
        assert loaded[name] == model._default_manager.count() == ITEMS
    for name, model in {"events": Event, "taggings": Tagging, "measurements": Measurement, "links": ActionLink}.items():
        assert loaded[name] == model._default_manager.count() > 0


def test_nothing_is_left_to_do(loaded: dict[str, float]) -> None:
    assert not Submission.objects.waiting().exists()
    assert not Arrival.objects.waiting().exists()


def test_the_raw_bytes_say_what_the_item_says(loaded: dict[str, float]) -> None:
    for submission in Submission.objects.select_related("item__customer", "channel"):
        draft, item = normalizing.read(submission), submission.item
        assert (draft.text, draft.title, draft.language) == (item.text, item.title, item.declared_language)
        assert (draft.rating.value if draft.rating else None) == item.rating_value
        assert draft.sender.external_id == (item.customer.external_id if item.customer else "")


def test_an_item_is_found_by_its_words_as_if_the_pipeline_had_taken_it_in(loaded: dict[str, float]) -> None:
    from triage import pipeline

    ours = dict(SearchText.objects.values_list("item", "document"))
    pipeline._fill_search_text(ours)

    assert dict(SearchText.objects.values_list("item", "document")) == ours


def test_one_ticket_in_ten_is_open_and_the_young_ones_more_often(loaded: dict[str, float]) -> None:
    opened = Ticket.objects.open()

    assert opened.count() == ITEMS / 10
    assert set(Ticket.objects.values_list("status", flat=True)) == set(Status.values)
    middle = timezone.now() - timedelta(days=DAYS / 2)
    assert opened.filter(received_at__gt=middle).count() > 2 * opened.filter(received_at__lt=middle).count()


def test_a_ticket_is_what_its_events_made_of_it(loaded: dict[str, float]) -> None:
    told = Ticket.objects.annotate(
        last=Max("events__version"),
        ended=Count("events", filter=Q(events__type="resolved")),
        reopened=Count("events", filter=Q(events__type="reopened")),
        merges=Count("events", filter=Q(events__type="merged")),
        decided=Count("events", filter=Q(events__type__in=["triaged", "merged"])),
    )
    for ticket in told:
        assert ticket.version == (ticket.last or 1)
        assert ticket.decided == (ticket.status != Status.NEW) == (ticket.triaged_at is not None)
        assert ticket.ended + ticket.merges - ticket.reopened == (ticket.status in DONE)
        assert ticket.merges == (ticket.resolution == Resolution.DUPLICATE)
    assert not Event.objects.filter(occurred_at__lt=F("item__received_at")).exists()
    assert not Event.objects.filter(occurred_at__gt=timezone.now()).exists()
    assert not Ticket.objects.filter(duplicate_of__duplicate_of__isnull=False).exists()


def test_the_measurements_are_those_of_the_items(loaded: dict[str, float]) -> None:
    period = Period.recent(zone=recording.reporting_zone(), at=timezone.now(), days=DAYS + 1)
    received = recording.read(definitions.get("items-received"), period, at=timezone.now())

    assert received.figure.value == ITEMS - Ticket.objects.filter(resolution=Resolution.SPAM).count()


def test_tickets_can_be_decided_like_any_other(loaded: dict[str, float]) -> None:
    manager = User.objects.create_user("lena@example.com", name="Lena", role="manager")
    ticket = Ticket.objects.undecided().in_queue_order()[0]

    decided = decisions.decide(ticket.reference, "accept", by=Actor(user=manager), at=timezone.now())

    assert decided.status == Status.OPEN


def test_loading_again_adds_items_and_nothing_they_stand_on(loaded: dict[str, float]) -> None:
    stands_on = Customer.objects.count(), Channel.objects.count(), Team.objects.count(), Topic.objects.count()
    load(20, 1)

    assert FeedbackItem.objects.count() == ITEMS + 20
    assert (Customer.objects.count(), Channel.objects.count(), Team.objects.count(), Topic.objects.count()) == stands_on


def test_reserved_keys_belong_to_nobody_else(loaded: dict[str, float]) -> None:
    first, _ = tables.reserve(10)
    second, _ = tables.reserve(10)

    assert second > first + 9


def test_the_same_seed_draws_the_same_items() -> None:
    def drawn(seed: str) -> list[Drawn]:
        plan = Plan.make(items=50, days=9, seed=seed, at=datetime(2026, 6, 3, tzinfo=UTC))
        return list(draws.draw(plan, range(50), ground=GROUND))

    assert drawn("1") == drawn("1")
    assert not {row.body for row in drawn("1")} & {row.body for row in drawn("2")}


@pytest.mark.parametrize("given", [{"items": 0, "days": 3}, {"items": 3, "days": 0}])
def test_nothing_and_no_time_are_refused(given: dict[str, int]) -> None:
    with pytest.raises(CommandError):
        call_command("load_synthetic", **given)


def test_arrivals_come_in_order_before_now_and_less_at_night() -> None:
    at = datetime(2026, 6, 3, 15, 20, tzinfo=UTC)
    plan = Plan.make(items=5_000, days=14, seed="1", at=at)
    by_hour = Counter(moment.hour for moment in plan.arrivals)

    assert list(plan.arrivals) == sorted(plan.arrivals)
    assert at - timedelta(days=14) <= plan.arrivals[0]
    assert plan.arrivals[-1] <= at
    assert by_hour[10] > 4 * by_hour[3]
    assert [number for numbers in plan.slices for number in numbers] == list(range(5_000))


def test_words_are_as_rare_as_words_are() -> None:
    words = Vocabulary("1", size=5_000)
    chance = Random("texts")
    used = Counter(words.text(chance, words=50_000).lower().replace(".", "").split())

    assert len(words.words) == len(set(words.words)) == 5_000
    assert 5 < used[words.words[0]] / used[words.words[49]] < 25
    assert len(used) > 4_000
