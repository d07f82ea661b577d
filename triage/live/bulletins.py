"""What people at their desks are told at once: that tickets changed, arrived or are being looked at. Numbers only, never words.

A bulletin is a NOTIFY of PostgreSQL: it goes out with the transaction of the change, or not at all, and to whoever listens in
that moment (`triage.live.listening`). Nobody relies on one: each page reads everything anew when it connects, and asks by itself
while nobody listens.
"""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Self

from django.db import connection

from feedback_portal.codes import ticket_code

CHANNEL = "portal_bulletins"
MOST_TICKETS = 200
"""A bulletin names so many tickets at most; of a larger batch it says only that much has changed. PostgreSQL carries 8000 bytes."""
_MOST_BYTES = 7900
_MOST_TEAMS = 700


@dataclass(frozen=True)
class Sight:
    """Which teams' tickets exist for a reader."""

    everything: bool
    teams: frozenset[int]

    def covers(self, teams: Iterable[int]) -> bool:
        return self.everything or not self.teams.isdisjoint(teams)


@dataclass(frozen=True)
class Bulletin:
    """`changed` and `present` by ticket: the teams that know it, or knew it before. `arrived`: how many by team.
    `much`: the teams of more tickets than can be named."""

    changed: Mapping[int, tuple[int, ...]] = field(default_factory=dict)
    arrived: Mapping[int, int] = field(default_factory=dict)
    present: Mapping[int, tuple[int, ...]] = field(default_factory=dict)
    much: tuple[int, ...] = ()

    @classmethod
    def read(cls, payload: str) -> Self:
        """Raises ValueError for what no portal wrote."""
        try:
            told = json.loads(payload)
            return cls(
                changed={int(ticket): tuple(teams) for ticket, teams in told.get("c", {}).items()},
                arrived={int(team): int(count) for team, count in told.get("a", {}).items()},
                present={int(ticket): tuple(teams) for ticket, teams in told.get("p", {}).items()},
                much=tuple(told.get("m", ())),
            )
        except (AttributeError, TypeError) as error:
            raise ValueError(str(error)) from None

    @classmethod
    def together(cls, heard: Sequence[Self]) -> Self:
        """Several as one."""
        if len(heard) == 1:
            return heard[0]
        changed: dict[int, tuple[int, ...]] = {}
        present: dict[int, tuple[int, ...]] = {}
        arrived: Counter[int] = Counter()
        for each in heard:
            arrived.update(each.arrived)
            for known, told in ((changed, each.changed), (present, each.present)):
                for ticket, teams in told.items():
                    known[ticket] = tuple({*known.get(ticket, ()), *teams})
        return cls(changed, arrived, present, tuple({team for each in heard for team in each.much})).bounded()

    def written(self) -> str:
        told = {"c": self.changed, "a": self.arrived, "p": self.present, "m": self.much}
        return json.dumps({name: value for name, value in told.items() if value}, separators=(",", ":"))

    def as_seen(self, sight: Sight) -> dict[str, object]:
        """What a reader with this sight is told, as the event's data; empty when it is nothing to them."""
        told: dict[str, object] = {
            "changed": [ticket_code(ticket) for ticket, teams in self.changed.items() if sight.covers(teams)],
            "present": [ticket_code(ticket) for ticket, teams in self.present.items() if sight.covers(teams)],
            "arrived": sum(count for team, count in self.arrived.items() if sight.covers([team])),
            "much": bool(self.much) and sight.covers(self.much),
        }
        return {name: value for name, value in told.items() if value}

    def bounded(self) -> Self:
        """The same, or with only the teams where that would be too long for one notice of PostgreSQL."""
        named = max(len(self.changed), len(self.present))
        if named <= MOST_TICKETS and len(self.written()) <= _MOST_BYTES:
            return self
        teams = {team for known in (self.changed, self.present) for teams in known.values() for team in teams}
        return type(self)(much=tuple(sorted({*teams, *self.arrived, *self.much})[:_MOST_TEAMS]))


def tell_changed(tickets: Iterable[tuple[int, Iterable[int | None]]]) -> None:
    """In the transaction of the change: these tickets are not what they were, each with the teams it was and is with."""
    changed = {ticket: tuple(sorted({team for team in teams if team})) for ticket, teams in tickets}
    if changed:
        _send(Bulletin(changed=changed))


def tell_arrived(teams: Iterable[int]) -> None:
    """In the transaction of their making: new tickets, each by its team."""
    arrived = Counter(teams)
    if arrived:
        _send(Bulletin(arrived=arrived))


def tell_present(ticket: int, team: int) -> None:
    _send(Bulletin(present={ticket: (team,)}))


def _send(bulletin: Bulletin) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_notify(%s, %s)", [CHANNEL, bulletin.bounded().written()])
