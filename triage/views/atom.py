"""Public pages as feeds (Atom, RFC 4287)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.http import HttpResponse
from django.utils import translation
from django.utils.feedgenerator import Atom1Feed


@dataclass(frozen=True)
class Entry:
    """One entry; its address is its id, and stays."""

    title: str
    address: str
    text: str
    at: datetime


def atom(title: str, address: str, feed_url: str, entries: Sequence[Entry]) -> HttpResponse:
    """The entries, newest first, in the language that is spoken."""
    feed = Atom1Feed(title=title, link=address, description="", feed_url=feed_url, language=translation.get_language())
    for entry in entries:
        feed.add_item(
            title=entry.title,
            link=entry.address,
            description=entry.text,
            unique_id=entry.address,
            pubdate=entry.at,
            updateddate=entry.at,
        )
    response = HttpResponse(content_type="application/atom+xml; charset=utf-8")
    if entries:
        response["Last-Modified"] = f"{entries[0].at:%a, %d %b %Y %H:%M:%S} GMT"
    feed.write(response, "utf-8")
    return response
