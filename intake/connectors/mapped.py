"""One row of a table or one plain object, read by what its columns hold: what cannot be read costs nobody their words."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any

from intake.connectors.base import SCALES, Draft, Ignored, Rating, RawItem, Remark, Sender, Setting, Unreadable
from intake.connectors.columns import Plan, plan_of, told
from intake.connectors.markup import text_of_html
from intake.connectors.moments import Unclear, moment_of
from intake.connectors.presets import GENERIC, Preset, known, named, plain

_NUMBER = re.compile(r"(-?\d{1,6}(?:[.,]\d{1,4})?)\s*(?:(?:/|of|von)\s*(\d{1,2}))?\s*(?:stars?)?\Z", re.IGNORECASE)
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}([-_][A-Za-z0-9]{2,8}){0,2}\Z")
_EMAIL = re.compile(r"[^@\s,;<>\"]{1,64}@[^@\s,;<>\"]{1,190}\Z")
_ADDRESS = re.compile(r"https?://\S+\Z")
_NOTHING = frozenset({"", "-", "--", "n/a", "na", "nan", "null", "none"})
_YES = frozenset({"1", "true", "yes", "y", "x", "ja", "oui", "si", "sí"})
_SCALES_IN_WORDS = {"csat": "csat5", "ces": "ces7", "stars": "stars5"}
_COUNTED = re.compile(r" \(\d+\)\Z")
_AS_SENT = "rating as sent"


# What a file of rows may have to be told, whatever it is written in.
ASKS = (
    Setting(
        "preset",
        "Export",
        "Where the files come from. A file shows it by its header, nearly always.",
        choices=(("", "As the file shows"), *((each.slug, each.name) for each in known().values() if not each.refusal)),
    ),
    Setting(
        "scale",
        "Scale of ratings",
        "For ratings whose column names none.",
        choices=(
            ("", "5 steps of satisfaction"),
            *((name, f"{name}, {low} to {high}") for name, (low, high) in SCALES.items()),
        ),
    ),
    Setting("time_zone", "Time zone", "Of times that name none, as in Europe/Berlin. Without it they are UTC."),
    Setting(
        "day_first",
        "Dates like 3/10/2026",
        "A file whose dates cannot be told apart has to be told.",
        choices=(
            ("", "As the other dates of the file"),
            ("yes", "3 October: the day stands first"),
            ("no", "10 March: the month stands first"),
        ),
    ),
    Setting(
        "may_contact",
        "Writing to the customers",
        "For files without a column that says it.",
        choices=(("", "They did not agree"), ("yes", "All of them agreed to be written to")),
    ),
)
_DAY_FIRST = {True: True, "yes": True, False: False, "no": False}


@dataclass(frozen=True, eq=False)
class Origin:
    """What a row's file told of all its rows: the export it is, the zone of its times, and how its dates are written."""

    preset: Preset = GENERIC
    zone: str = ""
    day_first: bool | None = None

    @property
    def content_type(self) -> str:
        """How the bytes of a row say where they are from, so that they mean the same when they are read again."""
        told = "application/json"
        if self.preset is not GENERIC:
            told += f"; export={self.preset.slug}"
        if re.fullmatch(r"[\w+/-]{1,40}", self.zone):
            told += f"; zone={self.zone}"
        if self.day_first is not None:
            told += f"; days={'first' if self.day_first else 'second'}"
        return told

    def moment(self, value: str, *, settings: Mapping[str, Any]) -> datetime:
        """The moment a cell names; what its file says of zones stands before what the channel says."""
        given = settings.get("day_first")
        day_first = _DAY_FIRST.get(given) if isinstance(given, str | bool) else None
        if day_first is None:
            day_first = self.preset.day_first if self.day_first is None else self.day_first
        zone = self.zone or self.preset.zone or settings.get("time_zone") or "UTC"
        return moment_of(value, zone=str(zone), day_first=day_first)


def draft_of(raw: RawItem, *, settings: Mapping[str, Any]) -> Draft:
    """The draft of a row, whose payload is an object of texts by column."""
    try:
        said = json.loads(raw.payload)
    except RecursionError:
        raise Unreadable("It is JSON that is too deep.") from None
    except ValueError as error:
        raise Unreadable(f"It is not JSON: {error}.") from None
    if type(said) is not dict:
        raise Unreadable("It is JSON, but not an object of texts.")
    for value in said.values():
        if type(value) is not str:
            raise Unreadable("It is JSON, but not an object of texts.")
    return _Reading(said, settings, _origin(raw.content_type, str(settings.get("preset") or ""))).draft()


@lru_cache(maxsize=256)
def _origin(content_type: str, chosen: str) -> Origin:
    told = dict(each.strip().partition("=")[::2] for each in content_type.split(";")[1:])
    days = told.get("days")
    return Origin(named(told.get("export") or chosen), told.get("zone", ""), None if days is None else days == "first")


class _Reading:
    """One row being read: what cannot be read is remarked on and kept as it is in the context."""

    __slots__ = ("address", "columns", "context", "origin", "plan", "preset", "remarks", "said", "settings")

    def __init__(self, said: dict[str, str], settings: Mapping[str, Any], origin: Origin) -> None:
        self.settings = settings
        self.origin = origin
        self.preset = preset = origin.preset
        self.plan: Plan = plan_of(tuple(said), told(settings), preset)
        self.columns = self.plan.columns
        if preset.replaced:
            said = {column: _replaced(value, preset) for column, value in said.items()}
        self.said = said
        self.context = {
            column: value for column in self.plan.context if (value := said[column]) and not value.isspace()
        }
        self.remarks: list[Remark] = []
        # Where somebody answers a question with nothing but an address.
        self.address = ""

    def draft(self) -> Draft:
        if self.preset.skips:
            self.pass_over()
        columns = self.columns
        rating = self.rating() if "rating" in columns else None
        text = self.text() if "text" in columns else ""
        title = self.value("title") if "title" in columns else ""
        if self.preset.asks_questions and rating is None and not (title or text.strip()):
            text = self.choices()
        if self.remarks and rating is None and not (title or text.strip()):
            raise Unreadable(self.remarks[0].reason, place=self.remarks[0].place)
        return Draft(
            text=text,
            title=title,
            rating=rating,
            sender=self.sender(),
            language=self.matching("language", _LANGUAGE, "a language like en or pt-BR").replace("_", "-")
            if "language" in columns
            else "",
            product=self.value("product") if "product" in columns else "",
            product_version=self.value("product_version") if "product_version" in columns else "",
            url=self.matching("url", _ADDRESS, "an address that begins with https://") if "url" in columns else "",
            submitted_at=self.moment() if "submitted_at" in columns else None,
            context=self.context,
            remarks=tuple(self.remarks),
            author=self.value("author") if "author" in columns else "",
            thread=self.value("thread") if "thread" in columns else "",
            reply_to=self.value("reply_to") if "reply_to" in columns else "",
        )

    def pass_over(self) -> None:
        """Raise `Ignored` for a row that the export itself says is no feedback."""
        for column, skip in _skips(self.preset, tuple(self.said)):
            if skip.pattern.match(self.said[column].strip()) and (
                skip.columns or not any(value.strip() for name, value in self.said.items() if name != column)
            ):
                raise Ignored(skip.reason)

    def value(self, field: str) -> str:
        """The first that says something, of the columns that hold it."""
        for column in self.columns.get(field, ()):
            value = self.said[column].strip()
            if value.casefold() not in _NOTHING and value not in self.preset.blanks:
                return value
        return ""

    def text(self) -> str:
        texts = []
        for column in self.columns["text"]:
            value = self.said[column]
            if not value or value.isspace() or value.strip() in self.preset.blanks:
                continue
            if self.preset.asks_questions:
                if _EMAIL.match(value.strip()):
                    self.address = self.address or value.strip()
                    continue
                if _is_no_words(value.strip(), column, self.preset):
                    self.context[column] = value
                    continue
            texts.append((column, text_of_html(value) if self.preset.is_html else value))
        if len(texts) == 1:
            return texts[0][1]
        return "\n\n".join(f"{self.preset.question(column)}\n{text}" for column, text in texts)

    def choices(self) -> str:
        """What was ticked and counted, question by question, for whoever wrote nothing: these are answers too."""
        known = dict(told(self.settings))
        chosen: dict[str, list[str]] = {}
        for column in self.said:
            if column not in self.context or column in known or self.preset.field_of(column):
                continue
            value, name = " ".join(self.context[column].split()), _COUNTED.sub("", column)
            question = "" if name == value else name.removesuffix(_choice(value))
            chosen.setdefault(question, []).append(value)
        lines = ((question, ", ".join(values)) for question, values in chosen.items())
        return "\n".join(f"{question}: {line}" if question else line for question, line in lines)

    def sender(self) -> Sender:
        account = self.value("account")
        name = self.value("name")
        if not name and ("first_name" in self.columns or "last_name" in self.columns):
            name = f"{self.value('first_name')} {self.value('last_name')}".strip()
        return Sender(
            external_id=self.value("customer_id"),
            email=(self.matching("email", _EMAIL, "an e-mail address") if "email" in self.columns else "")
            or self.address,
            name=name,
            account_external_id=account,
            account_name=account,
            may_contact=self.may_contact(),
        )

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
        scale = self.value("scale") if "scale" in self.columns else ""
        scale = scale or self.plan.scale or str(self.settings.get("scale") or "csat5")
        if self.preset.steps and (step := self.preset.steps.get(_step(value))) is not None:
            if not step:
                return None
            self.context[_AS_SENT] = value
            value = step
        number = _NUMBER.match(value)
        if number is None and value.strip("★☆⭐") == "":
            scale, number = "stars5", _NUMBER.match(str(value.count("★") + value.count("⭐")))
        if number is None:
            if self.plan.is_rating_guessed:
                self.context[self.columns["rating"][0]] = value
            else:
                self.leave_out("rating", value, f'"{value[:80]}" is not a number.')
            return None
        if number[2] and number[2] != str(SCALES.get(scale, (0, 0))[1]):
            scale = {"10": "nps", "7": "csat7", "5": "csat5"}.get(number[2], scale)
        if scale not in SCALES:
            scale = _SCALES_IN_WORDS.get(scale.casefold(), scale.casefold())
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
        if "may_contact" in self.columns:
            return self.value("may_contact").casefold() in _YES
        return self.settings.get("may_contact") in (True, "yes")

    def moment(self) -> datetime | None:
        value = self.value("submitted_at")
        if not value:
            return None
        try:
            return self.origin.moment(value, settings=self.settings)
        except Unclear as reason:
            self.leave_out("submitted_at", value, str(reason))
            return None

    def leave_out(self, field: str, value: str, reason: str) -> None:
        column = next(iter(self.columns.get(field, ())), field)
        self.remarks.append(Remark(column, reason))
        self.context[column] = value


@lru_cache(maxsize=256)
def _skips(preset: Preset, columns: tuple[str, ...]) -> tuple[tuple[str, Any], ...]:
    """The column each rule looks at, of those this file has."""
    by_name = {plain(column): column for column in reversed(columns)}
    found = []
    for skip in preset.skips:
        column = next((by_name[name] for name in skip.columns if name in by_name), "") if skip.columns else columns[0]
        if column:
            found.append((column, skip))
    return tuple(found)


def _is_no_words(value: str, column: str, preset: Preset) -> bool:
    """A box that was ticked, whose heading says it already, or a number or a code that the survey would explain."""
    if preset.codes is not None and preset.codes.match(value):
        return True
    name = _COUNTED.sub("", column)
    return value == name or name.endswith(_choice(value)) or _NUMBER.match(value) is not None


def _choice(value: str) -> str:
    """How a column's name ends that has a question's choice to itself."""
    return f" \N{EN DASH} {' '.join(value.split())}"


def _step(value: str) -> str:
    return value if value.lstrip("-").isdigit() else plain(value)


def _replaced(value: str, preset: Preset) -> str:
    if "{" in value:
        for mark, meant in preset.replaced.items():
            value = value.replace(mark, meant)
    return value
