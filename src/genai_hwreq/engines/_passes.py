"""What the networks of a pipeline work on, in one run.

Next: _diffusers_passes.
"""

from __future__ import annotations

from attrs import frozen

from genai_hwreq.formulas import dit

__all__ = ["MediaPass"]


@frozen(kw_only=True)
class MediaPass:
    """Sizes and settings that every network of a run shares."""

    batch_size: int
    """Images or videos at once."""

    width_px: int
    """Width of a frame."""

    height_px: int
    """Height of a frame."""

    n_frames: int = 1
    """Frames; one for an image."""

    frame_scale: int = 1
    """Frames of one latent frame."""

    latent_scale: int
    """Pixels along the side of one latent element."""

    text_tokens: int
    """Tokens of a prompt."""

    samples: int
    """Images that the denoiser sees at once: twice the batch under guidance."""

    element_bytes: int
    """Bytes of an element of activations."""

    eager: bool
    """Whether attention scores are held in full."""

    sliced: bool = False
    """Whether the scores of half the heads are held at a time."""

    vae_slicing: bool
    """Whether images are decoded one by one."""

    vae_tiling: bool
    """Whether an image is decoded in tiles."""

    decode_chunk: int | None = None
    """Frames that are decoded at once, where the program was told; `None`: as the autoencoder does."""

    vae_bytes: int
    """Bytes of an element in the autoencoder."""

    kept_fp32: bool = False
    """Whether text encoders keep some matrices in fp32, as T5 does beside fp16."""

    cudnn_workspaces: bool = True
    """Whether the convolution library takes workspaces beside the tensors."""

    freed_bytes: int = 0
    """What weights that wait elsewhere leave free for the convolution library to choose from."""

    compute_major: int | None = None
    """First number of the device's compute capability, where it is known."""

    @property
    def latent_frames(self) -> int:
        """Frames of the latent."""
        return dit.latent_frames(self.n_frames, self.frame_scale)
