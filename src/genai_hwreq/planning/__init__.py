"""What follows from an estimate: fit on a device, classes of machines, the recommendation table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from genai_hwreq.catalog import get_accelerator, get_machine, get_tier
from genai_hwreq.planning.check import Check, Shortfall, check as _check
from genai_hwreq.planning.fit import Fit, fit_on

if TYPE_CHECKING:
    from genai_hwreq.estimates import Estimate
    from genai_hwreq.hardware import Accelerator, Machine, Tier

__all__ = ["Check", "Fit", "Shortfall", "check", "fits"]


def fits(estimate: Estimate, device: str | Accelerator, *, display_reserved_bytes: int = 0) -> Fit:
    """Hold an estimate's fullest device against a real one.

    Args:
        estimate: what `estimate_vram()` returned.
        device: an accelerator, by name or record.
        display_reserved_bytes: memory of the device that a screen or another program keeps.

    Raises:
        UnknownNameError: when no accelerator bears the name; close names are suggested.

    Examples:
        >>> from genai_hwreq import estimate_vram
        >>> fits(estimate_vram("llama-2-7b", precision="int4"), "rtx-4090").verdict
        'fits'

    """
    accelerator = get_accelerator(device) if isinstance(device, str) else device
    return fit_on(estimate.vram_range, accelerator, display_reserved_bytes=display_reserved_bytes)


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
