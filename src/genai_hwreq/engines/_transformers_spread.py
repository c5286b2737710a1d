"""How transformers spreads a model: layers over devices, and weights through host memory on their way."""

from __future__ import annotations

from attrs import evolve

from genai_hwreq.engines._runtime import host_runtime_component
from genai_hwreq.estimates import Component, DeviceMemory, Phase
from genai_hwreq.formulas.weights import ceil_div
from genai_hwreq.ranges import ByteRange

__all__ = ["host_memory", "share_by_layers"]

_BY_LAYER = frozenset({"weights", "kv_cache", "recurrent_state"})
"""Kinds of memory that are split where layers are."""


def share_by_layers(phase: Phase, n_devices: int) -> Phase:
    """Return one device's part of a phase: layers, and so weights and caches, are split; the rest is not."""
    parts = tuple(_split(part, n_devices) if part.kind in _BY_LAYER else part for part in phase.components)
    return Phase(name=phase.name, components=parts)


def _split(part: Component, n_devices: int) -> Component:
    return evolve(
        part,
        bytes=ceil_div(part.bytes, n_devices),
        formula=f"ceil_div({part.formula}, n_devices)",
        inputs=(*part.inputs, ("n_devices", n_devices)),
        basis="modelled" if part.basis == "exact" else part.basis,
        interval=_split_interval(part, n_devices),
    )


def _split_interval(part: Component, n_devices: int) -> ByteRange | None:
    """Return the interval of an even share; weights may be far from even, at worst all on one device."""
    if part.kind == "weights":
        share = ceil_div(part.bytes, n_devices)
        return ByteRange(share, share, part.bytes)
    if part.interval is None:
        return None
    bounds = (part.interval.low, part.interval.likely, part.interval.high)
    return ByteRange(*(ceil_div(bound, n_devices) for bound in bounds))


def host_memory(weights: Component) -> DeviceMemory:
    """Return host memory: the weights pass through it on their way to the device."""
    interval = ByteRange(0, weights.bytes, 2 * weights.bytes)
    staged = Component(
        "weights",
        "weights on their way to the device",
        weights.bytes,
        weights.formula,
        weights.inputs,
        "modelled",
        None,
        interval,
    )
    return DeviceMemory(
        name="host",
        phases=(
            Phase(name="load", components=(staged, host_runtime_component())),
            Phase(name="run", components=(host_runtime_component(),)),
        ),
    )
