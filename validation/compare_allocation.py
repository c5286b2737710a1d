"""Compare replayed allocations with the recorded ones of a file of cases, row by row.

Prints one JSON object a row (id, class, what, replayed and recorded bytes, relative error) and, to standard error,
the worst error of each model. A model is built once; each of its runs is replayed once.

Run: python validation/compare_allocation.py truth_alloc.jsonl --only llama > compared.jsonl
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import torch
from simulate_allocation import Simulation, Simulator

DTYPES = {"bf16": torch.bfloat16, "fp32": torch.float32, "fp16": torch.float16}

Key = tuple[str, str, str]
"""A built model: its facts as JSON, its type, its attention."""


def figure(run: Simulation, request: dict[str, Any], metric: str) -> int | None:
    """Pick the row's figure from a run."""
    stage = getattr(run, request.get("stage") or "prefill", None)
    if metric == "weights":
        return run.weights
    if stage is None:
        return None
    if metric == "kv_cache":
        return stage.kv
    return stage.peak if metric == "peak_allocated" else stage.activations(run.weights)


def read_rows(path: Path, only: str) -> list[dict[str, Any]]:
    """Read the rows about generation with transformers."""
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    return [
        row
        for row in rows
        if row["request"]["task"] == "generate"
        and row["request"]["engine"] == "transformers"
        and only in row["arch"]["model_type"]
    ]


def by_model(rows: list[dict[str, Any]]) -> dict[Key, list[dict[str, Any]]]:
    """Group rows by the model that must be built; a row without an attention joins the first that fits."""
    groups: dict[Key, list[dict[str, Any]]] = defaultdict(list)
    for row in sorted(rows, key=lambda row: not row["request"].get("attention")):
        facts, request = json.dumps(row["arch"]), row["request"]
        attention = request.get("attention")
        if attention is None:
            fitting = [key for key in groups if key[:2] == (facts, request["weights"])]
            attention = fitting[0][2] if fitting else "sdpa"
        groups[(facts, request["weights"], attention)].append(row)
    return groups


def compare(key: Key, rows: list[dict[str, Any]]) -> str:
    """Replay a model's rows, print each comparison, and return a summary."""
    facts = json.loads(key[0])
    if facts["model_type"] in ("mistral", "mixtral"):
        facts.setdefault("sliding_window", None)  # fields that were null are left out of the records
    sim = Simulator(facts, DTYPES[key[1]], key[2])
    sim.ledger.with_stack = False
    runs: dict[tuple[int, int, str, bool], Simulation] = {}
    worst: dict[str, float] = {}
    for row in rows:
        request, measured = row["request"], row["measured"]
        size = (
            request.get("batch", 1),
            request.get("prompt_tokens", 128),
            request.get("logits", "last"),
            request.get("padded", False),
        )
        if size not in runs:
            runs[size] = sim.run(*size, decode=size[1] < facts.get("max_seq_len", 1 << 40))
        replayed = figure(runs[size], request, measured["metric"])
        if replayed is None:
            continue
        what = f"{request['stage']}-{measured['metric']}"
        error = (replayed - measured["bytes"]) / measured["bytes"]
        worst[what] = max(worst.get(what, 0.0), error, key=abs)
        shown = {"id": row["id"], "type": facts["model_type"], "what": what}
        print(
            json.dumps({**shown, "replayed": replayed, "recorded": measured["bytes"], "error": error}),
            flush=True,
        )
    return " ".join(f"{what}:{100 * error:+.3f}%" for what, error in worst.items())


def main() -> None:
    """Compare all rows of a file; a model that cannot be built is named and skipped."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("cases", type=Path, help="JSON lines with `arch`, `request` and `measured`")
    parser.add_argument("--only", default="", help="part of a model_type, to compare fewer")
    args = parser.parse_args()
    for key, rows in by_model(read_rows(args.cases, args.only)).items():
        name, began = json.loads(key[0])["model_type"], time.time()
        try:
            summary = compare(key, rows)
        except Exception as error:  # noqa: BLE001  (one class that this version cannot build must not end the others)
            summary = f"failed: {error!r}"[:600]
        print(f"{name} {key[2]} {key[1]} {time.time() - began:.0f}s {summary}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
