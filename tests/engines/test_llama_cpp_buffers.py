"""llama.cpp's compute buffers: what its own allocator said for one device, architecture by architecture."""

from __future__ import annotations

from typing import Any

import pytest

from genai_hwreq.catalog import get_format
from genai_hwreq.engines import LlamaCpp
from genai_hwreq.readers.hf_config import read_config
from genai_hwreq.units import MIB
from llama_cpp_runs import on_device, on_host, run

ROUNDING = 5243
"""Older versions print MiB with two digits."""


@pytest.mark.parametrize(
    ("expected", "name", "version", "n_ctx", "n_ubatch", "flash_attn", "type_v"),
    [
        (574619648, "c4ai-command-r-plus", "2025-08", 2048, 512, True, "f16"),
        (1653606400, "c4ai-command-r-plus", "2026-10", 32768, 128, False, "f16"),
        (549453824, "c4ai-command-r-plus", "2026-10", 32768, 512, True, "q4_0"),
        (133169152, "c4ai-command-r7b-12-2024", "2025-08", 4096, 128, True, "f16"),
        (541065216, "c4ai-command-r7b-12-2024", "2026-10", 2048, 512, False, "f16"),
        (541065216, "c4ai-command-r7b-12-2024", "2026-10", 4096, 512, True, "q4_0"),
        (451948544, "deepseek-v3", "2025-08", 32768, 512, True, "f16"),
        (432021504, "deepseek-v3", "2026-10", 32768, 512, True, "q4_0"),
        (348786688, "falcon-7b", "2024-11", 2048, 512, False, "f16"),
        (142475264, "falcon-7b", "2025-08", 2048, 512, True, "f16"),
        (1283473408, "falcon-7b", "2026-10", 4096, 1024, False, "f16"),
        (142475264, "falcon-7b", "2026-10", 4096, 512, True, "q4_0"),
        (539230208, "gemma-3-1b-it", "2025-08", 2048, 512, True, "f16"),
        (134807552, "gemma-3-1b-it", "2026-10", 32768, 128, False, "f16"),
        (539230208, "gemma-3-1b-it", "2026-10", 32768, 512, True, "q4_0"),
        (318767104, "glm-4-9b-chat", "2024-11", 2048, 512, False, "f16"),
        (318767104, "glm-4-9b-chat", "2025-08", 32768, 512, True, "f16"),
        (558106624, "glm-4-9b-chat", "2026-10", 32768, 128, False, "f16"),
        (327155712, "glm-4-9b-chat", "2026-10", 32768, 512, True, "q4_0"),
        (318767104, "glm-4-9b-0414", "2025-08", 2048, 512, True, "f16"),
        (562300928, "glm-4-9b-0414", "2026-10", 32768, 128, False, "f16"),
        (318767104, "glm-4-9b-0414", "2026-10", 32768, 512, True, "q4_0"),
        (106072064, "gpt2", "2025-08", 2048, 512, True, "f16"),
        (106072064, "gpt2", "2026-10", 2048, 512, False, "f16"),
        (106072064, "gpt2", "2026-10", 4096, 512, True, "q4_0"),
        (417726464, "gpt-oss-20b", "2025-08", 32768, 512, True, "f16"),
        (1098845184, "gpt-oss-20b", "2026-10", 32768, 128, False, "f16"),
        (423624704, "gpt-oss-20b", "2026-10", 32768, 512, True, "q4_0"),
        (511705216, "granite-4.0-h-tiny", "2026-10", 4096, 1024, False, "f16"),
        (230701056, "granite-4.0-h-tiny", "2026-10", 32768, 512, True, "q4_0"),
        (77595648, "llama-2-7b", "2024-11", 4096, 128, False, "f16"),
        (105394176, "llama-2-7b", "2025-08", 2048, 512, True, "f16"),
        (188751872, "llama-2-7b", "2026-10", 2048, 512, False, "f16"),
        (279445504, "llama-3.1-70b", "2026-10", 32768, 512, True, "q4_0"),
        (464148480, "llama-4-scout-17b-16e-instruct", "2025-08", 2048, 512, True, "f16"),
        (462043136, "llama-4-scout-17b-16e-instruct", "2026-10", 2048, 512, False, "f16"),
        (434765824, "llama-4-scout-17b-16e-instruct", "2026-10", 32768, 512, True, "q4_0"),
        (30065408, "mamba-2.8b", "2024-11", 4096, 128, False, "f16"),
        (28365440, "mamba-2.8b", "2026-10", 32768, 128, False, "f16"),
        (113461376, "mamba-2.8b", "2026-10", 32768, 512, True, "q4_0"),
        (111411200, "mamba-1.4b", "2025-08", 512, 512, False, "f16"),
        (27892122, "mamba-1.4b", "2025-08", 4096, 128, True, "f16"),
        (28426895, "mamba-2.8b", "2025-08", 4096, 128, True, "f16"),
        (113756288, "mamba-codestral-7b-v0.1", "2025-08", 2048, 512, True, "f16"),
        (37012096, "mamba-codestral-7b-v0.1", "2026-10", 32768, 128, False, "f16"),
        (118073472, "mamba-codestral-7b-v0.1", "2026-10", 32768, 512, True, "q4_0"),
        (2248151040, "mistral-7b-v0.1", "2024-11", 32768, 512, False, "f16"),
        (119549952, "mistral-7b-v0.1", "2025-08", 2048, 512, True, "f16"),
        (563087360, "mistral-7b-v0.1", "2026-10", 32768, 128, False, "f16"),
        (201420800, "mistral-7b-v0.1", "2026-10", 32768, 512, True, "q4_0"),
        (73400832, "mpt-7b", "2024-11", 4096, 128, False, "f16"),
        (27918336, "mpt-7b", "2025-08", 4096, 128, True, "f16"),
        (197138432, "mpt-7b", "2026-10", 2048, 512, False, "f16"),
        (130115584, "mpt-7b", "2026-10", 4096, 512, True, "q4_0"),
        (78382080, "phi-2", "2024-11", 4096, 128, False, "f16"),
        (115343360, "phi-2", "2025-08", 2048, 512, True, "f16"),
        (180363264, "phi-2", "2026-10", 2048, 512, False, "f16"),
        (78644224, "phi-3-mini-4k-instruct", "2024-11", 4096, 128, False, "f16"),
        (88748032, "phi-3-mini-4k-instruct", "2025-08", 2048, 512, True, "f16"),
        (603996160, "phi-3-mini-4k-instruct", "2026-10", 4096, 1024, False, "f16"),
        (88748032, "phi-3-mini-4k-instruct", "2026-10", 4096, 512, True, "q4_0"),
        (316407808, "qwen3-4b", "2025-08", 32768, 512, True, "f16"),
        (561514496, "qwen3-4b", "2026-10", 32768, 128, False, "f16"),
        (316407808, "qwen3-4b", "2026-10", 32768, 512, True, "q4_0"),
        (315359232, "qwen3-30b-a3b", "2025-08", 32768, 512, True, "f16"),
        (560465920, "qwen3-30b-a3b", "2026-10", 32768, 128, False, "f16"),
        (315359232, "qwen3-30b-a3b", "2026-10", 32768, 512, True, "q4_0"),
        (353398912, "qwen3-next-80b-a3b-instruct", "2026-10", 32768, 512, True, "q8_0"),
        (639107072, "qwen3-next-80b-a3b-instruct", "2026-10", 4096, 1024, False, "f16"),
        (436994048, "qwen3-next-80b-a3b-instruct", "2026-10", 131072, 512, True, "f16"),
        (74449920, "stablelm-3b-4e1t", "2024-11", 4096, 128, False, "f16"),
        (108265472, "stablelm-3b-4e1t", "2025-08", 2048, 512, True, "f16"),
        (616579072, "stablelm-3b-4e1t", "2026-10", 4096, 1024, False, "f16"),
        (87032832, "starcoder2-7b", "2024-11", 4096, 128, False, "f16"),
        (29884416, "starcoder2-7b", "2025-08", 4096, 128, True, "f16"),
        (1281368064, "starcoder2-7b", "2026-10", 16384, 512, False, "f16"),
        (119537664, "starcoder2-7b", "2026-10", 4096, 512, True, "q4_0"),
    ],
)
def test_compute_buffers(
    expected: int, name: str, version: str, n_ctx: int, n_ubatch: int, flash_attn: bool, type_v: str
) -> None:
    """The compute buffer of a whole offload is as large as the program said, to the byte or the printed digit."""
    type_k = type_v if flash_attn else "f16"
    engine = LlamaCpp(
        version=version, n_ubatch=n_ubatch, flash_attn=flash_attn, type_k=type_k, type_v=type_v, n_outputs_max=2048
    )
    memory = run(engine, name, context_tokens=n_ctx)
    assert on_device(memory, "compute_buffer") == pytest.approx(expected, abs=0 if version == "2026-10" else ROUNDING)


LFM2_1_2B = {
    "model_type": "lfm2", "hidden_size": 2048, "intermediate_size": 8192, "block_auto_adjust_ff_dim": False,
    "num_hidden_layers": 16, "num_attention_heads": 32, "num_key_value_heads": 8, "vocab_size": 65536,
    "tie_word_embeddings": True, "conv_L_cache": 3, "full_attn_idxs": [2, 5, 8, 10, 12, 14],
}  # fmt: skip
QWEN_3_5_4B = {
    "model_type": "qwen3_5_text", "hidden_size": 2560, "intermediate_size": 9216, "num_hidden_layers": 32,
    "num_attention_heads": 16, "num_key_value_heads": 4, "head_dim": 256, "vocab_size": 248320,
    "tie_word_embeddings": True, "linear_conv_kernel_dim": 4, "linear_key_head_dim": 128,
    "linear_value_head_dim": 128, "linear_num_key_heads": 16, "linear_num_value_heads": 32,
}  # fmt: skip


@pytest.mark.parametrize(
    ("printed_mib", "config", "n_ctx", "n_ubatch", "flash_attn", "type_k"),
    [
        (286.01, LFM2_1_2B, 4096, 512, False, "f16"),
        (136.00, LFM2_1_2B, 8192, 512, True, "f16"),
        (272.00, LFM2_1_2B, 32768, 1024, True, "q8_0"),
        (507.02, QWEN_3_5_4B, 4096, 512, False, "f16"),
        (503.02, QWEN_3_5_4B, 8192, 512, True, "f16"),
        (1054.30, QWEN_3_5_4B, 32768, 1024, True, "q8_0"),
    ],
)
def test_hybrids_without_a_device(
    printed_mib: float, config: dict[str, Any], n_ctx: int, n_ubatch: int, flash_attn: bool, type_k: str
) -> None:
    """Short convolutions and delta nets take what llama-cpp-python 0.3.36 printed for skeletons of these models.

    Source: validation/gguf_skeleton.py and validation/llama_cpp_buffers.py, without a device
    """
    engine = LlamaCpp(
        n_ubatch=n_ubatch, flash_attn=flash_attn, type_k=type_k, type_v=type_k, n_outputs_max=2048, use_device=False
    )
    memory = run(engine, read_config(config), get_format("gguf-f16"), context_tokens=n_ctx)
    assert on_host(memory, "compute_buffer") == pytest.approx(printed_mib * MIB, abs=ROUNDING)


SMALL = {
    "hidden_size": 256, "intermediate_size": 512, "num_attention_heads": 8, "num_key_value_heads": 2, "vocab_size": 3000,
}  # fmt: skip
GEMMA_4 = {
    **SMALL, "model_type": "gemma4_text", "num_hidden_layers": 12, "head_dim": 32, "global_head_dim": 64,
    "sliding_window": 256, "num_kv_shared_layers": 0, "hidden_size_per_layer_input": 0, "tie_word_embeddings": True,
}  # fmt: skip
GEMMA_4_OWN_INPUTS = {
    **GEMMA_4, "num_kv_shared_layers": 6, "hidden_size_per_layer_input": 64, "vocab_size_per_layer_input": 3000,
}  # fmt: skip
GEMMA_4_EXPERTS = {
    **GEMMA_4, "enable_moe_block": True, "num_experts": 8, "top_k_experts": 2, "moe_intermediate_size": 128,
    "attention_k_eq_v": True, "num_global_key_value_heads": 1,
}  # fmt: skip
JAMBA = {
    **SMALL, "model_type": "jamba", "num_hidden_layers": 6, "attn_layer_period": 3, "attn_layer_offset": 1,
    "expert_layer_period": 2, "expert_layer_offset": 1, "num_experts": 4,
}  # fmt: skip


@pytest.mark.parametrize(
    ("buffer_mib", "cache_mib", "config", "n_ctx", "n_ubatch", "flash_attn"),
    [
        (6.13, 4.75, GEMMA_4, 1024, 128, False),
        (4.26, 7.00, GEMMA_4, 2048, 256, True),
        (6.75, 2.38, GEMMA_4_OWN_INPUTS, 1024, 128, False),
        (5.51, 3.50, GEMMA_4_OWN_INPUTS, 2048, 256, True),
        (6.00, 3.00, GEMMA_4_EXPERTS, 1024, 128, False),
        (4.51, 6.00, GEMMA_4_EXPERTS, 2048, 256, True),
        (5.06, 0.50, JAMBA, 1024, 128, False),
        (11.26, 0.25, JAMBA, 512, 512, False),
    ],
)
def test_small_models_of_other_families(
    buffer_mib: float, cache_mib: float, config: dict[str, Any], n_ctx: int, n_ubatch: int, flash_attn: bool
) -> None:
    """Buffers and caches are what llama-cpp-python 0.3.36 printed; without fused attention values are equally wide.

    Source: validation/compare_llama_cpp.py
    """
    engine = LlamaCpp(
        n_ubatch=n_ubatch, flash_attn=flash_attn, swa_full=True, n_outputs_max=2048, use_device=False
    )
    memory = run(engine, read_config(config), get_format("gguf-f16"), context_tokens=n_ctx)
    assert on_host(memory, "compute_buffer") == pytest.approx(buffer_mib * MIB, abs=2 * ROUNDING)
    assert on_host(memory, "kv_cache") == pytest.approx(cache_mib * MIB, abs=ROUNDING)
