"""The model page tells administrators what was learned and what it is worth, and lets them go back."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from feedback_portal import health
from tests.bakery import AT, arrive, chance, correct, mixed, open_bakery, train
from tests.makers import actor, make_person
from triage import finding, refining
from triage.finding import search
from triage.models import ModelVersion, Refinement, Tagging, Ticket, Topic, Training
from triage.understanding import learned

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def no_encoder(settings: Any) -> Iterator[None]:
    settings.ENCODER = False
    chance.seed(7)
    yield
    learned._held.clear()


@pytest.fixture
def admin(client: Client) -> Client:
    client.force_login(make_person("Aya", role="admin"))
    return client


def page(client: Client) -> str:
    answer = client.get("/settings/models/")
    assert answer.status_code == 200
    return answer.content.decode()


@pytest.fixture
def learned_once() -> ModelVersion:
    open_bakery()
    slugs = mixed(50)
    correct(arrive(slugs), slugs, actor(make_person("Tariq", role="admin")))
    train()
    return ModelVersion.objects.active().get(field="topic")


def test_before_anything_is_learned_it_says_what_it_takes(admin: Client) -> None:
    open_bakery()
    slugs = mixed(6)
    said = correct(arrive(slugs), slugs, actor(make_person("Tariq", role="admin")))

    shown = page(admin)

    assert f"It takes 15 corrections of at least 2 kinds, and people have made {said} so far." in shown
    assert "New corrections wait to be learned" in shown
    assert "The sentence encoder is switched off" in shown


def test_it_shows_the_version_in_use_with_its_figures_and_what_needs_examples(
    admin: Client, learned_once: ModelVersion
) -> None:
    Topic.objects.create(slug="parking", name="Parking")

    shown = page(admin)

    assert f"Version {learned_once.pk} is in use, learned from {learned_once.corrections} corrections." in shown
    for said in (
        "Learning curve",
        "Calibration",
        "Coverage and accuracy",
        "None of these",
        "needs examples",
        "Parking",
    ):
        assert said in shown
    right, low, high = (f"{100 * each:.1f}" for each in learned_once.metrics["accuracy"])
    assert f"{right}% ({low} to {high}%)" in shown
    assert "items are still to be looked at again" in shown
    assert "Go back to it" in shown


def test_one_click_goes_back_and_another_lets_better_ones_take_over_again(
    admin: Client, learned_once: ModelVersion
) -> None:
    day_one = learned_once.parent
    assert day_one is not None

    answer = admin.post(f"/settings/models/{day_one.pk}/use/", follow=True)

    shown = answer.content.decode()
    assert f"Version {day_one.pk} is in use. It stays until you let it go." in shown
    assert "pinned" in shown
    assert Refinement.objects.exists()
    admin.post(f"/settings/models/{day_one.pk}/pin/")
    assert ModelVersion.objects.active().get(field="topic").pinned_at is None
    assert Training.objects.due().filter(field="topic").exists()
    admin.post(f"/settings/models/{day_one.pk}/pin/", {"pinned": "1"})
    assert "Let better ones take over" in page(admin)


def test_doctor_names_the_versions_in_use(learned_once: ModelVersion) -> None:
    found = next(check for check in health.checks() if check.name == "models")

    assert found.found == (
        f"topics by version {learned_once.pk} of {learned_once.corrections} corrections; teams by the taxonomy alone;"
        " urgency by words alone; sentiment by words alone; spam by words alone"
    )


def test_what_was_rejected_is_listed_with_its_reason(admin: Client, learned_once: ModelVersion) -> None:
    ModelVersion.objects.create(
        field="topic", state="rejected", why_rejected="It is <b>no</b> surer.", taxonomy="", corrections=60
    )

    shown = page(admin)

    assert "Not better" in shown
    assert "It is &lt;b&gt;no&lt;/b&gt; surer." in shown


def test_training_is_asked_for_with_a_button(admin: Client) -> None:
    admin.post("/settings/models/train/team/")

    assert Training.objects.due().get().field == "team"
    assert admin.post("/settings/models/train/weather/").status_code == 404


def test_the_page_asks_as_often_for_many_versions_as_for_few(admin: Client, learned_once: ModelVersion) -> None:
    def cost() -> int:
        with CaptureQueriesContext(connection) as captured:
            page(admin)
        return len(captured)

    few = cost()
    for number in range(18):
        ModelVersion.objects.create(
            field="topic",
            state="retired",
            taxonomy="",
            corrections=number + 1,
            metrics=learned_once.metrics,
            activated_by=make_person("Aya"),
        )
        Topic.objects.create(slug=f"more-{number}", name=f"More {number}")
    assert cost() == few


def test_unsure_finds_what_is_worth_labelling(learned_once: ModelVersion) -> None:
    """Near enough to a topic to be shown, not sure enough to be set, and waiting for a decision."""
    items = arrive(mixed(12))
    Tagging.objects.filter(item__in=items).update(confidence=0.4)
    sure, decided = items[:2]
    Tagging.objects.filter(item=sure).update(confidence=0.99)
    Ticket.objects.filter(item=decided).update(status="open", triaged_at=timezone.now())
    refining.mark_untouched(why="promoted")

    def found(query: str) -> set[int]:
        condition = finding.condition(search.parse(query), finding.asker_of(None, AT))
        return set(Ticket.objects.filter(condition, item__in=items).values_list("item", flat=True))

    tagged = set(Tagging.objects.standing().filter(item__in=items).values_list("item", flat=True))
    assert found("suggest:unsure") == tagged - {sure, decided}
    assert sure in found("suggest:sure")
    assert found("suggest:sure").isdisjoint(found("suggest:unsure"))
