"""What a machine is: accelerators, processors, drives, whole machines and classes of machines."""

from __future__ import annotations

from genai_hwreq.hardware._accelerator import Accelerator, MemoryOption
from genai_hwreq.hardware._cpu import Cpu
from genai_hwreq.hardware._machine import CloudOffer, InstalledAccelerator, Machine
from genai_hwreq.hardware._storage import Storage
from genai_hwreq.hardware._tier import Tier

__all__ = [
    "Accelerator",
    "CloudOffer",
    "Cpu",
    "InstalledAccelerator",
    "Machine",
    "MemoryOption",
    "Storage",
    "Tier",
]
