"""Working memory of transformers over patches, and of denoisers that grow with their latent."""

from __future__ import annotations

__all__ = ["LATENT", "TOKENS", "latent_bytes", "latent_frames", "patch_tokens", "token_bytes"]

TOKENS = (
    "batch_size * (image_tokens * (per_token * element_bytes + 4 * fp32_per_token)"
    " + text_tokens * (per_text_token * element_bytes + 4 * fp32_per_text_token))"
    " + image_tokens * (4 * fp32_shared + bytes_per_token) + 4 * text_tokens * fp32_shared_text"
)
"""What `token_bytes` computes."""

LATENT = "batch_size * positions * milli_per_position * element_bytes // 1000"
"""What `latent_bytes` computes."""


def latent_frames(n_frames: int, frame_scale: int) -> int:
    """Return the latent frames of a video: the first frame stands alone.

    Examples:
        >>> latent_frames(81, 4), latent_frames(1, 4)
        (21, 1)

    """
    return (n_frames - 1) // frame_scale + 1


def patch_tokens(width: int, height: int, frames: int, patch: int, patch_frames: int) -> int:
    """Return the tokens of a latent image or video; edges that do not fill a patch make one.

    Examples:
        Wan 2.1 at 832 × 480 pixels and 81 frames.

        >>> patch_tokens(104, 60, 21, 2, 1)
        32760

    """
    return -(-width // patch) * -(-height // patch) * -(-frames // patch_frames)


def token_bytes(  # noqa: PLR0913  (what a moment grows with)
    *,
    batch_size: int,
    image_tokens: int,
    text_tokens: int,
    element_bytes: int,
    per_token: int,
    per_text_token: int,
    fp32_per_token: int = 0,
    fp32_per_text_token: int = 0,
    fp32_shared: int = 0,
    fp32_shared_text: int = 0,
    bytes_per_token: int = 0,
) -> int:
    """Return the bytes alive at one moment of a transformer over patches and text.

    Examples:
        PixArt at 1024 pixels, guidance as a batch of two: twelve tensors as wide as the model.

        >>> token_bytes(
        ...     batch_size=2,
        ...     image_tokens=4096,
        ...     text_tokens=120,
        ...     element_bytes=2,
        ...     per_token=12 * 1152 + 16,
        ...     per_text_token=4096 + 1152,
        ... )
        229273600

    """
    own = image_tokens * (per_token * element_bytes + 4 * fp32_per_token)
    text = text_tokens * (per_text_token * element_bytes + 4 * fp32_per_text_token)
    shared = image_tokens * (4 * fp32_shared + bytes_per_token) + 4 * text_tokens * fp32_shared_text
    return batch_size * (own + text) + shared


def latent_bytes(batch_size: int, positions: int, milli_per_position: int, element_bytes: int) -> int:
    """Return the bytes alive in a denoiser that grows with its latent.

    Examples:
        >>> latent_bytes(2, 25 * 72 * 128, 28_200 * 320, 2)
        8316518400

    """
    return batch_size * positions * milli_per_position * element_bytes // 1000
