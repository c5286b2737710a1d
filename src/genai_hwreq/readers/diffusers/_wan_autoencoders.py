"""The autoencoder of Wan and Qwen-Image, which decodes one latent frame after another and keeps edges of the last.

Next: _compressors.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from genai_hwreq.models import EnumeratedNetwork, FrameMoment, FrameWork, Tensor, Tile
from genai_hwreq.readers.diffusers._parts import group, patch_convolution, raw

if TYPE_CHECKING:
    from collections.abc import Iterator

    from genai_hwreq.readers.hf_config._fields import Fields

__all__ = ["wan"]

_CUBE = (3, 3, 3)


def wan(fields: Fields) -> EnumeratedNetwork:
    """Read the autoencoder of Wan and Qwen-Image, which decodes one latent frame after another."""
    base, latent = fields.count("base_dim", default=96), fields.count("z_dim", default=16)
    decoder_base = fields.count("decoder_base_dim", default=base)
    steps = fields.counts("dim_mult", minimum=1) or (1, 2, 4, 4)
    n_blocks = fields.count("num_res_blocks", default=2)
    in_time = fields.items("temperal_downsample") or (False, True, True)
    residual = fields.flag("is_residual", default=False)
    pixels, out = (
        fields.count("in_channels", "input_channels", default=3),
        fields.count("out_channels", default=3),
    )
    patch = fields.optional_count("patch_size") or 1
    encoder = tuple(_wan_encoder(base, steps, n_blocks, in_time, pixels, 2 * latent))
    decoder = tuple(
        _wan_decoder(decoder_base, steps, n_blocks, in_time[::-1], out, latent, residual=residual)
    )
    ends = (
        *patch_convolution("quant_conv", 2 * latent, 2 * latent, 1, 1, 1),
        *patch_convolution("post_quant_conv", latent, latent, 1, 1, 1),
    )
    frames = 1 << sum(1 for step in in_time if step)
    decode, encode = _wan_moments(base, decoder_base, patch, residual=residual)
    return EnumeratedNetwork(
        class_name=fields.text("_class_name", default="AutoencoderKLWan"),
        groups=(*group("encoder", 1, encoder), *group("decoder", 1, decoder), *group("latent", 1, ends)),
        work=FrameWork(
            scale=patch << (len(steps) - 1), frame_scale=frames, latent_channels=latent, image_channels=out // (patch * patch),
            frames_at_once=frames, decode=decode, encode=encode, workspace=_wan_workspace(base, patch),
            tile=Tile(height_px=256, width_px=256),
        ),
    )  # fmt: skip


def _wan_moments(
    encoder: int, decoder: int, patch: int, *, residual: bool
) -> tuple[tuple[FrameMoment, ...], tuple[FrameMoment, ...]]:
    """Return moments in widths of the finest level: the norm, which is fp32, and the convolution on padded frames."""
    area = patch * patch
    if residual:
        padded = FrameMoment(
            name="convolution on padded frames",
            milli_per_pixel=20_570 * decoder // area,
            milli_per_image_pixel=2_090 * decoder // area,
        )
        encode = FrameMoment(
            name="norm", milli_per_pixel=7_760 * encoder // area, fp32_milli_per_pixel=2_000 * encoder // area
        )
        return (padded,), (encode,)
    decode = (
        FrameMoment(name="norm", milli_per_pixel=9_240 * decoder, fp32_milli_per_pixel=2_000 * decoder),
        FrameMoment(
            name="convolution on padded frames",
            milli_per_pixel=10_890 * decoder,
            milli_per_image_pixel=7_130 * decoder,
        ),
    )
    encodings = (
        FrameMoment(name="norm", milli_per_pixel=5_704 * encoder, fp32_milli_per_pixel=2_000 * encoder),
        FrameMoment(
            name="convolution on padded frames",
            milli_per_pixel=8_875 * encoder,
            milli_per_image_pixel=1_180 * encoder,
        ),
    )
    return decode, encodings


def _wan_workspace(width: int, patch: int) -> FrameMoment:
    """Return a convolution's input, two frames longer, and output, which the library lays out anew.

    Qwen-Image's autoencoder on an RTX 4090 took 384 elements a pixel more than its tensors, from 512 to 2048 pixels.
    """
    share = 2_000 * width // (patch * patch)
    return FrameMoment(name="convolution workspace", milli_per_pixel=share, milli_per_image_pixel=share)


def _wan_block(name: str, inputs: int, outputs: int) -> Iterator[Tensor]:
    yield from raw(f"{name}.norm1.gamma", inputs, 1, 1, 1)
    yield from patch_convolution(f"{name}.conv1", outputs, inputs, *_CUBE)
    yield from raw(f"{name}.norm2.gamma", outputs, 1, 1, 1)
    yield from patch_convolution(f"{name}.conv2", outputs, outputs, *_CUBE)
    if inputs != outputs:
        yield from patch_convolution(f"{name}.conv_shortcut", outputs, inputs, 1, 1, 1)


def _wan_middle(name: str, width: int) -> Iterator[Tensor]:
    yield from _wan_block(f"{name}.resnets.0", width, width)
    yield from raw(f"{name}.attentions.0.norm.gamma", width, 1, 1)
    yield from patch_convolution(f"{name}.attentions.0.to_qkv", 3 * width, width, 1, 1)
    yield from patch_convolution(f"{name}.attentions.0.proj", width, width, 1, 1)
    yield from _wan_block(f"{name}.resnets.1", width, width)


def _wan_encoder(
    base: int, steps: tuple[int, ...], n_blocks: int, in_time: tuple[object, ...], pixels: int, out: int
) -> Iterator[Tensor]:
    yield from patch_convolution("encoder.conv_in", base, pixels, *_CUBE)
    width = base
    for index, step in enumerate(steps):
        name = f"encoder.down_blocks.{index}"
        for block in range(n_blocks):
            yield from _wan_block(f"{name}.resnets.{block}", width, base * step)
            width = base * step
        if index < len(steps) - 1:
            yield from patch_convolution(f"{name}.resample.1", width, width, 3, 3)
            if in_time[index]:
                yield from patch_convolution(f"{name}.time_conv", width, width, 3, 1, 1)
    yield from _wan_middle("encoder.mid_block", width)
    yield from raw("encoder.norm_out.gamma", width, 1, 1, 1)
    yield from patch_convolution("encoder.conv_out", out, width, *_CUBE)


def _wan_decoder(
    base: int,
    steps: tuple[int, ...],
    n_blocks: int,
    in_time: tuple[object, ...],
    out: int,
    latent: int,
    *,
    residual: bool,
) -> Iterator[Tensor]:
    widths = [base * step for step in reversed(steps)]
    yield from patch_convolution("decoder.conv_in", widths[0], latent, *_CUBE)
    yield from _wan_middle("decoder.mid_block", widths[0])
    width = widths[0]
    for index, outputs in enumerate(widths):
        name = f"decoder.up_blocks.{index}"
        for block in range(n_blocks + 1):
            yield from _wan_block(f"{name}.resnets.{block}", width, outputs)
            width = outputs
        if index < len(widths) - 1:
            width = outputs if residual else outputs // 2
            yield from patch_convolution(f"{name}.upsamplers.0.resample.1", width, outputs, 3, 3)
            if in_time[index]:
                yield from patch_convolution(f"{name}.upsamplers.0.time_conv", 2 * outputs, outputs, 3, 1, 1)
    yield from raw("decoder.norm_out.gamma", width, 1, 1, 1)
    yield from patch_convolution("decoder.conv_out", out, width, *_CUBE)
