"""The pages of themes: what is said again and again and how it goes, and one theme with what people may do with it."""

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode

from django.contrib.auth.decorators import login_required
from django.db.models import Case, IntegerField, Value, When
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext, ngettext
from django.views.decorators.http import require_GET, require_POST

from feedback_portal.accounts.models import Team
from feedback_portal.accounts.permissions import Actor, actor_of
from feedback_portal.api import after, cursor_of
from feedback_portal.languages import within
from feedback_portal.marking import marked
from feedback_portal.refusals import BadInput, NotFound
from triage import themes
from triage.alike import clusters
from triage.alike.growth import NEEDS_DAYS
from triage.models import Action, Theme, ThemeDecision, ThemeEvent, Ticket, Topic
from triage.models.themes import ThemeQuerySet
from triage.models.tickets import TicketQuerySet
from triage.themes import life
from triage.understanding import embeddings
from triage.views.answering import done, errors_of
from triage.views.deeds import shown

PAGE = 50
_WEEKS = 12
_MOST_EVENTS = 60
_ORDER = ("-size", "-id")
_LOOKS = {"growing": "is-bad", "regressed": "is-bad", "new": "is-vio", "resting": "", "steady": ""}
_DEEDS = {
    "found": marked("%(who)s found it with %(items)s items"),
    "renamed": marked("%(who)s renamed it from “%(from)s” to “%(name)s”"),
    "described": marked("%(who)s described it"),
    "split": marked("%(who)s split %(items)s items off into %(into)s"),
    "joined": marked("%(who)s joined %(items)s items: %(from)s%(into)s"),
    "frozen": marked("%(who)s froze it"),
    "thawed": marked("%(who)s let it move again"),
    "rested": marked("%(who)s put it to rest until it grows"),
    "woke": marked("%(who)s woke it"),
    "moved": marked("%(who)s moved %(items)s items to %(to)s"),
    "linked": marked("%(who)s linked it to %(action)s"),
    "unlinked": marked("%(who)s unlinked it from %(action)s"),
    "grew": marked("%(who)s said that it grows: %(count)s in %(window)s days where %(expected)s were to be expected"),
    "regressed": marked(
        "%(who)s said that it is back after a fix: %(count)s in %(window)s days where %(expected)s were to be expected"
    ),
    "decided": marked("%(who)s decided: %(choice)s"),
    "posted": marked("%(who)s put it on the board as “%(title)s”"),
    "unposted": marked("%(who)s took it off the board"),
    "retired": marked("%(who)s gave it up, for nobody is in it any more"),
}
_DONE = {
    "rename": marked("It has its new name."),
    "describe": marked("Saved."),
    "freeze": marked("It is frozen: the portal moves nobody in it."),
    "thaw": marked("The portal may move its members again."),
    "rest": marked("It is quiet until it grows."),
    "wake": marked("It is back among the others."),
    "split": marked("Split. This is the new theme."),
    "join": marked("Joined. This is the theme they are in now."),
    "move": marked("Moved."),
    "link": marked("Linked."),
    "unlink": marked("No longer linked."),
}


@login_required
@require_GET
def all_themes(request: HttpRequest) -> HttpResponse:
    actor, at = actor_of(request), timezone.now()
    asked = {name: request.GET.get(name, "")[:80] for name in ("state", "topic", "team")}
    living = Theme.objects.living().visible_to(actor).filter(size__gt=0).select_related("topic__team__stage")
    matching = _filtered(living, asked)
    rows = list(after(matching, order=_ORDER, cursor=request.GET.get("cursor", "")).order_by(*_ORDER)[: PAGE + 1])
    more = len(rows) > PAGE
    rows = rows[:PAGE]
    is_first = not request.GET.get("cursor")
    urgent = list(_urgent(matching)[:PAGE]) if is_first else []
    shown = {theme.pk: theme for theme in (*urgent, *rows)}
    trends = life.daily(list(shown), days=7 * _WEEKS, at=at)
    teams = Team.objects.filter(is_active=True).order_by("name")
    context = {
        "urgent": [_row(theme, trends) for theme in urgent],
        "themes": [_row(theme, trends) for theme in rows if theme.topic_id],
        "voices": [_row(theme, trends) for theme in rows if not theme.topic_id and theme.size >= clusters.FOUNDS],
        "asked": asked,
        "is_filtered": any(asked.values()),
        "has_any": bool(rows) or living.exists(),
        "has_baseline": life.has_baseline(at=at),
        "needs_days": NEEDS_DAYS,
        "encoder": embeddings.state(),
        "states": Theme.State.choices,
        "topics": Topic.objects.filter(is_active=True).order_by("name"),
        "teams": teams if actor.sees_everything else teams.filter(pk__in=actor.team_ids),
        "next_url": f"?{urlencode({**asked, 'cursor': cursor_of(rows[-1], order=_ORDER)})}" if more else "",
        "founds": clusters.FOUNDS,
    }
    return render(request, "triage/themes.html", context)


@login_required
@require_GET
def theme(request: HttpRequest, reference: str) -> HttpResponse:
    actor = actor_of(request)
    found = themes.find(reference, by=actor)
    if found.reference != reference:
        return redirect("triage:theme", found.reference)
    return _page(request, found, actor)


@login_required
@require_POST
def act(request: HttpRequest, reference: str, verb: str) -> HttpResponse:
    """One verb of a theme; its page again, with what was wrong or what was done."""
    if verb not in themes.VERBS:
        raise NotFound(gettext("There is no such form. Go back to the theme."))
    actor = actor_of(request)
    found = themes.find(reference, by=actor)
    try:
        after_it = themes.decide(
            reference, verb, by=actor, at=timezone.now(), version=_version(request), **_arguments(verb, request)
        )
    except BadInput as refused:
        return _page(request, found, actor, values=request.POST.dict(), errors=errors_of(refused), status=422)
    return done(request, gettext(_DONE[verb]), "triage:theme", after_it.reference)


def _page(
    request: HttpRequest,
    found: Theme,
    actor: Actor,
    *,
    values: dict[str, Any] | None = None,
    errors: dict[str, list[str]] | None = None,
    status: int = 200,
) -> HttpResponse:
    at = timezone.now()
    tickets, more = _members(found, actor, request.GET.get("cursor", ""))
    hidden = found.size - _visible(found, actor).values("item").distinct().count() if not actor.sees_everything else 0
    others = Theme.objects.living().visible_to(actor).filter(topic=found.topic, size__gt=0).exclude(pk=found.pk)
    links = found.action_links.filter(unlinked_at=None, action__in=Action.objects.visible_to(actor))
    teams = Team.objects.filter(is_active=True).order_by("name")
    context = {
        "theme": found,
        "said_by": said_by(found),
        "row": _row(found, life.daily([found.pk], days=7 * _WEEKS, at=at)),
        "members": tickets,
        "hidden": max(0, hidden),
        "next_url": f"?{urlencode({'cursor': more})}" if more else "",
        "events": [
            _event(event) for event in found.events.select_related("person", "key").order_by("-id")[:_MOST_EVENTS]
        ],
        "others": others.order_by("-size", "-id")[:100],
        "decision": found.decisions.select_related("person", "key").order_by("-pk").first(),
        "links": [link.action for link in links.select_related("action__team").order_by("pk")],
        "actions": Action.objects.visible_to(actor).under_way().order_by("-id")[:50],
        "teams": teams if actor.sees_everything else teams.filter(pk__in=actor.team_ids),
        "has_baseline": life.has_baseline(at=at),
        "needs_days": NEEDS_DAYS,
        "values": {"name": found.name, "description": found.description} | (values or {}),
        "errors": errors or {},
    }
    return render(request, "triage/theme.html", context, status=status)


def _members(found: Theme, actor: Actor, cursor: str) -> tuple[list[Ticket], str]:
    """One ticket an item, newest first, of those the reader may see, and the cursor of the next page."""
    rows = _visible(found, actor).select_related("item__theme_member", "team").defer("item__text", "explanation")
    if cursor.isdecimal() and len(cursor) < 19:
        rows = rows.filter(item__lt=int(cursor))
    page = list(rows.order_by("-item", "pk").distinct("item")[: PAGE + 1])
    return page[:PAGE], str(page[PAGE - 1].item_id) if len(page) > PAGE else ""


def _visible(found: Theme, actor: Actor) -> TicketQuerySet:
    return Ticket.objects.visible_to(actor).filter(item__theme_member__theme=found)


def _filtered(living: ThemeQuerySet, asked: dict[str, str]) -> ThemeQuerySet:
    if asked["state"] in Theme.State.values:
        living = living.filter(state=asked["state"])
    if asked["topic"] == "none":
        living = living.filter(topic=None)
    elif asked["topic"]:
        living = living.filter(topic__slug=asked["topic"])
    return living.filter(topic__team__slug=asked["team"]) if asked["team"] else living


def _urgent(living: ThemeQuerySet) -> ThemeQuerySet:
    first = Case(When(state="regressed", then=Value(0)), default=Value(1), output_field=IntegerField())
    return living.filter(state__in=["growing", "regressed"]).order_by(first, "-grew_at", "-id")


def _row(found: Theme, trends: dict[int, list[int]]) -> dict[str, Any]:
    weeks = [sum(trends[found.pk][start : start + 7]) for start in range(0, 7 * _WEEKS, 7)]
    team = found.topic.team if found.topic else None
    return {
        "theme": found,
        "url": reverse("triage:theme", args=[found.reference]),
        "look": _LOOKS.get(found.state, ""),
        "trend": trend(weeks),
        "trend_says": gettext("%(last)s in the last 7 days, %(before)s in the 7 days before")
        % {"last": weeks[-1], "before": weeks[-2]},
        "team": str(team or ""),
        "stage": str(team.stage or "") if team else "",
        "growth": found.growth if found.state in {"growing", "regressed"} else None,
    }


def trend(weeks: Sequence[int]) -> SafeString:
    """A bar a week, oldest first; it repeats what stands beside it in words, so it is hidden from screen readers."""
    width, height, highest = 8, 26, max(*weeks, 1)
    bars = [
        (place * width, height - max(1, round(height * count / highest)), max(1, round(height * count / highest)))
        for place, count in enumerate(weeks)
    ]
    drawn = format_html_join("", '<rect class="chart-bar" x="{}" y="{}" width="6" height="{}"/>', bars)
    return format_html(
        '<svg class="chart-spark" viewBox="0 0 {} {}" width="{}" height="{}" aria-hidden="true">{}</svg>',
        width * len(weeks), height, width * len(weeks), height, drawn,
    )  # fmt: skip


def _event(event: ThemeEvent) -> dict[str, Any]:
    told = {name: "" if value is None else str(value) for name, value in event.data.items()}
    if event.type == ThemeEvent.Type.MOVED and not event.data.get("to"):
        told["to"] = gettext("no theme")
    if told.get("choice") in ThemeDecision.Choice.values:
        told["choice"] = within(ThemeDecision.Choice(told["choice"]).label)
    who = str(event.person or event.key or gettext("The portal"))
    deed = gettext(_DEEDS.get(event.type, marked("%(who)s did something to it")))
    return {"sentence": shown(deed, who, told), "at": event.occurred_at}


def said_by(found: Theme) -> str:
    """How many items it has, and by how many known customers."""
    items = ngettext("%(count)s item", "%(count)s items", found.size) % {"count": found.size}
    customers = ngettext("%(count)s known customer", "%(count)s known customers", found.customers)
    return gettext("%(items)s by %(customers)s") % {"items": items, "customers": customers % {"count": found.customers}}


def _arguments(verb: str, request: HttpRequest) -> dict[str, Any]:
    given = request.POST
    names = {
        "rename": ("name",), "describe": ("description",), "split": ("name",), "join": ("into",), "move": ("to",),
        "link": ("action", "title", "team"), "unlink": ("action",),
    }.get(verb, ())  # fmt: skip
    arguments: dict[str, Any] = {name: given.get(name, "") for name in names}
    return arguments | ({"items": given.getlist("item")} if verb in {"split", "move"} else {})


def _version(request: HttpRequest) -> int | None:
    given = request.POST.get("version", "")
    return int(given) if given.isdecimal() and len(given) < 10 else None
