"""Kiosks and QR codes in stores that speak the portal's own JSON, in batches of what they kept while they were offline."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from feedback_portal.marking import marked
from intake.connectors import connectors
from intake.connectors.base import SCALES, Call, Draft, Forged, Rating, RawItem, Remark, Setting, Unreadable
from intake.connectors.documents import HookedDocuments, moment_at, rated, text_at
from intake.connectors.documents import at as member
from intake.connectors.signatures import same
from intake.connectors.social import item, object_of, told

_SMILEY4 = {"1": 1, "2": 2, "3": 4, "4": 5}


@connectors.register
class InStore(HookedDocuments):
    slug = "in_store"
    name = marked("Kiosks and QR codes in stores")
    asks = (
        Setting(
            "device_token",
            "Device token",
            help="Each device sends it as Authorization: Bearer with what it posts.",
            is_secret=True,
        ),
    )

    def verify(self, call: Call, *, secrets: Mapping[str, str], at: datetime) -> None:
        token = secrets.get("device_token", "")
        if not token:
            raise Forged("This channel has no device token. Set one on the channel's page.")
        if not same(call.headers.get("authorization", ""), f"Bearer {token}"):
            raise Forged("It does not hold this channel's device token.")

    def split_document(self, found: Any, *, settings: Mapping[str, Any]) -> Iterator[RawItem]:
        for sent in found if isinstance(found, list) else [found]:
            if not isinstance(sent, Mapping):
                raise Unreadable(
                    'It is no batch of a kiosk. Send an object with "events", each with a client_event_id.'
                )
            events = sent.get("events")
            if not isinstance(events, list):
                yield item(text_at(sent, "client_submission_id") or text_at(sent, "client_event_id"), sent)
                continue
            device = text_at(sent, "device_id")
            for event in events:
                if not isinstance(event, Mapping):
                    raise Unreadable('Each of the "events" is an object with a client_event_id and a value.')
                number = text_at(event, "client_event_id")
                # The device's own count is unique on that device alone.
                yield item(f"{device} {number}".strip() if number else "", {"device_id": device, **event})

    def parse(self, raw: RawItem, *, settings: Mapping[str, Any]) -> Draft:
        event = object_of(raw)
        answers = event.get("answers")
        said = {**event, **answers} if isinstance(answers, Mapping) else event
        if not ({"value", "csat", "comment"} & set(said)):
            raise Unreadable('It has neither "value" nor "comment", so nothing was said. Send one of them.')
        rating, remarks = _rating(said)
        written, late = moment_at(said, "recorded_at" if "recorded_at" in said else "submitted_at")
        return Draft(
            text=text_at(said, "comment"),
            rating=rating,
            language=text_at(said, "language"),
            submitted_at=written,
            context=told(
                rating_as_sent=text_at(said, "value") if text_at(said, "scale") == "smiley4" else "",
                store=text_at(said, "store_id"),
                touchpoint=text_at(said, "touchpoint"),
                device=text_at(said, "device_id"),
                qr_code=text_at(said, "qr"),
            ),
            remarks=remarks + late,
        )


def _rating(said: Mapping[str, Any]) -> tuple[Rating | None, tuple[Remark, ...]]:
    """Faces are kept as satisfaction of one to five; four of them have no middle."""
    scale = text_at(said, "scale")
    if scale == "smiley4":
        face = text_at(said, "value")
        if face and face not in _SMILEY4:
            return None, (Remark("value", f'There is no face "{face[:40]}" among four.'),)
        return rated("csat5", _SMILEY4.get(face))
    known = "csat5" if scale in ("", "smiley5") else scale
    if known not in SCALES:
        return None, (Remark("scale", f'There is no scale "{scale[:40]}".'),)
    return rated(known, member(said, "value", default=member(said, "csat")), place="value")
