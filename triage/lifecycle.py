"""What states a ticket may be in, and which verb leads from where to where."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy, pgettext_lazy


class Status(TextChoices):
    NEW = "new", pgettext_lazy("status", "New")
    OPEN = "open", pgettext_lazy("status", "Open")
    WAITING = "waiting", gettext_lazy("Waiting for the customer")
    SNOOZED = "snoozed", gettext_lazy("Snoozed")
    RESOLVED = "resolved", gettext_lazy("Resolved")
    CLOSED = "closed", gettext_lazy("Closed")


class Resolution(TextChoices):
    SHIPPED = "shipped", gettext_lazy("Shipped")
    ANSWERED = "answered", gettext_lazy("Answered")
    DECLINED = "declined", gettext_lazy("Declined")
    DUPLICATE = "duplicate", gettext_lazy("Duplicate")
    SPAM = "spam", gettext_lazy("Spam")
    NOT_REPRODUCIBLE = "not_reproducible", gettext_lazy("Not reproducible")


class WhyRouted(TextChoices):
    """Why a person sends a ticket to another team. The first two say that it lay wrong."""

    NEVER_OURS = "never_ours", gettext_lazy("It was never ours")
    MISREAD = "misread", gettext_lazy("The words were misunderstood")
    OUR_PART_DONE = "our_part_done", gettext_lazy("Our part is done, another team goes on")
    NO_CAPACITY = "no_capacity", gettext_lazy("We cannot take it now")


HANDED_ON = frozenset({WhyRouted.OUR_PART_DONE, WhyRouted.NO_CAPACITY})
"""What says nothing against the team it lay with, to whoever learns and to whoever counts what was routed right at once."""


class WhyNot(TextChoices):
    """Why a person turns a proposal down, if they say. The last is no verdict on it."""

    WRONG_TEAM = "wrong_team", gettext_lazy("Another team should have it")
    WRONG_TAGS = "wrong_tags", gettext_lazy("The tags are wrong")
    MISREAD = "misread", gettext_lazy("The words were misunderstood")
    CANNOT_TELL = "cannot_tell", gettext_lazy("Nobody can tell yet")


class Verb(TextChoices):
    """The decisions that change a ticket's status; everything else about a ticket may change in any open status."""

    ROUTE = "route", gettext_lazy("Route")
    CLAIM = "claim", gettext_lazy("Claim")
    ASK = "ask", gettext_lazy("Ask the customer")
    HEAR = "hear", gettext_lazy("Take the customer's answer")
    SNOOZE = "snooze", gettext_lazy("Snooze")
    WAKE = "wake", gettext_lazy("Wake")
    RESOLVE = "resolve", gettext_lazy("Resolve")
    CLOSE = "close", gettext_lazy("Close")
    REOPEN = "reopen", gettext_lazy("Reopen")


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
