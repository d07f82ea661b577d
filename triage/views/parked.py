"""Work the portal gave up on: what it was, why, and the button that tries it again."""

from collections.abc import Callable, Mapping
from typing import Any, cast

from django.apps import apps
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.formats import date_format
from django.utils.translation import gettext, ngettext
from django.views.decorators.http import require_GET, require_POST

from feedback_portal.accounts.permissions import require_set_up
from feedback_portal.api import after, cursor_of
from feedback_portal.celery import PIPELINE, Stage
from feedback_portal.languages import in_a_line
from feedback_portal.pending import PendingQuerySet, PendingWork
from feedback_portal.refusals import BadInput
from triage.views.rail import MOST_COUNTED, capped

PAGE = 50
_ORDER = ("-parked_at", "-id")
_STATE = ("id", "attempts", "parked_at", "last_error")


@login_required
@require_GET
def parked(request: HttpRequest) -> HttpResponse:
    require_set_up(request)
    counts = {stage.name: _rows(stage).parked()[:MOST_COUNTED].count() for stage in PIPELINE}
    stage = _stage(
        request.GET.get("stage") or next((name for name, count in counts.items() if count), PIPELINE[0].name)
    )
    columns, label = _SHOWN.get(stage.name, ((), lambda row: f"Row {row.pk}"))
    found: QuerySet[PendingWork] = after(_rows(stage).parked(), order=_ORDER, cursor=request.GET.get("after", ""))
    joined = [column.rpartition("__")[0] for column in columns if "__" in column]
    found = (found.select_related(*joined) if joined else found).only(*_STATE, *columns).order_by(*_ORDER)
    rows = list(found[: PAGE + 1])
    here = reverse("triage:parked") + f"?stage={stage.name}"
    context = {
        "stages": [
            {
                "label": each.name.capitalize(),
                "count": capped(counts[each.name]),
                "url": reverse("triage:parked") + f"?stage={each.name}",
                "current": each == stage,
            }
            for each in PIPELINE
        ],
        "parked": [
            {
                "stage": stage.name,
                "stage_label": stage.name.capitalize(),
                "id": row.pk,
                "label": label(row),
                "url": "",
                "attempts": row.attempts,
                "last_error": row.last_error,
                "since": row.parked_at,
            }
            for row in rows[:PAGE]
        ],
        "replay_url": reverse("triage:replay"),
        "total": capped(sum(counts.values())) if any(counts.values()) else "",
        "next_url": f"{here}&after={cursor_of(rows[PAGE - 1], order=_ORDER)}" if len(rows) > PAGE else "",
    }
    return render(request, "parked.html", context)


@login_required
@require_POST
def replay(request: HttpRequest) -> HttpResponse:
    """One row, all of a stage, or everything parked gets its attempts back."""
    require_set_up(request)
    name, number = request.POST.get("stage", ""), request.POST.get("id", "")
    stages = [_stage(name)] if name else list(PIPELINE)
    count = 0
    for stage in stages:
        rows = _rows(stage)
        if number:
            if not number.isdecimal() or len(number) > 18:
                raise BadInput(gettext("There is no such row. Reload the page and try again."))
            rows = rows.filter(pk=int(number))
        count += rows.replay()
    told = ngettext("%(count)s row will be tried again.", "%(count)s rows will be tried again.", count)
    messages.success(request, told % {"count": count})
    return redirect(reverse("triage:parked") + (f"?stage={name}" if name else ""))


def _stage(name: str) -> Stage:
    stage = next((stage for stage in PIPELINE if stage.name == name), None)
    if stage is None:
        known = gettext("There is no such stage of work. Choose one of %(stages)s.")
        raise BadInput(known % {"stages": in_a_line(*(each.name for each in PIPELINE))})
    return stage


def _rows(stage: Stage) -> PendingQuerySet[Any]:
    model = cast(type[PendingWork], apps.get_model(stage.model))
    return cast(PendingQuerySet[Any], model._default_manager.all())


# The columns a row is named by, and its name; what customers wrote is not among them.
_SHOWN: Mapping[str, tuple[tuple[str, ...], Callable[[Any], str]]] = {
    "take apart": (
        ("delivery_id", "channel__slug"),
        lambda row: f"{row.channel.slug} {row.delivery_id}",
    ),
    "ask": (("channel__name",), lambda row: row.channel.name),
    "normalize": (
        ("external_id", "channel__slug"),
        lambda row: f"{row.reference}, {row.channel.slug} {row.external_id}",
    ),
    "understand": (("item__received_at",), lambda row: row.item.reference),
    "deliver": (
        ("kind", "recipient"),
        lambda row: gettext("%(kind)s to %(recipient)s") % {"kind": row.get_kind_display(), "recipient": row.recipient},
    ),
    "announce": (("kind", "log", "number", "subscriber__name"), lambda row: f"{row.subscriber}, {row.public_id}"),
    "sync issues": (("key", "project__name"), lambda row: f"{row.project} {row.key}"),
    "refine": (("item__received_at",), lambda row: row.item.reference),
    "learn": (("field",), lambda row: row.get_field_display()),
    "measure": (("day",), lambda row: date_format(row.day, "LONG_DAY_YEAR")),
}
