"""Presses and words from HappyOrNot terminals, as its API answers them."""

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from intake.connectors import connectors
from intake.connectors.base import Draft, RawItem, Remark, Setting, Unreadable
from intake.connectors.documents import DocumentConnector, list_at, moment_at, packed, rated, text_at
from intake.connectors.social import item, object_of, told

# A press is counted from 0, the unhappiest, unless the terminal shows its faces the other way round.
_FACES: Mapping[str, Mapping[str, int]] = {
    "FOUR": {"0": 1, "1": 2, "2": 4, "3": 5},
    "FIVE": {"0": 1, "1": 2, "2": 3, "3": 4, "4": 5},
    "FIVE_REVERSED": {"0": 5, "1": 4, "2": 3, "3": 2, "4": 1},
}


@connectors.register
class HappyOrNot(DocumentConnector):
    slug = "happy_or_not"
    name = "HappyOrNot"
    asks = (
        Setting(
            "faces",
            "Faces on the terminal",
            help="The survey's feedbackScale.",
            default="FOUR",
            choices=(("FOUR", "Four"), ("FIVE", "Five"), ("FIVE_REVERSED", "Five, happiest first")),
        ),
        Setting("store", "Store", help="Where the terminals of this channel stand."),
    )

    def split_document(self, found: Any, *, settings: Mapping[str, Any]) -> Iterator[RawItem]:
        presses = list_at(found, "results") if isinstance(found, Mapping) and "results" in found else found
        seen: Counter[bytes] = Counter()
        for press in presses if isinstance(presses, list) else [presses]:
            if not isinstance(press, Mapping):
                raise Unreadable("It is no list of answers. Upload what the openfeedback of HappyOrNot answered.")
            # There are no ids, and terminals without a line tell the hour alone: like presses are told apart by counting.
            payload = packed(press)
            seen[payload] += 1
            yield item(f"{hashlib.sha256(payload).hexdigest()}:{seen[payload]}", press)

    def parse(self, raw: RawItem, *, settings: Mapping[str, Any]) -> Draft:
        press = object_of(raw)
        if "r" not in press and "text" not in press:
            raise Unreadable(
                'It has neither "r" nor "text", so it is no answer of HappyOrNot. Upload its openfeedback.'
            )
        kind = text_at(press, "feedbackScale") or str(settings.get("faces") or "FOUR")
        faces = _FACES.get(kind)
        if faces is None:
            raise Unreadable(
                f'There are no faces "{kind[:40]}". Choose FOUR, FIVE or FIVE_REVERSED on the channel\'s page.'
            )
        sent = text_at(press, "r")
        rating, remarks = rated("csat5", faces.get(sent), place="r")
        if sent and rating is None:
            remarks = (Remark("r", f'There is no face "{sent[:40]}" on a terminal of {kind}.'),)
        written, late = moment_at(press, "ts")
        return Draft(
            text=text_at(press, "text"),
            rating=rating,
            submitted_at=written,
            context=told(
                rating_as_sent=sent,
                faces=kind,
                store=str(settings.get("store") or ""),
            ),
            remarks=remarks + late,
        )
