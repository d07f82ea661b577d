"""Mail services that receive for us: their calls are genuine or refused, and become the same mail as from a file."""

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from django.test import Client

from feedback_portal.accounts.models import hashed
from intake import hooks, normalizing
from intake.connectors import connectors
from intake.connectors.base import Call, Draft, Forged, Ignored, PushConnector, RawItem, Unreadable
from intake.connectors.mailgun import Mailgun
from intake.models import FeedbackItem
from tests.makers import make_channel

AT = datetime(2026, 3, 3, 9, 20, tzinfo=UTC)
VECTORS = Path(__file__).parents[3] / "shared" / "samples" / "webhook_signatures" / "vectors_a.json"
HEADERS = [
    ("Message-Id", "<first@customers.example>"),
    ("In-Reply-To", "<agent-1@portal.example>"),
    ("From", "Ana Lindqvist <ana@customers.example>"),
    ("Date", "Tue, 03 Mar 2026 09:15:00 +0100"),
    ("Subject", "Re: =?utf-8?Q?K=C3=B6ksfl=C3=A4kt?="),
    ("To", "care@portal.example"),
    ("Content-Type", 'multipart/mixed; boundary="theirs"'),
]
PLAIN = "Den låter.\n\nOn Tue, Mar 3, 2026 at 8:00 AM Care wrote:\n\n> How is it?\n"


def connector(slug: str) -> PushConnector:
    found = connectors.get(slug)
    assert isinstance(found, PushConnector)
    return found


def form(fields: dict[str, str]) -> Call:
    return called(urlencode(fields).encode(), "application/x-www-form-urlencoded")


def multipart(fields: dict[str, bytes], *files: tuple[str, str, str, bytes]) -> Call:
    parts = [
        f'--m\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n'.encode() + said for name, said in fields.items()
    ]
    for name, file_name, kind, content in files:
        about = f'--m\r\nContent-Disposition: form-data; name="{name}"; filename="{file_name}"\r\nContent-Type: {kind}\r\n\r\n'
        parts.append(about.encode() + content)
    return called(b"\r\n".join([*parts, b"--m--\r\n"]), "multipart/form-data; boundary=m")


def called(body: bytes, kind: str, **headers: str) -> Call:
    return Call("POST", "https://portal.example/hooks/key/", {"content-type": kind, **headers}, body)


def drafts(slug: str, call: Call) -> list[Draft]:
    found = connector(slug)
    return [found.parse(raw, settings={}) for raw in found.split(call, settings={})]


def expect_the_mail(draft: Draft) -> None:
    assert (draft.text, draft.title, draft.context["quoted text"]) == ("Den låter.", "Köksfläkt", "yes")
    assert (draft.sender.email, draft.sender.name) == ("ana@customers.example", "Ana Lindqvist")
    assert (draft.thread, draft.reply_to) == ("agent-1@portal.example", "agent-1@portal.example")
    assert draft.submitted_at == datetime(2026, 3, 3, 8, 15, tzinfo=UTC)


def mailgun(*, key: str = "key", at: datetime = AT, **fields: str) -> dict[str, str]:
    stamp, token = str(int(at.timestamp())), "t" * 50
    signature = hmac.new(key.encode(), (stamp + token).encode(), hashlib.sha256).hexdigest()
    return {"timestamp": stamp, "token": token, "signature": signature, **fields}


def test_mailgun_posts_a_mail_in_fields() -> None:
    fields = mailgun(**{"message-headers": json.dumps(HEADERS), "body-plain": PLAIN, "sender": "ana@customers.example"})
    (draft,) = drafts("mailgun", form(fields))
    expect_the_mail(draft)
    (raw,) = connector("mailgun").split(form(fields), settings={})
    assert raw.external_id == "first@customers.example"
    assert [raw] == list(connector("mailgun").split(form(fields), settings={}))


def test_mailgun_posts_files_and_whole_mails() -> None:
    fields = {"message-headers": json.dumps(HEADERS).encode(), "body-plain": PLAIN.encode()}
    (draft,) = drafts(
        "mailgun", multipart(fields, ("attachment-1", "Läcka.png", "image/png", b"\x89PNG\r\n--m not the end"))
    )
    expect_the_mail(draft)
    assert [(file.name, file.content_type, file.content) for file in draft.files] == [
        ("Läcka.png", "image/png", b"\x89PNG\r\n--m not the end")
    ]
    whole = b"From: bo@customers.example\r\nSubject: Whole\r\n\r\nAs it was."
    assert [each.text for each in drafts("mailgun", multipart({"body-mime": whole}))] == ["As it was."]


def test_mailgun_signs_the_time_and_the_token() -> None:
    genuine = form(mailgun())
    verify = connector("mailgun").verify
    verify(genuine, secrets={"signing_key": "key"}, at=AT + timedelta(hours=8))
    for call, key, at in (
        (genuine, "other", AT),
        (genuine, "", AT),
        (form({**mailgun(), "token": "u" * 50}), "key", AT),
        (form(mailgun()), "key", AT + timedelta(hours=13)),
        (form({}), "key", AT),
    ):
        with pytest.raises(Forged):
            verify(call, secrets={"signing_key": key}, at=at)
    # Another mail under the same token is the same call again.
    assert connector("mailgun").delivery_id(genuine) == connector("mailgun").delivery_id(form(mailgun(subject="other")))


@pytest.mark.skipif(not VECTORS.exists(), reason="The vectors are not beside the project.")
def test_mailgun_signs_as_its_documentation_has_it() -> None:
    vectors = json.loads(VECTORS.read_text(encoding="utf-8"))["vectors"]
    vector = next(each for each in vectors if each["provider"] == "mailgun")
    at = datetime.fromtimestamp(int(vector["form"]["timestamp"]), UTC)
    connector("mailgun").verify(form(vector["form"]), secrets={"signing_key": vector["secret"]}, at=at)


def test_sendgrid_names_the_encoding_of_each_field() -> None:
    head = "\n".join(f"{name}: {said}" for name, said in HEADERS)
    fields = {
        "headers": head.encode(),
        "text": PLAIN.encode("cp1252"),
        "charsets": b'{"text": "windows-1252"}',
        "dkim": b"{@customers.example : pass}",
    }
    (draft,) = drafts("sendgrid", multipart(fields, ("attachment1", "lid.png", "image/png", b"png")))
    expect_the_mail(draft)
    assert [file.name for file in draft.files] == ["lid.png"]


def test_sendgrid_tells_a_mail_from_nobody() -> None:
    fields = {"headers": b"From: a@b.example", "text": b"Undelivered", "envelope": b'{"to": ["x@y.z"], "from": ""}'}
    with pytest.raises(Ignored, match="mail system"):
        drafts("sendgrid", multipart(fields))


def postmark(**members: Any) -> Call:
    headers = [{"Name": name, "Value": said} for name, said in HEADERS if name in ("Message-Id", "In-Reply-To")]
    body = {
        "From": "Ana Lindqvist <ana@customers.example>",
        "Subject": "Re: Köksfläkt",
        "Date": "Tue, 3 Mar 2026 09:15:00 +0100",
        "MessageID": "0-0-0-0-0",
        "TextBody": PLAIN,
        "Headers": headers,
        "Attachments": [{"Name": "lid.png", "ContentType": "image/png", "Content": base64.b64encode(b"png").decode()}],
    }
    return called(json.dumps({**body, **members}).encode(), "application/json")


def test_postmark_posts_a_mail_as_json() -> None:
    (draft,) = drafts("postmark", postmark())
    expect_the_mail(draft)
    assert [(file.name, file.content) for file in draft.files] == [("lid.png", b"png")]
    assert connector("postmark").delivery_id(postmark()) == "0-0-0-0-0"
    with pytest.raises(Unreadable):
        drafts("postmark", called(b"{}", "application/json"))


def test_a_header_cannot_write_another() -> None:
    (raw,) = connector("postmark").split(postmark(Subject="x\r\nAuto-Submitted: auto-replied\r\n\r\nbody"), settings={})
    assert connector("postmark").parse(raw, settings={}).title == "x Auto-Submitted: auto-replied body"


@pytest.mark.parametrize("slug", ["postmark", "sendgrid"])
def test_services_that_sign_nothing_name_a_user_and_a_password(slug: str) -> None:
    verify = connector(slug).verify
    given = "Basic " + base64.b64encode(b"portal:secret").decode()
    verify(called(b"", "text/plain"), secrets={}, at=AT)
    verify(called(b"", "text/plain", authorization=given), secrets={"basic_auth": "portal:secret"}, at=AT)
    for headers in ({"authorization": given + "x"}, {}):
        with pytest.raises(Forged):
            verify(called(b"", "text/plain", **headers), secrets={"basic_auth": "portal:secret"}, at=AT)


@pytest.mark.parametrize("slug", ["mailgun", "sendgrid"])
@pytest.mark.parametrize(
    "call",
    [
        called(b"\xff\xfe", "text/plain"),
        called(b"x", "multipart/form-data"),
        called(b"--m\r\n\r\n" * 1_000, "multipart/form-data; boundary=m"),
        called(b"&".join(b"a=1" for _ in range(1_000)), "application/x-www-form-urlencoded"),
    ],
    ids=["no form", "no boundary", "many parts", "many fields"],
)
def test_what_is_no_form_is_refused_in_words(slug: str, call: Call) -> None:
    with pytest.raises(Unreadable):
        list(connector(slug).split(call, settings={}))


def test_what_a_service_made_of_a_mail_is_read_within_the_same_bounds() -> None:
    raw = RawItem("1", b"To: " + b"a@b.example, " * 200 + b"\n\nHi all.")
    with pytest.raises(Unreadable, match="100 addresses"):
        connector("postmark").parse(raw, settings={})


@pytest.mark.django_db
def test_a_mail_larger_than_any_page_may_be_comes_in_at_the_door() -> None:
    channel = make_channel("mails", kind="mailgun")
    channel.secrets = {"signing_key": "key"}
    channel.hook_hash = hashed(channel.hook_key)
    channel.save()
    at = datetime.now(UTC)
    fields = {name: said.encode() for name, said in mailgun(at=at, **{"message-headers": json.dumps(HEADERS)}).items()}
    sent = multipart(
        {**fields, "body-plain": PLAIN.encode()}, ("attachment-1", "lid.bin", "image/png", b"x" * 3_000_000)
    )

    def post(body: bytes) -> int:
        kind = sent.headers["content-type"]
        return Client().post(f"/hooks/{channel.hook_key}/", body, content_type=kind).status_code

    assert post(sent.body) == post(sent.body) == 200
    assert post(sent.body + b" " * Mailgun.largest) == 413
    hooks.take_apart_pending()
    normalizing.normalize_pending(at=at)
    assert FeedbackItem.objects.get().text == "Den låter."
