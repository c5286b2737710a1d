"""What comes out: components, phases, devices and the estimate that holds them.

A result never estimates: it adds up what an engine put in, and shows it.

Next: engines.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

from attrs import field, frozen

from genai_hwreq._validators import count, non_empty
from genai_hwreq.provenance import Source
from genai_hwreq.ranges import ByteRange

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Assumption", "Basis", "Component", "DeviceMemory", "Estimate", "Fitted", "Inputs", "Kind", "Phase"]

Kind = Literal[
    "weights",
    "kv_cache",
    "recurrent_state",
    "activations",
    "attention",
    "logits",
    "compute_buffer",
    "gradients",
    "optimizer",
    "fragmentation",
    "runtime",
    "cuda_graphs",
    "system",
    "file",
]
"""What a component is. `fragmentation` counts from the reserved total on, `runtime` from the process total on."""

Basis = Literal["exact", "modelled", "fitted", "assumed"]
"""How sure a component is: follows from shapes, from understanding, from measurements, from a default."""

Inputs = tuple[tuple[str, int], ...]
"""The numbers a formula was evaluated with, by name."""


@frozen(kw_only=True)
class Fitted:
    """A constant that was fitted to measurements, and to which."""

    value: int
    """The constant, in the unit its name says."""

    fitted_on: str = field(validator=non_empty)
    """The data it was fitted on."""

    engine_versions: str = field(validator=non_empty)
    """Versions of the engine behind the data."""

    source: Source
    """Where the data can be read."""


@frozen
class Component:
    """One named piece of memory in one phase on one device."""

    kind: Kind
    """What it is."""

    name: str
    """What it is called in a table."""

    bytes: int = field(validator=count)
    """Its size."""

    formula: str
    """Text that evaluates to `bytes` over `inputs`: whole numbers, names, `+ - * //`, `max`, `min`, `ceil_div`."""

    inputs: Inputs
    """What the formula was evaluated with."""

    basis: Basis
    """How sure it is."""

    source: Source | None = None
    """Where the rule can be read."""

    interval: ByteRange | None = None
    """Within what it may really lie; `None` where it is exact."""

    @property
    def range(self) -> ByteRange:
        """Its interval, without width where it is exact."""
        return self.interval or ByteRange.exactly(self.bytes)


@frozen(kw_only=True)
class Phase:
    """A stretch of a run with its own set of live memory."""

    name: str = field(validator=non_empty)
    """`load`, `prefill`, `decode`, `text_encode`, `denoise`, `vae_decode`, …"""

    components: tuple[Component, ...]
    """What is alive at the phase's peak."""

    @property
    def allocated_bytes(self) -> int:
        """What the framework handed out at the peak."""
        return sum(part.bytes for part in self.components if part.kind not in _BEYOND_ALLOCATED)

    @property
    def reserved_bytes(self) -> int:
        """What the framework's allocator held at the peak."""
        return sum(part.bytes for part in self.components if part.kind not in _BEYOND_RESERVED)

    @property
    def process_bytes(self) -> int:
        """What the driver counts against the process at the peak."""
        return sum(part.bytes for part in self.components)

    @property
    def range(self) -> ByteRange:
        """Interval of the process total."""
        return _total(part.range for part in self.components)

    def bytes_of(self, *kinds: Kind) -> int:
        """Return the bytes of components of these kinds."""
        return sum(part.bytes for part in self.components if part.kind in kinds)


_BEYOND_RESERVED: frozenset[Kind] = frozenset({"runtime", "system"})
_BEYOND_ALLOCATED: frozenset[Kind] = _BEYOND_RESERVED | {"fragmentation"}


@frozen(kw_only=True)
class DeviceMemory:
    """The phases of one device. Its peak is its largest phase, never the sum of phases."""

    name: str = field(validator=non_empty)
    """`gpu:0`, `gpu:1`, …, `host`, `disk`."""

    phases: tuple[Phase, ...]
    """What happens on it, in order."""

    @cached_property
    def peak(self) -> Phase:
        """The phase with the largest process total."""
        return max(self.phases, key=lambda phase: phase.process_bytes)

    @property
    def allocated_bytes(self) -> int:
        """Most bytes the framework handed out."""
        return max(phase.allocated_bytes for phase in self.phases)

    @property
    def reserved_bytes(self) -> int:
        """Most bytes the framework's allocator held."""
        return max(phase.reserved_bytes for phase in self.phases)

    @property
    def process_bytes(self) -> int:
        """Most bytes the driver counted against the process."""
        return self.peak.process_bytes

    @property
    def range(self) -> ByteRange:
        """Interval of the process total: bound by bound the largest phase."""
        ranges = [phase.range for phase in self.phases]
        return ByteRange(
            max(span.low for span in ranges),
            max(span.likely for span in ranges),
            max(span.high for span in ranges),
        )

    def phase(self, name: str) -> Phase | None:
        """Return the phase of that name, if there is one."""
        return next((phase for phase in self.phases if phase.name == name), None)


@frozen(kw_only=True)
class Assumption:
    """Something that was not given and mattered."""

    code: str = field(validator=non_empty)
    """Stable name; the documentation explains it under that name."""

    text: str = field(validator=non_empty)
    """What was assumed, with its value."""


@frozen(kw_only=True)
class Estimate:
    """How much memory a model needs for a workload, with every part explained.

    `print(estimate)` shows a table, `estimate.explain()` each formula with its numbers.
    """

    model: str
    """Which model."""

    engine: str
    """Which program."""

    precision: str
    """Which weight format."""

    devices: tuple[DeviceMemory, ...]
    """Accelerators, in the order that layers pass them; none for a hosted model."""

    host: DeviceMemory | None = None
    """Host memory; `None` for a hosted model."""

    disk: tuple[Component, ...] = ()
    """Files to keep."""

    assumptions: tuple[Assumption, ...] = ()
    """What was not given and mattered."""

    @property
    def vram_bytes(self) -> int:
        """What must fit on the fullest device: the driver's count at its peak."""
        return max((device.process_bytes for device in self.devices), default=0)

    @property
    def vram_range(self) -> ByteRange:
        """Interval of `vram_bytes`."""
        ranges = [device.range for device in self.devices]
        if not ranges:
            return ByteRange.exactly(0)
        return max(ranges, key=lambda span: span.likely)

    @property
    def ram_bytes(self) -> int:
        """What the process needs of host memory at its peak."""
        return self.host.process_bytes if self.host else 0

    @property
    def disk_bytes(self) -> int:
        """What its files take on disk."""
        return sum(part.bytes for part in self.disk)

    @property
    def phases(self) -> tuple[Phase, ...]:
        """Phases of the fullest device."""
        return max(self.devices, key=lambda device: device.process_bytes).phases if self.devices else ()

    def explain(self) -> str:
        """Return every component's formula with its numbers and source, as text."""
        from genai_hwreq import _showing  # noqa: PLC0415  (results are shown less often than made)

        return _showing.explanation(self)

    def to_dict(self) -> dict[str, Any]:
        """Return the whole estimate as plain data, ready for JSON."""
        from genai_hwreq import _showing  # noqa: PLC0415

        return _showing.estimate_dict(self)

    def __str__(self) -> str:
        """Show a table of the fullest device's peak, RAM, disk and assumptions."""
        from genai_hwreq import _showing  # noqa: PLC0415

        return _showing.estimate_text(self)

    def __repr__(self) -> str:
        """Show one line."""
        from genai_hwreq import _showing  # noqa: PLC0415

        return _showing.estimate_line(self)

    def _repr_html_(self) -> str:
        from genai_hwreq import _showing  # noqa: PLC0415

        return _showing.estimate_html(self)

    def _repr_markdown_(self) -> str:
        from genai_hwreq import _showing  # noqa: PLC0415

        return _showing.estimate_markdown(self)


def _total(ranges: Iterable[ByteRange]) -> ByteRange:
    low = likely = high = 0
    for span in ranges:
        low += span.low
        likely += span.likely
        high += span.high
    return ByteRange(low, likely, high)
