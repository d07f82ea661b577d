"""The patterns that find what items name: written, tried on the newest items, changed; here and nowhere else."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.db import IntegrityError, transaction
from django.db.models import F
from django.utils.translation import gettext

from feedback_portal.accounts.permissions import Actor
from feedback_portal.marking import marked
from feedback_portal.refusals import BadInput, InputError, NotAllowed, Refused
from intake.models import FeedbackItem
from triage import inputs
from triage.expressions import BadExpression, compiled
from triage.models import Pattern
from triage.phrases import LONGEST_PHRASE
from triage.taggers.base import Pattern as Written
from triage.taggers.base import Taxonomy, Text
from triage.taggers.entities import EntityIndex
from triage.words import SENTENCE_ENDS, words

MOST_PATTERNS: Final = 200
MOST_ALIASES: Final = 200
LONGEST_EXPRESSION: Final = 500
PREVIEWED: Final = 200
"""So many of the newest items a pattern is tried on before it is saved."""
_LONGEST_TEXT = 20_000  # of each of them; a preview answers while somebody types


class StalePattern(Refused):
    status = 409
    code = "stale-pattern"
    title = marked("Somebody was quicker")


@dataclass(frozen=True)
class Hit:
    """One item of a preview, and what was found in it as it is written there."""

    item: FeedbackItem
    said: tuple[str, ...]


@dataclass(frozen=True)
class Preview:
    tried: int
    hits: tuple[Hit, ...]


def create(given: Any, *, by: Actor, at: datetime) -> Pattern:
    _may(by)
    values = inputs.read(given, _PATTERN, required=("name", "kind"))
    _check_whole({"expression": "", "aliases": [], **values})
    with transaction.atomic():
        if Pattern.objects.count() >= MOST_PATTERNS:
            raise _wrong(
                "name",
                gettext("There are %(most_patterns)s patterns already. Join some with “|”, or write aliases.")
                % {"most_patterns": MOST_PATTERNS},
            )
        try:
            with transaction.atomic():
                return Pattern.objects.create(**values, changed_by=by.user, changed_at=at)
        except IntegrityError:
            raise _wrong("name", gettext("There is a pattern with this name already. Choose another.")) from None


def change(pattern: Pattern, given: Any, *, by: Actor, at: datetime, version: int | None = None) -> Pattern:
    """It applies to what arrives from then on; what was found already stays."""
    _may(by)
    values = inputs.read(given, _PATTERN)
    _check_whole({"expression": pattern.expression, "aliases": pattern.aliases, **values})
    seen = pattern.version if version is None else version
    try:
        with transaction.atomic():
            changed = Pattern.objects.filter(pk=pattern.pk, version=seen).update(
                version=F("version") + 1, changed_by=by.user, changed_at=at, **values
            )
    except IntegrityError:
        raise _wrong("name", gettext("There is a pattern with this name already. Choose another.")) from None
    if not changed:
        raise StalePattern(
            gettext("Somebody changed this pattern while you looked. Look at it as it is now, and change it again.")
        )
    pattern.refresh_from_db()
    return pattern


def preview(given: Any) -> Preview:
    """What a pattern finds in the newest items; saves nothing. `given` is what `create` takes, the name may be missing."""
    values = inputs.read(given, _PATTERN)
    _check_whole({"expression": "", "aliases": [], **values})
    written = Written(
        name=values.get("name") or gettext("New pattern"),
        kind=values.get("kind") or "new",
        expression=values.get("expression", ""),
        aliases=tuple(values.get("aliases", ())),
    )
    index = EntityIndex(Taxonomy(patterns=(written,)))
    items = list(
        FeedbackItem.objects.only("title", "text", "excerpt", "rating_value", "rating_scale").order_by(
            "-received_at", "-pk"
        )[:PREVIEWED]
    )
    hits = []
    for item in items:
        text = Text(item.pk, title=item.title, text=item.text[:_LONGEST_TEXT])
        if found := index.find(text):
            hits.append(Hit(item, tuple(dict.fromkeys(text.whole[each.start : each.end] for each in found))))
    return Preview(len(items), tuple(hits))


def _may(by: Actor) -> None:
    if not by.may_set_up:
        raise NotAllowed(gettext("Only administrators may set the portal up. Ask one of them."))


def _check_whole(values: Mapping[str, Any]) -> None:
    if bool(values["expression"]) == bool(values["aliases"]):
        raise _wrong("expression", gettext("Give an expression, or other names of one thing: one of the two."))


def _expression(given: Any) -> str:
    expression = str(inputs.line(LONGEST_EXPRESSION)(given))
    if not expression:
        return ""
    try:
        program, _ = compiled(expression, finds=True)
    except BadExpression as wrong:
        raise ValueError(str(wrong)) from None
    if program.search("") is not None:
        raise ValueError(
            gettext("This is found where nothing stands. Ask for at least one character, as in H4-\\d{4}.")
        )
    if program.groups > 1:
        raise ValueError(
            gettext("Put at most one pair of brackets around the part that counts; write the others as (?:…).")
        )
    return expression


def _aliases(given: Any) -> list[str]:
    aliases = inputs.lines(MOST_ALIASES, 80)(given)
    for alias in aliases:
        said = [word for word in words(alias).folded if word not in SENTENCE_ENDS]
        if not 1 <= len(said) <= LONGEST_PHRASE:
            raise ValueError(
                gettext("“%(alias)s” cannot be looked for. Write one to %(longest_phrase)s words.")
                % {"alias": alias, "longest_phrase": LONGEST_PHRASE}
            )
    return list(aliases)


def _kind(given: Any) -> str:
    try:
        return inputs.slug(given)
    except ValueError:
        raise ValueError(gettext("Write a short name of small letters, as in batch, order or spare-part.")) from None


def _wrong(path: str, message: str) -> BadInput:
    return BadInput(message, errors=(InputError(path, message),))


FIELDS: Final[Sequence[str]] = ("name", "kind", "expression", "aliases", "product", "position")
_PATTERN: Mapping[str, inputs.Reader] = {
    "name": inputs.line(120, marked("Give it a name.")),
    "kind": _kind,
    "expression": _expression,
    "aliases": _aliases,
    "product": inputs.line(120),
    "position": inputs.number(0, 1_000_000),
    "is_enabled": inputs.flag,
}
