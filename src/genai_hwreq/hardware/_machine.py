"""A whole machine: devices, processor, memory and drive, owned or rented.

Next: _tier.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from attrs import field, frozen

from genai_hwreq._types import Bytes
from genai_hwreq._validators import fraction, non_empty, one_of, optional_positive, positive, slug
from genai_hwreq.hardware._cpu import Cpu
from genai_hwreq.hardware._storage import Storage
from genai_hwreq.provenance import Source

if TYPE_CHECKING:
    from genai_hwreq.hardware._accelerator import Accelerator

__all__ = ["CloudOffer", "InstalledAccelerator", "Machine"]

_THREADS_A_CORE = 2
"""A virtual CPU is a hardware thread in most clouds; counting two a core never overstates the cores."""


@frozen(kw_only=True)
class InstalledAccelerator:
    """One or more equal accelerators in a machine."""

    accelerator_id: str = field(validator=slug)
    """Which accelerator it is."""

    memory_bytes: Bytes = field(validator=positive)
    """Memory of each: nominal, or on unified memory what its GPU may use."""

    n_devices: int = field(default=1, validator=positive)
    """How many of them."""

    device_fraction: float = field(default=1.0, validator=fraction)
    """Share of a physical device that each is, for instances that rent a slice of one."""

    @classmethod
    def of(cls, accelerator: Accelerator, n_devices: int = 1) -> InstalledAccelerator:
        """Put so many of an accelerator into a machine."""
        memory_bytes = accelerator.usable_memory_bytes if accelerator.unified else accelerator.memory_bytes
        return cls(accelerator_id=accelerator.id, memory_bytes=memory_bytes, n_devices=n_devices)


@frozen(kw_only=True)
class CloudOffer:
    """What a provider calls an instance and asks for it."""

    provider: str = field(validator=non_empty)
    """Who rents it out."""

    instance_type: str = field(validator=non_empty)
    """The provider's own name for it."""

    price_usd_per_hour: float | None = None
    """Price of the whole instance; `None` where none was found."""

    price_region: str | None = None
    """Where that price holds."""

    price_kind: str | None = None
    """On demand, spot, …"""

    price_as_of: str | None = None
    """When the price was read: a day, a month or a year, as precise as its source is."""


@frozen(kw_only=True)
class Machine:
    """A computer with what matters for running models; `None` stands for what is not known."""

    id: str = field(validator=slug)
    """Lower-case name that is unique in the catalog."""

    name: str = field(validator=non_empty)
    """Name as people write it."""

    accelerators: tuple[InstalledAccelerator, ...] = ()
    """Its accelerators; empty for a machine without any."""

    unified: bool = False
    """Whether accelerators and processor share one memory."""

    cpu: Cpu | None = None
    """Its processor."""

    n_cpu_cores: int | None = field(default=None, validator=optional_positive)
    """Physical cores, where they are known without the processor or there are several processors."""

    n_vcpus: int | None = field(default=None, validator=optional_positive)
    """Virtual CPUs of a rented machine."""

    ram_bytes: Bytes | None = field(default=None, validator=optional_positive)
    """Memory of the host (all of it on unified memory)."""

    storage: Storage | None = None
    """The drive that models are read from; `None` also for rented machines with attached volumes."""

    offer: CloudOffer | None = None
    """Who rents it out and at what price."""

    aliases: tuple[str, ...] = ()
    """Other names it is looked up by."""

    confidence: Literal["high", "medium", "low"] = field(
        default="high", validator=one_of("high", "medium", "low")
    )
    """How far the facts can be trusted."""

    sources: tuple[Source, ...] = field(validator=non_empty)
    """Where the facts come from."""

    notes: tuple[str, ...] = ()
    """What else one should know."""

    @property
    def n_devices(self) -> int:
        """Accelerators in all."""
        return sum(installed.n_devices for installed in self.accelerators)

    @property
    def vram_bytes(self) -> int:
        """Memory of the largest single accelerator; zero without one."""
        return max((installed.memory_bytes for installed in self.accelerators), default=0)

    @property
    def total_vram_bytes(self) -> int:
        """Memory of all accelerators together."""
        return sum(installed.n_devices * installed.memory_bytes for installed in self.accelerators)

    @property
    def n_cores(self) -> int | None:
        """Physical cores: as stated, else of its processor, else half its virtual CPUs; `None` if unknown."""
        if self.n_cpu_cores is not None:
            return self.n_cpu_cores
        if self.cpu is not None:
            return self.cpu.n_cores
        if self.n_vcpus is not None:
            return max(1, self.n_vcpus // _THREADS_A_CORE)
        return None
