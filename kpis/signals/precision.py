"""How often the watch was right: of the last twenty signals with a verdict, how many told of something that had happened."""

from collections import Counter
from dataclasses import dataclass
from typing import Final

from django.utils.translation import gettext, ngettext

from feedback_portal.accounts.permissions import Actor
from kpis import statistics
from kpis.charts import WHOLE_PERCENT
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
            return gettext("No signal has its verdict yet, so nobody can say how often the watch is right.")
        slots = {
            "count": self.n,
            "real": ngettext("%(count)s was real", "%(count)s were real", self.real) % {"count": self.real},
            "known": gettext("%(count)s had a known cause") % {"count": self.known},
            "noise": ngettext("%(count)s was noise", "%(count)s were noise", self.noise) % {"count": self.noise},
            "share": WHOLE_PERCENT.write(self.share),
            "low": WHOLE_PERCENT.write(self.low),
            "high": WHOLE_PERCENT.write(self.high),
        }
        told = ngettext(
            "Of the one with a verdict, %(real)s, %(known)s and %(noise)s: %(share)s told of something that had happened"
            " (%(low)s to %(high)s).",
            "Of the last %(count)s with a verdict, %(real)s, %(known)s and %(noise)s: %(share)s told of something that had"
            " happened (%(low)s to %(high)s).",
            self.n,
        )
        return told % slots


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
