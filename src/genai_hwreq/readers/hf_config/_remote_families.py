"""Families whose modelling code is published beside the checkpoint: Qwen 1, Baichuan, InternLM, ChatGLM, Exaone and others.

Field names are those of their own configuration classes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from genai_hwreq.readers.hf_config._decoder import DecoderTraits, hidden_dim
from genai_hwreq.readers.hf_config._family import Family, read_family
from genai_hwreq.readers.hf_config._windows import no_windows

if TYPE_CHECKING:
    from genai_hwreq.models import Transformer
    from genai_hwreq.readers.hf_config._fields import Fields

__all__ = ["FAMILIES", "read"]


def _qwen(fields: Fields) -> dict[str, Any]:
    """Return Qwen's feed-forward width: it states gate and up together, more than four times the stream's width.

    A smaller value comes from a rewritten configuration, which states the width of one of them.
    """
    stated = fields.count("intermediate_size")
    return {"intermediate_size": stated // 2 if stated > 4 * hidden_dim(fields) else stated}


def _chatglm(fields: Fields) -> dict[str, Any]:
    """Return ChatGLM's key/value heads: groups only where multi-query attention is on."""
    heads = fields.count("num_attention_heads")
    grouped = fields.flag("multi_query_attention", default=False)
    return {"num_key_value_heads": fields.count("multi_query_group_num", default=1) if grouped else heads}


_CHATGLM_1 = Family(
    traits=DecoderTraits(
        query_bias=True,
        output_bias=True,
        bias_field=None,
        feed_forward_bias=True,
        norm_kind="layer",
        norm_bias=True,
        fused_qkv=True,
        gated=False,
        activation="gelu",
    ),
    names={"num_layers": "num_hidden_layers", "inner_hidden_size": "intermediate_size"},
    windows=no_windows,
)
"""The first ChatGLM; later ones share its `model_type`, but not its layers."""

FAMILIES: dict[str, Family] = {
    "qwen": Family(
        traits=DecoderTraits(query_bias=True, bias_field=None, fused_qkv=True),
        names={"kv_channels": "head_dim"},
        switches={"_biased": {"output_bias": True, "feed_forward_bias": True}},
        derived=lambda fields: {**_qwen(fields), "_biased": not fields.flag("no_bias", default=True)},
        windows=no_windows,
    ),
    "baichuan": Family(traits=DecoderTraits(bias_field=None, fused_qkv=True), windows=no_windows),
    "internlm": Family(
        traits=DecoderTraits(query_bias=True, output_bias=True, bias_field="bias"), windows=no_windows
    ),
    "internlm2": Family(traits=DecoderTraits(bias_field="bias", fused_qkv=True), windows=no_windows),
    "chatglm": Family(
        traits=DecoderTraits(
            fused_qkv=True, fused_gate_up=True, bias_field=None, feed_forward_bias_field="add_bias_linear"
        ),
        names={
            "num_layers": "num_hidden_layers",
            "padded_vocab_size": "vocab_size",
            "ffn_hidden_size": "intermediate_size",
            "kv_channels": "head_dim",
        },
        switches={
            "add_qkv_bias": {"query_bias": True},
            "add_bias_linear": {"query_bias": True, "output_bias": True},
        },
        # All published checkpoints have these biases, though the configuration class defaults to none.
        defaults={"add_qkv_bias": True},
        derived=_chatglm,
        windows=no_windows,
    ),
    "exaone": Family(
        traits=DecoderTraits(bias_field=None, layer_norms=("ln_1", "ln_2")),
        names={"num_layers": "num_hidden_layers"},
        windows=no_windows,
    ),
    # Block-sparse layers read less of the cache, but keep the keys and values of all tokens.
    "phi3small": Family(
        traits=DecoderTraits(
            query_bias=True,
            output_bias=True,
            feed_forward_bias=True,
            norm_kind="layer",
            norm_bias=True,
            fused_qkv=True,
            fused_gate_up=True,
            activation="gegelu",
            tied=True,
        ),
        names={"ff_intermediate_size": "intermediate_size"},
        defaults={"num_key_value_heads": 8},
        windows=no_windows,
    ),
    "minicpm": Family(traits=DecoderTraits(tied=True), windows=no_windows),
}
"""What sets each family apart, by `model_type`."""


def read(fields: Fields) -> Transformer:
    """Read the decoder of one of these families."""
    model_type = fields.text("model_type", default="qwen")
    first_chatglm = model_type == "chatglm" and fields.has("inner_hidden_size")
    return read_family(fields, _CHATGLM_1 if first_chatglm else FAMILIES[model_type])
