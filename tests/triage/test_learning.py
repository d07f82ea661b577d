"""The portal learns from what people correct: better models take over, worse ones do not, and every step can be taken back."""

import threading
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import IntegrityError, connection, connections, transaction
from django.test.utils import CaptureQueriesContext, override_settings
from django.utils import timezone

from feedback_portal.accounts.models import ApiKey
from feedback_portal.accounts.permissions import Actor
from feedback_portal.refusals import NotAllowed
from intake.models import Arrival
from tests.bakery import WORLD, arrive, chance, correct, found_right, mixed, open_bakery, saying, train
from tests.makers import actor, make_item, make_person, make_team, make_ticket
from tests.shared_world import rows_that_last
from triage import decisions, pipeline, refining
from triage.learning import promotion, training
from triage.learning.corrections import corrections, labelled
from triage.models import Event, ModelVersion, Refinement, Tagging, Ticket, Topic, Training
from triage.models.learning import Field, mark_for_training
from triage.persons import erasing
from triage.taggers.base import Text
from triage.tasks import train_everything, train_pending
from triage.understanding import embeddings, learned

AT = datetime(2026, 3, 4, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def no_encoder(settings: Any) -> Iterator[None]:
    """What is learned from words alone is the same on every machine."""
    settings.ENCODER = False
    chance.seed(7)
    yield
    learned._held.clear()


@pytest.fixture
def world() -> None:
    open_bakery()


@pytest.fixture
def tariq() -> Actor:
    return actor(make_person("Tariq", role="admin"))


def in_use(field: str = "topic") -> ModelVersion:
    return ModelVersion.objects.active().get(field=field)


@pytest.mark.django_db
class TestCorrections:
    """What people said becomes labels, each item once, by the last word."""

    def test_the_last_tag_of_a_person_counts(self, world: None, tariq: Actor) -> None:
        ticket = make_ticket()
        for verb, topic in (("tag", "crust"), ("tag", "price"), ("untag", "price")):
            decisions.decide(ticket.reference, verb, by=tariq, at=AT, topic=topic)
        decisions.decide(ticket.reference, "tag", by=tariq, at=AT, topic="arrival")

        assert [(each.item, each.label) for each in corrections("topic")] == [(ticket.item_id, "arrival")]

    def test_what_was_taken_off_falls_back_to_what_still_stands(self, world: None, tariq: Actor) -> None:
        ticket = make_ticket()
        for verb, topic in (("tag", "crust"), ("tag", "price"), ("untag", "price")):
            decisions.decide(ticket.reference, verb, by=tariq, at=AT, topic=topic)

        assert [each.label for each in corrections("topic")] == ["crust"]

    def test_no_topic_is_a_word_too(self, world: None, tariq: Actor) -> None:
        emptied, bare, kept = make_ticket("One"), make_ticket("Two"), make_ticket("Three")
        for ticket in (emptied, kept):
            Tagging.objects.create(item=ticket.item, topic=Topic.objects.get(slug="crust"), source="model")
        Tagging.objects.create(item=kept.item, topic=Topic.objects.get(slug="price"), source="model")
        decisions.decide(emptied.reference, "untag", by=tariq, at=AT, topic="crust")
        decisions.decide(bare.reference, "tags", by=tariq, at=AT, topics=[])
        decisions.decide(kept.reference, "untag", by=tariq, at=AT, topic="price")

        # Of the third nobody said what it is, only what it is not.
        assert {each.item: each.label for each in corrections("topic")} == {emptied.item_id: "", bare.item_id: ""}
        with pytest.raises(decisions.NotNow):
            decisions.decide(bare.reference, "tags", by=tariq, at=AT, topics=[])

    def test_machines_programs_and_mere_acceptance_teach_nothing(self, world: None, tariq: Actor) -> None:
        [item] = arrive(["crust"])
        by_rule, by_program = make_ticket("By a rule"), make_ticket("By a program")
        Tagging.objects.create(item=by_rule.item, topic=Topic.objects.get(slug="crust"), source="rule")
        key, _ = ApiKey.issue("robot", scopes=["tickets:write"])
        decisions.decide(by_program.reference, "tag", by=Actor(key=key), at=AT, topic="crust")
        decisions.decide(by_program.reference, "route", by=Actor(key=key), at=AT, team="till")
        decisions.decide(Ticket.objects.get(item=item).reference, "accept", by=tariq, at=AT)

        assert corrections("topic") == []
        assert corrections("team") == []

    def test_beside_what_was_put_right_counts_what_was_accepted_and_never_much_more(
        self, world: None, tariq: Actor
    ) -> None:
        kept = [make_ticket(f"Charred {number}", team=make_team("baking")) for number in range(6)]
        for ticket in kept:
            Tagging.objects.create(
                item=ticket.item, topic=Topic.objects.get(slug="crust"), source="model", confidence=0.9
            )
            decisions.decide(ticket.reference, "accept", by=tariq, at=AT)
        unclear = make_ticket("Charred, and twice the price", team=make_team("baking"))
        for slug in ("crust", "price"):
            Tagging.objects.create(
                item=unclear.item, topic=Topic.objects.get(slug=slug), source="model", confidence=0.9
            )
        decisions.decide(unclear.reference, "accept", by=tariq, at=AT)
        wrong = make_ticket("The coins", team=make_team("baking"))
        decisions.decide(wrong.reference, "tag", by=tariq, at=AT, topic="price")
        decisions.decide(wrong.reference, "route", by=tariq, at=AT, team="till")
        later = kept[5]
        decisions.decide(later.reference, "route", by=tariq, at=AT, team="driving")

        topics = {each.item: (each.label, each.is_silent) for each in corrections("topic")}
        assert topics.pop(wrong.item_id) == ("price", False)
        assert topics == {ticket.item_id: ("crust", True) for ticket in kept[2:]}
        teams = {each.item: (each.label, each.is_silent) for each in corrections("team")}
        assert teams.pop(wrong.item_id) == ("till", False)
        assert teams.pop(later.item_id) == ("driving", False)
        assert unclear.item_id in teams
        assert set(teams.values()) == {("baking", True)}

    def test_what_was_taken_back_was_not_said(self, world: None, tariq: Actor) -> None:
        ticket = make_ticket()
        decisions.decide(ticket.reference, "tag", by=tariq, at=AT, topic="crust")
        decisions.decide(ticket.reference, "undo", by=tariq, at=AT)

        assert corrections("topic") == []

    def test_where_people_route_it_or_end_the_work_is_its_team(self, world: None, tariq: Actor) -> None:
        routed, worked, merged, spam = (make_ticket(text) for text in ("A", "B", "C", "D"))
        decisions.decide(routed.reference, "route", by=tariq, at=AT, team="till")
        decisions.decide(routed.reference, "route", by=tariq, at=AT, team="baking")
        decisions.decide(worked.reference, "resolve", by=tariq, at=AT, resolution="answered")
        decisions.decide(merged.reference, "merge", by=tariq, at=AT, original=worked.reference)
        decisions.decide(spam.reference, "route", by=tariq, at=AT, team="till")
        decisions.decide(spam.reference, "resolve", by=tariq, at=AT, resolution="spam")

        assert {each.item: each.label for each in corrections("team")} == {
            routed.item_id: "baking",
            worked.item_id: "quality",
        }

    def test_erased_items_tests_and_topics_out_of_use_teach_nothing(self, world: None, tariq: Actor) -> None:
        erased, test, gone = (make_ticket(text) for text in ("A", "B", "C"))
        for ticket, topic in ((erased, "crust"), (test, "price"), (gone, "arrival")):
            decisions.decide(ticket.reference, "tag", by=tariq, at=AT, topic=topic)
        assert len(corrections("topic")) == 3
        Training.objects.all().delete()
        erasing.erase(erased.item.submission, at=AT)
        type(test.item).objects.filter(pk=test.item_id).update(is_test=True)
        Topic.objects.filter(slug="arrival").update(is_active=False)

        assert corrections("topic") == []
        # What was learned from its words is learned anew without them.
        assert set(Training.objects.values_list("field", flat=True)) == set(Field.values)

    def test_only_the_newest_are_read_in_as_many_statements(self, world: None, tariq: Actor) -> None:
        tickets = [make_ticket(f"Item {number}") for number in range(6)]
        for ticket in tickets:
            decisions.decide(ticket.reference, "tag", by=tariq, at=AT, topic="crust")

        def cost(most: int) -> int:
            with CaptureQueriesContext(connection) as captured:
                assert len(labelled(corrections("topic", most=most))) == most
            return len(captured)

        assert [each.item for each in corrections("topic", most=2)] == [tickets[5].item_id, tickets[4].item_id]
        assert cost(2) == cost(6)


@pytest.mark.django_db
class TestWaiting:
    def test_a_correction_is_learned_a_minute_later_together_with_its_neighbours(
        self, world: None, tariq: Actor
    ) -> None:
        for number in range(3):
            ticket = make_ticket(f"Item {number}")
            decisions.decide(ticket.reference, "tag", by=tariq, at=AT, topic="crust")

        waiting = Training.objects.get()
        assert waiting.field == "topic"
        assert timedelta(seconds=50) < waiting.next_attempt_at - timezone.now() < timedelta(seconds=61)
        assert train_pending() == {"done": 0, "retried": 0, "parked": 0}

    def test_what_teaches_nothing_asks_for_nothing(self, world: None, tariq: Actor) -> None:
        ticket = make_ticket()
        decisions.decide(ticket.reference, "note", by=tariq, at=AT, text="Hm.")
        decisions.decide(ticket.reference, "accept", by=tariq, at=AT)

        assert not Training.objects.exists()

    def test_one_that_is_being_trained_may_be_asked_for_again(self) -> None:
        mark_for_training(["topic"])
        Training.objects.update(attempts=1)
        mark_for_training(["topic"])
        mark_for_training(["topic"])

        assert Training.objects.count() == 2

    def test_whoever_does_not_want_to_wait_presses_the_button(self, tariq: Actor) -> None:
        mark_for_training(["topic"])

        promotion.train_now("topic", by=tariq)

        assert Training.objects.due().count() == 1

    def test_at_night_everything_is_looked_at(self) -> None:
        train_everything()

        assert Training.objects.due().count() == len(Field.values)
        assert train_pending() == {"done": len(Field.values), "retried": 0, "parked": 0}
        assert not ModelVersion.objects.exists()


@pytest.fixture(scope="class")
def fifty(django_db_setup: None, django_db_blocker: Any) -> Iterator[tuple[Actor, int]]:
    """An administrator who put fifty items right, and how many of them were wrong."""
    with rows_that_last(django_db_blocker), override_settings(ENCODER=False):
        with django_db_blocker.unblock():
            chance.seed(7)
            open_bakery()
            tariq, slugs = actor(make_person("Tariq", role="admin")), mixed(50)
            said = correct(arrive(slugs), slugs, tariq)
        yield tariq, said


@pytest.fixture(scope="class")
def trained(fifty: tuple[Actor, int], django_db_blocker: Any) -> None:
    """What was put right was learned as well."""
    with django_db_blocker.unblock():
        train()


@pytest.mark.django_db
class TestLearning:
    def test_fifty_corrections_make_the_next_items_better(self, fifty: tuple[Actor, int]) -> None:
        later = mixed(40)
        before = arrive(later)

        assert train()["done"] == 1

        version = in_use()
        assert (version.corrections, version.parent.corrections) == (fifty[1], 0)
        assert version.metrics["before"]["version"] == version.parent.pk
        assert version.metrics["accuracy"][0] > version.metrics["before"]["accuracy"] + 0.2
        after = arrive(later)
        assert found_right(before, later) < 20
        assert found_right(after, later) >= 28

    def test_what_waited_is_looked_at_again_and_only_that(self, fifty: tuple[Actor, int]) -> None:
        waiting = mixed(16)
        items = arrive(waiting)
        decided = Ticket.objects.get(item=items[0])
        decisions.decide(decided.reference, "accept", by=fifty[0], at=AT)
        before = found_right(items[1:], waiting[1:])
        train()

        assert in_use().looked_again == Refinement.objects.count() == 65
        refining.refine_pending(at=AT)

        assert found_right(items[1:], waiting[1:]) > before
        assert Ticket.objects.get(pk=decided.pk).version == 2
        reasons = Counter(event.data["reason"] for event in Event.objects.filter(type="tagged", source="model"))
        assert set(reasons) == {"looked at again with a newer model"}

    def test_a_worse_candidate_is_kept_with_the_reason_and_changes_nothing(self, fifty: tuple[Actor, int]) -> None:
        train()
        good = in_use()
        Refinement.objects.all().delete()
        # Somebody who tags at random.
        kinds = [*WORLD, ""]
        texts, nonsense = mixed(60), [kinds[(place * 7 + place // 4) % 4] for place in range(60)]
        correct(arrive(texts), nonsense, fifty[0])

        train()

        assert in_use() == good
        worse = ModelVersion.objects.newest_first()[0]
        assert worse.state == "rejected"
        assert worse.corrections > good.corrections
        assert "corrections it had not seen" in worse.why_rejected
        assert not Refinement.objects.exists()

    def test_nothing_new_is_trained_once(self, fifty: tuple[Actor, int]) -> None:
        train()
        count = ModelVersion.objects.count()
        mark_for_training(["topic"])

        assert train()["done"] == 1
        assert ModelVersion.objects.count() == count
        # Other words for a topic are something new.
        Topic.objects.filter(slug="crust").update(keywords=["oven"])
        mark_for_training(["topic"])
        train()
        assert ModelVersion.objects.count() == count + 1

    def test_a_worker_takes_the_new_model_without_a_restart_and_asks_once_a_batch(
        self, fifty: tuple[Actor, int]
    ) -> None:
        box = pipeline.Toolbox(at=AT)
        assert box.current() is box.current()
        assert not box.current().taxonomy.learned
        with CaptureQueriesContext(connection) as captured:
            box.current()
        assert len(captured) == 1
        train()

        model = box.current().taxonomy.learned["topic"]
        assert pipeline.Tools.load(at=AT).taxonomy.learned["topic"] is model


@pytest.mark.django_db
class TestWhatIsLearned:
    def test_too_few_corrections_make_no_version(self, world: None, tariq: Actor) -> None:
        slugs = mixed(14)
        correct(arrive(slugs), slugs, tariq)
        assert train()["done"] == 1
        assert not ModelVersion.objects.exists()

    def test_one_label_makes_no_version(self, world: None, tariq: Actor) -> None:
        slugs = ["crust"] * 20
        correct(arrive(slugs), slugs, tariq)
        train()
        assert not ModelVersion.objects.filter(corrections__gt=0).exists()

    def test_teams_are_learned_from_where_people_route_things(self, world: None, tariq: Actor) -> None:
        slugs = [slug for slug in mixed(64) if slug]
        for item, slug in zip(arrive(slugs), slugs, strict=True):
            ticket = Ticket.objects.get(item=item)
            if ticket.team.slug != WORLD[slug][1]:
                decisions.decide(ticket.reference, "route", by=tariq, at=AT, team=WORLD[slug][1])

        train()

        assert in_use("team").corrections > 30
        later = [slug for slug in mixed(32) if slug]
        tools = pipeline.Tools.load(at=AT)
        texts = [Text(0, text=saying(slug)) for slug in later]
        said = tools.taxonomy.learned["team"].predict(texts, tools.taxonomy)
        assert sum(each.label == WORLD[slug][1] for each, slug in zip(said, later, strict=True)) >= 18

    def test_what_is_learned_holds_no_erased_words(self, world: None, tariq: Actor) -> None:
        slugs = mixed(50)
        items = arrive(slugs)
        secret = make_item("Zanzibar Quillfeather charred charred, zanzibar quillfeather")
        Arrival.objects.create(item=secret)
        pipeline.understand_pending(at=AT)
        said = correct([*items, secret.pk], [*slugs, "crust"], tariq)
        train()
        assert "quillfeather" not in str(bytes(in_use().artefact.content))
        erasing.erase(secret.submission, at=AT)
        train()

        assert ModelVersion.objects.newest_first()[0].corrections == said - 1


@pytest.mark.django_db
class TestGoingBack:
    @pytest.fixture
    def versions(self, trained: None, db: None) -> list[ModelVersion]:
        return list(ModelVersion.objects.order_by("pk"))

    @pytest.fixture
    def tariq(self, fifty: tuple[Actor, int], db: None) -> Actor:
        return fifty[0]

    def test_one_click_puts_the_older_version_back_and_everything_untouched_with_it(
        self, versions: list[ModelVersion], tariq: Actor
    ) -> None:
        day_one, better = versions
        later = mixed(20)
        items = arrive(later)
        Refinement.objects.all().delete()
        right = found_right(items, later)
        touched = Ticket.objects.get(item=items[0])
        decisions.decide(touched.reference, "tags", by=tariq, at=AT, topics=["price"])

        promotion.use(day_one.pk, by=tariq, at=AT)

        day_one.refresh_from_db()
        better.refresh_from_db()
        assert (day_one.state, better.state) == ("active", "retired")
        assert day_one.pinned_at == AT
        assert day_one.activated_by == tariq.user
        refining.refine_pending(at=AT)
        assert found_right(items[1:], later[1:]) < right
        assert "price" in set(Tagging.objects.standing().filter(item=items[0]).values_list("topic__slug", flat=True))
        told = Event.objects.filter(data__reason="looked at again after the model was rolled back")
        assert told.filter(source="model").exists()

    def test_a_pinned_version_stays_until_it_is_let_go(self, versions: list[ModelVersion], tariq: Actor) -> None:
        day_one = versions[0]
        promotion.use(day_one.pk, by=tariq, at=AT)
        slugs = mixed(8)
        correct(arrive(slugs), slugs, tariq)

        train()

        assert in_use() == day_one
        candidate = ModelVersion.objects.newest_first()[0]
        assert candidate.state == "candidate"
        promotion.pin(day_one.pk, by=tariq, at=AT, pinned=False)
        assert Training.objects.due().exists()
        promotion.use(candidate.pk, by=tariq, at=AT)
        assert in_use() == candidate
        assert in_use().pinned_at is None

    def test_what_was_let_go_is_promoted_by_the_next_training(self, versions: list[ModelVersion], tariq: Actor) -> None:
        promotion.use(versions[0].pk, by=tariq, at=AT)
        promotion.pin(versions[0].pk, by=tariq, at=AT, pinned=False)

        train()

        assert in_use().corrections == versions[1].corrections

    def test_only_administrators_choose(self, versions: list[ModelVersion]) -> None:
        lena = actor(make_person("Lena", role="lead"))
        with pytest.raises(NotAllowed):
            promotion.use(versions[0].pk, by=lena, at=AT)
        with pytest.raises(NotAllowed):
            promotion.pin(versions[1].pk, by=lena, at=AT, pinned=True)
        with pytest.raises(NotAllowed):
            promotion.train_now("topic", by=lena)

    def test_what_cannot_be_used_is_refused_with_the_reason(
        self, versions: list[ModelVersion], tariq: Actor, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with pytest.raises(promotion.CannotUse, match="in use already"):
            promotion.use(versions[1].pk, by=tariq, at=AT)
        with pytest.raises(promotion.CannotUse, match="not in use"):
            promotion.pin(versions[0].pk, by=tariq, at=AT, pinned=True)
        monkeypatch.setattr(promotion, "KEPT", 1)
        promotion.use(versions[0].pk, by=tariq, at=AT)
        promotion.forget_old("topic")
        slugs = mixed(8)
        correct(arrive(slugs), slugs, tariq)
        train()
        with pytest.raises(promotion.CannotUse, match="Only the figures"):
            promotion.use(versions[1].pk, by=tariq, at=AT)

    def test_the_database_holds_one_version_in_use_a_field(self, versions: list[ModelVersion]) -> None:
        with pytest.raises(IntegrityError, match="model_one_active_per_field"), transaction.atomic():
            ModelVersion.objects.filter(pk=versions[0].pk).update(state="active")
        with pytest.raises(IntegrityError, match="model_rejected_says_why"), transaction.atomic():
            ModelVersion.objects.filter(pk=versions[0].pk).update(state="rejected")
        with pytest.raises(IntegrityError, match="model_pinned_is_active"), transaction.atomic():
            ModelVersion.objects.filter(pk=versions[0].pk).update(pinned_at=AT)
        with pytest.raises(IntegrityError, match="model_active_can_be_loaded"), transaction.atomic():
            ModelVersion.objects.filter(pk=versions[1].pk).update(artefact=None)

    def test_bytes_that_cannot_be_read_leave_the_taxonomy(self, versions: list[ModelVersion]) -> None:
        artefact = versions[1].artefact
        learned._held.clear()
        type(artefact).objects.filter(pk=artefact.pk).update(content=b"nothing", size=7)

        assert pipeline.Tools.load(at=AT).taxonomy.learned == {}

    def test_a_model_of_another_encoder_answers_by_words(
        self, versions: list[ModelVersion], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        learned._held.clear()
        monkeypatch.setattr(embeddings, "fingerprint", lambda: "another")

        assert pipeline.Tools.load(at=AT).taxonomy.learned["topic"].meaning is None


@pytest.mark.django_db(transaction=True)
class TestAtOnce:
    @pytest.fixture(autouse=True)
    def connections_of_threads_end(self) -> Iterator[None]:
        yield
        connections.close_all()

    @pytest.fixture
    def corrected(self, world: None, tariq: Actor) -> int:
        slugs = mixed(50)
        return correct(arrive(slugs), slugs, tariq)

    def test_two_trainings_at_once_leave_one_version_in_use(self, corrected: int) -> None:
        start = threading.Barrier(2)
        Training.objects.all().delete()
        Training.objects.bulk_create([Training(field="topic", attempts=number) for number in range(2)])
        troubles: list[BaseException] = []

        def one() -> None:
            try:
                start.wait()
                train_pending()
            except BaseException as error:
                troubles.append(error)
            finally:
                connections.close_all()

        threads = [threading.Thread(target=one) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert troubles == []
        assert in_use().corrections == corrected
        # Whoever came second measures against the first, and finds nothing new.
        assert train()["parked"] == 0
        assert ModelVersion.objects.filter(state="active").count() == 1
        assert not Training.objects.waiting().exists()

    def test_a_correction_made_during_the_training_is_learned_next(
        self, corrected: int, tariq: Actor, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        whole = training.train

        def while_somebody_corrects(field: str, *, at: datetime) -> Any:
            trained = whole(field, at=at)
            monkeypatch.setattr(training, "train", whole)
            ticket = make_ticket("The bun is charred")
            decisions.decide(ticket.reference, "tag", by=tariq, at=AT, topic="crust")
            return trained

        monkeypatch.setattr(training, "train", while_somebody_corrects)

        train()

        assert in_use().corrections == corrected
        assert Training.objects.waiting().get().attempts == 0
        train()
        assert ModelVersion.objects.newest_first()[0].corrections == corrected + 1

    def test_a_worker_killed_in_training_leaves_its_work_to_another(
        self, corrected: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        class Killed(BaseException):
            pass

        def dies(field: str, *, at: datetime) -> Any:
            raise Killed

        monkeypatch.setattr(training, "train", dies)
        with pytest.raises(Killed):
            train()
        monkeypatch.undo()
        assert not ModelVersion.objects.exists()
        assert Training.objects.waiting().get().lease_token is not None

        assert train()["done"] == 1

        assert in_use().corrections == corrected
