"""Write figures of the real programs as cases that `genai-hwreq score` reads.

The format is that of `docs/how-to/score-your-measurements.md`: one object a line.
"""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

DTYPE_NAMES = {"bfloat16": "bf16", "float16": "fp16", "float32": "fp32"}
"""PyTorch's names of types, and those of cases."""

FORM = ("dtype", "torch_dtype", "transformers_version")
"""Fields of a configuration that are no part of the architecture."""


def read_facts(text: str) -> dict[str, Any]:
    """Read a configuration: a JSON object as it stands, or the path of a `config.json`."""
    facts = json.loads(text if text.lstrip().startswith("{") else Path(text).read_text("utf-8"))
    return {key: value for key, value in facts.items() if key not in FORM}


def name_of(facts: dict[str, Any]) -> str:
    """Name a model by its own name, or else by its kind and size."""
    kind = facts.get("model_type") or facts.get("_class_name") or "model"
    width, layers = facts.get("hidden_size"), facts.get("num_hidden_layers")
    return str(facts.get("_name_or_path") or "-".join(str(part) for part in (kind, width, layers) if part))


def case(
    facts: dict[str, Any],
    request: dict[str, Any],
    metric: str,
    figure: int,
    title: str,
    *,
    kind: str = "simulation",
    rounding_bytes: int = 0,
    scope: str = "device",
) -> dict[str, Any]:
    """Return a case; its name is put together from what distinguishes it."""
    model = name_of(facts)
    parts = [str(v) for k, v in request.items() if k not in ("task", "engine", "engine_version", "gpu")]
    measured = {
        "metric": metric,
        "count" if metric == "params" else "bytes": figure,
        "rounding_bytes": rounding_bytes,
        "scope": scope,
        "relation": "eq",
    }
    return {
        "id": "-".join([request["engine"], model, *parts, metric]).lower().replace("/", "--"),
        "source": {"url": "", "title": title, "kind": kind, "date": f"{date.today():%Y-%m}"},
        "model": model,
        "arch": facts,
        "request": request,
        "measured": measured,
        "score": True,
    }


def write_cases(cases: list[dict[str, Any]], path: Path | None) -> None:
    """Add cases to a file, or print them where none is named; a figure of nothing is no case."""
    lines = [json.dumps(one) for one in cases if one["measured"].get("bytes", 1) > 0]
    if path is None:
        print("\n".join(lines))
        return
    with path.open("a", encoding="utf-8") as file:
        file.writelines(f"{line}\n" for line in lines)
