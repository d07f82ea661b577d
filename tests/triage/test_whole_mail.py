"""The whole text of a mail: what was quoted is there, is masked as the rest is, and stays text."""

import pytest
from django.test import Client
from django.utils import timezone

from intake import normalizing, receiving
from intake.connectors import mails
from intake.models import Channel, FeedbackItem, Submission
from tests.makers import make_channel, make_person, make_team, make_ticket
from triage.models import Ticket

pytestmark = pytest.mark.django_db

MAIL = """From: Ana <ana@customers.example>
To: help@example.com
Subject: The lid
Date: Wed, 4 Mar 2026 10:00:00 +0000
Message-ID: <1@customers.example>
Content-Type: text/plain; charset=utf-8

It cracked again. <img src=x onerror=alert(1)>

On Tue, 3 Mar 2026 at 09:00, Help <help@example.com> wrote:
> Please send the number of your card.
> We sent it {quoted}.
"""


def mailed(quoted: str = "on Monday") -> Ticket:
    channel = make_channel("mail", "email")
    raw = mails.raw_mail(MAIL.format(quoted=quoted).encode())
    receiving.receive(channel, raw, at=timezone.now())
    normalizing.normalize_pending(at=timezone.now())
    return make_ticket(item=FeedbackItem.objects.get(), at=timezone.now())


def desk(ticket: Ticket) -> Client:
    client = Client()
    client.force_login(make_person("Tariq", ticket.team))
    return client


def shown(ticket: Ticket) -> str:
    return desk(ticket).get(f"/triage/{ticket.reference}/mail/").content.decode()


def test_the_item_leads_to_what_was_quoted_and_nothing_of_it_runs() -> None:
    ticket = mailed()
    assert "sent it on Monday" not in ticket.item.text

    item = desk(ticket).get("/triage/", {"item": ticket.reference}).content.decode()
    page = shown(ticket)

    assert f'href="/triage/{ticket.reference}/mail/"' in item
    assert "We sent it on Monday" in page
    assert "Ana &lt;ana@customers.example&gt;" in page
    assert "&lt;img src=x onerror=alert(1)&gt;" in page
    assert "<img src=x" not in page


def test_personal_data_in_what_was_quoted_is_masked_as_the_channel_wants_it() -> None:
    ticket = mailed("to 4111 1111 1111 1111")
    assert "[card number]" in shown(ticket)
    assert "4111 1111" not in shown(ticket)

    Channel.objects.filter(slug="mail").update(settings={"personal_data": "off"})
    assert "4111 1111" in shown(ticket)


@pytest.mark.parametrize(
    ("left", "said"),
    [
        ({"is_sealed": True}, "kept sealed"),
        ({"payload": b""}, "kept no longer"),
        ({"payload": b"a: b\n\n" + b"\n" * 500_001}, "more than 500,000 lines"),
    ],
    ids=["sealed", "gone", "too much"],
)
def test_what_cannot_be_shown_says_why(left: dict[str, object], said: str) -> None:
    ticket = mailed()
    Submission.objects.update(**left)

    answered = desk(ticket).get(f"/triage/{ticket.reference}/mail/")

    assert answered.status_code == 409
    assert said in answered.content.decode()


def test_another_team_finds_nothing() -> None:
    ticket = mailed()
    client = Client()
    client.force_login(make_person("Omar", make_team("marketing")))

    assert client.get(f"/triage/{ticket.reference}/mail/").status_code == 404


def test_what_did_not_come_by_mail_has_no_full_message() -> None:
    ticket = make_ticket(at=timezone.now())

    assert "Full message" not in desk(ticket).get("/triage/", {"item": ticket.reference}).content.decode()
    assert desk(ticket).get(f"/triage/{ticket.reference}/mail/").status_code == 404
