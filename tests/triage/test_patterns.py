"""Administrators say how things are written, see at once what that finds, and are told in a sentence what is wrong."""

import json
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from feedback_portal.accounts.models import ApiKey, Role, Scope, User
from feedback_portal.accounts.permissions import Actor
from feedback_portal.refusals import BadInput
from tests.makers import make_item, make_person
from triage import patterns
from triage.models import Pattern

pytestmark = pytest.mark.django_db

PLATE = {"name": "Plate", "kind": "batch", "expression": r"H\d-\d{4}", "product": "H4", "position": "10"}


@pytest.fixture
def ines(client: Client) -> User:
    person = make_person("Ines", role=Role.ADMIN)
    client.force_login(person)
    return person


def make(by: User, **given: Any) -> Pattern:
    return patterns.create(PLATE | given, by=Actor(user=by), at=timezone.now())


def wrong(by: User, **given: Any) -> str:
    with pytest.raises(BadInput) as refused:
        make(by, **given)
    return " ".join(error.message for error in refused.value.errors)


def test_a_pattern_is_written_and_changed_on_its_page(client: Client, ines: User) -> None:
    client.post(reverse("triage:patterns"), PLATE | {"aliases": ""})
    plate = Pattern.objects.get()

    page = client.get(reverse("triage:pattern", args=[plate.pk])).content.decode()
    client.post(
        reverse("triage:pattern", args=[plate.pk]), PLATE | {"name": "Batch plate", "aliases": "", "version": "1"}
    )

    plate.refresh_from_db()
    assert r"H\d-\d{4}" in page
    assert (plate.name, plate.version, plate.is_enabled, plate.changed_by) == ("Batch plate", 2, False, ines)


def test_a_stale_page_changes_nothing(client: Client, ines: User) -> None:
    plate = make(ines)
    patterns.change(plate, {"position": 20}, by=Actor(user=ines), at=timezone.now())

    answer = client.post(reverse("triage:pattern", args=[plate.pk]), PLATE | {"version": "1"})

    assert answer.status_code == 409
    assert Pattern.objects.get().position == 20


def test_while_it_is_typed_the_newest_items_show_what_it_finds(client: Client, ines: User) -> None:
    make_item("The plate says <b>H4-2231</b>")
    make_item("All is well")

    shown = client.post(reverse("triage:pattern_preview"), {"expression": r">H\d-\d{4}<", "aliases": ""})
    nothing_yet = client.post(reverse("triage:pattern_preview"), {"expression": " "})
    broken = client.post(reverse("triage:pattern_preview"), {"expression": "H("})

    assert "Found in 1 of the newest 2 items" in shown.content.decode()
    assert "&gt;H4-2231&lt;" in shown.content.decode()
    assert "shown here" in nothing_yet.content.decode()
    assert "cannot be used" in broken.content.decode()
    assert not Pattern.objects.exists()


def test_without_scripts_it_is_tried_by_a_button(client: Client, ines: User) -> None:
    make_item("Bought at the corner shop")

    page = client.post(reverse("triage:patterns"), {"name": "Shop", "aliases": "corner shop", "try": "1"})

    assert "Found in 1 of the newest 1 items" in page.content.decode()
    assert 'value="Shop"' in page.content.decode()
    assert not Pattern.objects.exists()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"expression": "("}, "cannot be used"),
        ({"expression": r"(a)\1"}, "cannot be used"),
        ({"expression": "x*"}, "where nothing stands"),
        ({"expression": r"(a)(b)"}, "one pair of brackets"),
        ({"expression": r"\pL{900}"}, "too large"),
        ({"expression": ""}, "one of the two"),
        ({"aliases": ["the plate"]}, "one of the two"),
        ({"expression": "", "aliases": ["!?"]}, "cannot be looked for"),
        ({"kind": "Batch number"}, "short name"),
        ({"name": ""}, "Give it a name"),
    ],
)
def test_what_cannot_be_looked_for_is_refused_in_a_sentence(ines: User, given: dict[str, Any], said: str) -> None:
    assert said in wrong(ines, **given)
    assert not Pattern.objects.exists()


def test_two_patterns_have_two_names(ines: User) -> None:
    make(ines)

    assert "name already" in wrong(ines)


def test_the_database_keeps_a_pattern_from_being_both(ines: User) -> None:
    with pytest.raises(IntegrityError, match="pattern_expression_or_aliases"), transaction.atomic():
        Pattern.objects.create(name="Both", kind="batch", expression="a", aliases=["b"])
    with pytest.raises(IntegrityError, match="pattern_expression_or_aliases"), transaction.atomic():
        Pattern.objects.create(name="Neither", kind="batch")


class TestForPrograms:
    def call(self, client: Client, method: str, address: str, given: Any = None) -> Any:
        _, secret = ApiKey.issue("set-up", scopes=[Scope.ADMIN, Scope.TICKETS_READ])
        answer = client.generic(
            method,
            f"/api/v1/patterns/{address}",
            "" if given is None else json.dumps(given),
            content_type="application/json",
            headers={"authorization": f"Bearer {secret}"},
        )
        return answer.status_code, answer.json()

    def test_they_read_write_and_try_patterns(self, client: Client) -> None:
        make_item("The plate says H4-2231")

        made, pattern = self.call(client, "POST", "", {"name": "Plate", "kind": "batch", "expression": r"H\d-\d{4}"})
        changed, after = self.call(client, "PATCH", f"{pattern['id']}/", {"product": "H4", "version": 1})
        stale, _ = self.call(client, "PATCH", f"{pattern['id']}/", {"product": "H2", "version": 1})
        _, tried = self.call(client, "POST", "preview/", {"expression": r"H\d-\d{4}"})
        _, all_of_them = self.call(client, "GET", "")

        assert (made, changed, stale) == (201, 200, 409)
        assert (after["product"], after["version"]) == ("H4", 2)
        assert [hit["said"] for hit in tried["found"]] == [["H4-2231"]]
        assert [row["name"] for row in all_of_them["results"]] == ["Plate"]

    def test_what_is_wrong_is_named(self, client: Client) -> None:
        status, said = self.call(client, "POST", "", {"name": "Plate", "kind": "batch", "expression": "("})

        assert status == 400
        assert "expression" in str(said["errors"])
