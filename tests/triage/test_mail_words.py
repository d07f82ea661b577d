"""What mails are made of: to customers not a byte that any customer typed, to staff only lines of it that can do nothing, and never in
a header. Whatever mail there is stands in a table here; a new one fails until it does."""

import ast
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.message import Message
from itertools import count
from typing import Any

import pytest
from django.core import mail
from django.db.models import CharField, JSONField, Model, TextField
from django.test.signals import template_rendered
from django.utils import timezone

from feedback_portal.accounts.models import Team, User
from feedback_portal.accounts.permissions import Actor
from feedback_portal.local.paths import PROJECT
from intake import normalizing, receiving
from intake.connectors import mails
from intake.connectors.base import RawItem
from intake.models import Account, Customer, FeedbackItem
from kpis import digests
from kpis.models import SavedDashboard, Signal
from tests.kpis.conftest import season
from tests.makers import AT, actor, make_channel, make_customer, make_item, make_person, make_team, make_ticket
from tests.shared_world import rows_that_last
from triage import decisions, notifications, pipeline
from triage.connecting import announcing
from triage.desk import saved, snippets
from triage.improving import checking, improvements, telling
from triage.lifecycle import Resolution
from triage.models import Action, Notice, Notification, Preferences, SavedView, Subscriber, Subscription, Theme, Ticket
from triage.telling import notices

pytestmark = pytest.mark.django_db

MORNING = datetime(2026, 3, 5, 8, tzinfo=UTC)
TURNING = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_numbers = count(1)


def hostile(label: str) -> str:
    """What nobody should find in a mail: every word of it begins with the label, so that each can be told from ours."""
    return (
        f"{label}a\r\nBcc: {label}b@evilhost.test\r\n\r\n<a href=//{label}c.evilhost.test onclick={label}d()>{label}e</a>"
        f" \u202e{label}f\u2066 https://{label}g.evilhost.test/?{label}h %(organisation)s {{{{ {label}i }}}} {{organisation}}"
    )


def harmless(label: str) -> str:
    return "1 lid"


@dataclass
class Mailed:
    """The mails of one row of the table, as they would go over the wire, and the templates they were drawn from."""

    messages: list[Message]
    templates: set[str] = field(default_factory=set)


@dataclass
class Town:
    """Two teams, one who decides, and customers whose every text says what `words` says."""

    words: Callable[[str], str]
    quality: Team
    logistics: Team
    priya: User

    @property
    def by(self) -> Actor:
        return actor(self.priya)

    def customer(self) -> Customer:
        row = make_customer(f"c{next(_numbers)}", account=Account.objects.create(external_id=f"a{next(_numbers)}"))
        self.fill(row, keep={"email", "external_id"})
        return row

    def item(self, *, at: datetime = AT) -> FeedbackItem:
        row = make_item(self.words("text"), at=at, customer=self.customer(), title=self.words("title")[:300])
        self.fill(row, keep={"rating_scale"})
        self.fill(row.submission, keep={"external_id", "tracking_hash", "quarantine_reason", "ignored_reason"})
        return FeedbackItem.objects.select_related("customer", "submission").get(pk=row.pk)

    def ticket(self, *, at: datetime = AT, **fields: Any) -> Ticket:
        return make_ticket(team=self.quality, item=self.item(at=at), **fields)

    def fill(self, row: Model, *, keep: set[str]) -> None:
        """Whatever text this row can hold is theirs, also what is added to it one day."""
        texts: dict[str, Any] = {}
        for column in row._meta.get_fields():
            if column.name in keep:
                continue
            if isinstance(column, CharField | TextField):
                texts[column.name] = self.words(f"qz{column.name[:6]}")[: getattr(column, "max_length", None) or 5000]
            elif isinstance(column, JSONField):
                texts[column.name] = {self.words("qzkey"): self.words("qzvalue")}
        type(row)._default_manager.filter(pk=row.pk).update(**texts)

    def theme(self) -> Theme:
        growth = {"count": 9, "window": 7, "expected": 1.0}
        return Theme.objects.create(
            name=self.words("qztheme")[:160], state_at=AT, first_at=AT, last_at=AT, growth=growth
        )

    def do(self, ticket: Ticket, verb: str, **arguments: Any) -> None:
        decisions.decide(ticket.reference, verb, by=self.by, at=AT, **arguments)


def receipt(town: Town) -> None:
    at = timezone.now()
    notifications.write_receipts([town.item(at=at)], at=at)


def reply(town: Town) -> None:
    ticket = town.ticket()
    decisions.hear(ticket, at=AT, text=town.words("heard"))
    town.do(ticket, "reply", text="Which batch?")


def resolution(town: Town) -> None:
    for outcome in notifications.SENTENCES:
        if outcome != Resolution.DUPLICATE:
            town.do(town.ticket(), "resolve", resolution=outcome, reason="It would weigh more.")
    original, copy, together = town.ticket(), town.ticket(), town.ticket()
    town.do(copy, "merge", original=original.reference)
    town.do(original, "resolve", resolution="answered", reason="See above.")
    other = make_ticket(team=town.logistics, item=together.item)
    for part in (together, other):
        town.do(part, "resolve", resolution="answered", reason="Both of us looked.")


def _shipped(town: Town) -> Action:
    action = improvements.create(
        by=town.by, at=AT, title=town.words("qztitle")[:160], problem=town.words("qzproblem"), team=town.quality.slug
    )
    improvements.link(action, town.ticket(), by=town.by, at=AT)
    return improvements.ship(action, by=town.by, at=AT, public_text="The seal is glued.")


def change(town: Town) -> None:
    telling.approve(_shipped(town), by=town.by, at=AT, texts={"": "The seal is glued."})
    telling.tell_pending()


def still_fixed(town: Town) -> None:
    change(town)
    _sent()
    telling.ask_again(at=AT + timedelta(days=29))
    telling.tell_pending()


def waiting_notices(town: Town) -> None:
    ticket, action = town.ticket(assignee=town.priya), _shipped(town)
    ticket.refresh_from_db()
    omar = actor(make_person("Omar", town.quality))
    notices.tell_mentioned(ticket, f"@priya {town.words('noted')}", by=omar, at=MORNING)
    notices.tell_assigned(ticket, town.priya, by=omar, at=MORNING)
    notices.tell_answered(ticket, who=town.words("qzwho"), at=MORNING)
    notices.tell_late([(town.priya.pk, ticket)], at=MORNING)
    Notice.objects.create(
        person=town.priya, kind=Notice.Kind.ACTION_DUE, action=action, once_key=f"due:{action.pk}", happened_at=MORNING
    )
    Preferences.objects.update_or_create(person=town.priya, defaults={"mailed": list(Notice.Kind.values)})
    town.priya.refresh_from_db()
    Notice.objects.update(happened_at=MORNING)
    notices.mail_due(at=MORNING)


def view_digest(town: Town) -> None:
    team = make_team(f"digests-{next(_numbers)}")
    make_person("Priya", team)
    make_ticket(team=team, item=town.item())
    view = SavedView.objects.create(owner=town.priya, name="Lids", query=f"team:{team.slug}", tab="all")
    Subscription.objects.create(person=town.priya, view=view, every=Subscription.Every.DAY)
    saved.send_due(at=MORNING)
    view.delete()


def webhook_off(town: Town) -> None:
    row = Subscriber.objects.create(
        name="CRM", url="https://crm.test/hook", kinds=["ticket.noted"], created_by=town.priya
    )
    announcing.switch_off(row, because="It is gone (410).")


def reopened(town: Town) -> None:
    action, theme = _shipped(town), town.theme()
    Action.objects.filter(pk=action.pk).update(step=Action.Step.CHECK, effective_from=AT.date(), owner=town.priya)
    action.theme_links.create(theme=theme, linked_at=AT)
    assert checking.reopen_for([theme], at=AT + timedelta(days=9))


def kpi_digest(town: Town) -> None:
    day = AT.date()
    Signal.objects.all().delete()
    SavedDashboard.objects.all().delete()
    Signal.objects.create(
        key="theme:1", kind="rise", name=town.words("qzsignal")[:120], first_week=day, last_week=day, count=58, expected=20,
        weeks=[{"week": day.isoformat(), "count": 58, "expected": 20, "p": 0.0001, "window": 1}], raised_at=AT, seen_at=AT,
    )  # fmt: skip
    kept = SavedDashboard.objects.create(person=make_person("Lena", role="manager"), name="All", is_mailed=True)
    digests.digest(kept, week=day, at=timezone.now()).send()


TO_CUSTOMERS: dict[str, Callable[[Town], None]] = {
    "receipt": receipt,
    "reply": reply,
    "resolution": resolution,
    "change": change,
    "still_fixed": still_fixed,
}
TO_STAFF: dict[str, Callable[[Town], None]] = {
    "notices": waiting_notices,
    "view digest": view_digest,
    "webhook off": webhook_off,
    "reopened": reopened,
    "kpi digest": kpi_digest,
}
WRITTEN_IN = {
    "triage.notifications": "TO_CUSTOMERS, and the rows that write_to_staff makes for others",
    "triage.improving.checking": "reopened",
    "triage.telling.notices": "notices",
    "triage.desk.saved": "view digest",
    "triage.connecting.announcing": "webhook off",
    "kpis.digests": "kpi digest",
}
"""Modules that make a mail, and which row shows it."""


def _sent() -> list[Message]:
    """What goes out now."""
    Notification.objects.filter(completed_at=None).update(next_attempt_at=AT)
    notifications.deliver_pending()
    sent, mail.outbox[:] = [message.message() for message in mail.outbox], []
    return sent


def _mailed(make: Callable[[Town], None], town: Town) -> Mailed:
    templates: set[str] = set()

    def drawn(template: Any, **kwargs: Any) -> None:
        templates.add(template.name)

    template_rendered.connect(drawn)
    try:
        make(town)
        sent = _sent()
    finally:
        template_rendered.disconnect(drawn)
    return Mailed(sent, templates)


@pytest.fixture(scope="module")
def mailed(django_db_setup: None, django_db_blocker: Any) -> dict[tuple[str, bool], Mailed]:
    """Every mail twice: about customers who say nothing special, and about those who try everything."""
    with rows_that_last(django_db_blocker), django_db_blocker.unblock():
        quality, logistics = make_team("quality"), make_team("logistics")
        priya = make_person("Priya", quality, logistics)
        season(1)
        found = {}
        for words in (harmless, hostile):
            town = Town(words, quality, logistics, priya)
            for name, make in (TO_CUSTOMERS | TO_STAFF).items():
                # A new day for the readers of digests, who get one a day.
                Notification.objects.filter(kind=Notification.Kind.STAFF).delete()
                found[name, words is hostile] = _mailed(make, town)
    return found


class TestTheTable:
    def test_it_has_every_kind_of_mail_and_every_one_of_them_is_made(
        self, mailed: dict[tuple[str, bool], Mailed]
    ) -> None:
        assert set(TO_CUSTOMERS) | {"staff"} == set(Notification.Kind.values)
        assert [name for name, each in mailed.items() if not each.messages] == []

    def test_every_template_of_a_mail_is_drawn_in_it(self, mailed: dict[tuple[str, bool], Mailed]) -> None:
        folder = PROJECT / "templates"
        written = {str(path.relative_to(folder)) for path in (folder / "mail").iterdir()}
        written |= {f"kpis/{path.name}" for path in (folder / "kpis").glob("*digest*")}

        assert written <= set().union(*(each.templates for each in mailed.values()))

    def test_no_other_module_makes_a_mail(self) -> None:
        makers = {
            "Notification",
            "EmailMessage",
            "EmailMultiAlternatives",
            "send_mail",
            "write_to_staff",
            "mail_admins",
        }

        def makes(source: str) -> bool:
            if not any(f"{name}(" in source for name in makers):
                return False
            calls = [node.func for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
            return any(getattr(each, "attr", getattr(each, "id", "")) in makers for each in calls)

        found = {
            ".".join(path.relative_to(PROJECT).with_suffix("").parts)
            for floor in ("feedback_portal", "intake", "triage", "kpis")
            for path in (PROJECT / floor).rglob("*.py")
            if "migrations" not in path.parts and makes(path.read_text())
        }

        assert found == set(WRITTEN_IN)


class TestCustomers:
    @pytest.mark.parametrize("kind", TO_CUSTOMERS)
    def test_a_mail_is_the_same_byte_by_byte_whatever_its_customer_typed(
        self, mailed: dict[tuple[str, bool], Mailed], kind: str
    ) -> None:
        plain, attacked = mailed[kind, False].messages, mailed[kind, True].messages

        assert [_masked(message) for message in plain] == [_masked(message) for message in attacked]

    @pytest.mark.parametrize("kind", TO_CUSTOMERS)
    def test_it_can_be_ended_and_robots_leave_it_alone(self, mailed: dict[tuple[str, bool], Mailed], kind: str) -> None:
        for message in mailed[kind, True].messages:
            assert re.fullmatch(r"<http\S+/t/\S+/>", message["List-Unsubscribe"].replace("\n", "").strip())
            marks = {"receipt": "auto-replied", "reply": None}
            assert message["Auto-Submitted"] == marks.get(kind, "auto-generated")

    def test_a_snippet_for_a_reply_is_filled_with_a_plain_name_or_none(self, db: None) -> None:
        town = Town(hostile, make_team("quality"), make_team("logistics"), make_person("Priya"))
        town.quality.snippets.create(name="Hello", text="Hello {customer}, {reference}")
        ticket = town.ticket()

        assert snippets.filled(ticket, by=town.by) == [("Hello", f"Hello , {ticket.item.reference}")]
        ticket.item.customer.name = "Ana María"
        assert snippets.filled(ticket, by=town.by)[0][1].startswith("Hello Ana María, ")

    @pytest.mark.parametrize(
        "name", ["Anna" * 16, "win a prize at once by calling us", "{me}", "%(organisation)s", "A\u202eb"]
    )
    def test_what_is_no_name_is_none(self, name: str) -> None:
        assert notifications.plain_name(name) == ""

    @pytest.mark.parametrize(
        "address",
        [
            "Win http://evilhost.test <victim@customers.example>",
            '"win"@customers.example',
            "a@customers.example, b@customers.example",
            "a@customers.example\r\nBcc: b@customers.example",
            "a b@customers.example",
            "a\u202eb@customers.example",
            "@customers.example",
        ],
    )
    def test_only_one_bare_address_is_written_to(self, db: None, address: str) -> None:
        Customer.objects.filter(pk=(customer := make_customer()).pk).update(email=address)
        customer.refresh_from_db()

        notifications.write_receipts([make_item(at=AT, customer=customer)], at=AT)

        assert not Notification.objects.exists()


class TestStaff:
    MAY_HOLD = frozenset({"notices", "view digest", "kpi digest"})

    @pytest.mark.parametrize("name", TO_STAFF)
    def test_customers_words_stand_in_no_header(self, mailed: dict[tuple[str, bool], Mailed], name: str) -> None:
        for message in mailed[name, True].messages:
            assert set(message.keys()) <= HEADERS
            assert not [value for value in message.values() if "qz" in value.lower() or TURNING.search(value)]
            assert message["Auto-Submitted"] == "auto-generated"

    @pytest.mark.parametrize("name", TO_STAFF)
    def test_they_are_lines_that_turn_link_and_mark_up_nothing(
        self, mailed: dict[tuple[str, bool], Mailed], name: str
    ) -> None:
        for plain, attacked in zip(mailed[name, False].messages, mailed[name, True].messages, strict=True):
            for before, after in zip(_parts(plain), _parts(attacked), strict=True):
                assert ("qz" in after) == (name in self.MAY_HOLD)
                assert len(after.splitlines()) == len(before.splitlines()), "a line is a line"
                assert not TURNING.search(after)
                assert not re.search(r"//\w*qz|\w\.evilhost|\w\.test|\w@evil", after)
                assert "<html" not in after or "<a href=/" not in after.replace('<a href="http', "")


class TestCaps:
    """Whoever names the addresses of others makes the portal write to them a few times, and not more."""

    def test_a_thousand_items_bring_one_address_one_receipt_and_a_channel_two_hundred(self, db: None) -> None:
        at, channel = timezone.now(), make_channel()

        def arrive(number: int, *, addresses: int) -> None:
            people = Customer.objects.bulk_create(
                Customer(external_id=f"v{next(_numbers)}", email=f"v{each}@victims.example")
                for each in range(addresses)
            )
            raws = [RawItem(f"r{next(_numbers)}", b"{}") for _ in range(number)]
            rows = [
                FeedbackItem(
                    submission=each.submission, channel=channel, customer=people[place % addresses], text="x",
                    submitted_at=at, received_at=at, may_contact=True,
                )
                for place, each in enumerate(receiving.receive_many(channel, raws, at=at))
            ]  # fmt: skip
            notifications.write_receipts(FeedbackItem.objects.bulk_create(rows), at=at)

        arrive(1000, addresses=1)
        assert Notification.objects.count() == 1
        for _ in range(4):
            arrive(250, addresses=300)
        assert Notification.objects.count() == notifications.RECEIPTS_OF_A_CHANNEL_AN_HOUR
        Notification.objects.update(created_at=at - timedelta(hours=1, seconds=1))
        arrive(10, addresses=10)
        assert Notification.objects.count() == notifications.RECEIPTS_OF_A_CHANNEL_AN_HOUR + 10

    @pytest.fixture
    def town(self, db: None) -> Town:
        teams = make_team("quality"), make_team("logistics")
        return Town(harmless, *teams, make_person("Priya", *teams))

    def test_who_said_it_often_hears_of_its_outcome_once(self, town: Town) -> None:
        original, *copies = [town.ticket() for _ in range(8)]
        Ticket.objects.filter(pk__in=[copy.pk for copy in copies]).update(
            status="resolved", resolution="duplicate", resolved_at=AT, merged_into=original, duplicate_of=original
        )
        Customer.objects.filter(items__tickets__in=copies[:5]).update(email="often@customers.example")
        Customer.objects.filter(items__tickets=copies[5]).update(email=original.item.customer.email)

        town.do(original, "resolve", resolution="answered", reason="So it is.")

        told = list(Notification.objects.values_list("recipient", flat=True))
        assert sorted(told) == sorted(
            {original.item.customer.email, "often@customers.example", copies[6].item.customer.email}
        )

    def test_an_address_hears_of_ten_outcomes_a_day_and_of_three_changes(self, town: Town) -> None:
        tickets = [town.ticket() for _ in range(notifications.OUTCOMES_A_DAY + 2)]
        Customer.objects.update(email="often@customers.example")
        for ticket in tickets:
            town.do(ticket, "resolve", resolution="answered", reason="So it is.")
        assert Notification.objects.count() == notifications.OUTCOMES_A_DAY

        voices = [
            Ticket.objects.select_related("item__customer", "item__submission").get(pk=each.pk) for each in tickets
        ]
        counts = notifications.write_changes(
            voices, Notification.Kind.CHANGE, once="change:1:1", texts={"": "Glued."}, at=timezone.now()
        )
        assert counts == {"told": notifications.CHANGES_A_DAY, "too_many": len(voices) - notifications.CHANGES_A_DAY}

    def test_a_robot_that_answers_every_mail_at_once_gets_one(self, db: None) -> None:
        channel, mails_sent = make_channel("mailbox", "email"), 0
        wave = [_answer_of("robot@customers.example", to="<first@customers.example>")]
        for _ in range(4):
            for content in wave:
                receiving.receive(channel, mails.raw_mail(content), at=timezone.now())
            normalizing.normalize_pending(at=timezone.now())
            pipeline.understand_pending(at=timezone.now())
            sent = _sent()
            mails_sent += len(sent)
            wave = [_answer_of("robot@customers.example", to=message["Message-ID"]) for message in sent]

        assert FeedbackItem.objects.count() == 2, "the robot's answer is taken in as what somebody said"
        assert mails_sent == 1


def _answer_of(address: str, *, to: str) -> bytes:
    """A mail of a robot that does not say it is one."""
    return (
        f"From: {address}\r\nTo: feedback@localhost\r\nSubject: Re: your mail\r\nMessage-ID: <{next(_numbers)}@robot>\r\n"
        f"In-Reply-To: {to}\r\nReferences: {to}\r\n\r\nI am away {next(_numbers)}.\r\n"
    ).encode()


HEADERS = frozenset(
    {
        "Subject", "From", "To", "Date", "Message-ID", "MIME-Version", "Content-Type", "Content-Transfer-Encoding",
        "Auto-Submitted", "Precedence", "List-Unsubscribe",
    }
)  # fmt: skip


def _parts(message: Message) -> list[str]:
    parts = [part for part in message.walk() if not part.is_multipart()]
    return [bytes(part.get_payload(decode=True)).decode() for part in parts]  # type: ignore[arg-type]


def _masked(message: Message) -> tuple[dict[str, str], list[str]]:
    """A mail without what has to differ from one item to the next."""

    def masked(text: str) -> str:
        return re.sub(r"FB-[0-9A-Z-]+|/t/[^/]+/|c\d+@customers\.example|<[0-9a-f-]{36}@", "…", text)

    told = {name: masked(str(value)) for name, value in message.items() if name != "Date"}
    return told, [masked(part) for part in _parts(message)]
