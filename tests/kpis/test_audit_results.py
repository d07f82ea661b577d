"""What the weekly audits found: weighed by what each item stands for, with how sure it is."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from feedback_portal.accounts.models import Role, User
from feedback_portal.accounts.permissions import Actor
from kpis import statistics
from kpis.audit_results import FEWEST, Agreement, Share, agreement, results
from tests.makers import actor, make_person, make_team, make_ticket
from triage.models import Audit, AuditAnswer, AuditedItem, Ticket, Topic, TrackRecord

pytestmark = pytest.mark.django_db

NOW = timezone.now()
NOTHING = "\N{EN DASH}"


@pytest.fixture
def lena(db: None) -> Actor:
    make_team("quality")
    make_team("logistics")
    Topic.objects.create(slug="leak", name="Leak")
    Topic.objects.create(slug="box", name="Box")
    return actor(make_person("Lena", role=Role.MANAGER))


def audit(*, weeks: int = 1, **strata: tuple[int, int]) -> Audit:
    told = {name: {"arrived": arrived, "drawn": drawn} for name, (arrived, drawn) in strata.items()}
    return Audit.objects.create(first_day=(NOW - timedelta(weeks=weeks)).date(), seed=1, strata=told)


def labelled(
    week: Audit,
    *,
    machine: Any,
    label: Any,
    stratum: str = "rule",
    state: str = "agreed",
    text: str = "The lid cracked",
) -> Ticket:
    ticket = make_ticket(text, team=make_team("quality"))
    AuditedItem.objects.create(audit=week, item=ticket.item, stratum=stratum, machine=machine, label=label, state=state)
    return ticket


def said(ticket: Ticket, *answers: tuple[str | None, list[str]]) -> None:
    audited = AuditedItem.objects.get(item=ticket.item)
    for seat, (team, topics) in enumerate(answers, start=1):
        person = make_person(f"Coder{seat}")
        AuditAnswer.objects.create(audited=audited, person=person, seat=seat, team=team, topics=topics, answered_at=NOW)


class TestFormulas:
    def test_kappa_has_the_published_interval(self) -> None:
        """The worked example of Fleiss, Cohen and Everitt 1969: kappa 0.429, variance 0.002885."""
        found = statistics.kappa_interval([[106, 10, 4], [22, 28, 10], [2, 12, 6]])
        assert found["low"] is not None
        assert found["high"] is not None

        assert found["kappa"] == pytest.approx(0.429, abs=5e-4)
        assert ((found["high"] - found["low"]) / 2 / 1.959964) ** 2 == pytest.approx(0.002885, abs=5e-7)

    def test_equal_weights_are_no_weights(self) -> None:
        hits = [True] * 7 + [False] * 3
        found, plain = statistics.weighted_share(hits, [2.5] * 10), statistics.wilson(7, 10)

        assert {key: found[key] for key in plain} == pytest.approx(plain)  # type: ignore[literal-required]
        assert found["n"] == pytest.approx(10)

    def test_unequal_weights_are_worth_less(self) -> None:
        found = statistics.weighted_share([True, False, False], [8.0, 1.0, 1.0])

        assert found["estimate"] == pytest.approx(0.8)
        assert found["n"] == pytest.approx(100 / 66)

    def test_a_share_is_put_right_for_wrong_labels(self) -> None:
        """(0.3 + 0.8 - 1) / (0.9 + 0.8 - 1), variance by hand."""
        sure, right = {"estimate": 0.9, "n": 200}, {"estimate": 0.8, "n": 200}
        found = statistics.rogan_gladen({"estimate": 0.3, "n": 10_000}, sensitivity=sure, specificity=right)  # type: ignore[arg-type]
        share = 1 / 7
        spread = 0.3 * 0.7 / 10_000 + share**2 * 0.9 * 0.1 / 200 + (1 - share) ** 2 * 0.8 * 0.2 / 200
        assert found["high"] is not None

        assert found["estimate"] == pytest.approx(share)
        assert found["high"] - share == pytest.approx(1.959964 * spread**0.5 / 0.7, rel=1e-6)

    @pytest.mark.parametrize(("seen", "sure", "right"), [(0.1, 0.9, 0.8), (0.3, 0.5, 0.5), (0.95, 0.9, 0.9)])
    def test_what_cannot_be_put_right_is_not_measurable(self, seen: float, sure: float, right: float) -> None:
        rates: Any = [{"estimate": share, "n": 100} for share in (seen, sure, right)]
        found = statistics.rogan_gladen(rates[0], sensitivity=rates[1], specificity=rates[2])

        assert found == {"estimate": None, "low": None, "high": None}


class TestResults:
    def test_each_item_counts_for_what_it_stands_for(self, lena: Actor) -> None:
        """Twelve of rules, all right, stand for 120; twelve of the catch-all, all wrong, for 12."""
        week = audit(rule=(120, 12), catch_all=(12, 12))
        for _ in range(12):
            labelled(week, machine={"team": "quality"}, label={"team": "quality", "topics": []})
            labelled(week, machine={"team": "quality"}, label={"team": "logistics", "topics": []}, stratum="catch_all")

        found = results(by=lena, at=NOW)

        assert (found.routing.hits, found.routing.n) == (12, 24)
        assert found.routing.estimate == pytest.approx(120 / 132)
        assert dict(found.strata)["Placed by a rule"].words == "100%"
        assert dict(found.strata)["Left to the catch-all team"].words == "0%"
        rows = {row.name: (row.precision.words, row.recall.words) for row in found.teams}
        assert rows == {"Quality": ("91%", "100%"), "Logistics": (NOTHING, "0%")}

    def test_topics_are_right_where_said_and_found_where_they_are(self, lena: Actor) -> None:
        week = audit(rule=(20, 20))
        for machine, label in [(["leak"], ["leak"])] * 10 + [(["leak", "box"], ["leak"])] * 2 + [([], ["leak"])] * 8:
            labelled(week, machine={"team": "quality", "topics": machine}, label={"topics": label})

        found = {row.name: row for row in results(by=lena, at=NOW).topics}

        assert (found["Leak"].precision.words, found["Leak"].recall.words) == ("100%", "60%")
        assert found["Leak"].recall.interval == "39 to 78%"
        assert (found["Box"].precision.words, found["Box"].recall.words) == ("0 of 2", NOTHING)

    def test_agreement_is_of_the_first_two_whoever_settled_it(self, lena: Actor) -> None:
        week = audit(rule=(12, 12))
        for number in range(12):
            ticket = labelled(
                week, machine={"team": "quality"}, label={"team": "quality", "topics": []}, state="settled"
            )
            other = "logistics" if number % 2 else "quality"
            said(ticket, (other, ["leak"]), (other if number else "quality", ["leak"]), ("quality", []))
        one = labelled(week, machine={}, label=None, state="open")
        said(one, ("quality", ["leak"]))

        found = results(by=lena, at=NOW)

        assert found.team_agreement.n == found.topic_agreement.n == 12
        assert found.team_agreement.words == "1.00"
        # Everybody always said the same one thing, so nothing is known of agreement beyond chance.
        assert found.topic_agreement.words == NOTHING

    def test_of_few_there_is_no_rate(self) -> None:
        assert Share(2, FEWEST - 1, 0.2, 0.1, 0.5).words == f"2 of {FEWEST - 1}"
        assert Share(2, FEWEST - 1, 0.2, 0.1, 0.5).interval == ""
        assert agreement([("a", "a"), ("b", "b")]) == Agreement(2, 1.0, 1.0, 1.0)
        assert agreement([("a", "a"), ("b", "b")]).words == NOTHING

    def test_audits_of_the_last_quarter_count_and_no_older_ones(self, lena: Actor) -> None:
        for weeks in (2, 12, 14):
            labelled(
                audit(weeks=weeks, rule=(1, 1)), machine={"team": "quality"}, label={"team": "quality", "topics": []}
            )

        assert results(by=lena, at=NOW).labelled == 2

    def test_sentiment_is_put_right_once_enough_of_a_language_is_labelled(
        self, lena: Actor, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("kpis.audit_results.FEWEST_OF_A_LANGUAGE", 20)
        week = audit(rule=(20, 20))
        Audit.objects.update(sentiments={"en": {"neg": 300, "neu": 400, "pos": 300, "none": 5000}, "de": {"neg": 5}})
        # Of ten negative ones it finds nine, of ten others it takes two for negative.
        for machine, people in [("neg", "neg")] * 9 + [("neu", "neg")] + [("neg", "neu")] * 2 + [("neu", "neu")] * 8:
            labelled(week, machine={"sentiment": machine}, label={"topics": [], "sentiment": people})

        negative, positive = results(by=lena, at=NOW).sounds

        assert (negative.language, negative.name, negative.seen) == ("en", "Negative", "30%")
        assert negative.share is not None
        assert negative.share.estimate == pytest.approx((0.3 + 0.8 - 1) / (0.9 + 0.8 - 1))
        # Nobody called any of them positive, so how often it finds one that is there is not known.
        assert (positive.share, positive.seen) == (None, "30%")

    def test_where_it_was_wrong_is_listed_for_whoever_may_see_it(self, lena: Actor) -> None:
        week = audit(rule=(2, 2))
        right = {"team": "quality", "topics": ["leak"]}
        labelled(week, machine=right, label=right)
        wrong = labelled(week, machine=right, label={"team": "logistics", "topics": []})
        mina = actor(make_person("Mina", make_team("marketing"), role=Role.LEAD))

        found = results(by=lena, at=NOW).misses

        assert [(miss.reference, miss.said, miss.people) for miss in found] == [
            (wrong.reference, "Quality: Leak", "Logistics: no topic")
        ]
        assert results(by=mina, at=NOW).misses == []


class TestThePage:
    @pytest.fixture
    def desk(self, lena: Actor) -> Client:
        client = Client()
        assert isinstance(lena.user, User)
        client.force_login(lena.user)
        return client

    def test_it_shows_audits_and_records(self, desk: Client) -> None:
        assert "No audit yet" in desk.get("/kpis/audit-results/").content.decode()
        labelled(audit(rule=(1, 1)), machine={"team": "quality"}, label={"team": "quality", "topics": []})
        TrackRecord.objects.create(day=NOW.date(), kind="team", band=90, kept=383, answers=412)
        TrackRecord.objects.create(day=NOW.date(), kind="rule", about="<b>Water</b>", kept=3, answers=40)

        html = desk.get("/kpis/audit-results/").content.decode()

        assert "Team as learned from corrections, 90 to 95% sure" in html
        assert "Kept 93 times in 100" in html
        assert "not suggested" in html
        assert "&lt;b&gt;Water&lt;/b&gt;" in html
        assert "1 of 1" in html

    def test_it_costs_as_many_statements_for_two_items_as_for_twenty(self, desk: Client) -> None:
        week = audit(rule=(20, 20))

        def cost(items: int) -> int:
            for _ in range(items):
                ticket = labelled(week, machine={"team": "quality"}, label={"team": "logistics", "topics": ["leak"]})
                said(ticket, ("quality", ["leak"]), ("logistics", ["leak"]))
            with CaptureQueriesContext(connection) as spent:
                desk.get("/kpis/audit-results/")
            return len(spent)

        assert cost(2) == cost(18)
