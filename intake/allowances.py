"""How often one address may send through a channel: counted in the database, where every process counts the same."""

import hashlib
import hmac
import ipaddress
from collections.abc import Mapping
from datetime import datetime, timedelta
from math import ceil
from typing import Any

from django.conf import settings
from django.db import connection

from feedback_portal.refusals import TooMany
from intake.models import Allowance, Channel

# What a channel's setting "limits" may change: how many at once, a minute and an hour. 0 lifts a limit.
LIMITS: Mapping[str, int] = {"burst": 10, "minute": 5, "hour": 60}

_FOREVER = timedelta(days=3650)


def use_one(channel: Channel, address: str, *, at: datetime) -> None:
    """Count one try of this address, or refuse it with `TooMany`, which says when to come again.

    One statement that needs no flush to disk. For each limit, what is used up is a moment in time: each try moves it on by
    its share, and a try is refused while the moment lies too far ahead. So exactly as many pass as the limits say, however
    many ask at once.
    """
    limits = _limits(channel)
    minute_share, hour_share = _share(60, limits["minute"]), _share(3600, limits["hour"])
    minute_room = minute_share * max(limits["burst"] - 1, 0) if limits["burst"] else _FOREVER
    hour_room = hour_share * (limits["hour"] - 1) if limits["hour"] else _FOREVER
    who = _hashed(address)
    values: dict[str, Any] = {
        "channel": channel.pk,
        "who": who,
        "at": at,
        "minute": minute_share,
        "hour": hour_share,
        "minute_room": minute_room,
        "hour_room": hour_room,
    }
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO intake_allowance AS known (channel_id, address, minute_used_until, hour_used_until)"
            " VALUES (%(channel)s, %(who)s, %(at)s + %(minute)s, %(at)s + %(hour)s)"
            " ON CONFLICT (channel_id, address) DO UPDATE SET"
            " minute_used_until = greatest(known.minute_used_until, %(at)s) + %(minute)s,"
            " hour_used_until = greatest(known.hour_used_until, %(at)s) + %(hour)s"
            " WHERE known.minute_used_until <= %(at)s + %(minute_room)s AND known.hour_used_until <= %(at)s + %(hour_room)s",
            values,
        )
        if cursor.rowcount:
            return
    used = Allowance.objects.filter(channel=channel, address=who).first()
    wait = timedelta(seconds=1)
    if used is not None:
        wait = max(wait, used.minute_used_until - minute_room - at, used.hour_used_until - hour_room - at)
    seconds = ceil(wait.total_seconds())
    raise TooMany(
        f"So much was sent from where you are that we ask you to wait {_spoken(seconds)}. Go back: what you wrote is still"
        " there, and can be sent then.",
        retry_after=seconds,
    )


def forget(*, at: datetime) -> int:
    """Delete what limits nobody any more; how many rows went."""
    return Allowance.objects.filter(hour_used_until__lt=at, minute_used_until__lt=at).delete()[0]


def _limits(channel: Channel) -> dict[str, int]:
    given: Any = channel.settings.get("limits")
    found = given if isinstance(given, dict) else {}
    return {
        name: found[name] if type(found.get(name)) is int and found[name] >= 0 else usual
        for name, usual in LIMITS.items()
    }


def _share(seconds: int, limit: int) -> timedelta:
    return timedelta(seconds=seconds / limit) if limit else timedelta()


def _hashed(address: str) -> str:
    """Whoever has a whole /64 of IPv6 has one address here."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        network = address[:60]
    else:
        network = str(ipaddress.ip_network((found, 64 if found.version == 6 else 32), strict=False))
    return hmac.new(settings.SECRET_KEY.encode(), b"address:" + network.encode(), hashlib.sha256).hexdigest()


def _spoken(seconds: int) -> str:
    if seconds < 90:
        return "one second" if seconds == 1 else f"{seconds} seconds"
    return f"{ceil(seconds / 60)} minutes"
