"""llama.cpp with layers or caches on the host: what the device computes for them is copied over, and sized for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from genai_hwreq.catalog import get_format
from genai_hwreq.engines import LlamaCpp
from genai_hwreq.engines._gguf_tensors import stored_tensors
from genai_hwreq.engines._llama_cpp_homes import homes_of
from genai_hwreq.engines._llama_cpp_weights import offload_of
from llama_cpp_runs import model, on_device, on_host, run

if TYPE_CHECKING:
    from genai_hwreq.engines._protocol import Memory

ROUNDING = 5243
"""Older versions print MiB with two digits."""

OLDER, RECENT = "2025-08", "2026-10"


def held(engine: LlamaCpp, name: str, precision: str = "q4_k_m") -> Memory:
    """Return a run's memory for as many tokens as its cache holds."""
    return run(engine, name, get_format(precision), context_tokens=engine.n_ctx or 2048)


def device_buffer(engine: LlamaCpp, name: str, precision: str = "q4_k_m") -> int:
    """Return the device's compute buffer."""
    return on_device(held(engine, name, precision), "compute_buffer")


@pytest.mark.parametrize(
    ("expected", "name", "precision", "version", "n_gpu_layers", "n_ctx", "n_ubatch", "cache"),
    [
        (423635190, "llama-2-7b", "q4_k_m", OLDER, 16, 8192, 2048, "f16"),
        (447791104, "llama-2-7b", "q4_k_m", RECENT, 16, 8192, 2048, "f16"),
        (447750144, "llama-2-7b", "q4_k_m", RECENT, 24, 8192, 2048, "f16"),
        (1141322547, "llama-3.1-70b", "q4_k_m", OLDER, 40, 32768, 512, "q8_0"),
        (423431424, "llama-3.1-70b", "q4_k_m", RECENT, 40, 32768, 512, "q8_0"),
        (321912832, "qwen2.5-32b", "q4_k_m", RECENT, 16, 8192, 512, "f16"),
        (506986496, "mixtral-8x7b-v0.1", "q4_k_m", OLDER, 24, 8192, 512, "f16"),
        (911220736, "mixtral-8x7b-v0.1", "q4_k_m", RECENT, 16, 8192, 2048, "f16"),
        (583601152, "mixtral-8x7b-v0.1", "q4_k_m", RECENT, 24, 32768, 512, "q8_0"),
        (361771520, "qwen3-30b-a3b", "q4_k_m", RECENT, 12, 8192, 512, "f16"),
        (1278214144, "qwen3-30b-a3b", "q4_k_m", RECENT, 24, 8192, 2048, "f16"),
        (2310159729, "gpt-oss-20b", "mxfp4_moe", OLDER, 18, 8192, 2048, "f16"),
        (424085504, "gpt-oss-20b", "mxfp4_moe", RECENT, 12, 8192, 512, "f16"),
        (424136704, "gpt-oss-20b", "mxfp4_moe", RECENT, 18, 32768, 512, "q8_0"),
    ],
)
def test_buffers_with_layers_on_the_host(
    expected: int, name: str, precision: str, version: str, n_gpu_layers: int, n_ctx: int, n_ubatch: int, cache: str
) -> None:
    """With some layers on the host the device's buffer is as large as the program said, to the byte or printed digit."""
    engine = LlamaCpp(
        version=version, n_gpu_layers=n_gpu_layers, n_ctx=n_ctx, n_ubatch=n_ubatch, flash_attn=True,
        type_k=cache, type_v=cache, n_outputs_max=2048,
    )  # fmt: skip
    found = device_buffer(engine, name, precision)
    assert found == pytest.approx(expected, abs=0 if version == RECENT else ROUNDING)


@pytest.mark.parametrize(
    ("expected", "name", "version", "n_gpu_layers"),
    [
        (714080256, "llama-2-7b", OLDER, 24),
        (960579502, "qwen2.5-32b", OLDER, 16),
        (752900096, "qwen2.5-32b", RECENT, 48),
        (1174407424, "llama-3.1-70b", RECENT, 20),
    ],
)
def test_unfused_attention_reads_copies_too(expected: int, name: str, version: str, n_gpu_layers: int) -> None:
    """Without fused attention keys and values of the host's layers are copied over as well."""
    engine = LlamaCpp(version=version, n_gpu_layers=n_gpu_layers, n_ctx=8192, flash_attn=False, n_outputs_max=2048)
    assert device_buffer(engine, name) == pytest.approx(expected, abs=0 if version == RECENT else ROUNDING)


@pytest.mark.parametrize(
    ("expected", "name", "precision", "version", "n_gpu_layers"),
    [
        (176162816, "llama-2-7b", "q4_k_m", RECENT, 33),
        (361496576, "qwen3-30b-a3b", "q4_k_m", RECENT, 36),
        (423624704, "gpt-oss-20b", "mxfp4_moe", RECENT, 24),
        (251658240, "mixtral-8x7b-v0.1", "q4_k_m", OLDER, 33),
        (1141322547, "llama-3.1-70b", "q4_k_m", OLDER, 20),
    ],
)
def test_buffers_with_caches_on_the_host(
    expected: int, name: str, precision: str, version: str, n_gpu_layers: int
) -> None:
    """Without `offload_kqv` a layer's whole cache is copied over for its attention."""
    engine = LlamaCpp(
        version=version, n_gpu_layers=n_gpu_layers, n_ctx=8192, flash_attn=True, offload_kqv=False, n_outputs_max=2048
    )
    found = device_buffer(engine, name, precision)
    assert found == pytest.approx(expected, abs=0 if version == RECENT else ROUNDING)


@pytest.mark.parametrize(
    ("expected", "name", "version", "flash_attn", "offload_kqv"),
    [
        (33564918, "llama-2-7b", OLDER, True, True),
        (58730496, "llama-2-7b", RECENT, False, True),
        (25180160, "mixtral-8x7b-v0.1", RECENT, True, False),
    ],
)
def test_the_host_copies_what_it_stores(
    expected: int, name: str, version: str, flash_attn: bool, offload_kqv: bool
) -> None:
    """The host's buffer holds keys and values on their way into the caches that are kept there."""
    engine = LlamaCpp(
        version=version, n_gpu_layers=8, n_ctx=8192, flash_attn=flash_attn, offload_kqv=offload_kqv, n_outputs_max=2048
    )
    assert on_host(held(engine, name), "compute_buffer") == pytest.approx(expected, abs=0 if version == RECENT else ROUNDING)


@pytest.mark.parametrize("flash_attn", [True, False])
@pytest.mark.parametrize("version", ["2024-11", OLDER, RECENT])
@pytest.mark.parametrize(
    "name",
    ["deepseek-v3", "deepseek-v2-lite", "granite-4.0-h-tiny", "mamba-2.8b", "qwen3-next-80b-a3b-instruct",
     "gemma-3-1b-it", "phi-3-mini-4k-instruct", "gpt2", "llama-3.1-8b"],
)  # fmt: skip
def test_the_largest_matrix_finds_room(name: str, version: str, flash_attn: bool) -> None:
    """Whatever the layers are made of, the buffer holds the largest matrix that is copied over."""
    asked = model(name)
    tensors = stored_tensors(asked.decoder, asked.context_tokens, get_format("q4_k_m"))
    largest = max(part.n_bytes for part in tensors if part.place == "layer" and part.layer == 0)
    engine = LlamaCpp(version=version, n_gpu_layers=1, n_ctx=1024, flash_attn=flash_attn)
    assert device_buffer(engine, name) > largest


@pytest.mark.parametrize("name", ["deepseek-v3", "qwen3-30b-a3b", "mixtral-8x7b-v0.1"])
def test_matrices_follow_one_another_in_one_place(name: str) -> None:
    """Experts on the host add at most the largest of their matrices: each makes place for the next."""
    asked = model(name)
    tensors = stored_tensors(asked.decoder, asked.context_tokens, get_format("q4_k_m"))
    largest = max(part.n_bytes for part in tensors if part.stacked)
    whole, without = (device_buffer(LlamaCpp(n_ctx=8192, cpu_moe=cpu_moe), name) for cpu_moe in (False, True))
    assert whole <= without <= whole + largest


@pytest.mark.parametrize(
    ("name", "precision", "whole", "halves"),
    [
        ("phi-3-mini-4k-instruct", "q8_0", "ffn_gate_up", ("ffn_gate", "ffn_up")),
        ("gpt-oss-20b", "mxfp4_moe", "expert_gate_up", ("expert_gate", "expert_up")),
    ],
)
def test_gate_and_up_are_read_together_or_by_halves(
    name: str, precision: str, whole: str, halves: tuple[str, str]
) -> None:
    """Where gate and up are one matrix of the checkpoint, each is half of it."""
    asked = model(name)
    offload = offload_of(asked.decoder.n_layers, 0, (1,), "2026")
    homes = homes_of(
        asked.decoder, asked.context_tokens, get_format(precision), offload, cpu_moe=False, offload_kqv=True
    )
    assert homes is not None
    sizes = dict[str, int](homes.layers[0].matrices)
    assert [2 * sizes[half] for half in halves] == [sizes[whole]] * 2
