"""Formulas of other tools, as they publish them, beside ours on the same measured cases of text generation.

Re-implemented from what each states, read in August 2026; the tools themselves are not run:

- accelerate `estimate-memory` with EleutherAI's rule, https://blog.eleuther.ai/transformer-math/: parameters in their
  type, and a fifth more for everything else.
- gpu_poor, https://github.com/RahulSChand/gpu_poor: every part has a formula of hidden size, layers and heads.
- llmfit, https://github.com/AlexsJones/llmfit: bytes a parameter from a table, grouped-query cache, half a gigabyte.
- hf-mem, https://github.com/alvarobartt/hf-mem: stored bytes from the file's header, and the cache.

Each tool gets the reading that suits it best: its weights are held against weights, its cache against caches, both with
its working memory against `peak_allocated`, and with its overhead against `process`. A tool is asked only where it has
an entry for the weight format and a formula for the architecture, and for runs on one device. Ours is scored on
the very cases that a tool answers.

Run: python benchmarks/peers.py inference.jsonl
"""

from __future__ import annotations

import sys
from itertools import product
from typing import TYPE_CHECKING

from attrs import frozen

from genai_hwreq.errors import HwReqError
from genai_hwreq.models import Attention, Dense, TransformerModel, model_inventory
from genai_hwreq.scoring.cases import read_cases
from genai_hwreq.scoring.predicting import Predictor, find_model
from genai_hwreq.scoring.statistics import case_weights, relative_error, weighted_quantile

if TYPE_CHECKING:
    from collections.abc import Callable

    from genai_hwreq.models import Model
    from genai_hwreq.scoring.cases import Case

METRICS = ("weights", "kv_cache", "peak_allocated", "process")
MEGABYTE = 10**6


@frozen(kw_only=True)
class Asked:
    """What the formulas take: their usual symbols by name."""

    n_params: int
    hidden: int
    layers: int
    heads: int
    kv_heads: int
    head_dim: int
    full_layers: int
    windows: tuple[int, ...]
    inner: int | None
    """Width of the feed-forward network; `None` for a mixture of experts."""

    vocabulary: int
    weights: str
    tokens: int
    batch: int


@frozen
class Parts:
    """A tool's answer."""

    weights: float
    cache: float | None = None
    working: float = 0
    overhead: float = 0

    def of(self, metric: str) -> float | None:
        """Return what the tool says of a metric."""
        if metric == "weights":
            return self.weights
        if metric == "kv_cache":
            return self.cache
        allocated = self.weights + (self.cache or 0) + self.working
        return allocated + (self.overhead if metric == "process" else 0)


def width_of(table: dict[str, float], name: str) -> float | None:
    """Return a table's entry for a weight format; group sizes are all one to these tools."""
    return next((table[key] for key in (name, name.rpartition("-g")[0]) if key in table), None)


ACCELERATE = {
    "fp32": 4, "fp16": 2, "bf16": 2, "int8": 1, "bnb-int8": 1, "gptq-int8": 1, "int4": 0.5, "bnb-nf4": 0.5,
    "bnb-fp4": 0.5, "gptq-int4": 0.5, "awq-int4": 0.5,
}  # fmt: skip


def accelerate(asked: Asked) -> Parts | None:
    """Parameters in their type; a fifth more to run."""
    width = width_of(ACCELERATE, asked.weights)
    return None if width is None else Parts(width * asked.n_params, None, 0.2 * width * asked.n_params)


GPU_POOR = {
    "fp16": 2, "bf16": 2, "bnb-int8": 1.12, "bnb-nf4": 0.62, "bnb-fp4": 0.62, "gguf-q4_0": 18 / 32,
    "gguf-q4_1": 20 / 32, "gguf-q5_0": 22 / 32, "gguf-q5_1": 24 / 32, "gguf-q8_0": 34 / 32, "gguf-q6_k": 54 / 64,
}  # fmt: skip
"""Bytes a parameter; bitsandbytes with 6 % of the 16-bit size on top."""


def gpu_poor(asked: Asked) -> Parts | None:
    """Every part by hidden size, layers and heads; grouped queries and experts are not known to it."""
    width = width_of(GPU_POOR, asked.weights)
    if width is None or asked.inner is None:
        return None
    in_ggml = asked.weights.startswith("gguf")
    hidden, layers, tokens, batch = asked.hidden, asked.layers, asked.tokens, asked.batch
    n_params = 2 * asked.vocabulary * hidden + layers * (4 * hidden**2 + 3 * hidden * asked.inner)
    cache = (4 if in_ggml else 8) * hidden * layers * tokens * batch
    working = batch * (10 * tokens * hidden + 2 * asked.heads * tokens**2)
    overhead = 650 * MEGABYTE + (0.1 * MEGABYTE * tokens if in_ggml else 0)
    return Parts(width * n_params, cache, working, overhead)


LLMFIT = {
    "fp32": 4, "fp16": 2, "bf16": 2, "gguf-f16": 2, "gguf-bf16": 2, "gguf-q8_0": 1.05, "gguf-q6_k": 0.8,
    "gguf-q5_k_m": 0.68, "gguf-q4_k_m": 0.58, "gguf-q4_0": 0.58, "gguf-q3_k_m": 0.48, "gguf-q2_k": 0.37,
    "mlx-4bit": 0.55, "mlx-8bit": 1, "awq-int4": 0.5, "gptq-int4": 0.5, "gptq-int8": 1,
}  # fmt: skip


def llmfit(asked: Asked) -> Parts | None:
    """Bytes a parameter from a table, a cache of 16-bit keys and values, half a gigabyte; one sequence."""
    width = width_of(LLMFIT, asked.weights)
    if width is None or asked.batch > 1:
        return None
    cache = 2 * asked.layers * asked.kv_heads * asked.head_dim * 2 * asked.tokens
    return Parts(width * asked.n_params, cache, 0, 500 * MEGABYTE)


HF_MEM = {
    "fp32": 4, "fp16": 2, "bf16": 2, "gguf-f16": 2, "gguf-bf16": 2, "gguf-q6_k": 6.5625 / 8, "gguf-q8_0": 8.5 / 8,
}  # fmt: skip
"""Only files of one type: of others it sums each tensor's own, which a table of formats cannot do for it."""


def hf_mem(asked: Asked) -> Parts | None:
    """Stored bytes, and the cache of whole and sliding layers; nothing else."""
    width = width_of(HF_MEM, asked.weights)
    if width is None:
        return None
    in_gguf = asked.weights.startswith("gguf")
    seen = sum(min(window, asked.tokens) for window in asked.windows) + asked.full_layers * asked.tokens
    row = asked.kv_heads * (asked.hidden // asked.heads if in_gguf else asked.head_dim)
    tokens = asked.layers * asked.tokens if in_gguf else seen * asked.batch
    return Parts(width * asked.n_params, 2 * row * tokens * 2)


PEERS: dict[str, Callable[[Asked], Parts | None]] = {
    "accelerate × 1.2": accelerate,
    "gpu_poor": gpu_poor,
    "llmfit": llmfit,
    "hf-mem": hf_mem,
}


def asked_of(case: Case, model: Model) -> Asked | None:
    """Return what the formulas take; `None` where the case is none of theirs."""
    request = case.request
    spread = [request.get(key, 1) for key in ("gpus", "tensor_parallel", "pipeline_parallel")]
    whole = request.get("offload", "none") == "none" and request.get("n_gpu_layers", 999) >= 99
    if not isinstance(model, TransformerModel) or model.towers or spread != [1, 1, 1] or not whole:
        return None
    layers = [run.layer for run in model.decoder.layers for _ in range(run.n_layers)]
    mixers = [layer.mixers[0] for layer in layers if layer.mixers]
    if request.get("device") == "host" or not all(isinstance(mixer, Attention) for mixer in mixers):
        return None
    attention = [mixer for mixer in mixers if isinstance(mixer, Attention)]
    feed_forward = layers[0].feed_forward[0] if layers[0].feed_forward else None
    windows = tuple(mixer.window_tokens for mixer in attention if mixer.window_tokens is not None)
    prompt = request.get("prompt_tokens", 0) + request.get("new_tokens", 0)
    return Asked(
        n_params=model_inventory(model).n_params,
        hidden=model.decoder.hidden_dim,
        layers=len(layers),
        heads=attention[0].n_heads,
        kv_heads=attention[0].n_kv_heads,
        head_dim=attention[0].head_dim,
        full_layers=len(attention) - len(windows),
        windows=windows,
        inner=feed_forward.intermediate_dim if isinstance(feed_forward, Dense) else None,
        vocabulary=model.decoder.vocab_size,
        weights=request.get("weights", ""),
        tokens=request.get("kv_tokens") or prompt or request.get("context") or request.get("n_ctx") or 0,
        batch=1 if request.get("kv_tokens") else request.get("batch", 1),
    )


@frozen
class Pair:
    """A case with a tool's error and ours."""

    source: str
    theirs: float
    ours: float


def pairs_of(cases: tuple[Case, ...]) -> dict[tuple[str, str], list[Pair]]:
    """Return what can be compared, by metric and tool."""
    found: dict[tuple[str, str], list[Pair]] = {key: [] for key in product(METRICS, PEERS)}
    predictor = Predictor()
    for case in cases:
        measured = case.measured
        comparable = measured.metric in METRICS and measured.relation == "eq"
        if not case.scored or case.task != "generate" or not comparable:
            continue
        try:
            ours, asked = predictor.predict(case).likely, asked_of(case, find_model(case))
        except HwReqError:
            continue
        if asked is None or (measured.metric != "weights" and not asked.tokens):
            continue
        for name, peer in PEERS.items():
            parts = peer(asked)
            theirs = parts.of(measured.metric) if parts else None
            if theirs is not None:
                off = [relative_error(round(p), measured.value, measured.rounding) for p in (theirs, ours)]
                found[measured.metric, name].append(Pair(case.source, *map(abs, off)))
    return found


def main() -> None:
    """Print the comparison as a Markdown table."""
    print("| what was measured | tool | figures | error, median | 90 % within | ours, median | 90 % within |")
    print("| --- | --- | ---: | ---: | ---: | ---: | ---: |")
    cases = tuple(case for path in sys.argv[1:] for case in read_cases(path))
    for (metric, name), pairs in pairs_of(cases).items():
        if pairs:
            weights = case_weights([pair.source for pair in pairs])
            figures = [
                f"{100 * weighted_quantile([getattr(pair, side) for pair in pairs], weights, fraction):.1f} %"
                for side, fraction in product(("theirs", "ours"), (0.5, 0.9))
            ]
            print(f"| `{metric}` | {name} | {len(pairs)} | {' | '.join(figures)} |")


if __name__ == "__main__":
    main()
