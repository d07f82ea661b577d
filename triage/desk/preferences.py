"""How one person works: their keys, how large and how close rows stand, what rings and what is mailed to them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from feedback_portal.accounts.models import User
from feedback_portal.refusals import BadInput, InputError
from triage import inputs
from triage.models import Notice, Preferences
from triage.telling.notices import MAILED


@dataclass(frozen=True)
class Key:
    """One act that a single key presses; `usual` is what pages call the key, whatever a person puts in its place."""

    act: str
    usual: str
    label: Any


KEYS: Final[Sequence[Key]] = (
    Key("next", "j", _("Next")), Key("previous", "k", _("Previous")), Key("route", "r", _("Route")),
    Key("dismiss", "x", _("Not this suggestion")), Key("merge", "m", _("Merge")), Key("link_action", "a", _("Link an action")),
    Key("tag", "t", _("Tags")), Key("snooze", "h", _("Snooze")), Key("severity", "p", _("Severity")),
    Key("resolve", "e", _("Done, with outcome")), Key("claim", "c", _("Claim")), Key("split", "s", _("Split between teams")),
    Key("assign", "o", _("Assign to somebody")), Key("undo", "z", _("Undo, do it again")), Key("claim_next", "n", _("Claim the next one")),
    Key("note", "i", _("Internal note")), Key("snippet", ";", _("Snippet")), Key("search", "/", _("Search")),
    Key("new", ".", _("Load new items")), Key("go", "g", _("Go to")), Key("before_file", "[", _("Previous attachment")),
    Key("next_file", "]", _("Next attachment")), Key("help", "?", _("This list")),
)  # fmt: skip
_USUAL: Final[Mapping[str, str]] = {key.act: key.usual for key in KEYS}


def of(person: User) -> Preferences:
    """What they chose, or what holds for whoever never chose."""
    return Preferences.objects.filter(person=person).first() or Preferences(person=person, mailed=list(MAILED))


def save(person: User, given: Mapping[str, Any]) -> Preferences:
    """Choose anew; what is not named stays. A key may press one act only, and an act without a key has none."""
    chosen = of(person)
    values = inputs.read(given, _FIELDS)
    if "keys" in values:
        values["keys"] = _keys(values["keys"])
    for name, value in values.items():
        setattr(chosen, name, value)
    chosen.save()
    return chosen


def pressed(chosen: Preferences) -> dict[str, str]:
    """For a page: what a pressed key means, where that is not itself; a key that presses nothing any more means nothing."""
    if not chosen.keys:
        return {}
    now = {key.act: chosen.keys.get(key.act, key.usual) for key in KEYS}
    meant = {shown: _USUAL[act] for act, shown in now.items() if shown}
    freed = {usual: "" for usual in _USUAL.values() if usual not in meant}
    return {shown: usual for shown, usual in (freed | meant).items() if shown != usual}


def _keys(given: Mapping[str, Any]) -> dict[str, str]:
    """Only what differs from the usual."""
    errors = []
    now = dict(_USUAL)
    for act, key in given.items():
        text = key.strip().lower() if isinstance(key, str) else "?"
        if act not in _USUAL:
            errors.append(InputError(f"keys.{act}"[:60], gettext("There is no such act.")))
        elif len(text) > 1 or (text and not text.isprintable()):
            errors.append(InputError(f"keys.{act}", gettext("Write one letter or sign, or nothing.")))
        else:
            now[act] = text
    taken: dict[str, str] = {}
    for act, key in now.items():
        if key and key in taken:
            errors.append(
                InputError(f"keys.{act}", gettext('"%(key)s" presses something else already.') % {"key": key})
            )
        taken[key] = act
    if errors:
        raise BadInput(gettext("Correct the keys that are marked."), errors=tuple(errors))
    return {act: key for act, key in now.items() if key != _USUAL[act]}


def _kinds(given: Any) -> list[str]:
    return [kind for kind in inputs.lines(len(Notice.Kind.values), 12)(given) if kind in Notice.Kind.values]


def _mapping(given: Any) -> Mapping[str, Any]:
    if not isinstance(given, Mapping):
        raise ValueError(gettext("Send the keys by their acts."))  # noqa: TRY004 -- it is told to the sender
    return given


_FIELDS: Mapping[str, inputs.Reader] = {
    "has_single_keys": inputs.flag,
    "is_compact": inputs.flag,
    "has_big_text": inputs.flag,
    "silenced": _kinds,
    "mailed": _kinds,
    "keys": _mapping,
}
