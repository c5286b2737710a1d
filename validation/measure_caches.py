"""Measure the caches and recurrent states that transformers keeps, from its own cache objects, without a GPU.

The model reads a prompt of fake tensors; the storages that then hang on its cache object are counted. What does not
grow with the prompt is recurrent state, the rest is key/value cache. A storage of which only a part is still in use (a
sliding window cut out of the prompt's keys) counts in full, since all of it is held.

Run: python validation/measure_caches.py config.json --tokens 4096 --batch 2 --cases caches.jsonl
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import torch
import transformers
from simulate_allocation import Simulator, cache_storages
from writing_cases import DTYPE_NAMES, case, read_facts, write_cases

SHORT_TOKENS = 16
"""Prompts of this length and twice it lie inside any window: between them only key/value caches grow."""


class CacheMeter(Simulator):
    """A simulator that keeps the exact size of the cache of each prompt."""

    def cache_after(self, batch: int, tokens: int) -> int:
        """Return the bytes that hang on the cache once a prompt is read."""
        self.held = 0
        self.run(batch, tokens, decode=False)
        return self.held

    def step(self, *args: Any) -> Any:
        """Call the model, and look at the cache that it returns."""
        out = super().step(*args)
        cache = getattr(out, "past_key_values", None) or getattr(out, "cache_params", None)
        self.held = sum(cache_storages(cache))
        return out


def measured(facts: dict[str, Any], dtype: str, batch: int, tokens: int) -> list[dict[str, Any]]:
    """Return the cases of one configuration."""
    meter = CacheMeter(facts, getattr(torch, dtype))
    once, twice, asked = (meter.cache_after(batch, n) for n in (SHORT_TOKENS, 2 * SHORT_TOKENS, tokens))
    state = 2 * once - twice
    version, name = transformers.__version__, DTYPE_NAMES[dtype]
    request = {"task": "generate", "engine": "transformers", "engine_version": version, "weights": name}
    prompt = {"kv_cache": name, "batch": batch, "prompt_tokens": tokens, "stage": "prefill"}
    title = f"storages of the cache objects of transformers {version}, PyTorch {torch.__version__}"
    return [
        case(facts, {**request, **prompt}, "kv_cache", asked - state, title),
        case(facts, {**request, "batch": batch}, "recurrent_state", state, title),
    ]


def main() -> None:
    """Measure each configuration."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("configs", nargs="+", help="paths of config.json files, or JSON objects")
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--tokens", type=int, default=4096)
    parser.add_argument("--dtype", default="bfloat16", choices=DTYPE_NAMES)
    parser.add_argument("--cases", type=Path, help="file to add the cases to; absent: print them")
    args = parser.parse_args()
    for config in args.configs:
        write_cases(measured(read_facts(config), args.dtype, args.batch, args.tokens), args.cases)


if __name__ == "__main__":
    main()
