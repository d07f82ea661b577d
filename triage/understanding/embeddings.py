"""The vectors of texts: encoded once, kept by the text's hash, forgotten with the last item that says it.

An item's text is `Text.whole` (title, line break, text): quoted mail and personal data are gone from it since intake.
"""

import os
import threading
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from heapq import nlargest

import numpy as np
from django.conf import settings
from django.db.models import Exists, OuterRef, QuerySet
from numpy.typing import NDArray

from triage import encoder
from triage.encoder import MOST_CHARACTERS, Encoder, Vector
from triage.models import Analysis, Embedding, ProviderAnswer

MOST_ROWS = 100_000
"""Vectors in one matrix at most; 77 MB."""
_AT_ONCE = 2_000
_KEPT_AS = np.dtype("<f2")
# A text without an item yet (one being typed into a preview, a topic's words) is worth keeping for so long.
_KEPT_UNUSED = timedelta(days=1)
_MOST_FORGOTTEN = 20_000


@dataclass(frozen=True)
class State:
    """Whether sentences are compared by meaning here; `found` is a sentence, `advice` one that says what to do if not."""

    works: bool
    found: str
    advice: str = ""


@dataclass(frozen=True)
class Near:
    item: int
    cosine: float


def vectors_of(texts: Sequence[str], *, encode: int) -> list[Vector | None]:
    """A vector (384 numbers, of length 1 within a thousandth) for each text; None where it says nothing or is not known: of
    those that are not known, at most `encode` are encoded now, in order, and kept. One SELECT and one INSERT for up to 1,000
    texts that are new.

    The same text has the same vector whether it was known or not. Where there is no encoder, nothing is encoded.
    """
    if not settings.ENCODER or not texts:
        return [None] * len(texts)
    hashes = [text_hash(text) for text in texts]
    known = _known(key for key in hashes if key)
    missing = {key: text for key, text in zip(hashes, texts, strict=True) if key and key not in known}
    chosen = dict(list(missing.items())[:encode])
    if chosen and (working := _encoder()):
        # Through what is kept, so that nobody can tell a new vector from a kept one.
        made = [
            each.astype(_KEPT_AS).tobytes() for each in working.encode([normalised(text) for text in chosen.values()])
        ]
        fresh = dict(zip(chosen, made, strict=True))
        # In one order, so that two workers with the same texts wait for each other and do not lock each other out.
        rows = [Embedding(text_hash=key, fingerprint=working.fingerprint, vector=fresh[key]) for key in sorted(fresh)]
        Embedding.objects.bulk_create(rows, ignore_conflicts=True, batch_size=1_000)
        known |= fresh
    return [_read(known[key]) if key and key in known else None for key in hashes]


def matrix_of(items: Sequence[int]) -> tuple[NDArray[np.int64], NDArray[np.float16]]:
    """The items whose vector is known, by their number, and a row for each; at most `MOST_ROWS`. Nothing is encoded.

    Half precision, half the room: bring what you compute with to float32.
    """
    chunks = list(_chunks(Analysis.objects.filter(item__in=items), most=MOST_ROWS))
    keys = [key for chunk, _ in chunks for key in chunk]
    rows = np.vstack([matrix for _, matrix in chunks]) if chunks else np.empty((0, encoder.SIZE), np.float16)
    return np.array(keys, np.int64), rows


def nearest(vector: Vector, *, among: QuerySet[Analysis], most: int = 10) -> list[Near]:
    """The items whose texts mean most nearly the same, nearest first; exact, and in the memory of one chunk of rows.

    A second for 100,000 rows: whoever asks more often about the same ones keeps a `matrix_of` them.
    """
    best: list[tuple[float, int]] = []
    for keys, rows in _chunks(among):
        cosines = rows.astype(np.float32) @ vector
        best = nlargest(most, [*best, *zip(map(float, cosines), (-key for key in keys), strict=True)])
    return [Near(-key, cosine) for cosine, key in best]


def normalised(text: str) -> str:
    """The text as it is hashed and encoded: runs of white space are one space, and what no encoder looks at is cut off."""
    return " ".join(text[: 4 * MOST_CHARACTERS].split())[:MOST_CHARACTERS]


def text_hash(text: str) -> bytes | None:
    """What `Analysis.text_hash` holds for an item with this text; None where it says nothing."""
    bare = normalised(text)
    return sha256(bare.encode(errors="replace")).digest() if bare else None


def fingerprint() -> str:
    """That of the encoder in use, or empty: what was learned with one is worth nothing with another."""
    return encoder.fingerprint() if settings.ENCODER and not encoder.absent() else ""


def state(*, thorough: bool = False) -> State:
    """For pages; `thorough` reads all the weights and is for `doctor`."""
    worse = "Fewer topics are found right on the first day, and themes are drawn by words alone"
    if not settings.ENCODER:
        return State(False, f"The sentence encoder is switched off. {worse}.", "Unset PORTAL_ENCODER to use it.")
    reason = encoder.missing() if thorough else encoder.absent()
    if reason:
        return State(False, f"The sentence encoder is missing. {worse}.", reason)
    return State(True, f"The sentence encoder works ({encoder.fingerprint()[:8]}).")


def prepare() -> State:
    """Build the encoder's file before a worker has to, and say how it went."""
    if settings.ENCODER:
        encoder.load(settings.ENCODER_DIR)
    return state(thorough=True)


def forget_items(items: Iterable[int]) -> None:
    """The vectors of these items go, inside the caller's transaction, unless others say the very same. Call it before the
    items' analyses are deleted or changed."""
    theirs = Analysis.objects.filter(item__in=items, text_hash__isnull=False)
    hashes = {bytes(each) for each in theirs.values_list("text_hash", flat=True) if each}
    theirs.update(text_hash=None)
    Embedding.objects.filter(~_is_said(), text_hash__in=hashes).delete()
    # What a model outside quoted are their words as well.
    ProviderAnswer.objects.filter(~_is_said(), text_hash__in=hashes).delete()


def forget_unused(*, at: datetime) -> int:
    """Vectors of earlier encoders, and of texts that no item has (any more); how many went. A run ends after 20,000."""
    aged = Embedding.objects.filter(created_at__lt=at - _KEPT_UNUSED)
    of_others = aged.exclude(fingerprint=encoder.fingerprint())
    unsaid = aged.filter(~_is_said())
    gone = 0
    for rows in (of_others, unsaid):
        keys = list(rows.values_list("pk", flat=True)[: _MOST_FORGOTTEN - gone])
        gone += Embedding.objects.filter(pk__in=keys).delete()[0]
    return gone


def _is_said() -> Exists:
    return Exists(Analysis.objects.filter(text_hash=OuterRef("text_hash")))


def _chunks(among: QuerySet[Analysis], *, most: int | None = None) -> Iterator[tuple[list[int], NDArray[np.float16]]]:
    """Items and their vectors, a page by key at a time."""
    said = among.filter(text_hash__isnull=False).order_by("item")
    last, left = 0, most
    while left is None or left > 0:
        size = min(_AT_ONCE, left or _AT_ONCE)
        rows = said.filter(item__gt=last).values_list("item", "text_hash")[:size]
        page = [(item, bytes(key)) for item, key in rows if key]
        known = _known([key for _, key in page])
        found = [(item, known[key]) for item, key in page if key in known]
        if found:
            matrix = np.frombuffer(b"".join(vector for _, vector in found), _KEPT_AS)
            yield [item for item, _ in found], matrix.reshape(len(found), -1)
        if len(page) < size:
            return
        last = page[-1][0]
        left = None if left is None else left - len(found)


def _known(hashes: Iterable[bytes]) -> dict[bytes, bytes]:
    rows = Embedding.objects.filter(fingerprint=encoder.fingerprint(), text_hash__in=set(hashes))
    return {bytes(key): bytes(vector) for key, vector in rows.values_list("text_hash", "vector")}


def _read(kept: bytes) -> Vector:
    return np.frombuffer(kept, _KEPT_AS).astype(np.float32)


class _Process:
    """What this process loaded; a fork starts with nothing, for a session does not survive one."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.loaded: Encoder | None = None
        self.asked = False


_process = _Process()
os.register_at_fork(after_in_child=_process.__init__)  # type: ignore[misc]


def _encoder() -> Encoder | None:
    with _process.lock:
        if not _process.asked:
            _process.loaded = encoder.load(settings.ENCODER_DIR)
            _process.asked = True
        return _process.loaded
