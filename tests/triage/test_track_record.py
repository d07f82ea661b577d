"""How often people keep what the portal proposes: what they answer by deciding, what counts, and what is shown of it."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from feedback_portal.accounts.models import ApiKey, Scope, Team, User
from feedback_portal.accounts.permissions import Actor
from tests.makers import actor, make_person, make_team, make_ticket
from triage import track_record
from triage.decisions import decide
from triage.models import Event, LikelyDuplicate, NotTheSame, Tagging, Ticket, Topic, TrackRecord
from triage.proposals import BANDS, Kind, Proposal, band_of, band_words

pytestmark = pytest.mark.django_db

NOW = timezone.now()


@pytest.fixture
def quality(db: None) -> Team:
    return make_team("quality")


@pytest.fixture
def tariq(quality: Team) -> User:
    return make_person("Tariq", quality, make_team("logistics"))


@pytest.fixture
def leak(db: None) -> Topic:
    return Topic.objects.create(slug="leak", name="Leak")


def learned(sure: float, *, verdict: str = "auto", team: str = "quality") -> dict[str, Any]:
    by = "model" if verdict == "auto" else "catch_all"
    model = {"verdict": verdict, "teams": [[team, sure]]}
    return {
        "by": by,
        "rule": None,
        "topic": None,
        "reason": "Items like this one.",
        "tried": 0,
        "held": [],
        "model": model,
    }


def by_rule(name: str) -> dict[str, Any]:
    return {"by": "rule", "rule": name, "topic": None, "reason": f"The rule “{name}”.", "tried": 1, "held": []}


def do(ticket: Ticket, verb: str, by: User, *, at: Any = NOW, **arguments: object) -> Ticket:
    return decide(ticket.reference, verb, by=actor(by), at=at, **arguments)


def answers(ticket: Ticket) -> list[tuple[str, str, bool]]:
    """What was answered about its item, severity apart."""
    told = Event.objects.filter(item=ticket.item_id).order_by("id").values_list("data__answers", flat=True)
    given = [answer for each in told for answer in each or []]
    return [(each["kind"], each["of"], each["kept"]) for each in given if each["kind"] != "severity"]


def counted(*, at: Any = NOW) -> dict[tuple[str, str, int | None], tuple[int, int]]:
    """Kept and answered, by kind, about and band; severity apart."""
    track_record.refresh(at=at)
    lines = track_record.records(at=at)
    return {
        (line.kind.value, line.about, line.band): (line.record.kept, line.record.n)
        for line in lines
        if line.kind != Kind.SEVERITY
    }


class TestWhatADecisionAnswers:
    @pytest.mark.parametrize(
        ("explanation", "decision", "expected"),
        [
            (learned(0.93), ("accept", {}), [("team", "", True)]),
            (learned(0.93), ("claim", {}), [("team", "", True)]),
            (learned(0.93), ("route", {"team": "logistics"}), [("team", "", False)]),
            (learned(0.93), ("resolve", {"resolution": "answered"}), [("team", "", True)]),
            (learned(0.93), ("resolve", {"resolution": "spam"}), []),
            (learned(0.7, verdict="suggest", team="logistics"), ("route", {"team": "logistics"}), [("team", "", True)]),
            (learned(0.7, verdict="suggest", team="logistics"), ("accept", {}), [("team", "", False)]),
            (learned(0.7, verdict="abstain", team="logistics"), ("accept", {}), []),
            (by_rule("Water"), ("accept", {}), [("rule", "Water", True)]),
            ({"by": "spam", "spam": "Two links."}, ("resolve", {"resolution": "spam"}), [("spam", "", True)]),
            ({"by": "spam", "spam": "Two links."}, ("accept", {}), [("spam", "", False)]),
            ({"by": "catch_all"}, ("accept", {}), []),
        ],
    )  # fmt: skip
    def test_the_first_one_answers_what_was_proposed_about_the_place(
        self, quality: Team, tariq: User, explanation: Any, decision: Any, expected: Any
    ) -> None:
        verb, arguments = decision
        ticket = do(make_ticket(team=quality, explanation=explanation), verb, tariq, **arguments)

        assert answers(ticket) == expected

    def test_the_second_one_answers_nothing(self, quality: Team, tariq: User) -> None:
        ticket = do(make_ticket(team=quality, explanation=learned(0.93)), "claim", tariq)

        assert answers(do(ticket, "route", tariq, team="logistics")) == [("team", "", True)]

    @pytest.mark.parametrize(
        ("because", "expected"),
        [
            ("", [("team", "", False)]),
            ("wrong_team", [("team", "", False)]),
            ("misread", [("team", "", False)]),
            ("wrong_tags", [("topic", "leak", False)]),
            ("cannot_tell", []),
        ],
    )
    def test_not_this_answers_what_its_reason_names(
        self, quality: Team, tariq: User, leak: Topic, because: str, expected: Any
    ) -> None:
        ticket = make_ticket(team=quality, explanation=learned(0.93))
        Tagging.objects.create(item=ticket.item, topic=leak, source="model", confidence=0.8)

        do(ticket, "dismiss", tariq, because=because)

        assert answers(ticket) == expected
        assert Event.objects.get(ticket=ticket).data.get("because", "") == because
        # Turned down is turned down, though the ticket stays here in the end.
        assert answers(do(ticket, "claim", tariq)) == expected

    def test_tags_are_answered_by_the_list_that_somebody_leaves(self, quality: Team, tariq: User, leak: Topic) -> None:
        lid, rule = (Topic.objects.create(slug=slug, name=slug) for slug in ("lid", "rule"))
        ticket = make_ticket(team=quality)
        for topic, source in ((leak, "model"), (lid, "model"), (rule, "rule")):
            Tagging.objects.create(item=ticket.item, topic=topic, source=source, confidence=0.8)

        do(ticket, "tags", tariq, topics=["leak"])

        assert sorted(answers(ticket)) == [("topic", "leak", True), ("topic", "lid", False)]

    def test_a_severity_that_somebody_changed_was_not_kept_whatever_follows(self, quality: Team, tariq: User) -> None:
        ticket = make_ticket(team=quality, severity=3)

        do(ticket, "severity", tariq, value=2)
        do(ticket, "severity", tariq, value=1)
        do(ticket, "claim", tariq)
        do(make_ticket(team=quality, severity=3), "claim", tariq)
        track_record.refresh(at=NOW)

        assert [(line.about, line.record.kept, line.record.n) for line in track_record.records(at=NOW)] == [
            ("S3", 1, 2)
        ]

    def test_a_likely_duplicate_is_answered_by_merging_and_by_telling_apart(self, quality: Team, tariq: User) -> None:
        first, merged, apart, neither = (make_ticket(team=quality) for _ in range(4))
        for later in (merged, apart):
            LikelyDuplicate.objects.create(item=later.item, other=first.item, kind="alike", score=0.97)

        do(merged, "merge", tariq, original=first.reference)
        do(apart, "not_same", tariq, other=first.reference)
        do(neither, "merge", tariq, original=first.reference)

        assert counted() == {("duplicate", "", 95): (1, 2)}
        do(merged, "unmerge", tariq)
        assert counted() == {("duplicate", "", 95): (0, 2)}
        do(apart, "undo", tariq)
        assert counted() == {("duplicate", "", 95): (0, 1)}
        assert not NotTheSame.objects.filter(because="dismissed").exists()


class TestWhatCounts:
    def test_by_kind_and_confidence_and_each_rule_by_itself(self, quality: Team, tariq: User) -> None:
        for sure, team in ((0.93, "quality"), (0.949, "logistics"), (0.95, "quality"), (0.3, "quality")):
            do(make_ticket(team=quality, explanation=learned(sure)), "route", tariq, team=team)
        for name, verb in (("Water", "accept"), ("Water", "dismiss"), ("Box", "accept")):
            do(make_ticket(team=quality, explanation=by_rule(name)), verb, tariq)

        assert counted() == {
            ("team", "", 90): (1, 2),
            ("team", "", 95): (1, 1),
            ("team", "", 0): (1, 1),
            ("rule", "Water", None): (1, 2),
            ("rule", "Box", None): (1, 1),
        }

    def test_what_was_taken_back_and_what_a_program_decided_do_not(self, quality: Team, tariq: User) -> None:
        taken, programs, kept = (make_ticket(team=quality, explanation=learned(0.93)) for _ in range(3))
        key, _ = ApiKey.issue("program", scopes=[Scope.TICKETS_WRITE])
        do(taken, "route", tariq, team="logistics")
        do(taken, "undo", tariq)
        decide(programs.reference, "accept", by=Actor(key=key), at=NOW)
        do(kept, "accept", tariq)

        assert counted() == {("team", "", 90): (1, 1)}

    def test_only_the_last_answer_about_an_item_does(self, quality: Team, tariq: User, leak: Topic) -> None:
        ticket = make_ticket(team=quality)
        Tagging.objects.create(item=ticket.item, topic=leak, source="model", confidence=0.8)
        do(ticket, "accept", tariq, at=NOW - timedelta(days=3))
        assert counted() == {("topic", "", 80): (1, 1)}

        do(ticket, "untag", tariq, topic="leak")

        assert counted() == {("topic", "", 80): (0, 1)}

    def test_ninety_days_and_no_more(self, quality: Team, tariq: User) -> None:
        for days in (0, 20, 89, 91):
            ticket = make_ticket(team=quality, explanation=learned(0.93))
            do(ticket, "accept", tariq, at=NOW - timedelta(days=days))

        assert counted() == {("team", "", 90): (3, 3)}
        assert counted(at=NOW + timedelta(days=3)) == {("team", "", 90): (2, 2)}

    def test_days_that_are_settled_are_not_read_again(self, quality: Team, tariq: User) -> None:
        for days in (1, 40):
            ticket = make_ticket(team=quality, explanation=learned(0.93))
            do(ticket, "accept", tariq, at=NOW - timedelta(days=days))
        first = counted()
        TrackRecord.objects.filter(day__lt=(NOW - timedelta(days=20)).date()).update(kept=0)

        assert first == {("team", "", 90): (2, 2)}
        assert counted() == counted() == {("team", "", 90): (1, 2)}

    def test_the_database_refuses_more_kept_than_answered(self) -> None:
        with pytest.raises(IntegrityError, match="track_record_keeps_no_more"), transaction.atomic():
            TrackRecord.objects.create(day=NOW.date(), kind="team", band=90, kept=2, answers=1)

    def test_bands_meet_without_gap(self) -> None:
        assert [band_of(sure) for sure in (0.0, 0.4999, 0.5, 0.8999, 0.9, 0.95, 1.0)] == [0, 0, 50, 80, 90, 95, 95]
        assert [band_words(round(100 * low)) for low in (BANDS[0], BANDS[-1])] == ["0 to 50% sure", "95 to 100% sure"]


class TestWhatIsShown:
    @pytest.fixture
    def desk(self, tariq: User) -> Client:
        client = Client()
        client.force_login(tariq)
        return client

    def card(self, desk: Client, ticket: Ticket) -> str:
        return desk.get(f"/triage/?item={ticket.reference}").content.decode()

    def had(self, kept: int, n: int, *, band: int | None = 90, kind: str = "team", about: str = "") -> None:
        TrackRecord.objects.create(day=NOW.date(), kind=kind, about=about, band=band, kept=kept, answers=n)

    @pytest.mark.parametrize(
        ("kept", "n", "said"),
        [
            (29, 29, ["New kind of suggestion"]),
            (383, 412, ["Kept 93 times in 100", "n = 412"]),
            (18, 30, ["Kept 60 times"]),
        ],
    )
    def test_the_record_of_this_kind_at_this_confidence(
        self, desk: Client, quality: Team, kept: int, n: int, said: Sequence[str]
    ) -> None:
        self.had(kept, n)
        self.had(1, 100, band=95)
        page = self.card(desk, make_ticket(team=quality, explanation=learned(0.93)))

        assert [words for words in said if words not in page] == []
        assert 'id="accept-button"' in page

    def test_what_is_mostly_turned_down_is_no_proposal_and_the_page_says_so(self, desk: Client, quality: Team) -> None:
        self.had(17, 30)
        page = self.card(desk, make_ticket(team=quality, explanation=learned(0.93)))

        assert "Kept 57 times in 100 in the last 90 days (n = 30), so nothing is proposed here." in page
        assert 'id="accept-button"' not in page
        assert "Proposed: " not in page

    def test_tags_that_are_mostly_turned_down_are_not_named_nor_answered(
        self, desk: Client, quality: Team, tariq: User, leak: Topic
    ) -> None:
        lid = Topic.objects.create(slug="lid", name="Lid")
        ticket = make_ticket(team=quality, explanation=learned(0.93))
        for topic, sure in ((leak, 0.4), (lid, 0.8)):
            Tagging.objects.create(item=ticket.item, topic=topic, source="model", confidence=sure)
        self.had(17, 30, kind="topic", band=0)

        assert "Keep it with Quality, tagged “Lid”" in self.card(desk, ticket)
        assert answers(do(ticket, "accept", tariq)) == [("team", "", True), ("topic", "lid", True)]

    def test_safety_is_shown_whatever_its_record(self, desk: Client, quality: Team) -> None:
        self.had(1, 30)

        assert 'id="accept-button"' in self.card(desk, make_ticket(team=quality, severity=1, explanation=learned(0.93)))

    def test_not_this_takes_a_reason_from_the_form(self, desk: Client, quality: Team) -> None:
        ticket = make_ticket(team=quality, explanation=learned(0.93))
        assert 'name="because" value="misread"' in self.card(desk, ticket)

        desk.post(f"/triage/{ticket.reference}/decide/", {"verb": "dismiss", "because": "misread"})
        bad = desk.post(f"/triage/{ticket.reference}/decide/", {"verb": "dismiss", "because": "mood"})

        event = Event.objects.get(ticket=ticket)
        assert (event.type, event.data["because"], event.data["reason"]) == (
            "dismissed",
            "misread",
            "The words were misunderstood.",
        )
        assert bad.status_code in {400, 422}

    def test_programs_read_it_too(self, client: Client, quality: Team) -> None:
        self.had(383, 412)
        self.had(3, 40, band=None, kind="rule", about="Water")
        _, key = ApiKey.issue("program", scopes=[Scope.TICKETS_READ, Scope.KPIS_READ])
        ticket = make_ticket(team=quality, explanation=learned(0.93))
        bearer: Any = {"HTTP_AUTHORIZATION": f"Bearer {key}"}

        one = client.get(f"/api/v1/tickets/{ticket.reference}/", **bearer).json()["suggestion"]
        every = client.get("/api/v1/suggestions/records/", **bearer).json()["results"]

        assert (one["kind"], one["team"], one["confidence"], one["record"]["n"]) == ("team", "quality", 0.93, 412)
        assert [(each["kind"], each["about"], each["band"], each["is_proposed"]) for each in every] == [
            ("rule", "Water", None, False),
            ("team", "", 90, True),
        ]

    def test_the_queue_costs_as_many_statements_for_two_proposals_as_for_twenty(
        self, desk: Client, quality: Team
    ) -> None:
        def cost() -> int:
            with CaptureQueriesContext(connection) as spent:
                desk.get("/triage/")
            return len(spent)

        for _ in range(2):
            make_ticket(team=quality, explanation=learned(0.93))
        few = cost()
        for _ in range(18):
            make_ticket(team=quality, explanation=learned(0.93))

        assert cost() == few

    def test_a_record_of_one_kind_is_read_in_one_statement(self, quality: Team, django_assert_num_queries: Any) -> None:
        self.had(383, 412)

        with django_assert_num_queries(1):
            found = track_record.record_of(Proposal(Kind.TEAM, sure=0.91, team="quality"), at=NOW)

        assert (found.kept, found.n) == (383, 412)
