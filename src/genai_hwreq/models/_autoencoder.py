"""The autoencoder between pixels and latents (AutoencoderKL).

Next: _diffusion.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import field, frozen

from genai_hwreq._validators import non_empty, positive
from genai_hwreq.models._convolutions import convolution, group_norm, residual_block
from genai_hwreq.models._tensor import Tensor, matrix

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Autoencoder"]


@frozen(kw_only=True, cache_hash=True)
class Autoencoder:
    """A convolutional encoder and decoder; both halves are stored and loaded, generation runs the decoder."""

    image_channels: int = field(default=3, validator=positive)
    """Channels of the image."""

    latent_channels: int = field(validator=positive)
    """Channels of the latent."""

    widths: tuple[int, ...] = field(validator=non_empty)
    """Channels of each resolution, finest first; each halves both sides of the one before."""

    n_residual_blocks: int = field(validator=positive)
    """Residual blocks of an encoder's resolution; the decoder has one more."""

    quant_convolutions: bool = True
    """Whether 1×1 convolutions stand around the latent (FLUX's and SD3's have none)."""

    middle_attention: bool = True
    """Whether the turning points attend."""

    tile_px: int = field(default=512, validator=positive)
    """Side of the tiles it was made to decode an image in."""

    @property
    def scale(self) -> int:
        """Pixels along the side of one latent element."""
        return 1 << (len(self.widths) - 1)

    def tensors(self) -> Iterator[Tensor]:
        """Yield every stored weight."""
        yield from self._encoder()
        yield from self._decoder()
        if self.quant_convolutions:
            yield from convolution("quant_conv", 2 * self.latent_channels, 2 * self.latent_channels, side=1)
            yield from convolution("post_quant_conv", self.latent_channels, self.latent_channels, side=1)

    def _encoder(self) -> Iterator[Tensor]:
        channels = self.widths[0]
        yield from convolution("encoder.conv_in", channels, self.image_channels)
        for index, width in enumerate(self.widths):
            for block in range(self.n_residual_blocks):
                yield from residual_block(f"encoder.down_blocks.{index}.resnets.{block}", channels, width)
                channels = width
            if index < len(self.widths) - 1:
                yield from convolution(f"encoder.down_blocks.{index}.downsamplers.0.conv", width, width)
        yield from _turning_point("encoder.mid_block", channels, attends=self.middle_attention)
        yield from group_norm("encoder.conv_norm_out", channels)
        yield from convolution("encoder.conv_out", 2 * self.latent_channels, channels)

    def _decoder(self) -> Iterator[Tensor]:
        channels = self.widths[-1]
        yield from convolution("decoder.conv_in", channels, self.latent_channels)
        yield from _turning_point("decoder.mid_block", channels, attends=self.middle_attention)
        for index, width in enumerate(reversed(self.widths)):
            for block in range(self.n_residual_blocks + 1):
                yield from residual_block(f"decoder.up_blocks.{index}.resnets.{block}", channels, width)
                channels = width
            if index < len(self.widths) - 1:
                yield from convolution(f"decoder.up_blocks.{index}.upsamplers.0.conv", width, width)
        yield from group_norm("decoder.conv_norm_out", channels)
        yield from convolution("decoder.conv_out", self.image_channels, channels)


def _turning_point(name: str, width: int, *, attends: bool) -> Iterator[Tensor]:
    yield from residual_block(f"{name}.resnets.0", width, width)
    if attends:
        yield from group_norm(f"{name}.attentions.0.group_norm", width)
        yield from matrix(f"{name}.attentions.0.to_q", "attention_q", width, width, has_bias=True)
        yield from matrix(f"{name}.attentions.0.to_k", "attention_k", width, width, has_bias=True)
        yield from matrix(f"{name}.attentions.0.to_v", "attention_v", width, width, has_bias=True)
        yield from matrix(f"{name}.attentions.0.to_out.0", "attention_output", width, width, has_bias=True)
    yield from residual_block(f"{name}.resnets.1", width, width)
