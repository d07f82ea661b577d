"""What a source changes or deletes later: the newest version stands, whatever order it came in, and gone stays gone."""

import itertools
import json
from datetime import UTC, datetime, timedelta
from threading import Barrier, Thread

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from intake import normalizing, privacy, receiving
from intake.connectors.base import RawItem
from intake.models import Arrival, Channel, FeedbackItem, Revision, Submission
from tests.makers import make_channel
from triage import pipeline
from triage.models import Analysis, Event, SearchText, Ticket

AT = datetime(2026, 3, 4, 12, tzinfo=UTC)


def version(text: str, hours: int | None, *, external_id: str = "review-1") -> RawItem:
    updated_at = None if hours is None else AT + timedelta(hours=hours)
    return RawItem(external_id, json.dumps({"text": text}).encode(), updated_at=updated_at)


def gone(hours: int, *, external_id: str = "review-1") -> RawItem:
    return RawItem(external_id, b"{}", updated_at=AT + timedelta(hours=hours), is_gone=True)


def work_off() -> None:
    normalizing.normalize_pending(at=AT)
    pipeline.understand_pending(at=AT)


@pytest.fixture
def channel(db: None) -> Channel:
    return make_channel()


FIRST, SECOND, THIRD = version("Two stars", 1), version("Three stars", 2), version("Five stars", 3)


@pytest.mark.parametrize("order", list(itertools.permutations([FIRST, SECOND, THIRD])))
def test_the_newest_version_stands_in_whatever_order_they_came(channel: Channel, order: tuple[RawItem, ...]) -> None:
    for raw in order:
        receiving.receive(channel, raw, at=AT)
        work_off()
    assert [item.text for item in FeedbackItem.objects.all()] == ["Five stars"]
    assert Submission.objects.get().conflicting_payload is None


def test_versions_inside_one_batch_end_the_same(channel: Channel) -> None:
    received = receiving.receive_many(channel, [SECOND, THIRD, FIRST], at=AT)
    work_off()
    assert [(each.is_new, each.is_newer) for each in received] == [(True, False), (False, True), (False, False)]
    assert FeedbackItem.objects.get().text == "Five stars"


def test_what_stood_before_is_kept_and_tickets_stay_where_they_are(channel: Channel) -> None:
    receiving.receive(channel, FIRST, at=AT)
    work_off()
    ticket = Ticket.objects.get()
    assert receiving.receive(channel, version("Now it leaks oil", 2), at=AT).is_newer
    work_off()
    assert [bytes(each.payload) for each in Revision.objects.all()] == [FIRST.payload]
    again = Ticket.objects.get()
    assert (again.pk, again.team_id, again.version) == (ticket.pk, ticket.team_id, ticket.version)
    assert list(ticket.events.order_by("id").values_list("type", flat=True)) == ["routed", "changed"]
    assert Analysis.objects.count() == 1
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM triage_searchtext WHERE document @@ to_tsquery('simple', 'leaks')")
        assert cursor.fetchone() == (1,)


def test_the_same_bytes_again_change_nothing(channel: Channel) -> None:
    receiving.receive(channel, FIRST, at=AT)
    work_off()
    later = RawItem("review-1", FIRST.payload, updated_at=AT + timedelta(hours=9))
    assert not receiving.receive(channel, later, at=AT).is_newer
    assert Revision.objects.count() == 0


@pytest.mark.parametrize("order", list(itertools.permutations([FIRST, THIRD, gone(2)])))
def test_what_the_source_deleted_is_erased_and_never_comes_back(channel: Channel, order: tuple[RawItem, ...]) -> None:
    for raw in order:
        receiving.receive(channel, raw, at=AT)
        work_off()
    row = Submission.objects.get()
    assert row.gone_at is not None
    assert bytes(row.payload) == b""
    assert not FeedbackItem.objects.filter(text__contains="stars").exists()
    assert not Revision.objects.exists()
    assert not SearchText.objects.exists()


def test_a_deleted_item_stays_counted_and_its_ticket_says_why(channel: Channel) -> None:
    receiving.receive(channel, FIRST, at=AT)
    work_off()
    receiving.receive(channel, gone(2), at=AT)
    work_off()
    assert FeedbackItem.objects.count() == Ticket.objects.count() == 1
    assert Event.objects.filter(type="noted", source="customer").count() == 1
    assert not Arrival.objects.waiting().exists()


def test_a_deletion_of_what_never_came_keeps_it_away(channel: Channel) -> None:
    receiving.receive(channel, gone(2), at=AT)
    work_off()
    assert not receiving.receive(channel, THIRD, at=AT).is_newer
    work_off()
    assert not FeedbackItem.objects.exists()


def test_a_body_without_a_version_is_kept_beside_what_stands(channel: Channel) -> None:
    receiving.receive(channel, FIRST, at=AT)
    assert not receiving.receive(channel, version("Says who?", None), at=AT).is_newer
    assert bytes(Submission.objects.get().conflicting_payload or b"") == version("Says who?", None).payload


def test_replacing_many_takes_as_many_statements_as_replacing_few(channel: Channel) -> None:
    counts = []
    # The first round is not counted: it is the one in which the portal meets the text that the others share.
    for many in (1, 2, 20):
        ids = [f"many-{many}-{number}" for number in range(many)]
        receiving.receive_many(channel, [version("old", 1, external_id=each) for each in ids], at=AT)
        work_off()
        with CaptureQueriesContext(connection) as asked:
            receiving.receive_many(channel, [version("new", 2, external_id=each) for each in ids], at=AT)
            normalizing.normalize_pending(at=AT)
            pipeline.understand_pending(at=AT)
        counts.append(len(asked))
    assert counts[1] == counts[2]


@pytest.mark.django_db(transaction=True)
def test_two_versions_at_once_leave_the_newer_one_and_one_revision() -> None:
    channel = make_channel()
    receiving.receive(channel, FIRST, at=AT)
    start = Barrier(8)

    def send(raw: RawItem) -> None:
        start.wait()
        receiving.receive(channel, raw, at=AT)
        connection.close()

    threads = [Thread(target=send, args=[SECOND if place % 2 else THIRD]) for place in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert bytes(Submission.objects.get().payload) == THIRD.payload
    assert Revision.objects.count() in (1, 2)
    assert len(set(Revision.objects.values_list("source_updated_at", flat=True))) == Revision.objects.count()


def test_a_deleted_conversation_takes_along_what_was_said_in_it(channel: Channel) -> None:
    received = receiving.receive_many(
        channel, [version("First", 1, external_id="a"), version("Other", 1, external_id="b")], at=AT
    )
    work_off()
    FeedbackItem.objects.filter(pk=received[0].submission.pk).update(thread="talk-1")
    receiving.receive(channel, gone(2, external_id="talk-1"), at=AT)
    work_off()
    work_off()
    assert sorted(FeedbackItem.objects.values_list("text", flat=True)) == [privacy.ERASED, "Other"]
