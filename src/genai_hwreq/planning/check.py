"""Whether a machine meets a class of machines, and what it lacks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from attrs import field, frozen

from genai_hwreq._validators import non_empty
from genai_hwreq.hardware._storage import STORAGE_KINDS
from genai_hwreq.units import format_bytes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from genai_hwreq.hardware import Machine, Tier

__all__ = ["Check", "Shortfall", "check"]

Subject = Literal["CPU cores", "RAM", "VRAM", "storage kind", "storage size"]
"""What is compared."""


@frozen(kw_only=True)
class Shortfall:
    """One thing that is less than wanted, or not known."""

    subject: Subject
    """What is compared."""

    present: str | None
    """What the machine has; `None` where that is not known."""

    wanted: str
    """What the class asks for."""

    @property
    def message(self) -> str:
        """What is there and what is wanted, in one line."""
        there = "not known" if self.present is None else self.present
        return f"{self.subject}: {there}, wanted {self.wanted}"


@frozen(kw_only=True)
class Check:
    """A machine held against a class of machines."""

    machine: str = field(validator=non_empty)
    """Name of the machine."""

    tier: str = field(validator=non_empty)
    """Name of the class."""

    shortfalls: tuple[Shortfall, ...] = ()
    """What is less than wanted."""

    unknown: tuple[Shortfall, ...] = ()
    """What could not be compared."""

    @property
    def meets(self) -> bool:
        """Whether everything is known and enough."""
        return not self.shortfalls and not self.unknown

    @property
    def verdict(self) -> Literal["meets", "falls short of", "may meet"]:
        """The same in words; `may meet` where nothing is short but something is not known."""
        if self.shortfalls:
            return "falls short of"
        return "may meet" if self.unknown else "meets"

    def __str__(self) -> str:
        """Say it in a line, and list what is short or not known."""
        lines = [f"{self.machine} {self.verdict} {self.tier}"]
        lines += [f"  {lack.message}" for lack in (*self.shortfalls, *self.unknown)]
        return "\n".join(lines)


def check(machine: Machine, tier: Tier) -> Check:
    """Hold a machine against a class of machines and name everything it lacks.

    VRAM is that of the largest single accelerator. RAM and VRAM are nominal sizes; a report of a driver
    or an operating system, which shows up to 7 % less, counts as the size it stands for.
    On unified memory each bound is compared by itself, though both draw on the same pool.
    """
    lacks = tuple(_lacks(machine, tier))
    return Check(
        machine=machine.name,
        tier=tier.name,
        shortfalls=tuple(lack for lack in lacks if lack.present is not None),
        unknown=tuple(lack for lack in lacks if lack.present is None),
    )


def _lacks(machine: Machine, tier: Tier) -> Iterator[Shortfall]:
    if machine.n_cores is None or machine.n_cores < tier.n_cpu_cores:
        yield Shortfall(subject="CPU cores", present=_cores(machine), wanted=f"{tier.n_cpu_cores} or more")
    if machine.ram_bytes is None or not _reaches(machine.ram_bytes, tier.ram_bytes):
        yield _too_small("RAM", machine.ram_bytes, tier.ram_bytes)
    if not _reaches(machine.vram_bytes, tier.vram_bytes):
        yield _too_small("VRAM", machine.vram_bytes, tier.vram_bytes)
    yield from _storage_lacks(machine, tier)


def _storage_lacks(machine: Machine, tier: Tier) -> Iterator[Shortfall]:
    drive = machine.storage
    kind = None if drive is None else drive.kind
    capacity_bytes = None if drive is None else drive.capacity_bytes
    if kind is None or STORAGE_KINDS.index(kind) < STORAGE_KINDS.index(tier.storage_kind):
        yield Shortfall(subject="storage kind", present=kind, wanted=f"{tier.storage_kind} or faster")
    if capacity_bytes is None or capacity_bytes < tier.storage_bytes:
        yield _too_small("storage size", capacity_bytes, tier.storage_bytes)


def _cores(machine: Machine) -> str | None:
    if machine.n_cores is None:
        return None
    counted = machine.n_cpu_cores is None and machine.cpu is None
    return f"{machine.n_cores}" + (f" (taken as half of {machine.n_vcpus} virtual CPUs)" if counted else "")


def _reaches(present_bytes: int, wanted_bytes: int) -> bool:
    # A driver's or system's report falls at most 7 % below the nominal size (in-band ECC takes 1/16);
    # no two nominal sizes lie that close.
    return 100 * present_bytes >= 93 * wanted_bytes


def _too_small(subject: Subject, present_bytes: int | None, wanted_bytes: int) -> Shortfall:
    present = None if present_bytes is None else format_bytes(present_bytes)
    return Shortfall(subject=subject, present=present, wanted=f"{format_bytes(wanted_bytes)} or more")
