"""A device that computes and has memory of its own, or a share of the machine's.

Next: _cpu.
"""

from __future__ import annotations

from typing import Literal

from attrs import evolve, field, frozen

from genai_hwreq._types import Bytes
from genai_hwreq._validators import (
    fraction,
    month,
    non_empty,
    one_of,
    optional_fraction,
    optional_positive,
    positive,
    slug,
)
from genai_hwreq.errors import QuantityError
from genai_hwreq.hardware._usable_memory import assumed_share
from genai_hwreq.provenance import Source
from genai_hwreq.units import format_bytes

__all__ = ["Accelerator", "MemoryOption"]


@frozen(kw_only=True)
class MemoryOption:
    """A memory size in which a unified-memory chip is sold."""

    memory_bytes: Bytes = field(validator=positive)
    """The machine's whole memory."""

    gpu_limit_fraction: float = field(validator=fraction)
    """Share of it that the GPU may use by default."""


@frozen(kw_only=True)
class Accelerator:
    """A GPU, TPU or other accelerator, in one memory variant."""

    id: str = field(validator=slug)
    """Lower-case name that is unique in the catalog."""

    name: str = field(validator=non_empty)
    """Name as people write it."""

    vendor: str = field(validator=non_empty)
    """Who makes it, in lower case."""

    segment: Literal["desktop", "laptop", "workstation", "datacenter", "embedded", "unified"] = field(
        validator=one_of("desktop", "laptop", "workstation", "datacenter", "embedded", "unified")
    )
    """The sort of machine it is made for; `unified` is a chip whose GPU shares a computer's memory."""

    architecture: str = field(validator=non_empty)
    """Generation, as its maker names it."""

    memory_bytes: Bytes = field(validator=positive)
    """Nominal memory: the maker's "24 GB" read as 24 GiB."""

    memory_type: str = field(validator=non_empty)
    """Such as GDDR6X or HBM3."""

    reported_memory_bytes: Bytes | None = field(default=None, validator=optional_positive)
    """Total memory that a driver reported; `None` where no report is known."""

    unified: bool = False
    """Whether its memory is also the machine's RAM."""

    gpu_limit_fraction: float | None = field(default=None, validator=optional_fraction)
    """Share of unified memory that the GPU may use by default; `None` where no limit is known."""

    memory_options: tuple[MemoryOption, ...] = ()
    """Every memory size a unified-memory chip is sold with; `memory_bytes` is the largest."""

    bandwidth_bytes_per_s: Bytes | None = field(default=None, validator=optional_positive)
    """Peak rate of reading its memory."""

    fp32_flop_per_s: int | None = field(default=None, validator=optional_positive)
    """Peak rate in FP32."""

    fp16_flop_per_s: int | None = field(default=None, validator=optional_positive)
    """Peak dense FP16 rate of its matrix units, accumulating in FP32 where they offer a choice."""

    fp16_accumulate_flop_per_s: int | None = field(default=None, validator=optional_positive)
    """The same, accumulating in FP16."""

    bf16_flop_per_s: int | None = field(default=None, validator=optional_positive)
    """Peak dense BF16 rate."""

    fp8_flop_per_s: int | None = field(default=None, validator=optional_positive)
    """Peak dense FP8 rate."""

    fp4_flop_per_s: int | None = field(default=None, validator=optional_positive)
    """Peak dense FP4 rate."""

    int8_op_per_s: int | None = field(default=None, validator=optional_positive)
    """Peak dense INT8 rate."""

    rates_basis: str | None = None
    """Where the matrix rates come from: a data sheet, or derived from units and clock."""

    tdp_watts: int | None = field(default=None, validator=optional_positive)
    """Board power (of the whole board or module where several devices share one)."""

    compute_capability: str | None = None
    """CUDA compute capability; `None` for other makers."""

    host_link: str | None = None
    """How it is joined to the host, such as `PCIe 4.0 x16`."""

    peer_link: str | None = None
    """How it is joined to others of its kind, such as `NVLink`."""

    peer_link_bytes_per_s: Bytes | None = field(default=None, validator=optional_positive)
    """Total rate of that link, both directions."""

    released_on: str | None = field(default=None, validator=month)
    """Month of release, `YYYY-MM`."""

    aliases: tuple[str, ...] = ()
    """Other names it is looked up by."""

    confidence: Literal["high", "medium", "low"] = field(
        default="high", validator=one_of("high", "medium", "low")
    )
    """How far the facts can be trusted: sources agree, one source or some disagreement, recalled only."""

    sources: tuple[Source, ...] = field(validator=non_empty)
    """Where the facts come from."""

    notes: tuple[str, ...] = ()
    """What else one should know."""

    @property
    def usable_memory_bytes(self) -> int:
        """Memory that programs can have in all, before a display takes its part.

        In this order: the default GPU limit of unified memory; what a driver reported; else an
        assumed share of the nominal memory, the least seen on cards of the same sort.
        `usable_memory_basis` says which.
        """
        if self.gpu_limit_fraction is not None:
            return int(self.memory_bytes * self.gpu_limit_fraction)
        if self.reported_memory_bytes is not None:
            return self.reported_memory_bytes
        thousandths, _ = self._assumed_share()
        return self.memory_bytes * thousandths // 1000

    @property
    def usable_memory_basis(self) -> str:
        """One line on where `usable_memory_bytes` comes from; it starts `limit`, `reported` or `assumed`."""
        if self.gpu_limit_fraction is not None:
            return f"limit: the GPU may use {self.gpu_limit_fraction:.1%} of unified memory by default"
        if self.reported_memory_bytes is not None:
            return "reported: total memory as a driver printed it"
        thousandths, why = self._assumed_share()
        return f"assumed: {thousandths / 1000:.1%} of the nominal memory, {why}"

    def with_memory(self, memory_bytes: int) -> Accelerator:
        """Return this unified-memory chip as it is sold with another memory size.

        Raises:
            QuantityError: if it is not sold with that size.

        """
        for option in self.memory_options:
            if option.memory_bytes == memory_bytes:
                return evolve(self, memory_bytes=memory_bytes, gpu_limit_fraction=option.gpu_limit_fraction)
        sizes = ", ".join(format_bytes(option.memory_bytes) for option in self.memory_options)
        known = f"it is sold with {sizes}" if sizes else f"it has {format_bytes(self.memory_bytes)} only"
        msg = f"{self.name} with {format_bytes(memory_bytes)} of memory is not known; {known}"
        raise QuantityError(msg)

    def _assumed_share(self) -> tuple[int, str]:
        return assumed_share(self.vendor, self.segment, self.memory_type, unified=self.unified)
