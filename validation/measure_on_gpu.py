"""Measure transformers on a CUDA device, with random weights at real sizes: nothing is downloaded.

The model is built on the device from a configuration. After a first short pass, which makes the kernels load and
cuBLAS take its workspace, a prompt is read and one token is decoded. Of each stage the allocator's peak, what it
reserved and what the cache object holds are written down, and after the decoding what the driver counts. The device
should be free of other processes: their memory is subtracted, but it must not change meanwhile.

Run: python validation/measure_on_gpu.py config.json --batch 1 --tokens 2048 --cases measured.jsonl
"""

from __future__ import annotations

import argparse
import inspect
import subprocess
import sys
from pathlib import Path
from typing import Any

import torch
from simulate_allocation import config_of
from writing_cases import DTYPE_NAMES, case, read_facts, write_cases

MIB = 2**20
ATTENTIONS = {"eager": "eager", "sdpa": "sdpa", "flash": "flash_attention_2"}
WARM_UP_TOKENS = 64
"""Prompts of this length and twice it warm up, and tell what of a cache grows."""


def used_by_driver() -> int:
    """Return the memory of the first device that the driver's tool counts as used."""
    query = ["nvidia-smi", "--query-gpu=memory.used", "--format=csv,noheader,nounits", "--id=0"]
    return int(subprocess.run(query, check=True, capture_output=True, text=True).stdout.split()[0]) * MIB


def build(facts: dict[str, Any], dtype: torch.dtype, attention: str) -> Any:
    """Build the model on the device, its weights random."""
    from transformers import AutoModelForCausalLM

    config = config_of(facts)
    with torch.device("cuda"):
        model = AutoModelForCausalLM.from_config(config, dtype=dtype, attn_implementation=attention)
    return model.eval()


def cache_bytes(value: Any) -> int:
    """Sum the storages of the device that hang on a cache object, each once."""
    seen: dict[int, int] = {}

    def visit(item: Any, depth: int = 0) -> None:
        if isinstance(item, torch.Tensor):
            if item.is_cuda:
                seen[item.untyped_storage().data_ptr()] = -(-item.untyped_storage().nbytes() // 512) * 512
        elif isinstance(item, (list, tuple)):
            for part in item:
                visit(part, depth + 1)
        elif isinstance(item, dict):
            visit(list(item.values()), depth + 1)
        elif hasattr(item, "__dict__") and depth < 5 and type(item).__module__.startswith("transformers"):
            visit([part for name, part in vars(item).items() if name != "config"], depth + 1)

    visit(value)
    return sum(seen.values())


def step(model: Any, ids: torch.Tensor, cache: Any) -> tuple[dict[str, int], Any]:
    """Run a pass, and return its figures and the cache."""
    torch.cuda.synchronize()
    torch.cuda.reset_peak_memory_stats()
    names = inspect.signature(model.forward).parameters
    given: dict[str, Any] = {"logits_to_keep": 1} if "logits_to_keep" in names else {}
    if cache is not None:
        given["cache_params" if "cache_params" in names else "past_key_values"] = cache
    out = model(input_ids=ids, use_cache=True, **given)
    torch.cuda.synchronize()
    cache = getattr(out, "past_key_values", None) or getattr(out, "cache_params", None)
    figures = {
        "peak_allocated": torch.cuda.max_memory_allocated(),
        "peak_reserved": torch.cuda.max_memory_reserved(),
        "kv_cache": cache_bytes(cache),
    }
    return figures, cache


def zeros(batch: int, tokens: int) -> torch.Tensor:
    """Return a prompt: which tokens it holds does not matter."""
    return torch.zeros(batch, tokens, dtype=torch.int64, device="cuda")


@torch.no_grad()
def measured(args: argparse.Namespace) -> list[dict[str, Any]]:
    """Return the cases of one configuration."""
    import transformers

    others = used_by_driver()
    facts, name = read_facts(args.config), DTYPE_NAMES[args.dtype]
    model = build(facts, getattr(torch, args.dtype), ATTENTIONS[args.attention])
    torch.cuda.synchronize()
    weights = torch.cuda.memory_allocated()
    once, twice = (step(model, zeros(args.batch, n), None)[0] for n in (WARM_UP_TOKENS, 2 * WARM_UP_TOKENS))
    state = 2 * once["kv_cache"] - twice["kv_cache"]
    torch.cuda.empty_cache()

    ids = zeros(args.batch, args.tokens)
    prefill, cache = step(model, ids, None)
    decode, cache = step(model, ids[:, -1:].contiguous(), cache)
    process = used_by_driver() - others
    for figures in (prefill, decode):
        figures["kv_cache"] -= state
        figures["recurrent_state"] = state

    version = transformers.__version__
    gpu = torch.cuda.get_device_name(0).removeprefix("NVIDIA ")
    title = f"own measurement, transformers {version}, PyTorch {torch.__version__}"
    shared = {
        "task": "generate",
        "engine": "transformers",
        "engine_version": version,
        "gpu": gpu,
        "weights": name,
    }
    asked = {
        **shared, "kv_cache": name, "attention": args.attention, "logits": "last", "batch": args.batch,
        "prompt_tokens": args.tokens,
    }  # fmt: skip
    stages = {"prefill": prefill, "decode": decode}
    found = [
        case(facts, {**shared, "stage": "load"}, "weights", weights, title, kind="log", rounding_bytes=512)
    ]
    for stage, figures in stages.items():
        request = {**asked, "stage": stage} | ({"new_tokens": 1} if stage == "decode" else {})
        found += [
            case(facts, request, metric, figure, title, kind="log", rounding_bytes=512)
            for metric, figure in figures.items()
        ]
    whole = {**asked, "new_tokens": 1}
    return [*found, case(facts, whole, "process", process, title, kind="log", rounding_bytes=MIB)]


def main() -> None:
    """Measure one configuration, or say why not."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("config", help="path of a config.json, or a JSON object")
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--tokens", type=int, default=2048)
    parser.add_argument("--attention", default="sdpa", choices=ATTENTIONS)
    parser.add_argument("--dtype", default="bfloat16", choices=DTYPE_NAMES)
    parser.add_argument("--cases", type=Path, help="file to add the cases to; absent: print them")
    args = parser.parse_args()
    if not torch.cuda.is_available():
        sys.exit("There is no CUDA device here. simulate_allocation.py replays the same run without one.")
    write_cases(measured(args), args.cases)


if __name__ == "__main__":
    main()
