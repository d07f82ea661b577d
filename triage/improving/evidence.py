"""Files that show what an action found, changed and reached; whoever sees the action sees them."""

import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from django.db import transaction
from django.utils.translation import gettext

from feedback_portal.accounts.permissions import Actor
from feedback_portal.refusals import BadInput, InputError, NotFound
from intake import attachments
from intake.connectors.base import File
from intake.models import Attachment
from triage.improving.improvements import tell
from triage.models import Action, ActionEvent, ActionFile

MOST: Final = 30
"""So many files one action holds."""


def of(action: Action) -> list[ActionFile]:
    return list(action.files.select_related("attachment", "person", "key").order_by("pk"))


def add(action: Action, files: Sequence[File], *, by: Actor, at: datetime) -> list[ActionFile]:
    """Keep these files, which `attachments.checked` has let through, all or none; one that is there already stays once."""
    if not files:
        raise _wrong(gettext("Choose a file first."))
    rows = attachments.stored(files)
    try:
        made = _keep(action, rows, by=by, at=at)
    except BaseException:
        attachments.discard(rows)
        raise
    attachments.discard(row for row in rows if row.pk is None)
    return made


def remove(action: Action, public_id: str, *, by: Actor, at: datetime) -> None:
    """Take a file away for good; that it was there, and under which name, stays in the history."""
    with transaction.atomic():
        found = find(action, public_id)
        attachments.forget([found])
        tell(action, ActionEvent.Type.FILED, {"removed": found.name}, by=by, at=at)


def find(action: Action, public_id: str) -> Attachment:
    try:
        found = Attachment.objects.filter(action_file__action=action, public_id=uuid.UUID(public_id)).first()
    except ValueError:
        found = None
    if found is None:
        raise NotFound(gettext("This file is not there any more. Reload the page."))
    return found


def downloadable(public_id: str, *, by: Actor) -> Attachment | None:
    """The file of this id, if it belongs to an action that this actor sees."""
    actions = Action.objects.visible_to(by).values("pk")
    return Attachment.objects.filter(action_file__action__in=actions, public_id=public_id).first()


@transaction.atomic
def _keep(action: Action, rows: Sequence[Attachment], *, by: Actor, at: datetime) -> list[ActionFile]:
    # Two who add at once count each other's.
    Action.objects.select_for_update().get(pk=action.pk)
    known = {bytes(each) for each in action.files.values_list("attachment__sha256", flat=True)}
    fresh = list({row.sha256: row for row in rows if row.sha256 not in known}.values())
    if len(known) + len(fresh) > MOST:
        raise _wrong(
            gettext("%(reference)s holds %(most)s files at most. Remove one of them first.")
            % {"reference": action.reference, "most": MOST}
        )
    attachments.kept(fresh, [None] * len(fresh))
    for row in fresh:
        tell(action, ActionEvent.Type.FILED, {"added": row.name}, by=by, at=at)
    return ActionFile.objects.bulk_create(
        ActionFile(action=action, attachment=row, person=by.user, key=by.key, added_at=at) for row in fresh
    )


def _wrong(message: str) -> BadInput:
    return BadInput(message, errors=(InputError("files", message),))
