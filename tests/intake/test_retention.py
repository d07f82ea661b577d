"""What arrived is emptied after its channel's time and not before; what came of it, and whatever is on hold, stays."""

import json
from datetime import timedelta

import pytest
from django.test import Client

from feedback_portal.accounts.models import Role
from feedback_portal.sealing import seal
from intake import normalizing, receiving, retention
from intake.connectors.base import RawItem, Unreadable
from intake.models import Channel, Delivery, FeedbackItem, Revision, Submission
from tests.makers import AT, make_channel, make_person

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)


@pytest.fixture
def channel() -> Channel:
    return make_channel()


def arrive(channel: Channel, number: int, *, days_ago: int, text: str = "The lid", read: bool = True) -> Submission:
    at = AT - days_ago * DAY
    raw = RawItem(str(number), json.dumps({"text": text}).encode(), headers={"a": "b"}, updated_at=at)
    row = receiving.receive(channel, raw, at=at).submission
    if read:
        normalizing.normalize_pending(at=at)
    return Submission.objects.get(pk=row.pk)


def holds(channel: Channel) -> set[str]:
    return set(Submission.objects.filter(channel=channel).exclude(payload=b"").values_list("external_id", flat=True))


def test_only_what_is_past_its_time_is_emptied_and_its_item_stays(channel: Channel) -> None:
    old, young = arrive(channel, 1, days_ago=181), arrive(channel, 2, days_ago=179)

    assert [(each.held, each.due) for each in retention.holdings(at=AT) if each.channel == channel] == [(2, 1)]
    assert retention.empty_expired(at=AT) == 1
    assert holds(channel) == {young.external_id}
    row = Submission.objects.get(pk=old.pk)
    assert (row.headers, row.raw_gone_at, bytes(row.sha256)) == ({}, AT, bytes(old.sha256))
    assert FeedbackItem.objects.get(pk=old.pk).text == "The lid"
    with pytest.raises(Unreadable, match="kept until 2026-03-04"):
        normalizing.read(Submission.objects.select_related("channel").get(pk=old.pk))

    assert retention.empty_expired(at=AT) == 0
    assert retention.empty_expired(at=AT + 2 * DAY) == 1, "the mark lets nothing slip through"
    assert holds(channel) == set()


def test_a_hold_stops_it_and_what_waited_goes_once_it_is_lifted(channel: Channel) -> None:
    arrive(channel, 1, days_ago=400)
    receiving.receive(channel, RawItem("bot", b"{}"), at=AT - 400 * DAY, quarantine="honeypot")
    retention.set_retention(channel, days="30", is_held=True)
    receiving.forget_expired(at=AT)
    assert retention.empty_expired(at=AT) == 0
    assert holds(channel) == {"1", "bot"}

    retention.set_retention(channel, days="30", is_held=False)
    receiving.forget_expired(at=AT)
    assert retention.empty_expired(at=AT) == 1
    assert holds(channel) == set()


def test_what_still_waits_to_be_read_stays(channel: Channel) -> None:
    arrive(channel, 1, days_ago=400, read=False)
    assert retention.empty_expired(at=AT) == 0
    assert holds(channel) == {"1"}


def test_a_change_after_it_was_emptied_is_kept_for_its_own_time(channel: Channel) -> None:
    row = arrive(channel, 1, days_ago=400)
    retention.empty_expired(at=AT)
    newer = RawItem("1", b'{"text": "The lid broke"}', updated_at=AT + DAY)
    receiving.receive(channel, newer, at=AT + DAY)
    normalizing.normalize_pending(at=AT + DAY)
    assert FeedbackItem.objects.get(pk=row.pk).text == "The lid broke"

    assert retention.empty_expired(at=AT + 180 * DAY) == 0
    assert retention.empty_expired(at=AT + 182 * DAY) == 1
    assert (holds(channel), Revision.objects.count()) == (set(), 0)


def test_another_payload_under_the_id_of_what_was_emptied_is_not_kept(channel: Channel) -> None:
    arrive(channel, 1, days_ago=400)
    retention.empty_expired(at=AT)
    receiving.receive(channel, RawItem("1", b"something else"), at=AT)
    assert Submission.objects.get().conflicting_payload is None


def test_sealed_payloads_and_earlier_versions_go_too(channel: Channel) -> None:
    row = arrive(channel, 1, days_ago=200)
    Revision.objects.create(submission=row, payload=seal(b"was"), is_sealed=True, content_type="x")
    Submission.objects.update(payload=seal(b"is"), is_sealed=True, conflicting_payload=b"other")
    retention.empty_expired(at=AT)
    row.refresh_from_db()
    assert (bytes(row.payload), row.is_sealed, row.conflicting_payload) == (b"", False, None)
    assert Revision.objects.count() == 0


def test_calls_lose_their_words_sooner_and_keep_what_came_of_them(channel: Channel) -> None:
    for number, days in enumerate((31, 29, 31)):
        Delivery.objects.create(
            channel=channel, delivery_id=str(number), url="https://x/?who=ana", body=b"words", sha256=b"x" * 32,
            received_at=AT - days * DAY, completed_at=AT if number < 2 else None, held=1, brought=1,
        )  # fmt: skip
    assert retention.empty_expired(at=AT) == 1
    rows = {row.delivery_id: (bytes(row.body), row.url, row.brought) for row in Delivery.objects.all()}
    assert rows["0"] == (b"", "", 1)
    assert rows["1"][0] == rows["2"][0] == b"words"


def test_the_page_shows_what_would_go_and_saves_days_and_hold(client: Client, channel: Channel) -> None:
    arrive(channel, 1, days_ago=400)
    client.force_login(make_person("Ada", role=Role.ADMIN))
    page = client.get("/settings/retention/")
    assert page.status_code == 200
    assert channel.name in page.content.decode()

    answer = client.post("/settings/retention/", {"channel": channel.slug, "days": "90", "is_held": "on"})
    assert answer.status_code == 302
    channel.refresh_from_db()
    assert (channel.raw_kept_days, channel.is_held) == (90, True)
    for days in ("0", "-1", "soon", "99999", ""):
        assert client.post("/settings/retention/", {"channel": channel.slug, "days": days}).status_code == 422
    channel.refresh_from_db()
    assert channel.raw_kept_days == 90
