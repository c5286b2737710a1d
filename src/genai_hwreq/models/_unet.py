"""The UNet that removes noise from a latent image: levels of residual blocks and spatial transformers.

Next: _autoencoder.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import field, frozen

from genai_hwreq._validators import count, non_empty, positive
from genai_hwreq.errors import QuantityError
from genai_hwreq.models._convolutions import convolution, group_norm, residual_block
from genai_hwreq.models._tensor import Tensor, matrix

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["SpatialTransformer", "UNet", "UNetLevel"]

_TIME_WIDTHS = 4
"""Width of the time step's embedding, in widths of the first level."""


@frozen(kw_only=True)
class SpatialTransformer:
    """Attention among the pixels of a level, and from them to the text."""

    n_blocks: int = field(validator=positive)
    """Transformer blocks, one after another."""

    n_heads: int = field(validator=positive)
    """Heads of each attention; together they are as wide as the level."""

    def tensors(self, name: str, width: int, cross_dim: int) -> Iterator[Tensor]:
        """Yield the stored weights at a level of `width` channels that reads text of `cross_dim`."""
        yield from group_norm(f"{name}.norm", width)
        yield from matrix(f"{name}.proj_in", "projection", width, width, has_bias=True)
        for index in range(self.n_blocks):
            yield from _block(f"{name}.transformer_blocks.{index}", width, cross_dim)
        yield from matrix(f"{name}.proj_out", "projection", width, width, has_bias=True)


def _block(name: str, width: int, cross_dim: int) -> Iterator[Tensor]:
    for attention, source_dim in (("attn1", width), ("attn2", cross_dim)):
        yield from matrix(f"{name}.{attention}.to_q", "attention_q", width, width)
        yield from matrix(f"{name}.{attention}.to_k", "attention_k", width, source_dim)
        yield from matrix(f"{name}.{attention}.to_v", "attention_v", width, source_dim)
        yield from matrix(f"{name}.{attention}.to_out.0", "attention_output", width, width, has_bias=True)
    yield from matrix(f"{name}.ff.net.0.proj", "ffn_gate_up", 8 * width, width, has_bias=True)
    yield from matrix(f"{name}.ff.net.2", "ffn_down", width, 4 * width, has_bias=True)
    for norm in ("norm1", "norm2", "norm3"):
        yield from group_norm(f"{name}.{norm}", width)


@frozen(kw_only=True)
class UNetLevel:
    """One resolution: each level halves both sides of the one before."""

    width: int = field(validator=positive)
    """Channels."""

    transformer: SpatialTransformer | None = None
    """What follows each residual block; `None` at levels without attention."""


@frozen(kw_only=True, cache_hash=True)
class UNet:
    """A denoiser of convolutions and attention, with skips from the way down to the way up."""

    in_channels: int = field(validator=positive)
    """Channels of the noisy latent."""

    out_channels: int = field(validator=positive)
    """Channels of what it returns."""

    levels: tuple[UNetLevel, ...] = field(validator=non_empty)
    """Resolutions, finest first."""

    n_residual_blocks: int = field(validator=positive)
    """Residual blocks of a level on the way down; the way up has one more."""

    middle: SpatialTransformer | None = None
    """Attention between the two residual blocks of the turning point."""

    cross_dim: int = field(validator=positive)
    """Width of the text states it reads."""

    addition_dim: int = field(default=0, validator=count)
    """Width of what is added to the time step (SDXL: pooled text and sizes); zero without any."""

    upcast_attention: bool = False
    """Whether queries, keys and scores are computed in fp32 whatever the weights are."""

    conditions: tuple[Tensor, ...] = ()
    """Weights that read further conditions: classes, a guidance scale, text of another width."""

    def __attrs_post_init__(self) -> None:
        """Refuse heads that do not divide a level's width."""
        for level in (*self.levels, UNetLevel(width=self.levels[-1].width, transformer=self.middle)):
            if level.transformer is not None and level.width % level.transformer.n_heads:
                msg = f"a width of {level.width} cannot be shared by {level.transformer.n_heads} heads"
                raise QuantityError(msg)

    def tensors(self) -> Iterator[Tensor]:
        """Yield every stored weight."""
        first = self.levels[0].width
        time_dim = _TIME_WIDTHS * first
        yield from convolution("conv_in", first, self.in_channels)
        yield from _embedding("time_embedding", time_dim, first)
        if self.addition_dim:
            yield from _embedding("add_embedding", time_dim, self.addition_dim)
        yield from self.conditions
        yield from self._way_down(time_dim)
        yield from self._turning_point(time_dim)
        yield from self._way_up(time_dim)
        yield from group_norm("conv_norm_out", first)
        yield from convolution("conv_out", self.out_channels, first)

    def _way_down(self, time_dim: int) -> Iterator[Tensor]:
        channels = self.levels[0].width
        for index, level in enumerate(self.levels):
            name = f"down_blocks.{index}"
            for block in range(self.n_residual_blocks):
                yield from residual_block(f"{name}.resnets.{block}", channels, level.width, time_dim)
                yield from self._attention(f"{name}.attentions.{block}", level)
                channels = level.width
            if index < len(self.levels) - 1:
                yield from convolution(f"{name}.downsamplers.0.conv", level.width, level.width)

    def _turning_point(self, time_dim: int) -> Iterator[Tensor]:
        width = self.levels[-1].width
        yield from residual_block("mid_block.resnets.0", width, width, time_dim)
        yield from self._attention("mid_block.attentions.0", UNetLevel(width=width, transformer=self.middle))
        yield from residual_block("mid_block.resnets.1", width, width, time_dim)

    def _way_up(self, time_dim: int) -> Iterator[Tensor]:
        channels = self.levels[-1].width
        for index in reversed(range(len(self.levels))):
            level, name = self.levels[index], f"up_blocks.{len(self.levels) - 1 - index}"
            for block in range(self.n_residual_blocks + 1):
                last = block == self.n_residual_blocks
                skip = self.levels[max(0, index - 1)].width if last else level.width
                yield from residual_block(f"{name}.resnets.{block}", channels + skip, level.width, time_dim)
                yield from self._attention(f"{name}.attentions.{block}", level)
                channels = level.width
            if index:
                yield from convolution(f"{name}.upsamplers.0.conv", level.width, level.width)

    def _attention(self, name: str, level: UNetLevel) -> Iterator[Tensor]:
        if level.transformer is not None:
            yield from level.transformer.tensors(name, level.width, self.cross_dim)


def _embedding(name: str, outputs: int, inputs: int) -> Iterator[Tensor]:
    yield from matrix(f"{name}.linear_1", "projection", outputs, inputs, has_bias=True)
    yield from matrix(f"{name}.linear_2", "projection", outputs, outputs, has_bias=True)
