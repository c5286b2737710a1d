"""What vLLM holds beside PyTorch's tensors, fitted to its own logs: communication buffers and CUDA graphs."""

from __future__ import annotations

from datetime import date

from genai_hwreq.estimates import Component, Fitted
from genai_hwreq.models import Experts, Transformer
from genai_hwreq.provenance import Source
from genai_hwreq.ranges import ByteRange
from genai_hwreq.units import MIB

__all__ = ["graphs_component", "non_torch_component"]

_LOGS = Source(title="vLLM's own memory report at start, public accuracy logs and issue threads", as_of=date(2026, 11, 22))

_TWO_DEVICES = 2


def _fitted(value: int, fitted_on: str, versions: str) -> Fitted:
    return Fitted(value=value, fitted_on=fitted_on, engine_versions=versions, source=_LOGS)


_ALONE = {
    "v0": _fitted(50 * MIB, "6 starts on T4 and A100", "0.7 to 0.9, V0"),
    "v1": _fitted(138 * MIB, "7 starts on H100", "0.11"),
    "recent": _fitted(256 * MIB, "21 starts on H100; 470 MiB seen twice", "0.19"),
}
_TOGETHER = {
    "v0": _fitted(560 * MIB, "as for V1, nothing was measured", "0.7 to 0.9, V0"),
    "v1": _fitted(560 * MIB, "3 starts on two H100", "0.11"),
    "recent": _fitted(2124 * MIB, "9 starts on two H100", "0.19"),
}
_MORE_DEVICES = _fitted(128 * MIB, "4 starts on four H100, beyond what two take", "0.19")

_GRAPHS_BASE = _fitted(336 * MIB, "30 starts on H100, models of 2 to 73 billion parameters", "0.19")
_GRAPHS_LAYER = _fitted(5_930_000, "the same starts: for each layer", "0.19")
_GRAPHS_WIDTH = _fitted(115_400, "the same starts: for each element of the stream", "0.19")
_GRAPHS_EXPERTS = _fitted(646 * MIB, "the same starts: where a token passes more than two of many experts", "0.19")
_SHARE_PERCENT = {
    "v0": _fitted(38, "1 start on a T4 without adapters: what the old engine takes of the same", "0.8, V0"),
    "v1": _fitted(100, "as recent versions, nothing was measured without adapters", "0.10 to 0.16"),
    "recent": _fitted(100, "by definition", "0.19"),
}
_ADAPTERS_PERCENT = _fitted(150, "3 starts with adapters on T4, A100 and L4: 125 to 215 % of those without", "0.8 to 0.10")
"""What slots for adapters make of the graphs: two more kernels at every matrix."""

_FULL_SET = 53
"""Batch sizes captured in those starts, and two."""

_FEW_EXPERTS = 2


def non_torch_component(era: str, n_devices: int) -> Component:
    """Return what libraries hold outside PyTorch's allocator: kernels' own buffers and NCCL's.

    Args:
        era: `v0`, `v1` or `recent` (from 0.17 on).
        n_devices: devices that share each layer.
    """
    base = (_ALONE if n_devices == 1 else _TOGETHER)[era].value
    steps = n_devices.bit_length() - _TWO_DEVICES if n_devices > 1 and era == "recent" else 0
    size = base + steps * _MORE_DEVICES.value
    inputs = (("base", base), ("doublings", steps), ("each", _MORE_DEVICES.value))
    interval = ByteRange(size * 9 // 10, size, size * 11 // 10 if n_devices > 1 else 2 * size)
    return Component(
        "runtime", "outside PyTorch", size, "base + doublings * each", inputs, "fitted", _LOGS, interval
    )


def graphs_component(network: Transformer, era: str, n_graphs: int, *, adapters: bool) -> Component:
    """Return the captured CUDA graphs: each holds its kernels' arguments, all share one pool of activations.

    Args:
        network: the device's share.
        era: `v0`, `v1` or `recent` (from 0.17 on).
        n_graphs: batch sizes that are captured.
        adapters: whether there are slots for adapters.
    """
    percent = _SHARE_PERCENT[era].value * (_ADAPTERS_PERCENT.value if adapters else 100) // 100
    experts = _GRAPHS_EXPERTS.value if _passes_many_experts(network) else 0
    inputs = (
        ("base", _GRAPHS_BASE.value),
        ("layers", network.n_layers),
        ("each_layer", _GRAPHS_LAYER.value),
        ("hidden_dim", network.hidden_dim),
        ("each_element", _GRAPHS_WIDTH.value),
        ("experts", experts),
        ("graphs", n_graphs),
        ("percent", percent),
    )
    whole = _GRAPHS_BASE.value + network.n_layers * _GRAPHS_LAYER.value + network.hidden_dim * _GRAPHS_WIDTH.value
    size = (whole + experts) * (n_graphs + 2) * percent // (100 * _FULL_SET)
    text = (
        "(base + layers * each_layer + hidden_dim * each_element + experts) * (graphs + 2) * percent"
        f" // {100 * _FULL_SET}"
    )
    interval = ByteRange(size * 5 // 6, size, size * 5 // 4) if era == "recent" else ByteRange(size // 2, size, 2 * size)
    return Component("cuda_graphs", "captured CUDA graphs", size, text, inputs, "fitted", _LOGS, interval)


def _passes_many_experts(network: Transformer) -> bool:
    return any(
        part.n_experts_per_token > _FEW_EXPERTS
        for run in network.layers
        for part in run.layer.feed_forward
        if isinstance(part, Experts)
    )
