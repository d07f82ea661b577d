"""Which items probably say the same, as people see it: suggestions with a reason, and pairs that were told apart for good."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Q
from django.utils.translation import gettext, ngettext

from feedback_portal.accounts.permissions import Actor
from feedback_portal.languages import in_a_line
from feedback_portal.marking import marked
from triage.models import LikelyDuplicate, NotTheSame, Ticket

MOST_SHOWN = 3
_SAME = {
    "customer": marked("customer"),
    "product": marked("product"),
    "batch": marked("batch"),
    "order": marked("order"),
    "serial": marked("serial number"),
    "site": marked("site"),
    "version": marked("version"),
}


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
    parts = []
    if row.kind == "copy":
        parts.append(gettext("Identical text") if reason.get("identical") else gettext("Nearly the same words"))
    if reason.get("words"):
        said = _listed([gettext("“%(word)s”") % {"word": word} for word in reason["words"]])
        parts.append(gettext("both say %(words)s") % {"words": said})
    if reason.get("same"):
        parts.append(
            gettext("same %(kinds)s") % {"kinds": _listed([gettext(_SAME.get(name, name)) for name in reason["same"]])}
        )
    if "apart" in reason:
        parts.append(gettext("%(time)s apart") % {"time": _apart(int(reason["apart"]))})
    told = in_a_line(*parts)
    return gettext("%(sentence)s.") % {"sentence": f"{told[:1].upper()}{told[1:]}"}


def _listed(words: Sequence[str]) -> str:
    if len(words) < 2:
        return "".join(words)
    return gettext("%(words)s and %(last)s") % {"words": in_a_line(*words[:-1]), "last": words[-1]}


def _apart(seconds: int) -> str:
    days, hours, minutes = (round(seconds / length) for length in (86_400, 3_600, 60))
    if seconds >= 86_400:
        return ngettext("%(count)s day", "%(count)s days", days) % {"count": days}
    if seconds >= 3_600:
        return ngettext("%(count)s hour", "%(count)s hours", hours) % {"count": hours}
    if seconds >= 60:
        return ngettext("%(count)s minute", "%(count)s minutes", minutes) % {"count": minutes}
    return gettext("less than a minute")
