"""What is asked of a model.

Next: placement.
"""

from __future__ import annotations


from attrs import field, frozen

from genai_hwreq._validators import count, optional_positive, positive
from genai_hwreq.errors import QuantityError

__all__ = ["Generation", "ImageGeneration", "Workload"]



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


Workload = Generation | ImageGeneration
"""Anything that can be asked."""
