"""The workbench: the queue and one item, and the decisions taken in it. One view answers pages and fragments."""

from datetime import datetime, timedelta
from functools import partial
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db.models import Case, When
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse, reverse_lazy
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext, gettext_lazy, ngettext
from django.views.decorators.http import require_GET, require_POST
from django.views.decorators.vary import vary_on_headers

from feedback_portal.accounts.models import Team
from feedback_portal.accounts.permissions import Actor, actor_of
from feedback_portal.languages import in_a_line, within
from feedback_portal.marking import marked
from feedback_portal.refusals import BadInput, NotFound
from triage import claiming, decisions, duplicates
from triage.deciding.snoozing import MORE
from triage.forms import arguments_of
from triage.improving import improvements
from triage.journal import StaleTicket
from triage.lifecycle import OPEN, Resolution, Status
from triage.live import presence
from triage.models import Action, ActionLink, Awaited, Tagging, ThemeMember, Ticket, Topic
from triage.track_record import not_worth_proposing
from triage.views import live, whom
from triage.views.item import SEVERITIES
from triage.views.item import item as item_context
from triage.views.once import once
from triage.views.queue import Asked, due, queue, row, to_decide
from triage.views.rail import MOST_COUNTED
from triage.views.runs import at_work

FORMS = (
    "route",
    "split",
    "assign",
    "resolve",
    "snooze",
    "tag",
    "merge",
    "link_action",
    "note",
    "reply",
    "ask",
    "severity",
)
_MOST_ACTIONS = 20
_SENTENCES = {
    "accept": marked("Kept %(reference)s with %(team)s"),
    "dismiss": marked("Turned the proposal on %(reference)s down"),
    "route": marked("Routed %(reference)s to %(team)s"),
    "split": marked("Split %(reference)s: another team has a ticket for it too"),
    "claim": marked("%(reference)s is yours"),
    "release": marked("Let %(reference)s go"),
    "assign": marked("Assigned %(reference)s"),
    "tag": marked("Tagged %(reference)s"),
    "severity": marked("Set the severity of %(reference)s"),
    "note": marked("Noted on %(reference)s"),
    "reply": marked("Your words on %(reference)s go out in 10 seconds"),
    "ask": marked("Your question on %(reference)s goes out in 10 seconds"),
    "snooze": marked("Put %(reference)s off"),
    "wake": marked("Took %(reference)s up again"),
    "resolve": marked("Done with %(reference)s"),
    "reopen": marked("Opened %(reference)s again"),
    "close": marked("Put %(reference)s away"),
    "merge": marked("Merged %(reference)s"),
    "link_action": marked("Linked %(reference)s"),
    "not_same": marked("%(reference)s is not the same; this is not suggested again"),
    "unmerge": marked("%(reference)s is a voice of its own again"),
}
_CHANGED = marked("Changed %(reference)s")
_WAYS_BACK = (("undo", reverse_lazy("triage:undo_last")), ("redo", reverse_lazy("triage:redo_last")))
_OUTCOMES = {
    Resolution.SHIPPED: gettext_lazy("Something was changed because of it."),
    Resolution.ANSWERED: gettext_lazy("The customer has an answer, or none was needed."),
    Resolution.DECLINED: gettext_lazy("It stays as it is; the customer reads why."),
    Resolution.NOT_REPRODUCIBLE: gettext_lazy("The fault could not be found."),
    Resolution.SPAM: gettext_lazy("No customer speaks here; it is not counted."),
}


@login_required
@require_GET
@vary_on_headers("HX-Request", "HX-Target")
def workbench(request: HttpRequest) -> HttpResponse:
    actor, at, asked = actor_of(request), timezone.now(), Asked.of(request.GET)
    target = request.headers.get("HX-Target", "") if request.headers.get("HX-Request") else ""
    chosen = request.GET.get("item", "")
    if target == "live":
        news = live.news(asked, actor, at=at, item=chosen, seen=request.GET.get("seen", ""))
        return render(request, "triage/_live.html", news)
    context: dict[str, Any] = {"query": asked.q, "item": None}
    if target != "item":
        context |= listed(asked, actor, at=at, current=chosen)
    if target == "more":
        return render(request, "triage/_more.html", context)
    if chosen or target != "queue":
        context["item"] = _open(chosen, context.get("queue"), actor, at=at)
    if target == "queue":
        return render(request, "triage/_queue.html", context)
    if target == "item":
        return render(request, "triage/_item.html", context)
    events = live.events_address(request)
    page = render(
        request,
        "triage/workbench.html",
        context | {"toast": _toast(request), "events_url": events, "ways_back": _WAYS_BACK},
    )
    page.events_source = events.removesuffix(live.EVENTS) if events.startswith("http") else ""  # type: ignore[attr-defined]
    return page


@login_required
@require_GET
def ticket(request: HttpRequest, reference: str) -> HttpResponse:
    """A ticket's short address leads to it in the workbench, if it exists for the reader."""
    found = decisions.find(reference, by=actor_of(request))
    return redirect(f"{reverse('triage:workbench')}?{urlencode({'item': found.reference})}")


@login_required
@require_GET
@vary_on_headers("HX-Request")
def verb(request: HttpRequest, reference: str, verb: str) -> HttpResponse:
    """The form of a verb: a page, or with htmx the sheet of the workbench."""
    if verb not in FORMS:
        raise NotFound(gettext("There is no form for this. Go back to the item."))
    actor = actor_of(request)
    found = decisions.find(reference, by=actor)
    return _form(request, found, verb, actor, values={}, errors={})


@login_required
@require_POST
@vary_on_headers("HX-Request")
def decide(request: HttpRequest, reference: str) -> HttpResponse:
    actor, at = actor_of(request), timezone.now()
    verb = request.POST.get("verb", "")
    try:
        call = arguments_of(verb, request.POST, zone=timezone.get_current_timezone())
        # An action is not the ticket's, so linking one is a verb of improvements.
        do = improvements.answer if call.verb == "link_action" else partial(decisions.decide, verb=call.verb)
        decided = once(
            request, lambda: do(reference, by=actor, at=at, version=call.version, **call.arguments), of=Ticket
        )
    except StaleTicket as refused:
        return _conflict(request, refused, actor, at=at)
    except BadInput as refused:
        if verb not in FORMS:
            raise
        errors = {error.path: [error.message] for error in refused.errors} or {"__all__": [refused.message]}
        found = decisions.find(reference, by=actor)
        return _form(request, found, verb, actor, values=request.POST.dict(), errors=errors, status=422)
    sentence = gettext(_SENTENCES.get(verb, _CHANGED)) % {"reference": decided.reference, "team": decided.team}
    return _decided(request, decided, sentence, actor, at=at)


@login_required
@require_POST
def undo(request: HttpRequest, reference: str) -> HttpResponse:
    """Take back the last decision on it, or the one that made the version `act`."""
    act = request.POST.get("act", "")
    wanted = {"act": int(act)} if act.isdecimal() and len(act) < 10 else {}
    return take_back(request, reference, "undo", marked("Took back what you did with %(reference)s"), **wanted)


@login_required
@require_POST
def redo(request: HttpRequest, reference: str) -> HttpResponse:
    return take_back(request, reference, "redo", marked("Did it again with %(reference)s"))


def take_back(request: HttpRequest, reference: str, verb: str, sentence: str, **arguments: Any) -> HttpResponse:
    """Answers where it was asked: in the workbench, or on the page that `back` names."""
    actor, at = actor_of(request), timezone.now()
    back = once(request, lambda: decisions.decide(reference, verb, by=actor, at=at, **arguments), of=Ticket)
    told = gettext(sentence) % {"reference": back.reference}
    if request.POST.get("back") == "acts":
        messages.success(request, told)
        return redirect("triage:acts")
    return _decided(request, back, told, actor, at=at, is_undo=verb == "undo")


@login_required
@require_POST
def claim_next(request: HttpRequest) -> HttpResponse:
    """The most urgent ticket that nobody has or looks at becomes this person's, and is opened."""
    actor, at = actor_of(request), timezone.now()
    mine = once(request, lambda: claiming.claim_next(by=actor, at=at), of=Ticket)
    return _decided(request, mine, gettext("%(reference)s is yours") % {"reference": mine.reference}, actor, at=at)


@login_required
@require_POST
def say_presence(request: HttpRequest) -> HttpResponse:
    """A page says where its reader is and what they do there; `left` is where they were before. Answered by who else is about."""
    actor, at = actor_of(request), timezone.now()
    if left := request.POST.get("left", ""):
        presence.leave(left, by=actor)
    if reference := request.POST.get("item", ""):
        presence.say(decisions.find(reference, by=actor), request.POST.get("doing", ""), by=actor, at=at)
    return render(request, "triage/_present.html", live.present(actor, at=at, item=reference))


def _conflict(request: HttpRequest, refused: StaleTicket, actor: Actor, *, at: datetime) -> HttpResponse:
    """Somebody was quicker: what they did, and the same decision once more for whoever still wants it."""
    reference = refused.extra["current"]["reference"]
    again = [
        (name, value)
        for name, values in request.POST.lists()
        if name not in {"version", "csrfmiddlewaretoken"}
        for value in values
    ]
    context = {
        "sentence": live.last_deed(reference, actor, at=at) or refused.message,
        "reference": reference,
        "version": refused.extra["current"]["version"],
        "again": again,
        "drafts": request.POST.get("verb") in {"reply", "ask", "note"},
        "keep_url": Asked.of(request.POST).url(item=reference),
    }
    return render(request, "triage/conflict.html", context, status=409)


def _decided(
    request: HttpRequest, decided: Ticket, sentence: str, actor: Actor, *, at: datetime, is_undo: bool = False
) -> HttpResponse:
    """The answer to a decision: back to the list, or with htmx the row, the next item and a toast that can undo."""
    asked = Asked.of(request.POST)
    following = request.POST.get("next", "")
    is_here = actor.may_see(decided.team_id)
    is_undecided = decided.triaged_at is None and decided.status != Status.SNOOZED
    # A page that goes on by itself says where; with nothing left it says that too, and gets the list.
    goes_on = bool(request.headers.get("HX-Request")) and "next" in request.POST
    stays = is_here and (is_undo or is_undecided or not (following or goes_on))
    if not request.headers.get("HX-Request"):
        messages.success(
            request, sentence, extra_tags="" if is_undo else reverse("triage:undo", args=[decided.reference])
        )
        return redirect(asked.url(item=decided.reference) if stays else asked.url())
    shown = decided.reference if stays else following
    context: dict[str, Any] = {
        "query": asked.q,
        "decided": decided.reference,
        "row": None,
        "toast": {
            "sentence": sentence,
            "undo_url": "" if is_undo else reverse("triage:undo", args=[decided.reference]),
        },
    }
    if is_undo or not shown:
        context |= listed(asked, actor, at=at, current=shown)
    else:
        context["total_label"] = to_decide(Ticket.objects.visible_to(actor).undecided()[:MOST_COUNTED].count())
        if stays:
            fresh = Ticket.objects.select_related("team", "assignee", "item__analysis").get(pk=decided.pk)
            poor = not_worth_proposing(at=at)
            context["row"] = row(fresh, asked, poor, at=at, current=shown, is_decided=fresh.triaged_at is not None)
    context["item"] = _open(shown, context.get("queue"), actor, at=at)
    answer = render(request, "triage/_decided.html", context)
    # What this person decides next about the same ticket was decided on the state that this leaves.
    answer["Ticket-Version"] = str(decided.version)
    return answer


def answer_with_list(
    request: HttpRequest, sentence: str, actor: Actor, *, at: datetime, undo_url: str, runs: list[dict[str, Any]]
) -> HttpResponse:
    """The answer to what changed more than one row: the list anew, its first item, and the toast."""
    asked = Asked.of(request.POST)
    context = listed(asked, actor, at=at) | {"runs": runs, "toast": {"sentence": sentence, "undo_url": undo_url}}
    context["item"] = _open("", context["queue"], actor, at=at)
    return render(request, "triage/_decided.html", context)


def _toast(request: HttpRequest) -> dict[str, str] | None:
    """What the decision before this page did, and where it is taken back: without the script the toast comes with the page."""
    last = list(messages.get_messages(request))
    return {"sentence": str(last[-1]), "undo_url": last[-1].extra_tags or ""} if last else None


def listed(asked: Asked, actor: Actor, *, at: datetime, current: str = "") -> dict[str, Any]:
    """The context of `_queue.html`, of whatever the address asks for."""
    found = queue(asked, actor, at=at, current=current)
    live.show_present(found, actor, at=at)
    return {
        "queue": found,
        "query": asked.q,
        "bulk_url": reverse("triage:bulk"),
        "runs": at_work(actor, at=at),
        "teams": Team.objects.filter(is_active=True).order_by("name").values("slug", "name"),
        "topics": Topic.objects.filter(is_active=True).order_by("name").values("slug", "name"),
        "times": _times(timezone.localtime(at)),
        "outcomes": [(value, Resolution(value).label) for value in _OUTCOMES],
    }


def _open(reference: str, listed: dict[str, Any] | None, actor: Actor, *, at: datetime) -> dict[str, Any] | None:
    """The item to show: the one asked for, else the first of the list. One that is gone for this reader is simply not shown,
    unless it was asked for by name."""
    if reference:
        return _item(decisions.find(reference, by=actor), actor, at=at, is_chosen=True)
    rows = [each for group in (listed or {}).get("groups", []) for each in group["rows"]]
    if not rows:
        return None
    rows[0]["is_current"] = True
    return _item(decisions.find(rows[0]["reference"], by=actor), actor, at=at, is_chosen=False)


def _item(found: Ticket, actor: Actor, *, at: datetime, is_chosen: bool) -> dict[str, Any]:
    return item_context(found, actor, at=at, is_chosen=is_chosen) | {"here": live.at_item(found, actor, at=at)}


def _form(
    request: HttpRequest,
    found: Ticket,
    verb: str,
    actor: Actor,
    *,
    values: dict[str, Any],
    errors: dict[str, list[str]],
    status: int = 200,
) -> HttpResponse:
    context = {
        "item": {"reference": found.reference, "title": found.item.headline, "version": found.version},
        "query": request.POST.get("q", request.GET.get("q", "")),
        "verb": verb,
        "values": values,
        "errors": errors,
    } | _choices(verb, found, actor)
    page = "note" if verb in {"note", "reply", "ask"} else verb
    return render(request, f"triage/{page}.html", context, status=status)


def _choices(verb: str, found: Ticket, actor: Actor) -> dict[str, Any]:
    if verb in {"route", "split", "assign"}:
        return whom.choices(verb, found, at=timezone.now())
    if verb == "resolve":
        return {
            "resolutions": [
                {"value": value, "label": Resolution(value).label, "detail": detail}
                for value, detail in _OUTCOMES.items()
            ]
        }
    if verb == "snooze":
        at = timezone.now()
        due_at = found.due_at if due(found, at=at) else None
        times = _times(timezone.localtime(at), due_at)
        return {"times": times, "due": due(found, at=at), "awaitable": _awaitable(found), "more": MORE}
    if verb == "tag":
        standing = {row.topic_id: row.source for row in Tagging.objects.standing().filter(item=found.item_id)}
        return {
            "topics": [
                {
                    "slug": topic.slug,
                    "name": topic.name,
                    "parent": str(topic.parent or ""),
                    "is_on": topic.pk in standing,
                    "is_suggested": standing.get(topic.pk) == "model",
                }
                for topic in Topic.objects.filter(is_active=True).select_related("parent").order_by("name")
            ]
        }
    if verb == "severity":
        return {"severities": [(number, label, number == found.severity) for number, label in SEVERITIES.items()]}
    if verb == "link_action":
        return {"candidates": _likely_actions(found, actor)}
    if verb == "merge":
        return {"candidates": _likely_originals(found, actor), "own": found.item.excerpt}
    return {}


def _times(now: datetime, due_at: datetime | None = None) -> list[dict[str, str]]:
    """The usual times to put something off until; those after it is due say so."""
    morning = now.replace(hour=8, minute=0, second=0, microsecond=0)
    later = now + timedelta(hours=3)
    usual = [
        (gettext("Later today") if later.date() == now.date() else gettext("In 3 hours"), later),
        (gettext("Tomorrow"), morning + timedelta(days=1)),
        (gettext("Monday"), morning + timedelta(days=(7 - now.weekday()) % 7 or 7)),
        (gettext("In two weeks"), morning + timedelta(days=14)),
    ]
    return [
        {
            "value": at.isoformat(),
            "label": label,
            "detail": in_a_line(
                gettext("%(weekday)s %(moment)s")
                % {"weekday": date_format(at, "D"), "moment": date_format(at, "MOMENT")},
                gettext("after it is due") if due_at and at > due_at else "",
            ),
        }
        for label, at in usual
    ]


def _awaitable(found: Ticket) -> list[dict[str, Any]]:
    """What this ticket can wait for, besides a time."""
    member = ThemeMember.objects.filter(item=found.item_id, theme__isnull=False).select_related("theme").first()
    links = ActionLink.objects.filter(
        ticket=found, unlinked_at=None, action__shipped_at=None, action__withdrawn_at=None
    )
    link = links.select_related("action").order_by("-pk").first()
    known: list[dict[str, Any]] = [{"value": Awaited.Kind.REPLY, "label": Awaited.Kind.REPLY.label, "detail": ""}]
    if member is not None and member.theme is not None:
        so_far = ngettext("%(count)s so far", "%(count)s so far", member.theme.size) % {"count": member.theme.size}
        detail = in_a_line(member.theme.name, so_far)
        known.append({"value": Awaited.Kind.REPORTS, "label": gettext("more say the same"), "detail": detail})
    if link is not None:
        detail = f"{link.action.reference} {link.action.title}"
        known.append({"value": Awaited.Kind.SHIP, "label": Awaited.Kind.SHIP.label, "detail": detail})
    return known


def _likely_actions(found: Ticket, actor: Actor) -> list[Action]:
    """Actions under way that it is not linked to yet, those of its own team first."""
    known = Action.objects.visible_to(actor).under_way().exclude(links__ticket=found, links__unlinked_at=None)
    mine = Case(When(team=found.team_id, then=0), default=1)
    return list(known.select_related("team").order_by(mine, "-id")[:_MOST_ACTIONS])


def _likely_originals(found: Ticket, actor: Actor) -> list[dict[str, Any]]:
    """What it is probably a duplicate of, likeliest first, and open tickets of the same customer: side by side with its own words."""
    likely = duplicates.likely(found, by=actor, most=2 * duplicates.MOST_SHOWN)
    ranked = [(each.ticket, gettext("alike %(score)s") % {"score": each.percent}, each.reason) for each in likely]
    item = found.item
    if item.customer_id:
        known = {found.item_id, *(each.ticket.item_id for each in likely)}
        same = Ticket.objects.visible_to(actor).filter(status__in=sorted(OPEN), item__customer=item.customer_id)
        others = same.exclude(item__in=known).exclude(
            item__in=duplicates.told_apart(item.pk, same.values_list("item", flat=True)[:50])
        )
        ranked += [
            (other, gettext("same customer"), "")
            for other in others.select_related("item", "team").order_by("-received_at")[:3]
        ]
    return [
        {
            "reference": other.reference,
            "title": other.item.headline,
            "excerpt": other.item.excerpt,
            "score": score,
            "detail": in_a_line(other.team, within(other.get_status_display())),
            "reason": reason,
        }
        for other, score, reason in ranked
    ]
