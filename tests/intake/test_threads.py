"""Conversations are joined by the same customer's words alone, whatever a sender claims to answer."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from feedback_portal.codes import customer_code
from intake import normalizing, receiving
from intake.connectors.mails import raw_mail
from intake.models import Channel, FeedbackItem
from intake.threads import POSSIBLY
from tests.makers import AT, make_channel

pytestmark = pytest.mark.django_db


@pytest.fixture
def channel() -> Channel:
    return make_channel("mails", kind="email")


def send(channel: Channel, name: str, *, by: str = "ana", answers: str = "", root: str = "") -> FeedbackItem:
    receiving.receive(channel, raw_mail(mail(name, by=by, answers=answers, root=root)), at=AT)
    normalizing.normalize_pending(at=AT)
    return FeedbackItem.objects.get(channel=channel, submission__external_id=f"{name}@x.example")


def mail(name: str, *, by: str = "ana", answers: str = "", root: str = "") -> bytes:
    lines = [f"From: {by}@customers.example", f"Message-ID: <{name}@x.example>", f"Subject: {name}"]
    lines += [f"In-Reply-To: <{answers}@x.example>"] if answers else []
    lines += [f"References: <{root}@x.example>"] if root else []
    return "\n".join([*lines, "", f"The words of {name}."]).encode()


def test_an_answer_follows_what_its_sender_said(channel: Channel) -> None:
    first = send(channel, "first")
    second = send(channel, "second", answers="first")
    assert (second.follows, second.thread) == (first, first.thread)
    assert POSSIBLY not in second.context


def test_an_answer_to_our_answer_follows_the_last_word_of_its_sender(channel: Channel) -> None:
    send(channel, "first")
    second = send(channel, "second", answers="first")
    third = send(channel, "third", answers="one-of-ours", root="first")
    assert third.follows == second


def test_a_mail_that_claims_to_answer_another_customer_stays_new(channel: Channel) -> None:
    first = send(channel, "first")
    forged = send(channel, "forged", by="mallory", answers="first", root="first")
    assert (forged.follows, forged.thread) == (None, "")
    assert forged.context[POSSIBLY] == customer_code(first.pk)
    first.refresh_from_db()
    assert first.context == {} or POSSIBLY not in first.context
    assert send(channel, "again", by="mallory", answers="forged").follows == forged
    assert send(channel, "second", answers="forged", root="first").follows == first


def test_a_mail_from_nobody_joins_nobody(channel: Channel) -> None:
    receiving.receive(channel, raw_mail(b"Message-ID: <a@x.example>\n\nWho am I?"), at=AT)
    receiving.receive(channel, raw_mail(b"Message-ID: <b@x.example>\nIn-Reply-To: <a@x.example>\n\nAnd I?"), at=AT)
    normalizing.normalize_pending(at=AT)
    assert not FeedbackItem.objects.exclude(follows=None).exists()


def test_another_channel_is_another_conversation(channel: Channel) -> None:
    send(channel, "first")
    other = send(make_channel("other-mails", kind="email"), "second", answers="first")
    assert other.follows is None
    assert POSSIBLY not in other.context


def test_what_follows_in_one_batch_is_joined_with_as_many_statements_for_many_as_for_few(channel: Channel) -> None:
    send(channel, "before")  # so that the customer is known to both
    counts = []
    for many in (2, 20):
        names = [f"{many}-{number}" for number in range(many)]
        raws = [raw_mail(mail(name)) for name in names]
        raws += [raw_mail(mail(f"{name}-reply", answers=name)) for name in names]
        receiving.receive_many(channel, raws, at=AT)
        with CaptureQueriesContext(connection) as asked:
            normalizing.normalize_pending(at=AT)
        counts.append(len(asked))
        assert FeedbackItem.objects.exclude(follows=None).count() >= many
    assert counts[0] == counts[1]
    for item in FeedbackItem.objects.exclude(follows=None).select_related("follows"):
        assert item.follows is not None
        assert item.title == f"{item.follows.title}-reply"
