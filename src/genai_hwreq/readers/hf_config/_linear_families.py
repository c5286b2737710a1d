"""Families that alternate full attention with linear attention: delta nets and lightning attention."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attrs import evolve

from genai_hwreq.errors import ConfigurationError
from genai_hwreq.models import Dense, Experts, Layer
from genai_hwreq.readers.hf_config._decoder import (
    DecoderTraits,
    attention,
    dense,
    final_norm,
    hidden_dim,
    layer_norms,
)
from genai_hwreq.readers.hf_config._fields import Fields
from genai_hwreq.readers.hf_config._hybrid_fields import assemble, layer_kinds, with_defaults
from genai_hwreq.readers.hf_config._state_spaces import (
    gated_delta_net,
    lightning_attention,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from genai_hwreq.models import Mixer, StateSpace, Transformer

__all__ = ["DEFAULTS", "read"]

_KINDS = ("linear_attention", "full_attention")

_DELTA_NET: dict[str, Any] = {
    "head_dim": 256,
    "linear_conv_kernel_dim": 4,
    "linear_key_head_dim": 128,
    "linear_value_head_dim": 128,
    "linear_num_key_heads": 16,
    "linear_num_value_heads": 32,
}
_DELTA_NET_EXPERTS: dict[str, Any] = {
    **_DELTA_NET,
    "num_key_value_heads": 2,
    "moe_intermediate_size": 512,
    "shared_expert_intermediate_size": 512,
}
_MINIMAX: dict[str, Any] = {
    "num_key_value_heads": 8,
    "num_local_experts": 8,
    "num_experts_per_tok": 2,
    "block_size": 256,
}

DEFAULTS: dict[str, dict[str, Any]] = {
    "qwen3_next": {
        **_DELTA_NET_EXPERTS,
        "num_experts": 512,
        "num_experts_per_tok": 10,
        "decoder_sparse_step": 1,
    },
    "qwen3_5_text": {**_DELTA_NET, "num_key_value_heads": 4},
    "qwen3_5_moe_text": {
        **_DELTA_NET_EXPERTS,
        "num_experts": 256,
        "num_experts_per_tok": 8,
    },
    "minimax": _MINIMAX,
    "minimax_text_01": _MINIMAX,
    "minimax_m1": _MINIMAX,
    "olmo_hybrid": {"linear_conv_kernel_dim": 4},
}
"""What the configuration classes take where a field is absent.

Source: https://github.com/huggingface/transformers/tree/main/src/transformers/models, `configuration_*.py`
"""

_QWEN = DecoderTraits(qk_norm="head")
_PLAIN = DecoderTraits(bias_field=None)
_OLMO = DecoderTraits(qk_norm="width")


def read(fields: Fields) -> Transformer:
    """Read the network of one of these families."""
    model_type = fields.text("model_type", default="")
    return _FAMILIES[model_type](with_defaults(fields, DEFAULTS[model_type]))


def _qwen(fields: Fields) -> Transformer:
    n_layers, interval = fields.n_layers(), fields.count("full_attention_interval", default=4)
    kinds = layer_kinds(fields, ("layer_types",), _KINDS) or tuple(
        _KINDS[not (i + 1) % interval] for i in range(n_layers)
    )
    mixers: dict[str, Mixer] = {
        "linear_attention": _delta_net(fields),
        "full_attention": evolve(attention(fields, _QWEN), gate="element"),
    }
    norms = layer_norms(_QWEN, hidden_dim(fields))
    networks = _qwen_networks(fields, n_layers)
    layers = [
        Layer(mixers=(mixers[kind],), feed_forward=(network,), norms=norms)
        for kind, network in zip(kinds, networks, strict=True)
    ]
    return assemble(fields, layers, closing=final_norm(_QWEN, hidden_dim(fields)))


def _delta_net(fields: Fields) -> StateSpace:
    return gated_delta_net(
        hidden_dim(fields),
        n_key_heads=fields.count("linear_num_key_heads"),
        n_value_heads=fields.count("linear_num_value_heads"),
        key_head_dim=fields.count("linear_key_head_dim"),
        value_head_dim=fields.count("linear_value_head_dim"),
        kernel=fields.count("linear_conv_kernel_dim"),
    )


def _qwen_networks(fields: Fields, n_layers: int) -> list[Dense | Experts]:
    n_experts = fields.count("num_experts", default=0, minimum=0)
    if not n_experts:
        return [dense(fields, _QWEN)] * n_layers
    routed = Experts(
        n_experts=n_experts,
        n_experts_per_token=min(fields.count("num_experts_per_tok"), n_experts),
        intermediate_dim=fields.count("moe_intermediate_size"),
        shared_dim=fields.count("shared_expert_intermediate_size"),
        shared_gate=True,
    )
    step, plain = fields.count("decoder_sparse_step", default=1), set(fields.counts("mlp_only_layers") or ())
    sparse = [index not in plain and (index + 1) % step == 0 for index in range(n_layers)]
    return [routed if is_sparse else dense(fields, _QWEN) for is_sparse in sparse]


def _minimax(fields: Fields) -> Transformer:
    dim, n_experts = hidden_dim(fields), fields.count("num_local_experts", "num_experts")
    softmax = attention(fields, _PLAIN)
    mixers: dict[str, Mixer] = {
        "full_attention": softmax,
        "linear_attention": lightning_attention(
            dim, n_heads=softmax.n_heads, head_dim=softmax.head_dim, chunk_tokens=fields.count("block_size")
        ),
    }
    routed = Experts(
        n_experts=n_experts,
        n_experts_per_token=min(fields.count("num_experts_per_tok"), n_experts),
        intermediate_dim=fields.count("intermediate_size"),
    )
    norms = layer_norms(_PLAIN, dim)
    layers = [
        Layer(mixers=(mixers[kind],), feed_forward=(routed,), norms=norms) for kind in _minimax_kinds(fields)
    ]
    return assemble(fields, layers, closing=final_norm(_PLAIN, dim))


def _minimax_kinds(fields: Fields) -> tuple[str, ...]:
    """Return the layers' kinds; the first published form lists 1 for full attention and 0 for lightning attention."""
    n_layers, flags = fields.n_layers(), fields.counts("attn_type_list")
    if flags is not None:
        if len(flags) != n_layers:
            msg = f"attn_type_list has {len(flags)} entries; expected one for each of the {n_layers} layers"
            raise ConfigurationError(msg, field="attn_type_list")
        return tuple(_KINDS[flag > 0] for flag in flags)
    kinds = layer_kinds(fields, ("layer_types",), _KINDS)
    return kinds or tuple(_KINDS[not index % 2] for index in range(n_layers))


def _olmo(fields: Fields) -> Transformer:
    dim, n_layers = hidden_dim(fields), fields.n_layers()
    kinds = layer_kinds(fields, ("layer_types",), _KINDS) or _every_fourth(n_layers)
    heads = fields.count("num_attention_heads")
    key_heads = fields.count("linear_num_key_heads", default=heads)
    key_head_dim = fields.count("linear_key_head_dim", default=max(1, 3 * dim // (4 * key_heads)))
    implied = {
        "linear_num_key_heads": key_heads,
        "linear_num_value_heads": fields.count("linear_num_value_heads", default=heads),
        "linear_key_head_dim": key_head_dim,
        "linear_value_head_dim": fields.count("linear_value_head_dim", default=2 * key_head_dim),
    }
    mixers: dict[str, Mixer] = {
        "linear_attention": _delta_net(Fields({**fields.config, **implied})),
        "full_attention": attention(fields, _OLMO),
    }
    # Where attention reads the stream the norms come after, as in OLMo 2; there are two of them either way.
    norms = layer_norms(_OLMO, dim)
    layers = [
        Layer(mixers=(mixers[kind],), feed_forward=(dense(fields, _OLMO),), norms=norms) for kind in kinds
    ]
    return assemble(fields, layers, closing=final_norm(_OLMO, dim))


def _every_fourth(n_layers: int) -> tuple[str, ...]:
    kinds = [_KINDS[index % 4 == 3] for index in range(n_layers)]
    return (*kinds[:-1], kinds[-1] if "full_attention" in kinds else "full_attention")


_FAMILIES: dict[str, Callable[[Fields], Transformer]] = {
    "qwen3_next": _qwen,
    "qwen3_5_text": _qwen,
    "qwen3_5_moe_text": _qwen,
    "minimax": _minimax,
    "minimax_text_01": _minimax,
    "minimax_m1": _minimax,
    "olmo_hybrid": _olmo,
}
