"""What may be decided, by whom, and what it leaves behind."""

import threading
from datetime import timedelta

import pytest
from django.db import IntegrityError, connection, transaction

from feedback_portal.accounts.models import Role, Team, User
from feedback_portal.accounts.permissions import Actor
from feedback_portal.refusals import BadInput, NotFound, Refused
from tests.makers import AT, actor, make_customer, make_item, make_person, make_team, make_ticket
from triage import decisions, duplicates
from triage.decisions import NotNow, StaleTicket, decide
from triage.learning.corrections import corrections
from triage.models import ChangedDay, Event, Notification, Tagging, Ticket, Topic

pytestmark = pytest.mark.django_db

LATER = AT + timedelta(hours=3)


@pytest.fixture
def quality(db: None) -> Team:
    return make_team("quality")


@pytest.fixture
def logistics(db: None) -> Team:
    return make_team("logistics")


@pytest.fixture
def tariq(quality: Team, logistics: Team) -> User:
    return make_person("Tariq", quality, logistics)


@pytest.fixture
def omar(db: None) -> User:
    return make_person("Omar", make_team("marketing"))


def do(ticket: Ticket, verb: str, by: User, **arguments: object) -> Ticket:
    return decide(ticket.reference, verb, by=actor(by), at=LATER, version=ticket.version, **arguments)


def events(ticket: Ticket) -> list[str]:
    return list(ticket.events.order_by("id").values_list("type", flat=True))


def test_accepting_keeps_it_here_and_counts_as_kept(quality: Team, tariq: User) -> None:
    ticket = do(make_ticket(team=quality), "accept", tariq)

    assert (ticket.status, ticket.team, ticket.triaged_at) == ("open", quality, LATER)
    event = ticket.events.get()
    assert (event.type, event.person, event.data["kept"], event.occurred_at) == ("triaged", tariq, True, LATER)
    assert ChangedDay.objects.get().day == AT.date()


def test_routing_moves_it_and_says_who_and_from_where(quality: Team, logistics: Team, tariq: User) -> None:
    ticket = do(make_ticket(team=quality, assignee=tariq), "route", tariq, team="logistics", note="Box, not boiler")

    assert (ticket.status, ticket.team, ticket.assignee) == ("open", logistics, None)
    assert events(ticket) == ["triaged", "routed", "noted"]
    triaged, routed, _ = ticket.events.order_by("id")
    assert (triaged.data["kept"], triaged.data["team"]) == (False, "logistics")
    assert (routed.data["from"], routed.data["team"]) == ("quality", "logistics")
    assert ticket.explanation["by"] == "person"


def test_routing_to_a_team_that_has_the_item_already_is_refused(quality: Team, logistics: Team, tariq: User) -> None:
    ticket = make_ticket(team=quality)
    make_ticket(team=logistics, item=ticket.item)

    with pytest.raises(BadInput, match="has a ticket for this item already"):
        do(ticket, "route", tariq, team="logistics")


def test_a_proposal_turned_down_is_not_shown_again_and_decides_nothing(quality: Team, tariq: User) -> None:
    ticket = do(make_ticket(team=quality), "dismiss", tariq)

    assert (ticket.status, ticket.triaged_at, ticket.explanation["dismissed"]) == ("new", None, True)
    with pytest.raises(NotNow):
        do(ticket, "dismiss", tariq)
    assert "dismissed" not in do(ticket, "undo", tariq).explanation


def test_omar_cannot_see_the_ticket_of_another_team(quality: Team, omar: User) -> None:
    ticket = make_ticket(team=quality)

    for verb in ("accept", "note", "resolve"):
        with pytest.raises(NotFound):
            do(ticket, verb, omar)


def test_a_manager_decides_for_every_team(quality: Team) -> None:
    lena = make_person("Lena", role=Role.MANAGER)

    assert do(make_ticket(team=quality), "accept", lena).status == "open"


def test_a_stale_click_is_told_who_was_quicker(quality: Team, tariq: User) -> None:
    ticket = make_ticket(team=quality)
    mina = make_person("Mina", quality)
    do(ticket, "resolve", mina, resolution="answered")

    with pytest.raises(StaleTicket) as caught:
        do(ticket, "accept", tariq)

    assert "Mina closed it as answered" in caught.value.message
    assert caught.value.extra["current"]["status"] == "resolved"
    assert caught.value.status == 409


def test_a_claim_is_a_decision_and_a_second_one_lets_go(quality: Team, tariq: User) -> None:
    ticket = do(make_ticket(team=quality), "claim", tariq)
    assert (ticket.assignee, ticket.status) == (tariq, "open")
    assert events(ticket) == ["triaged", "assigned"]

    assert do(ticket, "claim", tariq).assignee is None


def test_only_members_are_given_tickets(quality: Team, tariq: User, omar: User) -> None:
    ticket = make_ticket(team=quality)

    with pytest.raises(BadInput, match="Nobody with this address works for"):
        do(ticket, "assign", tariq, assignee=omar.email)


def test_a_tag_that_was_taken_off_stays_off_until_a_person_puts_it_back(quality: Team, tariq: User) -> None:
    ticket = make_ticket(team=quality)
    Topic.objects.create(slug="leak", name="Leak")
    ticket = do(ticket, "tag", tariq, topic="leak")
    assert Tagging.objects.standing().get().source == "person"

    ticket = do(ticket, "untag", tariq, topic="leak")
    assert not Tagging.objects.standing().exists()

    do(ticket, "tag", tariq, topic="leak")
    assert Tagging.objects.standing().count() == 1


def test_resolving_needs_an_outcome_and_declining_a_reason(quality: Team, tariq: User) -> None:
    ticket = make_ticket(team=quality)

    with pytest.raises(BadInput):
        do(ticket, "resolve", tariq, resolution="whatever")
    with pytest.raises(BadInput, match="the customer can read"):
        do(ticket, "resolve", tariq, resolution="declined")

    resolved = do(ticket, "resolve", tariq, resolution="declined", reason="It would weigh 4 kg more.")
    assert (resolved.status, resolved.resolved_at) == ("resolved", LATER)
    assert events(resolved) == ["triaged", "resolved"]


def test_the_customer_is_told_the_outcome_unless_asked_not_to(quality: Team, tariq: User) -> None:
    ana = make_customer()

    do(make_ticket(team=quality, item_customer=ana), "resolve", tariq, resolution="answered")
    do(make_ticket(team=quality, item_customer=ana), "resolve", tariq, resolution="answered", tell=False)
    do(make_ticket(team=quality, item_customer=ana), "resolve", tariq, resolution="spam")
    do(make_ticket(team=quality), "resolve", tariq, resolution="answered")

    assert Notification.objects.get().recipient == ana.email


def test_a_reply_may_wait_for_the_answer(quality: Team, tariq: User) -> None:
    ticket = do(
        make_ticket(team=quality, item_customer=make_customer()), "reply", tariq, text="Which batch?", wait=True
    )

    assert ticket.status == "waiting"
    assert "Which batch?" in Notification.objects.get().body

    with transaction.atomic():
        decisions.hear(ticket, at=LATER, text="H4-2231")
    ticket.refresh_from_db()
    assert ticket.status == "new"
    assert events(ticket)[-1] == "customer_replied"


def test_a_customer_who_answers_after_the_outcome_opens_it_again(quality: Team, tariq: User) -> None:
    ticket = do(make_ticket(team=quality), "resolve", tariq, resolution="answered")

    with transaction.atomic():
        decisions.hear(ticket, at=LATER, text="It still leaks")

    ticket.refresh_from_db()
    assert (ticket.status, ticket.resolution, ticket.resolved_at) == ("open", "", None)
    assert events(ticket)[-2:] == ["customer_replied", "reopened"]


def test_a_note_is_for_colleagues(quality: Team, tariq: User) -> None:
    ticket = do(make_ticket(team=quality, item_customer=make_customer()), "note", tariq, text="Ask Priya")

    assert ticket.status == "new"
    assert not Notification.objects.exists()


@pytest.mark.parametrize("until", ["yesterday", AT, LATER + timedelta(days=400), "2026-03-05T08:00:00"])
def test_a_snooze_ends_between_now_and_a_year_from_now(quality: Team, tariq: User, until: object) -> None:
    with pytest.raises(BadInput):
        do(make_ticket(team=quality), "snooze", tariq, until=until)


def test_what_was_snoozed_wakes_as_it_was(quality: Team, tariq: User) -> None:
    undecided = do(make_ticket(team=quality), "snooze", tariq, until=LATER + timedelta(hours=1))
    decided = do(do(make_ticket(team=quality), "accept", tariq), "snooze", tariq, until=LATER + timedelta(hours=1))

    assert decisions.wake_due(at=LATER) == 0
    assert decisions.wake_due(at=LATER + timedelta(hours=2)) == 2
    undecided.refresh_from_db()
    decided.refresh_from_db()
    assert (undecided.status, decided.status) == ("new", "open")


def test_a_duplicate_stays_a_voice_and_comes_back_whole(quality: Team, tariq: User) -> None:
    original, copy = make_ticket(team=quality), make_ticket(team=quality)
    merged = do(copy, "merge", tariq, original=original.reference)

    assert (merged.status, merged.resolution, merged.duplicate_of) == ("resolved", "duplicate", original)
    assert Ticket.objects.count() == 2

    back = do(merged, "unmerge", tariq)
    assert (back.status, back.duplicate_of, back.resolution) == ("new", None, "")


def test_duplicates_of_duplicates_point_at_the_original(quality: Team, tariq: User) -> None:
    first, second, third = (make_ticket(team=quality) for _ in range(3))
    do(third, "merge", tariq, original=second.reference)
    do(second, "merge", tariq, original=first.reference)

    third.refresh_from_db()
    assert third.duplicate_of == first
    with pytest.raises(BadInput):
        do(Ticket.objects.get(pk=first.pk), "merge", tariq, original=third.reference)


def test_merged_voices_are_told_with_the_original(quality: Team, tariq: User) -> None:
    original = make_ticket(team=quality, item_customer=make_customer("Ana"))
    do(make_ticket(team=quality, item_customer=make_customer("Bo")), "merge", tariq, original=original.reference)

    do(original, "resolve", tariq, resolution="shipped")

    assert set(Notification.objects.values_list("recipient", flat=True)) == {
        "ana@customers.example",
        "bo@customers.example",
    }


class TestUndo:
    def test_a_route_is_taken_back_with_everything_it_changed(
        self, quality: Team, logistics: Team, tariq: User
    ) -> None:
        ticket = make_ticket(team=quality)
        before = {name: getattr(ticket, name) for name in ("team_id", "status", "triaged_at", "explanation")}
        moved = do(ticket, "route", tariq, team="logistics")

        back = do(moved, "undo", tariq)

        assert {name: getattr(back, name) for name in before} == before
        assert events(back) == ["triaged", "routed", "undone", "undone"]

    def test_what_was_routed_out_of_sight_can_be_taken_back(self, quality: Team) -> None:
        make_team("logistics")
        mina = make_person("Mina", quality)
        moved = do(make_ticket(team=quality), "route", mina, team="logistics")

        with pytest.raises(NotFound):
            do(moved, "note", mina, text="Mine no more")
        assert do(moved, "undo", mina).team == quality

    def test_a_stranger_learns_nothing_by_undoing(self, quality: Team, tariq: User, omar: User) -> None:
        ticket = do(make_ticket(team=quality), "accept", tariq)

        with pytest.raises(NotFound):
            do(ticket, "undo", omar)

    def test_a_message_that_has_not_gone_out_is_taken_back_too(self, quality: Team, tariq: User) -> None:
        ticket = do(make_ticket(team=quality, item_customer=make_customer()), "resolve", tariq, resolution="answered")
        assert Notification.objects.exists()

        assert do(ticket, "undo", tariq).status == "new"
        assert not Notification.objects.exists()

    def test_only_ones_own_last_decision_within_a_day(self, quality: Team, tariq: User) -> None:
        mina = make_person("Mina", quality)
        ticket = do(make_ticket(team=quality), "accept", mina)
        with pytest.raises(NotNow, match="Mina"):
            do(ticket, "undo", tariq)

        ticket = do(ticket, "severity", tariq, value=1)
        with pytest.raises(NotNow, match="more than a day"):
            decide(ticket.reference, "undo", by=actor(tariq), at=LATER + timedelta(days=2))

    def test_nothing_is_taken_back_twice(self, quality: Team, tariq: User) -> None:
        ticket = do(do(make_ticket(team=quality), "accept", tariq), "undo", tariq)

        with pytest.raises(NotNow):
            do(ticket, "undo", tariq)

    def test_tags_come_and_go(self, quality: Team, tariq: User) -> None:
        Topic.objects.create(slug="leak", name="Leak")
        ticket = do(make_ticket(team=quality), "tag", tariq, topic="leak")

        do(ticket, "undo", tariq)

        assert not Tagging.objects.standing().exists()


@pytest.mark.parametrize(
    ("verb", "arguments"),
    [
        ("fly", {}),
        ("route", {"team": "nowhere"}),
        ("route", {}),
        ("route", {"team": "quality", "is_staff": True}),
        ("tag", {"topic": "nothing"}),
        ("severity", {"value": "9"}),
        ("severity", {"value": "9" * 5000}),
        ("note", {"text": "  "}),
        ("note", {"text": None}),
    ],
)
def test_arguments_that_are_wrong_are_refused_in_words(
    quality: Team, tariq: User, verb: str, arguments: dict[str, object]
) -> None:
    with pytest.raises(BadInput) as caught:
        do(make_ticket(team=quality), verb, tariq, **arguments)

    assert caught.value.message.endswith(".")


@pytest.mark.django_db(transaction=True)
def test_of_ten_people_at_once_one_decides() -> None:
    quality = make_team("quality")
    people = [make_person(f"Person{number}", quality) for number in range(10)]
    ticket = make_ticket(team=quality)
    outcomes: list[str] = []
    start = threading.Barrier(10)

    def decide_as(person: User) -> None:
        start.wait()
        try:
            do(ticket, "claim", person)
            outcomes.append("decided")
        except Refused as refused:
            outcomes.append(refused.code)
        finally:
            connection.close()

    threads = [threading.Thread(target=decide_as, args=(person,)) for person in people]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(outcomes) == ["decided"] + ["stale-ticket"] * 9
    assert Event.objects.filter(type="triaged").count() == 1


@pytest.mark.parametrize(
    "bad",
    [
        {"status": "resolved"},
        {"resolution": "answered"},
        {"status": "snoozed"},
        {"snoozed_until": AT},
        {"status": "flying"},
        {"severity": 5},
        {"rank": 5},
        {"status": "resolved", "resolution": "declined", "resolved_at": AT},
        {"status": "resolved", "resolution": "duplicate", "resolved_at": AT},
    ],
)
def test_the_database_refuses_a_ticket_that_cannot_be(quality: Team, bad: dict[str, object]) -> None:
    ticket = make_ticket(team=quality)

    with pytest.raises(IntegrityError), transaction.atomic():
        Ticket.objects.filter(pk=ticket.pk).update(**bad)


def test_the_database_refuses_to_change_or_delete_what_happened(quality: Team, tariq: User) -> None:
    do(make_ticket(team=quality), "accept", tariq)

    for change in (lambda: Event.objects.update(data={}), lambda: Event.objects.all().delete()):
        with pytest.raises(IntegrityError, match="appended, never changed"), transaction.atomic():
            change()


def test_an_item_has_one_ticket_a_team(quality: Team) -> None:
    item = make_item()
    make_ticket(team=quality, item=item)

    with pytest.raises(IntegrityError), transaction.atomic():
        make_ticket(team=quality, item=item)


def test_a_program_decides_by_the_same_function(quality: Team) -> None:
    from feedback_portal.accounts.models import ApiKey

    key, _ = ApiKey.issue("robot", scopes=["tickets:write"], team=quality)

    ticket = decide(make_ticket(team=quality).reference, "accept", by=Actor(key=key), at=LATER)

    assert ticket.events.get().key == key


def test_what_is_only_handed_on_teaches_nothing_about_where_such_items_belong(tariq: User, quality: Team) -> None:
    wrong, done = make_ticket(team=quality), make_ticket(team=quality)
    do(wrong, "route", tariq, team="logistics", because="never_ours")
    do(done, "route", tariq, team="logistics", because="our_part_done")

    assert [(each.item, each.label) for each in corrections("team")] == [(wrong.item_id, "logistics")]
    assert done.events.get(type="routed").data["reason"] == "Our part is done, another team goes on."
    with pytest.raises(BadInput):
        do(make_ticket(team=quality), "route", tariq, team="logistics", because="whim")

    def test_acts_are_taken_back_one_after_the_other_and_done_again(
        self, quality: Team, logistics: Team, tariq: User
    ) -> None:
        Topic.objects.create(slug="leak", name="Leak")
        ticket = do(make_ticket(team=quality), "severity", tariq, value=1)
        ticket = do(do(ticket, "tag", tariq, topic="leak"), "route", tariq, team="logistics")

        ticket = do(ticket, "undo", tariq)
        assert (ticket.team, ticket.severity, Tagging.objects.standing().count()) == (quality, 1, 1)
        ticket = do(ticket, "undo", tariq)
        assert (ticket.severity, Tagging.objects.standing().count()) == (1, 0)
        ticket = do(ticket, "redo", tariq)
        assert Tagging.objects.standing().count() == 1
        with pytest.raises(NotNow, match="nothing to do again"):
            do(ticket, "redo", tariq)
        ticket = do(do(ticket, "undo", tariq), "undo", tariq)
        assert (ticket.severity, ticket.status, ticket.rank) == (3, "new", 2)
        assert do(ticket, "redo", tariq).severity == 1

    def test_the_oldest_decision_in_the_way_is_named(self, quality: Team, tariq: User) -> None:
        mina = make_person("Mina", quality)
        ticket = do(make_ticket(team=quality), "accept", tariq)
        mine = ticket.version
        ticket = do(do(ticket, "severity", mina, value=1), "claim", make_person("Priya", quality))

        with pytest.raises(NotNow, match="Mina set the severity to 1 since"):
            do(ticket, "undo", tariq, act=mine)

    def test_a_lead_takes_back_what_their_people_did_and_nobody_elses(self, quality: Team, tariq: User) -> None:
        lena = make_person("Lena", quality, role=Role.LEAD)
        ticket = do(make_ticket(team=quality), "accept", tariq)
        theirs = do(make_ticket(team=quality), "accept", make_person("Bo", role=Role.MANAGER))

        assert do(ticket, "undo", lena).status == "new"
        with pytest.raises(NotNow, match="one's own"):
            do(theirs, "undo", lena)

    def test_a_merge_and_telling_apart_are_taken_back_and_done_again(self, quality: Team, tariq: User) -> None:
        ticket, original = make_ticket(team=quality), make_ticket(team=quality)
        ticket = do(ticket, "merge", tariq, original=original.reference)

        ticket = do(do(ticket, "undo", tariq), "redo", tariq)
        assert (ticket.duplicate_of, ticket.merged_into, ticket.resolution) == (original, original, "duplicate")
        ticket = do(do(ticket, "undo", tariq), "not_same", tariq, other=original.reference)
        ticket = do(ticket, "undo", tariq)
        assert not duplicates.told_apart(ticket.item_id, [original.item_id])
        do(ticket, "redo", tariq)
        assert duplicates.told_apart(ticket.item_id, [original.item_id])
