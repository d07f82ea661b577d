"""Posts from Bluesky: pages of its API, and events of its stream."""

import json
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from urllib.parse import quote, urlencode

from intake.connectors import connectors
from intake.connectors.base import Ask, Draft, Ignored, Page, PullConnector, RawItem, Request, Setting, Unreadable
from intake.connectors.documents import DocumentConnector, document, list_at, moment_at, text_at
from intake.connectors.documents import at as member
from intake.connectors.moments import Unclear, moment_of
from intake.connectors.social import (
    OWN_HANDLES,
    base_of,
    gone,
    item,
    listed,
    object_of,
    pass_over_own,
    told,
    wanted,
)
from intake.connectors.walks import Found, and_again, back_to_known

_POST = "app.bsky.feed.post"
PAGE = 100
MOST_URIS = 25
# What is said to us; likes and follows say nothing.
_REASONS = ("mention", "reply", "quote")
# Posts reach the search late, and with times their authors' clocks gave them.
_OVERLAP = timedelta(minutes=30)


@connectors.register
class Bluesky(DocumentConnector, PullConnector):
    slug = "bluesky"
    name = "Bluesky"
    # A login a visit, of the 300 a day that a server grants an account.
    every = timedelta(minutes=15)
    asks = (
        Setting("handle", "Handle", help="Of your account, such as acme.bsky.social.", is_required=True),
        Setting(
            "app_password",
            "App password",
            help="Made under Settings, Privacy and security; never the account's own.",
            is_secret=True,
            is_required=True,
        ),
        Setting("host", "Server", help="Where your account lives.", default="bsky.social", is_called=True),
        Setting("query", "Search words", help="Separated by commas. Mentions and replies are read anyway."),
        OWN_HANDLES,
    )

    def split_document(self, found: Any, *, settings: Mapping[str, Any]) -> Iterator[RawItem]:
        # Threads are walked without Python's stack, which is not as deep. Next of all stands last.
        waiting = [found]
        while waiting:
            thing = waiting.pop()
            if isinstance(thing, list):
                waiting += reversed(thing)
                continue
            if not isinstance(thing, Mapping):
                raise Unreadable("It is no post of Bluesky. Upload what its API or its Jetstream answered.")
            inner = _inner(thing)
            if inner is None:
                yield _item(thing)
            else:
                waiting += reversed(inner)

    def parse(self, raw: RawItem, *, settings: Mapping[str, Any]) -> Draft:
        view = object_of(raw)
        if kind := text_at(view, "kind"):
            return _of_event(view, kind, settings)
        if text_at(view, "$type").endswith(("#notFoundPost", "#blockedPost")):
            raise Ignored("It stands for a post that cannot be seen.")
        record = member(view, "record", default=None) or member(view, "value", default=None)
        reason = text_at(view, "reason")
        if reason and reason not in _REASONS:
            raise Ignored("It is a notification about nothing that was said.")
        if not text_at(view, "uri") or not isinstance(record, Mapping):
            raise Unreadable("It has no uri or no record, so it is no post. Upload what Bluesky's API answered.")
        author, did = text_at(view, "author", "handle"), text_at(view, "author", "did")
        return _draft(record, uri=text_at(view, "uri"), author=author, did=did, view=view, settings=settings)

    def pages(
        self,
        cursor: Mapping[str, Any],
        *,
        ask: Ask,
        settings: Mapping[str, Any],
        secrets: Mapping[str, str],
        at: datetime,
    ) -> Iterator[Page]:
        server = _Server(ask, settings=settings, secrets=secrets, split=partial(self.split_document, settings=settings))
        yield from and_again(
            self._walks(cursor, server, settings, at=at),
            cursor,
            server.again,
            at=at,
            every=timedelta(hours=6),
            batch=MOST_URIS,
        )

    def _walks(
        self, cursor: Mapping[str, Any], server: "_Server", settings: Mapping[str, Any], *, at: datetime
    ) -> Generator[Page, None, Mapping[str, Any]]:
        cursor = yield from back_to_known("notifications", cursor, server.notifications, at=at)
        for query in listed(settings, "query"):
            cursor = yield from back_to_known(f"search {query}", cursor, partial(server.search, query), at=at)
        return cursor


class _Server:
    """One visit, under one login."""

    def __init__(
        self,
        ask: Ask,
        *,
        settings: Mapping[str, Any],
        secrets: Mapping[str, str],
        split: Callable[[Any], Iterator[RawItem]],
    ) -> None:
        self._ask, self._split = ask, split
        self._base = base_of(str(settings.get("host") or "bsky.social"))
        self._login = {
            "identifier": wanted(settings, "handle", "which account to read").removeprefix("@"),
            "password": secrets.get("app_password", ""),
        }
        self._token = ""

    def notifications(self, after: str, known: str) -> Found:
        query = [*(("reasons", reason) for reason in _REASONS), ("limit", str(PAGE)), *_cursor(after)]
        return self._found("app.bsky.notification.listNotifications", query, "notifications", known)

    def search(self, words: str, after: str, known: str) -> Found:
        query = [("q", words), ("sort", "latest"), ("limit", str(PAGE)), *_cursor(after)]
        if since := _earlier(known):
            query.append(("since", since))
        return self._found("app.bsky.feed.searchPosts", query, "posts", known)

    def again(self, watched: Mapping[str, str]) -> Sequence[RawItem]:
        answer = self._get("app.bsky.feed.getPosts", [("uris", uri) for uri in watched])
        # It leaves out what it does not find, deleted accounts' posts too; an answer without a list says nothing.
        if not isinstance(member(answer, "posts", default=None), list):
            return []
        found = list(self._split({"posts": list_at(answer, "posts")}))
        missing = watched.keys() - {raw.external_id for raw in found}
        return found + [gone(uri) for uri in sorted(missing)]

    def _found(self, method: str, query: Sequence[tuple[str, str]], name: str, known: str) -> Found:
        answer = self._get(method, query)
        things = list_at(answer, name)
        times = [time.isoformat() for time in (moment_at(thing, "indexedAt")[0] for thing in things) if time]
        begin = _earlier(known)
        is_known = bool(begin and times) and min(times) < begin
        raws = list(self._split({name: things}))
        return Found(raws, max(times, default=""), "" if is_known or not things else text_at(answer, "cursor"))

    def _get(self, method: str, query: Sequence[tuple[str, str]]) -> Any:
        if not self._token:
            answer = self._ask(
                Request(
                    f"{self._base}/xrpc/com.atproto.server.createSession",
                    method="POST",
                    headers={"Content-Type": "application/json"},
                    body=json.dumps(self._login).encode(),
                )
            )
            self._token = text_at(document(answer.body), "accessJwt")
        answer = self._ask(
            Request(
                f"{self._base}/xrpc/{method}?{urlencode(query)}", headers={"Authorization": f"Bearer {self._token}"}
            )
        )
        return None if answer.status in (404, 410) else document(answer.body)


def _inner(thing: Mapping[str, Any]) -> list[Any] | None:
    """What a wrapping holds; None for a post, an event or a notification itself."""
    for name in ("posts", "notifications", "feed", "records"):
        if isinstance(thing.get(name), list):
            return list_at(thing, name)
    if isinstance(thing.get("thread"), Mapping):
        return [thing["thread"]]
    if isinstance(thing.get("post"), Mapping):
        # Of a thread: what stands above it, itself, and what was answered.
        above = [thing["parent"]] if isinstance(thing.get("parent"), Mapping) else []
        return [*above, thing["post"], *list_at(thing, "replies")]
    return None


def _item(thing: Mapping[str, Any]) -> RawItem:
    kind = text_at(thing, "kind")
    if not kind:
        # The server's own time, for an author's may be anything. It changes no more than the post does.
        changed, _ = moment_at(thing, "indexedAt")
        return item(text_at(thing, "uri"), thing, updated_at=changed)
    commit = thing.get("commit")
    if kind != "commit" or text_at(commit, "collection") != _POST:
        return item("", thing)
    uri = _uri_of(thing)
    if text_at(commit, "operation") == "delete":
        return gone(uri)
    return item(uri, thing, updated_at=_event_time(thing))


def _of_event(event: Mapping[str, Any], kind: str, settings: Mapping[str, Any]) -> Draft:
    if kind == "account":
        raise Ignored("It says that an account changed, and names none of its posts.")
    record = member(event, "commit", "record", default=None)
    if kind != "commit" or text_at(event, "commit", "collection") != _POST or not isinstance(record, Mapping):
        raise Ignored("It is an event of the stream that holds no post.")
    did = text_at(event, "did")
    return _draft(record, uri=_uri_of(event), author=did, did=did, view=event, settings=settings)


def _draft(
    record: Mapping[str, Any], *, uri: str, author: str, did: str, view: Mapping[str, Any], settings: Mapping[str, Any]
) -> Draft:
    if text_at(record, "$type") not in ("", _POST):
        raise Ignored("It is a record of Bluesky that is no post.")
    pass_over_own(settings, author, did)
    written, remarks = moment_at(record, "createdAt")
    # Authors' clocks may lie; nothing is written after the server saw it.
    seen = moment_at(view, "indexedAt")[0] or _event_time(view)
    embed = member(record, "embed", default={})
    pictures = list_at(embed, "images") or list_at(embed, "media", "images")
    return Draft(
        text=text_at(record, "text"),
        language=text_at(record, "langs", 0),
        url=_address(uri),
        submitted_at=min(filter(None, (written, seen)), default=None),
        context=told(
            # The text shows links cut short.
            links=[
                text_at(feature, "uri") for facet in list_at(record, "facets") for feature in list_at(facet, "features")
            ]
            + [text_at(embed, "external", "uri") or text_at(embed, "media", "external", "uri")],
            pictures=[text_at(picture, "alt") for picture in pictures],
            quotes=text_at(embed, "record", "uri") or text_at(embed, "record", "record", "uri"),
            labels=[text_at(label, "val") for label in list_at(view, "labels")],
        ),
        remarks=remarks,
        author=author,
        thread=text_at(record, "reply", "root", "uri") or uri,
        reply_to=text_at(record, "reply", "parent", "uri"),
    )


def _uri_of(event: Mapping[str, Any]) -> str:
    return f"at://{text_at(event, 'did')}/{_POST}/{text_at(event, 'commit', 'rkey')}"


def _event_time(event: Mapping[str, Any]) -> datetime | None:
    microseconds = member(event, "time_us", default=0)
    if not isinstance(microseconds, int) or isinstance(microseconds, bool) or not 0 < microseconds < 10**17:
        return None
    return datetime.fromtimestamp(microseconds // 1_000_000, UTC) + timedelta(microseconds=microseconds % 1_000_000)


def _address(uri: str) -> str:
    parts = uri.removeprefix("at://").split("/")
    if not uri.startswith("at://") or len(parts) != 3:
        return ""
    return f"https://bsky.app/profile/{quote(parts[0], safe=':')}/post/{quote(parts[2])}"


def _cursor(after: str) -> list[tuple[str, str]]:
    return [("cursor", after)] if after else []


def _earlier(known: str) -> str:
    try:
        return (moment_of(known) - _OVERLAP).isoformat() if known else ""
    except (Unclear, OverflowError):
        return ""
