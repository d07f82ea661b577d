"""App Store Connect: all reviews of an app in all countries, with a key of its maker."""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote

from intake.connectors import connectors
from intake.connectors.base import Ask, Draft, Ignored, Page, PullConnector, RawItem, Request, Setting, Unreadable
from intake.connectors.documents import DocumentConnector, at, document, moment_at, packed, rated, text_at
from intake.connectors.keys import signed
from intake.connectors.walks import Found, back_to_known

_HOST = "https://api.appstoreconnect.apple.com/"
_OVERLAP = timedelta(days=2)
# Apple takes no token that is valid for longer than 20 minutes.
_TOKEN_HOLDS = timedelta(minutes=15)


@connectors.register
class AppStoreConnect(DocumentConnector, PullConnector):
    slug = "app_store_connect"
    name = "App Store Connect"
    asks = (
        Setting("app_id", "Apple ID of the app", help="The digits under App Information.", is_required=True),
        Setting(
            "issuer_id", "Issuer ID", help="Users and Access, Integrations, App Store Connect API.", is_required=True
        ),
        Setting("key_id", "Key ID", help="Of a key with the role Customer Support or higher.", is_required=True),
        Setting("private_key", "Private key", help="The content of the .p8 file.", is_secret=True, is_required=True),
        Setting("product", "Product", help="What this app is called in your rules and reports."),
    )
    every = timedelta(minutes=15)

    def split_document(self, found: Any, *, settings: Mapping[str, Any]) -> Iterator[RawItem]:
        reviews = at(found, "data", default=None)
        if reviews is None:
            raise Unreadable("It is no page of App Store Connect. Check the Apple ID of the app.")
        for review in reviews if isinstance(reviews, list) else [reviews]:
            number = text_at(review, "id")
            if not number:
                raise Unreadable("One of its reviews has no id. Look at the page as it arrived.")
            created_at, _ = moment_at(review, "attributes", "createdDate")
            yield RawItem(number, packed(review), updated_at=created_at)

    def parse(self, raw: RawItem, *, settings: Mapping[str, Any]) -> Draft:
        found = document(raw.payload)
        said = at(found, "attributes", default=None)
        if not isinstance(said, Mapping):
            raise Unreadable("It is no review of App Store Connect. Look at it as it arrived.")
        if text_at(found, "type") not in ("", "customerReviews"):
            raise Ignored("It is no review but something that belongs to one.")
        rating, remarks = rated("stars5", at(said, "rating"))
        created_at, other = moment_at(said, "createdDate")
        territory = text_at(said, "territory")
        return Draft(
            title=text_at(said, "title"),
            text=text_at(said, "body"),
            rating=rating,
            product=str(settings.get("product") or ""),
            submitted_at=created_at,
            author=text_at(said, "reviewerNickname"),
            context={"country": territory} if territory else {},
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
        app = quote(str(settings.get("app_id") or "").strip(), safe="")
        headers = {"Authorization": f"Bearer {_token(settings, secrets, at)}"}

        def fetch(following: str, known: str) -> Found:
            address = following or f"{_HOST}v1/apps/{app}/customerReviews?sort=-createdDate&limit=200"
            answer = ask(Request(address, headers=headers))
            if answer.status != 200:
                raise Unreadable(f"App Store Connect knows no app {app}. Check its Apple ID, and the role of the key.")
            found = document(answer.body)
            raws = list(self.split_document(found, settings=settings))
            times = [raw.updated_at for raw in raws if raw.updated_at]
            following = text_at(found, "links", "next")
            if following and not following.startswith(_HOST):
                raise Unreadable("App Store Connect names a next page somewhere else, where our key is not sent.")
            # An edited review moves to the top with its new date, so only a slip of a clock can hide behind newer ones.
            if known and times and max(times) < datetime.fromisoformat(known) - _OVERLAP:
                following = ""
            return Found(raws, newest=max(times).isoformat() if times else "", next=following)

        yield from back_to_known("reviews", cursor, fetch, at=at)


def _token(settings: Mapping[str, Any], secrets: Mapping[str, str], at: datetime) -> str:
    claims = {
        "iss": str(settings.get("issuer_id") or "").strip(),
        "iat": at,
        "exp": at + _TOKEN_HOLDS,
        "aud": "appstoreconnect-v1",
    }
    key_id = str(settings.get("key_id") or "").strip()
    return signed(claims, key=secrets.get("private_key", ""), algorithm="ES256", key_id=key_id)
