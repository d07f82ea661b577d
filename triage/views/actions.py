"""The pages of improvements: the wheel of Plan-Do-Check-Act as four columns, and one action with what it answers."""

from typing import Any

from django.contrib.auth.decorators import login_required
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from feedback_portal.accounts.models import Stage, Team, User
from feedback_portal.accounts.permissions import Actor, actor_of
from feedback_portal.refusals import BadInput, NotFound
from triage import decisions
from triage.improving import improvements
from triage.improving.improvements import STEPS, Step
from triage.lifecycle import DONE
from triage.models import Action
from triage.views.answering import done, errors_of

MOST_IN_COLUMN = 50
MOST_TICKETS = 200
_ABOUT = {
    Step.PLAN: "What should change, and what it should move",
    Step.DO: "Being changed now",
    Step.CHECK: "Shipped; does it help?",
    Step.ACT: "Kept, and made the standard",
}
_FIELDS = ("title", "problem", "kind", "team", "stage", "owner", "due_at")


@login_required
@require_http_methods(["GET", "POST"])
def actions(request: HttpRequest) -> HttpResponse:
    actor = actor_of(request)
    values, errors = {"kind": Action.Kind.CORRECTIVE} | {name: request.POST.get(name, "") for name in request.POST}, {}
    if request.method == "POST":
        given = {name: value for name, value in values.items() if name in request.POST}
        try:
            action = improvements.create(
                by=actor, at=timezone.now(), **({"title": "", "team": "", "kind": Action.Kind.CORRECTIVE} | given)
            )
        except BadInput as refused:
            errors = errors_of(refused)
        else:
            return done(
                request, f"{action.reference} is planned. Link what it answers.", "triage:action", action.reference
            )
    standing = Action.objects.visible_to(actor).filter(withdrawn_at=None).select_related("team", "owner")
    context = {
        "columns": [
            {"step": step.value, "name": step.label, "about": _ABOUT[step], "cards": _cards(standing.filter(step=step))}
            for step in Step
        ],
        "withdrawn": _cards(
            Action.objects.visible_to(actor).exclude(withdrawn_at=None).select_related("team", "owner")
        ),
        "values": values,
        "errors": errors,
    } | _choices(actor)
    return render(request, "triage/actions.html", context, status=422 if errors else 200)


@login_required
@require_GET
def action(request: HttpRequest, reference: str) -> HttpResponse:
    actor = actor_of(request)
    return _page(request, improvements.find(reference, by=actor), actor)


@login_required
@require_POST
def act(request: HttpRequest, reference: str, verb: str) -> HttpResponse:
    """One verb of an action; its page again, with what was wrong or what was done."""
    if verb not in _VERBS:
        raise NotFound("There is no such form. Go back to the action.")
    actor = actor_of(request)
    found = improvements.find(reference, by=actor)
    try:
        sentence = _VERBS[verb](found, request, actor)
    except BadInput as refused:
        return _page(request, found, actor, values=request.POST.dict(), errors=errors_of(refused), status=422)
    return done(request, sentence, "triage:action", found.reference)


def _page(
    request: HttpRequest,
    found: Action,
    actor: Actor,
    *,
    values: dict[str, Any] | None = None,
    errors: dict[str, list[str]] | None = None,
    status: int = 200,
) -> HttpResponse:
    tickets = improvements.linked(found).visible_to(actor).select_related("item", "team").defer("item__text")
    reached = list(Step).index(Step(found.step))
    stored = {name: getattr(found, name) for name in ("title", "problem", "kind", "public_text")}
    stored |= {
        "team": found.team.slug,
        "stage": found.stage.slug if found.stage else "",
        "owner": found.owner.email if found.owner else "",
        "due_at": found.due_at.isoformat() if found.due_at else "",
    }
    context = {
        "action": found,
        "steps": [
            {"name": step.label, "state": "done" if place < reached else "now" if place == reached else "todo"}
            for place, step in enumerate(Step)
        ],
        "moves": [{"step": step, "label": Step(step).label} for step in sorted(STEPS[found.step])],
        "can_ship": found.step in {Step.PLAN, Step.DO} and found.withdrawn_at is None,
        "tickets": list(tickets[:MOST_TICKETS]),
        "open_count": tickets.exclude(status__in=sorted(DONE))[:MOST_TICKETS].count(),
        "values": stored | (values or {}),
        "errors": errors or {},
    } | _choices(actor)
    return render(request, "triage/action.html", context, status=status)


def _cards(found: QuerySet[Action]) -> list[Action]:
    standing = Count("links", filter=Q(links__unlinked_at=None))
    return list(found.annotate(linked_count=standing).order_by("due_at", "-id")[:MOST_IN_COLUMN])


def _choices(actor: Actor) -> dict[str, Any]:
    teams = Team.objects.filter(is_active=True).order_by("name")
    return {
        "teams": teams if actor.sees_everything else teams.filter(pk__in=actor.team_ids),
        "stages": Stage.objects.order_by("position", "slug"),
        "people": User.objects.filter(is_active=True).order_by("name"),
        "kinds": Action.Kind.choices,
    }


def _version(request: HttpRequest) -> int | None:
    given = request.POST.get("version", "")
    return int(given) if given.isdecimal() and len(given) < 10 else None


def _change(found: Action, request: HttpRequest, actor: Actor) -> str:
    details = {name: request.POST[name] for name in _FIELDS if name in request.POST}
    improvements.change(found, by=actor, version=_version(request), **details)
    return "Saved."


def _move(found: Action, request: HttpRequest, actor: Actor) -> str:
    moved = improvements.move(
        found, by=actor, at=timezone.now(), step=request.POST.get("step", ""), version=_version(request)
    )
    return f"{found.reference} is in the step {Step(moved.step).label}."


def _ship(found: Action, request: HttpRequest, actor: Actor) -> str:
    improvements.ship(
        found,
        by=actor,
        at=timezone.now(),
        public_text=request.POST.get("public_text", ""),
        resolve="resolve" in request.POST,
        version=_version(request),
    )
    return f"{found.reference} has shipped. Check in a while whether it helps."


def _withdraw(found: Action, request: HttpRequest, actor: Actor) -> str:
    improvements.withdraw(found, by=actor, at=timezone.now(), version=_version(request))
    return f"{found.reference} is withdrawn."


def _link(found: Action, request: HttpRequest, actor: Actor) -> str:
    ticket = decisions.find(request.POST.get("ticket", ""), by=actor)
    improvements.link(found, ticket, by=actor, at=timezone.now())
    return f"{ticket.reference} is linked."


def _unlink(found: Action, request: HttpRequest, actor: Actor) -> str:
    ticket = decisions.find(request.POST.get("ticket", ""), by=actor)
    improvements.unlink(found, ticket, by=actor, at=timezone.now())
    return f"{ticket.reference} is no longer linked."


_VERBS = {
    "change": _change,
    "move": _move,
    "ship": _ship,
    "withdraw": _withdraw,
    "link": _link,
    "unlink": _unlink,
}
