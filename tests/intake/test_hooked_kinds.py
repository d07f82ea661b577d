"""What each kind of channel that is called makes of a call: its signature, its handshake, and the items of one document."""

import base64
import hmac
import json
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
import time_machine
from django.http import HttpResponse
from django.test import Client

from intake import channels, hooks, normalizing
from intake.connectors import connectors
from intake.connectors.base import Call, FileConnector, Forged, PushConnector, RawItem, Unreadable
from intake.connectors.documents import HookedDocuments
from intake.models import Delivery, FeedbackItem, Submission
from tests.makers import AT

SAMPLES = Path(__file__).parents[2].parent / "shared" / "samples"
BODY = '{"hello":"wörld","n":1.0}'.encode()
SECRET = "a secret of the test's own"
STANDARD = "whsec_" + base64.b64encode(b"a key of the test").decode()


def mac(key: bytes, content: bytes, digest: str = "sha256", *, as_hex: bool = False) -> str:
    made = hmac.new(key, content, digest).digest()
    return made.hex() if as_hex else base64.b64encode(made).decode()


def standard(body: bytes, at: datetime, key: bytes = b"a key of the test") -> dict[str, str]:
    stamp = str(int(at.timestamp()))
    signed = mac(key, b"msg_1." + stamp.encode() + b"." + body)
    return {"webhook-id": "msg_1", "webhook-timestamp": stamp, "webhook-signature": f"v1,{signed}"}


Signer = Callable[[bytes], dict[str, str]]

# The secrets of a channel, and the headers its sender makes from a body.
SIGNED: Mapping[str, tuple[dict[str, str], Signer]] = {
    "typeform": (
        {"signing_secret": SECRET},
        lambda body: {"typeform-signature": "sha256=" + mac(SECRET.encode(), body)},
    ),
    "tally": ({"signing_secret": SECRET}, lambda body: {"tally-signature": mac(SECRET.encode(), body)}),
    "surveymonkey": (
        {"signing_secret": SECRET},
        lambda body: {"sm-apikey": "cid", "sm-signature": mac(f"cid&{SECRET}".encode(), body, "sha1")},
    ),
    "meta": (
        {"signing_secret": SECRET, "verify_token": "word"},
        lambda body: {"x-hub-signature-256": "sha256=" + mac(SECRET.encode(), body, as_hex=True)},
    ),
    "formbricks": ({"signing_secret": STANDARD}, lambda body: standard(body, AT)),
    "signed_json": (
        {"signing_secret": SECRET, "header": "X-Sum", "algorithm": "sha512", "encoding": "base64", "prefix": "v="},
        lambda body: {"x-sum": "v=" + mac(SECRET.encode(), body, "sha512")},
    ),
}


def kind(slug: str) -> PushConnector:
    found = connectors.get(slug)
    assert isinstance(found, PushConnector)
    return found


def verify(slug: str, headers: Mapping[str, str], body: bytes, *, at: datetime = AT, **secrets: str) -> None:
    call = Call("POST", "https://portal.example/hooks/k/", headers, body)
    kind(slug).verify(call, secrets=secrets or SIGNED[slug][0], at=at)


def changed(text: str, place: int) -> str:
    return text[:place] + chr(ord(text[place]) ^ 1) + text[place + 1 :]


@pytest.mark.parametrize("slug", SIGNED)
def test_a_genuine_signature_holds_and_every_altered_byte_breaks_it(slug: str) -> None:
    headers = SIGNED[slug][1](BODY)
    verify(slug, headers, BODY)

    for place in range(len(BODY)):
        with pytest.raises(Forged):
            verify(slug, headers, BODY[:place] + bytes([BODY[place] ^ 1]) + BODY[place + 1 :])
    for name, value in headers.items():
        for place in range(len(value)):
            with pytest.raises(Forged):
                verify(slug, {**headers, name: changed(value, place)}, BODY)


@pytest.mark.parametrize("slug", SIGNED)
@pytest.mark.parametrize("given", ["", "garbage", "v1,a,b", "\xe4\xf6", "sha256=", "=" * 5000])
def test_what_is_no_signature_is_refused(slug: str, given: str) -> None:
    for body in (BODY, b"", b"\xff\xfe\x00"):
        for name in SIGNED[slug][1](body):
            with pytest.raises(Forged):
                verify(slug, {**SIGNED[slug][1](body), name: given}, body)
        with pytest.raises(Forged):
            verify(slug, {}, body)


@pytest.mark.parametrize("slug", SIGNED)
def test_a_channel_without_its_secret_believes_nobody(slug: str) -> None:
    told = SIGNED[slug][0] | {"signing_secret": ""}
    unkeyed = {name: mac(b"", BODY) for name in SIGNED[slug][1](BODY)}

    for headers in (SIGNED[slug][1](BODY), unkeyed):
        with pytest.raises(Forged):
            verify(slug, headers, BODY, **told)


@pytest.mark.parametrize("minutes", [-6, 6])
def test_a_call_of_another_time_is_refused(minutes: int) -> None:
    with pytest.raises(Forged):
        verify("formbricks", standard(BODY, AT + timedelta(minutes=minutes)), BODY)


@pytest.mark.parametrize("stamp", ["nan", "1e99", "", "-1", "9" * 400, "٣٣", "2026-03-04T12:00:00"])
def test_a_call_of_no_time_is_refused(stamp: str) -> None:
    signed = mac(b"a key of the test", b"msg_1." + stamp.encode() + b"." + BODY)
    headers = {"webhook-id": "msg_1", "webhook-timestamp": stamp, "webhook-signature": f"v1,{signed}"}

    with pytest.raises(Forged):
        verify("formbricks", headers, BODY)


def test_one_of_several_signatures_is_enough() -> None:
    headers = standard(BODY, AT)
    verify("formbricks", {**headers, "webhook-signature": f"v1a,abc v1,AAAA {headers['webhook-signature']}"}, BODY)


def test_json_of_any_system_may_be_signed_with_its_time() -> None:
    told = {"signing_secret": SECRET, "header": "X-Sum", "timestamp_header": "X-Sent"}
    stamp = str(int(AT.timestamp()))
    headers = {"x-sent": stamp, "x-sum": mac(SECRET.encode(), stamp.encode() + b"." + BODY, as_hex=True)}

    verify("signed_json", headers, BODY, **told)
    with pytest.raises(Forged):
        verify("signed_json", headers, BODY, at=AT + timedelta(minutes=6), **told)
    with pytest.raises(Forged):
        verify("signed_json", {**headers, "x-sent": str(int(stamp) + 1)}, BODY, **told)


class TestHandshakeOfMeta:
    def answer(self, query: str, method: str = "GET", **secrets: str) -> bytes | None:
        call = Call(method, f"https://portal.example/hooks/k/?{query}", {}, b"")
        return kind("meta").handshake(call, secrets=secrets or {"verify_token": "word"})

    def test_the_challenge_is_given_back_to_who_knows_the_word(self) -> None:
        assert self.answer("hub.mode=subscribe&hub.verify_token=word&hub.challenge=158%2B1") == b"158+1"

    @pytest.mark.parametrize("query", ["verify_token=x", "verify_token=", "x=1", "verify_token=word2"])
    def test_and_to_nobody_else(self, query: str) -> None:
        with pytest.raises(Forged):
            self.answer(f"hub.mode=subscribe&hub.{query}&hub.challenge=1")

    def test_a_channel_without_a_word_gives_nothing_back(self) -> None:
        with pytest.raises(Forged):
            self.answer("hub.mode=subscribe&hub.verify_token=&hub.challenge=1", verify_token="")

    def test_a_call_that_tells_something_is_no_handshake(self) -> None:
        assert self.answer("hub.mode=subscribe&hub.verify_token=word&hub.challenge=1", "POST") is None
        assert self.answer("") == b""

    @pytest.mark.django_db
    def test_at_the_address_itself(self) -> None:
        channel = channels.create("meta", slug="page", name="Page", secrets=SIGNED["meta"][0])
        address = f"/hooks/{channel.hook_key}/"

        good = Client().get(address, {"hub.mode": "subscribe", "hub.verify_token": "word", "hub.challenge": "<b>1"})
        bad = Client().get(address, {"hub.mode": "subscribe", "hub.verify_token": "other", "hub.challenge": "1"})

        assert (good.status_code, good.content, good["Content-Type"]) == (200, b"<b>1", "text/plain; charset=utf-8")
        assert bad.status_code == 401
        assert not Delivery.objects.exists()


def split(slug: str, found: Any, **settings: str) -> list[RawItem]:
    connector = connectors.get(slug)
    assert isinstance(connector, HookedDocuments)
    return list(connector.split_document(found, settings=settings))


def feed(verb: str, time: int, **value: Any) -> dict[str, Any]:
    told = {"item": "comment", "comment_id": "55_901", "created_time": 1772445704, "verb": verb, **value}
    return {"object": "page", "entry": [{"id": "100", "time": time, "changes": [{"field": "feed", "value": told}]}]}


def test_an_edited_comment_is_later_than_its_first_words_and_a_removed_one_is_gone() -> None:
    added, edited, removed = (
        split("meta", feed(verb, 1772445704, message=verb))[0] for verb in ("add", "edited", "remove")
    )

    assert added.external_id == edited.external_id == removed.external_id == "55_901"
    assert added.updated_at is not None
    assert edited.updated_at is not None
    assert edited.updated_at > added.updated_at
    assert (removed.is_gone, b"message" in removed.payload) == (True, False)


def test_a_reaction_never_stands_in_the_place_of_what_it_is_about() -> None:
    (raw,) = split("meta", feed("remove", 1772445704, item="reaction"))

    assert (raw.is_gone, raw.external_id.startswith("bytes:")) == (False, True)


def test_a_webhook_that_names_a_response_leaves_its_place_to_the_answers() -> None:
    event = {"event_type": "response_completed", "event_id": "9", "object_id": "900001"}
    (named,) = split("surveymonkey", event)
    (deleted,) = split("surveymonkey", event | {"event_type": "response_deleted"})

    assert (named.external_id, deleted.external_id, deleted.is_gone) == ("event:9", "900001", True)


def test_a_response_is_kept_with_the_questions_it_answers() -> None:
    answered = {"id": "1", "pages": [{"questions": [{"id": "q1", "answers": [{"choice_id": "c"}]}]}]}
    asked = [{"id": name, "family": "single_choice", "headings": [{"heading": name}]} for name in ("q1", "q2")]
    details = {"id": "s", "title": "Survey", "pages": [{"questions": asked}]}

    for found in ({"data": [answered], "details": details}, [details, {"data": [answered]}], [answered, details]):
        (raw,) = split("surveymonkey", found)
        assert list(json.loads(raw.payload)["questions"]) == ["q1"]
    with pytest.raises(Unreadable):
        split("surveymonkey", {"data": [{"id": "1"}]})


def test_a_partial_response_and_the_finished_one_are_two_versions_of_one() -> None:
    partial = {"event_id": "1", "event_type": "form_response_partial", "form_response": {"token": "t"}}
    partial["form_response"] |= {"landed_at": "2026-03-04T09:00:00Z"}  # type: ignore[operator]
    whole = {"event_id": "2", "event_type": "form_response", "form_response": {"token": "t"}}
    whole["form_response"] |= {"submitted_at": "2026-03-04T09:05:00Z"}  # type: ignore[operator]
    (first,), (second,) = split("typeform", partial), split("typeform", whole)

    assert first.external_id == second.external_id == "t"
    assert first.updated_at is not None
    assert second.updated_at is not None
    assert first.updated_at < second.updated_at


def test_deleted_reviews_are_gone_and_events_of_other_kinds_are_items_of_their_own() -> None:
    event = {"eventName": "service-review-created", "eventData": {"id": "r1", "stars": 1, "createdAt": "2026-03-04"}}
    gone = {"eventName": "service-review-deleted", "eventData": {"id": "r1"}}

    raws = split("trustpilot", {"events": [event, gone, {"eventName": "other"}]})

    assert [(raw.external_id[:6], raw.is_gone) for raw in raws] == [("r1", False), ("r1", True), ("bytes:", False)]


def test_items_stand_where_the_channel_says() -> None:
    raws = split("signed_json", {"a": {"list": [{"id": 1}, {"id": 2}]}}, items_path="a.list")

    assert [raw.external_id for raw in raws] == ["1", "2"]
    with pytest.raises(Unreadable):
        split("signed_json", {"a": 1}, items_path="a.list")


@pytest.mark.django_db
@pytest.mark.parametrize("slug", SIGNED)
def test_a_call_of_every_kind_is_taken_at_its_address(slug: str) -> None:
    asked = {setting.name for setting in connectors.get(slug).asks if setting.is_secret}
    told = SIGNED[slug][0]
    channel = channels.create(
        slug,
        slug="way",
        name="Way",
        settings={name: text for name, text in told.items() if name not in asked},
        secrets={name: text for name, text in told.items() if name in asked},
    )

    def answer(body: bytes, **headers: str) -> HttpResponse:
        return Client().generic(
            "POST", f"/hooks/{channel.hook_key}/", body, "application/json", headers=SIGNED[slug][1](body) | headers
        )

    with time_machine.travel(AT, tick=False):
        assert answer(BODY).status_code == 200
        assert answer(BODY, **dict.fromkeys(SIGNED[slug][1](BODY), "other")).status_code == 401
    assert Delivery.objects.count() == 1


@pytest.mark.skipif(not SAMPLES.exists(), reason="The samples of other vendors' formats are not on this machine.")
class TestSamples:
    """What others wrote down of these vendors, where it is at hand."""

    VECTORS = json.loads((SAMPLES / "webhook_signatures/vectors_a.json").read_bytes()) if SAMPLES.exists() else {}

    @pytest.mark.parametrize("slug", ["typeform", "tally", "surveymonkey", "meta", "formbricks"])
    def test_every_vector_holds_and_every_altered_byte_breaks_it(self, slug: str) -> None:
        (vector,) = (each for each in self.VECTORS["vectors"] if each["provider"] == slug)
        headers = {name.lower(): value for name, value in vector["headers"].items()}
        body, at = self.VECTORS["body"].encode(), datetime.fromisoformat(self.VECTORS["timestamp"])
        verify(slug, headers, body, at=at, signing_secret=vector["secret"])

        for place in range(len(body)):
            other = body[:place] + bytes([body[place] ^ 1]) + body[place + 1 :]
            with pytest.raises(Forged):
                verify(slug, headers, other, at=at, signing_secret=vector["secret"])
        for name, value in headers.items():
            for place in range(len(value)):
                given = {**headers, name: changed(value, place)}
                with pytest.raises(Forged):
                    verify(slug, given, body, at=at, signing_secret=vector["secret"])

    @pytest.mark.django_db
    @pytest.mark.parametrize(
        ("slug", "file", "items"),
        [
            ("typeform", "typeform/webhook_form_response.json", 1),
            ("typeform", "typeform/api_responses_page.json", 1),
            ("tally", "tally/webhook_form_response.json", 1),
            ("formbricks", "formbricks/webhook_response_finished.json", 1),
            ("formbricks", "formbricks/webhook_response_created.json", 0),
            ("surveymonkey", "surveymonkey/api_v3_responses_bulk.json", 2),
            ("surveymonkey", "surveymonkey/webhook_response_completed.json", 0),
            ("trustpilot", "trustpilot/private_reviews_page.json", 1),
            ("meta", "facebook_instagram/webhook_page_ratings.json", 1),
            ("meta", "facebook_instagram/webhook_page_comment_add_edit_remove.json", 0),
            ("meta", "facebook_instagram/webhook_instagram_comment.json", 1),
            ("meta", "facebook_instagram/facebook_comments_p1.json", 10),
            ("meta", "facebook_instagram/instagram_comments_p1.json", 2),
            ("meta", "facebook_instagram/instagram_mentioned_comment.json", 1),
            ("meta", "facebook_instagram/export_comments_mojibake.json", 1),
        ],
    )
    def test_every_sample_is_read(self, slug: str, file: str, items: int) -> None:
        secrets = {asked.name: "x" for asked in connectors.get(slug).asks if asked.is_secret}
        channel = channels.create(slug, slug="way", name="Way", secrets=secrets)
        connector = connectors.get(slug)
        assert isinstance(connector, FileConnector)

        rows = list(connector.rows(BytesIO((SAMPLES / file).read_bytes()), settings={}))
        hooks.receiving.receive_many(channel, [row.raw for row in rows], at=AT)  # type: ignore[union-attr]
        normalizing.normalize_pending(at=AT)

        assert not Submission.objects.parked().exists()
        assert FeedbackItem.objects.count() == items
        assert "Ã" not in "".join(FeedbackItem.objects.values_list("text", flat=True))
