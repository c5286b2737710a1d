"""Moments of latent attention: every head's keys and values are unpacked from the compressed row of each token."""

from __future__ import annotations

from typing import TYPE_CHECKING

from genai_hwreq.engines._held import Held, Moment

if TYPE_CHECKING:
    from collections.abc import Iterator

    from genai_hwreq.engines._held import Scene
    from genai_hwreq.models import LatentAttention

__all__ = ["latent_moments", "latent_step_moments"]


def latent_moments(attention: LatentAttention, scene: Scene) -> Iterator[Moment]:
    """Yield the moments of a latent attention layer while a prompt is read."""
    mode = scene.mode
    size = mode.element_bytes
    copies = 2 + scene.traits.norm_before
    unpacked = _unpacked(attention, scene)
    output = Held("attention output", 1, attention.n_heads * attention.v_head_dim, size)
    yield Moment(name="attention output", stream=scene.stream(copies + 1), held=(*unpacked, output))
    if attention.n_index_heads and not attention.index_shared:
        yield Moment(
            name="index scores", stream=scene.stream(copies), held=(*unpacked, *_index(attention, scene))
        )
    if mode.eager:
        held = (*unpacked, *_scores(attention, scene), *_chosen(attention))
        yield Moment(name="attention scores", stream=scene.stream(copies), held=held)
    elif mode.padded or attention.n_index_heads:
        bias = Held("attention mask as a bias", 1, 1, size, "pair" if mode.padded else "position_pair")
        held = (*unpacked, output, bias, *_chosen(attention))
        yield Moment(name="masked attention", stream=scene.stream(copies), held=held)


def latent_step_moments(attention: LatentAttention, scene: Scene) -> Iterator[Moment]:
    """Yield the moments of a latent attention layer in one step: all earlier tokens are unpacked again."""
    mode = scene.mode
    size, heads = mode.element_bytes, attention.n_heads
    unpacked = (
        Held("unpacked keys and values", 1, heads * _nope_and_value(attention), size, "seen"),
        Held("keys with positions", 1, heads * attention.qk_head_dim, size, "seen"),
        Held("queries", 2, heads * attention.qk_head_dim, size),
        Held("rotated queries", 1, heads * attention.qk_rope_head_dim, size),
        *_compressed(attention, scene),
    )
    stream = scene.stream(2 + scene.traits.norm_before)
    if attention.n_index_heads and not attention.index_shared:
        yield Moment(name="index scores", stream=stream, held=(*unpacked, *_index_step(attention, scene)))
    output = Held("attention output", 1, heads * attention.v_head_dim, size)
    yield Moment(name="latent cache unpacked", stream=stream, held=(*unpacked, output, *_chosen(attention)))
    if mode.eager:
        yield from _eager_step(unpacked, attention, scene)


def _eager_step(unpacked: tuple[Held, ...], attention: LatentAttention, scene: Scene) -> Iterator[Moment]:
    """Yield the moments of eager attention: scores, and, of several sequences, a copy of all heads' values."""
    size, heads = scene.mode.element_bytes, attention.n_heads
    stream = scene.stream(2 + scene.traits.norm_before)
    chosen = _chosen(attention)
    yield Moment(
        name="attention scores", stream=stream, held=(*unpacked, *_scores(attention, scene), *chosen)
    )
    if scene.mode.several:
        values = Held("values of all heads", 1, heads * attention.v_head_dim, size, "seen")
        weights = Held("attention weights", 1, heads, size, "pair", kind="attention")
        held = (*unpacked, *chosen, weights, values)
        yield Moment(name="attention over copied values", stream=stream, held=held)


def _nope_and_value(attention: LatentAttention) -> int:
    return attention.qk_nope_head_dim + attention.v_head_dim


def _unpacked(attention: LatentAttention, scene: Scene) -> tuple[Held, ...]:
    """Return queries before and after rotation, the latent rows, and all heads' keys and values."""
    size, heads = scene.mode.element_bytes, attention.n_heads
    return (
        Held("queries and keys of all heads", 3, heads * attention.qk_head_dim, size),
        Held("rotated queries", 1, heads * attention.qk_rope_head_dim, size),
        Held("unpacked keys and values", 1, heads * _nope_and_value(attention), size),
        *_compressed(attention, scene),
    )


def _compressed(attention: LatentAttention, scene: Scene) -> tuple[Held, ...]:
    latent = Held("latent rows", 1, attention.latent_dim, scene.mode.element_bytes)
    if not attention.n_index_heads:
        return (latent,)
    return latent, Held("compressed queries", 1, attention.q_lora_rank, scene.mode.element_bytes)


def _scores(attention: LatentAttention, scene: Scene) -> tuple[Held, ...]:
    size, heads = scene.mode.element_bytes, attention.n_heads
    wide = Held("attention scores in 32 bit", 2, heads, 4, "pair", kind="attention")
    if size >= 4:
        return (wide,)
    return Held("attention scores", 1, heads, size, "pair", kind="attention"), wide


def _chosen(attention: LatentAttention) -> tuple[Held, ...]:
    """Return the indexer's choice: indices, a flag for each pair, and the mask that they leave."""
    if not attention.n_index_heads:
        return ()
    return (
        Held("chosen tokens", 1, 1, 4, "pair"),
        Held("flags of chosen tokens", 1, 1, 1, "pair"),
        Held("mask of chosen tokens", 1, 1, 2, "pair"),
    )


def _index(attention: LatentAttention, scene: Scene) -> tuple[Held, ...]:
    """Return the indexer's queries and, in 32 bit, its scores; several sequences copy its keys for each query."""
    heads, size = attention.n_index_heads, scene.mode.element_bytes
    queries = (
        Held("index queries", 2, heads * attention.index_head_dim, size),
        Held("rotated index queries", 1, heads * attention.qk_rope_head_dim, size),
        Held("index keys", 1, attention.index_head_dim, size),
    )
    if not scene.mode.several:
        return (*queries, Held("index scores", 2, heads, 4, "pair", kind="attention"))
    return (
        *queries,
        Held("index queries in 32 bit", 1, heads * attention.index_head_dim, 4),
        Held("index keys of each query", 1, attention.index_head_dim, 4, "pair"),
        Held("index scores", 1, heads, 4, "pair", kind="attention"),
    )


def _index_step(attention: LatentAttention, scene: Scene) -> tuple[Held, ...]:
    heads, size = attention.n_index_heads, scene.mode.element_bytes
    return (
        Held("index queries", 2, heads * attention.index_head_dim, size),
        Held("index queries in 32 bit", 1, heads * attention.index_head_dim, 4),
        Held("rotated index queries", 1, heads * attention.qk_rope_head_dim, size),
        Held("index keys in 32 bit", 1, attention.index_head_dim, 4, "seen"),
        Held("index scores", 1, heads, 4, "pair", kind="attention"),
    )
