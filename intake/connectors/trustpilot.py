"""Trustpilot: reviews as pages of its API hold them, and as its notifications tell them."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from intake.connectors import connectors
from intake.connectors.base import Call, Draft, Ignored, RawItem, Sender, Unreadable
from intake.connectors.documents import HookedDocuments, list_at, moment_at, rated, text_at
from intake.connectors.social import gone, item, object_of, told

_GONE = frozenset(["deleted", "removed"])


@connectors.register
class Trustpilot(HookedDocuments):
    slug = "trustpilot"
    name = "Trustpilot"

    def verify(self, call: Call, *, secrets: Mapping[str, str], at: datetime) -> None:
        """Trustpilot signs nothing, so whoever knows the address is believed; it is as hard to guess as a secret."""

    def split_document(self, found: Any, *, settings: Mapping[str, Any]) -> Iterator[RawItem]:
        if not isinstance(found, Mapping) or not {"reviews", "events", "stars"} & found.keys():
            raise Unreadable("It is no page of reviews of Trustpilot. Send what its API or its notifications give.")
        for event in list_at(found, "events"):
            review, name = event.get("eventData") if isinstance(event, Mapping) else None, text_at(event, "eventName")
            if name.endswith("-deleted"):
                yield gone(text_at(review, "id"))
            elif isinstance(review, Mapping) and "stars" in review:
                yield _item(review)
            else:
                yield item("", event)
        for review in list_at(found, "reviews"):
            yield _item(review)
        if "stars" in found:
            yield _item(found)

    def parse(self, raw: RawItem, *, settings: Mapping[str, Any]) -> Draft:
        review = object_of(raw)
        if "stars" not in review:
            raise Ignored(f'It is a notice of the kind "{text_at(review, "eventName")[:60]}", which holds no review.')
        status = text_at(review, "status")
        if status not in ("", "active"):
            raise Ignored(f'Trustpilot does not show it at the moment; its status is "{status[:40]}".')
        rating, remarks = rated("stars5", review["stars"], place="stars")
        written, late = moment_at(review, "createdAt")
        external_id = text_at(review, "id")
        return Draft(
            text=text_at(review, "text") or text_at(review, "content"),
            title=text_at(review, "title"),
            rating=rating,
            sender=Sender(email=text_at(review, "referralEmail")),
            language=text_at(review, "language"),
            url=f"https://www.trustpilot.com/reviews/{external_id}" if external_id.isalnum() else "",
            submitted_at=written,
            author=text_at(review, "consumer", "displayName") or text_at(review, "consumer", "name"),
            context=told(
                order=text_at(review, "referenceId"),
                store=text_at(review, "location", "name") or text_at(review, "location", "id"),
                lives_in=text_at(review, "consumer", "displayLocation"),
                experienced_at=text_at(review, "experiencedAt"),
                verified=review.get("isVerified"),
                our_reply=text_at(review, "companyReply", "text"),
                tags=[text_at(tag, "value") or text_at([tag], 0) for tag in list_at(review, "tags")],
            ),
            remarks=remarks + late,
        )


def _item(review: Any) -> RawItem:
    external_id = text_at(review, "id")
    if external_id and text_at(review, "status") in _GONE:
        return gone(external_id)
    changed, _ = moment_at(review, "updatedAt")
    written, _ = moment_at(review, "createdAt")
    return item(external_id, review, updated_at=changed or written)
