"""Rules beside the limits: patterns too regular for chance, each of which may be switched on for a chart.

`scores` are distances from the centre in standard deviations; None has no value and breaks a pattern. Places count from 1
and name the point that completes the pattern. Sources: Western Electric 1956 (rules 1 to 4), Nelson 1984, J Qual Technol
16:237-239 (the others); mean runs to a false alarm after Champ and Woodall 1987, Technometrics 29:393-399.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

Window = Sequence[float]


@dataclass(frozen=True)
class RunRule:
    slug: str
    words: str
    length: int
    breaks: Callable[[Window], bool]


def _beyond(window: Window, limit: float, fewest: int) -> bool:
    return sum(score > limit for score in window) >= fewest or sum(score < -limit for score in window) >= fewest


def _steps(window: Window) -> list[float]:
    return [after - before for before, after in pairwise(window)]


RULES: tuple[RunRule, ...] = (
    RunRule("outside", "One point outside 3 sigma", 1, lambda window: abs(window[0]) > 3),
    RunRule("two-of-three", "2 of 3 beyond 2 sigma on one side", 3, lambda window: _beyond(window, 2, 2)),
    RunRule("four-of-five", "4 of 5 beyond 1 sigma on one side", 5, lambda window: _beyond(window, 1, 4)),
    RunRule("eight-aside", "8 in a row on one side", 8, lambda window: _beyond(window, 0, 8)),
    RunRule("nine-aside", "9 in a row on one side", 9, lambda window: _beyond(window, 0, 9)),
    RunRule(
        "six-drifting",
        "6 rising or falling",
        6,
        lambda window: all(step > 0 for step in _steps(window)) or all(step < 0 for step in _steps(window)),
    ),
    RunRule(
        "fourteen-alternating",
        "14 alternating",
        14,
        lambda window: all(first * second < 0 for first, second in pairwise(_steps(window))),
    ),
    RunRule("fifteen-inside", "15 within 1 sigma", 15, lambda window: all(abs(score) < 1 for score in window)),
    RunRule("eight-outside", "8 outside 1 sigma", 8, lambda window: all(abs(score) > 1 for score in window)),
)
WESTERN_ELECTRIC = ("outside", "two-of-three", "four-of-five", "eight-aside")
MEAN_RUN = {("outside",): 370, WESTERN_ELECTRIC: 92}
"""Points until a false alarm, on average, of a series that does not change."""


def run_rules(scores: Sequence[float | None], rules: Sequence[str] = WESTERN_ELECTRIC) -> dict[str, list[int]]:
    """By rule, the places that complete its pattern."""
    known = {rule.slug: rule for rule in RULES}
    if unknown := set(rules) - set(known):
        raise ValueError(f"There is no rule {', '.join(sorted(unknown))}.")
    found: dict[str, list[int]] = {}
    for slug in rules:
        rule, found[slug] = known[slug], []
        for end in range(rule.length, len(scores) + 1):
            window = [score for score in scores[end - rule.length : end] if score is not None]
            if len(window) == rule.length and rule.breaks(window):
                found[slug].append(end)
    return found
