"""Exports of surveys: one row an answer, one column a question, some of them with two or three rows of headings."""

import json
import re
from collections.abc import Mapping, Sequence

from intake.connectors.markup import text_of
from intake.connectors.presets import Head, Heading, Preset, Skip, plain

_ADDRESSES = ("ip_address", "ipaddress", "ipaddr", "locationlatitude", "locationlongitude", "locationaccuracy")
OPEN = " \u2013 Open-Ended Response"
OTHER = " \u2013 Other (please specify)"
TEXT = " \u2013 Text"
_CODES = re.compile(r"(A|AO|SQ|L)\d{1,4}\Z|-oth-\Z|[YN]\Z")
_NOT_FINISHED = "It was not finished by whoever answered, so it is no answer yet."


def _joined(cell: str) -> str:
    return " ".join(text_of(cell).split())


def _is_surveymonkey(head: Head) -> bool:
    if len(head) < 2:
        return False
    first, second = head[0], [cell.strip() for cell in head[1]]
    if plain(first[0]) in ("respondent_id", "respondentid"):
        return second[0] == "" and any(second)
    # An anonymous export begins with the first question.
    return bool({"Response", "Open-Ended Response"} & set(second)) and any(cell.strip() for cell in first)


def _surveymonkey(head: Head) -> Heading:
    """The first row holds a question over the first of its columns, the second what each column of it is."""
    columns, question = [], ""
    labels = [*(head[1] if len(head) > 1 else ()), *[""] * len(head[0])]
    for cell, label in zip(head[0], labels, strict=False):
        question = _joined(cell) or (question if label.strip() else "")
        said = _joined(label).removeprefix("- ")
        columns.append(question if said in ("", "Response") else f"{question} \u2013 {said}")
    return Heading(columns)


def _is_qualtrics(head: Head) -> bool:
    return len(head) > 2 and any(cell.lstrip().startswith('{"ImportId"') for cell in head[2])


def _qualtrics(head: Head) -> Heading:
    """Known by the ids in the third row, never by the second, which is in the language of whoever exported it."""
    told = [_import_id(cell) for cell in head[2]]
    ids = {number for number, _ in told}
    columns = []
    for place, short in enumerate(head[0]):
        number = told[place][0] if place < len(told) else ""
        question = " ".join(head[1][place].split()) if place < len(head[1]) else ""
        if not number.startswith("QID") or number.endswith("_NPS_GROUP") or " - " in short:
            columns.append(short)
        elif f"{number}_NPS_GROUP" in ids:
            columns.append(f"{question or short} (0-10)")
        elif number.endswith("_TEXT"):
            columns.append((question or short).removesuffix(" - Text") + TEXT)
        else:
            columns.append(question or short)
    return Heading(columns, next((zone for _, zone in told if zone), ""))


def _import_id(cell: str) -> tuple[str, str]:
    try:
        found = json.loads(cell)
    except ValueError:
        return "", ""
    if not isinstance(found, dict):
        return "", ""
    zone = str(found.get("timeZone") or "")
    return str(found.get("ImportId") or ""), "UTC" if zone == "Z" else zone


def _is_old_qualtrics(head: Head) -> bool:
    return len(head) > 1 and plain(head[0][0]) == "v1" and "responseid" in {plain(cell) for cell in head[1]}


def _second_row(head: Head) -> Heading:
    return Heading([" ".join((said or short).split()) for short, said in _pairs(head)])


def _answer(cells: Mapping[str, str]) -> str:
    parts = ("response_id", "question_id", "sub_question_key", "question_option_key", "loop_id")
    told = [cells.get(part, "").strip() for part in parts]
    return ":".join(told).rstrip(":") if told[0] else ""


def _is_limesurvey_vv(head: Head) -> bool:
    return len(head) > 1 and {"id", "submitdate", "startlanguage"} <= {plain(cell) for cell in head[1]}


def _limesurvey_vv(head: Head) -> Heading:
    """Codes stand in the second row; what was asked, in the first."""
    return Heading([code if plain(code) in _LIMESURVEY else said or code for said, code in _pairs(head)])


def _pairs(head: Head) -> list[tuple[str, str]]:
    second: Sequence[str] = [*head[1], *[""] * len(head[0])]
    return [(first.strip(), cell.strip()) for first, cell in zip(head[0], second, strict=False)]


def _is_google_forms(head: Head) -> bool:
    """A time and then questions; a table of feedback whose columns have names of their own begins like it."""
    from intake.connectors.columns import KNOWN_COLUMNS

    if not head or len(head[0]) < 2 or plain(head[0][0]) not in _GOOGLE_TIMES:
        return False
    names = {plain(cell) for cell in head[0][1:]}
    return not names & {*KNOWN_COLUMNS["text"], *KNOWN_COLUMNS["title"], *KNOWN_COLUMNS["external_id"]}


_GOOGLE_TIMES = ("timestamp", "zeitstempel", "horodateur", "marca_temporal", "carimbo_de_data_hora", "informazioni_cronologiche", "tijdstempel")  # fmt: skip
_LIMESURVEY = frozenset(
    ("id", "token", "submitdate", "lastpage", "startlanguage", "seed", "startdate", "datestamp", "ipaddr", "refurl")
)

_QUALTRICS_FIELDS = {
    "external_id": ("responseid", "response_id"),
    "submitted_at": ("recordeddate", "enddate"),
    "language": ("userlanguage",),
    "email": ("recipientemail", "emailaddress"),
    "customer_id": ("externalreference", "externaldatareference"),
    "first_name": ("recipientfirstname",),
    "last_name": ("recipientlastname",),
    "context": ("distributionchannel", "responseset", "name", "status", "progress", "duration_in_seconds", "finished", "startdate"),
}  # fmt: skip
_QUALTRICS_SKIPS = (
    Skip(
        ("status",),
        re.compile(r"(survey preview|survey test|umfragevorschau|1|2)\Z", re.IGNORECASE),
        "It is a preview of the survey, not a customer's answer.",
    ),
    Skip(("status",), re.compile(r"(spam|possible spam|8|9|12)\Z", re.IGNORECASE), "Qualtrics marked it as spam."),
    Skip(("finished",), re.compile(r"(false|falsch|faux|falso|0)\Z", re.IGNORECASE), _NOT_FINISHED),
)

PRESETS = (
    Preset(
        "qualtrics", "Qualtrics", matches=_is_qualtrics, header_rows=3, headed=_qualtrics,
        fields=_QUALTRICS_FIELDS, dropped=_ADDRESSES, skips=_QUALTRICS_SKIPS, blanks=frozenset({"-99"}),
        beside=("_NPS_GROUP", " - Sentiment", " - Topics", " - Parent Topics", " - Actionability", " - Effort"),
        asks_questions=True, open_ends=(TEXT,),
        notes="Three rows of headings. Previews, spam and unfinished answers are passed over; times are in the zone that the third row names.",
    ),
    Preset(
        "qualtrics_legacy", "Qualtrics, old format", matches=_is_old_qualtrics, header_rows=2, headed=_second_row,
        fields=_QUALTRICS_FIELDS, dropped=_ADDRESSES, skips=_QUALTRICS_SKIPS, blanks=frozenset({"-99"}),
        asks_questions=True, notes="Two rows of headings. Previews, spam and unfinished answers are passed over.",
    ),
    Preset(
        "qualtrics_answers", "Qualtrics, a row for each answer",
        signatures=(frozenset({"response_id", "question_id", "question_option_key"}),),
        fields={"title": ("question",), "text": ("text",), "thread": ("response_id",), "context": ("sub_question_text", "value", "question_id")},
        identify=_answer, blanks=frozenset({"-99"}),
        notes="An answer is known by its response and its question.",
    ),
    Preset(
        "limesurvey_vv", "LimeSurvey, VV file", matches=_is_limesurvey_vv, header_rows=2, headed=_limesurvey_vv,
        fields={"external_id": ("id",), "submitted_at": ("submitdate", "datestamp"), "language": ("startlanguage",),
                "context": ("token", "lastpage", "seed", "startdate", "refurl")},
        dropped=_ADDRESSES, asks_questions=True, codes=_CODES, is_unquoted=True,
        blanks=frozenset({"1980-01-01 00:00:00", "{question_not_shown}"}),
        replaced={"{newline}": "\n", "{cr}": "", "{tab}": "\t", "{quote}": '"', "{question_not_shown}": ""},
        skips=(Skip(("submitdate",), re.compile(r"\s*(\{question_not_shown\})?\Z"), _NOT_FINISHED),),
        notes="Two rows of headings, separated by tabs. Answers that were not sent off are passed over.",
    ),
    Preset(
        "limesurvey", "LimeSurvey",
        signatures=(frozenset({"id", "submitdate", "startlanguage"}), frozenset({"response_id", "date_submitted", "start_language"})),
        fields={"external_id": ("id", "response_id"), "submitted_at": ("submitdate", "date_submitted", "datestamp", "date_last_action"),
                "language": ("startlanguage", "start_language"),
                "context": ("token", "lastpage", "last_page", "seed", "startdate", "date_started", "refurl", "referrer_url")},
        dropped=_ADDRESSES, asks_questions=True, codes=_CODES, blanks=frozenset({"1980-01-01 00:00:00", "N/A"}),
        skips=(Skip(("submitdate", "date_submitted"), re.compile(r"\s*\Z"), _NOT_FINISHED),),
        notes="Answers that were not sent off are passed over. The year 1980 means that dates are switched off.",
    ),
    Preset(
        "typeform", "Typeform",
        signatures=(frozenset({"network_id", "submit_date_utc"}), frozenset({"network_id", "start_date_utc"})),
        fields={"external_id": ("#", "token", "response_id"), "submitted_at": ("submit_date_utc", "submitted_at"),
                "context": ("start_date_utc", "response_type", "tags")},
        dropped=("network_id",), zone="UTC", asks_questions=True,
        notes="One column a choice, so headings repeat; # is the number of the answer.",
    ),
    Preset(
        "surveymonkey", "SurveyMonkey", matches=_is_surveymonkey, header_rows=2, headed=_surveymonkey,
        fields={"external_id": ("respondent_id", "respondentid"), "submitted_at": ("end_date", "date_modified"),
                "email": ("email_address",), "first_name": ("first_name",), "last_name": ("last_name",),
                "context": ("collector_id", "start_date", "custom_data_1")},
        dropped=_ADDRESSES, day_first=False, asks_questions=True, open_ends=(OPEN, OTHER),
        notes="Two rows of headings. The answers to open questions are the text; times are those of the account.",
    ),
    Preset(
        "questionnaire", "Questionnaire of any kind", asks_questions=True,
        notes="Chosen by a person, for a file whose columns are questions: every answer in words is part of the text.",
    ),
    Preset(
        "google_forms", "Google Forms", matches=_is_google_forms,
        fields={"submitted_at": _GOOGLE_TIMES, "email": ("email_address", "e_mail_adresse", "username"), "context": ("score", "punktzahl")},
        asks_questions=True,
        notes="No number of its own: an answer is known again by its time and everything that was answered. Times are in the zone of the sheet.",
    ),
)  # fmt: skip
