"""What each of several devices holds of weights, gradients and optimizer states, and what it cannot share out.

Sources: ZeRO, arXiv 1910.02054, section 5; PyTorch FSDP, arXiv 2304.11277, section 3.
"""

from __future__ import annotations

from genai_hwreq.formulas.weights import ceil_div

__all__ = ["GATHERED_UNITS", "SHARE", "gathered_bytes", "share_bytes"]

SHARE = "ceil_div(whole_bytes, n_ranks)"
"""An even share, the last one filled up."""

GATHERED_UNITS = "n_units * unit_bytes + root_bytes"
"""Units whose weights are gathered in full: the one in use and the one fetched ahead, and the root's."""


def share_bytes(whole_bytes: int, n_ranks: int) -> int:
    """Return `SHARE`.

    Examples:
        >>> share_bytes(10, 4), share_bytes(10, 1)
        (3, 10)

    """
    return ceil_div(whole_bytes, n_ranks)


def gathered_bytes(n_units: int, unit_bytes: int, root_bytes: int) -> int:
    """Return `GATHERED_UNITS`.

    Examples:
        >>> gathered_bytes(2, 100, 50)
        250

    """
    return n_units * unit_bytes + root_bytes
