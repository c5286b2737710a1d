"""Families with experts whose layers see windows of tokens in turns: each is its difference from the common decoder."""

from __future__ import annotations

from typing import TYPE_CHECKING

from genai_hwreq.readers.hf_config._decoder import DecoderTraits
from genai_hwreq.readers.hf_config._experts import ExpertTraits, few_dense_first, listed_or_few_dense_first
from genai_hwreq.readers.hf_config._moe_decoder import MoeFamily, read_moe
from genai_hwreq.readers.hf_config._moe_rules import (
    after_prefix,
    all_but_every,
    element_gated,
    first_of_four_sees_all,
    heads_per_layer,
    listed_windows,
    with_sinks,
)

if TYPE_CHECKING:
    from genai_hwreq.models import Transformer
    from genai_hwreq.readers.hf_config._fields import Fields

__all__ = ["FAMILIES", "read"]

_NORMS4 = ("input_layernorm", "post_attention_layernorm", "pre_mlp_layernorm", "post_mlp_layernorm")

FAMILIES: dict[str, MoeFamily] = {
    "afmoe": MoeFamily(
        decoder=DecoderTraits(qk_norm="head", layer_norms=_NORMS4),
        experts=ExpertTraits(shared_count=("num_shared_experts",), router_bias=True),
        sparse=few_dense_first,
        windows=all_but_every(4, "global_attn_every_n_layers"),
        attention=element_gated,
        defaults={
            "num_dense_layers": 1,
            "head_dim": 128,
            "num_experts": 64,
            "num_experts_per_tok": 6,
            "moe_intermediate_size": 1408,
            "num_shared_experts": 2,
            "sliding_window": 1024,
        },
    ),
    "granitemoe_swa": MoeFamily(
        experts=ExpertTraits(
            width=("intermediate_size",), shared_width=("shared_intermediate_size",), fused=True
        ),
        windows=first_of_four_sees_all,
        attention=with_sinks,
        defaults={"num_experts": 8, "num_experts_per_tok": 2, "sliding_window": 128},
    ),
    "mellum": MoeFamily(
        decoder=DecoderTraits(qk_norm="head"),
        sparse=listed_or_few_dense_first,
        windows=listed_windows,
        defaults={
            "num_key_value_heads": 4,
            "head_dim": 128,
            "num_experts": 64,
            "num_experts_per_tok": 8,
            "moe_intermediate_size": 896,
            "sliding_window": 1024,
        },
    ),
    "exaone_moe": MoeFamily(
        decoder=DecoderTraits(qk_norm="head", bias_field=None),
        experts=ExpertTraits(shared_count=("num_shared_experts",)),
        sparse=listed_or_few_dense_first,
        windows=all_but_every(4, "sliding_window_pattern"),
        defaults={
            "num_key_value_heads": 32,
            "num_experts": 64,
            "num_experts_per_tok": 8,
            "moe_intermediate_size": 1024,
            "num_shared_experts": 1,
            "first_k_dense_replace": 1,
            "sliding_window": 4096,
        },
    ),
    "laguna": MoeFamily(
        decoder=DecoderTraits(qk_norm="head"),
        experts=ExpertTraits(shared_width=("shared_expert_intermediate_size",), router_bias=True),
        sparse=listed_or_few_dense_first,
        windows=listed_windows,
        attention=heads_per_layer,
        defaults={
            "num_key_value_heads": 8,
            "head_dim": 128,
            "num_experts": 256,
            "num_experts_per_tok": 8,
            "moe_intermediate_size": 512,
            "shared_expert_intermediate_size": 512,
            "first_k_dense_replace": 1,
            "sliding_window": 512,
        },
    ),
    "cohere2_moe": MoeFamily(
        decoder=DecoderTraits(
            norm_kind="layer", layer_norms=("input_layernorm",), tied=True, residual="parallel"
        ),
        experts=ExpertTraits(width=("intermediate_size",), shared_count=("num_shared_experts",)),
        sparse=listed_or_few_dense_first,
        windows=after_prefix,
        dense_width="prefix_dense_intermediate_size",
        defaults={
            "head_dim": 128,
            "num_experts": 8,
            "num_experts_per_tok": 2,
            "sliding_window": 4096,
        },
    ),
}
"""What sets each family apart, by `model_type`."""


def read(fields: Fields) -> Transformer:
    """Read the decoder of one of these families."""
    return read_moe(fields, FAMILIES[fields.text("model_type", default="")])
