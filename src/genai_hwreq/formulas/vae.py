"""Working memory of the autoencoder's decoder (AutoencoderKL)."""

from __future__ import annotations

__all__ = [
    "DECODE",
    "ENCODE",
    "IMAGES",
    "MIDDLE",
    "TILED_IMAGES",
    "WORKSPACE",
    "decode_bytes",
    "encode_bytes",
    "image_bytes",
    "middle_bytes",
    "workspace_bytes",
]

DECODE = "3 * batch_size * pixels * width * element_bytes"
"""What `decode_bytes` computes."""

ENCODE = "5 * batch_size * pixels * width * element_bytes"
"""What `encode_bytes` computes."""

IMAGES = "batch_size * channels * image_pixels * element_bytes"
"""What `image_bytes` computes."""

MIDDLE = "6 * batch_size * positions * width * element_bytes"
"""What `middle_bytes` computes."""

WORKSPACE = "batch_size * pixels * workspace_elements * element_bytes"
"""What `workspace_bytes` computes."""

TILED_IMAGES = "2 * batch_size * channels * image_pixels * element_bytes"
"""All tiles and the image they are joined to."""


def decode_bytes(batch_size: int, pixels: int, width: int, element_bytes: int) -> int:
    """Return the peak of a decode: the first residual block at full resolution.

    Alive are its input from the level below, that input normalised, and activated: three tensors of the
    second finest width over all pixels.

    Examples:
        One image of 512 pixels: 256 channels, 768 elements a pixel.

        >>> decode_bytes(1, 512 * 512, 256, 2)
        402653184

    """
    return 3 * batch_size * pixels * width * element_bytes


def encode_bytes(batch_size: int, pixels: int, width: int, element_bytes: int) -> int:
    """Return the peak of an encode: the second residual block at full resolution.

    Alive are two blocks' inputs, the normalised, the activated, and a convolution's output.

    Examples:
        >>> encode_bytes(1, 512 * 512, 128, 2)
        335544320

    """
    return 5 * batch_size * pixels * width * element_bytes


def image_bytes(batch_size: int, channels: int, image_pixels: int, element_bytes: int) -> int:
    """Return the bytes of the images themselves.

    Examples:
        >>> image_bytes(1, 3, 512 * 512, 2)
        1572864

    """
    return batch_size * channels * image_pixels * element_bytes


def middle_bytes(batch_size: int, positions: int, width: int, element_bytes: int) -> int:
    """Return what is alive beside the scores in the attention at the coarsest resolution: input, normalised, q, k, v.

    Examples:
        >>> middle_bytes(1, 4096, 512, 2)
        25165824

    """
    return 6 * batch_size * positions * width * element_bytes


def workspace_bytes(batch_size: int, pixels: int, workspace_elements: int, element_bytes: int) -> int:
    """Return what the convolution library allocates beside the tensors.

    Examples:
        >>> workspace_bytes(1, 512 * 512, 240, 2)
        125829120

    """
    return batch_size * pixels * workspace_elements * element_bytes
