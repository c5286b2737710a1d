"""Moments of a forward pass: which tensors are alive together, and which moment needs the most.

A pass through a decoder peaks in one of a few moments: while queries are normalised or rotated, while scores
are made, in a feed-forward network, among the experts, or when the logits are made. Each moment is a handful
of counts of tensors; the largest sum is the peak.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from attrs import frozen

from genai_hwreq.engines._transformers_classes import class_traits
from genai_hwreq.formulas import activations as formula
from genai_hwreq.models import Attention, Dense, Experts, LatentAttention, Transformer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from genai_hwreq.engines._transformers_classes import ClassTraits
    from genai_hwreq.models import Layer

__all__ = ["Moment", "Pass", "largest_moment"]


@frozen(kw_only=True)
class Pass:
    """One forward pass: its size, its compute type and how attention is computed."""

    batch_size: int
    """Sequences."""

    tokens: int
    """Tokens of each sequence that pass."""

    seen_tokens: int
    """Tokens that the last of them sees."""

    element_bytes: int
    """Bytes of an element of the compute type."""

    logit_tokens: int
    """Tokens of each sequence whose successor is asked for."""

    bytes_per_logit: int
    """Bytes of a logit, copies in other types included."""

    eager: bool
    """Whether scores are held in full."""

    padded: bool
    """Whether a padding mask is given."""


@frozen(kw_only=True)
class Moment:
    """Counts of the tensors that are alive together, each once for every token unless it says otherwise."""

    name: str
    """Where in the pass."""

    stream_copies: int
    """Tensors as wide as the residual stream."""

    other_elements: int = 0
    """Elements of other tensors in the compute type."""

    token_bytes: int = 0
    """Bytes of tensors in types of their own (router indices and weights)."""

    seen_elements: int = 0
    """Elements for every token seen: keys and values repeated for all heads, or an old cache being replaced."""

    half_widths: int = 0
    """Tensors as wide as a feed-forward network, in halves of its width."""

    intermediate_dim: int = 0
    """That width."""

    old_elements: int = 0
    """Elements for every earlier token, of a cache tensor that is being replaced by a longer one."""

    n_score_heads: int = 0
    """Heads whose scores are held in full."""

    bytes_per_score: int = 0
    """Bytes of one score, all copies."""

    mask_bias: bool = False
    """Whether the mask is held a second time, as a bias in the compute type."""

    logit_copies: int = 0
    """Copies of the logits."""

    def bytes_in(self, run: Pass, network: Transformer) -> int:
        """Return the bytes of the moment's own tensors in a pass."""
        rows = run.batch_size * run.tokens
        elements = self.stream_copies * network.hidden_dim + self.other_elements
        total = rows * (elements * run.element_bytes + self.token_bytes)
        total += run.batch_size * run.seen_tokens * self.seen_elements * run.element_bytes
        total += run.batch_size * (run.seen_tokens - 1) * self.old_elements * run.element_bytes
        total += rows * self.half_widths * self.intermediate_dim * run.element_bytes // 2
        total += run.batch_size * self.n_score_heads * run.tokens * run.seen_tokens * self.bytes_per_score
        if self.mask_bias:
            mask_rows = run.batch_size if run.padded else 1
            total += mask_rows * run.tokens * run.seen_tokens * run.element_bytes
        if self.logit_copies:
            total += formula.logits_bytes(
                run.batch_size, run.logit_tokens, network.vocab_size, self.logit_copies * run.bytes_per_logit
            )
        return total


def largest_moment(network: Transformer, run: Pass, *, masked: bool) -> Moment:
    """Return the moment of a pass that needs the most; `masked` tells whether memory-saving attention has a mask."""
    if run.tokens == 1 < run.seen_tokens:
        moments = _step_moments(network, run.eager, run.element_bytes)
    else:
        moments = _moments(network, run.eager, masked, run.element_bytes)
    return max(moments, key=lambda moment: moment.bytes_in(run, network))


@lru_cache(maxsize=1024)
def _moments(network: Transformer, eager: bool, masked: bool, element_bytes: int) -> tuple[Moment, ...]:
    traits = class_traits(network.model_type)
    found: list[Moment] = []
    for layer in dict.fromkeys(run.layer for run in network.layers):
        for mixer in layer.mixers:
            if isinstance(mixer, Attention):
                found += _attention_moments(mixer, traits, eager, masked, element_bytes)
        found += _feed_forward_moments(layer, traits, eager, element_bytes)
    if network.vocab_size:
        found.append(Moment(name="logits", stream_copies=1, logit_copies=traits.logit_copies))
    return tuple(dict.fromkeys(found))


@lru_cache(maxsize=1024)
def _step_moments(network: Transformer, eager: bool, element_bytes: int) -> tuple[Moment, ...]:
    """Return the moments of one step of decoding: a single token a sequence, all earlier ones seen."""
    traits = class_traits(network.model_type)
    found = [Moment(name="logits", stream_copies=1, logit_copies=traits.logit_copies)] if network.vocab_size else []
    for layer in dict.fromkeys(run.layer for run in network.layers):
        for mixer in layer.mixers:
            if isinstance(mixer, Attention):
                found += _step_attention_moments(mixer, traits, eager, element_bytes)
            elif isinstance(mixer, LatentAttention):
                found.append(_latent_step_moment(mixer))
    return tuple(dict.fromkeys(found)) or (Moment(name="state update", stream_copies=3),)


def _step_attention_moments(
    attention: Attention, traits: ClassTraits, eager: bool, element_bytes: int
) -> Iterator[Moment]:
    query, key = attention.query_dim, attention.key_dim
    if attention.cache == "own":
        old = key + attention.value_dim if attention.window_tokens is not None else attention.value_dim
        if traits.broadcast_cache and attention.n_kv_heads > 1:
            old = query
        yield Moment(
            name="cache growing by concatenation",
            stream_copies=3,
            other_elements=2 * query + 3 * key,
            old_elements=old,
        )
    if eager:
        repeated = 2 * query if attention.n_heads != attention.n_kv_heads else 0
        yield Moment(
            name="attention scores",
            stream_copies=3,
            other_elements=query,
            seen_elements=repeated,
            n_score_heads=attention.n_heads,
            bytes_per_score=_score_bytes(traits, element_bytes),
        )


def _latent_step_moment(attention: LatentAttention) -> Moment:
    """Return the moment in which every head's keys and values are unpacked from the latent cache."""
    unpacked = attention.qk_nope_head_dim + attention.v_head_dim + attention.qk_head_dim
    return Moment(
        name="latent cache unpacked", stream_copies=3, seen_elements=attention.n_heads * unpacked
    )


def _attention_moments(
    attention: Attention, traits: ClassTraits, eager: bool, masked: bool, element_bytes: int
) -> Iterator[Moment]:
    query, key = attention.query_dim, attention.key_dim
    copies = 2 + traits.norm_before
    kept = _kept_projection(traits, query, key)
    repeated = 2 * query if attention.n_heads != attention.n_kv_heads else 0
    yield Moment(name="attention output", stream_copies=copies + 1, other_elements=2 * query + kept)
    if traits.positions == "rotary":
        yield Moment(
            name="rotary positions",
            stream_copies=copies,
            other_elements=query + _rotated_elements(traits, query, key, element_bytes),
        )
    if traits.qk_norm != "none":
        cached = 2 * key if traits.qk_norm == "before_cache" else 0
        yield Moment(
            name="query normalisation",
            stream_copies=copies,
            other_elements=5 * query - cached + 2 * attention.n_heads,
        )
    if eager:
        score_bytes = _score_bytes(traits, element_bytes) + (element_bytes if traits.earlier_scores else 0)
        yield Moment(
            name="attention scores",
            stream_copies=copies,
            other_elements=query + kept,
            seen_elements=repeated,
            n_score_heads=attention.n_heads,
            bytes_per_score=score_bytes,
        )
    elif masked:
        yield Moment(
            name="masked attention",
            stream_copies=copies,
            other_elements=2 * query + kept,
            seen_elements=repeated,
            mask_bias=True,
        )


def _kept_projection(traits: ClassTraits, query: int, key: int) -> int:
    if traits.keeps_projection == "fused":
        return query + 2 * key
    if traits.keeps_projection == "partial":
        return query + key + (query + key) * traits.rotary_percent // 100
    return 0


def _rotated_elements(traits: ClassTraits, query: int, key: int, element_bytes: int) -> int:
    in_fp32 = traits.rotary_in_fp32 or (traits.rotary_table_bytes or element_bytes) > element_bytes
    copies = 2 * query + 2 * key if traits.rotary_in_fp32 else 0
    return (6 * query if in_fp32 else 3 * query) + copies


def _score_bytes(traits: ClassTraits, element_bytes: int) -> int:
    """Return bytes of one score: in 32 bit nothing is copied to another type."""
    if traits.score_copies == "16+32+32":
        return element_bytes + 8 if element_bytes < 4 else 8
    return element_bytes * (2 if traits.score_copies == "16+16" else 3)


def _feed_forward_moments(
    layer: Layer, traits: ClassTraits, eager: bool, element_bytes: int
) -> Iterator[Moment]:
    held_heads = max((mixer.n_heads for mixer in layer.mixers if isinstance(mixer, Attention)), default=0)
    score_heads = held_heads if eager else 0
    for network in layer.feed_forward:
        if isinstance(network, Dense):
            yield Moment(
                name="feed-forward network",
                stream_copies=2 + traits.feed_forward_copies,
                half_widths=traits.half_widths or _half_widths(network),
                intermediate_dim=network.intermediate_dim,
                n_score_heads=score_heads,
                bytes_per_score=element_bytes,
            )
        else:
            yield from _expert_moments(network, traits, score_heads, element_bytes)


def _half_widths(network: Dense) -> int:
    """Return the feed-forward-wide tensors alive together, in halves of the width.

    Without a gate: before and after the activation. With one: gate after activation, up, and their product;
    where gate and up are one matrix, its whole output stays until the product is made.
    """
    if not network.gated:
        return 4
    return 8 if network.fused else 6


def _expert_moments(
    experts: Experts, traits: ClassTraits, score_heads: int, element_bytes: int
) -> Iterator[Moment]:
    chosen = experts.n_experts_per_token
    copies = 2 + traits.feed_forward_copies
    if experts.shared_dim and traits.shared_expert_first:
        copies += 1
    weight_bytes = 4 if traits.routing_weights_in_fp32 else element_bytes
    router_bytes = experts.n_experts * (4 if traits.router_in_fp32 else element_bytes)
    index_bytes = chosen * (4 * 8 + 4 + 2 * weight_bytes)
    yield Moment(
        name="experts, outputs combined",
        stream_copies=copies + chosen * 2 + chosen * 2 * weight_bytes // element_bytes,
        token_bytes=router_bytes + index_bytes,
        n_score_heads=score_heads,
        bytes_per_score=element_bytes,
    )
    yield Moment(
        name="experts",
        stream_copies=copies + chosen,
        token_bytes=router_bytes + index_bytes - 8 * chosen,
        half_widths=2 * traits.expert_widths * chosen,
        intermediate_dim=experts.intermediate_dim,
        n_score_heads=score_heads,
        bytes_per_score=element_bytes,
    )
