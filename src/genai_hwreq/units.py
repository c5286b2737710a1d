"""Bytes and their units: constants, parsing and display.

Memory is counted in bytes (`int`) everywhere; a unit appears only where text is read or shown.
GiB is 2³⁰ bytes and GB is 10⁹ bytes. Makers print "24 GB" for a card with 24 GiB, so a catalog
converts marketing gigabytes on entry, knowingly.
"""

from __future__ import annotations

from decimal import Decimal

from genai_hwreq.errors import QuantityError

__all__ = ["GB", "GIB", "KIB", "MB", "MIB", "TB", "TIB", "format_bytes", "parse_bytes"]

KIB = 2**10
MIB = 2**20
GIB = 2**30
TIB = 2**40
MB = 10**6
GB = 10**9
TB = 10**12

_UNITS = {
    "B": 1,
    "kB": 1000,
    "KB": 1000,
    "MB": MB,
    "GB": GB,
    "TB": TB,
    "KiB": KIB,
    "MiB": MIB,
    "GiB": GIB,
    "TiB": TIB,
}


def parse_bytes(text: str) -> int:
    """Read a size with its unit, such as `"80 GB"` or `"23.5 GiB"`, as whole bytes.

    Raises:
        QuantityError: without a unit, with one that leaves binary or decimal open (`"80G"`),
            below zero, or not a number.

    Examples:
        >>> parse_bytes("80 GB"), parse_bytes("80 GiB")
        (80000000000, 85899345920)

    """
    stripped = text.strip()
    number = stripped.rstrip("BiKMGTk").strip()
    unit = stripped[len(number) :].strip()
    if unit not in _UNITS:
        known = ", ".join(_UNITS)
        msg = f"{text!r} is not a size with a known unit; write a number and one of {known}"
        raise QuantityError(msg)
    try:
        value = Decimal(number) * _UNITS[unit]
    except ArithmeticError:
        msg = f"{text!r} does not start with a number; write a size such as '24 GiB'"
        raise QuantityError(msg) from None
    if not value.is_finite() or value < 0:
        msg = f"{text!r} is not a size; it must be zero or more, and finite"
        raise QuantityError(msg)
    return int(value)


def format_bytes(n_bytes: int) -> str:
    """Show a size in GiB with two decimals, or in MiB, KiB or bytes where it is too small for that.

    Examples:
        >>> format_bytes(6 * GIB), format_bytes(300 * MIB), format_bytes(512)
        ('6.00 GiB', '300.0 MiB', '512 B')

    """
    if abs(n_bytes) >= GIB:
        return f"{n_bytes / GIB:.2f} GiB"
    if abs(n_bytes) >= MIB:
        return f"{n_bytes / MIB:.1f} MiB"
    if abs(n_bytes) >= KIB:
        return f"{n_bytes / KIB:.1f} KiB"
    return f"{n_bytes} B"
