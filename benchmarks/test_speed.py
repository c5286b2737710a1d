"""How long an import and an estimate take, held against `import attrs` so that it holds on any machine.

Run: pytest benchmarks --benchmark-only
"""

from __future__ import annotations

import subprocess
import sys
from statistics import median
from time import perf_counter
from typing import TYPE_CHECKING

import pytest

import genai_hwreq as hw

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_benchmark.fixture import BenchmarkFixture

IMPORT_ATTRS = "import attrs"
IMPORT_OURS = "import genai_hwreq"
FIRST_ESTIMATE = "import genai_hwreq as hw; hw.estimate_vram('llama-2-7b', precision='int4')"

ROUNDS = 20
LONGEST_WARM_ESTIMATE_S = 100e-6


def seconds(code: str) -> float:
    """Wall-clock time of a fresh interpreter that runs some code."""
    began = perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True)
    return perf_counter() - began


def import_seconds(code: str) -> float:
    """Time that some code takes inside a fresh interpreter."""
    timed = f"from time import perf_counter as t; s = t(); {code}; print(t() - s)"
    return float(
        subprocess.run([sys.executable, "-c", timed], check=True, capture_output=True, text=True).stdout
    )


def ratio(measure: Callable[[str], float], code: str) -> float:
    """How many times as long as `import attrs` some code takes, by medians of interleaved rounds."""
    pairs = [(measure(code), measure(IMPORT_ATTRS)) for _ in range(ROUNDS)]
    return median(ours for ours, _ in pairs) / median(theirs for _, theirs in pairs)


def test_import(benchmark: BenchmarkFixture) -> None:
    """Importing the package takes at most twice as long as importing attrs."""
    benchmark.pedantic(seconds, args=(IMPORT_OURS,), rounds=ROUNDS, warmup_rounds=1)
    found = benchmark.extra_info["ratio to import attrs"] = ratio(import_seconds, IMPORT_OURS)

    assert found <= 2


def test_first_estimate(benchmark: BenchmarkFixture) -> None:
    """A process that makes one estimate takes at most four times as long as one that imports attrs."""
    benchmark.pedantic(seconds, args=(FIRST_ESTIMATE,), rounds=ROUNDS, warmup_rounds=1)
    found = benchmark.extra_info["ratio to import attrs"] = ratio(seconds, FIRST_ESTIMATE)

    assert found <= 4


def test_warm_estimate_by_name(benchmark: BenchmarkFixture) -> None:
    """Once warm, an estimate by name takes at most a tenth of a millisecond."""
    benchmark(hw.estimate_vram, "llama-2-7b", precision="int4", batch_size=1, context_tokens=2048)

    assert benchmark.disabled or benchmark.stats.stats.median <= LONGEST_WARM_ESTIMATE_S


def test_warm_estimate_of_latent_experts(benchmark: BenchmarkFixture) -> None:
    """The same for 61 layers of experts with latent attention, and a context that was asked for before."""
    benchmark(hw.estimate_vram, "deepseek-v3", precision="fp8", context_tokens=8192)

    assert benchmark.disabled or benchmark.stats.stats.median <= LONGEST_WARM_ESTIMATE_S


@pytest.mark.parametrize(("engine", "precision"), [("llama.cpp", "q4_k_m"), ("vllm", "bf16")])
@pytest.mark.parametrize("model", ["llama-3.1-8b", "deepseek-v3"])
def test_warm_estimate_of_engine(
    benchmark: BenchmarkFixture, engine: str, precision: str, model: str
) -> None:
    """The same with other engines by name, with their default settings; no limit is set."""
    benchmark(hw.estimate_vram, model, engine=engine, precision=precision, context_tokens=8192)


def test_warm_estimate_of_new_context(benchmark: BenchmarkFixture) -> None:
    """The same for a context that was not asked for before."""
    contexts = iter(range(64, 10**9))
    benchmark(lambda: hw.estimate_vram("qwen3-30b-a3b", precision="int4", context_tokens=next(contexts)))


def test_recommendation_table(benchmark: BenchmarkFixture) -> None:
    """The whole table."""
    benchmark(hw.recommendation_table)
