"""The decoder with experts: what its families may differ in, and how one is read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from attrs import evolve, field, frozen

from genai_hwreq.models import Layer, Mixer, Transformer
from genai_hwreq.readers.hf_config._decoder import (
    DecoderTraits,
    attention,
    dense,
    final_norm,
    hidden_dim,
    layer_norms,
    runs,
    token_embedding,
    vocabulary_head,
)
from genai_hwreq.readers.hf_config._experts import (
    ExpertTraits,
    all_sparse,
    experts,
    has_biases,
    with_defaults,
)
from genai_hwreq.readers.hf_config._fields import Fields

if TYPE_CHECKING:
    from genai_hwreq.models import Attention

__all__ = ["MoeFamily", "no_windows", "plain", "read_moe"]


def no_windows(fields: Fields, n_layers: int) -> tuple[int | None, ...]:  # noqa: ARG001  (one shape for all)
    return (None,) * n_layers


def plain(fields: Fields, traits: DecoderTraits, index: int, window_tokens: int | None) -> Attention:  # noqa: ARG001
    return attention(fields, traits, window_tokens=window_tokens)


@frozen(kw_only=True)
class MoeFamily:
    """What sets a family of decoders with experts apart."""

    decoder: DecoderTraits = field(factory=DecoderTraits)
    """Its difference from the common decoder."""

    experts: ExpertTraits = field(factory=ExpertTraits)
    """What its experts store."""

    sparse: Callable[[Fields, int], tuple[bool, ...]] = all_sparse
    """Which layers have experts."""

    windows: Callable[[Fields, int], tuple[int | None, ...]] = no_windows
    """Each layer's window."""

    attention: Callable[[Fields, DecoderTraits, int, int | None], Mixer] = plain
    """One layer's attention, by its index and window."""

    dense_width: str = "intermediate_size"
    """Field that holds the width of the dense layers."""

    sparse_norms: tuple[str, ...] = ()
    """Names of normalisations that only layers with experts have."""

    head_bias_field: str = ""
    """Configuration field that gives the head a bias."""

    defaults: Mapping[str, Any] = field(factory=dict)
    """What its configuration class holds for absent fields."""


def read_moe(fields: Fields, family: MoeFamily) -> Transformer:
    """Read a decoder whose layers have experts or a dense network."""
    fields = with_defaults(fields, family.defaults)
    dim, n_layers, traits = hidden_dim(fields), fields.n_layers(), _traits(fields, family)
    windows, sparse = family.windows(fields, n_layers), family.sparse(fields, n_layers)
    layers = (
        _layer(fields, family, traits, index, window_tokens, is_sparse=is_sparse)
        for index, (window_tokens, is_sparse) in enumerate(zip(windows, sparse, strict=True))
    )
    return Transformer(
        model_type=fields.text("model_type", default=""),
        hidden_dim=dim,
        vocab_size=fields.count("vocab_size"),
        embeddings=(token_embedding(fields),),
        layers=runs(layers),
        closing=final_norm(traits, dim),
        head=vocabulary_head(fields, traits),
    )


def _traits(fields: Fields, family: MoeFamily) -> DecoderTraits:
    if not family.head_bias_field:
        return family.decoder
    return evolve(family.decoder, head_bias=fields.flag(family.head_bias_field, default=False))


def _layer(
    fields: Fields,
    family: MoeFamily,
    traits: DecoderTraits,
    index: int,
    window_tokens: int | None,
    *,
    is_sparse: bool,
) -> Layer:
    norms = layer_norms(traits, hidden_dim(fields))
    mixer = family.attention(fields, traits, index, window_tokens)
    if is_sparse:
        extra_norms = layer_norms(evolve(traits, layer_norms=family.sparse_norms), hidden_dim(fields))
        routed = experts(fields, family.experts, index)
        return Layer(
            mixers=(mixer,), feed_forward=(routed,), norms=(*norms, *extra_norms), residual=traits.residual
        )
    has_bias = has_biases(fields, family.experts)
    network = dense(fields, traits, fields.count(family.dense_width, "intermediate_size"))
    network = evolve(network, up_bias=has_bias, down_bias=has_bias)
    return Layer(mixers=(mixer,), feed_forward=(network,), norms=norms, residual=traits.residual)
