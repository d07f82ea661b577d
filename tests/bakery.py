"""A small world to learn in: a bakery, its topics and teams, what its customers say, and somebody who puts things right."""

import random
from collections.abc import Sequence
from datetime import UTC, datetime

from django.db.models.functions import Now

from feedback_portal.accounts.permissions import Actor
from intake.models import Arrival
from tests.makers import make_item, make_team
from triage import decisions, pipeline
from triage.models import Tagging, Ticket, Topic, Training
from triage.tasks import train_pending

AT = datetime(2026, 3, 4, 12, tzinfo=UTC)

# What customers call things is not what the bakery calls them, so the taxonomy alone helps little.
WORLD = {
    "crust": (
        "Crust",
        "baking",
        ["burnt", "black bottom", "charred", "singed", "hard as stone", "too dark", "scorched"],
    ),
    "arrival": (
        "Arrival",
        "driving",
        ["came late", "van never came", "waited all morning", "nobody rang", "wrong door"],
    ),
    "price": ("Price", "till", ["costs too much", "charged twice", "coins back", "receipt wrong", "dearer than"]),
}
OPENINGS = ("Hello,", "Again", "Honestly,", "My order", "This week", "On Monday", "You should know:", "Sorry to say,")
OBJECTS = ("the rye loaf", "the rolls", "the seeded one", "our baguettes", "the cake", "six buns", "the sourdough")
ENDINGS = (
    "please look into it.",
    "that was not nice.",
    "my children noticed.",
    "as before.",
    "thank you.",
    "why is that?",
)
PRAISE = ("lovely shop window", "the radio was playing", "my aunt says hello", "nice weather at yours")


chance = random.Random(7)


def saying(slug: str) -> str:
    """One complaint, or praise that belongs to no topic; nothing but what it is about tells which."""
    about = WORLD[slug][2] if slug else PRAISE
    said = (OPENINGS, OBJECTS, about, ENDINGS)
    return " ".join(map(chance.choice, said))


def open_bakery() -> None:
    for slug, (name, team, _) in WORLD.items():
        Topic.objects.create(slug=slug, name=name, team=make_team(team))


def arrive(slugs: Sequence[str]) -> list[int]:
    items = [make_item(saying(slug)) for slug in slugs]
    Arrival.objects.bulk_create(Arrival(item=item) for item in items)
    pipeline.understand_pending(at=AT)
    return [item.pk for item in items]


def correct(items: Sequence[int], slugs: Sequence[str], by: Actor) -> int:
    """What a person does who goes through these items: put right what is not; how many that were."""
    tickets = dict(Ticket.objects.filter(item__in=items).values_list("item", "pk"))
    said = 0
    for item, slug in zip(items, slugs, strict=True):
        standing = list(Tagging.objects.standing().filter(item=item).values_list("topic__slug", flat=True))
        if standing != ([slug] if slug else []) or not standing:
            decisions.decide(Ticket(pk=tickets[item]).reference, "tags", by=by, at=AT, topics=[slug] if slug else [])
            said += 1
    return said


def mixed(number: int) -> list[str]:
    kinds = [*WORLD, ""]
    return [kinds[place % 4] for place in range(number)]


def found_right(items: Sequence[int], slugs: Sequence[str]) -> int:
    """How many items' surest tag is the right one, or none where none fits."""
    best: dict[int, str] = {}
    for item, topic in (
        Tagging.objects.standing().filter(item__in=items).order_by("confidence").values_list("item", "topic__slug")
    ):
        best[item] = topic
    return sum(best.get(item, "") == slug for item, slug in zip(items, slugs, strict=True))


def train() -> dict[str, int]:
    """The real stage, when its time has come."""
    Training.objects.waiting().update(next_attempt_at=Now())
    return train_pending()  # type: ignore[no-any-return]
