"""How often the watch was right: of the last twenty signals with a verdict, how many told of something that had happened."""

from collections import Counter
from dataclasses import dataclass
from typing import Final

from feedback_portal.accounts.permissions import Actor
from kpis import statistics
from kpis.models import Signal

LAST: Final = 20


@dataclass(frozen=True)
class Precision:
    """Shares from 0 to 1 with Wilson's interval; None before the first verdict."""

    n: int
    real: int
    known: int
    noise: int
    share: float | None
    low: float | None
    high: float | None

    @property
    def sentence(self) -> str:
        if self.share is None or self.low is None or self.high is None:
            return "No signal has its verdict yet, so nobody can say how often the watch is right."
        of = f"Of the last {self.n} with a verdict" if self.n > 1 else "Of the one with a verdict"
        return (
            f"{of}, {self.real} {'was' if self.real == 1 else 'were'} real, {self.known} had a known cause and"
            f" {self.noise} {'was' if self.noise == 1 else 'were'} noise: {self.share:.0%} told of something that had"
            f" happened ({self.low:.0%} to {self.high:.0%})."
        )


def precision(*, by: Actor) -> Precision:
    ended = Signal.objects.visible_to(by).exclude(verdict="").order_by("-verdict_at", "-pk")
    verdicts = Counter(ended.values_list("verdict", flat=True)[:LAST])
    n, noise = verdicts.total(), verdicts[Signal.Verdict.NOISE]
    likely = statistics.wilson(n - noise, n)
    return Precision(
        n,
        verdicts[Signal.Verdict.REAL],
        verdicts[Signal.Verdict.KNOWN],
        noise,
        likely["estimate"],
        likely["low"],
        likely["high"],
    )
