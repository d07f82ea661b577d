"""Documents of social networks, reviews and stores: each object ends as a draft or with a whole sentence."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from intake.connectors import connectors
from intake.connectors.base import (
    BadRow,
    Call,
    Draft,
    FileConnector,
    Forged,
    Ignored,
    Unreadable,
)
from intake.connectors.documents import DocumentConnector
from tests.intake.scripted import AT, ids, raws

SAMPLES = Path(__file__).resolve().parents[3] / "shared" / "samples"


def test_kiosks_show_their_token() -> None:
    connector: Any = connectors.get("in_store")

    def call(shown: str) -> Call:
        return Call("POST", "https://p.example/", {"authorization": shown} if shown else {}, b"{}")

    connector.verify(call("Bearer t0k"), secrets={"device_token": "t0k"}, at=AT)
    for shown, secret in (("Bearer other", "t0k"), ("", "t0k"), ("Bearer ", ""), ("t0k", "t0k")):
        with pytest.raises(Forged):
            connector.verify(call(shown), secrets={"device_token": secret}, at=AT)


def test_a_kiosk_sends_its_batch_again_under_the_same_ids() -> None:
    event = {"client_event_id": "e1", "scale": "smiley4", "value": 4}
    batch = {
        "device_id": "k1",
        "sent_at": "2026-05-10T10:00:00Z",
        "events": [event, {**event, "client_event_id": "e2"}],
    }

    first, again = raws("in_store", batch), raws("in_store", {**batch, "sent_at": "2026-05-10T11:00:00Z"})

    assert ids(first) == ["k1 e1", "k1 e2"]
    assert first == again


def test_like_presses_of_one_hour_stay_apart() -> None:
    press = {"ts": "2026-05-10T14:00:00.000+0200", "r": 3, "text": ""}

    found = raws("happy_or_not", [press, press, {**press, "r": 0}])

    assert len(set(ids(found))) == 3
    assert ids(found) == ids(raws("happy_or_not", [press, press, {**press, "r": 0}]))


FOLDERS = {
    "mastodon": "mastodon",
    "bluesky": "bluesky",
    "reddit": "reddit",
    "youtube": "youtube",
    "x_twitter": "x",
    "google_business": "google_business",
    "g2": "g2",
    "amazon_reviews": "amazon_reviews",
}
# How many drafts, passed over or deleted, and unreadable ones each file holds.
HELD = {
    "appview_posts.json": (0, 0, 1),
    "appview_quotes.json": (0, 0, 1),
    "status_history.json": (0, 0, 2),
    "jetstream_events.jsonl": (1, 3, 0),
    "feed_record.json": (0, 1, 0),
    "thread_view_post_with_embed_media.json": (1, 0, 0),
    "comments_submission_thread.json": (3, 0, 0),
    "api_info_deleted_comment.json": (0, 1, 0),
    "comment_threads_by_video_paged_1.json": (5, 0, 0),
    "comments_by_parent_paged_1.json": (2, 0, 0),
    "api_v2_mentions_page.json": (2, 0, 0),
    "archive_tweets.js": (1, 0, 0),
    "pubsub_new_review.json": (0, 1, 0),
    "reviews_list.json": (2, 0, 0),
    "reviews_2023_shape.jsonl": (2, 0, 0),
    "happyornot_v1_openfeedback.json": (2, 0, 0),
    "kiosk_batch.json": (2, 0, 0),
}


MEMBERS = st.sampled_from(
    [
        "statuses",
        "status",
        "account",
        "acct",
        "uri",
        "url",
        "created_at",
        "edited_at",
        "content",
        "posts",
        "post",
        "thread",
        "replies",
        "parent",
        "author",
        "handle",
        "record",
        "value",
        "kind",
        "commit",
        "did",
        "time_us",
        "embed",
        "facets",
        "data",
        "children",
        "body",
        "name",
        "author",
        "created_utc",
        "edited",
        "items",
        "snippet",
        "topLevelComment",
        "id",
        "comments",
        "publishedAt",
        "authorChannelId",
        "includes",
        "users",
        "errors",
        "meta",
        "referenced_tweets",
        "entities",
        "urls",
        "note_tweet",
        "user",
        "events",
        "for_user_id",
        "tweet_create_events",
        "tweet_delete_events",
        "direct_message_events",
        "message_create",
        "reviews",
        "locationReviews",
        "review",
        "starRating",
        "attributes",
        "comment_answers",
        "secondary_answers",
        "star_rating",
        "rating",
        "overall",
        "text",
        "timestamp",
        "r",
        "ts",
        "answers",
        "scale",
    ]
)
ANY_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.sampled_from(["\ud800", "t1", "smiley4"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(MEMBERS, inner, max_size=5),
    max_leaves=20,
)


@pytest.mark.parametrize("slug", [*FOLDERS.values(), "happy_or_not", "in_store"])
@given(found=ANY_JSON)
def test_whatever_a_document_holds_is_taken_apart_or_refused_in_words(slug: str, found: Any) -> None:
    connector = connectors.get(slug)
    assert isinstance(connector, DocumentConnector)
    reasons = ["It was read."]
    try:
        for raw in connector.split_document(found, settings={}):
            assert raw.external_id.encode()
            try:
                connector.parse(raw, settings={})
            except (Ignored, Unreadable) as reason:
                reasons.append(str(reason))
    except Unreadable as reason:
        reasons.append(str(reason))
    assert all(reason.endswith(".") for reason in reasons)


def sampled() -> list[Any]:
    found = [(path, slug) for folder, slug in FOLDERS.items() for path in (SAMPLES / folder).glob("*.js*")]
    found += [
        (path, "happy_or_not" if path.name.startswith("happy") else "in_store")
        for path in (SAMPLES / "in_store").glob("*.json")
    ]
    if not found:
        absent = pytest.mark.skip(
            reason="The sampled files lie beside the project, in shared/samples, and are not there."
        )
        return [pytest.param(SAMPLES, "", marks=absent)]
    return [pytest.param(path, slug, id=f"{path.parent.name}/{path.name}") for path, slug in sorted(found)]


@pytest.mark.parametrize(("path", "slug"), sampled())
def test_every_object_of_the_sampled_files_is_accounted_for(path: Path, slug: str) -> None:
    connector = connectors.get(slug)
    assert isinstance(connector, FileConnector)
    reasons = []
    counts = {"read": 0, "passed over": 0, "unreadable": 0}
    with path.open("rb") as file:
        for row in connector.rows(file, settings={}):
            assert not isinstance(row, BadRow)
            try:
                draft = connector.parse(row.raw, settings={})
            except (Ignored, Unreadable) as reason:
                reasons.append(str(reason))
                counts["passed over" if isinstance(reason, Ignored) else "unreadable"] += 1
            else:
                assert isinstance(draft, Draft)
                assert not draft.remarks
                counts["read"] += 1

    assert all(reason.endswith(".") for reason in reasons)
    assert tuple(counts.values()) == HELD.get(path.name, (1, 0, 0))


@pytest.mark.parametrize("name", ["appview_posts.json", "appview_quotes.json"])
def test_every_answer_among_the_sampled_ones_of_bluesky_is_accounted_for(name: str) -> None:
    path = SAMPLES / "bluesky" / name
    if not path.exists():
        pytest.skip("The sampled files lie beside the project, in shared/samples, and are not there.")
    found = raws("bluesky", list(json.loads(path.read_text()).values()))

    drafts = [connectors.get("bluesky").parse(raw, settings={}) for raw in found]

    assert len(drafts) == path.read_text().count('"likeCount"') - path.read_text().count("#viewRecord")
    assert all(draft.author.endswith(".test") for draft in drafts)
