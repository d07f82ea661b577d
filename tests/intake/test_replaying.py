"""Reading again shows what would change before it does; it adds and corrects, and deletes nothing."""

import json
from collections.abc import Callable
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from feedback_portal.accounts.models import Role
from intake import normalizing, receiving, replaying
from intake.connectors.base import Draft, Ignored, RawItem, Unreadable
from intake.connectors.rest_api import RestApi
from intake.models import Channel, FeedbackItem, Submission
from tests.makers import AT, make_channel, make_person
from triage import pipeline
from triage.models import Event

pytestmark = pytest.mark.django_db
Parse = Callable[[dict[str, Any]], Draft]


@pytest.fixture
def channel() -> Channel:
    return make_channel()


def arrive(channel: Channel, name: str, **said: Any) -> Submission:
    row = receiving.receive(channel, RawItem(name, json.dumps(said).encode()), at=AT).submission
    normalizing.normalize_pending(at=AT)
    return Submission.objects.get(pk=row.pk)


@pytest.fixture
def version(monkeypatch: pytest.MonkeyPatch) -> Callable[[int, Parse], None]:
    """Another version of the connector."""

    def now(number: int, parse: Parse) -> None:
        monkeypatch.setattr(RestApi, "version", number)
        monkeypatch.setattr(RestApi, "parse", lambda self, raw, settings: parse(json.loads(raw.payload)))

    return now


def first(said: dict[str, Any]) -> Draft:
    if said.get("ping"):
        raise Ignored("It is a ping.")
    if said.get("odd"):
        raise Unreadable("It is odd.")
    return Draft(text=said["text"], context={"shop": "Lyon"})


def second(said: dict[str, Any]) -> Draft:
    if said["text"] == "drop":
        raise Ignored("It is none.")
    if said["text"] == "break":
        raise Unreadable("It broke.")
    if said["text"] == "fail":
        raise ZeroDivisionError
    return Draft(text=said["text"], product=said.get("product", ""), context={"shop": said.get("shop", "Lyon")})


def test_every_verdict_is_told_field_by_field_and_nothing_changes(
    channel: Channel, version: Callable[[int, Parse], None]
) -> None:
    version(1, first)
    arrive(channel, "same", text="A lid")
    arrive(channel, "changed", text="A jug", product="J2", shop="Nice")
    arrive(channel, "ping", text="hello", ping=True)
    arrive(channel, "odd", text="odd one", odd=True)
    for text in ("drop", "break", "fail"):
        arrive(channel, text, text=text)
    gone = arrive(channel, "gone", text="old")
    Submission.objects.filter(pk=gone.pk).update(payload=b"", raw_gone_at=AT)
    before = list(FeedbackItem.objects.order_by("pk").values())
    version(2, second)

    found = replaying.look(channel, at=AT)

    verdicts = {verdict.external_id: verdict for verdict in found.verdicts}
    assert found.counts == {"same": 1, "changed": 1, "new": 2, "ignored": 1, "unreadable": 2, "gone": 1}
    assert [(each.name, each.before, each.after) for each in verdicts["changed"].changes] == [
        ("product", "", "J2"),
        ("context: shop", "Lyon", "Nice"),
    ]
    assert ("text", "", "hello") in [(each.name, each.before, each.after) for each in verdicts["ping"].changes]
    assert "same" not in verdicts
    assert verdicts["drop"].reason == "It is none."
    assert verdicts["gone"].reason.startswith("It was kept as it arrived until")
    assert list(FeedbackItem.objects.order_by("pk").values()) == before


def test_applied_it_changes_adds_and_tells_the_ticket(channel: Channel, version: Callable[[int, Parse], None]) -> None:
    version(1, first)
    same = arrive(channel, "same", text="A lid")
    changed = arrive(channel, "changed", text="A jug", product="J2")
    ping = arrive(channel, "ping", text="hello", ping=True)
    odd = arrive(channel, "odd", text="odd one", odd=True)
    drop = arrive(channel, "drop", text="drop")
    pipeline.understand_pending(at=AT)
    version(2, second)

    replaying.apply(channel, at=AT)
    normalizing.normalize_pending(at=AT)
    pipeline.understand_pending(at=AT)

    told = dict(FeedbackItem.objects.values_list("pk", "text"))
    assert told == {same.pk: "A lid", changed.pk: "A jug", ping.pk: "hello", odd.pk: "odd one", drop.pk: "drop"}
    assert FeedbackItem.objects.get(pk=changed.pk).product == "J2"
    assert list(Event.objects.filter(type="changed").values_list("item", flat=True)) == [changed.pk]
    left = replaying.look(channel, at=AT)
    assert left.counts == {"ignored": 1}, "what was applied is not older any more"


def test_what_is_masked_stays_masked_in_the_difference(
    channel: Channel, version: Callable[[int, Parse], None], client: Client
) -> None:
    version(1, first)
    row = arrive(channel, "1", text="Call +49 171 2345678", product="J2")
    assert row.is_sealed
    version(2, second)

    found = replaying.look(channel, at=AT)
    assert [change.name for change in found.verdicts[0].changes] == ["product"]
    client.force_login(make_person("Ada", role=Role.ADMIN))
    page = client.get(f"/settings/channels/{channel.slug}/replay/").content.decode()
    assert "J2" in page
    assert "2345678" not in page


def test_a_look_is_bounded_and_the_next_goes_on_behind_it(
    channel: Channel, version: Callable[[int, Parse], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replaying, "A_LOOK", 2)
    monkeypatch.setattr(replaying, "_AT_ONCE", 1)
    version(1, first)
    for number in range(3):
        arrive(channel, str(number), text="A lid")
    version(2, second)
    start = replaying.look(channel, at=AT)
    assert sum(start.counts.values()) == 2
    assert start.last is not None
    end = replaying.look(channel, at=AT, after=start.last)
    assert (sum(end.counts.values()), end.last) == (1, None)


def test_the_page_applies_on_confirmation_only(
    channel: Channel, version: Callable[[int, Parse], None], client: Client
) -> None:
    version(1, first)
    row = arrive(channel, "1", text="A lid", product="<b>J2</b>")
    version(2, second)
    client.force_login(make_person("Ada", role=Role.ADMIN))
    address = f"/settings/channels/{channel.slug}/replay/"
    assert "&lt;b&gt;J2" in client.get(address).content.decode()
    assert Submission.objects.due().count() == 0
    assert client.post(address, {"which": "older"}).status_code == 302
    assert list(Submission.objects.due()) == [row]
    assert client.get(address, {"which": "nonsense", "after": "x"}).status_code == 200


def test_the_command_looks_and_applies(channel: Channel, version: Callable[[int, Parse], None]) -> None:
    version(1, first)
    arrive(channel, "1", text="A lid", product="J2")
    version(2, second)
    out = StringIO()
    call_command("replay", channel=channel.slug, stdout=out, stderr=StringIO())
    assert json.loads(out.getvalue())["changed"] == 1
    assert Submission.objects.due().count() == 0
    call_command("replay", channel=channel.slug, apply=True, stdout=StringIO(), stderr=StringIO())
    assert Submission.objects.due().count() == 1
    with pytest.raises(CommandError, match="no channel"):
        call_command("replay", channel="nowhere")
