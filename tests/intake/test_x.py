"""X: the walk through its pages, posts that were edited, webhooks and their challenges, and archives."""

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest

from intake.connectors.base import (
    Call,
    Forged,
    Ignored,
)
from intake.connectors.x import X
from tests.intake.scripted import AT, Source, ids, raws, walk

SNOWFLAKE = (int(AT.timestamp() * 1000) - 1288834974657) << 22


def post(number: int, **more: Any) -> dict[str, Any]:
    return {"id": str(number), "author_id": "7", "text": str(number), **more}


def x_page(*posts: Any, after: str = "", **more: Any) -> dict[str, Any]:
    meta = {"result_count": len(posts)} | ({"newest_id": posts[0]["id"]} if posts else {})
    return {"data": list(posts), "meta": meta | ({"next_token": after} if after else {}), **more}


def x_source(mentions: Mapping[str, Any], *, standing: Any = None) -> Source:
    def answer(path: str, query: dict[str, str]) -> Any:
        if path == "/2/tweets":
            return standing
        return mentions.get(query.get("pagination_token", ""), {"meta": {"result_count": 0}})

    return Source(answer)


def test_x_walks_by_tokens_and_next_time_from_a_little_before_the_newest() -> None:
    first, second = SNOWFLAKE - (3600_000 << 22), SNOWFLAKE - (7200_000 << 22)
    source = x_source({"": x_page(post(first), after="t"), "t": x_page(post(second))})

    found, cursor = walk("x", source, user_id="9")
    again, after = walk("x", nothing := x_source({}), cursor, user_id="9")

    assert ids(found) == [str(first), str(second)]
    assert (again, after) == ([], cursor)
    assert "since_id" not in source.query(0)
    assert int(nothing.query(0)["since_id"]) == first - (60_000 << 22)


def test_x_does_not_search_further_back_than_it_may() -> None:
    _, cursor = walk("x", x_source({"": x_page(post(SNOWFLAKE))}), query="acme")

    walk("x", soon := x_source({}), cursor, query="acme", at=AT + timedelta(days=6))
    walk("x", late := x_source({}), cursor, query="acme", at=AT + timedelta(days=8))

    assert "since_id" in soon.query(0)
    assert "since_id" not in late.query(0)


def test_x_tells_what_is_gone_and_asks_for_each_once_a_day() -> None:
    _, cursor = walk("x", x_source({"": x_page(post(SNOWFLAKE), post(SNOWFLAKE - 1))}), user_id="9")
    missing = {"resource_type": "tweet", "parameter": "ids", "resource_id": str(SNOWFLAKE)}
    other = {"resource_type": "tweet", "parameter": "referenced_tweets.id", "resource_id": "5"}
    standing = {"data": [post(SNOWFLAKE - 1)], "errors": [missing, other]}

    soon = walk("x", x_source({}, standing=standing), cursor, user_id="9", at=AT + timedelta(hours=22))
    found, after = walk("x", x_source({}, standing=standing), cursor, user_id="9", at=AT + timedelta(hours=23))
    again, _ = walk("x", x_source({}, standing=standing), after, user_id="9", at=AT + timedelta(hours=24))

    assert soon[0] == []
    assert ids(found) == [f"gone {SNOWFLAKE}"]
    assert again == []


def test_x_knows_a_post_through_its_edits_and_takes_the_last() -> None:
    first, second = str(SNOWFLAKE), str(SNOWFLAKE + (60_000 << 22))
    whole = raws("x", x_page(post(int(first), edit_history_tweet_ids=[first])))
    edited = raws("x", x_page(post(int(second), edit_history_tweet_ids=[first, second])))

    assert whole[0].external_id == edited[0].external_id == first
    assert whole[0].updated_at == AT
    assert edited[0].updated_at == AT + timedelta(minutes=1)


def test_x_webhooks_hold_posts_messages_and_deletions() -> None:
    told = {
        "for_user_id": "9",
        "users": {"7": {"screen_name": "nia"}},
        "tweet_create_events": [{"id_str": "11", "text": "Blunt", "user": {"id_str": "7", "screen_name": "nia"}}],
        "tweet_delete_events": [{"status": {"id": "10", "user_id": "7"}}],
        "direct_message_events": [
            {
                "type": "message_create",
                "id": "12",
                "message_create": {"sender_id": "7", "message_data": {"text": "Psst"}},
            }
        ],
        "favorite_events": [{"id": "13"}],
    }
    call = Call("POST", "https://portal.example/hooks/k/", {}, json.dumps(told).encode())

    written, gone, message, favourite = list(X().split(call, settings={}))

    assert ids([written, gone, message]) == ["11", "gone 10", "message 12"]
    draft = X().parse(message, settings={})
    assert (draft.text, draft.author, draft.is_private) == ("Psst", "@nia", True)
    with pytest.raises(Ignored):
        X().parse(favourite, settings={})


def test_x_archives_are_scripts() -> None:
    written = b'window.YTD.tweets.part0 = [ {"tweet": {"id_str": "1", "id": "1", "full_text": "Blunt"}} ]'

    (raw,) = raws("x", written)

    assert X().parse(raw, settings={"archive_author": "nia"}).author == "@nia"
    with pytest.raises(Ignored):
        X().parse(raw, settings={"archive_author": "nia", "own_handles": "@Nia"})


def sealed(secret: str, content: bytes) -> str:
    return "sha256=" + base64.b64encode(hmac.new(secret.encode(), content, hashlib.sha256).digest()).decode()


def test_x_verifies_the_bytes_as_they_were_sent() -> None:
    body = '{"text": "grün", "n": 1.0}'.encode()
    signed = Call("POST", "https://p.example/", {"x-twitter-webhooks-signature": sealed("key", body)}, body)
    altered = Call("POST", signed.url, signed.headers, body.replace(b"1.0", b"1"))

    X().verify(signed, secrets={"consumer_secret": "key"}, at=AT)
    for call, secret in ((altered, "key"), (signed, "other"), (signed, "")):
        with pytest.raises(Forged):
            X().verify(call, secrets={"consumer_secret": secret}, at=AT)
    with pytest.raises(Forged):
        X().verify(Call("POST", signed.url, {}, body), secrets={"consumer_secret": "key"}, at=AT)


def test_x_challenges_are_answered_and_nothing_that_could_be_a_webhook_is_signed() -> None:
    def asked(token: str) -> bytes | None:
        call = Call("GET", f"https://p.example/hooks/k/?crc_token={token}&nonce=1", {}, b"")
        return X().handshake(call, secrets={"consumer_secret": "key"})

    assert json.loads(asked("Q2hhbGxlbmdl") or b"") == {"response_token": sealed("key", b"Q2hhbGxlbmdl")}
    assert asked("") == b""
    for body in ("%7B%7D", "%7B%22for_user_id%22%3A1%7D", "a" * 201, "%5B%5D"):
        with pytest.raises(Forged):
            asked(body)
    assert X().handshake(Call("POST", "https://p.example/", {}, b"{}"), secrets={"consumer_secret": "key"}) is None
    with pytest.raises(Forged):
        X().handshake(Call("GET", "https://p.example/?crc_token=a", {}, b""), secrets={})
