"""Calls of other systems: genuine ones are stored once and answered at once, others leave nothing behind."""

import base64
import hashlib
import hmac
import json
import threading
import tracemalloc
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.http import HttpResponse
from django.test import Client

from feedback_portal.accounts.models import Role, hashed
from feedback_portal.refusals import TooMany
from intake import hooks, normalizing, privacy
from intake.connectors import connectors
from intake.connectors.base import Call, Forged, Ignored, PushConnector, RawItem
from intake.connectors.documents import document, text_at
from intake.models import Channel, Delivery, FeedbackItem, Submission
from tests.makers import AT, make_person

SECRET = "a secret of the test's own"


def channel_of(kind: str = "typeform", slug: str = "survey", **secrets: str) -> Channel:
    channel = Channel(slug=slug, name=slug, kind=kind)
    channel.secrets = secrets or {"signing_secret": SECRET}
    channel.hook_hash = hashed(channel.hook_key)
    channel.save()
    return channel


def body_of(token: str = "t1", *, text: str = "It leaks", event: str = "e1", at: str = "2026-03-04T10:00:00Z") -> bytes:
    answer = {"type": "text", "text": text, "field": {"id": "f1", "type": "long_text"}}
    response = {"token": token, "submitted_at": at, "answers": [answer]}
    return json.dumps({"event_id": event, "event_type": "form_response", "form_response": response}).encode()


def signature_of(body: bytes, secret: str = SECRET) -> str:
    return "sha256=" + base64.b64encode(hmac.new(secret.encode(), body, hashlib.sha256).digest()).decode()


def call(channel: Channel, body: bytes, *, key: str = "", client: Client | None = None, **headers: str) -> HttpResponse:
    named = {"Typeform-Signature": signature_of(body)} | headers
    return (client or Client()).generic(
        "POST", f"/hooks/{key or channel.hook_key}/", body, content_type="application/json", headers=named
    )


def drained() -> None:
    hooks.take_apart_pending()
    normalizing.normalize_pending(at=AT)


@pytest.mark.django_db
def test_a_genuine_call_becomes_an_item() -> None:
    channel = channel_of()

    answered = call(channel, body_of())
    drained()

    delivery, item = Delivery.objects.get(), FeedbackItem.objects.get()
    assert (answered.status_code, item.text) == (200, "It leaks")
    assert (delivery.held, delivery.brought, delivery.delivery_id) == (1, 1, "e1")
    assert item.received_at == delivery.received_at


@pytest.mark.django_db
@pytest.mark.parametrize("key", ["", "unknown", "x" * 2000, "ä%F0%9F"], ids=["closed", "unknown", "long", "odd"])
def test_an_unknown_address_and_a_closed_channel_are_told_alike(key: str) -> None:
    channel = channel_of()
    Channel.objects.update(is_enabled=False)

    answered = call(channel, body_of(), key=key)

    assert answered.status_code == 404
    assert answered.content == call(channel, body_of(), key="other").content
    assert not Delivery.objects.exists()


@pytest.mark.django_db
def test_a_channel_that_is_not_called_has_no_address() -> None:
    assert call(channel_of(kind="rest_api"), body_of()).status_code == 404


@pytest.mark.django_db
@pytest.mark.parametrize(
    "given", ["", "garbage", "v1,a,b", "sha256=", "sha256=\xe4\xf6", "sha1=AAAA", "sha256=" + "A" * 43 + "="]
)
def test_a_call_that_is_not_signed_leaves_nothing(given: str) -> None:
    answered = call(channel_of(), body_of(), **{"Typeform-Signature": given})

    assert answered.status_code == 401
    assert json.loads(answered.content)["type"] == "urn:feedback-portal:not-genuine"
    assert not Delivery.objects.exists()


@pytest.mark.django_db
def test_refusals_of_forged_calls_do_not_say_what_is_wrong() -> None:
    channel = channel_of()
    unsigned = channel_of(slug="without", signing_secret="")

    answers = {call(channel, body_of(), **{"Typeform-Signature": given}).content for given in ("", "sha256=AAAA")}
    answers.add(call(channel, b"\xff\xfe not text", **{"Typeform-Signature": "sha256=AAAA"}).content)
    answers.add(call(unsigned, body_of()).content)

    assert len(answers) == 1


@pytest.mark.django_db
def test_forged_calls_are_counted_for_staff_and_machines(client: Client) -> None:
    channel = channel_of()
    call(channel, body_of())
    assert b'portal_forged_calls_total{channel="survey"}' not in client.get("/metrics").content

    for _ in range(3):
        call(channel, body_of(), **{"Typeform-Signature": "sha256=AAAA"})
    client.force_login(make_person("Ada", role=Role.ADMIN))

    assert b'portal_forged_calls_total{channel="survey"} 3.0' in client.get("/metrics").content
    assert "3 calls came without the signature" in client.get("/settings/channels/survey/").content.decode()


@pytest.mark.django_db
def test_counting_strangers_needs_no_flush() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT relpersistence FROM pg_class WHERE relname = 'intake_forgedcalls'")
        assert cursor.fetchone() == ("u",)


@pytest.mark.django_db
def test_two_hundred_calls_at_once_then_fifty_a_second() -> None:
    channel = channel_of()
    at = datetime(2026, 3, 4, 12, tzinfo=UTC)

    def let_in(times: int, *, later: float, of: Channel = channel) -> int:
        return sum(taken(of, f"{later} {number}", at=at + timedelta(seconds=later)) for number in range(times))

    def taken(of: Channel, event: str, *, at: datetime) -> bool:
        body = body_of(event=event)
        made = Call("POST", "https://portal.example/hooks/", {"typeform-signature": signature_of(body)}, body)
        try:
            hooks.take(of.hook_key, made, at=at)
        except TooMany:
            return False
        return True

    assert let_in(220, later=0) == 200
    assert let_in(60, later=1) == 50
    assert let_in(3, later=1, of=channel_of(slug="other")) == 3
    assert Delivery.objects.count() == 253


@pytest.mark.django_db
def test_a_call_too_many_says_when_to_come_again_and_a_stranger_uses_none_up() -> None:
    channel = channel_of()
    Channel.objects.update(settings={"limits": {"burst": 1, "minute": 1}})

    for _ in range(3):
        assert call(channel, body_of(), **{"Typeform-Signature": "sha256=AAAA"}).status_code == 401
    first, second = call(channel, body_of()), call(channel, body_of("t2", event="e2"))

    assert (first.status_code, second.status_code) == (200, 429)
    assert 1 <= int(second["Retry-After"]) <= 60
    assert json.loads(second.content)["detail"].startswith("More calls came than this channel takes.")
    assert Delivery.objects.count() == 1


@pytest.mark.django_db
def test_a_call_costs_one_count_and_one_row(django_assert_num_queries: Any) -> None:
    channel = channel_of()

    with django_assert_num_queries(3):
        hooks.take(
            channel.hook_key,
            Call("POST", "", {"typeform-signature": signature_of(body_of())}, body_of()),
            at=AT,
        )


@pytest.mark.django_db
def test_of_many_large_calls_one_is_held_at_a_time() -> None:
    channel = channel_of()

    def most_held(of: int) -> int:
        for number in range(of):
            call(channel, body_of(f"{of} {number}", text="x" * 900_000, event=f"{of} {number}"))
        tracemalloc.start()
        try:
            assert hooks.take_apart_pending().done == of
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    assert most_held(12) < most_held(1) + 2 * 900_000


@pytest.mark.django_db
def test_every_altered_byte_is_noticed() -> None:
    channel = channel_of()
    body = body_of()
    given = signature_of(body)
    altered = [body[:place] + bytes([body[place] ^ 1]) + body[place + 1 :] for place in range(len(body))]
    signatures = [given[:place] + chr(ord(given[place]) ^ 1) + given[place + 1 :] for place in range(len(given))]

    answers = {call(channel, each, **{"Typeform-Signature": given}).status_code for each in altered}
    answers |= {call(channel, body, **{"Typeform-Signature": each}).status_code for each in signatures}

    assert answers == {401}
    assert call(channel, body).status_code == 200


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "It is not JSON"),
        (b"null", "no response of Typeform"),
        (b"[]", "no response of Typeform"),
        (b'"x"', "no response of Typeform"),
        (b"{", "It is not JSON"),
        ("nö".encode("latin-1"), "It is not JSON"),
        ('{"a": 1}'.encode("utf-16"), "no response of Typeform"),
        (b"[" * 100_000 + b"]" * 100_000, "deeper than 64"),
        (b'{"event_id": "e", "form_response": {}, "n": NaN}', "It is not JSON"),
    ],
    ids=["empty", "null", "list", "text", "cut off", "not UTF-8", "UTF-16", "deep", "NaN"],
)
def test_a_genuine_call_that_cannot_be_read_is_kept_with_the_reason(body: bytes, reason: str) -> None:
    answered = call(channel_of(), body)
    drained()

    delivery = Delivery.objects.get()
    assert answered.status_code == 200
    assert delivery.parked_at is not None
    assert reason in delivery.last_error
    assert bytes(delivery.body) == body


@pytest.mark.django_db
def test_odd_characters_are_cleaned_and_stop_nothing() -> None:
    channel = channel_of()
    for number, text in enumerate(("a\x00b", "\ud800 lone", "\U0001f615")):
        assert (
            call(channel, body_of(f"t\x00\ud800{number}", text=text, event=f"e\x00\ud800{number}")).status_code == 200
        )
    drained()

    assert [item.text for item in FeedbackItem.objects.order_by("pk")][2] == "\U0001f615"
    assert FeedbackItem.objects.count() == 3


@pytest.mark.django_db
def test_a_call_beyond_the_limit_is_refused_before_it_is_read() -> None:
    channel = channel_of()
    largest = b" " * (hooks.LARGEST - len(body_of())) + body_of()

    assert call(channel, largest + b" ").status_code == 413
    assert not Delivery.objects.exists()
    assert call(channel, largest).status_code == 200


@pytest.mark.django_db
def test_a_call_of_another_shape_is_refused() -> None:
    channel = channel_of()
    chunked = Client().post(
        f"/hooks/{channel.hook_key}/",
        headers={"Transfer-Encoding": "chunked"},
        CONTENT_LENGTH="",
        content_type="application/json",
    )

    assert chunked.status_code == 411
    assert call(channel, body_of(), **{"Content-Encoding": "gzip"}).status_code == 415
    assert Client().put(f"/hooks/{channel.hook_key}/", b"{}").status_code == 405
    assert not Delivery.objects.exists()


@pytest.mark.django_db
@pytest.mark.parametrize("method", ["get", "head"])
def test_whoever_asks_whether_we_are_there_is_told(method: str) -> None:
    channel = channel_of()

    assert getattr(Client(), method)(f"/hooks/{channel.hook_key}/").status_code == 200
    assert getattr(Client(), method)("/hooks/unknown/").status_code == 404
    assert not Delivery.objects.exists()


@pytest.mark.django_db
def test_the_first_body_under_an_id_stands_and_the_other_is_shown() -> None:
    channel = channel_of()
    first, second = body_of(text="first"), body_of(text="second")

    answers = [call(channel, body).status_code for body in (first, second, first)]
    drained()

    delivery = Delivery.objects.get()
    assert answers == [200, 200, 200]
    assert (bytes(delivery.body), bytes(delivery.conflicting_body or b"")) == (first, second)
    assert FeedbackItem.objects.get().text == "first"


@pytest.mark.django_db
def test_an_old_secret_holds_beside_the_new_one_for_as_long_as_it_is_kept() -> None:
    channel = channel_of(signing_secret="new", signing_secret_old=SECRET)

    both = [
        call(channel, body_of("t1", event="e1")).status_code,
        call(channel, b"{}", **{"Typeform-Signature": signature_of(b"{}", "new")}).status_code,
        call(channel, body_of(), **{"Typeform-Signature": signature_of(body_of(), "third")}).status_code,
    ]
    channel.secrets = {"signing_secret": "new"}
    channel.save()

    assert both == [200, 200, 401]
    assert call(channel, body_of("t3", event="e3")).status_code == 401


@pytest.mark.django_db
def test_secrets_sealed_with_a_lost_key_ask_the_sender_to_come_again() -> None:
    channel = channel_of()
    Channel.objects.update(sealed_secrets=b"sealed by another portal")

    assert call(channel, body_of()).status_code == 503


@pytest.mark.django_db
def test_what_lets_somebody_in_is_not_kept() -> None:
    channel = channel_of()
    call(
        channel,
        body_of(),
        **{"Authorization": "Bearer abc", "Cookie": "a=b", "X-Webhook-Secret": SECRET, "X-Event-Name": "form_response"},
    )

    delivery = Delivery.objects.get()
    assert set(delivery.headers) == {"content-type", "typeform-signature", "x-event-name"}
    assert channel.hook_key not in delivery.url


@pytest.mark.django_db
@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0), (0, 2, 1)])
def test_calls_out_of_order_end_as_calls_in_order(order: tuple[int, ...]) -> None:
    channel = channel_of()
    bodies = [body_of(text=f"version {n}", event=f"e{n}", at=f"2026-03-04T10:0{n}:00Z") for n in range(3)]

    for number in order:
        call(channel, bodies[number])
        drained()

    assert FeedbackItem.objects.get().text == "version 2"
    assert Delivery.objects.count() == 3


@pytest.mark.django_db
def test_calls_taken_apart_at_once_end_as_calls_in_order() -> None:
    channel = channel_of()
    for number in (2, 0, 1):
        call(channel, body_of(text=f"version {number}", event=f"e{number}", at=f"2026-03-04T10:0{number}:00Z"))
    drained()

    assert FeedbackItem.objects.get().text == "version 2"


@pytest.mark.django_db(transaction=True)
def test_the_same_call_a_hundred_times_at_once_is_one_item() -> None:
    channel = channel_of()
    body = body_of()
    statuses: list[int] = []
    start = threading.Barrier(10)

    def repeat() -> None:
        client = Client()
        start.wait()
        try:
            statuses.extend(call(channel, body, client=client).status_code for _ in range(10))
        finally:
            connection.close()

    threads = [threading.Thread(target=repeat) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    drained()

    assert statuses == [200] * 100
    assert Delivery.objects.count() == Submission.objects.count() == FeedbackItem.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_a_worker_killed_while_it_takes_apart_loses_and_doubles_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    channel = channel_of()
    call(channel, body_of())
    received = hooks.receiving.receive_many

    def killed(*args: Any, **named: Any) -> Any:
        received(*args, **named)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(hooks.receiving, "receive_many", killed)
        with pytest.raises(KeyboardInterrupt):
            hooks.take_apart_pending()
    assert not Submission.objects.exists()
    Delivery.objects.update(next_attempt_at=AT - timedelta(days=1))  # its lease has run out
    drained()

    assert Delivery.objects.get().brought == FeedbackItem.objects.count() == 1


class Machine(PushConnector):
    """A kind whose events the connector learns to read only later."""

    slug = "machine"
    name = "Machine"
    knows = frozenset(["said"])
    broken = False

    def verify(self, call: Call, *, secrets: Any, at: datetime) -> None:
        if self.broken:
            raise ZeroDivisionError
        if call.headers.get("x-machine") != "ours":
            raise Forged("It is not ours.")

    def split(self, call: Call, *, settings: Any) -> Iterator[RawItem]:
        found = document(call.body)
        if self.broken:
            raise ZeroDivisionError
        if text_at(found, "event") not in self.knows:
            raise Ignored("It is an event that we do not know.")
        yield RawItem(text_at(found, "id"), call.body)

    def parse(self, raw: RawItem, *, settings: Any) -> Any:
        return connectors.get("rest_api").parse(raw, settings=settings)


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    made = Machine()
    monkeypatch.setitem(connectors._plugins, "machine", made)
    return made


def said(event: str = "said") -> bytes:
    return json.dumps({"event": event, "id": "m1", "text": "Too loud"}).encode()


@pytest.mark.django_db
def test_an_unknown_event_is_kept_and_read_once_it_is_known(machine: Machine) -> None:
    channel = channel_of("machine")
    call(channel, said("shouted"), **{"X-Machine": "ours"})
    drained()
    delivery = Delivery.objects.get()
    assert (delivery.held, delivery.ignored_reason) == (0, "It is an event that we do not know.")

    machine.knows = frozenset(["shouted"])
    hooks.replay(delivery)
    drained()

    delivery.refresh_from_db()
    assert (delivery.held, delivery.brought, delivery.ignored_reason) == (1, 1, "")
    assert FeedbackItem.objects.get().text == "Too loud"


@pytest.mark.django_db
def test_a_connector_that_breaks_parks_the_delivery_until_it_is_mended(machine: Machine) -> None:
    channel = channel_of("machine")
    call(channel, said(), **{"X-Machine": "ours"})
    machine.broken = True
    drained()
    delivery = Delivery.objects.get()
    assert "ZeroDivisionError" in delivery.last_error

    machine.broken = False
    hooks.replay(delivery)
    drained()

    assert FeedbackItem.objects.get().text == "Too loud"


@pytest.mark.django_db
def test_a_connector_that_breaks_on_a_strangers_call_lets_nobody_in(machine: Machine) -> None:
    machine.broken = True

    assert call(channel_of("machine"), said(), **{"X-Machine": "ours"}).status_code == 401


@pytest.mark.django_db
def test_what_was_accepted_before_a_channel_was_closed_waits_until_it_is_open() -> None:
    channel = channel_of()
    call(channel, body_of())
    Channel.objects.update(is_enabled=False)
    drained()
    delivery = Delivery.objects.get()
    assert "switched off" in delivery.last_error

    Channel.objects.update(is_enabled=True)
    hooks.replay(delivery)
    drained()

    assert FeedbackItem.objects.get().text == "It leaks"


@pytest.mark.django_db
def test_what_was_passed_over_is_read_again_when_its_delivery_is_replayed(monkeypatch: pytest.MonkeyPatch) -> None:
    channel = channel_of()
    typeform = connectors.get("typeform")
    parse = type(typeform).parse

    def passes_over(*args: Any, **named: Any) -> Any:
        raise Ignored("It says nothing to us yet.")

    with monkeypatch.context() as patch:
        patch.setattr(type(typeform), "parse", passes_over)
        call(channel, body_of())
        drained()
    assert Submission.objects.get().ignored_reason == "It says nothing to us yet."
    assert type(typeform).parse is parse

    hooks.replay(Delivery.objects.get())
    drained()

    assert FeedbackItem.objects.get().text == "It leaks"
    assert Submission.objects.get().ignored_reason == ""


@pytest.mark.django_db
def test_a_replayed_delivery_brings_nothing_twice() -> None:
    channel = channel_of()
    call(channel, body_of())
    drained()

    hooks.replay(Delivery.objects.get())
    drained()

    delivery = Delivery.objects.get()
    assert (delivery.held, delivery.brought) == (1, 0)
    assert FeedbackItem.objects.count() == 1


@pytest.mark.django_db
def test_what_is_erased_is_erased_from_the_calls_that_told_of_it_and_stays_so() -> None:
    channel = channel_of()
    call(channel, body_of(event="e1"))
    call(channel, body_of(text="It drips", event="e1"))
    call(channel, body_of("t2", text="Another thing", event="e2"))
    drained()
    submission = Submission.objects.get(external_id="t1")

    privacy.erase(submission, at=AT)
    call(channel, body_of(text="It leaks", event="e3", at="2026-03-05T10:00:00Z"))
    drained()
    hooks.replay(Delivery.objects.get(delivery_id="e1"))
    drained()

    kept = [(row.delivery_id, bytes(row.body), row.conflicting_body) for row in Delivery.objects.order_by("pk")]
    assert kept == [("e1", b"", None), ("e2", body_of("t2", text="Another thing", event="e2"), None), ("e3", b"", None)]
    assert not Delivery.objects.parked().exists()
    assert call(channel, body_of(event="e1")).status_code == 200
    assert FeedbackItem.objects.filter(text="Another thing").count() == 1


@pytest.mark.django_db
def test_calls_are_kept_as_long_as_their_channel_says_and_never_forgotten_unread() -> None:
    channel = channel_of()
    for number in range(3):
        call(channel, body_of(f"t{number}", event=f"e{number}"))
    hooks.take_apart_pending()
    call(channel, body_of("t4", event="e4"))
    Channel.objects.update(raw_kept_days=10)
    Delivery.objects.exclude(delivery_id="e1").update(received_at=AT - timedelta(days=11))
    Delivery.objects.filter(delivery_id="e1").update(received_at=AT - timedelta(days=9))

    assert hooks.forget(at=AT) == 2
    assert set(Delivery.objects.values_list("delivery_id", flat=True)) == {"e1", "e4"}


@pytest.mark.django_db
def test_personal_data_lies_open_in_no_call_once_it_is_masked() -> None:
    channel = channel_of()
    call(channel, body_of(text="My card is 4111 1111 1111 1111"))
    drained()
    call(channel, body_of(text="My card is 4111 1111 1111 1111", event="e2"))
    drained()

    assert [bytes(row.body) for row in Delivery.objects.all()] == [b"", b""]
    assert b"4111" not in bytes(Submission.objects.get().payload)
    assert FeedbackItem.objects.get().text == "My card is [card number]"
