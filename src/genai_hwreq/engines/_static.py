"""What engines have in common that allocate a cache for a set number of tokens and run a request on its own.

Next: the engines themselves.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import evolve

from genai_hwreq.engines._paged_cache import paged_cache
from genai_hwreq.estimates import Component, Phase
from genai_hwreq.models import Attention, Experts, LatentAttention, TransformerModel
from genai_hwreq.ranges import ByteRange

if TYPE_CHECKING:
    from collections.abc import Callable

    from genai_hwreq.estimates import Fitted, Inputs, Kind
    from genai_hwreq.models import FeedForward, Mixer, Transformer

__all__ = [
    "CACHE_BLOCKS",
    "cache_component",
    "fitted_component",
    "generation_phases",
    "part",
    "refused_cache",
    "without_embedding",
    "working_component",
]

CACHE_BLOCKS = {
    "fp32": 128, "fp16": 64, "bf16": 64, "fp8": 32, "int8": 34, "q8": 34, "q8_0": 34, "q6": 26, "q4": 18, "q4_0": 18,
    "int4": 18,
}
"""Bytes of 32 cached elements, by the name of their type; quantised ones have a 16-bit scale.

Source: https://github.com/turboderp-org/exllamav2/blob/v0.3.1/exllamav2/cache.py
"""


def refused_cache(kv_cache: str) -> str | None:
    """Say why a cache of that type, or of two types for keys and values, is not known; `None` where it is."""
    for name in kv_cache.split("/"):
        if name not in CACHE_BLOCKS:
            return f"a {name!r} cache is not one of {', '.join(CACHE_BLOCKS)}"
    return None


def cache_component(network: Transformer, batch_size: int, tokens: int, kv_cache: str = "fp16") -> Component:
    """Return a cache that is allocated in full: every layer keeps every token.

    Args:
        network: the layers on a device.
        batch_size: sequences.
        tokens: tokens it is allocated for.
        kv_cache: type of the cache; `k/v` where keys and values differ.
    """
    names = kv_cache.split("/")
    blocks = CACHE_BLOCKS[names[0]] + CACHE_BLOCKS[names[-1]]
    cache = paged_cache(network, 16, grouped=False)
    elements = cache.token_bytes // 2
    size = batch_size * (tokens * elements * blocks // 64 + cache.state_bytes)
    inputs = (
        ("batch_size", batch_size),
        ("tokens", tokens),
        ("elements_per_token", elements),
        ("bytes_of_64", blocks),
        ("state_bytes", cache.state_bytes),
    )
    text = "batch_size * (tokens * elements_per_token * bytes_of_64 // 64 + state_bytes)"
    return Component("kv_cache", "key/value cache", size, text, inputs, "exact")


def without_embedding(model: TransformerModel) -> TransformerModel:
    """Return a model whose token embedding stays in host memory; one that is also the head is on the device too."""
    if model.decoder.tied:
        return model
    return evolve(model, decoder=evolve(model.decoder, embeddings=()))


def generation_phases(
    loaded: tuple[Component, ...], prompt_tokens: int, passing: Callable[[int], tuple[Component, ...]]
) -> tuple[Phase, ...]:
    """Return loading, the pass of the prompt, and the pass of one token after another.

    Args:
        loaded: what is there before the first request.
        prompt_tokens: tokens of each prompt that pass at once.
        passing: takes the tokens of each sequence that pass at once; returns what is alive meanwhile.
    """
    return (
        Phase(name="load", components=loaded),
        Phase(name="prefill", components=passing(prompt_tokens)),
        Phase(name="decode", components=passing(1)),
    )


def working_component(
    network: Transformer,
    *,
    batch_size: int,
    tokens: int,
    seen_tokens: int,
    logit_tokens: int,
    bytes_per_logit: int,
    bytes_per_score: int = 0,
    element_bytes: int = 2,
) -> Component:
    """Return the largest moment of a pass: attention, a feed-forward network, or the logits.

    Args:
        network: the layers on a device.
        batch_size: sequences.
        tokens: tokens of each that pass at once.
        seen_tokens: tokens that the last of them sees.
        logit_tokens: tokens of each whose logits are made.
        bytes_per_logit: bytes of a logit, copies included.
        bytes_per_score: bytes of an attention score, copies included; zero where attention is fused.
        element_bytes: bytes of an element of the compute type.
    """
    rows = batch_size * tokens
    stream = 2 * network.hidden_dim
    mixers = [mixer for run in network.layers for mixer in run.layer.mixers]
    parts = [part for run in network.layers for part in run.layer.feed_forward]
    attention = _moment(
        "attention", rows, stream + max((_attention_width(mixer) for mixer in mixers), default=0), element_bytes,
        scores=rows * seen_tokens * max((_score_heads(mixer) for mixer in mixers), default=0) * bytes_per_score,
    )
    feed_forward = _moment(
        "feed-forward network", rows, stream + max((_width(part) for part in parts), default=0), element_bytes, scores=0
    )
    logits = _logits(network, batch_size * logit_tokens, bytes_per_logit)
    return max((attention, feed_forward, logits), key=lambda moment: moment.bytes)


def _moment(name: str, rows: int, width: int, element_bytes: int, *, scores: int) -> Component:
    inputs = (("rows", rows), ("width", width), ("element_bytes", element_bytes), ("score_bytes", scores))
    size = rows * width * element_bytes + scores
    return part("activations", name, size, "rows * width * element_bytes + score_bytes", inputs)


def _logits(network: Transformer, rows: int, bytes_per_logit: int) -> Component:
    inputs = (("rows", rows), ("vocab_size", network.vocab_size), ("bytes_per_logit", bytes_per_logit))
    size = rows * network.vocab_size * bytes_per_logit
    return part("logits", "logits", size, "rows * vocab_size * bytes_per_logit", inputs)


def _attention_width(mixer: Mixer) -> int:
    if isinstance(mixer, Attention):
        return mixer.query_dim + mixer.key_dim + mixer.value_dim + mixer.output_dim
    if isinstance(mixer, LatentAttention):
        return mixer.n_heads * (2 * mixer.qk_head_dim + 2 * mixer.v_head_dim)
    return 0


def _score_heads(mixer: Mixer) -> int:
    return mixer.n_heads if isinstance(mixer, Attention | LatentAttention) else 0


def _width(feed_forward: FeedForward) -> int:
    n_matrices = 3 if feed_forward.gated else 2
    if isinstance(feed_forward, Experts):
        routed = feed_forward.n_experts_per_token * feed_forward.intermediate_dim
        return n_matrices * (routed + feed_forward.shared_dim)
    return n_matrices * feed_forward.intermediate_dim


def part(kind: Kind, name: str, size: int, formula: str, inputs: Inputs) -> Component:
    """Return a component that follows from understanding, but was not replayed: between half of it and twice."""
    return Component(kind, name, size, formula, inputs, "modelled", None, ByteRange(size // 2, size, 2 * size))


def fitted_component(kind: Kind, name: str, constant: Fitted, low: int, high: int) -> Component:
    """Return a fitted constant as a component, with the least and the most that was seen."""
    size = constant.value
    return Component(
        kind, name, size, "constant", (("constant", size),), "fitted", constant.source, ByteRange(low, size, high)
    )
