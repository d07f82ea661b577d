"""What a signal is called and held against, said when it is read: what is stored of it stays English and its key says the rest."""

from django.utils.translation import gettext

from feedback_portal.marking import marked
from kpis.charts import WHOLE_PERCENT
from kpis.definitions import definitions
from kpis.definitions.base import Kpi
from kpis.models import Signal

MIXES = {
    "channel": (
        marked("Channels: more of %(value)s (%(before)s to %(now)s)"),
        marked("Channels: less of %(value)s (%(before)s to %(now)s)"),
    ),
    "language": (
        marked("Languages: more of %(value)s (%(before)s to %(now)s)"),
        marked("Languages: less of %(value)s (%(before)s to %(now)s)"),
    ),
    "segment": (
        marked("Customer segments: more of %(value)s (%(before)s to %(now)s)"),
        marked("Customer segments: less of %(value)s (%(before)s to %(now)s)"),
    ),
}
"""A mix that moved, towards a value or away from it."""
EVERYTHING = marked("Everything")
ELSE = marked("everything else that was said")
NO_TOPIC = marked("no topic that is known")
OWN_WEEKS = marked("its own weeks before")
TWELVE_WEEKS = marked("the 12 weeks before")
EXPOSURES = (marked("units shipped"), marked("orders"), marked("visits"))
"""What `intake.exposures` counts, inside a sentence."""
_BASES = {ELSE, NO_TOPIC, OWN_WEEKS, TWELVE_WEEKS}


def kpi_of(signal: Signal) -> Kpi | None:
    """The KPI that a number's signal is about; None where it is defined no more."""
    slug = signal.key.partition("|")[0].removeprefix("kpi:")
    return definitions.get(slug) if slug in definitions else None


def name_of(signal: Signal) -> str:
    if signal.kind == Signal.Kind.NUMBER and (kpi := kpi_of(signal)) is not None:
        return f"{kpi.name}, {signal.team.name}" if signal.team else str(kpi.name)
    shares = signal.weeks[0].get("shares") if signal.kind == Signal.Kind.MIX and signal.weeks else None
    if shares:
        value, (before, now) = max(shares.items(), key=lambda each: (abs(each[1][1] - each[1][0]), each[0]))
        return mix_in_words(signal.key.removeprefix("mix:"), value, before / 100, now / 100)
    return gettext(signal.name) if signal.name == EVERYTHING else signal.name


def mix_in_words(slug: str, value: str, before: float, now: float) -> str:
    more, less = MIXES[slug]
    slots = {"value": value, "before": WHOLE_PERCENT.write(before), "now": WHOLE_PERCENT.write(now)}
    return gettext(more if now > before else less) % slots


def basis_of(signal: Signal) -> str:
    """What it was held against: words of ours, or an exposure, of one product or of all."""
    if signal.basis in _BASES:
        return gettext(signal.basis)
    for words in EXPOSURES:
        if signal.basis == words:
            return gettext(words)
        if signal.basis.startswith(f"{words} of "):
            product = signal.basis.removeprefix(f"{words} of ")
            return gettext("%(exposure)s of %(product)s") % {"exposure": gettext(words), "product": product}
    return signal.basis
