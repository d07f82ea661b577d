"""The pages of improvements: the wheel of Plan-Do-Check-Act as a board or a list, one action with all that belongs to it, and its
record for print."""

from typing import Any

from django.contrib.auth.decorators import login_required
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext, gettext_lazy, ngettext
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from feedback_portal.accounts.models import Stage, Team, User
from feedback_portal.accounts.permissions import Actor, actor_of
from feedback_portal.languages import in_a_line, said
from feedback_portal.marking import marked
from feedback_portal.refusals import BadInput, NotFound
from intake import attachments
from triage import themes
from triage.connecting import issues
from triage.finding.search import SearchError
from triage.improving import action_search, evidence, improvements, plans
from triage.improving.improvements import BONES, STEPS, Step
from triage.lifecycle import DONE
from triage.models import Action, ActionEvent, Expectation, Theme, Topic
from triage.themes import answering
from triage.views.action_verbs import FIELDS, VERBS, typed
from triage.views.answering import done, errors_of
from triage.views.deeds import shown

MOST_IN_COLUMN = 50
MOST_LISTED = 200
MOST_TICKETS = 200
MOST_EVENTS = 100
_ABOUT = {
    Step.PLAN: gettext_lazy("What should change, and what it should move"),
    Step.DO: gettext_lazy("Being changed now"),
    Step.CHECK: gettext_lazy("Shipped; does it help?"),
    Step.ACT: gettext_lazy("Kept, and made the standard"),
}
_FIELD_WORDS = {
    "title": marked("title"),
    "problem": marked("problem"),
    "kind": marked("kind"),
    "team": marked("team"),
    "stage": marked("stage"),
    "owner": marked("owner"),
    "contributors": marked("contributors"),
    "due_at": marked("due at"),
    "effective_from": marked("effective from"),
    "check_at": marked("check at"),
    "plan": marked("plan"),
    "causes": marked("causes"),
    "whys": marked("whys"),
    "root_cause": marked("root cause"),
    "needs_approval": marked("needs approval"),
}
_STEP_WORDS = {
    "added": marked("added"),
    "done": marked("done"),
    "undone": marked("undone"),
    "removed": marked("removed"),
}
_BONE_WORDS = {
    "people": marked("People"),
    "method": marked("Method"),
    "machine": marked("Machine"),
    "material": marked("Material"),
    "measurement": marked("Measurement"),
    "environment": marked("Environment"),
}
_FILTERS = ("team", "stage", "owner", "kind")
_PREFILLED = ("title", "problem", "kind", "team", "stage", "theme", "topic", "ticket", "product")


@login_required
@require_http_methods(["GET", "POST"])
def actions(request: HttpRequest) -> HttpResponse:
    actor = actor_of(request)
    if request.method == "POST":
        return _plan(request, actor)
    asked = {name: request.GET.get(name, "")[:254] for name in ("q", "view", *_FILTERS)}
    standing, error, suggestion = _matching(Action.objects.visible_to(actor), asked, actor)
    standing = standing.select_related("team", "owner", "stage")
    as_list = asked["view"] == "list"
    context = {
        "asked": asked,
        "is_filtered": any(asked[name] for name in ("q", *_FILTERS)),
        "error": error,
        "suggestion": suggestion,
        "rows": _cards(standing, most=MOST_LISTED) if as_list else None,
        "columns": []
        if as_list
        else [
            {
                "step": step.value,
                "name": step.label,
                "about": _ABOUT[step],
                "cards": _cards(standing.filter(step=step, withdrawn_at=None)),
            }
            for step in Step
        ],
        "withdrawn": [] if as_list else _cards(standing.exclude(withdrawn_at=None)),
        "suggested": answering.suggested(by=actor),
        "today": _today(),
    } | _choices(actor)
    return render(request, "triage/actions.html", context, status=422 if error else 200)


@login_required
@require_GET
def new_action(request: HttpRequest) -> HttpResponse:
    """The form of a new plan, filled in as far as the address says where the need was seen."""
    return _form(request, actor_of(request), {name: request.GET.get(name, "")[:300] for name in _PREFILLED})


@login_required
@require_GET
def action(request: HttpRequest, reference: str) -> HttpResponse:
    actor = actor_of(request)
    return _page(request, improvements.find(reference, by=actor), actor)


@login_required
@require_GET
def record(request: HttpRequest, reference: str) -> HttpResponse:
    """Everything about one action on paper: what ISO 9001, 10.2.2 asks to be kept as evidence."""
    actor = actor_of(request)
    found = improvements.find(reference, by=actor)
    context = _inside(found, actor) | {
        "history": [_event(each) for each in _events(found).order_by("id")],
        "printed_at": timezone.now(),
    }
    return render(request, "triage/action_record.html", context)


@login_required
@require_POST
def act(request: HttpRequest, reference: str, verb: str) -> HttpResponse:
    """One verb of an action; its page again, with what was wrong or what was done."""
    if verb not in VERBS:
        raise NotFound(gettext("There is no such form. Go back to the action."))
    actor = actor_of(request)
    found = improvements.find(reference, by=actor)
    try:
        sentence = VERBS[verb](found, request, actor)
    except BadInput as refused:
        return _page(request, found, actor, values=typed(request), errors=errors_of(refused), status=422)
    return done(request, sentence, "triage:action", found.reference)


def _plan(request: HttpRequest, actor: Actor) -> HttpResponse:
    given = typed(request)
    details = {name: value for name, value in given.items() if name in {*FIELDS, *_PREFILLED}}
    details = {"title": "", "team": "", "kind": Action.Kind.CORRECTIVE} | details
    try:
        made = answering.begin(by=actor, at=timezone.now(), **details)
    except BadInput as refused:
        return _form(request, actor, given, errors=errors_of(refused), status=422)
    return done(
        request,
        gettext("%(reference)s is planned. Say what it should move.") % {"reference": made.reference},
        "triage:action",
        made.reference,
    )


def _form(
    request: HttpRequest,
    actor: Actor,
    values: dict[str, Any],
    *,
    errors: dict[str, list[str]] | None = None,
    status: int = 200,
) -> HttpResponse:
    theme = _theme_of(values.get("theme", ""), actor)
    if theme is not None and request.method == "GET":
        team = theme.topic.team if theme.topic else None
        values["title"] = values.get("title") or f"Answer “{theme.name}”"[:160]
        values["team"] = values.get("team") or (team.slug if team else "")
        values["stage"] = values.get("stage") or (team.stage.slug if team and team.stage else "")
    near = Action.objects.visible_to(actor).under_way().select_related("team")
    if theme is not None:
        near = near.filter(Q(expectation__topic=theme.topic) | Q(theme_links__theme__topic=theme.topic)).distinct()
    context = {
        "values": {"kind": Action.Kind.CORRECTIVE} | {name: value for name, value in values.items() if value},
        "theme": theme,
        "near": near.order_by("-id")[:8] if theme is not None and theme.topic_id else [],
        "errors": errors or {},
    } | _choices(actor)
    return render(request, "triage/action_new.html", context, status=status)


def _theme_of(reference: str, actor: Actor) -> Theme | None:
    try:
        return themes.find(reference, by=actor) if reference else None
    except NotFound:
        return None


def _matching(rows: QuerySet[Action], asked: dict[str, str], actor: Actor) -> tuple[QuerySet[Action], str, str]:
    """The actions asked for, and what is wrong with the search if something is."""
    columns = {"team": "team__slug", "stage": "stage__slug", "owner": "owner__email", "kind": "kind"}
    rows = rows.filter(**{columns[name]: asked[name] for name in _FILTERS if asked[name]})
    try:
        return rows.filter(action_search.matching(asked["q"], user=actor.user, today=_today())), "", ""
    except SearchError as wrong:
        return rows.none(), wrong.message, wrong.suggestion


def _page(
    request: HttpRequest,
    found: Action,
    actor: Actor,
    *,
    values: dict[str, Any] | None = None,
    errors: dict[str, list[str]] | None = None,
    status: int = 200,
) -> HttpResponse:
    expectation = Expectation.objects.filter(action=found).select_related("theme", "topic", "control").first()
    stored = _stored(found, expectation)
    context = (
        _inside(found, actor)
        | {
            "moves": [{"step": step, "label": Step(step).label} for step in sorted(STEPS[found.step])],
            "can_ship": found.step in {Step.PLAN, Step.DO} and found.withdrawn_at is None,
            "can_close": found.step == Step.CHECK and found.withdrawn_at is None,
            "can_reopen": found.step in {Step.CHECK, Step.ACT} and found.withdrawn_at is None,
            "waits_for_approval": found.needs_approval and found.approved_at is None and found.withdrawn_at is None,
            "history": [_event(each) for each in _events(found).order_by("-id")[:MOST_EVENTS]],
            "values": stored | (values or {}),
            "errors": errors or {},
            "accept": attachments.ACCEPT,
            "most_files": attachments.MOST_FILES,
            "largest": attachments.LONGEST_FILE,
            "themes": Theme.objects.living().visible_to(actor).filter(size__gt=0).order_by("-size", "-id")[:200],
            "topics": Topic.objects.filter(is_active=True).order_by("name"),
            "measures": Expectation.Measure.choices,
            "directions": Expectation.Direction.choices,
            "shapes": Expectation.Shape.choices,
            "exposures": plans.EXPOSURES.items(),
        }
        | _choices(actor)
    )
    return render(request, "triage/action.html", context, status=status)


def _inside(found: Action, actor: Actor) -> dict[str, Any]:
    """What the page and the record both show."""
    tickets = improvements.linked(found).visible_to(actor).select_related("item", "team").defer("item__text")
    reached = list(Step).index(Step(found.step))
    links = found.theme_links.filter(unlinked_at=None, theme__in=Theme.objects.visible_to(actor))
    return {
        "action": found,
        "contributors": found.contributors.order_by("name"),
        "expectation": Expectation.objects.filter(action=found).select_related("theme", "topic", "control").first(),
        "steps": [
            {"name": step.label, "state": "done" if place < reached else "now" if place == reached else "todo"}
            for place, step in enumerate(Step)
        ],
        "todo": found.steps.select_related("owner").order_by("done_at", "due_at", "id"),
        "bones": [
            (gettext(_BONE_WORDS.get(bone, bone.capitalize())) if bone else "", hanging)
            for bone in (*BONES, "")
            if (hanging := [each["text"] for each in found.causes if each.get("bone", "") == bone])
        ],
        "tickets": list(tickets[:MOST_TICKETS]),
        "open_count": tickets.exclude(status__in=sorted(DONE))[:MOST_TICKETS].count(),
        "linked_count": improvements.linked(found).count(),
        "issues": issues.of(found),
        "files": evidence.of(found),
        "linked_themes": [link.theme for link in links.select_related("theme").order_by("pk")],
        "today": _today(),
    }


def _stored(found: Action, expectation: Expectation | None) -> dict[str, Any]:
    values: dict[str, Any] = {
        name: getattr(found, name)
        for name in (
            "title",
            "problem",
            "kind",
            "public_text",
            "plan",
            "root_cause",
            "needs_approval",
            "standard",
            "public_title",
        )
    }
    values |= {
        "team": found.team.slug,
        "stage": found.stage.slug if found.stage else "",
        "owner": found.owner.email if found.owner else "",
        "contributors": list(found.contributors.values_list("slug", flat=True)),
        "causes": "\n".join(
            f"{each['bone']}: {each['text']}" if each["bone"] else each["text"] for each in found.causes
        ),
        "whys": "\n".join(found.whys),
        "measure": Expectation.Measure.SHARE,
        "direction": Expectation.Direction.DOWN,
        "shape": Expectation.Shape.STEP,
        "lag_days": 0,
    }
    values |= {
        name: day.isoformat() if (day := getattr(found, name)) else ""
        for name in ("due_at", "effective_from", "check_at")
    }
    if expectation is not None:
        values |= {
            name: getattr(expectation, name)
            for name in ("segment", "product", "measure", "exposure", "direction", "by_percent", "shape", "lag_days")
        }
        values |= {
            "theme": expectation.theme.reference if expectation.theme else "",
            "topic": expectation.topic.slug if expectation.topic else "",
            "control": expectation.control.reference if expectation.control else "",
        }
    return values


def _events(found: Action) -> QuerySet[ActionEvent]:
    return found.events.select_related("person", "key")


def _event(event: ActionEvent) -> dict[str, Any]:
    told = event.data
    who = str(event.person or event.key or gettext("The portal"))
    deed, slots = gettext("%(who)s %(deed)s"), {"deed": str(event.get_type_display())}
    match event.type:
        case ActionEvent.Type.MOVED:
            deed, slots = gettext("%(who)s moved it to %(step)s"), {"step": str(Step(told["to"]).label)}
        case ActionEvent.Type.CHANGED:
            fields = in_a_line(*(gettext(_FIELD_WORDS.get(name, name.replace("_", " "))) for name in told["fields"]))
            deed, slots = gettext("%(who)s changed %(fields)s"), {"fields": fields}
        case ActionEvent.Type.STEPPED | ActionEvent.Type.FILED:
            steps = "; ".join(f"{gettext(_STEP_WORDS.get(verb, verb))}: {text}" for verb, text in told.items())
            deed, slots = gettext("%(who)s %(deed)s"), {"deed": steps}
        case ActionEvent.Type.REOPENED:
            deed, slots = gettext("%(who)s reopened it. %(because)s"), {"because": said(str(told.get("because", "")))}
        case ActionEvent.Type.JUDGED:
            deed = gettext("%(who)s judged: %(outcome)s. %(sentence)s")
            outcome = str(Action.Outcome(told["outcome"]).label)
            slots = {"outcome": outcome, "sentence": said(str(told.get("sentence", "")))}
        case ActionEvent.Type.TOLD:
            number = int(told.get("tickets", 0))
            deed = ngettext(
                "%(who)s told those behind %(tickets)s ticket", "%(who)s told those behind %(tickets)s tickets", number
            )
            slots = {"tickets": str(number)}
    return {"sentence": shown(deed, who, slots), "text": told.get("text", ""), "at": event.occurred_at}


def _cards(found: QuerySet[Action], *, most: int = MOST_IN_COLUMN) -> list[Action]:
    standing = Count("links", filter=Q(links__unlinked_at=None), distinct=True)
    return list(found.annotate(linked_count=standing).order_by("due_at", "-id")[:most])


def _choices(actor: Actor) -> dict[str, Any]:
    teams = Team.objects.filter(is_active=True).order_by("name")
    return {
        "teams": teams if actor.sees_everything else teams.filter(pk__in=actor.team_ids),
        "all_teams": teams,
        "stages": Stage.objects.order_by("position", "slug"),
        "people": User.objects.filter(is_active=True).order_by("name"),
        "kinds": Action.Kind.choices,
    }


def _today() -> Any:
    return timezone.localdate()
