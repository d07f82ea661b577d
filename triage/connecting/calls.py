"""Calls of trackers: verified on the bytes as they came, and taken as a doorbell for the issue they are about."""

import json

import structlog
from django.utils.translation import gettext

from feedback_portal.accounts.models import hashed
from feedback_portal.refusals import NotFound
from feedback_portal.sealing import Unsealable
from intake.connectors.base import Call, Forged
from intake.hooks import CannotVerify, NotGenuine
from triage.connecting import issues
from triage.connecting.trackers import trackers
from triage.models import TrackerProject

log = structlog.get_logger("portal.trackers")

LARGEST = 2 * 1024 * 1024


def take(key: str, call: Call) -> int:
    """Ring the issue that a genuine call is about; how many links of it there are here. Nothing of the call is kept, for the
    issue is read from the tracker itself.

    `NotFound` where no project that is switched on has this key, `NotGenuine` where the signature does not hold.
    """
    project = TrackerProject.objects.filter(hook_hash=hashed(key), is_enabled=True).first()
    if project is None or project.kind not in trackers:
        raise NotFound(gettext("There is nothing at this address. Copy the address from the tracker's page."))
    tracker = trackers.get(project.kind)
    try:
        tracker.verify(call, project.secrets.get("hook_secret", ""))
    except Forged as reason:
        log.warning("forged call", project=project.pk, kind=project.kind, reason=str(reason))
        raise NotGenuine(
            gettext("Sign the call with the secret of this project, and send it when it is signed.")
        ) from None
    except Unsealable:
        log.exception("secrets cannot be read", project=project.pk)
        raise CannotVerify(
            gettext("Try it again later. Whoever runs the portal finds the reason in its log.")
        ) from None
    try:
        about = tracker.told_of(json.loads(call.body), project.settings)
    except (ValueError, RecursionError):
        # Genuine and not understood, such as a greeting in another shape: there is nothing to send again.
        about = ""
    return issues.ring(project, [about]) if about else 0
