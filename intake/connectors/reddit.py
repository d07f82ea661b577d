"""Posts and comments from Reddit."""

import base64
import html
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from urllib.parse import quote, urlencode

from intake.connectors import connectors
from intake.connectors.base import Ask, Draft, Ignored, Page, PullConnector, RawItem, Request, Setting, Unreadable
from intake.connectors.documents import DocumentConnector, document, list_at, moment_at, text_at
from intake.connectors.documents import at as member
from intake.connectors.social import OWN_HANDLES, gone, item, listed, object_of, pass_over_own, told, wanted
from intake.connectors.walks import Found, and_again, back_to_known

_API = "https://oauth.reddit.com"
_TOKENS = "https://www.reddit.com/api/v1/access_token"
PAGE = 100
_GONE = ("[deleted]", "[removed]")
# Seconds, read again on each visit: listings are put together late, and edits show in them.
_OVERLAP = 600


@connectors.register
class Reddit(DocumentConnector, PullConnector):
    slug = "reddit"
    name = "Reddit"
    asks = (
        Setting("client_id", "Client id", help="Of your application at reddit.com/prefs/apps.", is_required=True),
        Setting("client_secret", "Client secret", is_secret=True, is_required=True),
        Setting(
            "username", "Account of the application", help="Reddit wants to know whom to write to.", is_required=True
        ),
        Setting("subreddits", "Subreddits", help="Separated by commas, such as acme, acmebeta."),
        Setting(
            "query", "Search words", help="With subreddits only there, else everywhere. Empty reads all they hold."
        ),
        OWN_HANDLES,
    )

    def split_document(self, found: Any, *, settings: Mapping[str, Any]) -> Iterator[RawItem]:
        # Comment trees may be deeper than Python's stack, so they are walked without it. Next of all stands last.
        waiting = list(reversed(found)) if isinstance(found, list) else [found]
        while waiting:
            thing = waiting.pop()
            if not isinstance(thing, Mapping):
                raise Unreadable("It is no listing of Reddit. Upload what the API answered.")
            if thing.get("kind") == "Listing":
                waiting += reversed(list_at(thing, "data", "children"))
                continue
            answers = member(thing, "data", "replies", default=None)
            yield _item(thing)
            if isinstance(answers, Mapping):
                waiting.append(answers)

    def parse(self, raw: RawItem, *, settings: Mapping[str, Any]) -> Draft:
        thing = object_of(raw)
        kind, said = text_at(thing, "kind"), member(thing, "data", default={})
        if kind == "more":
            raise Ignored("It only says that there are more comments.")
        if kind and kind not in ("t1", "t3"):
            raise Ignored("It is neither a post nor a comment.")
        if not text_at(said, "name"):
            raise Unreadable("It has no name such as t1_abc, so it is no post. Upload what Reddit's API answered.")
        if _is_gone(said):
            raise Ignored("It was deleted at Reddit.")
        author = text_at(said, "author")
        pass_over_own(settings, author)
        written, remarks = moment_at({"created_utc": _seconds(said, "created_utc")}, "created_utc")
        edited, _ = moment_at({"edited": _seconds(said, "edited")}, "edited")
        path, title = text_at(said, "permalink"), _plain(said, "title")
        link = text_at(said, "url") if kind == "t3" and not member(said, "is_self", default=False) else ""
        return Draft(
            text=_plain(said, "body") or _plain(said, "selftext") or link,
            title=title,
            url=f"https://www.reddit.com{path}" if path.startswith("/") else "",
            submitted_at=written,
            context=told(
                subreddit=text_at(said, "subreddit"),
                flair=text_at(said, "link_flair_text"),
                score=text_at(said, "score"),
                link=link,
                edited=edited.isoformat() if edited else "",
            ),
            remarks=remarks,
            # An account may be gone while its words stand.
            author="" if author in ("", *_GONE) else f"/u/{author}",
            thread=text_at(said, "link_id") or text_at(said, "name"),
            reply_to=text_at(said, "parent_id"),
        )

    def pages(
        self,
        cursor: Mapping[str, Any],
        *,
        ask: Ask,
        settings: Mapping[str, Any],
        secrets: Mapping[str, str],
        at: datetime,
    ) -> Iterator[Page]:
        reddit = _Reddit(ask, settings=settings, secrets=secrets, split=self.split_document)
        yield from and_again(
            self._walks(cursor, reddit, settings, at=at),
            cursor,
            reddit.again,
            at=at,
            every=timedelta(hours=1),
            batch=PAGE,
        )

    def _walks(
        self, cursor: Mapping[str, Any], reddit: "_Reddit", settings: Mapping[str, Any], *, at: datetime
    ) -> Generator[Page, None, Mapping[str, Any]]:
        for feed in _feeds(settings):
            cursor = yield from back_to_known(feed, cursor, partial(reddit.page, feed), at=at)
        return cursor


class _Reddit:
    """One visit to Reddit, with a token that lasts as long."""

    def __init__(
        self,
        ask: Ask,
        *,
        settings: Mapping[str, Any],
        secrets: Mapping[str, str],
        split: Callable[..., Iterator[RawItem]],
    ) -> None:
        self._ask, self._settings, self._split = ask, settings, split
        self._agent = f"web:feedback-portal:1.0 (by /u/{wanted(settings, 'username', 'whose application it is')})"
        client = f"{wanted(settings, 'client_id', 'the id of its application')}:{secrets.get('client_secret', '')}"
        self._client = base64.b64encode(client.encode()).decode()
        self._token = ""

    def page(self, feed: str, after: str, known: str) -> Found:
        """By `after`, back to a known time: `before` finds nothing at all once the post it names was deleted."""
        listing = self._get(feed, limit=str(PAGE), **({"after": after} if after else {}))
        if listing is None:
            raise Unreadable(f"Reddit holds nothing at {feed[:100]}. Correct the subreddits on the channel's page.")
        if text_at(listing, "kind") != "Listing":
            raise Unreadable("Reddit answered something that is no listing. It is asked again by itself.")
        raws = list(self._split(listing, settings=self._settings))
        times = [_seconds(member(child, "data"), "created_utc") for child in list_at(listing, "data", "children")]
        begin = int(known) - _OVERLAP if known.isascii() and known.isdigit() else 0
        is_known = any(time and int(time) < begin for time in times)
        newest = max((int(time) for time in times if time), default=0)
        return Found(raws, str(newest or ""), "" if is_known else text_at(listing, "data", "after"))

    def again(self, watched: Mapping[str, str]) -> Sequence[RawItem]:
        listing = self._get("/api/info", id=",".join(watched))
        # What Reddit does not know any more is deleted as well; an answer that is no listing says nothing about it.
        if text_at(listing, "kind") != "Listing":
            return []
        found = list(self._split(listing, settings=self._settings))
        missing = watched.keys() - {raw.external_id for raw in found}
        return found + [gone(name) for name in sorted(missing)]

    def _get(self, feed: str, **query: str) -> Any:
        if not self._token:
            answer = self._ask(
                Request(
                    _TOKENS,
                    method="POST",
                    headers={
                        "Authorization": f"Basic {self._client}",
                        "Content-Type": "application/x-www-form-urlencoded",
                        "User-Agent": self._agent,
                    },
                    body=b"grant_type=client_credentials",
                )
            )
            self._token = text_at(document(answer.body), "access_token")
        # Without raw_json the texts come escaped as for HTML.
        url = f"{_API}{feed}{'&' if '?' in feed else '?'}{urlencode({**query, 'raw_json': '1'})}"
        answer = self._ask(Request(url, headers={"Authorization": f"Bearer {self._token}", "User-Agent": self._agent}))
        return None if answer.status in (404, 410) else document(answer.body)


def _feeds(settings: Mapping[str, Any]) -> list[str]:
    places = "+".join(
        quote(name.removeprefix("/").removeprefix("r/"), safe="") for name in listed(settings, "subreddits")
    )
    query = str(settings.get("query") or "").strip()
    if query and places:
        return [f"/r/{places}/search?{urlencode({'q': query, 'restrict_sr': '1', 'sort': 'new'})}"]
    if query:
        return [f"/search?{urlencode({'q': query, 'sort': 'new'})}"]
    if places:
        return [f"/r/{places}/new", f"/r/{places}/comments"]
    raise Unreadable("This channel does not say where to look. Set subreddits or search words on the channel's page.")


def _item(thing: Mapping[str, Any]) -> RawItem:
    said = member(thing, "data", default={})
    name = text_at(said, "name") if thing.get("kind") in ("t1", "t3") else ""
    if name and _is_gone(said):
        return gone(name)
    if isinstance(said, Mapping):
        # What others answered is theirs, and is an item of its own.
        thing = {**thing, "data": {key: value for key, value in said.items() if key != "replies"}}
    changed, _ = moment_at({"time": _seconds(said, "edited") or _seconds(said, "created_utc")}, "time")
    return item(name, thing, updated_at=changed)


def _is_gone(said: Any) -> bool:
    return bool(
        text_at(said, "body").strip() in _GONE
        or text_at(said, "selftext").strip() in _GONE
        or text_at(said, "removed_by_category")
    )


def _seconds(said: Any, name: str) -> str:
    """Seconds since 1970 without their fraction; `edited` is false where it never was."""
    value = member(said, name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 10**11:
        return ""
    return str(int(value))


def _plain(said: Any, name: str) -> str:
    """As it was written. Texts are escaped where their HTML is, as without raw_json=1."""
    text = text_at(said, name)
    markup = text_at(said, "body_html") or text_at(said, "selftext_html")
    return html.unescape(text) if markup.lstrip().startswith("&lt;") else text
