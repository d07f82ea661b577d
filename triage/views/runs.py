"""How decisions on many tickets stand, as the queue, their own page and the list of acts show them."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db.models import QuerySet
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext

from feedback_portal.accounts.models import Team
from feedback_portal.accounts.permissions import Actor
from feedback_portal.languages import within
from triage.deciding.undoing import WITHIN
from triage.desk import bulk as many
from triage.lifecycle import Resolution
from triage.models import BulkAct, Topic


def at_work(actor: Actor, *, at: datetime) -> list[dict[str, Any]]:
    """One's own that are not over yet."""
    own = BulkAct.objects.filter(person=actor.user, parts__completed_at=None, parts__parked_at=None).distinct()
    return [each for each in runs(list(own.select_related("person").order_by("-pk")[:3]), at=at) if not each["is_over"]]


def runs(acts: Sequence[BulkAct], *, at: datetime) -> list[dict[str, Any]]:
    """The contexts of `_bulk_run.html`, with one statement for all of them."""
    how_far = many.progress(acts) if acts else {}
    named = labels([(act.verb, act.arguments) for act in acts])
    return [_run(act, how_far[act.pk], label, at=at) for act, label in zip(acts, named, strict=True)]


def labels(asked: Sequence[tuple[str, Mapping[str, Any]]]) -> list[str]:
    """What was asked for, verb and arguments, as lines: "Route to Quality". Said anew to each reader, in two statements for all."""
    teams = _named(Team.objects.all(), {str(arguments.get("team") or "") for _, arguments in asked})
    topics = _named(Topic.objects.all(), {str(arguments.get("topic") or "") for _, arguments in asked})
    return [_label(verb, arguments, teams, topics) for verb, arguments in asked]


def _named(rows: QuerySet[Any], slugs: set[str]) -> dict[str, str]:
    wanted = slugs - {""}
    return dict(rows.filter(slug__in=wanted).values_list("slug", "name")) if wanted else {}


def _label(verb: str, arguments: Mapping[str, Any], teams: Mapping[str, str], topics: Mapping[str, str]) -> str:
    if verb == "route":
        team = teams.get(arguments["team"])
        return gettext("Route to %(team)s") % {"team": team} if team else gettext("Route to a team")
    if verb == "tag":
        return gettext("Tag “%(topic)s”") % {"topic": topics.get(arguments["topic"]) or gettext("a topic")}
    if verb == "severity":
        return (gettext("Set the severity to %(severity)s") % {"severity": f"S{arguments['value']}"})[:40]
    if verb == "snooze":
        moment = timezone.localtime(datetime.fromisoformat(arguments["until"]))
        return gettext("Snooze until %(moment)s") % {"moment": date_format(moment, "MOMENT")}
    if verb == "resolve":
        outcome = dict(Resolution.choices).get(arguments["resolution"], gettext("Done"))
        return gettext("Close as %(outcome)s") % {"outcome": within(outcome)}
    if verb == "merge":
        return gettext("Merge into %(reference)s") % {"reference": arguments["original"].strip().upper()[:20]}
    return gettext("Claim") if verb == "claim" else gettext("Accept what is proposed")


def run(act: BulkAct, *, at: datetime) -> dict[str, Any]:
    return runs([act], at=at)[0]


def _run(act: BulkAct, how_far: many.Progress, label: str, *, at: datetime) -> dict[str, Any]:
    is_undone, is_over = act.undone_at is not None, how_far.is_over
    return {
        "number": act.pk,
        "label": label,
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
