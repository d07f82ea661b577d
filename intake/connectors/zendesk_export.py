"""Zendesk's incremental export: page after page of the tickets that changed, from where the last visit ended."""

import base64
import re
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote

from intake.connectors.base import Ask, Request, Unreadable
from intake.connectors.desks import moment
from intake.connectors.documents import at as value_at
from intake.connectors.documents import document, text_at
from intake.connectors.moments import Unclear, moment_of

SUBDOMAIN = re.compile(r"[a-z0-9][a-z0-9-]{0,62}\Z")
_OVERLAP = timedelta(minutes=1)
_LOOKS_BACK = timedelta(days=30)


def documents(
    cursor: Mapping[str, Any],
    *,
    ask: Ask,
    settings: Mapping[str, Any],
    secrets: Mapping[str, str],
    at: datetime,
) -> Iterator[tuple[Any, Mapping[str, str]]]:
    """Each page of the export, and the cursor to keep once it is stored."""
    door, headers = _door(settings, secrets)
    stands = text_at(cursor, "cursor")
    # Up to here everything is stored. It moves on only when the end was reached.
    until = moment(text_at(cursor, "until")) or _first(settings, at)
    while True:
        started = int((min(until, at) - _OVERLAP).timestamp())
        place = f"cursor={quote(stands, safe='')}" if stands else f"start_time={started}"
        answer = ask(Request(f"{door}?{place}&per_page=500&include=users,organizations", headers=headers))
        if answer.status != 200:
            if not stands:
                raise Unreadable("Zendesk knows no such account. Correct the subdomain on the channel's page.")
            # A cursor that Zendesk no longer knows: go on by time, for what comes twice is known by its id.
            stands = ""
            continue
        found = document(answer.body)
        after = text_at(found, "after_cursor")
        is_end = not after or after == stands or value_at(found, "end_of_stream", default=True) is True
        stands, until = after or stands, at if is_end else until
        yield found, {"cursor": stands, "until": until.isoformat()}
        if is_end:
            return


def _door(settings: Mapping[str, Any], secrets: Mapping[str, str]) -> tuple[str, dict[str, str]]:
    subdomain = str(settings.get("subdomain", "")).strip().lower().removesuffix(".zendesk.com")
    email, token = str(settings.get("email", "")).strip(), secrets["api_token"]
    if not SUBDOMAIN.match(subdomain):
        raise Unreadable('The channel names no subdomain. Write the "acme" of acme.zendesk.com on the channel\'s page.')
    if not email:
        raise Unreadable(
            "The channel does not say whose API token it has. Write the agent's address on the channel's page."
        )
    proof = base64.b64encode(f"{email}/token:{token}".encode()).decode()
    return f"https://{subdomain}.zendesk.com/api/v2/incremental/tickets/cursor.json", {
        "authorization": f"Basic {proof}"
    }


def _first(settings: Mapping[str, Any], at: datetime) -> datetime:
    day = str(settings.get("since", "")).strip()
    if not day:
        return at - _LOOKS_BACK
    try:
        return moment_of(day)
    except Unclear as unclear:
        raise Unreadable(f"Fetching cannot start. {unclear}") from None
