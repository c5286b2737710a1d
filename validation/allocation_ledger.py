"""Count the storages that a run of PyTorch code keeps alive, with where each one came from."""

from __future__ import annotations

import sys
import weakref
from dataclasses import dataclass, field
from typing import Any

import torch
from torch._subclasses.fake_tensor import FakeTensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

ROUNDING_BYTES = 512


def rounded(n_bytes: int) -> int:
    """Return the bytes the caching allocator hands out for a request."""
    return -(-n_bytes // ROUNDING_BYTES) * ROUNDING_BYTES


@dataclass
class Live:
    """One storage that is alive, and where it came from."""

    n_bytes: int
    """Its size, rounded as the allocator rounds."""

    shape: tuple[int, ...]
    dtype: str
    op: str
    """The operator that made it."""

    where: str
    """The line of model code that called the operator, and its caller."""

    order: int
    """How many storages were made before it."""


@dataclass
class Ledger:
    """Bytes alive now, the highest figure since the last reset, and what was alive then."""

    current: int = 0
    peak: int = 0
    live: dict[int, Live] = field(default_factory=dict)
    at_peak: list[Live] = field(default_factory=list)
    count: int = 0
    with_stack: bool = True
    moments: dict[str, tuple[int, list[Live]]] = field(default_factory=dict)

    def reset_peak(self) -> None:
        """Start a stage: its peak is at least what is alive now."""
        self.moments = {}
        self.peak = self.current
        self.at_peak = list(self.live.values())

    def add(self, tensor: torch.Tensor, op: str) -> None:
        """Count a tensor's storage, once, until it dies."""
        if tensor.device.type != "cuda":
            return
        storage = tensor.untyped_storage()
        key = storage._cdata
        if key in self.live:
            return
        n_bytes = rounded(storage.nbytes())
        self.count += 1
        where = source_line() if self.with_stack else ""
        record = Live(n_bytes, tuple(tensor.shape), str(tensor.dtype)[6:], op, where, self.count)
        self.live[key] = record
        self.current += n_bytes
        weakref.finalize(storage, self.drop, key, record)
        if self.current > self.peak:
            self.peak = self.current
            self.at_peak = self.temporaries()
        if self.with_stack:
            module = owning_module()
            if self.current > self.moments.get(module, (0, []))[0]:
                self.moments[module] = (self.current, self.temporaries())

    def temporaries(self) -> list[Live]:
        """Return what is alive, without the weights."""
        return [r for r in self.live.values() if r.op != "weight"]

    def drop(self, key: int, record: Live) -> None:
        """Forget a storage that died."""
        if self.live.get(key) is record:
            del self.live[key]
            self.current -= record.n_bytes


def source_line() -> str:
    """Return the innermost line of transformers' model code on the stack, with its caller."""
    lines = []
    frame = sys._getframe(2)
    while frame is not None and len(lines) < 2:
        name = frame.f_code.co_filename
        if "/transformers/" in name and not name.endswith(
            ("generic.py", "output_capturing.py", "deprecation.py")
        ):
            lines.append(f"{name.rsplit('/', 1)[-1]}:{frame.f_lineno} {frame.f_code.co_name}")
        frame = frame.f_back
    return " < ".join(lines)


def owning_module() -> str:
    """Return the class of the innermost module at work that is not a mere norm.

    Only code objects are read: touching `f_locals` would keep the frame's tensors alive.
    """
    frame = sys._getframe(2)
    while frame is not None:
        code = frame.f_code
        if code.co_name == "forward" and "/transformers/models/" in code.co_filename:
            name = code.co_qualname.split(".")[0]
            if not name.endswith(("Norm", "Norm1P")):
                return name
        frame = frame.f_back
    return "caller"


class Recorder(TorchDispatchMode):
    """Record the storages that each operator creates; answer questions about values."""

    def __init__(self, ledger: Ledger) -> None:
        super().__init__()
        self.ledger = ledger

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        name = func.__name__ if hasattr(func, "__name__") else str(func)
        if func is torch.ops.aten._local_scalar_dense.default:
            return local_scalar(args[0])
        out = func(*args, **kwargs)
        for leaf in tree_leaves(out):
            if isinstance(leaf, FakeTensor):
                self.ledger.add(leaf, name)
        return out


def local_scalar(tensor: torch.Tensor) -> Any:
    """Answer `.item()` on a fake tensor: its known constant, else False (a mask has holes) or 0."""
    constant = getattr(tensor, "constant", None)
    if constant is not None:
        return constant.item()
    return False if tensor.dtype == torch.bool else (0.0 if tensor.is_floating_point() else 0)
