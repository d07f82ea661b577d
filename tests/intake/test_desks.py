"""Support systems: which pieces a document has, which of them are a customer's own words, and which version counts."""

import copy
import itertools
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from intake import normalizing, receiving
from intake.connectors import connectors
from intake.connectors.base import BadRow, Call, Draft, Ignored, RawItem, Unreadable
from intake.connectors.desks import Desk
from intake.connectors.documents import packed
from intake.connectors.salesforce import id_of
from intake.models import FeedbackItem, Submission
from tests.makers import make_channel

ROOT = Path(__file__).resolve().parents[2]
RECORDED = ROOT / "tests" / "intake" / "payloads"
SAMPLES = ROOT.parent / "shared" / "samples"
FOLDERS = {"jira": "jira_service_management"}

AT = datetime(2026, 4, 7, 9, 30, tzinfo=UTC)
ADDRESS = "https://portal.example/hooks/k"
DESKS = [desk for desk in connectors.all() if isinstance(desk, Desk)]
by_slug = pytest.mark.parametrize("desk", DESKS, ids=lambda desk: desk.slug)


def desk_of(slug: str) -> Desk:
    desk = connectors.get(slug)
    assert isinstance(desk, Desk)
    return desk


def raws(slug: str, found: Any) -> list[RawItem]:
    return list(desk_of(slug).split_document(found, settings={}))


def recorded(slug: str, case: str) -> Any:
    return json.loads((RECORDED / slug / f"{case}.json").read_text(encoding="utf-8"))


def documents_of(slug: str) -> Iterator[tuple[str, Any]]:
    for path in sorted((RECORDED / slug).glob("*.json")):
        if not path.name.endswith((".draft.json", ".settings.json")):
            try:
                yield path.stem, json.loads(path.read_text(encoding="utf-8"))
            except ValueError:
                continue


def outcome(desk: Desk, raw: RawItem) -> Draft | str:
    """The draft, or the reason why there is none, which is a whole sentence."""
    try:
        return desk.parse(raw, settings={})
    except (Ignored, Unreadable) as refused:
        reason = str(refused)
    assert reason[0].isupper()
    assert reason.endswith(".")
    return reason


# Which pieces there are.


@by_slug
def test_what_is_stored_is_read_again_as_the_same_thing(desk: Desk) -> None:
    seen = 0
    for _, found in documents_of(desk.slug):
        try:
            pieces = raws(desk.slug, found)
        except Unreadable:
            continue
        for raw in pieces:
            if not raw.is_gone:
                again = raws(desk.slug, json.loads(raw.payload))[0]
                assert (again.external_id, again.payload) == (raw.external_id, raw.payload)
                seen += 1
    assert seen


def test_a_ticket_and_the_rating_it_was_given_are_two_things() -> None:
    ticket = recorded("zendesk", "ticket_by_mail")
    ticket["satisfaction_rating"] = {"id": 301, "score": "good", "comment": "Fixed"}
    said, rating = raws("zendesk", {"tickets": [ticket], "end_of_stream": True})
    (listed,) = raws("zendesk", recorded("zendesk", "rating_good"))
    assert (said.external_id, rating.external_id) == ("8801", "rating:301")
    assert listed.external_id == rating.external_id, "the list of ratings tells the same rating"
    draft = desk_of("zendesk").parse(rating, settings={})
    assert (draft.text, draft.thread, draft.sender.email) == ("Fixed", "8801", "ines@lumen.example")


def test_an_export_repeats_the_first_comment_only_as_the_ticket() -> None:
    ticket = recorded("zendesk", "ticket_by_mail")
    comments = [
        {"id": 1, "body": ticket["description"], "public": True, "author_id": 511},
        {"id": 2, "body": "On its way.", "public": True, "author_id": 12},
        {"id": 3, "body": "It works again.", "public": True, "author_id": 511},
    ]
    zendesk = desk_of("zendesk")
    pieces = raws("zendesk", {**ticket, "comments": comments})
    assert [raw.external_id for raw in pieces] == ["8801", "comment:2", "comment:3"]
    assert b"On its way" not in pieces[0].payload, "what is erased of a comment must not stay in its ticket"
    said = [outcome(zendesk, raw) for raw in pieces]
    assert [each.text for each in said if isinstance(each, Draft)] == [ticket["description"], "It works again."]


def test_a_conversation_comes_apart_into_what_each_said() -> None:
    conversation = recorded("intercom", "event_of_a_conversation")["data"]["item"]
    part = recorded("intercom", "part_of_the_customer")
    rating = recorded("intercom", "rating")["conversation_rating"]
    whole = {
        **conversation,
        "conversation_parts": {"conversation_parts": [part, {**part, "id": "5002", "redacted": True}, "?"]},
        "conversation_rating": rating,
    }
    begun, said, redacted, broken, given = raws("intercom", {"type": "conversation.list", "conversations": [whole]})
    assert [raw.external_id for raw in (begun, said, redacted, given)] == [
        "77001", "part:5001", "part:5002", "rating:77001",
    ]  # fmt: skip
    assert [raw.is_gone for raw in (begun, said, redacted, given)] == [False, False, True, False]
    assert b"41" not in begun.payload, "an answer changes nothing of what began the conversation"
    assert "no conversation" in str(outcome(desk_of("intercom"), broken))


def test_one_broken_object_costs_the_others_nothing() -> None:
    ticket = recorded("freshdesk", "ticket")
    pieces = raws("freshdesk", [7, {**ticket, "id": None}, ticket])
    said = [outcome(desk_of("freshdesk"), raw) for raw in pieces]
    assert [isinstance(each, Draft) for each in said] == [False, False, True]
    assert len({raw.external_id for raw in pieces}) == 3


def test_a_batch_of_hubspot_tells_each_event_apart() -> None:
    words, moved = (recorded("hubspot", f"event_of_{case}") for case in ("changed_words", "another_property"))
    batch = [words, moved, {**moved, "eventId": 6}, moved, recorded("hubspot", "event_of_a_deletion")]
    pieces = raws("hubspot", batch)
    assert pieces[0].external_id == pieces[4].external_id == "70010"
    assert pieces[4].is_gone
    assert len({raw.external_id for raw in pieces[1:4]}) == 2


@pytest.mark.parametrize(
    ("slug", "case", "gone"),
    [
        ("zendesk", "event_of_a_deletion", ["8801"]),
        ("zendesk", "ticket_deleted", ["8801"]),
        ("freshdesk", "ticket_deleted", ["640"]),
        ("intercom", "event_of_a_deletion", ["77001", "rating:77001"]),
        ("intercom", "conversation_redacted", ["77001"]),
        ("intercom", "part_redacted", ["part:5001"]),
        ("hubspot", "event_of_a_deletion", ["70010"]),
        ("hubspot", "ticket_archived", ["70010"]),
        ("chatwoot", "message_deleted", ["31001"]),
        ("helpscout", "conversation_deleted", ["conversation:220"]),
        ("jira", "event_of_a_deletion", ["50011", "rating:50011"]),
        ("jira", "event_of_a_deleted_comment", ["comment:901"]),
        ("salesforce", "case_deleted", ["5003000000D8cuIAAR"]),
        ("salesforce", "event_of_a_deletion", ["5003000000D8cuIAAR"]),
    ],
)
def test_what_is_deleted_at_the_source_is_gone(slug: str, case: str, gone: list[str]) -> None:
    assert [raw.external_id for raw in raws(slug, recorded(slug, case)) if raw.is_gone] == gone


@pytest.mark.parametrize(
    ("slug", "document", "gone"),
    [
        (
            "zendesk",
            {
                **recorded("zendesk", "ticket_deleted"),
                "satisfaction_rating": {"id": 301, "score": "bad"},
                "comments": [{"id": 1, "body": "SCRUBBED"}, {"id": 2, "body": "I am at 4 Elm Road."}],
            },
            ["8801", "rating:301", "comment:2"],
        ),
        (
            "freshdesk",
            {
                **recorded("freshdesk", "ticket_deleted"),
                "conversations": [recorded("freshdesk", "conversation_of_the_customer")],
            },
            ["640", "conversation:9100"],
        ),
        (
            "helpscout",
            {**recorded("helpscout", "conversation_of_the_customer"), "state": "deleted"},
            ["conversation:220", "8001"],
        ),
    ],
)
def test_what_a_deleted_ticket_still_shows_goes_with_it(slug: str, document: Any, gone: list[str]) -> None:
    pieces = raws(slug, document)
    assert [raw.external_id for raw in pieces] == gone
    assert all(raw.is_gone for raw in pieces)


def test_a_redacted_comment_is_gone_and_its_ticket_is_read_anew() -> None:
    event = recorded("zendesk", "event_of_a_customers_comment")
    event["type"] = "zen:event-type:ticket.comment_redacted"
    comment, ticket = raws("zendesk", event)
    assert (comment.external_id, comment.is_gone) == ("comment:9001", True)
    assert (ticket.external_id, ticket.is_gone) == ("8801", False)


def test_help_scout_names_a_deletion_beside_the_body() -> None:
    def split(body: bytes, event: str) -> list[RawItem]:
        headers = {"x-helpscout-event": event}
        return list(desk_of("helpscout").split(Call("POST", ADDRESS, headers, body), settings={}))

    (gone,) = split(b'{"id":220}', "convo.deleted")
    (merged,) = split(b'{"id":220}', "convo.merged")
    assert (gone.external_id, gone.is_gone, merged.is_gone) == ("conversation:220", True, False)
    # The header is not signed: it deletes nothing that the body does not say.
    said = packed(recorded("helpscout", "conversation_of_the_customer"))
    assert not any(raw.is_gone for raw in split(said, "convo.deleted"))


@pytest.mark.parametrize(
    ("short", "long"),
    [
        ("5003000000D8cuI", "5003000000D8cuIAAR"),
        ("5003000000D8cuIAAR", "5003000000D8cuIAAR"),
        ("500dM00003F2OMj", "500dM00003F2OMjQAN"),
        ("", ""),
        ("5003000000D8cü ", "5003000000D8cü "),
    ],
)
def test_ids_of_salesforce_are_one_length(short: str, long: str) -> None:
    assert id_of(short) == long


# What counts later.


@pytest.mark.django_db
@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_the_newest_version_of_a_ticket_stands_whichever_way_and_order_it_came(order: tuple[int, ...]) -> None:
    channel = make_channel(slug="help", kind="zendesk")
    event, ticket = recorded("zendesk", "event_of_a_ticket"), recorded("zendesk", "ticket_by_mail")
    newest = {**ticket, "updated_at": "2026-04-09T10:00:00Z", "description": "It works again."}
    documents = [event, {"tickets": [ticket]}, {"tickets": [newest]}]
    for place in order:
        receiving.receive_many(channel, raws("zendesk", documents[place]), at=AT)
        normalizing.normalize_pending(at=AT)
    assert [item.text for item in FeedbackItem.objects.all()] == ["It works again."]
    assert Submission.objects.get().conflicting_payload is None


@pytest.mark.django_db
def test_a_deleted_ticket_does_not_come_back_with_a_late_event() -> None:
    channel = make_channel(slug="help", kind="zendesk")
    for case in ("ticket_by_mail", "event_of_a_deletion", "event_of_a_kind_to_come", "ticket_by_mail"):
        receiving.receive_many(channel, raws("zendesk", recorded("zendesk", case)), at=AT)
        normalizing.normalize_pending(at=AT)
    stored = Submission.objects.get()
    assert stored.gone_at is not None
    assert b"flickers" not in bytes(stored.payload)


@pytest.mark.django_db
def test_a_survey_of_chatwoot_answered_late_is_not_lost_behind_its_question() -> None:
    channel = make_channel(slug="chat", kind="chatwoot")
    for case in ("survey_unanswered", "survey_answered", "survey_answered"):
        receiving.receive_many(channel, raws("chatwoot", recorded("chatwoot", case)), at=AT)
        normalizing.normalize_pending(at=AT)
    assert [int(item.rating_value or 0) for item in FeedbackItem.objects.all()] == [5]


# Whatever arrives.

ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["id", "type", "body", "a"]), inner),
    max_leaves=6,
)


def places(found: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    yield path
    parts = found.items() if isinstance(found, dict) else enumerate(found) if isinstance(found, list) else ()
    for name, part in parts:
        yield from places(part, (*path, name))


@by_slug
@given(data=st.data())
def test_a_document_with_anything_anywhere_is_read_or_refused_in_words(desk: Desk, data: st.DataObject) -> None:
    found = copy.deepcopy(data.draw(st.sampled_from([found for _, found in documents_of(desk.slug)])))
    path = data.draw(st.sampled_from(list(places(found))))
    anything = data.draw(ANY_JSON)
    if path:
        inside = found
        for step in path[:-1]:
            inside = inside[step]
        inside[path[-1]] = anything
    else:
        found = anything
    try:
        pieces = raws(desk.slug, found)
    except Unreadable as refused:
        pieces, reason = [], str(refused)
    else:
        reason = "It was taken apart."
    assert reason.endswith(".")
    for raw in pieces:
        assert raw.external_id
        outcome(desk, raw)


@by_slug
def test_every_object_of_the_vendors_examples_is_accounted_for(desk: Desk) -> None:
    folder = SAMPLES / FOLDERS.get(desk.slug, desk.slug)
    if not folder.is_dir():
        pytest.skip(f"There are no examples of {desk.name} beside the checkout.")
    drafts, elsewhere = 0, []
    for path in sorted(folder.glob("*.json")):
        with path.open("rb") as file:
            try:
                rows = list(desk.rows(file, settings={}))
            except Unreadable as refused:
                elsewhere.append(str(refused))
                continue
        assert rows, path
        for row in rows:
            assert not isinstance(row, BadRow), path
            drafts += not row.raw.is_gone and isinstance(outcome(desk, row.raw), Draft)
    assert all(reason.endswith("Import it at Customers.") for reason in elsewhere)
    assert drafts
