"""What states a ticket may be in, and which verb leads from where to where."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from django.db.models import TextChoices


class Status(TextChoices):
    NEW = "new", "New"
    OPEN = "open", "Open"
    WAITING = "waiting", "Waiting for the customer"
    SNOOZED = "snoozed", "Snoozed"
    RESOLVED = "resolved", "Resolved"
    CLOSED = "closed", "Closed"


class Resolution(TextChoices):
    SHIPPED = "shipped", "Shipped"
    ANSWERED = "answered", "Answered"
    DECLINED = "declined", "Declined"
    DUPLICATE = "duplicate", "Duplicate"
    SPAM = "spam", "Spam"
    NOT_REPRODUCIBLE = "not_reproducible", "Not reproducible"


class WhyRouted(TextChoices):
    """Why a person sends a ticket to another team. The first two say that it lay wrong."""

    NEVER_OURS = "never_ours", "It was never ours"
    MISREAD = "misread", "The words were misunderstood"
    OUR_PART_DONE = "our_part_done", "Our part is done, another team goes on"
    NO_CAPACITY = "no_capacity", "We cannot take it now"


HANDED_ON = frozenset({WhyRouted.OUR_PART_DONE, WhyRouted.NO_CAPACITY})
"""What says nothing against the team it lay with, to whoever learns and to whoever counts what was routed right at once."""


class WhyNot(TextChoices):
    """Why a person turns a proposal down, if they say. The last is no verdict on it."""

    WRONG_TEAM = "wrong_team", "Another team should have it"
    WRONG_TAGS = "wrong_tags", "The tags are wrong"
    MISREAD = "misread", "The words were misunderstood"
    CANNOT_TELL = "cannot_tell", "Nobody can tell yet"


class Verb(TextChoices):
    """The decisions that change a ticket's status; everything else about a ticket may change in any open status."""

    ROUTE = "route", "Route"
    CLAIM = "claim", "Claim"
    ASK = "ask", "Ask the customer"
    HEAR = "hear", "Take the customer's answer"
    SNOOZE = "snooze", "Snooze"
    WAKE = "wake", "Wake"
    RESOLVE = "resolve", "Resolve"
    CLOSE = "close", "Close"
    REOPEN = "reopen", "Reopen"


class Move(NamedTuple):
    sources: frozenset[Status]
    target: Status


OPEN = frozenset({Status.NEW, Status.OPEN, Status.WAITING, Status.SNOOZED})
"""Somebody still owes the customer something."""

DONE = frozenset({Status.RESOLVED, Status.CLOSED})
"""Exactly these carry a resolution."""

NEEDS_REASON = frozenset({Resolution.DECLINED})
"""A resolution the customer may read only together with a reason."""

MOVES: Mapping[Verb, Move] = MappingProxyType(
    {
        Verb.ROUTE: Move(OPEN, Status.OPEN),
        Verb.CLAIM: Move(frozenset({Status.NEW, Status.OPEN}), Status.OPEN),
        Verb.ASK: Move(frozenset({Status.NEW, Status.OPEN, Status.SNOOZED}), Status.WAITING),
        # A customer who answers after we resolved was not helped: what they say opens the ticket again.
        Verb.HEAR: Move(frozenset({Status.WAITING, Status.SNOOZED, Status.RESOLVED}), Status.OPEN),
        Verb.SNOOZE: Move(frozenset({Status.NEW, Status.OPEN, Status.WAITING}), Status.SNOOZED),
        Verb.WAKE: Move(frozenset({Status.SNOOZED}), Status.OPEN),
        Verb.RESOLVE: Move(OPEN, Status.RESOLVED),
        Verb.CLOSE: Move(frozenset({Status.RESOLVED}), Status.CLOSED),
        Verb.REOPEN: Move(DONE, Status.OPEN),
    }
)


def can_move(status: str, verb: str) -> bool:
    """May a ticket in this status be given this verb? Plain strings from a row or a request are fine."""
    return verb in MOVES and status in MOVES[Verb(verb)].sources


def verbs_from(status: str) -> tuple[Verb, ...]:
    """What may be decided about a ticket in this status, in the order of the table."""
    return tuple(verb for verb, move in MOVES.items() if status in move.sources)
