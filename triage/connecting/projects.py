"""Projects of trackers, set up: what they are told, their secrets, their words, and the address their trackers call."""

import uuid
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from django.conf import settings as portal
from django.db.models import F
from django.db.models.functions import Now
from django.urls import reverse
from django.utils.translation import gettext

from feedback_portal.accounts.models import hashed
from feedback_portal.accounts.permissions import Actor
from feedback_portal.marking import marked
from feedback_portal.refusals import BadInput, InputError, NotAllowed, NotFound, Refused
from intake.cleaning import clean_line, clean_text
from intake.connectors.base import Setting
from triage.connecting import addresses
from triage.connecting.trackers import trackers
from triage.connecting.trackers.base import Standing, Tracker
from triage.models import LinkedIssue, TrackerProject

MOST_PROJECTS: Final = 50
_LONGEST: Final = 2000


class StaleProject(Refused):
    status = 409
    code = "stale-project"
    title = marked("Somebody was quicker")


def find(number: int, *, by: Actor) -> TrackerProject:
    _may(by)
    found = TrackerProject.objects.filter(pk=number if number < 2**63 else 0).first()
    if found is None:
        raise NotFound(gettext("There is no such project. Look at the list of trackers."))
    return found


def create(kind: str, given: Mapping[str, Any], *, by: Actor, at: datetime) -> TrackerProject:
    """`given`: name, when_done, shares_notes, `asked` by name, `statuses` by standing. `BadInput` names every place that is wrong."""
    _may(by)
    if kind not in trackers:
        raise NotFound(gettext("There is no such kind of tracker."))
    if TrackerProject.objects.count() >= MOST_PROJECTS:
        raise BadInput(
            gettext("There are %(most_projects)s projects already. Delete one that nobody needs.")
            % {"most_projects": MOST_PROJECTS}
        )
    made = TrackerProject(kind=kind, seen_until=at, hook_salt=uuid.uuid4())
    _read(made, trackers.get(kind), given)
    made.hook_hash = hashed(made.hook_key)
    made.save(force_insert=True)
    return made


def change(
    project: TrackerProject, given: Mapping[str, Any], *, by: Actor, version: int | None = None
) -> TrackerProject:
    """The same; a secret that is left empty stays. What was told anew may mend what was wrong, so it is tried at once."""
    _may(by)
    _read(project, trackers.get(project.kind), given)
    seen = project.version if version is None else version
    stands = TrackerProject.objects.filter(pk=project.pk, version=seen)
    fields = ("name", "settings", "sealed_secrets", "statuses", "when_done", "shares_notes")
    if not stands.update(version=F("version") + 1, **{name: getattr(project, name) for name in fields}):
        raise StaleProject(
            gettext("Somebody changed %(name)s while you looked. Look at it as it is now.") % {"name": project.name}
        )
    look_now(project, by=by)
    return find(project.pk, by=by)


def switch(project: TrackerProject, *, is_enabled: bool, by: Actor) -> None:
    _may(by)
    TrackerProject.objects.filter(pk=project.pk).update(is_enabled=is_enabled)
    if is_enabled:
        look_now(project, by=by)
    else:
        TrackerProject.objects.filter(pk=project.pk).update(completed_at=Now(), lease_token=None)


def look_now(project: TrackerProject, *, by: Actor) -> None:
    """Look at the project and at all its issues before their time."""
    _may(by)
    going = {"completed_at": None, "parked_at": None, "attempts": 0, "next_attempt_at": Now()}
    TrackerProject.objects.filter(pk=project.pk).update(paused_until=None)
    TrackerProject.objects.filter(pk=project.pk, is_enabled=True, lease_token=None).update(**going)
    LinkedIssue.objects.standing().filter(project=project, lease_token=None).update(**going)


def delete(project: TrackerProject, *, by: Actor) -> None:
    """With its links; the issues there stay."""
    _may(by)
    TrackerProject.objects.filter(pk=project.pk).delete()


def address(project: TrackerProject) -> str:
    """What its tracker calls; empty where it was made under another secret key and cannot be told."""
    if project.hook_hash != hashed(project.hook_key):
        return ""
    return portal.BASE_URL + reverse("triage:tracker_hook", args=[project.hook_key])


def words(project: TrackerProject, tracker: Tracker) -> dict[str, str]:
    """Its word for each standing: its own, else the tracker's."""
    return {each.value: project.statuses.get(each.value) or tracker.statuses[each] for each in Standing}


def _read(project: TrackerProject, tracker: Tracker, given: Mapping[str, Any]) -> None:
    errors: list[InputError] = []
    project.name = clean_line(str(given.get("name", project.name)), longest=120)
    if not project.name:
        errors.append(InputError("name", gettext("Give it a name.")))
    project.when_done = str(given.get("when_done", project.when_done))
    if project.when_done not in TrackerProject.WhenDone.values:
        errors.append(InputError("when_done", gettext("Choose one of those offered.")))
    project.shares_notes = bool(given.get("shares_notes", project.shares_notes))
    asked: Mapping[str, Any] = given.get("asked", {})
    secrets, kept = project.secrets, dict(project.settings)
    for each in tracker.asks:
        text = _asked(each, asked.get(each.name, ""), secrets if each.is_secret else kept, errors)
        (secrets if each.is_secret else kept)[each.name] = text
    project.secrets = {name: secret for name, secret in secrets.items() if secret}
    project.settings = kept
    told: Mapping[str, Any] = given.get("statuses", {})
    project.statuses = {
        each.value: clean_line(str(told.get(each.value, "")), longest=120) or tracker.statuses[each]
        for each in Standing
    }
    if errors:
        raise BadInput(gettext("Correct what is marked and send it again."), errors=tuple(errors))


def _asked(asked: Setting, given: Any, stored: Mapping[str, str], errors: list[InputError]) -> str:
    if asked.is_secret:
        text = clean_text(str(given), longest=_LONGEST) or stored.get(asked.name, "")
    else:
        text = clean_line(str(given), longest=_LONGEST) or asked.default
    if asked.is_required and not text:
        errors.append(InputError(asked.name, gettext("%(label)s: this is needed.") % {"label": asked.label}))
    elif text and asked.is_called and (trouble := addresses.why_not(text)):
        errors.append(InputError(asked.name, trouble))
    return text


def _may(by: Actor) -> None:
    if not by.may_set_up:
        raise NotAllowed(gettext("Only administrators may connect trackers. Ask one of them."))
