"""Charts drawn on the server: what is to be seen as frozen data, out comes SVG that needs no script and no inline style.

Each chart is drawn once for each of three widths and the style sheet shows the one that fits, so that text stays
readable on a phone. The drawing is an image whose name is the finding in one sentence; marks with an address are links
beside it; and `chart.table()` holds the same numbers for the Table switch.
"""

from typing import Protocol

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from kpis.charts.bars import Bar, BarChart
from kpis.charts.columns import Column, ColumnChart
from kpis.charts.curves import Curve, CurveChart, CurveMark
from kpis.charts.forests import Effect, ForestChart
from kpis.charts.funnels import FunnelChart, Member
from kpis.charts.heatmaps import Cell, HeatMap
from kpis.charts.lines import Annotation, LineChart, Point
from kpis.charts.paper import WIDTHS, Paper
from kpis.charts.sparklines import Sparkline, draw_sparkline
from kpis.charts.spreads import Group, SpreadChart
from kpis.charts.tables import Row, Table
from kpis.charts.units import COUNT, DAYS, HOURS, PERCENT, POINTS, WHOLE_PERCENT, Unit, out_of, written


class Chart(Protocol):
    @property
    def sentence(self) -> str: ...
    def drawn(self, width: int) -> Paper: ...
    def table(self) -> Table: ...


def draw(chart: Chart) -> SafeString:
    """The chart at every width, in the element whose own width decides which is shown."""
    drawings = ((chart.drawn(width).svg(chart.sentence),) for width in WIDTHS)
    return format_html('<div class="chart">{}</div>', format_html_join("", "{}", drawings))


__all__ = [
    "COUNT",
    "DAYS",
    "HOURS",
    "PERCENT",
    "POINTS",
    "WHOLE_PERCENT",
    "Annotation",
    "Bar",
    "BarChart",
    "Cell",
    "Chart",
    "Column",
    "ColumnChart",
    "Curve",
    "CurveChart",
    "CurveMark",
    "Effect",
    "ForestChart",
    "FunnelChart",
    "Group",
    "HeatMap",
    "LineChart",
    "Member",
    "Point",
    "Row",
    "Sparkline",
    "SpreadChart",
    "Table",
    "Unit",
    "draw",
    "draw_sparkline",
    "out_of",
    "written",
]
