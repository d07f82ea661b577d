"""How our calls are signed: Standard Webhooks 1.0, by every secret that is active, so that a receiver may change its own at leisure."""

import base64
import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime

from intake.connectors.signatures import signed

PREFIX = "whsec_"


def new_secret() -> str:
    """256 random bits, as receivers' libraries take them."""
    return PREFIX + base64.b64encode(secrets.token_bytes(32)).decode()


def headers(keys: Sequence[str], *, message: str, body: bytes, at: datetime) -> Mapping[str, str]:
    """The three headers of a message; `webhook-signature` holds one `v1,` signature a secret over `id.timestamp.body`."""
    stamp = str(int(at.timestamp()))
    content = f"{message}.{stamp}.".encode() + body
    made = [f"v1,{signed(base64.b64decode(key.removeprefix(PREFIX)), content)}" for key in keys]
    return {"webhook-id": message, "webhook-timestamp": stamp, "webhook-signature": " ".join(made)}
