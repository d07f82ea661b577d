"""What a person typed, as the arguments of a verb."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Any

from django.http import QueryDict
from django.utils.translation import gettext

from feedback_portal.refusals import BadInput, InputError


@dataclass(frozen=True)
class Call:
    """A verb of `triage.decisions` with its arguments, and the version its decider saw."""

    verb: str
    arguments: Mapping[str, Any]
    version: int | None


def arguments_of(verb: str, given: QueryDict, *, zone: tzinfo) -> Call:
    """The call a form means. A form has a few words of its own: `ask` is a reply that waits, `release` a claim again."""
    name, read = _FORMS.get(verb, (verb, lambda given, zone: {}))
    # What only adds something takes nothing away from whoever was quicker, so it may stand on an older state.
    version = "" if verb in _ADDS else given.get("version", "")
    if version and not (version.isdecimal() and len(version) < 10):
        raise BadInput(gettext("The form is damaged. Reload the page and decide again."))
    return Call(name, read(given, zone), int(version) if version else None)


def arguments_for_many(given: QueryDict, *, zone: tzinfo) -> tuple[str, dict[str, Any]]:
    """The verb and the arguments of `triage.desk.bulk` that the bar above chosen rows means; plain values, which can be stored."""
    verb = given.get("verb", "")
    if verb == "snooze":
        return verb, {"until": _until(given, zone)["until"].isoformat()}
    return verb, {name: given.get(name, "") for name in _FOR_MANY.get(verb, ())}


_FOR_MANY: Mapping[str, tuple[str, ...]] = {
    "route": ("team",),
    "tag": ("topic",),
    "severity": ("value",),
    "resolve": ("resolution", "reason"),
    "merge": ("original",),
}

_ADDS = frozenset({"note", "tag"})


def _until(given: QueryDict, zone: tzinfo) -> dict[str, Any]:
    text = given.get("until", "")
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        message = gettext("Choose a day and a time.")
        raise BadInput(message, errors=(InputError("until", message),)) from None
    # A browser's local time names no zone; it is meant in the organisation's.
    return {"until": moment if moment.tzinfo else moment.replace(tzinfo=zone)}


_FORMS: Mapping[str, tuple[str, Callable[[QueryDict, tzinfo], dict[str, Any]]]] = {
    "route": (
        "route",
        lambda given, zone: {
            "team": given.get("team", ""),
            "because": given.get("because", ""),
            "note": given.get("text", ""),
        },
    ),
    "split": (
        "split",
        lambda given, zone: {
            "team": given.get("team", ""),
            "text": given.get("quote", ""),
            "note": given.get("text", ""),
        },
    ),
    "dismiss": ("dismiss", lambda given, zone: {"because": given.get("because", "")}),
    "assign": ("assign", lambda given, zone: {"assignee": given.get("assignee", "")}),
    "release": ("claim", lambda given, zone: {}),
    "tag": (
        "tags",
        lambda given, zone: {
            "topics": given.getlist("topic")[:100],
            "were": given.getlist("were")[:100] if "were" in given else None,
        },
    ),
    "severity": ("severity", lambda given, zone: {"value": given.get("value", "")}),
    "note": ("note", lambda given, zone: {"text": given.get("text", "")}),
    "reply": ("reply", lambda given, zone: {"text": given.get("text", "")}),
    "ask": ("reply", lambda given, zone: {"text": given.get("text", ""), "wait": True}),
    "snooze": (
        "snooze",
        lambda given, zone: (
            {"awaits": given["awaits"], "more": given.get("more", "")} if given.get("awaits") else _until(given, zone)
        ),
    ),
    "resolve": (
        "resolve",
        lambda given, zone: {"resolution": given.get("resolution", ""), "reason": given.get("reason", "")},
    ),
    "reopen": ("reopen", lambda given, zone: {"reason": given.get("reason", "")}),
    "merge": ("merge", lambda given, zone: {"original": given.get("original", "")}),
    "not_same": ("not_same", lambda given, zone: {"other": given.get("other", "")}),
    "link_action": (
        "link_action",
        lambda given, zone: {"action": given.get("action", ""), "title": given.get("title", "")},
    ),
}
