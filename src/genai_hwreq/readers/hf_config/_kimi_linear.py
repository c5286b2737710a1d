"""Kimi Linear and the text part of Kimi K3: three layers of Kimi delta attention to one of latent attention.

K3 adds a latent space for its experts, gates on attention outputs and residuals over depth; a configuration
without their fields has none of them.

Sources: https://github.com/huggingface/transformers/blob/main/src/transformers/models/kimi_linear/modeling_kimi_linear.py,
https://huggingface.co/moonshotai/Kimi-K3/blob/main/modeling_kimi_linear.py
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from genai_hwreq.errors import ConfigurationError
from genai_hwreq.models import Dense, Experts, LatentAttention, Layer, Norm
from genai_hwreq.models._tensor import Tensor, matrix
from genai_hwreq.readers.hf_config._decoder import DecoderTraits, final_norm, hidden_dim, layer_norms
from genai_hwreq.readers.hf_config._fields import Fields
from genai_hwreq.readers.hf_config._hybrid_fields import assemble, layer_kinds, named_kinds
from genai_hwreq.readers.hf_config._state_spaces import kimi_delta_attention

if TYPE_CHECKING:
    from collections.abc import Iterator

    from genai_hwreq.models import Mixer, Transformer

__all__ = ["DEFAULTS", "read"]

_KINDS = ("linear_attention", "full_attention")
_PLAIN = DecoderTraits()

DEFAULTS: dict[str, Any] = {
    "num_attention_heads": 32,
    "kv_lora_rank": 512,
    "qk_rope_head_dim": 64,
    "qk_nope_head_dim": 128,
    "v_head_dim": 128,
    "moe_intermediate_size": 1024,
    "linear_head_dim": 128,
    "linear_num_heads": 32,
    "linear_conv_kernel_dim": 4,
}
"""What the configuration class takes where a field is absent."""


def read(fields: Fields) -> Transformer:
    """Read the network; its class ties nothing, whatever the configuration says."""
    fields = Fields({**DEFAULTS, **fields.config, "tie_word_embeddings": False})
    dim, n_layers = hidden_dim(fields), fields.n_layers()
    nested = fields.section("linear_attn_config") or Fields({})
    mixers: dict[str, Mixer] = {
        "linear_attention": kimi_delta_attention(
            dim,
            n_heads=nested.count("num_heads", default=fields.count("linear_num_heads")),
            head_dim=nested.count("head_dim", default=fields.count("linear_head_dim")),
            kernel=nested.count("short_conv_kernel_size", default=fields.count("linear_conv_kernel_dim")),
            full_rank_gate=nested.flag("use_full_rank_gate", default=False),
        ),
        "full_attention": _latent_attention(fields),
    }
    plain, routed = Dense(intermediate_dim=fields.count("intermediate_size")), _experts(fields)
    sparse = _sparse(fields, n_layers)
    layers = [
        Layer(
            mixers=(mixers[kind],),
            feed_forward=(routed if is_sparse else plain,),
            norms=layer_norms(_PLAIN, dim),
            extra=tuple(_extra(fields, kind, is_sparse=is_sparse)),
        )
        for kind, is_sparse in zip(_kinds(fields, nested, n_layers), sparse, strict=True)
    ]
    closing = (*_depth_residual(fields, "output_attn_res"), *final_norm(_PLAIN, dim))
    return assemble(fields, layers, closing=closing)


def _extra(fields: Fields, kind: str, *, is_sparse: bool) -> Iterator[Tensor]:
    if kind == "full_attention" and fields.flag("mla_use_output_gate", default=False):
        rows = fields.count("num_attention_heads") * fields.count("v_head_dim")
        yield from matrix("self_attn.g_proj", "projection", rows, hidden_dim(fields))
    latent_dim = fields.optional_count("routed_expert_hidden_size")
    if is_sparse and latent_dim and fields.flag("latent_moe_use_norm", default=False):
        yield from Norm(name="routed_expert_norm", dim=latent_dim).tensors()
    yield from _depth_residual(fields, "self_attention_res")
    yield from _depth_residual(fields, "mlp_res")


def _depth_residual(fields: Fields, name: str) -> Iterator[Tensor]:
    """Yield what scores earlier blocks' streams where they are mixed into this one."""
    if fields.optional_count("attn_res_block_size"):
        yield from Norm(name=f"{name}_norm", dim=hidden_dim(fields)).tensors()
        yield Tensor(f"{name}_proj.weight", "router", (1, hidden_dim(fields)))


def _kinds(fields: Fields, nested: Fields, n_layers: int) -> tuple[str, ...]:
    """Return the layers' kinds; the published configuration lists the layers of full attention, counted from one."""
    kinds = layer_kinds(fields, ("layer_types",), _KINDS)
    if kinds is not None:
        return kinds
    full, delta = nested.counts("full_attn_layers", 1), nested.counts("kda_layers", 1)
    if full is None or delta is None:
        return tuple(_KINDS[index > 0 and index % 4 == 0] for index in range(n_layers))
    if sorted((*full, *delta)) != list(range(1, n_layers + 1)):
        msg = f"full_attn_layers and kda_layers do not name each of the layers 1 to {n_layers} once"
        raise ConfigurationError(msg, field="linear_attn_config")
    return tuple(_KINDS[index in set(full)] for index in range(1, n_layers + 1))


def _sparse(fields: Fields, n_layers: int) -> tuple[bool, ...]:
    kinds = named_kinds(fields, "mlp_layer_types", ("dense", "sparse"))
    if kinds is None:
        n_dense = fields.count("first_k_dense_replace", default=1, minimum=0)
        return tuple(index >= n_dense for index in range(n_layers))
    if len(kinds) != n_layers:
        msg = f"mlp_layer_types has {len(kinds)} entries; expected one for each of the {n_layers} layers"
        raise ConfigurationError(msg, field="mlp_layer_types")
    return tuple(kind == "sparse" for kind in kinds)


def _experts(fields: Fields) -> Experts:
    n_experts, width = (
        fields.count("num_experts", "num_local_experts", default=256),
        fields.count("moe_intermediate_size"),
    )
    per_token = fields.count("num_experts_per_token", "num_experts_per_tok", default=8)
    n_shared = fields.count("num_shared_experts", "n_shared_experts", default=1, minimum=0)
    return Experts(
        n_experts=n_experts,
        n_experts_per_token=min(per_token, n_experts),
        intermediate_dim=width,
        shared_dim=n_shared * width,
        latent_dim=fields.optional_count("routed_expert_hidden_size") or 0,
    )


def _latent_attention(fields: Fields) -> LatentAttention:
    return LatentAttention(
        n_heads=fields.count("num_attention_heads"),
        q_lora_rank=fields.optional_count("q_lora_rank") or 0,
        kv_lora_rank=fields.count("kv_lora_rank"),
        qk_nope_head_dim=fields.count("qk_nope_head_dim"),
        qk_rope_head_dim=fields.count("qk_rope_head_dim"),
        v_head_dim=fields.count("v_head_dim"),
        has_bias=fields.flag("attention_bias", default=False),
    )
