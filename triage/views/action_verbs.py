"""What the form of each verb of an action means: one call of the domain with what was typed, and the sentence that answers it."""

from collections.abc import Callable, Mapping
from typing import Any

from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext, ngettext

from feedback_portal.accounts.permissions import Actor
from feedback_portal.refusals import BadInput, InputError
from intake import attachments
from intake.connectors.base import File
from triage import decisions
from triage.improving import changes, checking, evidence, improvements, plans
from triage.improving.improvements import Step
from triage.models import Action

FIELDS = (
    "title", "problem", "kind", "team", "stage", "owner", "contributors", "due_at", "effective_from", "check_at", "plan", "causes",
    "whys", "root_cause", "needs_approval",
)  # fmt: skip


def typed(request: HttpRequest) -> dict[str, Any]:
    """What was typed, with the lists as lists."""
    given: dict[str, Any] = request.POST.dict()
    if "contributors" in given or "contributors_there" in given:
        given["contributors"] = request.POST.getlist("contributors")
    if "needs_approval_there" in given:
        given["needs_approval"] = "needs_approval" in request.POST
    return given


def _version(request: HttpRequest) -> int | None:
    given = request.POST.get("version", "")
    return int(given) if given.isdecimal() and len(given) < 10 else None


def _number(request: HttpRequest, name: str) -> int:
    given = request.POST.get(name, "")
    return int(given) if given.isdecimal() and len(given) < 18 else 0


def _change(found: Action, request: HttpRequest, actor: Actor) -> str:
    details = {name: value for name, value in typed(request).items() if name in FIELDS}
    improvements.change(found, by=actor, at=timezone.now(), version=_version(request), **details)
    return gettext("Saved.")


def _move(found: Action, request: HttpRequest, actor: Actor) -> str:
    moved = improvements.move(
        found, by=actor, at=timezone.now(), step=request.POST.get("step", ""), version=_version(request)
    )
    return gettext("%(reference)s is in the step %(step)s.") % {
        "reference": found.reference,
        "step": Step(moved.step).label,
    }


def _ship(found: Action, request: HttpRequest, actor: Actor) -> str:
    improvements.ship(
        found,
        by=actor,
        at=timezone.now(),
        public_text=request.POST.get("public_text", ""),
        version=_version(request),
    )
    return gettext("%(reference)s has shipped. Tell those who told us, and look in a while whether it helps.") % {
        "reference": found.reference
    }


def _close(found: Action, request: HttpRequest, actor: Actor) -> str:
    checking.close(
        found,
        by=actor,
        at=timezone.now(),
        standard=request.POST.get("standard", ""),
        exception=request.POST.get("exception", ""),
        version=_version(request),
    )
    return gettext("%(reference)s is closed.") % {"reference": found.reference}


def _reopen(found: Action, request: HttpRequest, actor: Actor) -> str:
    because = request.POST.get("because", "").strip()[:1000]
    checking.reopen(found, by=actor, at=timezone.now(), because=because, version=_version(request))
    return gettext("%(reference)s is open again.") % {"reference": found.reference}


def _approve(found: Action, request: HttpRequest, actor: Actor) -> str:
    plans.approve(found, by=actor, at=timezone.now(), version=_version(request))
    return gettext("%(reference)s is approved.") % {"reference": found.reference}


def _withdraw(found: Action, request: HttpRequest, actor: Actor) -> str:
    improvements.withdraw(found, by=actor, at=timezone.now(), version=_version(request))
    return gettext("%(reference)s is withdrawn.") % {"reference": found.reference}


def _expect(found: Action, request: HttpRequest, actor: Actor) -> str:
    names = (
        "theme",
        "topic",
        "segment",
        "product",
        "measure",
        "exposure",
        "direction",
        "by_percent",
        "shape",
        "lag_days",
        "control",
    )
    details = {name: request.POST[name] for name in names if name in request.POST}
    plans.expect(found, by=actor, at=timezone.now(), version=_version(request), **details)
    return gettext("Saved. The portal looks for this change once it has taken effect.")


def _comment(found: Action, request: HttpRequest, actor: Actor) -> str:
    plans.comment(found, by=actor, at=timezone.now(), text=request.POST.get("text", ""))
    return gettext("Written down.")


def _add_step(found: Action, request: HttpRequest, actor: Actor) -> str:
    given = {name: request.POST.get(f"step_{name}", "") for name in ("text", "owner", "due_at")}
    plans.add_step(found, by=actor, at=timezone.now(), **given)
    return gettext("The step is there.")


def _tick_step(found: Action, request: HttpRequest, actor: Actor) -> str:
    plans.tick_step(found, by=actor, at=timezone.now(), step=_number(request, "step"))
    return gettext("Saved.")


def _remove_step(found: Action, request: HttpRequest, actor: Actor) -> str:
    plans.remove_step(found, by=actor, at=timezone.now(), step=_number(request, "step"))
    return gettext("The step is gone.")


def _add_files(found: Action, request: HttpRequest, actor: Actor) -> str:
    added = evidence.add(found, _files(request), by=actor, at=timezone.now())
    if not added:
        return gettext("These files are there already.")
    return ngettext("The file is there.", "The files are there.", len(added))


def _remove_file(found: Action, request: HttpRequest, actor: Actor) -> str:
    evidence.remove(found, request.POST.get("file", ""), by=actor, at=timezone.now())
    return gettext("The file is gone.")


def _files(request: HttpRequest) -> list[File]:
    try:
        return attachments.sent(request.FILES.getlist("files"))
    except attachments.BadFile as reason:
        raise BadInput(str(reason), errors=(InputError("files", str(reason)),)) from None


def _publish(found: Action, request: HttpRequest, actor: Actor) -> str:
    title = request.POST.get("public_title", "")
    changes.publish(found, by=actor, at=timezone.now(), title=title, version=_version(request))
    return gettext("It stands on the public page.")


def _unpublish(found: Action, request: HttpRequest, actor: Actor) -> str:
    changes.unpublish(found, by=actor, at=timezone.now(), version=_version(request))
    return gettext("It is off the public page.")


def _link(found: Action, request: HttpRequest, actor: Actor) -> str:
    ticket = decisions.find(request.POST.get("ticket", ""), by=actor)
    improvements.link(found, ticket, by=actor, at=timezone.now())
    return gettext("%(reference)s is linked.") % {"reference": ticket.reference}


def _unlink(found: Action, request: HttpRequest, actor: Actor) -> str:
    ticket = decisions.find(request.POST.get("ticket", ""), by=actor)
    improvements.unlink(found, ticket, by=actor, at=timezone.now())
    return gettext("%(reference)s is no longer linked.") % {"reference": ticket.reference}


VERBS: Mapping[str, Callable[[Action, HttpRequest, Actor], str]] = {
    "change": _change,
    "move": _move,
    "ship": _ship,
    "close": _close,
    "reopen": _reopen,
    "approve": _approve,
    "withdraw": _withdraw,
    "expect": _expect,
    "comment": _comment,
    "add_step": _add_step,
    "tick_step": _tick_step,
    "remove_step": _remove_step,
    "add_files": _add_files,
    "remove_file": _remove_file,
    "publish": _publish,
    "unpublish": _unpublish,
    "link": _link,
    "unlink": _unlink,
}
"""By the last part of an address."""
