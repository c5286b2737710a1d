"""Attention in llama.cpp's graph: queries, keys and values, their way into the cache, scores.

Source: `build_qkv`, `build_attn` and `build_attn_mha`,
https://github.com/ggml-org/llama.cpp/blob/master/src/llama-graph.cpp

Next: _llama_cpp_latent.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import frozen

from genai_hwreq.engines._llama_cpp_graph import F32, NORMED_WITHIN, Graph, Pass
from genai_hwreq.formulas.ggml_graph import Node
from genai_hwreq.formulas.ggml_types import BLOCKS
from genai_hwreq.units import MIB

if TYPE_CHECKING:
    from genai_hwreq.engines._llama_cpp_caches import Cells
    from genai_hwreq.models import Attention
    from genai_hwreq.models._tensor import Role

__all__ = ["Heads", "attend", "known_window", "mask", "softmax_attention", "store"]

_FUSED = frozenset({"phi", "glm"})
_UNROTATED = frozenset({"mpt", "gpt2", "bloom", "gpt_bigcode", "opt", "jamba", "nemotron_h"})
_ROTATED_IN_WINDOW_ONLY = frozenset({"cohere2", "llama4", "llama4_text", "exaone4"})
_SCALED_QUERIES = frozenset({"gemma", "gemma2", "gemma3", "gemma3_text", "phi", "phi3"})
_CAPPED_SCORES = frozenset({"gemma2", "grok"})
_NORMED_VALUES = frozenset({"gemma4_text"})
_NORMED_AFTER_ROTATION = frozenset({"llama4", "llama4_text"})
_ROTATION_DIM = 64


@frozen
class Heads:
    """Numbers of heads and widths that attention is computed with."""

    n_heads: int
    n_kv_heads: int
    key_head_dim: int
    value_head_dim: int
    sinks: bool = False

    @property
    def key_dim(self) -> int:
        return self.n_kv_heads * self.key_head_dim

    @property
    def value_dim(self) -> int:
        return self.n_kv_heads * self.value_head_dim


def softmax_attention(g: Graph, x: Node, attention: Attention) -> Node:
    """Add attention over the tokens `x` and return the output projection."""
    run = g.run
    heads = Heads(attention.n_heads, attention.n_kv_heads, attention.head_dim, attention.value_head_dim, attention.sinks)
    window = known_window(run, attention.window_tokens)
    rotated = run.model_type not in _UNROTATED and (
        window is not None or len(run.cells) == 1 or run.model_type not in _ROTATED_IN_WINDOW_ONLY
    )
    q, k, v, gate = _projections(g, x, attention, rotated=rotated)
    if attention.cache == "shared":
        out = g.matmul("attention_output", run.hidden_dim, run.tokens, _read(g, g.over(q), heads, window))
        return g.biased(out) if attention.output_bias else out
    if rotated:
        q, k = _rotated(g, q, heads.n_heads, heads), _rotated(g, k, heads.n_kv_heads, heads)
        if run.model_type in _NORMED_AFTER_ROTATION:
            q, k = g.over(q), g.over(k)
    elif run.model_type in _NORMED_AFTER_ROTATION:
        q = g.over(q, g.input("attn_scale", F32 * run.tokens))
    if run.model_type in _SCALED_QUERIES:
        q = g.over(q)
    mixed = attend(g, q, k, v, heads, window)
    if run.model_type in NORMED_WITHIN:
        mixed = g.norm(mixed)
    if gate is not None:
        mixed = g.over(mixed, g.over(g.copy(gate, mixed.layout)))
    out = g.matmul("attention_output", run.hidden_dim, run.tokens, mixed)
    return g.biased(out) if attention.output_bias else out


def known_window(run: Pass, window: int | None) -> int | None:
    """Return a window that has a cache: the layer's own, none at all, or the first there is."""
    return next(choice for choice in (window, None, *run.cells) if choice in run.cells)


def _projections(
    g: Graph, x: Node, attention: Attention, *, rotated: bool
) -> tuple[Node, Node, Node, Node | None]:
    """Return queries, keys, values, and where queries come with a gate for each element the gate."""
    if attention.fused or g.run.model_type in _FUSED:
        return (*_fused_projections(g, x, attention, rotated=rotated), None)
    gated = 2 if attention.gate == "element" else 1
    q = _heads(g, "attention_q", x, attention.query_dim * gated, attention.head_dim * gated, bias=attention.query_bias)
    gate = None
    if gated > 1:
        q, gate = (g.view(q, None, F32 * attention.query_dim * g.run.tokens) for _ in range(2))
    k = _heads(g, "attention_k", x, attention.key_dim, attention.head_dim, bias=attention.key_bias)
    v = _heads(g, "attention_v", x, attention.value_dim, attention.value_head_dim, bias=attention.value_bias)
    if g.run.model_type in _NORMED_VALUES:
        v = g.over(g.view(k, k.layout) if attention.value_is_key else v)
    if attention.norms:
        layer_norm = g.run.model_type in ("cohere", "cohere2", "stablelm")
        layout = (attention.head_dim, attention.n_heads, g.run.tokens) if gated > 1 else q.layout
        q = g.over(g.copy(q, layout)) if q.layout is None else g.norm(q, layer_norm=layer_norm)
        k = g.norm(k, layer_norm=layer_norm)
    return q, k, v, gate


def _heads(g: Graph, role: Role, x: Node, dim: int, head_dim: int, *, bias: bool) -> Node:
    out = g.matmul(role, dim, g.run.tokens, x)
    if bias:
        out = g.biased(out)
    return g.view(out, (head_dim, dim // head_dim, g.run.tokens))


def _fused_projections(g: Graph, x: Node, attention: Attention, *, rotated: bool) -> tuple[Node, Node, Node]:
    """Return parts of one matrix's result: older versions copy them, recent ones read them where they lie."""
    run = g.run
    qkv = g.matmul("attention_qkv", attention.query_dim + attention.key_dim + attention.value_dim, run.tokens, x)
    if attention.query_bias:
        qkv = g.biased(qkv)
    copied = run.era == "2024" or (run.era == "2025" and not rotated)
    q = _part(g, qkv, attention.query_dim, attention.head_dim, copied=copied)
    k = _part(g, qkv, attention.key_dim, attention.head_dim, copied=copied)
    return q, k, _part(g, qkv, attention.value_dim, attention.value_head_dim, copied=run.era != "2026")


def _part(g: Graph, qkv: Node, dim: int, head_dim: int, *, copied: bool) -> Node:
    tokens = g.run.tokens
    part = g.view(qkv, None, F32 * dim * tokens)
    if not copied:
        return part
    return g.view(g.op(dim, tokens, part), (head_dim, dim // head_dim, tokens))


def _rotated(g: Graph, x: Node, n_heads: int, heads: Heads) -> Node:
    positions = g.positions()
    if x.layout is None:
        return g.shaped((heads.key_head_dim, n_heads, g.run.tokens), x, positions, *g.rotary_factors())
    return g.over(x, positions, *g.rotary_factors())


def attend(g: Graph, q: Node, k: Node, v: Node, heads: Heads, window: int | None) -> Node:
    """Store keys and values and return what the heads put out."""
    run = g.run
    tag = _tag(window)
    quantised_k, quantised_v = BLOCKS[run.type_k][0] > 1, BLOCKS[run.type_v][0] > 1
    turn_k = turn_v = None
    if run.era == "2026" and quantised_k and heads.key_head_dim % _ROTATION_DIM == 0:
        side = _ROTATION_DIM * (heads.key_head_dim // _ROTATION_DIM & -(heads.key_head_dim // _ROTATION_DIM))
        turn_k = g.input("turn of keys" + tag, F32 * side * side)
        q, k = _turned(g, q, turn_k), _turned(g, k, turn_k)
    if run.era == "2026" and quantised_v and heads.value_head_dim % _ROTATION_DIM == 0:
        turn_v = g.input("turn of values" + tag, F32 * _ROTATION_DIM * _ROTATION_DIM)
        v = _turned(g, v, turn_v)
    if run.era == "2026" and len(run.cells) == 1:
        g.expand(q, v, k)
    else:
        g.expand(q, k, v)
    store(g, k, v, heads, tag)
    out = _read(g, q, heads, window)
    return out if turn_v is None else _turned(g, out, turn_v)


def _read(g: Graph, q: Node, heads: Heads, window: int | None) -> Node:
    """Return what the heads put out over what is stored."""
    run = g.run
    tag, cells = _tag(window), run.cells[window]
    out = _fused_scores(g, q, heads, cells, tag) if run.flash_attn else _scores(g, q, heads, cells, tag)
    g.expand(out)
    return out


def _tag(window: int | None) -> str:
    return "" if window is None else " in window"


def _turned(g: Graph, x: Node, turn: Node) -> Node:
    """Return vectors turned by a fixed matrix, which spreads outliers before they are quantised."""
    source = g.copy(x, (0, 0, x.n_bytes)) if x.layout is None else g.view(x)
    product = Node(x.n_bytes, (turn, source), (0, x.n_bytes))
    return g.view(product, x.layout)


def store(g: Graph, k: Node, v: Node, heads: Heads, tag: str) -> None:
    run = g.run
    if run.era == "2024":
        g.store(k)
        g.store(v if run.flash_attn else g.view(v))
        return
    per_row = 1 if run.flash_attn else run.value_dim
    k_rows = g.input("rows of keys" + tag, 8 * run.tokens)
    v_rows = g.input("rows of values" + tag, 8 * run.tokens * per_row)
    g.store(g.view(k), k_rows)
    if not run.flash_attn and v.layout is None:
        v = g.copy(v, (heads.value_dim, run.tokens))
    if not run.flash_attn and heads.value_dim < run.value_dim:
        v = g.op(run.value_dim, run.tokens, g.view(v))
    g.store(g.view(v), v_rows)


def mask(g: Graph, cells: Cells, tag: str) -> Node:
    """Return the mask: recent versions hand it over in 16 bit where attention is fused, older ones convert it."""
    run = g.run
    n_elements = cells.cells * run.tokens
    if not run.flash_attn:
        return g.input("mask" + tag, F32 * n_elements)
    if run.era == "2026":
        return g.input("mask" + tag, 2 * n_elements)
    name = "mask in 16 bit" + tag
    if name not in g.inputs:
        g.inputs[name] = Node(2 * n_elements, (g.input("mask" + tag, F32 * n_elements),))
    return g.inputs[name]


def _fused_scores(g: Graph, q: Node, heads: Heads, cells: Cells, tag: str) -> Node:
    run = g.run
    width = heads.n_heads * heads.value_head_dim
    n_bytes = F32 * width * run.tokens
    unpacked = 0
    if run.era == "2026" and run.on_device:
        dims = heads.key_dim * (BLOCKS[run.type_k][0] > 1) + heads.value_dim * (BLOCKS[run.type_v][0] > 1)
        unpacked = 2 * cells.cells * cells.streams * dims
    keys = g.cached(run.type_k, heads.key_dim, heads.key_head_dim, cells)
    values = g.cached(run.type_v, heads.value_dim, heads.value_head_dim, cells)
    out = Node(n_bytes + unpacked, (g.view(g.view(q)), *keys, *values, mask(g, cells, tag), *_sinks(g, heads)))
    return g.view(out, (width, run.tokens), n_bytes)


def _sinks(g: Graph, heads: Heads) -> tuple[Node, ...]:
    return g.vector((heads.n_heads,)) if heads.sinks else ()


def _scores(g: Graph, q: Node, heads: Heads, cells: Cells, tag: str) -> Node:
    run = g.run
    width = heads.n_heads * heads.value_head_dim
    if _head_by_head(run, heads, cells):
        return g.copy(g.view(_joined_heads(g, q, heads, cells, tag)), (width, run.tokens))
    keys = g.cached(run.type_k, heads.key_dim, heads.key_head_dim, cells)
    kq = g.shaped((cells.cells, run.tokens, heads.n_heads), *keys, g.view(g.view(q)))
    capped = run.model_type in _CAPPED_SCORES
    if capped and run.fork is not None:
        kq = Node(kq.n_bytes, (kq, mask(g, cells, tag)), kq.layout)
    else:
        kq = g.over(g.over(g.over(kq))) if capped else kq
        kq = g.over(kq, mask(g, cells, tag), *_sinks(g, heads))
    values = g.cached(run.type_v, heads.value_dim, heads.value_head_dim, cells)
    kqv = g.shaped((heads.value_head_dim, run.tokens, heads.n_heads), *values, kq)
    mixed = g.view(kqv)
    return g.over_host(mixed, (width, run.tokens)) if g.home.attends else g.copy(mixed, (width, run.tokens))


def _head_by_head(run: Pass, heads: Heads, cells: Cells) -> bool:
    """Tell whether ik_llama.cpp computes scores a head at a time: those of all would be over its limit."""
    if run.fork is None or not run.fork.attn_max_batch_mib or heads.n_heads != heads.n_kv_heads:
        return False
    return F32 * cells.cells * run.tokens * heads.n_heads // MIB > run.fork.attn_max_batch_mib


def _joined_heads(g: Graph, q: Node, heads: Heads, cells: Cells, tag: str) -> Node:
    tokens, value_dim = g.run.tokens, heads.value_head_dim
    seen = g.view(q)
    out = None
    for n_done in range(1, heads.n_heads + 1):
        kq = g.over(g.shaped((cells.cells, tokens, 1), g.view(seen)), mask(g, cells, tag))
        part = g.shaped((value_dim, tokens, 1), kq)
        out = part if out is None else g.shaped((value_dim, tokens, n_done), out, part)
    assert out is not None
    return out
