"""What is asked of a model.

Next: placement.
"""

from __future__ import annotations

from attrs import field, frozen

from genai_hwreq._validators import count, optional_positive, positive
from genai_hwreq.errors import QuantityError
from genai_hwreq.training import Full, Lora, Method, Training

__all__ = [
    "AudioGeneration",
    "Full",
    "Generation",
    "ImageGeneration",
    "Lora",
    "Method",
    "Training",
    "Transcription",
    "VideoGeneration",
    "Workload",
]



@frozen(kw_only=True)
class Generation:
    """Text generation: a prompt is read, tokens are added to it."""

    context_tokens: int = field(default=2048, validator=positive)
    """Prompt and generated tokens together, at the end."""

    new_tokens: int = field(default=1, validator=count)
    """How many of them are generated; the rest is the prompt."""

    batch_size: int = field(default=1, validator=positive)
    """Sequences at once."""

    padded: bool = False
    """Whether the prompts differ in length, so that attention needs a mask."""

    n_images: int = field(default=0, validator=count)
    """Images in each prompt; their tokens are part of `context_tokens`."""

    def __attrs_post_init__(self) -> None:
        """Refuse more generated tokens than the context holds."""
        if self.new_tokens > self.context_tokens:
            msg = f"new_tokens is {self.new_tokens}; expected at most context_tokens, {self.context_tokens}"
            raise QuantityError(msg)

    @property
    def prompt_tokens(self) -> int:
        """Tokens read before the first one is generated."""
        return max(1, self.context_tokens - self.new_tokens)


@frozen(kw_only=True)
class ImageGeneration:
    """Image generation from text."""

    width_px: int | None = field(default=None, validator=optional_positive)
    """Width of an image; `None`: what the model was made for."""

    height_px: int | None = field(default=None, validator=optional_positive)
    """Height of an image; `None`: what the model was made for."""

    batch_size: int = field(default=1, validator=positive)
    """Images at once."""

    guidance: bool | None = None
    """Whether classifier-free guidance runs every step twice; `None`: as the model's pipeline does."""

    text_tokens: int | None = field(default=None, validator=optional_positive)
    """Tokens that a prompt is padded to; `None`: as the model's pipeline does."""


@frozen(kw_only=True)
class VideoGeneration:
    """Video generation from text or an image.

    Examples:
        >>> VideoGeneration(width_px=832, height_px=480, n_frames=81).n_frames
        81

    """

    width_px: int | None = field(default=None, validator=optional_positive)
    """Width of a frame; `None`: what the model was made for."""

    height_px: int | None = field(default=None, validator=optional_positive)
    """Height of a frame; `None`: what the model was made for."""

    n_frames: int | None = field(default=None, validator=optional_positive)
    """Frames of a video; `None`: what the model was made for."""

    batch_size: int = field(default=1, validator=positive)
    """Videos at once."""

    guidance: bool | None = None
    """Whether classifier-free guidance runs every step twice; `None`: as the model's pipeline does."""

    text_tokens: int | None = field(default=None, validator=optional_positive)
    """Tokens that a prompt is padded to; `None`: as the model's pipeline does."""


@frozen(kw_only=True)
class Transcription:
    """Speech to text: sound is cut into windows, each is encoded once and decoded token by token.

    Examples:
        >>> Transcription(audio_seconds=780, beams=5).beams
        5

    """

    audio_seconds: int = field(default=30, validator=positive)
    """Length of the recording."""

    batch_size: int = field(default=1, validator=positive)
    """Windows at once."""

    beams: int = field(default=1, validator=positive)
    """Hypotheses that the decoder keeps."""

    prompt_tokens: int = field(default=4, validator=positive)
    """Tokens that the decoder starts from."""

    new_tokens: int | None = field(default=None, validator=optional_positive)
    """Tokens written for a window; `None`: as many as the decoder can."""


@frozen(kw_only=True)
class AudioGeneration:
    """Music or sound from text."""

    audio_seconds: int | None = field(default=None, validator=optional_positive)
    """Length of the sound; `None`: what the model was made for."""

    batch_size: int = field(default=1, validator=positive)
    """Sounds at once."""

    guidance: bool | None = None
    """Whether classifier-free guidance runs every step twice; `None`: as the model's pipeline does."""


Workload = Generation | ImageGeneration | VideoGeneration | Transcription | AudioGeneration | Training
"""Anything that can be asked."""
