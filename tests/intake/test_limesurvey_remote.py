"""LimeSurvey is walked forward by the numbers of its responses; who had not finished is looked at again, and refusals are said."""

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from intake.connectors.base import Answer, Unreadable
from intake.connectors.limesurvey_remote import WINDOW
from tests.intake.scripted import AT, Source, ids, kind, raws, walk

SETTINGS = {"address": "https://surveys.example.org/", "survey_id": "7", "user": "kim"}
QUESTIONS = [
    {"qid": "1", "parent_qid": "0", "title": "NPS", "question": "<b>Would you</b> recommend us?", "type": "L"},
    {"qid": "2", "parent_qid": "0", "title": "WHY", "question": "Why?", "type": "T"},
    {"qid": "3", "parent_qid": "0", "title": "SAT", "question": "How was", "type": "A"},
    {"qid": "4", "parent_qid": "3", "title": "SQ001", "question": "the delivery", "type": "T"},
]


def response(number: int, *, sent: str = "2026-05-09 10:00:00", **answers: str) -> dict[str, str]:
    return {"id": str(number), "submitdate": sent, "datestamp": sent, "startlanguage": "en", **answers}


@dataclass
class LimeSurvey:
    """A server with these responses, which counts what it is asked."""

    rows: Sequence[Mapping[str, Any]]
    refuses: Mapping[str, Any] = field(default_factory=dict)
    calls: list[tuple[str, list[Any]]] = field(default_factory=list)

    @property
    def source(self) -> Source:
        found = Source(lambda path, query: self.told(json.loads(found.asked[-1].body)))
        return found

    def told(self, call: Mapping[str, Any]) -> Any:
        method, params = call["method"], call["params"]
        self.calls.append((method, params))
        return {"id": call["id"], "error": None, "result": self.refuses.get(method) or getattr(self, method)(*params)}

    def get_session_key(self, user: str, password: str) -> Any:
        return "k3y" if (user, password) == ("kim", "s3cret") else {"status": "Invalid user name or password"}

    def list_questions(self, session: str, survey: int) -> Any:
        return QUESTIONS

    def export_responses(self, session: str, survey: int, *wishes: Any) -> Any:
        first, last = wishes[-2:]
        rows = [row for row in self.rows if first <= int(row["id"]) <= (last or 10**9)]
        return base64.b64encode(json.dumps({"responses": rows}).encode()).decode()

    def release_session_key(self, session: str) -> Any:
        return "OK"

    @property
    def windows(self) -> list[tuple[Any, Any]]:
        return [(params[-2], params[-1]) for method, params in self.calls if method == "export_responses"]


def visit(server: LimeSurvey, cursor: Mapping[str, Any] | None = None, **more: Any) -> tuple[Any, dict[str, Any]]:
    more = {"secrets": {"password": "s3cret"}, **SETTINGS, **more}
    return walk("limesurvey_remote", server.source, cursor, **more)


def test_it_is_walked_forward_and_nothing_comes_twice() -> None:
    server = LimeSurvey([response(1), response(2), response(2 + WINDOW)])

    found, cursor = visit(server)
    again, after = visit(LimeSurvey(server.rows), cursor)
    more, _ = visit(LimeSurvey([*server.rows, response(3 + WINDOW)]), after)

    assert ids(found) == ["7:1", "7:2", f"7:{2 + WINDOW}"]
    assert (again, after) == ([], cursor)
    assert ids(more) == [f"7:{3 + WINDOW}"]
    assert [method for method, _ in server.calls[:2]] == ["get_session_key", "list_questions"]
    assert server.calls[-1] == ("release_session_key", ["k3y"])


def test_a_gap_longer_than_a_window_is_crossed() -> None:
    found, _ = visit(LimeSurvey([response(1), response(5 * WINDOW)]))

    assert ids(found) == ["7:1", f"7:{5 * WINDOW}"]


def test_who_had_not_finished_is_found_when_they_have() -> None:
    begun = response(2, sent="")
    found, cursor = visit(LimeSurvey([response(1), begun, response(3)]))
    assert ids(found) == ["7:1", "7:3"]

    still, cursor = visit(LimeSurvey([response(1), begun, response(3)]), cursor, at=AT + timedelta(days=1))
    assert still == []

    done, cursor = visit(LimeSurvey([response(1), response(2), response(3)]), cursor, at=AT + timedelta(days=2))
    assert ids(done) == ["7:2"]

    server = LimeSurvey([response(1), response(2), response(3)])
    visit(server, cursor, at=AT + timedelta(days=3))
    assert {first for first, _ in server.windows} == {4}, "nobody is waited for any more"


def test_who_never_finishes_is_not_waited_for_for_ever() -> None:
    _, cursor = visit(LimeSurvey([response(1, sent="")]))
    server = LimeSurvey([response(1)])

    found, _ = visit(server, cursor, at=AT + timedelta(days=15))

    assert found == []
    assert {first for first, _ in server.windows} == {2}


def test_a_walk_cut_short_goes_on_where_it_stopped() -> None:
    server = LimeSurvey([response(number) for number in (1, 1 + WINDOW, 1 + 2 * WINDOW)])
    pages = kind("limesurvey_remote").pages(
        {}, ask=server.source, settings=SETTINGS, secrets={"password": "s3cret"}, at=AT
    )
    first = next(pages)

    found, _ = visit(server, json.loads(json.dumps(first.cursor)))

    assert ids(list(first.raws)) == ["7:1"]
    assert ids(found) == [f"7:{1 + WINDOW}", f"7:{1 + 2 * WINDOW}"]


def test_a_response_is_read_by_what_was_asked_and_by_the_server_s_clock() -> None:
    asked = {"NPS": "9", "WHY": "It never leaks.", "SAT[SQ001]": "4"}
    (raw,), _ = visit(LimeSurvey([response(1, **asked)]), time_zone="Europe/Berlin")

    draft = kind("limesurvey_remote").parse(raw, settings={**SETTINGS, "time_zone": "Europe/Berlin"})

    assert draft.rating is not None
    assert (draft.text, draft.rating.scale, int(draft.rating.value)) == ("It never leaks.", "nps", 9)
    assert draft.context["How was: the delivery"] == "4"
    assert draft.submitted_at == raw.updated_at == datetime(2026, 5, 9, 8, tzinfo=UTC)


def test_an_export_that_somebody_saved_holds_unfinished_ones_too() -> None:
    found = raws("limesurvey_remote", {"responses": [response(1), {"2": response(2, sent="")}]})

    assert ids(found) == ["1", "2"]


def test_a_survey_without_responses_is_at_its_end() -> None:
    nobody = {"status": "No Data, could not get max id."}

    assert visit(LimeSurvey([], {"export_responses": nobody})) == ([], {})


@pytest.mark.parametrize(
    ("refuses", "settings", "says"),
    [
        ({}, {"secrets": {"password": "old"}}, "neither this user name nor this password"),
        ({"export_responses": {"status": "No permission"}}, {}, "No permission"),
        ({"export_responses": "not base64!"}, {}, "no responses"),
        ({}, {"address": "http://surveys.example.org"}, "https://surveys"),
        ({}, {"address": ""}, "where LimeSurvey is"),
        ({}, {"survey_id": "seven"}, "no survey id"),
    ],
)
def test_a_refusal_says_what_to_do(refuses: Mapping[str, Any], settings: Mapping[str, Any], says: str) -> None:
    with pytest.raises(Unreadable, match=says) as refused:
        visit(LimeSurvey([response(1)], refuses), **settings)

    assert str(refused.value).endswith(".")


@pytest.mark.parametrize("said", [Answer(200, {}, b""), Answer(200, {}, b"<html>"), Answer(404, {}, b"{}")])
def test_where_remote_control_is_switched_off_that_is_said(said: Answer) -> None:
    with pytest.raises(Unreadable, match="switch JSON-RPC on"):
        walk("limesurvey_remote", Source(lambda path, query: said), secrets={"password": "x"}, **SETTINGS)


@pytest.mark.parametrize(
    ("written", "asked"),
    [
        ("https://a.example/", "https://a.example/index.php/admin/remotecontrol"),
        ("https://a.example/lime/index.php/admin/remotecontrol", "https://a.example/lime/index.php/admin/remotecontrol"),
    ],
)  # fmt: skip
def test_the_address_is_that_of_remote_control(written: str, asked: str) -> None:
    source = LimeSurvey([]).source
    walk("limesurvey_remote", source, secrets={"password": "s3cret"}, **{**SETTINGS, "address": written})

    assert {request.url for request in source.asked} == {asked}
