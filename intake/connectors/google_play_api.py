"""Google Play: the reviews of the last seven days, as its API gives them to the maker of an app."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote, urlencode

from feedback_portal.marking import marked
from intake.connectors import connectors
from intake.connectors.base import Ask, Draft, Ignored, Page, PullConnector, RawItem, Request, Setting, Unreadable
from intake.connectors.documents import DocumentConnector, at, document, list_at, packed, rated, text_at
from intake.connectors.google_keys import access

_API = "https://androidpublisher.googleapis.com/androidpublisher/v3/applications/{package}/reviews?"
_RIGHT = "https://www.googleapis.com/auth/androidpublisher"
_PLACE_HOLDS = timedelta(hours=1)


@connectors.register
class GooglePlayApi(DocumentConnector, PullConnector):
    slug = "google_play_api"
    name = marked("Google Play (API)")
    asks = (
        Setting("package", "Package name", help="As in com.example.shop.", is_required=True),
        Setting(
            "service_account",
            "Key of a service account",
            help="The content of its JSON key file. In the Play Console the account may reply to reviews.",
            is_secret=True,
            is_required=True,
        ),
    )
    # The API gives seven days each time, and 200 questions an hour.
    every = timedelta(hours=1)

    def split_document(self, found: Any, *, settings: Mapping[str, Any]) -> Iterator[RawItem]:
        # A page without reviews has no list at all.
        if not isinstance(found, Mapping) or "error" in found:
            raise Unreadable("It is no page of Google Play reviews. Check the package name.")
        for review in list_at(found, "reviews"):
            number = text_at(review, "reviewId")
            if not number:
                raise Unreadable("One of its reviews has no id. Look at the page as it arrived.")
            yield RawItem(number, packed(review), updated_at=_moment(_said(review)))

    def parse(self, raw: RawItem, *, settings: Mapping[str, Any]) -> Draft:
        found = document(raw.payload)
        said = _said(found)
        if not isinstance(found, Mapping) or not text_at(found, "reviewId"):
            raise Unreadable("It is no review of Google Play. Look at it as it arrived.")
        if said is None:
            raise Ignored("It holds our answer alone, and no words of a customer.")
        # Their own words where Google translated them.
        whole = text_at(said, "originalText") or text_at(said, "text")
        title, tab, text = whole.partition("\t")
        rating, remarks = rated("stars5", at(said, "starRating"))
        package = str(settings.get("package") or "")
        context = {
            "device": text_at(said, "deviceMetadata", "productName") or text_at(said, "device"),
            "android": text_at(said, "androidOsVersion"),
            "version code": text_at(said, "appVersionCode"),
            "thumbs up": text_at(said, "thumbsUpCount"),
        }
        return Draft(
            title=title.strip() if tab else "",
            text=(text if tab else whole).strip(),
            rating=rating,
            language=text_at(said, "reviewerLanguage"),
            product=package,
            product_version=text_at(said, "appVersionName"),
            submitted_at=_moment(said),
            author=text_at(found, "authorName"),
            context={name: value for name, value in context.items() if value not in ("", "0")},
            remarks=remarks,
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
        package = str(settings.get("package") or "").strip()
        headers = {"Authorization": f"Bearer {access(ask, secrets.get('service_account', ''), right=_RIGHT, at=at)}"}
        # A walk that was interrupted is gone on with while Google remembers its place.
        is_known = "token" in cursor and at - datetime.fromisoformat(cursor["left"]) < _PLACE_HOLDS
        token = str(cursor["token"]) if is_known else ""
        while True:
            asked = {"maxResults": "100"} | ({"token": token} if token else {})
            answer = ask(Request(_API.format(package=quote(package, safe="")) + urlencode(asked), headers=headers))
            if answer.status != 200:
                raise Unreadable(f"Google Play knows no app {package[:100]}. Check the package name.")
            found = document(answer.body)
            token = text_at(found, "tokenPagination", "nextPageToken")
            raws = list(self.split_document(found, settings=settings))
            yield Page(raws, {"token": token, "left": at.isoformat()} if token else {})
            if not token:
                return


def _said(review: Any) -> Any:
    """The customer's part of a review; ours stands beside it, in either order."""
    parts = (at(each, "userComment", default=None) for each in list_at(review, "comments"))
    return next((part for part in parts if isinstance(part, Mapping)), None)


def _moment(said: Any) -> datetime | None:
    seconds = text_at(said, "lastModified", "seconds")
    nanos = at(said, "lastModified", "nanos", default=0)
    if not seconds.isdecimal() or len(seconds) > 11:
        return None
    return datetime.fromtimestamp(int(seconds), UTC) + timedelta(
        microseconds=nanos // 1000 if isinstance(nanos, int) else 0
    )
