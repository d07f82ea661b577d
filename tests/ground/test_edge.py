"""Requests that the layers below would misread are refused; every answer carries the headers."""

import gzip
import io

import pytest
from django.http import FileResponse, HttpRequest
from django.test import Client, RequestFactory, override_settings

from feedback_portal.edge import Compressed, client_address

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        ("/sign-in/?q=%00", {}, 400),
        ("/sign-in/?q=%ED%A0%80", {}, 400),
        ("/sign-in/?q=fine", {"Content-Encoding": "gzip"}, 415),
        ("/healthz", {"Transfer-Encoding": "chunked"}, 411),
    ],
)
def test_a_misshapen_request_is_refused_in_words(path: str, headers: dict[str, str], status: int) -> None:
    response = Client().get(path, headers=headers)

    assert response.status_code == status
    assert response.content.strip()


def test_an_unknown_charset_is_refused() -> None:
    response = Client().generic("POST", "/sign-in/", b"a=b", "application/x-www-form-urlencoded; charset=nonsense")

    assert response.status_code == 415


def test_under_the_api_a_refusal_is_problem_json() -> None:
    response = Client().get("/api/schema/?x=%00")

    assert response.status_code == 400
    assert response["Content-Type"] == "application/problem+json"
    assert response.json()["title"]


@pytest.mark.parametrize("path", ["/sign-in/", "/no-such-page/", "/healthz", "/triage/"])
def test_every_answer_carries_the_headers(path: str) -> None:
    response = Client().get(path)

    assert "script-src 'self'" in response["Content-Security-Policy"]
    assert "unsafe" not in response["Content-Security-Policy"]
    assert response["X-Content-Type-Options"] == "nosniff"
    assert response["X-Frame-Options"] == "DENY"
    assert response["Cache-Control"] == "no-store"
    assert response["X-Request-ID"]


def test_a_page_is_compressed_for_whoever_takes_that_and_a_file_is_not() -> None:
    page = Client().get("/sign-in/", headers={"Accept-Encoding": "gzip, br"})
    plain = Client().get("/sign-in/")
    file = FileResponse(io.BytesIO(b"a;b\n" * 1000), content_type="text/csv")

    assert gzip.decompress(page.content).lstrip().startswith(b"<!doctype html>")
    assert len(page.content) < len(plain.content) * 0.7
    assert "Accept-Encoding" in page["Vary"]
    assert "Accept-Encoding" in plain["Vary"]
    assert plain.content.lstrip().startswith(b"<!doctype html>")
    asked = RequestFactory().get("/", headers={"Accept-Encoding": "gzip"})
    assert "Content-Encoding" not in Compressed(lambda request: file)(asked)


@pytest.mark.parametrize(
    ("given", "kept"), [("abcdefgh-1234", True), ("short", False), ("with space here", False), ("x" * 65, False)]
)
def test_a_request_id_from_outside_is_kept_only_when_it_is_one(given: str, kept: bool) -> None:
    response = Client().get("/healthz", headers={"X-Request-ID": given})

    assert (response["X-Request-ID"] == given) is kept


@pytest.mark.parametrize(
    ("hops", "forwarded", "seen"),
    [
        (0, "6.6.6.6", "10.0.0.9"),
        (1, "6.6.6.6, 7.7.7.7", "7.7.7.7"),
        (2, "6.6.6.6, 7.7.7.7", "6.6.6.6"),
        (2, "7.7.7.7", "10.0.0.9"),
    ],
)
def test_a_client_cannot_choose_its_own_address(hops: int, forwarded: str, seen: str) -> None:
    request: HttpRequest = RequestFactory().get("/", headers={"X-Forwarded-For": forwarded}, REMOTE_ADDR="10.0.0.9")

    with override_settings(TRUSTED_PROXIES=hops):
        assert client_address(request) == seen
