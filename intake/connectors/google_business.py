"""Reviews of places on Google Maps, as the Business Profile API pages them."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from feedback_portal.marking import marked
from intake.connectors import connectors
from intake.connectors.base import Draft, Ignored, Rating, RawItem, Remark, Unreadable
from intake.connectors.documents import DocumentConnector, list_at, moment_at, rated, text_at
from intake.connectors.documents import at as member
from intake.connectors.social import item, object_of, told

_STARS = {"ONE": 1, "TWO": 2, "THREE": 3, "FOUR": 4, "FIVE": 5}
_TRANSLATED, _ORIGINAL = "(Translated by Google)", "(Original)"
_PLACE = re.compile(r"/locations/([^/]+)/")


@connectors.register
class GoogleBusiness(DocumentConnector):
    slug = "google_business"
    name = marked("Google Business reviews")

    def split_document(self, found: Any, *, settings: Mapping[str, Any]) -> Iterator[RawItem]:
        if isinstance(found, Mapping):
            for each in list_at(found, "locationReviews"):
                # Reviews of several places at once stand one step deeper.
                yield _item({**member(each, "review", default={}), "name": text_at(each, "name")})
            if "locationReviews" in found:
                return
        reviews = list_at(found, "reviews") if isinstance(found, Mapping) and "reviews" in found else found
        if isinstance(reviews, Mapping) and set(reviews) <= {"averageRating", "totalReviewCount"}:
            return
        for review in reviews if isinstance(reviews, list) else [reviews]:
            if not isinstance(review, Mapping):
                raise Unreadable("It is no page of reviews. Upload what the Business Profile API answered.")
            yield _item(review)

    def parse(self, raw: RawItem, *, settings: Mapping[str, Any]) -> Draft:
        review = object_of(raw)
        if isinstance(review.get("message"), Mapping):
            raise Ignored("It only says that a review came or changed; upload the page of reviews that holds it.")
        name = text_at(review, "name") or text_at(review, "reviewId")
        if not name:
            raise Unreadable("It has no name, so it is no review. Upload what the Business Profile API answered.")
        rating, remarks = _rating(review)
        written, late = moment_at(review, "createTime")
        place = _PLACE.search(name)
        updated = text_at(review, "updateTime")
        return Draft(
            text=_original(text_at(review, "comment")),
            rating=rating,
            submitted_at=written,
            context=told(
                store=place[1] if place else "",
                edited=updated if updated != text_at(review, "createTime") else "",
                our_reply=text_at(review, "reviewReply", "comment"),
                pictures=str(len(list_at(review, "reviewMediaItems")) or ""),
            ),
            remarks=remarks + late,
            author=""
            if member(review, "reviewer", "isAnonymous") is True
            else text_at(review, "reviewer", "displayName"),
        )


def _item(review: Mapping[str, Any]) -> RawItem:
    changed, _ = moment_at(review, "updateTime")
    written, _ = moment_at(review, "createTime")
    return item(text_at(review, "name") or text_at(review, "reviewId"), review, updated_at=changed or written)


def _rating(review: Mapping[str, Any]) -> tuple[Rating | None, tuple[Remark, ...]]:
    stars = text_at(review, "starRating")
    if stars in ("", "STAR_RATING_UNSPECIFIED"):
        return None, ()
    if stars not in _STARS:
        return None, (Remark("starRating", f'"{stars[:40]}" is no number of stars.'),)
    return rated("stars5", _STARS[stars])


def _original(comment: str) -> str:
    """What was written, of a comment that holds it and its translation, in either order."""
    if _TRANSLATED not in comment:
        return comment
    if _ORIGINAL in comment:
        return comment.partition(_ORIGINAL)[2].strip()
    return comment.partition(_TRANSLATED)[0].strip() or comment.partition(_TRANSLATED)[2].strip()
