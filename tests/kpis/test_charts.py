"""Charts say what they show in words, keep hostile text harmless, and stay on their paper."""

import xml.etree.ElementTree as ET  # reads only what the test itself drew
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest
from django.utils.translation import override
from hypothesis import given
from hypothesis import strategies as st

from kpis import charts, statistics
from kpis.charts import (
    Annotation,
    Bar,
    BarChart,
    Cell,
    Column,
    ColumnChart,
    Curve,
    CurveChart,
    CurveMark,
    Effect,
    ForestChart,
    FunnelChart,
    Group,
    HeatMap,
    LineChart,
    Member,
    Point,
    Sparkline,
    SpreadChart,
    Unit,
    draw,
    draw_sparkline,
)
from kpis.charts.heatmaps import cells
from kpis.charts.paper import WIDTHS, Paper, nice_ticks

HOSTILE = '"><script>alert(1)</script>&<b style="x">'
KM = statistics.kaplan_meier([5, 10, 10, 30, 60, 90, 120], [1, 1, 1, 1, 0, 1, 0])


def weeks(values: list[float | None], **more: Any) -> tuple[Point, ...]:
    return tuple(
        Point(f"Week {place}", value, 1.0, 4.0, short_label=str(place), href=f"/items/?week={place}", **more)
        for place, value in enumerate(values, start=1)
    )


def a_line(**more: Any) -> LineChart:
    values = [2.0, 2.5, None, 3.0, 5.0] * 5
    settings: dict[str, Any] = {
        "sentence": "Leaks by week",
        "unit": charts.POINTS,
        "points": weeks(values),
        "centre": 2.6,
    }
    return LineChart(**(settings | more))


EVERY_KIND: dict[str, charts.Chart] = {
    "line": a_line(annotations=(Annotation(3.5, "New seal"),), end_note="this week"),
    "bars": BarChart("Received to told", (Bar("Received", 2148, "2,148", href="/r"), Bar("Told", 371, "371", "90%"))),
    "curves": CurveChart(
        "Half resolved in a day",
        (Curve.of("Now", KM, per=24), Curve.of("Before", KM, per=12, is_previous=True)),
        (CurveMark(10 / 24, 0.5, "Half in 10 hours", "/half"),),
    ),
    "columns": ColumnChart(
        "Answers by week",
        ("Promoters", "Passives", "Detractors"),
        tuple(Column(f"W{place}", (5.0, 3.0, place), f"/w/{place}") for place in range(8)),
    ),
    "funnel": FunnelChart("One team is late", (Member("Final test", 90, 49, "/f"), Member("B", 20, 21)), "Expected"),
    "forest": ForestChart(
        "One action worked",
        (
            Effect("Carton", "A-1", -2.2, -3.3, -1.1, "worked", "/a"),
            Effect("Card", "A-2", 0.1, -1, 1.2, "unclear"),
        ),
        charts.POINTS,
    ),
    "heat": HeatMap(
        "How far it went",
        ("Owned", "Acted on", "Told"),
        (("Quality", cells([40, 9, 0], 50, ["/o", "/a", "/t"])), ("New", cells([1, 0, 0], 4, ["/o", "", ""]))),
    ),
    "spread": SpreadChart("Stars", ("1", "2", "3", "4", "5"), (Group("Kiosk", (1, 2, 3, 4, 5), "/k"),)),
}
EVERY_EMPTY_KIND: dict[str, charts.Chart] = {
    "line": LineChart("Nothing", charts.POINTS, (Point("Week 1", None),)),
    "bars": BarChart("Nothing", ()),
    "curves": CurveChart("Nothing", (Curve.of("Now", statistics.kaplan_meier([], [])),)),
    "columns": ColumnChart("Nothing", ("Items",), ()),
    "funnel": FunnelChart("Nothing", (Member("New team", 0, 0),), "Expected"),
    "forest": ForestChart("Nothing", (), charts.POINTS),
    "heat": HeatMap("Nothing", ("Owned",), ()),
    "spread": SpreadChart("Nothing", ("no", "yes"), (Group("Kiosk", (0, 0)),)),
}
WITH_HOSTILE_TEXT: dict[str, charts.Chart] = {
    "line": LineChart(
        HOSTILE,
        Unit(suffix=HOSTILE),
        (Point(HOSTILE, 1, 0, 2, HOSTILE, HOSTILE, HOSTILE), Point(HOSTILE, 9, 0, 2, is_signal=True)),
        annotations=(Annotation(0, HOSTILE, HOSTILE),),
        end_note=HOSTILE,
    ),
    "bars": BarChart(HOSTILE, (Bar(HOSTILE, 1, HOSTILE, HOSTILE, HOSTILE),)),
    "curves": CurveChart(HOSTILE, (Curve.of(HOSTILE, KM),) * 2, (CurveMark(5, 0.5, HOSTILE, HOSTILE),)),
    "columns": ColumnChart(HOSTILE, (HOSTILE, "b"), (Column(HOSTILE, (1, 2), HOSTILE),)),
    "funnel": FunnelChart(HOSTILE, (Member(HOSTILE, 90, 20, HOSTILE),), HOSTILE),
    "forest": ForestChart(HOSTILE, (Effect(HOSTILE, HOSTILE, 1, 0, 2, "worse", HOSTILE),), charts.COUNT),
    "heat": HeatMap(HOSTILE, (HOSTILE,), ((HOSTILE, (Cell(0.5, HOSTILE, HOSTILE, HOSTILE),)),), HOSTILE),
    "spread": SpreadChart(HOSTILE, (HOSTILE, "b", "c"), (Group(HOSTILE, (1, 2, 3), HOSTILE),)),
}


def drawings(chart: charts.Chart) -> list[ET.Element]:
    """One svg for each width. Parsing them as XML is a test of its own."""
    return list(ET.fromstring(draw(chart)))  # noqa: S314


def elements(chart: charts.Chart) -> Iterator[ET.Element]:
    for svg in drawings(chart):
        yield from svg.iter()


@pytest.mark.parametrize("chart", [*EVERY_KIND.values(), *EVERY_EMPTY_KIND.values()])
def test_a_chart_is_drawn_once_for_each_width_and_named_by_its_sentence(chart: charts.Chart) -> None:
    assert [svg.get("viewBox", "").split()[2] for svg in drawings(chart)] == [str(width) for width in WIDTHS]
    for svg in drawings(chart):
        (image,) = [part for part in svg if part.get("role") == "img"]
        assert image.get("aria-label") == chart.sentence
        # What is inside an image is not reachable, so links stand beside it.
        assert not list(image.iter("a"))


@pytest.mark.parametrize("chart", [*EVERY_KIND.values(), *EVERY_EMPTY_KIND.values(), *WITH_HOSTILE_TEXT.values()])
def test_nothing_drawn_carries_a_style_or_a_script(chart: charts.Chart) -> None:
    for element in elements(chart):
        assert element.tag in {"svg", "g", "a", "path", "rect", "circle", "text"}
        assert not {name for name in element.attrib if name == "style" or name.startswith("on")}
        for name, value in element.attrib.items():
            assert name in {"aria-label", "href"} or ("nan" not in value and "inf" not in value)


@pytest.mark.parametrize("chart", WITH_HOSTILE_TEXT.values(), ids=WITH_HOSTILE_TEXT.keys())
def test_hostile_text_is_shown_and_does_nothing(chart: charts.Chart) -> None:
    assert "<script" not in draw(chart)
    assert any("<script" in (element.get("aria-label") or "") for element in elements(chart))


@pytest.mark.parametrize("chart", EVERY_KIND.values(), ids=EVERY_KIND.keys())
def test_a_mark_with_an_address_is_a_named_link_at_every_width(chart: charts.Chart) -> None:
    for svg in drawings(chart):
        links = list(svg.iter("a"))
        assert links
        assert all(link.get("href", "").startswith("/") and link.get("aria-label") for link in links)


@pytest.mark.parametrize("chart", EVERY_KIND.values(), ids=EVERY_KIND.keys())
def test_text_stays_on_the_paper(chart: charts.Chart) -> None:
    for width, svg in zip(WIDTHS, drawings(chart), strict=True):
        paper = Paper(width, 100)
        height = float(svg.get("viewBox", "").split()[3])
        for element in svg.iter("text"):
            size = paper.text_width(element.text or "")
            shift = {"start": 0.0, "middle": size / 2, "end": size}[element.get("text-anchor", "")]
            start = float(element.get("x", "")) - shift
            assert start >= -1, element.text
            assert start + size <= width + 1, element.text
            assert 0 < float(element.get("y", "")) <= height, element.text


@pytest.mark.parametrize("chart", EVERY_KIND.values(), ids=EVERY_KIND.keys())
def test_the_table_has_a_cell_for_every_column(chart: charts.Chart) -> None:
    table = chart.table()
    assert table.caption == chart.sentence
    assert table.rows
    assert all(len(row.cells) == len(table.columns) for row in table.rows)


@pytest.mark.parametrize("chart", EVERY_EMPTY_KIND.values(), ids=EVERY_EMPTY_KIND.keys())
def test_where_there_is_nothing_the_chart_says_so(chart: charts.Chart) -> None:
    for svg in drawings(chart):
        assert [element.text for element in svg.iter("text")] != []


def test_links_of_a_dense_line_stay_far_enough_apart_for_a_finger_and_signals_come_first() -> None:
    points = weeks([2.0] * 52)
    signal = Point("Week 20", 9.0, 1.0, 4.0, href="/items/?week=20", is_signal=True)
    chart = a_line(points=(*points[:19], signal, *points[20:]))
    for width, svg in zip(WIDTHS, drawings(chart), strict=True):
        links = list(svg.iter("a"))
        middles = sorted(float(link[0].get("x", "")) + float(link[0].get("width", "")) / 2 for link in links)
        assert all(after - before >= Paper(width, 1).reach - 0.2 for before, after in pairwise(middles))
        assert "/items/?week=20" in [link.get("href") for link in links]
    # The table opens every one of them.
    assert [row.href for row in chart.table().rows] == [f"/items/?week={week}" for week in range(1, 53)]


def test_a_signal_is_a_diamond_and_told_in_words() -> None:
    chart = a_line(
        points=(Point("Week 1", 2.0, 1, 4, href="/1"), Point("Week 2", 5.0, 1, 4, href="/2", is_signal=True))
    )
    svg = drawings(chart)[2]
    labels = [link.get("aria-label") for link in svg.iter("a")]
    assert labels == ["Week 1: 2.0", "Week 2: 5.0. Outside its limits"]
    assert len([element for element in svg.iter("path") if element.get("class") == "chart-signal"]) == 1
    assert chart.table().rows[1].cells == ("Week 2", "5.0", "1.0", "4.0", "Outside its limits")


def test_what_happened_is_told_above_the_line_and_opens() -> None:
    near = Annotation(4, "A carton of which nobody has room to say it all", "/actions/A-119/", "New carton")
    chart = a_line(annotations=(Annotation(3.5, "A-118 starts", "/actions/A-118/"), near))
    svg = drawings(chart)[0]
    assert "/actions/A-118/" in [link.get("href") for link in svg.iter("a")]
    told = {element.text: float(element.get("y", "")) for element in svg.iter("text")}
    assert told["New carton"] - told["A-118 starts"] >= 24
    assert "A carton of which nobody has room to say it all" in {link.get("aria-label") for link in svg.iter("a")}


def test_what_happened_at_other_times_shares_a_row_and_leaves_the_line_its_height() -> None:
    apart = a_line(annotations=tuple(Annotation(at, f"A-{at}", f"/actions/A-{at}/") for at in (1, 6, 10)))
    heights = [
        element.get("y") for element in drawings(apart)[2].iter("text") if element.text in {"A-1", "A-6", "A-10"}
    ]
    assert len(heights) == 3
    assert len(set(heights)) == 1


def test_a_week_that_is_not_over_is_hollow() -> None:
    svg = drawings(a_line(points=(Point("Week 1", 2.0), Point("Week 2", 1.0, is_complete=False))))[0]
    assert [element.get("class") for element in svg.iter("circle")] == ["chart-dot", "chart-hollow"]


def test_a_line_breaks_where_a_week_has_no_value() -> None:
    svg = drawings(a_line(points=weeks([1.0, 2.0, None, 3.0, 2.0])))[2]
    assert len([element for element in svg.iter("path") if element.get("class") == "chart-line"]) == 2


def test_an_amount_that_is_not_zero_stays_visible() -> None:
    svg = drawings(BarChart("x", (Bar("many", 1_000_000, "1M"), Bar("few", 1, "1"), Bar("none", 0, "0"))))[0]
    widths = [
        float(element.get("width", "")) for element in svg.iter("rect") if "chart-bar" in element.get("class", "")
    ]
    assert widths[1] == 2
    assert widths[2] == 0


def test_a_curve_tells_the_share_done_and_swaps_its_band() -> None:
    curve = Curve.of("Now", KM, per=5)
    assert [step.time for step in curve.steps] == [1, 2, 6, 18]
    assert curve.ends_at == 24
    assert curve.first_time(0.5) == 6
    assert curve.first_time(0.9) is None
    for step in curve.steps:
        if step.low is not None and step.high is not None:
            assert step.low <= step.share <= step.high


def test_only_a_team_beyond_the_outer_limits_is_named() -> None:
    chart = FunnelChart("x", (Member("Far", 90, 49), Member("Near", 65, 49), Member("Good", 10, 40)), "Expected")
    assert [row.cells[-1] for row in chart.table().rows] == [
        "Above what chance allows",
        "Within what chance allows",
        "Below what chance allows",
    ]
    named = [
        element.text or "" for element in drawings(chart)[2].iter("text") if "chart-tip" not in element.get("class", "")
    ]
    assert [words for words in named if ":" in words] == ["Far: 90, expected 49", "Good: 10, expected 40"]


def test_teams_that_lie_close_have_their_names_apart() -> None:
    """Two that decide nearly everything in time, both far below the funnel and beside each other."""
    chart = FunnelChart("x", (Member("Desk", 1, 38), Member("Buying", 0, 40)), "Expected")
    for drawing in drawings(chart):
        names = [one for one in drawing.iter("text") if one.get("class") == "chart-better-text"]
        upper, lower = sorted(float(one.get("y", "0")) for one in names)
        assert lower - upper >= 12


def test_a_name_in_other_letters_does_not_turn_the_sentence_around() -> None:
    """The first letter that has a direction, names apart, is an Arabic one, and so the sentence runs from right to left."""
    with override("ar"):
        drawn = drawings(FunnelChart("x", (Member("Desk", 90, 20),), "Expected"))[2]
    words = next(one.text or "" for one in drawn.iter("text") if one.get("class") == "chart-signal-text")
    assert words.startswith("\N{FIRST STRONG ISOLATE}Desk\N{POP DIRECTIONAL ISOLATE}:")


def test_a_sparkline_that_only_repeats_is_hidden_and_one_that_tells_is_named() -> None:
    quiet = ET.fromstring(draw_sparkline(Sparkline((1.0, None, 3.0), lower=0, upper=2, signals=(2,))))  # noqa: S314
    assert quiet.get("aria-hidden") == "true"
    assert [element.get("class") for element in quiet] == ["chart-band", "chart-line", "chart-signal"]
    told = ET.fromstring(draw_sparkline(Sparkline((1.0, 2.0), sentence=HOSTILE)))  # noqa: S314
    assert (told.get("role"), told.get("aria-label")) == ("img", HOSTILE)
    assert list(ET.fromstring(draw_sparkline(Sparkline(())))) == []  # noqa: S314


@given(st.lists(st.one_of(st.none(), st.floats(-1e6, 1e6)), max_size=60))
def test_any_series_can_be_drawn(values: list[float | None]) -> None:
    for svg in drawings(a_line(points=weeks(values))):
        height = float(svg.get("viewBox", "").split()[3])
        for element in svg.iter("circle"):
            assert 0 <= float(element.get("cy", "")) <= height


@given(st.floats(-1e9, 1e9), st.floats(0, 1e9))
def test_ticks_are_round_and_enclose_what_is_drawn(low: float, size: float) -> None:
    ticks = nice_ticks(low, low + size)
    step = ticks[1] - ticks[0]
    assert ticks[0] <= low + 1e-6 * step
    assert low + size <= ticks[-1] + 1e-6 * step
    assert 2 <= len(ticks) <= 8


@given(st.lists(st.floats(0, 100), min_size=1, max_size=6))
def test_labels_beside_each_other_never_cover_one_another(wanted: list[float]) -> None:
    paper = Paper(760, 100)
    heights = paper.spread(wanted, top=0, bottom=100)
    assert all(after - before >= paper.text_size + 2 - 1e-9 for before, after in pairwise(sorted(heights)))
    assert max(heights) <= 100
    assert [place for _, place in sorted(zip(heights, range(len(wanted)), strict=True))] == sorted(
        range(len(wanted)), key=lambda place: wanted[place]
    )


@pytest.mark.parametrize(
    ("unit", "value", "shown"),
    [
        (charts.PERCENT, 0.2968, "29.7%"),
        (charts.COUNT, 1284.0, "1,284"),
        (charts.POINTS, -1.88, "−1.9"),
        (charts.POINTS, -0.04, "0.0"),
        (charts.COUNT, None, "–"),
        (Unit(prefix="€", is_short=True), 212_400, "€212k"),
        (Unit(prefix="€", is_short=True), 1_500, "€1.5k"),
        (Unit(prefix="€", is_short=True), 999_900, "€1.0M"),
        (Unit(prefix="€", is_short=True), 999, "€999"),
    ],
)
def test_numbers_are_written_for_people(unit: Unit, value: float | None, shown: str) -> None:
    assert unit.write(value) == shown


def test_a_change_carries_its_sign() -> None:
    assert charts.POINTS.write(5.1, signed=True) == "+5.1"
    assert charts.POINTS.write(0, signed=True) == "0.0"
    assert charts.PERCENT.tick(0.25, step=0.05) == "25%"
    assert charts.PERCENT.tick(0.025, step=0.005) == "2.5%"
