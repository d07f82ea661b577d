"""What a program gets back, for what it sends."""

import json
from typing import Any

import pytest
from django.test import Client

from feedback_portal.accounts.models import ApiKey, Scope
from intake.models import Channel, Submission

URL = "/api/v1/feedback/"
FULL: dict[str, Any] = {
    "channel": "support-api",
    "external_id": "T-1",
    "text": "The lid cracked on day two",
    "title": "Cracked lid",
    "rating": {"scale": "csat5", "value": 2},
    "customer": {"external_id": "C-9", "email": "a@example.com", "name": "A"},
    "product": "H4",
    "product_version": "2231",
    "language": "en",
    "submitted_at": "2026-11-20T09:14:00Z",
    "url": "https://example.com/t/1",
    "context": {"order": "O-77", "batch": "H4-2231"},
}

pytestmark = pytest.mark.django_db


@pytest.fixture
def key() -> str:
    Channel.objects.create(slug="support-api", name="Support", kind="rest_api")
    return ApiKey.issue("tests", scopes=[Scope.FEEDBACK_WRITE])[1]


def post(key: str, body: Any, *, path: str = URL, **headers: str) -> Any:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Client().post(
        path, raw, content_type="application/json", headers={"Authorization": f"Bearer {key}", **headers}
    )


def test_a_new_item_is_created_and_named(key: str) -> None:
    response = post(key, FULL)

    assert response.status_code == 201
    assert response.json()["reference"].startswith("FB-")
    assert "/t/" in response.json()["tracking_url"]
    assert str(Submission.objects.get().public_id) == response.json()["id"]


def test_the_same_external_id_gets_the_first_answer(key: str) -> None:
    first, again = post(key, FULL), post(key, FULL)

    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json() == again.json()


def test_the_same_idempotency_key_gets_the_first_answer(key: str) -> None:
    body = {"channel": "support-api", "text": "No id of mine"}
    first, again = (post(key, body, **{"Idempotency-Key": "k"}) for _ in range(2))

    assert first.json() == again.json()
    assert Submission.objects.count() == 1


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"surprise": 1}, "surprise"),
        ({"text": 5}, "text"),
        ({"text": "x" * 100_001}, "text"),
        ({"rating": {"scale": "csat5", "value": 9}}, "rating.value"),
        ({"rating": {"scale": "moons", "value": 1}}, "rating.scale"),
        ({"rating": {"scale": "csat5"}}, "rating.value"),
        ({"rating": {"scale": "csat5", "value": "2"}}, "rating.value"),
        ({"rating": {"scale": "csat5", "value": True}}, "rating.value"),
        ({"customer": {"email": "a@b.c\r\nBcc: x@y.z"}}, "customer.email"),
        ({"customer": {"email": "x" * 10_000 + "@b.c"}}, "customer.email"),
        ({"customer": "Ana"}, "customer"),
        ({"customer": {"is_staff": True}}, "customer.is_staff"),
        ({"submitted_at": "yesterday"}, "submitted_at"),
        ({"submitted_at": "2026-11-20T09:14:00"}, "submitted_at"),
        ({"submitted_at": "0001-01-01T00:00:00+23:59"}, "submitted_at"),
        ({"submitted_at": "9999-12-31T23:59:59-23:59"}, "submitted_at"),
        ({"url": "javascript:alert(1)"}, "url"),
        ({"language": "<b>"}, "language"),
        ({"context": {"a": {"b": "c"}}}, "context.a"),
        ({"context": []}, "context"),
        ({"channel": "nowhere"}, "channel"),
        ({"text": "", "title": "", "rating": None}, "text"),
    ],
)
def test_what_is_wrong_is_named_by_its_path(key: str, change: dict[str, Any], path: str) -> None:
    response = post(key, FULL | change)

    assert response.status_code == 400
    assert response["Content-Type"] == "application/problem+json"
    assert [error["path"] for error in response.json()["errors"]] == [path]
    assert not Submission.objects.exists()


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"null", 400),
        (b"[]", 400),
        (b'"x"', 400),
        (b"\xff\xfe", 400),
        (b'{"text": "a\\u0000b", "channel": "support-api"}', 400),
        (b'{"text": "\\ud800", "channel": "support-api"}', 400),
        (b'{"text": NaN}', 400),
        (b'{"text": 1e400}', 400),
        (b'{"rating": {"scale": "nps", "value": ' + b"9" * 5000 + b"}}", 400),
        (b'{"state": "new", "state": "closed"}', 400),
        (b"[" * 100_000, 400),
        (b'{"text": "' + b"x" * (2 * 1024 * 1024) + b'"}', 413),
        (b" " * (10 * 1024 * 1024), 413),
    ],
)
def test_a_hostile_body_is_a_clear_no(key: str, body: bytes, status: int) -> None:
    response = post(key, body)

    assert response.status_code == status
    assert response.json()["detail"]


def test_another_kind_of_content_is_415(key: str) -> None:
    response = Client().post(URL, b"<a/>", content_type="application/xml", headers={"Authorization": f"Bearer {key}"})

    assert response.status_code == 415


def test_without_the_scope_nothing_is_taken(key: str) -> None:
    assert post(ApiKey.issue("reader", scopes=[Scope.TICKETS_READ])[1], FULL).status_code == 403
    assert Client().post(URL, FULL, content_type="application/json").status_code == 401


def test_a_closed_channel_says_so(key: str) -> None:
    Channel.objects.update(is_enabled=False)

    response = post(key, FULL)

    assert response.status_code == 409
    assert "switched off" in response.json()["detail"]


class TestBulk:
    def test_one_bad_item_refuses_only_itself(self, key: str) -> None:
        items = [FULL, {"channel": "support-api"}, FULL | {"external_id": "T-2"}, FULL, "x", {"text": "no channel"}]

        results = post(key, {"items": items}, path=URL + "bulk/").json()["results"]

        assert [result["status"] for result in results] == [
            "created",
            "refused",
            "created",
            "duplicate",
            "refused",
            "refused",
        ]
        assert [result["index"] for result in results] == [0, 1, 2, 3, 4, 5]
        assert results[0]["id"] == results[3]["id"]
        assert results[5]["errors"][0]["path"] == "channel"

    def test_more_than_a_thousand_are_refused_as_a_whole(self, key: str) -> None:
        assert post(key, {"items": [{}] * 1001}, path=URL + "bulk/").status_code == 400

    def test_a_thousand_items_take_as_many_statements_as_two(self, key: str, django_assert_num_queries) -> None:  # type: ignore[no-untyped-def]
        post(key, {"items": []}, path=URL + "bulk/")  # the key's last use is written once a minute
        for count in (2, 1000):
            items = [{"channel": "support-api", "text": f"Number {number}"} for number in range(count)]
            with django_assert_num_queries(3):
                assert post(key, {"items": items}, path=URL + "bulk/").status_code == 200


class TestChannels:
    def test_an_administrators_key_makes_and_changes_channels(self) -> None:
        key = ApiKey.issue("setup", scopes=[Scope.ADMIN])[1]
        path = "/api/v1/channels/"

        made = post(key, {"slug": "shop", "name": "Shop", "kind": "rest_api"}, path=path)
        again = post(key, {"slug": "shop", "name": "Shop", "kind": "rest_api"}, path=path)
        unknown = post(key, {"slug": "x", "name": "X", "kind": "pigeon"}, path=path)
        closed = Client().patch(
            f"{path}shop/",
            {"is_enabled": False},
            content_type="application/json",
            headers={"Authorization": f"Bearer {key}"},
        )

        assert (made.status_code, again.status_code, unknown.status_code) == (201, 400, 400)
        assert closed.json()["is_enabled"] is False
        assert "rest_api" in unknown.json()["errors"][0]["message"]

    @pytest.mark.parametrize(
        ("body", "path"),
        [
            ({"slug": "shop", "name": "Shop"}, "kind"),
            ({"slug": "a b", "name": "Shop", "kind": "rest_api"}, "slug"),
            ({"slug": "x" * 61, "name": "Shop", "kind": "rest_api"}, "slug"),
            ({"slug": "shop", "name": "", "kind": "rest_api"}, "name"),
            ({"slug": "shop", "name": "Shop", "kind": "rest_api", "settings": []}, "settings"),
            ({"slug": "shop", "name": "Shop", "kind": "rest_api", "is_enabled": 1}, "is_enabled"),
            ({"slug": "shop", "name": "Shop", "kind": "rest_api", "id": 7}, "id"),
            ([], ""),
        ],
    )
    def test_what_is_wrong_with_a_channel_is_named(self, body: Any, path: str) -> None:
        key = ApiKey.issue("setup", scopes=[Scope.ADMIN])[1]
        known = Channel.objects.count()

        refused = post(key, body, path="/api/v1/channels/")

        assert refused.status_code == 400
        assert [error["path"] for error in refused.json()["errors"]] == [path]
        assert Channel.objects.count() == known

    def test_a_channel_keeps_its_kind_and_its_slug(self) -> None:
        key = ApiKey.issue("setup", scopes=[Scope.ADMIN])[1]
        changed = Client().patch(
            "/api/v1/channels/api/",
            {"kind": "csv_file"},
            content_type="application/json",
            headers={"Authorization": f"Bearer {key}"},
        )

        assert changed.status_code == 400
        assert Channel.objects.get(slug="api").kind == "rest_api"

    @pytest.mark.parametrize("scope", [Scope.FEEDBACK_WRITE, Scope.TICKETS_READ, Scope.TICKETS_WRITE, Scope.KPIS_READ])
    def test_only_administrators_see_channels(self, scope: Scope) -> None:
        key = ApiKey.issue("other", scopes=[scope])[1]

        assert Client().get("/api/v1/channels/", headers={"Authorization": f"Bearer {key}"}).status_code == 403
