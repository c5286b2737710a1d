"""Compare the replayed allocations with the recorded ones of a truth file, row by row."""

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


def figure(run: Simulation, request: dict[str, Any], metric: str) -> int | None:
    """Pick the row's figure from a run."""
    stage = getattr(run, request.get("stage") or "prefill", None)
    if metric == "weights":
        return run.weights
    if stage is None:
        return None
    if metric == "kv_cache":
        return stage.kv
    return stage.peak if metric == "peak_allocated" else stage.peak - run.weights - stage.kv


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("truth", type=Path)
    parser.add_argument("--only", default="")
    args = parser.parse_args()
    rows = [json.loads(line) for line in args.truth.read_text().splitlines()]
    rows = [
        r for r in rows if r["request"]["task"] == "generate" and r["request"]["engine"] == "transformers"
    ]
    rows = [r for r in rows if args.only in r["arch"]["model_type"]]
    groups: dict[tuple[Any, ...], list[Any]] = defaultdict(list)
    for r in rows:
        q = r["request"]
        if q.get("attention"):
            groups[(json.dumps(r["arch"]), q["weights"], q["attention"])].append(r)
    for r in rows:
        q = r["request"]
        if not q.get("attention"):
            keys = [k for k in groups if k[0] == json.dumps(r["arch"]) and k[1] == q["weights"]]
            groups[keys[0]].append(r)
    for (arch, weights, attention), members in groups.items():
        facts = json.loads(arch)
        if facts["model_type"] in ("mistral", "mixtral"):
            facts.setdefault("sliding_window", None)  # fields that were null are left out of the records
        began = time.time()
        try:
            sim = Simulator(facts, DTYPES[weights], attention)
            sim.ledger.with_stack = False
            runs: dict[tuple[Any, ...], Simulation] = {}
            worst: dict[str, tuple[float, str]] = {}
            for r in members:
                q, m = r["request"], r["measured"]
                run_key = (
                    q.get("batch", 1),
                    q.get("prompt_tokens", 128),
                    q.get("logits", "last"),
                    q.get("padded", False),
                )
                if run_key not in runs:
                    limit = facts.get("max_seq_len", 1 << 40)
                    runs[run_key] = sim.run(*run_key, decode=run_key[1] < limit)
                mine = figure(runs[run_key], q, m["metric"])
                label = f"{q['stage']}-{m['metric']}"
                err = (mine - m["bytes"]) / m["bytes"]
                print(
                    json.dumps(
                        {
                            "id": r["id"],
                            "type": facts["model_type"],
                            "what": label,
                            "mine": mine,
                            "truth": m["bytes"],
                            "err": err,
                        }
                    ),
                    flush=True,
                )
                if abs(err) >= abs(worst.get(label, (0.0, ""))[0]):
                    worst[label] = (err, r["id"])
            text = " ".join(f"{k}:{100 * v[0]:+.3f}%" for k, v in worst.items())
            print(
                f"{facts['model_type']} {attention} {weights} {runs[run_key].kernels} {time.time() - began:.0f}s {text}",
                file=sys.stderr,
                flush=True,
            )
        except Exception as error:
            print(f"FAILED {facts['model_type']} {attention}: {error!r}"[:600], file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
