"""Facebook and Instagram: comments and recommendations as webhooks and the Graph API tell them, and exports of an account."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

from feedback_portal.marking import marked
from intake.connectors import connectors
from intake.connectors.base import Call, Draft, Forged, Ignored, Rating, RawItem, Remark, Setting, Unreadable
from intake.connectors.documents import HookedDocuments, list_at, moment_at, rated, text_at
from intake.connectors.documents import at as member
from intake.connectors.signatures import check, same
from intake.connectors.social import OWN_HANDLES, gone, item, object_of, pass_over_own, told

_SAID = frozenset(["comment", "post", "status", "rating"])
_HIDDEN = frozenset(["remove", "hide", "delete"])
_RECOMMENDED = {"POSITIVE": 5, "NEGATIVE": 1}
_LONGEST_CHALLENGE = 200


@connectors.register
class Meta(HookedDocuments):
    slug = "meta"
    name = marked("Facebook and Instagram")
    asks = (
        Setting(
            "signing_secret",
            "App secret",
            help="It stands in the app's basic settings at Meta. It signs every call.",
            is_secret=True,
            is_required=True,
        ),
        Setting(
            "verify_token",
            "Verify token",
            help="A word of your own. Enter the same one at Meta beside the address.",
            is_secret=True,
            is_required=True,
        ),
        OWN_HANDLES,
    )

    def handshake(self, call: Call, *, secrets: Mapping[str, str]) -> bytes | None:
        if call.method == "POST":
            return None
        asked = parse_qs(urlsplit(call.url).query, max_num_fields=20)
        mode, token, challenge = (asked.get(f"hub.{name}", [""])[0] for name in ("mode", "verify_token", "challenge"))
        if not mode:
            return b""
        wanted = secrets.get("verify_token", "")
        if mode != "subscribe" or not wanted or not same(token, wanted):
            raise Forged("The verify token is not the one of this channel.")
        return challenge[:_LONGEST_CHALLENGE].encode("utf-8", "replace")

    def verify(self, call: Call, *, secrets: Mapping[str, str], at: datetime) -> None:
        given = call.headers.get("x-hub-signature-256", "")
        check(given, secrets.get("signing_secret", ""), call.body, prefix="sha256=", encoding="hex")

    def split_document(self, found: Any, *, settings: Mapping[str, Any]) -> Iterator[RawItem]:
        for part in found if isinstance(found, list) and found else [found]:
            if refused := text_at(part, "error", "message"):
                raise Unreadable(
                    f'Meta refused to answer: "{refused[:200]}". Grant the right that it names, and ask it again.'
                )
            if not isinstance(part, Mapping) or not {"entry", "data", "comments_v2", "mentioned_comment"} & part.keys():
                raise Unreadable("It is no webhook, page or export of Facebook or Instagram.")
            for entry in list_at(part, "entry"):
                for change in list_at(entry, "changes"):
                    yield _change(change, entry)
            for written in (*list_at(part, "data"), member(part, "mentioned_comment", default=None)):
                if written is not None:
                    yield _written(written)
            for group in list_at(part, "comments_v2"):
                for each in list_at(group, "data"):
                    yield item("", {"export": member(each, "comment", default={})})

    def parse(self, raw: RawItem, *, settings: Mapping[str, Any]) -> Draft:
        found = object_of(raw)
        if "export" in found:
            return _exported(found["export"])
        value = member(found, "value", default=found)
        field, kind = text_at(found, "field"), text_at(value, "item")
        if _says_nothing(field, kind):
            raise Ignored(f'It is a change of the kind "{(kind or field)[:40]}", which holds nothing anybody said.')
        writer = member(value, "from", default=member(value, "reviewer", default={}))
        name = text_at(writer, "name") or text_at(writer, "username")
        name = name or text_at(value, "reviewer_name") or text_at(value, "username")
        if text_at(found, "page") and text_at(writer, "id") == text_at(found, "page"):
            raise Ignored("Our own page wrote it.")
        pass_over_own(settings, name, text_at(writer, "id"))
        rating, remarks = _rating(value)
        sent_at, late = _first_moment(value, found)
        return Draft(
            text=next((said for said in (text_at(value, n) for n in ("message", "text", "review_text")) if said), ""),
            rating=rating,
            author=name,
            thread=text_at(value, "post_id") or text_at(value, "media", "id"),
            reply_to=text_at(value, "parent_id") or text_at(value, "parent", "id"),
            url=text_at(value, "permalink_url") or text_at(value, "post", "permalink_url"),
            submitted_at=sent_at,
            context=told(**{"rating as sent": text_at(value, "recommendation_type")}),
            remarks=remarks + late,
        )


def _change(change: Any, entry: Any) -> RawItem:
    value = member(change, "value", default={})
    kept = {
        "field": text_at(change, "field"),
        "value": value,
        "page": text_at(entry, "id"),
        "time": member(entry, "time"),
    }
    kind, verb = text_at(value, "item"), text_at(value, "verb")
    names = ("comment_id", "open_graph_story_id", "id") if kept["field"] != "feed" else ("comment_id", "post_id")
    external_id = next((found for found in (text_at(value, name) for name in names) if found), "")
    if _says_nothing(kept["field"], kind):
        # Somebody's reaction to a comment names the comment, and must not stand in its place.
        return item("", kept)
    if verb in _HIDDEN and external_id:
        return gone(external_id)
    told_at, _ = moment_at(entry, "time")
    if verb in ("edit", "edited") and told_at is not None:
        # Times are whole seconds; an edit in the second of what it edits is still the later.
        told_at += timedelta(microseconds=1)
    elif verb == "add":
        told_at = moment_at(value, "created_time")[0] or told_at
    return item(external_id, kept, updated_at=told_at)


def _says_nothing(field: str, kind: str) -> bool:
    return field == "mentions" or ((kind != "" or field == "feed") and kind not in _SAID)


def _written(written: Any) -> RawItem:
    """A comment, post or recommendation of the Graph API, which gives an id only to who asks for it."""
    external_id = text_at(written, "id")
    if not external_id:
        asked = parse_qs(urlsplit(text_at(written, "permalink_url")).query, max_num_fields=20)
        external_id = (asked.get("reply_comment_id") or asked.get("comment_id") or [""])[0]
    changed, _ = moment_at(written, "updated_time")
    return item(external_id, written, updated_at=changed)


def _rating(value: Any) -> tuple[Rating | None, tuple[Remark, ...]]:
    recommended = text_at(value, "recommendation_type").upper()
    if recommended in _RECOMMENDED:
        return rated("csat5", _RECOMMENDED[recommended])
    return rated("stars5", member(value, "rating"))


def _first_moment(value: Any, found: Any) -> tuple[datetime | None, tuple[Remark, ...]]:
    for where, name in ((value, "created_time"), (value, "timestamp"), (found, "time")):
        if text_at(where, name):
            return moment_at(where, name)
    return None, ()


def _exported(comment: Any) -> Draft:
    sent_at, late = moment_at(comment, "timestamp")
    return Draft(
        text=_repaired(text_at(comment, "comment")),
        author=_repaired(text_at(comment, "author")),
        submitted_at=sent_at.astimezone(UTC) if sent_at else None,
        remarks=late,
    )


def _repaired(text: str) -> str:
    """Exports write each byte of UTF-8 as a character of its own."""
    try:
        return text.encode("latin-1").decode("utf-8")
    except ValueError:
        return text
