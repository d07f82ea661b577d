"""Whole exports that are known by their header: what their columns hold, which rows are no answers, what is odd about them.

A preset is a line of a table below this package; `known()` is all of them, `of()` the one a file's first rows belong to.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, lru_cache

# How many of a file's first rows can be headers.
MOST_HEADER_ROWS = 3
Head = Sequence[Sequence[str]]


@dataclass(frozen=True)
class Skip:
    """Rows that are no feedback: the cell of the first of these columns fits the pattern. No columns: the row's first cell,
    when all others are empty, which is what the foot of a report looks like."""

    columns: tuple[str, ...]
    pattern: re.Pattern[str]
    reason: str


@dataclass(frozen=True)
class Heading:
    """The columns of one file, each named, and the zone its times are in where the header tells it."""

    columns: list[str]
    zone: str = ""


@dataclass(frozen=True, eq=False)  # there is one of each, so it is itself alone
class Preset:
    """One kind of export. Names of columns are written as `plain` writes them."""

    slug: str
    name: str
    # Columns that must all be there; one of the sets is enough.
    signatures: tuple[frozenset[str], ...] = ()
    # None of which may be there.
    unless: frozenset[str] = frozenset()
    # Where names alone do not tell it; gets the first rows as they stand.
    matches: Callable[[Head], bool] | None = None
    header_rows: int = 1
    # How its columns are called, where the header takes more than one row.
    headed: Callable[[Head], Heading] | None = None
    # Field: columns that hold it, the first that says something counts.
    fields: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    # Worked out by the vendor, or nobody's business: left beside the answer, and left out of the item altogether.
    beside: tuple[str, ...] = ()
    dropped: tuple[str, ...] = ()
    skips: tuple[Skip, ...] = ()
    scale: str = ""
    # What words the vendor has for steps of the scale; an empty one is no answer.
    steps: Mapping[str, str] = field(default_factory=dict)
    zone: str = ""
    day_first: bool | None = None
    # What stands in cells that were not filled.
    blanks: frozenset[str] = frozenset()
    replaced: Mapping[str, str] = field(default_factory=dict)
    # Its other columns are questions: those that end so are open ones, and their answers are the text.
    asks_questions: bool = False
    open_ends: tuple[str, ...] = ()
    # How it writes choices that only the survey itself could explain: they are no words of anybody.
    codes: re.Pattern[str] | None = None
    is_html: bool = False
    # A quote means nothing in it.
    is_unquoted: bool = False
    # The source's own id, out of a row's cells by plain name; "" where the row has none.
    identify: Callable[[Mapping[str, str]], str] | None = None
    # Why such a file is not taken here.
    refusal: str = ""
    notes: str = ""

    def field_of(self, column: str) -> str:
        return self._fields_by_name.get(plain(column), ("", 0))[0] or ("context" if self._is_beside(column) else "")

    def rank_of(self, column: str, field: str) -> int:
        held, rank = self._fields_by_name.get(plain(column), ("", 0))
        return rank if held == field else 0

    def is_open(self, column: str) -> bool:
        return column.endswith(self.open_ends) if self.open_ends else False

    def question(self, column: str) -> str:
        """What was asked, without what the export says about the kind of answer."""
        end = next((end for end in self.open_ends if column.endswith(end)), "")
        return column[: len(column) - len(end)] if end else column

    def _is_beside(self, column: str) -> bool:
        return any(column.endswith(end) for end in self.beside)

    @property
    def _fields_by_name(self) -> Mapping[str, tuple[str, int]]:
        return _by_name(self.slug)


GENERIC = Preset("table", "A table of any kind", notes="What its columns hold is told by how they are called.")


@lru_cache(maxsize=8192)
def plain(column: str) -> str:
    """A column's name without case and punctuation, unless it is nothing else."""
    return re.sub(r"[\W_]+", "_", column.casefold()).strip("_") or column.strip()


@cache
def known() -> Mapping[str, Preset]:
    """Every preset by slug; those that are told by more come first."""
    from intake.connectors.presets import elsewhere, reviews, support, surveys

    listed = (*elsewhere.PRESETS, *surveys.PRESETS, *reviews.PRESETS, *support.PRESETS)
    return {preset.slug: preset for preset in (*listed, GENERIC)}


def named(slug: str) -> Preset:
    return known().get(slug, GENERIC)


def of(head: Head) -> Preset:
    """The preset that the first rows of a file belong to."""
    names = frozenset(plain(cell) for cell in head[0]) if head else frozenset()
    for preset in known().values():
        if preset.unless & names:
            continue
        if any(signature <= names for signature in preset.signatures):
            return preset
        if preset.matches is not None and preset.matches(head):
            return preset
    return GENERIC


@cache
def _by_name(slug: str) -> Mapping[str, tuple[str, int]]:
    preset = named(slug)
    held = {name: (field, rank) for field, names in preset.fields.items() for rank, name in enumerate(names)}
    return {**dict.fromkeys(preset.dropped, ("ignore", 0)), **held}
