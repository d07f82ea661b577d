"""Shapes of JSON as tables: a check for each kind of value, and what is wrong told by its path."""

import re
from collections.abc import Callable, Collection, Mapping
from typing import Any

from django.utils.translation import gettext

from feedback_portal.refusals import InputError
from intake.connectors.moments import Unclear, exact_moment

# What is wrong with a value that stands at a path; nothing when nothing is. Linear in the size of the value.
Check = Callable[[Any, str], list[InputError]]


def error_at(path: str, name: str, message: str) -> InputError:
    return InputError(f"{path}.{name}".strip("."), message)


def object_of(fields: Mapping[str, Check], *, required: tuple[str, ...] = ()) -> Check:
    """An object of these members and no others; a member that is null is a member left out."""

    def check(given: Any, path: str) -> list[InputError]:
        if not isinstance(given, dict):
            return [InputError(path, gettext("Send an object here."))]
        errors = [error_at(path, name, gettext("There is no such field.")) for name in given if name not in fields]
        errors += [
            error_at(path, name, gettext("This field is required."))
            for name in required
            if given.get(name) in (None, "")
        ]
        for name, value in given.items():
            if value is not None and name in fields:
                errors += fields[name](value, f"{path}.{name}".lstrip("."))
        return errors

    return check


def list_of(each: Check, *, most: int) -> Check:
    def check(given: Any, path: str) -> list[InputError]:
        if not isinstance(given, list):
            return [InputError(path, gettext("Send a list here."))]
        if len(given) > most:
            return [InputError(path, gettext("Send at most %(most)s here.") % {"most": most})]
        return [error for place, value in enumerate(given) for error in each(value, f"{path}.{place}".lstrip("."))]

    return check


def text(longest: int, pattern: re.Pattern[str] | None = None, like: str = "") -> Check:
    """A text; where it is not empty it matches the pattern, which people are told as `like`."""

    def check(given: Any, path: str) -> list[InputError]:
        if not isinstance(given, str):
            return [InputError(path, gettext("Send a text here."))]
        if len(given) > longest:
            return [InputError(path, gettext("This is longer than %(longest)s characters.") % {"longest": longest})]
        if given and pattern is not None and not pattern.match(given):
            return [InputError(path, gettext("Write it like %(like)s.") % {"like": like})]
        return []

    return check


def one_of(known: Collection[str]) -> Check:
    def check(given: Any, path: str) -> list[InputError]:
        return (
            []
            if isinstance(given, str) and given in known
            else [InputError(path, gettext("Use one of %(known)s.") % {"known": ", ".join(known)})]
        )

    return check


def moment(given: Any, path: str) -> list[InputError]:
    try:
        exact_moment(given if isinstance(given, str) and len(given) <= 40 else "")
    except Unclear:
        return [InputError(path, gettext("Write the time with its zone, as in 2026-03-31T18:00:00Z."))]
    return []


def number(given: Any, path: str) -> list[InputError]:
    # A thousand digits are a number to JSON and work for an hour to others.
    if isinstance(given, bool) or not isinstance(given, int | float) or not -1e6 <= given <= 1e6:
        return [InputError(path, gettext("Send a number here."))]
    return []


def flag(given: Any, path: str) -> list[InputError]:
    return [] if isinstance(given, bool) else [InputError(path, gettext("Send true or false here."))]
