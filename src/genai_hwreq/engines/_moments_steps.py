"""Moments of softmax attention in one step of decoding: the cache grows, one query sees it.

Source: `DynamicLayer.update` and `DynamicSlidingWindowLayer.update`, transformers 5.23,
https://github.com/huggingface/transformers/blob/main/src/transformers/cache_utils.py
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import evolve

from genai_hwreq.engines._held import Held, Moment
from genai_hwreq.engines._moments_attention import kept_projection, norm_copies, query_is_view, score_copies
from genai_hwreq.models import Attention

if TYPE_CHECKING:
    from collections.abc import Iterator

    from genai_hwreq.engines._held import Scene
    from genai_hwreq.models import Layer, LayerRun, Transformer

__all__ = ["step_moments"]


def step_moments(network: Transformer, scene: Scene) -> Iterator[Moment]:
    """Yield the moments of attention layers that may be the largest of a step.

    Caches grow layer by layer. After a prompt longer than a window, the layers that have not run yet still hold
    all of it, so the first layer of a kind may hold more than the last.
    """
    for layer, run_index, n_after in _first_and_last(network):
        uncut = (
            _uncut(network.layers[run_index + 1 :], layer, n_after, scene) if scene.mode.first_step else ()
        )
        for mixer in layer.mixers:
            if isinstance(mixer, Attention):
                for moment in _attention_step(mixer, layer, scene):
                    yield evolve(moment, held=moment.held + uncut)


def _first_and_last(network: Transformer) -> Iterator[tuple[Layer, int, int]]:
    """Yield each kind of layer where it first and last runs, with how many of its own run follow."""
    layers = [run.layer for run in network.layers]
    for layer in dict.fromkeys(layers):
        first = layers.index(layer)
        yield layer, first, network.layers[first].n_layers - 1
        yield layer, len(layers) - 1 - layers[::-1].index(layer), 0


def _uncut(runs: tuple[LayerRun, ...], layer: Layer, n_after: int, scene: Scene) -> tuple[Held, ...]:
    """Return the rows before the window that layers yet to run still hold."""
    widths: dict[int, int] = {}
    for other, n_layers in [(layer, n_after), *((run.layer, run.n_layers) for run in runs)]:
        for mixer in other.mixers:
            if isinstance(mixer, Attention) and mixer.window_tokens is not None and mixer.cache == "own":
                width = n_layers * sum(scene.cached_dims(mixer))
                widths[mixer.window_tokens] = widths.get(mixer.window_tokens, 0) + width
    return tuple(
        Held("prompt not yet cut to the window", 1, width, scene.mode.element_bytes, "beyond_window", window)
        for window, width in widths.items()
        if width
    )


def _attention_step(attention: Attention, layer: Layer, scene: Scene) -> Iterator[Moment]:
    copies = 2 + norm_copies(layer, scene)
    if attention.cache == "own":
        yield _growth(attention, scene, copies)
    if scene.mode.eager:
        yield from _eager(attention, scene, copies)
    elif scene.traits.multi_query_unfused and attention.n_kv_heads == 1 < attention.n_heads:
        yield from _unfused(attention, scene, copies)
    elif scene.falls_back(attention) and not scene.mode.padded:
        yield _windowed(_unfused_grouped(attention, scene, copies), attention)


def _growth(attention: Attention, scene: Scene, copies: int) -> Moment:
    """Return the moment in which the cache is replaced by one that is a token longer.

    Keys are replaced first, and then values; a sliding layer makes both before it drops the old ones.
    """
    key_dim, value_dim = scene.cached_dims(attention)
    size = scene.mode.element_bytes
    held = [*_new_rows(attention, scene)]
    if attention.window_tokens is None:
        held.append(Held("old values", 1, value_dim, size, "earlier"))
    elif scene.mode.first_step:
        held.append(Held("old keys and values", 1, key_dim + value_dim, size, "earlier"))
    else:
        span = attention.window_tokens
        held.append(Held("old keys and values", 1, key_dim + value_dim, size, "earlier_windowed", span))
    if scene.mode.eager and scene.traits.earlier_scores:
        name = "earlier attention scores"
        held.append(Held(name, 1, attention.n_heads, size, "pair", kind="attention"))
    return Moment(name="cache growing by concatenation", stream=scene.stream(copies), held=tuple(held))


def _new_rows(attention: Attention, scene: Scene) -> Iterator[Held]:
    """Yield the new token's query, key and value."""
    size = scene.mode.element_bytes
    key_dim, value_dim = scene.cached_dims(attention)
    yield from kept_projection(attention, scene)
    if query_is_view(scene) and scene.traits.keeps_projection != "split":
        return
    yield Held("queries", 1, attention.query_dim, size)
    yield Held("keys", 1, key_dim, size)
    if scene.traits.keeps_projection not in {"fused", "split"} or scene.traits.broadcast_cache:
        yield Held("values", 1, value_dim, size)


def _eager(attention: Attention, scene: Scene, copies: int) -> Iterator[Moment]:
    size = scene.mode.element_bytes
    held = list(kept_projection(attention, scene))
    if not query_is_view(scene):
        held.append(Held("queries", 1, attention.query_dim, size))
    if scene.traits.scores_in_fp32:
        held.append(Held("queries in 32 bit", 1, attention.query_dim, 4))
        held.append(Held("keys in 32 bit", 1, attention.key_dim, 4, "seen"))
    repeated = _repeated(attention, scene)
    stream = scene.stream(copies)
    scores = score_copies(attention, scene)
    yield _windowed(
        Moment(name="attention scores", stream=stream, held=(*held, *repeated, *scores)), attention
    )
    if attention.n_kv_heads == 1 < attention.n_heads and scene.mode.several:
        viewed = Held("keys or values of all heads", 1, attention.query_dim, size, "seen")
        n_scores = 1 + scene.traits.earlier_scores
        one = Held("attention scores", n_scores, attention.n_heads, size, "pair", kind="attention")
        output = Held("attention output", 1, attention.query_dim, size)
        yield _windowed(
            Moment(name="attention over a viewed head", stream=stream, held=(*held, viewed, one, output)),
            attention,
        )


def _repeated(attention: Attention, scene: Scene) -> tuple[Held, ...]:
    if not scene.repeats_keys(attention):
        return ()
    size = scene.mode.element_bytes
    return (
        Held("repeated keys", 1, attention.query_dim, size, "seen"),
        Held("repeated values", 1, attention.output_dim, size, "seen"),
    )


def _windowed(moment: Moment, attention: Attention) -> Moment:
    """Return a moment whose rows of seen tokens end at the attention's window."""
    span = attention.window_tokens
    if span is None:
        return moment
    held = tuple(
        evolve(part, rows="windowed", span_tokens=span) if part.rows in {"seen", "pair"} else part
        for part in moment.held
    )
    return evolve(moment, held=held)


def _unfused(attention: Attention, scene: Scene, copies: int) -> Iterator[Moment]:
    """Yield the moments of PyTorch's unfused attention, which works in 32 bit: scores, and output."""
    size, heads, query = scene.mode.element_bytes, attention.n_heads, attention.query_dim
    common = (
        *kept_projection(attention, scene),
        Held("queries", 1, query, size),
        Held("queries in 32 bit", 2, query, 4),
        Held("keys and values in 32 bit", 2, attention.key_dim, 4, "seen"),
        Held("attention scores in 32 bit", 1, heads, 4, "pair", kind="attention"),
        Held("attention mask as a bias", 1, 1, size, "pair" if scene.mode.padded else "position_pair"),
    )
    scaled = [Held("scaled keys in 32 bit", 1, attention.key_dim, 4, "seen")]
    if scene.mode.several:
        scaled.append(Held("keys of all heads in 32 bit", 1, query, 4, "seen"))
    yield Moment(name="unfused attention", stream=scene.stream(copies), held=(*common, *scaled))
    masked = Held("masked scores in 32 bit", 1, heads, 4, "pair", kind="attention")
    yield Moment(name="unfused attention, masked", stream=scene.stream(copies), held=(*common, masked))
    outputs = (
        Held("attention weights", 1, heads, size, "pair", kind="attention"),
        Held("output in 32 bit", 1, query, 4),
        Held("attention output", 1, query, size),
    )
    yield Moment(name="unfused attention's output", stream=scene.stream(copies), held=(*common, *outputs))


def _unfused_grouped(attention: Attention, scene: Scene, copies: int) -> Moment:
    """Return PyTorch's unfused attention in 32 bit, which repeats shared keys and values for all heads."""
    query, size = attention.query_dim, scene.mode.element_bytes
    held = (
        *kept_projection(attention, scene),
        Held("queries", 2, query, size),
        Held("repeated keys, as they are and scaled", 2, query, size, "seen"),
        Held("repeated values", 1, attention.output_dim, size, "seen"),
        Held("attention scores", 1, attention.n_heads, size, "pair", kind="attention"),
    )
    return Moment(name="unfused attention", stream=scene.stream(copies), held=held)
