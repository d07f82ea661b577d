"""LimeSurvey: finished responses of one survey, asked of RemoteControl 2, or a page of it that somebody saved."""

import base64
import binascii
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from intake.connectors import connectors
from intake.connectors.answers import CONSENT, RATED, SCALE, Answers
from intake.connectors.base import (
    Ask,
    Draft,
    Ignored,
    Page,
    PullConnector,
    RawItem,
    Remark,
    Request,
    Setting,
    Unreadable,
)
from intake.connectors.documents import DocumentConnector, document, packed, text_at
from intake.connectors.documents import at as member
from intake.connectors.markup import text_of
from intake.connectors.moments import Unclear, moment_of
from intake.connectors.social import object_of, wanted

# Responses whose numbers lie so close are asked for at once; numbers may be missing.
WINDOW = 500
# Whoever began and did not finish is looked at again for so long.
_WAITS = timedelta(days=14)
_MOST_WAITING = 1000
_PATH = "/index.php/admin/remotecontrol"
# What LimeSurvey writes where it does not note the time.
_NO_TIME = "1980-01-01 00:00:00"
_BESIDE = frozenset(
    ["id", "submitdate", "lastpage", "startlanguage", "seed", "startdate", "datestamp", "ipaddr", "refurl", "token"]
)
_COLUMN = re.compile(r"([^\[\]]+)(?:\[(.+)\])?\Z", re.DOTALL)
_CODE = re.compile(r"(A|AO|SQ|L)\d{1,4}\Z|-oth-\Z|[YN]\Z")
_NUMBER = re.compile(r"-?\d{1,6}(\.\d{1,6})?\Z")
_EMAIL = re.compile(r"[^@\s,;<>\"]{1,64}@[^@\s,;<>\"]{1,190}\Z")
# Short, long and huge free text, and several short ones.
_WORDS = frozenset("STUQ")
_FIVE_POINTS = "5"
_SCALES = {"nps": "nps", "csat": "csat5", "ces": "ces7"}


@connectors.register
class LimeSurveyRemote(DocumentConnector, PullConnector):
    """Responses are numbered when they are begun, so those that were not finished yet are looked at again. What is changed
    after it was sent off is not."""

    slug = "limesurvey_remote"
    name = "LimeSurvey"
    every = timedelta(minutes=15)
    asks = (
        Setting(
            "address",
            "Address",
            help="As in https://surveys.example.org. An administrator switches JSON-RPC on under Global settings, Interfaces.",
            is_required=True,
        ),
        Setting("survey_id", "Survey id", help="The number in the survey's address.", is_required=True),
        Setting("user", "User name", help="Of a user who may export this survey's responses.", is_required=True),
        Setting("password", "Password", is_secret=True, is_required=True),
        Setting("time_zone", "Time zone", help="Of the server, as in Europe/Berlin. Without it its times are UTC."),
        RATED,
        SCALE,
        CONSENT,
    )

    def split_document(self, found: Any, *, settings: Mapping[str, Any]) -> Iterator[RawItem]:
        for response in _responses(found):
            yield _raw(response, {}, settings)

    def parse(self, raw: RawItem, *, settings: Mapping[str, Any]) -> Draft:
        found = object_of(raw)
        response, questions = member(found, "response", default=None), member(found, "questions", default={})
        if not isinstance(response, Mapping):
            raise Unreadable("It is no response of LimeSurvey. Send what export_responses gives as JSON.")
        if not _is_finished(response):
            raise Ignored("It was not finished by whoever answered, so it is no answer yet.")
        answers = Answers(settings)
        for column in response:
            if column not in _BESIDE:
                _take(answers, column, text_at(response, column).strip(), questions)
        answers.note("referrer", text_at(response, "refurl"))
        sent_at, remarks = _sent_at(response, settings)
        return answers.draft(submitted_at=sent_at, remarks=remarks, language=text_at(response, "startlanguage"))

    def pages(
        self,
        cursor: Mapping[str, Any],
        *,
        ask: Ask,
        settings: Mapping[str, Any],
        secrets: Mapping[str, str],
        at: datetime,
    ) -> Iterator[Page]:
        survey = _Survey(ask, settings, secrets)
        place, waiting = int(text_at(cursor, "next") or 1), _waiting(cursor, at)
        while rows := survey.responses(place, place + WINDOW - 1) or survey.responses(place, None):
            place = max(rows) + 1
            waiting |= {number: at for number, row in rows.items() if not _is_finished(row)}
            yield Page(survey.raws(rows), _cursor(place, waiting))
        begins = 0
        for number in sorted(waiting):
            # Those begun in this very visit are not asked for twice.
            if number < begins or waiting[number] == at:
                continue
            begins = number + WINDOW
            stand = survey.responses(number, begins - 1)
            finished = {each: row for each, row in stand.items() if each in waiting and _is_finished(row)}
            if finished:
                waiting = {each: since for each, since in waiting.items() if each not in finished}
                yield Page(survey.raws(finished), _cursor(place, waiting))
        survey.leave()


class _Survey:
    """One visit to a survey: a session, what it asks, and its responses by their numbers."""

    def __init__(self, ask: Ask, settings: Mapping[str, Any], secrets: Mapping[str, str]) -> None:
        self._ask, self._settings = ask, settings
        self._address = _address(wanted(settings, "address", "where LimeSurvey is"))
        self._survey = int(_number(wanted(settings, "survey_id", "which survey to read")))
        user = wanted(settings, "user", "who asks")
        opened = self._told("get_session_key", user, secrets.get("password", ""))
        if not isinstance(opened, str):
            raise Unreadable(
                "LimeSurvey accepts neither this user name nor this password. Correct them on the channel's page."
            )
        self._session = opened
        self._questions = _questions(self._told("list_questions", opened, self._survey))

    def responses(self, first: int, last: int | None) -> dict[int, Mapping[str, Any]]:
        """Those of these numbers, begun and finished alike."""
        wishes = ("json", None, "all", "code", "long", first, last)
        told = self._told("export_responses", self._session, self._survey, *wishes)
        if isinstance(told, Mapping):
            status = text_at(told, "status")
            if status.startswith("No Data"):
                return {}
            raise Unreadable(
                f'LimeSurvey refuses to export the responses: "{status[:200]}". Give the user that right, or correct the'
                " survey id on the channel's page."
            )
        rows = _responses({"result": told})
        return {int(number): row for row in rows if (number := text_at(row, "id")).isdecimal() and len(number) < 12}

    def raws(self, rows: Mapping[int, Mapping[str, Any]]) -> Sequence[RawItem]:
        return [_raw(row, self._questions, self._settings) for row in rows.values() if _is_finished(row)]

    def leave(self) -> None:
        self._told("release_session_key", self._session)

    def _told(self, method: str, *wishes: Any) -> Any:
        body = json.dumps({"method": method, "params": wishes, "id": 1}).encode()
        answer = self._ask(Request(self._address, "POST", {"content-type": "application/json"}, body))
        # Where RemoteControl is switched off, nothing or a page for people comes.
        if answer.status != 200 or not answer.body.lstrip().startswith(b"{"):
            raise Unreadable(
                "LimeSurvey does not answer at this address. Correct it on the channel's page, or have an administrator"
                " switch JSON-RPC on under Global settings, Interfaces."
            )
        return member(document(answer.body), "result", default=None)


def _responses(found: Any) -> list[Mapping[str, Any]]:
    """Out of an answer of RemoteControl, or of the export inside of it."""
    packed_up = member(found, "result", default=None)
    if isinstance(packed_up, str):
        try:
            found = document(base64.b64decode(packed_up, validate=True))
        except (binascii.Error, ValueError):
            found = None
    if not isinstance(found, Mapping) or not isinstance(found.get("responses"), list):
        raise Unreadable("It holds no responses of LimeSurvey. Send what export_responses gives as JSON.")
    rows = []
    for each in found["responses"]:
        # Older versions put each under its number.
        inside = list(each.values()) if isinstance(each, Mapping) and "id" not in each else [each]
        rows += [row for row in inside if isinstance(row, Mapping)]
    return rows


def _raw(response: Mapping[str, Any], questions: Mapping[str, Any], settings: Mapping[str, Any]) -> RawItem:
    """With the questions it answers, so that it can be read by itself."""
    number, survey = text_at(response, "id"), str(settings.get("survey_id") or "").strip()
    if not number:
        raise Unreadable("One of its responses has no id. Send what export_responses gives as JSON.")
    codes = {column.partition("[")[0] for column in response} | set(response)
    asked = {name: question for name, question in questions.items() if name in codes}
    try:
        changed = moment_of(_time(response, "datestamp", "submitdate"), zone=_zone(settings))
    except Unclear:
        changed = None
    held = packed({"response": response, "questions": asked})
    return RawItem(f"{survey}:{number}".lstrip(":"), held, updated_at=changed)


def _questions(listed: Any) -> dict[str, dict[str, str]]:
    """What each column was asked, by its code; a part of a question by "CODE[PART]"."""
    told = listed if isinstance(listed, list) else []
    codes = {text_at(each, "qid"): text_at(each, "title") for each in told}
    found = {}
    for each in told:
        parent, code = codes.get(text_at(each, "parent_qid"), ""), text_at(each, "title")
        asked = {"text": text_of(text_at(each, "question")), "type": text_at(each, "type")}
        found[f"{parent}[{code}]" if parent else code] = asked
    return found


def _take(answers: Answers, column: str, value: str, questions: Any) -> None:
    parts = _COLUMN.match(column)
    if parts is None or value in ("", "N/A"):
        return
    code, part = parts[1], parts[2] or ""
    kind = text_at(questions, code, "type")
    told = [text_at(questions, code, "text") or code, text_at(questions, column, "text") if part else ""]
    asked = ": ".join(each for each in told if each)
    if _EMAIL.match(value):
        answers.carry("email", value)
    elif kind in _WORDS or part.endswith(("other", "comment")):
        answers.say(asked, value)
    elif _NUMBER.match(value):
        scale = "csat5" if kind == _FIVE_POINTS else _SCALES.get(code.casefold(), "")
        answers.rate(asked, value, names=(code, column), scale=scale)
    elif kind or _CODE.match(value):
        answers.choose(asked, value)
    else:
        answers.say(asked, value)


def _is_finished(response: Mapping[str, Any]) -> bool:
    return bool(text_at(response, "submitdate").strip())


def _sent_at(response: Mapping[str, Any], settings: Mapping[str, Any]) -> tuple[datetime | None, tuple[Remark, ...]]:
    written = _time(response, "submitdate", "datestamp")
    try:
        return (moment_of(written, zone=_zone(settings)) if written else None), ()
    except Unclear as reason:
        return None, (Remark("submitdate", str(reason)),)


def _time(response: Mapping[str, Any], *names: str) -> str:
    times = (text_at(response, name).strip() for name in names)
    return next((time for time in times if time not in ("", _NO_TIME)), "")


def _zone(settings: Mapping[str, Any]) -> str:
    return str(settings.get("time_zone") or "UTC").strip()


def _waiting(cursor: Mapping[str, Any], at: datetime) -> dict[int, datetime]:
    """Since when each response is waited for that was not finished."""
    told = member(cursor, "waiting", default={})
    since = {int(number): datetime.fromisoformat(moment) for number, moment in told.items()}
    return {number: moment for number, moment in since.items() if at - moment < _WAITS}


def _cursor(place: int, waiting: Mapping[int, datetime]) -> dict[str, Any]:
    latest = sorted(waiting)[-_MOST_WAITING:]
    return {"next": place, "waiting": {str(number): waiting[number].isoformat() for number in latest}}


def _address(written: str) -> str:
    address = written.rstrip("/")
    # Whoever reads along on the way would have the password.
    if not address.startswith("https://") or any(sign in address for sign in "?#@ "):
        raise Unreadable(f'"{address[:100]}" is no address of LimeSurvey. Write it as https://surveys.example.org.')
    return address if address.endswith("/remotecontrol") else address + _PATH


def _number(written: str) -> str:
    if not written.isdecimal() or len(written) > 12:
        raise Unreadable(f'"{written[:40]}" is no survey id. Write the number in the survey\'s address.')
    return written
