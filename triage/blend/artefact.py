"""A blend as bytes and back: arrays in npz, everything else in JSON. Reading runs no code and believes nothing: every
size, shape and kind of number is checked before it is used."""

import io
import json
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from triage.blend.base import Unlearnable
from triage.blend.model import Blend, Mode
from triage.blend.parts import Linear
from triage.blend.pooling import Pool
from triage.blend.vocabulary import MOST_TERMS, Vocabulary

FORMAT: Final = 1
LARGEST: Final = 256_000_000
"""Bytes of one artefact, and of all its arrays unpacked."""
_MOST_LABELS, _MOST_EXAMPLES, _WIDEST = 4_000, 100_000, 4_096
_LONGEST_TERM = 400
_PARTS = {"words": 2, "meaning": 3}
_ARRAYS: Final[Mapping[str, tuple[type, int]]] = {
    "head": (np.uint8, 1),
    "rarity": (np.float32, 1),
    "words_weights": (np.float32, 2),
    "words_bias": (np.float32, 1),
    "meaning_weights": (np.float32, 2),
    "meaning_bias": (np.float32, 1),
    "keys": (np.int64, 1),
    "vectors": (np.float16, 2),
    "neighbours": (np.int64, 1),
}


def to_bytes(blend: Blend) -> bytes:
    """The same blend gives the same bytes."""
    head = {
        "format": FORMAT,
        "field": blend.field,
        "encoder": blend.encoder,
        "labels": blend.labels,
        "counts": blend.counts,
        "languages": dict(blend.languages),
        "terms": blend.vocabulary.terms,
        "pieces": blend.vocabulary.pieces,
        "modes": {
            name: {
                "weights": mode.pool.weights.tolist(),
                "bias": mode.pool.bias.tolist(),
                "thresholds": dict(mode.thresholds),
                "in_scope": mode.in_scope,
                "figures": dict(mode.figures),
            }
            for name, mode in blend.modes.items()
        },
    }
    arrays: dict[str, NDArray[Any]] = {
        "head": np.frombuffer(json.dumps(head, sort_keys=True, allow_nan=False).encode(), np.uint8),
        "rarity": blend.rarity,
        "words_weights": blend.words.weights,
        "words_bias": blend.words.bias,
        "keys": blend.keys,
        "vectors": blend.vectors,
        "neighbours": blend.neighbours.astype(np.int64),
    }
    if blend.meaning is not None:
        arrays |= {"meaning_weights": blend.meaning.weights, "meaning_bias": blend.meaning.bias}
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
        for name, array in arrays.items():
            member = zipfile.ZipInfo(f"{name}.npy", (1980, 1, 1, 0, 0, 0))
            member.compress_type = zipfile.ZIP_DEFLATED
            content = io.BytesIO()
            npy.write_array(content, np.ascontiguousarray(array), version=(1, 0), allow_pickle=False)
            archive.writestr(member, content.getvalue())
    return packed.getvalue()


def from_bytes(packed: bytes) -> Blend:
    """The blend that was packed. Raises `Unlearnable` with a sentence where the bytes are no blend of this format."""
    if len(packed) > LARGEST:
        raise Unlearnable(f"The model is larger than {LARGEST:,} bytes. Train it again.")
    try:
        return _blend(_arrays(packed))
    except (
        zipfile.BadZipFile,
        zlib.error,
        OSError,
        EOFError,
        ValueError,
        KeyError,
        TypeError,
        RecursionError,
        NotImplementedError,
    ) as error:
        raise Unlearnable(f"The model cannot be read ({error}). Train it again.") from None


def _arrays(packed: bytes) -> dict[str, NDArray[Any]]:
    arrays: dict[str, NDArray[Any]] = {}
    with zipfile.ZipFile(io.BytesIO(packed)) as archive:
        members = archive.infolist()
        if len(members) > len(_ARRAYS) or sum(member.file_size for member in members) > LARGEST:
            raise ValueError("it holds more than a model does")
        for member in members:
            name = member.filename.removesuffix(".npy")
            if name not in _ARRAYS or name in arrays:
                raise ValueError("it holds something that is no part of a model")
            with archive.open(member) as file:
                content = io.BytesIO(file.read(LARGEST))
            arrays[name] = _array(content, *_ARRAYS[name])
    return arrays


def _array(content: io.BytesIO, kind: type, axes: int) -> NDArray[Any]:
    if npy.read_magic(content) != (1, 0):
        raise ValueError("an array is of another format")
    shape, fortran, dtype = npy.read_array_header_1_0(content)
    if dtype != np.dtype(kind) or len(shape) != axes or fortran:
        raise ValueError("an array has another shape or other numbers than it should")
    count = int(np.prod(shape, dtype=object))
    rest = content.read()
    if count < 0 or len(rest) != count * dtype.itemsize:
        raise ValueError("an array is shorter or longer than it says")
    array = np.frombuffer(rest, dtype).reshape(shape)
    if dtype.kind == "f" and not np.isfinite(array).all():
        raise ValueError("an array holds what is no number")
    return array


def _blend(arrays: Mapping[str, NDArray[Any]]) -> Blend:
    head = json.loads(arrays["head"].tobytes())
    if not isinstance(head, dict) or head.get("format") != FORMAT:
        raise ValueError("it was made by another version of the portal")
    labels = _strings(head["labels"], most=_MOST_LABELS)
    counts = tuple(_whole(count) for count in head["counts"])
    vocabulary = Vocabulary(_strings(head["terms"], most=MOST_TERMS), _strings(head["pieces"], most=MOST_TERMS))
    if any(list(each) != sorted(set(each)) for each in (labels, vocabulary.terms, vocabulary.pieces)):
        raise ValueError("its labels or words are not in order")
    number, vectors, keys, neighbours = len(labels), arrays["vectors"], arrays["keys"], arrays["neighbours"]
    words = Linear(arrays["words_weights"], arrays["words_bias"])
    meaning = Linear(arrays["meaning_weights"], arrays["meaning_bias"]) if "meaning_weights" in arrays else None
    width = vectors.shape[1]
    fits = (
        number >= 1
        and len(counts) == number
        and words.weights.shape == (len(vocabulary), number)
        and words.bias.shape == (number,)
        and arrays["rarity"].shape == (len(vocabulary),)
        and (meaning is None or (meaning.weights.shape == (width, number) and meaning.bias.shape == (number,)))
        and width <= _WIDEST
        and len(vectors) == len(keys) == len(neighbours) <= _MOST_EXAMPLES
        and (not len(neighbours) or 0 <= int(neighbours.min()) <= int(neighbours.max()) < number)
    )
    if not fits:
        raise ValueError("its parts do not fit together")
    modes = {name: _mode(head["modes"][name], _PARTS[name], number) for name in sorted(head["modes"])}
    if "words" not in modes or ("meaning" in modes) != (meaning is not None):
        raise ValueError("a part of it is missing")
    return Blend(
        field=str(head["field"])[:_LONGEST_TERM],
        encoder=str(head["encoder"])[:_LONGEST_TERM],
        labels=labels,
        counts=counts,
        vocabulary=vocabulary,
        rarity=arrays["rarity"],
        words=words,
        meaning=meaning,
        modes=modes,
        keys=keys,
        vectors=vectors,
        neighbours=neighbours,
        languages={str(name)[:_LONGEST_TERM]: _whole(count) for name, count in head["languages"].items()},
    )


def _mode(said: Mapping[str, Any], parts: int, labels: int) -> Mode:
    weights, bias = _floats(said["weights"]), _floats(said["bias"])
    if len(weights) != parts or len(bias) != labels:
        raise ValueError("its parts do not fit together")
    thresholds = {str(name): None if value is None else float(value) for name, value in said["thresholds"].items()}
    figures = {str(name): float(value) for name, value in said["figures"].items()}
    return Mode(Pool(weights, bias), thresholds, float(said["in_scope"]), figures)


def _strings(said: Any, *, most: int) -> tuple[str, ...]:
    if not isinstance(said, list) or len(said) > most or not all(isinstance(one, str) for one in said):
        raise ValueError("a list of words is not one")
    return tuple(said)


def _floats(said: Sequence[float]) -> NDArray[np.float64]:
    numbers = np.array([float(one) for one in said], np.float64)
    if not np.isfinite(numbers).all():
        raise ValueError("an array holds what is no number")
    return numbers


def _whole(said: Any) -> int:
    if not isinstance(said, int) or said < 0:
        raise ValueError("a count is none")
    return said
