"""State spaces in llama.cpp's graph: convolution, scan and gate of Mamba and Mamba-2.

Sources: https://github.com/ggml-org/llama.cpp/blob/master/src/models/mamba-base.cpp, `build_rs` in
https://github.com/ggml-org/llama.cpp/blob/master/src/llama-graph.cpp

Next: _llama_cpp_layers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from genai_hwreq.engines._llama_cpp_graph import F32, Graph
from genai_hwreq.formulas.ggml_graph import Node

if TYPE_CHECKING:
    from genai_hwreq.models import StateSpace

__all__ = ["gated_delta_net", "mamba", "mamba2", "recurrent", "short_convolution"]

_NORMED = frozenset({"mamba2", "granitemoehybrid", "falcon_h1", "nemotron_h", "bamba"})
"""Model types that normalise the state space's output."""


def _state(g: Graph, elements: int) -> Node:
    """Return the states of all sequences, read by row."""
    n = g.run.n_sequences
    return g.op(elements, n, *g.kept_state(elements), g.input("states to copy", 4 * n))


def _tail(g: Graph, mixer: StateSpace) -> Node:
    """Return the last columns that a convolution saw, read now."""
    tail = _state(g, (mixer.conv_kernel - 1) * mixer.conv_channels)
    g.expand(tail)
    return tail


def _appended(g: Graph, tail: Node, stream: Node, mixer: StateSpace) -> Node:
    """Return a stream behind its tail, after its new tail is stored."""
    columns = (mixer.conv_kernel - 1) * g.run.n_sequences + g.run.tokens
    joined = g.op(mixer.conv_channels, columns, g.view(tail), g.view(stream))
    g.store(g.view(joined))
    return joined


def _convolved(g: Graph, tail: Node, source: Node, mixer: StateSpace) -> Node:
    """Return the convolution of a stream, after its new tail is stored."""
    run = g.run
    channels = mixer.conv_channels
    stream = g.view(source, None, F32 * channels * run.tokens)
    joined = _appended(g, tail, stream, mixer)
    return g.over(g.over(g.op(channels, run.tokens, joined)))


def _older_state(g: Graph, elements: int) -> Node:
    """Return masked copies of all states, as versions before mid-2025 made."""
    rows = g.over(_state(g, elements), g.input("states to keep", 4 * g.run.n_sequences))
    g.store(g.view(rows))
    return rows


def mamba(g: Graph, x: Node, mixer: StateSpace) -> Node:
    """Add a Mamba layer's mixer and return its output projection."""
    run = g.run
    tokens, inner = run.tokens, mixer.inner_dim
    tail_elements = (mixer.conv_kernel - 1) * mixer.conv_channels
    older = run.era == "2024"
    tail = _older_state(g, tail_elements) if older else _state(g, tail_elements)
    g.expand(tail)
    state = _older_state(g, mixer.state_elements) if older else g.input("states to copy", 4 * run.n_sequences)
    both = g.matmul("projection", 2 * inner, tokens, g.view(x))
    stream = _convolved(g, tail, both, mixer)
    rank = _rank(mixer)
    parts = g.matmul("projection", rank + 2 * mixer.state_dim, tokens, stream)
    dt_part = g.view(parts, None, F32 * rank * tokens)
    dt = g.over(g.op(inner, tokens, g.op(rank, tokens, dt_part) if run.era == "2026" else dt_part))
    scan = g.shaped(
        (inner * tokens + mixer.state_elements * run.n_sequences,),
        g.view(state), g.view(stream) if not older else stream, dt, g.view(parts), g.view(parts),
    )  # fmt: skip
    g.expand(scan)
    g.store(g.view(scan))
    scaled = g.over(stream)
    y = Node(scaled.n_bytes, (g.view(scan), scaled), scaled.layout, in_place=True)
    z = g.op(inner, tokens, g.view(both, None, F32 * inner * tokens))
    gated = g.over(y, g.over(z)) if older else g.op(inner, tokens, z, y)
    out = g.matmul("projection", run.hidden_dim, tokens, gated)
    return out if older else _reshaped(g, out)


def _reshaped(g: Graph, x: Node) -> Node:
    """Return the same tensor as a view, whose place the residual cannot take over."""
    return g.view(x, x.layout)


def _rank(mixer: StateSpace) -> int:
    """Return the width that the step size is projected from."""
    rows = (tensor.row_elements for tensor in mixer.weights if tensor.name.startswith("dt_proj"))
    return next(rows, mixer.state_dim)


def mamba2(g: Graph, x: Node, mixer: StateSpace) -> Node:
    """Add a Mamba-2 layer's mixer and return its output projection."""
    run = g.run
    tokens, inner = run.tokens, mixer.inner_dim
    tail = _tail(g, mixer)
    joined = g.matmul("projection", inner + mixer.conv_channels + mixer.n_heads, tokens, x if run.era == "2026" else g.view(x))
    stream = _convolved(g, tail, joined, mixer)
    dt = g.over(g.op(mixer.n_heads, tokens, g.view(joined, None, F32 * mixer.n_heads * tokens)))
    xs = g.view(stream, None, F32 * inner * tokens)
    scan = g.shaped(
        (inner * tokens + mixer.state_elements * run.n_sequences,),
        g.input("states to copy", 4 * run.n_sequences), xs, dt, g.view(stream), g.view(stream),
    )  # fmt: skip
    g.expand(scan)
    g.store(g.view(scan))
    scaled = g.op(inner, tokens, xs)
    y = Node(scaled.n_bytes, (g.view(scan), scaled), scaled.layout, in_place=True)
    z = g.op(inner, tokens, g.view(joined, None, F32 * inner * tokens))
    gated = g.op(inner, tokens, z, y)
    if run.model_type in _NORMED:
        gated = g.norm(g.view(gated, (inner, 1, tokens)))
    out = g.matmul("projection", run.hidden_dim, tokens, g.view(gated))
    return out if run.era == "2026" else _reshaped(g, out)


def gated_delta_net(g: Graph, x: Node, mixer: StateSpace) -> Node:
    """Add a gated delta net, its recurrence one fused operation, and return its output projection.

    Source: https://github.com/ggml-org/llama.cpp/blob/master/src/models/delta-net-base.cpp, `build_delta_net_fused`
    """
    run = g.run
    tokens, inner, key_dim = run.tokens, mixer.inner_dim, mixer.n_groups * mixer.state_dim
    g.expand(x)
    mixed, z = (g.matmul("projection", width, tokens, x) for width in (mixer.conv_channels, inner))
    beta, decay = _rates(g, x, mixer)
    tail = _tail(g, mixer)
    joined = _appended(g, tail, mixed, mixer)
    state = _state(g, mixer.state_elements)
    g.expand(state)
    stream = g.over(g.op(mixer.conv_channels, tokens, joined))
    q, k = (g.over(g.op(key_dim, tokens, g.view(stream))) for _ in range(2))
    if mixer.n_groups != mixer.n_heads:
        q, k = (g.op(mixer.n_heads * mixer.state_dim, tokens, g.view(part)) for part in (q, k))
    scan = g.shaped(
        (inner * tokens + mixer.state_elements * run.n_sequences,),
        g.view(q), g.view(k), g.view(stream), g.view(decay), g.view(beta), g.view(state),
    )  # fmt: skip
    g.store(g.view(scan))
    normed = g.over(g.op(inner, tokens, g.view(scan)))
    gated = g.over(normed, g.op(inner, tokens, g.view(z)))
    return _reshaped(g, g.matmul("projection", run.hidden_dim, tokens, g.view(gated)))


def _rates(g: Graph, x: Node, mixer: StateSpace) -> tuple[Node, Node]:
    """Return each head's step size and decay: from one matrix, or from two."""
    tokens, heads = g.run.tokens, mixer.n_heads
    if g.run.model_type == "qwen3_next":
        both = g.matmul("projection", 2 * heads, tokens, x)
        beta, decay = (g.op(heads, tokens, g.view(both, None, F32 * heads * tokens)) for _ in range(2))
        return g.over(beta), g.over(g.over(g.over(decay)))
    beta, decay = (g.op(heads, tokens, g.view(g.matmul("projection", heads, tokens, x))) for _ in range(2))
    return beta, g.over(g.over(decay))


def short_convolution(g: Graph, x: Node, mixer: StateSpace) -> Node:
    """Add a gated short convolution and return its output projection.

    Source: https://github.com/ggml-org/llama.cpp/blob/master/src/models/lfm2.cpp
    """
    run = g.run
    tokens, dim = run.tokens, mixer.conv_channels
    tail = _tail(g, mixer)
    parts = g.matmul("projection", 3 * dim, tokens, g.view(x))
    before, after, stream = (g.view(parts, None, F32 * dim * tokens) for _ in range(3))
    gated = g.op(dim, tokens, before, stream)
    out = g.op(dim, tokens, _appended(g, tail, gated, mixer))
    out = Node(out.n_bytes, (after, out), out.layout, in_place=True)
    return _reshaped(g, g.matmul("projection", run.hidden_dim, tokens, out))


def recurrent(g: Graph, x: Node, mixer: StateSpace) -> Node:
    """Add another kind of recurrence by what all have: projections, a convolution, a scan, a gate.

    What a kind keeps beside that while it works through a chunk is not followed tensor by tensor.
    """
    run = g.run
    tokens, inner = run.tokens, mixer.inner_dim
    rows = sum(t.n_rows for t in mixer.weights if t.role == "projection" and t.row_elements == run.hidden_dim)
    stream = joined = g.matmul("projection", rows, tokens, x)
    if mixer.conv_kernel:
        stream = _convolved(g, _tail(g, mixer), joined, mixer)
    state = _state(g, mixer.state_elements)
    scan = g.shaped((inner * tokens + mixer.state_elements * run.n_sequences,), g.view(stream), state)
    g.expand(scan)
    g.store(g.view(scan))
    y = g.over(g.op(inner, tokens, g.view(scan)))
    z = g.op(inner, tokens, g.view(joined, None, F32 * inner * tokens))
    return g.matmul("projection", run.hidden_dim, tokens, g.over(y, z))
