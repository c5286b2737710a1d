"""Weights that convolutional networks are made of: convolutions, group norms, residual blocks.

Next: _unet.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from genai_hwreq.models._tensor import Tensor, bias, matrix

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["convolution", "group_norm", "residual_block"]


def convolution(name: str, outputs: int, inputs: int, side: int = 3) -> tuple[Tensor, ...]:
    """Return a square convolution's weight and bias."""
    return Tensor(f"{name}.weight", "convolution", (outputs, inputs, side, side)), bias(name, outputs)


def group_norm(name: str, channels: int) -> tuple[Tensor, ...]:
    """Return a group or layer norm's weight and bias."""
    return Tensor(f"{name}.weight", "norm", (channels,)), bias(name, channels)


def residual_block(name: str, inputs: int, outputs: int, time_dim: int = 0) -> Iterator[Tensor]:
    """Yield a residual block: two convolutions with their norms, a projection of the time step, a short cut."""
    yield from group_norm(f"{name}.norm1", inputs)
    yield from convolution(f"{name}.conv1", outputs, inputs)
    if time_dim:
        yield from matrix(f"{name}.time_emb_proj", "projection", outputs, time_dim, has_bias=True)
    yield from group_norm(f"{name}.norm2", outputs)
    yield from convolution(f"{name}.conv2", outputs, outputs)
    if inputs != outputs:
        yield from convolution(f"{name}.conv_shortcut", outputs, inputs, side=1)
