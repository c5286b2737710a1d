"""Families that alternate or combine attention with Mamba, RG-LRU or short convolutions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from genai_hwreq.errors import ConfigurationError
from genai_hwreq.models import Dense, Experts, Layer, Norm
from genai_hwreq.readers.hf_config._decoder import DecoderTraits, attention, dense, hidden_dim, layer_norms
from genai_hwreq.readers.hf_config._fields import Fields
from genai_hwreq.readers.hf_config._hybrid_fields import (
    assemble,
    auto_count,
    even_share,
    factor,
    layer_kinds,
    mamba2_mixer,
    with_defaults,
)
from genai_hwreq.readers.hf_config._state_spaces import mamba, rg_lru, short_convolution

if TYPE_CHECKING:
    from collections.abc import Callable

    from genai_hwreq.models import Mixer, Transformer

__all__ = ["DEFAULTS", "read"]

_MAMBA2: dict[str, Any] = {
    "mamba_n_heads": 128,
    "mamba_n_groups": 1,
    "mamba_d_state": 256,
    "mamba_d_conv": 4,
    "mamba_expand": 2,
    "mamba_chunk_size": 256,
}

DEFAULTS: dict[str, dict[str, Any]] = {
    "falcon_h1": {**_MAMBA2, "mamba_d_ssm": 1024, "num_key_value_heads": 8},
    "bamba": {**_MAMBA2, "num_key_value_heads": 8},
    "granitemoehybrid": {
        **_MAMBA2,
        "num_local_experts": 8,
        "num_experts_per_tok": 2,
        "shared_intermediate_size": 1024,
    },
    "jamba": {
        "num_key_value_heads": 8,
        "num_experts": 16,
        "num_experts_per_tok": 2,
        "expert_layer_period": 2,
        "expert_layer_offset": 1,
        "attn_layer_period": 8,
        "attn_layer_offset": 4,
        "mamba_d_state": 16,
        "mamba_d_conv": 4,
        "mamba_expand": 2,
    },
    "recurrent_gemma": {"attention_window_size": 2048, "conv1d_width": 4, "tie_word_embeddings": True},
    "lfm2": {"num_key_value_heads": 8, "conv_L_cache": 3, "tie_word_embeddings": True},
    "lfm2_moe": {
        "num_key_value_heads": 8,
        "conv_L_cache": 3,
        "tie_word_embeddings": True,
        "num_dense_layers": 2,
        "num_experts": 32,
        "num_experts_per_tok": 4,
        "moe_intermediate_size": 1792,
    },
}
"""What the configuration classes take where a field is absent.

Source: https://github.com/huggingface/transformers/tree/main/src/transformers/models, `configuration_*.py`
"""

_PRE_FF = DecoderTraits(layer_norms=("input_layernorm", "pre_ff_layernorm"))
_LFM2 = DecoderTraits(layer_norms=("operator_norm", "ffn_norm"), qk_norm="head", bias_field=None)
_GRIFFIN = DecoderTraits(
    layer_norms=("temporal_pre_norm", "channel_pre_norm"),
    bias_field=None,
    feed_forward_bias=True,
    activation="gelu_pytorch_tanh",
)


def read(fields: Fields) -> Transformer:
    """Read the network of one of these families."""
    model_type = fields.text("model_type", default="")
    return _FAMILIES[model_type](with_defaults(fields, DEFAULTS[model_type]))


def _falcon_h1(fields: Fields) -> Transformer:
    mixer = mamba2_mixer(
        fields, norm=fields.flag("mamba_rms_norm", default=False), out_bias="projectors_bias"
    )
    layer = Layer(
        mixers=(attention(fields, _PRE_FF), mixer),
        feed_forward=(dense(fields, _PRE_FF),),
        norms=layer_norms(_PRE_FF, hidden_dim(fields)),
    )
    return _with_final_norm(fields, [layer] * fields.n_layers())


def _bamba(fields: Fields) -> Transformer:
    full = set(fields.counts("attn_layer_indices") or ())
    softmax, mixer = attention(fields, _PRE_FF), mamba2_mixer(fields)
    norms, network = layer_norms(_PRE_FF, hidden_dim(fields)), (dense(fields, _PRE_FF),)
    return _with_final_norm(
        fields,
        [
            Layer(mixers=(softmax if index in full else mixer,), feed_forward=network, norms=norms)
            for index in range(fields.n_layers())
        ],
    )


def _granite(fields: Fields) -> Transformer:
    traits = DecoderTraits()
    kinds = layer_kinds(fields, ("layer_types", "layers_block_type"), ("linear_attention", "full_attention"))
    kinds = kinds or ("linear_attention",) * fields.n_layers()
    n_experts = fields.count("num_local_experts", minimum=0)
    routed = (_experts(fields, n_experts, fields.count("intermediate_size")),) if n_experts else ()
    shared = Dense(intermediate_dim=fields.count("shared_intermediate_size"), fused=True)
    mixers: dict[str, Mixer] = {
        "linear_attention": mamba2_mixer(fields),
        "full_attention": attention(fields, traits),
    }
    norms = layer_norms(traits, hidden_dim(fields))
    layers = [Layer(mixers=(mixers[kind],), feed_forward=(*routed, shared), norms=norms) for kind in kinds]
    return _with_final_norm(fields, layers, name="norm")


def _jamba(fields: Fields) -> Transformer:
    dim = hidden_dim(fields)
    softmax = attention(fields, DecoderTraits(bias_field=None))
    mixer = mamba(
        dim,
        inner_dim=fields.count("mamba_expand") * dim,
        state_dim=fields.count("mamba_d_state"),
        dt_rank=auto_count(fields, "mamba_dt_rank", auto=-(-dim // 16)),
        kernel=fields.count("mamba_d_conv"),
        conv_bias=fields.flag("mamba_conv_bias", default=True),
        projection_bias=fields.flag("mamba_proj_bias", default=False),
        norms=True,
    )
    width = fields.count("intermediate_size")
    n_experts = fields.count("num_experts", "num_local_experts")
    plain, routed = Dense(intermediate_dim=width), _experts(fields, n_experts, width)
    has_attention, has_experts = _every(fields, "attn"), _every(fields, "expert")
    return _with_final_norm(
        fields,
        [
            Layer(
                mixers=(softmax if has_attention(index) else mixer,),
                feed_forward=(routed if has_experts(index) and n_experts > 1 else plain,),
                norms=layer_norms(_PRE_FF, dim),
            )
            for index in range(fields.n_layers())
        ],
    )


def _every(fields: Fields, what: str) -> Callable[[int], bool]:
    period, offset = fields.count(f"{what}_layer_period"), fields.count(f"{what}_layer_offset", minimum=0)
    return lambda index: index % period == offset


def _recurrent_gemma(fields: Fields) -> Transformer:
    dim = hidden_dim(fields)
    width, heads = fields.count("lru_width", default=dim), fields.count("num_attention_heads")
    even_share(width, heads, "num_attention_heads")
    bias = fields.flag("attention_bias", default=False)
    local = attention(
        fields,
        DecoderTraits(query_bias=bias, output_bias=True, bias_field=None),
        window_tokens=fields.count("attention_window_size", "sliding_window"),
    )
    recurrent = rg_lru(dim, width=width, n_heads=heads, kernel=fields.count("conv1d_width"))
    # The configuration states twice the width of one projection:
    # https://github.com/huggingface/transformers/blob/main/src/transformers/models/recurrent_gemma/modeling_recurrent_gemma.py
    network = dense(fields, _GRIFFIN, fields.count("intermediate_size", minimum=2) // 2)
    pattern = fields.items("block_types") or ("recurrent", "recurrent", "attention")
    layers = [
        Layer(
            mixers=(recurrent if pattern[index % len(pattern)] == "recurrent" else local,),
            feed_forward=(network,),
            norms=layer_norms(_GRIFFIN, dim),
        )
        for index in range(fields.n_layers())
    ]
    return _with_final_norm(fields, layers, name="final_norm")


def _lfm2(fields: Fields) -> Transformer:
    if fields.has("tie_embedding"):  # LFM2's first spelling, which wins
        fields = with_defaults(
            Fields({"tie_word_embeddings": fields.flag("tie_embedding", default=True)}), fields.config
        )
    dim, n_layers = hidden_dim(fields), fields.n_layers()
    kinds = layer_kinds(fields, ("layer_types",), ("conv", "full_attention"))
    if kinds is None:
        full = fields.counts("full_attn_idxs")
        kinds = tuple("full_attention" if full is None or i in full else "conv" for i in range(n_layers))
    kernel, bias = fields.count("conv_L_cache"), fields.flag("conv_bias", default=False)
    mixers: dict[str, Mixer] = {
        "conv": short_convolution(dim, kernel=kernel, has_bias=bias),
        "full_attention": attention(fields, _LFM2),
    }
    first, later, n_first = _lfm2_networks(fields)
    norms = layer_norms(_LFM2, dim)
    layers = [
        Layer(mixers=(mixers[kind],), feed_forward=(first if index < n_first else later,), norms=norms)
        for index, kind in enumerate(kinds)
    ]
    closing = Norm(name="embedding_norm", dim=dim).tensors()
    return assemble(fields, layers, closing=closing)


def _lfm2_networks(fields: Fields) -> tuple[Dense | Experts, Dense | Experts, int]:
    """Return the first layers' network, the later layers' and how many are first."""
    if fields.text("model_type", default="") == "lfm2":
        plain = Dense(intermediate_dim=_lfm2_width(fields))
        return plain, plain, 0
    routed = _experts(fields, fields.count("num_experts"), fields.count("moe_intermediate_size"))
    return (
        Dense(intermediate_dim=fields.count("intermediate_size")),
        routed,
        fields.count("num_dense_layers", minimum=0),
    )


def _lfm2_width(fields: Fields) -> int:
    """Return the feed-forward width, which by default is two thirds of what is stated, scaled and rounded up.

    Source: https://github.com/huggingface/transformers/blob/main/src/transformers/models/lfm2/modeling_lfm2.py
    """
    width = fields.count("block_ff_dim", "intermediate_size")
    if not fields.flag("block_auto_adjust_ff_dim", default=True):
        return width
    width = 2 * width // 3
    multiple = fields.count("block_multiple_of", default=256)
    rounded = -(-int(factor(fields, "block_ffn_dim_multiplier", 1.0) * width) // multiple) * multiple
    if not rounded:
        msg = "intermediate_size scaled by block_ffn_dim_multiplier is zero; expected at least one"
        raise ConfigurationError(msg, field="intermediate_size")
    return rounded


def _experts(fields: Fields, n_experts: int, intermediate_dim: int) -> Experts:
    per_token = min(fields.count("num_experts_per_tok"), n_experts)
    return Experts(n_experts=n_experts, n_experts_per_token=per_token, intermediate_dim=intermediate_dim)


def _with_final_norm(fields: Fields, layers: list[Layer], name: str = "final_layernorm") -> Transformer:
    return assemble(fields, layers, closing=Norm(name=name, dim=hidden_dim(fields)).tensors())


_FAMILIES: dict[str, Callable[[Fields], Transformer]] = {
    "falcon_h1": _falcon_h1,
    "bamba": _bamba,
    "granitemoehybrid": _granite,
    "jamba": _jamba,
    "recurrent_gemma": _recurrent_gemma,
    "lfm2": _lfm2,
    "lfm2_moe": _lfm2,
}
