"""Places: what is said on the spot arrives once, carries the place, and nobody leaves a kiosk without its code."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from feedback_portal.accounts.models import Role
from intake import normalizing, places, surveys
from intake.models import FeedbackItem, Form, Place, Submission
from intake.questions import Definition, Question
from tests.makers import make_person

EVENT = "0123456789abcdef" * 2

pytestmark = pytest.mark.django_db


@pytest.fixture
def lobby() -> Place:
    form = Form.objects.get(slug="feedback")
    return Place.objects.create(
        slug="lobby", name="Lobby, south door", form=form, languages=["en", "de"], exit_code="2468"
    )


@pytest.fixture
def ada() -> Client:
    client = Client()
    client.force_login(make_person("Ada", role=Role.ADMIN))
    return client


def press(**fields: Any) -> Any:
    return Client().post("/k/lobby/", {"event": EVENT, "rating": "2", "language": "en"} | fields)


class TestKiosk:
    def test_it_speaks_the_languages_of_its_place_and_no_others(self, lobby: Place) -> None:
        english, german, other = (
            Client().get(f"/k/lobby/?lang={code}").content.decode() for code in ("en", "de", "fr")
        )

        assert "How was it?" in english
        assert "Wie war es?" in german
        assert "Sehr gut" in german
        assert 'lang="en"' in other
        assert "How was it?" in other

    @pytest.mark.django_db(transaction=True)
    def test_a_face_is_an_answer_that_knows_its_place(self, lobby: Place) -> None:
        assert press(comment="The queue was long").status_code == 303

        normalizing.normalize_pending(at=timezone.now())
        item = FeedbackItem.objects.get()
        assert (item.rating_scale, item.rating_value, item.text) == ("csat5", 2, "The queue was long")
        assert item.context == {"place": "Lobby, south door"}
        assert item.channel == lobby.form.channel
        assert item.customer is None

    def test_the_same_press_twice_is_one_answer(self, lobby: Place) -> None:
        assert press().status_code == press().status_code == 303
        assert press(event="f" * 32).status_code == 303

        assert Submission.objects.count() == 2
        assert not Submission.objects.quarantined().exists()

    def test_a_day_without_a_network_is_taken_in_at_once(self, lobby: Place) -> None:
        answers = [press(event=f"{number:032x}").status_code for number in range(120)]

        assert set(answers) == {303}
        assert Submission.objects.count() == 120

    @pytest.mark.django_db(transaction=True)
    def test_what_waited_was_said_when_it_was_said(self, lobby: Place) -> None:
        then = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=30)
        press(**{"written-at": str(int(then.timestamp() * 1000))})

        normalizing.normalize_pending(at=timezone.now())
        assert FeedbackItem.objects.get().submitted_at == then

    @pytest.mark.django_db(transaction=True)
    @pytest.mark.parametrize("stamp", ["", "x", "-1", "99999999999999", "٣", "1"])
    def test_a_clock_that_cannot_be_right_is_not_believed(self, lobby: Place, stamp: str) -> None:
        before = timezone.now()
        press(**{"written-at": stamp})

        normalizing.normalize_pending(at=timezone.now())
        assert FeedbackItem.objects.get().submitted_at >= before

    @pytest.mark.parametrize(
        "fields",
        [{"rating": "6"}, {"rating": ""}, {"rating": "２"}, {"event": ""}, {"event": "x"}, {"event": "../" * 20}],
    )
    def test_what_no_kiosk_sends_is_refused(self, lobby: Place, fields: dict[str, str]) -> None:
        assert press(**fields).status_code == 400
        assert not Submission.objects.exists()

    def test_a_place_that_is_switched_off_is_closed(self, lobby: Place) -> None:
        Place.objects.update(is_enabled=False)
        assert Client().get("/k/lobby/").status_code == press().status_code == 404

    def test_a_place_whose_form_is_closed_says_so(self, lobby: Place) -> None:
        surveys.close(lobby.form)
        assert Client().get("/k/lobby/").status_code == press().status_code == 410


class TestLeaving:
    def test_the_code_opens_the_door(self, lobby: Place) -> None:
        assert Client().post("/k/lobby/leave/", {"code": "2468"})["Location"] == "/settings/places/"

    @pytest.mark.parametrize("code", ["", "2469", "24680", "é"])
    def test_another_code_does_not(self, lobby: Place, code: str) -> None:
        assert Client().post("/k/lobby/leave/", {"code": code}).status_code == 403

    def test_the_page_does_not_hold_the_code(self, lobby: Place) -> None:
        assert "2468" not in Client().get("/k/lobby/").content.decode()

    def test_guessing_ends_soon(self, lobby: Place) -> None:
        tries = [Client().post("/k/lobby/leave/", {"code": str(number)}).status_code for number in range(1000, 1012)]
        assert tries[-1] == 429


class TestPoster:
    def test_it_says_in_both_languages_what_to_do(self, lobby: Place, ada: Client) -> None:
        sheet = ada.get("/settings/places/lobby/poster/").content.decode()

        assert "Point your phone" in sheet
        assert "Richten Sie die Kamera" in sheet
        assert "Lobby, south door" in sheet
        assert "<svg" in sheet

    @pytest.mark.django_db(transaction=True)
    def test_its_code_leads_to_the_form_which_knows_where_it_was_scanned(self, lobby: Place) -> None:
        link = places.poster_link(lobby)
        path = link.removeprefix("http://127.0.0.1:8000")
        page = Client().get(path).content.decode()
        signed = re.search(r'name="at-place" value="([^"]+)"', page)
        assert signed
        token = surveys.hand_out(lobby.form, at=timezone.now() - timedelta(minutes=1)).token()
        sent = Client().post("/f/feedback/", {"token": token, "text": "Cold", "homepage": "", "at-place": signed[1]})

        assert sent.status_code == 303
        normalizing.normalize_pending(at=timezone.now())
        assert FeedbackItem.objects.get().context == {"place": "Lobby, south door"}

    def test_a_place_that_nobody_signed_is_not_believed(self, lobby: Place) -> None:
        other = surveys.create_form("other", name="Other", definition=surveys.FIRST_FORM)
        good = places.poster_link(lobby).partition("?place=")[2]

        assert places.read_place(lobby.form, good) == {"place": "Lobby, south door"}
        assert places.read_place(lobby.form, good[:-1] + "_") == {}
        assert places.read_place(lobby.form, "lobby") == {}
        assert places.read_place(other, good) == {}


class TestSetUp:
    NEW: dict[str, Any] = {"slug": "counter", "name": "Counter", "first_language": "de", "exit_code": "1357"}

    def test_a_place_is_added_and_changed(self, ada: Client) -> None:
        form = Form.objects.get(slug="feedback")
        added = ada.post("/settings/places/", self.NEW | {"form": form.pk, "second_language": "en"})
        assert added["Location"] == "/settings/places/counter/"
        place = Place.objects.get()
        assert (place.languages, place.is_enabled) == (["de", "en"], True)

        changed = {"name": "Counter 2", "first_language": "fr", "exit_code": "9999", "form": form.pk, "slug": "moved"}
        assert ada.post("/settings/places/counter/", changed).status_code == 302
        place.refresh_from_db()
        assert (place.slug, place.name, place.languages, place.is_enabled) == ("counter", "Counter 2", ["fr"], False)

    @pytest.mark.parametrize(
        ("wrong", "sentence"),
        [
            ({"slug": "lobby"}, "There is a place of this name already."),
            ({"slug": "a b"}, "Use letters, digits, dashes and underscores."),
            ({"exit_code": "12a4"}, "Use four to twelve digits."),
            ({"second_language": "de"}, "Choose another language than the first, or none."),
        ],
    )
    def test_what_is_wrong_is_said_and_nothing_is_saved(
        self, lobby: Place, ada: Client, wrong: dict[str, str], sentence: str
    ) -> None:
        page = ada.post("/settings/places/", self.NEW | {"form": lobby.form.pk} | wrong)

        assert page.status_code == 422
        assert sentence in page.content.decode()
        assert Place.objects.count() == 1

    def test_a_form_without_a_rating_is_no_kiosk(self, ada: Client) -> None:
        text = Definition("Words", (Question("text", "text", "What?", place="text", long=True),))
        form = surveys.create_form("words", name="Words", definition=text)
        page = ada.post("/settings/places/", self.NEW | {"form": form.pk})

        assert page.status_code == 422
        assert "asks for no rating" in page.content.decode()

    def test_a_hostile_name_is_only_a_name(self, lobby: Place, ada: Client) -> None:
        Place.objects.update(name="<script>alert(1)</script>")

        for path in ("/k/lobby/", "/settings/places/", "/settings/places/lobby/", "/settings/places/lobby/poster/"):
            assert "<script>alert" not in ada.get(path).content.decode()
