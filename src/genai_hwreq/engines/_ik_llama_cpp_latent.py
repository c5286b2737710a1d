"""Latent attention in ik_llama.cpp's graph: on a batch, keys and values are unpacked from the cache, a few heads at a time.

Source: `build_deepseek2`, https://github.com/ikawrakow/ik_llama.cpp/blob/51db1bf2d/src/llama.cpp

Next: _llama_cpp_layers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from genai_hwreq.engines._llama_cpp_attention import mask
from genai_hwreq.engines._llama_cpp_graph import F32, Fork, Graph
from genai_hwreq.engines._llama_cpp_latent import queries
from genai_hwreq.formulas.ggml_graph import Node
from genai_hwreq.formulas.ggml_types import BLOCKS
from genai_hwreq.formulas.weights import ceil_div
from genai_hwreq.units import MIB

if TYPE_CHECKING:
    from genai_hwreq.engines._llama_cpp_caches import Cells
    from genai_hwreq.models import LatentAttention

__all__ = ["latent_rows_attention"]

_UNPACKING = 2
"""From this value of `mla` on a batch's attention works on unpacked keys and values."""

_BATCH = 128
"""Tokens from which a pass counts as a batch."""


def latent_rows_attention(g: Graph, x: Node, attention: LatentAttention, fork: Fork) -> Node:
    """Add attention whose cache holds latent rows (`mla` 1 to 3) and return the output projection."""
    run = g.run
    tokens, n_heads = run.tokens, attention.n_heads
    rank, rotated_dim = attention.kv_lora_rank, attention.qk_rope_head_dim
    q = queries(g, x, attention)
    positions = g.positions()
    q_rotated_part = g.view(q, None, F32 * n_heads * rotated_dim * tokens)
    q_rotated = g.shaped((rotated_dim, n_heads, tokens), q_rotated_part, positions)
    q_plain = g.view(q, None, F32 * n_heads * attention.qk_nope_head_dim * tokens)
    compressed = g.matmul("projection", attention.latent_dim, tokens, x)
    k_part = g.view(compressed, None, F32 * rotated_dim * tokens)
    k_rotated = g.shaped((rotated_dim, 1, tokens), k_part, positions)
    latent = g.copy(g.view(compressed, None, F32 * rank * tokens), (rank, tokens))
    if fork.mla == 1 and not run.flash_attn:
        g.store(g.view(latent))
    g.store(g.shaped((attention.latent_dim, tokens), g.view(k_rotated), latent))
    if fork.mla >= _UNPACKING and run.flash_attn and tokens >= _BATCH:
        out = _unpacked(g, attention, fork, g.shaped((attention.qk_head_dim, n_heads, tokens), q_rotated, q_plain))
    else:
        out = _absorbed(g, attention, fork, q_rotated, q_plain)
    g.expand(out)
    return g.matmul("attention_output", run.hidden_dim, tokens, out)


def _cells(g: Graph) -> Cells:
    return next(iter(g.run.cells.values()))


def _unpacked(g: Graph, attention: LatentAttention, fork: Fork, q: Node) -> Node:
    """Return attention over keys and values that are unpacked before any head's turn, so that all live at once."""
    cells = _cells(g).cells
    kind = "F16" if g.run.on_device else g.run.type_k
    heads = _heads_at_once(attention, cells, fork.attn_max_batch_mib)
    plain_dim, value_dim = attention.qk_nope_head_dim, attention.v_head_dim
    q = g.view(q)
    g.expand(q)
    source = () if kind == g.run.type_k else (_cast(kind, attention.qk_rope_head_dim * cells),)
    repeated = _cast(kind, attention.qk_rope_head_dim * cells * heads, *source)
    out = None
    for turn in range(attention.n_heads // heads):
        unpacked = Node(F32 * (plain_dim + value_dim) * cells * heads)
        plain = _cast(kind, plain_dim * cells * heads, g.view(unpacked))
        v = _cast(kind, value_dim * cells * heads, g.view(unpacked))
        g.expand(plain, v)
        k = _cast(kind, attention.qk_head_dim * cells * heads, repeated, plain)
        g.expand(k)
        part = g.view(Node(F32 * value_dim * heads * g.run.tokens, (g.view(q), k, v, mask(g, _cells(g), ""))))
        done = F32 * value_dim * heads * g.run.tokens * (turn + 1)
        out = part if out is None else Node(done, (out, part))
    assert out is not None
    return out


def _heads_at_once(attention: LatentAttention, cells: int, most_mib: int) -> int:
    """Return how many heads are unpacked at once: all of them, halved until what they take is within the limit."""
    heads = attention.n_heads
    mib = F32 * heads * (attention.qk_nope_head_dim + attention.v_head_dim) * cells // MIB
    while most_mib and heads % 2 == 0 and mib > most_mib:
        heads, mib = heads // 2, mib // 2
    return heads


def _cast(kind: str, n_elements: int, *sources: Node) -> Node:
    elements, size = BLOCKS[kind]
    return Node(n_elements * size // elements, sources)


def _absorbed(g: Graph, attention: LatentAttention, fork: Fork, q_rotated: Node, q_plain: Node) -> Node:
    """Return attention over the latent rows themselves."""
    run = g.run
    tokens, n_heads, rank = run.tokens, attention.n_heads, attention.kv_lora_rank
    absorbed = g.shaped((rank, tokens, n_heads), g.view(q_plain))
    q = g.shaped((attention.latent_dim, tokens, n_heads), g.view(q_rotated), absorbed)
    if run.flash_attn and fork.mla != _UNPACKING:
        mixed = g.view(g.shaped((rank, n_heads, tokens), q, mask(g, _cells(g), "")))
    else:
        mixed = _scored(g, q, rank, n_heads, fork)
    values = g.shaped((attention.v_head_dim, tokens, n_heads), *g.matrix("projection"), mixed)
    return g.view(g.copy(g.view(values), (attention.v_head_dim * n_heads, tokens)))


def _scored(g: Graph, q: Node, rank: int, n_heads: int, fork: Fork) -> Node:
    """Return the weighted rows, as many heads at once as the limit of their scores allows."""
    cells, tokens = _cells(g), g.run.tokens
    turned = (_cast(g.run.type_k, rank * cells.cells),) if fork.mla >= _UNPACKING else ()
    mib = F32 * cells.cells * tokens * n_heads // MIB
    at_once = n_heads
    if fork.attn_max_batch_mib and mib > fork.attn_max_batch_mib:
        steps = min(ceil_div(mib, fork.attn_max_batch_mib), n_heads)
        at_once = ceil_div(n_heads, steps)
    out, done = None, 0
    while done < n_heads:
        heads = min(at_once, n_heads - done)
        done += heads
        kq = g.over(g.shaped((cells.cells, tokens, heads), g.view(q)), mask(g, cells, ""))
        part = g.shaped((rank, tokens, heads), *turned, kq)
        out = part if out is None else g.shaped((rank, tokens, done), out, part)
        g.expand(out)
    assert out is not None
    return out
