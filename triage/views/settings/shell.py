"""What the settings pages share: where they lead, and how a form there is answered."""

from collections.abc import Callable, Mapping
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from feedback_portal.marking import marked
from feedback_portal.refusals import BadInput
from triage.views.answering import done, errors_of

PLACES = (
    ("triage:topics", marked("Topics"), marked("What feedback is about, and which team each topic belongs to")),
    ("triage:teams", marked("Teams"), marked("Who works on feedback, and how soon it is read")),
    ("triage:deadlines", marked("Deadlines"), marked("How soon each team decides, and when it works")),
    ("triage:rules", marked("Rules"), marked("What is routed, tagged and ranked without a person")),
    (
        "triage:reevaluation",
        marked("Looking again"),
        marked("What would move if the open tickets were routed by today's rules, and moving it"),
    ),
    ("triage:absences", marked("Absences"), marked("Who is away, until when, and who stands in")),
    (
        "triage:patterns",
        marked("Patterns"),
        marked("How products, orders and batches are written, to find them in what people say"),
    ),
    (
        "kpis:models",
        marked("Models"),
        marked("What was learned from corrections, how well it does, and which version is in use"),
    ),
    (
        "triage:settings_board",
        marked("Board"),
        marked("A public page of what is said again and again, if you want one"),
    ),
    ("triage:people", marked("People"), marked("Who works here, in which team and role")),
    ("triage:keys", marked("API keys"), marked("Which programs may call, and what they may do")),
    (
        "triage:webhooks",
        marked("Webhooks"),
        marked("Which other systems are told of what happens here, and what they answered"),
    ),
    (
        "triage:trackers",
        marked("Trackers"),
        marked("Where developers keep their issues, and how tickets and actions stay in step with them"),
    ),
    ("intake:channels", marked("Channels"), marked("The ways in, and which of them are open")),
    (
        "intake:imports",
        marked("Imports"),
        marked("Files of feedback: what they hold, how far they are, and what came of them"),
    ),
    (
        "intake:customers",
        marked("Customers"),
        marked("Who they are in your other systems, and the counts that rates are taken of"),
    ),
    (
        "intake:polls",
        marked("Sources"),
        marked("Channels that are asked by themselves, how far behind they are and what stops them"),
    ),
    ("intake:places", marked("Places"), marked("Kiosks and posters, where people answer on the spot")),
    (
        "intake:sessions",
        marked("Sessions"),
        marked("Focus groups, interviews, visits and calls, and what was said in them"),
    ),
    ("intake:forms", marked("Forms"), marked("What people are asked, in which languages, and what is published")),
    (
        "triage:data_requests",
        marked("One person's data"),
        marked("To give out, correct or erase what is held about somebody"),
    ),
    (
        "intake:retention",
        marked("Retention"),
        marked("How long what arrives is kept as it arrived, and what must not be deleted"),
    ),
    ("triage:held", marked("Held back"), marked("What looked like a machine when it arrived, to let in if it is not")),
    ("triage:parked", marked("Parked work"), marked("What the portal gave up on, with the reason")),
)


def show(
    request: HttpRequest,
    template: str,
    context: Mapping[str, Any],
    *,
    stored: Mapping[str, Any],
    save: Callable[[], str] | None = None,
    to: str = "",
) -> HttpResponse:
    """A page with one form: as it is stored for GET; for POST saved, or shown again as it was typed with what is wrong."""
    errors: dict[str, list[str]] = {}
    values = dict(stored)
    if save is not None and request.method == "POST":
        try:
            sentence = save()
        except BadInput as refused:
            errors = errors_of(refused)
            typed: dict[str, Any] = dict(request.POST.dict())
            for name, value in stored.items():
                if isinstance(value, bool):
                    typed[name] = name in request.POST
                elif isinstance(value, list):
                    typed[name] = request.POST.getlist(name)
            values |= typed
        else:
            return done(request, sentence, to)
    return render(
        request,
        f"triage/settings/{template}.html",
        dict(context) | {"values": values, "errors": errors, "places": PLACES},
        status=422 if errors else 200,
    )


def given(request: HttpRequest, *names: str, flags: tuple[str, ...] = ()) -> dict[str, Any]:
    """The named fields of a form; a box that is not ticked is sent as nothing and means no."""
    found: dict[str, Any] = {name: request.POST[name] for name in names if name in request.POST}
    return found | {name: name in request.POST for name in flags}
