"""How often one address, or one system, may send through a channel: counted in the database, where every process counts the same."""

import hashlib
import hmac
import ipaddress
from collections.abc import Mapping
from datetime import datetime, timedelta
from math import ceil
from typing import Any

from django.conf import settings
from django.db import connection
from django.utils.translation import ngettext

from feedback_portal.refusals import TooMany
from intake.models import Allowance, Channel

# What a channel's setting "limits" may change: how many at once, a minute and an hour. 0 lifts a limit.
LIMITS: Mapping[str, int] = {"burst": 10, "minute": 5, "hour": 60}

_HOUR = timedelta(hours=1)
_FOREVER = timedelta(days=3650)
_ENDLESS = 2**31 - 1


def use_one(
    channel: Channel | None, address: str, *, at: datetime, door: str = "", limits: Mapping[str, int] | None = None
) -> float:
    """Count one try of this address, or refuse it with `TooMany`, which says when to come again. Answers how much of what
    it may send is used up now, from 0 to 1. Tries at another `door` of the channel are counted apart; without a channel, a door is
    a public page that is none, and what is usual holds there.

    One statement that needs no flush to disk, so exactly as many pass as the limits say, however many ask at once. A try
    that is refused costs nothing.
    """
    if limits is None:
        limits = limits_of(channel) if channel else LIMITS
    share = timedelta(seconds=60 / limits["minute"]) if limits["minute"] else timedelta()
    ahead = share * (limits["burst"] - 1) if limits["burst"] else _FOREVER
    who = _hashed(address, door)
    values: dict[str, Any] = {
        "channel": channel.pk if channel else None,
        "who": who,
        "at": at,
        "share": share,
        "ahead": ahead,
        "hour_ago": at - _HOUR,
        "hour": limits["hour"] or _ENDLESS,
    }
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO intake_allowance AS known (channel_id, address, used_until, hour_began_at, in_this_hour)"
            " VALUES (%(channel)s, %(who)s, %(at)s + %(share)s, %(at)s, 1)"
            " ON CONFLICT (channel_id, address) DO UPDATE SET"
            " used_until = greatest(known.used_until, %(at)s) + %(share)s,"
            " hour_began_at = CASE WHEN known.hour_began_at > %(hour_ago)s THEN known.hour_began_at ELSE %(at)s END,"
            " in_this_hour = CASE WHEN known.hour_began_at > %(hour_ago)s THEN known.in_this_hour + 1 ELSE 1 END"
            " WHERE known.used_until <= %(at)s + %(ahead)s"
            " AND (known.hour_began_at <= %(hour_ago)s OR known.in_this_hour < %(hour)s)"
            " RETURNING used_until, in_this_hour",
            values,
        )
        counted = cursor.fetchone()
    if counted is not None:
        used_until, in_this_hour = counted
        of_the_burst = (used_until - at) / (ahead + share) if share else 0
        return float(max(of_the_burst, in_this_hour / values["hour"]))
    used = Allowance.objects.filter(channel=channel, address=who).first()
    wait = timedelta(seconds=1)
    if used is not None:
        wait = max(wait, used.used_until - ahead - at)
        if limits["hour"] and used.in_this_hour >= limits["hour"]:
            wait = max(wait, used.hour_began_at + _HOUR - at)
    seconds = ceil(wait.total_seconds())
    raise TooMany(_asked_to_wait(seconds), retry_after=seconds)


def forget(*, at: datetime) -> int:
    """Delete what limits nobody any more; how many rows went."""
    return Allowance.objects.filter(hour_began_at__lte=at - _HOUR, used_until__lte=at).delete()[0]


def limits_of(channel: Channel, *, usual: Mapping[str, int] = LIMITS) -> dict[str, int]:
    """What the channel's setting "limits" leaves of what is usual at a door."""
    given: Any = channel.settings.get("limits")
    found = given if isinstance(given, dict) else {}
    return {
        name: min(found[name], _ENDLESS) if type(found.get(name)) is int and found[name] >= 0 else standard
        for name, standard in usual.items()
    }


def _hashed(address: str, door: str) -> str:
    """Whoever has a whole /64 of IPv6 has one address here."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        network = address[:60]
    else:
        network = str(ipaddress.ip_network((found, 64 if found.version == 6 else 32), strict=False))
    return hmac.new(settings.SECRET_KEY.encode(), f"address{door}:{network}".encode(), hashlib.sha256).hexdigest()


def _asked_to_wait(seconds: int) -> str:
    if seconds < 90:
        return ngettext(
            "So much was sent from where you are that we ask you to wait %(count)s second. Go back: what you wrote is still"
            " there, and can be sent then.",
            "So much was sent from where you are that we ask you to wait %(count)s seconds. Go back: what you wrote is still"
            " there, and can be sent then.",
            seconds,
        ) % {"count": seconds}
    minutes = ceil(seconds / 60)
    return ngettext(
        "So much was sent from where you are that we ask you to wait %(count)s minute. Go back: what you wrote is still"
        " there, and can be sent then.",
        "So much was sent from where you are that we ask you to wait %(count)s minutes. Go back: what you wrote is still"
        " there, and can be sent then.",
        minutes,
    ) % {"count": minutes}
