"""Where people answer on the spot: a kiosk with five faces, and a poster whose code leads to the form."""

import hmac
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings
from django.core import signing
from django.urls import reverse
from django.utils.translation import gettext

from feedback_portal.refusals import BadInput, InputError, NotAllowed, NotFound
from intake import surveys
from intake.cleaning import clean_text
from intake.kiosk_words import WORDS, Words
from intake.models import Form, Place
from intake.questions import Definition, Question, from_json
from intake.receiving import Received
from intake.surveys import QUICKEST, Sheet

LONGEST_COMMENT = 2000
# A whole day of a busy counter may come at once when its network is back.
LIMITS = {"burst": 200, "minute": 60, "hour": 2000}
_SIGNED = signing.Signer(salt="intake.place")


@dataclass(frozen=True)
class Face:
    value: int
    word: str


@dataclass(frozen=True)
class Kiosk:
    """What the page of a place says in one language; without a `comment` it asks for none."""

    language: str
    question: str
    faces: tuple[Face, ...]
    comment: str
    words: Words


def open_place(slug: str) -> Place:
    """The place of this address; `NotFound` when there is none that is open, `FormClosed` when its form is."""
    place = Place.objects.filter(slug=slug, is_enabled=True).first()
    if place is None:
        raise NotFound(
            gettext("There is no kiosk at this address. Ask whoever set it up for the address as it is now.")
        )
    place.form = surveys.open_form(Form.objects.values_list("slug", flat=True).get(pk=place.form_id))
    return place


def can_be_answered(form: Form) -> bool:
    """Whether the form asks for what five faces can say."""
    return form.current is not None and _rating(from_json(form.current.definition)) is not None


def new_event_id() -> str:
    return secrets.token_hex(16)


def kiosk(place: Place, language: str) -> Kiosk:
    """The page of an open place in one of its languages, or in its first."""
    language = language if language in place.languages else place.languages[0]
    words, asked = WORDS[language], _asked(place)
    spoken = asked.in_language(language)
    speaks = spoken.language == language
    rating, comment = _rating(spoken), _comment(spoken)
    if rating is None:
        raise surveys.FormClosed(
            gettext("The form of this place asks for no rating any more. Choose another form for the place.")
        )
    own = [step.label if step.label != step.value else "" for step in rating.steps] if speaks else [""] * 5
    return Kiosk(
        language=language,
        question=rating.label if speaks else words.question,
        faces=tuple(
            Face(value, said or word) for value, (said, word) in enumerate(zip(own, words.faces, strict=True), 1)
        ),
        comment=(comment.label if speaks and len(comment.label) <= 60 else words.comment) if comment else "",
        words=words,
    )


def take(
    place: Place,
    *,
    event_id: str,
    rating: str,
    comment: str,
    language: str,
    written_at: datetime | None,
    at: datetime,
) -> Received:
    """Store one answer given at an open place; the same `event_id` again gives the first one back."""
    asked = _asked(place)
    question, words = _rating(asked), _comment(asked)
    assert question is not None, "a kiosk without faces is not shown"
    if rating not in {"1", "2", "3", "4", "5"}:
        raise BadInput(
            gettext("Choose one of the five faces."),
            errors=(InputError("rating", gettext("Choose one of the five faces.")),),
        )
    said = clean_text(comment)[:LONGEST_COMMENT]
    answers: dict[str, Any] = {question.name: int(rating)} | ({words.name: said} if said and words else {})
    assert place.form.current is not None, "a published form has a version"
    # Nobody is too quick at a kiosk: the page stood there all day.
    sheet = Sheet(place.form, place.form.current.number, f"kiosk.{place.pk}.{event_id}", at - QUICKEST)
    about = {"place": place.name}
    return surveys.submit(sheet, answers, at=at, about=about, language=language, written_at=written_at)


def leave(place: Place, code: str) -> None:
    """`NotAllowed` for whoever does not know the code."""
    if not hmac.compare_digest(place.exit_code.encode(), code.strip().encode(errors="replace")):
        raise NotAllowed(gettext("This is not the code of this kiosk. Go back, and ask an administrator for it."))


def poster_link(place: Place) -> str:
    """The whole address behind the code on the poster: the form, knowing where it was scanned."""
    return f"{settings.BASE_URL}{reverse('intake:form', args=[place.form.slug])}?place={_SIGNED.sign(place.slug)}"


def read_place(form: Form, signed: str) -> dict[str, str]:
    """What an answer is about when it came by a poster of this form's; nothing when the link is not ours."""
    try:
        slug = _SIGNED.unsign(signed)
    except signing.BadSignature:
        return {}
    name = Place.objects.filter(slug=slug, form=form).values_list("name", flat=True).first()
    return {"place": name} if name else {}


def _asked(place: Place) -> Definition:
    assert place.form.current is not None, "a published form has a version"
    return from_json(place.form.current.definition)


def _rating(asked: Definition) -> Question | None:
    return next((question for question in asked.of_kind("scale") if question.scale == "csat5"), None)


def _comment(asked: Definition) -> Question | None:
    texts: Sequence[Question] = asked.of_kind("text")
    return next((question for question in texts if question.place == "text"), None)
