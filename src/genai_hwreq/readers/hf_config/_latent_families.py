"""Families with multi-head latent attention: DeepSeek-V2, V3 and V3.2, Kimi-K2, GLM, Mistral 4, LongCat."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import evolve

from genai_hwreq.errors import ConfigurationError
from genai_hwreq.models import Dense, Experts, LatentAttention, Layer, LayerRun, Norm, Tensor, Transformer
from genai_hwreq.readers.hf_config._decoder import (
    DecoderTraits,
    final_norm,
    hidden_dim,
    token_embedding,
    vocabulary_head,
)
from genai_hwreq.readers.hf_config._experts import (
    ExpertTraits,
    experts,
    few_dense_first,
    listed_or_few_dense_first,
    with_defaults,
)
from genai_hwreq.readers.hf_config._moe_decoder import MoeFamily, read_moe

if TYPE_CHECKING:
    from genai_hwreq.readers.hf_config._fields import Fields

__all__ = ["FAMILIES", "latent_attention", "read"]


def latent_attention(fields: Fields) -> LatentAttention:
    """Read latent attention without an indexer."""
    return LatentAttention(
        n_heads=fields.count("num_attention_heads"),
        q_lora_rank=fields.count("q_lora_rank", default=0, minimum=0),
        kv_lora_rank=fields.count("kv_lora_rank"),
        qk_nope_head_dim=fields.count("qk_nope_head_dim"),
        qk_rope_head_dim=fields.count("qk_rope_head_dim"),
        v_head_dim=fields.count("v_head_dim"),
        has_bias=fields.flag("attention_bias", default=False),
    )


def _latent(fields: Fields, traits: DecoderTraits, index: int, window_tokens: int | None) -> LatentAttention:  # noqa: ARG001
    return latent_attention(fields)


def _indexed(fields: Fields, traits: DecoderTraits, index: int, window_tokens: int | None) -> LatentAttention:  # noqa: ARG001
    if not fields.has("q_lora_rank"):
        msg = "q_lora_rank is missing; the indexer reads the compressed query"
        raise ConfigurationError(msg, field="q_lora_rank")
    return evolve(
        latent_attention(fields),
        n_index_heads=fields.count("index_n_heads"),
        index_head_dim=fields.count("index_head_dim"),
        index_shared=_shares_index(fields, index),
    )


def _shares_index(fields: Fields, index: int) -> bool:
    """Tell whether a layer reuses the choice of an earlier layer's indexer (GLM)."""
    kinds = fields.items("indexer_types")
    pattern = fields.config.get("index_topk_pattern")
    if kinds is None and pattern is not None:
        kinds = tuple(pattern) if isinstance(pattern, str) else fields.items("index_topk_pattern")
    if kinds is not None:
        if index >= len(kinds):
            msg = f"the indexer pattern has {len(kinds)} entries; expected one for each layer"
            raise ConfigurationError(msg, field="indexer_types")
        return kinds[index] in ("shared", "S")
    every = fields.count("index_topk_freq", default=1)
    offset = fields.count("index_skip_topk_offset", default=2, minimum=0)
    return max(index - offset + 1, 0) % every != 0


_EXPERTS = ExpertTraits(shared_count=("n_shared_experts",))
_EXPERTS_WITH_BIAS = ExpertTraits(shared_count=("n_shared_experts",), bias_field="mlp_bias")
_DEEPSEEK_V3 = {
    "kv_lora_rank": 512,
    "q_lora_rank": 1536,
    "qk_nope_head_dim": 128,
    "qk_rope_head_dim": 64,
    "v_head_dim": 128,
    "num_experts": 256,
    "num_experts_per_tok": 8,
    "moe_intermediate_size": 2048,
    "n_shared_experts": 1,
    "first_k_dense_replace": 3,
}
_INDEXED = {**_DEEPSEEK_V3, "index_n_heads": 64, "index_head_dim": 128}

FAMILIES: dict[str, MoeFamily] = {
    "deepseek_v2": MoeFamily(
        experts=_EXPERTS_WITH_BIAS,
        sparse=few_dense_first,
        attention=_latent,
        defaults={
            **_DEEPSEEK_V3,
            "num_experts": 64,
            "num_experts_per_tok": None,
            "n_shared_experts": 2,
            "moe_intermediate_size": 1407,
            "first_k_dense_replace": 0,
        },
    ),
    "deepseek_v3": MoeFamily(
        experts=_EXPERTS, sparse=few_dense_first, attention=_latent, defaults=_DEEPSEEK_V3
    ),
    "kimi_k2": MoeFamily(experts=_EXPERTS, sparse=few_dense_first, attention=_latent, defaults=_DEEPSEEK_V3),
    "deepseek_v32": MoeFamily(
        experts=_EXPERTS,
        sparse=listed_or_few_dense_first,
        attention=_indexed,
        defaults=_INDEXED,
    ),
    "glm_moe_dsa": MoeFamily(
        experts=_EXPERTS,
        sparse=listed_or_few_dense_first,
        attention=_indexed,
        defaults={
            **_INDEXED,
            "q_lora_rank": 2048,
            "qk_nope_head_dim": 192,
            "v_head_dim": 256,
            "index_n_heads": 32,
        },
    ),
    "glm4_moe_lite": MoeFamily(
        experts=_EXPERTS,
        sparse=listed_or_few_dense_first,
        attention=_latent,
        defaults={
            **_DEEPSEEK_V3,
            "q_lora_rank": 768,
            "qk_nope_head_dim": 192,
            "v_head_dim": 256,
            "num_experts": 64,
            "num_experts_per_tok": 4,
            "moe_intermediate_size": 1536,
            "first_k_dense_replace": 1,
        },
    ),
    "axk1": MoeFamily(
        experts=_EXPERTS,
        sparse_norms=("post_mlp_layernorm",),
        sparse=listed_or_few_dense_first,
        attention=_latent,
        defaults={**_DEEPSEEK_V3, "num_experts": 192, "first_k_dense_replace": 1},
    ),
    "mistral4": MoeFamily(
        experts=_EXPERTS,
        sparse=few_dense_first,
        attention=_latent,
        defaults={
            **_DEEPSEEK_V3,
            "kv_lora_rank": 256,
            "q_lora_rank": 1024,
            "qk_nope_head_dim": 64,
            "num_experts": 128,
            "num_experts_per_tok": 4,
            "first_k_dense_replace": 0,
        },
    ),
}
"""What sets each family apart, by `model_type`."""

_LONGCAT = {
    "kv_lora_rank": 512,
    "q_lora_rank": 1536,
    "qk_nope_head_dim": 128,
    "qk_rope_head_dim": 64,
    "v_head_dim": 128,
    "num_experts": 512,
    "num_experts_per_tok": 12,
    "expert_ffn_hidden_size": 2048,
    "zero_expert_num": 256,
}


def read(fields: Fields) -> Transformer:
    """Read the decoder of one of these families."""
    model_type = fields.text("model_type", default="")
    if model_type == "longcat_flash":
        return _read_longcat(with_defaults(fields, _LONGCAT))
    return read_moe(fields, FAMILIES[model_type])


def _read_longcat(fields: Fields) -> Transformer:
    """Read LongCat-Flash: each layer is two attentions and dense networks with experts beside them."""
    dim, traits = hidden_dim(fields), DecoderTraits()
    names = (
        "input_layernorm.0",
        "post_attention_layernorm.0",
        "input_layernorm.1",
        "post_attention_layernorm.1",
    )
    routed = _longcat_experts(fields)
    layer = Layer(
        mixers=(latent_attention(fields),) * 2,
        feed_forward=(
            *(Dense(intermediate_dim=fields.count("ffn_hidden_size", "intermediate_size")),) * 2,
            routed,
        ),
        norms=tuple(Norm(name=name, dim=dim) for name in names),
        extra=_placeholders(routed, dim),
    )
    n_layers = fields.n_layers("num_layers") if fields.has("num_layers") else max(1, fields.n_layers() // 2)
    return Transformer(
        model_type=fields.text("model_type", default=""),
        hidden_dim=dim,
        vocab_size=fields.count("vocab_size"),
        embeddings=(token_embedding(fields),),
        layers=(LayerRun(layer=layer, n_layers=n_layers),),
        closing=final_norm(traits, dim),
        head=vocabulary_head(fields, traits),
    )


def _longcat_experts(fields: Fields) -> Experts:
    traits = ExpertTraits(
        width=("moe_intermediate_size", "expert_ffn_hidden_size"),
        router_bias=fields.flag("router_bias", default=False),
    )
    n_zero_experts = fields.count("zero_expert_num", default=0, minimum=0)
    return evolve(experts(fields, traits), n_zero_experts=n_zero_experts)


def _placeholders(routed: Experts, dim: int) -> tuple[Tensor, ...]:
    # transformers allocates gate and up matrices for the experts that have none, and never reads them:
    # https://github.com/huggingface/transformers/blob/main/src/transformers/models/longcat_flash/modeling_longcat_flash.py
    if not routed.n_zero_experts:
        return ()
    return (
        Tensor(
            "mlp.experts.identity.gate_up_proj",
            "expert_gate_up",
            (routed.n_zero_experts, 2 * routed.intermediate_dim, dim),
        ),
    )
