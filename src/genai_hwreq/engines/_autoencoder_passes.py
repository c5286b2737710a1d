"""Working memory of the image autoencoder: decoded or encoded whole, in tiles, or image by image.

Next: _network_passes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from genai_hwreq.engines._modelled import modelled
from genai_hwreq.estimates import Component
from genai_hwreq.formulas import attention, vae
from genai_hwreq.formulas.weights import ceil_div
from genai_hwreq.ranges import ByteRange

if TYPE_CHECKING:
    from genai_hwreq.engines._passes import MediaPass
    from genai_hwreq.models import Autoencoder

__all__ = ["decode", "encode", "tile_sides", "typical_decode"]

_SCORE_COPIES = 2
_FP32_BYTES = 4
_TYPICAL_WIDTH = 256


def decode(network: Autoencoder, run: MediaPass) -> tuple[Component, ...]:
    """Return what is alive while images are decoded."""
    images = 1 if run.vae_slicing else run.batch_size
    width, height = tile_sides(run, network.tile_px)
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
    width, height = tile_sides(run, network.tile_px)
    values = (images, width * height, network.widths[0], run.vae_bytes)
    names = ("batch_size", "pixels", "width", "element_bytes")
    size = vae.encode_bytes(*values)
    own = modelled("activations", "encoder at full resolution", size, vae.ENCODE, names, values)
    pixels = (run.batch_size, network.image_channels, run.width_px * run.height_px, run.vae_bytes)
    image = modelled(
        "activations",
        "images",
        vae.image_bytes(*pixels),
        vae.IMAGES,
        ("batch_size", "channels", "image_pixels", "element_bytes"),
        pixels,
    )
    return own, image


def tile_sides(run: MediaPass, tile_px: int) -> tuple[int, int]:
    """Return width and height of what is decoded at once."""
    side = tile_px if run.vae_tiling else max(run.width_px, run.height_px)
    return min(run.width_px, side), min(run.height_px, side)


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
