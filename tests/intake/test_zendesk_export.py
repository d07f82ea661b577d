"""Zendesk is asked by its cursor: every page once, the place kept with each, and a forgotten place costs nothing."""

import base64
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from intake.connectors.base import Answer, Page, Request, Unreadable
from intake.connectors.documents import packed
from intake.connectors.zendesk import Zendesk

AT = datetime(2026, 4, 7, 9, 30, tzinfo=UTC)
SETTINGS = {"subdomain": "lumen", "email": "sam@lumen.example"}
SECRETS = {"api_token": "t0ken"}


def ticket(number: int) -> dict[str, Any]:
    return {"id": number, "description": f"Ticket {number}", "requester_id": 5, "updated_at": "2026-04-06T00:00:00Z"}


class Script:
    """Answers in their order, and what was asked."""

    def __init__(self, *answers: Answer) -> None:
        self.answers = list(answers)
        self.asked: list[Request] = []

    def __call__(self, request: Request) -> Answer:
        self.asked.append(request)
        return self.answers.pop(0)

    def told(self) -> list[dict[str, str]]:
        return [{name: values[0] for name, values in parse_qs(urlsplit(one.url).query).items()} for one in self.asked]


def page(*numbers: int, after: str | None, is_end: bool = False) -> Answer:
    found = {"tickets": [ticket(number) for number in numbers], "after_cursor": after, "end_of_stream": is_end}
    return Answer(200, {}, packed(found))


NOT_FOUND = Answer(404, {}, b"{}")


def ask(
    script: Script,
    *,
    cursor: Mapping[str, Any] | None = None,
    settings: Mapping[str, Any] = SETTINGS,
    secrets: Mapping[str, str] = SECRETS,
    at: datetime = AT,
) -> list[Page]:
    return list(Zendesk().pages(cursor or {}, ask=script, settings=settings, secrets=secrets, at=at))


def ids(pages: list[Page]) -> list[list[str]]:
    return [[raw.external_id for raw in each.raws] for each in pages]


def test_the_first_time_it_starts_by_time_and_goes_on_by_cursor_to_the_end() -> None:
    script = Script(page(1, 2, after="c1"), page(3, after="c2"), page(4, after="c3", is_end=True))
    pages = ask(script)
    assert ids(pages) == [["1", "2"], ["3"], ["4"]]
    started = int((AT - timedelta(days=30, minutes=1)).timestamp())
    assert [each.get("start_time", each.get("cursor")) for each in script.told()] == [str(started), "c1", "c2"]
    assert [each.cursor["cursor"] for each in pages] == ["c1", "c2", "c3"]
    assert script.told()[0]["include"] == "users,organizations"
    assert urlsplit(script.asked[0].url).netloc == "lumen.zendesk.com"
    proof = base64.b64encode(b"sam@lumen.example/token:t0ken").decode()
    assert script.asked[0].headers == {"authorization": f"Basic {proof}"}


def test_the_next_time_it_goes_on_where_it_stood() -> None:
    (last,) = ask(Script(page(1, after="c1", is_end=True)))
    script = Script(page(after="c1", is_end=True))
    (empty,) = ask(script, cursor=last.cursor, at=AT + timedelta(hours=1))
    assert script.told()[0]["cursor"] == "c1"
    assert (list(empty.raws), empty.cursor["cursor"]) == ([], "c1")


def test_a_day_may_be_named_to_start_from() -> None:
    script = Script(page(1, after="c1", is_end=True))
    ask(script, settings={**SETTINGS, "since": "2026-01-31"})
    assert script.told()[0]["start_time"] == str(int(datetime(2026, 1, 30, 23, 59, tzinfo=UTC).timestamp()))


def test_a_forgotten_cursor_goes_on_from_the_last_end_with_a_minute_twice() -> None:
    (last,) = ask(Script(page(1, after="c1", is_end=True)))
    script = Script(NOT_FOUND, page(1, 2, after="c9", is_end=True))
    pages = ask(script, cursor=last.cursor, at=AT + timedelta(days=40))
    assert script.told()[1]["start_time"] == str(int((AT - timedelta(minutes=1)).timestamp()))
    assert ids(pages) == [["1", "2"]]


def test_a_run_that_ended_in_the_middle_does_not_pass_for_an_end() -> None:
    first, _ = ask(Script(page(1, after="c1"), page(2, after="c2", is_end=True)))
    script = Script(NOT_FOUND, page(1, 2, after="c9", is_end=True))
    ask(script, cursor=first.cursor, at=AT + timedelta(hours=1))
    assert script.told()[1]["start_time"] == str(int((AT - timedelta(days=30, minutes=1)).timestamp()))


def test_a_source_that_repeats_its_cursor_is_not_asked_for_ever() -> None:
    script = Script(page(1, after="c1"), page(1, after="c1"), page(1, after="c1"))
    assert ids(ask(script)) == [["1"], ["1"]]


def test_a_channel_without_a_token_lives_on_what_it_is_told() -> None:
    assert ask(Script(), settings={}, secrets={"signing_secret": "s"}) == []


@pytest.mark.parametrize(
    ("settings", "secrets", "answer", "reason"),
    [
        ({**SETTINGS, "subdomain": ""}, SECRETS, page(after=None), "subdomain"),
        ({**SETTINGS, "subdomain": "evil.example/x"}, SECRETS, page(after=None), "subdomain"),
        ({**SETTINGS, "email": ""}, SECRETS, page(after=None), "whose API token"),
        ({**SETTINGS, "since": "some day"}, SECRETS, page(after=None), "cannot start"),
        (SETTINGS, SECRETS, NOT_FOUND, "no such account"),
        (SETTINGS, SECRETS, Answer(200, {}, b"<html>"), "not JSON"),
    ],
)
def test_what_keeps_it_from_asking_is_told(
    settings: Mapping[str, Any], secrets: Mapping[str, str], answer: Answer, reason: str
) -> None:
    with pytest.raises(Unreadable, match=reason) as refused:
        ask(Script(answer), settings=settings, secrets=secrets)
    assert str(refused.value).endswith(".")
