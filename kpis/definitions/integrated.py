"""How far what came in went: received, acknowledged, understood, owned, decided, acted on, told, verified."""

from collections import Counter
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, ClassVar, Final

from django.db.models import Count, Q, QuerySet
from django.utils.translation import gettext

from feedback_portal.marking import marked
from intake.models import FeedbackItem
from kpis import facts
from kpis.definitions import definitions
from kpis.definitions.base import Proportion, Side
from kpis.facts import PLACE, Place
from kpis.figures import NO_COMPARISON, Change, Figure

STEPS: Final[Mapping[str, tuple[str, str, Callable[..., Q]]]] = {
    "acknowledged": (marked("Acknowledged"), marked("items somebody replied to"), facts.was_answered),
    "understood": (marked("Understood"), marked("items of which it is known what they are about"), facts.is_understood),
    "owned": (marked("Owned"), marked("items that somebody took or placed"), facts.is_owned),
    "decided": (marked("Decided"), marked("items triaged, or merged into another"), facts.was_triaged),
    "acted": (marked("Acted on"), marked("items whose action has shipped"), facts.is_acted_on),
    "told": (marked("Told"), marked("items whose customer was told the outcome"), facts.was_told),
    "verified": (marked("Verified"), marked("items whose action was checked for its effect"), facts.is_verified),
}
"""By part: the name of the step, what its items are, and the condition. Each is of all items received, so a step may hold
items that skipped the one before it."""


@definitions.register
class Integrated(Proportion):
    slug = "integrated"
    name = marked("Feedback integrated")
    better = "higher"
    numerator = marked("items acted on whose customer was told")
    denominator = marked("items received")
    definition = marked(
        "Of the items received in the period, those that an action which has shipped answers and whose customer was told the"
        " outcome. Its steps are counted beside it: acknowledged (somebody replied), understood (it has a topic or was"
        " triaged), owned (somebody took or placed it), decided, acted on, told, and verified (the action's effect was"
        " checked). Wilson's interval. Newer items have had less time."
    )
    position = 65
    ripens = True
    sides: ClassVar[tuple[Side, ...]] = ("numerator", "denominator", *STEPS)

    def count(self, items: QuerySet[FeedbackItem], *, as_of: datetime) -> dict[Place, Counter[str]]:
        rows = counted(items.order_by().values_list(*PLACE), as_of=as_of)
        return {Place(*row[:4]): Counter(dict(zip(PARTS, row[4:], strict=True))) for row in rows}

    def change(self, now: Figure, before: Figure, *, days: tuple[float, float]) -> Change:
        # Newer items have had less time, so a later period is always behind an earlier one.
        return NO_COMPARISON

    def called(self, side: Side) -> str:
        return gettext(STEPS[side][1]) if side in STEPS else super().called(side)

    def select(self, items: QuerySet[FeedbackItem], side: Side, *, as_of: datetime) -> QuerySet[FeedbackItem]:
        if side == "denominator":
            return items
        return items.filter(STEPS[side][2](as_of=as_of) if side in STEPS else _integrated(as_of))


PARTS: Final = ("denominator", "numerator", *STEPS)


def counted(
    groups: "QuerySet[FeedbackItem, tuple[Any, ...]]", *, as_of: datetime
) -> "QuerySet[FeedbackItem, tuple[Any, ...]]":
    """The parts of each group of a `values_list`, in the order of `PARTS`."""
    steps = {name: Count("pk", filter=condition(as_of=as_of)) for name, (_, _, condition) in STEPS.items()}
    return groups.annotate(denominator=Count("pk"), numerator=Count("pk", filter=_integrated(as_of)), **steps)


def _integrated(as_of: datetime) -> Q:
    return facts.is_acted_on(as_of=as_of) & facts.was_told(as_of=as_of)
