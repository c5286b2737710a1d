"""Replay the tensor allocations of a transformers decoder on fake CUDA tensors, without a GPU.

Every tensor that the framework's own code creates is counted with PyTorch's 512-byte rounding and dropped when
its storage dies, so the peak and the list of tensors alive at the peak come from the code that really runs.
Fused attention is replaced by what its CUDA kernel allocates, chosen as `sdp_utils.cpp` chooses on an A100.

Run: python validation/simulate_allocation.py '{"model_type": "llama", ...}' --batch 1 --tokens 512
"""

from __future__ import annotations

import argparse
import ctypes
import functools
import inspect
import subprocess
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from allocation_ledger import Ledger, Live, Recorder, rounded
from fused_attention import Attention
from torch._subclasses.fake_tensor import FakeTensorMode
from writing_cases import DTYPE_NAMES, case, read_facts, write_cases

SHORT_TOKENS = 64
"""Prompts of this length and twice it tell what of a cache grows."""


@dataclass
class Stage:
    """Peak of one stage."""

    peak: int
    """Bytes alive at the peak, weights and caches included."""

    kv: int
    """Bytes of the cache when the stage is over."""

    at_peak: list[Live]
    """Tensors alive at the peak, without the weights."""

    moments: dict[str, tuple[int, list[Live]]] = field(default_factory=dict)
    """For each module class, the highest figure while it was at work, and the tensors alive then."""

    def activations(self, weights: int) -> int:
        """Return the working memory: the peak without weights and final cache."""
        return self.peak - weights - self.kv


@dataclass
class Simulation:
    """Everything one model's run shows."""

    weights: int
    """Bytes of parameters and buffers."""

    prefill: Stage | None = None
    """Reading the prompt."""

    decode: Stage | None = None
    """The first step after it."""

    kernels: dict[str, int] = field(default_factory=dict)
    """Calls of fused attention, by the kernel that CUDA would choose."""


def config_of(arch: dict[str, Any]) -> Any:
    """Build a config object from facts spelled as in a Hub config.json."""
    from transformers import AutoConfig

    facts = {k: v for k, v in arch.items() if k not in ("model_type", "n_params")}
    return AutoConfig.for_model(arch["model_type"], **facts)


class Simulator:
    """A model built once, of which runs are replayed."""

    def __init__(
        self, arch: dict[str, Any], dtype: torch.dtype = torch.bfloat16, attention: str = "sdpa"
    ) -> None:
        from transformers import AutoModelForCausalLM

        patch_for_fake_cuda()
        self.mode = FakeTensorMode(allow_non_fake_inputs=True)
        self.ledger = Ledger()
        self.config = config_of(arch)
        quiet = Ledger(with_stack=False)
        with self.mode, torch.device("cuda"), torch.no_grad(), Attention(), Recorder(quiet):
            self.model = AutoModelForCausalLM.from_config(
                self.config, dtype=dtype, attn_implementation=attention
            )
        self.model.eval()
        self.config = self.model.config
        for tensor in [*self.model.parameters(), *self.model.buffers()]:
            self.ledger.add(tensor, "weight")
        self.weights = self.ledger.current

    def run(
        self, batch: int, tokens: int, logits: str = "last", padded: bool = False, decode: bool = True
    ) -> Simulation:
        """Replay a prompt, and one step after it, as `generate` runs them."""
        result = Simulation(self.weights)
        attention = Attention()
        with self.mode, torch.no_grad(), torch.device("cuda"), attention, Recorder(self.ledger):
            ids = torch.empty(batch, tokens, dtype=torch.int64)
            mask = torch.empty(batch, tokens, dtype=torch.int64) if padded else None
            cache: Any = None
            self.ledger.reset_peak()
            out = self.step(ids, mask, cache, logits)
            result.kernels = dict(attention.kernels)
            cache = getattr(out, "past_key_values", None) or getattr(out, "cache_params", None) or cache
            kv = cache_bytes(cache)
            result.prefill = Stage(self.ledger.peak, kv, self.ledger.at_peak, self.ledger.moments)
            del out
            # As in generate: prompt ids stay, the mask is replaced by one that is a token longer.
            if decode:
                next_id = ids[:, -1:].contiguous()
                mask = torch.empty(batch, tokens + 1, dtype=torch.int64) if padded else None
                self.ledger.reset_peak()
                out = self.step(next_id, mask, cache, logits)
                result.decode = Stage(
                    self.ledger.peak, cache_bytes(cache), self.ledger.at_peak, self.ledger.moments
                )
                del out
            del cache
        return result

    def state_bytes(self, batch: int) -> int:
        """Return the part of a cache that does not grow with the prompt: recurrent states."""
        short, double = (self.run(batch, n, decode=False).prefill for n in (SHORT_TOKENS, 2 * SHORT_TOKENS))
        return 2 * short.kv - double.kv

    def step(self, ids: torch.Tensor, mask: torch.Tensor | None, cache: Any, logits: str) -> Any:
        """Call the model once, with the arguments its class takes."""
        names = inspect.signature(self.model.forward).parameters
        extra: dict[str, Any] = {}
        if logits == "last" and "logits_to_keep" in names:
            extra["logits_to_keep"] = 1
        if cache is not None:
            extra["cache_params" if "cache_params" in names else "past_key_values"] = cache
        return self.model(input_ids=ids, attention_mask=mask, use_cache=True, **extra)


def cache_bytes(cache: Any) -> int:
    """Sum the storages that hang on a cache object, as the allocator hands them out."""
    return sum(rounded(n_bytes) for n_bytes in cache_storages(cache))


def cache_storages(cache: Any) -> list[int]:
    """Return the bytes of the storages that hang on a cache object, each once."""
    seen: dict[int, int] = {}

    def visit(value: Any, depth: int) -> None:
        if isinstance(value, torch.Tensor):
            if value.device.type == "cuda":
                storage = value.untyped_storage()
                seen[storage._cdata] = storage.nbytes()
        elif isinstance(value, dict):
            for item in value.values():
                visit(item, depth + 1)
        elif isinstance(value, (list, tuple)):
            for item in value:
                visit(item, depth + 1)
        elif hasattr(value, "__dict__") and depth < 5 and type(value).__module__.startswith("transformers"):
            visit({k: v for k, v in vars(value).items() if k != "config"}, depth + 1)

    visit(cache, 0)
    return list(seen.values())


DEVICE_GUARD = """#include <c10/core/impl/DeviceGuardImplInterface.h>
static c10::impl::DeviceGuardImplRegistrar registrar(
    c10::DeviceType::CUDA, new c10::impl::NoOpDeviceGuardImpl<c10::DeviceType::CUDA>());
"""


@functools.cache
def patch_for_fake_cuda() -> None:
    """Register a device guard that does nothing and answer what transformers asks about the device.

    A PyTorch built without CUDA has no guard for the device type, and indexing or copying a fake CUDA tensor
    would fail for want of it.
    """
    folder = Path(tempfile.mkdtemp())
    source, library = folder / "guard.cpp", folder / "guard.so"
    source.write_text(DEVICE_GUARD)
    root = Path(torch.__file__).parent
    options = ["-std=c++20", "-fPIC", "-shared", f"-I{root}/include", f"-L{root}/lib", "-lc10"]
    subprocess.run(["g++", str(source), *options, "-o", str(library)], check=True)
    ctypes.CDLL(str(library))
    from transformers import PreTrainedModel

    torch.cuda.get_device_capability = lambda *a, **k: (8, 0)  # type: ignore[assignment]
    PreTrainedModel.initialize_weights = lambda self: None


def live_table(records: list[Live], top: int = 14) -> str:
    """Format tensors that were alive together, largest first."""
    groups: dict[tuple[Any, ...], list[Live]] = {}
    for record in records:
        if record.op != "weight":
            groups.setdefault((record.shape, record.dtype, record.op, record.where), []).append(record)
    rows = sorted(groups.items(), key=lambda kv: -sum(r.n_bytes for r in kv[1]))
    return "\n".join(
        f"  {sum(r.n_bytes for r in rs):>13,}  {len(rs)}x {shape} {dtype} {op} | {where}"
        for (shape, dtype, op, where), rs in rows[:top]
    )


def cases_of(run: Simulation, state: int, facts: dict[str, Any], args: argparse.Namespace) -> list[Any]:
    """Return what a run showed as cases: weights, and each stage's cache, peak and working memory."""
    import transformers

    version, dtype = transformers.__version__, DTYPE_NAMES[args.dtype]
    title = f"PyTorch {torch.__version__} allocation simulated tensor by tensor, transformers {version}"
    model = {"task": "generate", "engine": "transformers", "engine_version": version, "weights": dtype}
    found = [case(facts, {**model, "stage": "load"}, "weights", run.weights, title, rounding_bytes=512)]
    for name, stage in (("prefill", run.prefill), ("decode", run.decode)):
        prompt = {"kv_cache": dtype, "attention": args.attention, "stage": name, "logits": args.logits}
        size = {"batch": args.batch, "prompt_tokens": args.tokens, "padded": args.padded}
        if name == "decode":
            size["new_tokens"] = 1
        figures = {
            "peak_allocated": stage.peak,
            "kv_cache": stage.kv - state,
            "activations": stage.activations(run.weights),
        }
        found += [
            case(facts, {**model, **prompt, **size}, metric, figure, title, rounding_bytes=512)
            for metric, figure in figures.items()
        ]
    return found


def main() -> None:
    """Replay one configuration and list what is alive at its peaks."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("arch", help="JSON object spelled as a Hub config.json, or the path of one")
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--tokens", type=int, default=512)
    parser.add_argument("--attention", default="sdpa")
    parser.add_argument("--dtype", default="bfloat16", choices=DTYPE_NAMES)
    parser.add_argument("--logits", default="last", choices=("last", "all"))
    parser.add_argument("--padded", action="store_true")
    parser.add_argument("--cases", type=Path, help="file to add the figures to, as cases")
    args = parser.parse_args()
    facts = read_facts(args.arch)
    sim = Simulator(facts, getattr(torch, args.dtype), args.attention)
    run = sim.run(args.batch, args.tokens, args.logits, args.padded)
    for name in ("prefill", "decode"):
        stage = getattr(run, name)
        working = stage.activations(run.weights)
        print(f"{name}: weights {run.weights} cache {stage.kv} peak {stage.peak} activations {working}")
        print(live_table(stage.at_peak))
    print(run.kernels)
    if args.cases:
        write_cases(cases_of(run, sim.state_bytes(args.batch), facts, args), args.cases)


if __name__ == "__main__":
    main()
