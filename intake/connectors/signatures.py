"""Signatures of webhooks, checked in constant time on the bytes as they were sent."""

import base64
import binascii
import hashlib
import hmac
from datetime import UTC, datetime, timedelta

from intake.connectors.base import Forged

TOLERANCE = timedelta(minutes=5)


def signed(key: bytes, content: bytes, *, digest: str = "sha256", encoding: str = "base64") -> str:
    """The HMAC of `content`, in base64 or hex."""
    made = hmac.new(key, content, getattr(hashlib, digest)).digest()
    return base64.b64encode(made).decode() if encoding == "base64" else made.hex()


def check(
    given: str, key: str, content: bytes, *, prefix: str = "", digest: str = "sha256", encoding: str = "base64"
) -> None:
    """Raise `Forged` unless `given` is the HMAC of `content`. An unset key proves nothing, so it refuses everything."""
    if not key:
        raise Forged("This channel has no signing secret. Set one on the channel's page.")
    wanted = prefix + signed(key.encode(), content, digest=digest, encoding=encoding)
    if not same(given, wanted):
        raise Forged("The signature does not fit the bytes.")


def check_standard(headers_id: str, stamp: str, given: str, secret: str, body: bytes, *, at: datetime) -> None:
    """Standard Webhooks 1.0: `v1,` signatures over id.timestamp.body, several separated by spaces."""
    try:
        key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not key:
        raise Forged("This channel's signing secret is missing or is not base64. Set it on the channel's page.")
    check_age(stamp, at=at)
    wanted = "v1," + signed(key, f"{headers_id}.{stamp}.".encode() + body)
    if not any(same(each, wanted) for each in given.split(" ")[:10]):
        raise Forged("None of the signatures fits the bytes.")


def check_age(stamp: str, *, at: datetime, unit: float = 1.0) -> None:
    """Raise `Forged` unless the time (seconds since 1970 times `unit`, or ISO 8601) lies within five minutes of now."""
    try:
        if stamp.isascii() and stamp.isdigit() and len(stamp) <= 15:
            sent_at = datetime.fromtimestamp(int(stamp) / unit, UTC)
        else:
            sent_at = datetime.fromisoformat(stamp)
        late = abs(at - sent_at)
    except (ValueError, OverflowError, OSError, TypeError):
        raise Forged("It names no time it was sent at.") from None
    if late > TOLERANCE:
        raise Forged("It was sent more than five minutes from now.")


def same(given: str, wanted: str) -> bool:
    return hmac.compare_digest(given.encode("utf-8", "replace"), wanted.encode())
