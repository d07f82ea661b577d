"""Secrets and sealed texts at rest: readable by the portal's own key and by nobody who only has the database."""

import base64
import hashlib
import json
from collections.abc import Mapping
from functools import lru_cache

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings


class Unsealable(Exception):
    """It was sealed with a key the portal no longer has."""


def seal(content: bytes) -> bytes:
    return _keys(settings.SECRET_KEY, tuple(settings.SECRET_KEY_FALLBACKS)).encrypt(content)


def unseal(sealed: bytes) -> bytes:
    try:
        return _keys(settings.SECRET_KEY, tuple(settings.SECRET_KEY_FALLBACKS)).decrypt(sealed)
    except InvalidToken:
        raise Unsealable(
            "It was sealed with another PORTAL_SECRET_KEY. Add the old one to PORTAL_OLD_SECRET_KEYS, or enter it anew."
        ) from None


def seal_texts(texts: Mapping[str, str]) -> bytes:
    """Named secrets in one sealed piece; nothing to seal gives nothing."""
    return seal(json.dumps(dict(texts), sort_keys=True).encode()) if texts else b""


def unseal_texts(sealed: bytes) -> dict[str, str]:
    return dict(json.loads(unseal(sealed))) if sealed else {}


@lru_cache(maxsize=4)
def _keys(current: str, earlier: tuple[str, ...]) -> MultiFernet:
    return MultiFernet([Fernet(_key(each)) for each in (current, *earlier)])


def _key(secret: str) -> bytes:
    # The secret is long and random, so one keyed hash with a purpose is derivation enough.
    return base64.urlsafe_b64encode(hashlib.blake2b(b"sealing", key=secret.encode()[:64], digest_size=32).digest())
