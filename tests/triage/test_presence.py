"""Who is where, as colleagues are shown it; and the next ticket for whoever asks for one."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone

from feedback_portal.accounts.models import Team
from tests.makers import AT, actor, make_person, make_team, make_ticket
from triage import claiming, decisions
from triage.decisions import NotNow
from triage.live import presence
from triage.models import Event, Presence, Tagging, Ticket, Topic

pytestmark = pytest.mark.django_db


@pytest.fixture
def quality(db: None) -> Team:
    return make_team("quality")


def names(found: dict[int, list[Presence]]) -> dict[int, list[str]]:
    return {ticket: [f"{row.person.name} {row.doing}" for row in rows] for ticket, rows in found.items()}


def test_colleagues_see_each_other_but_not_themselves_and_not_other_teams(quality: Team) -> None:
    ticket, other = make_ticket(team=quality), make_ticket(team=make_team("marketing"))
    tariq, mina, omar = make_person("Tariq", quality), make_person("Mina", quality), make_person("Omar", other.team)
    presence.say(ticket, "viewing", by=actor(tariq), at=AT)
    presence.say(ticket, "replying", by=actor(mina), at=AT)
    presence.say(other, "viewing", by=actor(omar), at=AT)

    assert names(presence.others(actor(tariq), at=AT)) == {ticket.pk: ["Mina replying"]}
    assert names(presence.others(actor(omar), at=AT)) == {}


def test_who_is_not_heard_of_has_left_after_forty_seconds(quality: Team) -> None:
    ticket, tariq = make_ticket(team=quality), make_person("Tariq", quality)
    presence.say(ticket, "viewing", by=actor(make_person("Mina", quality)), at=AT)

    assert presence.others(actor(tariq), at=AT + timedelta(seconds=39))
    assert not presence.others(actor(tariq), at=AT + timedelta(seconds=40))


def test_only_what_is_news_is_told(quality: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[tuple[int, int]] = []
    monkeypatch.setattr(presence, "tell_present", lambda ticket, team: told.append((ticket, team)))
    ticket, mina = make_ticket(team=quality), actor(make_person("Mina", quality))
    for second, doing, so_far in ((0, "viewing", 1), (15, "viewing", 1), (20, "replying", 2), (80, "replying", 3)):
        presence.say(ticket, doing, by=mina, at=AT + timedelta(seconds=second))
        assert len(told) == so_far
    presence.leave(ticket.reference, by=mina)
    presence.leave(ticket.reference, by=mina)
    assert told == [(ticket.pk, quality.pk)] * 4


def test_presence_is_kept_without_a_log(quality: Team) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT relpersistence FROM pg_class WHERE relname = 'triage_presence'")
        assert cursor.fetchone() == ("u",)


def test_nobody_says_that_they_are_at_a_strangers_ticket(quality: Team) -> None:
    ticket = make_ticket(team=quality)
    client = Client()
    client.force_login(make_person("Omar", make_team("marketing")))

    assert client.post("/triage/presence/", {"item": ticket.reference, "doing": "viewing"}).status_code == 404
    assert client.post("/triage/presence/", {"item": "F-1", "doing": "viewing"}).status_code == 404
    assert not Presence.objects.exists()


def test_what_became_of_a_ticket_that_was_given_away_is_not_told(quality: Team) -> None:
    ticket = make_ticket(team=quality, at=timezone.now())
    make_team("logistics")
    client = Client()
    client.force_login(make_person("Tariq", quality))
    decisions.decide(
        ticket.reference, "route", by=actor(make_person("Mina", quality)), at=timezone.now(), team="logistics"
    )

    asked = {"HX-Request": "true", "HX-Target": "live"}
    answer = client.get(f"/triage/?item={ticket.reference}&seen=0", headers=asked).content.decode()
    assert "is not with your teams any more" in answer
    assert "ogistics" not in answer
    assert answer.replace(ticket.reference, "F-1") == client.get(
        "/triage/?item=F-1&seen=0", headers=asked
    ).content.decode().replace("item=F-1", f"item={ticket.reference}").replace(ticket.reference, "F-1")


def test_tags_of_two_people_join(quality: Team) -> None:
    ticket = make_ticket(team=quality)
    for slug in ("leak", "noise", "price"):
        Topic.objects.create(slug=slug, name=slug)
    tariq, mina = actor(make_person("Tariq", quality)), actor(make_person("Mina", quality))
    decisions.decide(ticket.reference, "tags", by=mina, at=AT, topics=["leak"])
    decisions.decide(ticket.reference, "tags", by=mina, at=AT, topics=["leak", "noise"])

    # He saw the leak alone, took it off and put the price on.
    decisions.decide(ticket.reference, "tags", by=tariq, at=AT, topics=["price"], were=["leak"])

    standing = Tagging.objects.standing().filter(item=ticket.item_id).values_list("topic__slug", flat=True)
    assert set(standing) == {"noise", "price"}


def test_a_note_needs_no_newest_state_and_a_reply_does(quality: Team) -> None:
    ticket = make_ticket(team=quality, at=timezone.now())
    client = Client()
    client.force_login(make_person("Tariq", quality))
    decisions.decide(ticket.reference, "claim", by=actor(make_person("Mina", quality)), at=timezone.now())
    address = f"/triage/{ticket.reference}/decide/"

    assert client.post(address, {"verb": "note", "version": 1, "text": "Seen before."}).status_code == 302
    stale = client.post(address, {"verb": "reply", "version": 1, "text": "Hello <b>you</b>"})
    assert stale.status_code == 409
    page = stale.content.decode()
    assert "Hello &lt;b&gt;you&lt;/b&gt;" in page
    again = stale.context["again"]
    assert client.post(address, {"version": stale.context["version"], **dict(again)}).status_code == 302
    assert Event.objects.get(ticket=ticket, type="reply").data["text"] == "Hello <b>you</b>"


def test_the_next_ticket_is_the_most_urgent_of_my_teams_that_nobody_has_or_looks_at(quality: Team) -> None:
    tariq, mina = make_person("Tariq", quality), make_person("Mina", quality)
    make_ticket(team=make_team("marketing"), rank=0, severity=1)
    make_ticket(team=quality, rank=0, severity=1, assignee=mina)
    watched = make_ticket(team=quality, rank=1)
    usual, late = make_ticket(team=quality), make_ticket(team=quality, due_at=AT - timedelta(hours=1))
    presence.say(watched, "away", by=actor(mina), at=AT)

    taken = [claiming.claim_next(by=actor(tariq), at=AT).pk for _ in range(2)]
    assert taken == [late.pk, usual.pk]
    assert set(Ticket.objects.filter(assignee=tariq).values_list("pk", flat=True)) == set(taken)
    with pytest.raises(NotNow):
        claiming.claim_next(by=actor(tariq), at=AT)
    assert claiming.claim_next(by=actor(tariq), at=AT + timedelta(minutes=1)) == watched


@pytest.mark.django_db(transaction=True)
def test_two_who_ask_at_once_get_two_tickets() -> None:
    quality = make_team("quality")
    people = [actor(make_person(name, quality)) for name in ("Tariq", "Mina", "Lotte")]
    tickets = {make_ticket(team=quality).pk for _ in people}

    def ask(person):  # type: ignore[no-untyped-def]
        try:
            return claiming.claim_next(by=person, at=AT).pk
        finally:
            connection.close()

    with ThreadPoolExecutor(3) as pool:
        assert set(pool.map(ask, people)) == tickets
