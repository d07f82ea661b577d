"""What the columns of a table hold: told by a person, by the preset of an export, or by how they are called."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from feedback_portal.marking import marked
from intake.connectors.base import Unreadable
from intake.connectors.presets import Preset, plain

# Everything a column can hold, in the words of the page that asks for it.
FIELDS: Mapping[str, str] = {
    "text": marked("What was said"),
    "title": marked("Title or subject"),
    "rating": marked("Rating"),
    "scale": marked("Scale of the rating, such as nps or stars5"),
    "external_id": marked("Its number at the source, by which it is known again"),
    "submitted_at": marked("When it was said"),
    "updated_at": marked("When it was last changed at the source"),
    "customer_id": marked("Customer number"),
    "email": marked("E-mail address of the customer"),
    "name": marked("Name of the customer"),
    "first_name": marked("First name of the customer"),
    "last_name": marked("Last name of the customer"),
    "account": marked("Company of the customer"),
    "may_contact": marked("Whether they agreed to be written to"),
    "author": marked("Public name of whoever wrote it"),
    "product": marked("Product"),
    "product_version": marked("Version of the product"),
    "language": marked("Language"),
    "url": marked("Link to it"),
    "thread": marked("Conversation it belongs to"),
    "reply_to": marked("What it answers"),
    "context": marked("A detail, kept beside it"),
    "ignore": marked("Nothing that is needed"),
}

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

# How a question asks for a rating, and the scale it means; "" leaves the scale to the channel.
_QUESTIONS_FOR_RATINGS = (
    (
        re.compile(
            r"how likely.*\brecommend|wahrscheinlich.*empfehl|probabl\w+.*(?:recommand|recomend|raccomand)|\bnps\b",
            re.IGNORECASE | re.DOTALL,
        ),
        "nps",
    ),
    (re.compile(r"\bhow satisfied|satisfaction\b|zufrieden|satisfait|satisfech|soddisfatt", re.IGNORECASE), ""),
)
_SCALES_BY_NAME = {
    "nps": "nps",
    "nps_score": "nps",
    "stars": "stars5",
    "star_rating": "stars5",
    "ces": "ces7",
    "ces_score": "ces7",
}
_SCALES_BY_ENDS = {(0, 10): "nps", (1, 7): "csat7", (1, 5): "csat5", (0, 1): "thumbs"}
_STEP = re.compile(r"(.+) \u2013 (\d{1,2})\Z", re.DOTALL)
_ENDS = re.compile(r"\(?\b(\d{1,2})\s*(?:-|\u2013|\.\.|to)\s*(\d{1,2})\b\)?")


@dataclass(frozen=True)
class Plan:
    """What each column holds, worked out once for all the rows that have the same columns."""

    # In the order of preference: the first that says something counts, of texts all do.
    columns: Mapping[str, tuple[str, ...]]
    context: tuple[str, ...]
    # The scale that the rating's column speaks of.
    scale: str
    # The rating was told by the wording of a question: what is no number there is an answer in words, and no mistake.
    is_rating_guessed: bool

    @property
    def by_column(self) -> dict[str, str]:
        return {column: field for field, columns in self.columns.items() for column in columns}

    @property
    def is_feedback(self) -> bool:
        return any(self.columns.get(field) for field in ("text", "title", "rating"))


def told(settings: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """What a person said the columns hold; `Unreadable` where that cannot be."""
    given = settings.get("columns")
    if not given:
        return ()
    if not isinstance(given, Mapping):
        raise Unreadable(
            'Write "columns" in the settings of the channel as in {"columns": {"What happened?": "text"}}.'
        )
    unknown = [str(field) for field in given.values() if field not in FIELDS]
    if unknown:
        known = ", ".join(FIELDS)
        raise Unreadable(
            f'There is no field "{unknown[0][:60]}" for a column to hold. Correct the settings of the channel: {known}.'
        )
    return tuple(sorted((str(column), str(field)) for column, field in given.items()))


def says_feedback(columns: Iterable[str], mapping: Iterable[tuple[str, str]]) -> bool:
    """Whether a person said which of the columns holds the words, and so knows better than any preset that it is feedback."""
    here = set(columns)
    return any(column in here and field in ("text", "title", "rating") for column, field in mapping)


@lru_cache(maxsize=256)
def plan_of(columns: tuple[str, ...], mapping: tuple[tuple[str, str], ...], preset: Preset) -> Plan:
    """What a person said stands; then what the preset knows; the rest is known by name, one column a field."""
    said = dict(mapping)
    plan = {column: said[column] for column in columns if column in said}
    taken = set(plan.values())
    _by_preset(columns, plan, taken, preset)
    for field in KNOWN_COLUMNS.keys() - taken - set(plan.values()):
        ranked = [
            (rank, column) for column in columns if column not in plan and (rank := _rank(column, field)) is not None
        ]
        if ranked:
            plan[min(ranked)[1]] = field
    guessed_scale = _by_question(columns, plan, preset) if preset.asks_questions else None
    held: dict[str, list[str]] = {}
    for column, field in _in_order(columns, plan, preset):
        held.setdefault(field, []).append(column)
    rating = held.get("rating", [""])[0]
    scale = _scale_of(rating) or preset.scale or guessed_scale or ""
    context = [column for column in columns if plan.get(column, "context") == "context"]
    return Plan(
        {field: tuple(names) for field, names in held.items()}, tuple(context), scale, guessed_scale is not None
    )


def _by_preset(columns: Sequence[str], plan: dict[str, str], taken: set[str], preset: Preset) -> None:
    for column in columns:
        if column in plan:
            continue
        field = preset.field_of(column)
        if field and (field in ("context", "ignore") or field not in taken):
            plan[column] = field


def _by_question(columns: Sequence[str], plan: dict[str, str], preset: Preset) -> str | None:
    """Questions of a survey: the first that asks for a rating, and where none is known to be open, all are its text. The
    scale that the rating was told by, if it was."""
    questions = [column for column in columns if column not in plan]
    scale = None
    if "rating" not in plan.values():
        closed = [column for column in questions if not preset.is_open(column)]
        asked = [(column, "") for column in closed if _scale_by_ends(column)]
        for pattern, meant in _QUESTIONS_FOR_RATINGS:
            asked += [(column, meant) for column in closed if pattern.search(column)]
        if asked:
            found, scale = asked[0]
            plan[found] = "rating"
            questions.remove(found)
    if "rating" not in plan.values():
        steps, scale = _spread_out(questions)
        plan.update(dict.fromkeys(steps, "rating"))
        questions = [column for column in questions if column not in steps]
    if "text" not in plan.values():
        is_open = [column for column in questions if preset.is_open(column)]
        plan.update(dict.fromkeys(is_open or questions, "text"))
    return scale


def _spread_out(questions: Sequence[str]) -> tuple[list[str], str | None]:
    """The columns of a rating that takes one for each step, which is the one that is filled."""
    groups: dict[str, dict[int, str]] = {}
    for column in questions:
        step = _STEP.match(column)
        if step is not None:
            groups.setdefault(step[1], {})[int(step[2])] = column
    for steps in groups.values():
        low, high = min(steps), max(steps)
        if (low, high) in _SCALES_BY_ENDS and len(steps) == high - low + 1 > 2:
            return list(steps.values()), _SCALES_BY_ENDS[low, high]
    return [], None


def _in_order(columns: Sequence[str], plan: Mapping[str, str], preset: Preset) -> list[tuple[str, str]]:
    pairs = [(column, plan[column]) for column in columns if column in plan]
    return sorted(pairs, key=lambda pair: preset.rank_of(pair[0], pair[1]))


def _rank(column: str, field: str) -> int | None:
    name = plain(_ENDS.sub("", column))
    return KNOWN_COLUMNS[field].index(name) if name in KNOWN_COLUMNS[field] else None


def _scale_of(column: str) -> str:
    return _scale_by_ends(column) or ("" if _ENDS.search(column) else _SCALES_BY_NAME.get(plain(column), ""))


def _scale_by_ends(column: str) -> str:
    ends = _ENDS.search(column)
    return _SCALES_BY_ENDS.get((int(ends[1]), int(ends[2])), "") if ends else ""
