"""Latent attention in llama.cpp's graph: over latent rows, or over every head's keys and values.

Source: https://github.com/ggml-org/llama.cpp/blob/master/src/models/deepseek2.cpp

Next: _llama_cpp_feed_forward.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from genai_hwreq.engines._llama_cpp_attention import Heads, attend, known_window, mask, store
from genai_hwreq.engines._llama_cpp_graph import F32, Graph
from genai_hwreq.formulas.ggml_graph import Node
from genai_hwreq.formulas.ggml_types import BLOCKS

if TYPE_CHECKING:
    from genai_hwreq.models import LatentAttention

__all__ = ["latent_attention", "queries"]


def latent_attention(g: Graph, x: Node, attention: LatentAttention) -> Node:
    """Add latent attention and return the output projection."""
    run = g.run
    tokens, n_heads = run.tokens, attention.n_heads
    q = queries(g, x, attention)
    compressed = g.matmul("projection", attention.latent_dim, tokens, x)
    positions = g.positions()
    latent_part = g.view(compressed, None, F32 * attention.kv_lora_rank * tokens)
    q_part = g.view(q, None, F32 * n_heads * attention.qk_rope_head_dim * tokens)
    q_rotated = g.shaped((attention.qk_rope_head_dim, n_heads, tokens), q_part, positions)
    k_part = g.view(compressed, None, F32 * attention.qk_rope_head_dim * tokens)
    k_rotated = g.shaped((attention.qk_rope_head_dim, 1, tokens), k_part, positions)
    latent = g.copy(latent_part, (attention.kv_lora_rank, tokens))
    if run.fork is None:
        latent = g.over(latent)
    plain = g.view(q, None, F32 * n_heads * attention.qk_nope_head_dim * tokens)
    if run.latent == "full":
        return _expanded(g, attention, plain, q_rotated, k_rotated, latent)
    absorbed = g.view(g.shaped((attention.kv_lora_rank, tokens, n_heads), *g.matrix("projection"), g.view(plain)))
    latent = g.view(latent, (attention.kv_lora_rank, 1, tokens))
    q_parts, k_parts = (absorbed, q_rotated), (latent, k_rotated)
    if run.era != "2026":
        q_parts, k_parts = (q_rotated, absorbed), (k_rotated, latent)
    q = g.shaped((attention.latent_dim, n_heads, tokens), *q_parts)
    k = g.shaped((attention.latent_dim, 1, tokens), *k_parts)
    return _latent_scores(g, attention, q, k, latent)


def queries(g: Graph, x: Node, attention: LatentAttention) -> Node:
    """Return latent attention's queries, compressed in between where the model does that."""
    width, tokens = attention.n_heads * attention.qk_head_dim, g.run.tokens
    if not attention.q_lora_rank:
        return g.matmul("attention_q", width, tokens, x)
    compressed = g.norm(g.matmul("projection", attention.q_lora_rank, tokens, x))
    return g.matmul("attention_q", width, tokens, compressed)


def _latent_scores(g: Graph, attention: LatentAttention, q: Node, k: Node, v: Node) -> Node:
    run = g.run
    tokens, n_heads, rank = run.tokens, attention.n_heads, attention.kv_lora_rank
    if run.era == "2026":
        g.expand(q, v, k)
        g.store(g.view(k), g.input("rows of keys", 8 * tokens))
    else:
        g.expand(q, k, v)
        store(g, k, v, Heads(n_heads, 1, attention.latent_dim, rank), "")
    cells = run.cells[known_window(run, None)]
    keys, values = (g.cached(run.type_k, attention.latent_dim, attention.latent_dim, cells) for _ in range(2))
    if run.flash_attn:
        unpacked = 0
        if run.era == "2026" and run.on_device and BLOCKS[run.type_k][0] > 1:
            unpacked = 2 * cells.cells * cells.streams * attention.latent_dim
        n_bytes = F32 * rank * n_heads * tokens
        scores = Node(n_bytes + unpacked, (g.view(g.view(q)), *keys, *values, mask(g, cells, "")))
        heads = g.shaped((attention.v_head_dim, tokens, n_heads), *g.matrix("projection"), g.view(scores))
    else:
        kq = g.over(g.shaped((cells.cells, tokens, n_heads), *keys, g.view(g.view(q))), mask(g, cells, ""))
        if run.era == "2026":
            kq = g.over(kq)
            v_copy = Node(2 * cells.cells * cells.streams * rank, values)
            kqv = g.shaped((rank, tokens, n_heads), v_copy, kq)
        else:
            kqv = g.shaped((rank, tokens, n_heads), *values, kq)
        heads = g.shaped((attention.v_head_dim, tokens, n_heads), *g.matrix("projection"), kqv)
    out = g.copy(g.view(heads), (attention.v_head_dim * n_heads, tokens))
    g.expand(out)
    return g.matmul("attention_output", run.hidden_dim, tokens, out)


def _expanded(
    g: Graph, attention: LatentAttention, plain: Node, q_rotated: Node, k_rotated: Node, latent: Node
) -> Node:
    """Return attention over every head's keys and values, as versions before latent caches computed it."""
    run = g.run
    tokens, n_heads = run.tokens, attention.n_heads
    kv = g.matmul("projection", n_heads * (attention.qk_nope_head_dim + attention.v_head_dim), tokens, latent)
    k_plain = g.view(kv, None, F32 * n_heads * attention.qk_nope_head_dim * tokens)
    v = g.shaped((n_heads * attention.v_head_dim, tokens), g.view(kv, None, F32 * n_heads * attention.v_head_dim * tokens))
    q = g.shaped((attention.qk_head_dim, n_heads, tokens), plain, q_rotated)
    repeated = g.shaped((attention.qk_rope_head_dim, n_heads, tokens), k_rotated)
    k = g.shaped((attention.qk_head_dim, n_heads, tokens), k_plain, repeated)
    heads = Heads(n_heads, n_heads, attention.qk_head_dim, attention.v_head_dim)
    return g.matmul("attention_output", run.hidden_dim, tokens, attend(g, q, k, v, heads, known_window(run, None)))
