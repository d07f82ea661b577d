"""One decision on many tickets: what is decided, what is left alone and why, and the way back."""

from datetime import timedelta

import pytest
from django.db import connection
from django.db.models import QuerySet
from django.test.utils import CaptureQueriesContext

from feedback_portal.accounts.models import Role, Team, User
from feedback_portal.refusals import BadInput, NotFound
from tests.makers import AT, actor, make_person, make_team, make_ticket
from triage.decisions import NotNow, decide
from triage.desk import bulk
from triage.models import BulkAct, BulkPart, Event, Tagging, Ticket, Topic

pytestmark = pytest.mark.django_db

LATER = AT + timedelta(hours=3)


@pytest.fixture
def quality(db: None) -> Team:
    return make_team("quality")


@pytest.fixture
def tariq(quality: Team) -> User:
    return make_person("Tariq", quality, make_team("logistics"))


@pytest.fixture(autouse=True)
def _in_small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulk, "PART", 3)
    monkeypatch.setattr(bulk, "AT_ONCE", 2)


def made(count: int, team: Team) -> QuerySet[Ticket]:
    for number in range(count):
        make_ticket(f"The lid of number {number} cracked", team=team)
    return Ticket.objects.filter(team=team).order_by("pk")


def start(tickets: QuerySet[Ticket], verb: str, by: User, **arguments: object) -> BulkAct:
    return bulk.start(tickets, verb, label=f"{verb} them", by=actor(by), at=LATER, **arguments)


def worked(act: BulkAct) -> bulk.Progress:
    bulk.work_pending(at=LATER)
    return bulk.progress([act])[act.pk]


def test_all_that_match_are_decided_as_one_by_one(quality: Team, tariq: User) -> None:
    alone = make_ticket(team=make_team("till"))
    tariq.memberships.create(team=alone.team)
    alone = decide(alone.reference, "route", by=actor(tariq), at=LATER, team="logistics")
    tickets = made(7, quality)
    act = start(tickets, "route", tariq, team="logistics")
    assert bulk.progress([act])[act.pk].looked_at == 0

    how_far = worked(act)

    assert (how_far.total, how_far.done, how_far.skipped, how_far.is_over) == (7, 7, 0, True)
    moved = Ticket.objects.exclude(pk=alone.pk)
    assert {(each.team.slug, each.status, each.triaged_at, each.version) for each in moved} == {
        ("logistics", "open", LATER, 2)
    }
    one = moved.latest("pk")
    told = {event.type: event.data for event in one.events.all()}
    as_ever = {event.type: event.data for event in alone.events.all()}
    assert set(told) == set(as_ever) == {"triaged", "routed"}
    for kind, data in told.items():
        assert data.pop("bulk") == act.pk
        assert set(data) == set(as_ever[kind])
        assert data["before"].keys() == as_ever[kind]["before"].keys()


def test_what_somebody_decided_meanwhile_or_may_not_be_seen_any_more_is_skipped_with_the_reason(
    quality: Team, tariq: User
) -> None:
    mina = make_person("Mina", quality)
    tickets = list(made(5, quality))
    taken = make_ticket(team=make_team("logistics"), item=tickets[2].item)
    act = start(Ticket.objects.exclude(pk=taken.pk), "route", tariq, team="logistics")
    decide(tickets[0].reference, "severity", by=actor(mina), at=LATER, value=1)
    Ticket.objects.filter(pk=tickets[1].pk).update(team=make_team("marketing"))

    how_far = worked(act)

    assert (how_far.done, how_far.skipped) == (2, 3)
    assert dict(bulk.skipped(act)) == {
        tickets[0].reference: "Somebody decided about it meanwhile.",
        tickets[1].reference: "It is not with your teams any more.",
        tickets[
            2
        ].reference: "Logistics has a ticket for this item already. Resolve yours, or note there what is missing.",
    }
    assert bulk.sentence(act, how_far) == "2 routed, 3 skipped"


def test_rights_are_those_of_the_moment_it_is_done(quality: Team, tariq: User) -> None:
    act = start(made(4, quality), "accept", tariq)
    tariq.memberships.filter(team=quality).delete()

    assert worked(act).done == 0
    assert Ticket.objects.filter(status="new").count() == 4


def test_it_rests_and_goes_on(quality: Team, tariq: User) -> None:
    act = start(made(7, quality), "accept", tariq)
    bulk.pause(act, by=actor(tariq), at=LATER)
    assert worked(act).looked_at == 0
    with pytest.raises(NotNow):
        bulk.pause(act, by=actor(tariq), at=LATER)

    bulk.resume(act, by=actor(tariq), at=LATER)
    assert worked(act).done == 7


@pytest.mark.parametrize(
    ("verb", "arguments"),
    [
        ("route", {"team": "logistics"}),
        ("accept", {}),
        ("claim", {}),
        ("tag", {"topic": "leak"}),
        ("severity", {"value": 1}),
        ("snooze", {"until": (LATER + timedelta(days=1)).isoformat()}),
        ("resolve", {"resolution": "answered"}),
        ("merge", {"original": ""}),
    ],
)
def test_everything_is_put_back_but_what_was_touched_since(
    verb: str, arguments: dict[str, object], quality: Team, tariq: User
) -> None:
    Topic.objects.create(slug="leak", name="Leak")
    if verb == "merge":
        arguments = {"original": make_ticket(team=make_team("logistics")).reference}
    tickets = list(made(5, quality))
    before = list(_state(tickets))
    act = start(Ticket.objects.filter(team=quality), verb, tariq, **arguments)
    assert worked(act).done == 5
    assert list(_state(tickets)) != before or verb == "tag"
    touched = tickets[4]
    decide(touched.reference, "note", by=actor(tariq), at=LATER, text="Mine")

    bulk.undo(act, by=actor(tariq), at=LATER)
    how_far = worked(act)

    act.refresh_from_db()
    assert how_far.put_back == 4
    assert bulk.sentence(act, how_far) == "4 of 5 put back"
    assert list(_state(tickets))[:4] == before[:4]
    assert Tagging.objects.standing().count() == (1 if verb == "tag" else 0)
    assert Event.objects.filter(type="undone", person=tariq).exists()
    with pytest.raises(NotNow):
        bulk.undo(act, by=actor(tariq), at=LATER)


def _state(tickets: list[Ticket]) -> list[tuple[object, ...]]:
    names = (
        "pk",
        "team",
        "status",
        "resolution",
        "assignee",
        "severity",
        "rank",
        "snoozed_until",
        "triaged_at",
        "duplicate_of",
    )
    return list(Ticket.objects.filter(pk__in=[each.pk for each in tickets]).order_by("pk").values_list(*names))


def test_taking_it_back_while_it_runs_leaves_the_rest_alone(quality: Team, tariq: User) -> None:
    act = start(made(7, quality), "accept", tariq)
    part = BulkPart.objects.order_by("pk").first()
    BulkPart.objects.exclude(pk=part.pk if part else 0).update(next_attempt_at=LATER + timedelta(days=9999))
    assert worked(act).done == 3

    bulk.undo(act, by=actor(tariq), at=LATER)

    assert worked(act).put_back == 3
    assert Ticket.objects.filter(status="new").count() == 7


def test_few_are_decided_at_once(quality: Team, tariq: User) -> None:
    act = start(made(2, quality), "claim", tariq)

    assert bulk.progress([act])[act.pk].done == 2
    bulk.undo(act, by=actor(tariq), at=LATER)
    assert set(Ticket.objects.values_list("assignee", "status")) == {(None, "new")}


def test_wrong_words_are_refused_before_anything_is_decided(quality: Team, tariq: User) -> None:
    tickets = made(3, quality)
    for verb, arguments in (
        ("route", {"team": "nowhere"}),
        ("severity", {"value": 9}),
        ("resolve", {"resolution": "declined"}),
        ("note", {"text": "all"}),
    ):
        with pytest.raises(BadInput):
            start(tickets, verb, tariq, **arguments)
    with pytest.raises(NotNow):
        start(tickets.filter(severity=1), "accept", tariq)
    assert not BulkAct.objects.exists()


def test_only_who_asked_and_who_answers_for_them_see_it(quality: Team, tariq: User) -> None:
    act = start(made(3, quality), "accept", tariq)

    assert bulk.find(act.pk, by=actor(make_person("Lena", quality, role=Role.LEAD))) == act
    with pytest.raises(NotFound):
        bulk.find(act.pk, by=actor(make_person("Mina", quality)))


def test_a_part_asks_as_much_of_the_database_for_two_as_for_twenty(
    quality: Team, tariq: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk, "PART", 50)

    def queries(count: int) -> int:
        act = start(made(count, quality).filter(status="new"), "route", tariq, team="logistics")
        with CaptureQueriesContext(
            connection,
        ) as asked:
            assert worked(act).done == count
        return len(asked)

    assert queries(3) == queries(20)
