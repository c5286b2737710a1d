"""Moments of softmax attention while a prompt is read: normalising, rotating, attending."""

from __future__ import annotations

from typing import TYPE_CHECKING

from genai_hwreq.engines._held import Held, Moment
from genai_hwreq.models import StateSpace

if TYPE_CHECKING:
    from collections.abc import Iterator

    from genai_hwreq.engines._held import Scene
    from genai_hwreq.models import Attention, Layer

__all__ = ["attention_moments", "kept_projection", "norm_copies", "query_is_view", "score_copies"]


def attention_moments(attention: Attention, layer: Layer, scene: Scene) -> Iterator[Moment]:
    """Yield the moments of an attention layer that may be its largest."""
    traits, mode = scene.traits, scene.mode
    copies = 2 + norm_copies(layer, scene)
    if traits.positions == "rotary":
        yield Moment(name="rotary positions", stream=scene.stream(copies), held=_rotation(attention, scene))
    if traits.qk_norm != "none":
        yield _normalisation(attention, scene, copies)
    yield Moment(
        name="attention output",
        stream=scene.stream(copies + 1),
        held=(*_query_and_kept(attention, scene), _output(attention, scene)),
    )
    if mode.eager:
        yield _eager(attention, scene, copies)
    elif _is_masked(attention, scene):
        if traits.multi_query_unfused and attention.n_kv_heads == 1 < attention.n_heads:
            yield from _unfused(attention, scene, copies)
        else:
            yield _masked(attention, scene, copies)
    elif scene.falls_back(attention):
        yield _unfused_grouped(attention, scene, copies)


def norm_copies(layer: Layer, scene: Scene) -> int:
    """Return how many normed copies of the layer's input are alive in attention."""
    both = scene.traits.norms_together and layer.residual == "parallel" and len(layer.norms) > 1
    return 2 if both else int(scene.traits.norm_before) + _waiting_copies(layer)


def _waiting_copies(layer: Layer) -> int:
    """Return what waits where a state layer has run beside attention: its output, and the input scaled for it."""
    return 2 if len(layer.mixers) > 1 and any(isinstance(mixer, StateSpace) for mixer in layer.mixers) else 0


def query_is_view(scene: Scene) -> bool:
    """Whether queries are read from the projection: nothing rotates them into a tensor of their own in that type."""
    kept = scene.traits.keeps_projection
    return kept == "split" or (kept == "fused" and not scene.rotates)


def kept_projection(attention: Attention, scene: Scene) -> tuple[Held, ...]:
    """Return what stays alive of the projections that queries, keys and values came from."""
    query, key, size = attention.query_dim, attention.key_dim, scene.mode.element_bytes
    rotated = (query + key) * scene.traits.rotary_percent // 100
    match scene.traits.keeps_projection:
        case "fused":
            return (Held("fused projection", 1, query + key + attention.value_dim, size),)
        case "partial":
            parts = Held("rotated parts", 1, rotated, size)
            return Held("queries and keys as projected", 1, query + key, size), parts
        case "apart":
            parts = Held("rotated parts", 1, rotated, size)
            return Held("queries and keys as projected", 1, query + key, size), parts
        case "split":
            fused = Held("fused projection", 1, query + key + attention.value_dim, size)
            return fused, Held("its parts", 1, query + key, size), Held("rotated parts", 1, rotated, 4)
    return ()


def score_copies(attention: Attention, scene: Scene, *, earlier: bool = True) -> tuple[Held, ...]:
    """Return the scores that eager attention holds: in 32 bit nothing is copied to another type."""
    traits, size = scene.traits, scene.mode.element_bytes
    narrow, wide = traits.narrow_scores, traits.wide_scores
    if scene.has_distance_mask:
        wide = 3
    if size >= 4 and wide:
        narrow = max(0, narrow - 1)
    held = []
    n_narrow = narrow + (traits.earlier_scores and earlier)
    if n_narrow:
        held.append(Held("attention scores", n_narrow, attention.n_heads, size, "pair", kind="attention"))
    if wide:
        held.append(Held("attention scores in 32 bit", wide, attention.n_heads, 4, "pair", kind="attention"))
    if attention.sinks:
        held.append(Held("sinks among the scores", 2, attention.n_heads, size, kind="attention"))
    return tuple(held)


def _query_and_kept(attention: Attention, scene: Scene) -> tuple[Held, ...]:
    kept = kept_projection(attention, scene)
    if attention.gate in {"element", "element_apart"}:
        kept = (*kept, Held("output gate", 1, attention.output_dim, scene.mode.element_bytes))
    if query_is_view(scene):
        return kept
    return Held("queries", 1, attention.query_dim, scene.mode.element_bytes), *kept


def _output(attention: Attention, scene: Scene) -> Held:
    return Held("attention output", 1, attention.output_dim, scene.mode.element_bytes)


def _rotation(attention: Attention, scene: Scene) -> tuple[Held, ...]:
    """Return the query, its product with the cosines, its rotated half and that half's product with the sines."""
    traits, size = scene.traits, scene.mode.element_bytes
    query = attention.query_dim
    wide = 4 if traits.rotary_in_fp32 else max(traits.rotary_table_bytes or size, size)
    held = [Held("queries", 1, query, size), Held("rotated queries", 3, query, wide)]
    if traits.rotary_in_fp32:
        held.append(Held("queries and keys in 32 bit", 1, query + attention.key_dim, 4))
    if traits.rotary_tables_repeated:
        held.append(Held("repeated rotary tables", 2, attention.head_dim, wide, "position"))
    return tuple(held)


def _normalisation(attention: Attention, scene: Scene, copies: int) -> Moment:
    size = scene.mode.element_bytes
    before_cache = scene.traits.qk_norm == "before_cache"
    return Moment(
        name="query normalisation",
        stream=scene.stream(copies),
        held=(
            Held("queries", 1, attention.query_dim, size),
            Held("queries in 32 bit", 2, attention.query_dim, 4),
            Held("scales of heads", 2, attention.n_heads, 4),
        ),
        uncached_token_bytes=sum(scene.cached_dims(attention)) * size if before_cache else 0,
    )


def _is_masked(attention: Attention, scene: Scene) -> bool:
    mode = scene.mode
    passed = attention.window_tokens is not None and attention.window_tokens <= mode.passed_window
    return mode.padded or passed or scene.traits.always_masked != "no"


def _repeated(attention: Attention, scene: Scene) -> tuple[Held, ...]:
    """Return keys and values repeated for all heads; a single one is only viewed as many."""
    if not scene.repeats_keys(attention):
        return ()
    width = attention.query_dim + attention.output_dim
    return (Held("repeated keys and values", 1, width, scene.mode.element_bytes, "seen"),)


def _bias(scene: Scene) -> Held:
    """Return the mask as the bias that fused attention takes."""
    each = scene.mode.padded or scene.traits.always_masked == "each"
    return Held(
        "attention mask as a bias", 1, 1, scene.mode.element_bytes, "pair" if each else "position_pair"
    )


def _masked(attention: Attention, scene: Scene, copies: int) -> Moment:
    held = (
        *_query_and_kept(attention, scene),
        *_repeated(attention, scene),
        _output(attention, scene),
        _bias(scene),
    )
    return Moment(name="masked attention", stream=scene.stream(copies), held=held)


def _eager(attention: Attention, scene: Scene, copies: int) -> Moment:
    held = [*_query_and_kept(attention, scene), *_repeated(attention, scene), *score_copies(attention, scene)]
    if scene.traits.scores_in_fp32:
        held.append(Held("queries and keys in 32 bit", 1, attention.query_dim + attention.key_dim, 4))
    if scene.traits.alibi == "rows" and scene.mode.several:
        held.append(Held("queries, heads first", 1, attention.query_dim, scene.mode.element_bytes))
    return Moment(name="attention scores", stream=scene.stream(copies), held=tuple(held))


def _unfused(attention: Attention, scene: Scene, copies: int) -> Iterator[Moment]:
    """Yield the two moments of PyTorch's unfused attention, which works in 32 bit: softmax, and output."""
    query, size = attention.query_dim, scene.mode.element_bytes
    common = (
        *_query_and_kept(attention, scene),
        _bias(scene),
        Held("keys and values in 32 bit", 1, attention.key_dim + attention.value_dim, 4),
        Held("queries in 32 bit", 2, query, 4),
        Held("attention scores in 32 bit", 1, attention.n_heads, 4, "pair", kind="attention"),
    )
    softmax = Held("softmax in 32 bit", 1, attention.n_heads, 4, "pair", kind="attention")
    yield Moment(name="unfused attention", stream=scene.stream(copies), held=(*common, softmax))
    outputs = (
        Held("attention weights", 1, attention.n_heads, size, "pair", kind="attention"),
        Held("output in 32 bit", 1, attention.output_dim, 4),
        _output(attention, scene),
    )
    yield Moment(name="unfused attention's output", stream=scene.stream(copies), held=(*common, *outputs))


def _unfused_grouped(attention: Attention, scene: Scene, copies: int) -> Moment:
    """Return PyTorch's unfused attention in 32 bit, which repeats shared keys and values for all heads."""
    query, size = attention.query_dim, scene.mode.element_bytes
    held = (
        *_query_and_kept(attention, scene),
        Held("scaled queries", 1, query, size),
        Held("repeated keys and values", 1, query + attention.output_dim, size, "seen"),
        Held("attention scores", 2, attention.n_heads, size, "pair", kind="attention"),
        Held("causal mask as a bias", 1, 1, size, "position_pair"),
    )
    return Moment(name="unfused attention", stream=scene.stream(copies), held=held)
