"""Shares of what has had its time: an item counts from a moment that may still lie ahead."""

from abc import abstractmethod
from collections import Counter, defaultdict
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from django.db.models import F, Q, QuerySet
from django.utils.translation import ngettext

from intake.models import FeedbackItem
from kpis.charts.units import written
from kpis.definitions.base import Proportion, Side
from kpis.facts import PLACE, Place
from kpis.figures import Figure, Parts


class MaturingShare(Proportion):
    """A share whose items count from a known moment on: until then they are pending, in neither side.

    The parts are `denominator` and `numerator` of what counted when it was measured, and `d<moment>` and `n<moment>`
    for what counts from later moments, in microseconds since 1970; so a number that was measured on Monday is right on
    Friday, though nothing happened in between.
    """

    @abstractmethod
    def matured(self, items: QuerySet[FeedbackItem], *, as_of: datetime) -> QuerySet[FeedbackItem]:
        """The items with `counts_at`, null where an item never counts, and `is_hit`."""

    def count(self, items: QuerySet[FeedbackItem], *, as_of: datetime) -> dict[Place, Counter[str]]:
        rows = (
            self.matured(items, as_of=as_of)
            .filter(Q(counts_at__isnull=False))
            .order_by()
            .values_list(*PLACE, F("counts_at"), F("is_hit"))
        )
        found: defaultdict[Place, Counter[str]] = defaultdict(Counter)
        for *place, counts_at, is_hit in rows.iterator(chunk_size=5000):
            late = "" if counts_at <= as_of else str((counts_at - _EPOCH) // timedelta(microseconds=1))
            parts = found[Place(*place)]
            parts[f"d{late}" if late else "denominator"] += 1
            if is_hit:
                parts[f"n{late}" if late else "numerator"] += 1
        return dict(found)

    def figure(self, parts: Parts, *, as_of: datetime) -> Figure:
        now = (as_of.astimezone(UTC) - _EPOCH) // timedelta(microseconds=1)
        sides = Counter(denominator=parts.get("denominator", 0), numerator=parts.get("numerator", 0))
        pending = 0
        for name, n in parts.items():
            if name not in sides:
                if int(name[1:]) <= now:
                    sides["denominator" if name[0] == "d" else "numerator"] += n
                elif name[0] == "d":
                    pending += n
        figure = super().figure(sides, as_of=as_of)
        note = figure.note
        if pending:
            still = ngettext("%(count)s is still pending.", "%(count)s are still pending.", pending)
            note = f"{note} {still % {'count': written(pending)}}".strip()
        return replace(figure, parts=parts, note=note)

    def select(self, items: QuerySet[FeedbackItem], side: Side, *, as_of: datetime) -> QuerySet[FeedbackItem]:
        counted = self.matured(items, as_of=as_of).filter(Q(counts_at__lte=as_of))
        return counted.filter(Q(is_hit=True)) if side == "numerator" else counted


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
