"""The common decoder: attention, feed-forward network and norms in each layer, with a family's traits.

Most families differ from Llama in a handful of stored vectors and names. `DecoderTraits` states those
differences; what a configuration itself states (`attention_bias`, `head_dim`, …) is read from it.
"""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Literal

from attrs import frozen

from genai_hwreq.errors import ConfigurationError
from genai_hwreq.models import Attention, Dense, Layer, LayerRun, Norm, Tensor, Transformer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from genai_hwreq.readers.hf_config._fields import Fields

__all__ = [
    "DecoderTraits",
    "attention",
    "dense",
    "final_norm",
    "hidden_dim",
    "layer_norms",
    "layer_windows",
    "read_decoder",
    "runs",
    "token_embedding",
    "vocabulary_head",
]


@frozen(kw_only=True)
class DecoderTraits:
    """What sets a family's decoder apart from Llama's."""

    query_bias: bool = False
    """Bias of query, key and value projections where the configuration does not say."""

    output_bias: bool = False
    """Bias of the attention's output projection where the configuration does not say."""

    bias_field: str | None = "attention_bias"
    """Configuration field that switches the biases of query, key and value, and the output's if it follows."""

    output_follows: bool = True
    """Whether `bias_field` switches the output projection's bias too."""

    feed_forward_bias: bool = False
    """Bias of the feed-forward projections where the configuration does not say."""

    feed_forward_bias_field: str = "mlp_bias"
    """Configuration field that switches those biases."""

    norm_kind: Literal["rms", "layer"] = "rms"
    """Kind of every normalisation of the stream."""

    norm_weight: bool = True
    """Whether those normalisations store weights."""

    norm_bias: bool = False
    """Whether they store biases."""

    layer_norms: tuple[str, ...] = ("input_layernorm", "post_attention_layernorm")
    """Their names in a layer."""

    qk_norm: Literal["none", "head", "width"] = "none"
    """Normalisation of queries and keys: one vector for all heads, or as wide as all heads together."""

    qk_norm_bias: bool = False
    """Whether that normalisation stores biases."""

    sinks: bool = False
    """Whether each head stores a learned sink."""

    fused_qkv: bool = False
    """Whether query, key and value are one matrix."""

    fused_gate_up: bool = False
    """Whether gate and up are one matrix."""

    gated: bool = True
    """Whether the feed-forward network has a gate."""

    activation: str = "silu"
    """Non-linearity where the configuration does not say."""

    tied: bool = False
    """Whether embedding and head are shared where the configuration does not say."""

    head_bias: bool = False
    """Whether the head has a bias."""

    residual: Literal["sequential", "parallel"] = "sequential"
    """Whether attention and feed-forward network read the same input."""


def hidden_dim(fields: Fields) -> int:
    """Return the width of the stream."""
    return fields.count("hidden_size", "n_embd", "d_model", "dim")


def attention(fields: Fields, traits: DecoderTraits, *, window_tokens: int | None = None) -> Attention:
    """Read the attention of one layer."""
    heads = fields.count("num_attention_heads", "n_head", "n_heads", "num_heads")
    kv_heads = fields.count("num_key_value_heads", "num_kv_heads", default=heads)
    if heads % kv_heads:
        msg = f"num_key_value_heads is {kv_heads}; expected a divisor of the {heads} query heads"
        raise ConfigurationError(msg, field="num_key_value_heads")
    head_dim = fields.count("head_dim", default=max(1, hidden_dim(fields) // heads))
    query_bias, output_bias = traits.query_bias, traits.output_bias
    if traits.bias_field is not None and fields.has(traits.bias_field):
        query_bias = fields.flag(traits.bias_field, default=False)
        output_bias = query_bias if traits.output_follows else output_bias
    return Attention(
        n_heads=heads,
        n_kv_heads=kv_heads,
        head_dim=head_dim,
        query_bias=query_bias,
        output_bias=output_bias,
        fused=traits.fused_qkv,
        norms=_query_key_norms(traits, heads * head_dim, kv_heads * head_dim, head_dim),
        window_tokens=window_tokens,
        sinks=traits.sinks,
    )


def _query_key_norms(traits: DecoderTraits, query_dim: int, key_dim: int, head_dim: int) -> tuple[Norm, ...]:
    if traits.qk_norm == "none":
        return ()
    if traits.qk_norm == "head":
        query_dim = key_dim = head_dim
    kind, has_bias = traits.norm_kind, traits.qk_norm_bias
    return (
        Norm(name="q_norm", dim=query_dim, kind=kind, bias=has_bias),
        Norm(name="k_norm", dim=key_dim, kind=kind, bias=has_bias),
    )


def dense(fields: Fields, traits: DecoderTraits, intermediate_dim: int | None = None) -> Dense:
    """Read the dense feed-forward network of one layer."""
    width = intermediate_dim or fields.count("intermediate_size", "n_inner", "ffn_dim", "ffn_hidden_size")
    return Dense(
        intermediate_dim=width,
        gated=traits.gated,
        activation=fields.text("hidden_act", "hidden_activation", "activation_function", default=traits.activation),
        up_bias=fields.flag(traits.feed_forward_bias_field, default=traits.feed_forward_bias),
        fused=traits.fused_gate_up,
    )


def layer_norms(traits: DecoderTraits, dim: int) -> tuple[Norm, ...]:
    """Return the normalisations of one layer."""
    return tuple(_norm(name, dim, traits) for name in traits.layer_norms)


def final_norm(traits: DecoderTraits, dim: int) -> tuple[Tensor, ...]:
    """Return the weights of the normalisation after the last layer."""
    return _norm("norm", dim, traits).tensors()


def _norm(name: str, dim: int, traits: DecoderTraits) -> Norm:
    return Norm(name=name, dim=dim, kind=traits.norm_kind, weight=traits.norm_weight, bias=traits.norm_bias)


def token_embedding(fields: Fields, dim: int | None = None) -> Tensor:
    """Return the token embedding."""
    return Tensor("embed_tokens.weight", "embedding", (fields.count("vocab_size"), dim or hidden_dim(fields)))


def vocabulary_head(fields: Fields, traits: DecoderTraits, dim: int | None = None) -> tuple[Tensor, ...]:
    """Return the head's weights; none where the embedding serves."""
    vocab_size = fields.count("vocab_size")
    head_bias = (Tensor("lm_head.bias", "bias", (vocab_size,)),) if traits.head_bias else ()
    if fields.flag("tie_word_embeddings", default=traits.tied):
        return head_bias
    return (Tensor("lm_head.weight", "head", (vocab_size, dim or hidden_dim(fields))), *head_bias)


def layer_windows(fields: Fields, n_layers: int) -> tuple[int | None, ...]:
    """Return each layer's window: `layer_types` decides where given, else one window for all or none."""
    window = fields.optional_count("sliding_window")
    kinds = fields.items("layer_types")
    if kinds is None:
        return (window,) * n_layers
    if len(kinds) != n_layers:
        msg = f"layer_types has {len(kinds)} entries; expected one for each of the {n_layers} layers"
        raise ConfigurationError(msg, field="layer_types")
    return tuple(window if kind == "sliding_attention" else None for kind in kinds)


def runs(layers: Iterable[Layer]) -> tuple[LayerRun, ...]:
    """Join equal neighbours into runs."""
    return tuple(LayerRun(layer=layer, n_layers=len(list(group))) for layer, group in groupby(layers))


def read_decoder(
    fields: Fields,
    traits: DecoderTraits,
    *,
    windows: tuple[int | None, ...] | None = None,
    feed_forward: Callable[[int], tuple[Dense, ...]] | None = None,
    extra: tuple[Tensor, ...] = (),
) -> Transformer:
    """Read a decoder whose layers differ in their window and, if `feed_forward` is given, their network.

    `extra` are weights that every layer stores beside those.
    """
    dim, n_layers = hidden_dim(fields), fields.n_layers()
    norms = layer_norms(traits, dim)
    network = (dense(fields, traits),) if feed_forward is None else ()
    spans = windows or layer_windows(fields, n_layers)
    kinds = {span: attention(fields, traits, window_tokens=span) for span in set(spans)}
    layers = [
        Layer(
            mixers=(kinds[span],),
            feed_forward=network if feed_forward is None else feed_forward(index),
            norms=norms,
            residual=traits.residual,
            extra=extra,
        )
        for index, span in enumerate(spans)
    ]
    return Transformer(
        model_type=fields.text("model_type", default="llama"),
        hidden_dim=dim,
        vocab_size=fields.count("vocab_size"),
        embeddings=(token_embedding(fields),),
        layers=runs(layers),
        closing=final_norm(traits, dim),
        head=vocabulary_head(fields, traits),
    )
