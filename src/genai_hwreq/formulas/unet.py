"""Working memory of a UNet: the tensors alive together at the fullest moment of one level.

On the way up a level holds the output of the level below, all skips that are not yet used (its own tuple is
held whole until the level ends), and the tensors of the block at work.
"""

from __future__ import annotations

from math import isqrt

__all__ = ["LEVEL", "TYPICAL", "level_bytes", "skip_elements", "typical_bytes", "typical_width"]

LEVEL = (
    "batch_size * (held_elements + pixels * (copies_below * width_below + copies * width)) * element_bytes"
)
"""What `level_bytes` computes."""

TYPICAL = "26 * batch_size * pixels * width * element_bytes"
"""What `typical_bytes` computes."""

_KNOWN_PARAMS, _KNOWN_WIDTH = 859_520_964, 320
"""Stable Diffusion 1.5's UNet: parameters grow with the square of the width."""


def level_bytes(
    batch_size: int,
    held_elements: int,
    pixels: int,
    copies_below: int,
    width_below: int,
    copies: int,
    width: int,
    element_bytes: int,
) -> int:
    """Return the bytes alive in one level: tensors of its width and of the level below, and what is held meanwhile.

    Held are the skips that are not yet used and the network's own input.

    Examples:
        Stable Diffusion 1.5 at 512 pixels, feed-forward network of the finest level: the level's output from
        below (640 wide), three skips of 320, and 21 tensors as wide as the level.

        >>> level_bytes(1, 3 * 4096 * 320, 4096, 1, 640, 21, 320, 2)
        68157440

    """
    own = pixels * (copies_below * width_below + copies * width)
    return batch_size * (held_elements + own) * element_bytes


def skip_elements(
    widths: tuple[int, ...], pixels: tuple[int, ...], n_residual_blocks: int, level: int
) -> int:
    """Return the elements of the skips that are alive on the way up when `level` runs: its own and all finer ones.

    The way down leaves the first convolution's output, each residual block's, and each level's halved output.

    Examples:
        >>> skip_elements((320, 640), (4096, 1024), 2, 0) == 3 * 4096 * 320
        True

    """
    total = widths[0] * pixels[0]
    for index in range(level + 1):
        total += n_residual_blocks * widths[index] * pixels[index]
        if index:
            total += widths[index - 1] * pixels[index]
    return total


def typical_width(n_params: int) -> int:
    """Return the width of the finest level of a UNet of Stable Diffusion's proportions.

    Examples:
        DeepFloyd IF's first stage: 4.3 billion parameters; its real width is 704.

        >>> typical_width(4_300_000_000)
        715

    """
    return max(1, isqrt(n_params * _KNOWN_WIDTH**2 // _KNOWN_PARAMS))


def typical_bytes(batch_size: int, pixels: int, width: int, element_bytes: int) -> int:
    """Return the working memory of a UNet of Stable Diffusion's proportions with fused attention.

    Examples:
        >>> typical_bytes(1, 4096, 320, 2)
        68157440

    """
    return 26 * batch_size * pixels * width * element_bytes
