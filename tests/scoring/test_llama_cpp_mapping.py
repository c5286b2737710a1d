"""Cases of llama.cpp and its kin become runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from genai_hwreq.catalog import get_model
from genai_hwreq.engines import IkLlamaCpp, LlamaCpp, Ollama
from genai_hwreq.formats import WeightFormat
from genai_hwreq.scoring.mapping._llama_cpp import ik_llama_cpp, llama_cpp, ollama
from genai_hwreq.scoring.settings import DeclinedError, Settings

if TYPE_CHECKING:
    from genai_hwreq.scoring.mapping import Run

LLAMA = get_model("llama-3.1-8b")


def case(**request: Any) -> Settings:
    """Make a request."""
    return Settings({"task": "generate", **request})


def test_a_run_on_a_device() -> None:
    """Settings keep their names; the device's memory is read."""
    run = llama_cpp(case(engine="llama.cpp", n_ctx=4096, n_gpu_layers=20, flash_attn=True, engine_version="2025-08"), LLAMA)
    assert run.engine == LlamaCpp(version="2025-08", n_ctx=4096, n_gpu_layers=20, flash_attn=True)
    assert (run.place, run.sized) == ("devices", True)


@pytest.mark.parametrize("request_", [{"device": "host", "n_gpu_layers": 999}, {"gpus": 0}, {"device": "cpu"}, {}])
def test_figures_of_the_host(request_: dict[str, Any]) -> None:
    """Without a device, or where the host was measured, the host's memory is read."""
    run = llama_cpp(case(engine="llama.cpp", weights="gguf-q8_0", **request_), LLAMA)
    assert (run.place, run.precision) == ("host", "gguf-q8_0")


def test_a_stated_mean() -> None:
    """A file whose mean is stated is counted by it."""
    run: Run = ik_llama_cpp(case(engine="ik_llama.cpp", weights="gguf-iq4_k", bits_per_weight=4.5, mla=2, fused_moe=True), LLAMA)
    assert isinstance(run.precision, WeightFormat)
    assert run.precision.bits_per_weight == 4.5
    assert run.engine == IkLlamaCpp(mla=2, fused_moe=True, use_device=False)


def test_ollama_with_a_type_of_cache() -> None:
    """Naming the cache's type takes fused attention."""
    run = ollama(case(engine="ollama", engine_version="0.2x + PR", n_ctx=4096, type_k="q4_0", type_v="q4_0"), LLAMA)
    assert run.engine == Ollama(version="2024-08", num_ctx=4096, kv_cache_type="q4_0", flash_attention=True)


def test_unknown_settings_are_declined() -> None:
    """A setting that is not modelled declines the case."""
    with pytest.raises(DeclinedError, match="draft"):
        llama_cpp(case(engine="llama.cpp", draft="x"), LLAMA)
