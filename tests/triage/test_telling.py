"""Everybody whose words an action answers is told once, in their language, if they want to; and what worked is told to all."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from xml.etree import ElementTree

import pytest
import time_machine
from django.core import mail
from django.test import Client
from django.utils import timezone

from feedback_portal.accounts.models import Team, User
from feedback_portal.refusals import BadInput
from intake import receiving
from intake.models import Customer
from tests.makers import AT, actor, make_customer, make_person, make_team, make_ticket
from triage import decisions, notifications
from triage.improving import changes, checking, improvements, telling
from triage.improving.improvements import NotThisStep
from triage.models import Action, Event, Notification, Telling, TellingPart, Ticket, Verdict

pytestmark = pytest.mark.django_db


@pytest.fixture
def quality(db: None) -> Team:
    return make_team("quality")


@pytest.fixture
def tariq(quality: Team) -> User:
    return make_person("Tariq", quality)


@pytest.fixture
def seal(tariq: User) -> Action:
    made = improvements.create(by=actor(tariq), at=AT, title="Glue the seal", team="quality")
    return improvements.ship(made, by=actor(tariq), at=AT, public_text="The seal is glued.")


def voice(action: Action, by: User, name: str = "Ana", **fields: Any) -> Ticket:
    customer = make_customer(
        name, **{key: fields.pop(key) for key in list(fields) if key in {"language", "opted_out_at"}}
    )
    ticket = make_ticket(fields.pop("text", "It leaks"), team=action.team, item_customer=customer, **fields)
    improvements.link(action, ticket, by=actor(by), at=fields.get("at", AT))
    return ticket


def told(action: Action, by: User, **texts: str) -> Telling:
    made = telling.approve(action, by=actor(by), at=AT, texts={"": "The seal is glued."} | texts)
    telling.tell_pending()
    return made


def deliver() -> None:
    Notification.objects.update(next_attempt_at=AT)
    notifications.deliver_pending()


def test_each_customer_hears_once_in_their_language_and_who_said_no_never(seal: Action, tariq: User) -> None:
    voice(seal, tariq, "Ana")
    voice(seal, tariq, "Ana")
    voice(seal, tariq, "Bea", language="de")
    voice(seal, tariq, "Cid", opted_out_at=AT)
    voice(seal, tariq, "Dora", item_may_contact=False)
    merged = make_ticket(team=seal.team, item_customer=make_customer("Eve"))
    decisions.decide(merged.reference, "merge", by=actor(tariq), at=AT, original=voice(seal, tariq, "Ana").reference)

    review = telling.review(seal)
    assert review["counts"] == {"told": 3, "same_person": 2, "opted_out": 1, "no_consent": 1}
    assert review["languages"] == {"en": 2, "de": 1}
    made = told(seal, tariq, de="Die Dichtung ist geklebt.")

    mails = {row.recipient.split("@")[0]: row for row in Notification.objects.filter(kind="change")}
    assert set(mails) == {"ana", "bea", "eve"}
    assert "Die Dichtung ist geklebt." in mails["bea"].body
    assert "The seal is glued." in mails["ana"].body
    assert set(Ticket.objects.filter(action_links__action=seal).values_list("status", "resolution")) == {
        ("resolved", "shipped")
    }
    assert {words: number for number, words in telling.progress(seal)["counts"]}["are written to"] == 3  # type: ignore[index]
    # Whoever dies in the middle leaves it whole: done once more, nobody is written to twice.
    TellingPart.objects.update(completed_at=None, attempts=0, lease_token=None, next_attempt_at=AT)
    telling.tell_pending()
    assert Notification.objects.filter(kind="change").count() == 3
    assert made.parts.get().completed_at is not None


def test_a_mail_to_many_ends_loops_and_holds_nothing_a_customer_typed(seal: Action, tariq: User) -> None:
    attack = "CANARY http://evil.example"
    make_customer("Ana")
    Customer.objects.update(name=attack)
    ticket = voice(seal, tariq, "Ana", text=attack, item_title=attack)
    told(seal, tariq)
    deliver()

    (sent,) = mail.outbox
    assert sent.extra_headers["Auto-Submitted"] == "auto-generated"
    raw = sent.message().as_string()
    assert "CANARY" not in raw
    assert "evil" not in raw
    assert receiving.tracking_url(ticket.item.submission) in raw
    assert Event.objects.filter(item=ticket.item, type="customer_told").exists()


def test_nobody_gets_more_than_three_such_mails_a_day(tariq: User, quality: Team) -> None:
    for number in range(4):
        made = improvements.create(by=actor(tariq), at=AT, title=f"Change {number}", team="quality")
        action = improvements.ship(made, by=actor(tariq), at=AT, public_text="Done.")
        voice(action, tariq, "Ana")
        told(action, tariq)

    assert Notification.objects.filter(kind="change").count() == 3
    assert telling.progress(action)["counts"] == [(1, "had 3 such mails today")]  # type: ignore[index]


def test_saying_no_before_it_is_sent_is_early_enough(client: Client, seal: Action, tariq: User) -> None:
    ticket = voice(seal, tariq, at=timezone.now())
    told(seal, tariq)
    client.post(f"/t/{receiving.tracking_token(ticket.item.submission)}/mail/", {"wanted": "no"})
    deliver()

    assert [each.subject for each in mail.outbox] == []


def test_nothing_is_told_before_it_shipped_nor_without_words_nor_twice_at_once(seal: Action, tariq: User) -> None:
    voice(seal, tariq)
    plan = improvements.create(by=actor(tariq), at=AT, title="Order a tool", team="quality")
    with pytest.raises(NotThisStep, match="not shipped"):
        telling.approve(plan, by=actor(tariq), at=AT, texts={"": "x"})
    with pytest.raises(BadInput):
        telling.approve(seal, by=actor(tariq), at=AT, texts={"": " ", "de": "Geklebt."})
    telling.approve(seal, by=actor(tariq), at=AT, texts={"": "Glued."})
    with pytest.raises(NotThisStep, match="right now"):
        telling.approve(seal, by=actor(tariq), at=AT, texts={"": "Glued."})


def test_the_review_is_one_page_and_one_press(client: Client, seal: Action, tariq: User) -> None:
    voice(seal, tariq, "Bea", language="de")
    client.force_login(tariq)
    page = client.get(f"/actions/{seal.reference}/tell/").content.decode()
    assert "Tell 1 customer<" in page
    assert 'name="text-de"' in page
    assert client.post(f"/actions/{seal.reference}/tell/", {"text": " "}).status_code == 422
    assert client.post(f"/actions/{seal.reference}/tell/", {"text": "Glued.", "text-de": "Geklebt."}).status_code == 302
    assert Telling.objects.get().texts == {"": "Glued.", "de": "Geklebt."}


class TestStillFixed:
    @pytest.fixture
    def ticket(self, seal: Action, tariq: User) -> Ticket:
        ticket = voice(seal, tariq, at=timezone.now())
        told(seal, tariq)
        deliver()
        return ticket

    def test_four_weeks_later_they_are_asked_once(self, seal: Action, ticket: Ticket) -> None:
        assert telling.ask_again(at=AT + timedelta(days=27)) == 0
        assert telling.ask_again(at=AT + timedelta(days=28)) == 1
        assert telling.ask_again(at=AT + timedelta(days=29)) == 0
        telling.tell_pending()

        asked = Notification.objects.get(kind="still_fixed")
        assert ticket.item.reference in asked.subject
        ticket.refresh_from_db()
        assert ticket.status == "resolved", "asking changes nothing"

    def test_mails_about_other_changes_since_are_not_mails_of_that_day(self, ticket: Ticket) -> None:
        for number in range(3):
            Notification.objects.create(
                kind="change",
                once_key=f"other:{number}",
                recipient=Notification.objects.get(kind="change", ticket=ticket).recipient,
                subject="Another change",
                body="Done.",
                created_at=AT + timedelta(days=14),
            )
        telling.ask_again(at=AT + timedelta(days=28))
        telling.tell_pending()

        assert Notification.objects.filter(kind="still_fixed").count() == 1

    def test_nobody_is_asked_about_what_did_not_hold(self, seal: Action, ticket: Ticket, tariq: User) -> None:
        checking.reopen(improvements.find(seal.reference, by=actor(tariq)), by=actor(tariq), at=AT, because="Back.")
        assert telling.ask_again(at=AT + timedelta(days=28)) == 0

    @pytest.mark.parametrize(("answer", "status"), [("yes", "resolved"), ("no", "open")])
    def test_a_no_takes_it_up_again(self, client: Client, ticket: Ticket, answer: str, status: str) -> None:
        address = f"/t/{receiving.tracking_token(ticket.item.submission)}/"
        assert "Did it stay fixed?" not in client.get(address).content.decode()
        with time_machine.travel(datetime.now(UTC) + timedelta(days=29)):
            page = client.get(address).content.decode()
            assert page.index("Did it stay fixed?") < page.index("You said"), "it is why they came"

            assert client.post(f"{address}still-fixed/", {"fixed": answer}).status_code == 302

            ticket.refresh_from_db()
            assert ticket.status == status
            page = client.get(address).content.decode()
        assert "Did it stay fixed?" not in page
        assert "You said that it" in page


class TestChanges:
    def judged(self, action: Action, outcome: str = "worked") -> Action:
        weeks = [["2026-01-05", 40, 1000, "before"], ["2026-03-09", 10, 1000, "after"]]
        data = {"weeks": weeks, "measure": "share", "per": ""}
        checking.record(
            [
                Verdict(
                    action=action,
                    outcome=outcome,
                    alone=outcome,
                    method="share",
                    sentence="It fell.",
                    unit="difference",
                    data=data,
                    judged_at=AT,
                )
            ]
        )
        return Action.objects.select_related("team").get(pk=action.pk)

    def test_only_what_worked_is_published_with_its_numbers(self, client: Client, seal: Action, tariq: User) -> None:
        for number in range(5):
            voice(seal, tariq, f"Ana{number}")
        voice(seal, tariq, "Ana0", text="It still leaks")
        with pytest.raises(NotThisStep, match="evidence"):
            changes.publish(seal, by=actor(tariq), at=AT, title="No more leaks")
        judged = self.judged(seal)
        with pytest.raises(BadInput):
            changes.publish(judged, by=actor(tariq), at=AT, title=" ")
        changes.publish(judged, by=actor(tariq), at=AT, title="No <b>more</b> leaks")

        page = client.get("/changes/").content.decode()
        for part in ("No &lt;b&gt;more", "The seal is glued.", "4.0%", "1.0%", "5 customers told us"):
            assert part in page
        feed = ElementTree.fromstring(client.get("/changes/feed/").content)  # noqa: S314 -- our own
        atom = "{http://www.w3.org/2005/Atom}"
        (entry,) = feed.findall(f"{atom}entry")
        assert entry.findtext(f"{atom}title") == "No <b>more</b> leaks"
        other = make_ticket(team=seal.team, at=timezone.now(), item_customer=make_customer("Zoe"))
        token = receiving.tracking_token(other.item.submission)
        assert "No &lt;b&gt;more" in client.get(f"/t/{token}/").content.decode()

    def test_what_no_longer_holds_is_told_or_gone(self, client: Client, seal: Action, tariq: User) -> None:
        changes.publish(self.judged(seal), by=actor(tariq), at=AT, title="No more leaks")
        assert "told us" not in client.get("/changes/").content.decode(), "so few are not counted in public"
        again = improvements.find(seal.reference, by=actor(tariq))
        checking.reopen(again, by=actor(tariq), at=AT, because="Back.")
        assert "It came back since" in client.get("/changes/").content.decode()
        self.judged(seal, "unclear")
        assert "No more leaks" not in client.get("/changes/").content.decode()

    def test_it_is_taken_off_again(self, client: Client, seal: Action, tariq: User) -> None:
        self.judged(seal)
        client.force_login(tariq)
        assert client.post(f"/actions/{seal.reference}/publish/", {"public_title": "No more leaks"}).status_code == 302
        assert changes.published()[0].effective_from == date(2026, 3, 4)
        assert client.post(f"/actions/{seal.reference}/unpublish/").status_code == 302
        assert changes.published() == []
