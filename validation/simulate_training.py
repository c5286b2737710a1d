"""Replay the tensor allocations of one training step on fake CUDA tensors, without a GPU.

Forward, loss, backward and the optimizer's step run as the framework's own code; what fused attention saves and
makes on its way back is stated by hand, as its CUDA kernels allocate it.

Run: python validation/simulate_training.py '{"model_type": "llama", ...}' --batch 1 --tokens 512 --precision bf16
"""

from __future__ import annotations

# ruff: noqa: E402  (the device is pretended before torch loads)
import argparse
import contextlib
import json
from dataclasses import dataclass, field
from typing import Any

import pretend_cuda

pretend_cuda.pretend()

import torch
from allocation_ledger import Ledger, Live, Recorder
from fused_attention import Attention, chosen_kernel, math_attention
from simulate_allocation import config_of, live_table
from torch._subclasses.fake_tensor import FakeTensorMode


class FlashAttention(torch.autograd.Function):
    """Flash attention: keeps its inputs, its output and the log-sum-exp; grouped heads expand on the way back."""

    @staticmethod
    def forward(ctx: Any, query: Any, key: Any, value: Any) -> Any:
        b, h, t, _ = query.shape
        out = torch.empty_like(query.transpose(1, 2)).transpose(1, 2)  # the kernel keeps the query's layout
        lse = torch.empty(b, h, t, dtype=torch.float32, device=query.device)
        ctx.save_for_backward(query, key, value, out, lse)
        return out

    @staticmethod
    def backward(ctx: Any, grad: Any) -> Any:
        query, key, value, _out, _ = ctx.saved_tensors
        b, h, t, d = query.shape

        def like(heads: int, dim: int) -> torch.Tensor:
            return torch.empty(b, t, heads, dim, dtype=query.dtype, device=query.device).transpose(1, 2)

        grads = like(h, d), like(key.shape[1], d), like(value.shape[1], value.shape[-1])
        rounded_t = -(-t // 128) * 128
        softmax_d = torch.empty(b, h, rounded_t, dtype=torch.float32, device=query.device)
        rounded_d = -(-d // 32) * 32
        accumulated = torch.empty(b, rounded_t, h, rounded_d, dtype=torch.float32, device=query.device)
        if key.shape[1] != h:
            expanded = like(h, d), like(h, value.shape[-1])
            del expanded
        del softmax_d, accumulated
        return grads


class EfficientAttention(torch.autograd.Function):
    """Memory-efficient attention: keeps its inputs, its output and the log-sum-exp."""

    @staticmethod
    def forward(ctx: Any, query: Any, key: Any, value: Any, mask: Any) -> Any:
        b, h, t, _ = query.shape
        out = torch.empty(b, t, h, value.shape[-1], dtype=query.dtype, device=query.device).transpose(1, 2)
        rounded_t = -(-t // 32) * 32
        lse = torch.empty(b, h, rounded_t, dtype=torch.float32, device=query.device)
        ctx.save_for_backward(query, key, value, out, lse, mask)
        return out

    @staticmethod
    def backward(ctx: Any, grad: Any) -> Any:
        query, key, value, _out, lse, _ = ctx.saved_tensors
        grads = tuple(torch.empty_like(x) for x in (query, key, value))
        delta = torch.empty_like(lse)
        if query.dtype != torch.float32:
            work = torch.empty(*query.shape, dtype=torch.float32, device=query.device)
            del work
        del delta
        return (*grads, None)


class TrainingAttention(Attention):
    """Replace fused attention by kernels that can go back."""

    def attend(
        self, query: Any, key: Any, value: Any, attn_mask: Any = None, dropout_p: float = 0.0,
        is_causal: bool = False, scale: float | None = None, enable_gqa: bool = False,
    ) -> Any:  # fmt: skip
        if torch.is_autocast_enabled("cuda"):
            query, key, value = (x.to(torch.bfloat16) for x in (query, key, value))
        kernel = chosen_kernel(query, key, value, attn_mask, enable_gqa)
        self.kernels[kernel] = self.kernels.get(kernel, 0) + 1
        if kernel == "flash":
            return FlashAttention.apply(query, key, value)
        if kernel == "mem_efficient":
            return EfficientAttention.apply(query, key, value, attn_mask)
        return math_attention(query, key, value, attn_mask, is_causal, scale, enable_gqa)


def fuse(attention: TrainingAttention) -> None:
    """Replace fused attention everywhere: a mode would not reach autograd's own thread, which recomputes layers."""
    torch.nn.functional.scaled_dot_product_attention = attention.attend


@dataclass
class Step:
    """What one training step showed."""

    weights: int = 0
    optimizer: int = 0
    gradients: int = 0
    saved: int = 0
    saved_live: list[Live] = field(default_factory=list)
    peaks: dict[str, int] = field(default_factory=dict)
    at_peak: dict[str, list[Live]] = field(default_factory=dict)
    kernels: dict[str, int] = field(default_factory=dict)

    @property
    def peak(self) -> int:
        return max(self.peaks.values())


class TrainingSimulator:
    """A model built once, of which training steps are replayed."""

    def __init__(
        self,
        arch: dict[str, Any],
        precision: str = "bf16",
        *,
        weights: str = "",
        checkpointing: bool = False,
        lora: dict[str, Any] | None = None,
        optimizer: str = "adamw-fused",
        attention: str = "sdpa",
    ) -> None:
        from transformers import AutoModelForCausalLM, PreTrainedModel, masking_utils

        torch.cuda.get_device_capability = lambda *a, **k: (8, 0)  # type: ignore[assignment]
        PreTrainedModel.initialize_weights = lambda self: None
        masking_utils.find_packed_sequence_indices = lambda positions: None
        torch.cuda.amp.common.amp_definitely_not_available = lambda: False
        torch.cuda.is_bf16_supported = lambda *a, **k: True
        self.amp = precision.startswith("amp")
        stored = weights or ("fp32" if self.amp or precision == "fp32" else "bf16")
        dtype = torch.float32 if stored == "fp32" else torch.bfloat16
        self.mode = FakeTensorMode(allow_non_fake_inputs=True)
        self.ledger = Ledger()
        self.config = config_of(arch)
        self.optimizer_name = optimizer
        with self.mode, torch.device("cuda"):
            self.model = AutoModelForCausalLM.from_config(
                self.config, dtype=dtype, attn_implementation=attention
            )
            self.model.config.use_cache = False
            if lora:
                self.adapt(lora, checkpointing)
            if checkpointing:
                self.model.gradient_checkpointing_enable({"use_reentrant": False})
            self.model.train()
        for tensor in [*self.model.parameters(), *self.model.buffers()]:
            self.ledger.add(tensor, "weight")

    def adapt(self, lora: dict[str, Any], checkpointing: bool) -> None:
        """Add adapters in their own type; they are made where they belong, so peft need not move them."""
        from peft import LoraConfig, get_peft_model

        fields = {key: value for key, value in lora.items() if key != "dtype"}
        before, move = torch.get_default_dtype(), torch.nn.Module.to
        torch.nn.Module.to = lambda module, *a, **k: module  # type: ignore[method-assign]
        torch.set_default_dtype(torch.float32 if lora.get("dtype", "fp32") == "fp32" else torch.bfloat16)
        if checkpointing:
            self.model.enable_input_require_grads()
        config = LoraConfig(task_type="CAUSAL_LM", init_lora_weights=False, **fields)
        self.model = get_peft_model(self.model, config, autocast_adapter_dtype=False)
        torch.nn.Module.to = move  # type: ignore[method-assign]
        torch.set_default_dtype(before)

    def run(self, batch: int, tokens: int) -> Step:
        step = Step(weights=self.ledger.current)
        trained = [p for p in self.model.parameters() if p.requires_grad]
        attention = TrainingAttention()
        fuse(attention)
        with self.mode, torch.device("cuda"), Recorder(self.ledger):
            states = [torch.empty_like(p) for p in trained for _ in range(self.n_states())]
            counters = (
                [torch.empty((), dtype=torch.float32) for _ in trained]
                if "adam" in self.optimizer_name
                else []
            )
            step.optimizer = self.ledger.current - step.weights
            ids = torch.empty(batch, tokens, dtype=torch.int64)
            self.ledger.reset_peak()
            context = torch.autocast("cuda", torch.bfloat16) if self.amp else contextlib.nullcontext()
            before = self.ledger.current
            with context:
                output = self.model(input_ids=ids, labels=ids, use_cache=False)
            step.saved = self.ledger.current - before
            step.saved_live = self.ledger.temporaries()
            self.mark(step, "forward")
            output.loss.backward()
            del output
            self.mark(step, "backward")
            step.gradients = sum(-(-p.grad.numel() * p.grad.element_size() // 512) * 512 for p in trained)
            for p in trained:
                p.grad = None
            del states, counters
        step.kernels = dict(attention.kernels)
        return step

    def n_states(self) -> int:
        return 2 if "adam" in self.optimizer_name else 0

    def mark(self, step: Step, name: str) -> None:
        step.peaks[name] = self.ledger.peak
        step.at_peak[name] = self.ledger.at_peak
        self.ledger.reset_peak()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("arch", help="JSON object spelled as a Hub config.json")
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--tokens", type=int, default=512)
    parser.add_argument("--precision", default="bf16")
    parser.add_argument("--weights", default="")
    parser.add_argument("--checkpointing", action="store_true")
    parser.add_argument(
        "--lora", default="", help="JSON object of LoraConfig's fields, `dtype` of the adapters"
    )
    parser.add_argument("--attention", default="sdpa")
    args = parser.parse_args()
    simulator = TrainingSimulator(
        json.loads(args.arch), args.precision, weights=args.weights, checkpointing=args.checkpointing,
        lora=json.loads(args.lora) if args.lora else None, attention=args.attention,
    )  # fmt: skip
    step = simulator.run(args.batch, args.tokens)
    print(f"weights {step.weights} optimizer {step.optimizer} gradients {step.gradients} saved {step.saved}")
    print(live_table(step.saved_live, 60))
    for name, peak in step.peaks.items():
        print(name, peak, "beside states", peak - step.weights - step.optimizer)
        print(live_table(step.at_peak[name], 40))
    print(step.kernels)


if __name__ == "__main__":
    main()
