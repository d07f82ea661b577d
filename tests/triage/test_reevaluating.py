"""Looking again at open tickets: what moves, what never does, and how it is put back."""

import threading
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from feedback_portal.accounts.models import ApiKey, Role, Scope, Team, User
from feedback_portal.accounts.permissions import Actor
from feedback_portal.languages import said
from feedback_portal.refusals import NotAllowed, Refused
from tests.makers import AT, actor, make_person, make_team, make_ticket
from triage import reevaluating
from triage.decisions import NotNow, decide
from triage.models import Event, Reevaluation, ReevaluationBatch, Rule, Ticket

pytestmark = pytest.mark.django_db

LATER = AT + timedelta(hours=3)


@pytest.fixture
def ada(db: None) -> Actor:
    return actor(make_person("Ada", role=Role.ADMIN))


@pytest.fixture
def quality(db: None) -> Team:
    return make_team("quality")


@pytest.fixture
def tariq(quality: Team) -> User:
    return make_person("Tariq", quality, make_team("logistics"))


@pytest.fixture
def rule(db: None) -> Rule:
    make_team("logistics", triage_hours=8)
    return Rule.objects.create(
        name="Boxes",
        definition={
            "version": 1,
            "when": {"field": "text", "op": "contains", "value": "box"},
            "then": [{"verb": "route", "team": "logistics"}],
        },
    )


def run(by: Actor) -> Reevaluation:
    started = reevaluating.start(by=by, at=LATER)
    reevaluating.reevaluate_pending(at=LATER)
    return started


def state(ticket: Ticket) -> dict[str, Any]:
    names = ("team__slug", "stage", "assignee", "severity", "rank", "due_at", "explanation", "status")
    return Ticket.objects.filter(pk=ticket.pk).values(*names).get()


def test_untouched_tickets_move_to_where_todays_rules_put_them_and_say_why(
    rule: Rule, quality: Team, ada: Actor
) -> None:
    ticket, stays = make_ticket("A wet box", team=quality), make_ticket("A box of air", team=make_team("logistics"))
    before = stays.version

    started = run(ada)

    ticket.refresh_from_db()
    assert (ticket.team.slug, ticket.status, ticket.version) == ("logistics", "new", 2)
    assert ticket.due_at == AT + timedelta(hours=8)
    assert ticket.explanation["reason"] == "The rule “Boxes” sends it to Logistics."
    event = ticket.events.get()
    assert (event.type, event.source, event.person, event.data["from"]) == ("routed", "rule", None, "quality")
    assert event.data["reason"] == "Looked at again because the rule “Boxes” was changed."
    stays.refresh_from_db()
    assert stays.version == before
    done = reevaluating.progress([started])[started.pk]
    assert (done.total, done.looked_at, done.moved, done.waiting) == (2, 2, 1, 0)


@pytest.mark.parametrize(
    ("verb", "arguments"),
    [
        ("accept", {}),
        ("note", {"text": "Mine"}),
        ("dismiss", {}),
        ("claim", {}),
        ("severity", {"value": 2}),
        ("split", {"team": "billing"}),
    ],
)
@pytest.mark.usefixtures("rule")
def test_what_a_person_has_touched_stays(
    quality: Team, tariq: User, ada: Actor, verb: str, arguments: dict[str, Any]
) -> None:
    make_team("billing")
    ticket = make_ticket("A wet box", team=quality)
    decide(ticket.reference, verb, by=actor(tariq), at=LATER, **arguments)
    before = state(ticket)

    run(ada)

    assert state(ticket) == before


def test_even_what_a_person_took_back_stays(rule: Rule, quality: Team, tariq: User, ada: Actor) -> None:
    ticket = make_ticket("A wet box", team=quality)
    for verb in ("accept", "undo"):
        decide(ticket.reference, verb, by=actor(tariq), at=LATER)

    run(ada)

    assert state(ticket)["team__slug"] == "quality"


def test_whoever_decides_between_looking_and_writing_has_decided(
    rule: Rule, quality: Team, tariq: User, ada: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    ticket, other = make_ticket("A wet box", team=quality), make_ticket("A dry box", team=quality)
    look = reevaluating._changes

    def look_and_be_overtaken(*args: Any, **named: Any) -> Any:
        found = look(*args, **named)
        decide(ticket.reference, "accept", by=actor(tariq), at=LATER)
        return found

    monkeypatch.setattr(reevaluating, "_changes", look_and_be_overtaken)
    run(ada)

    ticket.refresh_from_db()
    assert (ticket.team.slug, ticket.status) == ("quality", "open")
    assert list(ticket.events.values_list("type", flat=True)) == ["triaged"]
    assert state(other)["team__slug"] == "logistics"


@pytest.mark.django_db(transaction=True)
def test_people_who_decide_while_it_runs_keep_what_they_decided() -> None:
    quality, logistics = make_team("quality"), make_team("logistics")
    if not Team.objects.filter(is_catch_all=True).exists():
        make_team("desk", is_catch_all=True)
    tariq, ada = make_person("Tariq", quality, logistics), actor(make_person("Ada", role=Role.ADMIN))
    definition = {
        "version": 1,
        "when": {"field": "text", "op": "contains", "value": "box"},
        "then": [{"verb": "route", "team": "logistics"}],
    }
    Rule.objects.create(name="Boxes", definition=definition)
    tickets = [make_ticket("A wet box", team=quality) for _ in range(40)]
    started = reevaluating.start(by=ada, at=LATER)
    barrier = threading.Barrier(2)
    decided: list[int] = []

    def work() -> None:
        barrier.wait()
        try:
            reevaluating.reevaluate_pending(at=LATER)
        finally:
            connection.close()

    def claim() -> None:
        barrier.wait()
        try:
            for ticket in tickets:
                try:
                    decide(ticket.reference, "claim", by=actor(tariq), at=LATER, version=1)
                except Refused:
                    continue
                decided.append(ticket.pk)
        finally:
            connection.close()

    threads = [threading.Thread(target=work), threading.Thread(target=claim)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    reevaluating.reevaluate_pending(at=LATER)

    moved = set(ReevaluationBatch.objects.get(run=started).moved)
    assert moved.isdisjoint(decided)
    assert moved | set(decided) == {ticket.pk for ticket in tickets}
    rows = {row.pk: row for row in Ticket.objects.select_related("team")}
    assert {rows[pk].team.slug for pk in decided} <= {"quality"}
    assert all(rows[pk].assignee_id == tariq.pk for pk in decided)
    assert {rows[pk].team.slug for pk in moved} <= {"logistics"}


class TestUndo:
    def test_a_run_is_put_back_as_a_whole_but_for_what_somebody_touched_since(
        self, rule: Rule, quality: Team, tariq: User, ada: Actor
    ) -> None:
        ticket, touched = make_ticket("A wet box", team=quality), make_ticket("A dry box", team=quality)
        before = state(ticket)
        started = run(ada)
        decide(touched.reference, "note", by=actor(tariq), at=LATER, text="Mine")

        reevaluating.undo(started, by=ada, at=LATER)
        reevaluating.reevaluate_pending(at=LATER)

        assert state(ticket) == before
        assert list(ticket.events.order_by("id").values_list("type", flat=True)) == ["routed", "undone"]
        assert state(touched)["team__slug"] == "logistics"
        assert reevaluating.progress([started])[started.pk].put_back == 1
        with pytest.raises(NotNow):
            reevaluating.undo(started, by=ada, at=LATER)

        run(ada)
        assert state(ticket)["team__slug"] == "logistics", "the next run may move it again"

    def test_what_a_run_had_not_looked_at_yet_stays(self, rule: Rule, quality: Team, ada: Actor) -> None:
        ticket = make_ticket("A wet box", team=quality)
        started = reevaluating.start(by=ada, at=LATER)

        reevaluating.undo(started, by=ada, at=LATER)
        reevaluating.reevaluate_pending(at=LATER)

        assert state(ticket)["team__slug"] == "quality"
        assert not Event.objects.exists()


def test_the_preview_says_what_would_move_and_moves_nothing(rule: Rule, quality: Team) -> None:
    tickets = [make_ticket("A wet box", team=quality) for _ in range(3)]
    make_ticket("Nothing", team=make_team("logistics"))

    found = reevaluating.preview(at=LATER)

    assert found.moves[("Quality", "Logistics")] == 3
    assert (found.looked_at, found.untouched) == (4, 4)
    assert {state(ticket)["team__slug"] for ticket in tickets} == {"quality"}


def test_a_batch_asks_the_database_as_often_for_two_tickets_as_for_twenty(
    rule: Rule, quality: Team, ada: Actor
) -> None:
    def queries(count: int) -> int:
        for _ in range(count):
            make_ticket("A wet box", team=quality)
        reevaluating.start(by=ada, at=LATER)
        with CaptureQueriesContext(connection) as asked:
            reevaluating.reevaluate_pending(at=LATER)
        return len(asked)

    queries(2)
    assert queries(2) == queries(20)


def test_rules_of_the_longest_names_may_be_the_reason(rule: Rule, ada: Actor) -> None:
    for number in range(3):
        Rule.objects.create(name=f"{number}" + '"' * 119, definition=rule.definition)

    assert '0"""' in said(run(ada).because)


def test_only_administrators_have_tickets_looked_at_again(rule: Rule, tariq: User) -> None:
    with pytest.raises(NotAllowed):
        reevaluating.start(by=actor(tariq), at=LATER)


def test_the_page_shows_starts_and_takes_back(rule: Rule, quality: Team) -> None:
    ticket = make_ticket("A wet box", team=quality)
    client = Client()
    client.force_login(make_person("Ada", role=Role.ADMIN))

    page = client.get("/settings/reevaluation/").content.decode()
    assert "Logistics" in page
    assert "the rule “Boxes” was changed" in page

    client.post("/settings/reevaluation/")
    reevaluating.reevaluate_pending(at=LATER)
    assert "1 of 1 looked at, 1 changed" in client.get("/settings/reevaluation/").content.decode()

    number = Reevaluation.objects.get().pk
    client.post(f"/settings/reevaluation/{number}/undo/")
    reevaluating.reevaluate_pending(at=LATER)
    assert state(ticket)["team__slug"] == "quality"
    assert "taken back by Ada: 1 put back" in client.get("/settings/reevaluation/").content.decode()


def test_a_program_starts_a_run_watches_it_and_takes_it_back(rule: Rule, quality: Team) -> None:
    ticket = make_ticket("A wet box", team=quality)
    _, secret = ApiKey.issue("set-up", scopes=[Scope.ADMIN])
    client = Client(headers={"authorization": f"Bearer {secret}"})
    address = "/api/v1/reevaluations/"
    assert client.get(f"{address}preview/").json() == {
        "looked_at": 1,
        "untouched": 1,
        "moves": [{"from": "Quality", "to": "Logistics", "count": 1}],
        "other": 0,
    }

    asked = client.post(address, {"because": "boxes are theirs"}, content_type="application/json")

    assert (asked.status_code, asked.json()["state"], asked.json()["looked_at"]) == (202, "running", 0)
    reevaluating.reevaluate_pending(at=LATER)
    run = client.get(f"{address}{asked.json()['id']}/").json()
    assert (run["state"], run["because"], run["total"], run["moved"]) == ("done", "boxes are theirs", 1, 1)
    assert client.delete(f"{address}{run['id']}/").json()["state"] == "running"
    reevaluating.reevaluate_pending(at=LATER)
    assert client.get(address).json()["results"][0] | {"asked_at": "", "undone_at": ""} == run | {
        "state": "taken_back",
        "put_back": 1,
        "asked_at": "",
        "undone_at": "",
    }
    assert state(ticket)["team__slug"] == "quality"
    assert client.post(address, {"why": "x"}, content_type="application/json").status_code == 400
    _, weak = ApiKey.issue("reader", scopes=[Scope.TICKETS_READ])
    assert client.get(address, headers={"authorization": f"Bearer {weak}"}).status_code == 403
