"""Working memory of autoencoders that decode frames, a few at a time or all together."""

from __future__ import annotations

__all__ = ["FRAMES", "OUTPUT", "frame_bytes", "output_bytes"]

FRAMES = (
    "batch_size * pixels * (frames * (milli_per_pixel * element_bytes + 4 * fp32_milli_per_pixel)"
    " + milli_per_image_pixel * element_bytes) // 1000"
)
"""What `frame_bytes` computes."""

OUTPUT = "batch_size * channels * frames * pixels * element_bytes"
"""What `output_bytes` computes."""


def frame_bytes(
    batch_size: int,
    pixels: int,
    frames: int,
    element_bytes: int,
    milli_per_pixel: int,
    milli_per_image_pixel: int = 0,
    fp32_milli_per_pixel: int = 0,
) -> int:
    """Return the bytes alive while some frames are worked on together.

    Examples:
        Eight frames of 720 × 480 pixels in CogVideoX's decoder.

        >>> frame_bytes(1, 720 * 480, 8, 2, 22_360 * 128)
        15826157568

    """
    own = frames * (milli_per_pixel * element_bytes + 4 * fp32_milli_per_pixel)
    return batch_size * pixels * (own + milli_per_image_pixel * element_bytes) // 1000


def output_bytes(batch_size: int, channels: int, frames: int, pixels: int, element_bytes: int) -> int:
    """Return the bytes of all pixels.

    Examples:
        >>> output_bytes(1, 3, 49, 720 * 480, 2)
        101606400

    """
    return batch_size * channels * frames * pixels * element_bytes
