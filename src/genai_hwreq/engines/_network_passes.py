"""Working memory of networks that are given by their tensors: transformers over patches, video autoencoders."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import asdict, evolve

from genai_hwreq.estimates import Component
from genai_hwreq.formulas import attention, dit, frames as frame_formula
from genai_hwreq.formulas.weights import ceil_div
from genai_hwreq.models import FrameWork, LatentWork, TokenWork
from genai_hwreq.ranges import ByteRange

if TYPE_CHECKING:
    from genai_hwreq.engines._passes import MediaPass
    from genai_hwreq.estimates import Kind
    from genai_hwreq.models import FrameMoment, NetworkWork, TokenMoment

__all__ = ["network_components", "network_encode"]

_FUSED_SURPLUS = (9, 10, 3, 2)
"""Interval of transformers: kernels' workspaces and the pipeline's own copies come on top."""
_CONVOLUTION_SURPLUS = (7, 10, 2, 1)
"""Interval of convolutions, whose library takes workspaces and whose caches were views in older versions."""


def network_components(work: NetworkWork, run: MediaPass) -> tuple[Component, ...]:
    """Return what is alive beside the weights while a network works."""
    if isinstance(work, TokenWork):
        return _tokens(work, run)
    if isinstance(work, LatentWork):
        return (_latent(work, run),)
    return _decode(work, run)


def network_encode(work: FrameWork, run: MediaPass) -> tuple[Component, ...]:
    """Return what is alive while an autoencoder encodes."""
    return _frames(work, run, work.encode or work.decode, "encoder")


# --- transformers -------------------------------------------------------------------------------------------------


def _tokens(work: TokenWork, run: MediaPass) -> tuple[Component, ...]:
    image = dit.patch_tokens(*_latent_sides(run), run.latent_frames, work.patch, work.patch_frames)
    found = max((_moment(moment, image, run) for moment in work.moments), key=lambda part: part.bytes)
    if not run.eager:
        return (found,)
    joint = image + run.text_tokens
    values = (2, run.samples, work.n_heads, joint, joint, run.element_bytes)
    names = ("n_copies", "batch_size", "n_heads", "queries", "keys", "score_bytes")
    size = attention.score_bytes(*values)
    return (_component("attention", "attention scores in full", size, attention.SCORES, names, values), found)


def _latent_sides(run: MediaPass) -> tuple[int, int]:
    return ceil_div(run.width_px, run.latent_scale), ceil_div(run.height_px, run.latent_scale)


def _moment(moment: TokenMoment, image_tokens: int, run: MediaPass) -> Component:
    sizes = {key: value for key, value in asdict(moment).items() if key != "name"}
    values: dict[str, int] = {
        "batch_size": run.samples,
        "image_tokens": image_tokens,
        "text_tokens": run.text_tokens,
        "element_bytes": run.element_bytes,
        **sizes,
    }
    size = dit.token_bytes(**values)
    return _component("activations", moment.name, size, dit.TOKENS, tuple(values), tuple(values.values()))


def _latent(work: LatentWork, run: MediaPass) -> Component:
    width, height = _latent_sides(run)
    positions = width * height * run.latent_frames
    values = (run.samples, positions, work.milli_per_position, run.element_bytes)
    names = ("batch_size", "positions", "milli_per_position", "element_bytes")
    size = dit.latent_bytes(*values)
    return _component("activations", "fullest moment of the denoiser", size, dit.LATENT, names, values)


# --- autoencoders -------------------------------------------------------------------------------------------------


def _decode(work: FrameWork, run: MediaPass) -> tuple[Component, ...]:
    return _frames(work, run, work.decode, "decoder")


def _frames(
    work: FrameWork, run: MediaPass, moments: tuple[FrameMoment, ...], half: str
) -> tuple[Component, ...]:
    height, width = run.height_px, run.width_px
    if run.vae_tiling and work.tile is not None:
        height, width = min(height, work.tile.height_px), min(width, work.tile.width_px)
    videos = 1 if run.vae_slicing else run.batch_size
    at_once = min(run.n_frames, work.frames_at_once or run.n_frames, run.decode_chunk or run.n_frames)
    found = [_frame_moment(moment, videos, height * width, at_once, run, half) for moment in moments]
    whole = (height, width, at_once) == (run.height_px, run.width_px, run.n_frames)
    finished = () if whole and half == "decoder" else (_output(work, run),)
    parts = (max(found, key=_bytes), *finished)
    if work.workspace is None or not run.cudnn_workspaces:
        return parts
    taken = _frame_moment(work.workspace, videos, height * width, at_once, run, half)
    return (*parts, evolve(taken, kind="compute_buffer", name=work.workspace.name))


def _bytes(part: Component) -> int:
    return part.bytes


def _frame_moment(
    moment: FrameMoment, videos: int, pixels: int, at_once: int, run: MediaPass, half: str
) -> Component:
    values: dict[str, int] = {
        "batch_size": videos,
        "pixels": pixels,
        "frames": at_once,
        "element_bytes": run.vae_bytes,
        "milli_per_pixel": moment.milli_per_pixel,
        "milli_per_image_pixel": moment.milli_per_image_pixel,
        "fp32_milli_per_pixel": moment.fp32_milli_per_pixel,
    }
    size = frame_formula.frame_bytes(**values)
    name = f"{half}, {moment.name}"
    return _component(
        "activations",
        name,
        size,
        frame_formula.FRAMES,
        tuple(values),
        tuple(values.values()),
        _CONVOLUTION_SURPLUS,
    )


def _output(work: FrameWork, run: MediaPass) -> Component:
    values = (run.batch_size, work.image_channels, run.n_frames, run.width_px * run.height_px, run.vae_bytes)
    names = ("batch_size", "channels", "frames", "pixels", "element_bytes")
    size = frame_formula.output_bytes(*values)
    return _component("activations", "pixels", size, frame_formula.OUTPUT, names, values)


def _component(
    kind: Kind,
    name: str,
    size: int,
    formula: str,
    names: tuple[str, ...],
    values: tuple[int, ...],
    surplus: tuple[int, int, int, int] = _FUSED_SURPLUS,
) -> Component:
    low, low_of, high, high_of = surplus
    inputs = tuple(zip(names, values, strict=True))
    span = ByteRange(size * low // low_of, size, size * high // high_of)
    return Component(kind, name, size, formula, inputs, "modelled", None, span)
