"""Exports of reviews: stars, a title and a text, by people who are mostly strangers."""

import hashlib
import re
from collections.abc import Mapping

from intake.connectors.presets import Preset

_REVIEW_ID = re.compile(r"[?&#]reviewid=([^&#\s]+)", re.IGNORECASE)


def _play(cells: Mapping[str, str]) -> str:
    """The id is in the link; a review of stars alone has none, and is told by everything that never changes."""
    found = _REVIEW_ID.search(cells.get("review_link", ""))
    if found:
        return found[1]
    parts = [
        cells.get(name, "")
        for name in ("package_name", "review_submit_millis_since_epoch", "device", "reviewer_language")
    ]
    return "play:" + hashlib.sha256("\x1f".join(parts).encode("utf-8", "replace")).hexdigest()


def _amazon(cells: Mapping[str, str]) -> str:
    user = cells.get("user_id") or cells.get("reviewerid") or ""
    moment = cells.get("timestamp") or cells.get("unixreviewtime") or ""
    product = cells.get("asin") or ""
    return ":".join((user, product, moment)) if user and product and moment else ""


PRESETS = (
    Preset(
        "google_play", "Google Play reviews",
        signatures=(frozenset({"package_name", "star_rating", "review_submit_millis_since_epoch"}),),
        fields={
            "text": ("review_text",), "title": ("review_title",), "rating": ("star_rating",), "url": ("review_link",),
            "submitted_at": ("review_submit_millis_since_epoch", "review_submit_date_and_time"),
            "updated_at": ("review_last_update_millis_since_epoch", "review_last_update_date_and_time"),
            "product": ("package_name",), "product_version": ("app_version_name", "app_version_code"), "language": ("reviewer_language",),
            "ignore": ("developer_reply_millis_since_epoch",),
        },
        scale="stars5", zone="UTC", identify=_play,
        notes="Reviews of stars alone are ratings without a text. A review that was edited replaces what stood.",
    ),
    Preset(
        "trustpilot", "Trustpilot",
        signatures=(
            frozenset({"review_id", "review_stars", "review_content"}), frozenset({"review_id", "stars", "consumer_name"}),
            frozenset({"id", "stars", "consumer_displayname"}),
        ),
        fields={
            "external_id": ("review_id", "id"), "text": ("review_content", "review_text", "text"), "title": ("review_title", "title"),
            "rating": ("review_stars", "stars", "rating"), "author": ("consumer_name", "review_username", "consumer_displayname", "reviewer_name"),
            "submitted_at": ("review_created", "review_created_utc", "review_created_date", "review_date", "created_at", "createdat", "date"),
            "updated_at": ("review_updated", "review_updated_utc", "updated_at", "updatedat"),
            "email": ("referral_email", "referralemail", "consumer_email"), "customer_id": ("reference_number", "reference_id", "referenceid"),
            "language": ("review_language", "language"), "url": ("review_url", "review_link", "url"),
        },
        scale="stars5", zone="UTC", notes="Times without a zone are UTC; the reference number is the customer.",
    ),
    Preset(
        "amazon_2015", "Amazon reviews, TSV of 2015", signatures=(frozenset({"review_id", "product_parent", "star_rating", "review_body"}),),
        fields={
            "external_id": ("review_id",), "text": ("review_body",), "title": ("review_headline",), "rating": ("star_rating",),
            "product": ("product_parent", "product_id"), "submitted_at": ("review_date",), "author": ("customer_id",),
        },
        scale="stars5", zone="UTC", is_html=True, is_unquoted=True, notes="Not quoted: a quotation mark is part of the text.",
    ),
    Preset(
        "amazon", "Amazon reviews",
        signatures=(frozenset({"asin", "user_id", "timestamp", "rating"}), frozenset({"asin", "reviewerid", "reviewtext", "overall"})),
        fields={
            "text": ("text", "reviewtext"), "title": ("title", "summary"), "rating": ("rating", "overall"), "product": ("parent_asin", "asin"),
            "submitted_at": ("timestamp", "unixreviewtime"), "author": ("reviewername", "user_id", "reviewerid"), "ignore": ("images",),
        },
        scale="stars5", zone="UTC", is_html=True, identify=_amazon,
        notes="No number of its own: a review is known again by who wrote it, of what and when.",
    ),
    Preset(
        "g2", "G2", signatures=(frozenset({"what_do_you_like_best", "what_do_you_dislike"}), frozenset({"star_rating", "love", "hate"})),
        fields={
            "external_id": ("review_id", "id", "response_id"), "title": ("title", "review_title"), "rating": ("star_rating", "rating", "overall_rating"),
            "text": ("what_do_you_like_best", "love", "what_do_you_dislike", "hate", "recommendations_to_others", "recommendations",
                     "what_problems_are_you_solving", "what_problems_is_the_product_solving_and_how_is_that_benefiting_you", "benefits"),
            "author": ("user_name", "reviewer_name", "reviewer"), "submitted_at": ("submitted_at", "date_submitted", "review_date", "published_at"),
            "updated_at": ("updated_at",), "product": ("product_name", "product"), "url": ("url", "review_url", "review_link"),
        },
        scale="stars5", zone="UTC", notes="Each answer of a review stands under its question; stars come in halves.",
    ),
)  # fmt: skip
