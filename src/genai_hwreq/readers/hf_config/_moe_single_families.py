"""Families with experts that no other resembles: DBRX, Snowflake Arctic, JetMoE."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import evolve

from genai_hwreq.models import Attention, Dense, Experts, LayerRun, Norm, Tensor
from genai_hwreq.readers.hf_config._decoder import DecoderTraits
from genai_hwreq.readers.hf_config._experts import ExpertTraits, with_defaults
from genai_hwreq.readers.hf_config._fields import Fields
from genai_hwreq.readers.hf_config._moe_decoder import MoeFamily, read_moe

if TYPE_CHECKING:
    from collections.abc import Callable

    from genai_hwreq.models import Layer, Transformer

__all__ = ["read"]


def read(fields: Fields) -> Transformer:
    """Read the decoder of one of these families."""
    return _READERS[fields.text("model_type", default="")](fields)


def _read_dbrx(fields: Fields) -> Transformer:
    """Read DBRX, which keeps its attention and experts in sections of their own."""
    heads, ffn = fields.section("attn_config") or Fields({}), fields.section("ffn_config") or Fields({})
    common = {
        **fields.config,
        "num_key_value_heads": heads.count("kv_n_heads", default=1),
        "intermediate_size": ffn.count("ffn_hidden_size", default=3584),
        "num_experts": ffn.count("moe_num_experts", default=4),
        "num_experts_per_tok": ffn.count("moe_top_k", default=1),
    }
    traits = DecoderTraits(
        bias_field=None, fused_qkv=True, norm_kind="layer", layer_norms=("norm_1", "norm_2")
    )
    return read_moe(
        Fields(common), MoeFamily(decoder=traits, experts=ExpertTraits(width=("intermediate_size",)))
    )


def _read_arctic(fields: Fields) -> Transformer:
    """Read Snowflake Arctic: a dense network as wide as the stream beside the experts.

    Source: https://huggingface.co/Snowflake/snowflake-arctic-instruct (modeling_arctic.py)
    """
    fields = with_defaults(fields, {"num_experts": 8, "num_experts_per_tok": 1})
    family = MoeFamily(
        decoder=DecoderTraits(bias_field=None),
        experts=ExpertTraits(width=("intermediate_size",)),
        sparse=_arctic_sparse,
    )
    network = read_moe(fields, family)
    dim = network.hidden_dim
    # The one published model has the dense network; the configuration class itself leaves it out.
    if not fields.flag("parallel_attn_mlp_res", default=True):
        return network
    return _with_layers(network, lambda layer: _with_dense_beside(layer, dim))


def _arctic_sparse(fields: Fields, n_layers: int) -> tuple[bool, ...]:
    every = fields.count("moe_layer_frequency", default=1)
    return tuple((index + 1) % every == 0 for index in range(n_layers))


def _with_dense_beside(layer: Layer, dim: int) -> Layer:
    if not isinstance(layer.feed_forward[0], Experts):
        return layer
    return evolve(
        layer,
        feed_forward=(Dense(intermediate_dim=dim), *layer.feed_forward),
        norms=(*layer.norms, Norm(name="residual_layernorm", dim=dim)),
    )


def _read_jetmoe(fields: Fields) -> Transformer:
    """Read JetMoE, where query and output projections are experts too: a token uses as many as it has experts."""
    fields = with_defaults(
        fields,
        {"num_key_value_heads": 16, "kv_channels": 128, "num_experts": 8, "num_experts_per_tok": 2},
    )
    kv_heads, per_token = fields.count("num_key_value_heads"), fields.count("num_experts_per_tok")
    common = {
        **fields.config,
        "head_dim": fields.count("head_dim", "kv_channels"),
        "num_attention_heads": kv_heads * per_token,
    }
    traits = DecoderTraits(bias_field=None, tied=True)
    family = MoeFamily(decoder=traits, experts=ExpertTraits(width=("intermediate_size",), fused=True))
    network = read_moe(Fields(common), family)
    extra = _jetmoe_extra(network, kv_heads)
    return _with_layers(network, lambda layer: evolve(layer, extra=extra))


def _jetmoe_extra(network: Transformer, kv_heads: int) -> tuple[Tensor, ...]:
    layer, dim = network.layers[0].layer, network.hidden_dim
    attention, routed = layer.mixers[0], layer.feed_forward[0]
    assert isinstance(attention, Attention)
    assert isinstance(routed, Experts)
    width, spare = kv_heads * attention.head_dim, routed.n_experts - routed.n_experts_per_token
    unused = (
        Tensor("self_attention.experts.input_linear.weight", "expert_up", (spare, width, dim)),
        Tensor("self_attention.experts.output_linear.weight", "expert_down", (spare, dim, width)),
    )
    return (
        Tensor("mlp.bias", "bias", (dim,)),
        Tensor("self_attention.experts.bias", "bias", (dim,)),
        Tensor("self_attention.experts.router.layer.weight", "router", (routed.n_experts, dim)),
        *(unused if spare else ()),
    )


def _with_layers(network: Transformer, change: Callable[[Layer], Layer]) -> Transformer:
    layers = tuple(LayerRun(layer=change(run.layer), n_layers=run.n_layers) for run in network.layers)
    return evolve(network, layers=layers)


_READERS: dict[str, Callable[[Fields], Transformer]] = {
    "dbrx": _read_dbrx,
    "arctic": _read_arctic,
    "jetmoe": _read_jetmoe,
}
