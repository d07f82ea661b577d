"""The check of an action: what is counted on each side of it, the fixed rule, and what follows of a verdict."""

from datetime import UTC, date, datetime, timedelta
from itertools import count
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from feedback_portal.accounts.models import Role, Team, User
from feedback_portal.celery import app
from feedback_portal.languages import said
from intake.models import Account, Exposure, FeedbackItem, Submission
from kpis import effects
from kpis.charts import PERCENT, LineChart
from kpis.findings import findings
from kpis.questions import ask
from kpis.statistics.before_after import (
    Week,
    controlled_change,
    dispersion,
    rate_change,
    segmented_change,
    share_change,
)
from kpis.trends import Trend
from kpis.verdicts import Hope, compare, outcome_of
from tests.makers import actor, make_channel, make_customer, make_person, make_team
from triage.improving import checking, improvements, plans
from triage.models import (
    Action,
    ActionEvent,
    Notification,
    Tagging,
    Theme,
    ThemeAction,
    ThemeMember,
    Ticket,
    Topic,
    Verdict,
)
from triage.themes import life

EFFECT = date(2026, 6, 1)  # a Monday
DOWN = Hope("share", "down", "step")
_numbers = count(1)


def weeks(*counts: int, start: float, size: float = 100) -> list[Week]:
    return [Week(start + place, number, size) for place, number in enumerate(counts)]


class TestTheRule:
    """Pure: weeks in, a finding out."""

    before, after = weeks(*[20] * 12, start=-12), weeks(*[8] * 12, start=0)

    @pytest.mark.parametrize("hope", [DOWN, Hope("rate", "down", "step"), Hope("share", "down", "slope")])
    @pytest.mark.parametrize("number", [8, 12])
    def test_a_clear_fall_worked_or_was_worse_as_was_hoped(self, hope: Hope, number: int) -> None:
        step = hope.shape == "step"
        after = self.after[:number] if step else weeks(*range(19, 19 - number, -1), start=0)
        before = self.before[-number:] if step else weeks(*[20] * 12, start=-12)
        found = compare(before, after, hope=hope)

        assert found is not None
        assert outcome_of(found, hope) == "worked" or not step
        upwards = Hope(hope.measure, "up", hope.shape)
        assert outcome_of(found, upwards) in {"worse", "unclear"}
        none = 0.0 if found.unit == "difference" else 1.0
        assert found.low < found.estimate < none or not step
        assert found.low <= found.estimate <= found.high

    def test_no_change_is_no_clear_change_and_says_what_could_have_been_seen(self) -> None:
        found = compare(self.before, weeks(*[21, 19] * 6, start=0), hope=DOWN)

        assert found is not None
        assert (outcome_of(found, DOWN), found.method) == ("unclear", "segmented")
        assert found.p > 0.3
        assert 0.3 < found.detectable < 1, "a ratio that is a fall"

    def test_the_p_and_the_interval_say_the_same(self) -> None:
        for after in (8, 14, 16, 17, 18, 20, 25):
            for find in (share_change, rate_change):
                found = find(self.before[-8:], weeks(*[after] * 8, start=0), direction="down")
                assert found is not None
                none = 0.0 if found.unit == "difference" else 1.0
                assert (found.p < 0.05) == (not found.low <= none <= found.high)

    def test_a_trend_that_was_there_before_is_not_the_actions_doing(self) -> None:
        falling = [round(60 * 0.95**week) for week in range(24)]
        before, after = weeks(*falling[:12], start=-12, size=1000), weeks(*falling[12:], start=0, size=1000)

        assert outcome_of(compare(before, after, hope=DOWN), DOWN) == "unclear"
        plain = share_change(before, after, direction="down")
        assert plain is not None
        assert outcome_of(plain, DOWN) == "worked", "which is why the trend is fitted"

    def test_what_moves_the_control_as_well_is_not_the_actions_doing(self) -> None:
        both = (weeks(*[40] * 12, start=-12), weeks(*[16] * 12, start=0))

        found = compare(self.before, self.after, hope=DOWN, control=both)

        assert found is not None
        assert (found.method, outcome_of(found, DOWN)) == ("controlled", "unclear")
        assert found.estimate == pytest.approx(1.0)

    def test_weeks_that_vary_more_than_chance_widen_the_interval(self) -> None:
        wild = weeks(*[2, 38] * 6, start=-12)
        calm = rate_change(self.before, weeks(*[12] * 12, start=0), direction="down")
        unsure = rate_change(wild, weeks(*[12] * 12, start=0), direction="down")

        assert calm is not None
        assert unsure is not None
        assert unsure.high - unsure.low > 2 * (calm.high - calm.low)
        assert dispersion(self.before, self.after) == 1.0, "that they vary less than chance is chance too"

    def test_few_events_get_the_exact_interval_and_none_give_none(self) -> None:
        found = rate_change(weeks(*[1] * 9, start=-9), weeks(*[0] * 9, start=0), direction="down")

        assert found is not None
        assert (found.method, found.estimate, found.low) == ("exact", 0.0, 0.0)
        none_of_9 = 1 - 0.025 ** (1 / 9)  # the upper limit of Clopper and Pearson
        assert found.high == pytest.approx(none_of_9 / (1 - none_of_9))
        assert rate_change(weeks(*[0] * 9, start=-9), weeks(*[0] * 9, start=0), direction="down") is None
        assert controlled_change([], [], [], [], direction="down") is None
        assert segmented_change(self.before, weeks(*[0] * 12, start=0), shape="step", direction="down") is None


@pytest.fixture
def quality(db: None) -> Team:
    return make_team("quality")


@pytest.fixture
def tariq(quality: Team) -> User:
    return make_person("Tariq", quality)


@pytest.fixture
def leaks(quality: Team) -> Theme:
    topic = Topic.objects.create(slug="leak", name="Leak", team=quality)
    return Theme.objects.create(name="Leaks", topic=topic, state_at=at(-400), size=1)


def at(day: int) -> datetime:
    """Noon, so many days after the effect began."""
    return datetime(EFFECT.year, EFFECT.month, EFFECT.day, 12, tzinfo=UTC) + timedelta(days=day)


def sow(
    team: Team, days: dict[int, int], *, theme: Theme | None = None, late: int = 0, **fields: Any
) -> list[FeedbackItem]:
    """So many items on each of these days, as the pipeline leaves them; `late` days pass before they reach us."""
    channel, rows = make_channel(), [day for day, number in days.items() for _ in range(number)]
    submissions = Submission.objects.bulk_create(
        Submission(
            channel=channel,
            external_id=f"sown-{(number := next(_numbers))}",
            payload=b"",
            content_type="",
            sha256=b"",
            tracking_hash=f"sown-{number}",
        )
        for _ in rows
    )
    items = FeedbackItem.objects.bulk_create(
        FeedbackItem(
            submission=submission,
            channel=channel,
            text="It leaks",
            excerpt="It leaks",
            submitted_at=at(day),
            received_at=at(day + late),
            **fields,
        )
        for submission, day in zip(submissions, rows, strict=True)
    )
    Ticket.objects.bulk_create(
        Ticket(item=item, team=team, due_at=item.received_at, received_at=item.received_at) for item in items
    )
    if theme is not None:
        ThemeMember.objects.bulk_create(ThemeMember(item=item, theme=theme) for item in items)
    return items


def weekly(number: int, first: int, last: int) -> dict[int, int]:
    return {7 * week + 2: number for week in range(first, last)}


def planned(team: Team, by: User, *, day: int = -7, **expected: Any) -> Action:
    made = improvements.create(by=actor(by), at=at(day), title="Glue the seal", team=team.slug, owner=by.email)
    plans.expect(made, by=actor(by), at=at(day), **expected)
    return improvements.ship(
        improvements.find(made.reference, by=actor(by)),
        by=actor(by),
        at=at(0),
        public_text="It is glued.",
    )


def judged(action: Action, day: int) -> tuple[str, str]:
    effects.judge(at=at(day))
    action.refresh_from_db()
    return action.verdict, said(action.finding.sentence)


def test_a_theme_that_is_said_half_as_often_worked_and_is_judged_anew_as_data_arrives(
    quality: Team, tariq: User, leaks: Theme
) -> None:
    sow(quality, weekly(20, -14, 0) | weekly(5, 0, 12), theme=leaks)
    sow(quality, weekly(80, -14, 12))
    action = planned(quality, tariq, theme=leaks.reference, by_percent=50)

    assert judged(action, 20) == (
        "",
        "2 of 8 weeks since 1 June 2026 are over. The first verdict can come on 27 July 2026.",
    )
    verdict, sentence = judged(action, 60)
    assert verdict == "worked"
    assert " 14 weeks" not in sentence, "the weeks that triggered it are no baseline"
    assert sentence.startswith(
        "20.0% (200 of 1,000 items in 10 weeks) before and 5.9% (40 of 680 items in 8 weeks) after"
    )
    again = action.finding.judged_at
    assert effects.judge(at=at(60)) == 0, "nothing new, nothing written twice"
    assert judged(action, 88)[0] == "worked"
    action.finding.refresh_from_db()
    assert action.finding.judged_at > again
    assert ActionEvent.objects.filter(action=action, type="judged").count() == 1


def test_exactly_the_items_behind_a_verdict_are_listed_and_what_was_said_before_is_no_evidence_after(
    client: Client, quality: Team, tariq: User, leaks: Theme
) -> None:
    sow(quality, weekly(6, -12, 8), theme=leaks)
    sow(quality, {-10: 30}, theme=leaks, late=20)  # reviews of before, imported afterwards
    sow(quality, {9: 5}, theme=leaks, is_test=True)
    Ticket.objects.filter(item__in=sow(quality, {9: 7}, theme=leaks)).update(
        status="resolved", resolution="spam", resolved_at=at(10)
    )
    sow(quality, weekly(40, -12, 8))
    action = planned(quality, tariq, theme=leaks.reference)
    effects.judge(at=at(60))
    action.finding.refresh_from_db()

    for side in ("before", "after"):
        number = sum(count for _, count, _, on in action.finding.data["weeks"] if on == side)
        assert effects.items_behind(action, action.finding, side).count() == number  # type: ignore[arg-type]
    assert sum(count for _, count, _, on in action.finding.data["weeks"] if on == "after") == 48
    client.force_login(tariq)
    page = client.get(f"/kpis/effects/{action.reference}/items/", {"side": "after"}).content.decode()
    assert "48 items" in page
    own = client.get(f"/actions/{action.reference}/").content.decode()
    assert "No clear change" in own
    assert "<svg" in own
    assert "A fall by" in own
    assert "Took effect" in own
    assert "No clear change" in client.get("/kpis/effects/").content.decode()
    client.force_login(make_person("Omar", make_team("marketing")))
    assert client.get(f"/kpis/effects/{action.reference}/items/").status_code == 404


def test_a_rate_counts_per_exposure_of_a_segment_and_a_topic(quality: Team, tariq: User) -> None:
    topic = Topic.objects.create(slug="dent", name="Dent")
    firm = Account.objects.create(external_id="a", name="A", segment="Café")
    customer = make_customer("Ana", account=firm)
    mine = sow(quality, weekly(15, -12, 0) | weekly(4, 0, 9), customer=customer, product="H4")
    others = sow(quality, weekly(9, -12, 9), product="H4")
    Tagging.objects.bulk_create(
        Tagging(item=item, topic=topic, confidence=1, source="person") for item in (*mine, *others)
    )
    Exposure.objects.bulk_create(
        Exposure(kind="units_shipped", product="H4", day=EFFECT + timedelta(days=7 * week), count=500)
        for week in range(-12, 9)
    )
    action = planned(
        quality, tariq, topic="dent", segment="café", product="h4", measure="rate", exposure="units_shipped"
    )

    verdict, sentence = judged(action, 64)

    assert verdict == "worked"
    assert "30.00 per 1,000 units shipped" in sentence
    assert action.finding.unit == "ratio"


def test_weeks_of_sales_before_anybody_was_listened_to_are_in_no_rate(quality: Team, tariq: User) -> None:
    topic = Topic.objects.create(slug="dent", name="Dent")
    items = sow(quality, weekly(9, -12, 9))
    Tagging.objects.bulk_create(Tagging(item=item, topic=topic, confidence=1, source="person") for item in items)
    Exposure.objects.bulk_create(
        Exposure(kind="orders", day=EFFECT + timedelta(days=7 * week), count=500) for week in range(-40, 9)
    )
    action = planned(quality, tariq, topic="dent", measure="rate", exposure="orders")

    verdict, sentence = judged(action, 64)

    assert verdict == "unclear", sentence
    assert sentence.startswith("18.00 per 1,000 orders (72 in 8 weeks) before"), (
        "weeks in which nobody listened are no zeros"
    )


def test_many_verdicts_are_held_to_a_common_share_of_false_ones(quality: Team, tariq: User) -> None:
    sow(quality, weekly(60, -12, 9))
    actions = []
    for number in range(12):
        theme = Theme.objects.create(name=f"Theme {number}", state_at=at(-100), size=1)
        # One of them falls just enough to read “Worked” were it alone.
        sow(quality, weekly(10, -12, 0) | weekly(10 if number else 6, 0, 8), theme=theme)
        actions.append(planned(quality, tariq, theme=theme.reference))

    effects.judge(at=at(60))

    borderline = Action.objects.get(pk=actions[0].pk).finding
    assert (borderline.alone, borderline.outcome) == ("worked", "unclear")
    assert "among the 12 actions judged together" in said(borderline.sentence)


def test_it_costs_as_many_questions_for_20_actions_as_for_2(quality: Team, tariq: User) -> None:
    sow(quality, weekly(1, -12, 9))
    topic = Topic.objects.create(slug="leak", name="Leak", team=quality)

    def cost(number: int) -> int:
        while Action.objects.count() < number:
            theme = Theme.objects.create(name="X", topic=topic, state_at=at(-100), size=1)
            planned(quality, tariq, theme=theme.reference)
        effects.judge(at=at(20))
        with CaptureQueriesContext(connection) as queries:
            effects.judge(at=at(21))
        return len(queries)

    assert cost(2) == cost(20)


def test_it_is_looked_at_by_the_clock() -> None:
    assert "kpis.tasks.judge_effects" in {entry["task"] for entry in app.conf.beat_schedule.values()}


def test_a_theme_that_comes_back_after_its_fix_reopens_the_action_and_tells_its_owner_once(
    quality: Team, tariq: User, leaks: Theme
) -> None:
    sow(quality, dict.fromkeys(range(20, 60), 20))
    action = planned(quality, tariq, theme=leaks.reference)
    ThemeAction.objects.create(theme=leaks, action=action, linked_at=at(-7))
    checking.close(action, by=actor(tariq), at=at(50), exception="It is quiet.")
    sow(quality, {59: 9, 60: 9}, theme=leaks)

    life.judge(at=at(60))
    life.judge(at=at(60) + timedelta(hours=1))

    action.refresh_from_db()
    assert (action.step, action.reopened_at) == ("do", at(60))
    assert leaks.reference in ActionEvent.objects.get(action=action, type="reopened").data["because"]
    told = Notification.objects.get(kind="staff")
    assert told.recipient == tariq.email
    assert action.reference in told.subject


def test_what_worked_and_came_back_is_not_told_as_what_worked(quality: Team, tariq: User, leaks: Theme) -> None:
    older, newer = (planned(quality, tariq, theme=leaks.reference) for _ in range(2))
    checking.record(
        [
            Verdict(
                action=action,
                outcome="worked",
                alone="worked",
                method="share",
                sentence="",
                unit="difference",
                judged_at=at(60),
            )
            for action in (older, newer)
        ]
    )
    lena = actor(make_person("Lena", role=Role.MANAGER))
    question = ask({}, actor=lena, at=at(60))
    nothing = Trend((), None, (), LineChart("", PERCENT, ()))

    def told() -> str:
        return findings([], nothing, question)[0].opens

    assert told() == f"See {newer.reference}"
    checking.reopen(improvements.find(newer.reference, by=lena), by=lena, at=at(61), because="Back.")
    assert told() == f"See {older.reference}"
