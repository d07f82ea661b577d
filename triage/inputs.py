"""What a form or a program sent, read into values, with every place that is wrong named at once."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from django.db.models import QuerySet
from django.utils.translation import gettext

from feedback_portal.refusals import BadInput, InputError
from intake.cleaning import clean_line, clean_text

LONGEST_PROSE = 10_000
"""Characters of a note or a message; what is longer is cut."""

Reader = Callable[[Any], Any]
"""The value something stands for, or `ValueError` with a sentence for its sender."""


def read(given: Any, readers: Mapping[str, Reader], *, required: Sequence[str] = ()) -> dict[str, Any]:
    """The values of the fields that were given; fields that nobody reads and required ones that are missing are wrong too."""
    if not isinstance(given, Mapping):
        raise BadInput(gettext("Send an object with named fields."))
    errors = [InputError(name, gettext("This field is required.")) for name in required if name not in given]
    values: dict[str, Any] = {}
    for name, raw in given.items():
        if name not in readers:
            errors.append(InputError(str(name)[:80], gettext("There is no such field, or it cannot be changed.")))
            continue
        try:
            values[name] = readers[name](raw)
        except BadInput as refused:
            errors += [InputError(f"{name}.{error.path}".strip("."), error.message) for error in refused.errors]
        except ValueError as wrong:
            errors.append(InputError(name, str(wrong)))
    if errors:
        raise BadInput(gettext("Correct what is marked and send it again."), errors=tuple(errors))
    return values


def line(longest: int, if_empty: str = "") -> Reader:
    """One line of text; with `if_empty`, it must not be empty."""

    def reader(given: Any) -> str:
        text = _text(given, longest)
        clean = clean_line(text, longest=longest)
        if if_empty and not clean:
            raise ValueError(gettext(if_empty))
        return clean

    return reader


def prose(longest: int) -> Reader:
    return lambda given: clean_text(_text(given, longest), longest=longest)


def written(text: Any, name: str) -> str:
    """What somebody wrote, cleaned; `BadInput` at the field `name` where they wrote nothing."""
    clean = clean_text(text if isinstance(text, str) else "", longest=LONGEST_PROSE)
    if not clean:
        raise BadInput(gettext("Write something first."), errors=(InputError(name, gettext("Write something first.")),))
    return clean


def slug(given: Any) -> str:
    text = _text(given, 40)
    if not text or not text.isascii() or not text.replace("-", "a").replace("_", "a").isalnum() or text != text.lower():
        raise ValueError(gettext("Write a short name of small letters, digits and dashes, as in after-repair."))
    return text


def choice(values: Sequence[str]) -> Reader:
    def reader(given: Any) -> str:
        if given not in values:
            raise ValueError(gettext("Choose one of %(known)s.") % {"known": ", ".join(values)})
        return str(given)

    return reader


def known(rows: QuerySet[Any], unknown: str, *, by: str = "slug") -> Reader:
    """The one of these rows that is named so, `None` for an empty field; `unknown` is the sentence for another name."""

    def reader(given: Any) -> Any:
        if not given:
            return None
        found = rows.filter(**{by: given.strip().lower()}).first() if isinstance(given, str) else None
        if found is None:
            raise ValueError(gettext(unknown))
        return found

    return reader


def flag(given: Any) -> bool:
    """True or false; a form's checkbox sends "on"."""
    if given in (True, "on", "true"):
        return True
    if given in (False, "", "false", None):
        return False
    raise ValueError(gettext("Send true or false here."))


def number(low: int, high: int) -> Reader:
    def reader(given: Any) -> int:
        text = str(given) if isinstance(given, str | int) and not isinstance(given, bool) else ""
        if not (text.isascii() and text.isdecimal() and len(text) <= len(str(high)) and low <= int(text) <= high):
            raise ValueError(gettext("Write a whole number from %(low)s to %(high)s.") % {"low": low, "high": high})
        return int(text)

    return reader


def lines(most: int, longest: int) -> Reader:
    """A list of short texts; a form sends them in one field, by line or comma."""

    def reader(given: Any) -> list[str]:
        parts = given.replace("\n", ",").split(",") if isinstance(given, str) else given
        if not isinstance(parts, list) or len(parts) > most:
            raise ValueError(gettext("Give at most %(most)s of these.") % {"most": most})
        cleaned = [clean_line(_text(part, longest), longest=longest) for part in parts]
        return list(dict.fromkeys(part for part in cleaned if part))

    return reader


def _text(given: Any, longest: int) -> str:
    if given is None:
        return ""
    if not isinstance(given, str):
        raise ValueError(gettext("Send a text here."))  # noqa: TRY004 -- it is told to the sender, not raised at a caller
    if len(given) > longest:
        raise ValueError(gettext("This is longer than %(longest)s characters.") % {"longest": longest})
    return given
