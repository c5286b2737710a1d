"""Families of decoders with experts and ordinary attention: each is its difference from the common decoder."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import evolve

from genai_hwreq.readers.hf_config._decoder import DecoderTraits, layer_windows
from genai_hwreq.readers.hf_config._experts import (
    ExpertTraits,
    few_dense_first,
    interleaved,
    listed_or_few_dense_first,
    stepped,
)
from genai_hwreq.readers.hf_config._moe_decoder import MoeFamily, read_moe
from genai_hwreq.readers.hf_config._moe_rules import (
    all_but_every,
    bailing,
    bailing_v2,
    late_windows,
    optional_norm,
    query_bias,
    qwen2_windows,
    qwen_windows,
    unbiased_output,
    with_sinks,
)

if TYPE_CHECKING:
    from genai_hwreq.models import Transformer
    from genai_hwreq.readers.hf_config._fields import Fields

__all__ = ["FAMILIES", "read"]

_GROK_NORMS = ("pre_attn_norm", "post_attn_norm", "pre_moe_norm", "post_moe_norm")
_WIDE = ExpertTraits(width=("intermediate_size",))
_GRANITE = ExpertTraits(width=("intermediate_size",), fused=True)
_UNBIASED = DecoderTraits(bias_field=None)
_PHI = DecoderTraits(norm_kind="layer", norm_bias=True)
_DEEPSEEK = ExpertTraits(shared_count=("n_shared_experts",))
_BAILING = DecoderTraits(bias_field=None, fused_qkv=True)

FAMILIES: dict[str, MoeFamily] = {
    "mixtral": MoeFamily(
        decoder=_UNBIASED,
        experts=_WIDE,
        windows=layer_windows,
        defaults={"num_key_value_heads": 8, "num_experts": 8, "num_experts_per_tok": 2},
    ),
    "qwen2_moe": MoeFamily(
        decoder=DecoderTraits(bias_field=None, query_bias=True),
        experts=ExpertTraits(shared_width=("shared_expert_intermediate_size",), shared_gate=True),
        sparse=stepped,
        windows=qwen2_windows,
        attention=query_bias,
        defaults={
            "num_key_value_heads": 16,
            "num_experts": 60,
            "num_experts_per_tok": 4,
            "moe_intermediate_size": 1408,
            "shared_expert_intermediate_size": 5632,
            "sliding_window": 4096,
            "max_window_layers": 28,
        },
    ),
    "qwen3_moe": MoeFamily(
        decoder=DecoderTraits(qk_norm="head"),
        sparse=stepped,
        windows=qwen_windows,
        defaults={
            "num_key_value_heads": 4,
            "num_experts": 128,
            "num_experts_per_tok": 8,
            "moe_intermediate_size": 768,
            "sliding_window": 4096,
        },
    ),
    "olmoe": MoeFamily(
        decoder=DecoderTraits(qk_norm="width"),
        experts=_WIDE,
        defaults={"num_experts": 64, "num_experts_per_tok": 8},
    ),
    "flex_olmo": MoeFamily(
        decoder=DecoderTraits(
            qk_norm="width", layer_norms=("post_attention_layernorm", "post_feedforward_layernorm")
        ),
        experts=_WIDE,
        defaults={"num_experts": 7, "num_experts_per_tok": 5},
    ),
    "phimoe": MoeFamily(
        decoder=_PHI,
        head_bias_field="lm_head_bias",
        experts=_WIDE,
        windows=layer_windows,
        defaults={"num_key_value_heads": 8, "num_experts": 16, "num_experts_per_tok": 2},
    ),
    "minimax_m2": MoeFamily(
        decoder=DecoderTraits(bias_field=None, qk_norm="width"),
        experts=_WIDE,
        defaults={"num_key_value_heads": 8, "head_dim": 128, "num_experts": 256, "num_experts_per_tok": 8},
    ),
    "gpt_oss": MoeFamily(
        decoder=DecoderTraits(query_bias=True, output_bias=True),
        experts=ExpertTraits(width=("intermediate_size",), has_bias=True, router_bias=True, fused=True),
        windows=all_but_every(2),
        attention=with_sinks,
        defaults={
            "num_key_value_heads": 8,
            "head_dim": 64,
            "num_experts": 128,
            "num_experts_per_tok": 4,
            "sliding_window": 128,
        },
    ),
    "granitemoe": MoeFamily(experts=_GRANITE, defaults={"num_experts": 8, "num_experts_per_tok": 2}),
    "granitemoeshared": MoeFamily(
        experts=evolve(_GRANITE, shared_width=("shared_intermediate_size",)),
        defaults={"num_experts": 8, "num_experts_per_tok": 2},
    ),
    "hunyuan_v1_moe": MoeFamily(
        decoder=DecoderTraits(qk_norm="head"),
        experts=ExpertTraits(width=("intermediate_size",), shared_width=("intermediate_size",)),
        defaults={"num_experts": 1, "num_experts_per_tok": 1},
    ),
    "ernie4_5_moe": MoeFamily(
        decoder=DecoderTraits(bias_field="use_bias", tied=True),
        head_bias_field="use_bias",
        experts=ExpertTraits(
            shared_count=("moe_num_shared_experts",), router_bias=True, bias_field="use_bias"
        ),
        sparse=interleaved,
        defaults={
            "num_key_value_heads": 4,
            "num_experts": 64,
            "num_experts_per_tok": 6,
            "moe_intermediate_size": 1536,
            "moe_num_shared_experts": 2,
            "moe_layer_start_index": 1,
        },
    ),
    "dots1": MoeFamily(
        decoder=DecoderTraits(qk_norm="head"),
        experts=_DEEPSEEK,
        sparse=few_dense_first,
        windows=late_windows,
        defaults={
            "num_key_value_heads": 32,
            "moe_intermediate_size": 1408,
            "sliding_window": 4096,
            "max_window_layers": 62,
        },
    ),
    "deepseek": MoeFamily(
        experts=_DEEPSEEK,
        sparse=few_dense_first,
        defaults={"moe_intermediate_size": 1407},
    ),
    "glm4_moe": MoeFamily(
        experts=_DEEPSEEK,
        sparse=few_dense_first,
        attention=optional_norm,
        defaults={
            "num_key_value_heads": 8,
            "num_experts": 128,
            "num_experts_per_tok": 8,
            "moe_intermediate_size": 1408,
            "n_shared_experts": 1,
            "first_k_dense_replace": 1,
        },
    ),
    "solar_open": MoeFamily(
        experts=_DEEPSEEK,
        attention=unbiased_output,
        defaults={
            "num_key_value_heads": 8,
            "head_dim": 128,
            "num_experts": 128,
            "num_experts_per_tok": 8,
            "moe_intermediate_size": 1280,
            "n_shared_experts": 1,
        },
    ),
    "hy_v3": MoeFamily(
        decoder=DecoderTraits(qk_norm="head"),
        experts=ExpertTraits(shared_count=("num_shared_experts",), bias_field="mlp_bias"),
        sparse=listed_or_few_dense_first,
        defaults={
            "num_key_value_heads": 8,
            "head_dim": 128,
            "num_experts": 192,
            "num_experts_per_tok": 8,
            "moe_intermediate_size": 1536,
            "num_shared_experts": 1,
            "first_k_dense_replace": 1,
        },
    ),
    # https://huggingface.co/inclusionAI/Ling-lite (modeling_bailing_moe.py)
    "bailing_moe": MoeFamily(
        decoder=_BAILING,
        experts=ExpertTraits(shared_count=("num_shared_experts",)),
        sparse=few_dense_first,
        attention=bailing,
    ),
    # https://huggingface.co/inclusionAI/Ling-mini-2.0 (modeling_bailing_moe_v2.py)
    "bailing_moe_v2": MoeFamily(
        decoder=_BAILING,
        experts=ExpertTraits(shared_count=("num_shared_experts",), router_bias=True),
        sparse=few_dense_first,
        attention=bailing_v2,
    ),
    # https://github.com/xai-org/grok-1/blob/main/model.py
    "grok-1": MoeFamily(
        decoder=DecoderTraits(bias_field=None, tied=True, layer_norms=_GROK_NORMS),
        experts=_WIDE,
    ),
}
"""What sets each family apart, by `model_type`."""


def read(fields: Fields) -> Transformer:
    """Read the decoder of one of these families."""
    return read_moe(fields, FAMILIES[fields.text("model_type", default="")])
