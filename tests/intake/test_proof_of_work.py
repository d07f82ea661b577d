"""Proof of work: what looks like a program's work is let in when its device has done some arithmetic, once, in time, for this form."""

import base64
import html
import json
import re
from datetime import timedelta
from typing import Any

import altcha
import pytest
from django.test import Client
from django.utils import timezone

from intake import allowances, proof_of_work, receiving, surveys
from intake.models import Form, SpentProof, Submission
from intake.proof_of_work import BadProof

pytestmark = pytest.mark.django_db


@pytest.fixture
def form() -> Form:
    return Form.objects.select_related("channel", "current").get(slug="feedback")


def solved(challenge: dict[str, Any]) -> str:
    """What proof_worker.js does."""
    found = altcha.Challenge.from_dict(challenge)
    solution = altcha.solve_challenge(found)
    assert solution
    return altcha.Payload(found, solution).to_base64()


def changed(payload: str, path: str, value: Any) -> str:
    told = json.loads(base64.b64decode(payload))
    *way, last = path.split(".")
    place = told
    for step in way:
        place = place[step]
    place[last] = value
    return base64.b64encode(json.dumps(told).encode()).decode()


def send(form: Form, *, age: timedelta = timedelta(minutes=1), **fields: str) -> Any:
    token = surveys.hand_out(form, at=timezone.now() - age).token()
    return Client().post("/f/feedback/", {"token": token, "text": "It leaks", "homepage": ""} | fields)


def challenged(thanks: str) -> tuple[dict[str, Any], str]:
    challenge = re.search(r'data-challenge="([^"]+)" data-proof="([^"]+)"', thanks)
    assert challenge, thanks
    return json.loads(html.unescape(challenge[1])), challenge[2]


def test_a_proof_lets_in_what_was_held_back(form: Form) -> None:
    sent = send(form, age=timedelta(milliseconds=500))
    assert Submission.objects.get().quarantine_reason == "too quick"
    challenge, url = challenged(Client().get(sent["Location"]).content.decode())

    assert Client().post(url, {"proof": solved(challenge)}).status_code == 204
    assert Submission.objects.get().quarantine_reason == ""
    assert "data-challenge" not in Client().get(sent["Location"]).content.decode()
    # Handed in twice, as after a time-out, it is as good as once.
    assert Client().post(url, {"proof": solved(challenge)}).status_code == 204


def test_without_a_script_it_stays_held_back_and_is_told_so_in_words(form: Form) -> None:
    thanks = Client().get(send(form, age=timedelta(0))["Location"]).content.decode()

    assert "a person looks at it before it goes to a team" in thanks
    assert Submission.objects.quarantined().count() == 1


def test_a_person_who_takes_time_is_asked_for_nothing(form: Form) -> None:
    assert "data-challenge" not in Client().get(send(form)["Location"]).content.decode()
    assert not Submission.objects.quarantined().exists()


def test_a_filled_trap_can_prove_nothing(form: Form) -> None:
    sent = send(form, homepage="https://spam.example")
    assert "data-challenge" not in Client().get(sent["Location"]).content.decode()

    url = sent["Location"] + "proof/"
    Client().post(url, {"proof": solved(proof_of_work.challenge(form, at=timezone.now()))})
    assert Submission.objects.get().quarantine_reason == "honeypot"


def test_a_page_without_its_trap_did_not_come_from_a_browser(form: Form) -> None:
    token = surveys.hand_out(form, at=timezone.now() - timedelta(minutes=1)).token()
    Client().post("/f/feedback/", {"token": token, "text": "It leaks"})

    assert Submission.objects.get().quarantine_reason == "page not as we sent it"


def test_many_at_once_are_asked_before_they_are_refused(form: Form) -> None:
    answers = [send(form).status_code for _ in range(11)]

    assert answers == [303] * 10 + [429]
    reasons = Submission.objects.order_by("pk").values_list("quarantine_reason", flat=True)
    assert list(reasons) == [""] * 7 + ["many at once"] * 3


def test_a_form_may_ask_everybody(form: Form) -> None:
    form.channel.settings = {"asks_proof": True}
    form.channel.save()
    sent = send(form)

    assert "data-challenge" in Client().get(sent["Location"]).content.decode()
    assert Submission.objects.get().quarantine_reason == "proof asked of everybody"


class TestBadProofs:
    def test_a_proof_counts_once(self, form: Form) -> None:
        at = timezone.now()
        payload = solved(proof_of_work.challenge(form, at=at))
        proof_of_work.spend(form, payload, at=at)

        with pytest.raises(BadProof, match="used before"):
            proof_of_work.spend(form, payload, at=at)

    def test_a_spent_proof_written_otherwise_is_still_spent(self, form: Form) -> None:
        at = timezone.now()
        payload = solved(proof_of_work.challenge(form, at=at))
        proof_of_work.spend(form, payload, at=at)

        with pytest.raises(BadProof):
            proof_of_work.spend(form, changed(payload, "solution.time", 7), at=at)

    def test_it_is_good_for_its_form_only(self, form: Form) -> None:
        other = surveys.create_form("other", name="Other", definition=surveys.FIRST_FORM)
        at = timezone.now()

        with pytest.raises(BadProof):
            proof_of_work.spend(other, solved(proof_of_work.challenge(form, at=at)), at=at)

    def test_it_is_good_for_ten_minutes(self, form: Form) -> None:
        at = timezone.now()
        payload = solved(proof_of_work.challenge(form, at=at))

        with pytest.raises(BadProof):
            proof_of_work.spend(form, payload, at=at + timedelta(minutes=11))

    @pytest.mark.parametrize(
        ("path", "value"),
        [
            ("challenge.parameters.expiresAt", 4_000_000_000),
            ("challenge.parameters.cost", 1),
            ("challenge.parameters.keyPrefix", ""),
            ("challenge.parameters.data", {"form": 7}),
            ("challenge.parameters.data", None),
            ("challenge.parameters", []),
            ("challenge.signature", None),
            ("challenge.signature", ""),
            ("challenge", "x"),
            ("solution.counter", 0),
            ("solution.counter", -1),
            ("solution.counter", "5"),
            ("solution.derivedKey", "00"),
            ("solution.derivedKey", None),
            ("solution", []),
        ],
    )
    def test_nothing_of_it_can_be_changed(self, form: Form, path: str, value: Any) -> None:
        at = timezone.now()
        payload = changed(solved(proof_of_work.challenge(form, at=at)), path, value)

        with pytest.raises(BadProof):
            proof_of_work.spend(form, payload, at=at)
        assert not SpentProof.objects.exists()

    @pytest.mark.parametrize("payload", ["", "x", "e30=", "bnVsbA==", "W10=", "é", "A" * 100_000, "W1tb" * 900])
    def test_what_is_no_proof_is_answered_in_words(self, form: Form, payload: str) -> None:
        sent = send(form, age=timedelta(0))
        answer = Client().post(sent["Location"] + "proof/", {"proof": payload})

        assert answer.status_code == 400
        assert "Open the page again" in answer.content.decode()
        assert Submission.objects.get().quarantine_reason == "too quick"

    def test_a_private_link_of_another_form_leads_nowhere(self, form: Form) -> None:
        surveys.create_form("other", name="Other", definition=surveys.FIRST_FORM)
        url = send(form, age=timedelta(0))["Location"].replace("/f/feedback/", "/f/other/") + "proof/"

        assert Client().post(url, {"proof": ""}).status_code == 404


def test_spent_proofs_are_forgotten_when_they_have_expired(form: Form) -> None:
    at = timezone.now()
    proof_of_work.spend(form, solved(proof_of_work.challenge(form, at=at)), at=at)

    receiving.forget_expired(at=at + timedelta(minutes=5))
    assert SpentProof.objects.exists()
    receiving.forget_expired(at=at + timedelta(minutes=11))
    assert not SpentProof.objects.exists()


PROGRAMS: dict[str, dict[str, Any]] = {
    "fills every field": {"homepage": "https://spam.example", "order": "x", "product": "x"},
    "fills the hidden one only": {"homepage": "x"},
    "fills it with a space": {"homepage": " "},
    "answers at once": {"age": timedelta(0)},
    "answers in a second": {"age": timedelta(seconds=1)},
    "fills everything at once": {"homepage": "x", "age": timedelta(0)},
    "builds its own post": {"homepage": None},
    "builds its own post at once": {"homepage": None, "age": timedelta(0)},
    "says when it wrote": {"age": timedelta(0), "written-at": "1"},
    "makes up copies": {"age": timedelta(0), "sheet-copy": "f" * 32},
}


@pytest.mark.parametrize("program", PROGRAMS)
def test_simple_programs_are_held_back(form: Form, program: str) -> None:
    fields = {"homepage": "", "text": "Buy now", "age": timedelta(minutes=1)} | PROGRAMS[program]
    token = surveys.hand_out(form, at=timezone.now() - fields.pop("age")).token()
    said = {name: value for name, value in fields.items() if value is not None}

    assert Client().post("/f/feedback/", {"token": token} | said).status_code == 303
    assert Submission.objects.quarantined().count() == 1


def test_five_hundred_people_are_not(form: Form) -> None:
    for number in range(500):
        at = timezone.now() + timedelta(seconds=number)
        strain = allowances.use_one(form.channel, f"192.0.{number // 100}.{number % 100}", at=at)
        sheet = surveys.hand_out(form, at=at - timedelta(seconds=3 + number))
        surveys.submit(sheet, {"text": "It leaks"}, at=at, strain=strain)

    assert Submission.objects.count() == 500
    assert not Submission.objects.quarantined().exists()
