"""Notes, ranges, frozen limits, kept dashboards, teams beside their mix of work: what people set stays, and says no more than it knows."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.core import mail
from django.test import Client
from django.utils import timezone

from feedback_portal.accounts.models import Role, Team
from feedback_portal.refusals import BadInput
from kpis import annotations, digests, gaming, goals, pareto, phases, recording, teams
from kpis.definitions import definitions
from kpis.facts import EVERYTHING
from kpis.figures import Figure
from kpis.models import Goal, SavedDashboard, Signal
from kpis.questions import Question, ask
from tests.kpis.conftest import season
from tests.makers import actor, make_person, make_team
from triage.models import Action, Ticket, Verdict

pytestmark = pytest.mark.django_db


def lena() -> Question:
    return ask({}, actor=actor(make_person("Lena", role=Role.MANAGER)), at=timezone.now())


def test_the_dashboard_tells_what_changed_what_worked_and_what_was_noise(signed_in: Callable[..., Client]) -> None:
    season(20)
    at = timezone.now()
    action = Action.objects.get()
    Action.objects.update(effective_from=at.date() - timedelta(days=5))
    Verdict.objects.create(
        action=action, outcome="worked", method="rate", sentence="From 3.9 to 1.7 in 1,000 orders.", unit="ratio",
        estimate=0.45, low=0.3, high=0.7, judged_at=at,
    )  # fmt: skip
    Signal.objects.create(
        key="theme:1", kind="rise", name="Seal leaks", first_week=at.date(), last_week=at.date(), count=58, expected=20,
        weeks=[{"week": at.date().isoformat(), "count": 58, "expected": 20, "p": 0.0001, "window": 1}],
        raised_at=at, seen_at=at,
    )  # fmt: skip
    browser = signed_in(Role.MANAGER)

    page = browser.get("/kpis/").content.decode()

    assert "Seal leaks: more than usual." in page
    assert "58 items where 20.0 were to be expected" in page
    assert "From 3.9 to 1.7 in 1,000 orders." in page
    assert "Did the actions work?" in page
    assert action.title in page
    for against in ("year", "team:logistics"):
        assert browser.get("/kpis/", {"against": against, "team": "quality"}).status_code == 200
        assert browser.get("/kpis/csat/", {"against": against, "team": "quality"}).status_code == 200
    assert browser.get("/kpis/", {"against": "never"}).status_code == 400


def test_a_note_stands_on_the_charts_until_it_is_taken_off(signed_in: Callable[..., Client]) -> None:
    season(24)
    browser, today = signed_in(Role.MANAGER), timezone.now().date() - timedelta(days=14)

    browser.post("/kpis/annotations/", {"day": today.isoformat(), "text": "New <carton>"})
    shown = annotations.between(lena().period, by=lena().actor)

    assert [note.text for note in shown if not note.href] == ["New <carton>"]
    assert "New &lt;carton&gt;" in browser.get("/kpis/").content.decode()
    assert browser.post("/kpis/annotations/", {"day": "yesterday", "text": "x"}).status_code == 422
    other = signed_in(Role.LEAD, make_team("logistics"))
    number = annotations.Annotation.objects.get().pk
    assert other.post("/kpis/annotations/", {"withdraw": number}).status_code == 404
    signed_in(Role.MANAGER).post("/kpis/annotations/", {"withdraw": number})
    assert not annotations.Annotation.objects.standing().exists()


def test_a_goal_is_a_range_with_a_reason_and_judged_with_its_interval() -> None:
    by, kpi, at = lena().actor, definitions.get("csat"), timezone.now()
    with pytest.raises(BadInput):
        goals.set_range(kpi, team=None, year=2026, low="90", high="80", reason="Why not", by=by, at=at)
    with pytest.raises(BadInput):
        goals.set_range(kpi, team=None, year=2026, low="80", high="90", reason=" ", by=by, at=at)

    goal = goals.set_range(kpi, team=None, year=2026, low="80", high="90", reason="As last year", by=by, at=at)
    goals.set_range(kpi, team=None, year=2026, low="81", high="90", reason="A little more", by=by, at=at)

    assert Goal.objects.get().low == 81
    assert goals.verdict(goal, Figure(85, 80, 90, 1, 1)) == "Within the range."
    assert "though chance alone" in goals.verdict(goal, Figure(78, 74, 82, 1, 1))
    assert "more than chance" in goals.verdict(goal, Figure(70, 66, 74, 1, 1))


def test_frozen_limits_do_not_move_with_later_weeks() -> None:
    season(66)
    question, kpi = lena(), definitions.get("items-received")
    phases.begin(kpi, EVERYTHING, period=question.period, reason="New carton", by=question.actor, at=question.at)
    weeks = [question.period.weeks()[-1]] * 3

    def limits() -> tuple[object, ...]:
        readings = recording.series(kpi, weeks, at=question.at)
        told = phases.limits(readings, at=question.at)
        return told.centre, tuple(told.upper)

    phase = phases.newest(kpi, EVERYTHING)
    assert phase is not None
    type(phase).objects.update(first_week=weeks[0].first)
    first = limits()
    Ticket.objects.filter(pk__in=Ticket.objects.values("pk")[:60]).update(
        resolution="spam", status="resolved", resolved_at=question.at
    )

    assert limits() == first
    assert first[0] is not None


def test_a_kept_dashboard_is_mailed_once_a_week_and_to_nobody_who_may_not_see_it() -> None:
    season(10)
    boss, at = make_person("Lena", role=Role.MANAGER), timezone.now()
    digests.keep(name="All", query="", role="manager", mailed=True, by=actor(boss))
    agent = make_person("Tariq", make_team("quality"))
    SavedDashboard.objects.create(person=agent, name="Old", is_mailed=True)

    sent = digests.mail_digests(at=at), digests.mail_digests(at=at + timedelta(hours=1))

    assert sent == (1, 0)
    [message] = mail.outbox
    assert message.to == [boss.email]
    assert "/kpis/" in message.body
    assert "Items received" in message.body
    assert len(message.alternatives[0][0]) < 60_000
    assert digests.seen_by(actor(make_person("Mo", role=Role.MANAGER)))[0].name == "All"
    with pytest.raises(BadInput):
        digests.keep(name="All", query="", role="", mailed=False, by=actor(boss))


def test_teams_are_held_against_their_mix_and_small_ones_hidden() -> None:
    rows = [
        teams._row("Fast", "fast", (400, 20, 40.0), 0.0),
        teams._row("Usual", "usual", (400, 41, 40.0), 0.0),
        teams._row("Slow", "slow", (400, 80, 40.0), 0.0),
        teams._row("Small", "small", (19, 3, 2.0), 0.0),
    ]

    shown = {row.name: row for row in teams._hide_what_could_be_subtracted(rows, everything=True)}

    assert shown["Fast"].observed is None  # the smallest of the others, or Small could be worked out
    assert shown["Small"].observed is None
    assert shown["Usual"].verdict == "Within chance"
    assert shown["Slow"].verdict == "More than expected, clearly"
    assert teams._row("Slow", "slow", (400, 80, 40.0), 0.5).verdict == "Within chance"
    phi, between = teams._overdispersion([(20, 40.0), (41, 40.0), (80, 40.0), (10, 40.0)])
    assert phi > 1
    assert between > 0


def test_the_pages_of_teams_and_themes_open_and_detect_nothing_in_little(signed_in: Callable[..., Client]) -> None:
    season(10)
    browser = signed_in(Role.MANAGER)

    assert browser.get("/kpis/teams/").status_code == 200
    assert "No theme has items" in browser.get("/kpis/themes/").content.decode()
    assert browser.get("/kpis/saved/").status_code == 200
    assert not any(each.is_found for each in gaming.detectors(lena()))


def test_themes_are_told_by_value_and_ties_are_named() -> None:
    from decimal import Decimal

    found = [pareto.Part(1, "Leaks", 50, Decimal(900)), pareto.Part(2, "Noise", 48, Decimal(100))]
    told = pareto.chart(found)

    assert [(bar.label, bar.note) for bar in told.bars] == [("Leaks", "90%"), ("Noise", "100%, tied")]
    assert "first Leaks, Noise" in told.sentence


def test_who_steers_one_team_sets_nothing_for_all(signed_in: Callable[..., Client]) -> None:
    browser = signed_in(Role.LEAD, make_team("quality"))

    asked = {"low": "1", "high": "2", "reason": "x"}
    assert browser.post("/kpis/csat/range/", asked).status_code == 403
    assert not Goal.objects.exists()
    assert Team.objects.filter(slug="quality").exists()


def test_nothing_is_compared_where_what_was_expected_does_not_fit() -> None:
    def seen(rates: tuple[int, int]) -> list[tuple[int, tuple[int, int, str], int, int]]:
        return [(1, (1, severity, "en"), 500, late) for severity, late in zip((1, 3), rates, strict=True)]

    before = seen((50, 300))
    chance, _ = teams._chances(before)

    fits, turned = (teams._fit(before, seen(rates), chance) for rates in ((55, 290), (200, 210)))
    few = teams._fit(before[:0], before, teams._chances([])[0])

    assert fits.is_good
    assert fits.auc == pytest.approx(0.76, abs=0.001)
    assert turned.is_known
    assert not turned.is_good
    assert not few.is_known
    assert not few.is_good
