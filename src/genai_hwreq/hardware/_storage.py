"""The drive that models are read from.

Next: _machine.
"""

from __future__ import annotations

from typing import Literal

from attrs import field, frozen

from genai_hwreq._types import Bytes
from genai_hwreq._validators import one_of, positive

__all__ = ["STORAGE_KINDS", "Storage", "StorageKind"]

StorageKind = Literal["hdd", "sata-ssd", "nvme"]
"""How a drive works and is joined to the machine."""

STORAGE_KINDS = ("hdd", "sata-ssd", "nvme")
"""The kinds from slowest to fastest."""


@frozen(kw_only=True)
class Storage:
    """A drive."""

    kind: StorageKind = field(validator=one_of(*STORAGE_KINDS))
    """A disk, a solid-state drive on SATA, or one on PCIe."""

    capacity_bytes: Bytes = field(validator=positive)
    """Its size; makers count drives in decimal units."""
