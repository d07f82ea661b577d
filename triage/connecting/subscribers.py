"""Subscribers: set up, their secrets renewed, tried, switched off and on, and told again what they missed."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from django.db import connection, transaction
from django.db.models import F
from django.db.models.functions import Now
from django.utils.translation import gettext

from feedback_portal.accounts.models import Team
from feedback_portal.accounts.permissions import Actor
from feedback_portal.marking import marked
from feedback_portal.refusals import BadInput, InputError, NotAllowed, NotFound, Refused
from triage import inputs
from triage.connecting import addresses, announcing, signing
from triage.connecting.kinds import KINDS, LOGS
from triage.models import Announcement, Subscriber

MOST_SUBSCRIBERS: Final = 50
MOST_SECRETS: Final = 3
MOST_TOLD_AGAIN: Final = 10_000
TOLD_AGAIN_WITHIN: Final = timedelta(days=30)
TEST_KIND: Final = "portal.test"


class StaleSubscriber(Refused):
    status = 409
    code = "stale-webhook"
    title = marked("Somebody was quicker")


class NotNow(Refused):
    status = 409
    code = "not-now"
    title = marked("This webhook cannot do that now")


@dataclass(frozen=True)
class Again:
    """How many were put back on the way, and how many events it was never told of are on the way now."""

    parked: int
    missed: int


def find(number: int, *, by: Actor) -> Subscriber:
    _may(by)
    found = Subscriber.objects.select_related("team", "created_by").filter(pk=number if number < 2**63 else 0).first()
    if found is None:
        raise NotFound(gettext("There is no such webhook. It may have been deleted; look at the list of webhooks."))
    return found


def create(given: Any, *, by: Actor, at: datetime) -> tuple[Subscriber, str]:
    """A subscriber that is told from now on, and its secret, which is told this once."""
    _may(by)
    values = inputs.read(given, _FIELDS, required=("name", "url", "kinds"))
    if Subscriber.objects.count() >= MOST_SUBSCRIBERS:
        raise BadInput(
            gettext("There are %(most_subscribers)s webhooks already. Delete one that nobody needs.")
            % {"most_subscribers": MOST_SUBSCRIBERS}
        )
    secret = signing.new_secret()
    made = Subscriber(**values, created_by=by.user or (by.key.created_by if by.key else None))
    made.dated_secrets = {at.isoformat(): secret}
    made.save(force_insert=True)
    return made, secret


def change(subscriber: Subscriber, given: Any, *, by: Actor, version: int | None = None) -> Subscriber:
    """Change what is given and leave the rest."""
    _may(by)
    values = inputs.read(given, _FIELDS)
    seen = subscriber.version if version is None else version
    stands = Subscriber.objects.filter(pk=subscriber.pk, version=seen)
    if not stands.update(version=F("version") + 1, **values):
        raise StaleSubscriber(
            gettext("Somebody changed %(name)s while you looked. Look at it as it is now.") % {"name": subscriber.name}
        )
    return find(subscriber.pk, by=by)


def delete(subscriber: Subscriber, *, by: Actor) -> None:
    """With everything it was told."""
    _may(by)
    Subscriber.objects.filter(pk=subscriber.pk).delete()


def renew_secret(subscriber: Subscriber, *, by: Actor, at: datetime) -> str:
    """Another secret, told this once. Those before sign beside it until `drop_old_secrets`."""
    _may(by)
    with transaction.atomic():
        row = Subscriber.objects.select_for_update(no_key=True).get(pk=subscriber.pk)
        known = row.dated_secrets
        if len(known) >= MOST_SECRETS:
            raise NotNow(
                gettext("%(most_secrets)s secrets sign its calls already. Let the old ones go first.")
                % {"most_secrets": MOST_SECRETS}
            )
        secret = signing.new_secret()
        row.dated_secrets = {**known, at.isoformat(): secret}
        row.save(update_fields=["sealed_secrets"])
    return secret


def drop_old_secrets(subscriber: Subscriber, *, by: Actor) -> None:
    """Only the newest secret signs from now on."""
    _may(by)
    with transaction.atomic():
        row = Subscriber.objects.select_for_update(no_key=True).get(pk=subscriber.pk)
        known = row.dated_secrets
        row.dated_secrets = {made: known[made] for made in sorted(known)[-1:]}
        row.save(update_fields=["sealed_secrets"])


def switch_on(subscriber: Subscriber, *, by: Actor) -> None:
    """Told again from now on; what it missed meanwhile is told by `tell_again`."""
    _may(by)
    Subscriber.objects.filter(pk=subscriber.pk).update(
        switched_off_at=None, off_reason="", failures=0, paused_until=None
    )


def switch_off(subscriber: Subscriber, *, by: Actor) -> None:
    _may(by)
    with transaction.atomic():
        announcing.switch_off(subscriber)


def test(subscriber: Subscriber, *, by: Actor, at: datetime) -> Announcement:
    """Send something that says it is a test, by the same way as everything else."""
    _may(by)
    _is_on(subscriber)
    return Announcement.objects.create(
        subscriber=subscriber,
        log=Announcement.TEST,
        number=int(at.timestamp() * 1_000_000),
        subject=0,
        kind=TEST_KIND,
    )


def send_again(subscriber: Subscriber, number: int, *, by: Actor) -> Announcement:
    """One announcement, whatever came of it, under the id it has; its schedule begins anew."""
    _may(by)
    _is_on(subscriber)
    row = Announcement.objects.filter(subscriber=subscriber, pk=number if number < 2**63 else 0)
    # What is being sent this moment is left alone, or it would be sent twice at once.
    if not row.filter(lease_token=None).update(
        completed_at=None, parked_at=None, attempts=0, failures=0, next_attempt_at=Now()
    ):
        raise NotNow(gettext("This is being sent at this moment, or it was deleted for its age. Reload the page."))
    return row.get()


def tell_again(subscriber: Subscriber, *, by: Actor, since: datetime, at: datetime) -> Again:
    """Everything since then that failed, or that happened while the webhook was off, under the ids it would have had."""
    _may(by)
    _is_on(subscriber)
    if not at - TOLD_AGAIN_WITHIN <= since <= at:
        message = gettext("Choose a time within the last %(days)s days.") % {"days": TOLD_AGAIN_WITHIN.days}
        raise BadInput(message, errors=(InputError("since", message),))
    with transaction.atomic():
        parked = Announcement.objects.filter(subscriber=subscriber, made_at__gte=since).replay()
        missed = 0
        for log in LOGS:
            missed += _announce_missed(subscriber, log, since=since, most=MOST_TOLD_AGAIN - missed)
    return Again(parked, missed)


_ABOUT: Final[Mapping[str, str]] = {
    "ticket": "coalesce(e.ticket_id, -e.item_id)",
    "theme": "e.theme_id",
    "action": "e.action_id",
}


def _announce_missed(subscriber: Subscriber, log: str, *, since: datetime, most: int) -> int:
    """What the trigger would have written; the constraint knows what it did write."""
    types = [kind.partition(".")[2] for kind in subscriber.kinds if kind.startswith(f"{log}.")]
    if not types or most <= 0:
        return 0
    table = connection.ops.quote_name(LOGS[log]._meta.db_table)
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO triage_announcement (subscriber_id, log, number, subject, kind)"
            f" SELECT %(subscriber)s, %(log)s, e.id, {_ABOUT[log]}, %(log)s || '.' || e.type FROM {table} e"
            " WHERE e.type = ANY(%(types)s) AND e.occurred_at >= %(since)s AND NOT EXISTS (SELECT FROM triage_announcement a"
            " WHERE a.subscriber_id = %(subscriber)s AND a.log = %(log)s AND a.number = e.id)"
            " ORDER BY e.id LIMIT %(most)s ON CONFLICT DO NOTHING",
            {"subscriber": subscriber.pk, "log": log, "types": types, "since": since, "most": most},
        )
        return int(cursor.rowcount)


def _is_on(subscriber: Subscriber) -> None:
    if subscriber.switched_off_at is not None:
        raise NotNow(gettext("%(name)s is switched off. Switch it on first.") % {"name": subscriber.name})


def _may(by: Actor) -> None:
    if not by.may_set_up:
        raise NotAllowed(gettext("Only administrators may change which systems are told. Ask one of them."))


def _url(given: Any) -> str:
    text = given.strip() if isinstance(given, str) else ""
    if len(text) > 2000:
        raise ValueError(gettext("This is longer than 2000 characters."))
    if trouble := addresses.why_not(text):
        raise ValueError(trouble)
    return text


def _kinds(given: Any) -> list[str]:
    if not isinstance(given, list) or not all(isinstance(each, str) for each in given):
        raise ValueError(gettext("Send a list of kinds."))
    unknown = [each for each in given if each not in KINDS]
    if unknown:
        raise ValueError(gettext("There is no kind %(kind)s. Choose of those listed.") % {"kind": unknown[0][:40]})
    if not given:
        raise ValueError(gettext("Choose at least one kind of event."))
    return sorted(set(given))


_FIELDS: Final[Mapping[str, inputs.Reader]] = {
    "name": inputs.line(120, marked("Give it a name.")),
    "url": _url,
    "kinds": _kinds,
    "team": inputs.known(Team.objects.all(), marked("There is no such team.")),
    "tells_persons": inputs.flag,
}
