"""Working memory of each network of an image pipeline: which tensors are alive at its fullest moment."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import evolve

from genai_hwreq.engines._autoencoder_passes import decode, encode, typical_decode
from genai_hwreq.engines._convolution_workspaces import convolution_workspace, workspace
from genai_hwreq.engines._modelled import modelled
from genai_hwreq.engines._network_passes import network_components, network_encode
from genai_hwreq.engines._text_passes import text_encode
from genai_hwreq.estimates import Component
from genai_hwreq.formulas import attention, unet as unet_formula
from genai_hwreq.formulas.weights import ceil_div
from genai_hwreq.models import Autoencoder, EnumeratedNetwork, FrameWork, Transformer, UNet
from genai_hwreq.ranges import ByteRange

if TYPE_CHECKING:
    from genai_hwreq.engines._passes import MediaPass
    from genai_hwreq.models import PipelineNetwork, UnknownNetwork

__all__ = ["encode_components", "working_components"]

_SCORE_COPIES = 2
"""Score matrices alive at once: `baddbmm`'s empty addend and its result, then the result and its softmax.

Source: https://github.com/huggingface/diffusers/blob/main/src/diffusers/models/attention_processor.py,
`Attention.get_attention_scores`.
"""

_FP32_BYTES = 4


def working_components(part: PipelineNetwork, run: MediaPass) -> tuple[Component, ...]:
    """Return what is alive beside the weights while a network works."""
    network = part.network
    if isinstance(network, Transformer):
        return (text_encode(network, run),)
    if part.output_px is not None:
        run = evolve(run, width_px=part.output_px, height_px=part.output_px)
    if isinstance(network, UNet):
        return _unet(network, run)
    if isinstance(network, Autoencoder):
        return _with_workspace(decode(network, run), run, network.tile_px)
    if isinstance(network, EnumeratedNetwork):
        return () if network.work is None else network_components(network.work, run)
    if part.role == "vae":
        return _with_workspace((typical_decode(run),), run, 512)
    return (_typical(network, run),) if part.role in ("denoiser", "upscaler") else ()


def _with_workspace(parts: tuple[Component, ...], run: MediaPass, tile_px: int) -> tuple[Component, ...]:
    return (*parts, *workspace(run, tile_px)) if run.cudnn_workspaces else parts


def encode_components(part: PipelineNetwork, run: MediaPass) -> tuple[Component, ...]:
    """Return what is alive while an autoencoder encodes its input; nothing where its architecture is not known."""
    network = part.network
    if isinstance(network, Autoencoder):
        return _with_workspace(encode(network, run), run, network.tile_px)
    if isinstance(network, EnumeratedNetwork) and isinstance(network.work, FrameWork):
        return network_encode(network.work, run)
    return ()


def _unet(network: UNet, run: MediaPass) -> tuple[Component, ...]:
    """Return the fullest moment over all levels and moments."""
    candidates = []
    pixels = _level_pixels(network, run)
    for index, level in enumerate(network.levels):
        block = _moment(network, run, pixels, index, "residual block", (4, 3))
        candidates.append(block if index else (*block, *convolution_workspace(network, run, pixels[0])))
        if level.transformer is not None:
            candidates.append(_moment(network, run, pixels, index, "feed-forward network", (1, 21)))
            if run.eager:
                candidates.append(_attention_moment(network, run, pixels, index))
    return max(candidates, key=lambda parts: sum(part.bytes for part in parts))


def _level_pixels(network: UNet, run: MediaPass) -> tuple[int, ...]:
    return tuple(
        ceil_div(run.width_px, run.latent_scale << index) * ceil_div(run.height_px, run.latent_scale << index)
        for index in range(len(network.levels))
    )


def _moment(
    network: UNet, run: MediaPass, pixels: tuple[int, ...], index: int, name: str, copies: tuple[int, int]
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
    return (modelled("activations", f"tensors of a {name}", size, unet_formula.LEVEL, names, values),)


def _attention_moment(
    network: UNet, run: MediaPass, pixels: tuple[int, ...], index: int
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
    heads, samples = transformer.n_heads, run.samples
    if run.sliced:  # half the heads of one sample at a time
        heads, samples = ceil_div(heads, 2), 1
    values = (_SCORE_COPIES, samples, heads, count, count, score_bytes)
    names = ("n_copies", "batch_size", "n_heads", "queries", "keys", "score_bytes")
    size = attention.score_bytes(*values)
    scores = modelled("attention", "attention scores in full", size, attention.SCORES, names, values)
    return (scores, *_moment(network, run, pixels, index, "self-attention", (1, own_copies)))


def _typical(network: UnknownNetwork, run: MediaPass) -> Component:
    pixels = ceil_div(run.width_px, run.latent_scale) * ceil_div(run.height_px, run.latent_scale)
    width = unet_formula.typical_width(network.n_params)
    values = (run.samples, pixels, width, run.element_bytes)
    names = ("batch_size", "pixels", "width", "element_bytes")
    size = unet_formula.typical_bytes(*values)
    span = ByteRange(size // 4, size, 2 * size)
    inputs = tuple(zip(names, values, strict=True))
    return Component(
        "activations", "tensors of a typical UNet", size, unet_formula.TYPICAL, inputs, "assumed", None, span
    )
