"""Denoisers of convolutions for video: UNets that work within frames and across them.

Next: _registry.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from genai_hwreq.models import EnumeratedNetwork, LatentWork, SpatialTransformer, Tensor
from genai_hwreq.models._convolutions import residual_block
from genai_hwreq.readers.diffusers._frame_autoencoders import temporal_resnet
from genai_hwreq.readers.diffusers._parts import (
    attention,
    embedding,
    feed_forward,
    group,
    linear,
    norm,
    patch_convolution,
    raw,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from genai_hwreq.readers.hf_config._fields import Fields

__all__ = ["spatio_temporal", "three_dimensional"]

_WIDTHS = (320, 640, 1280, 1280)
_DOWN = ("CrossAttnDownBlockSpatioTemporal",) * 3 + ("DownBlockSpatioTemporal",)
_FULLEST_MILLI_WIDTHS = 28_200
"""Tensors of the finest level's width alive at the fullest moment, read off the forward pass of SVD-XT: 28.2."""


def spatio_temporal(fields: Fields) -> EnumeratedNetwork:
    """Read Stable Video Diffusion's UNet."""
    widths = fields.counts("block_out_channels", minimum=1) or _WIDTHS
    kinds = fields.items("down_block_types") or _DOWN
    n_blocks = fields.count("layers_per_block", default=2)
    cross, depth = (
        fields.count("cross_attention_dim", default=1024),
        fields.count("transformer_layers_per_block", default=1),
    )
    pixels, out = fields.count("in_channels", default=8), fields.count("out_channels", default=4)
    first = widths[0]
    time = 4 * first
    attends = ["CrossAttn" in str(kind) for kind in kinds]
    stored: list[Tensor] = [
        *patch_convolution("conv_in", first, pixels, 3, 3),
        *embedding("time_embedding", time, first),
        *embedding("add_embedding", time, fields.count("projection_class_embeddings_input_dim", default=768)),
    ]
    channels = first
    for index, width in enumerate(widths):
        name = f"down_blocks.{index}"
        for block in range(n_blocks):
            stored += temporal_resnet(f"{name}.resnets.{block}", channels, width, time)
            channels = width
            if attends[index]:
                stored += _transformer(f"{name}.attentions.{block}", width, cross, depth)
        if index < len(widths) - 1:
            stored += patch_convolution(f"{name}.downsamplers.0.conv", width, width, 3, 3)
    stored += [
        *temporal_resnet("mid_block.resnets.0", channels, channels, time),
        *_transformer("mid_block.attentions.0", channels, cross, depth),
        *temporal_resnet("mid_block.resnets.1", channels, channels, time),
    ]
    for index in reversed(range(len(widths))):
        name, width = f"up_blocks.{len(widths) - 1 - index}", widths[index]
        for block in range(n_blocks + 1):
            skip = widths[max(0, index - 1)] if block == n_blocks else width
            stored += temporal_resnet(f"{name}.resnets.{block}", channels + skip, width, time)
            channels = width
            if attends[index]:
                stored += _transformer(f"{name}.attentions.{block}", width, cross, depth)
        if index:
            stored += patch_convolution(f"{name}.upsamplers.0.conv", width, width, 3, 3)
    stored += [*norm("conv_norm_out", first, has_bias=True), *patch_convolution("conv_out", out, first, 3, 3)]
    return EnumeratedNetwork(
        class_name="UNetSpatioTemporalConditionModel",
        groups=group("layers", 1, stored),
        work=LatentWork(milli_per_position=_FULLEST_MILLI_WIDTHS * first),
    )


def _transformer(name: str, width: int, cross: int, depth: int) -> Iterator[Tensor]:
    yield from norm(f"{name}.norm", width, has_bias=True)
    yield from linear(f"{name}.proj_in", width, width)
    for index in range(depth):
        for kind in ("transformer_blocks", "temporal_transformer_blocks"):
            block = f"{name}.{kind}.{index}"
            if kind.startswith("temporal"):
                yield from norm(f"{block}.norm_in", width, has_bias=True)
                yield from feed_forward(f"{block}.ff_in", width, 4 * width, gated=True)
            yield from norm(f"{block}.norm1", width, has_bias=True)
            yield from attention(f"{block}.attn1", width, has_bias=False, output_bias=True)
            yield from norm(f"{block}.norm2", width, has_bias=True)
            yield from attention(f"{block}.attn2", width, source=cross, has_bias=False, output_bias=True)
            yield from norm(f"{block}.norm3", width, has_bias=True)
            yield from feed_forward(f"{block}.ff", width, 4 * width, gated=True)
    yield from embedding(f"{name}.time_pos_embed", 4 * width, width, outputs=width)
    yield from raw(f"{name}.time_mixer.mix_factor", 1)
    yield from linear(f"{name}.proj_out", width, width)


def three_dimensional(fields: Fields) -> EnumeratedNetwork:
    """Read ModelScope's UNet: after each residual block convolutions across frames, after each attention another."""
    widths = fields.counts("block_out_channels", minimum=1) or _WIDTHS
    kinds = fields.items("down_block_types") or ("CrossAttnDownBlock3D",) * 3 + ("DownBlock3D",)
    n_blocks, cross = (
        fields.count("layers_per_block", default=2),
        fields.count("cross_attention_dim", default=1024),
    )
    first, head_dim = widths[0], fields.count("attention_head_dim", default=64)
    attends = ["CrossAttn" in str(kind) for kind in kinds]
    stored: list[Tensor] = [
        *patch_convolution("conv_in", first, fields.count("in_channels", default=4), 3, 3),
        *embedding("time_embedding", 4 * first, first),
        *across_frames("transformer_in", first, 8 * head_dim),
    ]
    channels = first
    for index, width in enumerate(widths):
        name = f"down_blocks.{index}"
        for block in range(n_blocks):
            stored += _block3d(name, block, channels, width, first, cross if attends[index] else 0)
            channels = width
        if index < len(widths) - 1:
            stored += patch_convolution(f"{name}.downsamplers.0.conv", width, width, 3, 3)
    stored += _block3d("mid_block", 0, channels, channels, first, cross)
    stored += _block3d("mid_block", 1, channels, channels, first, 0)
    for index in reversed(range(len(widths))):
        name, width = f"up_blocks.{len(widths) - 1 - index}", widths[index]
        for block in range(n_blocks + 1):
            skip = widths[max(0, index - 1)] if block == n_blocks else width
            stored += _block3d(name, block, channels + skip, width, first, cross if attends[index] else 0)
            channels = width
        if index:
            stored += patch_convolution(f"{name}.upsamplers.0.conv", width, width, 3, 3)
    stored += norm("conv_norm_out", first, has_bias=True)
    stored += patch_convolution("conv_out", fields.count("out_channels", default=4), first, 3, 3)
    return EnumeratedNetwork(
        class_name="UNet3DConditionModel",
        groups=group("layers", 1, stored),
        work=LatentWork(milli_per_position=_FULLEST_MILLI_WIDTHS * first),
    )


def _block3d(name: str, block: int, inputs: int, width: int, first: int, cross: int) -> Iterator[Tensor]:
    yield from residual_block(f"{name}.resnets.{block}", inputs, width, 4 * first)
    yield from temporal_convolutions(f"{name}.temp_convs.{block}", width)
    if cross:
        yield from SpatialTransformer(n_blocks=1, n_heads=1).tensors(
            f"{name}.attentions.{block}", width, cross
        )
        yield from across_frames(f"{name}.temp_attentions.{block}", width, width)


def temporal_convolutions(name: str, width: int) -> Iterator[Tensor]:
    """Yield four convolutions across frames, each with its norm."""
    for number in (1, 2, 3, 4):
        yield from norm(f"{name}.conv{number}.0", width, has_bias=True)
        yield from patch_convolution(f"{name}.conv{number}.2", width, width, 3, 1, 1)


def across_frames(name: str, width: int, inner: int, depth: int = 1) -> Iterator[Tensor]:
    """Yield attention across frames: two self-attentions and a feed-forward network, between projections."""
    yield from norm(f"{name}.norm", width, has_bias=True)
    yield from linear(f"{name}.proj_in", inner, width)
    for index in range(depth):
        block = f"{name}.transformer_blocks.{index}"
        for number in (1, 2):
            yield from norm(f"{block}.norm{number}", inner, has_bias=True)
            yield from attention(f"{block}.attn{number}", inner, has_bias=False, output_bias=True)
        yield from norm(f"{block}.norm3", inner, has_bias=True)
        yield from feed_forward(f"{block}.ff", inner, 4 * inner, gated=True)
    yield from linear(f"{name}.proj_out", width, inner)
