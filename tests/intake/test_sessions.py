"""People in the room: nothing is taken in before they agreed, moderators stay out, and notes arrive once from any device."""

from datetime import UTC, datetime
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from feedback_portal.accounts.models import Role
from feedback_portal.refusals import BadInput
from intake import normalizing, sessions
from intake.models import FeedbackItem, Session, Submission
from intake.sessions import NoConsent, Taken
from tests.makers import make_customer, make_person

AT = datetime(2026, 3, 4, 12, tzinfo=UTC)
TALK = b"""Mina: What happened to the lid?

Ana: It came off on day two.

Uwe: Mine leaked.

Mina: And then?

Ana: {laugh}

Uwe: I called you.
"""


@pytest.fixture
def held(db: None) -> Session:
    made = sessions.begin(
        kind="focus_group", title="Lids", held_at=AT, product="H4", moderators="Mina", by=make_person("Tariq")
    )
    sessions.lay_transcript(made, name="lids.txt", content=TALK)
    return made


def agree(held: Session, **agreed: str) -> None:
    sessions.name_people(held, agreed, moderators=["Mina"], at=AT)


def said() -> list[tuple[str, str]]:
    normalizing.normalize_pending(at=AT)
    return list(FeedbackItem.objects.order_by("submission").values_list("author", "text"))


def test_nothing_is_taken_in_before_somebody_agreed(held: Session) -> None:
    with pytest.raises(NoConsent):
        sessions.take_in(held, at=AT)
    assert not Submission.objects.exists()


def test_only_those_who_agreed_are_taken_in_without_moderators_and_noises(held: Session) -> None:
    agree(held, Ana="", Mina="")
    assert sessions.take_in(held, at=AT) == Taken(created=1, left_out=5)
    assert said() == [("Ana", "It came off on day two.")]
    item = FeedbackItem.objects.get()
    assert item.context == {"session": "Lids", "question": "What happened to the lid?"}
    assert (item.product, item.is_private, item.submitted_at) == ("H4", True, AT)
    assert b"leaked" not in b"".join(bytes(row.payload) for row in Submission.objects.all())


def test_the_same_again_changes_nothing_and_another_who_agrees_is_added(held: Session) -> None:
    agree(held, Ana="")
    sessions.take_in(held, at=AT)
    assert sessions.take_in(held, at=AT).created == 0
    agree(held, Ana="", Uwe="")
    assert sessions.take_in(held, at=AT).created == 2
    assert [who for who, _ in said()] == ["Ana", "Uwe", "Uwe"]


def test_a_corrected_transcript_replaces_its_turns_and_takes_the_rest_back(held: Session) -> None:
    agree(held, Ana="", Uwe="")
    sessions.take_in(held, at=AT)
    said()
    sessions.lay_transcript(held, name="lids.txt", content=b"Mina: So?\n\nAna: It came off on day three.\n")
    later = AT.replace(hour=13)
    assert sessions.take_in(Session.objects.get(), at=later) == Taken(updated=1, left_out=1)
    assert [text for _, text in said()] == [
        "It came off on day three.",
        "Deleted by the customer.",
        "Deleted by the customer.",
    ]


def test_who_agrees_no_more_is_erased(held: Session) -> None:
    agree(held, Ana="", Uwe="")
    sessions.take_in(held, at=AT)
    said()
    agree(held, Uwe="")
    sessions.take_in(Session.objects.get(), at=AT.replace(hour=13))
    assert "It came off on day two." not in [text for _, text in said()]


def test_a_participant_who_is_a_customer_is_joined_to_them(held: Session) -> None:
    ana = make_customer("Ana")
    agree(held, Ana="ana")
    sessions.take_in(held, at=AT)
    said()
    assert FeedbackItem.objects.get().customer == ana
    with pytest.raises(BadInput, match="no customer nobody"):
        agree(held, Ana="nobody")


@pytest.mark.parametrize(("name", "content"), [("lids.pdf", TALK), ("lids.vtt", b"WEBVTT\n\n"), ("lids.docx", b"PK")])
def test_what_is_no_transcript_is_refused(held: Session, name: str, content: bytes) -> None:
    with pytest.raises(BadInput):
        sessions.lay_transcript(held, name=name, content=content)
    assert Session.objects.get().transcript_name == "lids.txt"


class TestPages:
    def test_everybody_stands_on_the_page_also_beside_a_customer(self, held: Session, tariq: Client) -> None:
        make_customer("Ana")
        agree(held, Ana="ana", Uwe="")
        sessions.take_in(held, at=AT)
        said()

        page = tariq.get(reverse("intake:session", args=[held.pk])).content.decode()
        for words in ("It came off on day two.", "Mine leaked.", "I called you."):
            assert words in page

    @pytest.fixture
    def tariq(self, held: Session) -> Client:
        client = Client()
        client.force_login(make_person("Tariq"))
        return client

    def test_a_session_is_begun_and_its_people_taken_in(self, tariq: Client) -> None:
        answer = tariq.post(
            reverse("intake:sessions"), {"kind": "visit", "title": "<b>Visit</b>", "held_at": "2026-03-04T10:00"}
        )
        url = answer["Location"]
        tariq.post(url, {"do": "transcript", "transcript": _file("talk.txt", TALK)})
        page = tariq.get(url).content.decode()
        assert "&lt;b&gt;Visit" in page
        tariq.post(url, {"do": "people", "role-0": "moderator", "role-1": "agreed", "more": "Bea"})
        answer = tariq.post(url, {"do": "take"}, follow=True)
        assert "Turns taken in: 1." in answer.content.decode()
        assert said() == [("Ana", "It came off on day two.")]

    @pytest.mark.parametrize(
        ("sent", "says"),
        [
            ({"do": "take"}, "before somebody agreed"),
            ({"do": "transcript"}, "Choose a transcript"),
            ({"do": "rubbish"}, "Press one of the buttons"),
        ],
    )
    def test_what_cannot_be_done_is_said(self, tariq: Client, held: Session, sent: Any, says: str) -> None:
        answer = tariq.post(reverse("intake:session", args=[held.pk]), sent)
        assert answer.status_code in (409, 422)
        assert says in answer.content.decode()

    def test_omar_cannot_see_it_and_lena_can(self, held: Session, client: Client) -> None:
        client.force_login(make_person("Omar"))
        assert client.get(reverse("intake:session", args=[held.pk])).status_code == 404
        assert "Lids" not in client.get(reverse("intake:sessions")).content.decode()
        client.force_login(make_person("Lena", role=Role.MANAGER))
        assert client.get(reverse("intake:session", args=[held.pk])).status_code == 200


class TestNotes:
    @pytest.fixture
    def sent(self, held: Session) -> dict[str, str]:
        client = Client()
        client.force_login(make_person("Tariq"))
        page = client.get(reverse("intake:session_notes", args=[held.pk]))
        return {"token": page.context["token"], "event": "0123456789abcdef", "speaker": "Bea", "text": "It drips."}

    def send(self, held: Session, sent: dict[str, str]) -> int:
        # No cookie: a note kept on a phone outlives the session it was written in.
        return Client().post(reverse("intake:note", args=[held.pk]), sent).status_code

    def test_a_note_sent_many_times_arrives_once(self, held: Session, sent: dict[str, str]) -> None:
        assert {self.send(held, sent) for _ in range(3)} == {303}
        assert said() == [("Bea", "It drips.")]
        assert FeedbackItem.objects.get().context["note"] == "noted by Tariq"

    @pytest.mark.parametrize(
        ("change", "status"),
        [({"token": "x"}, 404), ({"text": " "}, 400), ({"event": "1"}, 400), ({"event": "../../../../etc"}, 400)],
    )
    def test_what_is_no_note_is_refused(
        self, held: Session, sent: dict[str, str], change: dict[str, str], status: int
    ) -> None:
        assert self.send(held, sent | change) == status
        assert not Submission.objects.exists()

    def test_a_token_opens_its_own_session_only(self, held: Session, sent: dict[str, str]) -> None:
        other = sessions.begin(kind="call", title="Another", held_at=AT, by=None)
        assert self.send(other, sent) == 400


def _file(name: str, content: bytes) -> Any:
    return SimpleUploadedFile(name, content)
