"""App Store: the reviews that Apple's feed shows to everybody, country by country."""

import hashlib
import re
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from feedback_portal.marking import marked
from intake.connectors import connectors
from intake.connectors.base import Ask, Draft, Ignored, Page, PullConnector, RawItem, Request, Setting, Unreadable
from intake.connectors.documents import DocumentConnector, at, document, moment_at, packed, rated, text_at

_ADDRESS = "https://itunes.apple.com/{country}/rss/customerreviews/page={page}/id={app}/sortby=mostrecent/json"
# Apple's feed ends there, with a page that is no JSON.
_LAST_PAGE = 10
_FULL_PAGE = 50
# An edited review moves to the top with its new date, so only a slip of a clock can hide behind newer ones.
_OVERLAP = timedelta(days=2)
_COUNTRY = re.compile(r"/([a-z]{2})/(?:reviews|review|rss)\b")


@connectors.register
class AppStore(DocumentConnector, PullConnector):
    slug = "app_store"
    name = marked("App Store (public feed)")
    asks = (
        Setting("app_id", "Number of the app", help="The digits after id in its App Store address.", is_required=True),
        Setting(
            "countries",
            "Countries",
            help="Two letters each, with commas: us, gb, de. Every country has reviews of its own.",
            is_required=True,
            default="us",
        ),
        Setting("product", "Product", help="What this app is called in your rules and reports."),
    )
    # The feed is a courtesy with no published limits.
    every = timedelta(hours=1)

    def split_document(self, found: Any, *, settings: Mapping[str, Any]) -> Iterator[RawItem]:
        feed = at(found, "feed", default=None)
        if not isinstance(feed, Mapping):
            raise Unreadable("It is no feed of App Store reviews. Check the number of the app and its countries.")
        # Missing when there is none, and no list when there is one.
        entries = at(feed, "entry", default=[])
        for entry in entries if isinstance(entries, list) else [entries]:
            payload = packed(entry)
            updated_at, _ = moment_at(entry, "updated", "label")
            yield RawItem(
                text_at(entry, "id", "label") or hashlib.sha256(payload).hexdigest(), payload, updated_at=updated_at
            )

    def parse(self, raw: RawItem, *, settings: Mapping[str, Any]) -> Draft:
        found = document(raw.payload)
        if not isinstance(found, Mapping):
            raise Unreadable("It is no entry of an App Store feed. Look at it as it arrived.")
        if "im:rating" not in found:
            raise Ignored("It is the app itself, which older feeds list first, and no review of it.")
        rating, remarks = rated("stars5", text_at(found, "im:rating", "label"))
        updated_at, other = moment_at(found, "updated", "label")
        url = text_at(_first(found, "link"), "attributes", "href")
        country = _COUNTRY.search(text_at(found, "author", "uri", "label")) or _COUNTRY.search(url)
        votes, of = text_at(found, "im:voteSum", "label"), text_at(found, "im:voteCount", "label")
        context = {
            "country": country[1] if country else "",
            "helpful": f"{votes} of {of}" if of not in ("", "0") else "",
        }
        return Draft(
            title=text_at(found, "title", "label"),
            text=text_at(_first(found, "content"), "label"),
            rating=rating,
            product=str(settings.get("product") or ""),
            product_version=text_at(found, "im:version", "label"),
            url=url,
            submitted_at=updated_at,
            author=text_at(found, "author", "name", "label"),
            context={name: value for name, value in context.items() if value},
            remarks=remarks + other,
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
        app, countries = _app(settings), _countries(settings)
        # By country, the newest time before which everything is known.
        known = dict(cursor.get("known") or {})
        walk = cursor.get("walk") or {}
        if walk.get("country") not in countries:
            walk = {}
        left = countries[countries.index(walk["country"]) if walk else 0 :]
        for country, following in zip(left, [*left[1:], ""], strict=True):
            newest, was_full = str(walk.get("newest", "")), bool(walk.get("was_full"))
            for page in range(int(walk.get("page", 1)), _LAST_PAGE + 1):
                answer = ask(Request(_ADDRESS.format(country=country, page=page, app=app)))
                # No store in that country, or none of this app.
                found = document(answer.body) if answer.status == 200 else {"feed": {}}
                raws = list(self.split_document(found, settings=settings))
                newest = max([newest, *(raw.updated_at.isoformat() for raw in raws if raw.updated_at)])
                if page == _LAST_PAGE or not raws or _all_before(raws, known.get(country, "")):
                    # The feed shows empty pages at times: one after a full page proves nothing, so all is walked again.
                    if newest and not (was_full and not raws):
                        known[country] = newest
                    yield Page(raws, {"known": known} | ({"walk": {"country": following}} if following else {}))
                    break
                was_full = len(raws) >= _FULL_PAGE
                walk = {"country": country, "page": page + 1, "newest": newest, "was_full": was_full}
                yield Page(raws, {"known": known, "walk": walk})
            walk = {}


def _first(found: Any, name: str) -> Any:
    """One of what may be one or several; of a text given plain and as HTML, the plain one comes first."""
    each = at(found, name, default={})
    return each[0] if isinstance(each, list) and each else each


def _all_before(raws: list[RawItem], known: str) -> bool:
    if not known:
        return False
    edge = datetime.fromisoformat(known) - _OVERLAP
    return all(raw.updated_at is not None and raw.updated_at < edge for raw in raws)


def _app(settings: Mapping[str, Any]) -> str:
    found = re.fullmatch(r"(?:.*/)?(?:id)?(\d{1,20})(?:\?.*)?", str(settings.get("app_id") or "").strip())
    if found is None:
        raise Unreadable("The number of the app is missing. Enter the digits after id in its App Store address.")
    return found[1]


def _countries(settings: Mapping[str, Any]) -> list[str]:
    found = [each for each in re.split(r"[\s,;]+", str(settings.get("countries") or "us").lower()) if each]
    wrong = [each for each in found if not re.fullmatch(r"[a-z]{2}", each)]
    if wrong:
        raise Unreadable(f'"{wrong[0][:40]}" is no country. Write each as two letters, with commas: us, gb, de.')
    return list(dict.fromkeys(found))
