"""Which items probably say the same, as people see it: suggestions with a reason, and pairs that were told apart for good."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Q

from feedback_portal.accounts.permissions import Actor
from triage.models import LikelyDuplicate, NotTheSame, Ticket

MOST_SHOWN = 3


@dataclass(frozen=True)
class Suggestion:
    """Another ticket that probably says the same, the score from 0 to 1, and why in words that can be checked."""

    ticket: Ticket
    kind: str
    score: float
    reason: str

    @property
    def percent(self) -> str:
        return f"{self.score:.2f}"


def likely(ticket: Ticket, *, by: Actor, most: int = MOST_SHOWN) -> list[Suggestion]:
    """What it is probably a duplicate of, and what is probably one of it, likeliest first: of what `by` may see, without pairs that
    were told apart and without what is merged with it already."""
    item = ticket.item_id
    rows = LikelyDuplicate.objects.filter(Q(item=item) | Q(other=item)).order_by("-score", "-pk")[: 8 * most]
    scored = {row.other_id if row.item_id == item else row.item_id: row for row in rows}
    for other in told_apart(item, scored):
        del scored[other]
    if not scored:
        return []
    tickets: dict[int, Ticket] = {}
    visible = Ticket.objects.visible_to(by).filter(item__in=scored).exclude(pk=ticket.pk).order_by("pk")
    leads = ticket.duplicate_of_id or ticket.pk
    for found in visible.select_related("item", "team").defer("item__text", "explanation"):
        if leads not in (found.pk, found.duplicate_of_id):
            tickets.setdefault(found.item_id, found)
    return [
        Suggestion(tickets[other], row.kind, row.score, sentence(row))
        for other, row in scored.items()
        if other in tickets
    ][:most]


def told_apart(item: int, others: Iterable[int]) -> set[int]:
    """Which of `others` a person said are not the same as this item."""
    wanted = list(others)
    rows = NotTheSame.objects.filter(Q(first=item, second__in=wanted) | Q(second=item, first__in=wanted))
    return {second if first == item else first for first, second in rows.values_list("first", "second")}


def tell_apart(item: int, other: int, *, because: NotTheSame.Because, by: Actor, at: datetime) -> None:
    """They are not the same: no machine suggests or merges the two again."""
    first, second = sorted((item, other))
    if first != second:
        values = {"because": because, "person": by.user, "key": by.key, "said_at": at}
        NotTheSame.objects.update_or_create(first_id=first, second_id=second, defaults=values)


def take_back(item: int, other: int, *, at: datetime) -> None:
    """Undo of telling the two apart, which was said at that moment."""
    first, second = sorted((item, other))
    NotTheSame.objects.filter(first=first, second=second, said_at=at).delete()


def sentence(row: LikelyDuplicate) -> str:
    """Why the two are alike, in words a person can check."""
    reason = row.reason
    parts = ["Identical text" if reason.get("identical") else "Nearly the same words"] if row.kind == "copy" else []
    if reason.get("words"):
        parts.append("both say " + _listed([f"“{word}”" for word in reason["words"]]))
    if reason.get("same"):
        parts.append("same " + _listed(reason["same"]))
    if "apart" in reason:
        parts.append(f"{_apart(int(reason['apart']))} apart")
    told = ", ".join(parts)
    return f"{told[:1].upper()}{told[1:]}."


def _listed(words: Sequence[str]) -> str:
    return " and ".join([", ".join(words[:-1]), words[-1]]) if len(words) > 1 else "".join(words)


def _apart(seconds: int) -> str:
    for length, name in ((86_400, "day"), (3_600, "hour"), (60, "minute")):
        if seconds >= length:
            count = round(seconds / length)
            return f"{count} {name}{'s' if count != 1 else ''}"
    return "less than a minute"
