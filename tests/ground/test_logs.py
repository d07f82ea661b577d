"""A log line is one line, carries its request, and tells no secret."""

import json
import logging
import logging.config
from io import StringIO

import pytest
import structlog
from django.test import Client, override_settings
from django.urls import path

from feedback_portal import logs

pytestmark = pytest.mark.django_db


def broken(request: object, token: str) -> None:
    raise RuntimeError("nobody foresaw this")


urlpatterns = [path("t/<str:token>/", broken)]


@pytest.fixture
def lines() -> StringIO:
    said = StringIO()
    configuration = logs.configuration("json", "INFO")
    configuration["handlers"]["stderr"]["stream"] = said
    logging.config.dictConfig(configuration)
    return said


def told(said: StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in said.getvalue().splitlines()]


def test_a_request_is_one_line_with_its_route_and_id(client: Client, lines: StringIO) -> None:
    client.get("/healthz", headers={"X-Request-ID": "abcdefgh-1", "User-Agent": "a\r\nb\x1b[31m" + "c" * 100_000})

    (line,) = told(lines)
    assert (line["event"], line["route"], line["status"], line["request_id"]) == (
        "request",
        "healthz",
        200,
        "abcdefgh-1",
    )


@override_settings(ROOT_URLCONF=__name__)
def test_an_unforeseen_error_is_told_without_the_secret_in_its_path(lines: StringIO) -> None:
    Client(raise_request_exception=False).get("/t/very-secret-token/")

    assert "very-secret-token" not in lines.getvalue()
    assert "nobody foresaw this" in lines.getvalue()


def test_a_refused_page_leaves_no_path_either(client: Client, lines: StringIO) -> None:
    client.get("/t/another-secret-token/")

    assert "another-secret-token" not in lines.getvalue()


def test_a_host_that_is_not_ours_is_one_line_without_the_path(client: Client, lines: StringIO) -> None:
    client.get("/t/third-secret-token/", headers={"Host": "elsewhere.example"})

    assert "third-secret-token" not in lines.getvalue()
    assert "elsewhere.example" in str(told(lines)[0]["event"])
    assert "Traceback" not in lines.getvalue()


def test_fields_from_outside_stay_on_their_line(lines: StringIO) -> None:
    structlog.get_logger("portal.test").info("said", text="one\r\ntwo\x1b[31m" + "x" * 10_000)

    (line,) = told(lines)
    assert "\n" not in str(line["text"])
    assert len(str(line["text"])) <= 2000
