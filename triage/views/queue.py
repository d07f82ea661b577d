"""The queue as the workbench shows it: which tickets, in which order, in groups by urgency."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from types import MappingProxyType
from typing import Any
from urllib.parse import urlencode

from django.db.models import Prefetch, QuerySet
from django.urls import reverse
from django.utils.formats import date_format
from django.utils.translation import gettext, gettext_lazy, ngettext

from feedback_portal.accounts.permissions import Actor
from feedback_portal.api import after, cursor_of
from triage.desk.saved import orders
from triage.finding import counts_by_tab, in_tab, matching, mentions_status, search
from triage.finding.counting import counts as counts_of
from triage.finding.search import SearchError
from triage.lifecycle import Status
from triage.models import SavedView, Tagging, Ticket
from triage.models.tickets import QUEUE_ORDER
from triage.proposals import placing
from triage.routing import OUT_OF_THE_WAY, PROPOSED_BY
from triage.track_record import Key, key_of, not_worth_proposing
from triage.views.rail import MOST_COUNTED, capped

PAGE = 50
ARRIVAL_ORDER = ("-received_at", "-id")
SOON = timedelta(hours=2)
TABS = (
    ("mine", gettext_lazy("For me")),
    ("unclaimed", gettext_lazy("Unclaimed")),
    ("all", gettext_lazy("Everything")),
)
_MOST_TAGS = 3
_MOST_TRIED = 6
_ORDER_WORDS = {
    QUEUE_ORDER: gettext_lazy("Most urgent first"),
    ARRIVAL_ORDER: gettext_lazy("Newest first"),
    ("received_at", "id"): gettext_lazy("Oldest first"),
}
_EMPTY: Mapping[str, Any] = {
    "excerpt": "",
    "suggestion": None,
    "tags": (),
    "language": "",
    "assignee": None,
    "due": None,
}


@dataclass(frozen=True)
class Asked:
    """What the address asks for: `q`, `tab`, `after` (a cursor), `since` (the newest ticket the reader has) and `view` (a saved one,
    whose order and columns hold)."""

    q: str
    tab: str
    cursor: str
    since: int
    view: int = 0

    @classmethod
    def of(cls, query: Any) -> "Asked":
        tab, since = query.get("tab", ""), query.get("since", "")
        return cls(
            query.get("q", "").strip(),
            tab if tab in dict(TABS) else "all",
            query.get("after", ""),
            _number(since),
            _number(query.get("view", "")),
        )

    def url(self, **changes: str) -> str:
        asked = {"q": self.q, "tab": "" if self.tab == "all" else self.tab, "view": str(self.view or "")} | changes
        told = {name: value for name, value in asked.items() if value}
        return reverse("triage:workbench") + (f"?{urlencode(told)}" if told else "")


def queue(asked: Asked, actor: Actor, *, at: datetime, current: str = "") -> dict[str, Any]:
    """The context of `_queue.html`. A search that cannot be understood shows its problem and no rows."""
    problems: list[str] = []
    meant = ""
    view = SavedView.objects.visible_to(actor).filter(pk=asked.view).first() if asked.view else None
    query: search.Query = search.EVERYTHING
    try:
        query = search.parse(asked.q)
        found = matching(query, actor, at=at)
    except SearchError as error:
        problems, found, meant = [error.message], Ticket.objects.none(), error.suggestion
    order = orders(view, QUEUE_ORDER if not mentions_status(query) else ARRIVAL_ORDER)
    rows, next_cursor = _page(in_tab(found, asked.tab, actor), order, asked.cursor)
    counts = counts_by_tab(found, actor, most=MOST_COUNTED)
    # Of all tickets, for the page shows the most urgent and not the newest.
    newest = Ticket.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
    return {
        "title": view.name if view else gettext("Triage"),
        "order": _ORDER_WORDS.get(order, ""),
        "view": view.pk if view else "",
        "save_url": _save_url(asked, view),
        "total_label": to_decide(counts[asked.tab]) if order == QUEUE_ORDER else _found(counts[asked.tab]),
        "matching": capped(counts[asked.tab]) if rows else "",
        "tokens": [{"text": chip.text, "remove_url": asked.url(q=chip.without)} for chip in search.chips(query)]
        if asked.q and not problems
        else [],
        "problems": problems,
        "tabs": [
            {
                "name": name,
                "label": label,
                "count": capped(counts[name]),
                "url": asked.url(tab="" if name == "all" else name),
                "current": name == asked.tab,
            }
            for name, label in TABS
        ],
        "groups": groups(rows, asked, at=at, current=current, by_urgency=order == QUEUE_ORDER, hidden=_hidden(view)),
        "next_url": asked.url(after=next_cursor) if next_cursor else "",
        "empty_kind": "filter" if asked.q else "done" if _has_any(actor) else "first",
        "empty_note": _empty_note(asked, counts),
        "empty_links": _empty_links(asked, counts, problems, meant)
        + (_one_change(query, asked, actor, at=at) if not rows else []),
        "new": None,
        "poll_url": asked.url(since=str(newest)),
    }


def new_since(asked: Asked, actor: Actor, *, at: datetime) -> dict[str, Any]:
    """The context of `_new_bar.html`: how many tickets came in since, without moving the list."""
    query = search.parse(asked.q)
    found = in_tab(matching(query, actor, at=at), asked.tab, actor).filter(pk__gt=asked.since)
    # Among what was searched by its state the newest are no news.
    count = 0 if mentions_status(query) else found[:MOST_COUNTED].count()
    label = ngettext("%(count)s new since you started", "%(count)s new since you started", count)
    return {
        "new": {"label": label % {"count": capped(count)}, "url": asked.url()} if count else None,
        "poll_url": asked.url(since=str(asked.since)),
    }


def groups(
    tickets: Sequence[Ticket],
    asked: Asked,
    *,
    at: datetime,
    current: str,
    by_urgency: bool,
    hidden: Mapping[str, Any] = MappingProxyType({}),
) -> list[dict[str, Any]]:
    def label(ticket: Ticket) -> str:
        return _urgency(ticket, at) if by_urgency else date_format(ticket.received_at, "F Y")

    found, poor = [], not_worth_proposing(at=at)
    for name, members in groupby(tickets, key=label):
        rows = [row(ticket, asked, poor, at=at, current=current) | dict(hidden) for ticket in members]
        found.append({"label": name, "count": len(rows), "rows": rows})
    return found


def row(
    ticket: Ticket, asked: Asked, poor: frozenset[Key], *, at: datetime, current: str = "", is_decided: bool = False
) -> dict[str, Any]:
    """The context of `_ticket_row.html`; what is `poor` is not shown as a proposal."""
    item, analysis = ticket.item, getattr(ticket.item, "analysis", None)
    language = analysis.language if analysis else ""
    return {
        "reference": ticket.reference,
        "url": asked.url(item=ticket.reference),
        "title": item.headline,
        "excerpt": item.excerpt if item.title else "",
        "sentiment": analysis.sentiment if analysis else "none",
        "age_label": age(ticket.received_at, at),
        "received_at": ticket.received_at,
        "is_unread": ticket.triaged_at is None and ticket.assignee_id is None,
        "is_current": ticket.reference == current,
        "is_decided": is_decided,
        "is_growing": ticket.explanation.get("woke") == "growing" and ticket.status in {Status.NEW, Status.OPEN},
        "tags": [tagging.topic.name for tagging in item.taggings.all()][:_MOST_TAGS],
        "language": language if language not in {"", "und", "en"} else "",
        "suggestion": _chip(ticket, poor),
        "due": due(ticket, at=at),
        "assignee": _face(ticket),
        "here": [],
    }


def due(ticket: Ticket, *, at: datetime) -> dict[str, str] | None:
    """When the first decision is due, in words; None once somebody decided."""
    if ticket.triaged_at is not None or not ticket.is_open:
        return None
    left = ticket.due_at - at
    if left <= timedelta():
        return {"label": gettext("%(age)s late") % {"age": age(ticket.due_at, at)}, "level": "breach"}
    label = age(at, ticket.due_at)
    return {"label": label, "level": "soon" if left <= SOON else "later"}


def age(earlier: datetime, later: datetime) -> str:
    """The time between in one unit, short: 5 min, 3 h, 2 d, 4 mo."""
    seconds = max(0.0, (later - earlier).total_seconds())
    if seconds >= 86400 * 60:
        return gettext("%(count)s mo") % {"count": int(seconds // (86400 * 30))}
    if seconds >= 86400:
        return gettext("%(count)s d") % {"count": int(seconds // 86400)}
    if seconds >= 3600:
        return gettext("%(count)s h") % {"count": int(seconds // 3600)}
    return gettext("%(count)s min") % {"count": int(seconds // 60)}


def to_decide(count: int) -> str:
    return ngettext("%(count)s to decide", "%(count)s to decide", count) % {"count": capped(count)}


def _found(count: int) -> str:
    return ngettext("%(count)s found", "%(count)s found", count) % {"count": capped(count)}


def _page(found: QuerySet[Ticket], order: tuple[str, ...], cursor: str) -> tuple[list[Ticket], str]:
    """One page by key, with all that rows show in a fixed number of statements; never a body."""
    shown = (
        after(found, order=order, cursor=cursor)
        .select_related("team", "assignee", "item__analysis")
        .only(
            "id", "status", "rank", "due_at", "received_at", "severity", "triaged_at", "explanation", "version",
            "team__name", "team__slug", "assignee__name", "assignee__email", "item__title", "item__excerpt", "item__rating_value",
            "item__rating_scale", "item__analysis__sentiment", "item__analysis__language",
        )
        .prefetch_related(Prefetch("item__taggings", Tagging.objects.standing().select_related("topic").order_by("-confidence", "pk")))
        .order_by(*order)[: PAGE + 1]
    )  # fmt: skip
    rows = list(shown)
    more = len(rows) > PAGE
    return rows[:PAGE], cursor_of(rows[PAGE - 1], order=order) if more else ""


def _urgency(ticket: Ticket, at: datetime) -> str:
    if ticket.rank == 0:
        return gettext("Safety first")
    if ticket.rank == 1:
        return gettext("Urgent")
    if ticket.rank == OUT_OF_THE_WAY:
        return gettext("Probably spam")
    if ticket.rank == 3:
        return gettext("No hurry")
    left = ticket.due_at - at
    if left <= timedelta():
        return gettext("Late")
    if left <= SOON:
        return gettext("Due within 2 hours")
    return gettext("Due within a day") if left <= timedelta(days=1) else gettext("Later")


def _chip(ticket: Ticket, poor: frozenset[Key]) -> dict[str, str] | None:
    if ticket.severity == 1:
        return {"label": gettext("Safety, %(team)s") % {"team": ticket.team.name}, "kind": "safety"}
    if ticket.triaged_at is not None:
        return {"label": ticket.team.name, "kind": "set"}
    proposed = placing(ticket) if ticket.explanation.get("by") in PROPOSED_BY else None
    is_shown = proposed is not None and key_of(proposed) not in poor
    return {"label": ticket.team.name, "kind": "proposed"} if is_shown else None


def _face(ticket: Ticket) -> dict[str, Any] | None:
    person = ticket.assignee
    return {"initials": person.initials, "name": str(person), "colour": person.colour} if person else None


def _has_any(actor: Actor) -> bool:
    return Ticket.objects.visible_to(actor).exists()


def _empty_note(asked: Asked, counts: dict[str, int]) -> str:
    if asked.q or asked.tab == "all" or not counts["all"]:
        return "" if asked.q else gettext("New feedback appears here by itself.")
    waiting = ngettext("%(count)s more waits in Everything.", "%(count)s more wait in Everything.", counts["all"])
    return waiting % {"count": capped(counts["all"])}


def _one_change(query: search.Query, asked: Asked, actor: Actor, *, at: datetime) -> list[dict[str, Any]]:
    """Where nothing is found: the one filter to leave out that leads to most, if any does."""
    chips = search.chips(query)[:_MOST_TRIED]
    if not asked.q or not chips:
        return []
    ways = [
        (gettext("Leave out %(filter)s") % {"filter": chip.text}, asked.url(q=chip.without), chip.without, asked.tab)
        for chip in chips
        if chip.without
    ]
    if asked.tab != "all":
        ways.insert(0, (gettext("Look in Everything"), asked.url(tab=""), asked.q, "all"))
    found = counts_of([in_tab(matching(search.parse(text), actor, at=at), tab, actor) for _, _, text, tab in ways])
    best = max(range(len(ways)), key=lambda place: found[place] or 0, default=None)
    if best is None or not found[best]:
        return []
    label, url, *_ = ways[best]
    return [
        {
            "label": gettext("%(way)s: %(found)s") % {"way": label, "found": _found(found[best] or 0)},
            "url": url,
            "is_primary": False,
        }
    ]


def _save_url(asked: Asked, view: SavedView | None) -> str:
    if view is not None and view.query == asked.q:
        return reverse("triage:saved_view", args=[view.pk])
    told = {"query": asked.q, "tab": "" if asked.tab == "all" else asked.tab}
    return f"{reverse('triage:saved_views')}?{urlencode(told)}" if asked.q else ""


def _hidden(view: SavedView | None) -> dict[str, Any]:
    """What this view leaves out of its rows."""
    if view is None or not view.columns:
        return {}
    return {name: empty for name, empty in _EMPTY.items() if name not in view.columns}


def _number(text: str) -> int:
    return int(text) if text.isdecimal() and len(text) < 19 else 0


def _empty_links(asked: Asked, counts: dict[str, int], problems: list[str], meant: str) -> list[dict[str, Any]]:
    if meant:
        return [
            {"label": gettext("Search for %(meant)s") % {"meant": meant}, "url": asked.url(q=meant), "is_primary": True}
        ]
    if asked.q or problems:
        return [{"label": gettext("Clear the search"), "url": asked.url(q=""), "is_primary": True}]
    if asked.tab != "all" and counts["all"]:
        return [{"label": gettext("See everything"), "url": asked.url(tab=""), "is_primary": True}]
    return [{"label": gettext("See the open form"), "url": "/", "is_primary": False}]
