"""One estimate of a model and its companions, which share devices and process."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import evolve

from genai_hwreq.errors import QuantityError, UnsupportedError
from genai_hwreq.estimates import Assumption, Component, DeviceMemory, Estimate, Kind, Phase

if TYPE_CHECKING:
    from collections.abc import Iterator

    from genai_hwreq.companions._records import Companion

__all__ = ["joined"]

_PASSING: frozenset[Kind] = frozenset({"activations", "attention", "logits", "fragmentation"})
"""What lives during a pass only: model and companion compute in turn, and take the same memory for it."""

_OF_THE_PROCESS: frozenset[Kind] = frozenset({"runtime", "system"})
"""What a process has once, however many models it holds."""

_Part = tuple[str, DeviceMemory]
"""A companion's name and its memory on one device."""


def joined(estimate: Estimate, companions: tuple[Companion, ...]) -> Estimate:
    """Add companions to an estimate, device by device and phase by phase.

    What a companion keeps (weights, caches, buffers) stands beside every phase of the model; what it needs during a
    pass of its own makes a phase of its own, beside what the model keeps.

    Raises:
        QuantityError: when a companion is on more devices than the model.
        UnsupportedError: when a server already fills its devices.
    """
    for companion in companions:
        if len(companion.estimate.devices) > len(estimate.devices):
            msg = (
                f"{companion.name} is on {len(companion.estimate.devices)} devices; "
                f"expected at most the model's {len(estimate.devices)}"
            )
            raise QuantityError(msg)
    if companions and _fills_its_devices(estimate):
        reason = "what stands beside the model is taken from a pool that fills the device; leave its memory out"
        raise UnsupportedError(estimate.engine, reason)
    devices = tuple(
        _device(device, tuple(_on_device(companions, index))) for index, device in enumerate(estimate.devices)
    )
    return evolve(
        estimate,
        devices=devices,
        host=_device(estimate.host, tuple(_on_host(companions))) if estimate.host else None,
        disk=estimate.disk + tuple(_named(each.name, part) for each in companions for part in each.estimate.disk),
        assumptions=estimate.assumptions + tuple(_assumptions(companions)),
    )


def _fills_its_devices(estimate: Estimate) -> bool:
    parts = (part for device in estimate.devices for phase in device.phases for part in phase.components)
    return any(part.interval is not None and ("pool_blocks" in dict(part.inputs)) for part in parts)


def _on_device(companions: tuple[Companion, ...], index: int) -> Iterator[_Part]:
    for each in companions:
        if index < len(each.estimate.devices):
            yield each.name, each.estimate.devices[index]


def _on_host(companions: tuple[Companion, ...]) -> Iterator[_Part]:
    for each in companions:
        if each.estimate.host is not None:
            yield each.name, each.estimate.host


def _device(device: DeviceMemory, parts: tuple[_Part, ...]) -> DeviceMemory:
    phases = tuple(
        evolve(phase, components=phase.components + tuple(_kept(parts, phase.name))) for phase in device.phases
    )
    return evolve(device, phases=phases + tuple(_own_phases(device, parts)))


def _kept(parts: tuple[_Part, ...], phase: str) -> Iterator[Component]:
    """Yield what companions keep during a phase."""
    for name, memory in parts:
        for part in _same(memory, phase).components:
            if part.kind not in _PASSING | _OF_THE_PROCESS:
                yield _named(name, part)


def _own_phases(device: DeviceMemory, parts: tuple[_Part, ...]) -> Iterator[Phase]:
    """Yield the fullest pass of each companion, beside what the model and all companions keep."""
    for name, memory in parts:
        passing = [part for part in memory.peak.components if part.kind in _PASSING]
        if not passing:
            continue
        phase = memory.peak.name
        standing = (part for part in _same(device, phase).components if part.kind not in _PASSING)
        own = (_named(name, part) for part in passing)
        yield Phase(name=f"{name}: {phase}", components=(*standing, *_kept(parts, phase), *own))


def _same(memory: DeviceMemory, phase: str) -> Phase:
    """Return the phase of that name, else the last one, in which all is in place."""
    return memory.phase(phase) or memory.phases[-1]


def _named(name: str, part: Component) -> Component:
    return evolve(part, name=f"{name}: {part.name}")


def _assumptions(companions: tuple[Companion, ...]) -> Iterator[Assumption]:
    for each in companions:
        for item in each.estimate.assumptions:
            yield evolve(item, text=f"{each.name}: {item.text}")
