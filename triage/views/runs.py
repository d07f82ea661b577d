"""How decisions on many tickets stand, as the queue, their own page and the list of acts show them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.urls import reverse

from feedback_portal.accounts.permissions import Actor
from triage.deciding.undoing import WITHIN
from triage.desk import bulk as many
from triage.models import BulkAct


def at_work(actor: Actor, *, at: datetime) -> list[dict[str, Any]]:
    """One's own that are not over yet."""
    own = BulkAct.objects.filter(person=actor.user, parts__completed_at=None, parts__parked_at=None).distinct()
    return [each for each in runs(list(own.select_related("person").order_by("-pk")[:3]), at=at) if not each["is_over"]]


def runs(acts: Sequence[BulkAct], *, at: datetime) -> list[dict[str, Any]]:
    """The contexts of `_bulk_run.html`, with one statement for all of them."""
    how_far = many.progress(acts) if acts else {}
    return [_run(act, how_far[act.pk], at=at) for act in acts]


def run(act: BulkAct, *, at: datetime) -> dict[str, Any]:
    return runs([act], at=at)[0]


def _run(act: BulkAct, how_far: many.Progress, *, at: datetime) -> dict[str, Any]:
    is_undone, is_over = act.undone_at is not None, how_far.is_over
    return {
        "number": act.pk,
        "label": act.label,
        "person": str(act.person),
        "asked_at": act.asked_at,
        "url": reverse("triage:bulk_run", args=[act.pk]),
        "total": how_far.total,
        "looked_at": how_far.looked_at,
        "skipped": 0 if is_undone else how_far.skipped,
        "sentence": many.sentence(act, how_far),
        "is_over": is_over,
        "is_resting": act.paused_at is not None and not is_over,
        "is_undone": is_undone,
        "can_undo": not is_undone and act.asked_at > at - WITHIN,
        "undo_url": reverse("triage:bulk_act", args=[act.pk, "undo"]),
        "pause_url": reverse("triage:bulk_act", args=[act.pk, "pause"]),
        "resume_url": reverse("triage:bulk_act", args=[act.pk, "resume"]),
    }
