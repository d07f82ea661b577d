"""The private page tells the truth from events, takes words and ratings by POST, and forgets on request."""

import json
import threading
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import IntegrityError, connection
from django.test import Client
from psycopg2 import sql

from feedback_portal.accounts.models import Team, User
from intake import receiving
from intake.connectors.base import RawItem
from intake.models import Attachment, Customer, FeedbackItem, Submission
from tests.makers import AT, actor, make_channel, make_customer, make_item, make_person, make_team, make_ticket
from triage.decisions import decide
from triage.improving import improvements, telling
from triage.models import Analysis, Event, Notification, SearchText, Ticket

pytestmark = pytest.mark.django_db

LATER = AT + timedelta(hours=3)


@pytest.fixture(autouse=True)
def _now() -> Any:
    with time_machine.travel(LATER, tick=True):
        yield


@pytest.fixture
def quality(db: None) -> Team:
    return make_team("quality")


@pytest.fixture
def priya(quality: Team) -> User:
    person = make_person("Priya", quality, make_team("logistics"))
    person.name = "Priya Raman"
    person.save()
    return person


@pytest.fixture
def ana(db: None) -> Customer:
    return make_customer("Ana")


@pytest.fixture
def ticket(quality: Team, ana: Customer) -> Ticket:
    return make_ticket("Water <b>under</b> the machine", team=quality, item_customer=ana)


def link(of: Ticket | Submission) -> str:
    submission = of.item.submission if isinstance(of, Ticket) else of
    return f"/t/{receiving.tracking_token(submission)}/"


def read(of: Ticket | Submission) -> str:
    answer = Client().get(link(of))
    assert answer.status_code == 200
    return " ".join(answer.content.decode().split())


def steps(of: Ticket) -> list[str]:
    return [step["state"] for step in Client().get(link(of)).context["steps"]]


def do(ticket: Ticket, verb: str, by: User, **arguments: Any) -> Ticket:
    return decide(ticket.reference, verb, by=actor(by), at=LATER, **arguments)


def test_what_just_arrived_was_received(db: None) -> None:
    submission = receiving.receive(make_channel(), RawItem("1", b'{"text": "x"}'), at=AT).submission

    page = read(submission)

    assert "We received your feedback." in page
    assert submission.reference in page
    assert "<textarea" not in page


def test_what_is_quarantined_reads_as_received_and_takes_nothing(client: Client) -> None:
    held = receiving.receive(make_channel(), RawItem("1", b"{}"), at=AT, quarantine="honeypot").submission

    assert "We received your feedback." in read(held)
    assert client.post(link(held) + "reply/", {"text": "hello"}).status_code == 404


def test_every_step_is_done_by_an_event(ticket: Ticket, priya: User) -> None:
    assert steps(ticket) == ["done", "now", "todo", "todo", "todo"]

    decided = do(ticket, "accept", priya)
    page = read(ticket)
    assert steps(ticket) == ["done", "done", "done", "now", "todo"]
    assert "Read by Priya" in page
    assert "Priya read your message" in page

    seal = improvements.create(by=actor(priya), at=LATER, title="secret title", team="quality", due_at="2026-04-04")
    improvements.link(seal, decided, by=actor(priya), at=LATER)
    page = read(ticket)
    assert steps(ticket) == ["done", "done", "done", "now", "todo"]
    assert "Change under way" in page
    assert "We are changing something because of it." in page
    assert "Expected 4 April" in page
    assert "secret title" not in page

    telling.ship(seal, by=actor(priya), at=LATER, public_text="Every seal is seated by hand.")
    telling.tell_pending()
    page = read(ticket)
    assert steps(ticket) == ["done"] * 5
    assert "We changed something because of what you told us." in page
    assert "Every seal is seated by hand." in page
    assert "Priya Raman, Quality" in page


def test_the_customers_words_are_shown_and_never_run(ticket: Ticket) -> None:
    page = read(ticket)

    assert "Water &lt;b&gt;under&lt;/b&gt; the machine" in page


def test_notes_tags_and_severities_stay_inside(ticket: Ticket, priya: User) -> None:
    do(ticket, "note", priya, text="He always complains")
    do(ticket, "severity", priya, value=1)
    do(ticket, "snooze", priya, until=LATER + timedelta(days=2))

    page = read(ticket)

    assert "complains" not in page
    assert "everity" not in page
    assert "noozed" not in page
    assert len(Client().get(link(ticket)).context["log"]) == 1


def test_what_was_taken_back_is_not_told(ticket: Ticket, priya: User) -> None:
    do(do(ticket, "resolve", priya, resolution="declined", reason="Too heavy"), "undo", priya)

    page = read(ticket)

    assert "Too heavy" not in page
    assert steps(ticket) == ["done", "now", "todo", "todo", "todo"]


def test_a_question_waits_for_an_answer_and_the_answer_reaches_the_ticket(
    client: Client, ticket: Ticket, priya: User
) -> None:
    do(ticket, "accept", priya)
    do(ticket, "reply", priya, text="Which batch?", wait=True)
    page = read(ticket)
    assert "We have a question for you." in page
    assert "Your answer" in page
    assert "Add something" not in page
    assert "Which batch?" in page
    assert "Send to Priya" in page

    answer = client.post(link(ticket) + "reply/", {"text": "H4-2231"}, follow=True)

    ticket.refresh_from_db()
    assert ticket.status == "open"
    assert ticket.events.get(type="customer_replied").data["text"] == "H4-2231"
    assert "We have what you added" in answer.content.decode()
    assert "H4-2231" in answer.content.decode()


@pytest.mark.parametrize("closing", [[], ["close"]])
def test_words_after_the_outcome_open_it_again(client: Client, ticket: Ticket, priya: User, closing: list[str]) -> None:
    do(ticket, "resolve", priya, resolution="answered", reason="Turn it off and on.")
    for verb in closing:
        do(ticket, verb, priya)

    client.post(link(ticket) + "reply/", {"text": "It still leaks"})

    ticket.refresh_from_db()
    assert (ticket.status, ticket.resolution) == ("open", "")
    assert "We took it up again." in read(ticket)


def test_empty_words_are_refused_and_kept(client: Client, ticket: Ticket) -> None:
    answer = client.post(link(ticket) + "reply/", {"text": " \n "})

    assert answer.status_code == 422
    assert "Write something first." in answer.content.decode()
    assert not Event.objects.filter(type="customer_replied").exists()


def test_an_outcome_can_be_rated_and_rated_again(client: Client, ticket: Ticket, priya: User) -> None:
    assert client.post(link(ticket) + "rate/", {"value": "4"}).status_code == 409
    do(ticket, "resolve", priya, resolution="answered")

    client.post(link(ticket) + "rate/", {"value": "3"})
    client.post(link(ticket) + "rate/", {"value": "5"})

    assert list(ticket.events.filter(type="score").order_by("id").values_list("data__value", "source")) == [
        (3, "customer"),
        (5, "customer"),
    ]
    ticket.refresh_from_db()
    assert ticket.status == "resolved"
    assert Client().get(link(ticket)).context["rating"]["value"] == 5


def test_a_bad_rating_opens_it_again(client: Client, ticket: Ticket, priya: User) -> None:
    do(ticket, "resolve", priya, resolution="answered")

    client.post(link(ticket) + "rate/", {"value": "2"})

    ticket.refresh_from_db()
    assert ticket.status == "open"
    assert list(ticket.events.order_by("id").values_list("type", flat=True))[-2:] == ["score", "reopened"]


@pytest.mark.parametrize("value", ["0", "6", "", "five", "9" * 5000, "٣"])
def test_only_one_to_five_is_a_rating(client: Client, ticket: Ticket, priya: User, value: str) -> None:
    do(ticket, "resolve", priya, resolution="answered")

    assert client.post(link(ticket) + "rate/", {"value": value}).status_code == 400
    assert not Event.objects.filter(type="score").exists()


def test_a_duplicate_ends_as_its_original_does(quality: Team, priya: User, ana: Customer) -> None:
    original = make_ticket("First", team=quality)
    voice = make_ticket("Second", team=quality, item_customer=ana)
    do(voice, "merge", priya, original=original.reference)
    assert "Others told us the same." in read(voice)
    assert steps(voice) == ["done", "done", "done", "now", "todo"]

    do(original, "resolve", priya, resolution="shipped", reason="The seal is new.")

    page = read(voice)
    assert "We changed something because of what you told us." in page
    assert "The seal is new." in page
    assert "First" not in page
    assert steps(voice)[-1] == "done"


def test_reading_changes_nothing_and_acting_needs_a_post(client: Client, ticket: Ticket, priya: User) -> None:
    do(ticket, "resolve", priya, resolution="answered")

    def rows() -> tuple[int, int]:
        return Event.objects.count(), Ticket.objects.get(pk=ticket.pk).version

    before = rows()
    for address in ("", "export/"):
        assert client.get(link(ticket) + address).status_code == 200
        assert client.head(link(ticket) + address).status_code == 200
    for address in ("reply/", "rate/", "mail/", "delete/"):
        assert client.get(link(ticket) + address).status_code == 405
        assert client.head(link(ticket) + address).status_code == 405
    assert client.post(link(ticket)).status_code == 405

    assert rows() == before


def test_the_link_is_kept_secret(ticket: Ticket) -> None:
    answer = Client().get(link(ticket))

    assert answer["Cache-Control"] == "no-store"
    assert answer["Referrer-Policy"] == "no-referrer"
    assert answer["X-Robots-Tag"] == "noindex"
    assert 'name="robots" content="noindex"' in answer.content.decode()


def test_a_guessed_link_reads_the_same_in_development(client: Client, settings) -> None:  # type: ignore[no-untyped-def]
    elsewhere = client.get("/t/guessed/").content
    settings.DEBUG = True

    assert client.get("/t/guessed/").content == elsewhere
    assert b"There is nothing at this address" in elsewhere


def test_unknown_expired_and_revoked_links_are_one_same_404(client: Client, ticket: Ticket) -> None:
    token = link(ticket)
    unknown = client.get("/t/" + "x" * 43 + "/")
    with time_machine.travel(AT + timedelta(days=181)):
        expired = client.get(token)
    client.post(token + "delete/")
    revoked = client.get(token)

    assert unknown.status_code == expired.status_code == revoked.status_code == 404
    assert unknown.content == expired.content == revoked.content
    for verb in ("reply/", "rate/", "mail/", "delete/"):
        assert client.post(token + verb, {"text": "x", "value": "5"}).status_code == 404
    assert client.get(token + "export/").status_code == 404


def test_the_link_alone_is_the_right_to_act(ticket: Ticket, priya: User) -> None:
    """A browser names no origin when it sends no referrer, so a check of it would refuse every customer."""
    do(ticket, "resolve", priya, resolution="answered")
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(priya)

    assert not Client().get(link(ticket)).cookies
    for address, fields in (("rate/", {"value": "4"}), ("reply/", {"text": "Hello"}), ("mail/", {"wanted": "no"})):
        assert strict.post(link(ticket) + address, fields, headers={"Origin": "null"}).status_code == 302


def test_one_address_may_write_only_so_often(client: Client, ticket: Ticket) -> None:
    answers = [client.post(link(ticket) + "reply/", {"text": f"Word {number}"}).status_code for number in range(12)]

    assert answers[:10] == [302] * 10
    assert 429 in answers[10:]
    assert Client().get(link(ticket)).status_code == 200, "reading goes on"


def test_mails_are_switched_off_and_on(client: Client, ticket: Ticket, ana: Customer, priya: User) -> None:
    do(ticket, "reply", priya, text="Hello")
    assert Notification.objects.count() == 1

    assert "Send me no more mails" in read(ticket)
    client.post(link(ticket) + "mail/", {"wanted": "no"})
    do(ticket, "resolve", priya, resolution="answered")

    ana.refresh_from_db()
    assert ana.opted_out_at is not None
    assert not Notification.objects.exists(), "what waited is dropped, and nothing new is written"
    assert "Write to me again" in read(ticket)
    client.post(link(ticket) + "mail/", {"wanted": "yes"})
    ana.refresh_from_db()
    assert ana.opted_out_at is None


def test_the_customer_gets_their_own_data_and_nobody_elses(ticket: Ticket, quality: Team, priya: User) -> None:
    make_ticket("CANARY", team=quality, item_customer=make_customer("Bo"))
    do(ticket, "note", priya, text="INTERNAL")
    do(ticket, "reply", priya, text="Which batch?")

    answer = Client().get(link(ticket) + "export/")
    told = json.loads(answer.content)

    assert answer["Content-Disposition"].startswith("attachment")
    assert told["text"] == "Water <b>under</b> the machine"
    assert told["customer"]["email"] == "ana@customers.example"
    assert [event["type"] for event in told["events"]] == ["reply"]
    assert told["mails"][0]["to"] == "ana@customers.example"
    for secret in ("CANARY", "INTERNAL", "bo@customers.example"):
        assert secret not in answer.content.decode()


@pytest.mark.django_db(transaction=True)
class TestDeleting:
    CANARY = "canary-7319"

    @pytest.fixture
    def told(self) -> Ticket:
        quality = make_team("quality")
        customer = make_customer(f"Ana {self.CANARY}", language="en")
        submission = receiving.receive(
            make_channel(), RawItem("T-1", f'{{"text": "{self.CANARY}"}}'.encode(), headers={"x": self.CANARY}), at=AT
        ).submission
        receiving.receive(make_channel(), RawItem("T-1", f"other {self.CANARY}".encode()), at=AT)
        item = FeedbackItem.objects.create(
            submission=submission,
            channel=submission.channel,
            customer=customer,
            title=self.CANARY,
            text=f"My name is {self.CANARY}",
            excerpt=f"My name is {self.CANARY}",
            url=f"https://example.com/{self.CANARY}",
            context={"order": self.CANARY},
            rating_scale="csat5",
            rating_value=1,
            submitted_at=AT,
            received_at=AT,
            may_contact=True,
        )
        Attachment.objects.create(
            submission=submission,
            name=f"{self.CANARY}.png",
            content_type="image/png",
            size=1,
            sha256=b"x",
            stored_as=default_storage.save("attachments/a", ContentFile(self.CANARY.encode())),
        )
        Analysis.objects.create(item=item, evidence={"language": [{"reason": self.CANARY}]})
        SearchText.objects.create(item=item, document=self.CANARY)
        seen = {"rule": "R", "matched": True, "conditions": [{"field": "text", "seen": self.CANARY}]}
        ticket = make_ticket(
            team=quality,
            item=item,
            explanation={"by": "rule", "rule": "R", "topic": None, "reason": "R.", "held": [seen]},
        )
        priya = make_person("Priya", quality)
        do(ticket, "note", priya, text=f"Call {self.CANARY}")
        do(ticket, "reply", priya, text=f"Dear {self.CANARY}")
        do(ticket, "route", priya, team="quality")
        Client().post(link(ticket) + "reply/", {"text": f"Yours, {self.CANARY}"})
        do(ticket, "resolve", priya, resolution="declined", reason=f"Sorry, {self.CANARY}")
        do(ticket, "reopen", priya, reason=f"{self.CANARY} rang")
        do(ticket, "resolve", priya, resolution="declined", reason=f"Sorry again, {self.CANARY}")
        Notification.objects.filter(kind="reply").update(completed_at=LATER)
        return ticket

    def everything(self) -> str:
        """Each row of each table, as text."""
        with connection.cursor() as cursor:
            cursor.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
            tables = [row[0] for row in cursor.fetchall()]
            dump = []
            for table in tables:
                cursor.execute(sql.SQL("SELECT row_to_json(t)::text FROM {} t").format(sql.Identifier(table)))
                dump += [row[0] for row in cursor.fetchall()]
            cursor.execute("SELECT convert_from(payload, 'UTF8') || coalesce(convert_from(conflicting_payload, 'UTF8'), '')"
                           " FROM intake_submission")  # fmt: skip
            dump += [row[0] for row in cursor.fetchall()]
        return "\n".join(dump)

    def test_nothing_of_the_person_is_left_and_everything_stays_counted(self, client: Client, told: Ticket) -> None:
        assert self.CANARY in self.everything()
        kinds = list(Event.objects.order_by("id").values_list("type", "occurred_at"))
        stored = Attachment.objects.get().stored_as

        answer = client.post(link(told) + "delete/")

        assert answer.status_code == 200
        assert "Your feedback is deleted" in answer.content.decode()
        assert self.CANARY not in self.everything()
        assert not default_storage.exists(stored)
        assert list(Event.objects.order_by("id").values_list("type", "occurred_at"))[:-1] == kinds
        item = FeedbackItem.objects.get()
        assert (item.rating_value, item.received_at, item.customer.erased_at is not None) == (1, AT, True)
        assert Ticket.objects.get().resolution == "declined"

    def test_it_is_not_taken_in_again(self, client: Client, told: Ticket) -> None:
        client.post(link(told) + "delete/")

        again = receiving.receive(make_channel(), RawItem("T-1", f'{{"text": "{self.CANARY}"}}'.encode()), at=AT)

        assert not again.is_new
        assert self.CANARY not in self.everything()

    def test_what_the_same_person_said_elsewhere_stays(self, client: Client, told: Ticket) -> None:
        other = make_item("Another thing", customer=Customer.objects.get())

        client.post(link(told) + "delete/")

        other.refresh_from_db()
        assert other.text == "Another thing"
        assert Customer.objects.get().email != ""
        assert FeedbackItem.objects.get(pk=told.item_id).customer is None

    def test_events_are_append_only_again_afterwards(self, client: Client, told: Ticket) -> None:
        client.post(link(told) + "delete/")

        with pytest.raises(IntegrityError):
            Event.objects.all().delete()


@pytest.mark.django_db(transaction=True)
def test_a_customer_is_never_told_that_somebody_was_quicker() -> None:
    ticket = make_ticket(team=make_team("quality"))
    address = link(ticket)
    answers: list[int] = []
    start = threading.Barrier(8)

    def write(number: int) -> None:
        start.wait()
        answers.append(Client().post(address + "reply/", {"text": f"Word {number}"}).status_code)
        connection.close()

    threads = [threading.Thread(target=write, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert answers == [302] * 8
    assert Event.objects.filter(type="customer_replied").count() == 8
