"""llama.cpp on several devices that work on one batch after another: every input is there four times."""

from __future__ import annotations

import pytest

from genai_hwreq.engines import IkLlamaCpp, LlamaCpp
from genai_hwreq.units import MIB
from llama_cpp_runs import on_device, on_host, run

OF_2025 = LlamaCpp(version="2025-02", n_ctx=8192, n_seq_max=4, flash_attn=False)
FORK = IkLlamaCpp(n_ctx=163840, n_ubatch=1024, mla=2, attn_max_batch=1024, flash_attn=False)


def buffers_mib(engine: LlamaCpp, n_devices: int, name: str = "deepseek-r1") -> list[float]:
    """Return the compute buffers of every device and, last, of the host."""
    memory = run(engine, name, context_tokens=engine.n_ctx or 2048, n_devices=n_devices)
    devices = [on_device(memory, "compute_buffer", index=index) for index in range(n_devices)]
    return [size / MIB for size in (*devices, on_host(memory, "compute_buffer"))]


@pytest.mark.parametrize(
    ("engine", "n_devices", "others", "last", "host"),
    [(OF_2025, 8, 2322.01, 2322.02, 78.02), (FORK, 15, 5088.02, 5088.03, 2588.05)],
)
def test_logged_buffers(engine: LlamaCpp, n_devices: int, others: float, last: float, host: float) -> None:
    """DeepSeek-R1 on eight MI250X halves and on fifteen RTX 3090 takes what the logs say, to the printed digit.

    Sources: Pawsey's guide to GenAI environments (April 2025), https://github.com/ikawrakow/ik_llama.cpp/pull/237
    """
    logged = [others] * (n_devices - 1) + [last, host]
    assert buffers_mib(engine, n_devices) == pytest.approx(logged, abs=0.006)


def test_one_device_keeps_each_input_once() -> None:
    """The host of one device holds a quarter of the inputs, and the embeddings as before."""
    embedded = 7168 * 512 * 4 / MIB
    one, eight = buffers_mib(OF_2025, 1)[-1], buffers_mib(OF_2025, 8)[-1]
    assert eight - embedded == pytest.approx(4 * (one - embedded))


@pytest.mark.parametrize(
    "engine",
    [
        LlamaCpp(n_ctx=8192, offload_kqv=False),
        LlamaCpp(n_ctx=8192, cpu_moe=True),
        LlamaCpp(n_ctx=8192, n_gpu_layers=10),
    ],
)
def test_no_pipeline_with_something_on_the_host(engine: LlamaCpp) -> None:
    """With caches, experts or layers on the host the devices wait for each other, and inputs are there once."""
    whole = LlamaCpp(n_ctx=8192)
    assert buffers_mib(engine, 2, "qwen3-30b-a3b")[-1] < buffers_mib(whole, 2, "qwen3-30b-a3b")[-1]
