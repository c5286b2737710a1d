"""Working memory of the image autoencoder: decoded or encoded whole, in tiles, or image by image.

Next: _network_passes.
"""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

from genai_hwreq.engines._modelled import modelled
from genai_hwreq.estimates import Component, Fitted
from genai_hwreq.formulas import attention, vae
from genai_hwreq.formulas.weights import ceil_div
from genai_hwreq.provenance import Source
from genai_hwreq.ranges import ByteRange

if TYPE_CHECKING:
    from genai_hwreq.engines._passes import MediaPass
    from genai_hwreq.models import Autoencoder, UNet

__all__ = ["VAE_WORKSPACE_ELEMENTS", "decode", "encode", "transform_workspace", "typical_decode", "workspace"]

VAE_WORKSPACE_ELEMENTS = Fitted(
    value=240,
    fitted_on="FLUX.1 bf16 (261 elements a pixel) and SDXL fp32 (217) decodes on an A100; a P100 took four times as much",
    engine_versions="diffusers 0.2x to 0.3x, torch 2.0 to 2.4",
    source=Source(
        title="simple_sdxl_optimizations blog and FLUX memory tables: measured peak less the tensors alive",
        as_of=date(2026, 11, 22),
        url="https://huggingface.co/blog/simple_sdxl_optimizations",
    ),
)
"""What cuDNN allocates beside the tensors while it decodes, in elements a pixel."""

OLD_GPU_WORKSPACE_ELEMENTS = Fitted(
    value=1000,
    fitted_on="fp16 decodes of SD 1.4, SD 2.1 and PixArt on a P100: 0.86 GiB where the tensors take 0.375",
    engine_versions="diffusers 0.2x to 0.3x, torch 2",
    source=Source(
        title="diffusers memory table on a Tesla P100: measured peaks under sequential offload",
        as_of=date(2026, 11, 25),
    ),
)
"""The same on a GPU without tensor cores, in 16 bit, in elements a pixel; in fp32 nothing is seen there."""

_FIRST_WITH_TENSOR_CORES = 7
"""Major compute capability of the first GPUs with tensor cores."""
_TRANSFORMED = 4
"""Elements that a 3×3 filter becomes, to one of its own, when outputs are computed in blocks of 4×4: 36 for 9."""
_SCORE_COPIES = 2
_FP32_BYTES = 4
_TYPICAL_WIDTH = 256


def decode(network: Autoencoder, run: MediaPass) -> tuple[Component, ...]:
    """Return what is alive while images are decoded."""
    images = 1 if run.vae_slicing else run.batch_size
    width, height = _tile_sides(run, network.tile_px)
    widths = network.widths
    values = (images, width * height, widths[min(1, len(widths) - 1)], run.vae_bytes)
    names = ("batch_size", "pixels", "width", "element_bytes")
    size = vae.decode_bytes(*values)
    parts: tuple[Component, ...] = (
        modelled("activations", "decoder at full resolution", size, vae.DECODE, names, values),
    )
    if run.eager:
        middle = _decoder_attention(network, run, images, width, height)
        parts = max(parts, middle, key=lambda found: sum(part.bytes for part in found))
    return (*parts, _tiles(network, run)) if run.vae_tiling else parts


def _decoder_attention(
    network: Autoencoder, run: MediaPass, images: int, width_px: int, height_px: int
) -> tuple[Component, ...]:
    """Return the one attention at the coarsest resolution, its scores in fp32 and their softmax."""
    positions = ceil_div(width_px, network.scale) * ceil_div(height_px, network.scale)
    values = (_SCORE_COPIES, images, 1, positions, positions, _FP32_BYTES)
    names = ("n_copies", "batch_size", "n_heads", "queries", "keys", "score_bytes")
    size = attention.score_bytes(*values)
    scores = modelled("attention", "attention scores in full", size, attention.SCORES, names, values)
    rest = (images, positions, network.widths[-1], run.vae_bytes)
    rest_names = ("batch_size", "positions", "width", "element_bytes")
    tensors = vae.middle_bytes(*rest)
    return (scores, modelled("activations", "tensors beside them", tensors, vae.MIDDLE, rest_names, rest))


def _tiles(network: Autoencoder, run: MediaPass) -> Component:
    pixels = run.width_px * run.height_px
    values = (run.batch_size, network.image_channels, pixels, run.vae_bytes)
    names = ("batch_size", "channels", "image_pixels", "element_bytes")
    size = 2 * run.batch_size * network.image_channels * pixels * run.vae_bytes
    return modelled("activations", "tiles and image", size, vae.TILED_IMAGES, names, values)


def encode(network: Autoencoder, run: MediaPass) -> tuple[Component, ...]:
    """Return what is alive while images are encoded: five tensors of the finest width over all pixels."""
    images = 1 if run.vae_slicing else run.batch_size
    width, height = _tile_sides(run, network.tile_px)
    values = (images, width * height, network.widths[0], run.vae_bytes)
    names = ("batch_size", "pixels", "width", "element_bytes")
    size = vae.encode_bytes(*values)
    own = modelled("activations", "encoder at full resolution", size, vae.ENCODE, names, values)
    pixels = (run.batch_size, network.image_channels, run.width_px * run.height_px, run.vae_bytes)
    image = modelled(
        "activations", "images", vae.image_bytes(*pixels), vae.IMAGES, ("batch_size", "channels", "image_pixels", "element_bytes"), pixels
    )
    return own, image


def _tile_sides(run: MediaPass, tile_px: int) -> tuple[int, int]:
    side = tile_px if run.vae_tiling else max(run.width_px, run.height_px)
    return min(run.width_px, side), min(run.height_px, side)


def workspace(run: MediaPass, tile_px: int = 512) -> Component:
    """Return what the convolution library takes beside the tensors."""
    images = 1 if run.vae_slicing else run.batch_size
    width, height = _tile_sides(run, tile_px)
    fitted, elements = VAE_WORKSPACE_ELEMENTS, VAE_WORKSPACE_ELEMENTS.value
    if run.compute_major is not None and run.compute_major < _FIRST_WITH_TENSOR_CORES:
        fitted = OLD_GPU_WORKSPACE_ELEMENTS
        elements = fitted.value if run.vae_bytes < _FP32_BYTES else 0
    values = (images, width * height, elements, run.vae_bytes)
    names = ("batch_size", "pixels", "workspace_elements", "element_bytes")
    size = vae.workspace_bytes(*values)
    inputs = tuple(zip(names, values, strict=True))
    most = 4 * images * width * height * VAE_WORKSPACE_ELEMENTS.value * run.vae_bytes
    span = ByteRange(0, size, max(size, most))
    return Component("compute_buffer", "convolution workspace", size, vae.WORKSPACE, inputs, "fitted", fitted.source, span)


def transform_workspace(network: UNet, run: MediaPass) -> tuple[Component, ...]:
    """Return what GPUs without tensor cores take for the largest convolution: its filters, transformed, in fp32.

    Measured denoising of SD 1.4, SD 2.1 and SDXL on a P100 took 0.37 to 0.54 GB more than its tensors, whatever
    the batch; the largest filters transformed are 0.47 GB.
    """
    if not run.cudnn_workspaces or run.compute_major is None or run.compute_major >= _FIRST_WITH_TENSOR_CORES:
        return ()
    largest = max(tensor.n_elements for tensor in network.tensors() if tensor.role == "convolution")
    values = (("filter_elements", largest), ("transformed", _TRANSFORMED), ("element_bytes", _FP32_BYTES))
    size = largest * _TRANSFORMED * _FP32_BYTES
    formula = "filter_elements * transformed * element_bytes"
    source = OLD_GPU_WORKSPACE_ELEMENTS.source
    span = ByteRange(size // 2, size, 2 * size)
    return (Component("compute_buffer", "convolution workspace", size, formula, values, "fitted", source, span),)


def typical_decode(run: MediaPass) -> Component:
    """Return a decode in the proportions of AutoencoderKL: 256 channels at the second finest width."""
    values = (
        1 if run.vae_slicing else run.batch_size,
        run.width_px * run.height_px,
        _TYPICAL_WIDTH,
        run.vae_bytes,
    )
    names = ("batch_size", "pixels", "width", "element_bytes")
    size = vae.decode_bytes(*values)
    span = ByteRange(size // 4, size, 2 * size)
    inputs = tuple(zip(names, values, strict=True))
    return Component("activations", "typical decoder", size, vae.DECODE, inputs, "assumed", None, span)


