"""Who did what, as a sentence: the one list of what each kind of event says, whoever tells it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from django.utils.translation import gettext

from feedback_portal.accounts.models import Team, User
from feedback_portal.languages import within
from feedback_portal.marking import marked
from triage.lifecycle import Resolution
from triage.models import Event, Topic

_SENTENCES: Final = {
    Event.Type.RECEIVED: marked("%(who)s wrote to us"),
    Event.Type.CHANGED: marked("%(who)s changed what they had said"),
    Event.Type.RECEIPT: marked("%(who)s sent a receipt"),
    Event.Type.REPLY: marked("%(who)s wrote to the customer"),
    Event.Type.TRIAGED: marked("%(who)s decided that it is for %(team)s"),
    Event.Type.ROUTED: marked("%(who)s routed it to %(team)s"),
    Event.Type.REEVALUATED: marked("%(who)s looked at it again"),
    Event.Type.SPLIT: marked("%(who)s gave a part of it to %(team)s"),
    Event.Type.ASSIGNED: marked("%(who)s gave it to %(to)s"),
    Event.Type.TAGGED: marked("%(who)s tagged it %(topic)s"),
    Event.Type.UNTAGGED: marked("%(who)s took the tag %(topic)s off"),
    Event.Type.SEVERITY: marked("%(who)s set the severity to %(value)s"),
    Event.Type.NOTED: marked("%(who)s noted"),
    Event.Type.MERGED: marked("%(who)s merged it into %(into)s"),
    Event.Type.UNMERGED: marked("%(who)s made it a voice of its own again"),
    Event.Type.SNOOZED: marked("%(who)s put it off"),
    Event.Type.WOKE: marked("%(who)s took it up again"),
    Event.Type.WAITING: marked("%(who)s waits for the customer"),
    Event.Type.CUSTOMER_REPLIED: marked("%(who)s answered"),
    Event.Type.ACTION_LINKED: marked("%(who)s linked it to %(action)s"),
    Event.Type.ACTION_UNLINKED: marked("%(who)s unlinked it from %(action)s"),
    Event.Type.WORK_STARTED: marked("%(who)s started to work on it"),
    Event.Type.RESOLVED: marked("%(who)s closed it as %(resolution)s"),
    Event.Type.REOPENED: marked("%(who)s opened it again"),
    Event.Type.CLOSED: marked("%(who)s put it away"),
    Event.Type.CUSTOMER_TOLD: marked("%(who)s told the customer"),
    Event.Type.SCORE: marked("%(who)s rated how we handled it: %(value)s of 5"),
    Event.Type.DISMISSED: marked("%(who)s turned the proposal down"),
    Event.Type.AUDITED: marked("%(who)s labelled it in the weekly audit, blind"),
    Event.Type.ESCALATED: marked("%(who)s told whoever leads the team that it is late"),
    Event.Type.UNDONE: marked("%(who)s took the last decision back"),
}
_WAITS: Final = {
    "reply": marked("%(who)s put it off until the customer answers"),
    "reports": marked("%(who)s put it off until %(more)s more say the same"),
    "ship": marked("%(who)s put it off until %(action)s ships"),
}
_CAME: Final = {
    "time": marked("%(who)s took it up again, for its time had come"),
    "reports": marked("%(who)s took it up again, for more say the same"),
    "ship": marked("%(who)s took it up again, for its action has shipped"),
    "growing": marked("%(who)s took it up again, for its theme is growing"),
}
"""What was waited for when it was put off, and why it came back."""


@dataclass(frozen=True)
class Told:
    """A sentence in the language that is spoken, with a slot for `who` and for each of `words`."""

    sentence: str
    who: str
    words: Mapping[str, str]

    def __str__(self) -> str:
        """Plain, without its full stop."""
        return plain(self.sentence, self.who, self.words)


class Slots(dict[str, str]):
    """What an older event did not record is left out."""

    def __missing__(self, name: str) -> str:
        return ""


def plain(sentence: str, who: str, words: Mapping[str, str]) -> str:
    return (sentence % Slots(words, who=who)).strip()


def names_in(events: Iterable[Event]) -> dict[tuple[str, str], str]:
    """What the teams, people and topics in these events are called, by slot and what the event recorded: a statement for each."""
    recorded: dict[str, set[str]] = {"team": set(), "to": set(), "topic": set()}
    for event in events:
        for slot, found in recorded.items():
            found.add(str(event.data.get(slot) or ""))
    rows: dict[str, Any] = {
        "team": Team.objects.filter(slug__in=recorded["team"]).values_list("slug", "name"),
        "topic": Topic.objects.filter(slug__in=recorded["topic"]).values_list("slug", "name"),
        "to": User.objects.filter(email__in=recorded["to"]).values_list("email", "name"),
    }
    return {(slot, code): name for slot, found in rows.items() if recorded[slot] - {""} for code, name in found if name}


def told(event: Event, names: Mapping[tuple[str, str], str]) -> Told:
    """One event in words. Its person, key, item and customer must be loaded; `names` is `names_in` of it and others."""
    data = event.data
    sentence = _SENTENCES.get(Event.Type(event.type), marked("%(who)s did something to it"))
    if event.type == Event.Type.ASSIGNED and not data.get("to"):
        sentence = marked("%(who)s let it go")
    elif event.type == Event.Type.SNOOZED:
        sentence = _WAITS.get(data.get("awaits", ""), sentence)
    elif event.type == Event.Type.WOKE:
        sentence = _CAME.get(data.get("because", ""), sentence)
    elif event.type == Event.Type.UNTAGGED and not data.get("topic"):
        sentence = marked("%(who)s said that no topic fits")
    elif event.type == Event.Type.DISMISSED and "item" in data:
        sentence = marked("%(who)s said that %(from)s says something else")
    words = {name: names.get((name, str(value))) or _worded(name, value) for name, value in data.items()}
    words.pop("before", None)
    return Told(gettext(sentence), _who(event), words)


def sentence_of(event: Event) -> str:
    """A single event, as the beginning of a sentence: "Mina routed it to Quality"."""
    return str(told(event, names_in([event])))


def _who(event: Event) -> str:
    if event.source == Event.Source.CUSTOMER:
        return str(event.item.customer) if event.item.customer else gettext("The customer")
    if event.source == Event.Source.RULE and event.data.get("rule"):
        return gettext("Rule “%(name)s”") % {"name": event.data["rule"]}
    machine = {"model": gettext("The model"), "rule": gettext("A rule")}.get(event.source, gettext("The portal"))
    return str(event.person or event.key or machine)


def _worded(name: str, value: Any) -> str:
    if name == "resolution" and value in Resolution.values:
        return within(Resolution(value).label)
    return str(value).replace("_", " ").replace("-", " ") if isinstance(value, str) and value.islower() else str(value)
