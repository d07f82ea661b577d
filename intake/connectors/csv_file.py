"""Feedback in a table: one row, one thing somebody said."""

from collections.abc import Generator, Mapping
from typing import Any, BinaryIO

from feedback_portal.marking import marked
from intake.connectors import connectors, mapped, tables
from intake.connectors.base import BadRow, Draft, FileConnector, RawItem, Row, Setting
from intake.connectors.tables import MOST_COLUMNS

__all__ = ["MOST_COLUMNS", "CsvFile"]


@connectors.register
class CsvFile(FileConnector):
    """Settings of a channel, all optional: `columns` {column: field, "context" or "ignore"}, `preset` of an export that does
    not show what it is, `sheet` of a workbook, `scale` of ratings whose column names none, `time_zone` of times without
    one, `day_first` for dates like 3/10/2026, `may_contact` where no column says it, `encoding`, `delimiter`.

    A column that is known under no name goes into the context. A row's external id is that of its id column; without one it
    is the hash of the row and how often that row stood before it in the file, so that the same file is the same feedback
    again, and two people who wrote the same sentence are two.
    """

    slug = "csv_file"
    name = marked("Table (CSV, TSV, XLSX)")
    version = 3
    extensions = (".csv", ".tsv", ".txt", ".xlsx")
    is_general = True
    asks = (
        *mapped.ASKS,
        Setting("encoding", "Encoding", "As in cp1252. Without it, it is told by the bytes of a file, or asked for."),
        Setting("sheet", "Sheet", "Of workbooks. Without it, the first is read."),
    )

    def rows(self, file: BinaryIO, *, settings: Mapping[str, Any]) -> Generator[Row | BadRow, None, None]:
        return tables.rows(file, settings=settings)

    def parse(self, raw: RawItem, *, settings: Mapping[str, Any]) -> Draft:
        return mapped.draft_of(raw, settings=settings)
