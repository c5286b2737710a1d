"""Working memory of each network of an image pipeline: which tensors are alive at its fullest moment."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

from attrs import evolve, frozen

from genai_hwreq.estimates import Component, Fitted
from genai_hwreq.formulas import attention, text_encoder, unet as unet_formula, vae
from genai_hwreq.formulas.weights import ceil_div
from genai_hwreq.models import Autoencoder, Dense, Transformer, UNet
from genai_hwreq.provenance import Source
from genai_hwreq.ranges import ByteRange

if TYPE_CHECKING:
    from genai_hwreq.estimates import Kind
    from genai_hwreq.models import PipelineNetwork, UnknownNetwork

__all__ = ["VAE_WORKSPACE_ELEMENTS", "ImagePass", "working_components"]

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

_TILE_PX = 512
"""Side of a tile in tiled decoding, `tile_sample_min_size` of AutoencoderKL at its usual size."""

_SCORE_COPIES = 2
"""Score matrices alive at once: `baddbmm`'s empty addend and its result, then the result and its softmax.

Source: https://github.com/huggingface/diffusers/blob/main/src/diffusers/models/attention_processor.py,
`Attention.get_attention_scores`.
"""

_FP32_BYTES = 4


@frozen(kw_only=True)
class ImagePass:
    """What the networks work on."""

    batch_size: int
    width_px: int
    height_px: int
    latent_scale: int
    text_tokens: int
    samples: int
    """Images that the denoiser sees at once: twice the batch under guidance."""

    element_bytes: int
    eager: bool
    vae_slicing: bool
    vae_tiling: bool
    vae_bytes: int


def working_components(part: PipelineNetwork, run: ImagePass) -> tuple[Component, ...]:
    """Return what is alive beside the weights while a network works."""
    network = part.network
    if isinstance(network, Transformer):
        return (_text_encode(network, run),)
    if part.output_px is not None:
        run = evolve(run, width_px=part.output_px, height_px=part.output_px)
    if isinstance(network, UNet):
        return _unet(network, run)
    if isinstance(network, Autoencoder):
        return (*_decode(network, run), _workspace(run))
    return (_typical(network, run),) if part.role in ("denoiser", "upscaler") else ()


def _text_encode(network: Transformer, run: ImagePass) -> Component:
    layer = network.layers[-1].layer
    intermediate = max(
        (part.intermediate_dim for part in layer.feed_forward if isinstance(part, Dense)), default=0
    )
    values = (
        run.batch_size,
        run.text_tokens,
        network.n_layers,
        network.hidden_dim,
        intermediate,
        run.element_bytes,
    )
    names = ("batch_size", "text_tokens", "n_layers", "hidden_dim", "intermediate_dim", "element_bytes")
    size = text_encoder.text_encode_bytes(*values)
    return _modelled("activations", "text states", size, text_encoder.TEXT_ENCODE, names, values)


def _unet(network: UNet, run: ImagePass) -> tuple[Component, ...]:
    """Return the fullest moment over all levels and moments."""
    candidates = []
    pixels = _level_pixels(network, run)
    for index, level in enumerate(network.levels):
        candidates.append(_moment(network, run, pixels, index, "residual block", (4, 3)))
        if level.transformer is not None:
            candidates.append(_moment(network, run, pixels, index, "feed-forward network", (1, 21)))
            if run.eager:
                candidates.append(_attention_moment(network, run, pixels, index))
    return max(candidates, key=lambda parts: sum(part.bytes for part in parts))


def _level_pixels(network: UNet, run: ImagePass) -> tuple[int, ...]:
    return tuple(
        ceil_div(run.width_px, run.latent_scale << index) * ceil_div(run.height_px, run.latent_scale << index)
        for index in range(len(network.levels))
    )


def _moment(
    network: UNet, run: ImagePass, pixels: tuple[int, ...], index: int, name: str, copies: tuple[int, int]
) -> tuple[Component, ...]:
    """Return a moment of a level on the way up, as copies of the width below and of its own.

    A residual block holds the joined input (both widths), the same normalised and activated, beside the output
    of the level below: four of that and three of its own. A feed-forward network holds its doubled projection
    (8 widths), the gate and the product (4 each), and five tensors of the blocks around it.
    """
    widths = tuple(level.width for level in network.levels)
    below = widths[min(index + 1, len(widths) - 1)]
    held = unet_formula.skip_elements(widths, pixels, network.n_residual_blocks, index)
    held += run.text_tokens * network.cross_dim + network.in_channels * pixels[0]
    values = (run.samples, held, pixels[index], copies[0], below, copies[1], widths[index], run.element_bytes)
    names = (
        "batch_size",
        "held_elements",
        "pixels",
        "copies_below",
        "width_below",
        "copies",
        "width",
        "element_bytes",
    )
    size = unet_formula.level_bytes(*values)
    return (_modelled("activations", f"tensors of a {name}", size, unet_formula.LEVEL, names, values),)


def _attention_moment(
    network: UNet, run: ImagePass, pixels: tuple[int, ...], index: int
) -> tuple[Component, ...]:
    """Return a level's self-attention with its scores in full: six tensors of its width are alive beside them.

    Where scores are computed in fp32, so are copies of queries and keys.
    """
    transformer = network.levels[index].transformer
    assert transformer is not None
    upcast = network.upcast_attention and run.element_bytes < _FP32_BYTES
    score_bytes = _FP32_BYTES if upcast else run.element_bytes
    own_copies = 6 + (2 * _FP32_BYTES // run.element_bytes if upcast else 0)
    count = pixels[index]
    values = (_SCORE_COPIES, run.samples, transformer.n_heads, count, count, score_bytes)
    names = ("n_copies", "batch_size", "n_heads", "queries", "keys", "score_bytes")
    size = attention.score_bytes(*values)
    scores = _modelled("attention", "attention scores in full", size, attention.SCORES, names, values)
    return (scores, *_moment(network, run, pixels, index, "self-attention", (1, own_copies)))


def _decode(network: Autoencoder, run: ImagePass) -> tuple[Component, ...]:
    images = 1 if run.vae_slicing else run.batch_size
    side = _TILE_PX if run.vae_tiling else max(run.width_px, run.height_px)
    width, height = min(run.width_px, side), min(run.height_px, side)
    widths = network.widths
    values = (images, width * height, widths[min(1, len(widths) - 1)], run.vae_bytes)
    names = ("batch_size", "pixels", "width", "element_bytes")
    size = vae.decode_bytes(*values)
    parts: tuple[Component, ...] = (
        _modelled("activations", "decoder at full resolution", size, vae.DECODE, names, values),
    )
    if run.eager:
        middle = _decoder_attention(network, run, images, width, height)
        parts = max(parts, middle, key=lambda found: sum(part.bytes for part in found))
    return (*parts, _tiles(network, run)) if run.vae_tiling else parts


def _decoder_attention(
    network: Autoencoder, run: ImagePass, images: int, width_px: int, height_px: int
) -> tuple[Component, ...]:
    """Return the one attention at the coarsest resolution, its scores in fp32 and their softmax."""
    positions = ceil_div(width_px, network.scale) * ceil_div(height_px, network.scale)
    values = (_SCORE_COPIES, images, 1, positions, positions, _FP32_BYTES)
    names = ("n_copies", "batch_size", "n_heads", "queries", "keys", "score_bytes")
    size = attention.score_bytes(*values)
    scores = _modelled("attention", "attention scores in full", size, attention.SCORES, names, values)
    rest = (images, positions, network.widths[-1], run.vae_bytes)
    rest_names = ("batch_size", "positions", "width", "element_bytes")
    tensors = vae.middle_bytes(*rest)
    return (scores, _modelled("activations", "tensors beside them", tensors, vae.MIDDLE, rest_names, rest))


def _tiles(network: Autoencoder, run: ImagePass) -> Component:
    pixels = run.width_px * run.height_px
    values = (run.batch_size, network.image_channels, pixels, run.vae_bytes)
    names = ("batch_size", "channels", "image_pixels", "element_bytes")
    size = 2 * run.batch_size * network.image_channels * pixels * run.vae_bytes
    return _modelled("activations", "tiles and image", size, vae.TILED_IMAGES, names, values)


def _workspace(run: ImagePass) -> Component:
    images = 1 if run.vae_slicing else run.batch_size
    side = _TILE_PX if run.vae_tiling else max(run.width_px, run.height_px)
    pixels = min(run.width_px, side) * min(run.height_px, side)
    values = (images, pixels, VAE_WORKSPACE_ELEMENTS.value, run.vae_bytes)
    names = ("batch_size", "pixels", "workspace_elements", "element_bytes")
    size = vae.workspace_bytes(*values)
    return Component(
        "compute_buffer",
        "convolution workspace",
        size,
        vae.WORKSPACE,
        tuple(zip(names, values, strict=True)),
        "fitted",
        VAE_WORKSPACE_ELEMENTS.source,
        ByteRange(0, size, 4 * size),
    )


def _typical(network: UnknownNetwork, run: ImagePass) -> Component:
    pixels = ceil_div(run.width_px, run.latent_scale) * ceil_div(run.height_px, run.latent_scale)
    width = unet_formula.typical_width(network.n_params)
    values = (run.samples, pixels, width, run.element_bytes)
    names = ("batch_size", "pixels", "width", "element_bytes")
    size = unet_formula.typical_bytes(*values)
    span = ByteRange(size // 2, size, 2 * size)
    inputs = tuple(zip(names, values, strict=True))
    return Component(
        "activations", "tensors of a typical UNet", size, unet_formula.TYPICAL, inputs, "assumed", None, span
    )


def _modelled(
    kind: Kind, name: str, size: int, formula: str, names: tuple[str, ...], values: tuple[int, ...]
) -> Component:
    """Return a component with the modelled interval: fused kernels' workspaces are not counted, so it reaches up."""
    inputs = tuple(zip(names, values, strict=True))
    span = ByteRange(size * 9 // 10, size, size * 3 // 2)
    return Component(kind, name, size, formula, inputs, "modelled", None, span)
