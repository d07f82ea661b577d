"""The shape of a headline number over the last weeks, within the limits it should keep."""

from dataclasses import dataclass

from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

from kpis.charts.paper import Scale, circle, diamond, polyline

_WIDTH, _HEIGHT, _MARGIN = 176, 30, 5


@dataclass(frozen=True)
class Sparkline:
    """`values` from old to new, `None` where there is nothing; `signals` are the places, from 0, outside the limits.

    Without a `sentence` it only repeats what stands beside it, and is hidden from screen readers.
    """

    values: tuple[float | None, ...]
    lower: float | None = None
    upper: float | None = None
    signals: tuple[int, ...] = ()
    sentence: str = ""


def draw_sparkline(spark: Sparkline) -> SafeString:
    known = [(place, value) for place, value in enumerate(spark.values) if value is not None]
    limits = [limit for limit in (spark.lower, spark.upper) if limit is not None]
    parts: list[SafeString] = []
    if known:
        span = [value for _, value in known] + limits
        x = Scale(0, len(spark.values) - 1, _MARGIN, _WIDTH - _MARGIN)
        y = Scale(min(span), max(span), _HEIGHT - _MARGIN, _MARGIN)
        if len(limits) == 2:
            top, bottom = y(max(limits)), y(min(limits))
            corners = ((0, top), (_WIDTH, top), (_WIDTH, bottom), (0, bottom))
            parts.append(format_html('<path class="chart-band" d="{}Z"/>', polyline(corners)))
        parts.append(
            format_html('<path class="chart-line" d="{}"/>', polyline((x(place), y(value)) for place, value in known))
        )
        parts.extend(
            diamond(x(place), y(value), 4.5, "chart-signal") for place, value in known if place in spark.signals
        )
        newest, value = known[-1]
        if newest not in spark.signals:
            parts.append(circle(x(newest), y(value), 2.6, "chart-dot"))
    name = (
        format_html('role="img" aria-label="{}"', spark.sentence) if spark.sentence else mark_safe('aria-hidden="true"')
    )
    return format_html(
        '<svg class="chart-spark" viewBox="0 0 {} {}" {}>{}</svg>',
        _WIDTH,
        _HEIGHT,
        name,
        mark_safe("".join(parts)),  # noqa: S308  # each part escaped its own parts
    )
