"""Autoencoders of video, and of images at high compression: 3D convolutions, tiles, frames decoded a few at a time.

Next: _unets.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from genai_hwreq.errors import ConfigurationError
from genai_hwreq.models import Autoencoder, EnumeratedNetwork, FrameMoment, FrameWork, Tensor, Tile
from genai_hwreq.models._convolutions import residual_block
from genai_hwreq.models._tensor import matrix
from genai_hwreq.readers.diffusers._parts import group, norm, patch_convolution, raw

if TYPE_CHECKING:
    from collections.abc import Iterator

    from genai_hwreq.readers.hf_config._fields import Fields

__all__ = ["cogvideox", "hunyuan_video", "ltx_video", "temporal_decoder", "wan"]

Tensors = tuple[Tensor, ...]
_CUBE = (3, 3, 3)
_HUNYUAN_FRAMES = 17
"""Frames decoded together: tiles of 16 in time, and the one that they share."""


def _causal(name: str, outputs: int, inputs: int, *sides: int) -> Tensors:
    """Return a 3D convolution, which its module wraps in another one."""
    return patch_convolution(f"{name}.conv", outputs, inputs, *(sides or _CUBE))


def hunyuan_video(fields: Fields) -> EnumeratedNetwork:
    """Read HunyuanVideo's autoencoder: AutoencoderKL with cubes in place of squares, decoded whole."""
    widths = fields.counts("block_out_channels", minimum=1) or (128, 256, 512, 512)
    n_blocks, latent = fields.count("layers_per_block", default=2), fields.count("latent_channels", default=16)
    pixels, out = fields.count("in_channels", default=3), fields.count("out_channels", default=3)
    attends = fields.flag("mid_block_add_attention", default=True)
    scale = fields.count("spatial_compression_ratio", default=8)
    frame_scale = fields.count("temporal_compression_ratio", default=4)
    second = widths[min(1, len(widths) - 1)]
    stored: list[Tensor] = [*_causal("encoder.conv_in", widths[0], pixels)]
    channels = widths[0]
    for index, width in enumerate(widths):
        name = f"encoder.down_blocks.{index}"
        for block in range(n_blocks):
            stored += _resnet3d(f"{name}.resnets.{block}", channels, width)
            channels = width
        if index < len(widths) - 1:
            stored += _causal(f"{name}.downsamplers.0.conv", width, width)
    stored += _middle3d("encoder.mid_block", channels, attends=attends)
    stored += [*norm("encoder.conv_norm_out", channels, has_bias=True), *_causal("encoder.conv_out", 2 * latent, channels)]
    stored += _causal("decoder.conv_in", channels, latent)
    stored += _middle3d("decoder.mid_block", channels, attends=attends)
    for index, width in enumerate(reversed(widths)):
        name = f"decoder.up_blocks.{index}"
        for block in range(n_blocks + 1):
            stored += _resnet3d(f"{name}.resnets.{block}", channels, width)
            channels = width
        if index < len(widths) - 1:
            stored += _causal(f"{name}.upsamplers.0.conv", width, width)
    stored += [*norm("decoder.conv_norm_out", channels, has_bias=True), *_causal("decoder.conv_out", out, channels)]
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
    yield from _causal(f"{name}.conv1", outputs, inputs)
    yield from norm(f"{name}.norm2", outputs, has_bias=True)
    yield from _causal(f"{name}.conv2", outputs, outputs)
    if inputs != outputs:
        yield from _causal(f"{name}.conv_shortcut", outputs, inputs, 1, 1, 1)


def _middle3d(name: str, width: int, *, attends: bool) -> Iterator[Tensor]:
    yield from _resnet3d(f"{name}.resnets.0", width, width)
    if attends:
        yield from norm(f"{name}.attentions.0.group_norm", width, has_bias=True)
        for part in ("to_q", "to_k", "to_v", "to_out.0"):
            yield from matrix(f"{name}.attentions.0.{part}", "projection", width, width, has_bias=True)
    yield from _resnet3d(f"{name}.resnets.1", width, width)


def ltx_video(fields: Fields) -> EnumeratedNetwork:
    """Read LTX-Video's autoencoder: pixels are packed by fours, norms have no weights but at changes of width."""
    if fields.flag("timestep_conditioning", default=False) or "LTXVideo095DownBlock3D" in (fields.items("down_block_types") or ()):
        msg = "LTX-Video's autoencoder of version 0.9.1 and later is not known yet"
        raise ConfigurationError(msg, field="timestep_conditioning")
    latent, pixels = fields.count("latent_channels", default=128), fields.count("in_channels", default=3)
    widths = fields.counts("block_out_channels", minimum=1) or (128, 256, 512, 512)
    ups = (fields.counts("decoder_block_out_channels", minimum=1) or (128, 256, 512, 512))[::-1]
    layers = fields.counts("layers_per_block") or (4, 3, 3, 3, 4)
    up_layers = (fields.counts("decoder_layers_per_block") or (4, 3, 3, 3, 4))[::-1]
    scaling = fields.items("spatio_temporal_scaling") or (True, True, True, False)
    up_scaling = (fields.items("decoder_spatio_temporal_scaling") or (True, True, True, False))[::-1]
    patch = fields.count("patch_size", default=4)
    packed = pixels * patch * patch
    stored: list[Tensor] = [*_causal("encoder.conv_in", widths[0], packed)]
    channels = widths[0]
    for index, width in enumerate(widths):
        name = f"encoder.down_blocks.{index}"
        following = widths[index + 1] if index + 1 < len(widths) else width
        for block in range(layers[index]):
            stored += _plain_resnet(f"{name}.resnets.{block}", width, width)
        if scaling[index]:
            stored += _causal(f"{name}.downsamplers.0", width, width)
        if following != width:
            stored += _plain_resnet(f"{name}.conv_out", width, following)
        channels = following
    for block in range(layers[-1]):
        stored += _plain_resnet(f"encoder.mid_block.resnets.{block}", channels, channels)
    stored += _causal("encoder.conv_out", latent + 1, channels)
    stored += _causal("decoder.conv_in", ups[0], latent)
    for block in range(up_layers[0]):
        stored += _plain_resnet(f"decoder.mid_block.resnets.{block}", ups[0], ups[0])
    channels = ups[0]
    for index, width in enumerate(ups):
        name = f"decoder.up_blocks.{index}"
        if channels != width:
            stored += _plain_resnet(f"{name}.conv_in", channels, width)
        if up_scaling[index]:
            stored += _causal(f"{name}.upsamplers.0.conv", 8 * width, width)
        for block in range(up_layers[index + 1]):
            stored += _plain_resnet(f"{name}.resnets.{block}", width, width)
        channels = width
    stored += _causal("decoder.conv_out", packed, channels)
    n_scaled = sum(1 for scaled in scaling if scaled)
    tables = (Tensor("latents_mean", "state", (latent,)), Tensor("latents_std", "state", (latent,)))
    return EnumeratedNetwork(
        class_name="AutoencoderKLLTXVideo",
        groups=group("layers", 1, stored),
        tables=tables,
        work=FrameWork(
            scale=patch << n_scaled, frame_scale=1 << n_scaled, latent_channels=latent, image_channels=pixels,
            decode=(FrameMoment(name="first block at full resolution", milli_per_pixel=50_000),),
            encode=(FrameMoment(name="first block at full resolution", milli_per_pixel=56_000),),
            tile=Tile(height_px=512, width_px=512),
        ),
    )  # fmt: skip


def _plain_resnet(name: str, inputs: int, outputs: int) -> Iterator[Tensor]:
    yield from _causal(f"{name}.conv1", outputs, inputs)
    yield from _causal(f"{name}.conv2", outputs, outputs)
    if inputs != outputs:
        yield from norm(f"{name}.norm3", inputs, has_bias=True)
        yield from _causal(f"{name}.conv_shortcut", outputs, inputs, 1, 1, 1)


def wan(fields: Fields) -> EnumeratedNetwork:
    """Read the autoencoder of Wan and Qwen-Image, which decodes one latent frame after another."""
    base, latent = fields.count("base_dim", default=96), fields.count("z_dim", default=16)
    decoder_base = fields.count("decoder_base_dim", default=base)
    steps = fields.counts("dim_mult", minimum=1) or (1, 2, 4, 4)
    n_blocks = fields.count("num_res_blocks", default=2)
    in_time = fields.items("temperal_downsample") or (False, True, True)
    residual = fields.flag("is_residual", default=False)
    pixels, out = fields.count("in_channels", "input_channels", default=3), fields.count("out_channels", default=3)
    patch = fields.optional_count("patch_size") or 1
    encoder = tuple(_wan_encoder(base, steps, n_blocks, in_time, pixels, 2 * latent))
    decoder = tuple(_wan_decoder(decoder_base, steps, n_blocks, in_time[::-1], out, latent, residual=residual))
    ends = (*patch_convolution("quant_conv", 2 * latent, 2 * latent, 1, 1, 1), *patch_convolution("post_quant_conv", latent, latent, 1, 1, 1))
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
        encode = FrameMoment(name="norm", milli_per_pixel=7_760 * encoder // area, fp32_milli_per_pixel=2_000 * encoder // area)
        return (padded,), (encode,)
    decode = (
        FrameMoment(name="norm", milli_per_pixel=9_240 * decoder, fp32_milli_per_pixel=2_000 * decoder),
        FrameMoment(
            name="convolution on padded frames", milli_per_pixel=10_890 * decoder, milli_per_image_pixel=7_130 * decoder
        ),
    )
    encodings = (
        FrameMoment(name="norm", milli_per_pixel=5_704 * encoder, fp32_milli_per_pixel=2_000 * encoder),
        FrameMoment(
            name="convolution on padded frames", milli_per_pixel=8_875 * encoder, milli_per_image_pixel=1_180 * encoder
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
    base: int, steps: tuple[int, ...], n_blocks: int, in_time: tuple[object, ...], out: int, latent: int, *, residual: bool
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


def cogvideox(fields: Fields) -> EnumeratedNetwork:
    """Read CogVideoX's autoencoder, whose decoder's norms read the latent again."""
    widths = fields.counts("block_out_channels", minimum=1) or (128, 256, 256, 512)
    latent, n_blocks = fields.count("latent_channels", default=16), fields.count("layers_per_block", default=3)
    pixels, out = fields.count("in_channels", default=3), fields.count("out_channels", default=3)
    frame_scale = fields.count("temporal_compression_ratio", default=4)
    stored: list[Tensor] = [*_causal("encoder.conv_in", widths[0], pixels)]
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
    stored += [*norm("encoder.norm_out", channels, has_bias=True), *_causal("encoder.conv_out", 2 * latent, channels)]
    stored += _causal("decoder.conv_in", channels, latent)
    for block in range(2):
        stored += _cog_resnet(f"decoder.mid_block.resnets.{block}", channels, channels, latent)
    for index, width in enumerate(reversed(widths)):
        name = f"decoder.up_blocks.{index}"
        for block in range(n_blocks + 1):
            stored += _cog_resnet(f"{name}.resnets.{block}", channels, width, latent)
            channels = width
        if index < len(widths) - 1:
            stored += patch_convolution(f"{name}.upsamplers.0.conv", width, width, 3, 3)
    stored += [*_cog_norm("decoder.norm_out", channels, latent), *_causal("decoder.conv_out", out, channels)]
    if fields.flag("use_quant_conv", default=False):
        stored += patch_convolution("quant_conv", 2 * latent, 2 * latent, 1, 1, 1)
    if fields.flag("use_post_quant_conv", default=False):
        stored += patch_convolution("post_quant_conv", latent, latent, 1, 1, 1)
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
    yield from _causal(f"{name}.conv_y", width, latent, 1, 1, 1)
    yield from _causal(f"{name}.conv_b", width, latent, 1, 1, 1)


def _cog_resnet(name: str, inputs: int, outputs: int, latent: int = 0) -> Iterator[Tensor]:
    yield from _cog_norm(f"{name}.norm1", inputs, latent)
    yield from _cog_norm(f"{name}.norm2", outputs, latent)
    yield from _causal(f"{name}.conv1", outputs, inputs)
    yield from _causal(f"{name}.conv2", outputs, outputs)
    if inputs != outputs:
        yield from patch_convolution(f"{name}.conv_shortcut", outputs, inputs, 1, 1, 1)


def temporal_decoder(fields: Fields) -> EnumeratedNetwork:
    """Read Stable Video Diffusion's autoencoder: AutoencoderKL's encoder, a decoder that mixes frames."""
    widths = fields.counts("block_out_channels", minimum=1) or (64,)
    latent, n_blocks = fields.count("latent_channels", default=4), fields.count("layers_per_block", default=1)
    pixels, out = fields.count("in_channels", default=3), fields.count("out_channels", default=3)
    flat = Autoencoder(image_channels=pixels, latent_channels=latent, widths=widths, n_residual_blocks=n_blocks, quant_convolutions=False)
    stored = [tensor for tensor in flat.tensors() if tensor.name.startswith("encoder.")]
    stored += patch_convolution("quant_conv", 2 * latent, 2 * latent, 1, 1)
    channels = widths[-1]
    stored += patch_convolution("decoder.conv_in", channels, latent, 3, 3)
    for block in range(n_blocks):
        stored += temporal_resnet(f"decoder.mid_block.resnets.{block}", channels, channels)
    for part in ("to_q", "to_k", "to_v", "to_out.0"):
        stored += matrix(f"decoder.mid_block.attentions.0.{part}", "projection", channels, channels, has_bias=True)
    stored += norm("decoder.mid_block.attentions.0.group_norm", channels, has_bias=True)
    for index, width in enumerate(reversed(widths)):
        for block in range(n_blocks + 1):
            stored += temporal_resnet(f"decoder.up_blocks.{index}.resnets.{block}", channels, width)
            channels = width
        if index < len(widths) - 1:
            stored += patch_convolution(f"decoder.up_blocks.{index}.upsamplers.0.conv", width, width, 3, 3)
    stored += norm("decoder.conv_norm_out", channels, has_bias=True)
    stored += patch_convolution("decoder.conv_out", out, channels, 3, 3)
    stored += patch_convolution("decoder.time_conv_out", out, out, 3, 1, 1)
    return EnumeratedNetwork(
        class_name="AutoencoderKLTemporalDecoder",
        groups=group("layers", 1, stored),
        work=FrameWork(
            scale=1 << (len(widths) - 1), latent_channels=latent, image_channels=out,
            frames_at_once=14,
            decode=(FrameMoment(name="first block at full resolution", milli_per_pixel=3000 * widths[min(1, len(widths) - 1)]),),
            encode=(FrameMoment(name="first block at full resolution", milli_per_pixel=5000 * widths[0]),),
        ),
    )  # fmt: skip


def temporal_resnet(name: str, inputs: int, outputs: int, time_dim: int = 0) -> Iterator[Tensor]:
    """Yield a residual block within frames and one across them, and their mix."""
    yield from residual_block(f"{name}.spatial_res_block", inputs, outputs, time_dim)
    inner = f"{name}.temporal_res_block"
    yield from norm(f"{inner}.norm1", outputs, has_bias=True)
    yield from patch_convolution(f"{inner}.conv1", outputs, outputs, 3, 1, 1)
    if time_dim:
        yield from matrix(f"{inner}.time_emb_proj", "projection", outputs, time_dim, has_bias=True)
    yield from norm(f"{inner}.norm2", outputs, has_bias=True)
    yield from patch_convolution(f"{inner}.conv2", outputs, outputs, 3, 1, 1)
    yield from raw(f"{name}.time_mixer.mix_factor", 1)
