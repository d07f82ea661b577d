"""Issues of trackers beside tickets and actions: linked, made anew, let go, and rung when something happened there."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from django.db import IntegrityError, transaction
from django.db.models import Case, DateTimeField, F, IntegerField, When
from django.db.models.functions import Greatest, Now
from django.utils.translation import gettext

from feedback_portal.accounts.permissions import Actor
from feedback_portal.marking import marked
from feedback_portal.refusals import BadInput, InputError, NotFound, Refused
from triage import inputs
from triage.connecting.trackers import trackers
from triage.models import Action, LinkedIssue, Ticket, TrackerProject

MOST_ISSUES: Final = 20
"""So many issues are linked to one ticket or action at most."""
About = Ticket | Action


class NotLinked(Refused):
    status = 409
    code = "not-linked"
    title = marked("This issue cannot be linked")


def of(about: About) -> list[LinkedIssue]:
    return list(LinkedIssue.objects.standing().filter(**_column(about)).select_related("project").order_by("pk"))


def link(about: About, given: Mapping[str, Any], *, by: Actor, at: datetime) -> LinkedIssue:
    """Say that an issue that exists is about this ticket or action; `given`: project, issue (its number, key or address)."""
    values = inputs.read(
        given,
        {"project": _project, "issue": inputs.line(2000, marked("Name an issue."))},
        required=("project", "issue"),
    )
    project = values["project"]
    try:
        key = trackers.get(project.kind).key_of(values["issue"], project.settings)
    except ValueError as wrong:
        raise BadInput(str(wrong), errors=(InputError("issue", str(wrong)),)) from None
    return _add(about, project, by=by, at=at, key=key)


def create(about: About, given: Mapping[str, Any], *, by: Actor, at: datetime) -> LinkedIssue:
    """Have an issue made in a project; `given`: project, title, text. A person wrote both and knows who can read them there."""
    readers = {
        "project": _project,
        "title": inputs.line(200, marked("Give it a title.")),
        "text": inputs.prose(inputs.LONGEST_PROSE),
    }
    values = inputs.read(given, readers, required=("project", "title"))
    draft = {"title": values["title"], "text": values.get("text", "")}
    return _add(about, values["project"], by=by, at=at, draft=draft, title=values["title"])


def unlink(about: About, number: int, *, at: datetime) -> None:
    """Nothing is carried over any more; the issue stays as it is there."""
    standing = LinkedIssue.objects.standing().filter(**_column(about), pk=number if number < 2**63 else 0)
    if not standing.update(unlinked_at=at, completed_at=Now(), lease_token=None):
        raise NotFound(gettext("This issue is not linked any more. Reload the page."))


def ring(project: TrackerProject, keys: list[str]) -> int:
    """Something happened to these issues; how many of them are linked here."""
    found = LinkedIssue.objects.standing().filter(project=project, key__in=keys)
    # One that is being looked at this moment is looked at once more afterwards; one whose project rests waits for that.
    return found.update(
        rung_at=Now(),
        completed_at=None,
        parked_at=None,
        attempts=Case(When(lease_token=None, then=0), default=F("attempts"), output_field=IntegerField()),
        next_attempt_at=Case(
            When(lease_token=None, then=Greatest(Now(), project.paused_until) if project.paused_until else Now()),
            default=F("next_attempt_at"),
            output_field=DateTimeField(),
        ),
    )


def _add(about: About, project: TrackerProject, *, by: Actor, at: datetime, **fields: Any) -> LinkedIssue:
    if LinkedIssue.objects.standing().filter(**_column(about)).count() >= MOST_ISSUES:
        raise NotLinked(
            gettext("%(reference)s has %(most_issues)s issues already. Let one go first.")
            % {"reference": about.reference, "most_issues": MOST_ISSUES}
        )
    try:
        with transaction.atomic():
            return LinkedIssue.objects.create(
                project=project, **_column(about), person=by.user, linked_at=at, comments_until=at, **fields
            )
    except IntegrityError:
        raise NotLinked(
            gettext("This issue is linked to %(reference)s already.") % {"reference": about.reference}
        ) from None


def _column(about: About) -> dict[str, Any]:
    return {"ticket": about} if isinstance(about, Ticket) else {"action": about}


def _project(given: Any) -> TrackerProject:
    text = str(given) if isinstance(given, str | int) else ""
    rows = TrackerProject.objects.filter(is_enabled=True)
    found = rows.filter(pk=int(text)).first() if text.isascii() and text.isdecimal() and len(text) < 19 else None
    if found is None or found.kind not in trackers:
        raise ValueError(gettext("Choose one of the projects that are connected."))
    return found
