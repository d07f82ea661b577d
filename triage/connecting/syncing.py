"""Issues and what they are about here, kept in step: what moved or was written on either side is carried to the other.

A call of a tracker is a doorbell: it is verified, and the issue is then read through the tracker's API, as it is when somebody
decides here, and as a project's changes are looked through now and then. So a call that is lost, repeated or late changes
nothing but the time. Our own comments carry a mark by which they are known when they come back.
"""

import random
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import F
from django.db.models.functions import Greatest, Now
from django.urls import reverse
from django.utils.crypto import constant_time_compare, salted_hmac
from django.utils.translation import gettext

from feedback_portal import outgoing
from feedback_portal.accounts.permissions import Actor
from feedback_portal.pending import Drained, GiveUp, drain_outside
from feedback_portal.refusals import Refused
from feedback_portal.registry import UnknownSlug
from feedback_portal.sealing import Unsealable
from intake.cleaning import clean_line, clean_text
from intake.connectors.base import Answer, Request
from intake.polling import come_back_in
from triage import decisions, journal
from triage.connecting import issues, projects
from triage.connecting.trackers import trackers
from triage.connecting.trackers.base import Comment, Desk, Issue, NotThere, Standing, Tracker, Unwilling, harmless
from triage.improving import improvements
from triage.lifecycle import OPEN, Resolution
from triage.models import Action, ActionEvent, CarriedComment, Event, LinkedIssue, Ticket, TrackerProject

log = structlog.get_logger("portal.trackers")

LOOK_EVERY: Final = timedelta(minutes=5)
FIRST_PAUSE: Final = timedelta(minutes=1)
LONGEST_PAUSE: Final = timedelta(hours=6)
MOST_BYTES: Final = 4 * 1024 * 1024
MOST_NOTES: Final = 50
"""So many of our notes are written there in one go."""
LONGEST_COMMENT: Final = 10_000
_LEASE: Final = timedelta(minutes=5)
_OVERLAP: Final = timedelta(minutes=2)
_PORTAL: Final = Actor()
_MARK: Final = re.compile(r"(?:\A|\n)\(feedback portal ((?:note|link)-\d{1,18}) ([0-9a-f]{16})\)\s*\Z")
_REFUSALS: Final = frozenset({400, 404, 405, 409, 410, 422})


class Later(Exception):
    """The tracker cannot be asked now; `pause` is how long it wants to be left alone."""

    def __init__(self, reason: str, pause: timedelta | None = None) -> None:
        super().__init__(reason)
        self.pause = pause


@dataclass(frozen=True)
class Look:
    """How a look ended: `trouble` is told to people; one that `failed` is tried again, not before its `pause`."""

    trouble: str = ""
    failed: bool = False
    pause: timedelta | None = None


def look_pending(*, at: datetime) -> Drained:
    """Ask every project whose time has come what changed there, and ring what is linked here."""

    def act(project: TrackerProject) -> Look:
        return _guarded(lambda: _look(project, at=at))

    def record(project: TrackerProject, look: Look) -> None:
        _settle(project, look)
        mine = TrackerProject.objects.filter(pk=project.pk, is_enabled=True)
        every = LOOK_EVERY * random.uniform(0.8, 1.2)
        mine.update(completed_at=None, attempts=0, next_attempt_at=Greatest(Now() + every, F("paused_until")))

    return drain_outside(TrackerProject.objects.all(), act, record, batch=1, lease=_LEASE, seconds=30)


def sync_pending(*, at: datetime) -> Drained:
    """Bring every issue that is due in step with what it is about."""

    def act(issue: LinkedIssue) -> Look:
        LinkedIssue.objects.filter(pk=issue.pk).update(looked_at=Now())
        return _guarded(lambda: _sync(issue, at=at))

    def record(issue: LinkedIssue, look: Look) -> None:
        _settle(issue.project, look)
        mine = LinkedIssue.objects.standing().filter(pk=issue.pk)
        mine.update(last_error=look.trouble)
        due = {"completed_at": None, "attempts": 0, "next_attempt_at": Now()}
        if look.failed:
            mine.update(**due)
            _put_off(issue.project)
        else:
            # Something happened meanwhile, and it may be what we did ourselves.
            mine.filter(rung_at__gt=F("looked_at")).update(**due)

    rows = LinkedIssue.objects.select_related("project", "ticket__item", "action")
    return drain_outside(rows, act, record, batch=1, lease=_LEASE, seconds=30)


def _guarded(look: Callable[[], str]) -> Look:
    try:
        return Look(look())
    except Later as later:
        return Look(str(later), failed=True, pause=later.pause)
    except (outgoing.Unreachable, outgoing.TooMuch) as trouble:
        return Look(trouble.message, failed=True)
    except outgoing.AddressRefused as refused:
        return Look(refused.message, failed=True, pause=LONGEST_PAUSE)
    except (Unsealable, UnknownSlug) as reason:
        return Look(str(reason), failed=True, pause=LONGEST_PAUSE)
    except Unwilling as reason:
        return Look(str(reason))
    except NotThere as reason:
        raise GiveUp(str(reason)) from None


def _settle(project: TrackerProject, look: Look) -> None:
    """What the look says of the tracker as a whole."""
    mine = TrackerProject.objects.filter(pk=project.pk)
    if not look.failed:
        mine.update(failures=0, trouble="", paused_until=None, last_success_at=Now())
        return
    log.warning("tracker not asked to the end", project=project.pk, failures=project.failures + 1)
    pause = look.pause if look.pause is not None else FIRST_PAUSE * 2 ** min(project.failures, 20)
    until = Now() + min(pause, LONGEST_PAUSE) * random.uniform(1.0, 1.2)
    mine.update(failures=F("failures") + 1, trouble=look.trouble[:2000], paused_until=until)


def _put_off(project: TrackerProject) -> None:
    """While it is left alone, none of its issues is due."""
    project.refresh_from_db(fields=["paused_until"])
    waiting = LinkedIssue.objects.waiting().filter(project=project, lease_token=None)
    waiting.update(next_attempt_at=Greatest(F("next_attempt_at"), project.paused_until))


def _look(project: TrackerProject, *, at: datetime) -> str:
    tracker, desk = _desk(project, at)
    since = (project.seen_until or at) - _OVERLAP
    # Nobody waits for what nobody linked.
    if LinkedIssue.objects.standing().filter(project=project).exists():
        keys = [each.key for each in tracker.changed(desk, since=since, at=at)]
        issues.ring(project, keys)
    TrackerProject.objects.filter(pk=project.pk).update(seen_until=at)
    return ""


def _sync(issue: LinkedIssue, *, at: datetime) -> str:
    if issue.unlinked_at is not None or not issue.project.is_enabled:
        return ""
    tracker, desk = _desk(issue.project, at)
    if not issue.key:
        issue.key = _create(issue, tracker, desk, at=at)
    theirs = tracker.read(desk, issue.key)
    _hear(issue, tracker.comments(desk, issue.key, since=issue.comments_until), at=at)
    trouble = _follow(issue, theirs, tracker, desk, at=at)
    if issue.project.shares_notes:
        _write_there(issue, tracker, desk)
    return trouble


def _create(issue: LinkedIssue, tracker: Tracker, desk: Desk, *, at: datetime) -> str:
    """The key of the issue that is made of the draft; one that was made by a try whose answer was lost is found again."""
    name, row = f"link-{issue.pk}", LinkedIssue.objects.filter(pk=issue.pk)
    key = ""
    if issue.draft.get("tried"):
        seen = tracker.changed(desk, since=issue.linked_at - _OVERLAP, at=at)
        key = next((each.key for each in seen if _is_ours(each.text, issue) == name), "")
    if not key:
        row.update(draft=issue.draft | {"tried": True})
        title = harmless(issue.draft.get("title", ""))
        words = [harmless(issue.draft.get("text", "")), _place(_about(issue)), _mark(issue, name)]
        key = tracker.create(desk, title=title, text="\n\n".join(word for word in words if word))
    try:
        key = tracker.key_of(key, issue.project.settings)
    except ValueError as wrong:
        raise Later(
            gettext("%(name)s did not say what the new issue is called. %(wrong)s")
            % {"name": issue.project.name, "wrong": wrong}
        ) from None
    row.update(key=key, draft={})
    return key


def _hear(issue: LinkedIssue, found: Sequence[Comment], *, at: datetime) -> None:
    """Write down what was written there, once; our own comments are known by their mark and stay there."""
    numbers = [each.number for each in found]
    known = set(CarriedComment.objects.filter(issue=issue, number__in=numbers).values_list("number", flat=True))
    for comment in found:
        if comment.number in known or not comment.number:
            continue
        name = _is_ours(comment.text, issue)
        event = int(name.partition("-")[2]) if name.startswith("note-") else None
        with transaction.atomic():
            if CarriedComment.objects.filter(issue=issue, event=event).exists():
                event = None
            CarriedComment.objects.create(issue=issue, number=comment.number[:60], event=event)
            said = clean_text(comment.text, longest=LONGEST_COMMENT)
            if not name and said:
                who = clean_line(comment.author, longest=80) or "Somebody"
                _note(issue, f"{who}, {_label(issue)}:\n{said}", at=at)
    if found:
        issue.comments_until = max(issue.comments_until, *(each.written_at for each in found))
        LinkedIssue.objects.filter(pk=issue.pk).update(comments_until=issue.comments_until)


def _follow(issue: LinkedIssue, theirs: Issue, tracker: Tracker, desk: Desk, *, at: datetime) -> str:
    """Whoever moved is followed, and where both agree nothing is done, which ends every echo. What could not be done, as a
    sentence."""
    words = projects.words(issue.project, tracker)
    ours, status, trouble = _standing(_about(issue)), theirs.status, ""
    if words[ours].casefold() != status.casefold():
        if issue.status and status.casefold() != issue.status.casefold():
            _act(issue, tracker.means(status, words, theirs.standing), status, at=at)
        elif issue.standing and ours != issue.standing:
            try:
                tracker.move(desk, issue.key, words[ours])
                status = words[ours]
            except Unwilling as reason:
                trouble = str(reason)
    url = theirs.url if theirs.url.lower().startswith(("https://", "http://")) else ""
    LinkedIssue.objects.filter(pk=issue.pk).update(
        title=clean_line(theirs.title, longest=300),
        url=url[:2000],
        status=clean_line(status, longest=120),
        standing=_standing(_about(issue)),
    )
    return trouble


def _act(issue: LinkedIssue, means: Standing, status: str, *, at: datetime) -> None:
    """What a move there means here. What a person decided since we acted last stands."""
    said = f"{_label(issue)} is now “{clean_line(status, longest=80)}”."
    with transaction.atomic():
        version = _ticket(issue, means, said, at=at) if issue.ticket_id else _action(issue, means, said, at=at)
        LinkedIssue.objects.filter(pk=issue.pk).update(acted_version=version)


def _ticket(issue: LinkedIssue, means: Standing, said: str, *, at: datetime) -> int | None:
    ticket = _about(issue)
    assert isinstance(ticket, Ticket)
    is_ours, done = issue.acted_version == ticket.version, issue.project.when_done
    _write_down(ticket, said, at=at)
    try:
        with transaction.atomic():
            if means == Standing.DONE and ticket.status in OPEN and done != TrackerProject.WhenDone.NOTE:
                tell = done == TrackerProject.WhenDone.TELL
                decisions.resolve(ticket, by=_PORTAL, at=at, resolution=Resolution.SHIPPED, tell=tell)
                return ticket.version
            if means in {Standing.OPEN, Standing.DOING} and is_ours and ticket.status not in OPEN:
                decisions.reopen(ticket, by=_PORTAL, at=at, reason=said)
                return ticket.version
    except Refused as refused:
        log.info("issue not followed", issue=issue.pk, code=refused.code)
    return None


def _action(issue: LinkedIssue, means: Standing, said: str, *, at: datetime) -> int | None:
    action = _about(issue)
    assert isinstance(action, Action)
    version, step = None, improvements.Step
    wanted = {
        (Standing.DOING, step.PLAN): step.DO,
        # Back only from where we put it ourselves.
        (Standing.OPEN, step.DO): step.PLAN if issue.acted_version == action.version else None,
    }.get((means, step(action.step)))
    if wanted is not None and action.withdrawn_at is None:
        try:
            with transaction.atomic():
                version = improvements.move(action, by=_PORTAL, at=at, step=wanted).version
        except Refused as refused:
            said = f"{said} {refused.message}"
    elif means == Standing.DONE and action.step in {step.PLAN, step.DO}:
        said = f"{said} Ship {action.reference} once customers have it."
    _note(issue, said, at=at)
    return version


def _write_there(issue: LinkedIssue, tracker: Tracker, desk: Desk) -> None:
    """Our notes since the issue was linked, each once; what came from a tracker is no note of ours."""
    about = _about(issue)
    written: Any
    if isinstance(about, Ticket):
        written = about.events.filter(type=Event.Type.NOTED, source=Event.Source.PERSON)
    else:
        written = ActionEvent.objects.filter(action=about, type=ActionEvent.Type.COMMENTED).exclude(
            person=None, key=None
        )
    carried = CarriedComment.objects.filter(issue=issue, event__isnull=False).values("event")
    waiting = written.filter(occurred_at__gte=issue.linked_at).exclude(pk__in=carried)
    for event in waiting.select_related("person", "key").order_by("pk")[:MOST_NOTES]:
        name, text = f"note-{event.pk}", str(event.data.get("text", ""))
        who = Actor(user=event.person, key=event.key).name
        words = [f"{harmless(who)}, {about.reference}:", harmless(text), _mark(issue, name)]
        number = tracker.comment(desk, issue.key, "\n\n".join(words))
        CarriedComment.objects.create(issue=issue, number=number[:60] or name, event=event.pk)


def _note(issue: LinkedIssue, text: str, *, at: datetime) -> None:
    about = _about(issue)
    if isinstance(about, Ticket):
        _write_down(about, text, at=at)
    else:
        improvements.tell(about, ActionEvent.Type.COMMENTED, {"text": text}, by=_PORTAL, at=at)


def _write_down(ticket: Ticket, text: str, *, at: datetime) -> None:
    """As a note is, but nobody is called by it: strangers may write where it comes from."""
    journal.touch(ticket, [(Event.Type.NOTED, {"text": text})], by=_PORTAL, at=at)


def _about(issue: LinkedIssue) -> Ticket | Action:
    """As it stands now: between two questions somebody may have decided."""
    if issue.ticket_id:
        return Ticket.objects.for_deciding().get(pk=issue.ticket_id)
    assert issue.action_id is not None
    return Action.objects.get(pk=issue.action_id)


def _standing(about: Ticket | Action) -> Standing:
    if isinstance(about, Ticket):
        if about.status in OPEN:
            return Standing.OPEN
        return Standing.DONE if about.resolution in {Resolution.SHIPPED, Resolution.ANSWERED} else Standing.DROPPED
    if about.withdrawn_at is not None:
        return Standing.DROPPED
    step = improvements.Step
    return {step.PLAN: Standing.OPEN, step.DO: Standing.DOING}.get(step(about.step), Standing.DONE)


def _place(about: Ticket | Action) -> str:
    name = "triage:ticket" if isinstance(about, Ticket) else "triage:action"
    return f"{about.reference}: {settings.BASE_URL}{reverse(name, args=[about.reference])}"


def _label(issue: LinkedIssue) -> str:
    return f"{issue.project.name} {'#' if issue.key.isdecimal() else ''}{issue.key}"


def _mark(issue: LinkedIssue, name: str) -> str:
    return f"(feedback portal {name} {_seal(issue, name)})"


def _seal(issue: LinkedIssue, name: str) -> str:
    """Nobody but us can make one, so nobody can have a comment passed over or taken for a note of ours."""
    return salted_hmac("triage.connecting.syncing", f"{issue.pk} {name}").hexdigest()[:16]


def _is_ours(text: str, issue: LinkedIssue) -> str:
    """The name in our mark on the last line; empty for what somebody else wrote, also where it quotes us."""
    found = _MARK.search(text)
    return found[1] if found and constant_time_compare(found[2], _seal(issue, found[1])) else ""


def _desk(project: TrackerProject, at: datetime) -> tuple[Tracker, Desk]:
    tracker = trackers.get(project.kind)

    def ask(request: Request) -> Answer:
        answer = outgoing.ask(request, most_bytes=MOST_BYTES)
        trouble = _trouble(answer, project, at)
        if trouble is not None:
            raise trouble
        return Answer(answer.status, answer.headers, answer.body)

    return tracker, tracker.desk(project.settings, project.secrets, ask)


def _trouble(answer: outgoing.Answer, project: TrackerProject, at: datetime) -> Later | None:
    status, pause = answer.status, come_back_in(answer.headers, at)
    if status < 300 or status in _REFUSALS:
        return None
    if status == 429 or (
        status == 403 and (pause is not None and answer.headers.get("x-ratelimit-remaining") in (None, "0"))
    ):
        return Later(
            gettext("%(name)s says that we ask too often. It is asked again by itself.") % {"name": project.name}, pause
        )
    if status in (401, 403):
        return Later(
            gettext("%(name)s refuses our key (%(status)s). Enter a new one.")
            % {"name": project.name, "status": status},
            LONGEST_PAUSE,
        )
    if status < 400:
        return Later(
            gettext("%(name)s sends us on to another address, which is not followed. Correct its address.")
            % {"name": project.name}
        )
    return Later(
        gettext("%(name)s does not work at the moment (%(status)s). It is asked again by itself.")
        % {"name": project.name, "status": status},
        pause,
    )
