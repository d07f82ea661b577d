"""Posts from X: pages of its API, its webhooks, and the archive an account can download."""

import html
import io
import json
import re
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, BinaryIO
from urllib.parse import parse_qs, quote, urlencode, urlsplit

from intake.connectors import connectors
from intake.connectors.base import (
    Ask,
    BadRow,
    Call,
    Draft,
    Forged,
    Ignored,
    Page,
    PullConnector,
    RawItem,
    Request,
    Row,
    Setting,
    Unreadable,
)
from intake.connectors.documents import (
    LONGEST_DOCUMENT,
    HookedDocuments,
    document,
    list_at,
    moment_at,
    text_at,
)
from intake.connectors.documents import (
    at as member,
)
from intake.connectors.signatures import check, signed
from intake.connectors.social import OWN_HANDLES, gone, item, object_of, pass_over_own, told
from intake.connectors.walks import Found, and_again, back_to_known

_API = "https://api.x.com/2"
PAGE = 100
_FIELDS = {
    "tweet.fields": "created_at,author_id,conversation_id,referenced_tweets,lang,edit_history_tweet_ids,note_tweet,entities",
    "expansions": "author_id",
}
_ARCHIVE = re.compile(rb"(?:\xef\xbb\xbf)?\s*window\.YTD\.\w{1,40}\.\w{1,40}\s*=\s*")
# Of the kinds that X sends. A challenge is signed with the same secret as a webhook, so one that could be a webhook's body
# must never be answered: whoever knows the address would have their forgery signed.
_CHALLENGE = re.compile(r"[A-Za-z0-9+/=_.-]{1,200}\Z")
# Ids hold their time in milliseconds, from this one on.
_EPOCH, _BITS = 1288834974657, 22
_SEARCHABLE = timedelta(days=6, hours=23)
_OVERLAP = timedelta(minutes=1)


@connectors.register
class X(HookedDocuments, PullConnector):
    slug = "x"
    name = "X (Twitter)"
    extensions = (".js", ".json", ".jsonl", ".ndjson")
    # Every post that is read costs money.
    every = timedelta(minutes=15)
    asks = (
        Setting("token", "Bearer token", help="Of your app, to read mentions and search.", is_secret=True),
        Setting("consumer_secret", "Consumer secret", help="Of your app, to check its webhooks.", is_secret=True),
        Setting("user_id", "Id of your account", help="Its number; mentions of it are read."),
        Setting("query", "Search", help="As X writes searches, such as acme -is:retweet."),
        Setting("archive_author", "Author of archives", help="Whose archive it is, for it does not say so itself."),
        OWN_HANDLES,
    )

    def rows(self, file: BinaryIO, *, settings: Mapping[str, Any]) -> Generator[Row | BadRow, None, None]:
        file.seek(0)
        script = _ARCHIVE.match(file.read(200))
        if script is None:
            yield from super().rows(file, settings=settings)
            return
        # An archive is a script that sets a variable to the document.
        file.seek(script.end())
        written = file.read(LONGEST_DOCUMENT + 1)
        if len(written) > LONGEST_DOCUMENT:
            raise Unreadable(
                f"This part of the archive is longer than {LONGEST_DOCUMENT:,} bytes. Cut it into several."
            )
        yield from super().rows(io.BytesIO(written), settings=settings)

    def split_document(self, found: Any, *, settings: Mapping[str, Any]) -> Iterator[RawItem]:
        if isinstance(found, Mapping) and ("data" in found or "errors" in found or "meta" in found):
            yield from _of_page(found)
        elif isinstance(found, Mapping) and "for_user_id" in found:
            yield from _of_activity(found)
        else:
            for each in found if isinstance(found, list) else [found]:
                if not isinstance(each, Mapping):
                    raise Unreadable("It is no post of X. Upload what its API answered, or tweets.js of an archive.")
                post = each.get("tweet")
                yield _item(post if isinstance(post, Mapping) else each)

    def parse(self, raw: RawItem, *, settings: Mapping[str, Any]) -> Draft:
        post = object_of(raw)
        if event := text_at(post, "event"):
            raise Ignored(f'X tells of "{event[:60]}" in it, where nothing is said.')
        if isinstance(post.get("message_create"), Mapping):
            return _of_message(post, settings)
        text = text_at(post, "note_tweet", "text") or text_at(post, "extended_tweet", "full_text")
        text = html.unescape(text or text_at(post, "full_text") or text_at(post, "text"))
        if not _number(post):
            raise Unreadable(
                "It has no id, so it is no post. Upload what X's API answered, or tweets.js of an archive."
            )
        refers = {text_at(each, "type"): text_at(each, "id") for each in list_at(post, "referenced_tweets")}
        if "retweeted" in refers or isinstance(post.get("retweeted_status"), Mapping) or text.startswith("RT @"):
            raise Ignored("It only repeats somebody else's post.")
        author = text_at(post, "author", "username") or text_at(post, "user", "screen_name")
        author_id = text_at(post, "author_id") or text_at(post, "user", "id_str")
        if not author and not author_id:
            author = str(settings.get("archive_author") or "").removeprefix("@")
        if author_id and author_id == text_at(post, "for_user_id"):
            raise Ignored("One of our own accounts wrote it.")
        pass_over_own(settings, author, author_id)
        written, remarks = moment_at({"created_at": _time(post)}, "created_at")
        chain = _chain(post)
        return Draft(
            text=text,
            language=_language(text_at(post, "lang")),
            url=f"https://x.com/i/status/{quote(_number(post))}",
            submitted_at=written,
            context=told(
                links=[text_at(link, "expanded_url") for link in list_at(post, "entities", "urls")],
                hashtags=[text_at(tag, "tag") or text_at(tag, "text") for tag in list_at(post, "entities", "hashtags")],
                edits=str(len(chain) - 1) if len(chain) > 1 else "",
                quotes=refers.get("quoted", ""),
            ),
            remarks=remarks,
            author=f"@{author}" if author else author_id,
            thread=text_at(post, "conversation_id"),
            reply_to=refers.get("replied_to", "") or text_at(post, "in_reply_to_status_id_str"),
            is_private=bool(member(post, "user", "protected", default=False)),
        )

    def verify(self, call: Call, *, secrets: Mapping[str, str], at: datetime) -> None:
        given = call.headers.get("x-twitter-webhooks-signature", "")
        check(given, secrets.get("consumer_secret", ""), call.body, prefix="sha256=")

    def handshake(self, call: Call, *, secrets: Mapping[str, str]) -> bytes | None:
        if call.method not in ("GET", "HEAD"):
            return None
        token = parse_qs(urlsplit(call.url).query).get("crc_token", [""])[0]
        if not token:
            return b""
        key = secrets.get("consumer_secret", "")
        if not key:
            raise Forged("This channel has no consumer secret. Set one on the channel's page.")
        if not _CHALLENGE.match(token):
            raise Forged("It is no challenge of X.")
        return json.dumps({"response_token": "sha256=" + signed(key.encode(), token.encode())}).encode()

    def pages(
        self,
        cursor: Mapping[str, Any],
        *,
        ask: Ask,
        settings: Mapping[str, Any],
        secrets: Mapping[str, str],
        at: datetime,
    ) -> Iterator[Page]:
        api = _Api(ask, token=secrets.get("token", ""), split=partial(self.split_document, settings=settings), at=at)
        yield from and_again(
            self._walks(cursor, api, settings, at=at),
            cursor,
            api.again,
            at=at,
            # X wants deleted posts gone within a day, and every post that is looked at again is paid for again.
            every=timedelta(hours=23),
            batch=PAGE,
        )

    def _walks(
        self, cursor: Mapping[str, Any], api: "_Api", settings: Mapping[str, Any], *, at: datetime
    ) -> Generator[Page, None, Mapping[str, Any]]:
        user, query = (str(settings.get(name) or "").strip() for name in ("user_id", "query"))
        if not user and not query:
            raise Unreadable("This channel does not say what to read. Set your account's id or a search on its page.")
        if user:
            path = f"/users/{quote(user, safe='')}/mentions"
            cursor = yield from back_to_known(f"mentions {user}", cursor, partial(api.page, path, {}), at=at)
        if query:
            cursor = yield from back_to_known(
                f"search {query}", cursor, partial(api.page, "/tweets/search/recent", {"query": query}), at=at
            )
        return cursor


class _Api:
    def __init__(self, ask: Ask, *, token: str, split: Callable[[Any], Iterator[RawItem]], at: datetime) -> None:
        self._ask, self._token, self._split, self._at = ask, token, split, at

    def page(self, path: str, query: Mapping[str, str], token: str, known: str) -> Found:
        # Mentions go further back than a search does.
        since = _since(known) if not query or _is_searchable(known, self._at) else ""
        answer = self._get(
            path,
            {
                **query,
                "max_results": str(PAGE),
                **({"since_id": since} if since else {}),
                **({"pagination_token": token} if token else {}),
            },
        )
        if answer is None:
            raise Unreadable("X knows no such account. Correct the id of your account on the channel's page.")
        if not isinstance(member(answer, "meta"), Mapping):
            raise Unreadable("X answered something that is no page of posts. It is asked again by itself.")
        return Found(
            list(self._split(answer)), text_at(answer, "meta", "newest_id"), text_at(answer, "meta", "next_token")
        )

    def again(self, watched: Mapping[str, str]) -> Sequence[RawItem]:
        numbers = [name for name in watched if name.isascii() and name.isdigit()]
        answer = self._get("/tweets", {"ids": ",".join(numbers)}) if numbers else None
        # Found or not, each is named in the answer; the first of an edited chain stands as it did, so only the missing tell.
        return [raw for raw in self._split(answer) if raw.is_gone] if isinstance(answer, Mapping) else []

    def _get(self, path: str, query: Mapping[str, str]) -> Any:
        url = f"{_API}{path}?{urlencode({**query, **_FIELDS})}"
        answer = self._ask(Request(url, headers={"Authorization": f"Bearer {self._token}"}))
        return None if answer.status in (404, 410) else document(answer.body)


def _of_page(page: Mapping[str, Any]) -> Iterator[RawItem]:
    """Posts with their authors, who stand beside them; and of the errors those about a post that was asked for."""
    users = {text_at(user, "id"): user for user in list_at(page, "includes", "users")}
    data = page.get("data")
    for post in data if isinstance(data, list) else [data] if isinstance(data, Mapping) else []:
        if not isinstance(post, Mapping):
            raise Unreadable("It is no page of X's API. Upload its answers as they came.")
        author = users.get(text_at(post, "author_id"))
        yield _item({**post, "author": author} if author else post)
    for error in list_at(page, "errors"):
        number = text_at(error, "resource_id") or text_at(error, "value")
        if number and text_at(error, "parameter") in ("id", "ids") and text_at(error, "resource_type") == "tweet":
            yield gone(number)


def _of_activity(event: Mapping[str, Any]) -> Iterator[RawItem]:
    """What happened to an account that an app is subscribed to."""
    ours, users = text_at(event, "for_user_id"), event.get("users")
    for kind, things in event.items():
        for thing in things if isinstance(things, list) else []:
            number = text_at(thing, "status", "id") if kind == "tweet_delete_events" else ""
            if number:
                yield gone(number)
            elif kind == "tweet_create_events" and isinstance(thing, Mapping):
                yield _item({**thing, "for_user_id": ours})
            elif kind == "direct_message_events" and text_at(thing, "type") == "message_create":
                sender = member(users, text_at(thing, "message_create", "sender_id"), default={})
                sent, _ = moment_at(thing, "created_timestamp")
                message = {**thing, "for_user_id": ours, "author": sender}
                yield item(f"message {text_at(thing, 'id')}", message, updated_at=sent)
            else:
                yield item("", {"event": kind, "for_user_id": ours, "told": thing})


def _of_message(message: Mapping[str, Any], settings: Mapping[str, Any]) -> Draft:
    sender = text_at(message, "message_create", "sender_id")
    name = text_at(message, "author", "screen_name")
    if sender and sender == text_at(message, "for_user_id"):
        raise Ignored("One of our own accounts wrote it.")
    pass_over_own(settings, name, sender)
    written, remarks = moment_at(message, "created_timestamp")
    return Draft(
        text=html.unescape(text_at(message, "message_create", "message_data", "text")),
        submitted_at=written,
        remarks=remarks,
        author=f"@{name}" if name else sender,
        thread=f"messages {sender}",
        is_private=True,
    )


def _item(post: Mapping[str, Any]) -> RawItem:
    """Known by the first id of its edits; the last edit's own time is that of its id."""
    chain, number = _chain(post), _number(post)
    changed = _time_of_id(number)
    if changed is None:
        changed, _ = moment_at({"created_at": _time(post)}, "created_at")
    return item(chain[0] if chain else number, post, updated_at=changed)


def _number(post: Mapping[str, Any]) -> str:
    # As a number it may have lost its last digits on the way.
    return text_at(post, "id_str") or text_at(post, "id")


def _chain(post: Mapping[str, Any]) -> list[str]:
    """The ids of a post and its edits, oldest first."""
    history = list_at(post, "edit_history_tweet_ids") or list_at(post, "edit_history", "initial_tweet_ids")
    for kind in (("initial",), ("edit", "initialTweetEdit"), ("edit", "initial")):
        history = history or list_at(post, "edit_info", *kind, "editTweetIds")
    return [number for number in history if isinstance(number, str) and number]


def _time(post: Mapping[str, Any]) -> str:
    """ISO 8601 as the API writes it, or as archives and webhooks do: Mon Oct 03 17:57:11 +0000 2022."""
    written = text_at(post, "created_at")
    try:
        return datetime.strptime(written, "%a %b %d %H:%M:%S %z %Y").isoformat()
    except ValueError:
        return written


def _time_of_id(number: str) -> datetime | None:
    # Ids of before November 2010 were counted, and hold no time.
    if not (number.isascii() and number.isdigit() and 15 <= len(number) <= 19):
        return None
    return datetime.fromtimestamp(((int(number) >> _BITS) + _EPOCH) / 1000, UTC)


def _since(known: str) -> str:
    """A little before what is known, for X finds some posts late."""
    if _time_of_id(known) is None:
        return ""
    return str(int(known) - (int(_OVERLAP.total_seconds() * 1000) << _BITS))


def _is_searchable(known: str, at: datetime) -> bool:
    time = _time_of_id(known)
    return time is not None and at - time < _SEARCHABLE


def _language(code: str) -> str:
    """X has codes of its own for what is no language: und, qme, art, zxx."""
    return "" if code in ("und", "art", "zxx") or (len(code) == 3 and code.startswith("q")) else code
