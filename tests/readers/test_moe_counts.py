"""Parameter counts of decoders with mixtures of experts and ordinary attention.

The expected counts are those of the real classes of Transformers 5.23, built without memory from the same fields;
for families whose code lives beside their checkpoints they are the totals that the checkpoints state.
"""

from __future__ import annotations

from typing import Any

import pytest

from genai_hwreq.models import TransformerModel, model_inventory
from genai_hwreq.readers.hf_config import read_config

TINY: dict[str, Any] = {
    "vocab_size": 320,
    "hidden_size": 64,
    "num_hidden_layers": 4,
    "num_attention_heads": 8,
    "num_key_value_heads": 4,
    "intermediate_size": 96,
}

COUNTS: list[tuple[str, dict[str, Any], int]] = [
    ("mixtral", {}, 682_560),
    (
        "mixtral",
        {"num_local_experts": 6, "sliding_window": 16, "head_dim": 12, "tie_word_embeddings": True},
        538_688,
    ),
    ("qwen2_moe", {"moe_intermediate_size": 36, "num_experts": 6}, 4_584_256),
    (
        "qwen2_moe",
        {
            "qkv_bias": False,
            "moe_intermediate_size": 36,
            "shared_expert_intermediate_size": 52,
            "mlp_only_layers": [0],
            "decoder_sparse_step": 2,
        },
        984_768,
    ),
    (
        "qwen3_moe",
        {"attention_bias": True, "moe_intermediate_size": 36, "mlp_only_layers": [3], "head_dim": 12},
        2_813_600,
    ),
    ("olmoe", {"num_experts": 12}, 978_880),
    ("flex_olmo", {"attention_bias": True}, 609_728),
    ("phimoe", {"lm_head_bias": True, "attention_bias": True}, 1_276_096),
    ("minimax_m2", {"num_local_experts": 12}, 1_721_920),
    ("gpt_oss", {"num_local_experts": 12}, 1_339_280),
    ("gpt_oss", {"attention_bias": False, "head_dim": 12}, 9_716_832),
    ("granitemoe", {}, 682_560),
    ("granitemoeshared", {"shared_intermediate_size": 44}, 716_352),
    ("granitemoeshared", {}, 682_560),
    ("hunyuan_v1_moe", {"num_experts": 6, "moe_topk": [2, 2, 1, 1], "head_dim": 8}, 608_384),
    ("ernie4_5_moe", {"use_bias": True, "moe_intermediate_size": 36}, 1_471_664),
    (
        "ernie4_5_moe",
        {
            "moe_num_experts": 8,
            "moe_num_shared_experts": 0,
            "moe_layer_start_index": 0,
            "moe_layer_end_index": 2,
            "moe_layer_interval": 2,
            "tie_word_embeddings": False,
        },
        2_505_800,
    ),
    (
        "dots1",
        {"n_routed_experts": 8, "n_shared_experts": 1, "num_experts_per_tok": 2, "first_k_dense_replace": 1},
        7_409_792,
    ),
    ("glm4_moe", {"use_qk_norm": True, "attention_bias": True}, 104_754_304),
    ("glm4_moe", {"n_shared_experts": 2, "first_k_dense_replace": 3}, 35_297_856),
    ("solar_open", {"attention_bias": True}, 127_681_088),
    ("hy_v3", {"mlp_bias": True, "attention_bias": True}, 171_656_448),
    ("hy_v3", {"mlp_layer_types": ["sparse", "sparse", "sparse", "sparse"]}, 228_550_208),
    ("afmoe", {"attention_bias": True, "num_experts": 8}, 9_230_168),
    ("afmoe", {"num_dense_layers": 0, "num_shared_experts": 0, "head_dim": 12}, 69_363_104),
    ("granitemoe_swa", {"shared_intermediate_size": 44}, 716_384),
    ("mellum", {"mlp_layer_types": ["dense", "sparse", "dense", "sparse"]}, 22_894_144),
    ("exaone_moe", {"num_shared_experts": 2}, 39_049_856),
    ("laguna", {"num_attention_heads_per_layer": [8, 4, 8, 16]}, 76_757_568),
    ("laguna", {"gating": "per-element", "attention_bias": True}, 76_960_320),
    ("cohere2_moe", {"num_shared_experts": 2, "first_k_dense_replace": 1}, 1_380_160),
    (
        "cohere2_moe",
        {"prefix_dense_intermediate_size": 52, "first_k_dense_replace": 2, "num_experts": 4},
        975_168,
    ),
    ("mimo_v2_flash", {"num_attention_heads": 16}, 303_983_216),
    (
        "mimo_v2_flash",
        {"head_dim": 12, "v_head_dim": 8, "attention_bias": True, "moe_intermediate_size": 36},
        5_495_304,
    ),
    ("llama4_text", {}, 2_085_440),
    (
        "llama4_text",
        {"interleave_moe_layer_step": 2, "num_local_experts": 4, "use_qk_norm": False},
        7_304_256,
    ),
    ("llama4_text", {"moe_layers": [3], "intermediate_size_mlp": 80}, 1_188_416),
    (
        "step3p5",
        {
            "layer_types": ["full_attention", "sliding_attention", "sliding_attention", "sliding_attention"],
            "sliding_window": 16,
            "attention_other_setting": {"num_attention_heads": 16},
        },
        72_324_160,
    ),
    (
        "step3p5",
        {"moe_layers_enum": "1,2", "mlp_bias": True, "attention_bias": True, "n_routed_experts": 12},
        7_273_408,
    ),
    ("step3p5", {"moe_layers_enum": [0]}, 71_929_408),
    (
        "minimax_m3",
        {
            "head_dim": 16,
            "rotary_dim": 8,
            "layer_types": ["full_attention", "full_attention", "minimax_m3_sparse", "minimax_m3_sparse"],
            "mlp_layer_types": ["dense", "sparse", "sparse", "sparse"],
            "index_n_heads": 2,
            "index_head_dim": 8,
        },
        11_374_304,
    ),
    (
        "minimax_m3_vl_text",
        {
            "head_dim": 16,
            "rotary_dim": 8,
            "sparse_attention_config": {
                "sparse_num_index_heads": 2,
                "sparse_index_dim": 8,
                "sparse_attention_freq": [0, 0, 1, 1],
            },
            "moe_layer_freq": [0, 0, 1, 1],
        },
        10_776_288,
    ),
]

WHOLE_COUNTS: list[tuple[str, dict[str, Any], int]] = [
    (
        "dbrx",
        {
            "d_model": 64,
            "n_heads": 8,
            "n_layers": 3,
            "vocab_size": 320,
            "attn_config": {"kv_n_heads": 4, "rope_theta": 10000.0},
            "ffn_config": {"ffn_hidden_size": 40, "moe_num_experts": 6, "moe_top_k": 2},
        },
        217_664,
    ),
    (
        "jetmoe",
        {
            "hidden_size": 64,
            "num_hidden_layers": 3,
            "num_key_value_heads": 4,
            "intermediate_size": 96,
            "vocab_size": 320,
            "kv_channels": 8,
        },
        577_344,
    ),
    (
        "jetmoe",
        {
            "hidden_size": 64,
            "num_hidden_layers": 3,
            "num_key_value_heads": 4,
            "intermediate_size": 96,
            "vocab_size": 320,
            "num_local_experts": 2,
            "tie_word_embeddings": False,
        },
        742_976,
    ),
    (
        "deepseek",
        {
            "num_hidden_layers": 28,
            "hidden_size": 2048,
            "intermediate_size": 10944,
            "num_attention_heads": 16,
            "vocab_size": 102400,
            "n_routed_experts": 64,
            "num_experts_per_tok": 6,
            "moe_intermediate_size": 1408,
            "n_shared_experts": 2,
            "first_k_dense_replace": 1,
        },
        16_375_728_128,
    ),
    (
        "bailing_moe",
        {
            "num_hidden_layers": 28,
            "hidden_size": 2048,
            "intermediate_size": 5632,
            "num_attention_heads": 16,
            "num_key_value_heads": 4,
            "vocab_size": 126464,
            "num_experts": 64,
            "num_experts_per_tok": 6,
            "moe_intermediate_size": 1408,
            "num_shared_experts": 2,
        },
        16_801_974_272,
    ),
    (
        "bailing_moe_v2",
        {
            "num_hidden_layers": 20,
            "hidden_size": 2048,
            "intermediate_size": 5120,
            "num_attention_heads": 16,
            "num_key_value_heads": 4,
            "vocab_size": 157184,
            "num_experts": 256,
            "num_experts_per_tok": 8,
            "moe_intermediate_size": 512,
            "num_shared_experts": 1,
            "first_k_dense_replace": 1,
            "use_qk_norm": True,
        },
        16_255_643_392,
    ),
]

GROK = {
    "num_hidden_layers": 64,
    "hidden_size": 6144,
    "intermediate_size": 32768,
    "num_attention_heads": 48,
    "num_key_value_heads": 8,
    "vocab_size": 131072,
    "num_experts": 8,
    "num_experts_per_tok": 2,
}
ARCTIC = {
    "num_hidden_layers": 35,
    "hidden_size": 7168,
    "intermediate_size": 4864,
    "num_attention_heads": 56,
    "num_key_value_heads": 8,
    "vocab_size": 32000,
    "num_local_experts": 128,
    "num_experts_per_tok": 2,
}


def tiny(model_type: str, **fields: object) -> TransformerModel:
    """Read a tiny model of one family."""
    return read_config({"model_type": model_type, **TINY, **fields})


@pytest.mark.parametrize(("model_type", "fields", "expected"), COUNTS)
def test_counts_equal_the_real_class(model_type: str, fields: dict[str, Any], expected: int) -> None:
    """The parameter count from the fields is that of the real class."""
    assert expected == model_inventory(tiny(model_type, **fields)).n_params


@pytest.mark.parametrize(("model_type", "fields", "expected"), WHOLE_COUNTS)
def test_counts_of_families_with_their_own_spelling(
    model_type: str, fields: dict[str, Any], expected: int
) -> None:
    """The parameter count from a whole configuration is that of the real class or checkpoint."""
    assert expected == model_inventory(read_config({"model_type": model_type, **fields})).n_params


def test_published_sizes_without_exact_totals() -> None:
    """Grok-1 and Arctic come within one per cent of the sizes their makers state."""
    grok = model_inventory(read_config({"model_type": "grok-1", **GROK})).n_params
    arctic = model_inventory(read_config({"model_type": "arctic", **ARCTIC})).n_params
    assert pytest.approx(314e9, rel=0.01) == grok
    assert pytest.approx(479e9, rel=0.01) == arctic
