"""What an item names, and how many others name the same: orders, batches, versions and whatever else the patterns find."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from django.db import connection

from feedback_portal.accounts.permissions import Actor
from triage.models import Mention

MOST: Final = 12
MOST_COUNTED: Final = 100
SEARCHED: Final = frozenset({"batch", "order", "serial", "site", "product", "version"})
"""Kinds that a search can ask for by their name."""


@dataclass(frozen=True)
class Named:
    """One thing an item names; `others` are further items of the reader's that name it too, counted up to `MOST_COUNTED`."""

    kind: str
    value: str
    others: int

    @property
    def query(self) -> str:
        """The search that finds all of them; empty where none can."""
        bare = self.value.replace('"', " ")
        return f'{self.kind}:"{bare}"' if self.kind in SEARCHED else ""


def named_by(item: int, *, by: Actor) -> Sequence[Named]:
    """What it names, surest first; two statements, however much that is and however often it is named."""
    mentions = list(Mention.objects.filter(item=item).order_by("-confidence", "kind", "pk")[:MOST])
    if not mentions:
        return []
    teams = None if by.sees_everything else sorted(by.team_ids)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT asked.id, (SELECT count(*) FROM ("
            " SELECT 1 FROM triage_mention AS other WHERE other.kind = asked.kind AND other.key = asked.key"
            " AND other.item_id <> asked.item_id AND EXISTS (SELECT FROM triage_ticket AS ticket"
            "  WHERE ticket.item_id = other.item_id AND (%(teams)s::bigint[] IS NULL OR ticket.team_id = ANY(%(teams)s)))"
            " LIMIT %(most)s) AS counted) FROM triage_mention AS asked WHERE asked.id = ANY(%(asked)s)",
            {"teams": teams, "most": MOST_COUNTED, "asked": [mention.pk for mention in mentions]},
        )
        counts = dict(cursor.fetchall())
    return [Named(mention.kind, mention.value, counts[mention.pk]) for mention in mentions]
