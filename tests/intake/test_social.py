"""Walks through social networks with a scripted source: nothing is missed, nothing asked for twice, what changed or is gone is
told."""

import base64
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest

from intake.connectors.base import (
    Answer,
    Unreadable,
)
from tests.intake.scripted import AT, Source, ids, kind, raws, walk

# -- Mastodon


def status(number: int, **more: Any) -> dict[str, Any]:
    return {
        "id": str(number),
        "uri": f"https://far.example/{number}",
        "created_at": f"2026-05-10T10:00:{number:02}Z",
        "content": f"<p>{number}</p>",
        "account": {"acct": "mo@far.example"},
        **more,
    }


def mastodon_page(numbers: list[int], *, link: str | None = None) -> Answer:
    told = [{"id": str(number), "type": "mention", "status": status(number)} for number in numbers]
    newest = link or (f"https://elsewhere.example/api?min_id={max(numbers)}" if numbers else "")
    headers = {"link": f'<https://a.example/?max_id=1>; rel="next", <{newest}>; rel="prev"'} if newest else {}
    return Answer(200, headers, json.dumps(told).encode())


def mastodon(answers: Mapping[str, Answer]) -> Source:
    def answer(path: str, query: dict[str, str]) -> Any:
        return answers.get(query.get("min_id", ""), Answer(200, {}, b"[]"))

    return Source(answer)


def test_mastodon_is_walked_forward_by_the_link_header_and_nothing_comes_twice() -> None:
    source = mastodon({"0": mastodon_page([2, 1]), "2": mastodon_page([3])})

    found, cursor = walk("mastodon", source, host="mill.example")
    again, after = walk("mastodon", nothing := mastodon({}), cursor, host="mill.example")

    assert ids(found) == [f"https://far.example/{number}" for number in (2, 1, 3)]
    assert (again, after) == ([], cursor)
    assert nothing.query(0)["min_id"] == "3"


def test_mastodon_tells_its_token_to_nobody_but_its_server() -> None:
    source = mastodon({"0": mastodon_page([1]), "1": mastodon_page([2])})

    walk("mastodon", source, host="https://mill.example/")

    assert {urlsplit(request.url).netloc for request in source.asked} == {"mill.example"}
    assert {request.headers["Authorization"] for request in source.asked} == {"Bearer s3cret"}


def test_mastodon_reads_hashtags_beside_mentions_each_from_where_it_stood() -> None:
    def answer(path: str, query: dict[str, str]) -> Any:
        if path.endswith("/tag/mill") and query["min_id"] == "0":
            return Answer(200, {"link": '<https://m.example/?min_id=9>; rel="prev"'}, json.dumps([status(9)]).encode())
        return Answer(200, {}, b"[]")

    found, cursor = walk("mastodon", Source(answer), host="m.example", hashtags="#Mill".lower())

    assert ids(found) == ["https://far.example/9"]
    assert cursor["#mill"] == "9"
    assert "mentions" not in cursor


def test_mastodon_stops_where_its_server_does_not_go_on() -> None:
    standing = mastodon({"0": mastodon_page([1], link="https://m.example/?min_id=0")})

    found, _ = walk("mastodon", standing, host="m.example")

    assert found == []
    assert len(standing.asked) == 1


def test_mastodon_looks_again_and_tells_what_was_edited_and_what_is_gone() -> None:
    _, cursor = walk("mastodon", mastodon({"0": mastodon_page([1, 2, 3])}), host="m.example")

    def answer(path: str, query: dict[str, str]) -> Any:
        if path.endswith("/statuses/1"):
            return status(1, edited_at="2026-05-10T11:00:00Z", content="<p>Mended</p>")
        if path.endswith("/statuses/2"):
            return Answer(404, {}, b"{}")
        return status(3) if path.endswith("/statuses/3") else []

    soon, _ = walk("mastodon", Source(answer), cursor, host="m.example", at=AT + timedelta(hours=1))
    found, after = walk("mastodon", Source(answer), cursor, host="m.example", at=AT + timedelta(hours=7))
    by_id = {raw.external_id: raw for raw in found}

    assert soon == []
    assert by_id["https://far.example/1"].updated_at == datetime(2026, 5, 10, 11, tzinfo=UTC)
    assert by_id["https://far.example/2"].is_gone
    assert set(after["watched"]) == {"https://far.example/1", "https://far.example/3"}


@pytest.mark.parametrize("host", ["", "ftp://m.example", "https://me:pw@m.example"])
def test_mastodon_without_a_server_says_so(host: str) -> None:
    with pytest.raises(Unreadable, match=r"\.$"):
        walk("mastodon", mastodon({}), host=host)


# -- Bluesky


def view(number: int, *, seen: str) -> dict[str, Any]:
    return {
        "uri": f"at://did:plc:a/app.bsky.feed.post/{number}",
        "author": {"handle": "lou.example", "did": "did:plc:a"},
        "record": {"$type": "app.bsky.feed.post", "text": str(number), "createdAt": seen},
        "indexedAt": seen,
    }


def bluesky(posts: Mapping[str, Any], *, standing: list[Any] | None = None) -> Source:
    def answer(path: str, query: dict[str, str]) -> Any:
        if path.endswith("createSession"):
            return {"accessJwt": "jwt"}
        if path.endswith("searchPosts"):
            return posts.get(query.get("cursor", ""), {"posts": []})
        return {"posts": standing} if path.endswith("getPosts") else {"notifications": []}

    return Source(answer)


BLUESKY = {"handle": "@acme.example", "query": "acme"}
TWO_PAGES = {
    "": {"posts": [view(3, seen="2026-05-10T11:00:00Z"), view(2, seen="2026-05-10T10:00:00Z")], "cursor": "2"},
    "2": {"posts": [view(1, seen="2026-05-10T09:00:00Z")]},
}


def test_bluesky_logs_in_once_and_walks_back_to_what_is_known() -> None:
    source = bluesky(TWO_PAGES)

    found, cursor = walk("bluesky", source, secrets={"app_password": "pw"}, **BLUESKY)
    again, _ = walk("bluesky", later := bluesky(TWO_PAGES), cursor, secrets={"app_password": "pw"}, **BLUESKY)

    assert [raw.external_id[-1] for raw in found] == ["3", "2", "1"]
    assert [raw.external_id[-1] for raw in again] == ["3", "2"], "the page that holds what is known is the last"
    assert json.loads(source.asked[0].body) == {"identifier": "acme.example", "password": "pw"}
    assert source.paths.count("/xrpc/com.atproto.server.createSession") == 1
    assert {request.headers["Authorization"] for request in source.asked[1:]} == {"Bearer jwt"}
    assert later.query(2)["since"] == "2026-05-10T10:30:00+00:00"


def test_bluesky_tells_what_was_deleted_since() -> None:
    _, cursor = walk("bluesky", bluesky(TWO_PAGES), **BLUESKY)
    standing = [view(1, seen="2026-05-10T09:00:00Z"), view(3, seen="2026-05-10T11:00:00Z")]

    found, _ = walk("bluesky", bluesky({}, standing=standing), cursor, at=AT + timedelta(hours=7), **BLUESKY)

    assert [raw.external_id[-1] for raw in found if raw.is_gone] == ["2"]


def test_bluesky_takes_a_broken_answer_for_no_deletion() -> None:
    _, cursor = walk("bluesky", bluesky(TWO_PAGES), **BLUESKY)

    found, _ = walk("bluesky", bluesky({}), cursor, at=AT + timedelta(hours=7), **BLUESKY)

    assert found == []


def test_bluesky_reads_a_stream_with_its_deletions() -> None:
    commit = {"collection": "app.bsky.feed.post", "rkey": "k"}
    event = {"did": "did:plc:a", "kind": "commit", "time_us": 1_778_400_000_000_001}
    told = [
        {**event, "commit": {**commit, "operation": "create", "record": {"text": "Loud"}}},
        {
            **event,
            "commit": {**commit, "operation": "update", "record": {"text": "Quiet"}},
            "time_us": 1_778_400_000_000_002,
        },
        {**event, "commit": {**commit, "operation": "delete"}},
    ]

    first, second, third = raws("bluesky", "\n".join(json.dumps(each) for each in told))

    assert {raw.external_id for raw in (first, second, third)} == {"at://did:plc:a/app.bsky.feed.post/k"}
    assert first.updated_at is not None
    assert second.updated_at is not None
    assert second.updated_at - first.updated_at == timedelta(microseconds=1)
    assert third.is_gone
    assert b"Loud" not in third.payload


# -- Reddit

REDDIT = {"client_id": "c", "username": "acme_team", "subreddits": "r/mills, kitchens"}

EARLY = 1_778_000_000


def comment(number: int, *, created: int, **more: Any) -> dict[str, Any]:
    said = {"name": f"t1_{number}", "author": "mo", "body": str(number), "created_utc": float(created), **more}
    return {"kind": "t1", "data": said}


def listing(*children: Any, after: str | None = None) -> dict[str, Any]:
    return {"kind": "Listing", "data": {"children": list(children), "after": after}}


def reddit(comments: Mapping[str, Any], *, info: Any = None) -> Source:
    def answer(path: str, query: dict[str, str]) -> Any:
        if path.endswith("access_token"):
            return {"access_token": "tok"}
        if path == "/api/info":
            return info
        return comments.get(query.get("after", ""), listing()) if path.endswith("/comments") else listing()

    return Source(answer)


def test_reddit_names_itself_logs_in_and_walks_back_to_what_is_known() -> None:
    source = reddit(
        {"": listing(comment(2, created=EARLY + 10_000), after="t1_2"), "t1_2": listing(comment(1, created=EARLY))}
    )

    found, cursor = walk("reddit", source, secrets={"client_secret": "s"}, **REDDIT)
    newer = {"": listing(comment(3, created=EARLY + 10_100), comment(1, created=EARLY), after="t1_1")}
    again, _ = walk("reddit", later := reddit(newer), cursor, **REDDIT)

    assert ids(found) == ["t1_2", "t1_1"]
    assert ids(again) == ["t1_3", "t1_1"]
    assert later.paths.count("/r/mills+kitchens/comments") == 1, "it stops where all is known"
    assert source.paths[1] == "/r/mills+kitchens/new"
    assert all("by /u/acme_team" in request.headers["User-Agent"] for request in source.asked)
    assert source.asked[0].headers["Authorization"] == "Basic " + base64.b64encode(b"c:s").decode()
    assert source.asked[1].headers["Authorization"] == "Bearer tok"


def test_reddit_tells_what_was_edited_removed_and_what_it_does_not_know_any_more() -> None:
    three = listing(*(comment(number, created=EARLY) for number in (1, 2, 3)))
    _, cursor = walk("reddit", reddit({"": three}), **REDDIT)
    info = listing(comment(1, created=EARLY, edited=EARLY + 99.0), comment(2, created=EARLY, body="[removed]"))

    found, _ = walk("reddit", reddit({}, info=info), cursor, at=AT + timedelta(hours=2), **REDDIT)

    assert ids(found) == ["t1_1", "gone t1_2", "gone t1_3"]
    assert found[0].updated_at == datetime.fromtimestamp(EARLY + 99, UTC)


@pytest.mark.parametrize("said", ["[deleted]", "[removed]"])
def test_reddit_keeps_nothing_of_what_was_deleted(said: str) -> None:
    (raw,) = raws("reddit", listing(comment(1, created=EARLY, body=said, author="mo")))

    assert raw.is_gone
    assert b"mo" not in raw.payload


def test_reddit_takes_a_tree_apart_and_leaves_to_each_what_it_said() -> None:
    deep = comment(0, created=EARLY)
    for number in range(1, 10):
        deep = comment(number, created=EARLY, replies=listing(deep, {"kind": "more", "data": {"children": []}}))

    found = raws("reddit", [listing(), listing(deep)])

    assert [raw.external_id for raw in found if raw.external_id.startswith("t1_")] == [
        f"t1_{number}" for number in range(9, -1, -1)
    ]
    assert b"t1_8" not in found[0].payload


# -- YouTube


def thread(number: str, *, published: str, replies: int = 0, total: int | None = None, **more: Any) -> dict[str, Any]:
    snippet = {"textDisplay": number, "publishedAt": published, "updatedAt": published, **more}
    return {
        "id": number,
        "snippet": {
            "videoId": "v",
            "topLevelComment": {"id": number, "snippet": snippet},
            "totalReplyCount": replies if total is None else total,
        },
        "replies": {"comments": [{"id": f"{number}.{place}", "snippet": {**snippet}} for place in range(replies)]},
    }


def youtube(threads: Mapping[str, Any], *, replies: Any = None, standing: Mapping[str, Any] | None = None) -> Source:
    def answer(path: str, query: dict[str, str]) -> Any:
        if "id" in query:
            return (standing or {}).get(path.rpartition("/")[2], {})
        if path.endswith("/comments"):
            return replies
        return threads.get(query.get("pageToken", ""), {"items": []})

    return Source(answer)


def test_youtube_walks_back_by_page_tokens_and_stops_at_a_known_time() -> None:
    threads = {
        "": {"items": [thread("c3", published="2026-05-10T11:00:00Z", replies=1)], "nextPageToken": "p2"},
        "p2": {"items": [thread("c2", published="2026-05-08T11:00:00Z")], "nextPageToken": "p3"},
        "p3": {"items": [thread("c1", published="2026-05-01T11:00:00Z")]},
    }
    source = youtube(threads)

    found, cursor = walk("youtube", source, secrets={"key": "k"}, channel_id="UC1")
    again, _ = walk("youtube", youtube(threads), cursor, secrets={"key": "k"}, channel_id="UC1")

    assert ids(found) == ["c3", "c3.0", "c2", "c1"]
    assert ids(again) == ["c3", "c3.0", "c2"]
    assert source.query(0)["allThreadsRelatedToChannelId"] == "UC1"
    assert "k" not in source.query(0).values(), "addresses end up in logs"
    assert source.asked[0].headers["X-Goog-Api-Key"] == "k"


def test_youtube_asks_for_the_answers_that_a_page_leaves_out() -> None:
    many = {"items": [{"id": f"c1.{place}", "snippet": {"parentId": "c1", "textDisplay": "x"}} for place in range(7)]}
    threads = {"": {"items": [thread("c1", published="2026-05-10T11:00:00Z", replies=5, total=7)]}}

    found, _ = walk("youtube", youtube(threads, replies=many), video_ids="v")

    assert {f"c1.{place}" for place in range(7)} < set(ids(found))
    assert json.loads(found[-1].payload)["snippet"]["videoId"] == "v"


def test_youtube_tells_what_was_edited_and_what_is_gone() -> None:
    when = "2026-05-10T11:00:00Z"
    threads = {"": {"items": [thread("c1", published=when, replies=1), thread("c2", published=when)]}}
    _, cursor = walk("youtube", youtube(threads), video_ids="v")
    edited = thread("c1", published=when)
    edited["snippet"]["topLevelComment"]["snippet"]["updatedAt"] = "2026-05-10T15:00:00Z"
    standing = {"commentThreads": {"items": [edited]}, "comments": {"items": []}}

    found, _ = walk("youtube", youtube({}, standing=standing), cursor, at=AT + timedelta(hours=13), video_ids="v")

    assert sorted(ids(found)) == ["c1", "gone c1.0", "gone c2"]
    assert next(raw for raw in found if raw.external_id == "c1").updated_at == datetime(2026, 5, 10, 15, tzinfo=UTC)


def test_youtube_goes_on_past_a_video_whose_comments_are_switched_off() -> None:
    def answer(path: str, query: dict[str, str]) -> Any:
        if query.get("videoId") == "silent":
            return Answer(403, {}, b'{"error": {"errors": [{"reason": "commentsDisabled"}]}}')
        return {"items": [thread("c1", published="2026-05-10T11:00:00Z")]}

    source = Source(answer)
    found, _ = walk("youtube", source, video_ids="silent,v")

    assert ids(found) == ["c1"]
    assert source.asked[0].may_refuse == ("commentsDisabled",)


def test_youtube_goes_on_past_a_removed_video() -> None:
    def answer(path: str, query: dict[str, str]) -> Any:
        if query["videoId"] == "lost":
            return Answer(404, {}, b"{}")
        return {"items": [thread("c1", published="2026-05-10T11:00:00Z")]}

    found, _ = walk("youtube", Source(answer), video_ids="lost, v")

    assert ids(found) == ["c1"]


PULLED = {
    "mastodon": {"host": "m.example"},
    "bluesky": BLUESKY,
    "reddit": REDDIT,
    "youtube": {"channel_id": "UC1"},
    "x": {"user_id": "9", "query": "acme"},
}


@pytest.mark.parametrize("slug", ["bluesky", "youtube"])
@pytest.mark.parametrize("said", [{}, {"posts": None, "items": None}, {"posts": [], "items": [], "cursor": "2"}])
def test_answers_that_hold_nothing_end_the_walk(slug: str, said: Any) -> None:
    assert walk(slug, Source(lambda path, query: said), **PULLED[slug]) == ([], {})


@pytest.mark.parametrize("slug", ["mastodon", "reddit", "x"])
@pytest.mark.parametrize("said", [{}, {"data": None}, {"meta": None, "data": {"children": None}}])
def test_an_answer_of_another_shape_is_told_in_a_sentence(slug: str, said: Any) -> None:
    with pytest.raises(Unreadable, match=r"asked again by itself\.$"):
        walk(slug, Source(lambda path, query: said), **PULLED[slug])


@pytest.mark.parametrize(
    ("slug", "said"),
    [
        ("bluesky", {"posts": [{}, {"uri": 5}]}),
        ("youtube", {"items": [{}, {"id": "c"}]}),
        ("reddit", listing({"kind": "t1"}, {"kind": "t1", "data": {"body": "x"}})),
        ("x", {"data": [{}, {"text": "x"}], "meta": {}}),
    ],
)
def test_hollow_objects_are_kept_as_unreadable(slug: str, said: Any) -> None:
    found, _ = walk(slug, Source(lambda path, query: said), **PULLED[slug])

    assert len({raw.external_id for raw in found}) == 2
    for raw in found:
        with pytest.raises(Unreadable, match=r"\.$"):
            kind(slug).parse(raw, settings={})


@pytest.mark.parametrize("slug", PULLED)
def test_an_answer_that_is_no_json_is_told_in_a_sentence(slug: str) -> None:
    with pytest.raises(Unreadable, match=r"\.$"):
        walk(slug, Source(lambda path, query: Answer(200, {}, b"<html>")), **PULLED[slug])


@pytest.mark.parametrize("slug", PULLED)
def test_a_channel_that_does_not_say_what_to_read_asks_nobody(slug: str) -> None:
    source = Source(lambda path, query: {})

    with pytest.raises(Unreadable, match=r"Set .* page\.$"):
        walk(slug, source)
    assert source.asked == []
