"""Who gets an item, and why: the order of who decides, several teams at once, and who is away."""

from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from feedback_portal.accounts.models import Absence, Team
from feedback_portal.languages import said
from tests.makers import AT, make_person, make_team
from triage.models import Rule
from triage.routing import OUT_OF_THE_WAY, Clues, Foreseen, Router
from triage.routing.workload import Crew, Person
from triage.rules.facts import Facts

QUALITY, BILLING, LOGISTICS = (
    Team(pk=number, slug=name.lower(), name=name) for number, name in enumerate(("Quality", "Billing", "Logistics"), 1)
)
DESK = Team(pk=9, slug="desk", name="Desk", is_catch_all=True)
MINA = Person(1, "Mina", "mina@example.com")
TARIQ = Person(2, "Tariq", "tariq@example.com")
LENA = Person(3, "Lena", "lena@example.com")


def rule(name: str, word: str, *acts: dict[str, Any], position: int = 0) -> Rule:
    when = {"field": "text", "op": "contains", "value": word}
    return Rule(name=name, position=position, definition={"version": 1, "when": when, "then": list(acts)})


def router(*stored: Rule, crew: Crew | None = None) -> Router:
    teams = {team.slug: team for team in (QUALITY, BILLING, LOGISTICS, DESK)}
    return Router(stored=stored, teams=teams, topics={"leak": ("Leak", QUALITY)}, crew=crew or Crew({}, {}), above={})


def foreseen(verdict: str, team: str = "billing", sure: float = 0.9) -> Foreseen:
    return Foreseen(verdict, [(team, sure), ("desk", 1 - sure)])


TO_LOGISTICS = rule("Boxes", "box", {"verb": "route", "team": "logistics"})
SURE_LEAK, HARDLY_LEAK = (("leak", 0.72),), (("leak", 0.43),)


@pytest.mark.parametrize(
    ("text", "clues", "team", "by"),
    [
        ("a box", Clues(SURE_LEAK, foreseen("auto"), "Spam."), LOGISTICS, "rule"),
        ("words", Clues(SURE_LEAK, foreseen("auto"), "Spam."), DESK, "spam"),
        ("words", Clues(SURE_LEAK, foreseen("auto")), BILLING, "model"),
        ("words", Clues(SURE_LEAK, foreseen("suggest")), QUALITY, "topic"),
        ("words", Clues(SURE_LEAK, foreseen("abstain")), QUALITY, "topic"),
        ("words", Clues(SURE_LEAK, foreseen("auto", team="dissolved")), QUALITY, "topic"),
        ("words", Clues(HARDLY_LEAK, foreseen("suggest")), DESK, "catch_all"),
        ("words", Clues(), DESK, "catch_all"),
    ],
)
def test_rules_decide_before_what_was_learned_before_the_topic_before_the_catch_all(
    text: str, clues: Clues, team: Team, by: str
) -> None:
    routing = router(TO_LOGISTICS).route(Facts(text=text), clues)

    assert (routing.team, routing.by, routing.explanation["by"]) == (team, by, by)
    assert routing.explanation["reason"].endswith(".")


def test_what_looks_like_spam_comes_after_everything_else_unless_somebody_may_be_harmed() -> None:
    spam = Clues(spam="It sells pills.")

    assert router().route(Facts(text="words", urgency=2), spam).rank == OUT_OF_THE_WAY
    harmful = router().route(Facts(text="words", urgency=3), spam)
    assert (harmful.rank, harmful.by) == (0, "catch_all")


def test_a_suggestion_of_the_learned_router_is_kept_though_it_moves_nothing() -> None:
    told = replace(foreseen("suggest"), told={"verdict": "suggest", "teams": [["billing", 0.9]]})

    routing = router().route(Facts(text="words"), Clues(foreseen=told))

    assert (routing.team, routing.explanation["model"]["teams"]) == (DESK, [["billing", 0.9]])


def test_every_rule_that_holds_may_send_it_to_another_team_as_well_but_to_each_once() -> None:
    also = {"verb": "also", "team": "billing"}
    rules = (
        rule("Boxes", "box", {"verb": "route", "team": "logistics"}, also, {"verb": "also", "team": "logistics"}),
        rule("Wet", "wet", also, {"verb": "also", "team": "quality"}),
        rule("Gone", "wet", {"verb": "also", "team": "dissolved"}),
    )

    routing = router(*rules).route(Facts(text="a wet box"), Clues())

    assert [(team.slug, name) for team, name in routing.also] == [("billing", "Boxes"), ("quality", "Wet")]


def crew(**changes: Any) -> Crew:
    people = {person.pk: replace(person, **changes.get(person.name, {})) for person in (MINA, TARIQ, LENA)}
    return Crew(people, {LOGISTICS.pk: (1, 2), QUALITY.pk: (3,)}, leads=changes.get("leads", {}))


AWAY = {"is_away": True, "back_on": date(2026, 3, 9)}
TO_MINA = rule("Boxes", "box", {"verb": "route", "team": "logistics"}, {"verb": "assign", "person": "Mina@example.com"})


@pytest.mark.parametrize(
    ("people", "assignee", "told"),
    [
        (crew(), 1, None),
        (crew(Mina=AWAY), None, "Mina is away until 9 March 2026 and nobody stands in, so it waits for the team."),
        (
            crew(Mina=AWAY | {"stand_in": 2}),
            2,
            "Mina is away until 9 March 2026, so Tariq stands in.",
        ),
        (crew(Mina=AWAY | {"stand_in": 2}, Tariq=AWAY | {"stand_in": 1}), None, "Mina is away until 9 March 2026"),
        # Who stands in must be able to see it.
        (crew(Mina=AWAY | {"stand_in": 3}), None, "Mina is away until 9 March 2026 and nobody stands in"),
        (crew(Mina=AWAY | {"stand_in": 3}, Lena={"sees_everything": True}), 3, "Mina is away"),
    ],
)
def test_a_rule_gives_nothing_to_somebody_who_is_away(people: Crew, assignee: int | None, told: str | None) -> None:
    routing = router(TO_MINA, crew=people).route(Facts(text="a box"), Clues())

    assert routing.assignee_id == assignee
    assert said(routing.explanation.get("given", "")).startswith(told or "")
    assert (told is None) == ("given" not in routing.explanation)


@pytest.mark.parametrize(
    ("people", "assignee"),
    [
        (crew(Tariq=AWAY, leads={LOGISTICS.pk: (1,)}), 1),
        (crew(leads={LOGISTICS.pk: (1,)}), None),
        (crew(Tariq=AWAY, Mina=AWAY, leads={LOGISTICS.pk: (1,)}), None),
        (crew(Tariq=AWAY, Mina=AWAY | {"stand_in": 3}, Lena={"sees_everything": True}, leads={LOGISTICS.pk: (1,)}), 3),
    ],
)
def test_when_nobody_of_a_team_is_here_its_lead_gets_it(people: Crew, assignee: int | None) -> None:
    assert router(TO_LOGISTICS, crew=people).route(Facts(text="a box"), Clues()).assignee_id == assignee


def test_who_is_here_and_carries_least_is_proposed() -> None:
    people = crew(Mina={"open_tickets": 3}, Tariq={"open_tickets": 1} | AWAY)

    assert people.least_loaded(LOGISTICS.pk).person == people.people[1]
    assert people.people[2].detail == "1 open, away until Monday 9 March"
    assert people.least_loaded(BILLING.pk).person is None


@pytest.mark.django_db
def test_absences_count_by_the_day_and_the_one_that_ends_later_says_when_somebody_is_back() -> None:
    team = make_team("quality")
    mina, tariq, omar = make_person("Mina", team), make_person("Tariq", team), make_person("Omar", team)
    today = AT.date()
    Absence.objects.create(person=mina, first_day=today, last_day=today)
    Absence.objects.create(person=mina, first_day=date(2026, 3, 1), last_day=date(2026, 3, 8), stand_in=tariq)
    Absence.objects.create(person=tariq, first_day=date(2026, 3, 5))
    Absence.objects.create(person=omar, first_day=date(2026, 1, 1), last_day=date(2026, 3, 3))

    people = Crew.load(at=AT, teams=[team.pk])

    away = people.people[mina.pk]
    assert (away.is_away, away.back_on, away.stand_in) == (True, date(2026, 3, 9), tariq.pk)
    assert [person.name for person in people.of(team.pk) if not person.is_away] == ["Omar", "Tariq"]
