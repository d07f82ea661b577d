"""Who gets in, and who is slowed down."""

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from feedback_portal.accounts.models import SignInFailure, SignInLink, User

pytestmark = pytest.mark.django_db

PASSWORD = "a long enough sentence"


@pytest.fixture(autouse=True)
def passwords_are_quick_to_check(settings) -> None:  # type: ignore[no-untyped-def]
    """Slowness is the real hasher's purpose, and not what is tested here."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture
def tariq() -> User:
    return User.objects.create_user("Tariq@Example.com", PASSWORD, name="Tariq Aziz")


def sign_in(client: Client, *, email: str = "tariq@example.com", password: str = PASSWORD, next_page: str = "") -> int:
    return client.post("/sign-in/", {"email": email, "password": password, "next": next_page}).status_code


def test_the_right_password_signs_in_whatever_the_case_of_the_address(client: Client, tariq: User) -> None:
    response = client.post("/sign-in/", {"email": "TARIQ@example.COM", "password": PASSWORD})

    assert response.status_code == 302
    assert client.session["_auth_user_id"] == str(tariq.pk)


def test_wrong_and_unknown_read_the_same(client: Client, tariq: User) -> None:
    wrong = client.post("/sign-in/", {"email": "tariq@example.com", "password": "not this one"})
    unknown = client.post("/sign-in/", {"email": "nobody@example.com", "password": "not this one"})

    assert wrong.status_code == unknown.status_code == 422
    assert "not right" in wrong.content.decode()
    assert "not right" in unknown.content.decode()


def test_after_five_failures_even_the_right_password_waits(client: Client, tariq: User) -> None:
    for _ in range(5):
        assert sign_in(client, password="guess") == 422

    assert sign_in(client) == 429

    SignInFailure.objects.update(at=timezone.now() - timedelta(minutes=16))
    assert sign_in(client) == 302


def test_a_person_is_protected_from_many_addresses(client: Client, tariq: User) -> None:
    for number in range(20):
        client.post("/sign-in/", {"email": "tariq@example.com", "password": "guess"}, REMOTE_ADDR=f"10.0.0.{number}")

    assert (
        client.post("/sign-in/", {"email": "tariq@example.com", "password": "x"}, REMOTE_ADDR="10.9.9.9").status_code
        == 429
    )


@pytest.mark.parametrize(
    "target", ["//evil.example", "/\\evil.example", "https:evil.example", "javascript:alert(1)", "evil"]
)
def test_after_signing_in_one_stays_here(client: Client, tariq: User, target: str) -> None:
    response = client.post("/sign-in/", {"email": tariq.email, "password": PASSWORD, "next": target})

    assert response["Location"] == "/triage/"


def test_a_sign_in_link_works_once_and_only_when_the_button_is_pressed(client: Client, tariq: User) -> None:
    token = SignInLink.issue(tariq, at=timezone.now())

    assert client.get(f"/sign-in/{token}/").status_code == 200
    assert "_auth_user_id" not in client.session
    assert client.post(f"/sign-in/{token}/").status_code == 302
    assert client.session["_auth_user_id"] == str(tariq.pk)
    assert Client().post(f"/sign-in/{token}/").status_code == 404


def test_an_old_link_and_a_guessed_one_are_the_same(client: Client, tariq: User) -> None:
    token = SignInLink.issue(tariq, at=timezone.now() - timedelta(days=2))

    assert client.post(f"/sign-in/{token}/").status_code == 404
    assert client.post("/sign-in/guessed/").status_code == 404


def test_no_token_is_stored(tariq: User) -> None:
    token = SignInLink.issue(tariq, at=timezone.now())

    assert token not in str(SignInLink.objects.values().get())


def test_signing_out_needs_a_post(client: Client, tariq: User) -> None:
    client.force_login(tariq)

    assert client.get("/sign-out/").status_code == 405
    assert client.post("/sign-out/").status_code == 302
    assert "_auth_user_id" not in client.session


def test_the_admin_has_no_door_of_its_own_where_passwords_could_be_tried(client: Client) -> None:
    address = "/admin/login/?next=/admin/"
    for response in (client.get(address), client.post(address, {"username": "a@example.com", "password": "x"})):
        assert (response.status_code, response["Location"]) == (302, "/sign-in/?next=/admin/")
