"""An honest interval of bytes.

Next: formats.
"""

from __future__ import annotations

from attrs import field, frozen

from genai_hwreq._validators import count
from genai_hwreq.errors import QuantityError

__all__ = ["ByteRange"]


@frozen
class ByteRange:
    """The least, the likely and the most bytes that a figure may turn out to be.

    It adds bound by bound and has no other operator: multiply inside formulas, on ints.

    Examples:
        >>> ByteRange(1, 2, 4) + ByteRange.exactly(10)
        ByteRange(low=11, likely=12, high=14)

    """

    low: int = field(validator=count)
    """Nothing smaller is expected."""

    likely: int = field(validator=count)
    """The estimate itself."""

    high: int = field(validator=count)
    """Nothing larger is expected."""

    def __attrs_post_init__(self) -> None:
        """Refuse bounds out of order."""
        if not self.low <= self.likely <= self.high:
            msg = f"a range must rise; got low={self.low}, likely={self.likely}, high={self.high}"
            raise QuantityError(msg)

    @classmethod
    def exactly(cls, n_bytes: int) -> ByteRange:
        """Make a range without width."""
        return cls(n_bytes, n_bytes, n_bytes)

    def __add__(self, other: ByteRange) -> ByteRange:
        """Add bound by bound, exactly."""
        return ByteRange(self.low + other.low, self.likely + other.likely, self.high + other.high)
