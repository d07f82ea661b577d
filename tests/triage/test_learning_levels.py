"""How pressing, how pleased and whether spam: learned from people's corrections, measured against what words say alone."""

import random
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from django.db.models.functions import Now
from django.test import Client

from feedback_portal.accounts.models import Role
from feedback_portal.accounts.permissions import Actor
from intake.models import Arrival
from tests.makers import actor, make_item, make_person
from triage import decisions, pipeline, refining
from triage.learning import promotion
from triage.learning.corrections import corrections
from triage.learning.training import train_pending
from triage.models import Analysis, Event, ModelVersion, Ticket, Training
from triage.taggers import Taxonomy, Text, taggers
from triage.understanding import learned

pytestmark = pytest.mark.django_db

AT = datetime(2026, 3, 4, 12, tzinfo=UTC)
ENDS = ("in the hall", "since Monday", "at our place", "by the window", "on the ground floor", "as my wife says")
PRESSING = ("the boiler is cold", "no heat at all", "the heating stands still")
PLAIN = ("the brochure is out of date", "the logo looks odd", "the door squeaks")
chance = random.Random(3)


@pytest.fixture(autouse=True)
def no_encoder(settings: Any) -> Iterator[None]:
    settings.ENCODER = False
    chance.seed(3)
    yield
    learned._held.clear()


@pytest.fixture
def ada() -> Actor:
    return actor(make_person("Ada", role=Role.ADMIN))


def say(*about: str) -> str:
    return f"{chance.choice(about)} {chance.choice(ENDS)}, number {chance.randint(1, 99)}"


def arrive(texts: list[str]) -> list[int]:
    items = [make_item(text) for text in texts]
    Arrival.objects.bulk_create(Arrival(item=item) for item in items)
    pipeline.understand_pending(at=AT)
    return [item.pk for item in items]


def reference(item: int) -> str:
    return Ticket.objects.get(item=item).reference


def train() -> None:
    Training.objects.waiting().update(next_attempt_at=Now())
    train_pending(at=AT)


def urgencies(items: list[int]) -> list[int]:
    return list(Analysis.objects.filter(item__in=items).order_by("item").values_list("urgency", flat=True))


def test_severities_that_people_set_are_learned_promoted_and_rolled_back(ada: Actor, client: Client) -> None:
    for item in arrive([say(*PRESSING) for _ in range(18)]):
        decisions.decide(reference(item), "severity", by=ada, at=AT, value=2)
    for item in arrive([say(*PLAIN) for _ in range(18)]):
        decisions.decide(reference(item), "resolve", by=ada, at=AT, resolution="answered")
    said = corrections("urgency")
    assert [(each.label, each.is_silent) for each in said] == [("2", False)] * 18 + [("1", True)] * 18

    train()

    version = ModelVersion.objects.active().get(field="urgency")
    assert version.corrections == 36
    assert version.metrics["before"]["accuracy"] == 0.5
    assert version.metrics["accuracy"][0] > 0.9
    fresh = arrive([say(*PRESSING), say(*PLAIN), "There is smoke and a smell of gas in the hall"])
    assert urgencies(fresh) == [2, 1, 3]
    told = Analysis.objects.get(item=fresh[0]).evidence["urgency"][0]
    assert "It reads like what people have called pressing" in told["reason"]
    assert told["evidence"][0]["span"]
    assert Ticket.objects.get(item=fresh[0]).severity == 2

    first = ModelVersion.objects.of("urgency").order_by("pk").first()
    assert first is not None
    promotion.use(first.pk, by=ada, at=AT)
    refining.refine_pending(at=AT)
    assert urgencies(fresh) == [1, 1, 3]
    assert ModelVersion.objects.active().get(field="urgency").pinned_at
    assert ada.user
    client.force_login(ada.user)
    page = client.get("/settings/models/").content.decode()
    assert 'id="urgency"' in page
    assert "It goes by what words say alone, as on day one." in page


def test_who_learns_from_wrong_ones_alone_would_contradict_so_what_people_left_counts_too(ada: Actor) -> None:
    wrong, left, untouched = arrive([say(*PRESSING), say(*PLAIN), say(*PLAIN)])
    decisions.decide(reference(wrong), "severity", by=ada, at=AT, value=4)
    assert [each.item for each in corrections("urgency")] == [wrong]
    decisions.decide(reference(left), "resolve", by=ada, at=AT, resolution="shipped")
    decisions.decide(reference(wrong), "resolve", by=ada, at=AT, resolution="shipped")
    assert {each.item: (each.label, each.is_silent) for each in corrections("urgency")} == {
        wrong: ("0", False),
        left: ("1", True),
    }
    decisions.decide(reference(wrong), "undo", by=ada, at=AT)
    decisions.decide(reference(wrong), "undo", by=ada, at=AT)
    assert corrections("urgency") == []
    assert untouched


def test_what_people_close_as_spam_is_put_out_of_the_way_next_time(ada: Actor) -> None:
    offers = ("cheap windows from our factory", "we repaint your fence at half price", "our agency brings visitors")
    for item in arrive([say(*offers) for _ in range(16)]):
        decisions.decide(reference(item), "resolve", by=ada, at=AT, resolution="spam")
    for item in arrive([say(*PLAIN, *PRESSING) for _ in range(16)]):
        decisions.decide(reference(item), "resolve", by=ada, at=AT, resolution="answered")

    train()

    assert ModelVersion.objects.active().get(field="spam").corrections == 32
    new, kept = arrive([say(*offers), say(*PLAIN)])
    assert Ticket.objects.get(item=new).explanation["by"] == "spam"
    assert Ticket.objects.get(item=kept).explanation["by"] != "spam"


def test_how_people_say_in_audits_that_it_sounds_is_learned(ada: Actor) -> None:
    items = arrive([say("the queue was as I know it", "so it went again") for _ in range(16)])
    calm = arrive([say("the sign is blue", "the shop has two doors") for _ in range(16)])
    Event.objects.bulk_create(
        Event(item_id=item, type="audited", source="person", person=ada.user, data={"sentiment": said}, occurred_at=AT)
        for said, some in (("neg", items), ("none", calm))
        for item in some
    )
    promotion.train_now("sentiment", by=ada)

    train()

    assert ModelVersion.objects.active().get(field="sentiment").corrections == 32
    new, other = arrive([say("so it went again"), say("the sign is blue")])
    analysis = Analysis.objects.get(item=new)
    assert (analysis.sentiment, Analysis.objects.get(item=other).sentiment) == ("neg", "none")
    assert analysis.sentiment_score is not None
    assert analysis.sentiment_score < 0


def test_without_corrections_words_say_what_they_always_did() -> None:
    text = Text(1, text="I am a lawyer and will sue you at once, this is urgent")
    [own] = taggers.get("urgency").tag([text], Taxonomy())[0]
    assert own.value == 2


def test_the_severity_is_changed_on_a_form_of_its_own(ada: Actor, client: Client) -> None:
    [item] = arrive([say(*PLAIN)])
    assert ada.user
    client.force_login(ada.user)
    ticket = Ticket.objects.get(item=item)
    assert (
        f"/triage/{ticket.reference}/severity/" in client.get("/triage/", {"item": ticket.reference}).content.decode()
    )
    form = client.get(f"/triage/{ticket.reference}/severity/").content.decode()
    assert 'value="3" checked' in form
    answer = client.post(
        f"/triage/{ticket.reference}/decide/", {"verb": "severity", "value": "2", "version": ticket.version}
    )
    assert answer.status_code == 302
    ticket.refresh_from_db()
    assert ticket.severity == 2
