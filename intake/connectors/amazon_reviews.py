"""Reviews from Amazon as exports and research data hold them, an object a line; there is no API to ask."""

from collections.abc import Iterator, Mapping
from typing import Any

from feedback_portal.marking import marked
from intake.connectors import connectors
from intake.connectors.base import Draft, RawItem, Unreadable
from intake.connectors.documents import DocumentConnector, list_at, moment_at, rated, text_at
from intake.connectors.documents import at as member
from intake.connectors.markup import text_of
from intake.connectors.social import item, object_of, told


@connectors.register
class AmazonReviews(DocumentConnector):
    slug = "amazon_reviews"
    name = marked("Amazon review data")

    def split_document(self, found: Any, *, settings: Mapping[str, Any]) -> Iterator[RawItem]:
        for review in found if isinstance(found, list) else [found]:
            if not isinstance(review, Mapping):
                raise Unreadable("It is no review. Send one JSON object a line.")
            yield item(_key(review), review)

    def parse(self, raw: RawItem, *, settings: Mapping[str, Any]) -> Draft:
        review = object_of(raw)
        if not ({"rating", "overall", "text", "reviewText"} & set(review)):
            raise Unreadable('It has neither "rating" nor "overall", nor a text, so it is no review of Amazon.')
        stars = text_at(review, "rating") or text_at(review, "overall")
        rating, remarks = rated("stars5", stars)
        written, late = moment_at({"timestamp": _time(review)}, "timestamp")
        product, variant = text_at(review, "parent_asin"), text_at(review, "asin")
        verified = member(review, "verified_purchase", default=member(review, "verified", default=None))
        helpful = text_at(review, "helpful_vote") or text_at(review, "vote") or text_at(review, "helpful", 0)
        return Draft(
            text=text_of(text_at(review, "text") or text_at(review, "reviewText")),
            title=text_of(text_at(review, "title") or text_at(review, "summary")),
            rating=rating,
            product=product or variant,
            submitted_at=written,
            context=told(
                rating_as_sent=stars if rating is None else "",
                asin=variant if product and product != variant else "",
                found_helpful_by=helpful if helpful != "0" else "",
                verified_purchase={True: "yes", False: "no"}.get(verified) if isinstance(verified, bool) else None,
                pictures=str(len(list_at(review, "images") or list_at(review, "image")) or ""),
            ),
            remarks=remarks + late,
            author=text_at(review, "reviewerName"),
        )


def _key(review: Mapping[str, Any]) -> str:
    if number := text_at(review, "review_id"):
        return number
    parts = (
        text_at(review, "user_id") or text_at(review, "reviewerID"),
        text_at(review, "asin") or text_at(review, "parent_asin"),
        text_at(review, "timestamp") or text_at(review, "unixReviewTime"),
    )
    return " ".join(parts) if all(parts) else ""


def _time(review: Mapping[str, Any]) -> str:
    """Milliseconds in the data of 2023, seconds in that of 2014."""
    for name in ("timestamp", "unixReviewTime"):
        value = review.get(name)
        if isinstance(value, int) and not isinstance(value, bool):
            return str(value).zfill(10)
    return text_at(review, "timestamp")
