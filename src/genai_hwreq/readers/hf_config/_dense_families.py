"""Families whose decoder is the common one with a gate or without: each is its difference from Llama."""

from __future__ import annotations

from typing import TYPE_CHECKING

from genai_hwreq.models import Tensor
from genai_hwreq.readers.hf_config._decoder import DecoderTraits, attention, hidden_dim
from genai_hwreq.readers.hf_config._family import Family, read_family
from genai_hwreq.readers.hf_config._windows import from_layer, no_windows, one_full_in, where_unrotated

if TYPE_CHECKING:
    from genai_hwreq.models import Transformer
    from genai_hwreq.readers.hf_config._fields import Fields

__all__ = ["FAMILIES", "TRAITS", "read"]

_POST_NORMS = ("post_attention_layernorm", "post_feedforward_layernorm")
_FOUR_NORMS = (
    "input_layernorm",
    "post_attention_layernorm",
    "pre_feedforward_layernorm",
    "post_feedforward_layernorm",
)
_GLM4_NORMS = (
    "input_layernorm",
    "post_attention_layernorm",
    "post_self_attn_layernorm",
    "post_mlp_layernorm",
)
_HYPERCLOVA_NORMS = ("input_layernorm", "post_attention_layernorm", "post_norm1", "post_norm2")

_GLM = DecoderTraits(query_bias=True, output_follows=False, fused_gate_up=True)
_QWEN_WINDOW = {"sliding_window": 4096}
_GEMMA = {"head_dim": 256, "num_attention_heads": 8, "num_key_value_heads": 4}


def _gemma3_window(fields: Fields) -> dict[str, int]:
    """Return the window of an embedding model, which sees half before and half behind it."""
    if not fields.flag("use_bidirectional_attention", default=False):
        return {}
    return {"sliding_window": fields.count("sliding_window") // 2 + 1}


def _xielu(fields: Fields) -> tuple[Tensor, ...]:
    """Return the two learned slopes of Apertus' activation."""
    del fields
    return (Tensor("mlp.act_fn.alpha_p", "state", (1,)), Tensor("mlp.act_fn.alpha_n", "state", (1,)))


def _sub_norms(fields: Fields) -> tuple[Tensor, ...]:
    """Return BitNet's normalisations before the attention's and the feed-forward network's last matrix."""
    width, inner = hidden_dim(fields), fields.count("intermediate_size")
    return (
        Tensor("self_attn.attn_sub_norm.weight", "norm", (width,)),
        Tensor("mlp.ffn_sub_norm.weight", "norm", (inner,)),
    )


def _lambdas(fields: Fields) -> tuple[Tensor, ...]:
    """Return the vectors that weigh DiffLlama's two attention maps against each other."""
    head_dim = attention(fields, DecoderTraits()).head_dim
    return tuple(
        Tensor(f"self_attn.lambda_{name}", "state", (head_dim,)) for name in ("q1", "k1", "q2", "k2")
    )


FAMILIES: dict[str, Family] = {
    "llama": Family(windows=no_windows),
    "iquestcoder": Family(windows=no_windows, defaults={"num_key_value_heads": 8, "head_dim": 128}),
    "mistral": Family(  # published configurations state their window, so an absent one is none
        traits=DecoderTraits(bias_field=None), defaults={"num_key_value_heads": 8}
    ),
    "ministral": Family(
        traits=DecoderTraits(bias_field=None), defaults={"num_key_value_heads": 8}
    ),
    "ministral3": Family(
        traits=DecoderTraits(bias_field=None), defaults={"num_key_value_heads": 8, "head_dim": 128}
    ),
    "qwen2": Family(
        traits=DecoderTraits(query_bias=True, bias_field=None), windows=from_layer, defaults=_QWEN_WINDOW
    ),
    "qwen3": Family(
        traits=DecoderTraits(qk_norm="head"),
        windows=from_layer,
        defaults={**_QWEN_WINDOW, "num_key_value_heads": 32, "head_dim": 128},
    ),
    "gemma": Family(
        traits=DecoderTraits(tied=True, activation="gelu_pytorch_tanh"),
        defaults={"head_dim": 256, "num_key_value_heads": 16},
    ),
    "gemma2": Family(
        traits=DecoderTraits(tied=True, activation="gelu_pytorch_tanh", layer_norms=_FOUR_NORMS),
        defaults={**_GEMMA, "sliding_window": 4096},
        windows=one_full_in(2),
    ),
    "gemma3_text": Family(
        traits=DecoderTraits(
            tied=True, activation="gelu_pytorch_tanh", layer_norms=_FOUR_NORMS, qk_norm="head"
        ),
        defaults={**_GEMMA, "sliding_window": 4096, "vocab_size": 262208},
        derived=_gemma3_window,
        windows=one_full_in(6),
    ),
    "vaultgemma": Family(
        traits=DecoderTraits(
            tied=True,
            activation="gelu_pytorch_tanh",
            layer_norms=("input_layernorm", "pre_feedforward_layernorm"),
        ),
        defaults={**_GEMMA, "sliding_window": 4096},
        windows=one_full_in(2),
    ),
    "phi3": Family(traits=DecoderTraits(bias_field=None, fused_qkv=True, fused_gate_up=True)),
    "cohere": Family(
        traits=DecoderTraits(
            tied=True, norm_kind="layer", layer_norms=("input_layernorm",), residual="parallel"
        ),
        switches={"use_qk_norm": {"qk_norm": "width"}},
    ),
    "cohere2": Family(
        traits=DecoderTraits(
            tied=True, norm_kind="layer", layer_norms=("input_layernorm",), residual="parallel"
        ),
        defaults={"sliding_window": 4096},
        windows=one_full_in(4),
    ),
    "stablelm": Family(
        traits=DecoderTraits(
            bias_field="use_qkv_bias", output_follows=False, norm_kind="layer", norm_bias=True
        ),
        switches={
            "qk_layernorm": {"qk_norm": "width"},
            "use_parallel_residual": {"layer_norms": ("input_layernorm",), "residual": "parallel"},
        },
        defaults={"num_key_value_heads": 32},
    ),
    "nemotron": Family(
        traits=DecoderTraits(norm_kind="layer", norm_bias=True, gated=False, activation="relu2")
    ),
    "arcee": Family(traits=DecoderTraits(gated=False, activation="relu2")),
    "jais2": Family(
        traits=DecoderTraits(
            query_bias=True,
            output_bias=True,
            feed_forward_bias=True,
            norm_kind="layer",
            norm_bias=True,
            gated=False,
            activation="relu2",
        )
    ),
    "granite": Family(),
    "granite_swa": Family(
        traits=DecoderTraits(tied=True, sinks=True),
        defaults={"num_key_value_heads": 4, "sliding_window": 128},
        windows=one_full_in(4, "first"),
    ),
    "cwm": Family(
        traits=DecoderTraits(bias_field=None),
        defaults={"num_key_value_heads": 8, "head_dim": 128, "sliding_window": 8192},
        windows=one_full_in(4, "first"),
    ),
    "hyperclovax": Family(
        switches={"use_post_norm": {"layer_norms": _HYPERCLOVA_NORMS}}, defaults={"use_post_norm": True}
    ),
    "glm": Family(traits=_GLM, defaults={"head_dim": 128, "num_key_value_heads": 2}),
    "glm4": Family(
        traits=DecoderTraits(
            query_bias=True, output_follows=False, fused_gate_up=True, layer_norms=_GLM4_NORMS
        ),
        defaults={"head_dim": 128, "num_key_value_heads": 2},
    ),
    "internlm3": Family(
        names={"qkv_bias": "attention_bias", "bias": "mlp_bias"},
        defaults={"head_dim": 128, "num_key_value_heads": 2},
        windows=no_windows,
    ),
    "exaone4": Family(
        traits=DecoderTraits(bias_field=None, qk_norm="head", layer_norms=_POST_NORMS),
        defaults={"num_key_value_heads": 32, "sliding_window": 4096},
        windows=one_full_in(4),
    ),
    "olmo": Family(traits=DecoderTraits(norm_kind="layer", norm_weight=False)),
    "olmo2": Family(traits=DecoderTraits(qk_norm="width", layer_norms=_POST_NORMS)),
    "olmo3": Family(
        traits=DecoderTraits(qk_norm="width", layer_norms=_POST_NORMS),
        defaults={"sliding_window": 4096},
        windows=one_full_in(4),
    ),
    "smollm3": Family(
        traits=DecoderTraits(tied=True), defaults={"num_key_value_heads": 4}, windows=where_unrotated
    ),
    "seed_oss": Family(
        traits=DecoderTraits(query_bias=True, output_follows=False),
        switches={"attention_out_bias": {"output_bias": True}},
        defaults={"num_key_value_heads": 8, "head_dim": 128},
    ),
    "apertus": Family(
        traits=DecoderTraits(
            qk_norm="head",
            gated=False,
            activation="xielu",
            layer_norms=("attention_layernorm", "feedforward_layernorm"),
        ),
        layer_weights=_xielu,
    ),
    "helium": Family(
        traits=DecoderTraits(output_follows=False), defaults={"num_key_value_heads": 20, "head_dim": 128}
    ),
    "ernie4_5": Family(
        traits=DecoderTraits(bias_field="use_bias", feed_forward_bias_field="use_bias", tied=True),
        defaults={"num_key_value_heads": 2, "head_dim": 128},
    ),
    "hunyuan_v1_dense": Family(traits=DecoderTraits(qk_norm="head")),
    "bitnet": Family(defaults={"num_key_value_heads": 5, "hidden_act": "relu2"}, layer_weights=_sub_norms),
    "diffllama": Family(layer_weights=_lambdas),
    "nanochat": Family(traits=DecoderTraits(norm_weight=False, gated=False, activation="relu2")),
}
"""What sets each family apart, by `model_type`; defaults are those of the Transformers configuration classes."""

TRAITS: dict[str, DecoderTraits] = {model_type: family.traits for model_type, family in FAMILIES.items()}
"""The traits alone, for networks that embed such a decoder."""


def read(fields: Fields) -> Transformer:
    """Read the decoder of one of these families."""
    return read_family(fields, FAMILIES[fields.text("model_type", default="llama")])
