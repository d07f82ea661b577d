"""Feedback in a table: one row, one thing somebody said."""

import hashlib
import io
import json
import re
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any, BinaryIO

from intake.connectors import connectors
from intake.connectors.base import (
    SCALES,
    BadRow,
    Draft,
    FileConnector,
    Rating,
    RawItem,
    Remark,
    Row,
    Sender,
    Unreadable,
)
from intake.connectors.moments import Unclear, moment_of
from intake.delimited import DELIMITERS, Damage, Record, delimiter_of, names_its_delimiter, records
from intake.encodings import UnknownEncoding, encoding_of
from intake.occurrences import Occurrences

MOST_COLUMNS = 2000
_SAMPLE = 64 * 1024

# What columns are called, without case and punctuation; earlier names win over later ones.
KNOWN_COLUMNS: Mapping[str, tuple[str, ...]] = {
    "external_id": (
        "external_id", "id", "feedback_id", "response_id", "respondent_id", "respondentid", "review_id", "submission_id",
        "ticket_id", "case_id", "record_id", "recordid", "responseid", "case_number", "comment_id", "uuid", "guid",
    ),
    "text": (
        "text", "feedback", "comment", "comments", "review_text", "message", "body", "content", "review", "verbatim",
        "description", "response", "answer", "open_ended_response", "remarks", "kommentar", "nachricht", "rückmeldung",
        "commentaire", "comentario", "comentarios", "comentário", "commento", "opmerking",
    ),
    "title": ("title", "subject", "headline", "review_title", "summary", "betreff", "titel", "titre", "asunto", "oggetto"),
    "rating": (
        "rating", "score", "stars", "star_rating", "nps", "nps_score", "csat", "csat_score", "ces", "ces_score",
        "satisfaction", "bewertung", "puntuación", "valoración", "avaliação",
    ),
    "scale": ("scale", "rating_scale"),
    "customer_id": ("customer_id", "customer", "customer_number", "client_id", "user_id", "contact_id", "kundennummer"),
    "email": ("email", "e_mail", "email_address", "e_mail_address", "customer_email", "mail"),
    "name": ("name", "customer_name", "author", "full_name", "reviewer"),
    "account": ("account", "account_id", "company", "organisation", "organization", "firma"),
    "product": ("product", "product_name", "package_name", "app", "produkt", "produit", "producto"),
    "product_version": ("product_version", "version", "app_version", "app_version_name"),
    "language": ("language", "lang", "locale", "reviewer_language", "sprache", "langue", "idioma"),
    "submitted_at": (
        "submitted_at", "created_at", "submit_date", "submission_date", "review_submit_date_and_time", "timestamp",
        "date_time", "datetime", "date", "created", "created_on", "time", "datum", "fecha",
    ),
    "url": ("url", "link", "review_link", "permalink"),
    "may_contact": ("may_contact", "contact_allowed"),
}  # fmt: skip

# The scale a column's name speaks of; where it names none, the channel's `scale`, else five steps of satisfaction.
_SCALES_BY_NAME = {
    "nps": "nps",
    "nps_score": "nps",
    "stars": "stars5",
    "star_rating": "stars5",
    "ces": "ces7",
    "ces_score": "ces7",
}
_SCALES_BY_ENDS = {(0, 10): "nps", (1, 7): "csat7", (1, 5): "csat5", (0, 1): "thumbs"}
_ENDS = re.compile(r"\(?\b(\d{1,2})\s*(?:-|\u2013|\.\.|to)\s*(\d{1,2})\b\)?")
_NUMBER = re.compile(r"(-?\d{1,6}(?:[.,]\d{1,4})?)\s*(?:(?:/|of|von)\s*(\d{1,2}))?\s*(?:stars?)?\Z", re.IGNORECASE)
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}([-_][A-Za-z0-9]{2,8}){0,2}\Z")
_EMAIL = re.compile(r"[^@\s,;<>\"]{1,64}@[^@\s,;<>\"]{1,190}\Z")
_NOTHING = frozenset({"", "-", "--", "n/a", "na", "nan", "null", "none"})
_YES = frozenset({"1", "true", "yes", "y", "x", "ja", "oui", "si", "sí"})


@connectors.register
class CsvFile(FileConnector):
    """Settings of a channel, all optional: `columns` {column: field or "ignore"}, `scale` of ratings whose column names
    none, `time_zone` of times without one, `day_first` for dates like 3/10/2026, `may_contact` where no column says it,
    `encoding`, `delimiter`.

    A column that is known under no name goes into the context. A row's external id is that of its id column; without one it
    is the hash of the row and how often that row stood before it in the file, so that the same file is the same feedback
    again, and two people who wrote the same sentence are two.
    """

    slug = "csv_file"
    name = "CSV file"
    extensions = (".csv", ".tsv", ".txt")

    def rows(self, file: BinaryIO, *, settings: Mapping[str, Any]) -> Generator[Row | BadRow, None, None]:
        text = io.TextIOWrapper(file, encoding=_encoding(file, settings), errors="replace", newline="")
        try:
            with closing(Occurrences()) as before:
                yield from _rows(text, settings, before)
        finally:
            text.detach()

    def parse(self, raw: RawItem, *, settings: Mapping[str, Any]) -> Draft:
        try:
            said = json.loads(raw.payload)
        except ValueError as error:
            raise Unreadable(f"It is not JSON: {error}.") from None
        if not isinstance(said, dict) or not all(isinstance(value, str) for value in said.values()):
            raise Unreadable("It is JSON, but not an object of texts.")
        return _Reading(said, settings).draft()


def _encoding(file: BinaryIO, settings: Mapping[str, Any]) -> str:
    named = str(settings.get("encoding") or "")
    try:
        if named:
            "".encode(named)
            return named
        return encoding_of(file)
    except LookupError:
        raise Unreadable(f'There is no encoding "{named}". Correct the settings of the channel.') from None
    except UnknownEncoding as reason:
        raise Unreadable(str(reason)) from None


def _rows(text: io.TextIOWrapper, settings: Mapping[str, Any], before: Occurrences) -> Iterator[Row | BadRow]:
    delimiter = settings.get("delimiter") or delimiter_of(text.read(_SAMPLE))
    if delimiter not in DELIMITERS:
        raise Unreadable(
            "Fields can be separated by a comma, a semicolon, a tab or a bar. Correct the settings of the channel."
        )
    text.seek(0)
    found = records(text, delimiter=delimiter)
    header = _header(found)
    columns = _columns(header.fields)
    if not {"text", "title", "rating"} & set(_plan(tuple(columns), _mapping(settings)).values()):
        raise Unreadable(
            f"None of the columns is known to hold a text, a title or a rating. They are: {', '.join(columns)[:500]}."
            ' Say what they hold in the settings of the channel, as in {"columns": {"What happened?": "text"}}.'
        )
    ids = [column for column, field in _plan(tuple(columns), _mapping(settings)).items() if field == "external_id"]
    is_empty = True
    for record in found:
        is_empty = False
        bad = _what_is_wrong(record, header, columns)
        if bad or isinstance(record, Damage):
            yield bad or BadRow(record.row, "It cannot be read.")
            continue
        values = dict(zip(columns, record.fields, strict=False))
        # Sorted, so that a file with its columns in another order is still the same feedback.
        payload = json.dumps(values, ensure_ascii=False, sort_keys=True).encode("utf-8", "replace")
        own = values[ids[0]].strip() if ids else ""
        yield Row(record.row, RawItem(own or _hashed(payload, before), payload), values)
    if is_empty:
        raise Unreadable(f"The file has a header in line {header.line} and no row below it.")


def _header(found: Iterator[Record | Damage]) -> Record:
    first = next(found, None)
    if isinstance(first, Record) and names_its_delimiter(first):
        first = next(found, None)
    if first is None:
        raise Unreadable("The file is empty.")
    if isinstance(first, Damage):
        raise Unreadable(f"The header in line {first.line} cannot be read. {first.reason}")
    if len(first.fields) > MOST_COLUMNS:
        raise Unreadable(
            f"The header in line {first.line} has {len(first.fields):,} columns; {MOST_COLUMNS:,} are the most."
        )
    return first


def _columns(header: Sequence[str]) -> list[str]:
    """A name for each column: those without one are called by their place, repeated ones are counted."""
    names: list[str] = []
    for place, cell in enumerate(header, start=1):
        name = cell.strip()[:200] or f"Column {place}"
        times = 1
        while (name if times == 1 else f"{name} ({times})") in names:
            times += 1
        names.append(name if times == 1 else f"{name} ({times})")
    return names


def _what_is_wrong(record: Record | Damage, header: Record, columns: Sequence[str]) -> BadRow | None:
    if isinstance(record, Damage):
        place = record.field
        column = columns[place] if place is not None and place < len(columns) else ""
        return BadRow(record.row, record.reason, column)
    while len(record.fields) > len(columns) and not record.fields[-1].strip():
        record.fields.pop()
    beyond = {f"Beyond {place}": cell for place, cell in enumerate(record.fields[len(columns) :], start=1)}
    cells = dict(zip(columns, record.fields, strict=False)) | beyond
    if len(record.fields) != len(columns):
        return BadRow(
            record.row,
            f"It has {len(record.fields):,} fields, and the header names {len(columns):,}. Quote texts that hold the separator.",
            cells=cells,
        )
    if record.fields == header.fields:
        return BadRow(record.row, "It repeats the header.", cells=cells)
    return None


def _hashed(payload: bytes, before: Occurrences) -> str:
    digest = hashlib.sha256(payload)
    return f"row:{digest.hexdigest()}:{before.count(digest.digest())}"


def _mapping(settings: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    given = settings.get("columns") or {}
    if not isinstance(given, Mapping):
        raise Unreadable(
            'Write "columns" in the settings of the channel as in {"columns": {"What happened?": "text"}}.'
        )
    unknown = [str(field) for field in given.values() if field not in KNOWN_COLUMNS and field != "ignore"]
    if unknown:
        known = ", ".join([*KNOWN_COLUMNS, "ignore"])
        raise Unreadable(
            f'There is no field "{unknown[0][:60]}" for a column to hold. Correct the settings of the channel: {known}.'
        )
    return tuple(sorted((str(column), str(field)) for column, field in given.items()))


@lru_cache(maxsize=256)
def _plan(columns: tuple[str, ...], mapping: tuple[tuple[str, str], ...]) -> Mapping[str, str]:
    """What each column holds. What a person said stands; the rest is known by name, one column a field."""
    said = dict(mapping)
    plan = {column: said[column] for column in columns if column in said}
    for field in KNOWN_COLUMNS.keys() - plan.values():
        ranked = [
            (rank, column) for column in columns if column not in plan and (rank := _rank(column, field)) is not None
        ]
        if ranked:
            plan[min(ranked)[1]] = field
    return plan


def _rank(column: str, field: str) -> int | None:
    name = _plain(column)
    return KNOWN_COLUMNS[field].index(name) if name in KNOWN_COLUMNS[field] else None


@lru_cache(maxsize=4096)
def _plain(column: str) -> str:
    return re.sub(r"[\W_]+", "_", _ENDS.sub("", column).casefold()).strip("_")


class _Reading:
    """One row being read: what cannot be read is remarked on and kept as it is in the context."""

    def __init__(self, said: Mapping[str, str], settings: Mapping[str, Any]) -> None:
        self.said = said
        self.settings = settings
        self.plan = _plan(tuple(said), _mapping(settings))
        self.context = {column: value for column, value in said.items() if column not in self.plan and value.strip()}
        self.remarks: list[Remark] = []

    def draft(self) -> Draft:
        rating = self.rating()
        text, title = self.text(), self.value("title")
        if self.remarks and rating is None and not (text.strip() or title):
            raise Unreadable(self.remarks[0].reason, place=self.remarks[0].place)
        sender = Sender(
            external_id=self.value("customer_id"),
            email=self.matching("email", _EMAIL, "an e-mail address"),
            name=self.value("name"),
            account_external_id=self.value("account"),
            account_name=self.value("account"),
            may_contact=self.may_contact(),
        )
        return Draft(
            text=text,
            title=title,
            rating=rating,
            sender=sender,
            language=self.matching("language", _LANGUAGE, "a language like en or pt-BR").replace("_", "-"),
            product=self.value("product"),
            product_version=self.value("product_version"),
            url=self.matching("url", re.compile(r"https?://\S+\Z"), "an address that begins with https://"),
            submitted_at=self.moment(),
            context=self.context,
            remarks=tuple(self.remarks),
        )

    def columns(self, field: str) -> Iterable[str]:
        return (column for column in self.said if self.plan.get(column) == field)

    def value(self, field: str) -> str:
        """The first that says something, of the columns that hold it."""
        values = (self.said[column].strip() for column in self.columns(field))
        return next((value for value in values if value.casefold() not in _NOTHING), "")

    def text(self) -> str:
        texts = [(column, self.said[column]) for column in self.columns("text") if self.said[column].strip()]
        if len(texts) == 1:
            return texts[0][1]
        return "\n\n".join(f"{column}\n{text}" for column, text in texts)

    def matching(self, field: str, pattern: re.Pattern[str], like: str) -> str:
        value = self.value(field)
        if value and not pattern.match(value):
            self.leave_out(field, value, f'"{value[:80]}" is not {like}.')
            return ""
        return value

    def rating(self) -> Rating | None:
        value = self.value("rating")
        if not value:
            return None
        column = next(iter(self.columns("rating")))
        scale = self.value("scale") or _scale_of(column) or str(self.settings.get("scale") or "csat5")
        if value.strip("★☆⭐") == "":
            scale, number = "stars5", _NUMBER.match(str(value.count("★") + value.count("⭐")))
        else:
            number = _NUMBER.match(value)
        if number is None:
            self.leave_out("rating", value, f'"{value[:80]}" is not a number.')
            return None
        if number[2] and number[2] != str(SCALES.get(scale, (0, 0))[1]):
            scale = {"10": "nps", "7": "csat7", "5": "csat5"}.get(number[2], scale)
        if scale not in SCALES:
            self.leave_out(
                "rating", value, f'There is no rating scale "{scale[:40]}". Use one of {", ".join(sorted(SCALES))}.'
            )
            return None
        low, high = SCALES[scale]
        found = Decimal(number[1].replace(",", "."))
        if not low <= found <= high:
            self.leave_out("rating", value, f"{found} is not on the scale {scale}, which goes from {low} to {high}.")
            return None
        return Rating(scale, found)

    def may_contact(self) -> bool:
        """A table of addresses is no consent to write to them: it has to say so, or whoever set up the channel does."""
        if any(self.columns("may_contact")):
            return self.value("may_contact").casefold() in _YES
        return self.settings.get("may_contact") is True

    def moment(self) -> datetime | None:
        value = self.value("submitted_at")
        if not value:
            return None
        try:
            return moment_of(
                value, zone=str(self.settings.get("time_zone") or "UTC"), day_first=self.settings.get("day_first")
            )
        except Unclear as reason:
            self.leave_out("submitted_at", value, str(reason))
            return None

    def leave_out(self, field: str, value: str, reason: str) -> None:
        column = next(iter(self.columns(field)), field)
        self.remarks.append(Remark(column, reason))
        self.context[column] = value


def _scale_of(column: str) -> str:
    ends = _ENDS.search(column)
    if ends:
        return _SCALES_BY_ENDS.get((int(ends[1]), int(ends[2])), "")
    return _SCALES_BY_NAME.get(_plain(column), "")
