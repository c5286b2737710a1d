"""GGUF metadata of tiny models of every kind, with the Hub-style configuration that describes the same network."""

from __future__ import annotations

from typing import Any

from gguf_files import BASE, LLAMA

EXPERTS: dict[str, Any] = {"expert_count": 4, "expert_used_count": 2, "expert_feed_forward_length": 32}
MIXTURE: dict[str, Any] = {**BASE, "num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 32}
DEEPSEEK: dict[str, Any] = {
    **EXPERTS,
    "expert_shared_count": 1,
    "leading_dense_block_count": 1,
    "attention.kv_lora_rank": 16,
    "rope.dimension_count": 8,
}
LATENT: dict[str, Any] = {
    **MIXTURE,
    "num_key_value_heads": 4,
    "n_shared_experts": 1,
    "first_k_dense_replace": 1,
    "q_lora_rank": None,
    "kv_lora_rank": 16,
    "qk_nope_head_dim": 16,
    "qk_rope_head_dim": 8,
    "v_head_dim": 12,
}
STATES: dict[str, Any] = {
    "block_count": 2,
    "embedding_length": 64,
    "ssm.conv_kernel": 4,
    "ssm.state_size": 8,
    "ssm.inner_size": 128,
}
MAMBA: dict[str, Any] = {
    "hidden_size": 64,
    "num_hidden_layers": 2,
    "vocab_size": 320,
    "state_size": 8,
    "tie_word_embeddings": False,
}
QUERY_BIAS = "blk.0.attn_q.bias"

MODELS: list[tuple[str, dict[str, Any], tuple[str, ...], dict[str, Any]]] = [
    ("llama", LLAMA, (), {"model_type": "llama", **BASE}),
    ("llama", LLAMA, (QUERY_BIAS,), {"model_type": "llama", **BASE, "attention_bias": True}),
    ("llama", {**LLAMA, "attention.key_length": 32}, (), {"model_type": "llama", **BASE, "head_dim": 32}),
    ("llama", {**LLAMA, "attention.head_count_kv": [2, 2]}, (), {"model_type": "llama", **BASE}),
    ("llama", {**LLAMA, "expert_count": 4, "expert_used_count": 2}, (), {"model_type": "mixtral", **MIXTURE}),
    ("qwen2", LLAMA, (QUERY_BIAS,), {"model_type": "qwen2", **BASE}),
    ("qwen3", {**LLAMA, "attention.key_length": 32}, (), {"model_type": "qwen3", **BASE, "head_dim": 32}),
    (
        "qwen2moe",
        {**LLAMA, **EXPERTS, "expert_shared_feed_forward_length": 48},
        (QUERY_BIAS,),
        {"model_type": "qwen2_moe", **MIXTURE, "shared_expert_intermediate_size": 48},
    ),
    ("qwen3moe", {**LLAMA, **EXPERTS}, (), {"model_type": "qwen3_moe", **MIXTURE}),
    (
        "gemma2",
        {**LLAMA, "attention.key_length": 32, "attention.sliding_window": 64},
        (),
        {"model_type": "gemma2", **BASE, "head_dim": 32, "sliding_window": 64},
    ),
    (
        "gemma3",
        {**LLAMA, "attention.key_length": 32, "attention.sliding_window": 64},
        (),
        {"model_type": "gemma3_text", **BASE, "head_dim": 32, "sliding_window": 64},
    ),
    (
        "phi3",
        {**LLAMA, "attention.sliding_window": 64},
        (),
        {"model_type": "phi3", **BASE, "sliding_window": 64},
    ),
    ("exaone4", LLAMA, (), {"model_type": "exaone4", **BASE, "sliding_window": None}),
    (
        "command-r",
        LLAMA,
        ("blk.0.attn_q_norm.weight",),
        {"model_type": "cohere", **BASE, "use_qk_norm": True},
    ),
    ("stablelm", LLAMA, (), {"model_type": "stablelm", **BASE, "use_parallel_residual": True}),
    (
        "stablelm",
        LLAMA,
        ("blk.1.ffn_norm.weight", QUERY_BIAS),
        {"model_type": "stablelm", **BASE, "use_qkv_bias": True},
    ),
    ("olmo2", LLAMA, (), {"model_type": "olmo2", **BASE}),
    (
        "olmo2",
        {**LLAMA, "attention.sliding_window": 64},
        (),
        {"model_type": "olmo3", **BASE, "sliding_window": 64},
    ),
    (
        "granitemoe",
        {**LLAMA, **EXPERTS, "expert_shared_feed_forward_length": 48},
        (),
        {"model_type": "granitemoeshared", **MIXTURE, "shared_intermediate_size": 48},
    ),
    ("granitemoe", {**LLAMA, **EXPERTS}, (), {"model_type": "granitemoe", **MIXTURE}),
    (
        "glm4",
        {**LLAMA, "attention.key_length": 16},
        (QUERY_BIAS,),
        {"model_type": "glm4", **BASE, "head_dim": 16, "attention_bias": True},
    ),
    (
        "glm4moe",
        {
            **LLAMA,
            **EXPERTS,
            "block_count": 3,
            "nextn_predict_layers": 1,
            "expert_shared_count": 1,
            "leading_dense_block_count": 1,
        },
        ("blk.0.attn_q_norm.weight",),
        {"model_type": "glm4_moe", **MIXTURE, "use_qk_norm": True},
    ),
    (
        "gpt2",
        {**LLAMA, "attention.head_count_kv": 4},
        (),
        {"model_type": "gpt2", **BASE, "num_key_value_heads": 4, "n_inner": 128},
    ),
    (
        "starcoder",
        {**LLAMA, "attention.head_count_kv": 1},
        (),
        {"model_type": "gpt_bigcode", **BASE, "n_inner": 128},
    ),
    (
        "gptneox",
        {**LLAMA, "attention.head_count_kv": 4, "use_parallel_residual": False},
        ("blk.0.attn_qkv.bias",),
        {"model_type": "gpt_neox", **BASE, "num_key_value_heads": 4, "use_parallel_residual": False},
    ),
    ("starcoder2", LLAMA, (QUERY_BIAS,), {"model_type": "starcoder2", **BASE, "use_bias": True}),
    (
        "falcon",
        {**LLAMA, "attention.head_count_kv": 1},
        (),
        {"model_type": "falcon", **BASE, "multi_query": True},
    ),
    (
        "falcon",
        LLAMA,
        ("blk.0.attn_norm_2.weight",),
        {"model_type": "falcon", **BASE, "new_decoder_architecture": True, "num_kv_heads": 2},
    ),
    (
        "gpt-oss",
        {**LLAMA, **EXPERTS, "attention.key_length": 16, "attention.sliding_window": 64},
        (QUERY_BIAS,),
        {"model_type": "gpt_oss", **MIXTURE, "head_dim": 16, "sliding_window": 64, "intermediate_size": 32},
    ),
    (
        "deepseek2",
        {**LLAMA, **DEEPSEEK, "attention.key_length": 24, "attention.value_length": 12},
        (),
        {"model_type": "deepseek_v2", **LATENT},
    ),
    (
        "deepseek2",
        {
            **LLAMA,
            **DEEPSEEK,
            "attention.head_count_kv": 1,
            "attention.key_length": 24,
            "attention.value_length": 16,
            "attention.key_length_mla": 24,
            "attention.value_length_mla": 12,
            "attention.q_lora_rank": 20,
        },
        ("blk.1.exp_probs_b.bias",),
        {"model_type": "deepseek_v3", **LATENT, "q_lora_rank": 20},
    ),
    (
        "mamba",
        {**STATES, "ssm.time_step_rank": 4},
        ("blk.0.ssm_conv1d.bias",),
        {"model_type": "mamba", **MAMBA, "time_step_rank": 4},
    ),
    (
        "mamba",
        {**STATES, "ssm.time_step_rank": 4, "ssm.dt_b_c_rms": True},
        ("blk.0.ssm_conv1d.bias", "blk.0.ssm_in.bias"),
        {"model_type": "falcon_mamba", **MAMBA, "use_bias": True},
    ),
    (
        "mamba2",
        {**STATES, "ssm.time_step_rank": 8, "ssm.group_count": 2},
        ("blk.0.ssm_conv1d.bias",),
        {"model_type": "mamba2", **MAMBA, "num_heads": 8, "head_dim": 16, "n_groups": 2},
    ),
]
