"""Activations simulated tensor by tensor (torch 2.13, transformers 5.23), beside the configurations they are of.

Each figure is the peak of one pass of the real model code on fake CUDA tensors, less weights and final caches;
`validation/simulate_allocation.py` repeats it. Depths are cut: what is alive in a layer does not depend on them.
"""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

__all__ = ["CONFIGS", "RUNS", "Run"]


class Run(NamedTuple):
    """One pass, and what it was seen to need."""

    simulated_bytes: int
    config: str
    stage: Literal["prefill", "decode"]
    attention: Literal["sdpa", "eager"]
    batch_size: int
    prompt_tokens: int
    padded: bool = False
    all_logits: bool = False
    element_bytes: int = 2


# fmt: off
CONFIGS: dict[str, dict[str, Any]] = {
    "llama": {"model_type": "llama", "hidden_size": 4096, "num_hidden_layers": 5, "num_attention_heads": 32,
        "num_key_value_heads": 4, "intermediate_size": 11008, "vocab_size": 64000},
    "mixtral": {"model_type": "mixtral", "vocab_size": 32000, "hidden_size": 4096, "num_hidden_layers": 5,
        "num_attention_heads": 32, "intermediate_size": 14336, "max_position_embeddings": 32768},
    "glm4_moe": {"model_type": "glm4_moe", "hidden_size": 4096, "num_hidden_layers": 5,
        "num_attention_heads": 96, "head_dim": 128, "intermediate_size": 10944, "vocab_size": 151552,
        "attention_bias": True},
    "granitemoe": {"model_type": "granitemoe", "hidden_size": 1536, "num_hidden_layers": 5,
        "num_attention_heads": 24, "num_key_value_heads": 8, "intermediate_size": 512, "num_local_experts":
        40, "num_experts_per_tok": 8, "vocab_size": 49155, "tie_word_embeddings": True},
    "qwen3": {"model_type": "qwen3", "vocab_size": 151936, "hidden_size": 2560, "num_hidden_layers": 5,
        "num_attention_heads": 32, "intermediate_size": 9728, "max_position_embeddings": 40960,
        "num_key_value_heads": 8, "tie_word_embeddings": True},
    "olmo2": {"model_type": "olmo2", "vocab_size": 100352, "hidden_size": 4096, "num_hidden_layers": 5,
        "num_attention_heads": 32, "intermediate_size": 11008, "max_position_embeddings": 4096},
    "cohere": {"model_type": "cohere", "hidden_size": 12288, "num_hidden_layers": 5, "num_attention_heads":
        96, "num_key_value_heads": 8, "intermediate_size": 33792, "vocab_size": 256000, "use_qk_norm":
        True},
    "ernie4_5": {"model_type": "ernie4_5", "vocab_size": 103424, "hidden_size": 1024, "intermediate_size":
        3072, "num_hidden_layers": 5, "num_attention_heads": 16, "max_position_embeddings": 131072},
    "gemma3_text": {"model_type": "gemma3_text", "vocab_size": 262144, "hidden_size": 1152,
        "num_hidden_layers": 12, "num_attention_heads": 4, "intermediate_size": 6912,
        "max_position_embeddings": 131072, "num_key_value_heads": 1, "sliding_window": 512},
    "gemma": {"model_type": "gemma", "vocab_size": 256000, "hidden_size": 2048, "num_hidden_layers": 5,
        "num_attention_heads": 8, "intermediate_size": 16384, "max_position_embeddings": 4096,
        "num_key_value_heads": 1},
    "mistral_swa": {"model_type": "mistral", "vocab_size": 32000, "hidden_size": 4096, "num_hidden_layers":
        5, "num_attention_heads": 32, "intermediate_size": 14336, "sliding_window": 1024},
    "falcon": {"model_type": "falcon", "vocab_size": 65024, "hidden_size": 4544, "num_hidden_layers": 5,
        "num_attention_heads": 71},
    "falcon40": {"model_type": "falcon", "vocab_size": 65024, "hidden_size": 8192, "num_hidden_layers": 5,
        "num_attention_heads": 128, "num_kv_heads": 8, "new_decoder_architecture": True},
    "falcon_rw": {"model_type": "falcon", "vocab_size": 50304, "hidden_size": 2048, "num_hidden_layers": 5,
        "num_attention_heads": 32, "multi_query": False, "parallel_attn": False, "bias": True},
    "stablelm": {"model_type": "stablelm", "hidden_size": 5120, "num_hidden_layers": 5,
        "num_attention_heads": 32, "num_key_value_heads": 8, "intermediate_size": 13824, "vocab_size":
        100352, "qk_layernorm": True, "use_parallel_residual": True},
    "phi": {"model_type": "phi", "vocab_size": 51200, "hidden_size": 2048, "num_hidden_layers": 5,
        "num_attention_heads": 32, "intermediate_size": 8192, "max_position_embeddings": 2048},
    "phi3": {"model_type": "phi3", "vocab_size": 32064, "hidden_size": 3072, "num_hidden_layers": 5,
        "num_attention_heads": 32, "intermediate_size": 8192, "max_position_embeddings": 4096},
    "apertus": {"model_type": "apertus", "hidden_size": 4096, "num_hidden_layers": 5, "num_attention_heads":
        32, "num_key_value_heads": 8, "intermediate_size": 21504, "vocab_size": 131072},
    "gptj": {"model_type": "gptj", "vocab_size": 50400, "n_embd": 4096, "n_layer": 5, "n_head": 16,
        "n_positions": 2050},
    "codegen": {"model_type": "codegen", "n_embd": 2560, "n_layer": 5, "n_head": 32, "vocab_size": 51200},
    "bloom": {"model_type": "bloom", "hidden_size": 1024, "n_layer": 5, "n_head": 16, "vocab_size": 250880},
    "gpt2": {"model_type": "gpt2", "n_embd": 768, "n_layer": 5, "n_head": 12, "vocab_size": 50257,
        "n_positions": 1024},
    "gpt_bigcode": {"model_type": "gpt_bigcode", "n_embd": 6144, "n_layer": 5, "n_head": 48, "n_positions":
        8192, "vocab_size": 49152},
    "opt": {"model_type": "opt", "hidden_size": 1024, "num_hidden_layers": 5, "num_attention_heads": 16,
        "ffn_dim": 4096, "vocab_size": 50272, "max_position_embeddings": 2048, "word_embed_proj_dim": 512,
        "do_layer_norm_before": False},
    "mpt": {"d_model": 4096, "max_seq_len": 2048, "model_type": "mpt", "n_heads": 32, "n_layers": 5,
        "vocab_size": 50432},
    "biogpt": {"model_type": "biogpt", "vocab_size": 42384, "hidden_size": 1600, "num_hidden_layers": 5,
        "num_attention_heads": 25, "intermediate_size": 6400},
    "deepseek_v2": {"model_type": "deepseek_v2", "hidden_size": 5120, "num_hidden_layers": 5,
        "num_attention_heads": 128, "intermediate_size": 12288, "moe_intermediate_size": 1536,
        "n_routed_experts": 160, "num_experts_per_tok": 6, "first_k_dense_replace": 1, "vocab_size":
        102400},
    "deepseek_v32": {"hidden_size": 7168, "intermediate_size": 18432, "max_position_embeddings": 163840,
        "model_type": "deepseek_v32", "num_attention_heads": 128, "num_hidden_layers": 5, "vocab_size":
        129280},
    "glm_moe_dsa": {"hidden_size": 6144, "intermediate_size": 12288, "max_position_embeddings": 202752,
        "model_type": "glm_moe_dsa", "num_attention_heads": 64, "num_hidden_layers": 5, "vocab_size":
        154880},
    "gpt_oss": {"hidden_size": 2880, "intermediate_size": 2880, "max_position_embeddings": 131072,
        "model_type": "gpt_oss", "num_attention_heads": 64, "num_hidden_layers": 5, "num_local_experts": 32,
        "vocab_size": 201088},
    "qwen2_moe": {"model_type": "qwen2_moe", "hidden_size": 3584, "num_hidden_layers": 5,
        "num_attention_heads": 28, "num_key_value_heads": 4, "moe_intermediate_size": 2560,
        "shared_expert_intermediate_size": 20480, "num_experts": 64, "num_experts_per_tok": 8, "vocab_size":
        151936},
    "bamba": {"model_type": "bamba", "attn_layer_indices": [9, 18, 27], "vocab_size": 128000, "hidden_size":
        4096, "intermediate_size": 14336, "num_hidden_layers": 12, "num_attention_heads": 32,
        "max_position_embeddings": 262144},
    "falcon_h1": {"model_type": "falcon_h1", "hidden_size": 1024, "num_hidden_layers": 12,
        "num_attention_heads": 8, "num_key_value_heads": 2, "head_dim": 64, "intermediate_size": 2048,
        "mamba_d_ssm": 1536, "mamba_n_heads": 24, "mamba_d_state": 128, "vocab_size": 32784},
    "mamba2": {"model_type": "mamba2", "hidden_size": 4096, "num_hidden_layers": 5, "vocab_size": 32768},
    "qwen3_next": {"model_type": "qwen3_next", "vocab_size": 151936, "hidden_size": 2048,
        "num_hidden_layers": 12, "num_attention_heads": 16, "max_position_embeddings": 32768},
    "qwen3_5_text": {"model_type": "qwen3_5_text", "vocab_size": 248320, "hidden_size": 4096,
        "intermediate_size": 12288, "num_hidden_layers": 5, "num_attention_heads": 16},
    "mamba": {"model_type": "mamba", "hidden_size": 1024, "num_hidden_layers": 5, "vocab_size": 50280},
    "jamba": {"model_type": "jamba", "hidden_size": 8192, "num_hidden_layers": 12, "num_attention_heads":
        64, "intermediate_size": 24576, "vocab_size": 65536},
    "minimax": {"model_type": "minimax", "hidden_size": 6144, "num_hidden_layers": 12,
        "num_attention_heads": 64, "head_dim": 128, "intermediate_size": 9216, "num_local_experts": 32,
        "vocab_size": 200064, "layer_types": ["linear_attention", "linear_attention", "linear_attention",
        "linear_attention", "linear_attention", "linear_attention", "linear_attention", "full_attention",
        "linear_attention", "linear_attention", "linear_attention", "linear_attention"]},
    "small_llama": {"model_type": "llama", "hidden_size": 512, "num_hidden_layers": 3, "num_attention_heads": 8,
        "num_key_value_heads": 2, "intermediate_size": 1024, "vocab_size": 1000},
    "ministral3": {"hidden_size": 1024, "num_hidden_layers": 4, "num_attention_heads": 8,
        "num_key_value_heads": 2, "intermediate_size": 2048, "vocab_size": 2000, "head_dim": 128,
        "model_type": "ministral3"},
    "gemma4_text": {"hidden_size": 1024, "num_hidden_layers": 6, "num_attention_heads": 8,
        "num_key_value_heads": 2, "intermediate_size": 2048, "vocab_size": 2000, "head_dim": 128,
        "sliding_window": 512, "model_type": "gemma4_text"},
    "glm4_moe_lite": {"hidden_size": 1024, "num_hidden_layers": 3, "num_attention_heads": 8,
        "num_key_value_heads": 8, "intermediate_size": 2048, "vocab_size": 2000, "moe_intermediate_size":
        512, "n_routed_experts": 16, "num_experts_per_tok": 4, "n_shared_experts": 1,
        "first_k_dense_replace": 1, "model_type": "glm4_moe_lite"},
    "hy_v3": {"hidden_size": 1024, "num_hidden_layers": 4, "num_attention_heads": 8, "num_key_value_heads":
        2, "intermediate_size": 2048, "vocab_size": 2000, "head_dim": 128, "num_experts": 16,
        "num_experts_per_tok": 4, "moe_intermediate_size": 512, "expert_hidden_dim": 512, "model_type":
        "hy_v3"},
    "llama4_text": {"model_type": "llama4_text", "hidden_size": 1024, "num_hidden_layers": 4,
        "num_attention_heads": 8, "num_key_value_heads": 2, "head_dim": 128, "intermediate_size": 2048,
        "intermediate_size_mlp": 4096, "vocab_size": 2000, "num_local_experts": 8, "num_experts_per_tok": 1,
        "interleave_moe_layer_step": 1, "attention_chunk_size": 8192},
    "nemotron_h": {"hidden_size": 8192, "layers_block_type": ["mamba", "moe", "mamba", "moe", "mamba",
        "moe", "mamba", "attention", "moe", "mamba", "moe", "mamba"], "mamba_num_heads": 256,
        "max_position_embeddings": 262144, "model_type": "nemotron_h", "moe_intermediate_size": 5120,
        "moe_latent_size": 2048, "moe_shared_expert_intermediate_size": 10240, "n_routed_experts": 512,
        "num_attention_heads": 64, "num_experts_per_tok": 22, "num_key_value_heads": 2, "vocab_size":
        131072},
    "lfm2": {"model_type": "lfm2", "vocab_size": 65536, "hidden_size": 2048, "intermediate_size": 12288,
        "num_hidden_layers": 12, "num_attention_heads": 32, "layer_types": ["conv", "conv",
        "full_attention", "conv", "conv", "full_attention", "conv", "conv", "full_attention", "conv",
        "full_attention", "conv"]},
    "recurrent_gemma": {"model_type": "recurrent_gemma", "num_hidden_layers": 12, "vocab_size": 256000,
        "hidden_size": 2560, "intermediate_size": 7680, "num_attention_heads": 10},
}
"""Configurations as the Hub spells them, by a short name."""
# fmt: on

RUNS = (
    Run(203_456_512, "llama", "prefill", "sdpa", 1, 2048),
    Run(278_937_600, "llama", "prefill", "sdpa", 1, 2048, all_logits=True),
    Run(2_274_304, "llama", "decode", "sdpa", 4, 512, padded=True),
    Run(571_687_936, "mixtral", "prefill", "sdpa", 1, 2048),
    Run(34_283_520, "mixtral", "decode", "eager", 1, 2048),
    Run(2_152_960, "glm4_moe", "decode", "sdpa", 1, 512),
    Run(291_672_064, "granitemoe", "prefill", "eager", 4, 512, padded=True),
    Run(161_763_328, "qwen3", "prefill", "sdpa", 4, 512),
    Run(46_931_968, "olmo2", "prefill", "sdpa", 1, 512),
    Run(617_644_032, "cohere", "prefill", "sdpa", 1, 2048),
    Run(75_530_240, "ernie4_5", "prefill", "sdpa", 1, 2048),
    Run(16_279_040, "gemma3_text", "decode", "sdpa", 1, 2048),
    Run(117_477_376, "gemma3_text", "prefill", "eager", 4, 512, padded=True),
    Run(8_560_128, "gemma", "decode", "eager", 4, 512, padded=True),
    Run(496_058_368, "mistral_swa", "prefill", "sdpa", 2, 2048, padded=True),
    Run(21_121_024, "falcon", "prefill", "sdpa", 1, 128),
    Run(767_987_712, "falcon", "prefill", "sdpa", 4, 512, padded=True),
    Run(39_826_944, "falcon", "decode", "sdpa", 4, 512, padded=True),
    Run(19_491_328, "falcon", "decode", "eager", 4, 512, padded=True),
    Run(320_479_232, "falcon40", "prefill", "eager", 1, 512),
    Run(788_828_160, "falcon_rw", "prefill", "eager", 4, 512, padded=True),
    Run(2_199_040, "falcon_rw", "decode", "sdpa", 1, 512),
    Run(254_115_840, "stablelm", "prefill", "sdpa", 1, 2048),
    Run(42_016_768, "phi", "prefill", "sdpa", 1, 512),
    Run(3_201_024, "phi3", "decode", "sdpa", 1, 512),
    Run(138_159_104, "apertus", "prefill", "sdpa", 1, 512),
    Run(857_506_304, "gptj", "prefill", "eager", 1, 2048),
    Run(5_493_248, "codegen", "decode", "eager", 1, 512),
    Run(266_436_608, "bloom", "prefill", "eager", 4, 512, padded=True),
    Run(24_125_440, "gpt2", "prefill", "eager", 1, 512),
    Run(25_711_104, "gpt_bigcode", "decode", "eager", 4, 512, padded=True),
    Run(1_072_640, "opt", "decode", "sdpa", 1, 512),
    Run(51_429_376, "opt", "prefill", "sdpa", 4, 512, padded=True),
    Run(4_544_512, "mpt", "decode", "eager", 1, 512),
    Run(74_805_248, "biogpt", "prefill", "sdpa", 4, 512),
    Run(5_912_690_688, "deepseek_v2", "prefill", "eager", 1, 2048),
    Run(841_930_752, "deepseek_v2", "prefill", "sdpa", 4, 512, padded=True),
    Run(303_861_760, "deepseek_v2", "decode", "eager", 4, 512, padded=True),
    Run(59_030_528, "deepseek_v2", "decode", "sdpa", 1, 512),
    Run(2_803_400_704, "deepseek_v32", "prefill", "sdpa", 1, 2048),
    Run(7_890_092_032, "deepseek_v32", "prefill", "sdpa", 2, 2048, padded=True),
    Run(236_827_648, "deepseek_v32", "decode", "sdpa", 1, 2048),
    Run(3_161_227_264, "glm_moe_dsa", "prefill", "eager", 1, 2048),
    Run(1_714_192_384, "gpt_oss", "prefill", "eager", 1, 2048),
    Run(42_271_744, "gpt_oss", "decode", "eager", 1, 2048),
    Run(136_553_472, "qwen2_moe", "prefill", "sdpa", 1, 512),
    Run(2_451_121_152, "bamba", "prefill", "sdpa", 1, 2048),
    Run(287_150_592, "bamba", "prefill", "sdpa", 1, 128),
    Run(134_868_480, "bamba", "decode", "sdpa", 4, 512),
    Run(371_752_960, "falcon_h1", "prefill", "eager", 1, 2048),
    Run(479_470_592, "mamba2", "prefill", "eager", 1, 512),
    Run(1_048_408_064, "qwen3_next", "prefill", "sdpa", 2, 2048, padded=True),
    Run(36_829_696, "qwen3_5_text", "prefill", "sdpa", 1, 128),
    Run(6_471_168, "qwen3_next", "decode", "sdpa", 1, 2048),
    Run(28_733_952, "mamba", "prefill", "eager", 1, 64),
    Run(824_320, "mamba", "decode", "eager", 1, 64),
    Run(1_830_003_712, "jamba", "prefill", "sdpa", 4, 128, padded=True),
    Run(436_507_136, "minimax", "prefill", "sdpa", 4, 512),
    Run(6_384_128, "minimax", "decode", "sdpa", 1, 512),
    Run(48_508_928, "small_llama", "prefill", "eager", 2, 512, element_bytes=4),
    Run(49_557_504, "small_llama", "prefill", "sdpa", 2, 512, element_bytes=4),
    Run(4_300_288, "small_llama", "decode", "eager", 2, 512, element_bytes=4),
    Run(6_367_744, "small_llama", "decode", "sdpa", 2, 512, element_bytes=4),
    Run(21_512_192, "ministral3", "prefill", "sdpa", 1, 1024),
    Run(543_232, "ministral3", "decode", "sdpa", 1, 1024),
    Run(50_937_856, "gemma4_text", "prefill", "sdpa", 1, 1024),
    Run(3_164_160, "gemma4_text", "decode", "sdpa", 1, 1024),
    Run(79_974_400, "gemma4_text", "prefill", "eager", 2, 512, padded=True),
    Run(16_953_856, "gemma4_text", "decode", "eager", 2, 512, padded=True),
    Run(59_642_880, "glm4_moe_lite", "prefill", "sdpa", 2, 512, padded=True),
    Run(11_622_912, "glm4_moe_lite", "decode", "sdpa", 2, 512, padded=True),
    Run(59_507_712, "hy_v3", "prefill", "sdpa", 1, 1024),
    Run(543_232, "hy_v3", "decode", "sdpa", 1, 1024),
    Run(161_787_904, "llama4_text", "prefill", "sdpa", 2, 512),
    Run(1_074_688, "llama4_text", "decode", "sdpa", 2, 512),
    Run(3_022_325_760, "nemotron_h", "prefill", "sdpa", 1, 2048),
    Run(33_815_040, "nemotron_h", "decode", "sdpa", 1, 512),
    Run(134_774_784, "lfm2", "prefill", "sdpa", 1, 2048),
    Run(548_864, "lfm2", "decode", "sdpa", 1, 512),
)
"""Passes; a decode stage is the first step after the prompt."""
