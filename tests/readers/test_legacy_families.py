"""Decoders from before Llama: GPT-2 and its kin, OPT, BLOOM, MPT, Falcon, Phi.

The expected counts are those of the real classes of Transformers 5.23, built without memory from the same fields.
"""

from __future__ import annotations

from typing import Any

import pytest

from genai_hwreq.models import Attention, model_inventory
from genai_hwreq.readers.hf_config import read_config

GPT: dict[str, Any] = {"vocab_size": 320, "n_embd": 64, "n_layer": 3, "n_head": 4, "n_positions": 40}
PLAIN: dict[str, Any] = {
    "vocab_size": 320,
    "hidden_size": 64,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "intermediate_size": 96,
    "max_position_embeddings": 40,
}
OPT: dict[str, Any] = {
    "vocab_size": 320,
    "hidden_size": 64,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "ffn_dim": 96,
    "word_embed_proj_dim": 64,
    "max_position_embeddings": 40,
}
FALCON: dict[str, Any] = {
    "vocab_size": 320,
    "hidden_size": 64,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
}


COUNTS: list[tuple[str, dict[str, Any], int]] = [
    ("gpt2", GPT, 173_120),
    ("gpt2", {**GPT, "n_inner": 96, "tie_word_embeddings": False}, 131_680),
    ("gpt_bigcode", GPT, 154_400),
    ("gpt_bigcode", {**GPT, "multi_query": False}, 173_120),
    ("gptj", GPT, 190_208),
    ("codegen", GPT, 190_208),
    (
        "gpt_neo",
        {
            "vocab_size": 320,
            "hidden_size": 64,
            "num_layers": 2,
            "num_heads": 4,
            "max_position_embeddings": 40,
            "attention_types": [[["global", "local"], 1]],
        },
        122_752,
    ),
    ("gpt_neox", PLAIN, 129_120),
    ("gpt_neox", {**PLAIN, "attention_bias": False, "tie_word_embeddings": True}, 107_872),
    ("persimmon", PLAIN, 129_312),
    ("persimmon", {**PLAIN, "qk_layernorm": False}, 129_120),
    ("phi", PLAIN, 129_056),
    ("phi", {**PLAIN, "qk_layernorm": True, "num_key_value_heads": 2}, 116_768),
    ("starcoder2", PLAIN, 96_160),
    ("starcoder2", {**PLAIN, "use_bias": False, "num_key_value_heads": 4}, 107_392),
    ("bloom", {"vocab_size": 320, "hidden_size": 64, "n_layer": 3, "n_head": 4}, 170_688),
    ("mpt", {"vocab_size": 320, "d_model": 64, "n_layers": 3, "n_heads": 4}, 168_384),
    (
        "xglm",
        {"vocab_size": 320, "d_model": 64, "num_layers": 3, "attention_heads": 4, "ffn_dim": 96},
        108_640,
    ),
    ("biogpt", PLAIN, 111_328),
    ("falcon", FALCON, 150_016),
    (
        "falcon",
        {**FALCON, "multi_query": False, "parallel_attn": False, "bias": True, "alibi": True},
        170_560,
    ),
    (
        "falcon",
        {**FALCON, "new_decoder_architecture": True, "num_kv_heads": 2, "tie_word_embeddings": False},
        177_024,
    ),
    (
        "falcon",
        {
            **FALCON,
            "new_decoder_architecture": True,
            "num_kv_heads": 2,
            "num_ln_in_parallel_attn": 1,
            "ffn_hidden_size": 96,
        },
        94_720,
    ),
    ("opt", OPT, 111_328),
    (
        "opt",
        {
            **FALCON,
            "ffn_dim": 96,
            "word_embed_proj_dim": 32,
            "max_position_embeddings": 40,
            "do_layer_norm_before": False,
        },
        105_056,
    ),
    (
        "opt",
        {**OPT, "enable_bias": False, "layer_norm_elementwise_affine": False, "tie_word_embeddings": False},
        129_664,
    ),
    ("opt", {**OPT, "_remove_final_layer_norm": True}, 111_200),
]


@pytest.mark.parametrize(("model_type", "config", "n_params"), COUNTS)
def test_parameter_count_equals_that_of_the_real_class(
    model_type: str, config: dict[str, Any], n_params: int
) -> None:
    """The count from the configuration alone equals the real class's, to the parameter."""
    model = read_config({"model_type": model_type, **config})

    assert n_params == model_inventory(model).n_params


KEY_VALUE_HEADS: list[tuple[str, dict[str, Any], int]] = [
    ("falcon", FALCON, 1),
    ("falcon", {**FALCON, "multi_query": False}, 4),
    ("falcon", {**FALCON, "new_decoder_architecture": True, "num_kv_heads": 2}, 2),
    ("gpt_bigcode", GPT, 1),
    ("gpt_bigcode", {**GPT, "multi_query": False}, 4),
]


@pytest.mark.parametrize(("model_type", "config", "n_kv_heads"), KEY_VALUE_HEADS)
def test_multi_query_flags_set_the_key_value_heads(
    model_type: str, config: dict[str, Any], n_kv_heads: int
) -> None:
    """The flags that share keys and values among query heads decide the cache."""
    (run,) = read_config({"model_type": model_type, **config}).decoder.layers
    (mixer,) = run.layer.mixers

    assert isinstance(mixer, Attention)
    assert n_kv_heads == mixer.n_kv_heads


def test_local_layers_of_gpt_neo_keep_the_keys_of_all_tokens() -> None:
    """GPT-Neo's local attention is a mask only, so no layer has a window."""
    config = {"vocab_size": 320, "hidden_size": 64, "num_layers": 2, "num_heads": 4}
    (run,) = read_config({"model_type": "gpt_neo", **config}).decoder.layers
    (mixer,) = run.layer.mixers

    assert isinstance(mixer, Attention)
    assert mixer.window_tokens is None


def test_parallel_blocks_are_told_from_sequential_ones() -> None:
    """GPT-NeoX runs attention and feed-forward network side by side unless told otherwise."""
    config = {"model_type": "gpt_neox", **FALCON, "intermediate_size": 96}
    (default,) = read_config(config).decoder.layers
    (switched,) = read_config({**config, "use_parallel_residual": False}).decoder.layers

    assert (default.layer.residual, switched.layer.residual) == ("parallel", "sequential")
