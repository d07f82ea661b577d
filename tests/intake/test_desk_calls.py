"""Support systems: whoever calls in their name proves it, by every byte."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from defusedxml.ElementTree import fromstring
from django.test import Client

from feedback_portal.accounts.models import hashed
from intake import hooks, normalizing
from intake.connectors import connectors
from intake.connectors.base import Call, Forged, Unreadable
from intake.connectors.desks import Desk
from intake.connectors.documents import packed
from intake.connectors.signatures import signed
from intake.models import Channel, Delivery, FeedbackItem, Submission

ROOT = Path(__file__).resolve().parents[2]
SAMPLES = ROOT.parent / "shared" / "samples"

AT = datetime(2026, 4, 7, 9, 30, tzinfo=UTC)
STAMP = str(int(AT.timestamp()))
SECRET = "secret-of-this-channel"
BODY = '{"said":"grüße","n":1.0}'.encode()
ADDRESS = "https://portal.example/hooks/k?from=a%2Fb"

# Worked out once from what each vendor documents, so that none of our own code decides what is right here.
SIGNED = {
    "zendesk": {
        "x-zendesk-webhook-signature": "wy2MVdK9L/XfxtzA9UnFY40caYUPI+0EfermRFnQ5i4=",
        "x-zendesk-webhook-signature-timestamp": "2026-04-07T09:30:00Z",
    },
    "intercom": {"x-hub-signature": "sha1=c01b34a4083f56d1b750f31feb3cad00af575b74"},
    "hubspot": {
        "x-hubspot-signature-v3": "MMUvMf3hez9jy6etv8Qrut/boPJxlPP029QeDpiZiAI=",
        "x-hubspot-request-timestamp": f"{STAMP}000",
    },
    "chatwoot": {
        "x-chatwoot-signature": "sha256=d10de9f7f460e69870add96cf67988dba43275f9829bad1af371d2ccd9356f2f",
        "x-chatwoot-timestamp": STAMP,
    },
    "helpscout": {"x-helpscout-signature": "wBs0pAg/VtG3UPMf6zytAK9XW3Q="},
    "jira": {"x-hub-signature": "sha256=051a8d1a05f1573d24775807985529785534a075d612df1566aa3e3b4b236933"},
}
TIMED = ("zendesk", "hubspot", "chatwoot")
by_signature = pytest.mark.parametrize("slug", SIGNED)


OUTBOUND = b"""<?xml version="1.0" encoding="UTF-8"?>
<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><soapenv:Body>
<notifications xmlns="http://soap.sforce.com/2005/09/outbound"><OrganizationId>00D1</OrganizationId><SessionId xsi:nil="true"/>
<Notification><Id>04l1</Id><sObject xsi:type="sf:Case" xmlns:sf="urn:sobject.enterprise.soap.sforce.com"><sf:Id>5003000000D8cuI</sf:Id>
<sf:CaseNumber>00004401</sf:CaseNumber><sf:Subject>true</sf:Subject><sf:Description>It leaks &amp; drips.</sf:Description><sf:ContactId xsi:nil="true"/>
<sf:SuppliedEmail>eva@lang.example</sf:SuppliedEmail><sf:SystemModstamp>2026-04-08T10:00:00.000Z</sf:SystemModstamp></sObject></Notification>
<Notification><Id>04l2</Id><sObject xsi:type="sf:Case" xmlns:sf="urn:sobject.enterprise.soap.sforce.com"><sf:Id>5003000000D8cuJ</sf:Id>
<sf:Subject>Lid</sf:Subject><sf:IsDeleted>true</sf:IsDeleted></sObject></Notification>
</notifications></soapenv:Body></soapenv:Envelope>"""


def desk_of(slug: str) -> Desk:
    desk = connectors.get(slug)
    assert isinstance(desk, Desk)
    return desk


def call(slug: str, *, body: bytes = BODY, **headers: str) -> Call:
    return Call("POST", ADDRESS, {**SIGNED.get(slug, {}), **headers}, body)


def verify(slug: str, given: Call, *, secret: str = SECRET, at: datetime = AT) -> None:
    desk_of(slug).verify(given, secrets={"signing_secret": secret}, at=at)


@by_signature
def test_what_the_system_signed_is_genuine(slug: str) -> None:
    verify(slug, call(slug))


@by_signature
def test_every_altered_byte_is_forged(slug: str) -> None:
    for place in range(len(BODY)):
        altered = BODY[:place] + bytes([BODY[place] ^ 1]) + BODY[place + 1 :]
        with pytest.raises(Forged):
            verify(slug, call(slug, body=altered))


@by_signature
def test_every_altered_sign_of_a_header_is_forged(slug: str) -> None:
    for name, value in SIGNED[slug].items():
        for place in range(len(value)):
            altered = value[:place] + chr(ord(value[place]) ^ 1) + value[place + 1 :]
            with pytest.raises(Forged):
                verify(slug, call(slug, **{name: altered}))
        with pytest.raises(Forged):
            verify(slug, Call("POST", ADDRESS, {key: said for key, said in SIGNED[slug].items() if key != name}, BODY))


@by_signature
def test_another_secret_does_not_verify(slug: str) -> None:
    with pytest.raises(Forged):
        verify(slug, call(slug), secret="another")


@pytest.mark.parametrize("slug", [slug for slug in SIGNED if slug != "chatwoot"])
def test_without_a_secret_nothing_is_genuine(slug: str) -> None:
    with pytest.raises(Forged):
        verify(slug, call(slug), secret="")


@pytest.mark.parametrize("slug", TIMED)
def test_a_call_kept_back_is_too_old(slug: str) -> None:
    verify(slug, call(slug), at=AT + timedelta(minutes=4))
    with pytest.raises(Forged):
        verify(slug, call(slug), at=AT + timedelta(minutes=6))


def test_hubspot_signs_the_method_and_the_address_too() -> None:
    for method, address in (
        ("PUT", ADDRESS),
        ("POST", ADDRESS + "c"),
        ("POST", "https://other.example/hooks/k?from=a/b"),
    ):
        with pytest.raises(Forged):
            verify("hubspot", Call(method, address, SIGNED["hubspot"], BODY))


def test_the_secret_that_zendesk_publishes_for_tests_proves_nothing() -> None:
    headers = {
        "x-zendesk-webhook-signature": "r2MXivupUusuqYyB3YuzWqsmk7nhmtBVoc1y3RXhSlw=",
        "x-zendesk-webhook-signature-timestamp": "2026-04-07T09:30:00Z",
    }
    with pytest.raises(Forged, match="publishes"):
        verify("zendesk", Call("POST", ADDRESS, headers, BODY), secret="dGhpc19zZWNyZXRfaXNfZm9yX3Rlc3Rpbmdfb25seQ==")


def test_an_older_chatwoot_signs_nothing_and_is_known_by_its_address() -> None:
    verify("chatwoot", Call("POST", ADDRESS, {}, BODY), secret="")
    with pytest.raises(Forged):
        verify("chatwoot", Call("POST", ADDRESS, {}, BODY))


@pytest.mark.parametrize("slug", ["freshdesk", "salesforce"])
def test_a_system_that_signs_nothing_may_be_given_a_secret_to_carry(slug: str) -> None:
    desk, bare = desk_of(slug), Call("POST", ADDRESS, {}, BODY)
    desk.verify(bare, secrets={}, at=AT)
    desk.verify(call(slug, **{"x-portal-secret": "open"}), secrets={"shared_secret": "open"}, at=AT)
    for wrong in (bare, call(slug, **{"x-portal-secret": "opem"})):
        with pytest.raises(Forged):
            desk.verify(wrong, secrets={"shared_secret": "open"}, at=AT)


def test_a_second_try_of_intercom_is_the_same_delivery() -> None:
    first, second = (
        packed({"type": "notification_event", "id": "n-1", "topic": "ping", "delivery_attempts": tries})
        for tries in (1, 2)
    )
    intercom = desk_of("intercom")
    assert intercom.delivery_id(call("intercom", body=first)) == intercom.delivery_id(call("intercom", body=second))


@by_signature
def test_the_examples_of_signatures_hold(slug: str) -> None:
    path = SAMPLES / "webhook_signatures" / "vectors_a.json"
    if not path.exists():
        pytest.skip("There are no examples of signatures beside the checkout.")
    found = json.loads(path.read_text(encoding="utf-8"))
    (vector,) = (each for each in found["vectors"] if each["provider"].removesuffix("_v3") == slug)
    headers = {name.lower(): value for name, value in vector["headers"].items()}
    body, at = found["body"].encode(), datetime.fromisoformat(found["timestamp"])
    given = Call("POST", vector.get("uri", ADDRESS), headers, body)
    verify(slug, given, secret=vector["secret"], at=at)
    for place in range(len(body)):
        altered = body[:place] + bytes([body[place] ^ 1]) + body[place + 1 :]
        with pytest.raises(Forged):
            verify(slug, Call(given.method, given.url, headers, altered), secret=vector["secret"], at=at)


@pytest.mark.django_db
def test_what_help_scout_says_beside_the_body_is_still_known_when_the_call_is_taken_apart() -> None:
    channel = Channel(slug="desk", name="Desk", kind="helpscout")
    channel.secrets = {"signing_secret": SECRET}
    channel.hook_hash = hashed(channel.hook_key)
    channel.save()
    body = b'{"id":220}'
    headers = {
        "x-helpscout-event": "convo.deleted",
        "x-helpscout-signature": signed(SECRET.encode(), body, digest="sha1"),
    }

    hooks.take(channel.hook_key, Call("POST", ADDRESS, headers, body), at=AT)
    hooks.take_apart_pending()

    stored = Submission.objects.get()
    assert (stored.external_id, stored.gone_at) == ("conversation:220", AT)


def salesforce_channel() -> Channel:
    channel = Channel(slug="desk", name="Desk", kind="salesforce")
    channel.hook_hash = hashed(channel.hook_key)
    channel.save()
    return channel


@pytest.mark.django_db
def test_an_outbound_message_of_salesforce_is_acknowledged_once_it_is_stored(client: Client) -> None:
    channel = salesforce_channel()
    address = f"/hooks/{channel.hook_key}/"

    answered = client.post(address, OUTBOUND, content_type="text/xml")
    assert Delivery.objects.get().completed_at is None
    hooks.take_apart_pending()
    normalizing.normalize_pending(at=AT)

    acknowledged = fromstring(answered.content).find(".//{http://soap.sforce.com/2005/09/outbound}Ack")
    assert (answered.status_code, answered["Content-Type"]) == (200, "text/xml; charset=utf-8")
    assert acknowledged is not None
    assert acknowledged.text == "true"
    item = FeedbackItem.objects.get()
    assert (item.title, item.text, item.submission.external_id) == ("true", "It leaks & drips.", "5003000000D8cuIAAR")
    assert Submission.objects.get(gone_at__isnull=False).external_id == "5003000000D8cuJAAR"


@pytest.mark.django_db
def test_a_call_of_a_flow_is_told_nothing(client: Client) -> None:
    answered = client.post(f"/hooks/{salesforce_channel().hook_key}/", b"{}", content_type="application/json")

    assert (answered.content, answered["Content-Type"]) == (b"", "text/plain; charset=utf-8")


@pytest.mark.parametrize(
    "body",
    [
        b"<",
        b"<a/>",
        OUTBOUND[:-40],
        b'<!DOCTYPE a [<!ENTITY b "c">]>' + OUTBOUND.partition(b"?>")[2].lstrip(),
        b"<!DOCTYPE a>" + OUTBOUND.partition(b"?>")[2].lstrip(),
        b'<?xml version="1.0" encoding="nonsense"?><a/>',
    ],
    ids=["broken", "other", "cut", "entities", "doctype", "encoding"],
)
def test_xml_that_is_no_outbound_message_is_refused_in_a_sentence(body: bytes) -> None:
    with pytest.raises(Unreadable, match=r"^It is .*\. Have Salesforce send an outbound message.*\.$"):
        list(desk_of("salesforce").split(Call("POST", ADDRESS, {}, body), settings={}))
