"""Families from before Llama set the custom: GPT-2 and its kin, BLOOM, MPT, Falcon, Phi.

They have layer norms with biases, learned positions, feed-forward networks four times as wide as the stream, or
one fused matrix for query, key and value.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attrs import evolve

from genai_hwreq.models import Tensor
from genai_hwreq.readers.hf_config._decoder import DecoderTraits, hidden_dim
from genai_hwreq.readers.hf_config._family import Family, common_fields, read_family
from genai_hwreq.readers.hf_config._windows import no_windows

if TYPE_CHECKING:
    from collections.abc import Callable

    from genai_hwreq.models import Transformer
    from genai_hwreq.readers.hf_config._fields import Fields

__all__ = ["FAMILIES", "read"]

_TWO_NORMS = ("ln_1", "ln_2")
_GPT_NAMES = {"n_embd": "hidden_size", "n_layer": "num_hidden_layers", "n_head": "num_attention_heads"}


def _four_times_wide(fields: Fields) -> dict[str, Any]:
    """Return the feed-forward width where the configuration leaves it out."""
    return {"intermediate_size": fields.count("n_inner", "intermediate_size", default=4 * hidden_dim(fields))}


def _gpt_width(fields: Fields) -> dict[str, Any]:
    """Return the feed-forward width of the GPT families, which know `n_inner` only."""
    return {"intermediate_size": fields.count("n_inner", default=4 * hidden_dim(fields))}


def _bigcode(fields: Fields) -> dict[str, Any]:
    """Return GPT-BigCode's width and key/value heads: one for all, unless multi-query is switched off."""
    heads = 1 if fields.flag("multi_query", default=True) else fields.count("num_attention_heads")
    return {**_gpt_width(fields), "num_key_value_heads": heads}


def _positions(default: int, offset: int = 0) -> Callable[[Fields], tuple[Tensor, ...]]:
    """Return the reader of a learned position embedding with `offset` rows more than positions."""

    def embeddings(fields: Fields) -> tuple[Tensor, ...]:
        rows = fields.count("max_position_embeddings", "n_positions", default=default) + offset
        return (Tensor("embed_positions.weight", "position_embedding", (rows, hidden_dim(fields))),)

    return embeddings


def _embedding_norm(fields: Fields) -> tuple[Tensor, ...]:
    """Return BLOOM's normalisation right after the embedding."""
    width = hidden_dim(fields)
    return (
        Tensor("word_embeddings_layernorm.weight", "norm", (width,)),
        Tensor("word_embeddings_layernorm.bias", "bias", (width,)),
    )


_BIASED = DecoderTraits(
    query_bias=True,
    output_bias=True,
    bias_field=None,
    feed_forward_bias=True,
    feed_forward_bias_field="enable_bias",
    norm_kind="layer",
    norm_bias=True,
    gated=False,
    activation="gelu_new",
)
"""Biases everywhere."""

_FUSED = evolve(_BIASED, fused_qkv=True)
_GPTJ = evolve(
    _BIASED, query_bias=False, output_bias=False, head_bias=True, layer_norms=("ln_1",), residual="parallel"
)

FAMILIES: dict[str, Family] = {
    "gpt2": Family(
        traits=evolve(_FUSED, tied=True, layer_norms=_TWO_NORMS),
        names=_GPT_NAMES,
        derived=_gpt_width,
        windows=no_windows,
        embeddings=_positions(1024),
    ),
    "gpt_bigcode": Family(
        traits=evolve(_FUSED, tied=True, layer_norms=_TWO_NORMS, activation="gelu_pytorch_tanh"),
        names=_GPT_NAMES,
        derived=_bigcode,
        windows=no_windows,
        embeddings=_positions(1024),
    ),
    # Half of GPT-Neo's layers attend to 256 tokens only, by a mask: the keys of all tokens are kept all the same.
    "gpt_neo": Family(
        traits=evolve(_BIASED, query_bias=False, tied=True, layer_norms=_TWO_NORMS),
        names={"num_layers": "num_hidden_layers", "num_heads": "num_attention_heads"},
        derived=_four_times_wide,
        windows=no_windows,
        embeddings=_positions(2048),
    ),
    "gptj": Family(traits=_GPTJ, names=_GPT_NAMES, derived=_gpt_width, windows=no_windows),
    "codegen": Family(
        traits=evolve(_GPTJ, fused_qkv=True), names=_GPT_NAMES, derived=_gpt_width, windows=no_windows
    ),
    "gpt_neox": Family(
        traits=evolve(_FUSED, bias_field="attention_bias", activation="gelu"),
        switches={"use_parallel_residual": {"residual": "parallel"}},
        defaults={"use_parallel_residual": True},
        windows=no_windows,
    ),
    "persimmon": Family(
        traits=evolve(_FUSED, activation="relu2"),
        switches={"qk_layernorm": {"qk_norm": "head", "qk_norm_bias": True}},
        defaults={"qk_layernorm": True},
        windows=no_windows,
    ),
    "phi": Family(
        traits=evolve(_BIASED, head_bias=True, layer_norms=("input_layernorm",), residual="parallel"),
        switches={"qk_layernorm": {"qk_norm": "head", "qk_norm_bias": True}},
        windows=no_windows,
    ),
    "starcoder2": Family(
        traits=evolve(
            _BIASED,
            bias_field="use_bias",
            feed_forward_bias_field="use_bias",
            activation="gelu_pytorch_tanh",
            tied=True,
        ),
        defaults={"num_key_value_heads": 2},
    ),
    "bloom": Family(
        traits=evolve(_FUSED, tied=True, activation="gelu"),
        names={"n_embed": "hidden_size", "n_layer": "num_hidden_layers", "n_head": "num_attention_heads"},
        derived=lambda fields: {"intermediate_size": 4 * hidden_dim(fields)},
        windows=no_windows,
        embeddings=_embedding_norm,
    ),
    "mpt": Family(
        traits=evolve(
            _FUSED,
            query_bias=False,
            output_bias=False,
            feed_forward_bias=False,
            norm_bias=False,
            tied=True,
            activation="gelu",
            layer_norms=("norm_1", "norm_2"),
        ),
        names={"d_model": "hidden_size", "n_layers": "num_hidden_layers", "n_heads": "num_attention_heads"},
        derived=lambda fields: {"intermediate_size": 4 * hidden_dim(fields)},
        windows=no_windows,
    ),
    "xglm": Family(
        traits=evolve(_BIASED, tied=True, activation="gelu"),
        names={
            "d_model": "hidden_size",
            "num_layers": "num_hidden_layers",
            "attention_heads": "num_attention_heads",
            "ffn_dim": "intermediate_size",
        },
        windows=no_windows,
    ),
    "biogpt": Family(
        traits=evolve(_BIASED, tied=True, activation="gelu"),
        windows=no_windows,
        embeddings=_positions(1024, offset=2),
    ),
    "falcon": Family(
        traits=DecoderTraits(
            bias_field="bias",
            feed_forward_bias_field="bias",
            norm_kind="layer",
            norm_bias=True,
            fused_qkv=True,
            gated=False,
            activation="gelu",
            tied=True,
        ),
        names={
            "n_embed": "hidden_size",
            "n_layer": "num_hidden_layers",
            "n_head": "num_attention_heads",
            "n_head_kv": "num_kv_heads",
            "ffn_hidden_size": "intermediate_size",
        },
        windows=no_windows,
    ),
}
"""What sets each family apart, by `model_type`."""


def read(fields: Fields) -> Transformer:
    """Read the decoder of one of these families."""
    model_type = fields.text("model_type", default="gpt2")
    family = FAMILIES[model_type]
    return read_family(fields, _falcon(fields, family) if model_type == "falcon" else family)


def _falcon(fields: Fields, family: Family) -> Family:
    """Return Falcon's family as its three generations of flags set it."""
    fields = common_fields(fields, family)
    parallel = fields.flag("parallel_attn", default=True)
    new = fields.flag("new_decoder_architecture", default=False)
    heads = fields.count("num_attention_heads")
    if new:
        kv_heads = fields.count("num_kv_heads", "num_key_value_heads", default=heads)
    else:
        kv_heads = 1 if fields.flag("multi_query", default=True) else heads
    two_norms = not parallel or fields.count("num_ln_in_parallel_attn", default=2 if new else 1) == 2
    width = fields.count("intermediate_size", default=4 * hidden_dim(fields))
    return evolve(
        family,
        traits=evolve(
            family.traits,
            layer_norms=("ln_attn", "ln_mlp") if two_norms else ("input_layernorm",),
            residual="parallel" if parallel else "sequential",
        ),
        derived=lambda _: {"num_key_value_heads": kv_heads, "intermediate_size": width},
    )
