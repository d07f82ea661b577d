"""Halden Coffee: a story with true numbers in it, told in words that differ, and played through the portal's own front door."""

import functools
import re
import tomllib
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from io import StringIO
from pathlib import Path
from random import Random
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.core.management import call_command
from django.db.models import F
from django.test import Client
from django.utils import timezone

from feedback_portal.accounts.models import Role, Team, User
from feedback_portal.languages import said as said_in_english
from intake import normalizing, receiving
from intake.models import Arrival, FeedbackItem, Submission
from kpis import effects, verdicts
from kpis.demo import cast, organisation, playing, sales, voices
from kpis.demo.changes import CHANGES, Change
from kpis.demo.fates import FASTER_SINCE, Fates, WorkingHours
from kpis.demo.organisation import Node
from kpis.demo.story import BAD_BATCH, NEW_CARTON, THEMES, WEEKS, Mood, Said, Teller
from kpis.demo.talking import STANCES
from kpis.models import Measurement
from kpis.statistics.before_after import Week
from tests.shared_world import rows_that_last
from triage import rules
from triage.improving import changes
from triage.lifecycle import Status
from triage.models import (
    Action,
    ChangedDay,
    Event,
    Expectation,
    Notification,
    Theme,
    ThemeDecision,
    Ticket,
    Verdict,
    WeeklyNote,
)
from triage.taggers import taggers
from triage.taggers.base import Taxonomy, Text
from triage.themes import board

NOW = datetime(2026, 11, 24, 15, 30, tzinfo=UTC)
WEEK = timedelta(weeks=1)


@functools.cache
def story() -> list[Said]:
    return Teller(Random(playing.SEED), now=NOW).tell()


def phrases(language: str) -> dict[str, Any]:
    return tomllib.loads((Path(voices.__file__).parent / "phrases" / f"{language}.toml").read_text())


def weekly(theme: str) -> Counter[int]:
    return Counter(int((NOW - said.at) / WEEK) for said in story() if said.theme.words == theme)


def nodes() -> Iterator[Node]:
    for root in organisation.TOPICS:
        yield root
        yield from root.below


# --- what is told -----------------------------------------------------------------------------------------------------


def test_half_a_year_is_somewhat_over_two_thousand_items() -> None:
    assert 1_900 < len(story()) < 2_500
    assert story()[0].at > NOW - (WEEKS + 1) * WEEK
    assert [said.at for said in story()] == sorted(said.at for said in story())
    assert story()[-1].at < NOW


def test_the_same_moment_tells_the_same_story() -> None:
    assert Teller(Random("a"), now=NOW).tell() == Teller(Random("a"), now=NOW).tell()


def test_the_seals_of_one_batch_leak_more_every_week() -> None:
    leaks = weekly("seal-leak")
    before = sum(leaks[week] for week in range(4, WEEKS)) / (WEEKS - 4)

    assert leaks[0] > leaks[2] > 2 * before
    lately = [said for said in story() if said.theme.words == "seal-leak" and said.at > NOW - 2 * WEEK and said.facts]
    assert sum((said.facts or {}).get("batch") == BAD_BATCH for said in lately) > 0.6 * len(lately)


def test_the_new_carton_halves_the_damage() -> None:
    damage = weekly("delivery-damage")
    before = sum(damage[week] for week in range(NEW_CARTON + 1, WEEKS)) / (WEEKS - NEW_CARTON - 1)
    since = sum(damage[week] for week in range(NEW_CARTON)) / NEW_CARTON

    assert since < 0.65 * before


def test_the_willingness_to_recommend_does_not_move() -> None:
    def score(first: int, last: int) -> float:
        given = [
            said.rating[1]
            for said in story()
            if said.rating and said.rating[0] == "nps" and first <= (NOW - said.at) / WEEK < last
        ]
        return 100 * (sum(value >= 9 for value in given) - sum(value <= 6 for value in given)) / len(given)

    assert 31 < score(0, 13) < 41
    assert 31 < score(13, 26) < 41


def test_ratings_follow_what_is_said() -> None:
    rated = [said for said in story() if said.rating and said.rating[0] == "csat5" and said.words.text]
    bad = [said.rating[1] for said in rated if said.theme.mood == Mood.BAD and said.rating]
    good = [said.rating[1] for said in rated if said.theme.mood == Mood.GOOD and said.rating]

    assert max(bad) <= 3 < min(good)


def test_hardly_two_messages_are_alike() -> None:
    texts = [said.words.text for said in story() if said.words.text]

    assert len(set(texts)) > 0.98 * len(texts)


def test_seven_in_ten_write_english() -> None:
    languages = Counter(said.language for said in story())

    assert 0.63 < languages["en"] / len(story()) < 0.77
    assert set(languages) == set(voices.LANGUAGES)


def test_only_danger_sounds_dangerous() -> None:
    urgency = next(tagger for tagger in taggers.all() if tagger.slug == "urgency")
    texts = [Text(item_id=0, title=said.words.title, text=said.words.text) for said in story()]
    found = urgency.tag(texts, Taxonomy(()))

    alarming = [
        said.words.text
        for said, suggestions in zip(story(), found, strict=True)
        if said.theme.words != "overheating" and any(one.value == 3 for one in suggestions)
    ]
    assert alarming == []


@pytest.mark.parametrize("language", voices.LANGUAGES)
def test_every_phrase_can_be_filled_in(language: str) -> None:
    known = {"batch", "order", "city", "days", "count", "name", "colleague"}
    for place in phrases(language).values():
        for said in place if isinstance(place, list) else [one for some in place.values() for one in some]:
            assert said.count("[") == said.count("]")
            assert set(re.findall(r"\{(\w+)\}", said)) <= known


def test_every_theme_has_words_and_every_mood_an_answer() -> None:
    assert set(THEMES) - {"score"} <= set(phrases("en"))
    for language in voices.LANGUAGES:
        assert {"bad", "idea", "good", "question", "silent", "declined"} <= set(phrases(language)["answers"])


def test_what_the_story_names_exists() -> None:
    topics, teams = {node.slug for node in nodes()}, {"triage-desk", *(slug for slug, *_ in organisation.TEAMS)}
    people = {person.email for person in organisation.PEOPLE}

    assert {theme.topic for theme in THEMES.values()} - {""} <= topics
    assert {theme.team for theme in THEMES.values()} | {node.team for node in nodes()} <= teams
    assert {change.owner for change in CHANGES} | {stance.by for stance in STANCES} <= people
    assert {change.hope["topic"] for change in CHANGES if change.hope} | {stance.words for stance in STANCES} <= topics
    assert {stance.action for stance in STANCES} - {""} <= {change.title for change in CHANGES}
    assert {theme for change in CHANGES for theme in change.answers} <= set(THEMES)
    for _, when, then in organisation.RULES:
        rules.parse({"version": 1, "when": when, "then": list(then)})


def later(change: Change) -> str:
    """What the fixed rule says of the story itself on the day on which the change is looked at: twelve weeks before it at most, and
    those since."""
    assert change.shipped is not None
    today = (NOW - (change.checked or 0) * WEEK).date()
    shipped = (NOW - change.shipped * WEEK).date()
    since = shipped + timedelta(days=change.hope.get("lag_days", 0))
    said = Counter(min(one.said_at or one.at, one.at).date() for one in story() if one.theme.words == change.answers[0])
    if change.hope.get("measure") == "rate":
        sold = sales.told(shipped - 12 * WEEK, NOW.date(), chance=Random(playing.SEED))
        sizes = Counter({each.day: each.count for each in sold if each.kind == change.hope["exposure"]})
    else:
        sizes = Counter(min(one.said_at or one.at, one.at).date() for one in story())
    before = [shipped - back * WEEK for back in range(12, 0, -1)]
    after = [first for on in range(26) if (first := since + on * WEEK) + WEEK <= today]

    def weeks(firsts: list[date]) -> list[Week]:
        days = [[first + timedelta(days=day) for day in range(7)] for first in firsts]
        return [
            Week((some[0] - shipped).days / 7, sum(said[day] for day in some), sum(sizes[day] for day in some))
            for some in days
        ]

    if len(after) < verdicts.FEWEST_WEEKS:
        return ""
    hope = verdicts.Hope(change.hope.get("measure", "share"), "down", "step")
    found = verdicts.compare(weeks(before), weeks(after), hope=hope)
    assert found is not None
    # As clear as five of them need it to be together.
    return verdicts.outcome_of(found, hope) if found.p < 0.02 or found.p > 0.05 else "hardly"


def test_what_is_said_later_tells_of_each_change_what_it_is_meant_to_tell() -> None:
    assert {change.title: later(change) for change in CHANGES if change.shipped is not None} == {
        "Tip of the steam wand from one piece": "worked",
        "Stronger carton with corner pads": "worked",
        "Pairing that tries again by itself (app 4.2)": "worked",
        "Descaling card in every box": "worse",
        "Quieter burr set from a second supplier": "unclear",
        "Check VAT numbers when an order is placed": "",
    }


# --- what is done about it ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("moment", "hours", "then"),
    [
        # A Friday of the old days, a Friday of late, a Saturday of late.
        (datetime(2026, 8, 7, 16, tzinfo=UTC), 2, datetime(2026, 8, 10, 8, tzinfo=UTC)),
        (datetime(2026, 11, 6, 20, tzinfo=UTC), 2, datetime(2026, 11, 7, 9, tzinfo=UTC)),
        (datetime(2026, 11, 7, 3, tzinfo=UTC), 0, datetime(2026, 11, 7, 8, tzinfo=UTC)),
        (datetime(2026, 11, 9, 12, tzinfo=UTC), 1.5, datetime(2026, 11, 9, 13, 30, tzinfo=UTC)),
    ],
)
def test_people_work_in_working_hours(moment: datetime, hours: float, then: datetime) -> None:
    assert WorkingHours(NOW).after(moment, hours) == then


def test_steps_come_in_order_and_before_now() -> None:
    fates = Fates(Random("fates"), now=NOW)
    for said in story():
        steps = fates.of(said)
        assert all(said.at < step.at < NOW for step in steps)
        assert [step.at for step in steps] == sorted(step.at for step in steps)


def test_decisions_are_faster_since_eight_weeks() -> None:
    fates = Fates(Random("fates"), now=NOW)
    taken: dict[bool, list[timedelta]] = {True: [], False: []}
    for said in story():
        if steps := fates.of(said):
            taken[said.at > NOW - FASTER_SINCE].append(steps[0].at - said.at)
    middle = {since: sorted(times)[len(times) // 2] for since, times in taken.items()}

    assert middle[True] < middle[False] / 2


# --- what the portal holds afterwards -----------------------------------------------------------------------------------


def called(title: str) -> Action:
    return Action.objects.get(title=title)


class TestWhatThePortalHolds:
    """Of one story for all, since it is much to play and none of them changes it."""

    @pytest.fixture(scope="class")
    @classmethod
    def played(cls, django_db_setup: None, django_db_blocker: Any) -> Iterator[tuple[User, Submission]]:
        """Once for all who look at it: hardly anything of it, but all that is said of what a new carton and a steadier pairing changed."""
        with rows_that_last(django_db_blocker):
            with django_db_blocker.unblock():
                owner = User.objects.create_superuser("owner@example.com", name="Owner")
                whole = ("delivery-damage", "app-pairing")
                shown = playing.play(owner, now=timezone.now(), say=lambda said: None, scale=0.03, whole=whole)
                effects.judge(at=timezone.now())
            yield owner, shown

    @pytest.fixture
    def owner(self, db: None, played: tuple[User, Submission]) -> User:
        return User.objects.get(pk=played[0].pk)

    @pytest.fixture
    def shown(self, db: None, played: tuple[User, Submission]) -> Submission:
        return Submission.objects.get(pk=played[1].pk)

    def test_everything_came_in_through_the_front_door(self, shown: Submission) -> None:
        assert FeedbackItem.objects.count() == Ticket.objects.count() == Submission.objects.count() > 50
        assert not Submission.objects.waiting().exists() | Submission.objects.parked().exists()
        assert not Arrival.objects.waiting().exists()
        for submission in Submission.objects.select_related("item", "channel"):
            assert normalizing.read(submission).text == submission.item.text
        assert {item.channel.kind for item in FeedbackItem.objects.select_related("channel")} == {
            "web_form",
            "rest_api",
            "csv_file",
        }
        assert Event.objects.filter(type="received").count() == FeedbackItem.objects.count()
        assert not Event.objects.filter(occurred_at__lt=F("item__received_at")).exists()
        assert not Event.objects.filter(occurred_at__gt=timezone.now()).exists()
        assert not Ticket.objects.filter(triaged_at=None).exclude(status__in=[Status.NEW, Status.SNOOZED]).exists()

    def test_mails_of_the_past_are_told_and_not_sent_again(self, shown: Submission) -> None:
        to_send = Notification.objects.waiting()

        assert 0 < to_send.count() < Notification.objects.count()
        for row in to_send.exclude(kind="staff"):
            newest = row.item.events.order_by("-occurred_at")[0] if row.item else None
            assert newest is not None
            assert newest.occurred_at > timezone.now() - timedelta(days=1, minutes=2)
        told = Event.objects.filter(type="customer_told")
        assert (
            told.count()
            == Notification.objects.filter(kind__in=["resolution", "change"], completed_at__isnull=False).count()
            > 0
        )

    def test_the_queue_shows_every_kind_and_the_owner_sees_it(
        self, shown: Submission, owner: User, client: Client
    ) -> None:
        assert owner.memberships.count() == Team.objects.count()
        queue = Ticket.objects.undecided().in_queue_order().select_related("item__customer")
        assert queue[0].severity == 1
        assert {part.name for part in cast.PARTS if not part.claimed_by and not part.snoozed} <= {
            ticket.item.customer.name for ticket in queue if ticket.item.customer
        }
        assert Ticket.objects.filter(status=Status.SNOOZED).count() >= 2
        assert set(Action.objects.values_list("step", flat=True)) == set(Action.Step.values)
        assert Action.objects.filter(withdrawn_at__isnull=False).count() == 1

        client.force_login(owner)
        assert client.get("/triage/").status_code == 200
        assert client.get(urlsplit(receiving.tracking_url(shown)).path).status_code == 200

    def test_each_change_says_before_what_it_should_move_and_is_judged_on_what_was_said_after(
        self, shown: Submission
    ) -> None:
        hoped = {change.title for change in CHANGES if change.hope}
        assert set(Expectation.objects.values_list("action__title", flat=True)) == hoped
        for expectation in Expectation.objects.select_related("action"):
            said = expectation.action.events.get(type="expected")
            assert expectation.action.shipped_at is None or said.occurred_at < expectation.action.shipped_at
        assert set(Verdict.objects.values_list("action__title", flat=True)) == {
            change.title for change in CHANGES if change.shipped is not None
        }

        waits = called("Check VAT numbers when an order is placed").finding
        assert (waits.outcome, said_in_english(waits.sentence)[:18]) == ("", "4 of 8 weeks since")

    def test_what_worked_is_closed_on_its_verdict_published_and_asked_about(
        self, shown: Submission, client: Client
    ) -> None:
        carton = called("Stronger carton with corner pads")

        assert (carton.verdict, carton.step, carton.exception) == ("worked", "act", "")
        assert carton.standard
        assert carton.steps.count() == carton.steps.exclude(done_at=None).count() == 4
        sides = Counter(side for *_, side in carton.finding.data["weeks"])
        assert sides["before"] >= 12
        assert sides["after"] >= 8
        assert [change.title for change in changes.published()] == [carton.public_title]
        page = client.get("/changes/").content.decode()
        assert carton.public_title in page
        assert changes.numbers(carton) in page
        asked = Notification.objects.filter(kind="still_fixed", once_key__startswith=f"again:change:{carton.pk}:")
        told = Notification.objects.filter(kind="change", once_key__startswith=f"change:{carton.pk}:")
        assert 0 < asked.count() <= told.count()
        scores = Event.objects.filter(type="score", data__kind="still_fixed", ticket__action_links__action=carton)
        assert scores.exists()
        assert min(score.occurred_at for score in scores) > carton.shipped_at + 4 * WEEK  # type: ignore[operator]

    def test_what_came_back_is_open_again_and_its_owner_was_told(self, shown: Submission) -> None:
        pairing = called("Pairing that tries again by itself (app 4.2)")
        theme = Theme.objects.living().get(action_links__action=pairing)

        assert theme.state == "regressed"
        assert (pairing.step, pairing.reopened_at is not None) == ("do", True)
        assert theme.reference in pairing.events.get(type="reopened").data["because"]
        assert set(Notification.objects.filter(kind="staff").values_list("recipient", flat=True)) == {
            "daniel@halden.example"
        }

    def test_the_board_says_how_themes_stand_and_a_refusal_says_why(self, shown: Submission, client: Client) -> None:
        standing = {post.title: str(post.standing) for post in board.published()[0]}

        assert standing["The app loses my machine"] == "planned"
        assert standing["Machines arrive with a dent"] == "worked"
        assert ThemeDecision.objects.filter(choice="act").count() >= 2
        assert client.get("/board/").status_code == 200
        assert WeeklyNote.objects.filter(team__slug="quality").count() == 3


def test_a_portal_with_feedback_is_left_alone(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(playing, "play", functools.partial(playing.play, scale=0.01))
    first, again = StringIO(), StringIO()

    call_command("load_demo", stdout=first)
    before = Event.objects.count()
    call_command("load_demo", stdout=again)

    assert User.objects.filter(role=Role.ADMIN).count() == 1
    assert first.getvalue().count("/sign-in/") == 3  # the owner made on the way, and two of the people
    assert Measurement.objects.exists()
    assert not ChangedDay.objects.waiting().exists()
    assert "left out" in again.getvalue()
    assert Event.objects.count() == before
