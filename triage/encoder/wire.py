"""ONNX files as bytes: the few messages of its protobuf schema that a graph of ours needs, so that no `onnx` package is.

Field numbers are those of onnx.proto, which never change: a number that is sent may only be added to.
"""

import struct
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.generic]

_TYPES = {"float32": 1, "int8": 3, "int64": 7}
_IR_VERSION = 8


def model(
    nodes: Iterable[bytes], *, inputs: Sequence[bytes], outputs: Sequence[bytes], constants: dict[str, Array]
) -> bytes:
    """A whole file: nodes in the order they are worked off, over the standard operators and onnxruntime's own."""
    graph = b"".join(_field(1, node) for node in nodes) + _field(2, b"encoder")
    graph += b"".join(_field(5, _tensor(name, array)) for name, array in constants.items())
    graph += b"".join(_field(11, each) for each in inputs) + b"".join(_field(12, each) for each in outputs)
    standard = _field(1, b"") + _number(2, 17)
    ours = _field(1, b"com.microsoft") + _number(2, 1)
    return _number(1, _IR_VERSION) + _field(7, graph) + _field(8, standard) + _field(8, ours)


def node(
    kind: str, inputs: Sequence[str], outputs: Sequence[str], *, domain: str = "", **attributes: int | float | list[int]
) -> bytes:
    """One operator. An input left out in the middle is an empty name."""
    parts = [_field(1, name.encode()) for name in inputs] + [_field(2, name.encode()) for name in outputs]
    parts += [_field(4, kind.encode()), _field(7, domain.encode())]
    parts += [_field(5, _attribute(name, value)) for name, value in attributes.items()]
    return b"".join(parts)


def value(name: str, kind: str, shape: Sequence[int | str]) -> bytes:
    """What goes in or comes out: a dimension is a number, or a name where its length varies."""
    sizes = [_number(1, size) if isinstance(size, int) else _field(2, size.encode()) for size in shape]
    tensor = _number(1, _TYPES[kind]) + _field(2, b"".join(_field(1, size) for size in sizes))
    return _field(1, name.encode()) + _field(2, _field(1, tensor))


def _attribute(name: str, given: int | float | list[int]) -> bytes:
    head = _field(1, name.encode())
    if isinstance(given, float):
        return head + b"\x15" + struct.pack("<f", given) + _number(20, 1)
    if isinstance(given, int):
        return head + _number(3, given) + _number(20, 2)
    return head + b"".join(_number(8, each) for each in given) + _number(20, 7)


def _tensor(name: str, array: Array) -> bytes:
    sizes = b"".join(_number(1, size) for size in array.shape)
    raw = array.astype(array.dtype.newbyteorder("<"), copy=False).tobytes()
    return sizes + _number(2, _TYPES[array.dtype.name]) + _field(8, name.encode()) + _field(9, raw)


def _field(number: int, content: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(content)) + content


def _number(number: int, given: int) -> bytes:
    return _varint(number << 3) + _varint(given & (1 << 64) - 1)


def _varint(given: int) -> bytes:
    written = bytearray()
    while given > 0x7F:
        written.append(given & 0x7F | 0x80)
        given >>= 7
    written.append(given)
    return bytes(written)
