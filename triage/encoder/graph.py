"""The network of all-MiniLM-L6-v2 written down as an ONNX graph: BERT with 6 layers, then the mean of its tokens at length 1.

One text a run, so nothing is padded and nothing masked, and a text's vector cannot depend on its neighbours. Weights are
kept in 8 bits with a scale for each row; activations are brought to 8 bits as they come.
Source: Wang et al. 2020, arXiv 2002.10957; Reimers & Gurevych 2019, arXiv 1908.10084.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from triage.encoder import wire

LONGEST = 128
"""Tokens, the two that open and close a text included."""
SIZE = 384

Floats = NDArray[np.float32]

_LAYERS, _HEADS, _EPSILON = 6, 12, 1e-12
# 7 bits of 8: without VNNI, x86 adds pairs of products in 16 bits, and full 8-bit weights would run over there. It costs
# next to nothing (mean cosine with the exact vectors .9917 instead of .9931), one scale a table would cost much (.957).
_MOST_IN_PRODUCTS = 63


def onnx_file(weights: Mapping[str, Floats]) -> bytes:
    """`weights` by their names in the published file; the same weights give the same bytes."""
    graph = _Graph()
    x = _embed(graph, weights)
    for number in range(_LAYERS):
        x = _layer(graph, {name: weights[f"encoder.layer.{number}.{name}"] for name in _LAYER}, x)
    mean = graph.add("ReduceMean", [x], axes=[1], keepdims=0)
    length = graph.add("ReduceL2", [mean], axes=[1], keepdims=1)
    graph.nodes.append(wire.node("Div", [mean, length], ["vector"]))
    return wire.model(
        graph.nodes,
        inputs=[wire.value("tokens", "int64", [1, "length"])],
        outputs=[wire.value("vector", "float32", [1, SIZE])],
        constants=graph.constants,
    )


class _Graph:
    def __init__(self) -> None:
        self.nodes: list[bytes] = []
        self.constants: dict[str, wire.Array] = {}

    def add(self, kind: str, inputs: list[str], **options: Any) -> str:
        name = f"x{len(self.nodes)}"
        self.nodes.append(wire.node(kind, inputs, [name], **options))
        return name

    def constant(self, array: wire.Array) -> str:
        name = f"c{len(self.constants)}"
        self.constants[name] = array
        return name

    def linear(self, x: str, weight: Floats, bias: Floats) -> str:
        """x · weightᵀ + bias, the product in whole numbers."""
        held, scale = _in_steps(weight, most=_MOST_IN_PRODUCTS)
        inputs = [x, self.constant(np.ascontiguousarray(held.T)), self.constant(scale), "", self.constant(bias)]
        return self.add("DynamicQuantizeMatMul", inputs, domain="com.microsoft")

    def add_and_normalise(self, x: str, rest: str, gain: Floats, shift: Floats) -> str:
        inputs = [x, rest, self.constant(gain), self.constant(shift)]
        return self.add("SkipLayerNormalization", inputs, domain="com.microsoft", epsilon=_EPSILON)


_LAYER = [
    f"{part}.{kind}"
    for part in (
        "attention.self.query",
        "attention.self.key",
        "attention.self.value",
        "attention.output.dense",
        "attention.output.LayerNorm",
        "intermediate.dense",
        "output.dense",
        "output.LayerNorm",
    )
    for kind in ("weight", "bias")
]


def _embed(graph: _Graph, weights: Mapping[str, Floats]) -> str:
    words = weights["embeddings.word_embeddings.weight"]
    held, scale = _in_steps(words, most=127)
    # Every token of a single text has type 0, so that row is added to the places once and for all.
    places = weights["embeddings.position_embeddings.weight"] + weights["embeddings.token_type_embeddings.weight"][0]
    rows = graph.add("Cast", [graph.add("Gather", [graph.constant(held), "tokens"])], to=1)
    scales = graph.add("Gather", [graph.constant(scale[:, None]), "tokens"])
    shape = graph.add("Shape", ["tokens"], start=1)
    first = graph.constant(np.zeros(1, np.int64))
    places_used = graph.add("Slice", [graph.constant(places[:LONGEST]), first, shape, first])
    summed = graph.add("Add", [graph.add("Mul", [rows, scales]), places_used])
    gain, shift = (weights[f"embeddings.LayerNorm.{kind}"] for kind in ("weight", "bias"))
    inputs = [summed, graph.constant(gain), graph.constant(shift)]
    return graph.add("LayerNormalization", inputs, axis=-1, epsilon=_EPSILON)


def _layer(graph: _Graph, weights: Mapping[str, Floats], x: str) -> str:
    def pair(part: str) -> tuple[Floats, Floats]:
        return weights[f"{part}.weight"], weights[f"{part}.bias"]

    asked = [graph.linear(x, *pair(f"attention.self.{part}")) for part in ("query", "key", "value")]
    seen = graph.add("MultiHeadAttention", asked, domain="com.microsoft", num_heads=_HEADS)
    seen = graph.linear(seen, *pair("attention.output.dense"))
    x = graph.add_and_normalise(seen, x, *pair("attention.output.LayerNorm"))
    wide = graph.add("Gelu", [graph.linear(x, *pair("intermediate.dense"))], domain="com.microsoft")
    return graph.add_and_normalise(graph.linear(wide, *pair("output.dense")), x, *pair("output.LayerNorm"))


def _in_steps(weight: Floats, *, most: int) -> tuple[NDArray[np.int8], Floats]:
    """Each row in whole steps, the largest number of the row `most` of them, and what one step of each row is worth."""
    scale: Floats = np.abs(weight).max(axis=1) / np.float32(most)
    return np.rint(weight / scale[:, None]).astype(np.int8), scale
