"""What every endpoint shares: keys, strict JSON, remembered answers, paging by key."""

import base64
import json
import threading
from datetime import date, timedelta

import pytest
from django.db import connection
from django.utils import timezone
from rest_framework.exceptions import ParseError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.test import APIRequestFactory
from rest_framework.views import APIView

from feedback_portal.accounts.models import ApiKey, RememberedAnswer, Scope
from feedback_portal.api import after, page, remembering, strict_json
from feedback_portal.refusals import BadInput
from intake.models import Submission
from triage.models import ChangedDay

FACTORY = APIRequestFactory()


class Days(APIView):
    """A small endpoint of our own, on a real table."""

    scopes = {"GET": Scope.TICKETS_READ, "POST": Scope.TICKETS_WRITE}

    def get(self, request: Request) -> Response:
        return page(request, ChangedDay.objects.all(), order=("-day", "id"), show=lambda row: row.pk)

    def post(self, request: Request) -> Response:
        def effect() -> tuple[int, dict[str, int]]:
            row = ChangedDay.objects.create(day=date(2026, 1, 1) + timedelta(days=request.data["offset"]))
            return 201, {"id": row.pk}

        return remembering(request, effect)


def issue(*scopes: str) -> str:
    return ApiKey.issue("a test", scopes=list(scopes) or [Scope.TICKETS_READ, Scope.TICKETS_WRITE])[1]


def call(method: str, key: str = "", *, path: str = "/api/v1/days/", body: object = None, **headers: str) -> Response:
    if key:
        headers["Authorization"] = f"Bearer {key}"
    if method == "GET":
        request = FACTORY.get(path, headers=headers)
    else:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        request = FACTORY.post(path, raw, content_type="application/json", headers=headers)
    return Days.as_view()(request)


@pytest.mark.django_db
class TestKeys:
    def test_without_a_key_the_answer_is_401(self) -> None:
        response = call("GET")

        assert response.status_code == 401
        assert response["WWW-Authenticate"] == "Bearer"

    def test_a_key_without_the_scope_is_403(self) -> None:
        assert call("POST", issue(Scope.TICKETS_READ), body={"offset": 1}).status_code == 403

    @pytest.mark.parametrize("field", ["revoked_at", "expires_at"])
    def test_a_revoked_or_expired_key_is_401(self, field: str) -> None:
        key = issue()
        ApiKey.objects.update(**{field: timezone.now() - timedelta(seconds=1)})

        assert call("GET", key).status_code == 401

    def test_a_key_with_one_letter_changed_is_401(self) -> None:
        key = issue()

        assert call("GET", key[:-1] + ("A" if key[-1] != "A" else "B")).status_code == 401

    def test_a_key_in_the_address_is_no_key(self) -> None:
        assert call("GET", path=f"/api/v1/days/?key={issue()}").status_code == 401

    def test_the_secret_is_stored_nowhere(self) -> None:
        key = issue()

        assert key.split("_", 2)[2] not in str(ApiKey.objects.values().get())


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"\xff\xfe{\x00}\x00",
        b'{"a": NaN}',
        b'{"a": 1e400}',
        b'{"a": 1, "a": 2}',
        b"[" * 100_000 + b"]" * 100_000,
        b"[" * 70 + b"]" * 70,
        b"1" * 5000,
    ],
)
def test_ambiguous_json_is_refused(body: bytes) -> None:
    with pytest.raises(ParseError):
        strict_json(body)


@pytest.mark.parametrize(
    ("body", "path"),
    [(rb'{"a": {"b": ["x", "\u0000"]}}', "a.b.1"), (rb'{"t": "\ud800"}', "t"), (rb'{"\u0000": 1}', "<name>")],
)
def test_text_that_no_database_holds_is_named(body: bytes, path: str) -> None:
    with pytest.raises(BadInput) as caught:
        strict_json(body)

    assert [error.path for error in caught.value.errors] == [path]


@pytest.mark.django_db(transaction=True)
class TestRememberedAnswers:
    def test_the_same_key_gets_the_first_answer(self) -> None:
        key = issue()

        first = call("POST", key, body={"offset": 1}, **{"Idempotency-Key": "k1"})
        again = call("POST", key, body={"offset": 1}, **{"Idempotency-Key": "k1"})

        assert (first.status_code, again.status_code) == (201, 200)
        assert first.data == again.data
        assert ChangedDay.objects.count() == 1

    def test_the_same_key_for_another_body_is_422(self) -> None:
        key = issue()
        call("POST", key, body={"offset": 1}, **{"Idempotency-Key": "k1"})

        assert call("POST", key, body={"offset": 2}, **{"Idempotency-Key": "k1"}).status_code == 422

    def test_callers_do_not_share_keys(self) -> None:
        call("POST", issue(), body={"offset": 1}, **{"Idempotency-Key": "k1"})

        assert call("POST", issue(), body={"offset": 2}, **{"Idempotency-Key": "k1"}).status_code == 201

    @pytest.mark.parametrize("bad", ["x" * 300, "a\nb"])
    def test_a_key_that_is_none_is_400(self, bad: str) -> None:
        assert call("POST", issue(), body={"offset": 1}, **{"Idempotency-Key": bad}).status_code == 400

    def test_an_effect_that_fails_is_not_remembered(self) -> None:
        key = issue()
        with pytest.raises(KeyError):
            call("POST", key, body={}, **{"Idempotency-Key": "k1"})

        assert not RememberedAnswer.objects.exists()

    def test_twenty_at_once_have_one_effect(self) -> None:
        key = issue()
        answers: list[Response] = []
        start = threading.Barrier(20)

        def client() -> None:
            start.wait()
            answers.append(call("POST", key, body={"offset": 5}, **{"Idempotency-Key": "same"}))
            connection.close()

        threads = [threading.Thread(target=client) for _ in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert ChangedDay.objects.count() == 1
        assert sorted(answer.status_code for answer in answers) == [200] * 19 + [201]
        assert len({answer.data["id"] for answer in answers}) == 1


@pytest.mark.django_db
class TestPaging:
    def test_pages_join_without_gap_or_overlap_in_mixed_directions(self) -> None:
        days = [ChangedDay(day=date(2026, 1, 1 + number // 3), completed_at=timezone.now()) for number in range(20)]
        ChangedDay.objects.bulk_create(days)
        expected = list(ChangedDay.objects.order_by("-day", "id").values_list("pk", flat=True))
        key, seen, cursor = issue(), [], ""

        for _ in range(20):
            response = call("GET", key, path=f"/api/v1/days/?limit=3&cursor={cursor}")
            seen += response.data["results"]
            cursor = response.data["next"]
            if cursor is None:
                break

        assert seen == expected

    @pytest.mark.parametrize(
        ("order", "inside"),
        [
            (("day", "id"), "[" * 2900),
            (("day", "id"), '["2026-01-01", 1e999]'),
            (("received_at",), '["0001-01-01T00:00:00+23:59"]'),
            (("received_at",), '["9999-12-31T23:59:59-23:59"]'),
            (("external_id",), '["\\u0000"]'),
            (("external_id",), '["\\ud800"]'),
        ],
    )
    def test_a_cursor_that_names_no_place_is_refused(self, order: tuple[str, ...], inside: str) -> None:
        cursor = base64.urlsafe_b64encode(inside.encode()).decode().rstrip("=")
        model = ChangedDay if "day" in order else Submission

        with pytest.raises(BadInput):
            list(after(model._default_manager.all(), order=order, cursor=cursor))

    @pytest.mark.parametrize("cursor", ["x", "AAAA", "bnVsbA", "WzFd", "W251bGwsbnVsbF0"])
    def test_a_made_up_cursor_is_400(self, cursor: str) -> None:
        assert call("GET", issue(), path=f"/api/v1/days/?cursor={cursor}").status_code == 400

    @pytest.mark.parametrize(("limit", "status"), [("0", 400), ("-1", 400), ("x", 400), ("1e3", 400), ("1000000", 200)])
    def test_a_limit_is_a_small_number(self, limit: str, status: int) -> None:
        assert call("GET", issue(), path=f"/api/v1/days/?limit={limit}").status_code == status
