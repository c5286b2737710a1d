"""Parameters of low-rank adapters.

Source: LoRA, arXiv 2106.09685, section 4.1; DoRA, arXiv 2402.09353, section 3.
"""

from __future__ import annotations

__all__ = ["adapter_elements", "magnitude_elements"]


def adapter_elements(rank: int, in_dim: int, out_dim: int) -> int:
    """Return the elements of a pair of adapters: from the input down to the rank, and up to the output.

    Examples:
        >>> adapter_elements(16, 4096, 11008)
        241664

    """
    return rank * (in_dim + out_dim)


def magnitude_elements(out_dim: int) -> int:
    """Return the elements of DoRA's magnitudes: one for each output.

    Examples:
        >>> magnitude_elements(4096)
        4096

    """
    return out_dim
