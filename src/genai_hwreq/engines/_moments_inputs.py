"""What is alive in every layer of a pass: token ids, positions, masks."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from genai_hwreq.engines._held import Held
from genai_hwreq.engines._transformers_classes import class_traits
from genai_hwreq.models import Attention, LatentAttention

if TYPE_CHECKING:
    from collections.abc import Iterator

    from genai_hwreq.engines._held import Mode
    from genai_hwreq.engines._transformers_classes import ClassTraits
    from genai_hwreq.models import Mixer, Transformer

__all__ = ["has_distance_mask", "in_every_layer", "outside_layers", "windows"]


@lru_cache(maxsize=1024)
def outside_layers(mode: Mode) -> tuple[Held, ...]:
    """Return what is alive even when the layers are done: token ids, and the padding mask beside them."""
    held = [Held("token ids", 1, 1, 8, "earlier" if mode.is_step else "seen")]
    if mode.is_step and mode.several:
        held.append(Held("new token ids", 1, 1, 8))
    if mode.padded:
        held.append(Held("padding mask", 1, 1, 8, "seen"))
    return tuple(held)


@lru_cache(maxsize=1024)
def in_every_layer(network: Transformer, mode: Mode) -> tuple[Held, ...]:
    """Return what is alive throughout the layers, beside the residual stream."""
    traits = class_traits(network.model_type)
    return (*outside_layers(mode), *_positions(network, traits, mode), *_masks(network, traits, mode))


def _positions(network: Transformer, traits: ClassTraits, mode: Mode) -> Iterator[Held]:
    yield Held("positions", 1, 1, 8, "seen" if traits.positions == "counted" else "position")
    if traits.positions == "counted" and not mode.padded:
        yield Held("mask of ones", 1, 1, 4, "seen")
    if traits.positions == "learned":
        yield Held("position embeddings", 1, network.hidden_dim, mode.element_bytes, "position")
    rotary_dims = [dim * traits.rotary_percent // 100 for dim in _rotary_dims(network)]
    if traits.positions == "rotary":
        table_bytes = traits.rotary_table_bytes or mode.element_bytes
        n_pairs = traits.rotary_tables if len(rotary_dims) == 1 else 1
        for rotary_dim in rotary_dims[: traits.rotary_tables]:
            yield Held("rotary tables", 2 * n_pairs, rotary_dim, table_bytes, "position")
    if traits.scores_in_fp32:
        yield Held("table of all positions", 1, sum(rotary_dims) * mode.position_limit, 4, "once")
    for dim in _layer_input_dims(network):
        yield Held("inputs of each layer", 1, dim, mode.element_bytes)
    if traits.passes_choice:
        yield Held("tokens chosen by an earlier layer", 1, 1, 4, "pair")
    yield from _distances(network, traits, mode)


def _distances(network: Transformer, traits: ClassTraits, mode: Mode) -> Iterator[Held]:
    """Yield a bias by distance."""
    n_heads = max((mixer.n_heads for mixer in _mixers(network) if isinstance(mixer, Attention)), default=0)
    if traits.alibi == "table":
        yield Held("bias by distance", 1, n_heads * mode.position_limit, 4, "once")
    elif traits.alibi == "rows" or has_distance_mask(network):
        yield Held("bias by distance", 1, n_heads, mode.element_bytes, "seen")
    if has_distance_mask(network):
        yield Held("mask of each head", 1, n_heads, mode.element_bytes, "pair")
        if not mode.padded:
            yield Held("mask of ones", 1, 1, 8, "seen")


@lru_cache(maxsize=512)
def has_distance_mask(network: Transformer) -> bool:
    """Whether a bias by distance is merged into a mask for each head."""
    traits = class_traits(network.model_type)
    return traits.alibi == "mask" and all(run.layer.residual == "sequential" for run in network.layers)


def _masks(network: Transformer, traits: ClassTraits, mode: Mode) -> Iterator[Held]:
    """Yield the masks that say which token sees which, one a kind of layer."""
    kinds = len(windows(network)) + traits.idle_mask
    if not kinds or has_distance_mask(network):
        return
    if mode.eager and traits.alibi != "table":
        yield Held("attention masks", kinds, 1, mode.element_bytes, "pair")
    elif mode.padded or traits.always_masked == "each":
        yield Held("attention masks", kinds, 1, 1, "pair")
    elif traits.always_masked == "shared" or traits.idle_mask or mode.passed_window or _has_index(network):
        yield Held("attention mask", 1, 1, 1, "position_pair")


@lru_cache(maxsize=512)
def windows(network: Transformer) -> frozenset[int | None]:
    """Return the kinds of window a network's attention has; each kind has a mask of its own."""
    return frozenset(
        mixer.window_tokens if isinstance(mixer, Attention) else None
        for mixer in _mixers(network)
        if isinstance(mixer, Attention | LatentAttention)
    )


@lru_cache(maxsize=512)
def _has_index(network: Transformer) -> bool:
    """Whether an indexer chooses which tokens are attended to; it needs a mask to start from."""
    return any(isinstance(mixer, LatentAttention) and mixer.n_index_heads > 0 for mixer in _mixers(network))


@lru_cache(maxsize=512)
def _rotary_dims(network: Transformer) -> tuple[int, ...]:
    """Return the widths of heads that positions may rotate."""
    found = []
    for mixer in _mixers(network):
        if isinstance(mixer, Attention):
            found.append(mixer.head_dim)
        elif isinstance(mixer, LatentAttention):
            found.append(mixer.qk_rope_head_dim)
    return tuple(dict.fromkeys(found))


def _layer_input_dims(network: Transformer) -> tuple[int, ...]:
    """Return the width of what is looked up for all layers at once (Gemma's embeddings of each layer)."""
    return tuple(
        tensor.shape[1] for tensor in network.embeddings if tensor.name == "embed_tokens_per_layer.weight"
    )


@lru_cache(maxsize=512)
def _mixers(network: Transformer) -> tuple[Mixer, ...]:
    return tuple(dict.fromkeys(mixer for run in network.layers for mixer in run.layer.mixers))
