"""Improvements turn the wheel of Plan-Do-Check-Act, and what they answer is counted and told."""

from collections import Counter
from datetime import date, timedelta
from typing import Any

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext

from feedback_portal.accounts.models import Stage, Team, User
from feedback_portal.refusals import BadInput, NotAllowed, NotFound
from tests.makers import AT, actor, make_customer, make_person, make_team, make_ticket
from triage import decisions
from triage.improving import checking, improvements, plans, telling
from triage.improving.improvements import NotThisStep, StaleAction
from triage.models import Action, ActionEvent, ActionLink, ChangedDay, Event, Notification, Theme, Topic
from triage.themes import answering

pytestmark = pytest.mark.django_db

LATER = AT + timedelta(hours=3)


@pytest.fixture
def quality(db: None) -> Team:
    return make_team("quality")


@pytest.fixture
def tariq(quality: Team) -> User:
    return make_person("Tariq", quality)


@pytest.fixture
def omar(db: None) -> User:
    return make_person("Omar", make_team("marketing"))


@pytest.fixture
def seal(tariq: User) -> Action:
    return improvements.create(by=actor(tariq), at=AT, title="Re-seat the tank seal", team="quality")


def test_a_new_action_is_a_plan_of_its_team(quality: Team, tariq: User) -> None:
    Stage.objects.get_or_create(slug="production", defaults={"name": "Production"})

    made = improvements.create(
        by=actor(tariq),
        at=AT,
        title="  Re-seat \n the seal ",
        team="quality",
        kind="preventive",
        stage="production",
        owner="Tariq@example.com",
        due_at="2026-04-01",
    )

    assert (made.title, made.step, made.team, made.kind) == ("Re-seat the seal", "plan", quality, "preventive")
    assert (made.owner, made.due_at, made.stage.slug) == (tariq, date(2026, 4, 1), "production")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("title", " "),
        ("title", None),
        ("team", "marketing"),
        ("team", "nowhere"),
        ("stage", "moon"),
        ("owner", "nobody@example.com"),
        ("due_at", "31.3.2026"),
        ("kind", "magic"),
        ("shipped_at", "2026-01-01"),
        ("step", "act"),
    ],
)
def test_what_is_wrong_is_named_by_its_place(quality: Team, tariq: User, omar: User, field: str, value: Any) -> None:
    with pytest.raises(BadInput) as caught:
        improvements.create(**({"by": actor(tariq), "at": AT, "title": "X", "team": "quality"} | {field: value}))

    assert [error.path for error in caught.value.errors] == [field]
    assert not Action.objects.exists()


def test_omar_cannot_find_an_action_of_another_team(seal: Action, omar: User) -> None:
    with pytest.raises(NotFound):
        improvements.find(seal.reference, by=actor(omar))


def test_a_link_is_an_event_of_the_ticket_and_stays_in_the_history(seal: Action, quality: Team, tariq: User) -> None:
    ticket = make_ticket(team=quality)
    improvements.link(seal, ticket, by=actor(tariq), at=AT)
    with pytest.raises(NotThisStep, match="already"):
        improvements.link(seal, ticket, by=actor(tariq), at=AT)
    improvements.unlink(seal, ticket, by=actor(tariq), at=LATER)

    link = ActionLink.objects.get()
    assert (link.linked_at, link.unlinked_at, link.person) == (AT, LATER, tariq)
    assert list(ticket.events.order_by("id").values_list("type", "data__action")) == [
        ("action_linked", seal.reference),
        ("action_unlinked", seal.reference),
    ]
    assert ChangedDay.objects.get().day == AT.date()


def test_linking_can_be_taken_back_and_unlinking_too(seal: Action, quality: Team, tariq: User) -> None:
    ticket = make_ticket(team=quality)
    improvements.link(seal, ticket, by=actor(tariq), at=AT)
    decisions.decide(ticket.reference, "undo", by=actor(tariq), at=LATER)
    assert not improvements.linked(seal).exists()

    ticket.refresh_from_db()
    improvements.link(seal, ticket, by=actor(tariq), at=LATER)
    improvements.unlink(seal, ticket, by=actor(tariq), at=LATER)
    decisions.decide(ticket.reference, "undo", by=actor(tariq), at=LATER)
    assert improvements.linked(seal).get() == ticket


def test_beginning_to_do_is_when_work_on_its_tickets_starts(seal: Action, quality: Team, tariq: User) -> None:
    ticket = make_ticket(team=quality)
    improvements.link(seal, ticket, by=actor(tariq), at=AT)

    improvements.move(seal, by=actor(tariq), at=LATER, step="do")

    started = ticket.events.get(type="work_started")
    assert (started.occurred_at, started.person) == (LATER, tariq)


def test_the_wheel_turns_one_step_at_a_time_and_only_shipping_leads_to_the_check(seal: Action, tariq: User) -> None:
    me = actor(tariq)
    for step in ("check", "act", "plan", "nowhere"):
        with pytest.raises(NotThisStep):
            improvements.move(seal, by=me, at=AT, step=step)
    doing = improvements.move(seal, by=me, at=AT, step="do")
    with pytest.raises(NotThisStep):
        improvements.move(doing, by=me, at=AT, step="check")

    checked = improvements.ship(doing, by=me, at=LATER, public_text="The seal is glued.")
    again = improvements.move(checked, by=me, at=LATER, step="do")
    shipped = improvements.ship(again, by=me, at=LATER + timedelta(days=9), public_text="The seal is new.")

    assert (shipped.step, shipped.shipped_at, shipped.public_text) == ("check", LATER, "The seal is new.")
    with pytest.raises(BadInput, match="no verdict yet"):
        checking.close(shipped, by=me, at=LATER)
    assert checking.close(shipped, by=me, at=LATER, exception="Too few machines are left to count.").step == "act"


def test_shipping_tells_those_it_answers_in_its_words(seal: Action, quality: Team, tariq: User) -> None:
    told = make_ticket(team=quality, item_customer=make_customer("Ana"))
    answered = decisions.decide(
        make_ticket(team=quality).reference, "resolve", by=actor(tariq), at=AT, resolution="answered"
    )
    elsewhere = make_ticket(team=make_team("logistics"), item_customer=make_customer("Bo"))
    for ticket in (told, answered, elsewhere):
        improvements.link(seal, ticket, by=actor(tariq), at=AT)

    telling.ship(seal, by=actor(tariq), at=LATER, public_text="The seal is glued.")
    telling.tell_pending()

    for ticket in (told, answered, elsewhere):
        ticket.refresh_from_db()
    assert (told.status, told.resolution, told.resolution_reason) == ("resolved", "shipped", "The seal is glued.")
    assert answered.resolution == "answered", "what was decided already stays"
    assert elsewhere.status == "new", "another team's ticket is not ours to close"
    assert Counter(Notification.objects.values_list("kind", "recipient")) == {
        ("change", "ana@customers.example"): 1,
        ("change", "bo@customers.example"): 1,
    }
    assert "The seal is glued." in Notification.objects.get(recipient="ana@customers.example").body


def test_shipping_needs_words_for_customers(seal: Action, tariq: User) -> None:
    with pytest.raises(BadInput, match="customers can read"):
        improvements.ship(seal, by=actor(tariq), at=AT, public_text=" \n")


def test_a_withdrawn_action_takes_no_steps_and_no_links(seal: Action, quality: Team, tariq: User) -> None:
    me = actor(tariq)
    gone = improvements.withdraw(seal, by=me, at=AT)

    for attempt in (
        lambda: improvements.move(gone, by=me, at=AT, step="do"),
        lambda: improvements.ship(gone, by=me, at=AT, public_text="x"),
        lambda: improvements.withdraw(gone, by=me, at=AT),
        lambda: improvements.link(gone, make_ticket(team=quality), by=me, at=AT),
    ):
        with pytest.raises(NotThisStep):
            attempt()


def test_a_stale_change_is_refused_with_the_action_as_it_is(seal: Action, tariq: User) -> None:
    improvements.change(seal, by=actor(tariq), at=AT, title="Glue the seal")

    with pytest.raises(StaleAction) as caught:
        improvements.change(seal, by=actor(tariq), at=AT, title="Nail the seal", version=1)

    assert caught.value.extra["current"]["title"] == "Glue the seal"


def test_the_database_refuses_to_close_what_has_neither_verdict_nor_exception(seal: Action) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        Action.objects.update(step="act", shipped_at=AT)


def test_what_happened_to_an_action_cannot_be_rewritten(seal: Action) -> None:
    with pytest.raises(DatabaseError), transaction.atomic():
        ActionEvent.objects.update(data={})


def test_a_plan_keeps_its_causes_its_days_and_who_helps(seal: Action, tariq: User, omar: User) -> None:
    changed = improvements.change(
        seal,
        by=actor(tariq),
        at=AT,
        causes="Machine: the tool: worn\nIt was never counted",
        whys="It leaks.\n\nThe seal is twisted.",
        effective_from="2026-04-01",
        check_at="2026-07-01",
        contributors=["marketing"],
    )

    assert changed.causes == [
        {"bone": "machine", "text": "the tool: worn"},
        {"bone": "", "text": "It was never counted"},
    ]
    assert changed.whys == ["It leaks.", "The seal is twisted."]
    assert changed.effective_from == date(2026, 4, 1)
    assert improvements.find(seal.reference, by=actor(omar)) == seal, "who contributes sees it"
    assert seal.events.get(type="changed").data["fields"] == [
        "causes",
        "check_at",
        "contributors",
        "effective_from",
        "whys",
    ]


def test_work_waits_for_an_approval_that_another_lead_gives_and_a_new_plan_needs_anew(
    seal: Action, quality: Team, tariq: User
) -> None:
    mina = make_person("Mina", quality, role="lead")
    waiting = improvements.change(seal, by=actor(mina), at=AT, needs_approval=True, owner=mina.email)
    with pytest.raises(NotThisStep, match="approval"):
        improvements.move(waiting, by=actor(mina), at=AT, step="do")
    for nobody in (mina, tariq):
        with pytest.raises(NotAllowed):
            plans.approve(waiting, by=actor(nobody), at=AT)

    approved = plans.approve(waiting, by=actor(make_person("Lena", role="manager")), at=AT)
    again = improvements.change(approved, by=actor(mina), at=AT, plan="Something else altogether.")
    assert again.approved_at is None
    improvements.move(plans.approve(again, by=actor(make_person("Lena")), at=AT), by=actor(mina), at=AT, step="do")


def test_what_it_should_move_stands_once_it_has_taken_effect(seal: Action, tariq: User) -> None:
    me, leaks, dents = (
        actor(tariq),
        Topic.objects.create(slug="leak", name="Leak"),
        Topic.objects.create(slug="dent", name="Dent"),
    )
    for wrong in ({}, {"topic": "nowhere"}, {"topic": "leak", "measure": "rate"}, {"topic": "leak", "by_percent": 400}):
        with pytest.raises(BadInput):
            plans.expect(seal, by=me, at=AT, **wrong)
    plans.expect(seal, by=me, at=AT, topic="dent")
    plans.expect(improvements.find(seal.reference, by=me), by=me, at=AT, topic="leak", by_percent=50, lag_days=7)
    shipped = improvements.ship(improvements.find(seal.reference, by=me), by=me, at=AT, public_text="It is new.")

    with pytest.raises(NotThisStep, match="stays"):
        plans.expect(shipped, by=me, at=AT, topic="dent")

    assert (shipped.expectation.topic, shipped.effective_from) == (leaks, AT.date())
    assert dents.name == "Dent"


def test_a_plan_begun_at_a_theme_answers_it_and_should_move_it(quality: Team, tariq: User) -> None:
    topic = Topic.objects.create(slug="leak", name="Leak", team=quality)
    theme = Theme.objects.create(name="Leaks", topic=topic, state="growing", state_at=AT, grew_at=AT, size=9)
    me = actor(tariq)
    assert answering.suggested(by=me) == [theme]

    made = answering.begin(by=me, at=AT, theme=theme.reference, title="Glue it", team="quality")

    assert theme.action_links.get().action == made
    assert made.expectation.theme == theme
    assert answering.suggested(by=me) == [], "what is planned for needs no suggestion"


def test_the_database_refuses_a_check_of_what_never_shipped(seal: Action) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        Action.objects.update(step="check")


class TestPages:
    @pytest.fixture
    def signed_in(self, client: Client, tariq: User) -> Client:
        client.force_login(tariq)
        return client

    def test_an_action_is_planned_done_shipped_and_linked_on_its_pages(
        self, signed_in: Client, quality: Team, tariq: User
    ) -> None:
        planned = signed_in.post("/actions/", {"title": "Glue the seal", "team": "quality", "kind": "corrective"})
        action = Action.objects.get()
        assert planned.url == f"/actions/{action.reference}/"
        ticket = make_ticket("The <b>lid</b> cracked", team=quality)

        def post(verb: str, **fields: Any) -> None:
            answer = signed_in.post(f"{planned.url}{verb}/", fields)
            assert answer.status_code == 302, answer.content.decode()

        post("link", ticket=ticket.reference)
        post("move", step="do")
        post("change", title="Glue it well", team="quality", kind="containment", problem="It leaks")
        post(
            "expect",
            topic=Topic.objects.create(slug="leak", name="Leak").slug,
            direction="down",
            by_percent="50",
            lag_days="",
        )
        post("add_step", step_text="Order the glue", step_owner=tariq.email)
        post("tick_step", step=action.steps.get().pk)
        post("comment", text="Glue <i>came</i>.")
        post("ship", public_text="It is glued.")
        assert signed_in.post(f"{planned.url}tell/", {"text": "It is glued."}).status_code == 302
        telling.tell_pending()
        post("close", exception="Nobody counts it.", standard="Glue everywhere.")
        post("reopen", because="It did not hold.")
        assert "Glue &lt;i&gt;came" in signed_in.get(f"{planned.url}record/").content.decode()
        page = signed_in.get(planned.url).content.decode()
        assert "Glue it well" in page
        assert "The &lt;b&gt;lid" in page
        post("unlink", ticket=ticket.reference)
        post("withdraw")

        action.refresh_from_db()
        assert (action.step, action.title, action.withdrawn_at is not None) == ("do", "Glue it well", True)
        assert action.steps.get().done_at is not None
        assert Event.objects.filter(ticket=ticket, type="resolved").exists()
        assert "Glue it well" in signed_in.get("/actions/").content.decode()

    def test_what_was_typed_is_kept_when_it_is_wrong(self, signed_in: Client) -> None:
        answer = signed_in.post("/actions/", {"title": "Glue", "team": "nowhere", "problem": "It leaks so much"})

        assert answer.status_code == 422
        assert "There is no such team" in answer.content.decode()
        assert "It leaks so much" in answer.content.decode()

    def test_a_change_that_is_wrong_shows_its_place(self, signed_in: Client, seal: Action) -> None:
        answer = signed_in.post(f"/actions/{seal.reference}/change/", {"title": ""})

        assert answer.status_code == 422
        assert "Say in a few words" in answer.content.decode()

    def test_omar_gets_404_for_reading_and_for_every_verb(self, client: Client, seal: Action, omar: User) -> None:
        client.force_login(omar)

        assert client.get(f"/actions/{seal.reference}/").status_code == 404
        for verb in ("change", "move", "ship", "withdraw", "link", "unlink"):
            assert client.post(f"/actions/{seal.reference}/{verb}/", {"title": "x", "step": "do"}).status_code == 404
        assert "Re-seat" not in client.get("/actions/").content.decode()
        seal.refresh_from_db()
        assert seal.version == 1

    def test_reading_needs_signing_in_and_acting_a_post(self, client: Client, signed_in: Client, seal: Action) -> None:
        assert signed_in.get(f"/actions/{seal.reference}/withdraw/").status_code == 405
        assert Client().get("/actions/").status_code == 302

    @pytest.mark.parametrize(
        ("query", "found"),
        [
            ("seal", True),
            ("is:open team:quality", True),
            ("is:overdue", False),
            ("assigned:none -corrective", False),
            ("stage:none or is:done", True),
            ("theme:none", True),
            ("tag:leak", False),
        ],
    )
    def test_actions_are_found_in_the_words_of_the_queue(
        self, signed_in: Client, seal: Action, query: str, found: bool
    ) -> None:
        for view in ("board", "list"):
            page = signed_in.get("/actions/", {"q": query, "view": view})
            assert ("Re-seat" in page.content.decode()) is found
        assert signed_in.get("/actions/", {"q": "mood:neg"}).status_code == 422

    def test_the_page_asks_as_much_for_20_as_for_2(self, signed_in: Client, quality: Team, tariq: User) -> None:
        def cost(number: int) -> int:
            while Action.objects.count() < number:
                made = improvements.create(by=actor(tariq), at=AT, title="X", team="quality", owner=tariq.email)
                improvements.link(made, make_ticket(team=quality), by=actor(tariq), at=AT)
            with CaptureQueriesContext(
                connection,
            ) as queries:
                assert signed_in.get("/actions/").status_code == 200
            return len(queries)

        assert cost(2) == cost(20)


class TestFromTheTicket:
    @pytest.fixture
    def signed_in(self, client: Client, tariq: User) -> Client:
        client.force_login(tariq)
        return client

    def link(self, client: Client, ticket: Any, **fields: Any) -> Any:
        return client.post(
            f"/triage/{ticket.reference}/decide/", {"verb": "link_action", "version": ticket.version} | fields
        )

    def test_the_form_offers_what_is_under_way(
        self, signed_in: Client, seal: Action, quality: Team, tariq: User
    ) -> None:
        theirs = improvements.create(
            by=actor(make_person("Lena", role="manager")), at=AT, title="CANARY", team=make_team("marketing").slug
        )
        ticket = make_ticket(team=quality)

        page = signed_in.get(f"/triage/{ticket.reference}/link_action/").content.decode()

        assert seal.title in page
        assert theirs.title not in page

    def test_a_known_action_is_linked_and_a_new_one_planned(
        self, signed_in: Client, seal: Action, quality: Team
    ) -> None:
        ticket = make_ticket(team=quality)

        assert self.link(signed_in, ticket, action=seal.reference).status_code == 302
        ticket.refresh_from_db()
        assert self.link(signed_in, ticket, title="Order better seals").status_code == 302

        linked = Action.objects.filter(links__ticket=ticket).values_list("title", "team__slug")
        assert set(linked) == {("Re-seat the tank seal", "quality"), ("Order better seals", "quality")}

    @pytest.mark.parametrize("fields", [{"action": "A-99999"}, {"action": "nonsense"}, {"title": " "}, {}])
    def test_what_names_no_action_is_shown_in_place(
        self, signed_in: Client, quality: Team, fields: dict[str, str]
    ) -> None:
        answer = self.link(signed_in, make_ticket(team=quality), **fields)

        assert answer.status_code == 422
        assert 'class="error"' in answer.content.decode()
        assert not Action.objects.exists()

    def test_a_stale_click_links_nothing(self, signed_in: Client, seal: Action, quality: Team, tariq: User) -> None:
        ticket = make_ticket(team=quality)
        decisions.decide(ticket.reference, "accept", by=actor(tariq), at=AT)

        assert self.link(signed_in, ticket, action=seal.reference).status_code == 409
        assert not improvements.linked(seal).exists()
