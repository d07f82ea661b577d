"""What each person has for themselves: what concerns them, how they work, and the palette that leads everywhere."""

import json
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext
from django.views.decorators.http import require_GET, require_http_methods

from feedback_portal.accounts.models import Team, User
from feedback_portal.accounts.permissions import actor_of
from feedback_portal.codes import ticket_number
from feedback_portal.refusals import BadInput
from triage.desk import preferences as own
from triage.desk import saved
from triage.finding import matching, search
from triage.models import Notice, SavedView
from triage.telling import notices as telling

_ITEMS = 8


@login_required
@require_http_methods(["GET", "POST"])
def notices(request: HttpRequest) -> HttpResponse:
    """What concerns the reader, newest first; a POST has read all of it."""
    person = actor_of(request).user
    assert person is not None
    if request.method == "POST":
        telling.read_all(person=person, at=timezone.now())
        return redirect("triage:notices")
    rows = telling.of(person).order_by("-happened_at", "-pk")[: telling.MOST_SHOWN]
    shown = [
        {
            "sentence": telling.sentence(notice),
            "title": telling.title(notice),
            "at": notice.happened_at,
            "is_unread": notice.read_at is None,
            "url": reverse("triage:notice", args=[notice.pk]),
        }
        for notice in rows
    ]
    return render(
        request, "triage/notices.html", {"notices": shown, "unread": any(each["is_unread"] for each in shown)}
    )


@login_required
@require_GET
def notice(request: HttpRequest, number: int) -> HttpResponse:
    """Leads to what it is about, and has been read with that."""
    person = actor_of(request).user
    assert person is not None
    found = telling.read(number, person=person, at=timezone.now())
    if found.ticket is not None:
        return redirect(f"{reverse('triage:workbench')}?{urlencode({'item': found.ticket.reference})}")
    assert found.action is not None
    return redirect("triage:action", reference=found.action.reference)


@login_required
@require_http_methods(["GET", "POST"])
def preferences(request: HttpRequest) -> HttpResponse:
    person = actor_of(request).user
    assert person is not None
    errors: dict[str, str] = {}
    if request.method == "POST":
        given = request.POST
        keys = {key.act: given.get(f"key-{key.act}", "") for key in own.KEYS if f"key-{key.act}" in given}
        rung = given.getlist("rung")
        try:
            own.save(
                person,
                {
                    "has_single_keys": given.get("has_single_keys", ""),
                    "is_compact": given.get("is_compact", ""),
                    "has_big_text": given.get("has_big_text", ""),
                    "silenced": [kind for kind in Notice.Kind.values if kind not in rung],
                    "mailed": given.getlist("mailed"),
                    "keys": keys,
                },
            )
        except BadInput as refused:
            errors = {error.path: error.message for error in refused.errors}
        else:
            messages.success(request, gettext("Saved. It holds on all your devices from now on."))
            return redirect("triage:preferences")
    chosen = own.of(person)
    context = {
        "chosen": chosen,
        "keys": [
            {
                "act": key.act,
                "label": key.label,
                "usual": key.usual,
                "key": request.POST.get(f"key-{key.act}", chosen.keys.get(key.act, key.usual)),
                "error": errors.get(f"keys.{key.act}", ""),
            }
            for key in own.KEYS
        ],
        "kinds": [
            {"value": value, "label": label, "rings": value not in chosen.silenced, "mails": value in chosen.mailed}
            for value, label in Notice.Kind.choices
        ],
        "errors": errors,
    }
    return render(request, "triage/preferences.html", context, status=422 if errors else 200)


@login_required
@require_GET
def palette(request: HttpRequest) -> HttpResponse:
    """Where the palette may lead: teams and views at first, items by what was typed."""
    actor, at = actor_of(request), timezone.now()
    q = request.GET.get("q", "").strip()[: search.LONGEST_QUERY]
    places: list[dict[str, Any]] = []
    if not q:
        teams = Team.objects.filter(is_active=True).order_by("name")
        teams = teams if actor.sees_everything else teams.filter(pk__in=actor.team_ids)
        places += [
            {"kind": gettext("Team"), "name": team.name, "url": _search(f"team:{team.slug}")} for team in teams[:200]
        ]
        views = SavedView.objects.visible_to(actor).order_by("name", "pk")[:200]
        places += [{"kind": gettext("View"), "name": view.name, "url": saved.address(view)} for view in views]
    else:
        try:
            number = ticket_number(q)
            query = search.parse(f"id:{q}" if number else f"snoozed:no {q}")
            found = matching(query, actor, at=at).select_related("item").defer("item__text", "explanation")
            rows = list(found.order_by("-received_at", "-id")[:_ITEMS])
        except search.SearchError:
            rows = []
        places += [
            {
                "kind": ticket.reference,
                "name": ticket.item.headline,
                "url": f"{reverse('triage:workbench')}?{urlencode({'item': ticket.reference})}",
            }
            for ticket in rows
        ]
    return render(request, "triage/_palette.html", {"places": places})


def desk_of(person: User) -> dict[str, Any]:
    """What every page of this person is drawn by: see `base.html`."""
    chosen = own.of(person)
    unread = telling.of(person).filter(read_at=None).order_by()[:100].count()
    return {
        "keys": json.dumps(own.pressed(chosen)) if chosen.keys else "",
        "single_keys": chosen.has_single_keys,
        "is_compact": chosen.is_compact,
        "has_big_text": chosen.has_big_text,
        "unread": "99+" if unread > 99 else unread or "",
    }


def _search(query: str) -> str:
    return f"{reverse('triage:workbench')}?{urlencode({'q': query})}"
