"""Networks beside a denoiser, and small autoencoders: ControlNet, motion modules, Mochi's and the tiny autoencoder.

Next: _consisid.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from genai_hwreq.models import EnumeratedNetwork, FrameMoment, FrameWork, LatentWork, Tensor, UNet
from genai_hwreq.models._tensor import matrix
from genai_hwreq.readers.diffusers._parts import (
    group,
    linear,
    norm,
    patch_convolution,
)
from genai_hwreq.readers.diffusers._unets import across_frames

if TYPE_CHECKING:
    from collections.abc import Iterator

    from genai_hwreq.readers.hf_config._fields import Fields

__all__ = ["controlnet", "mochi_autoencoder", "motion_adapter", "motion_unet", "tiny_autoencoder"]

Tensors = tuple[Tensor, ...]


def controlnet(fields: Fields, unet: UNet) -> EnumeratedNetwork:
    """Read a ControlNet: the way down and the turning point of its UNet, each skip with a projection."""
    steps = fields.counts("conditioning_embedding_out_channels", minimum=1) or (16, 32, 96, 256)
    pixels, first = fields.count("conditioning_channels", default=3), unet.levels[0].width
    stored = [t for t in unet.tensors() if not t.name.startswith(("up_blocks", "conv_norm_out", "conv_out"))]
    name = "controlnet_cond_embedding"
    stored += patch_convolution(f"{name}.conv_in", steps[0], pixels, 3, 3)
    for index, (width, wider) in enumerate(pairwise(steps)):
        stored += patch_convolution(f"{name}.blocks.{2 * index}", width, width, 3, 3)
        stored += patch_convolution(f"{name}.blocks.{2 * index + 1}", wider, width, 3, 3)
    stored += patch_convolution(f"{name}.conv_out", first, steps[-1], 3, 3)
    skips = [first]
    for index, level in enumerate(unet.levels):
        last = index == len(unet.levels) - 1
        skips += [level.width] * (unet.n_residual_blocks + (0 if last else 1))
    for index, width in enumerate((*skips, unet.levels[-1].width)):
        stored += patch_convolution(f"controlnet_down_blocks.{index}", width, width, 1, 1)
    return EnumeratedNetwork(class_name="ControlNetModel", groups=group("layers", 1, stored))


def motion_unet(fields: Fields, unet: UNet) -> EnumeratedNetwork:
    """Read AnimateDiff's UNet: an image UNet with its motion modules."""
    base = motion_adapter(fields)
    return EnumeratedNetwork(
        class_name="UNetMotionModel",
        groups=(*group("layers", 1, unet.tensors()), *base.groups),
        work=LatentWork(milli_per_position=26_020 * unet.levels[0].width),
    )


def motion_adapter(fields: Fields) -> EnumeratedNetwork:
    """Read AnimateDiff's motion modules: attention across frames after each residual block of a UNet."""
    widths = fields.counts("block_out_channels", minimum=1) or (320, 640, 1280, 1280)
    n_blocks = fields.count("motion_layers_per_block", default=2)
    depth = fields.count("motion_transformer_layers_per_block", default=1)
    stored: list[Tensor] = []
    for index, width in enumerate(widths):
        for block in range(n_blocks):
            stored += across_frames(f"down_blocks.{index}.motion_modules.{block}", width, width, depth)
        for block in range(n_blocks + 1):
            stored += across_frames(f"up_blocks.{index}.motion_modules.{block}", width, width, depth)
    if fields.flag("use_motion_mid_block", default=True):
        for block in range(fields.count("motion_mid_block_layers_per_block", default=1)):
            middle = fields.count("motion_transformer_layers_per_mid_block", default=1)
            stored += across_frames(f"mid_block.motion_modules.{block}", widths[-1], widths[-1], middle)
    inputs = fields.optional_count("conv_in_channels")
    if inputs:
        stored += patch_convolution("conv_in", widths[0], inputs, 3, 3)
    return EnumeratedNetwork(class_name="MotionAdapter", groups=group("layers", 1, stored))


def mochi_autoencoder(fields: Fields) -> EnumeratedNetwork:
    """Read Mochi's autoencoder: an encoder with attention, a decoder without, changes of scale by linear layers."""
    inputs, out = fields.count("in_channels", default=15), fields.count("out_channels", default=3)
    down = fields.counts("encoder_block_out_channels", minimum=1) or (64, 128, 256, 384)
    up = (fields.counts("decoder_block_out_channels", minimum=1) or (128, 256, 512, 768))[::-1]
    latent, layers = (
        fields.count("latent_channels", default=12),
        fields.counts("layers_per_block") or (3, 3, 4, 6, 3),
    )
    in_time = fields.counts("temporal_expansions", minimum=1) or (1, 2, 3)
    in_space = fields.counts("spatial_expansions", minimum=1) or (2, 2, 2)
    attends = fields.items("add_attention_block") or (False, True, True, True, True)
    stored: list[Tensor] = [*linear("encoder.proj_in", down[0], inputs)]
    stored += _mochi_run("encoder.block_in", down[0], layers[0], attends=bool(attends[0]))
    for index, (width, wider) in enumerate(pairwise(down)):
        name = f"encoder.down_blocks.{index}"
        sides = (in_time[index], in_space[index], in_space[index])
        stored += patch_convolution(f"{name}.conv_in.conv", wider, width, *sides)
        stored += _mochi_run(name, wider, layers[index + 1], attends=bool(attends[index + 1]))
    stored += _mochi_run("encoder.block_out", down[-1], layers[-1], attends=bool(attends[-1]))
    stored += norm("encoder.norm_out.norm_layer", down[-1], has_bias=True)
    stored += linear("encoder.proj_out", 2 * latent, down[-1], has_bias=False)
    stored += patch_convolution("decoder.conv_in", up[0], latent, 1, 1, 1)
    stored += _mochi_run("decoder.block_in", up[0], layers[-1], attends=False)
    for index, (width, narrower) in enumerate(pairwise(up)):
        name, step = f"decoder.up_blocks.{index}", -1 - index
        stored += _mochi_run(name, width, layers[step - 1], attends=False)
        stored += linear(f"{name}.proj", narrower * in_time[step] * in_space[step] ** 2, width)
    stored += _mochi_run("decoder.block_out", up[-1], layers[0], attends=False)
    stored += linear("decoder.proj_out", out, up[-1])
    scale, frame_scale = 1, 1
    for time, space in zip(in_time, in_space, strict=False):
        scale, frame_scale = scale * space, frame_scale * time
    work = FrameWork(
        scale=scale, frame_scale=frame_scale, latent_channels=latent, image_channels=out,
        decode=(FrameMoment(name="residual block at full resolution", milli_per_pixel=4_000 * up[-1]),),
    )  # fmt: skip
    return EnumeratedNetwork(class_name="AutoencoderKLMochi", groups=group("layers", 1, stored), work=work)


def _mochi_run(name: str, width: int, n_blocks: int, *, attends: bool) -> Iterator[Tensor]:
    for block in range(n_blocks):
        for number in (1, 2):
            yield from norm(f"{name}.resnets.{block}.norm{number}.norm_layer", width, has_bias=True)
            yield from patch_convolution(f"{name}.resnets.{block}.conv{number}.conv", width, width, 3, 3, 3)
        if attends:
            yield from norm(f"{name}.norms.{block}.norm_layer", width, has_bias=True)
            for part in ("to_q", "to_k", "to_v"):
                yield from matrix(f"{name}.attentions.{block}.{part}", "projection", width, width)
            yield from linear(f"{name}.attentions.{block}.to_out.0", width, width)


def tiny_autoencoder(fields: Fields) -> EnumeratedNetwork:
    """Read the tiny autoencoder: plain blocks of three convolutions at each resolution."""
    pixels, out = fields.count("in_channels", default=3), fields.count("out_channels", default=3)
    down = fields.counts("encoder_block_out_channels", minimum=1) or (64, 64, 64, 64)
    up = fields.counts("decoder_block_out_channels", minimum=1) or (64, 64, 64, 64)
    n_down, n_up = (
        fields.counts("num_encoder_blocks") or (1, 3, 3, 3),
        fields.counts("num_decoder_blocks") or (3, 3, 3, 1),
    )
    latent = fields.count("latent_channels", default=4)
    stored: list[Tensor] = []
    for index, (width, n_blocks) in enumerate(zip(down, n_down, strict=True)):
        name = f"encoder.layers.{index}"
        entrance = (pixels, True) if index == 0 else (width, False)
        stored += patch_convolution(f"{name}.conv", width, entrance[0], 3, 3, has_bias=entrance[1])
        stored += _tiny_blocks(name, width, n_blocks)
    stored += patch_convolution("encoder.layers.out", latent, down[-1], 3, 3)
    stored += patch_convolution("decoder.layers.in", up[0], latent, 3, 3)
    for index, (width, n_blocks) in enumerate(zip(up, n_up, strict=True)):
        name, last = f"decoder.layers.{index}", index == len(up) - 1
        stored += _tiny_blocks(name, width, n_blocks)
        stored += patch_convolution(f"{name}.conv", out if last else width, width, 3, 3, has_bias=last)
    work = FrameWork(
        scale=1 << (len(up) - 1), latent_channels=latent, image_channels=out,
        decode=(FrameMoment(name="block at full resolution", milli_per_pixel=3_000 * up[-1]),),
    )  # fmt: skip
    return EnumeratedNetwork(class_name="AutoencoderTiny", groups=group("layers", 1, stored), work=work)


def _tiny_blocks(name: str, width: int, n_blocks: int) -> Iterator[Tensor]:
    for block in range(n_blocks):
        for number in (0, 2, 4):
            yield from patch_convolution(f"{name}.blocks.{block}.conv.{number}", width, width, 3, 3)
