"""Families with a recurrent state: their parameters, their layers and what they keep for each sequence.

The expected counts are those of the real classes of Transformers 5.23, built without memory from the same fields;
the expected states are what their caches held after a short run in bfloat16.
"""

from __future__ import annotations

from typing import Any

import pytest

from genai_hwreq.errors import ConfigurationError
from genai_hwreq.formulas.recurrent_state import llama_cpp_state_bytes, transformers_state_bytes
from genai_hwreq.models import (
    Attention,
    Dense,
    Experts,
    LatentAttention,
    LayerRun,
    StateSpace,
    TransformerModel,
    model_inventory,
)
from genai_hwreq.readers.hf_config import read_config

PURE: dict[str, Any] = {"hidden_size": 64, "num_hidden_layers": 2, "vocab_size": 96}

HYBRID: dict[str, Any] = {
    "hidden_size": 64,
    "num_hidden_layers": 4,
    "vocab_size": 96,
    "intermediate_size": 112,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
}

BASE: dict[str, dict[str, Any]] = {
    "mamba": PURE,
    "falcon_mamba": PURE,
    "mamba2": {**PURE, "num_heads": 8, "head_dim": 16, "n_groups": 2, "state_size": 24},
    "rwkv": PURE,
    "xlstm": {**PURE, "num_heads": 2},
    "falcon_h1": {
        **HYBRID,
        "mamba_d_ssm": 96,
        "mamba_n_heads": 6,
        "mamba_d_head": 16,
        "mamba_d_state": 24,
        "mamba_n_groups": 2,
    },
    "bamba": {**HYBRID, "mamba_n_heads": 8, "mamba_d_state": 24},
    "granitemoehybrid": {
        **HYBRID,
        "mamba_n_heads": 8,
        "mamba_d_state": 24,
        "layer_types": ["mamba", "attention", "mamba", "mamba"],
        "num_local_experts": 4,
    },
    "jamba": {**HYBRID, "attn_layer_period": 4, "attn_layer_offset": 1, "num_experts": 4},
    "nemotron_h": {
        **{key: value for key, value in HYBRID.items() if key != "num_hidden_layers"},
        "mamba_num_heads": 8,
        "mamba_head_dim": 16,
        "n_groups": 2,
        "n_routed_experts": 4,
        "moe_intermediate_size": 40,
        "moe_shared_expert_intermediate_size": 48,
    },
    "recurrent_gemma": {**HYBRID, "lru_width": 80},
    "lfm2": HYBRID,
    "lfm2_moe": {
        **HYBRID,
        "moe_intermediate_size": 40,
        "num_experts": 4,
        "layer_types": ["conv", "full_attention", "conv", "conv"],
    },
    "minimax": {**HYBRID, "head_dim": 24},
    "qwen3_next": {
        **HYBRID,
        "head_dim": 24,
        "linear_key_head_dim": 12,
        "linear_value_head_dim": 20,
        "linear_num_key_heads": 2,
        "linear_num_value_heads": 4,
        "num_experts": 6,
        "num_experts_per_tok": 2,
        "moe_intermediate_size": 40,
        "shared_expert_intermediate_size": 48,
    },
    "qwen3_5_text": {
        **HYBRID,
        "head_dim": 24,
        "linear_key_head_dim": 12,
        "linear_value_head_dim": 20,
        "linear_num_key_heads": 2,
        "linear_num_value_heads": 4,
    },
    "qwen3_5_moe_text": {
        **HYBRID,
        "head_dim": 24,
        "linear_key_head_dim": 12,
        "linear_value_head_dim": 20,
        "linear_num_key_heads": 2,
        "linear_num_value_heads": 4,
        "num_experts": 6,
        "num_experts_per_tok": 2,
        "moe_intermediate_size": 40,
        "shared_expert_intermediate_size": 48,
    },
    "kimi_linear": {
        **HYBRID,
        "num_hidden_layers": 6,
        "num_key_value_heads": 4,
        "pad_token_id": 0,
        "num_experts": 4,
        "num_experts_per_token": 2,
        "moe_intermediate_size": 40,
        "kv_lora_rank": 32,
        "qk_nope_head_dim": 16,
        "qk_rope_head_dim": 8,
        "v_head_dim": 20,
        "linear_attn_config": {"head_dim": 12, "num_heads": 3, "short_conv_kernel_size": 4},
    },
    "olmo_hybrid": {**HYBRID, "pad_token_id": 0},
    "zamba": {**HYBRID, "num_hidden_layers": 14},
    "zamba2": {
        **HYBRID,
        "num_hidden_layers": 6,
        "num_key_value_heads": 4,
        "layers_block_type": ["mamba", "hybrid", "mamba", "hybrid", "mamba", "hybrid"],
        "num_mem_blocks": 2,
        "n_mamba_heads": 4,
        "adapter_rank": 8,
    },
}

COUNTS: list[tuple[str, dict[str, Any], int]] = [
    ("mamba", {}, 71_616),
    (
        "mamba",
        {
            "expand": 3,
            "state_size": 8,
            "use_bias": True,
            "use_conv_bias": False,
            "time_step_rank": 5,
            "tie_word_embeddings": False,
        },
        102_464,
    ),
    ("falcon_mamba", {"intermediate_size": 80, "conv_kernel": 3}, 46_976),
    ("mamba2", {}, 77_488),
    ("mamba2", {"use_bias": True, "use_conv_bias": False, "n_groups": 1}, 71_264),
    ("rwkv", {}, 120_448),
    ("rwkv", {"attention_hidden_size": 80, "intermediate_size": 100}, 88_768),
    ("xlstm", {}, 119_752),
    (
        "xlstm",
        {"use_bias": True, "weight_mode": "fused", "qk_dim_factor": 1.0, "tie_word_embeddings": True},
        129_864,
    ),
    ("falcon_h1", {}, 251_784),
    (
        "falcon_h1",
        {
            "mamba_rms_norm": True,
            "projectors_bias": True,
            "attention_bias": True,
            "mlp_bias": True,
            "head_dim": 24,
        },
        279_176,
    ),
    ("falcon_h1", {"mamba_d_ssm": None, "mamba_n_heads": 8}, 277_536),
    ("bamba", {}, 215_648),
    ("bamba", {"attn_layer_indices": [1, 3], "mamba_proj_bias": True, "mamba_conv_bias": False}, 182_240),
    ("granitemoehybrid", {}, 1_244_248),
    ("granitemoehybrid", {"num_local_experts": 0, "tie_word_embeddings": True}, 893_016),
    ("granitemoehybrid", {"layer_types": None}, 1_261_152),
    ("jamba", {}, 338_732),
    (
        "jamba",
        {"num_experts": 1, "num_experts_per_tok": 1, "mamba_dt_rank": 7, "mamba_proj_bias": True},
        212_469,
    ),
    ("nemotron_h", {}, 213_336),
    ("nemotron_h", {"hybrid_override_pattern": "M*-ME"}, 274_608),
    (
        "nemotron_h",
        {
            "layers_block_type": ["moe", "mamba", "attention"],
            "moe_latent_size": 32,
            "mlp_bias": True,
            "use_bias": True,
            "tie_word_embeddings": True,
        },
        193_840,
    ),
    ("recurrent_gemma", {}, 121_056),
    (
        "recurrent_gemma",
        {"block_types": ["attention", "recurrent"], "attention_bias": True, "lru_width": None},
        105_472,
    ),
    ("lfm2", {}, 252_608),
    ("lfm2", {"full_attn_idxs": [1], "conv_bias": True, "block_auto_adjust_ff_dim": False}, 155_744),
    (
        "lfm2",
        {
            "block_ff_dim": 200,
            "block_ffn_dim_multiplier": 1.3,
            "block_multiple_of": 16,
            "tie_embedding": False,
        },
        197_312,
    ),
    ("lfm2_moe", {}, 173_728),
    ("lfm2_moe", {"num_dense_layers": 0, "conv_L_cache": 4}, 192_864),
    ("minimax", {}, 801_536),
    (
        "minimax",
        {
            "head_dim": None,
            "layer_types": ["linear_attention", "linear_attention", "full_attention", "linear_attention"],
        },
        776_960,
    ),
    ("qwen3_next", {}, 318_916),
    ("qwen3_next", {"mlp_only_layers": [1], "decoder_sparse_step": 2, "attention_bias": True}, 216_548),
    ("qwen3_next", {"num_experts": 0, "full_attention_interval": 2}, 187_096),
    ("qwen3_5_text", {}, 181_956),
    (
        "qwen3_5_text",
        {"layer_types": ["full_attention", "linear_attention", "linear_attention", "full_attention"]},
        187_096,
    ),
    ("qwen3_5_moe_text", {}, 318_916),
    ("kimi_linear", {}, 307_823),
    (
        "kimi_linear",
        {"q_lora_rank": 20, "attention_bias": True, "first_k_dense_replace": 2, "num_shared_experts": 2},
        318_591,
    ),
    (
        "kimi_linear",
        {
            "linear_attn_config": {
                "head_dim": 12,
                "num_heads": 3,
                "short_conv_kernel_size": 4,
                "full_attn_layers": [2, 6],
                "kda_layers": [1, 3, 4, 5],
            },
            "mlp_layer_types": ["dense", "sparse", "dense", "sparse", "dense", "sparse"],
        },
        279_692,
    ),
    (
        "kimi_linear",
        {
            "layer_types": [
                "full_attention",
                "linear_attention",
                "full_attention",
                "linear_attention",
                "full_attention",
                "linear_attention",
            ],
            "tie_word_embeddings": True,
        },
        320_169,
    ),
    ("olmo_hybrid", {}, 188_928),
    (
        "olmo_hybrid",
        {
            "linear_num_value_heads": 8,
            "linear_key_head_dim": 10,
            "attention_bias": True,
            "num_hidden_layers": 3,
        },
        165_544,
    ),
    ("zamba", {}, 539_008),
    (
        "zamba",
        {
            "layers_block_type": [
                "mamba",
                "hybrid",
                "mamba",
                "hybrid",
                "mamba",
                "hybrid",
                "mamba",
                "hybrid",
                "mamba",
                "hybrid",
                "mamba",
                "hybrid",
                "mamba",
                "hybrid",
            ],
            "n_mamba_heads": 1,
            "mamba_dt_rank": 6,
        },
        562_560,
    ),
    ("zamba", {"tie_word_embeddings": False}, 670_464),
    ("zamba2", {}, 390_536),
    ("zamba2", {"use_shared_attention_adapter": True, "add_bias_linear": True, "num_mem_blocks": 1}, 332_928),
    ("zamba2", {"layers_block_type": None, "num_hidden_layers": 54}, 2_085_320),
    ("zamba2", {"tie_word_embeddings": False}, 480_328),
]


def tiny(model_type: str, **changes: object) -> TransformerModel:
    """Read the small configuration of a family, with changes."""
    return read_config({"model_type": model_type, **BASE[model_type], **changes})


def state_spaces(model: TransformerModel) -> list[tuple[int, StateSpace]]:
    """Return the mixers with a state and how many layers have each."""
    return [
        (run.n_layers, mixer)
        for run in model.decoder.layers
        for mixer in run.layer.mixers
        if isinstance(mixer, StateSpace)
    ]


@pytest.mark.parametrize(("model_type", "changes", "expected"), COUNTS)
def test_count(model_type: str, changes: dict[str, Any], expected: int) -> None:
    """The inventory holds as many parameters as the real class."""
    assert expected == model_inventory(tiny(model_type, **changes)).n_params


@pytest.mark.parametrize(
    ("model_type", "changes", "expected"),
    [
        ("mamba", {}, [(128 * 4, 128 * 16)] * 2),
        ("falcon_mamba", {"conv_kernel": 3}, [(128 * 3, 128 * 16)] * 2),
        ("mamba2", {}, [(224 * 4, 8 * 16 * 24)] * 2),
        ("falcon_h1", {"mamba_n_groups": 2}, [(192 * 4, 6 * 16 * 24)] * 4),
        ("bamba", {"attn_layer_indices": [1]}, [(176 * 4, 8 * 16 * 24)] * 3),
        ("granitemoehybrid", {}, [(176 * 4, 8 * 16 * 24)] * 3),
        ("jamba", {}, [(128 * 4, 128 * 16)] * 3),
        ("nemotron_h", {}, [(640 * 4, 8 * 16 * 128)]),
        ("qwen3_next", {}, [(128 * 4, 4 * 12 * 20)] * 3),
        ("qwen3_5_text", {}, [(128 * 4, 4 * 12 * 20)] * 3),
        ("qwen3_5_moe_text", {}, [(128 * 4, 4 * 12 * 20)] * 3),
        ("olmo_hybrid", {}, [(192 * 4, 4 * 12 * 24)] * 3),
        ("kimi_linear", {}, [(108 * 4, 3 * 12 * 12)] * 5),
        ("lfm2_moe", {}, [(64 * 3, 0)] * 3),
        ("zamba", {}, [(128 * 4, 2 * 64 * 16)] * 14),
        ("zamba2", {}, [(256 * 4, 4 * 32 * 64)] * 6),
    ],
)
def test_state(model_type: str, changes: dict[str, Any], expected: list[tuple[int, int]]) -> None:
    """Each layer keeps a convolution's tail in the model's dtype and its state in float32."""
    kept = [
        (_transformers(mixer, state_elements=0), _transformers(mixer))
        for n_layers, mixer in state_spaces(tiny(model_type, **changes))
        for _ in range(n_layers)
    ]
    assert [(2 * tail, 2 * tail + 4 * state) for tail, state in expected] == kept


def _transformers(mixer: StateSpace, state_elements: int | None = None) -> int:
    return transformers_state_bytes(
        kind=mixer.kind,
        channels=mixer.conv_channels,
        kernel=mixer.conv_kernel,
        shift_elements=mixer.shift_elements,
        state_elements=mixer.state_elements if state_elements is None else state_elements,
        element_bytes=2,
    )


def test_rwkv_state() -> None:
    """RWKV-4 keeps two tokens in the model's dtype and three vectors of its attention's width in float32."""
    ((n_layers, mixer),) = {(n, mixer) for n, mixer in state_spaces(tiny("rwkv"))}
    assert (n_layers, _transformers(mixer)) == (1, 2 * 2 * 64 + 4 * 3 * 64)


def test_lightning_state_in_model_dtype() -> None:
    """MiniMax keeps its state in the model's dtype, and no convolution."""
    assert [_transformers(mixer) for _, mixer in state_spaces(tiny("minimax"))] == [2 * 4 * 24 * 24] * 2


def test_mlstm_state_in_model_dtype() -> None:
    """XLSTM keeps a matrix, a normaliser and a stabiliser for each head, in the model's dtype."""
    assert [_transformers(mixer) for _, mixer in state_spaces(tiny("xlstm"))] == [2 * 2 * (16 * 32 + 16 + 1)]


def test_rg_lru_state() -> None:
    """RecurrentGemma keeps one token less than its kernel is long, and one vector in float32."""
    assert [_transformers(mixer) for _, mixer in state_spaces(tiny("recurrent_gemma"))] == [
        2 * 80 * 3 + 4 * 80
    ] * 2


def test_llama_cpp_state() -> None:
    """llama.cpp keeps a tail one token shorter than the kernel, all of it in F32."""
    ((_, mixer),) = state_spaces(tiny("mamba2"))
    kept = llama_cpp_state_bytes(
        channels=mixer.conv_channels,
        kernel=mixer.conv_kernel,
        shift_elements=mixer.shift_elements,
        state_elements=mixer.state_elements,
        n_sequences=2,
    )
    assert kept == 2 * 4 * (3 * 224 + 8 * 16 * 24)


def test_recurrent_gemma_window() -> None:
    """Its attention sees a window of 2048 tokens where the configuration does not say."""
    model = tiny("recurrent_gemma")
    windows = [
        m.window_tokens for run in model.decoder.layers for m in run.layer.mixers if isinstance(m, Attention)
    ]
    assert windows == [2048]


def test_falcon_h1_side_by_side() -> None:
    """Attention and state space stand side by side in each of its layers."""
    (run,) = tiny("falcon_h1").decoder.layers
    assert (4, [Attention, StateSpace]) == (run.n_layers, [type(mixer) for mixer in run.layer.mixers])


def test_kimi_latent_attention() -> None:
    """The layers of full attention keep one compressed row a token."""
    mixers = [mixer for run in tiny("kimi_linear").decoder.layers for mixer in run.layer.mixers]
    assert [mixer.latent_dim for mixer in mixers if isinstance(mixer, LatentAttention)] == [40]


def test_kimi_k3_fields() -> None:
    """The fields that Kimi K3 adds change its weights by what they stand for."""
    dim, n_sparse, n_full, n_delta, inner_dim = 64, 5, 1, 5, 36
    nested = {"head_dim": 12, "num_heads": 3, "short_conv_kernel_size": 4, "use_full_rank_gate": True}
    k3 = tiny(
        "kimi_linear",
        linear_attn_config=nested,
        mla_use_output_gate=True,
        attn_res_block_size=2,
        routed_expert_hidden_size=32,
        latent_moe_use_norm=True,
    )
    gates = n_full * 4 * 20 * dim + n_delta * (inner_dim * dim - 12 * (dim + inner_dim))
    residuals = (2 * 6 + 1) * 2 * dim
    latent = n_sparse * (2 * dim * 32 + 32 - 4 * 3 * 40 * (dim - 32))
    assert 307_823 + gates + residuals + latent == model_inventory(k3).n_params


def test_nemotron_h_patterns_agree() -> None:
    """The pattern, the list and its older spelling mean the same layers."""
    words = ["linear_attention", "moe", "full_attention", "mlp"]
    older = ["mamba", "moe", "attention", "mlp"]
    by_pattern = tiny("nemotron_h", hybrid_override_pattern="ME*-").decoder
    assert by_pattern == tiny("nemotron_h", layers_block_type=words).decoder
    assert by_pattern == tiny("nemotron_h", layer_types=older).decoder


def test_nemotron_h_networks_alone() -> None:
    """Layers that do not mix tokens have a network and nothing else."""
    layers = tiny("nemotron_h", hybrid_override_pattern="E-").decoder.layers
    assert [(0, Experts), (0, Dense)] == [
        (len(r.layer.mixers), type(r.layer.feed_forward[0])) for r in layers
    ]


def test_minimax_first_spelling() -> None:
    """The first published form lists 1 for full attention."""
    first = read_config({"model_type": "minimax_text_01", **BASE["minimax"], "attn_type_list": [0, 0, 0, 1]})
    assert [run.n_layers for run in first.decoder.layers] == [3, 1]
    assert isinstance(first.decoder.layers[1].layer.mixers[0], Attention)


def test_zamba_shares_weights_but_not_caches() -> None:
    """Each hybrid layer of Zamba has attention of its own to cache, but only the first stores its weights."""
    runs: tuple[LayerRun, ...] = tiny("zamba").decoder.layers
    stored = [m.stored for run in runs for m in run.layer.mixers if isinstance(m, Attention)]
    assert stored == [True, False, False]


@pytest.mark.parametrize(
    ("model_type", "changes", "message"),
    [
        ("nemotron_h", {"hybrid_override_pattern": "MX"}, "letters"),
        ("nemotron_h", {"hybrid_override_pattern": "M" * 5000}, "4096"),
        ("nemotron_h", {"layers_block_type": ["mamba", {}]}, "layers_block_type"),
        ("granitemoehybrid", {"layer_types": ["mamba"]}, "4 layers"),
        ("qwen3_next", {"layer_types": []}, "layer_types"),
        ("minimax_text_01", {"attn_type_list": [1]}, "attn_type_list"),
        ("kimi_linear", {"mlp_layer_types": ["dense"]}, "mlp_layer_types"),
        (
            "kimi_linear",
            {"linear_attn_config": {"full_attn_layers": [1], "kda_layers": [1]}},
            "kda_layers",
        ),
        ("lfm2", {"block_ffn_dim_multiplier": "x"}, "block_ffn_dim_multiplier"),
        ("lfm2", {"intermediate_size": 1}, "zero"),
        ("falcon_h1", {"mamba_n_heads": 5}, "divisor"),
        ("zamba", {"num_key_value_heads": 3}, "divisor"),
        ("mamba", {"hidden_size": None}, "hidden_size"),
        ("mamba", {"time_step_rank": "many"}, "time_step_rank"),
    ],
)
def test_refused(model_type: str, changes: dict[str, Any], message: str) -> None:
    """A configuration that cannot be meant ends in an error that names the field."""
    base = BASE["minimax" if model_type.startswith("minimax") else model_type]
    with pytest.raises(ConfigurationError, match=message):
        read_config({"model_type": model_type, **base, **changes})
