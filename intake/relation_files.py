"""Files of customers, companies and exposure counts, row by row: what each says, or why it says nothing."""

import re
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from itertools import chain, islice
from typing import Any, BinaryIO

from intake.connectors import tables
from intake.connectors.base import Unreadable
from intake.connectors.moments import Unclear, day_first_in, is_slashed, moment_of
from intake.connectors.presets.support import FOOT
from intake.connectors.relation_columns import PRESETS, Preset, columns_by_field, preset_of
from intake.delimited import Damage, Record
from intake.exposures import KINDS, MOST, Count
from intake.money import NoSum, sum_of
from intake.relations import Company, Id, Owned, Person

SHOWN = 20
_AHEAD = 1000
_YES = frozenset({"1", "true", "yes", "y", "x", "ja", "oui", "si", "sí", "wahr", "vrai"})
_EMAIL = re.compile(r"[^@\s,;<>\"]{1,64}@[^@\s,;<>\"]{1,190}\Z")
_KIND = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}\Z")
_MANY = re.compile(r"[;,\s]+")
_PRODUCTS = re.compile(r"\s*[;|\n]\s*")
_THOUSANDS = re.compile(r"\d{1,3}([.,' \u00a0\u202f]\d{3})+\Z")
_WHOLE = re.compile(r"(\d{1,18})(?:[.,]0{1,6})?\Z")
_FLOAT = re.compile(r"(\d{1,18})\.0\Z")


@dataclass(frozen=True)
class Row:
    """One row of the file by its number there: what it says, or why it is passed over; `remarks` (column, sentence) are of what
    was left out of it."""

    number: int
    said: Person | Company | tuple[Count, ...] | None
    reason: str = ""
    column: str = ""
    is_failure: bool = False
    remarks: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Preview:
    """The columns of a file, the field each is taken to hold, and its first rows. Without columns, `problems` say why."""

    columns: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    mapping: Mapping[str, str] = field(default_factory=dict)
    preset: Preset = PRESETS["customers"]
    problems: tuple[str, ...] = ()


@contextmanager
def opened(file: BinaryIO, *, settings: Mapping[str, Any]) -> Generator["Sheet", None, None]:
    """The sheet a file holds; `Unreadable` where it holds none. Settings: `preset`, `system` whose numbers stand in it, `columns`
    {column: field}, `currency` of sums without one, `day_first`, and `sheet`, `encoding` and `delimiter` of the table."""
    # What a table of feedback would make of it is beside the point here.
    table = {name: settings[name] for name in ("sheet", "encoding", "delimiter") if settings.get(name)}
    with tables.opened(file, settings={**table, "preset": "table"}) as found:
        yield Sheet(found, settings)


def preview(file: BinaryIO, *, settings: Mapping[str, Any]) -> Preview:
    """How the file would be read. Raises nothing."""
    try:
        with opened(file, settings=settings) as sheet:
            cells = []
            rows = []
            for record, row in islice(sheet.pairs(), SHOWN):
                fields = record.fields if isinstance(record, Record) else []
                width = len(sheet.columns)
                cells.append((*fields[:width], *[""] * (width - len(fields))))
                rows.append(row)
            problems = dict.fromkeys(
                f"Row {row.number}{f', {column}' if column else ''}: {reason}"
                for row in rows
                for column, reason in (*row.remarks, *(((row.column, row.reason),) if row.is_failure else ()))
            )
            return Preview(sheet.columns, tuple(cells), sheet.mapping, sheet.preset, tuple(problems)[:5])
    except Unreadable as reason:
        return Preview(problems=(str(reason),))
    finally:
        file.seek(0)


class Sheet:
    """An open file of one kind."""

    def __init__(self, table: tables.Table, settings: Mapping[str, Any]) -> None:
        chosen = str(settings.get("preset") or "")
        if chosen and chosen not in PRESETS:
            raise Unreadable(f'There is no kind of export "{chosen[:60]}". Use one of these: {", ".join(PRESETS)}.')
        self.columns = table.columns
        self.preset = PRESETS[chosen] if chosen else preset_of(table.columns)
        told = {str(column): str(field) for column, field in dict(settings.get("columns") or {}).items()}
        self.held = columns_by_field(table.columns, self.preset, told)
        self.system = self.preset.system or str(settings.get("system") or "")
        self.currency = str(settings.get("currency") or "")
        self._header = table.header.fields
        self._records, dates = self._looked_at(table.records)
        self.day_first = settings["day_first"] if "day_first" in settings else day_first_in(dates)

    @property
    def kind(self) -> str:
        return self.preset.kind

    @property
    def mapping(self) -> dict[str, str]:
        return {column: field for field, columns in self.held.items() for column in columns}

    def check(self) -> None:
        """Raise `Unreadable` where no column could tell one row from another."""
        if self.kind == "exposures":
            counted = any(name in self.held for name in ("count", *KINDS))
            if "day" not in self.held or not counted:
                raise Unreadable(
                    f"Counts need a column for the day and one for the count. The columns are: {self._named}."
                )
        elif not any(name in self.held for name in ("external_id", "email", "domain", "name")):
            raise Unreadable(
                f"No column is known to hold a number, an address or a name. The columns are: {self._named}."
            )

    def rows(self) -> Iterator[Row]:
        for _, row in self.pairs():
            yield row

    def pairs(self) -> Iterator[tuple[Record | Damage, Row]]:
        for record in self._records:
            yield record, self._row(record)

    @property
    def _named(self) -> str:
        return ", ".join(self.columns)[:500]

    def _looked_at(self, records: Iterator[Record | Damage]) -> tuple[Iterator[Record | Damage], list[str]]:
        """Dates like 3/10/2026 are told by the others of their columns."""
        dated = [column for field in ("day", "since", "updated_at") for column in self.held.get(field, ())]
        if not dated:
            return records, []
        ahead = list(islice(records, _AHEAD))
        places = [self.columns.index(column) for column in dated]
        cells = [
            record.fields[place]
            for record in ahead
            if isinstance(record, Record)
            for place in places
            if place < len(record.fields)
        ]
        return chain(ahead, records), [cell for cell in cells if is_slashed(cell)]

    def _row(self, record: Record | Damage) -> Row:
        if isinstance(record, Damage):
            return Row(record.row, None, record.reason, is_failure=True)
        fields = list(record.fields)
        while len(fields) > len(self.columns) and not fields[-1].strip():
            fields.pop()
        if not any(cell.strip() for cell in fields):
            return Row(record.row, None, "It is empty.")
        if FOOT.pattern.match(fields[0].strip()) and not any(cell.strip() for cell in fields[1:]):
            return Row(record.row, None, FOOT.reason)
        if fields == self._header:
            return Row(record.row, None, "It repeats the header.")
        if len(fields) != len(self.columns):
            reason = f"It has {len(fields):,} fields, and the header names {len(self.columns):,}."
            return Row(record.row, None, f"{reason} Quote texts that hold the separator.", is_failure=True)
        return _Reading(self, dict(zip(self.columns, fields, strict=True))).row(record.row)


class _Reading:
    """One row being read: what cannot be read is left out and told, and costs nobody the rest."""

    def __init__(self, sheet: Sheet, cells: Mapping[str, str]) -> None:
        self.sheet = sheet
        self.cells = cells
        self.remarks: list[tuple[str, str]] = []

    def row(self, number: int) -> Row:
        if self.sheet.kind == "exposures":
            counts = self.counts()
            if not counts:
                column, reason = self.remarks[0] if self.remarks else ("", "It counts nothing.")
                return Row(number, None, reason, column, is_failure=bool(self.remarks))
            return Row(number, counts, remarks=tuple(self.remarks))
        said = self.person() if self.sheet.kind == "customers" else self.company()
        return Row(number, said, remarks=tuple(self.remarks))

    def value(self, field: str) -> str:
        return self.found(field)[1]

    def found(self, field: str) -> tuple[str, str]:
        """The column that says something of a field, and what."""
        for column in self.sheet.held.get(field, ()):
            if value := self.cells[column].strip():
                return column, value
        return "", ""

    def leave_out(self, column: str, reason: str) -> None:
        self.remarks.append((column, f"{reason} It was left out."))

    def person(self) -> Person:
        name = self.value("name") or f"{self.value('first_name')} {self.value('last_name')}".strip()
        emails = [each for field in ("email", "other_emails") for each in self.emails(field)]
        numbers, company = self.ids("account_id"), self.value("account_name")
        account = Company(ids=numbers[:1], name=company, is_mention=True) if numbers or company else None
        return Person(
            **self.record(name),
            email=emails[0] if emails else "",
            other_emails=tuple(emails[1:]),
            language=self.value("language"),
            account=account,
        )

    def company(self) -> Company:
        amount, currency = self.worth()
        return Company(
            **self.record(self.value("name")),
            domain=self.value("domain"),
            segment=self.value("segment"),
            value=amount,
            currency=currency,
            lifecycle=self.value("lifecycle"),
            owner=self.value("owner"),
        )

    def record(self, name: str) -> dict[str, Any]:
        since = self.day("since")
        into = self.ids("merged_into")
        return {
            "ids": self.ids("external_id")[:1],
            "name": name,
            "owned": tuple(Owned(each, since) for each in _PRODUCTS.split(self.value("products")) if each),
            "changed_at": self.moment("updated_at"),
            "merged": self.ids("merged"),
            "merged_into": into[0] if into else None,
            "is_gone": self.value("deleted").casefold() in _YES,
        }

    def ids(self, field: str) -> tuple[Id, ...]:
        value = self.value(field)
        several = _MANY.split(value) if field != "external_id" else [value]
        return tuple((self.sheet.system, self.sheet.preset.number(_FLOAT.sub(r"\1", each))) for each in several if each)

    def emails(self, field: str) -> list[str]:
        column, value = self.found(field)
        given = [each for each in _MANY.split(value) if each]
        for each in given:
            if not _EMAIL.match(each):
                self.leave_out(column, f'"{each[:80]}" is not an e-mail address.')
        return [each for each in given if _EMAIL.match(each)]

    def worth(self) -> tuple[Decimal | None, str]:
        column, value = self.found("value")
        if not value:
            return None, ""
        try:
            amount, currency = sum_of(value)
        except NoSum as reason:
            self.leave_out(column, str(reason))
            return None, ""
        return amount, currency or self.value("currency") or self.sheet.currency

    def moment(self, field: str) -> datetime | None:
        column, value = self.found(field)
        if not value:
            return None
        try:
            return moment_of(value, day_first=self.sheet.day_first)
        except Unclear as reason:
            self.leave_out(column, str(reason))
            return None

    def day(self, field: str) -> date | None:
        column, value = self.found(field)
        if not value:
            return None
        try:
            # A day stays the day it was written as, wherever the clock beside it stands.
            return date.fromisoformat(value[:10])
        except ValueError:
            pass
        try:
            return moment_of(value, day_first=self.sheet.day_first).date()
        except Unclear as reason:
            self.leave_out(column, str(reason))
            return None

    def counts(self) -> tuple[Count, ...]:
        day = self.day("day")
        if day is None:
            if not self.remarks:
                self.remarks.append(("", "It names no day."))
            return ()
        named = re.sub(r"[\W]+", "_", self.value("kind").casefold()).strip("_")
        kinds = {field: field for field in KINDS}
        if "count" in self.sheet.held:
            kinds["count"] = named or "units_shipped" if "kind" not in self.sheet.held else named
        found = []
        for held, kind in kinds.items():
            column, value = self.found(held)
            if not value:
                continue
            if not _KIND.match(kind):
                self.leave_out(column, "It does not say what is counted, in a short name like units_shipped.")
                continue
            number = whole(value)
            if number is None:
                self.leave_out(column, f'"{value[:60]}" is not a count.')
                continue
            found.append(Count(kind, day, number, self.value("product"), self.value("site"), self.moment("updated_at")))
        return tuple(found)


def whole(written: str) -> int | None:
    """A whole number as spreadsheets write it: 1.250, 1,250 or 1250.0."""
    if _THOUSANDS.match(written):
        return int(re.sub(r"\D", "", written))
    found = _WHOLE.match(written)
    return int(found[1]) if found and int(found[1]) <= MOST else None
