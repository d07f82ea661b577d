"""Looking again at items changes what the machine decided, and never what a person did."""

import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection, connections
from django.test.utils import CaptureQueriesContext

from feedback_portal.accounts.models import Team
from intake.models import Arrival, FeedbackItem
from tests.makers import actor, make_item, make_person, make_team
from triage import decisions, pipeline, refining
from triage.models import ChangedDay, Event, Gathering, Refinement, Rule, Tagging, Ticket, Topic
from triage.models.learning import mark_for_refinement
from triage.themes import gathering
from triage.understanding import embeddings

pytestmark = pytest.mark.django_db

AT = datetime(2026, 3, 4, 12, tzinfo=UTC)
LATER = AT + timedelta(minutes=5)


@pytest.fixture(autouse=True)
def no_encoder(settings: Any) -> None:
    settings.ENCODER = False


@pytest.fixture
def quality() -> Team:
    return make_team("quality")


@pytest.fixture
def leak(quality: Team) -> Topic:
    return Topic.objects.create(slug="leak", name="Leak", keywords=["puddle"], team=quality)


def taken_in(*texts: str) -> list[int]:
    items = [make_item(text) for text in texts]
    Arrival.objects.bulk_create(Arrival(item=item) for item in items)
    pipeline.understand_pending(at=AT)
    Refinement.objects.all().delete()
    return [item.pk for item in items]


def a_better_model_knows(topic: Topic, *words: str) -> None:
    """Stands for whatever makes the second reading better than the first."""
    Topic.objects.filter(pk=topic.pk).update(keywords=[*topic.keywords, *words])


def look_again(*items: int, why: str = Refinement.Why.CHEAP) -> dict[str, int]:
    mark_for_refinement(items, why=why)
    return refining.refine_pending(at=LATER).as_dict()


def standing(item: int) -> set[str]:
    return set(Tagging.objects.standing().filter(item=item).values_list("topic__slug", flat=True))


def test_a_second_reading_tags_and_moves_what_nobody_touched_and_says_why(leak: Topic, quality: Team) -> None:
    [item] = taken_in("There is water under the machine every morning")
    assert Ticket.objects.get().team.is_catch_all
    ChangedDay.objects.all().delete()
    a_better_model_knows(leak, "water", "under the machine")

    assert look_again(item) == {"done": 1, "retried": 0, "parked": 0}

    ticket = Ticket.objects.get()
    assert (ticket.team, ticket.stage, ticket.version) == (quality, quality.stage, 2)
    assert ticket.explanation["topic"] == "leak"
    assert standing(item) == {"leak"}
    moved = Event.objects.get(type="routed", occurred_at=LATER)
    assert (moved.source, moved.data["team"], moved.version) == ("model", "quality", 2)
    assert moved.data["reason"] == "looked at again with the better model"
    assert Event.objects.get(type="tagged").source == "model"
    assert ChangedDay.objects.exists()
    assert not Refinement.objects.exists()


def test_what_the_second_reading_no_longer_sees_is_taken_off(leak: Topic) -> None:
    [item] = taken_in("A puddle")
    Topic.objects.filter(pk=leak.pk).update(keywords=["nothing of the kind"], name="Other")

    look_again(item, why=Refinement.Why.ROLLED_BACK)

    assert standing(item) == set()
    assert Ticket.objects.get().team.is_catch_all
    assert Event.objects.get(type="untagged").data["reason"] == "looked at again after the model was rolled back"


def test_a_second_reading_that_agrees_changes_nothing_and_tells_nothing(leak: Topic) -> None:
    [item] = taken_in("A puddle")
    before = Event.objects.count(), Ticket.objects.get().version

    look_again(item)

    assert (Event.objects.count(), Ticket.objects.get().version) == before


@pytest.mark.parametrize(
    ("stage", "later", "drain"),
    [
        (refining, mark_for_refinement, refining.refine_pending),
        (
            gathering,
            lambda keys: gathering.gather_later(FeedbackItem.objects.filter(pk__in=keys)),
            gathering.gather_pending,
        ),
    ],
)
def test_new_items_are_placed_before_earlier_ones_are_looked_at_more_closely(
    monkeypatch: pytest.MonkeyPatch, stage: Any, later: Any, drain: Any
) -> None:
    keys = taken_in("A puddle", "Water", "Rain")
    Gathering.objects.all().delete()
    monkeypatch.setattr(stage, "BATCH", 1)
    later(keys)
    arrival = Arrival.objects.create(item=make_item("Another puddle"))

    assert drain(at=LATER).done == 1
    arrival.delete()
    assert drain(at=LATER).done == 2


@pytest.mark.parametrize(
    ("verb", "arguments"),
    [
        ("accept", {}),
        ("route", {"team": "logistics"}),
        ("severity", {"value": 2}),
        ("note", {"text": "I am on it."}),
        ("snooze", {"until": AT + timedelta(days=1)}),
        ("dismiss", {}),
    ],
)
def test_a_ticket_that_a_person_touched_stays_where_it_is(leak: Topic, verb: str, arguments: dict[str, object]) -> None:
    make_team("logistics")
    [item] = taken_in("There is water under the machine")
    tariq = make_person("Tariq", role="admin")
    decisions.decide(Ticket.objects.get().reference, verb, by=actor(tariq), at=AT, **arguments)
    before = Ticket.objects.values().get()
    a_better_model_knows(leak, "water")

    look_again(item)

    assert Ticket.objects.values().get() == before


def test_tags_that_a_person_touched_stay_as_they_are(leak: Topic) -> None:
    noise = Topic.objects.create(slug="noise", name="Noise", keywords=["rattles"])
    put, taken, none = taken_in("It rattles", "It rattles again", "Blue")
    tariq = actor(make_person("Tariq", role="admin"))
    Topic.objects.create(slug="colour", name="Colour")
    decisions.decide(Ticket.objects.get(item=put).reference, "tag", by=tariq, at=AT, topic="colour")
    decisions.decide(Ticket.objects.get(item=taken).reference, "untag", by=tariq, at=AT, topic="noise")
    decisions.decide(Ticket.objects.get(item=none).reference, "tags", by=tariq, at=AT, topics=[])
    a_better_model_knows(leak, "rattles", "blue")
    Topic.objects.filter(pk=noise.pk).update(keywords=[])

    look_again(put, taken, none)

    assert [standing(item) for item in (put, taken, none)] == [{"noise", "colour"}, set(), set()]


def test_a_decision_taken_back_still_counts_as_touched(leak: Topic) -> None:
    [item] = taken_in("There is water under the machine")
    tariq = actor(make_person("Tariq", role="admin"))
    reference = Ticket.objects.get().reference
    decisions.decide(reference, "accept", by=tariq, at=AT)
    decisions.decide(reference, "undo", by=tariq, at=AT)
    a_better_model_knows(leak, "water")

    look_again(item)

    assert Ticket.objects.get().team.is_catch_all


def test_a_rule_that_holds_only_now_sends_it_to_a_second_team_once(leak: Topic) -> None:
    make_team("safety")
    rule = {
        "version": 1,
        "when": {"field": "topic", "op": "is", "value": "leak"},
        "then": [{"verb": "also", "team": "safety"}],
    }
    Rule.objects.create(name="Tell safety", definition=rule)
    [item] = taken_in("Water under the machine")
    a_better_model_knows(leak, "water")

    look_again(item)
    look_again(item)

    assert list(Ticket.objects.order_by("pk").values_list("team__slug", flat=True)) == ["quality", "safety"]
    assert Event.objects.filter(type="split").count() == 1


def test_an_erased_item_is_not_read_again(leak: Topic) -> None:
    from triage.persons import erasing

    [item] = taken_in("A puddle")
    erasing.erase(Ticket.objects.get().item.submission, at=AT)
    events = Event.objects.count()

    assert look_again(item)["done"] == 1
    assert Event.objects.count() == events


def test_an_item_waits_once(leak: Topic) -> None:
    [item] = taken_in("A puddle")

    mark_for_refinement([item])
    mark_for_refinement([item, item])

    assert Refinement.objects.count() == 1


def test_everything_that_waits_for_a_decision_is_marked_newest_first(leak: Topic) -> None:
    first, second, third = taken_in("A puddle", "Another puddle", "And another")
    tariq = make_person("Tariq", role="admin")
    decisions.decide(Ticket.objects.get(item=second).reference, "accept", by=actor(tariq), at=AT)

    assert refining.mark_untouched(why=Refinement.Why.PROMOTED) == 2

    assert list(Refinement.objects.order_by("pk").values_list("item", flat=True)) == [third, first]
    assert refining.mark_untouched(why=Refinement.Why.PROMOTED, most=1) == 0


def test_a_batch_takes_as_many_statements_as_one_item(leak: Topic) -> None:
    items = taken_in(*(f"Water under machine {number}" for number in range(62)))
    a_better_model_knows(leak, "water")

    def cost(some: list[int]) -> int:
        with CaptureQueriesContext(connection) as captured:
            look_again(*some)
        return len(captured)

    assert cost(items[:2]) == cost(items[2:])
    assert Ticket.objects.filter(team__slug="quality").count() == 62


def test_the_batch_does_not_matter(leak: Topic) -> None:
    texts = [f"Water under machine {number}" if number % 3 else f"It is blue {number}" for number in range(12)]
    items = taken_in(*texts)
    a_better_model_knows(leak, "water")
    mark_for_refinement(items)
    refining.refine_pending(at=LATER)
    together = [(sorted(standing(item)), Ticket.objects.get(item=item).team.slug) for item in items]
    for item in reversed(items):
        look_again(item)

    assert [(sorted(standing(item)), Ticket.objects.get(item=item).team.slug) for item in items] == together


class TestLargeImports:
    """With an encoder, what comes in by the thousand is placed at once by what is cheap."""

    def test_items_without_a_vector_are_marked_and_small_batches_are_not(
        self, leak: Topic, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        asked: list[int] = []

        def vectors_of(texts: list[str], *, encode: int) -> list[object]:
            if texts and "puddle " not in texts[0]:  # the taxonomy's own words
                return [None] * len(texts)
            asked.append(encode)
            return [None if place >= encode else object() for place, _ in enumerate(texts)]

        monkeypatch.setattr(embeddings, "fingerprint", lambda: "an-encoder")
        monkeypatch.setattr(embeddings, "vectors_of", vectors_of)
        few = [make_item(f"A puddle {number}") for number in range(3)]
        Arrival.objects.bulk_create(Arrival(item=item) for item in few)
        pipeline.understand_pending(at=AT)
        assert (asked, Refinement.objects.count()) == ([3], 0)

        many = [make_item(f"Another puddle {number}") for number in range(pipeline.INLINE + 1)]
        Arrival.objects.bulk_create(Arrival(item=item) for item in many)
        pipeline.understand_pending(at=AT)

        assert asked == [3, 0]
        assert Refinement.objects.count() == len(many)
        assert Ticket.objects.filter(team__slug="quality").count() == 3 + len(many)

    def test_without_an_encoder_nothing_waits_for_it(self, leak: Topic, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(embeddings, "fingerprint", lambda: "")
        items = [make_item(f"A puddle {number}") for number in range(pipeline.INLINE + 1)]
        Arrival.objects.bulk_create(Arrival(item=item) for item in items)
        pipeline.understand_pending(at=AT)

        assert not Refinement.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_people_who_decide_meanwhile_are_never_overridden_and_never_locked_out() -> None:
    """Many items are read again by two workers while a person tags, untags and routes the same ones."""
    quality, logistics = make_team("quality"), make_team("logistics")
    leak = Topic.objects.create(slug="leak", name="Leak", keywords=["puddle"], team=quality)
    Topic.objects.create(slug="colour", name="Colour", team=logistics)
    items = taken_in(*(f"There is water under machine {number}" for number in range(40)))
    a_better_model_knows(leak, "water")
    mark_for_refinement(items)
    tariq = actor(make_person("Tariq", role="admin"))
    references = dict(Ticket.objects.values_list("item", "pk"))
    decided: dict[int, str] = {}
    troubles: list[BaseException] = []
    start = threading.Barrier(3)

    def read() -> None:
        try:
            start.wait()
            refining.refine_pending(at=LATER)
        except BaseException as error:
            troubles.append(error)
        finally:
            connections.close_all()

    def decide() -> None:
        try:
            start.wait()
            for item in items[::2]:
                verb, arguments = ("tag", {"topic": "colour"}) if item % 4 else ("route", {"team": "logistics"})
                reference = Ticket(pk=references[item]).reference
                try:
                    decisions.decide(reference, verb, by=tariq, at=LATER, **arguments)
                    decided[item] = verb
                except decisions.StaleTicket:
                    decisions.decide(reference, verb, by=tariq, at=LATER, **arguments)
                    decided[item] = verb
        except BaseException as error:
            troubles.append(error)
        finally:
            connections.close_all()

    refining_batch, refining.BATCH = refining.BATCH, 5
    try:
        threads = [threading.Thread(target=each) for each in (read, read, decide)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        refining.BATCH = refining_batch

    assert troubles == []
    assert len(decided) == 20
    for item, verb in decided.items():
        if verb == "route":
            assert Ticket.objects.get(item=item).team == logistics
        else:
            assert Tagging.objects.standing().get(item=item, topic__slug="colour").source == "person"
    untouched = Ticket.objects.filter(item__in=items[1::2])
    assert set(untouched.values_list("team__slug", flat=True)) == {"quality"}
