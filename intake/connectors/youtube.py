"""Comments under YouTube videos."""

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from urllib.parse import quote, urlencode

from feedback_portal.marking import marked
from intake.connectors import connectors
from intake.connectors.base import Ask, Draft, Page, PullConnector, RawItem, Request, Setting, Unreadable
from intake.connectors.documents import DocumentConnector, document, list_at, moment_at, text_at
from intake.connectors.documents import at as member
from intake.connectors.markup import text_of
from intake.connectors.moments import Unclear, moment_of
from intake.connectors.social import OWN_HANDLES, gone, item, listed, object_of, pass_over_own, told
from intake.connectors.walks import Found, and_again, back_to_known

_API = "https://www.googleapis.com/youtube/v3"
PAGE = 100
# An id a time; the API takes no more of them.
MOST_IDS = 50
_MOST_REPLY_PAGES = 5
# Threads are sorted by their first comment, so younger ones are read again for the answers they get.
_OVERLAP = timedelta(days=1)


@connectors.register
class YouTube(DocumentConnector, PullConnector):
    slug = "youtube"
    name = marked("YouTube comments")
    # Each page costs of a day's quota.
    every = timedelta(minutes=30)
    asks = (
        Setting("key", "API key", help="Of a project with the YouTube Data API.", is_secret=True, is_required=True),
        Setting("channel_id", "Channel id", help="All videos of this channel, such as UCabc…"),
        Setting("video_ids", "Video ids", help="Separated by commas; only these videos."),
        OWN_HANDLES,
    )

    def split_document(self, found: Any, *, settings: Mapping[str, Any]) -> Iterator[RawItem]:
        things = list_at(found, "items") if isinstance(found, Mapping) and "items" in found else found
        for thing in things if isinstance(things, list) else [things]:
            if not isinstance(thing, Mapping):
                raise Unreadable("It is no list of comments. Upload what YouTube's API answered.")
            first = member(thing, "snippet", "topLevelComment", default=None)
            if not isinstance(first, Mapping):
                yield _item(thing, "")
                continue
            video = text_at(thing, "snippet", "videoId")
            yield _item(first, video)
            for reply in list_at(thing, "replies", "comments"):
                if isinstance(reply, Mapping):
                    yield _item(reply, video)

    def parse(self, raw: RawItem, *, settings: Mapping[str, Any]) -> Draft:
        comment = object_of(raw)
        said, number = member(comment, "snippet", default={}), text_at(comment, "id")
        if not number or not isinstance(said, Mapping) or not ("textDisplay" in said or "textOriginal" in said):
            raise Unreadable("It has no id or no snippet, so it is no comment. Upload what YouTube's API answered.")
        author, channel = text_at(said, "authorDisplayName"), text_at(said, "authorChannelId", "value")
        pass_over_own(settings, author, channel)
        written, remarks = moment_at(said, "publishedAt")
        updated = text_at(said, "updatedAt")
        video, parent = text_at(said, "videoId"), text_at(said, "parentId")
        return Draft(
            text=text_at(said, "textOriginal") or text_of(text_at(said, "textDisplay")),
            url=f"https://www.youtube.com/watch?v={quote(video)}&lc={quote(number)}" if video else "",
            submitted_at=written,
            context=told(
                video=video,
                likes=text_at(said, "likeCount") if member(said, "likeCount", default=0) else "",
                edited=updated if updated != text_at(said, "publishedAt") else "",
            ),
            remarks=remarks,
            author=author,
            thread=parent or number,
            reply_to=parent,
            # Held for review, or likely spam: nobody but the channel's owner sees it.
            is_private=text_at(said, "moderationStatus") not in ("", "published"),
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
        api = _Api(ask, key=secrets.get("key", ""), split=partial(self.split_document, settings=settings))
        yield from and_again(
            self._walks(cursor, api, settings, at=at),
            cursor,
            api.again,
            at=at,
            every=timedelta(hours=12),
            batch=MOST_IDS,
        )

    def _walks(
        self, cursor: Mapping[str, Any], api: "_Api", settings: Mapping[str, Any], *, at: datetime
    ) -> Generator[Page, None, Mapping[str, Any]]:
        channel, videos = str(settings.get("channel_id") or "").strip(), listed(settings, "video_ids")
        feeds = [("videoId", video) for video in videos]
        if channel and not videos:
            feeds = [("allThreadsRelatedToChannelId", channel)]
        if not feeds:
            raise Unreadable("This channel does not say what to read. Set a channel id or video ids on its page.")
        for member_name, number in feeds:
            cursor = yield from back_to_known(number, cursor, partial(api.page, member_name, number), at=at)
        return cursor


class _Api:
    def __init__(self, ask: Ask, *, key: str, split: Callable[[Any], Iterator[RawItem]]) -> None:
        self._ask, self._key, self._split = ask, key, split

    def page(self, member_name: str, number: str, token: str, known: str) -> Found:
        answer = self._get(
            "commentThreads",
            {
                "part": "snippet,replies",
                member_name: number,
                "order": "time",
                "maxResults": str(PAGE),
                "textFormat": "plainText",
                "pageToken": token,
            },
        )
        # A video that was removed, or whose comments were switched off, has none any more, and the others go on.
        if answer is None:
            return Found([])
        threads = list_at(answer, "items")
        times = [time for time in (_published(thread) for thread in threads) if time]
        newest = max(times, default="")
        is_known = bool(known and times) and min(times) < _earlier(known)
        return Found(self._with_replies(threads), newest, "" if is_known else text_at(answer, "nextPageToken"))

    def again(self, watched: Mapping[str, str]) -> Sequence[RawItem]:
        """First comments with their thread, for an old one may be answered; answers, whose ids hold a dot, alone."""
        found: list[RawItem] = []
        firsts, replies = [name for name in watched if "." not in name], [name for name in watched if "." in name]
        for kind, part, ids in (("commentThreads", "snippet,replies", firsts), ("comments", "snippet", replies)):
            if not ids:
                continue
            answer = self._get(kind, {"part": part, "id": ",".join(ids), "textFormat": "plainText"})
            if not isinstance(member(answer, "items", default=None), list):
                continue
            stands = self._with_replies(list_at(answer, "items"))
            there = {raw.external_id for raw in stands}
            found += [*stands, *(gone(name) for name in ids if name not in there)]
        return found

    def _with_replies(self, threads: Sequence[Any]) -> list[RawItem]:
        """What a page holds of a thread are but some of its answers, where there are more than a few."""
        found = []
        for thread in threads:
            found += list(self._split(thread))
            embedded, total = len(list_at(thread, "replies", "comments")), member(thread, "snippet", "totalReplyCount")
            if isinstance(total, int) and total > embedded:
                found += self._replies(text_at(thread, "id"), text_at(thread, "snippet", "videoId"))
        return found

    def _replies(self, parent: str, video: str) -> Iterator[RawItem]:
        token = ""
        for _ in range(_MOST_REPLY_PAGES):
            answer = self._get(
                "comments",
                {
                    "part": "snippet",
                    "parentId": parent,
                    "maxResults": str(PAGE),
                    "textFormat": "plainText",
                    "pageToken": token,
                },
            )
            for reply in list_at(answer, "items"):
                if isinstance(reply, Mapping):
                    yield _item(reply, video)
            token = text_at(answer, "nextPageToken")
            if not token:
                return

    def _get(self, kind: str, query: Mapping[str, str]) -> Any:
        # The key goes into a header, for addresses end up in logs.
        url = f"{_API}/{kind}?{urlencode({name: value for name, value in query.items() if value})}"
        asked = Request(url, headers={"X-Goog-Api-Key": self._key}, may_refuse=("commentsDisabled",))
        answer = self._ask(asked)
        return None if answer.status in (403, 404, 410) else document(answer.body)


def _item(comment: Mapping[str, Any], video: str) -> RawItem:
    said = comment.get("snippet")
    if video and isinstance(said, Mapping) and not said.get("videoId"):
        comment = {**comment, "snippet": {**said, "videoId": video}}
    changed, _ = moment_at(comment, "snippet", "updatedAt")
    written, _ = moment_at(comment, "snippet", "publishedAt")
    return item(text_at(comment, "id"), comment, updated_at=changed or written)


def _published(thread: Any) -> str:
    written, _ = moment_at(thread, "snippet", "topLevelComment", "snippet", "publishedAt")
    return written.isoformat() if written else ""


def _earlier(known: str) -> str:
    try:
        return (moment_of(known) - _OVERLAP).isoformat()
    except (Unclear, OverflowError):
        return ""
