"""What customers are told: only those who asked, never more than a few, in safe words, at least once and under one id."""

import socket
from collections.abc import Iterator
from datetime import datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django import Settings

from feedback_portal.accounts.models import Team, User
from feedback_portal.pending import MAX_ATTEMPTS
from intake import receiving
from intake.models import Customer, FeedbackItem, Submission
from tests.makers import actor, make_customer, make_item, make_person, make_team, make_ticket
from triage import notifications
from triage.decisions import decide
from triage.models import ChangedDay, Event, Notification, Ticket
from triage.notifications import deliver_pending, write_receipts

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 3, 4, 12, tzinfo=timezone.get_fixed_timezone(0))
HOSTILE = "Click http://evil.example to win"


@pytest.fixture
def quality(db: None) -> Team:
    return make_team("quality")


@pytest.fixture
def priya(quality: Team) -> User:
    return make_person("Priya", quality)


@pytest.fixture
def ana(db: None) -> Customer:
    return make_customer("Ana")


def mails() -> list[Notification]:
    return list(Notification.objects.order_by("pk"))


def do(ticket: Ticket, verb: str, by: User, **arguments: Any) -> Ticket:
    return decide(ticket.reference, verb, by=actor(by), at=NOW, **arguments)


def loaded(*items: FeedbackItem) -> list[FeedbackItem]:
    return list(
        FeedbackItem.objects.select_related("customer", "submission").filter(pk__in=[item.pk for item in items])
    )


class TestReceipts:
    def test_a_receipt_says_what_happens_next_and_nothing_its_sender_typed(self, db: None) -> None:
        mallory = make_customer("Mallory", email="victim@example.com")
        Customer.objects.update(name=HOSTILE)
        item = make_item(HOSTILE, at=NOW, customer=mallory, title=HOSTILE)

        write_receipts(loaded(item), at=NOW)

        (mail,) = mails()
        assert (mail.recipient, mail.kind) == ("victim@example.com", "receipt")
        assert item.reference in mail.body
        assert receiving.tracking_url(item.submission) in mail.body
        assert "evil" not in mail.subject + mail.body
        assert mail.next_attempt_at <= timezone.now(), "a receipt waits for nothing"

    @pytest.mark.parametrize(
        ("customer", "item"),
        [
            ({}, {"may_contact": False}),
            ({"email": ""}, {}),
            ({"opted_out_at": NOW}, {}),
            ({"erased_at": NOW}, {}),
            ({"email": "feedback@127.0.0.1"}, {}),
        ],
        ids=["did not ask", "no address", "opted out", "erased", "our own address"],
    )
    def test_nobody_else_is_written_to(self, settings: Settings, customer: Any, item: Any, db: None) -> None:
        settings.DEFAULT_FROM_EMAIL = "Feedback <feedback@127.0.0.1>"
        who = make_customer("Ana")
        Customer.objects.update(**customer)
        who.refresh_from_db()

        write_receipts(loaded(make_item(at=NOW, customer=who, **item)), at=NOW)

        assert mails() == []

    def test_who_took_their_words_back_hears_no_more_of_them(self, ana: Customer) -> None:
        item = make_item(at=NOW, customer=ana)
        Submission.objects.filter(pk=item.submission_id).update(gone_at=NOW)

        write_receipts(loaded(item), at=NOW)

        assert mails() == []

    def test_a_sender_nobody_knows_gets_none(self, db: None) -> None:
        write_receipts(loaded(make_item(at=NOW)), at=NOW)

        assert mails() == []

    def test_an_address_gets_one_an_hour_and_three_a_day(self, ana: Customer) -> None:
        for minutes in range(0, 24 * 60, 20):
            moment = NOW + timedelta(minutes=minutes)
            write_receipts(loaded(make_item(at=moment, customer=ana)), at=moment)
            Notification.objects.filter(created_at__gt=moment + timedelta(days=1)).update(created_at=moment)

        sent = [mail.created_at for mail in mails()]
        assert sent == [NOW, NOW + timedelta(hours=1), NOW + timedelta(hours=2)]

    def test_many_at_once_for_one_address_are_one(self, ana: Customer) -> None:
        write_receipts(loaded(*(make_item(at=NOW, customer=ana) for _ in range(5))), at=NOW)

        assert len(mails()) == 1

    def test_what_was_imported_from_long_ago_gets_none(self, ana: Customer) -> None:
        write_receipts(loaded(make_item(at=NOW - timedelta(days=3), customer=ana)), at=NOW)

        assert mails() == []

    def test_the_same_items_again_change_nothing(self, ana: Customer) -> None:
        items = loaded(make_item(at=NOW, customer=ana))

        write_receipts(items, at=NOW)
        write_receipts(items, at=NOW + timedelta(hours=2))

        assert len(mails()) == 1

    def test_a_batch_of_200_costs_as_much_as_one_of_2(self, db: None) -> None:
        def cost(number: int) -> int:
            items = loaded(*(make_item(at=NOW, customer=make_customer(f"c{number}-{n}")) for n in range(number)))
            with CaptureQueriesContext(connection) as queries:
                write_receipts(items, at=NOW)
            return len(queries)

        assert cost(2) == cost(200)


class TestWords:
    def test_a_reply_carries_the_persons_words_and_waits_ten_seconds(
        self, quality: Team, priya: User, ana: Customer
    ) -> None:
        ticket = make_ticket(team=quality, item_customer=ana)

        do(ticket, "reply", priya, text="Which <batch> & when?")

        (mail,) = mails()
        assert "Which <batch> & when?" in mail.body, "a plain text is not escaped"
        assert mail.body.startswith("Hello Ana,")
        assert "Priya of" in mail.body
        assert timezone.now() < mail.next_attempt_at <= timezone.now() + notifications.SEND_DELAY

    @pytest.mark.parametrize(
        "name", [HOSTILE, "evil.example", "a@b.example", "Ana\nBcc: x", "x" * 80 + " 1", "Ana: 50% off"]
    )
    def test_a_name_that_is_no_name_is_left_out(self, quality: Team, priya: User, ana: Customer, name: str) -> None:
        Customer.objects.update(name=name)

        do(make_ticket(team=quality, item_customer=Customer.objects.get()), "reply", priya, text="Hi")

        assert mails()[0].body.startswith("Hello,")

    @pytest.mark.parametrize("name", ["Ana", "Ana María O'Brien-Lund", "J. Smith", "Ana Smith Jr.", "Ольга", "美咲"])
    def test_a_name_is_greeted_in_any_script(self, quality: Team, priya: User, ana: Customer, name: str) -> None:
        Customer.objects.update(name=name)

        do(make_ticket(team=quality, item_customer=Customer.objects.get()), "reply", priya, text="Hi")

        assert mails()[0].body.startswith(f"Hello {name},")

    def test_an_outcome_is_told_with_its_reason_to_every_merged_voice(
        self, quality: Team, priya: User, ana: Customer
    ) -> None:
        original = make_ticket(team=quality, item_customer=ana)
        copies = [make_ticket(team=quality, item_customer=make_customer(f"Bo{number}")) for number in range(3)]
        for copy in copies:
            do(copy, "merge", priya, original=original.reference)

        do(original, "resolve", priya, resolution="declined", reason="It would weigh 4 kg more.")

        told = mails()
        assert {mail.recipient for mail in told} == {ana.email, *(f"bo{n}@customers.example" for n in range(3))}
        for mail, voice in zip(told, [original, *copies], strict=True):
            assert "It would weigh 4 kg more." in mail.body
            assert receiving.tracking_url(voice.item.submission) in mail.body, "each to their own page"

    def test_taking_back_withdraws_only_the_messages_of_that_decision(
        self, quality: Team, priya: User, ana: Customer
    ) -> None:
        ticket = make_ticket(team=quality, item_customer=ana)
        do(ticket, "reply", priya, text="First")
        of_version_30 = f"reply:{ticket.pk}:{ticket.pk}:30"
        Notification.objects.update(once_key=of_version_30)
        do(ticket, "reply", priya, text="Second, by which the ticket is in version 3")

        do(ticket, "undo", priya)

        assert [mail.once_key for mail in mails()] == [of_version_30]


class Server:
    """A mail server that refuses what it is told to."""

    def __init__(self) -> None:
        self.got: list[tuple[str, EmailMessage]] = []
        self.refuse_recipient = self.refuse_data = self.refuse_sender = ""

    async def handle_MAIL(self, server: SMTP, session: Session, envelope: Envelope, address: str, options: Any) -> str:
        if self.refuse_sender and address == "<>":
            return self.refuse_sender
        envelope.mail_from = address
        return "250 OK"

    async def handle_RCPT(self, server: SMTP, session: Session, envelope: Envelope, address: str, options: Any) -> str:
        if self.refuse_recipient and address.startswith("gone"):
            return self.refuse_recipient
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        if self.refuse_data:
            return self.refuse_data
        content = envelope.content
        assert isinstance(content, bytes)
        message = message_from_bytes(content, policy=policy.default)
        assert isinstance(message, EmailMessage)
        self.got.append((envelope.mail_from or "", message))
        return "250 OK"


@pytest.mark.django_db(transaction=True)
class TestDelivery:
    @pytest.fixture
    def server(self, settings: Settings) -> Iterator[Server]:
        server = Server()
        port = _free_port()
        controller = Controller(server, hostname="127.0.0.1", port=port)
        controller.start()
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", port
        yield server
        controller.stop()

    @pytest.fixture
    def receipt(self, db: None) -> Notification:
        now = timezone.now()
        write_receipts(loaded(make_item(at=now, customer=make_customer("Ana"))), at=now)
        return Notification.objects.get()

    def make_due(self) -> None:
        Notification.objects.update(next_attempt_at=timezone.now() - timedelta(seconds=1))

    def test_a_receipt_arrives_in_the_manner_of_automatic_mail(self, server: Server, receipt: Notification) -> None:
        assert deliver_pending().as_dict() == {"done": 1, "retried": 0, "parked": 0}

        ((sender, message),) = server.got
        assert sender == "<>", "a bounce of it comes back to nobody"
        assert message["To"] == "ana@customers.example"
        assert message["Auto-Submitted"] == "auto-replied"
        assert str(receipt.public_id) in message["Message-ID"]
        assert message["List-Unsubscribe"].strip() == f"<{receiving.tracking_url(receipt.item.submission)}>"
        assert receipt.body.splitlines() == message.get_content().splitlines()
        event = Event.objects.get(type="receipt")
        assert (event.item, event.source) == (receipt.item, "system")
        assert ChangedDay.objects.exists()
        assert deliver_pending().done == 0, "once is enough"

    def test_a_server_that_insists_on_a_sender_gets_ours(self, server: Server, receipt: Notification) -> None:
        server.refuse_sender = "501 5.1.7 Invalid address"

        assert deliver_pending().done == 1

        assert server.got[0][0].startswith("feedback@")

    def test_a_reply_is_no_automatic_mail(self, server: Server) -> None:
        quality = make_team("quality")
        ticket = make_ticket(team=quality, item_customer=make_customer("Ana"))
        do(ticket, "reply", make_person("Priya", quality), text="Grüße 你好")
        self.make_due()

        deliver_pending()

        ((sender, message),) = server.got
        assert sender.startswith("feedback@")
        assert "Auto-Submitted" not in message
        assert "Grüße 你好" in message.get_content()

    def test_telling_the_outcome_is_an_event_of_the_item(self, server: Server) -> None:
        quality = make_team("quality")
        ticket = make_ticket(team=quality, item_customer=make_customer("Ana"))
        do(ticket, "resolve", make_person("Priya", quality), resolution="answered")
        assert deliver_pending().done == 0, "it can be taken back for ten seconds"
        self.make_due()

        deliver_pending()

        assert Event.objects.get(type="customer_told").ticket == ticket

    def test_an_address_that_is_refused_for_good_is_parked_and_the_others_arrive(self, server: Server) -> None:
        now = timezone.now()
        people = [make_customer(name) for name in ("gone", "Ana", "Bo")]
        write_receipts(loaded(*(make_item(at=now, customer=who) for who in people)), at=now)
        server.refuse_recipient = "550 5.1.1 No such user"

        assert deliver_pending().as_dict() == {"done": 2, "retried": 0, "parked": 1}

        parked = Notification.objects.parked().get()
        assert "550 5.1.1 No such user" in parked.last_error
        assert parked.attempts == 1
        assert {str(message["To"]) for _, message in server.got} == {"ana@customers.example", "bo@customers.example"}
        assert Event.objects.filter(type="receipt").count() == 2

    def test_a_refusal_for_now_is_tried_again_under_the_same_id(self, server: Server, receipt: Notification) -> None:
        server.refuse_data = "451 4.3.0 Try later"
        assert deliver_pending().retried == 1
        receipt.refresh_from_db()
        assert receipt.next_attempt_at > timezone.now()

        server.refuse_data = ""
        self.make_due()
        assert deliver_pending().done == 1
        assert str(receipt.public_id) in server.got[0][1]["Message-ID"]

    def test_a_message_that_is_refused_for_good_is_parked(self, server: Server, receipt: Notification) -> None:
        server.refuse_data = "554 5.7.1 Looks like spam"

        assert deliver_pending().parked == 1

    def test_a_server_that_is_down_costs_one_attempt_and_no_error(
        self, settings: Settings, receipt: Notification
    ) -> None:
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", _free_port()

        assert deliver_pending().as_dict() == {"done": 0, "retried": 1, "parked": 0}
        for _ in range(MAX_ATTEMPTS):
            self.make_due()
            deliver_pending()

        receipt.refresh_from_db()
        assert receipt.parked_at is not None
        assert "refused" in receipt.last_error.lower()

    def test_nothing_due_opens_no_connection(self, settings: Settings, db: None) -> None:
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", _free_port()

        assert deliver_pending().as_dict() == {"done": 0, "retried": 0, "parked": 0}

    def test_what_customers_wrote_is_not_read_to_deliver(self, server: Server, receipt: Notification) -> None:
        with CaptureQueriesContext(connection) as queries:
            deliver_pending()

        assert not [query for query in queries if '"payload"' in query["sql"] or '"text"' in query["sql"]]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
