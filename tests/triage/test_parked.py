"""What the portal gave up on is seen with its reason and tried again; mails of a local start are read and do nothing."""

from pathlib import Path

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from feedback_portal.accounts.models import Role, User
from feedback_portal.pending import PendingWork
from intake.models import Submission
from tests.makers import AT, make_item, make_person
from triage.models import ChangedDay, Notification

pytestmark = pytest.mark.django_db


@pytest.fixture
def ines(client: Client) -> User:
    person = make_person("Ines", role=Role.ADMIN)
    client.force_login(person)
    return person


def park(row: PendingWork, reason: str) -> None:
    type(row)._base_manager.filter(pk=row.pk).update(parked_at=timezone.now(), attempts=8, last_error=reason)


def make_mail(number: int) -> Notification:
    return Notification.objects.create(
        kind="receipt", once_key=f"k{number}", recipient=f"ana{number}@customers.example", subject="s", body="b"
    )


def test_every_stage_shows_what_is_parked_and_why(client: Client, ines: User) -> None:
    submission = make_item().submission
    park(submission, "<b>It is not JSON</b>: line 1.")
    park(make_mail(1), "550 no such user")
    park(ChangedDay.objects.create(day=AT.date()), "a day that breaks")

    reading = client.get("/settings/parked/").content.decode()
    mail = client.get("/settings/parked/?stage=deliver").content.decode()
    days = client.get("/settings/parked/?stage=measure").content.decode()

    assert submission.reference in reading
    assert "&lt;b&gt;It is not JSON" in reading
    assert "Try all 3 again" in reading
    assert "Receipt to ana1@customers.example" in mail
    assert "4 March 2026" in days


def test_one_row_a_stage_or_everything_is_tried_again(client: Client, ines: User) -> None:
    first, second, third = (make_mail(number) for number in range(3))
    submission = make_item().submission
    for row in (first, second, third, submission):
        park(row, "x")

    def left() -> int:
        return Notification.objects.parked().count() + Submission.objects.parked().count()

    client.post("/settings/parked/replay/", {"stage": "deliver", "id": first.pk})
    assert left() == 3
    client.post("/settings/parked/replay/", {"stage": "deliver"})
    assert left() == 1
    answer = client.post("/settings/parked/replay/", follow=True)
    assert left() == 0
    assert "1 row will be tried again." in answer.content.decode()


def test_long_lists_page_by_key(client: Client, ines: User) -> None:
    for number in range(53):
        park(make_mail(number), "x")

    page = client.get("/settings/parked/?stage=deliver")
    older = client.get(page.context["next_url"])

    assert len(page.context["parked"]) == 50
    assert len(older.context["parked"]) == 3
    shown = {row["id"] for row in page.context["parked"] + older.context["parked"]}
    assert len(shown) == 53


@pytest.mark.parametrize("given", [{"stage": "nowhere"}, {"stage": "deliver", "id": "1e9"}, {"id": "9" * 40}])
def test_what_cannot_be_meant_is_refused_in_words(client: Client, ines: User, given: dict[str, str]) -> None:
    assert client.post("/settings/parked/replay/", given).status_code == 400


@pytest.mark.parametrize("role", [Role.AGENT, Role.LEAD, Role.MANAGER])
def test_only_administrators_see_and_replay(client: Client, role: str) -> None:
    client.force_login(make_person("Tariq", role=role))

    assert client.get("/settings/parked/").status_code == 403
    assert client.post("/settings/parked/replay/").status_code == 403


class TestMailsOfALocalStart:
    NAME = "20260304T120000.000000-0123abcd.eml"

    @pytest.fixture(autouse=True)
    def _folder(self, tmp_path: Path, settings: Settings) -> None:
        settings.MAIL_DIR = tmp_path
        settings.DEBUG = True
        (tmp_path / self.NAME).write_bytes(
            b"From: feedback@example.com\r\nTo: ana@customers.example\r\nSubject: =?utf-8?q?Caf=C3=A9?=\r\n"
            b"Content-Type: text/html; charset=nonsense\r\n\r\n<script>alert(1)</script><img src=http://evil.example/p>"
        )
        (tmp_path / "secret.txt").write_text("no mail")

    def test_a_mail_is_listed_and_read_without_running_anything(self, client: Client, ines: User) -> None:
        listed = client.get("/dev/mail/").content.decode()
        read = client.get(f"/dev/mail/{self.NAME}/").content.decode()

        assert "Café" in listed
        assert "ana@customers.example" in read
        assert "&lt;script&gt;alert(1)" in read
        assert "<script>alert" not in read
        assert "<img" not in read

    @pytest.mark.parametrize("name", ["secret.txt", "..%2Fsecret.txt", "20260304T120000.000000-ffffffff.eml"])
    def test_only_mails_are_shown(self, client: Client, ines: User, name: str) -> None:
        assert client.get(f"/dev/mail/{name}/").status_code == 404

    def test_a_portal_that_serves_the_world_has_no_such_page(
        self, client: Client, ines: User, settings: Settings
    ) -> None:
        settings.DEBUG = False

        assert client.get("/dev/mail/").status_code == Client().get("/dev/mail/").status_code == 404
        assert client.get(f"/dev/mail/{self.NAME}/").status_code == 404

    def test_private_links_of_customers_are_not_for_everybody(self, client: Client) -> None:
        client.force_login(make_person("Tariq"))

        assert client.get("/dev/mail/").status_code == 403
        assert Client().get("/dev/mail/").status_code == 302
