"""Feed-forward networks and experts in llama.cpp's graph.

Source: `build_ffn` and `build_moe_ffn`, https://github.com/ggml-org/llama.cpp/blob/master/src/llama-graph.cpp

Next: _llama_cpp_recurrent.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from genai_hwreq.engines._llama_cpp_graph import F32, NORMED_WITHIN, Graph
from genai_hwreq.formulas.ggml_graph import Node

if TYPE_CHECKING:
    from genai_hwreq.models import Dense, Experts

__all__ = ["dense", "experts"]

_FUSED = frozenset({"phi3", "glm", "glm4", "chatglm"})
"""Model types whose files hold gate and up in one matrix; others' are split when the file is made."""

_DELAYED_SOFTMAX = frozenset({"gpt_oss"})
_WEIGHTED_INPUT = frozenset({"llama4", "llama4_text"})
_CORRECTED_ROUTERS = frozenset(
    {"deepseek_v3", "kimi_k2", "glm4_moe", "minimax_m2", "bailing_moe_v2", "dots1", "ernie4_5_moe", "lfm2_moe"}
)
"""Model types that rank experts by their probability and a bias, but weight them without it."""

_GATE_AND_UP = frozenset({"gemma4_text"})
"""Model types whose files hold the experts' gate and up in one matrix."""

_UNNORMED_WEIGHTS = frozenset({"llama4", "llama4_text", "qwen2_moe", "olmoe", "deepseek_v2"})

_ADDED_AS_A_PAIR = 2
"""Experts whose sum is a plain addition in ik_llama.cpp, which adds up more of them in one operation."""


def dense(g: Graph, x: Node, network: Dense) -> Node:
    """Add a feed-forward network and return its down projection."""
    assert x.layout is not None
    rows, width = x.layout[1], network.intermediate_dim
    if network.gated and network.fused and g.run.model_type in _FUSED:
        product = _fused_product(g, g.matmul("ffn_gate_up", 2 * width, rows, x), width, rows)
    elif network.gated:
        up, gate = g.matmul("ffn_up", width, rows, x), g.matmul("ffn_gate", width, rows, x)
        if network.up_bias:
            up, gate = g.biased(up), g.biased(gate)
        product = _product(g, gate, up, fused=network.activation != "relu2")
    else:
        product = g.matmul("ffn_up", width, rows, x)
        if network.up_bias:
            product = g.biased(product)
        for _ in range(1 + (network.activation == "relu2")):
            product = g.over(product)
    if g.run.model_type in NORMED_WITHIN:
        product = g.norm(product)
    out = g.matmul("ffn_down", g.run.hidden_dim, rows, product)
    return g.biased(out) if network.down_bias else out


def _product(g: Graph, gate: Node, up: Node, *, fused: bool = True) -> Node:
    """Return activated gate times up: in place before gated operations were fused in mid-2025, apart since."""
    if not fused:
        return g.over(g.over(g.over(gate)), up)
    if g.run.era == "2024" and g.run.fork is None:
        return g.over(g.over(gate), up)
    return Node(gate.n_bytes, (gate, up), gate.layout)


def _fused_product(g: Graph, both: Node, width: int, rows: int) -> Node:
    if g.run.era == "2024" and g.run.fork is None:
        gate, up = g.op(width, rows, g.view(both)), g.op(width, rows, g.view(both))
        return g.over(g.over(gate), up)
    return g.op(width, rows, both)


def experts(g: Graph, x: Node, network: Experts, router_input: Node | None = None) -> Node:
    """Add a mixture of experts and return the weighted sum of those chosen, with the shared one.

    The router reads what the experts read, if it has no input of its own.
    """
    assert x.layout is not None
    rows, used = x.layout[1], network.n_experts_per_token
    chosen, weights = _routed(g, x if router_input is None else router_input, network, rows)
    if g.run.era == "2026":
        g.expand(weights)
    hidden_dim, width = g.run.hidden_dim, network.intermediate_dim
    y = g.view(x, (hidden_dim, 1, rows))
    if g.run.model_type in _WEIGHTED_INPUT:
        y = g.over(g.shaped((hidden_dim, used, rows), y), weights)
    if g.run.fork is not None and g.run.fork.fused_moe and network.gated:
        product = g.shaped((width, used, rows), y, chosen, *g.matrix("expert_up"), *g.matrix("expert_gate"))
    else:
        product = _experts_product(g, y, chosen, network, rows)
    down = g.shaped((hidden_dim, used, rows), product, chosen, *g.matrix("expert_down"))
    if network.has_bias:
        down = _biased(g, down, chosen, network)
    total = _weighted_sum(g, down, weights, used, rows)
    return _with_shared(g, x, network, total)


def _experts_product(g: Graph, y: Node, chosen: Node, network: Experts, rows: int) -> Node:
    width, used = network.intermediate_dim, network.n_experts_per_token
    layout = (width, used, rows)
    if g.run.model_type in _GATE_AND_UP:
        both = g.shaped((2 * width, used, rows), y, chosen, *g.matrix("expert_gate_up"))
        return g.shaped(layout, g.view(both), g.view(both))
    up = g.shaped(layout, y, chosen, *g.matrix("expert_up"))
    gate = g.shaped(layout, y, chosen, *g.matrix("expert_gate"))
    if network.has_bias:
        up, gate = _biased(g, up, chosen, network), _biased(g, gate, chosen, network)
    return _product(g, gate, up) if network.gated else g.over(up)


def _biased(g: Graph, x: Node, chosen: Node, network: Experts) -> Node:
    assert x.layout is not None
    biases = g.vector((x.layout[0] * network.n_experts,))
    return g.over(x, chosen, *biases) if g.run.era != "2024" else g.over(x, *biases)


def _routed(g: Graph, x: Node, network: Experts, rows: int) -> tuple[Node, Node]:
    """Return which experts are chosen, and their weights."""
    kind = g.run.model_type
    used = network.n_experts_per_token
    logits = g.matmul("router", network.n_experts, rows, x)
    if kind in _DELAYED_SOFTMAX:
        logits = g.biased(logits)
        probabilities = ranked = logits
    elif kind in _WEIGHTED_INPUT:
        probabilities, ranked = g.over(logits), logits
    else:
        probabilities = ranked = g.over(logits)
        if kind in _CORRECTED_ROUTERS:
            ranked = g.biased(probabilities)
    chosen = g.view(g.copy(ranked))
    weights = g.shaped((1, used, rows), g.view(probabilities), chosen)
    if kind in _DELAYED_SOFTMAX:
        weights = g.view(g.over(g.view(weights, (used, rows))), (1, used, rows))
    elif kind not in _UNNORMED_WEIGHTS:
        flat = g.view(weights, (used, rows))
        weights = g.view(g.over(flat, g.over(g.op(1, rows, flat))), (1, used, rows))
    return chosen, weights


def _weighted_sum(g: Graph, down: Node, weights: Node, used: int, rows: int) -> Node:
    run = g.run
    out = down if run.model_type in _WEIGHTED_INPUT else g.over(down, weights)
    if run.fork is not None and used != _ADDED_AS_A_PAIR:
        return g.op(run.hidden_dim, rows, g.view(out, None, F32 * run.hidden_dim * rows))
    held = run.era == "2026" and run.on_device and used > 1 and out is not down
    g.expand(out)
    parts = [g.view(out, None, F32 * run.hidden_dim * rows) for _ in range(used)]
    g.expand(*parts)
    if used == 1:
        return g.op(run.hidden_dim, rows, parts[0])
    total = Node(F32 * run.hidden_dim * rows, (parts[0], parts[1]), (run.hidden_dim, rows), in_place=True)
    for part in parts[2:]:
        if run.era == "2026":
            g.expand(total)
        total = g.over(total, part)
    if run.era == "2026":
        g.expand(total)
    if held:
        g.hold(down, weights)  # one fused kernel adds the experts up: it reads what the product would overwrite
    return total


def _with_shared(g: Graph, x: Node, network: Experts, total: Node) -> Node:
    if not network.shared_dim:
        return total
    assert x.layout is not None
    rows = x.layout[1]
    up, gate = g.matmul("ffn_up", network.shared_dim, rows, x), g.matmul("ffn_gate", network.shared_dim, rows, x)
    shared = g.matmul("ffn_down", g.run.hidden_dim, rows, _product(g, gate, up))
    if network.shared_gate:
        shared = g.over(shared, g.over(g.op(1, rows, x)))
    return g.over(total, shared)
