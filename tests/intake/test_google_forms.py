"""Google Forms is walked page by page from the last answer on, with the questions of the form beside each response."""

import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from intake.connectors.base import Answer, Unreadable
from tests.intake.scripted import AT, Source, ids, kind, raws, walk

KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
ACCOUNT = {
    "client_email": "reader@garden.example",
    "private_key": KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode(),
}
SECRETS = {"service_account": json.dumps(ACCOUNT)}
FORM = {
    "formId": "f",
    "items": [
        {"title": "Why?", "questionItem": {"question": {"questionId": "z", "textQuestion": {}}}},
        {
            "title": "How was",
            "questionGroupItem": {"questions": [{"questionId": "a", "rowQuestion": {"title": "the lid"}}]},
        },
        {"title": "A heading", "textItem": {}},
    ],
}


def response(name: str, minute: int) -> dict[str, Any]:
    given = {
        "a": {"textAnswers": {"answers": [{"value": "Fine"}]}},
        "z": {"textAnswers": {"answers": [{"value": "It fits"}]}},
    }
    return {"responseId": name, "lastSubmittedTime": f"2026-05-09T10:{minute:02}:00Z", "answers": given}


def google(pages: Mapping[str, Any]) -> Source:
    def answer(path: str, query: dict[str, str]) -> Any:
        if path == "/token":
            return {"access_token": "t0ken"}
        return pages[query.get("pageToken", "")] if path.endswith("/responses") else FORM

    return Source(answer)


PAGES = {
    "": {"responses": [response("r2", 20)], "nextPageToken": "p2"},
    "p2": {"responses": [response("r1", 10)]},
}


def test_it_is_walked_to_the_end_and_then_from_the_newest_on() -> None:
    source = google(PAGES)

    found, cursor = walk("google_forms", source, secrets=SECRETS, form_id="f/1")
    _, after = walk("google_forms", later := google({"": {}}), cursor, secrets=SECRETS, form_id="f/1")

    assert ids(found) == ["r2", "r1"]
    assert cursor == after == {"known": "2026-05-09T10:20:00Z"}
    assert source.paths == ["/token", "/v1/forms/f%2F1", *["/v1/forms/f%2F1/responses"] * 2]
    assert later.query(2)["filter"] == "timestamp >= 2026-05-09T10:20:00Z"
    assert {request.headers["Authorization"] for request in source.asked[1:]} == {"Bearer t0ken"}


@pytest.mark.parametrize(("pause", "names"), [(timedelta(minutes=5), ["r1"]), (timedelta(hours=2), ["r2", "r1"])])
def test_a_walk_cut_short_goes_on_while_google_knows_where(pause: timedelta, names: list[str]) -> None:
    asked = {"ask": google(PAGES), "settings": {"form_id": "f"}, "secrets": SECRETS}
    first = next(kind("google_forms").pages({}, **asked, at=AT))  # type: ignore[arg-type]
    assert first.cursor["known"] == ""

    found, cursor = walk("google_forms", google(PAGES), first.cursor, at=AT + pause, secrets=SECRETS, form_id="f")

    assert ids(found) == names
    assert cursor == {"known": "2026-05-09T10:20:00Z"}


def test_answers_stand_under_their_questions_in_the_order_of_the_form() -> None:
    for (raw,) in (
        raws("google_forms", [FORM, {"responses": [response("r", 1)]}]),
        raws("google_forms", [FORM, response("r", 1)]),
    ):
        draft = kind("google_forms").parse(raw, settings={})

        assert draft.text == "It fits"
        assert draft.context == {"How was: the lid": "Fine"}


def test_a_form_nobody_shared_is_said_to_be_so() -> None:
    source = Source(lambda path, query: {"access_token": "t"} if path == "/token" else Answer(404, {}, b"{}"))

    with pytest.raises(Unreadable, match="share the form with the service account"):
        walk("google_forms", source, secrets=SECRETS, form_id="f")


def test_a_channel_that_names_no_form_says_so() -> None:
    with pytest.raises(Unreadable, match="which form to read"):
        walk("google_forms", google(PAGES), secrets=SECRETS)
