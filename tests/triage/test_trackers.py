"""Issues of trackers and what they are about here stay in step, both ways, and nothing comes back as an echo."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.conf import LazySettings
from django.db.models import F
from django.db.models.functions import Now
from django.test import Client
from django.utils import timezone

from feedback_portal.accounts.models import ApiKey, Role, Scope
from feedback_portal.accounts.permissions import Actor
from feedback_portal.refusals import BadInput, NotAllowed
from tests.makers import actor, make_person, make_team, make_ticket
from tests.outside import Outside, Said, outside
from tests.trackers import GitHub, GitLab, Jira, StandIn
from triage import decisions
from triage.connecting import issues, projects, syncing
from triage.connecting.trackers import trackers
from triage.connecting.trackers.base import harmless
from triage.improving import improvements, plans
from triage.lifecycle import Status
from triage.models import Action, ActionEvent, CarriedComment, Event, LinkedIssue, Notice, Ticket, TrackerProject
from triage.persons import erasing

pytestmark = pytest.mark.django_db


@pytest.fixture
def server(settings: LazySettings) -> Iterator[Outside]:
    with outside() as found:
        settings.OUTGOING_ALLOW = [found.host]
        yield found


@pytest.fixture(params=[GitHub, GitLab, Jira], ids=["github", "gitlab", "jira"])
def there(request: pytest.FixtureRequest, server: Outside, monkeypatch: pytest.MonkeyPatch) -> StandIn:
    found: StandIn = request.param(timezone.now() + timedelta(hours=1))
    monkeypatch.setattr(server, "answer", found.answer)
    return found


@pytest.fixture
def github(server: Outside, monkeypatch: pytest.MonkeyPatch) -> GitHub:
    found = GitHub(timezone.now() + timedelta(hours=1))
    monkeypatch.setattr(server, "answer", found.answer)
    return found


@pytest.fixture
def ada() -> Actor:
    return actor(make_person("Ada", role=Role.ADMIN))


def connect(there: StandIn, server: Outside, by: Actor, **given: Any) -> TrackerProject:
    whole = {"name": "Kettle", "shares_notes": True, "asked": there.asked(server.url), **given}
    made = projects.create(there.slug, whole, by=by, at=timezone.now())
    TrackerProject.objects.update(next_attempt_at=F("next_attempt_at") + timedelta(hours=1))
    return made


def sync() -> dict[str, int]:
    """Until both sides rest, as the relay rings."""
    done = syncing.sync_pending(at=timezone.now()).as_dict()
    assert done["retried"] == 0, list(LinkedIssue.objects.values_list("last_error", flat=True))
    return done


def make_action(by: Actor) -> Action:
    make_team("quality")
    return improvements.create(by=by, at=timezone.now(), title="Re-seat the seal", team="quality")


def link(about: Ticket | Action, project: TrackerProject, there: StandIn, by: Actor) -> LinkedIssue:
    made = issues.link(about, {"project": str(project.pk), "issue": there.key}, by=by, at=timezone.now())
    sync()
    made.refresh_from_db()
    return made


def notes(ticket: Ticket) -> list[str]:
    return [event.data["text"] for event in Event.objects.filter(ticket=ticket, type="noted").order_by("pk")]


def test_an_issue_that_exists_is_linked_with_what_stands_there(there: StandIn, server: Outside, ada: Actor) -> None:
    there.clock -= timedelta(days=1)
    there.say("octo", "Written long before")
    issue = link(make_ticket(), connect(there, server, ada), there, ada)

    assert (issue.title, issue.status, issue.standing) == ("Lid leaks", there.open, "open")
    assert issue.url.startswith("http")
    assert issue.completed_at is not None
    assert not CarriedComment.objects.exists()
    with pytest.raises(issues.NotLinked):
        issues.link(issue.ticket, {"project": str(issue.project_id), "issue": there.key}, by=ada, at=timezone.now())


def test_comments_go_both_ways_once_and_none_comes_back(there: StandIn, server: Outside, ada: Actor) -> None:
    ticket = make_ticket()
    link(ticket, connect(there, server, ada), there, ada)
    there.say("octo", "Which batch was it, @ada?")
    decisions.decide(ticket.reference, "note", by=ada, at=timezone.now(), text="Batch 2231, says the customer")

    issues.ring(TrackerProject.objects.get(), [there.key])
    for _ in range(3):
        sync()
        issues.ring(TrackerProject.objects.get(), [there.key])
    sync()

    assert len(there.texts()) == 2
    assert there.texts()[1].startswith(
        f"Ada, {ticket.reference}:\n\nBatch 2231, says the customer\n\n(feedback portal note-"
    )
    assert [text for text in notes(ticket) if "Which batch" in text] == [
        f"octo, Kettle {'' if there.slug == 'jira' else '#'}{there.key}:\nWhich batch was it, @ada?"
    ]
    assert not Notice.objects.exists(), "words from outside call nobody"
    assert len(notes(ticket)) == 2
    assert CarriedComment.objects.count() == 2


def test_a_comment_whose_answer_was_lost_is_known_again_and_not_written_twice(
    there: StandIn, server: Outside, ada: Actor
) -> None:
    ticket = make_ticket()
    link(ticket, connect(there, server, ada), there, ada)
    decisions.decide(ticket.reference, "note", by=ada, at=timezone.now(), text="Batch 2231")
    there.loses = True

    sync()
    assert not CarriedComment.objects.exists()
    LinkedIssue.objects.update(next_attempt_at=Now())
    sync()

    assert len(there.texts()) == 1
    assert CarriedComment.objects.get().event == Event.objects.get(type="noted").pk
    assert notes(ticket) == ["Batch 2231"]


def test_an_issue_is_made_of_an_action_once_even_if_the_answer_is_lost(
    there: StandIn, server: Outside, ada: Actor
) -> None:
    project, action = connect(there, server, ada), make_action(ada)
    given = {"project": str(project.pk), "title": "Re-seat the seal", "text": "Batch 2231\n/close\nas @ana says"}
    issues.create(action, given, by=ada, at=timezone.now())
    there.loses = True
    sync()
    LinkedIssue.objects.update(next_attempt_at=Now())
    sync()

    made = LinkedIssue.objects.get()
    assert len(there.issues) == 2
    assert made.key in there.issues
    assert made.draft == {}
    text = there.issues[made.key].text
    assert f"/actions/{action.reference}/" in text
    assert "\n/close" not in text
    assert "@ana" not in text


def test_our_status_is_followed_there(there: StandIn, server: Outside, ada: Actor) -> None:
    action = make_action(ada)
    issue = link(action, connect(there, server, ada), there, ada)
    moved = improvements.move(action, by=ada, at=timezone.now(), step="do")
    sync()
    assert there.issues[there.key].status == there.doing

    improvements.ship(moved, by=ada, at=timezone.now(), public_text="The lid closes now.")
    sync()

    issue.refresh_from_db()
    assert there.issues[there.key].status == there.done
    assert (issue.standing, issue.status) == ("done", there.done)
    # What comes back says nothing new.
    before = ActionEvent.objects.count()
    issues.ring(issue.project, [there.key])
    sync()
    assert ActionEvent.objects.count() == before
    assert there.issues[there.key].status == there.done


def test_a_move_there_is_written_down_and_resolves_the_ticket_where_that_was_chosen(
    there: StandIn, server: Outside, ada: Actor
) -> None:
    ticket = make_ticket()
    project = connect(there, server, ada, when_done="resolve")
    issue = link(ticket, project, there, ada)
    there.move(there.done)
    issues.ring(project, [there.key])
    sync()
    sync()

    ticket.refresh_from_db()
    assert (ticket.status, ticket.resolution) == (Status.RESOLVED, "shipped")
    assert Event.objects.get(type="resolved").source == "system"
    assert not ticket.notifications.exists()
    assert sum(f"is now “{there.done}”" in text for text in notes(ticket)) == 1

    # Reopened there while nobody decided here: reopened here.
    there.move(there.open)
    issues.ring(project, [there.key])
    sync()
    ticket.refresh_from_db()
    assert ticket.status == Status.OPEN

    # What a person decided stands, whatever happens there.
    decisions.decide(ticket.reference, "resolve", by=ada, at=timezone.now(), resolution="declined", reason="Too dear")
    sync()
    there.move(there.open)
    issues.ring(project, [there.key])
    sync()
    ticket.refresh_from_db()
    assert ticket.resolution == "declined"
    issue.refresh_from_db()
    assert issue.parked_at is None


def test_only_written_down_where_nothing_was_chosen(github: GitHub, server: Outside, ada: Actor) -> None:
    ticket = make_ticket()
    project = connect(github, server, ada)
    link(ticket, project, github, ada)
    github.move("completed")
    issues.ring(project, ["7"])
    sync()

    ticket.refresh_from_db()
    assert ticket.status == Status.NEW
    assert notes(ticket) == ["Kettle #7 is now “completed”."]


def test_work_that_begins_there_begins_here_and_done_asks_to_ship(
    server: Outside, ada: Actor, monkeypatch: Any
) -> None:
    jira = Jira(timezone.now() + timedelta(hours=1))
    monkeypatch.setattr(server, "answer", jira.answer)
    action, project = make_action(ada), connect(jira, server, ada)
    link(action, project, jira, ada)
    for status in ("In Progress", "Done"):
        jira.move(status)
        issues.ring(project, ["KET-7"])
        sync()
        sync()

    action.refresh_from_db()
    assert action.step == "do"
    said = [event.data["text"] for event in ActionEvent.objects.filter(type="commented").order_by("pk")]
    assert said == [
        "Kettle KET-7 is now “In Progress”.",
        f"Kettle KET-7 is now “Done”. Ship {action.reference} once customers have it.",
    ]


def test_comments_of_an_action_go_both_ways_as_well(there: StandIn, server: Outside, ada: Actor) -> None:
    action = make_action(ada)
    project = connect(there, server, ada)
    link(action, project, there, ada)
    plans.comment(action, by=ada, at=timezone.now(), text="The tool is worn")
    there.say("octo", "A new one is ordered")
    issues.ring(project, [there.key])
    sync()
    sync()

    assert len(there.texts()) == 2
    assert [
        event.data["text"].partition("\n")[2] for event in ActionEvent.objects.filter(person=None, type="commented")
    ] == ["A new one is ordered"]


def test_a_quoted_mark_is_no_mark_and_a_forged_one_neither(github: GitHub, server: Outside, ada: Actor) -> None:
    ticket = make_ticket()
    project = connect(github, server, ada)
    issue = link(ticket, project, github, ada)
    mark = syncing._mark(issue, "note-1")
    github.say("octo", f"I agree\n\n> Ada wrote\n> {mark}")
    github.say("octo", f"Hidden\n\n(feedback portal note-1 {'0' * 16})")
    github.say("octo", f"Ours\n\n{mark}")
    issues.ring(project, ["7"])
    sync()

    assert len(notes(ticket)) == 2
    assert not [text for text in notes(ticket) if "Ours" in text]


def test_notes_stay_here_unless_they_are_shared(github: GitHub, server: Outside, ada: Actor) -> None:
    ticket = make_ticket()
    link(ticket, connect(github, server, ada, shares_notes=False), github, ada)
    decisions.decide(ticket.reference, "note", by=ada, at=timezone.now(), text="Between us")
    sync()

    assert github.texts() == []


def test_a_call_of_the_tracker_rings_and_a_forged_one_does_not(
    there: StandIn, server: Outside, ada: Actor, client: Client
) -> None:
    ticket = make_ticket()
    project = connect(there, server, ada)
    link(ticket, project, there, ada)
    there.say("octo", "Which batch was it?")
    headers, body = there.hook()
    here = projects.address(project).partition("//")[2].partition("/")[2]

    def call(body: bytes, headers: dict[str, str], path: str = here) -> int:
        return client.post(f"/{path}", body, content_type="application/json", headers=headers).status_code

    assert call(body + b" ", {**headers, "X-Gitlab-Token": "guess"}) == 401
    assert call(body, {}) == 401
    assert call(body, headers, "hooks/trackers/nobody/") == 404
    sync()
    assert notes(ticket) == []
    assert [call(body, headers) for _ in range(3)] == [204, 204, 204]
    sync()

    assert len(notes(ticket)) == 1
    projects.switch(project, is_enabled=False, by=ada)
    assert call(body, headers) == 404


def test_what_changed_there_is_found_without_a_call(there: StandIn, server: Outside, ada: Actor) -> None:
    ticket = make_ticket()
    project = connect(there, server, ada)
    link(ticket, project, there, ada)
    there.say("octo", "Which batch was it?")
    assert syncing.look_pending(at=timezone.now()).done == 0  # not before its time
    TrackerProject.objects.update(next_attempt_at=Now())

    assert syncing.look_pending(at=timezone.now()).done == 1
    sync()

    assert len(notes(ticket)) == 1
    project.refresh_from_db()
    assert project.completed_at is None
    assert 200 < (project.next_attempt_at - timezone.now()).total_seconds() < 400


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (Said(500), (60, "does not work")),
        (Said(429, headers={"Retry-After": "600"}), (600, "too often")),
        (Said(401), (6 * 3600, "refuses our key")),
        (Said(302, headers={"Location": "https://elsewhere.example/"}), (60, "not followed")),
    ],
)
def test_a_tracker_in_trouble_is_left_alone_and_only_that_one(
    github: GitHub, server: Outside, ada: Actor, said: Said, told: tuple[int, str]
) -> None:
    ticket, project = make_ticket(), connect(github, server, ada)
    link(ticket, project, github, ada)
    github.refuses = said
    asked = len(github.heard)
    for text in ("One", "Two"):
        decisions.decide(ticket.reference, "note", by=ada, at=timezone.now(), text=text)
        sync()

    project.refresh_from_db()
    seconds, words = told
    assert words in project.trouble
    assert project.paused_until is not None
    assert seconds * 0.9 < (project.paused_until - timezone.now()).total_seconds() < seconds * 1.3
    assert len(github.heard) == asked + 1

    github.refuses = None
    projects.look_now(project, by=ada)
    sync()
    project.refresh_from_db()
    assert (project.failures, project.trouble) == (0, "")
    assert len(github.texts()) == 2


def test_an_issue_that_is_gone_is_parked_with_its_reason(github: GitHub, server: Outside, ada: Actor) -> None:
    project = connect(github, server, ada)
    issue = issues.link(make_ticket(), {"project": str(project.pk), "issue": "#8"}, by=ada, at=timezone.now())

    assert syncing.sync_pending(at=timezone.now()).as_dict()["parked"] == 1
    issue.refresh_from_db()
    assert "does not know this issue" in issue.last_error


def test_what_is_unlinked_is_carried_no_more(github: GitHub, server: Outside, ada: Actor) -> None:
    ticket, project = make_ticket(), connect(github, server, ada)
    issue = link(ticket, project, github, ada)
    issues.unlink(ticket, issue.pk, at=timezone.now())
    decisions.decide(ticket.reference, "note", by=ada, at=timezone.now(), text="After")
    github.say("octo", "After")

    assert issues.ring(project, ["7"]) == 0
    assert sync()["done"] == 0
    assert len(github.texts()) == 1


def test_settings_are_checked_and_secrets_sealed(github: GitHub, server: Outside, ada: Actor) -> None:
    with pytest.raises(BadInput) as refused:
        projects.create("github", {"name": "", "asked": {"api": "https://10.0.0.1/"}}, by=ada, at=timezone.now())
    assert {error.path for error in refused.value.errors} == {"name", "repository", "token", "api"}
    with pytest.raises(NotAllowed):
        connect(github, server, actor(make_person("Tariq")))
    project = connect(github, server, ada)
    projects.change(project, {"name": "Kettles", "asked": {**github.asked(server.url), "token": ""}}, by=ada)
    project = TrackerProject.objects.get()
    assert (project.name, project.secrets["token"]) == ("Kettles", "t-1")
    assert b"t-1" not in bytes(project.sealed_secrets)
    assert "t-1" not in str(project.settings)


@pytest.mark.parametrize(
    ("kind", "given", "key"),
    [
        ("github", "https://github.com/acme/kettle/issues/12#issuecomment-1", "12"),
        ("github", "#12", "12"),
        ("gitlab", "https://gitlab.com/acme/kettle/-/issues/12", "12"),
        ("jira", "https://acme.atlassian.net/browse/KET-12", "KET-12"),
        ("jira", "ket-12", "KET-12"),
        ("github", "https://github.com/other/kettle/issues/12", ""),
        ("gitlab", "12/../../users", "12"),
        ("jira", "OTHER-12", ""),
        ("jira", "KET-12/../..", "KET-12"),
        ("github", "twelve", ""),
    ],
)
def test_issues_are_named_by_number_key_or_address(kind: str, given: str, key: str) -> None:
    told = {"repository": "acme/kettle", "project": "KET" if kind == "jira" else "acme/kettle"}
    try:
        found = trackers.get(kind).key_of(given, told)
    except ValueError:
        found = ""

    assert found == key


def test_words_that_go_out_call_nobody_and_command_nothing() -> None:
    sent = harmless("/close\n  /label ~x\nAsk @ana or [~ana], see a/b")

    assert not [line for line in sent.splitlines() if line.lstrip().startswith("/")]
    assert "@ana" not in sent
    assert "[~ana" not in sent
    assert "a/b" in sent


def test_what_an_issue_was_called_goes_with_the_item_that_is_erased(
    github: GitHub, server: Outside, ada: Actor
) -> None:
    ticket = make_ticket()
    link(ticket, connect(github, server, ada), github, ada)

    erasing.erase(ticket.item.submission, at=timezone.now())

    assert LinkedIssue.objects.get().title == ""


def test_people_link_and_make_issues_on_a_page(github: GitHub, server: Outside, ada: Actor, client: Client) -> None:
    tariq = make_person("Tariq", make_team("quality"))
    ticket, project = make_ticket(team=make_team("quality")), connect(github, server, ada)
    client.force_login(tariq)
    here = f"/triage/{ticket.reference}/issues/"
    assert client.post(here, {"verb": "link", "project": str(project.pk), "issue": "nonsense"}).status_code == 422
    client.post(here, {"verb": "link", "project": str(project.pk), "issue": "#7"})
    client.post(here, {"verb": "create", "project": str(project.pk), "title": "Lid", "text": "It leaks"})
    sync()
    page = client.get(here).content.decode()
    assert "https://github.example/acme/kettle/issues/7" in page
    assert LinkedIssue.objects.count() == 2
    client.post(here, {"verb": "unlink", "number": str(LinkedIssue.objects.earliest("pk").pk)})
    assert LinkedIssue.objects.standing().count() == 1
    client.force_login(make_person("Omar", make_team("marketing")))
    assert client.get(here).status_code == 404
    assert client.post(here, {"verb": "link", "project": str(project.pk), "issue": "#7"}).status_code == 404


def test_an_administrator_connects_a_project_in_the_browser(github: GitHub, server: Outside, client: Client) -> None:
    client.force_login(make_person("Ada", role=Role.ADMIN))
    asked = {f"asks.{name}": value for name, value in github.asked(server.url).items()}
    words = {"status.open": "open", "status.doing": "open", "status.done": "completed", "status.dropped": "not_planned"}
    given = {"name": "Kettle", "when_done": "note", **asked, **words}
    assert client.post("/settings/trackers/new/github/", given | {"name": ""}).status_code == 422
    client.post("/settings/trackers/new/github/", given)
    project = TrackerProject.objects.get()
    page = client.get(f"/settings/trackers/{project.pk}/").content.decode()
    assert projects.address(project) in page
    assert "t-1" not in page
    client.post(f"/settings/trackers/{project.pk}/", given | {"name": "Kettles", "asks.token": "", "version": "1"})
    project.refresh_from_db()
    assert (project.name, project.secrets["token"]) == ("Kettles", "t-1")
    for verb in ("off", "on", "look"):
        assert client.post(f"/settings/trackers/{project.pk}/{verb}/").status_code == 302
    client.post(f"/settings/trackers/{project.pk}/delete/")
    assert not TrackerProject.objects.exists()


def test_programs_link_make_and_let_go_as_the_pages_do(github: GitHub, server: Outside, ada: Actor) -> None:
    project, ticket, action = connect(github, server, ada), make_ticket(), make_action(ada)

    keys = {
        (scope, team): ApiKey.issue("robot", scopes=[scope], team=make_team(team))[1]
        for scope in (Scope.TICKETS_READ, Scope.TICKETS_WRITE)
        for team in ("quality", "marketing")
    }

    def call(method: str, path: str, body: Any = None, *, team: str = "quality") -> tuple[int, Any]:
        secret = keys[Scope.TICKETS_READ if method == "get" else Scope.TICKETS_WRITE, team]
        sent = {} if body is None else {"data": body, "content_type": "application/json"}
        answer = getattr(Client(), method)(
            f"/api/v1/{path}",
            **sent,
            headers={"Authorization": f"Bearer {secret}", "Idempotency-Key": f"{path} {body}"},
        )
        return answer.status_code, answer.json() if answer.content else None

    for place in (f"tickets/{ticket.reference}/issues/", f"actions/{action.reference}/issues/"):
        status, made = call("post", place, {"project": project.pk, "issue": github.key})
        assert (status, made["key"], made["project_name"], made["trouble"]) == (201, github.key, "Kettle", "")
        assert call("post", place, {"project": project.pk, "issue": github.key})[1] == made, "asked twice, linked once"
        sync()
        (listed,) = call("get", place)[1]["results"]
        assert (listed["id"], listed["title"], listed["status"]) == (made["id"], "Lid leaks", github.open)
        status, problem = call("post", place, {"project": project.pk, "issue": "not a number"})
        assert (status, [error["path"] for error in problem["errors"]]) == (400, ["issue"])
        for method, body in (("get", None), ("post", {"project": project.pk, "issue": github.key})):
            assert call(method, place, body, team="marketing")[0] == 404
        assert call("delete", f"{place}{made['id']}/", team="marketing")[0] == 404
        assert call("delete", f"{place}{made['id']}/") == (204, None)
        assert call("delete", f"{place}{made['id']}/")[0] == 404
        assert call("get", place)[1]["results"] == []

    status, drafted = call("post", f"actions/{action.reference}/issues/", {"project": project.pk, "title": "Glue it"})
    assert (status, drafted["key"], drafted["title"]) == (201, "", "Glue it")
    sync()
    assert LinkedIssue.objects.get(pk=drafted["id"]).key != ""
