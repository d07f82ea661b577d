"""The feedback a program may send: every field with its type and length, checked as a table, errors named by path."""

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from feedback_portal.refusals import InputError
from intake.cleaning import LONGEST_TEXT
from intake.connectors.base import SCALES

Check = Callable[[Any, str], list[InputError]]

_EMAIL = re.compile(r"[^@\s,;<>\"]{1,64}@[^@\s,;<>\"]{1,190}\Z")
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8}){0,2}\Z")
_SLUG = re.compile(r"[-a-zA-Z0-9_]{1,60}\Z")


def check_item(given: Any, path: str = "") -> list[InputError]:
    """What is wrong with one item of feedback; an empty list when nothing is. Linear in its size."""
    errors = _object(_FIELDS)(given, path)
    if not errors and not any(given.get(name) for name in ("text", "title", "rating")):
        errors.append(_error(path, "text", "Send a text, a title or a rating: without one there is nothing to act on."))
    return errors


def _error(path: str, name: str, message: str) -> InputError:
    return InputError(f"{path}.{name}".strip("."), message)


def _object(fields: Mapping[str, Check], *, required: tuple[str, ...] = ()) -> Check:
    def check(given: Any, path: str) -> list[InputError]:
        if not isinstance(given, dict):
            return [InputError(path, "Send an object here.")]
        errors = [_error(path, name, "There is no such field.") for name in given if name not in fields]
        errors += [_error(path, name, "This field is required.") for name in required if given.get(name) in (None, "")]
        for name, value in given.items():
            if value is not None and name in fields:
                errors += fields[name](value, f"{path}.{name}".lstrip("."))
        return errors

    return check


def _text(longest: int, pattern: re.Pattern[str] | None = None, like: str = "") -> Check:
    def check(given: Any, path: str) -> list[InputError]:
        if not isinstance(given, str):
            return [InputError(path, "Send a text here.")]
        if len(given) > longest:
            return [InputError(path, f"This is longer than {longest} characters.")]
        if given and pattern is not None and not pattern.match(given):
            return [InputError(path, f"Write it like {like}.")]
        return []

    return check


def _moment(given: Any, path: str) -> list[InputError]:
    if isinstance(given, str) and len(given) <= 40:
        try:
            if datetime.fromisoformat(given).tzinfo is not None:
                return []
        except ValueError:
            pass
    return [InputError(path, "Write the time with its zone, as in 2026-03-31T18:00:00Z.")]


def _rating(given: Any, path: str) -> list[InputError]:
    errors = _object({"scale": _text(12), "value": _number}, required=("scale", "value"))(given, path)
    if errors:
        return errors
    if given["scale"] not in SCALES:
        return [_error(path, "scale", f"Use one of {', '.join(sorted(SCALES))}.")]
    low, high = SCALES[given["scale"]]
    if not low <= Decimal(str(given["value"])) <= high:
        return [_error(path, "value", f"The scale {given['scale']} goes from {low} to {high}.")]
    return []


def _number(given: Any, path: str) -> list[InputError]:
    # A thousand digits are a number to JSON and work for an hour to others.
    if isinstance(given, bool) or not isinstance(given, int | float) or not -1e6 <= given <= 1e6:
        return [InputError(path, "Send a number here.")]
    return []


def _flag(given: Any, path: str) -> list[InputError]:
    return [] if isinstance(given, bool) else [InputError(path, "Send true or false here.")]


def _context(given: Any, path: str) -> list[InputError]:
    if not isinstance(given, dict) or len(given) > 50:
        return [InputError(path, "Send an object of at most 50 texts here.")]
    bad = [name for name, value in given.items() if len(name) > 60 or not isinstance(value, str | int | float | bool)]
    bad += [name for name, value in given.items() if isinstance(value, str) and len(value) > 500]
    return [
        _error(path, name[:60], "Names have at most 60 characters, values are texts of at most 500 or numbers.")
        for name in bad
    ]


_CUSTOMER: Mapping[str, Check] = {
    "external_id": _text(200),
    "email": _text(254, _EMAIL, "name@example.com"),
    "name": _text(200),
    "account": _text(200),
    "may_contact": _flag,
}

_FIELDS: Mapping[str, Check] = {
    "channel": _text(60, _SLUG, "support-api"),
    "external_id": _text(255),
    "text": _text(LONGEST_TEXT),
    "title": _text(300),
    "rating": _rating,
    "customer": _object(_CUSTOMER),
    "product": _text(120),
    "product_version": _text(60),
    "language": _text(12, _LANGUAGE, "en or pt-BR"),
    "submitted_at": _moment,
    "url": _text(1000, re.compile(r"https?://\S+\Z"), "https://example.com/t/1"),
    "context": _context,
}
