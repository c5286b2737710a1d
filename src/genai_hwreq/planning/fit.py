"""Whether a need for memory fits on one device.

Next: check.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from attrs import field, frozen

from genai_hwreq._validators import count, non_empty, whole
from genai_hwreq.ranges import ByteRange
from genai_hwreq.units import format_bytes

if TYPE_CHECKING:
    from genai_hwreq.hardware import Accelerator

__all__ = ["Fit", "Verdict", "fit_on"]

Verdict = Literal["fits", "tight", "does not fit"]
"""Even the upper bound fits; the likely need fits but the upper bound does not; not even the likely need."""


@frozen(kw_only=True)
class Fit:
    """A need for memory held against a device."""

    device: str = field(validator=non_empty)
    """Name of the device."""

    usable_bytes: int = field(validator=count)
    """What programs can have of its memory."""

    usable_basis: str
    """Where that figure comes from."""

    needed: ByteRange
    """What is needed on it."""

    @property
    def headroom_bytes(self) -> int:
        """What is left beside the likely need; below zero, what is missing."""
        return self.usable_bytes - self.needed.likely

    @property
    def fits(self) -> bool:
        """Whether the likely need fits."""
        return self.headroom_bytes >= 0

    @property
    def verdict(self) -> Verdict:
        """The same in a word, with the upper bound in view."""
        if self.needed.high <= self.usable_bytes:
            return "fits"
        return "tight" if self.fits else "does not fit"

    def __str__(self) -> str:
        """Say it in one line."""
        need, left = self.needed, self.headroom_bytes
        span = "" if need.low == need.high else f" ({format_bytes(need.low)} to {format_bytes(need.high)})"
        rest = f"{format_bytes(abs(left))} {'left' if left >= 0 else 'missing'}"
        usable = f"{format_bytes(self.usable_bytes)} usable"
        return f"{self.device}: {self.verdict}; needs {format_bytes(need.likely)}{span} of {usable}, {rest}"


def fit_on(needed: ByteRange, device: Accelerator, *, display_reserved_bytes: int = 0) -> Fit:
    """Hold a need against a device's usable memory.

    Args:
        needed: What is needed on this one device.
        device: The device.
        display_reserved_bytes: What a desktop drawn by the same device keeps; nothing on a server.

    Raises:
        QuantityError: if the reserved part is not a whole number of bytes.

    Examples:
        >>> from datetime import date
        >>> from genai_hwreq.hardware import Accelerator
        >>> from genai_hwreq.provenance import Source
        >>> from genai_hwreq.units import GIB
        >>> card = Accelerator(
        ...     id="some-card",
        ...     name="Some Card",
        ...     vendor="nvidia",
        ...     segment="desktop",
        ...     architecture="Any",
        ...     memory_bytes=24 * GIB,
        ...     reported_memory_bytes=24 * GIB,
        ...     memory_type="GDDR6",
        ...     sources=(Source(title="A log", as_of=date(2026, 11, 22)),),
        ... )
        >>> print(fit_on(ByteRange(18 * GIB, 20 * GIB, 25 * GIB), card))
        Some Card: tight; needs 20.00 GiB (18.00 GiB to 25.00 GiB) of 24.00 GiB usable, 4.00 GiB left

    """
    reserved = whole(display_reserved_bytes, "display_reserved_bytes", 0)
    return Fit(
        device=device.name,
        usable_bytes=max(0, device.usable_memory_bytes - reserved),
        usable_basis=device.usable_memory_basis,
        needed=needed,
    )
