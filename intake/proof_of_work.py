"""Proof of work instead of a puzzle: a device that looks like a program's spends a second of arithmetic, and no third party is asked."""

import hashlib
import hmac
import secrets
from datetime import UTC, datetime, timedelta
from typing import Any

import altcha
from django.conf import settings
from django.db import connection
from django.utils.translation import gettext

from feedback_portal.marking import marked
from feedback_portal.refusals import BadInput
from intake.models import Form, SpentProof

LASTS = timedelta(minutes=10)
# About a second of a slow phone's time: so many derivations at most, of so many rounds each.
ROUNDS = 4_000
_MOST_TRIES = 200
_LONGEST = 4_000


class BadProof(BadInput):
    code = "bad-proof"
    title = marked("This proof does not hold")


def challenge(form: Form, *, at: datetime) -> dict[str, Any]:
    """A challenge of this form's, to be solved by `proof_worker.js`. The answer lies at a random count in the upper half,
    so nobody is done at once and nobody is unlucky."""
    made = altcha.create_challenge(
        "PBKDF2/SHA-256",
        ROUNDS,
        counter=_MOST_TRIES // 2 + secrets.randbelow(_MOST_TRIES // 2),
        expires_at=at + LASTS,
        data={"form": form.pk},
        hmac_secret=_secret(),
    )
    return made.to_dict()


def spend(form: Form, payload: str, *, at: datetime) -> None:
    """Take a solved challenge of this form's, once; `BadProof` for whatever is not one."""
    if len(payload) > _LONGEST or not altcha.verify_solution(payload, _secret()).verified:
        raise BadProof(gettext("Open the page again, so that your device can try once more."))
    # Verified, so these are our own words; only the time is asked anew, for the caller says what time it is.
    solved = altcha.Payload.from_base64(payload).challenge
    expires_at = datetime.fromtimestamp(int(solved.parameters.expires_at or 0), UTC)
    if solved.parameters.data != {"form": form.pk} or expires_at <= at:
        raise BadProof(gettext("Open the page again, so that your device can try once more."))
    # The signature stands for the challenge: it covers every part of it.
    name = hashlib.sha256(str(solved.signature).encode()).hexdigest()
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO intake_spentproof (challenge, expires_at) VALUES (%s, %s) ON CONFLICT DO NOTHING",
            [name, expires_at],
        )
        if not cursor.rowcount:
            raise BadProof(
                gettext("This proof was used before. Open the page again, so that your device can make another.")
            )


def forget(*, at: datetime) -> int:
    """Delete what could not be spent again anyway; how many rows went."""
    return SpentProof.objects.filter(expires_at__lte=at).delete()[0]


def _secret() -> bytes:
    return hmac.new(settings.SECRET_KEY.encode(), b"proof of work", hashlib.sha256).digest()
