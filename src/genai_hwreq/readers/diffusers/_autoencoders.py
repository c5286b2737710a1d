"""Autoencoders of video, and of images at high compression: 3D convolutions, tiles, frames decoded a few at a time.

Next: _unets.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from genai_hwreq.models import EnumeratedNetwork, FrameMoment, FrameWork, Tensor, Tile
from genai_hwreq.models._convolutions import residual_block
from genai_hwreq.models._tensor import matrix
from genai_hwreq.readers.diffusers._frame_autoencoders import causal
from genai_hwreq.readers.diffusers._parts import group, norm, patch_convolution
from genai_hwreq.readers.diffusers._unets import temporal_convolutions

if TYPE_CHECKING:
    from collections.abc import Iterator

    from genai_hwreq.readers.hf_config._fields import Fields

__all__ = ["allegro", "cogvideox", "hunyuan_video"]

Tensors = tuple[Tensor, ...]
_CUBE = (3, 3, 3)
_HUNYUAN_FRAMES = 17
"""Frames decoded together: tiles of 16 in time, and the one that they share."""


def hunyuan_video(fields: Fields) -> EnumeratedNetwork:
    """Read HunyuanVideo's autoencoder: AutoencoderKL with cubes in place of squares, decoded whole."""
    widths = fields.counts("block_out_channels", minimum=1) or (128, 256, 512, 512)
    n_blocks, latent = (
        fields.count("layers_per_block", default=2),
        fields.count("latent_channels", default=16),
    )
    pixels, out = fields.count("in_channels", default=3), fields.count("out_channels", default=3)
    attends = fields.flag("mid_block_add_attention", default=True)
    scale = fields.count("spatial_compression_ratio", default=8)
    frame_scale = fields.count("temporal_compression_ratio", default=4)
    second = widths[min(1, len(widths) - 1)]
    stored: list[Tensor] = [*causal("encoder.conv_in", widths[0], pixels)]
    channels = widths[0]
    for index, width in enumerate(widths):
        name = f"encoder.down_blocks.{index}"
        for block in range(n_blocks):
            stored += _resnet3d(f"{name}.resnets.{block}", channels, width)
            channels = width
        if index < len(widths) - 1:
            stored += causal(f"{name}.downsamplers.0.conv", width, width)
    stored += _middle3d("encoder.mid_block", channels, attends=attends)
    stored += [
        *norm("encoder.conv_norm_out", channels, has_bias=True),
        *causal("encoder.conv_out", 2 * latent, channels),
    ]
    stored += causal("decoder.conv_in", channels, latent)
    stored += _middle3d("decoder.mid_block", channels, attends=attends)
    for index, width in enumerate(reversed(widths)):
        name = f"decoder.up_blocks.{index}"
        for block in range(n_blocks + 1):
            stored += _resnet3d(f"{name}.resnets.{block}", channels, width)
            channels = width
        if index < len(widths) - 1:
            stored += causal(f"{name}.upsamplers.0.conv", width, width)
    stored += [
        *norm("decoder.conv_norm_out", channels, has_bias=True),
        *causal("decoder.conv_out", out, channels),
    ]
    stored += patch_convolution("quant_conv", 2 * latent, 2 * latent, 1, 1, 1)
    stored += patch_convolution("post_quant_conv", latent, latent, 1, 1, 1)
    return EnumeratedNetwork(
        class_name="AutoencoderKLHunyuanVideo",
        groups=group("layers", 1, stored),
        work=FrameWork(
            scale=scale, frame_scale=frame_scale, latent_channels=latent, image_channels=out,
            frames_at_once=_HUNYUAN_FRAMES,
            decode=(FrameMoment(name="upsampled frames, padded", milli_per_pixel=4375 * second, milli_per_image_pixel=2375 * second),),
            encode=(FrameMoment(name="blocks at full resolution", milli_per_pixel=5130 * widths[0]),),
            tile=Tile(height_px=256, width_px=256),
        ),
    )  # fmt: skip


def _resnet3d(name: str, inputs: int, outputs: int) -> Iterator[Tensor]:
    yield from norm(f"{name}.norm1", inputs, has_bias=True)
    yield from causal(f"{name}.conv1", outputs, inputs)
    yield from norm(f"{name}.norm2", outputs, has_bias=True)
    yield from causal(f"{name}.conv2", outputs, outputs)
    if inputs != outputs:
        yield from causal(f"{name}.conv_shortcut", outputs, inputs, 1, 1, 1)


def _middle3d(name: str, width: int, *, attends: bool) -> Iterator[Tensor]:
    yield from _resnet3d(f"{name}.resnets.0", width, width)
    if attends:
        yield from norm(f"{name}.attentions.0.group_norm", width, has_bias=True)
        for part in ("to_q", "to_k", "to_v", "to_out.0"):
            yield from matrix(f"{name}.attentions.0.{part}", "projection", width, width, has_bias=True)
    yield from _resnet3d(f"{name}.resnets.1", width, width)


def cogvideox(fields: Fields) -> EnumeratedNetwork:  # noqa: C901  (one walk through the network)
    """Read CogVideoX's autoencoder, whose decoder's norms read the latent again."""
    widths = fields.counts("block_out_channels", minimum=1) or (128, 256, 256, 512)
    latent, n_blocks = (
        fields.count("latent_channels", default=16),
        fields.count("layers_per_block", default=3),
    )
    pixels, out = fields.count("in_channels", default=3), fields.count("out_channels", default=3)
    frame_scale = fields.count("temporal_compression_ratio", default=4)
    stored: list[Tensor] = [*causal("encoder.conv_in", widths[0], pixels)]
    channels = widths[0]
    for index, width in enumerate(widths):
        name = f"encoder.down_blocks.{index}"
        for block in range(n_blocks):
            stored += _cog_resnet(f"{name}.resnets.{block}", channels, width)
            channels = width
        if index < len(widths) - 1:
            stored += patch_convolution(f"{name}.downsamplers.0.conv", width, width, 3, 3)
    for block in range(2):
        stored += _cog_resnet(f"encoder.mid_block.resnets.{block}", channels, channels)
    stored += [
        *norm("encoder.norm_out", channels, has_bias=True),
        *causal("encoder.conv_out", 2 * latent, channels),
    ]
    stored += causal("decoder.conv_in", channels, latent)
    for block in range(2):
        stored += _cog_resnet(f"decoder.mid_block.resnets.{block}", channels, channels, latent)
    for index, width in enumerate(reversed(widths)):
        name = f"decoder.up_blocks.{index}"
        for block in range(n_blocks + 1):
            stored += _cog_resnet(f"{name}.resnets.{block}", channels, width, latent)
            channels = width
        if index < len(widths) - 1:
            stored += patch_convolution(f"{name}.upsamplers.0.conv", width, width, 3, 3)
    stored += [*_cog_norm("decoder.norm_out", channels, latent), *causal("decoder.conv_out", out, channels)]
    if fields.flag("use_quant_conv", default=False):
        stored += patch_convolution("quant_conv", 2 * out, 2 * out, 1, 1, 1)
    if fields.flag("use_post_quant_conv", default=False):
        stored += patch_convolution("post_quant_conv", out, out, 1, 1, 1)
    height, width_px = fields.count("sample_height", default=480), fields.count("sample_width", default=720)
    return EnumeratedNetwork(
        class_name="AutoencoderKLCogVideoX",
        groups=group("layers", 1, stored),
        work=FrameWork(
            scale=1 << (len(widths) - 1), frame_scale=frame_scale, latent_channels=latent, image_channels=out,
            frames_at_once=2 * frame_scale,
            decode=(FrameMoment(name="first block at full resolution", milli_per_pixel=22_360 * widths[0]),),
            encode=(FrameMoment(name="blocks at full resolution", milli_per_pixel=9_305 * widths[0]),),
            tile=Tile(height_px=height // 2, width_px=width_px // 2),
        ),
    )  # fmt: skip


def _cog_norm(name: str, width: int, latent: int) -> Iterator[Tensor]:
    if not latent:
        yield from norm(name, width, has_bias=True)
        return
    yield from norm(f"{name}.norm_layer", width, has_bias=True)
    yield from causal(f"{name}.conv_y", width, latent, 1, 1, 1)
    yield from causal(f"{name}.conv_b", width, latent, 1, 1, 1)


def _cog_resnet(name: str, inputs: int, outputs: int, latent: int = 0) -> Iterator[Tensor]:
    yield from _cog_norm(f"{name}.norm1", inputs, latent)
    yield from _cog_norm(f"{name}.norm2", outputs, latent)
    yield from causal(f"{name}.conv1", outputs, inputs)
    yield from causal(f"{name}.conv2", outputs, outputs)
    if inputs != outputs:
        yield from patch_convolution(f"{name}.conv_shortcut", outputs, inputs, 1, 1, 1)


def allegro(fields: Fields) -> EnumeratedNetwork:
    """Read Allegro's autoencoder: convolutions within frames, then across them, with changes of length on the way."""
    widths = fields.counts("block_out_channels", minimum=1) or (128, 256, 512, 512)
    latent, n_blocks = fields.count("latent_channels", default=4), fields.count("layers_per_block", default=2)
    shorter = fields.items("temporal_downsample_blocks") or (True, True, False, False)
    longer = fields.items("temporal_upsample_blocks") or (False, True, True, False)
    stored: list[Tensor] = [
        *patch_convolution("encoder.conv_in", widths[0], fields.count("in_channels", default=3), 3, 3),
        *patch_convolution("encoder.temp_conv_in", widths[0], widths[0], 3, 1, 1),
    ]
    channels = widths[0]
    for index, width in enumerate(widths):
        name, last = f"encoder.down_blocks.{index}", index == len(widths) - 1
        stored += _allegro_level(name, channels, width, n_blocks)
        if shorter[index]:
            stored += _length(f"{name}.temp_convs_down", width, width, 2)
        if not last:
            stored += patch_convolution(f"{name}.downsamplers.0.conv", width, width, 3, 3)
        channels = width
    stored += _allegro_ends("encoder", channels, 2 * latent)
    stored += patch_convolution("decoder.conv_in", channels, latent, 3, 3)
    stored += patch_convolution("decoder.temp_conv_in", channels, channels, 3, 1, 1)
    stored += _allegro_middle("decoder.mid_block", channels)
    for index, width in enumerate(reversed(widths)):
        name, last = f"decoder.up_blocks.{index}", index == len(widths) - 1
        stored += _allegro_level(name, channels, width, n_blocks + 1)
        if longer[index]:
            stored += _length(f"{name}.temp_conv_up", width, 2 * width, 1)
        if not last:
            stored += patch_convolution(f"{name}.upsamplers.0.conv", width, width, 3, 3)
        channels = width
    stored += norm("decoder.conv_norm_out", channels, has_bias=True)
    stored += patch_convolution("decoder.temp_conv_out", channels, channels, 3, 1, 1)
    stored += patch_convolution("decoder.conv_out", fields.count("out_channels", default=3), channels, 3, 3)
    stored += patch_convolution("quant_conv", 2 * latent, 2 * latent, 1, 1)
    stored += patch_convolution("post_quant_conv", latent, latent, 1, 1)
    side = fields.count("sample_size", default=320)
    work = FrameWork(
        scale=1 << (len(widths) - 1), frame_scale=fields.count("temporal_compression_ratio", default=4),
        latent_channels=latent, frames_at_once=24,
        decode=(FrameMoment(name="first block at full resolution", milli_per_pixel=3_000 * widths[min(1, len(widths) - 1)]),),
        tile=Tile(height_px=side, width_px=side),
    )  # fmt: skip
    return EnumeratedNetwork(class_name="AutoencoderKLAllegro", groups=group("layers", 1, stored), work=work)


def _allegro_level(name: str, inputs: int, width: int, n_blocks: int) -> Iterator[Tensor]:
    for block in range(n_blocks):
        yield from residual_block(f"{name}.resnets.{block}", inputs if block == 0 else width, width)
        yield from temporal_convolutions(f"{name}.temp_convs.{block}", width)


def _length(name: str, width: int, outputs: int, frames: int) -> Iterator[Tensor]:
    """Yield the convolutions that halve or double the number of frames."""
    sides = (frames, 3, 3)
    for number in (1, 2, 3, 4):
        yield from norm(f"{name}.conv{number}.0", width, has_bias=True)
        first = number == 1
        yield from patch_convolution(
            f"{name}.conv{number}.2", outputs if first else width, width, *(sides if first else _CUBE)
        )


def _allegro_middle(name: str, width: int) -> Iterator[Tensor]:
    for block in range(2):
        yield from residual_block(f"{name}.resnets.{block}", width, width)
        yield from temporal_convolutions(f"{name}.temp_convs.{block}", width)
    yield from norm(f"{name}.attentions.0.group_norm", width, has_bias=True)
    for part in ("to_q", "to_k", "to_v", "to_out.0"):
        yield from matrix(f"{name}.attentions.0.{part}", "projection", width, width, has_bias=True)


def _allegro_ends(name: str, width: int, outputs: int) -> Iterator[Tensor]:
    yield from _allegro_middle(f"{name}.mid_block", width)
    yield from norm(f"{name}.conv_norm_out", width, has_bias=True)
    yield from patch_convolution(f"{name}.temp_conv_out", width, width, 3, 1, 1)
    yield from patch_convolution(f"{name}.conv_out", outputs, width, 3, 3)
