"""Where families with experts differ: which layers see a window, and what their attention stores."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import evolve

from genai_hwreq.readers.hf_config._decoder import layer_windows
from genai_hwreq.readers.hf_config._experts import per_layer
from genai_hwreq.readers.hf_config._fields import Fields
from genai_hwreq.readers.hf_config._moe_decoder import plain

if TYPE_CHECKING:
    from collections.abc import Callable

    from genai_hwreq.models import Attention
    from genai_hwreq.readers.hf_config._decoder import DecoderTraits


def qwen_windows(fields: Fields, n_layers: int) -> tuple[int | None, ...]:
    if not fields.flag("use_sliding_window", default=False):
        return (None,) * n_layers
    return layer_windows(fields, n_layers)


def qwen2_windows(fields: Fields, n_layers: int) -> tuple[int | None, ...]:
    windows = qwen_windows(fields, n_layers)
    if fields.has("layer_types"):
        return windows
    most = fields.count("max_window_layers", minimum=0)
    return tuple(span if index % 2 == 0 and index < most else None for index, span in enumerate(windows))


def late_windows(fields: Fields, n_layers: int) -> tuple[int | None, ...]:
    windows = layer_windows(fields, n_layers)
    if fields.has("layer_types"):
        return windows
    first = fields.count("max_window_layers", default=n_layers, minimum=0)
    return tuple(span if index >= first else None for index, span in enumerate(windows))


def all_but_every(every: int, field: str = "") -> Callable[[Fields, int], tuple[int | None, ...]]:
    """Return the rule that every n-th layer sees all; `field` is where the configuration may state n."""

    def windows(fields: Fields, n_layers: int) -> tuple[int | None, ...]:
        spans = layer_windows(fields, n_layers)
        if fields.has("layer_types"):
            return spans
        step = fields.count(field, default=every)
        return tuple(span if (index + 1) % step else None for index, span in enumerate(spans))

    return windows


def listed_windows(fields: Fields, n_layers: int) -> tuple[int | None, ...]:
    """Follow `layer_types`; without them every layer sees all."""
    return layer_windows(fields, n_layers) if fields.has("layer_types") else (None,) * n_layers


def first_of_four_sees_all(fields: Fields, n_layers: int) -> tuple[int | None, ...]:
    """Follow `layer_types`; without them the first of every four layers sees all (Granite)."""
    windows = layer_windows(fields, n_layers)
    if fields.has("layer_types"):
        return windows
    return tuple(span if index % 4 else None for index, span in enumerate(windows))


def after_prefix(fields: Fields, n_layers: int) -> tuple[int | None, ...]:
    """Follow `layer_types`; without them the dense first layers and the others have steps of their own (Cohere)."""
    windows = layer_windows(fields, n_layers)
    if fields.has("layer_types"):
        return windows
    n_dense = min(n_layers, fields.count("first_k_dense_replace", default=0, minimum=0))
    prefix_step = fields.count("prefix_dense_sliding_window_pattern", default=1)
    step = fields.count("sliding_window_pattern", default=4)
    turns = [(index + 1) % prefix_step for index in range(n_dense)]
    turns += [(index + 1) % step for index in range(n_layers - n_dense)]
    return tuple(span if turn else None for span, turn in zip(windows, turns, strict=True))


def element_gated(fields: Fields, traits: DecoderTraits, index: int, window_tokens: int | None) -> Attention:
    return evolve(plain(fields, traits, index, window_tokens), gate="element_apart")


def with_sinks(fields: Fields, traits: DecoderTraits, index: int, window_tokens: int | None) -> Attention:
    return evolve(plain(fields, traits, index, window_tokens), sinks=True)


def optional_norm(fields: Fields, traits: DecoderTraits, index: int, window_tokens: int | None) -> Attention:
    traits = evolve(traits, qk_norm="head" if fields.flag("use_qk_norm", default=False) else "none")
    return unbiased_output(fields, traits, index, window_tokens)


def query_bias(fields: Fields, traits: DecoderTraits, index: int, window_tokens: int | None) -> Attention:
    traits = evolve(traits, query_bias=fields.flag("qkv_bias", "use_qkv_bias", default=traits.query_bias))
    return plain(fields, traits, index, window_tokens)


def bailing_v2(fields: Fields, traits: DecoderTraits, index: int, window_tokens: int | None) -> Attention:
    traits = evolve(traits, qk_norm="head" if fields.flag("use_qk_norm", default=False) else "none")
    return bailing(fields, traits, index, window_tokens)


def bailing(fields: Fields, traits: DecoderTraits, index: int, window_tokens: int | None) -> Attention:
    output_bias = fields.flag("use_bias", default=False)
    return evolve(query_bias(fields, traits, index, window_tokens), output_bias=output_bias)


def unbiased_output(
    fields: Fields, traits: DecoderTraits, index: int, window_tokens: int | None
) -> Attention:
    """Read an attention whose `attention_bias` leaves the output projection out."""
    return evolve(plain(fields, traits, index, window_tokens), output_bias=False)


def heads_per_layer(
    fields: Fields, traits: DecoderTraits, index: int, window_tokens: int | None
) -> Attention:
    """Read an attention whose number of query heads differs from layer to layer and is gated (Laguna)."""
    heads = per_layer(fields, ("num_attention_heads_per_layer", "num_attention_heads"), index)
    base = plain(Fields({**fields.config, "num_attention_heads": heads}), traits, index, window_tokens)
    gating = fields.config.get("gating", True)
    return evolve(base, gate="head" if gating is True or gating == "per-head" else "element_apart")
