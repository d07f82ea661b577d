"""The words that may stand before a colon in the search box, and what may follow it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from feedback_portal.marking import marked
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
        marked("Where the ticket stands"),
        ("untriaged", "open", "waiting", "snoozed", "resolved", "closed", "done", "overdue", "safety", "spam", "test"),
    ),
    "resolution": SearchField("choice", marked("How it ended"), tuple(Resolution.values)),
    "team": SearchField("name", marked("The team whose work it is"), _NONE),
    "stage": SearchField("name", marked("The production stage where the cause sits"), _NONE),
    "assigned": SearchField("name", marked("The person who works on it"), ("me", "none")),
    "tag": SearchField("name", marked("A topic it was given"), _NONE),
    "theme": SearchField("name", marked("A theme it belongs to, by its code as in T-104 or its name"), _NONE),
    "lang": SearchField("name", marked("The language it is written in"), _NONE),
    "mood": SearchField("choice", marked("How it sounds"), ("neg", "neu", "pos", "none")),
    "urgency": SearchField("choice", marked("How pressing it is"), ("low", "normal", "high", "safety")),
    "severity": SearchField("number", "From 1, danger, to 4, a wish"),
    "sla": SearchField("length", marked("Time left to answer, as in <2h"), ("overdue",)),
    "rating": SearchField("number", marked("The rating on its own scale"), _NONE),
    "scale": SearchField("name", marked("The scale of the rating, as in csat5"), _NONE),
    "channel": SearchField("name", marked("The channel it came through")),
    "connector": SearchField("name", marked("The kind of channel it came through")),
    "product": SearchField("name", marked("The product it is about"), _NONE),
    "version": SearchField("name", marked("The version of the product"), _NONE),
    "batch": SearchField("name", marked("A batch it names or came with"), _NONE),
    "order": SearchField("name", marked("An order it names or came with"), _NONE),
    "serial": SearchField("name", marked("A serial number it names or came with"), _NONE),
    "site": SearchField("name", marked("A site it names or came with"), _NONE),
    "from": SearchField("name", marked("The customer or their company"), _NONE),
    "segment": SearchField("name", marked("The segment of the customer's company"), _NONE),
    "value": SearchField("number", marked("What the customer's company is worth a year"), _NONE),
    "has": SearchField(
        "choice",
        marked("What comes with it"),
        ("photo", "attachment", "rating", "customer", "reply", "action", "duplicates"),
    ),
    "action": SearchField("code", marked("The action it led to, as in A-118"), _NONE),
    "id": SearchField("code", marked("Its own code, as in F-20493 or FB-7K3M-Q9X")),
    "received": SearchField("day", marked("The day it reached us, or its age as in <7d"), ("today", "yesterday")),
    "submitted": SearchField("day", marked("The day the customer sent it"), ("today", "yesterday")),
    "resolved": SearchField("day", marked("The day it was resolved"), ("today", "yesterday")),
    "snoozed": SearchField("choice", marked("Whether it is put off"), ("yes", "no")),
    "suggest": SearchField("choice", marked("How sure the suggestion is"), ("sure", "unsure", "none")),
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
