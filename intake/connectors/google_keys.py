"""What a service account of Google is given for its key: a token for one right, for half an hour."""

import json
from datetime import datetime, timedelta
from urllib.parse import urlencode

from intake.connectors.base import Ask, Request, Unreadable
from intake.connectors.documents import document, text_at
from intake.connectors.keys import signed

# Fixed, for what a key file names as the place to send signed tokens to need not be Google's.
_TOKENS = "https://oauth2.googleapis.com/token"


def access(ask: Ask, key_file: str, *, right: str, at: datetime) -> str:
    """A token that opens what the account may read. `key_file` is the whole content of its JSON key file."""
    try:
        account = json.loads(key_file)
    except ValueError:
        account = None
    if not isinstance(account, dict) or not text_at(account, "client_email"):
        raise Unreadable(
            "The key of the service account is no JSON key file. Enter the whole content of the file again."
        )
    claims = {
        "iss": text_at(account, "client_email"),
        "scope": right,
        "aud": _TOKENS,
        "iat": at,
        "exp": at + timedelta(minutes=30),
    }
    token = signed(
        claims, key=text_at(account, "private_key"), algorithm="RS256", key_id=text_at(account, "private_key_id")
    )
    body = urlencode({"grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer", "assertion": token}).encode()
    answer = ask(
        Request(_TOKENS, method="POST", headers={"Content-Type": "application/x-www-form-urlencoded"}, body=body)
    )
    opened = text_at(document(answer.body), "access_token")
    if not opened:
        raise Unreadable("Google gave no access token for this key. Check the service account.")
    return opened
