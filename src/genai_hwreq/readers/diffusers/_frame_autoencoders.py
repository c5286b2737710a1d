"""Autoencoders of LTX-Video and Stable Video Diffusion.

Next: _wan_autoencoders.
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

__all__ = ["causal", "ltx_video", "temporal_decoder", "temporal_resnet"]

Tensors = tuple[Tensor, ...]


_CUBE = (3, 3, 3)


def causal(name: str, outputs: int, inputs: int, *sides: int) -> Tensors:
    """Return a 3D convolution, which its module wraps in another one."""
    return patch_convolution(f"{name}.conv", outputs, inputs, *(sides or _CUBE))


def ltx_video(fields: Fields) -> EnumeratedNetwork:  # noqa: C901  (one walk through the network)
    """Read LTX-Video's autoencoder: pixels are packed by fours, norms have no weights but at changes of width."""
    if fields.flag("timestep_conditioning", default=False) or "LTXVideo095DownBlock3D" in (
        fields.items("down_block_types") or ()
    ):
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
    stored: list[Tensor] = [*causal("encoder.conv_in", widths[0], packed)]
    channels = widths[0]
    for index, width in enumerate(widths):
        name = f"encoder.down_blocks.{index}"
        following = widths[index + 1] if index + 1 < len(widths) else width
        for block in range(layers[index]):
            stored += _plain_resnet(f"{name}.resnets.{block}", width, width)
        if scaling[index]:
            stored += causal(f"{name}.downsamplers.0", width, width)
        if following != width:
            stored += _plain_resnet(f"{name}.conv_out", width, following)
        channels = following
    for block in range(layers[-1]):
        stored += _plain_resnet(f"encoder.mid_block.resnets.{block}", channels, channels)
    stored += causal("encoder.conv_out", latent + 1, channels)
    stored += causal("decoder.conv_in", ups[0], latent)
    for block in range(up_layers[0]):
        stored += _plain_resnet(f"decoder.mid_block.resnets.{block}", ups[0], ups[0])
    channels = ups[0]
    for index, width in enumerate(ups):
        name = f"decoder.up_blocks.{index}"
        if channels != width:
            stored += _plain_resnet(f"{name}.conv_in", channels, width)
        if up_scaling[index]:
            stored += causal(f"{name}.upsamplers.0.conv", 8 * width, width)
        for block in range(up_layers[index + 1]):
            stored += _plain_resnet(f"{name}.resnets.{block}", width, width)
        channels = width
    stored += causal("decoder.conv_out", packed, channels)
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
    yield from causal(f"{name}.conv1", outputs, inputs)
    yield from causal(f"{name}.conv2", outputs, outputs)
    if inputs != outputs:
        yield from norm(f"{name}.norm3", inputs, has_bias=True)
        yield from causal(f"{name}.conv_shortcut", outputs, inputs, 1, 1, 1)


def temporal_decoder(fields: Fields) -> EnumeratedNetwork:
    """Read Stable Video Diffusion's autoencoder: AutoencoderKL's encoder, a decoder that mixes frames."""
    widths = fields.counts("block_out_channels", minimum=1) or (64,)
    latent, n_blocks = fields.count("latent_channels", default=4), fields.count("layers_per_block", default=1)
    pixels, out = fields.count("in_channels", default=3), fields.count("out_channels", default=3)
    flat = Autoencoder(
        image_channels=pixels,
        latent_channels=latent,
        widths=widths,
        n_residual_blocks=n_blocks,
        quant_convolutions=False,
    )
    stored = [tensor for tensor in flat.tensors() if tensor.name.startswith("encoder.")]
    stored += patch_convolution("quant_conv", 2 * latent, 2 * latent, 1, 1)
    channels = widths[-1]
    stored += patch_convolution("decoder.conv_in", channels, latent, 3, 3)
    for block in range(n_blocks):
        stored += temporal_resnet(f"decoder.mid_block.resnets.{block}", channels, channels)
    for part in ("to_q", "to_k", "to_v", "to_out.0"):
        stored += matrix(
            f"decoder.mid_block.attentions.0.{part}", "projection", channels, channels, has_bias=True
        )
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
            decode=(
                FrameMoment(
                    name="mix of frames at full resolution",
                    milli_per_pixel=1000 * (widths[min(1, len(widths) - 1)] + 6 * widths[0]),
                ),
            ),
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
