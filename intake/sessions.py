"""Focus groups, interviews, visits and calls: who took part and agreed, what they said turn by turn, and notes typed meanwhile."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils.translation import gettext

from feedback_portal.accounts.models import User
from feedback_portal.marking import marked
from feedback_portal.refusals import BadInput, InputError, Refused
from intake import receiving
from intake.cleaning import clean_line, clean_text
from intake.connectors import spoken
from intake.connectors.base import RawItem, Unreadable
from intake.connectors.documents import packed
from intake.connectors.spoken import Broken, Turn
from intake.connectors.transcript import asks_questions, raws
from intake.models import Channel, Customer, Participant, Session, Submission

LONGEST_NOTE = 5000
MOST_PARTICIPANTS = 40
ENDINGS = (".vtt", ".srt", ".docx", ".txt")
_CLIENT_ID = re.compile(r"[A-Za-z0-9-]{8,64}\Z")


class NoConsent(Refused):
    status = 409
    code = "no-consent"
    title = marked("Nobody agreed yet")


@dataclass(frozen=True)
class Speaker:
    """Somebody in the transcript, how much they say, and what they are here."""

    label: str
    turns: int
    is_moderator: bool
    participant: Participant | None


@dataclass(frozen=True)
class Taken:
    """What became of a transcript's turns."""

    created: int = 0
    updated: int = 0
    known: int = 0
    left_out: int = 0
    unreadable: int = 0


def begin(
    *,
    kind: str,
    title: str,
    held_at: datetime | None,
    place: str = "",
    product: str = "",
    moderators: str = "",
    by: User | None,
) -> Session:
    """A new session, on the one channel of its kind."""
    errors = []
    if kind not in Session.Kind.values:
        errors.append(InputError("kind", gettext("Choose what kind of meeting it was.")))
    if not title.strip():
        errors.append(InputError("title", gettext("Give it a title, such as Handles, second round.")))
    if held_at is None:
        errors.append(InputError("held_at", gettext("Say when it was held.")))
    if errors or held_at is None:
        raise BadInput(gettext("Correct the places that are named."), errors=tuple(errors))
    slug = kind.replace("_", "-") + "s"
    name = {"focus-groups": "Focus groups"}.get(slug, Session.Kind(kind).label + "s")
    channel, _ = Channel.objects.get_or_create(slug=slug, defaults={"name": name, "kind": "transcript"})
    return Session.objects.create(
        channel=channel,
        kind=kind,
        title=clean_line(title, longest=160),
        held_at=held_at,
        place=clean_line(place, longest=120),
        product=clean_line(product, longest=120),
        moderators=clean_line(moderators, longest=300),
        created_by=by,
    )


def lay_transcript(session: Session, *, name: str, content: bytes) -> None:
    """Keep a transcript beside its session, to be looked at before anything of it is taken in. A new one replaces the old."""
    if not name.lower().endswith(ENDINGS):
        raise BadInput(
            gettext("“%(name)s” is no transcript. Send a file that ends in %(known)s.")
            % {"name": clean_line(name, longest=80), "known": ", ".join(ENDINGS)}
        )
    try:
        spoken.turns(name, content)
    except Unreadable as reason:
        raise BadInput(str(reason)) from None
    session.transcript, session.transcript_name = content, clean_line(name, longest=160)
    session.save(update_fields=["transcript", "transcript_name"])


def speakers(session: Session) -> list[Speaker]:
    """Who speaks in the transcript, and who else was named as taking part."""
    known = {each.label: each for each in session.participants.select_related("customer").order_by("pk")}
    counts = spoken.speakers(_turns(session)) if session.transcript else {}
    settings = {"moderators": session.moderators}
    return [
        Speaker(label, counts.get(label, 0), asks_questions(label, settings), known.get(label))
        for label in dict.fromkeys([*counts, *known])
        if label
    ]


def name_people(session: Session, agreed: Mapping[str, str], *, moderators: Sequence[str], at: datetime) -> None:
    """Say who moderated and who of the others agreed: `agreed` holds, by label, the customer's id in their own system, or
    nothing where only their words are wanted. Whoever is not named there did not agree."""
    if len(agreed) > MOST_PARTICIPANTS:
        raise BadInput(
            gettext("Name at most %(most_participants)s participants.") % {"most_participants": MOST_PARTICIPANTS}
        )
    with transaction.atomic():
        session.moderators = clean_line(", ".join(moderators), longest=300)
        session.save(update_fields=["moderators"])
        for label, customer_id in agreed.items():
            customer = Customer.objects.filter(external_id=customer_id).first() if customer_id else None
            if customer_id and customer is None:
                raise BadInput(
                    gettext("There is no customer %(name)s. Leave it empty, or correct it.")
                    % {"name": clean_line(customer_id, longest=80)}
                )
            Participant.objects.update_or_create(
                session=session,
                label=clean_line(label, longest=120),
                defaults={"customer": customer},
                create_defaults={"customer": customer, "consented_at": at},
            )
            session.participants.filter(label=clean_line(label, longest=120), consented_at=None).update(consented_at=at)
        session.participants.exclude(label__in=[clean_line(label, longest=120) for label in agreed]).update(
            consented_at=None
        )


def take_in(session: Session, *, at: datetime) -> Taken:
    """Take the turns in of everybody who agreed. The same transcript again changes nothing; a corrected one replaces its
    turns, and takes back those it no longer has and those whose speaker agrees no more."""
    agreed = {
        each.label: each.customer.external_id or "" if each.customer else ""
        for each in session.participants.exclude(consented_at=None).select_related("customer")
    }
    if not agreed:
        raise NoConsent(gettext("Nothing is taken in before somebody agreed. Mark who did, and save it."))
    found = _turns(session)
    settings = {"moderators": session.moderators}
    wanted: list[RawItem] = []
    left_out = unreadable = number = 0
    said = {f"session-{session.pk}:{place}" for place in range(1, session.turns + 1)}
    for raw, turn in zip(raws(found, session=_told(session), settings=settings, updated_at=at), found, strict=True):
        if isinstance(raw, Broken) or isinstance(turn, Broken):
            unreadable += 1
            continue
        number += 1
        if turn.speaker not in agreed or asks_questions(turn.speaker, settings) or not _has_words(turn):
            left_out += 1
            continue
        wanted.append(_for_customer(raw, agreed[turn.speaker]))
    kept = {raw.external_id for raw in wanted}
    # Only what was taken in once can be taken back: a tombstone would keep a turn away that somebody agrees to later.
    gone = Submission.objects.filter(channel=session.channel, external_id__in=said - kept, gone_at=None)
    back = [RawItem(each, b"{}", updated_at=at, is_gone=True) for each in gone.values_list("external_id", flat=True)]
    received = receiving.receive_many(session.channel, [*wanted, *back], at=at)[: len(wanted)]
    Session.objects.filter(pk=session.pk).update(turns=max(number, session.turns))
    created = sum(each.is_new for each in received)
    updated = sum(each.is_newer for each in received)
    return Taken(created, updated, len(received) - created - updated, left_out, unreadable)


def note(session: Session, *, text: str, client_id: str, speaker: str = "", by: User | None, at: datetime) -> bool:
    """A note typed during a session; True when it is new. `client_id` is the device's own id of it, so that a note kept on a
    phone without a network arrives once, however often it is sent."""
    text = clean_text(text, longest=LONGEST_NOTE)
    if not text:
        raise BadInput(
            gettext("Write down what was said."), errors=(InputError("text", gettext("Write down what was said.")),)
        )
    if not _CLIENT_ID.match(client_id):
        raise BadInput(gettext("This note has no proper number. Load the page again and send it from there."))
    payload = {
        "speaker": clean_line(speaker, longest=120),
        "text": text,
        "note": f"noted by {by.name or by.email}" if by else "",
        "session": _told(session),
    }
    raw = RawItem(f"session-{session.pk}:note:{client_id}", packed(payload))
    return receiving.receive(session.channel, raw, at=at).is_new


def _turns(session: Session) -> list[Turn | Broken]:
    return spoken.turns(session.transcript_name, bytes(session.transcript or b""))


def _told(session: Session) -> dict[str, Any]:
    return {
        "id": f"session-{session.pk}",
        "title": session.title,
        "held_at": session.held_at.isoformat(),
        "place": session.place,
        "product": session.product,
    }


def _has_words(turn: Turn) -> bool:
    return any(map(str.isalnum, spoken.without_noises(turn.text)))


def _for_customer(raw: RawItem, customer: str) -> RawItem:
    if not customer:
        return raw
    # The object ends in a brace, and an id is one more member of it.
    payload = raw.payload[:-1] + b',"customer":' + packed(customer) + b"}"
    return RawItem(raw.external_id, payload, updated_at=raw.updated_at)
