"""Decoders with latent or compressed attention.

The expected counts are those of the real classes of Transformers 5.23, built without memory from the same fields.
"""

from __future__ import annotations

from typing import Any

import pytest

from genai_hwreq.errors import ConfigurationError
from genai_hwreq.models import (
    CompressedAttention,
    LatentAttention,
    TransformerModel,
    model_inventory,
    n_active_params,
)
from genai_hwreq.readers.hf_config import read_config

TINY: dict[str, Any] = {
    "vocab_size": 320,
    "hidden_size": 64,
    "num_hidden_layers": 4,
    "num_attention_heads": 8,
    "num_key_value_heads": 8,
    "intermediate_size": 96,
    "q_lora_rank": 24,
    "kv_lora_rank": 20,
    "qk_nope_head_dim": 12,
    "qk_rope_head_dim": 8,
    "v_head_dim": 10,
    "moe_intermediate_size": 36,
    "n_routed_experts": 8,
    "n_shared_experts": 2,
    "num_experts_per_tok": 2,
}
LONGCAT: dict[str, Any] = {
    "hidden_size": 64,
    "num_layers": 2,
    "num_attention_heads": 8,
    "ffn_hidden_size": 96,
    "vocab_size": 320,
    "n_routed_experts": 8,
    "expert_ffn_hidden_size": 36,
    "moe_topk": 3,
    "zero_expert_num": 4,
}
V4: dict[str, Any] = {"hidden_size": 64, "num_hidden_layers": 4, "num_attention_heads": 8, "vocab_size": 320}

COUNTS: list[tuple[str, dict[str, Any], int]] = [
    ("deepseek_v2", {}, 383_472),
    (
        "deepseek_v2",
        {"q_lora_rank": None, "first_k_dense_replace": 1, "mlp_bias": True, "attention_bias": True},
        352_880,
    ),
    ("deepseek_v3", {}, 229_872),
    (
        "deepseek_v3",
        {"first_k_dense_replace": 1, "attention_bias": True, "tie_word_embeddings": True},
        312_256,
    ),
    ("kimi_k2", {"first_k_dense_replace": 1}, 332_272),
    ("deepseek_v32", {"index_n_heads": 4, "index_head_dim": 16}, 241_264),
    ("glm_moe_dsa", {}, 665_072),
    ("glm_moe_dsa", {"indexer_types": ["full", "shared", "shared", "full"], "index_n_heads": 4}, 271_856),
    ("glm_moe_dsa", {"index_topk_freq": 2}, 556_272),
    ("glm_moe_dsa", {"index_topk_pattern": "FSSF"}, 447_472),
    ("glm4_moe_lite", {}, 332_272),
    ("mistral4", {}, 383_472),
    ("axk1", {"moe_layer_freq": 2}, 229_936),
]

WHOLE_COUNTS: list[tuple[str, dict[str, Any], int]] = [
    (
        "longcat_flash",
        {
            "hidden_size": 64,
            "num_layers": 2,
            "num_attention_heads": 8,
            "ffn_hidden_size": 96,
            "vocab_size": 320,
            "kv_lora_rank": 20,
            "q_lora_rank": 24,
            "n_routed_experts": 8,
            "moe_topk": 3,
            "zero_expert_num": 4,
            "expert_ffn_hidden_size": 36,
        },
        865_520,
    ),
    (
        "longcat_flash",
        {
            "hidden_size": 64,
            "num_hidden_layers": 4,
            "num_attention_heads": 8,
            "ffn_hidden_size": 96,
            "vocab_size": 320,
            "n_routed_experts": 8,
            "moe_topk": 3,
            "zero_expert_num": 0,
            "router_bias": True,
            "attention_bias": True,
        },
        20_858_960,
    ),
    (
        "deepseek_v4",
        {"hidden_size": 64, "num_hidden_layers": 5, "num_attention_heads": 8, "vocab_size": 320},
        559_621_243,
    ),
    (
        "deepseek_v4",
        {
            "hidden_size": 64,
            "num_hidden_layers": 3,
            "num_attention_heads": 8,
            "vocab_size": 320,
            "compress_ratios": [0, 4, 128, 0],
            "head_dim": 16,
            "mlp_bias": True,
            "hc_mult": 2,
        },
        314_276_141,
    ),
    (
        "deepseek_v4",
        {
            "hidden_size": 64,
            "num_hidden_layers": 4,
            "num_attention_heads": 8,
            "vocab_size": 320,
            "head_dim": 16,
            "o_groups": 2,
            "compress_rates": {"compressed_sparse_attention": 8, "heavily_compressed_attention": 64},
        },
        414_668_093,
    ),
]


def tiny(model_type: str, **fields: object) -> TransformerModel:
    """Read a tiny model of one family."""
    return read_config({"model_type": model_type, **TINY, **fields})


def mixers(model: TransformerModel) -> list[Any]:
    """Return every mixer, first layer to last."""
    return [mixer for run in model.decoder.layers for _ in range(run.n_layers) for mixer in run.layer.mixers]


@pytest.mark.parametrize(("model_type", "fields", "expected"), COUNTS)
def test_counts_equal_the_real_class(model_type: str, fields: dict[str, Any], expected: int) -> None:
    """The parameter count from the fields is that of the real class."""
    assert expected == model_inventory(tiny(model_type, **fields)).n_params


@pytest.mark.parametrize(("model_type", "fields", "expected"), WHOLE_COUNTS)
def test_counts_of_families_with_their_own_spelling(
    model_type: str, fields: dict[str, Any], expected: int
) -> None:
    """The parameter count from a whole configuration is that of the real class."""
    assert expected == model_inventory(read_config({"model_type": model_type, **fields})).n_params


def test_a_token_leaves_one_latent_row() -> None:
    """A latent cache holds the compressed row and the shared part with position."""
    first = mixers(tiny("deepseek_v3"))[0]
    assert isinstance(first, LatentAttention)
    assert first.latent_dim == 20 + 8


def test_null_means_no_compressed_query() -> None:
    """A query rank that is null is none, while an absent one is the family's default."""
    absent = {name: value for name, value in TINY.items() if name != "q_lora_rank"}
    assert mixers(tiny("deepseek_v2", q_lora_rank=None))[0].q_lora_rank == 0
    assert mixers(read_config({"model_type": "deepseek_v2", **absent}))[0].q_lora_rank == 1536


def test_shared_indexers_follow_the_pattern() -> None:
    """GLM's layers marked as shared have no indexer of their own."""
    model = tiny("glm_moe_dsa", index_topk_pattern=["full", "shared", "shared", "full"])
    assert [mixer.index_shared for mixer in mixers(model)] == [False, True, True, False]


def test_longcat_layers_hold_two_attentions() -> None:
    """Each of LongCat's layers has two latent attentions, so that two rows a layer are cached."""
    model = read_config({"model_type": "longcat_flash", **LONGCAT})
    assert (model.decoder.n_layers, len(mixers(model))) == (2, 4)


def test_longcat_placeholders_are_idle() -> None:
    """The matrices allocated for LongCat's identity experts are never passed."""
    model = read_config({"model_type": "longcat_flash", **LONGCAT})
    placeholders, unused = 4 * 2 * 36 * 64, 5 * 3 * 36 * 64
    assert 2 * (placeholders + unused) == model_inventory(model).n_params - n_active_params(model)


def test_deepseek_v4_compresses_by_layer() -> None:
    """The compression ratios of DeepSeek-V4 decide what each layer keeps beyond its window."""
    model = read_config({"model_type": "deepseek_v4", **V4, "compress_ratios": [128, 4, 0, 4, 0]})
    kept = mixers(model)
    assert all(isinstance(mixer, CompressedAttention) for mixer in kept)
    assert [mixer.compress_tokens for mixer in kept] == [128, 4, 0, 4]
    assert [mixer.index_head_dim for mixer in kept] == [0, 128, 0, 128]
    assert {128} == {mixer.window_tokens for mixer in kept}


def test_deepseek_v4_older_names_of_rates() -> None:
    """The rates may stand under the names that early configurations used."""
    fields = {"compress_rate_hca": 64, "compress_rate_csa": 8, "layer_types": None}
    model = read_config({"model_type": "deepseek_v4", **V4, **fields})
    assert [mixer.compress_tokens for mixer in mixers(model)] == [64, 64, 64, 8]


@pytest.mark.parametrize(
    ("model_type", "fields", "field"),
    [
        ("deepseek_v32", {"q_lora_rank": None}, "q_lora_rank"),
        ("deepseek_v2", {"num_experts_per_tok": None}, "num_experts_per_token"),
        ("deepseek_v3", {"kv_lora_rank": 0}, "kv_lora_rank"),
        ("glm_moe_dsa", {"indexer_types": ["full"]}, "indexer_types"),
        ("deepseek_v4", {"layer_types": ["full_attention"] * 4}, "layer_types"),
        ("deepseek_v4", {"compress_ratios": [4]}, "layer_types"),
        ("deepseek_v4", {"compress_ratios": [4, 7, 4, 4]}, "layer_types"),
        ("longcat_flash", {"ffn_hidden_size": None, "intermediate_size": None}, "ffn_hidden_size"),
    ],
)
def test_refusals(model_type: str, fields: dict[str, Any], field: str) -> None:
    """A configuration that cannot be understood is refused by the name of its field."""
    with pytest.raises(ConfigurationError) as caught:
        tiny(model_type, **fields)
    assert caught.value.field == field
