"""Transcripts of focus groups and interviews: each turn of a participant is something a customer said."""

import hashlib
from collections.abc import Generator, Mapping
from datetime import datetime, timedelta
from typing import Any, BinaryIO

from feedback_portal.marking import marked
from intake.connectors import connectors, spoken
from intake.connectors.base import BadRow, Draft, FileConnector, Ignored, RawItem, Row, Sender, Setting, Unreadable
from intake.connectors.documents import at, document, packed, text_at
from intake.connectors.moments import Unclear, exact_moment
from intake.connectors.spoken import Broken, Turn

# Who asks rather than answers, whatever else a session calls its moderator.
_ASK = (
    "moderator",
    "interviewer",
    "facilitator",
    "host",
    "moderatorin",
    "animateur",
    "animatrice",
    "moderador",
    "moderadora",
)


@connectors.register
class Transcript(FileConnector):
    """The payload of a turn holds `speaker`, `text`, `start` in seconds, the moderator's `question` before it and what is known
    of its `session` (id, title, held_at, product, place). Settings: `moderators`, names separated by commas.

    A turn's external id is the file's hash, or its session's id, and the turn's number.
    """

    slug = "transcript"
    name = marked("Transcript (WebVTT, SRT, SBV, Word, text)")
    extensions = (".vtt", ".srt", ".sbv", ".docx")
    asks = (
        Setting("moderators", "Names of moderators", "Separated by commas. What they say is context, not feedback."),
        Setting("product", "Product they speak about"),
    )

    def rows(self, file: BinaryIO, *, settings: Mapping[str, Any]) -> Generator[Row | BadRow, None, None]:
        file.seek(0)
        content = file.read(spoken.LONGEST_FILE + 1)
        found = spoken.turns(str(settings.get("file_name") or _ending(content)), content)
        session = {"id": hashlib.sha256(content).hexdigest()[:32], "product": str(settings.get("product") or "")}
        for number, each in enumerate(raws(found, session=session, settings=settings), start=1):
            if isinstance(each, Broken):
                yield BadRow(each.place, each.reason, cells={"original": each.original[:2000]})
            else:
                yield Row(number, each)

    def parse(self, raw: RawItem, *, settings: Mapping[str, Any]) -> Draft:
        said = document(raw.payload)
        if not isinstance(said, Mapping) or not isinstance(said.get("text"), str):
            raise Unreadable("It is no turn of a transcript: it lacks its text.")
        speaker = text_at(said, "speaker")
        if asks_questions(speaker, settings):
            raise Ignored("The moderator speaks here, which is context and no feedback.")
        text = spoken.without_noises(said["text"])
        if not any(map(str.isalnum, text)):
            raise Ignored("Nobody says a word here, only noises were written down.")
        session = at(said, "session", default={})
        facts = {
            "session": text_at(session, "title"),
            "place": text_at(session, "place"),
            "question": text_at(said, "question")[:500],
            "note": text_at(said, "note"),
        }
        return Draft(
            text=text,
            author=speaker,
            sender=Sender(external_id=text_at(said, "customer")),
            product=text_at(session, "product"),
            submitted_at=_moment(text_at(session, "held_at"), said.get("start")),
            # Each speaker's words are a conversation of their own: what one said is no answer to another.
            thread=f"session:{text_at(session, 'id')}:{speaker}" if text_at(session, "id") else "",
            context={name: value for name, value in facts.items() if value},
            is_private=True,
        )


def raws(
    found: list[Turn | Broken],
    *,
    session: Mapping[str, Any],
    settings: Mapping[str, Any],
    updated_at: datetime | None = None,
) -> Generator[RawItem | Broken, None, None]:
    """What a transcript's turns are as raw items, each with the question it answers."""
    question = ""
    number = 0
    for each in found:
        if isinstance(each, Broken):
            yield each
            continue
        number += 1
        asks = asks_questions(each.speaker, settings)
        payload = packed(spoken.as_given(each, question="" if asks else question[:500], session=dict(session)))
        yield RawItem(f"{session['id']}:{number}", payload, updated_at=updated_at)
        question = each.text if asks else question


def asks_questions(speaker: str, settings: Mapping[str, Any]) -> bool:
    named = settings.get("moderators") or ""
    known = named.split(",") if isinstance(named, str) else [str(each) for each in named]
    return speaker.casefold().strip() in {*_ASK, *(each.strip().casefold() for each in known if each.strip())}


def _ending(content: bytes) -> str:
    return "file.docx" if content.startswith(b"PK\x03\x04") else "file.txt"


def _moment(held_at: str, start: Any) -> datetime | None:
    try:
        began = exact_moment(held_at) if held_at else None
    except Unclear:
        return None
    later = start if isinstance(start, int | float) and not isinstance(start, bool) and 0 <= start < 1e6 else 0
    return began + timedelta(seconds=later) if began else None
