"""The words that may stand before a colon in the search box, and what may follow it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from triage.lifecycle import Resolution


@dataclass(frozen=True)
class SearchField:
    """One word that may stand before a colon."""

    kind: str
    """What its values are: choice, name, number, length, day or code."""
    about: str
    choices: tuple[str, ...] = ()
    """All that may be said, for a choice; what may be said besides, for the others."""


_NONE = ("none",)
FIELDS: Final[Mapping[str, SearchField]] = {
    "is": SearchField(
        "choice",
        "Where the ticket stands",
        ("untriaged", "open", "waiting", "snoozed", "resolved", "closed", "done", "overdue", "safety", "spam", "test"),
    ),
    "resolution": SearchField("choice", "How it ended", tuple(Resolution.values)),
    "team": SearchField("name", "The team whose work it is", _NONE),
    "stage": SearchField("name", "The production stage where the cause sits", _NONE),
    "assigned": SearchField("name", "The person who works on it", ("me", "none")),
    "tag": SearchField("name", "A topic it was given", _NONE),
    "theme": SearchField("name", "A theme it belongs to, by its code as in T-104 or its name", _NONE),
    "lang": SearchField("name", "The language it is written in", _NONE),
    "mood": SearchField("choice", "How it sounds", ("neg", "neu", "pos", "none")),
    "urgency": SearchField("choice", "How pressing it is", ("low", "normal", "high", "safety")),
    "severity": SearchField("number", "From 1, danger, to 4, a wish"),
    "sla": SearchField("length", "Time left to answer, as in <2h", ("overdue",)),
    "rating": SearchField("number", "The rating on its own scale", _NONE),
    "scale": SearchField("name", "The scale of the rating, as in csat5", _NONE),
    "channel": SearchField("name", "The channel it came through"),
    "connector": SearchField("name", "The kind of channel it came through"),
    "product": SearchField("name", "The product it is about", _NONE),
    "version": SearchField("name", "The version of the product", _NONE),
    "batch": SearchField("name", "A batch it names or came with", _NONE),
    "order": SearchField("name", "An order it names or came with", _NONE),
    "serial": SearchField("name", "A serial number it names or came with", _NONE),
    "site": SearchField("name", "A site it names or came with", _NONE),
    "from": SearchField("name", "The customer or their company", _NONE),
    "segment": SearchField("name", "The segment of the customer's company", _NONE),
    "value": SearchField("number", "What the customer's company is worth a year", _NONE),
    "has": SearchField(
        "choice", "What comes with it", ("photo", "attachment", "rating", "customer", "reply", "action", "duplicates")
    ),
    "action": SearchField("code", "The action it led to, as in A-118", _NONE),
    "id": SearchField("code", "Its own code, as in F-20493 or FB-7K3M-Q9X"),
    "received": SearchField("day", "The day it reached us, or its age as in <7d", ("today", "yesterday")),
    "submitted": SearchField("day", "The day the customer sent it", ("today", "yesterday")),
    "resolved": SearchField("day", "The day it was resolved", ("today", "yesterday")),
    "snoozed": SearchField("choice", "Whether it is put off", ("yes", "no")),
    "suggest": SearchField("choice", "How sure the suggestion is", ("sure", "unsure", "none")),
}
CONTEXT: Final = "context."
"""Before the name of anything else that came with the item, as in `context.batch:H4-2231`."""
ENTITY: Final = "entity."
"""Before any other kind that the organisation's patterns find, as in `entity.store:malmo`."""

ALIASES: Final[Mapping[str, str]] = {
    "topic": "tag",
    "language": "lang",
    "sentiment": "mood",
    "customer": "from",
    "account": "from",
    "assignee": "assigned",
    "status": "is",
    "product_version": "version",
}
"""The words of the API, for those who type them."""
