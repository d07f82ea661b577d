"""Mentions and hashtags from Mastodon servers."""

import re
from collections.abc import Generator, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, quote, urlencode, urlsplit

from intake.connectors import connectors
from intake.connectors.base import (
    Answer,
    Ask,
    Draft,
    Ignored,
    Page,
    PullConnector,
    RawItem,
    Request,
    Setting,
    Unreadable,
)
from intake.connectors.documents import DocumentConnector, document, list_at, moment_at, text_at
from intake.connectors.documents import at as member
from intake.connectors.markup import text_of_html
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
from intake.connectors.walks import MOST_PAGES, and_again

PAGE = 40
_LINK = re.compile(r'<([^<>]{1,2000})>\s*;[^<>,]{0,200}?\brel="?prev"?')


@connectors.register
class Mastodon(DocumentConnector, PullConnector):
    slug = "mastodon"
    name = "Mastodon"
    asks = (
        Setting(
            "host",
            "Server",
            help="The server your account is on, such as mastodon.social.",
            is_required=True,
            is_called=True,
        ),
        Setting(
            "token", "Access token", help="Of an application with the scope read.", is_secret=True, is_required=True
        ),
        Setting("hashtags", "Hashtags", help="Separated by commas. Mentions of your account are read anyway."),
        OWN_HANDLES,
    )

    def split_document(self, found: Any, *, settings: Mapping[str, Any]) -> Iterator[RawItem]:
        if isinstance(found, Mapping) and "statuses" in found:
            found = list_at(found, "statuses")
        for each in found if isinstance(found, list) else [found]:
            if not isinstance(each, Mapping):
                raise Unreadable("It is no status and no list of statuses. Upload what the server's API answered.")
            # A notification is but the wrapping of a status; one without a status (a follow) stands for itself.
            status = member(each, "status", default=None)
            yield _item(status if isinstance(status, Mapping) else each)

    def parse(self, raw: RawItem, *, settings: Mapping[str, Any]) -> Draft:
        status = object_of(raw)
        if not text_at(status, "uri"):
            if text_at(status, "type"):
                raise Ignored("It is a notification without a post.")
            raise Unreadable("It has no uri, so it is no status. Upload statuses as the server's API answers them.")
        if member(status, "reblog", default=None):
            raise Ignored("It only repeats somebody else's post.")
        author = _author(status)
        pass_over_own(settings, author, text_at(status, "account", "acct"))
        written, remarks = moment_at(status, "created_at")
        media = list_at(status, "media_attachments")
        return Draft(
            text="\n\n".join(filter(None, [text_at(status, "spoiler_text"), text_of_html(text_at(status, "content"))])),
            language=text_at(status, "language"),
            url=text_at(status, "url") or text_at(status, "uri"),
            submitted_at=written,
            context=told(
                hashtags=[text_at(tag, "name") for tag in list_at(status, "tags")],
                visibility=text_at(status, "visibility"),
                edited=text_at(status, "edited_at"),
                pictures=[text_at(each, "description") or text_at(each, "type") for each in media],
                poll=[text_at(option, "title") for option in list_at(status, "poll", "options")],
            ),
            remarks=remarks,
            author=author,
            reply_to=text_at(status, "in_reply_to_id"),
            is_private=text_at(status, "visibility") in ("private", "direct"),
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
        server = _Server(base_of(wanted(settings, "host", "which server to ask")), secrets.get("token", ""), ask)
        yield from and_again(
            self._forward(cursor, server, settings),
            cursor,
            server.again,
            at=at,
            # One request a post, of the 300 that a server grants in five minutes.
            every=timedelta(hours=6),
            batch=20,
            key=lambda raw: text_at(document(raw.payload), "id"),
        )

    def _forward(
        self, cursor: Mapping[str, Any], server: "_Server", settings: Mapping[str, Any]
    ) -> Generator[Page, None, Mapping[str, Any]]:
        """Oldest first, as `min_id` walks, so that a walk may stop anywhere and nothing is missed."""
        feeds = {"mentions": "/api/v1/notifications?types[]=mention&"}
        for tag in listed(settings, "hashtags"):
            feeds[f"#{tag.lstrip('#').lower()}"] = f"/api/v1/timelines/tag/{quote(tag.lstrip('#'), safe='')}?"
        for feed, path in feeds.items():
            for _ in range(MOST_PAGES):
                since = str(cursor.get(feed) or "0")
                answer = server.get(path + urlencode({"limit": PAGE, "min_id": since}))
                found = document(answer.body) if answer.status == 200 else []
                if not isinstance(found, list):
                    raise Unreadable("The server answered something that is no list. It is asked again by itself.")
                raws = list(self.split_document(found, settings=settings))
                ahead = _min_id(answer)
                if not raws or not ahead or ahead == since:
                    break
                cursor = {**cursor, feed: ahead}
                yield Page(raws, cursor)
        return cursor


class _Server:
    def __init__(self, base: str, token: str, ask: Ask) -> None:
        self._base, self._token, self._ask = base, token, ask

    def get(self, path: str) -> Answer:
        return self._ask(Request(self._base + path, headers={"Authorization": f"Bearer {self._token}"}))

    def again(self, watched: Mapping[str, str]) -> Sequence[RawItem]:
        found = []
        for uri, number in watched.items():
            answer = self.get(f"/api/v1/statuses/{quote(number, safe='')}")
            if answer.status in (404, 410):
                found.append(gone(uri))
            elif isinstance(status := document(answer.body), Mapping) and text_at(status, "uri") == uri:
                found.append(_item(status))
        return found


def _item(status: Mapping[str, Any]) -> RawItem:
    edited, _ = moment_at(status, "edited_at")
    written, _ = moment_at(status, "created_at")
    return item(text_at(status, "uri"), status, updated_at=edited or written)


def _author(status: Mapping[str, Any]) -> str:
    """With its server, which a server leaves out of its own accounts' names."""
    name = text_at(status, "account", "acct")
    if not name or "@" in name:
        return name
    try:
        host = urlsplit(text_at(status, "account", "url")).netloc
    except ValueError:
        host = ""
    return f"{name}@{host}" if host else name


def _min_id(answer: Answer) -> str:
    """Where the Link header says to go on. Only the number is taken from it: the token goes to the channel's server alone."""
    link = _LINK.search(answer.headers.get("link", "")[:5000])
    if link is None:
        return ""
    try:
        return parse_qs(urlsplit(link[1]).query).get("min_id", [""])[0]
    except ValueError:
        return ""
