"""The feedback a program may send: every field with its type and length, checked as a table, errors named by path."""

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from feedback_portal.refusals import InputError
from intake.cleaning import LONGEST_TEXT
from intake.connectors.base import SCALES
from intake.shapes import Check, error_at, flag, moment, number, object_of, text

_EMAIL = re.compile(r"[^@\s,;<>\"]{1,64}@[^@\s,;<>\"]{1,190}\Z")
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8}){0,2}\Z")
_SLUG = re.compile(r"[-a-zA-Z0-9_]{1,60}\Z")
_MOST_CONTEXT = 50


def check_item(given: Any, path: str = "") -> list[InputError]:
    """What is wrong with one item of feedback; an empty list when nothing is. Linear in its size."""
    errors = _ITEM(given, path)
    if not errors and not any(given.get(name) for name in ("text", "title", "rating")):
        message = "Send a text, a title or a rating: without one there is nothing to act on."
        errors.append(error_at(path, "text", message))
    return errors


def _rating(given: Any, path: str) -> list[InputError]:
    errors = object_of({"scale": text(12), "value": number}, required=("scale", "value"))(given, path)
    if errors:
        return errors
    if given["scale"] not in SCALES:
        return [error_at(path, "scale", f"Use one of {', '.join(sorted(SCALES))}.")]
    low, high = SCALES[given["scale"]]
    if not low <= Decimal(str(given["value"])) <= high:
        return [error_at(path, "value", f"The scale {given['scale']} goes from {low} to {high}.")]
    return []


def _context(given: Any, path: str) -> list[InputError]:
    if not isinstance(given, dict) or len(given) > _MOST_CONTEXT:
        return [InputError(path, f"Send an object of at most {_MOST_CONTEXT} texts here.")]
    bad = [name for name, value in given.items() if len(name) > 60 or not isinstance(value, str | int | float | bool)]
    bad += [name for name, value in given.items() if isinstance(value, str) and len(value) > 500]
    message = "Names have at most 60 characters, values are texts of at most 500 or numbers."
    return [error_at(path, name[:60], message) for name in bad]


_CUSTOMER: Mapping[str, Check] = {
    "external_id": text(200),
    "email": text(254, _EMAIL, "name@example.com"),
    "name": text(200),
    "account": text(200),
    "may_contact": flag,
}

_ITEM = object_of(
    {
        "channel": text(60, _SLUG, "support-api"),
        "external_id": text(255),
        "text": text(LONGEST_TEXT),
        "title": text(300),
        "rating": _rating,
        "customer": object_of(_CUSTOMER),
        "product": text(120),
        "product_version": text(60),
        "language": text(12, _LANGUAGE, "en or pt-BR"),
        "submitted_at": moment,
        "url": text(1000, re.compile(r"https?://\S+\Z"), "https://example.com/t/1"),
        "context": _context,
    }
)
