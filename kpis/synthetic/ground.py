"""What synthetic feedback stands on: channels, teams, people, topics, customers; found again when they are there already."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random

from django.db import connection

from feedback_portal.accounts.models import Membership, Stage, Team, User
from intake.models import Channel
from kpis.synthetic.vocabulary import Vocabulary
from triage.models import Topic

TEAMS, PEOPLE_A_TEAM, TOPICS = 8, 3, 24
ITEMS_A_CUSTOMER, CUSTOMERS_AN_ACCOUNT, MOST_CUSTOMERS = 8, 10, 200_000
# Words of a topic are neither so frequent that every text has them nor so rare that none has.
_TELLING_FROM, _TELLING_TO = 300, 3_000
_HOURS = (4, 8, 8, 24, 24, 24, 48, 72)
_STAGES = ("Design", "Sourcing", "Production", "Quality", "Logistics", "Sales and marketing", "Service")
_SCALES = {"synthetic-form": "csat5", "synthetic-reviews": "stars5", "synthetic-survey": "nps", "synthetic-desk": ""}


@dataclass(frozen=True)
class TopicPlace:
    pk: int
    slug: str
    team: int
    keywords: Sequence[str]


@dataclass(frozen=True)
class Ground:
    """Keys of everything an item refers to."""

    channels: Mapping[int, str]  # the rating scale of each
    hours: Mapping[int, int]  # each team's target for the first decision
    people: Mapping[int, Sequence[int]]  # of each team
    topics: Sequence[TopicPlace]
    customers: Sequence[int]


def lay(seed: str, *, items: int, words: Vocabulary) -> Ground:
    chance = Random(f"ground {seed}")
    teams = _teams()
    return Ground(
        channels={
            Channel.objects.get_or_create(
                slug=slug, defaults={"name": slug.replace("-", " ").capitalize(), "kind": "rest_api"}
            )[0].pk: scale
            for slug, scale in _SCALES.items()
        },
        hours={team.pk: team.triage_hours for team in teams},
        people={team.pk: _people(team) for team in teams},
        topics=[_topic(number, teams[number % TEAMS], words, chance) for number in range(1, TOPICS + 1)],
        customers=_customers(min(MOST_CUSTOMERS, items // ITEMS_A_CUSTOMER + 1), chance),
    )


def _teams() -> list[Team]:
    teams = []
    for number, hours in enumerate(_HOURS, start=1):
        name = _STAGES[number % len(_STAGES)]
        slug = name.lower().replace(" ", "-")
        stage, _ = Stage.objects.get_or_create(slug=slug, defaults={"name": name, "position": 10 * number})
        found = {"name": f"Synthetic team {number}", "stage": stage, "triage_hours": hours}
        teams.append(Team.objects.get_or_create(slug=f"synthetic-{number}", defaults=found)[0])
    if not Team.objects.filter(is_catch_all=True).exists():
        # New items need an owner as well, whatever else is set up later.
        Team.objects.filter(pk=teams[0].pk).update(is_catch_all=True)
    return teams


def _people(team: Team) -> list[int]:
    found = []
    for number in range(1, PEOPLE_A_TEAM + 1):
        # Nobody signs in as them: they have no password and their address ends in a domain that cannot exist.
        person, is_new = User.objects.get_or_create(
            email=f"{team.slug}-{number}@synthetic.invalid", defaults={"name": f"Person {number} of {team.name}"}
        )
        if is_new:
            person.set_unusable_password()
            person.save(update_fields=["password"])
        Membership.objects.get_or_create(user=person, team=team)
        found.append(person.pk)
    return found


def _topic(number: int, team: Team, words: Vocabulary, chance: Random) -> TopicPlace:
    keywords = [words.words[chance.randrange(_TELLING_FROM, _TELLING_TO)] for _ in range(4)]
    found, _ = Topic.objects.get_or_create(
        slug=f"synthetic-{number}",
        defaults={"name": keywords[0].capitalize(), "keywords": keywords[1:], "team": team},
    )
    return TopicPlace(found.pk, found.slug, team.pk, [found.name.lower(), *found.keywords])


def _customers(wanted: int, chance: Random) -> list[int]:
    """Customers with heavy-tailed accounts, as values a year are; those of an earlier run are used again."""
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
