"""Autoencoders of high compression: Sana's for images, Stable Audio's for sound.

Next: _unets.
"""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING

from genai_hwreq.errors import ConfigurationError
from genai_hwreq.models import EnumeratedNetwork, FrameMoment, FrameWork, Tensor
from genai_hwreq.models._tensor import matrix
from genai_hwreq.readers.diffusers._parts import group, norm, patch_convolution, raw

if TYPE_CHECKING:
    from collections.abc import Iterator

    from genai_hwreq.readers.hf_config._fields import Fields

__all__ = ["deep_compression", "oobleck"]

_WIDTHS = (128, 256, 512, 512, 1024, 1024)
_ATTENTION = "EfficientViTBlock"


def deep_compression(fields: Fields) -> EnumeratedNetwork:
    """Read AutoencoderDC: residual blocks at fine resolutions, linear attention at coarse ones."""
    latent, pixels = fields.count("latent_channels", default=32), fields.count("in_channels", default=3)
    head_dim = fields.count("attention_head_dim", default=32)
    encoder = tuple(_half(fields, "encoder", latent, pixels, head_dim))
    decoder = tuple(_half(fields, "decoder", latent, pixels, head_dim))
    widths = fields.counts("decoder_block_out_channels", minimum=1) or _WIDTHS
    depth = fields.counts("decoder_layers_per_block") or (3,) * len(widths)
    scale = 1 << (len(widths) - 1 if depth[0] else len(widths))
    fine = widths[0]
    return EnumeratedNetwork(
        class_name="AutoencoderDC",
        groups=(*group("encoder", 1, encoder), *group("decoder", 1, decoder)),
        work=FrameWork(
            scale=scale, latent_channels=latent, image_channels=pixels,
            decode=(FrameMoment(name="norm at full resolution", milli_per_pixel=2500 * fine, fp32_milli_per_pixel=2000 * fine),),
            encode=(FrameMoment(name="norm at full resolution", milli_per_pixel=3000 * fine, fp32_milli_per_pixel=2000 * fine),),
        ),
    )  # fmt: skip


def _half(fields: Fields, half: str, latent: int, pixels: int, head_dim: int) -> Iterator[Tensor]:
    widths = fields.counts(f"{half}_block_out_channels", minimum=1) or _WIDTHS
    n_levels = len(widths)
    depth = fields.counts(f"{half}_layers_per_block") or (
        (2, 2, 2, 3, 3, 3) if half == "encoder" else (3,) * n_levels
    )
    kinds = _kinds(fields, f"{half}_block_types", n_levels)
    scales = fields.items(f"{half}_qkv_multiscales") or ((), (), (), (5,), (5,), (5,))
    for index, width in enumerate(widths):
        name = f"{half}.blocks.{index}"
        for block in range(depth[index]):
            if kinds[index] == _ATTENTION:
                yield from _linear_attention(f"{name}.{block}", width, head_dim, tuple(scales[index]))
            else:
                yield from _residual(f"{name}.{block}", width)
    if half == "encoder":
        yield from _encoder_ends(fields, widths, depth, latent, pixels)
    else:
        yield from _decoder_ends(fields, widths, depth, latent, pixels)


def _kinds(fields: Fields, name: str, n_levels: int) -> tuple[object, ...]:
    value = fields.config.get(name, "ResBlock")
    kinds = (value,) * n_levels if isinstance(value, str) else fields.items(name) or ()
    if len(kinds) != n_levels or set(kinds) - {"ResBlock", _ATTENTION}:
        msg = f"{name} is {value!r}; expected {n_levels} of 'ResBlock' and {_ATTENTION!r}"
        raise ConfigurationError(msg, field=name)
    return kinds


def _encoder_ends(
    fields: Fields, widths: tuple[int, ...], depth: tuple[int, ...], latent: int, pixels: int
) -> Iterator[Tensor]:
    packs = fields.text("downsample_block_type", default="pixel_unshuffle") == "pixel_unshuffle"
    first = widths[0] if depth[0] else widths[1]
    yield from patch_convolution(
        "encoder.conv_in", first if depth[0] else (first // 4 if packs else first), pixels, 3, 3
    )
    for index, width in enumerate(widths[:-1]):
        if depth[index]:
            outputs = widths[index + 1]
            yield from patch_convolution(
                f"encoder.down_blocks.{index}.conv", outputs // 4 if packs else outputs, width, 3, 3
            )
    yield from patch_convolution("encoder.conv_out", latent, widths[-1], 3, 3)


def _decoder_ends(
    fields: Fields, widths: tuple[int, ...], depth: tuple[int, ...], latent: int, pixels: int
) -> Iterator[Tensor]:
    packs = fields.text("upsample_block_type", default="pixel_shuffle") != "interpolate"
    yield from patch_convolution("decoder.conv_in", widths[-1], latent, 3, 3)
    for index, width in enumerate(widths[:-1]):
        if depth[index]:
            outputs = 4 * width if packs else width
            yield from patch_convolution(f"decoder.up_blocks.{index}.conv", outputs, widths[index + 1], 3, 3)
    last = widths[0] if depth[0] else widths[1]
    yield from norm("decoder.norm_out", last, has_bias=True)
    yield from patch_convolution(
        "decoder.conv_out", pixels if depth[0] else (4 * pixels if packs else pixels), last, 3, 3
    )


def _residual(name: str, width: int) -> Iterator[Tensor]:
    yield from patch_convolution(f"{name}.conv1", width, width, 3, 3)
    yield from patch_convolution(f"{name}.conv2", width, width, 3, 3, has_bias=False)
    yield from norm(f"{name}.norm", width, has_bias=True)


def _linear_attention(name: str, width: int, head_dim: int, scales: tuple[int, ...]) -> Iterator[Tensor]:
    for part in ("to_q", "to_k", "to_v"):
        yield from matrix(f"{name}.attn.{part}", "projection", width, width)
    for index, side in enumerate(scales):
        inner = f"{name}.attn.to_qkv_multiscale.{index}"
        yield from patch_convolution(f"{inner}.proj_in", 3 * width, 1, side, side, has_bias=False)
        yield from patch_convolution(f"{inner}.proj_out", 3 * width, head_dim, 1, 1, has_bias=False)
    yield from matrix(f"{name}.attn.to_out", "projection", width, width * (1 + len(scales)))
    yield from norm(f"{name}.attn.norm_out", width, has_bias=True)
    yield from patch_convolution(f"{name}.conv_out.conv_inverted", 8 * width, width, 1, 1)
    yield from patch_convolution(f"{name}.conv_out.conv_depth", 8 * width, 1, 3, 3)
    yield from patch_convolution(f"{name}.conv_out.conv_point", width, 4 * width, 1, 1, has_bias=False)
    yield from norm(f"{name}.conv_out.norm", width, has_bias=True)


def oobleck(fields: Fields) -> EnumeratedNetwork:
    """Read Stable Audio's autoencoder: 1D convolutions with split norms and learned periodic activations."""
    hidden = fields.count("encoder_hidden_size", default=128)
    ratios = fields.counts("downsampling_ratios", minimum=1) or (2, 4, 4, 8, 8)
    multiples = (1, *(fields.counts("channel_multiples", minimum=1) or (1, 2, 4, 8, 16)))
    channels, latent = (
        fields.count("decoder_channels", default=128),
        fields.count("decoder_input_channels", default=64),
    )
    audio = fields.count("audio_channels", default=2)
    stored: list[Tensor] = [*_split_convolution("encoder.conv1", hidden, audio, 7)]
    for index, ratio in enumerate(ratios):
        name, width = f"encoder.block.{index}", hidden * multiples[index]
        for unit in (1, 2, 3):
            stored += _unit(f"{name}.res_unit{unit}", width)
        stored += _snake(f"{name}.snake1", width)
        stored += _split_convolution(f"{name}.conv1", hidden * multiples[index + 1], width, 2 * ratio)
    last = hidden * multiples[-1]
    stored += _snake("encoder.snake1", last)
    stored += _split_convolution("encoder.conv2", hidden, last, 3)
    widths = [channels * multiple for multiple in reversed(multiples)]
    stored += _split_convolution("decoder.conv1", widths[0], latent, 7)
    for index, ratio in enumerate(reversed(ratios)):
        name, width = f"decoder.block.{index}", widths[index]
        stored += _snake(f"{name}.snake1", width)
        stored += _split_transposed(f"{name}.conv_t1", widths[index + 1], width, 2 * ratio)
        for unit in (1, 2, 3):
            stored += _unit(f"{name}.res_unit{unit}", widths[index + 1])
    stored += _snake("decoder.snake1", widths[-1])
    stored += _split_convolution("decoder.conv2", audio, widths[-1], 7, has_bias=False)
    scale = prod(ratios)
    made = sum(
        tensor.n_elements
        for tensor in stored
        if tensor.name.startswith("decoder.") and tensor.name.endswith("weight_v")
    )
    work = FrameWork(
        scale=scale, latent_channels=latent, image_channels=audio,
        decode=(FrameMoment(name="residual unit at full rate", milli_per_pixel=4_500 * channels),),
    )  # fmt: skip
    return EnumeratedNetwork(
        class_name="AutoencoderOobleck",
        groups=group("layers", 1, stored),
        tables=(Tensor("decoder.weights", "state", (made,)),),
        work=work,
    )


def _split_convolution(
    name: str, outputs: int, inputs: int, side: int, *, has_bias: bool = True
) -> Iterator[Tensor]:
    """Yield a convolution whose weight is stored as length and direction."""
    if has_bias:
        yield from raw(f"{name}.bias", outputs)
    yield from raw(f"{name}.weight_g", outputs, 1, 1)
    yield from raw(f"{name}.weight_v", outputs, inputs, side)


def _split_transposed(name: str, outputs: int, inputs: int, side: int) -> Iterator[Tensor]:
    yield from raw(f"{name}.bias", outputs)
    yield from raw(f"{name}.weight_g", inputs, 1, 1)
    yield from raw(f"{name}.weight_v", inputs, outputs, side)


def _snake(name: str, width: int) -> Iterator[Tensor]:
    yield from raw(f"{name}.alpha", 1, width, 1)
    yield from raw(f"{name}.beta", 1, width, 1)


def _unit(name: str, width: int) -> Iterator[Tensor]:
    yield from _snake(f"{name}.snake1", width)
    yield from _split_convolution(f"{name}.conv1", width, width, 7)
    yield from _snake(f"{name}.snake2", width)
    yield from _split_convolution(f"{name}.conv2", width, width, 1)
