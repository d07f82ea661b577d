"""What an item names stands on its page, with how many others of the reader's name the same."""

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from feedback_portal.accounts.models import Team, User
from tests.makers import actor, make_person, make_team, make_ticket
from triage.finding.mentioned import Named, named_by
from triage.models import LikelyDuplicate, Mention, Ticket

pytestmark = pytest.mark.django_db


@pytest.fixture
def quality() -> Team:
    return make_team("quality")


@pytest.fixture
def tariq(quality: Team) -> User:
    return make_person("Tariq", quality)


def names(ticket: Ticket, kind: str, value: str, confidence: float = 0.97) -> Ticket:
    key = value.lower()
    Mention.objects.create(item=ticket.item, kind=kind, value=value, key=key, confidence=confidence)
    return ticket


def test_others_are_counted_as_far_as_the_reader_may_see_them(quality: Team, tariq: User) -> None:
    mine = names(names(make_ticket(team=quality), "batch", "H4-2231"), "colour", "blue", 0.5)
    names(make_ticket(team=quality), "batch", "h4-2231")
    names(make_ticket(team=make_team("marketing")), "batch", "H4-2231")
    assert named_by(mine.item_id, by=actor(tariq)) == [Named("batch", "H4-2231", 1), Named("colour", "blue", 0)]
    assert named_by(mine.item_id, by=actor(make_person("Lena", role="manager")))[0].others == 2


def test_the_page_leads_to_them_and_hostile_values_stay_words(client: Client, quality: Team, tariq: User) -> None:
    mine = names(names(make_ticket(team=quality), "batch", "H4-2231"), "order", '<b>"1"</b>', 0.9)
    names(names(make_ticket(team=quality), "batch", "H4-2231"), "order", '<b>"1"</b>')
    client.force_login(tariq)
    page = client.get("/triage/", {"item": mine.reference}).content.decode()
    assert "?q=batch%3A%22H4-2231%22" in page
    assert "1 more item<" in page
    assert "<b>" + '"1"' not in page
    found = client.get("/triage/", {"q": 'batch:"H4-2231"'}).content.decode()
    assert found.count(mine.reference) >= 1


def test_a_page_asks_as_often_for_many_names_as_for_one(quality: Team, tariq: User) -> None:
    def queries(ticket: Ticket) -> int:
        with CaptureQueriesContext(connection) as seen:
            named_by(ticket.item_id, by=actor(tariq))
        return len(seen)

    one, many = make_ticket(team=quality), make_ticket(team=quality)
    names(one, "order", "1")
    for number in range(20):
        names(many, "order", str(number))
    assert queries(one) == queries(many)


def test_who_said_that_two_are_not_the_same_can_take_it_back(client: Client, quality: Team, tariq: User) -> None:
    first, late = make_ticket(team=quality), make_ticket(team=quality)
    LikelyDuplicate.objects.create(item=late.item, other=first.item, kind="alike", score=0.8)
    client.force_login(tariq)
    answer = client.post(
        f"/triage/{late.reference}/decide/",
        {"verb": "not_same", "other": first.reference, "version": late.version, "next": first.reference},
        headers={"HX-Request": "true"},
    ).content.decode()
    assert f"/triage/{late.reference}/undo/" in answer
    assert f'id="not-same-{first.reference}"' not in answer
    client.post(f"/triage/{late.reference}/undo/")
    page = client.get("/triage/", {"item": late.reference}).content.decode()
    assert f'id="not-same-{first.reference}"' in page
