"""Halden Coffee: a story with true numbers in it, told in words that differ, and played through the portal's own front door."""

import functools
import re
import tomllib
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
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
from intake import normalizing, receiving
from intake.models import Arrival, FeedbackItem, Submission
from kpis.demo import cast, organisation, playing, voices
from kpis.demo.changes import CHANGES
from kpis.demo.fates import FASTER_SINCE, Fates, WorkingHours
from kpis.demo.organisation import Node
from kpis.demo.story import BAD_BATCH, NEW_CARTON, THEMES, WEEKS, Mood, Said, Teller
from kpis.models import Measurement
from triage import rules
from triage.lifecycle import Status
from triage.models import Action, ChangedDay, Event, Notification, Ticket
from triage.taggers import taggers
from triage.taggers.base import Taxonomy, Text

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
    assert {change.owner for change in CHANGES} <= people
    assert {theme for change in CHANGES for theme in change.answers} <= set(THEMES)
    for _, when, then in organisation.RULES:
        rules.parse({"version": 1, "when": when, "then": list(then)})


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


@pytest.fixture
def owner(db: None) -> User:
    return User.objects.create_superuser("owner@example.com", name="Owner")


@pytest.fixture
def shown(owner: User) -> Submission:
    return playing.play(owner, now=timezone.now(), say=lambda said: None, scale=0.03)


def test_everything_came_in_through_the_front_door(shown: Submission) -> None:
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


def test_mails_of_the_past_are_told_and_not_sent_again(shown: Submission) -> None:
    to_send = Notification.objects.waiting()

    assert 0 < to_send.count() < Notification.objects.count()
    for row in to_send:
        newest = row.item.events.order_by("-occurred_at")[0] if row.item else None
        assert newest is not None
        assert newest.occurred_at > timezone.now() - timedelta(days=1, minutes=2)
    told = Event.objects.filter(type="customer_told")
    assert (
        told.count()
        == Notification.objects.filter(kind__in=["resolution", "change"], completed_at__isnull=False).count()
        > 0
    )


def test_the_queue_shows_every_kind_and_the_owner_sees_it(shown: Submission, owner: User, client: Client) -> None:
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
