"""What Gemma 4 adds to llama.cpp's graph: an input of every layer's own, and experts beside a plain network.

Source: https://github.com/ggml-org/llama.cpp/blob/master/src/models/gemma4.cpp

Next: _llama_cpp_layers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from genai_hwreq.engines._llama_cpp_feed_forward import dense, experts
from genai_hwreq.engines._llama_cpp_graph import F32, Graph
from genai_hwreq.models import Dense, Experts

if TYPE_CHECKING:
    from genai_hwreq.formulas.ggml_graph import Node
    from genai_hwreq.models import Layer, Transformer

__all__ = ["dense_and_experts", "has_own_input", "layer_inputs", "with_own_input"]

_GATE = "per_layer_input_gate.weight"


def has_own_input(layer: Layer) -> bool:
    """Tell whether a layer reads an input of its own."""
    return any(tensor.name == _GATE for tensor in layer.extra)


def layer_inputs(g: Graph, network: Transformer, x: Node) -> Node:
    """Return every layer's own input: rows of a table, to which the embedded tokens are projected and added."""
    width = _own_width(network.layers[0].layer) * network.n_layers
    tokens = g.run.tokens
    rows = g.looked_up("embedded tokens of layers", F32 * width * tokens)
    scaled = g.op(width, tokens, g.view(rows))
    g.expand(scaled)
    projected = g.over(g.op(width, tokens, x))
    normed = g.over(g.op(width, tokens, g.view(projected)))
    return g.op(width, tokens, g.view(g.over(g.over(normed, scaled))))


def _own_width(layer: Layer) -> int:
    return next(tensor.n_rows for tensor in layer.extra if tensor.name == _GATE)


def with_own_input(g: Graph, x: Node, layer: Layer, inputs: Node) -> Node:
    """Add a layer's own input to its stream, gated by the stream."""
    gate = g.over(g.op(_own_width(layer), g.run.tokens, x))
    gated = g.over(gate, g.view(inputs, None, gate.n_bytes))
    return g.over(x, g.norm(g.op(g.run.hidden_dim, g.run.tokens, gated)))


def dense_and_experts(g: Graph, stream: Node, layer: Layer) -> Node:
    """Add a plain network and experts, each normalised before and after; the router reads the stream itself."""
    plain, routed = layer.feed_forward
    assert isinstance(plain, Dense)
    assert isinstance(routed, Experts)
    first = g.norm(dense(g, g.norm(stream), plain))
    router_input = g.over(g.over(g.over(stream)))
    second = g.norm(experts(g, g.norm(stream), routed, router_input))
    return g.over(first, second)
