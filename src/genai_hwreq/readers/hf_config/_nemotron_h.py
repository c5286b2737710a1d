"""Nemotron-H: layers that each do one thing only, be it Mamba-2, attention, a dense network or experts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from genai_hwreq.errors import ConfigurationError
from genai_hwreq.models import Dense, Experts, Layer, Norm
from genai_hwreq.models._tensor import bias
from genai_hwreq.readers.hf_config._decoder import DecoderTraits, attention, hidden_dim
from genai_hwreq.readers.hf_config._fields import Fields
from genai_hwreq.readers.hf_config._hybrid_fields import assemble, named_kinds
from genai_hwreq.readers.hf_config._state_spaces import mamba2

if TYPE_CHECKING:
    from genai_hwreq.models import StateSpace, Transformer

__all__ = ["DEFAULTS", "read"]

_LETTERS = {"M": "linear_attention", "E": "moe", "*": "full_attention", "-": "mlp"}
"""How `hybrid_override_pattern` spells the kinds of layers."""

_MOST_LAYERS = 4096

DEFAULTS: dict[str, Any] = {
    "num_key_value_heads": 8,
    "head_dim": 128,
    "mlp_hidden_act": "relu2",
    "mamba_num_heads": 128,
    "mamba_head_dim": 64,
    "ssm_state_size": 128,
    "n_groups": 8,
    "conv_kernel": 4,
    "chunk_size": 128,
    "n_routed_experts": 8,
    "num_experts_per_tok": 2,
    "moe_intermediate_size": 7688,
    "moe_shared_expert_intermediate_size": 7688,
}
"""What the configuration class takes where a field is absent.

Source: https://github.com/huggingface/transformers/blob/main/src/transformers/models/nemotron_h/configuration_nemotron_h.py
"""


def read(fields: Fields) -> Transformer:
    """Read the network; layers that predict further tokens (`mtp`) belong to the checkpoint, not to the model."""
    fields = Fields({**DEFAULTS, **fields.config, "tie_word_embeddings": False})  # the class ties nothing
    norm = Norm(name="norm", dim=hidden_dim(fields))
    kinds = _kinds(fields)
    layers = {kind: _layer(fields, kind, norm) for kind in set(kinds)}
    closing = Norm(name="norm_f", dim=hidden_dim(fields)).tensors()
    return assemble(fields, [layers[kind] for kind in kinds], closing=closing)


def _kinds(fields: Fields) -> tuple[str, ...]:
    """Return the layers' kinds; their list (or pattern) decides how many there are."""
    for name in ("layers_block_type", "layer_types"):
        kinds = named_kinds(fields, name, tuple(_LETTERS.values()))
        if kinds is not None:
            return kinds
    pattern = fields.text("hybrid_override_pattern", default="ME*-")
    if not 0 < len(pattern) <= _MOST_LAYERS or not set(pattern) <= set(_LETTERS):
        msg = f"hybrid_override_pattern is {pattern[:80]!r}; expected up to {_MOST_LAYERS} of the letters M, E, * and -"
        raise ConfigurationError(msg, field="hybrid_override_pattern")
    return tuple(_LETTERS[letter] for letter in pattern)


def _layer(fields: Fields, kind: str, norm: Norm) -> Layer:
    if kind == "linear_attention":
        return Layer(mixers=(_mamba2(fields),), norms=(norm,))
    if kind == "full_attention":
        return Layer(mixers=(attention(fields, DecoderTraits(bias_field=None)),), norms=(norm,))
    if kind == "mlp":
        return Layer(feed_forward=(_dense(fields),), norms=(norm,))
    experts = _experts(fields)
    widths = (experts.latent_dim, hidden_dim(fields)) if experts.latent_dim and experts.shared_bias else ()
    return Layer(
        feed_forward=(experts,), norms=(norm,), extra=tuple(bias("latent", width) for width in widths)
    )


def _mamba2(fields: Fields) -> StateSpace:
    heads, has_bias = fields.count("mamba_num_heads"), fields.flag("use_bias", default=False)
    return mamba2(
        hidden_dim(fields),
        inner_dim=heads * fields.count("mamba_head_dim"),
        n_heads=heads,
        n_groups=fields.count("mamba_n_groups", "n_groups"),
        state_dim=fields.count("ssm_state_size"),
        kernel=fields.count("mamba_d_conv", "conv_kernel"),
        chunk_tokens=fields.count("mamba_chunk_size", "chunk_size"),
        conv_bias=fields.flag("mamba_conv_bias", "use_conv_bias", default=True),
        in_bias=has_bias,
        out_bias=has_bias,
    )


def _dense(fields: Fields) -> Dense:
    return Dense(
        intermediate_dim=fields.count("intermediate_size"),
        gated=False,
        activation=fields.text("mlp_hidden_act", default="relu2"),
        up_bias=fields.flag("mlp_bias", default=False),
    )


def _experts(fields: Fields) -> Experts:
    n_experts = fields.count("n_routed_experts", "num_local_experts")
    return Experts(
        n_experts=n_experts,
        n_experts_per_token=min(fields.count("num_experts_per_tok"), n_experts),
        intermediate_dim=fields.count("moe_intermediate_size"),
        gated=False,
        activation=fields.text("mlp_hidden_act", default="relu2"),
        shared_dim=fields.count("moe_shared_expert_intermediate_size"),
        shared_bias=fields.flag("mlp_bias", default=False),
        latent_dim=fields.optional_count("moe_latent_size") or 0,
    )
