"""Programs find, read and decide as people do, see what their key's team sees, and are told what is wrong by its place."""

import threading
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from feedback_portal.accounts.models import ApiKey, Role, Scope, Team
from tests.makers import AT, actor, make_customer, make_item, make_person, make_team, make_ticket
from triage.improving import improvements, telling
from triage.models import Action, Event, Rule, Tagging, Ticket, Topic
from triage.rulebook import back_testing

pytestmark = pytest.mark.django_db

READ_AND_WRITE = (Scope.TICKETS_READ, Scope.TICKETS_WRITE)


class Program:
    """A caller with a key."""

    def __init__(self, *scopes: str, team: Team | None = None) -> None:
        self.key, self.secret = ApiKey.issue("robot", scopes=list(scopes), team=team)

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
        answer = getattr(Client(), method)(
            f"/api/v1/{path}",
            **({} if body is None else {"data": body, "content_type": "application/json"}),
            headers={"Authorization": f"Bearer {self.secret}", **headers},
        )
        return answer.status_code, answer.json()

    def get(self, path: str) -> Any:
        status, body = self.call("get", path)
        assert status == 200, body
        return body


@pytest.fixture
def quality(db: None) -> Team:
    return make_team("quality")


@pytest.fixture
def marketing(db: None) -> Team:
    return make_team("marketing")


@pytest.fixture
def robot(quality: Team) -> Program:
    return Program(*READ_AND_WRITE, team=quality)


@pytest.fixture
def everything(db: None) -> Program:
    return Program(*READ_AND_WRITE, Scope.ADMIN)


class TestTickets:
    def test_are_found_by_the_words_of_the_workbench(self, robot: Program, quality: Team) -> None:
        leak = make_ticket("The tank leaks", team=quality, severity=2)
        make_ticket("The box was wet", team=quality)

        found = robot.get("tickets/?q=severity:2")

        assert [row["reference"] for row in found["results"]] == [leak.reference]
        assert found["results"][0] | {"feedback": None} == {
            "reference": leak.reference,
            "version": 1,
            "status": "new",
            "resolution": None,
            "resolution_reason": "",
            "team": "quality",
            "stage": None,
            "assignee": None,
            "severity": 2,
            "due_at": "2026-03-05T12:00:00Z",
            "received_at": "2026-03-04T12:00:00Z",
            "triaged_at": None,
            "resolved_at": None,
            "snoozed_until": None,
            "duplicate_of": None,
            "feedback": None,
        }
        assert found["results"][0]["feedback"]["excerpt"] == "The tank leaks"

    def test_page_by_key_newest_first_without_gap_or_repeat(self, robot: Program, quality: Team) -> None:
        made = [make_ticket(team=quality, at=AT + timedelta(minutes=number % 3)) for number in range(7)]

        seen, cursor = [], ""
        while True:
            page = robot.get(f"tickets/?limit=2&cursor={cursor}")
            seen += [row["reference"] for row in page["results"]]
            cursor = page["next"]
            if cursor is None:
                break

        assert seen == [t.reference for t in sorted(made, key=lambda t: (t.received_at, t.pk), reverse=True)]

    def test_cost_the_same_for_20_as_for_2_and_never_read_bodies(self, robot: Program, quality: Team) -> None:
        def cost(number: int) -> int:
            while Ticket.objects.count() < number:
                make_ticket(team=quality, item_customer=make_customer())
            with CaptureQueriesContext(connection) as queries:
                assert len(robot.get("tickets/")["results"]) == number
            assert not [query for query in queries if '"text"' in query["sql"] or '"payload"' in query["sql"]]
            return len(queries)

        cost(1)  # the first call of a minute notes that the key was used
        assert cost(2) == cost(20)

    @pytest.mark.parametrize("q", ["nothing:here", "(", '"open', "x" * 300, "sla:<2"])
    def test_a_search_that_means_nothing_is_refused_by_its_place(self, robot: Program, q: str) -> None:
        status, body = robot.call("get", "tickets/?q=" + q.replace('"', "%22"))

        assert status == 400
        assert body["errors"][0]["path"] == "q"

    @pytest.mark.parametrize("q", ["%%%%%", "' OR 1=1 --", "a:b | c & !d <-> e:*", "\\\\", "or", "-", "()"])
    def test_a_search_is_never_an_error_of_the_database(self, robot: Program, q: str) -> None:
        status, _ = robot.call("get", "tickets/?" + urlencode({"q": q}))

        assert status in {200, 400}

    @pytest.mark.parametrize("given", ["limit=0", "limit=x", "cursor=%21", "cursor=WzFd"])
    def test_paging_that_is_not_ours_is_refused(self, robot: Program, given: str) -> None:
        assert robot.call("get", f"tickets/?{given}")[0] == 400

    def test_a_ticket_says_why_it_is_where_it_is(self, robot: Program, quality: Team) -> None:
        condition = {"field": "text", "op": "contains", "value": "leaks"}
        other = {"field": "channel", "op": "is", "value": "nowhere"}
        for position, (name, when) in enumerate([("Not this", other), ("Leaks", condition)]):
            definition = {"version": 1, "when": when, "then": [{"verb": "route", "team": "quality"}]}
            Rule.objects.create(name=name, position=position, definition=definition)
        explanation = {"by": "rule", "rule": "Leaks", "topic": None, "reason": 'The rule "Leaks" sends it to Quality.'}
        ticket = make_ticket("It leaks", team=quality, explanation=explanation)
        topic = Topic.objects.create(slug="leak", name="Leak")
        evidence = {"reason": "It says leaks.", "evidence": [{"says": "leaks", "weight": 1.0, "span": ["text", 3, 8]}]}
        Tagging.objects.create(item=ticket.item, topic=topic, source="model", confidence=0.9, evidence=evidence)

        told = robot.get(f"tickets/{ticket.reference}/")["explanation"]

        assert told["reason"] == 'The rule "Leaks" sends it to Quality.'
        assert [(rule["rule"], rule["matched"], rule["is_winner"]) for rule in told["rules"]] == [
            ("Not this", False, False),
            ("Leaks", True, True),
        ]
        assert told["rules"][0]["conditions"][0]["held"] is False
        assert (told["tags"][0]["topic"], told["tags"][0]["evidence"]) == ("leak", evidence)


class TestDecisions:
    def decide(self, by: Program, ticket: Ticket, verb: str, **arguments: Any) -> tuple[int, Any]:
        return by.call("post", f"tickets/{ticket.reference}/decisions/", {"verb": verb, **arguments})

    def test_a_program_decides_as_a_person_does(self, robot: Program, everything: Program, quality: Team) -> None:
        make_team("logistics")
        ticket = make_ticket(team=quality)

        status, told = self.decide(everything, ticket, "route", team="logistics", version=1, note="Box, not boiler")

        assert (status, told["team"], told["status"], told["version"]) == (200, "logistics", "open", 2)
        events = everything.get(f"tickets/{ticket.reference}/decisions/")["results"]
        assert [(event["type"], event["by"]) for event in events] == [
            ("triaged", "robot"),
            ("routed", "robot"),
            ("noted", "robot"),
        ]
        assert "before" not in events[0]["data"]

    def test_a_stale_version_answers_409_with_the_current_ticket(self, robot: Program, quality: Team) -> None:
        ticket = make_ticket(team=quality)
        assert self.decide(robot, ticket, "accept", version=1)[0] == 200

        status, problem = self.decide(robot, ticket, "resolve", resolution="answered", version=1)

        assert status == 409
        assert problem["current"]["version"] == 2
        assert problem["current"]["status"] == "open"
        assert problem["type"] == "urn:feedback-portal:stale-ticket"

    def test_the_same_idempotency_key_decides_once(self, robot: Program, quality: Team) -> None:
        ticket = make_ticket(team=quality)
        path, body = f"tickets/{ticket.reference}/decisions/", {"verb": "note", "text": "Once"}

        first = robot.call("post", path, body, **{"Idempotency-Key": "k1"})
        again = robot.call("post", path, body, **{"Idempotency-Key": "k1"})

        assert first == again
        assert Event.objects.filter(type="noted").count() == 1

    @pytest.mark.parametrize(
        ("body", "path"),
        [
            ({"verb": "fly"}, "verb"),
            ({"verb": "route", "team": 5}, "team"),
            ({"verb": "route", "team": ["quality"]}, "team"),
            ({"verb": "assign", "assignee": {"email": "x"}}, "assignee"),
            ({"verb": "tags", "topics": "leak"}, "topics"),
            ({"verb": "tags", "topics": [1]}, "topics"),
            ({"verb": "severity", "value": "1"}, "value"),
            ({"verb": "severity", "value": 10**30}, "value"),
            ({"verb": "severity", "value": True}, "value"),
            ({"verb": "reply", "text": "x", "wait": "yes"}, "wait"),
            ({"verb": "snooze", "until": "tomorrow"}, "until"),
            ({"verb": "note", "text": "x", "is_staff": True}, "is_staff"),
            ({"verb": "note", "text": "x", "by": "admin"}, "by"),
            ({"verb": "note", "text": "x", "at": "2020-01-01T00:00:00Z"}, "at"),
            ({"verb": "accept", "version": "1"}, "version"),
            ({"verb": "accept", "version": 10**40}, "version"),
        ],
    )
    def test_what_is_wrong_is_named_and_nothing_changes(
        self, robot: Program, quality: Team, body: dict[str, Any], path: str
    ) -> None:
        ticket = make_ticket(team=quality)

        status, problem = robot.call("post", f"tickets/{ticket.reference}/decisions/", body)

        assert status == 400
        assert [error["path"] for error in problem["errors"]] == [path]
        ticket.refresh_from_db()
        assert ticket.version == 1

    @pytest.mark.parametrize("body", [{"verb": "route"}, {"verb": "accept", "team": "quality"}, [], {}, {"verb": 5}])
    def test_a_call_that_fits_no_verb_is_refused(self, robot: Program, quality: Team, body: Any) -> None:
        status, problem = robot.call("post", f"tickets/{make_ticket(team=quality).reference}/decisions/", body)

        assert status == 400
        assert problem["detail"].endswith(".")

    @pytest.mark.django_db(transaction=True)
    def test_of_two_programs_at_once_one_decides(self) -> None:
        quality = make_team("quality")
        ticket = make_ticket(team=quality)
        programs = [Program(*READ_AND_WRITE, team=quality) for _ in range(6)]
        start, answers = threading.Barrier(6), []

        def act(program: Program) -> None:
            start.wait()
            answers.append(self.decide(program, ticket, "resolve", resolution="answered", version=1)[0])
            connection.close()

        threads = [threading.Thread(target=act, args=(program,)) for program in programs]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert sorted(answers) == [200] + [409] * 5
        assert Event.objects.filter(type="resolved").count() == 1


class TestWhoMaySee:
    """Another team's ticket does not exist: 404 for reading and for every write, and no list, filter or error tells of it."""

    @pytest.fixture
    def hidden(self, marketing: Team) -> Ticket:
        return make_ticket("CANARY text", team=marketing, item_customer=make_customer("Canary"))

    def test_everything_about_it_is_404(self, robot: Program, hidden: Ticket, marketing: Team) -> None:
        omar = make_person("Omar", marketing)
        action = improvements.create(by=actor(omar), at=AT, title="CANARY plan", team="marketing")
        item = hidden.item

        answers = [
            robot.call("get", f"tickets/{hidden.reference}/"),
            robot.call("get", f"tickets/{hidden.reference}/decisions/"),
            robot.call("post", f"tickets/{hidden.reference}/decisions/", {"verb": "accept"}),
            robot.call("post", f"tickets/{hidden.reference}/decisions/", {"verb": "note", "text": "x"}),
            robot.call("get", f"feedback/{item.submission.public_id}/"),
            robot.call("get", f"customers/{item.customer_id}/"),
            robot.call("get", f"actions/{action.reference}/"),
            robot.call("patch", f"actions/{action.reference}/", {"title": "x"}),
            robot.call("post", f"actions/{action.reference}/decisions/", {"verb": "withdraw"}),
        ]

        assert [status for status, _ in answers] == [404] * 9
        assert not [body for _, body in answers if "CANARY" in str(body) or "arketing" in str(body)]
        hidden.refresh_from_db()
        assert hidden.version == 1

    def test_no_list_and_no_filter_shows_it(self, robot: Program, hidden: Ticket, quality: Team) -> None:
        mine = make_ticket("Mine", team=quality)

        for path in (
            "tickets/",
            "feedback/",
            "customers/",
            "actions/",
            "tickets/?q=team:marketing",
            f"tickets/?q=id:{hidden.reference}",
            f"feedback/?q=id:{hidden.item.reference}",
            "tickets/?q=team:marketing,quality",
        ):
            assert "anary" not in str(robot.get(path)).lower(), path
        status, problem = robot.call(
            "post", f"tickets/{mine.reference}/decisions/", {"verb": "merge", "original": hidden.reference}
        )
        assert status == 404
        assert "CANARY" not in str(problem)

    def test_a_key_of_no_team_sees_everything(self, everything: Program, hidden: Ticket) -> None:
        assert everything.get("tickets/")["results"][0]["reference"] == hidden.reference

    @pytest.mark.parametrize("number", ["F-0", "F-99999999999999999999", "nonsense", "A-101", "F-20001%00"])
    def test_what_cannot_exist_is_404_or_400(self, robot: Program, number: str) -> None:
        assert robot.call("get", f"tickets/{number}/")[0] in {400, 404}

    @pytest.mark.parametrize(
        ("scope", "method", "path", "body"),
        [
            (Scope.TICKETS_READ, "post", "tickets/F-20001/decisions/", {"verb": "accept"}),
            (Scope.TICKETS_WRITE, "get", "tickets/", None),
            (Scope.FEEDBACK_WRITE, "get", "feedback/", None),
            (Scope.FEEDBACK_WRITE, "get", "tickets/", None),
            (Scope.KPIS_READ, "get", "customers/", None),
            (Scope.TICKETS_WRITE, "post", "topics/", {"slug": "x", "name": "X"}),
            (Scope.TICKETS_WRITE, "patch", "teams/quality/", {"name": "X"}),
            (Scope.TICKETS_WRITE, "post", "rules/preview/", {"definition": {}}),
            (Scope.TICKETS_READ, "post", "feedback/", {"text": "x"}),
        ],
    )
    def test_a_key_does_what_its_scopes_name_and_nothing_else(
        self, quality: Team, scope: str, method: str, path: str, body: Any
    ) -> None:
        assert Program(scope).call(method, path, body)[0] == 403

    def test_without_a_key_everything_is_401(self, db: None) -> None:
        for path in ("tickets/", "feedback/", "customers/", "topics/", "teams/", "rules/", "actions/"):
            assert Client().get(f"/api/v1/{path}").status_code == 401


class TestFeedback:
    def test_an_item_is_read_in_full_with_where_it_stands(self, robot: Program, quality: Team) -> None:
        ticket = make_ticket("It leaks", team=quality, item_customer=make_customer(), item_context={"batch": "H4"})

        told = robot.get(f"feedback/{ticket.item.submission.public_id}/")

        assert (told["text"], told["status"], told["context"]) == ("It leaks", "new", {"batch": "H4"})
        assert told["tickets"] == [{"reference": ticket.reference, "team": "quality", "status": "new"}]
        assert told["reference"] == ticket.item.reference

    def test_items_are_listed_once_however_many_teams_work_on_them(self, everything: Program, quality: Team) -> None:
        item = make_item()
        make_ticket(team=quality, item=item)
        make_ticket(team=make_team("logistics"), item=item)

        assert len(everything.get("feedback/")["results"]) == 1

    def test_sending_stays_where_it_was(self, db: None) -> None:
        status, _ = Program(Scope.FEEDBACK_WRITE).call("post", "feedback/", {"channel": "nowhere", "text": "x"})

        assert status == 400


class TestOrganisation:
    def test_topics_are_made_and_changed_by_administrators(self, everything: Program, quality: Team) -> None:
        status, made = everything.call(
            "post", "topics/", {"slug": "leak", "name": "Leak", "keywords": ["drip", "wet"], "team": "quality"}
        )
        assert (status, made["team"], made["keywords"]) == (201, "quality", ["drip", "wet"])
        everything.call("post", "topics/", {"slug": "seal", "name": "Seal", "parent": "leak"})

        status, changed = everything.call("patch", "topics/seal/", {"name": "Seals", "is_active": False})

        assert (status, changed["name"], changed["parent"], changed["is_active"]) == (200, "Seals", "leak", False)
        assert everything.call("post", "topics/", {"slug": "leak", "name": "Again"})[0] == 400
        assert everything.call("patch", "topics/leak/", {"parent": "seal"})[0] == 400, "no circles"
        assert everything.call("patch", "topics/leak/", {"slug": "x", "id": 7})[0] == 400
        assert [row["slug"] for row in everything.get("topics/")["results"]] == ["leak", "seal"]

    def test_there_is_always_exactly_one_catch_all(self, everything: Program, quality: Team) -> None:
        first = Team.objects.filter(is_catch_all=True).first() or make_team("desk", is_catch_all=True)

        assert everything.call("patch", f"teams/{first.slug}/", {"is_catch_all": False})[0] == 400
        assert everything.call("patch", f"teams/{first.slug}/", {"is_active": False})[0] == 400
        assert everything.call("patch", "teams/quality/", {"is_catch_all": True})[1]["is_catch_all"]

        assert list(Team.objects.filter(is_catch_all=True)) == [quality]

    def test_a_team_with_open_work_stays(self, everything: Program, quality: Team) -> None:
        make_ticket(team=quality)

        status, problem = everything.call("patch", "teams/quality/", {"is_active": False})

        assert status == 400
        assert "open tickets" in problem["detail"]

    def test_a_rule_is_checked_when_it_is_saved(self, everything: Program, quality: Team) -> None:
        when = {"field": "text", "op": "contains", "value": "leak"}

        def rule(then: Any) -> dict[str, Any]:
            return {"name": "Leaks", "definition": {"version": 1, "when": when, "then": then}}

        for then, path in [
            ([{"verb": "route", "team": "nowhere"}], "definition.then.0.team"),
            ([{"verb": "tag", "topic": "nothing"}], "definition.then.0.topic"),
            ([{"verb": "assign", "person": "nobody@example.com"}], "definition.then.0.person"),
            ([{"verb": "fly"}], "definition.then.0.verb"),
            ([], "definition.then"),
        ]:
            status, problem = everything.call("post", "rules/", rule(then))
            assert (status, problem["errors"][0]["path"]) == (400, path)
        status, made = everything.call("post", "rules/", rule([{"verb": "route", "team": "quality"}]))
        assert (status, made["version"], made["is_enabled"]) == (201, 1, True)

        assert everything.call("patch", f"rules/{made['id']}/", {"is_enabled": False, "version": 1})[1]["version"] == 2
        assert everything.call("patch", f"rules/{made['id']}/", {"is_enabled": True, "version": 1})[0] == 409

    def test_a_rule_is_tried_before_it_is_saved(self, everything: Program, quality: Team) -> None:
        leak = make_ticket("It leaks", team=quality)
        make_ticket("It burns", team=quality)
        when = {"field": "text", "op": "contains", "value": "leaks"}
        definition = {"version": 1, "when": when, "then": [{"verb": "route", "team": "quality"}]}

        status, told = everything.call("post", "rules/preview/", {"definition": definition})

        assert (status, told) == (200, {"tried": 2, "matched": [leak.item.reference]})
        assert everything.call("post", "rules/preview/", {"definition": {"version": 1}})[0] == 400

    def test_a_change_of_a_rule_is_back_tested_watched_and_kept_by_version(
        self, everything: Program, quality: Team
    ) -> None:
        make_ticket("It leaks", team=make_team("service"))
        when = {"field": "text", "op": "mentions", "value": ["leak"]}
        definition = {"version": 1, "when": when, "then": [{"verb": "route", "team": "quality"}]}
        status, made = everything.call("post", "rules/", {"name": "Leaks", "definition": definition, "is_shadow": True})
        assert (status, made["is_shadow"]) == (201, True)

        status, asked = everything.call("post", "rules/back-tests/", {"rule": made["id"], "definition": definition})
        assert status == 202, asked
        assert (status, asked["state"], asked["items"]) == (202, "waiting", 100_000)
        back_testing.work_pending()
        done = everything.get(f"rules/back-tests/{asked['id']}/")
        assert (done["state"], done["result"]["held_after"]) == ("done", 1)
        assert [(move["from"] != "quality", move["to"]) for move in done["result"]["moves"]] == [(True, "quality")]
        asked = everything.call("post", "rules/back-tests/", {"definition": definition, "items": 5})[1]
        assert everything.call("delete", f"rules/back-tests/{asked['id']}/")[1]["state"] == "cancelled"

        everything.call("patch", f"rules/{made['id']}/", {"is_shadow": False})
        versions = everything.get(f"rules/{made['id']}/versions/")["results"]
        assert [(one["number"], one["is_shadow"]) for one in versions] == [(2, False), (1, True)]
        assert everything.get(f"rules/{made['id']}/shadow/")["held"] == 0
        for wrong in (
            {},
            {"definition": definition, "items": "all"},
            {"definition": definition, "rule": "x"},
            {"x": 1},
        ):
            assert everything.call("post", "rules/back-tests/", wrong)[0] == 400


class TestActions:
    def test_an_action_is_planned_linked_and_shipped(self, robot: Program, quality: Team) -> None:
        ticket = make_ticket(team=quality)
        status, made = robot.call("post", "actions/", {"title": "Glue it", "team": "quality"})
        assert (status, made["step"], made["tickets"]) == (201, "plan", [])
        path = f"actions/{made['reference']}/"

        assert robot.call("post", f"{path}decisions/", {"verb": "link", "ticket": ticket.reference})[0] == 200
        assert robot.call("patch", path, {"due_at": "2026-04-01", "version": 1})[1]["due_at"] == "2026-04-01"
        assert robot.call("post", f"{path}decisions/", {"verb": "move", "step": "do", "version": 1})[0] == 409
        assert robot.call("post", f"{path}decisions/", {"verb": "move", "step": "do"})[1]["step"] == "do"
        status, shipped = robot.call("post", f"{path}decisions/", {"verb": "ship", "public_text": "Glued."})

        assert (status, shipped["step"], shipped["tickets"]) == (200, "check", [ticket.reference])
        telling.tell_pending()
        ticket.refresh_from_db()
        assert ticket.resolution == "shipped"

    @pytest.mark.parametrize(
        ("body", "path"),
        [
            ({"verb": "fly"}, "verb"),
            ({"verb": "move"}, "step"),
            ({"verb": "move", "step": 5}, "step"),
            ({"verb": "link", "ticket": {}}, "ticket"),
            ({"verb": "ship", "public_text": 5}, "public_text"),
            ({"verb": "withdraw", "title": "x"}, "title"),
        ],
    )
    def test_what_is_wrong_is_named(self, robot: Program, quality: Team, body: dict[str, Any], path: str) -> None:
        _, made = robot.call("post", "actions/", {"title": "Glue it", "team": "quality"})

        status, problem = robot.call("post", f"actions/{made['reference']}/decisions/", body)

        assert (status, [error["path"] for error in problem["errors"]]) == (400, [path])

    def test_a_manager_key_sees_them_all_and_a_team_key_its_own(self, robot: Program, everything: Program) -> None:
        lena = make_person("Lena", role=Role.MANAGER)
        improvements.create(by=actor(lena), at=AT, title="Theirs", team=make_team("marketing").slug)
        improvements.create(by=actor(lena), at=AT, title="Ours", team="quality")

        assert [row["title"] for row in robot.get("actions/")["results"]] == ["Ours"]
        assert len(everything.get("actions/")["results"]) == Action.objects.count() == 2
