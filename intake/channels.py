"""The ways in, set up: of what kind they are, what they are told, their secrets, and the address their senders call."""

import re
import uuid
from collections.abc import Mapping
from typing import Any

from django.conf import settings as portal
from django.db import IntegrityError, transaction
from django.urls import reverse
from django.utils.translation import gettext

from feedback_portal import outgoing
from feedback_portal.accounts.models import hashed
from feedback_portal.marking import marked
from feedback_portal.refusals import BadInput, InputError
from intake import polling
from intake.cleaning import clean_line, clean_text
from intake.connectors import connectors
from intake.connectors.base import Connector, PushConnector
from intake.hooks import OLD
from intake.models import Channel

_SLUG = re.compile(r"[-a-zA-Z0-9_]{1,60}\Z")
_LONGEST = 2000
# A secret may be a private key of several lines.
_LONGEST_SECRET = 10_000


def offered() -> list[Connector]:
    """The kinds that a channel can be added of, by name."""
    return sorted((each for each in connectors.all() if each.is_offered), key=lambda each: each.name.lower())


def create(
    kind: str,
    *,
    slug: str,
    name: str,
    settings: Mapping[str, Any] | None = None,
    secrets: Mapping[str, str] | None = None,
) -> Channel:
    """A channel that takes feedback in at once; one whose sender calls us has its address. `BadInput` names every place that
    is wrong; what its connector does not ask for is kept as it is given."""
    if kind not in connectors:
        raise _wrong("kind", gettext("Choose one of the kinds there are."))
    connector = connectors.get(kind)
    errors = [] if _SLUG.match(slug) else [InputError("slug", gettext(_BAD_SLUG))]
    channel = Channel(slug=slug, kind=kind)
    channel.name = _named(name, errors)
    channel.settings = _settings(connector, settings or {}, errors)
    channel.secrets = _secrets(connector, secrets or {}, {}, errors)
    _raise(errors)
    if isinstance(connector, PushConnector):
        channel.hook_hash = hashed(channel.hook_key)
    try:
        with transaction.atomic():
            channel.save(force_insert=True)
            polling.begin(channel)
    except IntegrityError:
        raise _wrong("slug", gettext("There is a channel with this slug already. Choose another.")) from None
    return channel


def change(
    channel: Channel,
    *,
    name: str | None = None,
    settings: Mapping[str, Any] | None = None,
    secrets: Mapping[str, str] | None = None,
) -> None:
    """Change what is given and leave the rest. An empty secret leaves what is there; see `rotate_secret` for another one."""
    with transaction.atomic():
        row = Channel.objects.select_for_update().get(pk=channel.pk)
        connector, errors = row.connector, list[InputError]()
        if name is not None:
            row.name = _named(name, errors)
        if settings is not None:
            row.settings = _settings(connector, {**row.settings, **settings}, errors)
        if secrets is not None:
            row.secrets = _secrets(connector, secrets, row.secrets, errors)
        _raise(errors)
        row.save(update_fields=["name", "settings", "sealed_secrets"])
        if row.is_enabled:
            # What was told anew may mend what stopped it.
            polling.begin(row)
    channel.refresh_from_db()


def switch(channel: Channel, *, is_enabled: bool) -> None:
    """Let a channel take feedback in, or close it; what it took in stays."""
    channel.is_enabled = is_enabled
    with transaction.atomic():
        channel.save(update_fields=["is_enabled"])
        if not is_enabled:
            polling.stop(channel)
        elif channel.kind in connectors:
            polling.begin(channel)


def rotate_secret(channel: Channel, name: str, secret: str) -> None:
    """Put another secret in the place of one. The one before holds beside it, for calls that are on their way and a sender
    that is changed later, until `drop_old_secrets`."""
    change(channel, secrets={name: secret})


def drop_old_secrets(channel: Channel) -> None:
    with transaction.atomic():
        row = Channel.objects.select_for_update().get(pk=channel.pk)
        row.secrets = {name: secret for name, secret in row.secrets.items() if not name.endswith(OLD)}
        row.save(update_fields=["sealed_secrets"])
    channel.refresh_from_db()


def is_called(channel: Channel) -> bool:
    """Whether its sender calls us, rather than we ask it or take its files."""
    return channel.kind in connectors and isinstance(channel.connector, PushConnector)


def address(channel: Channel) -> str:
    """What its sender calls; empty where there is none, or where it was made under another secret key and cannot be told."""
    if not is_called(channel) or channel.hook_hash != hashed(channel.hook_key):
        return ""
    return portal.BASE_URL + reverse("intake:hook", args=[channel.hook_key])


def new_address(channel: Channel) -> str:
    """Another address; the one before leads nowhere from now on."""
    channel.hook_salt = uuid.uuid4()
    channel.hook_hash = hashed(channel.hook_key)
    channel.save(update_fields=["hook_salt", "hook_hash"])
    return address(channel)


_BAD_SLUG = marked("Write a short name of up to 60 letters, digits and dashes, as in after-repair.")


def _named(name: str, errors: list[InputError]) -> str:
    clean = clean_line(name, longest=120)
    if not clean:
        errors.append(InputError("name", gettext("Give it a name.")))
    return clean


def _settings(connector: Connector, given: Mapping[str, Any], errors: list[InputError]) -> dict[str, Any]:
    """What was given, with what the connector asks for checked; what was left empty is left out."""
    kept = dict(given)
    for asked in connector.asks:
        if asked.is_secret:
            kept.pop(asked.name, None)
            continue
        value = kept.pop(asked.name, "")
        known = {choice for choice, _ in asked.choices}
        if isinstance(value, bool):
            # Programs say true where the page offers "yes".
            value = "yes" if value else "no" if "no" in known else ""
        text = clean_line(value, longest=_LONGEST) if isinstance(value, str) else ""
        if known and text and text not in known:
            errors.append(InputError(asked.name, gettext("Choose one of those offered.")))
        elif asked.is_required and not text:
            errors.append(
                InputError(asked.name, gettext("%(label)s: this is needed.") % {"label": gettext(asked.label)})
            )
        elif text:
            kept[asked.name] = text
            if asked.is_called and (trouble := outgoing.why_not_called(text)):
                errors.append(InputError(asked.name, trouble))
    return kept


def _secrets(
    connector: Connector, given: Mapping[str, str], stored: Mapping[str, str], errors: list[InputError]
) -> dict[str, str]:
    kept = dict(stored)
    for asked in connector.asks:
        if not asked.is_secret:
            continue
        secret = clean_text(given.get(asked.name, ""), longest=_LONGEST_SECRET)
        before = stored.get(asked.name, "")
        if secret and secret != before:
            kept[asked.name] = secret
            if before and isinstance(connector, PushConnector):
                kept[asked.name + OLD] = before
        elif asked.is_required and not before and not secret:
            errors.append(
                InputError(asked.name, gettext("%(label)s: this is needed.") % {"label": gettext(asked.label)})
            )
    return kept


def _raise(errors: list[InputError]) -> None:
    if errors:
        raise BadInput(gettext("Correct what is marked and send it again."), errors=tuple(errors))


def _wrong(path: str, message: str) -> BadInput:
    return BadInput(message, errors=(InputError(path, message),))
