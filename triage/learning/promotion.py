"""Which model the portal goes by: promotion, going back by hand, and what is looked at again for it."""

from datetime import datetime

import structlog
from django.db import transaction
from django.db.models.functions import Now
from django.utils.translation import gettext

from feedback_portal.accounts.permissions import Actor
from feedback_portal.marking import marked
from feedback_portal.refusals import NotAllowed, NotFound, Refused
from triage import refining
from triage.models import Artefact, ModelVersion, Training
from triage.models.learning import BY_TAXONOMY, Field, Refinement, mark_for_training

log = structlog.get_logger("portal.promotion")

KEPT = 20
"""So many versions of a field can be taken into use again; of older ones only the figures stay."""


class CannotUse(Refused):
    """This version cannot take the place of the one in use."""

    status = 409
    code = "cannot-use-model"
    title = marked("This version cannot be used")


def in_words() -> str:
    """Which version of each model is in use, for `doctor`."""
    active = {each.field: each for each in ModelVersion.objects.active().order_by("field")}
    told = []
    for field in Field:
        version = active.get(field)
        if version is None or not version.corrections:
            told.append(f"{field.label.lower()} by {'the taxonomy' if field in BY_TAXONOMY else 'words'} alone")
        else:
            pinned = ", pinned" if version.pinned_at else ""
            told.append(f"{field.label.lower()} by version {version.pk} of {version.corrections} corrections{pinned}")
    return "; ".join(told)


def use(number: int, *, by: Actor, at: datetime) -> ModelVersion:
    """Take this version into use by hand. One that is older than what it replaces is pinned, and everything nobody has touched
    is looked at again with it."""
    _may(by)
    with transaction.atomic():
        wanted = ModelVersion.objects.filter(pk=number).first()
        if wanted is None:
            raise NotFound(gettext("There is no such version. Choose one from the list."))
        current = locked(wanted.field)
        wanted.refresh_from_db(fields=["state", "artefact"])
        if wanted.state == ModelVersion.State.ACTIVE:
            raise CannotUse(gettext("This version is in use already."))
        if wanted.artefact_id is None and wanted.corrections:
            raise CannotUse(
                gettext("Only the figures of this version are kept. Choose one of the newest %(kept)s.")
                % {"kept": KEPT}
            )
        back = current is not None and wanted.pk < current.pk
        why = Refinement.Why.ROLLED_BACK if back else Refinement.Why.PROMOTED
        take_over(wanted, current, at=at, why=why, by=by, pin=back)
    log.info("taken into use", field=wanted.field, version=wanted.pk, back=back)
    return wanted


def pin(number: int, *, by: Actor, at: datetime, pinned: bool) -> ModelVersion:
    """Keep the version in use until somebody chooses another, or let better ones take its place again."""
    _may(by)
    rows = ModelVersion.objects.active().filter(pk=number)
    if not rows.update(pinned_at=at if pinned else None):
        raise CannotUse(gettext("This version is not in use (any more), so it cannot be pinned. Reload the page."))
    version = rows.get()
    if not pinned:
        train_now(version.field, by=by)
    return version


def train_now(field: str, *, by: Actor) -> None:
    """Train this field with the next free worker, instead of a minute after the next correction."""
    _may(by)
    if field not in Field.values:
        raise NotFound(gettext("There is no such model. Choose one from the list."))
    with transaction.atomic():
        mark_for_training([field], wait=0)
        Training.objects.waiting().filter(field=field, attempts=0).update(next_attempt_at=Now())


def mark_all() -> None:
    """What the clock asks for at night: whatever changed without a correction, such as a topic's words, is learned then."""
    with transaction.atomic():
        mark_for_training(Field.values, wait=0)


def locked(field: str) -> ModelVersion | None:
    return ModelVersion.objects.active().of(field).select_for_update().first()


def take_over(
    version: ModelVersion,
    current: ModelVersion | None,
    *,
    at: datetime,
    why: str,
    by: Actor | None = None,
    pin: bool = False,
) -> None:
    """`current` leaves, `version` comes, and what nobody has touched is to be looked at again. `current` must be locked."""
    if current is not None:
        ModelVersion.objects.filter(pk=current.pk).update(state=ModelVersion.State.RETIRED, pinned_at=None)
    version.state, version.why_rejected = ModelVersion.State.ACTIVE, ""
    version.activated_at, version.activated_by = at, by.user if by else None
    version.pinned_at = at if pin else None
    version.looked_again = refining.mark_untouched(why=why)
    version.save(update_fields=["state", "why_rejected", "activated_at", "activated_by", "pinned_at", "looked_again"])


def forget_old(field: str) -> None:
    """Of versions that nobody will go back to only the figures are kept."""
    rows = ModelVersion.objects.of(field)
    kept = list(rows.newest_first().values_list("pk", flat=True)[:KEPT])
    rows.exclude(pk__in=kept).exclude(state=ModelVersion.State.ACTIVE).update(artefact=None)
    Artefact.objects.filter(versions=None).delete()


def _may(by: Actor) -> None:
    if not by.may_set_up:
        raise NotAllowed(gettext("Only administrators may choose what the portal goes by. Ask one of them."))
