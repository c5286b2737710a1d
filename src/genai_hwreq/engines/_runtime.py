"""What a process takes beside its tensors: the driver's context, libraries, and memory the allocator holds spare.

None of it follows from the model. The figures are fitted and carry wide intervals.
"""

from __future__ import annotations

from datetime import date

from genai_hwreq.estimates import Component, Fitted
from genai_hwreq.provenance import Source
from genai_hwreq.ranges import ByteRange
from genai_hwreq.units import GIB, MIB

__all__ = [
    "CUBLAS_WORKSPACES",
    "CUDA_CONTEXT_BYTES",
    "HOST_RUNTIME_BYTES",
    "context_component",
    "host_runtime_component",
    "workspace_bytes",
]

CUDA_CONTEXT_BYTES = Fitted(
    value=500 * MIB,
    fitted_on="what the driver counts before the first tensor: 300 MiB on older cards to 750 MiB on recent ones",
    engine_versions="CUDA 11 to 13",
    source=Source(
        title="llama.cpp memory breakdowns, column 'unaccounted', and vLLM memory profiles in public logs",
        as_of=date(2026, 11, 22),
    ),
)
"""Context, kernels and libraries of one process on one device."""

_CONTEXT_RANGE = ByteRange(300 * MIB, CUDA_CONTEXT_BYTES.value, 750 * MIB)

HOST_RUNTIME_BYTES = Fitted(
    value=GIB,
    fitted_on="a Python process that has imported torch and opened a device",
    engine_versions="torch 2",
    source=Source(title="resident set of such a process, common observation", as_of=date(2026, 11, 22)),
)
"""Interpreter, framework and driver libraries in host memory."""

CUBLAS_WORKSPACES: dict[int, int] = {8: 8_519_680, 9: 32 * MIB, 10: 32 * MIB, 12: 8_519_680}
"""cuBLAS workspace a handle by major compute capability: 4096 KiB × 2 + 16 KiB × 8, and 32 MiB from Hopper on.

Source: https://github.com/pytorch/pytorch/blob/main/aten/src/ATen/cuda/CUDABlas.cpp, `parseChosenWorkspaceSize`.
"""


def workspace_bytes(compute_capability: str | None) -> int:
    """Return the cuBLAS workspace that PyTorch allocates for a device; zero where the device is not known.

    Examples:
        >>> workspace_bytes("8.0"), workspace_bytes(None)
        (8519680, 0)

    """
    if compute_capability is None:
        return 0
    return CUBLAS_WORKSPACES.get(int(compute_capability.partition(".")[0]), 8_519_680)


_CONTEXT = Component(
    "runtime",
    "CUDA context and libraries",
    CUDA_CONTEXT_BYTES.value,
    "context_bytes",
    (("context_bytes", CUDA_CONTEXT_BYTES.value),),
    "fitted",
    CUDA_CONTEXT_BYTES.source,
    _CONTEXT_RANGE,
)

_HOST = Component(
    "runtime",
    "interpreter, framework, driver libraries",
    HOST_RUNTIME_BYTES.value,
    "host_runtime_bytes",
    (("host_runtime_bytes", HOST_RUNTIME_BYTES.value),),
    "fitted",
    HOST_RUNTIME_BYTES.source,
    ByteRange(GIB // 2, GIB, 3 * GIB),
)


def context_component() -> Component:
    """Return the driver's context as a component."""
    return _CONTEXT


def host_runtime_component() -> Component:
    """Return the host side of the runtime as a component."""
    return _HOST
