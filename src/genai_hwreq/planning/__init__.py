"""What follows from an estimate: fit on a device, classes of machines, the recommendation table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from genai_hwreq.catalog import get_accelerator, get_machine, get_tier
from genai_hwreq.errors import QuantityError
from genai_hwreq.planning.check import Check, Shortfall, check as _check
from genai_hwreq.planning.fit import Fit, fit_on

if TYPE_CHECKING:
    from genai_hwreq.estimates import DeviceMemory, Estimate
    from genai_hwreq.hardware import Accelerator, Machine, Tier

__all__ = ["Check", "Fit", "Shortfall", "check", "fits"]


def fits(
    estimate: Estimate, device: str | Accelerator, *, index: int | None = None, display_reserved_bytes: int = 0
) -> Fit:
    """Hold one device of an estimate against a real one.

    Args:
        estimate: what `estimate_vram()` returned.
        device: an accelerator, by name or record.
        index: which device of the estimate, counted from zero, where devices differ; by default the fullest.
        display_reserved_bytes: memory of the device that a screen or another program keeps.

    Raises:
        UnknownNameError: when no accelerator bears the name; close names are suggested.
        QuantityError: when the estimate has no device of that index.

    Examples:
        >>> from genai_hwreq import estimate_vram
        >>> fits(estimate_vram("llama-2-7b", precision="int4"), "rtx-4090").verdict
        'fits'

    """
    accelerator = get_accelerator(device) if isinstance(device, str) else device
    needed = estimate.vram_range if index is None else _device(estimate, index).range
    return fit_on(needed, accelerator, display_reserved_bytes=display_reserved_bytes)


def _device(estimate: Estimate, index: int) -> DeviceMemory:
    if index not in range(len(estimate.devices)):
        msg = f"index is {index}; the estimate has {len(estimate.devices)} devices, counted from zero"
        raise QuantityError(msg)
    return estimate.devices[index]


def check(machine: str | Machine, tier: str | Tier) -> Check:
    """Name every way in which a machine falls short of a class of machines.

    Args:
        machine: a machine, by name or record.
        tier: a tier, by name or record: `minimum` and `recommended` are the article's.

    Raises:
        UnknownNameError: when no machine or tier bears the name; close names are suggested.
    """
    known_machine = get_machine(machine) if isinstance(machine, str) else machine
    known_tier = get_tier(tier) if isinstance(tier, str) else tier
    return _check(known_machine, known_tier)
