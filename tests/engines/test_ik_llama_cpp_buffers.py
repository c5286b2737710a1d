"""ik_llama.cpp's compute buffers: what its logs say, and how its settings move them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import pytest

from genai_hwreq.engines import IkLlamaCpp, LlamaCpp
from genai_hwreq.readers.hf_config import read_config
from genai_hwreq.units import MIB
from llama_cpp_runs import on_device, on_host, run

if TYPE_CHECKING:
    from genai_hwreq.models import TransformerModel

MLA_3: dict[str, Any] = {"mla": 3, "flash_attn": True}
CPU: dict[str, Any] = {"use_device": False}


def buffer_bytes(engine: LlamaCpp, model: str | TransformerModel, n_ctx: int) -> int:
    """Return the only compute buffer of a run: on the device where there is one, else on the host."""
    memory = run(engine, model, context_tokens=n_ctx)
    return on_device(memory, "compute_buffer") if memory.devices else on_host(memory, "compute_buffer")


@pytest.mark.parametrize(
    ("logged_mib", "name", "n_ctx", "settings"),
    [
        (450.01, "deepseek-v3", 2048, {**CPU, **MLA_3, "attn_max_batch": 512, "type_k": "q8_0", "type_v": "q8_0"}),
        (2778.01, "deepseek-r1", 16384, {**CPU, **MLA_3, "type_k": "q8_0", "type_v": "q8_0"}),
        (3258.01, "deepseek-r1", 16384, {**CPU, **MLA_3}),
        (1383.76, "deepseek-r1", 16896, {**CPU, **MLA_3, "attn_max_batch": 1024, "type_k": "q8_0", "type_v": "q8_0"}),
        (283.01, "deepseek-v3", 512, {**CPU, "mla": 0, "fused_moe": False, "flash_attn": False}),
        (8743.51, "gemma-3-27b-it", 131072, {**CPU, "flash_attn": False}),
        (522.62, "gemma-3-27b-it", 32768, {"flash_attn": True}),
        (5252.01, "qwen3-32b", 40960, {**CPU, "flash_attn": False}),
        (304.75, "qwen3-30b-a3b", 32768, {"flash_attn": True}),
        (266.50, "llama-3.1-8b", 2048, {"flash_attn": True, "type_k": "q8_0", "type_v": "iq4_nl"}),
    ],
)
def test_logged_buffers(logged_mib: float, name: str, n_ctx: int, settings: dict[str, Any]) -> None:
    """The compute buffer is what logs of 2024 and 2025 say, to the printed digit.

    Sources: https://github.com/ikawrakow/ik_llama.cpp, issues 92, 296, 538 and 539, pull requests 287 and 370,
    discussions 286 and 334.
    """
    assert buffer_bytes(IkLlamaCpp(**settings), name, n_ctx) / MIB == pytest.approx(logged_mib, abs=0.006)


@pytest.mark.parametrize(("mla", "flash_attn"), [(0, False), (1, False), (2, False), (2, True), (3, True)])
def test_a_limit_on_attention_saves_memory(mla: Literal[0, 1, 2, 3], flash_attn: bool) -> None:
    """`attn_max_batch` lowers what latent attention takes in every way of computing it."""
    free = IkLlamaCpp(mla=mla, flash_attn=flash_attn)
    held = IkLlamaCpp(mla=mla, flash_attn=flash_attn, attn_max_batch=256)
    assert buffer_bytes(held, "deepseek-v3", 16384) < buffer_bytes(free, "deepseek-v3", 16384)


def test_short_passes_do_not_unpack() -> None:
    """Below 128 tokens attention works on latent rows: the buffer does not grow with the context but for the mask."""
    engine = IkLlamaCpp(**MLA_3, n_ubatch=64)
    grown = buffer_bytes(engine, "deepseek-v3", 32768) - buffer_bytes(engine, "deepseek-v3", 16384)
    assert 0 <= grown <= 16384 * 64 * 6


def test_fused_experts_save_memory() -> None:
    """Gate, up and product as one operation take less than one after another."""
    apart = IkLlamaCpp(flash_attn=True, fused_moe=False, n_outputs_max=1, n_ubatch=2048)
    fused = IkLlamaCpp(flash_attn=True, fused_moe=True, n_outputs_max=1, n_ubatch=2048)
    assert buffer_bytes(fused, "qwen3-30b-a3b", 4096) < buffer_bytes(apart, "qwen3-30b-a3b", 4096)


def test_soft_caps_are_operations_of_their_own() -> None:
    """Gemma 2's capped scores and logits cannot overwrite what they cap, as llama.cpp's do."""
    theirs = buffer_bytes(IkLlamaCpp(flash_attn=False), "gemma-2-2b", 4096)
    assert theirs > buffer_bytes(LlamaCpp(version="2024-11", flash_attn=False), "gemma-2-2b", 4096)


def test_two_norms_of_a_parallel_layer() -> None:
    """GPT-NeoX norms its stream a second time after attention, instead of keeping the first norm's result.

    Source: https://github.com/ggml-org/ci, logs of llama.cpp's builds on a V100
    """
    pythia_2_8b = {
        "model_type": "gpt_neox", "vocab_size": 50304, "hidden_size": 2560, "num_hidden_layers": 32,
        "num_attention_heads": 32, "intermediate_size": 10240, "use_parallel_residual": True,
    }  # fmt: skip
    engine = LlamaCpp(version="b4500", flash_attn=False)
    assert buffer_bytes(engine, read_config(pythia_2_8b), 2048) / MIB == pytest.approx(162, abs=0.006)
