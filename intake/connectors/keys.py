"""Private keys that sign a token for a source, however they were pasted."""

import re
from collections.abc import Mapping
from typing import Any

import jwt
from cryptography.exceptions import UnsupportedAlgorithm

from intake.connectors.base import Unreadable

_PEM = re.compile(r"-----BEGIN ([A-Z ]+)-----(.+?)-----END \1-----", re.DOTALL)


def signed(claims: Mapping[str, Any], *, key: str, algorithm: str, key_id: str = "") -> str:
    """A JSON web token; `Unreadable` where the key is none."""
    try:
        return jwt.encode(dict(claims), _mended(key), algorithm=algorithm, headers={"kid": key_id} if key_id else None)
    except (ValueError, TypeError, jwt.PyJWTError, UnsupportedAlgorithm):
        raise Unreadable(
            "The private key of this channel cannot be read. Enter the whole content of the key file again, from its first"
            " line to its last."
        ) from None


def _mended(key: str) -> str:
    """A form's single line, and JSON pasted as text, lose the line breaks without which a key cannot be read."""
    found = _PEM.search(key.replace("\\n", "\n"))
    if found is None:
        return key
    body = re.sub(r"\s+", "", found[2])
    lines = "\n".join(body[start : start + 64] for start in range(0, len(body), 64))
    return f"-----BEGIN {found[1]}-----\n{lines}\n-----END {found[1]}-----\n"
