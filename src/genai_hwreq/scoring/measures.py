"""Metrics: what of an estimate answers to a figure that was measured, with its interval.

A figure of one stretch of a run is read from the phase of that name; a figure of the whole run from the phase in
which it is largest. An estimate that models no part of a metric declines it rather than answer with nothing.

Next: statistics.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from genai_hwreq.ranges import ByteRange
from genai_hwreq.scoring.settings import DeclinedError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from genai_hwreq.estimates import Component, DeviceMemory, Estimate, Kind, Phase
    from genai_hwreq.scoring.cases import Measured
    from genai_hwreq.scoring.mapping import Run

__all__ = ["FREE_OF_SIZE", "METRICS", "measure"]

_STATES: frozenset[Kind] = frozenset({"weights", "kv_cache", "recurrent_state", "gradients", "optimizer"})
_WORK: frozenset[Kind] = frozenset({"activations", "attention", "logits", "compute_buffer"})
_ALLOCATED: frozenset[Kind] = _STATES | _WORK | {"cuda_graphs"}
_RESERVED: frozenset[Kind] = _ALLOCATED | {"fragmentation"}
_PROCESS: frozenset[Kind] = _RESERVED | {"runtime", "system"}

METRICS: dict[str, frozenset[Kind]] = {
    "weights": frozenset({"weights"}),
    "kv_cache": frozenset({"kv_cache"}),
    "recurrent_state": frozenset({"recurrent_state"}),
    "gradients": frozenset({"gradients"}),
    "optimizer": frozenset({"optimizer"}),
    "compute_buffer": frozenset({"compute_buffer"}),
    "cuda_graphs": frozenset({"cuda_graphs"}),
    "runtime": frozenset({"runtime"}),
    "activations": _WORK,
    "peak_allocated": _ALLOCATED,
    "peak_reserved": _RESERVED,
    "process": _PROCESS,
    "ram_peak": _PROCESS,
}
"""Metric → the kinds of component that it counts. `file` counts what is on disk, `params` no bytes at all."""

FREE_OF_SIZE = frozenset({"weights", "file", "recurrent_state"})
"""Metrics that do not depend on how many tokens, pixels or seconds are asked for."""

_AT_THE_END = frozenset({"kv_cache", "recurrent_state"})


def measure(estimate: Estimate, measured: Measured, run: Run) -> ByteRange:
    """Return what the estimate says of a figure.

    Raises:
        DeclinedError: when the metric is not known, or the estimate models no such phase or part.
    """
    if measured.metric == "file":
        return _sum(estimate.disk)
    kinds = METRICS.get(measured.metric)
    if kinds is None:
        msg = f"metric {measured.metric!r} is not known; {', '.join(METRICS)}, file and params are"
        raise DeclinedError(msg)
    figures = [
        _on_device(device, measured.metric, kinds, run.stage)
        for device in _devices(estimate, measured.metric, run)
    ]
    return _total(figures) if measured.scope == "sum" else max(figures, key=_likely)


def _devices(estimate: Estimate, metric: str, run: Run) -> tuple[DeviceMemory, ...]:
    if metric == "ram_peak" or run.place == "host":
        devices: tuple[DeviceMemory, ...] = (estimate.host,) if estimate.host else ()
    else:
        devices = estimate.devices
    if not devices:
        msg = "the model runs at its maker's; nothing is needed here"
        raise DeclinedError(msg)
    return devices


def _on_device(device: DeviceMemory, metric: str, kinds: frozenset[Kind], stage: str | None) -> ByteRange:
    phases = _phases(device, metric, stage)
    if not any(part.kind in kinds for phase in phases for part in phase.components):
        msg = f"no {metric} is modelled on {device.name}"
        raise DeclinedError(msg)
    if metric == "activations":  # what is alive beside the states at the peak, not the most there ever is
        return _beside_states(device, max(phases, key=_allocated), kinds)
    figures = [_of_kinds(phase, kinds) for phase in phases]
    return ByteRange(
        max(span.low for span in figures),
        max(span.likely for span in figures),
        max(span.high for span in figures),
    )


def _beside_states(device: DeviceMemory, peak: Phase, kinds: frozenset[Kind]) -> ByteRange:
    """Return the peak less all states: gradients not made yet at the peak leave room for what is counted here."""
    span = _of_kinds(peak, kinds)
    unmade = max(phase.bytes_of("gradients") for phase in device.phases) - peak.bytes_of("gradients")
    return ByteRange(*(max(0, bound - unmade) for bound in (span.low, span.likely, span.high)))


def _phases(device: DeviceMemory, metric: str, stage: str | None) -> tuple[Phase, ...]:
    if stage is not None:
        phase = device.phase(stage)
        if phase is None:
            known = ", ".join(phase.name for phase in device.phases)
            msg = f"no phase {stage!r} is modelled; {known} are"
            raise DeclinedError(msg)
        return (phase,)
    last = device.phase("decode") if metric in _AT_THE_END else None
    return (last,) if last else device.phases


def _of_kinds(phase: Phase, kinds: frozenset[Kind]) -> ByteRange:
    return _sum(part for part in phase.components if part.kind in kinds)


def _sum(parts: Iterable[Component]) -> ByteRange:
    return _total(part.range for part in parts)


def _total(figures: Iterable[ByteRange]) -> ByteRange:
    return sum(figures, start=ByteRange.exactly(0))


def _likely(span: ByteRange) -> int:
    return span.likely


def _allocated(phase: Phase) -> int:
    return phase.allocated_bytes
