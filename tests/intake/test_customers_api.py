"""What programs may tell of customers and counts, and what they get back."""

import json
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from feedback_portal.accounts.models import ApiKey, Scope
from intake.models import Account, Customer, Exposure

CUSTOMERS, BULK, EXPOSURES = "/api/v1/customers/", "/api/v1/customers/bulk/", "/api/v1/exposures/"
FULL: dict[str, Any] = {
    "external_id": "C-1",
    "identities": [{"system": "hubspot", "external_id": "123"}],
    "email": "Dana@Ortiz.example",
    "other_emails": ["d@ortiz.example"],
    "name": "Dana",
    "language": "de",
    "products": ["H4", {"product": "H5", "since": "2025-01-02"}],
    "updated_at": "2026-03-01T10:00:00Z",
    "account": {
        "system": "hubspot",
        "external_id": "9001",
        "name": "Ortiz Bikes",
        "domain": "ortiz.example",
        "segment": "Gold",
        "value": 1250000.5,
        "currency": "EUR",
        "lifecycle": "customer",
        "owner": "Sam",
        "products": ["Fleet"],
    },
}

pytestmark = pytest.mark.django_db


@pytest.fixture
def key() -> str:
    return ApiKey.issue("crm", scopes=[Scope.ADMIN, Scope.KPIS_READ])[1]


def post(key: str, body: Any, path: str = CUSTOMERS, **headers: str) -> Any:
    return Client().post(
        path,
        json.dumps(body),
        content_type="application/json",
        headers={"Authorization": f"Bearer {key}", **headers},
    )


def test_a_customer_is_made_then_known_again(key: str) -> None:
    first, again = post(key, FULL), post(key, FULL)

    assert (first.status_code, first.json()["status"]) == (201, "created")
    assert (again.status_code, again.json()["status"]) == (200, "unchanged")
    known = Customer.objects.select_related("account").get(pk=first.json()["id"])
    assert (known.external_id, known.email, known.language) == ("C-1", "dana@ortiz.example", "de")
    assert {str(each) for each in known.identities.all()} == {"hubspot:123", "email:d@ortiz.example"}
    account = known.account
    assert account is not None
    assert (str(account.value), account.currency, account.segment, account.owner) == (
        "1250000.50",
        "EUR",
        "Gold",
        "Sam",
    )
    assert {each.product for each in known.owned.all()} == {"H4", "H5"}


def test_the_same_idempotency_key_gets_the_first_answer(key: str) -> None:
    first, again = (post(key, FULL, **{"Idempotency-Key": "k"}) for _ in range(2))

    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json() == again.json()


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"surprise": 1}, "surprise"),
        ({"email": "nobody"}, "email"),
        ({"system": "Hub Spot"}, "system"),
        ({"identities": [{"system": "hubspot"}]}, "identities.0.external_id"),
        ({"account": {"value": -1, "name": "x"}}, "account.value"),
        ({"account": {"value": 1e300, "name": "x"}}, "account.value"),
        ({"account": {"currency": "euro", "name": "x"}}, "account.currency"),
        ({"account": {"segment": "Gold"}}, "account.external_id"),
        ({"products": [{"product": "H4", "since": "2025-02-30"}]}, "products.0.since"),
        ({"updated_at": "yesterday"}, "updated_at"),
        ({"external_id": None, "identities": None, "email": None}, "external_id"),
    ],
)
def test_what_is_wrong_is_named_by_its_place(key: str, change: dict[str, Any], path: str) -> None:
    response = post(key, FULL | change)

    assert response.status_code == 400
    assert [error["path"] for error in response.json()["errors"]] == [path]
    assert not Customer.objects.exists()


def test_in_bulk_each_gets_its_verdict_in_its_place(key: str) -> None:
    items = [FULL, {"email": 5}, {"email": "kim@x.example"}, {"external_id": "C-1", "deleted": True}, "x"]
    results = post(key, {"items": items}, BULK).json()["results"]

    assert [(each["index"], each["status"]) for each in results] == [
        (0, "created"),
        (1, "refused"),
        (2, "created"),
        (3, "updated"),  # HubSpot still knows them
        (4, "refused"),
    ]
    assert results[1]["errors"][0]["path"] == "email"


def test_a_wish_to_be_forgotten_is_heard(key: str) -> None:
    post(key, FULL)
    answer = post(key, {"external_id": "C-1", "for_privacy": True}).json()

    assert answer["status"] == "deleted"
    assert list(Customer.objects.values_list("external_id", "email", "name")) == [(None, "", "")]
    assert post(key, FULL).json()["status"] == "skipped"


def test_a_salesforce_id_of_fifteen_characters_is_that_of_eighteen(key: str) -> None:
    short = post(key, {"system": "salesforce", "external_id": "001dM00003jU9Gx"}).json()
    long = post(key, {"system": "salesforce", "external_id": "001dM00003jU9GxQAK", "name": "Ana"}).json()

    assert short["id"] == long["id"]


@pytest.mark.parametrize("path", [BULK, EXPOSURES])
@pytest.mark.parametrize("body", [[], {"items": {}}, {"items": [], "more": 1}, {"items": [{}] * 1001}])
def test_a_list_that_is_none_or_too_long_is_refused(key: str, path: str, body: Any) -> None:
    assert post(key, body, path).status_code == 400


def test_bulk_takes_as_many_statements_for_forty_as_for_two(key: str) -> None:
    counts = []
    for count in (2, 40):
        items = [
            {
                "external_id": f"{count}-{number}",
                "email": f"{number}@{count}.example",
                "account": {"external_id": f"A{number}-{count}"},
            }
            for number in range(count)
        ]
        with CaptureQueriesContext(connection) as queries:
            post(key, {"items": items}, BULK)
        counts.append(len(queries))
    # The first call also notes when the key was last used.
    assert counts[1] <= counts[0]
    assert Account.objects.count() == Customer.objects.count() == 42


def test_counts_are_taken_in_and_listed_by_their_key(key: str) -> None:
    items = [
        {"kind": "visits", "day": "2026-02-28", "count": 7, "site": "Wien"},
        {"kind": "orders", "day": "2026-03-02", "count": 2, "product": "H4"},
        {"kind": "orders", "day": "2026-03-01", "count": 1, "product": "H4"},
        {"kind": "orders", "day": "2026-3-1", "count": 1},
        {"kind": "orders", "day": "2026-03-01", "count": -1},
    ]
    answer = post(key, {"items": items}, EXPOSURES)
    headers = {"Authorization": f"Bearer {key}"}
    first = Client().get(f"{EXPOSURES}?limit=2", headers=headers).json()
    second = Client().get(f"{EXPOSURES}?limit=2&cursor={first['next']}", headers=headers).json()
    visits = Client().get(f"{EXPOSURES}?kind=visits", headers=headers).json()

    assert [each["status"] for each in answer.json()["results"]] == ["created"] * 3 + ["refused"] * 2
    assert [(each["kind"], each["day"]) for each in first["results"] + second["results"]] == [
        ("orders", "2026-03-01"),
        ("orders", "2026-03-02"),
        ("visits", "2026-02-28"),
    ]
    assert second["next"] is None
    assert visits["results"] == [
        {"kind": "visits", "product": "", "site": "Wien", "day": "2026-02-28", "count": 7, "updated_at": None}
    ]


@pytest.mark.parametrize("path", [CUSTOMERS, BULK, EXPOSURES])
def test_only_a_key_that_may_set_up_may_tell(path: str) -> None:
    weak = ApiKey.issue("weak", scopes=[Scope.TICKETS_READ, Scope.FEEDBACK_WRITE, Scope.KPIS_READ])[1]

    assert post(weak, {"items": []}, path).status_code == 403
    assert not Exposure.objects.exists()
