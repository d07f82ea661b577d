"""What synthetic feedback stands on: channels, teams, people, topics, customers, actions; found again when they are there."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random

from django.db import connection

from feedback_portal.accounts.models import Membership, Stage, Team, User
from intake.models import Channel
from kpis.synthetic.vocabulary import Vocabulary
from triage.models import Action, Topic

PEOPLE_A_TEAM, TOPICS, ACTIONS_A_TEAM = 3, 24, 12
ITEMS_A_CUSTOMER, CUSTOMERS_AN_ACCOUNT, MOST_CUSTOMERS = 8, 10, 200_000
# Words of a topic are neither so frequent that every text has them nor so rare that none has.
_TELLING_FROM, _TELLING_TO = 300, 3_000
_HOURS = (4, 8, 8, 24, 24, 24, 48, 72)
_SCALES = {"synthetic-form": "csat5", "synthetic-reviews": "stars5", "synthetic-survey": "nps", "synthetic-desk": ""}


@dataclass(frozen=True)
class TopicPlace:
    pk: int
    team: int
    keywords: Sequence[str]


@dataclass(frozen=True)
class ShippedAction:
    pk: int
    at: datetime


@dataclass(frozen=True)
class Ground:
    """Keys of everything an item refers to."""

    channels: Mapping[int, str]  # and the rating scale of each
    people: Mapping[int, Sequence[int]]  # of each team
    topics: Sequence[TopicPlace]
    customers: Sequence[int]
    shipped: Mapping[int, Sequence[ShippedAction]]  # of each team, earliest first


def lay(seed: str, *, items: int, days: int, at: datetime) -> Ground:
    chance = Random(f"ground {seed}")
    words = Vocabulary(seed)
    teams = _teams()
    return Ground(
        channels={
            Channel.objects.get_or_create(
                slug=slug, defaults={"name": slug.replace("-", " ").capitalize(), "kind": "rest_api"}
            )[0].pk: scale
            for slug, scale in _SCALES.items()
        },
        people={team.pk: _people(team) for team in teams},
        topics=[_topic(number, teams[number % len(teams)], words, chance) for number in range(1, TOPICS + 1)],
        customers=_customers(min(MOST_CUSTOMERS, items // ITEMS_A_CUSTOMER + 1), chance),
        shipped={team.pk: _actions(team, days, at) for team in teams},
    )


def _teams() -> list[Team]:
    stages = list(Stage.objects.order_by("position", "pk"))
    return [
        Team.objects.get_or_create(
            slug=f"synthetic-{number}",
            defaults={
                "name": f"Synthetic team {number}",
                "stage": stages[number % len(stages)] if stages else None,
                "triage_hours": hours,
            },
        )[0]
        for number, hours in enumerate(_HOURS, start=1)
    ]


def _people(team: Team) -> list[int]:
    found = []
    for number in range(1, PEOPLE_A_TEAM + 1):
        # Nobody signs in as them: they have no password, and their address ends in a domain that cannot exist.
        email = f"{team.slug}-{number}@synthetic.invalid"
        person = User.objects.filter(email=email).first()
        if person is None:
            person = User.objects.create_user(email, name=f"Person {number} of {team.name}")
        Membership.objects.get_or_create(user=person, team=team)
        found.append(person.pk)
    return found


def _topic(number: int, team: Team, words: Vocabulary, chance: Random) -> TopicPlace:
    keywords = [words.words[chance.randrange(_TELLING_FROM, _TELLING_TO)] for _ in range(4)]
    found, _ = Topic.objects.get_or_create(
        slug=f"synthetic-{number}",
        defaults={"name": keywords[0].capitalize(), "keywords": keywords[1:], "team": team},
    )
    return TopicPlace(found.pk, team.pk, [found.name.lower(), *found.keywords])


def _customers(wanted: int, chance: Random) -> list[int]:
    """Every second works for a company, whose values a year are heavy-tailed, as such values are."""
    accounts = wanted // CUSTOMERS_AN_ACCOUNT + 1
    values = [round(chance.lognormvariate(8, 1.2), 2) for _ in range(accounts)]
    segments = [chance.choice(("Home", "Office", "Hospitality")) for _ in range(accounts)]
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO intake_account (external_id, name, segment, value, currency)"
            " SELECT 'synthetic-' || n, 'Synthetic account ' || n, segment, value, 'EUR'"
            " FROM unnest(%s::text[], %s::numeric[]) WITH ORDINALITY AS given (segment, value, n)"
            " ON CONFLICT DO NOTHING",
            [segments, values],
        )
        cursor.execute(
            "INSERT INTO intake_customer (external_id, email, name, account_id, language)"
            " SELECT 'synthetic-' || n, 'customer-' || n || '@synthetic.invalid', 'Synthetic customer ' || n, account.id, ''"
            " FROM generate_series(1, %s) AS n LEFT JOIN intake_account AS account"
            " ON n %% 2 = 0 AND account.external_id = 'synthetic-' || (1 + n %% %s)"
            " ON CONFLICT DO NOTHING",
            [wanted, accounts],
        )
        cursor.execute(
            "SELECT id FROM intake_customer WHERE external_id LIKE 'synthetic-%%' ORDER BY id LIMIT %s", [wanted]
        )
        return [key for (key,) in cursor.fetchall()]


def _actions(team: Team, days: int, at: datetime) -> list[ShippedAction]:
    """A year's worth of improvements, begun one after the other; those of the last two steps have shipped."""
    actions = Action.objects.filter(team=team, title__startswith="Synthetic action")
    if not actions.exists():
        steps, kinds = list(Action.Step), list(Action.Kind)
        Action.objects.bulk_create(
            Action(
                title=f"Synthetic action {number} of {team.name}",
                problem="What customers told us most about.",
                team=team,
                stage=team.stage,
                kind=kinds[number % len(kinds)],
                step=steps[number % len(steps)],
                exception="Synthetic." if steps[number % len(steps)] == "act" else "",
                created_at=(began := at - timedelta(days=days * (1 - number / (ACTIONS_A_TEAM + 1)))),
                shipped_at=began + (at - began) / 3 if steps[number % len(steps)] in ("check", "act") else None,
            )
            for number in range(ACTIONS_A_TEAM)
        )
    shipped = actions.filter(shipped_at__isnull=False).order_by("shipped_at", "pk")
    return [ShippedAction(action.pk, action.shipped_at) for action in shipped if action.shipped_at]
