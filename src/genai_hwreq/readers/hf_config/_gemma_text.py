"""Decoders of Gemma 3n and Gemma 4: embeddings for each layer, layers that share keys and values.

The last `num_kv_shared_layers` layers read the cache of an earlier layer of their kind and store no key and
value weights. Gemma 3n keeps several alternating streams (AltUp) and a low-rank bypass (Laurel); in Gemma 4
layers of whole sight have heads of their own width, and experts may stand beside the dense network.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attrs import frozen

from genai_hwreq.errors import ConfigurationError
from genai_hwreq.models import Attention, Dense, Experts, Layer, Norm, Tensor, Transformer
from genai_hwreq.readers.hf_config._decoder import DecoderTraits, runs, vocabulary_head
from genai_hwreq.readers.hf_config._encoder import linear, norm_weights, vector
from genai_hwreq.readers.hf_config._fields import Fields

if TYPE_CHECKING:
    from genai_hwreq.models import FeedForward

__all__ = ["read", "with_defaults"]

_GEMMA3N: dict[str, Any] = {
    "vocab_size": 262400,
    "hidden_size": 2048,
    "intermediate_size": 16384,
    "num_hidden_layers": 35,
    "num_attention_heads": 8,
    "num_key_value_heads": 2,
    "num_kv_shared_layers": 15,
}
_GEMMA4: dict[str, Any] = {
    "vocab_size": 262144,
    "hidden_size": 2304,
    "intermediate_size": 9216,
    "num_hidden_layers": 30,
    "num_attention_heads": 8,
    "num_key_value_heads": 4,
    "num_kv_shared_layers": 0,
}
_COMMON: dict[str, Any] = {
    "head_dim": 256,
    "hidden_activation": "gelu_pytorch_tanh",
    "sliding_window": 512,
    "vocab_size_per_layer_input": 262144,
    "hidden_size_per_layer_input": 256,
}

_NORMS: tuple[str, ...] = (
    "input_layernorm",
    "post_attention_layernorm",
    "pre_feedforward_layernorm",
    "post_feedforward_layernorm",
)


def with_defaults(fields: Fields) -> Fields:
    """Return the fields with what the configuration class of the family puts where they are absent."""
    own = _GEMMA3N if fields.text("model_type", default="gemma4_text") == "gemma3n_text" else _GEMMA4
    return fields.with_defaults({**_COMMON, **own})


@frozen(kw_only=True)
class _Place:
    """What sets one layer apart from its neighbours."""

    sliding: bool
    shares_cache: bool
    head_dim: int
    n_kv_heads: int
    intermediate_dim: int


def read(fields: Fields) -> Transformer:
    """Read the decoder of one of these families."""
    fields = with_defaults(fields)
    is_3n = fields.text("model_type", default="gemma4_text") == "gemma3n_text"
    dim, n_layers = fields.count("hidden_size"), fields.n_layers()
    make = _gemma3n_layer if is_3n else _gemma4_layer
    places = _places(fields, n_layers, is_3n=is_3n)
    made = {place: make(fields, dim, place) for place in set(places)}
    streams = _n_streams(fields) - 1 if is_3n else 0
    return Transformer(
        model_type=fields.text("model_type", default="gemma4_text"),
        hidden_dim=dim,
        vocab_size=fields.count("vocab_size"),
        embeddings=(
            Tensor("embed_tokens.weight", "embedding", (fields.count("vocab_size"), dim)),
            *_per_layer_embeddings(fields, dim, n_layers),
            *_stream_matrices("altup_projections", streams, dim),
        ),
        layers=runs(made[place] for place in places),
        closing=(
            *norm_weights("norm", dim, "rms"),
            *_stream_matrices("altup_unembed_projections", streams, dim),
        ),
        head=vocabulary_head(fields, DecoderTraits(tied=True)),
    )


def _places(fields: Fields, n_layers: int, *, is_3n: bool) -> list[_Place]:
    sliding = _sliding(fields, n_layers, period=5 if is_3n else 6)
    if not is_3n:
        sliding[-1] = False  # the configuration class makes the last layer one of whole sight
    n_shared = fields.count("num_kv_shared_layers", minimum=0)
    first_shared = n_layers - n_shared
    if n_shared and set(sliding[: max(0, first_shared)]) != set(sliding):
        msg = f"the last {n_shared} of {n_layers} layers share a cache; no layer before them fills one of each kind"
        raise ConfigurationError(msg, field="num_kv_shared_layers")
    widths = _widths(fields, n_layers)
    doubles = not is_3n and fields.flag("use_double_wide_mlp", default=False)
    heads = [_heads(fields, index, whole_sight=not (is_3n or sliding[index])) for index in range(n_layers)]
    return [
        _Place(
            sliding=sliding[index],
            shares_cache=index >= first_shared,
            head_dim=heads[index][0],
            n_kv_heads=heads[index][1],
            intermediate_dim=widths[index] * (2 if doubles and index >= first_shared else 1),
        )
        for index in range(n_layers)
    ]


def _sliding(fields: Fields, n_layers: int, period: int) -> list[bool]:
    kinds = fields.items("layer_types")
    if kinds is None:
        return [bool((index + 1) % period) for index in range(n_layers)]
    if len(kinds) != n_layers:
        msg = f"layer_types has {len(kinds)} entries; expected one for each of the {n_layers} layers"
        raise ConfigurationError(msg, field="layer_types")
    return [kind == "sliding_attention" for kind in kinds]


def _widths(fields: Fields, n_layers: int) -> tuple[int, ...]:
    if not isinstance(fields.config.get("intermediate_size"), list | tuple):
        return (fields.count("intermediate_size"),) * n_layers
    widths = fields.counts("intermediate_size", minimum=1) or ()
    if len(widths) != n_layers:
        msg = f"intermediate_size has {len(widths)} entries; expected one for each of the {n_layers} layers"
        raise ConfigurationError(msg, field="intermediate_size")
    return widths


def _heads(fields: Fields, index: int, *, whole_sight: bool) -> tuple[int, int]:
    """Return width and number of key/value heads; both may differ in Gemma 4's layers of whole sight."""
    head_dim, kv_heads = fields.count("head_dim"), fields.count("num_key_value_heads")
    by_layer = fields.section("per_layer_config")
    if by_layer is not None:
        own = by_layer.section(f"{index:02d}", str(index)) or Fields({})
        return own.count("head_dim", default=head_dim), own.count("num_key_value_heads", default=kv_heads)
    if not whole_sight:
        return head_dim, kv_heads
    if fields.flag("attention_k_eq_v", default=False):
        kv_heads = fields.count("num_global_key_value_heads", default=kv_heads)
    return fields.count("global_head_dim", default=512), kv_heads


def _per_layer_embeddings(fields: Fields, dim: int, n_layers: int) -> tuple[Tensor, ...]:
    width = fields.count("hidden_size_per_layer_input", minimum=0)
    if not width:
        return ()
    vocab_size = fields.count("vocab_size_per_layer_input")
    return (
        Tensor("embed_tokens_per_layer.weight", "embedding", (vocab_size, n_layers * width)),
        *linear("per_layer_model_projection", n_layers * width, dim, bias=False),
        *norm_weights("per_layer_projection_norm", width, "rms"),
    )


def _per_layer_gate(fields: Fields, dim: int) -> tuple[Tensor, ...]:
    width = fields.count("hidden_size_per_layer_input", minimum=0)
    if not width:
        return ()
    return (
        *linear("per_layer_input_gate", width, dim, bias=False),
        *linear("per_layer_projection", dim, width, bias=False),
        *norm_weights("post_per_layer_input_norm", dim, "rms"),
    )


def _n_streams(fields: Fields) -> int:
    streams = fields.count("altup_num_inputs", default=4)
    if streams > 64:
        msg = f"altup_num_inputs is {streams}; expected at most 64"
        raise ConfigurationError(msg, field="altup_num_inputs")
    return streams


def _stream_matrices(name: str, n_matrices: int, dim: int) -> tuple[Tensor, ...]:
    return tuple(
        tensor for index in range(n_matrices) for tensor in linear(f"{name}.{index}", dim, dim, bias=False)
    )


def _attention(fields: Fields, place: _Place) -> Attention:
    has_bias = fields.flag("attention_bias", default=False)
    names = ("q_norm",) if place.shares_cache else ("q_norm", "k_norm")
    return Attention(
        n_heads=fields.count("num_attention_heads"),
        n_kv_heads=place.n_kv_heads,
        head_dim=place.head_dim,
        query_bias=has_bias,
        output_bias=has_bias,
        norms=tuple(Norm(name=name, dim=place.head_dim) for name in names),
        window_tokens=fields.optional_count("sliding_window") if place.sliding else None,
        value_is_key=not place.sliding and fields.flag("attention_k_eq_v", default=False),
        cache="shared" if place.shares_cache else "own",
    )


def _dense(fields: Fields, place: _Place) -> Dense:
    activation = fields.text("hidden_activation", default="gelu_pytorch_tanh")
    return Dense(intermediate_dim=place.intermediate_dim, activation=activation)


def _gemma3n_layer(fields: Fields, dim: int, place: _Place) -> Layer:
    streams, rank = _n_streams(fields), fields.count("laurel_rank", default=64)
    return Layer(
        mixers=(_attention(fields, place),),
        feed_forward=(_dense(fields, place),),
        norms=tuple(Norm(name=name, dim=dim) for name in _NORMS),
        extra=(
            vector("altup.correct_output_scale", dim),
            *linear("altup.correction_coefs", streams, streams, bias=False),
            *linear("altup.prediction_coefs", streams**2, streams, bias=False),
            *linear("altup.modality_router", streams, dim, bias=False),
            *norm_weights("altup.router_norm", dim, "rms"),
            *linear("laurel.linear_left", rank, dim, bias=False),
            *linear("laurel.linear_right", dim, rank, bias=False),
            *norm_weights("laurel.post_laurel_norm", dim, "rms"),
            *_per_layer_gate(fields, dim),
        ),
    )


def _gemma4_layer(fields: Fields, dim: int, place: _Place) -> Layer:
    feed_forward: tuple[FeedForward, ...] = (_dense(fields, place),)
    norms, extra = _NORMS, _per_layer_gate(fields, dim)
    if fields.flag("enable_moe_block", default=False):
        experts = _experts(fields)
        feed_forward += (experts,)
        norms += (
            "post_feedforward_layernorm_1",
            "post_feedforward_layernorm_2",
            "pre_feedforward_layernorm_2",
        )
        extra += (vector("router.scale", dim), vector("router.per_expert_scale", experts.n_experts))
    return Layer(
        mixers=(_attention(fields, place),),
        feed_forward=feed_forward,
        norms=tuple(Norm(name=name, dim=dim) for name in norms),
        extra=extra,
    )


def _experts(fields: Fields) -> Experts:
    return Experts(
        n_experts=fields.count("num_experts"),
        n_experts_per_token=fields.count("top_k_experts"),
        intermediate_dim=fields.count("moe_intermediate_size", "expert_intermediate_size"),
        activation=fields.text("hidden_activation", default="gelu_pytorch_tanh"),
        fused=True,
    )
