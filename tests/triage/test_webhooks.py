"""Other systems are told of every event they asked for, in its order, by the schedule, and none of them holds up another."""

import json
import threading
import time
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.conf import LazySettings
from django.db.models import F
from django.db.models.functions import Now
from django.test import Client
from django.utils import timezone

from feedback_portal.accounts.models import ApiKey, Role, Scope
from feedback_portal.accounts.permissions import Actor
from feedback_portal.local.paths import PROJECT
from feedback_portal.refusals import BadInput, NotAllowed
from intake.connectors import signatures
from intake.connectors.base import Forged
from tests.makers import AT, actor, make_customer, make_person, make_team, make_ticket
from tests.outside import Heard, Outside, Said, outside
from triage import decisions
from triage.connecting import announcing, kinds, subscribers
from triage.improving import improvements
from triage.models import ActionEvent, Announcement, AnnouncementTry, Event, Notification, Subscriber, Theme, ThemeEvent
from triage.persons import erasing

pytestmark = pytest.mark.django_db

ALL = ["ticket.noted", "ticket.routed", "ticket.resolved", "ticket.triaged", "ticket.reopened"]
OK = Said(204)


@pytest.fixture
def receiver(settings: LazySettings) -> Iterator[Outside]:
    with outside() as found:
        settings.OUTGOING_ALLOW = [found.host]
        found.answers["/hook"] = OK
        yield found


@pytest.fixture
def ada() -> Actor:
    return actor(make_person("Ada", role=Role.ADMIN))


def subscribe(to: str, by: Actor, **given: Any) -> tuple[Subscriber, str]:
    return subscribers.create({"name": "CRM", "url": to, "kinds": ALL, **given}, by=by, at=AT)


def drain() -> dict[str, int]:
    return announcing.announce_pending(at=timezone.now).as_dict()


def later(by: timedelta) -> None:
    """A clock moved on: whatever lies in the future comes nearer, whatever lies behind goes further away."""
    Announcement.objects.update(next_attempt_at=F("next_attempt_at") - by, made_at=F("made_at") - by)
    Subscriber.objects.update(paused_until=F("paused_until") - by)


def waits() -> float:
    """Seconds until the next try."""
    row = Announcement.objects.waiting().order_by("next_attempt_at").first()
    assert row is not None
    return (row.next_attempt_at - timezone.now()).total_seconds()


def told(receiver: Outside) -> list[dict[str, Any]]:
    return [json.loads(each.body) for each in receiver.heard]


def ids(receiver: Outside) -> list[str]:
    return [each.headers["webhook-id"] for each in receiver.heard]


def verify(heard: Heard, secret: str, *, at: datetime | None = None) -> None:
    """As a receiver does: by the portal's own check of calls that come in."""
    found = heard.headers
    signatures.check_standard(
        found["webhook-id"],
        found["webhook-timestamp"],
        found["webhook-signature"],
        secret,
        heard.body,
        at=at or timezone.now(),
    )


def test_whoever_appends_an_event_announces_it(receiver: Outside, ada: Actor) -> None:
    _, secret = subscribe(f"{receiver.url}/hook", ada)
    ticket = make_ticket(item_customer=make_customer())
    decisions.decide(ticket.reference, "note", by=ada, at=AT, text="Ana called about the lid")
    decisions.decide(ticket.reference, "severity", by=ada, at=AT, value=1)  # nobody asked for this kind

    assert drain() == {"done": 1, "retried": 0, "parked": 0}

    (heard,) = receiver.heard
    verify(heard, secret)
    event = Event.objects.get(type="noted")
    message = json.loads(heard.body)
    assert (message["type"], message["timestamp"]) == ("ticket.noted", "2026-03-04T12:00:00Z")
    assert (message["data"]["id"], heard.headers["webhook-id"]) == (f"ticket_{event.pk}",) * 2
    assert message["data"]["ticket"]["reference"] == ticket.reference
    assert heard.headers["content-type"] == "application/json"
    (tried,) = AnnouncementTry.objects.all()
    assert (tried.status, tried.trouble) == (204, "")


def test_the_lines_in_the_documentation_verify_it(receiver: Outside, ada: Actor) -> None:
    code = (PROJECT / "docs/connecting.md").read_text().split("```python\n")[1].partition("```")[0]
    told: dict[str, Any] = {}
    exec(code, told)  # noqa: S102 -- our own documentation
    _, secret = subscribe(f"{receiver.url}/hook", ada)
    decisions.decide(make_ticket().reference, "note", by=ada, at=AT, text="Seen")
    drain()

    (heard,) = receiver.heard
    assert told["is_ours"](heard.headers, heard.body, secret)
    assert not told["is_ours"](heard.headers, heard.body + b" ", secret)


def test_nobody_is_named_and_nothing_said_is_told_unless_somebody_chose_that(receiver: Outside, ada: Actor) -> None:
    receiver.answers["/whole"] = OK
    subscribe(f"{receiver.url}/hook", ada)
    subscribe(f"{receiver.url}/whole", ada, tells_persons=True)
    ticket = make_ticket("The canarytext leaks", item_customer=make_customer("Canaryname"), item_title="Canarytitle")
    decisions.decide(ticket.reference, "note", by=ada, at=AT, text="Canarynote")
    decisions.decide(ticket.reference, "resolve", by=ada, at=AT, resolution="declined", reason="Canaryreason")

    drain()

    bare = [each.body.decode() for each in receiver.heard if each.path == "/hook"]
    whole = " ".join(each.body.decode() for each in receiver.heard if each.path == "/whole")
    assert len(bare) == 3
    assert not [body for body in bare if "anary" in body or "Ada" in body or "@" in body]
    for word in ("Canarynote", "canarytext", "Canaryname", "Canarytitle", "Canaryreason", "Ada", "@customers.example"):
        assert word in whole


def test_themes_are_announced_as_tickets_are(receiver: Outside, ada: Actor) -> None:
    subscribe(f"{receiver.url}/hook", ada, kinds=["theme.grew"])
    theme = Theme.objects.create(name="Leaking lids", state_at=AT, size=12)
    ThemeEvent.objects.create(theme=theme, type="grew", data={"count": 9, "expected": 2.5}, occurred_at=AT)

    drain()

    (message,) = told(receiver)
    assert message["type"] == "theme.grew"
    assert message["data"]["details"] == {"count": 9, "expected": 2.5}
    assert message["data"]["theme"]["reference"] == theme.reference


def test_what_is_done_with_an_action_is_announced_as_well(receiver: Outside, ada: Actor) -> None:
    make_team("quality")
    subscribe(f"{receiver.url}/hook", ada, kinds=["action.shipped", "action.moved", "action.judged"])
    action = improvements.create(by=ada, at=AT, title="Re-seat the seal", team="quality")
    action = improvements.move(action, by=ada, at=AT, step="do")
    improvements.ship(action, by=ada, at=AT, public_text="The lid closes now.")

    drain()

    assert [each["type"] for each in told(receiver)] == ["action.moved", "action.shipped"]
    assert told(receiver)[0]["data"]["details"] == {"to": "do", "from": "plan"}
    assert told(receiver)[1]["data"]["action"]["step"] == "check"


def test_every_type_of_every_log_is_a_kind_and_has_room() -> None:
    assert {f"ticket.{value}" for value in Event.Type.values} <= set(kinds.KINDS)
    assert {f"theme.{value}" for value in ThemeEvent.Type.values} <= set(kinds.KINDS)
    assert {f"action.{value}" for value in ActionEvent.Type.values} <= set(kinds.KINDS)
    assert max(map(len, kinds.KINDS)) <= 40


def test_a_decision_that_is_not_made_is_not_told(receiver: Outside, ada: Actor) -> None:
    subscribe(f"{receiver.url}/hook", ada)
    ticket = make_ticket()
    with pytest.raises(decisions.StaleTicket):
        decisions.decide(ticket.reference, "note", by=ada, at=AT, version=7, text="Too late")

    assert not Announcement.objects.exists()


def test_a_team_is_told_of_its_own_tickets_only(receiver: Outside, ada: Actor) -> None:
    mine, other = make_team("quality"), make_team("marketing")
    subscribe(f"{receiver.url}/hook", ada, team="quality", kinds=["ticket.noted"])
    for team in (mine, other):
        decisions.decide(make_ticket(team=team).reference, "note", by=ada, at=AT, text="Seen")

    assert drain()["done"] == 2

    assert [each["data"]["ticket"]["team"] for each in told(receiver)] == ["quality"]


def test_the_schedule_is_ten_tries_over_three_days_give_or_take_a_fifth(receiver: Outside, ada: Actor) -> None:
    receiver.answers["/hook"] = Said(500, b"<script>alert(1)</script>")
    subscriber, _ = subscribe(f"{receiver.url}/hook", ada)
    decisions.decide(make_ticket().reference, "note", by=ada, at=AT, text="Seen")
    drain()

    planned = [5, 300, 1800, 7200, 18000, 36000, 50400, 72000, 86400]
    for number, seconds in enumerate(planned, start=1):
        pause = waits()
        # From the fourth failure on its own pause is the longer one for a while; the schedule's is never shortened.
        assert 0.79 * seconds <= pause <= 1.21 * seconds, number
        later(timedelta(seconds=pause - 1))
        assert drain()["done"] == 0, "tried before its time"
        later(timedelta(seconds=2))
        assert drain()["done"] == 1, "not tried at its time"

    row = Announcement.objects.get()
    assert (row.failures, row.parked_at is not None, len(receiver.heard)) == (10, True, 10)
    assert len(set(ids(receiver))) == 1
    assert len({each.body for each in receiver.heard}) == 1
    assert row.tries.count() == 10
    assert set(row.tries.values_list("status", "answer")) == {(500, "<script>alert(1)</script>")}

    receiver.answers["/hook"] = OK
    subscribers.send_again(subscriber, row.pk, by=ada)
    drain()

    row.refresh_from_db()
    assert row.completed_at is not None
    assert ids(receiver)[-1] == ids(receiver)[0]


@pytest.mark.parametrize("status", [301, 302, 307, 308, 400, 404, 429, 503])
def test_only_success_is_success_and_no_redirect_is_followed(receiver: Outside, ada: Actor, status: int) -> None:
    receiver.answers |= {"/hook": Said(status, headers={"Location": f"{receiver.url}/elsewhere"}), "/elsewhere": OK}
    subscribe(f"{receiver.url}/hook", ada)
    decisions.decide(make_ticket().reference, "note", by=ada, at=AT, text="Seen")

    drain()

    assert receiver.paths() == ["/hook"]
    row = Announcement.objects.get()
    assert (row.completed_at, row.failures) == (None, 1)


def test_a_receiver_that_asks_for_more_time_gets_it_up_to_a_day(receiver: Outside, ada: Actor) -> None:
    receiver.answers["/hook"] = [
        Said(429, headers={"Retry-After": "3600"}),
        Said(503, headers={"Retry-After": "999999"}),
    ]
    subscribe(f"{receiver.url}/hook", ada)
    decisions.decide(make_ticket().reference, "note", by=ada, at=AT, text="Seen")

    drain()
    assert 3590 < waits() <= 3600
    later(timedelta(seconds=3601))
    drain()

    assert 86390 < waits() <= 86400


def test_gone_switches_off_at_once_and_its_maker_is_written_to(receiver: Outside, ada: Actor) -> None:
    receiver.answers["/hook"] = Said(410)
    subscriber, _ = subscribe(f"{receiver.url}/hook", ada)
    ticket = make_ticket()
    for text in ("One", "Two"):
        decisions.decide(ticket.reference, "note", by=ada, at=AT, text=text)

    drain()
    decisions.decide(ticket.reference, "note", by=ada, at=AT, text="Three")

    subscriber.refresh_from_db()
    assert subscriber.switched_off_at is not None
    assert "410" in subscriber.off_reason
    assert len(receiver.heard) == 1
    assert Announcement.objects.parked().count() == Announcement.objects.count() == 2
    (mail,) = Notification.objects.filter(kind=Notification.Kind.STAFF)
    assert mail.recipient == "ada@example.com"
    assert f"/settings/webhooks/{subscriber.pk}/" in mail.body


def test_what_was_missed_while_it_was_off_is_told_under_the_ids_it_would_have_had(
    receiver: Outside, ada: Actor
) -> None:
    subscriber, _ = subscribe(f"{receiver.url}/hook", ada)
    ticket, now = make_ticket(), timezone.now()
    subscribers.switch_off(subscriber, by=ada)
    for text in ("One", "Two"):
        decisions.decide(ticket.reference, "note", by=ada, at=now, text=text)
    assert not Announcement.objects.exists()

    subscribers.switch_on(subscriber, by=ada)
    subscriber.refresh_from_db()
    again = subscribers.tell_again(subscriber, by=ada, since=now - timedelta(minutes=1), at=now)
    drain()

    assert (again.parked, again.missed) == (0, 2)
    assert ids(receiver) == [
        f"ticket_{pk}" for pk in Event.objects.filter(type="noted").order_by("pk").values_list("pk", flat=True)
    ]
    assert subscribers.tell_again(subscriber, by=ada, since=now - timedelta(minutes=1), at=now) == subscribers.Again(
        0, 0
    )


def test_four_failures_in_a_row_pause_it_and_forty_switch_it_off(receiver: Outside, ada: Actor) -> None:
    receiver.answers["/hook"] = Said(500)
    subscriber, _ = subscribe(f"{receiver.url}/hook", ada)
    ticket = make_ticket()
    for number in range(11):
        # None of them waits behind another.
        decisions.decide(ticket.reference, "note", by=ada, at=AT, text=f"Note {number}")
    Announcement.objects.update(subject=F("number"))

    minutes = []
    for failures in [*range(3, 14), 39]:
        Subscriber.objects.update(failures=failures)
        drain()
        subscriber.refresh_from_db()
        assert subscriber.failures == failures + 1
        if subscriber.paused_until:
            assert not Announcement.objects.due().exists()
            minutes.append(round((subscriber.paused_until - timezone.now()).total_seconds() / 60))
        later(timedelta(days=1))

    assert minutes == [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024]
    assert subscriber.switched_off_at is not None
    assert "40 calls in a row" in subscriber.off_reason
    assert len(receiver.heard) == 12
    assert not Announcement.objects.waiting().exists()
    assert Notification.objects.filter(kind=Notification.Kind.STAFF).count() == 1


def test_a_success_ends_the_pause(receiver: Outside, ada: Actor) -> None:
    receiver.answers["/hook"] = [Said(500)] * 5 + [OK]
    subscriber, _ = subscribe(f"{receiver.url}/hook", ada)
    for _ in range(6):
        decisions.decide(make_ticket().reference, "note", by=ada, at=AT, text="Seen")
    for _ in range(6):
        drain()
        later(timedelta(hours=3))

    subscriber.refresh_from_db()
    assert (subscriber.failures, subscriber.paused_until) == (0, None)
    assert not Announcement.objects.waiting().exists()


def test_events_about_one_ticket_arrive_in_their_order_through_failures(receiver: Outside, ada: Actor) -> None:
    receiver.answers["/hook"] = [Said(500), Said(500), OK]
    subscribe(f"{receiver.url}/hook", ada)
    ticket, other = make_ticket(), make_ticket()
    for text in ("One", "Two"):
        decisions.decide(ticket.reference, "note", by=ada, at=AT, text=text)
    drain()
    decisions.decide(ticket.reference, "note", by=ada, at=AT, text="Three")
    decisions.decide(other.reference, "note", by=ada, at=AT, text="Another matter")
    later(timedelta(seconds=8))
    drain()
    later(timedelta(minutes=10))
    drain()

    first, second, third = Event.objects.filter(ticket=ticket, type="noted").order_by("pk").values_list("pk", flat=True)
    of_ticket = [pk for pk in ids(receiver) if pk in {f"ticket_{each}" for each in (first, second, third)}]
    assert of_ticket == [f"ticket_{first}"] * 3 + [f"ticket_{second}", f"ticket_{third}"]
    assert not Announcement.objects.waiting().exists()


def test_a_receiver_that_says_nothing_holds_up_nobody(receiver: Outside, ada: Actor) -> None:
    told_all, while_waiting = threading.Event(), []

    def dead(heard: Heard) -> Said:
        while_waiting.append(told_all.wait(5))
        return Said(500)

    def alive(heard: Heard) -> Said:
        if receiver.paths().count("/alive") == 3:
            told_all.set()
        return OK

    receiver.answers |= {"/dead": dead, "/alive": alive}
    first, _ = subscribe(f"{receiver.url}/dead", ada)
    subscribe(f"{receiver.url}/alive", ada)
    ticket = make_ticket()
    for number in range(3):
        decisions.decide(ticket.reference, "note", by=ada, at=AT, text=f"Note {number}")
    Announcement.objects.filter(subscriber=first).update(next_attempt_at=Now() - timedelta(minutes=1))

    drain()

    assert while_waiting == [True]


def test_a_lane_that_another_process_has_in_hand_is_left_alone(receiver: Outside, ada: Actor) -> None:
    subscribe(f"{receiver.url}/hook", ada)
    ticket = make_ticket()
    for text in ("One", "Two"):
        decisions.decide(ticket.reference, "note", by=ada, at=AT, text=text)
    first = Announcement.objects.earliest("pk")
    in_hand = {"lease_token": uuid.uuid4(), "next_attempt_at": timezone.now() + timedelta(minutes=5)}
    Announcement.objects.filter(pk=first.pk).update(**in_hand)

    assert drain()["done"] == 0

    later(timedelta(minutes=6))  # its process died
    assert drain()["done"] == 2
    assert [each["data"]["id"] for each in told(receiver)] == sorted(ids(receiver), key=lambda each: int(each[7:]))


def test_several_secrets_sign_until_the_old_ones_are_let_go(receiver: Outside, ada: Actor) -> None:
    subscriber, first = subscribe(f"{receiver.url}/hook", ada)
    second = subscribers.renew_secret(subscriber, by=ada, at=AT + timedelta(days=1))
    ticket = make_ticket()
    decisions.decide(ticket.reference, "note", by=ada, at=AT, text="While both hold")
    drain()
    subscribers.drop_old_secrets(subscriber, by=ada)
    decisions.decide(ticket.reference, "note", by=ada, at=AT, text="After")
    drain()

    both, new = receiver.heard
    verify(both, first)
    verify(both, second)
    verify(new, second)
    with pytest.raises(Forged):
        verify(new, first)
    with pytest.raises(Forged):
        verify(both, first, at=timezone.now() + timedelta(minutes=6))
    stored = bytes(Subscriber.objects.get().sealed_secrets)
    assert first.encode() not in stored
    assert second.removeprefix("whsec_").encode() not in stored


INSIDE = [
    "http://127.0.0.1:1/",
    "https://10.0.0.7/",
    "https://[::1]/",
    "https://169.254.169.254/latest",
    "ftp://example.com/",
]


@pytest.mark.parametrize("url", [*INSIDE, "http://example.com/", "https://localhost/", "https://u:p@example.com/", ""])
def test_no_address_inside_and_none_that_others_read_along_can_be_entered(ada: Actor, url: str) -> None:
    with pytest.raises(BadInput) as refused:
        subscribe(url, ada)

    assert [error.path for error in refused.value.errors] == ["url"]


def test_a_name_that_leads_inside_is_refused_when_it_is_called(
    ada: Actor, receiver: Outside, settings: LazySettings
) -> None:
    subscribe(f"{receiver.url}/hook", ada)
    settings.OUTGOING_ALLOW = []
    decisions.decide(make_ticket().reference, "note", by=ada, at=AT, text="Seen")

    drain()

    assert receiver.heard == []
    assert "PORTAL_OUTGOING_ALLOW" in AnnouncementTry.objects.get().trouble


def test_what_a_receiver_answers_is_bounded_and_shown_as_text(receiver: Outside, ada: Actor, client: Client) -> None:
    receiver.answers["/hook"] = Said(500, b"<b>\x00\xff" + b"x" * 5000)
    subscriber, _ = subscribe(f"{receiver.url}/hook", ada)
    decisions.decide(make_ticket().reference, "note", by=ada, at=AT, text="Seen")
    drain()
    tried = AnnouncementTry.objects.get()
    client.force_login(make_person("Ada"))
    page = client.get(f"/settings/webhooks/{subscriber.pk}/sent/{tried.announcement_id}/").content.decode()

    assert len(tried.answer) == announcing.SHOWN_BYTES
    assert "&lt;b&gt;" in page
    assert "<b>\N{REPLACEMENT CHARACTER}" not in page


def test_an_answer_that_has_no_end_is_no_success(receiver: Outside, ada: Actor) -> None:
    receiver.answers["/hook"] = Said(200, b"x" * (announcing.MOST_BYTES + 1))
    subscribe(f"{receiver.url}/hook", ada)
    decisions.decide(make_ticket().reference, "note", by=ada, at=AT, text="Seen")

    drain()

    assert "more than" in AnnouncementTry.objects.get().trouble


def test_what_was_answered_about_an_erased_item_goes_with_it(receiver: Outside, ada: Actor) -> None:
    receiver.answers["/hook"] = Said(200, b"Got it: Ana, the lid cracked")
    subscribe(f"{receiver.url}/hook", ada)
    ticket = make_ticket()
    decisions.decide(ticket.reference, "note", by=ada, at=AT, text="Seen")
    drain()

    erasing.erase(ticket.item.submission, at=AT)

    assert AnnouncementTry.objects.get().answer == ""


def test_old_announcements_are_forgotten_and_waiting_ones_are_not(receiver: Outside, ada: Actor) -> None:
    subscribe(f"{receiver.url}/hook", ada)
    for text in ("One", "Two"):
        decisions.decide(make_ticket().reference, "note", by=ada, at=AT, text=text)
    Announcement.objects.filter(pk=Announcement.objects.earliest("pk").pk).update(completed_at=Now())

    assert announcing.forget_old(at=timezone.now() + timedelta(days=29)) == 0
    assert announcing.forget_old(at=timezone.now() + timedelta(days=31)) == 1
    assert Announcement.objects.waiting().count() == 1


def test_only_administrators_may_say_who_is_told(receiver: Outside) -> None:
    with pytest.raises(NotAllowed):
        subscribe(f"{receiver.url}/hook", actor(make_person("Lena", role=Role.MANAGER)))


def test_nothing_is_read_a_row_while_a_lane_is_told(
    receiver: Outside, ada: Actor, django_assert_max_num_queries: Any
) -> None:
    subscribe(f"{receiver.url}/hook", ada)

    def queries(count: int) -> int:
        ticket = make_ticket(item_customer=make_customer())
        for number in range(count):
            decisions.decide(ticket.reference, "note", by=ada, at=AT, text=f"Note {number}")
        rows = list(Announcement.objects.waiting().select_related("subscriber"))
        with django_assert_max_num_queries(100) as seen:
            announcing._begin(rows, timezone.now)
        drain()
        return len(seen)

    assert queries(2) == queries(20)


def test_the_clock_of_a_signature_is_the_try_not_the_event(receiver: Outside, ada: Actor) -> None:
    subscribe(f"{receiver.url}/hook", ada)
    decisions.decide(make_ticket().reference, "note", by=ada, at=datetime(2020, 1, 1, tzinfo=UTC), text="Long ago")

    drain()

    assert abs(int(receiver.heard[0].headers["webhook-timestamp"]) - time.time()) < 60


def test_programs_set_up_webhooks_and_see_each_try(receiver: Outside, client: Client) -> None:
    receiver.answers["/hook"] = [Said(500, b"Not yet"), OK]
    _, key = ApiKey.issue("a program", scopes=[Scope.ADMIN])
    as_program: dict[str, Any] = {"headers": {"Authorization": f"Bearer {key}"}, "content_type": "application/json"}
    given = {"name": "CRM", "url": f"{receiver.url}/hook", "kinds": ["ticket.noted"]}
    made = client.post("/api/v1/webhooks/", given, **as_program)
    assert made.status_code == 201
    number, secret = made.json()["id"], made.json()["secret"]
    here = f"/api/v1/webhooks/{number}/"

    test = client.post(f"{here}decisions/", {"verb": "test"}, **as_program)
    drain()
    later(timedelta(seconds=10))
    drain()

    assert test.status_code == 200
    verify(receiver.heard[0], secret)
    assert "secret" not in client.get(here, **as_program).json()
    (sent,) = client.get(f"{here}announcements/", **as_program).json()["results"]
    assert [(each["status"], each["answer"]) for each in sent["tries"]] == [(500, "Not yet"), (204, "")]
    assert sent["state"] == "told"
    refused = client.post("/api/v1/webhooks/", given | {"url": "http://10.0.0.1/"}, **as_program)
    assert (refused.status_code, refused.json()["errors"][0]["path"]) == (400, "url")
    assert client.patch(here, {"kinds": ["ticket.routed"], "version": 1}, **as_program).json()["version"] == 2
    assert client.patch(here, {"name": "Old", "version": 1}, **as_program).status_code == 409
    assert client.delete(here, **as_program).status_code == 204
    assert client.get(here, **as_program).status_code == 404


def test_an_administrator_sets_one_up_in_the_browser(receiver: Outside, client: Client) -> None:
    client.force_login(make_person("Ada", role=Role.ADMIN))
    given = {
        "name": "CRM",
        "url": f"{receiver.url}/hook",
        "kinds": ["ticket.noted", "ticket.routed"],
        "tells_persons": "on",
    }
    page = client.post("/settings/webhooks/", given).content.decode()
    made = Subscriber.objects.get()
    assert made.secrets[0] in page
    assert made.secrets[0] not in client.get(f"/settings/webhooks/{made.pk}/").content.decode()
    assert made.tells_persons

    def verb(name: str, **words: str) -> str:
        return client.post(f"/settings/webhooks/{made.pk}/{name}/", words, follow=True).content.decode()

    verb("test")
    drain()
    (heard,) = receiver.heard
    verify(heard, made.secrets[0])
    assert "whsec_" in verb("secret")
    made.refresh_from_db()
    assert len(made.secrets) == 2
    verb("old-secrets")
    verb("off")
    made.refresh_from_db()
    assert (len(made.secrets), made.switched_off_at is not None) == (1, True)
    verb("on")
    verb("again", since=(timezone.now() - timedelta(hours=1)).isoformat())
    verb("resend", number=str(Announcement.objects.get().pk))
    drain()
    assert ids(receiver)[0] == ids(receiver)[1]
    assert "portal.test" in client.get(f"/settings/webhooks/{made.pk}/").content.decode()
    wrong = client.post(f"/settings/webhooks/{made.pk}/", {"name": "", "url": "http://10.1.1.1/"})
    assert wrong.status_code == 422
    verb("delete")
    assert not Subscriber.objects.exists()
