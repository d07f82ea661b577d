"""The numbers behind a chart, for the Table switch under it, for screen readers and for export."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """The first cell names the row; `href` opens its items."""

    cells: tuple[str, ...]
    href: str = ""


@dataclass(frozen=True)
class Table:
    caption: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]
