"""What an edited rule would have changed, item by item: pure, of two versions of one rule among all others.

Every other rule stays as it is, so only an item for which the old or the new version holds can end anywhere else.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from triage.rulebook.past_facts import Past
from triage.rules import Rule
from triage.rules.facts import Facts
from triage.rules.sets import RuleSet

MOST_SAMPLES: Final = 5
MOST_MOVES: Final = 60
MOST_NAMED: Final = 20

Place = tuple[int, int]
"""Where a rule stands in the order: its position, then its number."""


@dataclass(frozen=True)
class Standing:
    """A live rule among the others: its name, its place, and what it says."""

    name: str
    place: Place
    rule: Rule


@dataclass
class Record:
    """Of the items that one version decided: how many, how many of them people decided on, and how many they left there."""

    won: int = 0
    decided: int = 0
    right: int = 0

    def count(self, team: str, decided: str) -> None:
        self.won += 1
        self.decided += bool(decided)
        self.right += bool(decided) and decided == team


@dataclass
class Move:
    """Items that would go from one team to another; how many of those people decided on, and how many they have where."""

    count: int = 0
    decided: int = 0
    right_before: int = 0
    right_after: int = 0
    items: list[int] = field(default_factory=list)

    def add(self, older: "Move") -> None:
        self.count += older.count
        self.decided += older.decided
        self.right_before += older.right_before
        self.right_after += older.right_after
        self.items = [*self.items, *older.items][:MOST_SAMPLES]


@dataclass
class Tally:
    """What was counted of some items, newest first; that of the next older ones can be added."""

    looked_at: int = 0
    held_before: int = 0
    held_after: int = 0
    before: Record = field(default_factory=Record)
    after: Record = field(default_factory=Record)
    moves: defaultdict[tuple[str, str], Move] = field(default_factory=lambda: defaultdict(Move))
    earlier: Counter[str] = field(default_factory=Counter)
    took: Counter[str] = field(default_factory=Counter)
    gave: Counter[str] = field(default_factory=Counter)
    newly: list[int] = field(default_factory=list)
    no_longer: list[int] = field(default_factory=list)

    def add(self, older: "Tally") -> None:
        self.looked_at += older.looked_at
        self.held_before += older.held_before
        self.held_after += older.held_after
        for mine, theirs in ((self.before, older.before), (self.after, older.after)):
            mine.won += theirs.won
            mine.decided += theirs.decided
            mine.right += theirs.right
        for pair, move in older.moves.items():
            self.moves[pair].add(move)
        for counted, more in ((self.earlier, older.earlier), (self.took, older.took), (self.gave, older.gave)):
            counted.update(more)
        self.newly = [*self.newly, *older.newly][:MOST_SAMPLES]
        self.no_longer = [*self.no_longer, *older.no_longer][:MOST_SAMPLES]

    def packed(self) -> bytes:
        """As one line, for another process."""
        told = vars(self) | {"moves": [[*pair, vars(move)] for pair, move in self.moves.items()]}
        return json.dumps(told | {"before": vars(self.before), "after": vars(self.after)}).encode() + b"\n"

    @classmethod
    def unpacked(cls, line: bytes) -> "Tally":
        told = json.loads(line)
        moves = defaultdict(Move, {(here, there): Move(**move) for here, there, move in told["moves"]})
        counted = {name: Counter(told[name]) for name in ("earlier", "took", "gave")}
        records = {name: Record(**told[name]) for name in ("before", "after")}
        return cls(**(told | {"moves": moves} | counted | records))


class Comparison:
    """`old` or `new` is None where there is no rule (any more). `teams` are the teams that are in use; `otherwise` says which
    team an item has when no rule routes it."""

    def __init__(
        self,
        old: Standing | None,
        new: Standing | None,
        *,
        others: Sequence[Standing],
        teams: frozenset[str],
        otherwise: Callable[[Past], str],
    ) -> None:
        self._old, self._new, self._otherwise = old, new, otherwise
        self._old_team, self._new_team = (_team(one, teams) for one in (old, new))
        self._others = sorted((one for one in others if _team(one, teams)), key=lambda one: one.place)
        self._set = RuleSet(one.rule for one in self._others)
        # Where both versions hold in one place, only rules before it matter; they are most items of most edits.
        stays = old is not None and new is not None and old.place == new.place and self._old_team and self._new_team
        self._before = [one for one in self._others if new is not None and one.place < new.place] if stays else None
        self._before_set = RuleSet(one.rule for one in self._before or ())
        self.found = Tally()

    def tally(self, rows: Iterable[Past], *, looked_at: int) -> Tally:
        """What these items add, of which so many were looked at; nothing is kept here."""
        before, self.found = self.found, Tally(looked_at=looked_at)
        for past in rows:
            self.look(past)
        counted, self.found = self.found, before
        return counted

    def look(self, past: Past) -> None:
        held = self._old is not None and self._old.rule.when.holds(past.facts)
        holds = self._new is not None and self._new.rule.when.holds(past.facts)
        if not held and not holds:
            return
        self.found.held_before += held
        self.found.held_after += holds
        if held != holds:
            _sample(self.found.newly if holds else self.found.no_longer, past.item)
        if self._old_team or self._new_team:
            self._compare(past, held, holds)

    def _compare(self, past: Past, held: bool, holds: bool) -> None:
        if held and holds and self._before is not None:
            other = _first(self._before, self._before_set, past.facts)
            if other is not None:
                self.found.earlier[other.name] += 1
                return
            won_before = won_after = True
            before, after = self._old_team, self._new_team
        else:
            other = _first(self._others, self._set, past.facts)
            won_before = held and bool(self._old_team) and _is_first(self._old, other)
            won_after = holds and bool(self._new_team) and _is_first(self._new, other)
            elsewhere = other.rule.act("route") if other else None
            rest = str(elsewhere.argument) if elsewhere else self._otherwise(past)
            before = self._old_team if won_before else rest
            after = self._new_team if won_after else rest
        if won_before:
            self.found.before.count(before, past.decided)
        if won_after:
            self.found.after.count(after, past.decided)
        if other is not None:
            self.found.earlier[other.name] += holds and bool(self._new_team) and not won_after
            self.found.took[other.name] += won_after and not won_before
            self.found.gave[other.name] += won_before and not won_after
        if before != after:
            move = self.found.moves[before, after]
            move.count += 1
            move.decided += bool(past.decided)
            move.right_before += past.decided == before
            move.right_after += past.decided == after
            _sample(move.items, past.item)

    def told(self) -> dict[str, Any]:
        """As it is stored and answered. Moves are ordered by size; `earlier` are rules that decide before the new version,
        `took` and `gave` those that lose items to it or get them."""
        moves = sorted(self.found.moves.items(), key=lambda one: (-one[1].count, one[0]))
        return {
            "looked_at": self.found.looked_at,
            "held_before": self.found.held_before,
            "held_after": self.found.held_after,
            "routes": bool(self._old_team or self._new_team),
            "moved": sum(move.count for move in self.found.moves.values()),
            "decided": sum(move.decided for move in self.found.moves.values()),
            "right_before": sum(move.right_before for move in self.found.moves.values()),
            "right_after": sum(move.right_after for move in self.found.moves.values()),
            "moves": [{"from": pair[0], "to": pair[1], **vars(move)} for pair, move in moves[:MOST_MOVES]],
            "before": vars(self.found.before),
            "after": vars(self.found.after),
            "never_reached": bool(self._new_team and self.found.held_after and not self.found.after.won),
            "earlier": _named(self.found.earlier),
            "took": _named(self.found.took),
            "gave": _named(self.found.gave),
            "newly": self.found.newly,
            "no_longer": self.found.no_longer,
        }


def _team(one: Standing | None, teams: frozenset[str]) -> str:
    act = one.rule.act("route") if one else None
    return str(act.argument) if act and act.argument in teams else ""


def _first(ordered: Sequence[Standing], compiled: RuleSet, facts: Facts) -> Standing | None:
    found = next(compiled.matching(facts), None)
    return ordered[found[0]] if found else None


def _is_first(one: Standing | None, other: Standing | None) -> bool:
    return one is not None and (other is None or one.place < other.place)


def _sample(samples: list[int], item: int) -> None:
    if len(samples) < MOST_SAMPLES:
        samples.append(item)


def _named(counted: Mapping[str, int]) -> list[dict[str, Any]]:
    ordered = sorted(counted.items(), key=lambda one: (-one[1], one[0]))
    return [{"rule": name, "count": count} for name, count in ordered[:MOST_NAMED] if count]
