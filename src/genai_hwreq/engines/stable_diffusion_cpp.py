"""stable-diffusion.cpp: networks in GGUF types, one compute buffer for each, all in fp32.

Methodology: docs/explanation/methodology/diffusers.md. Next: estimation.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from attrs import frozen

from genai_hwreq.engines._diffusers_passes import working_components
from genai_hwreq.engines._passes import MediaPass
from genai_hwreq.engines._pipeline_runs import PHASES
from genai_hwreq.engines._pipeline_weights import Formats, network_weights
from genai_hwreq.engines._protocol import Memory, Request
from genai_hwreq.engines._runtime import context_component, host_runtime_component
from genai_hwreq.estimates import Component, DeviceMemory, Phase
from genai_hwreq.formats import WeightFormat
from genai_hwreq.formulas import attention, dit
from genai_hwreq.formulas.weights import ceil_div
from genai_hwreq.models import Autoencoder, EnumeratedNetwork, FrameWork, Pipeline, TokenWork
from genai_hwreq.ranges import ByteRange
from genai_hwreq.workloads import ImageGeneration, VideoGeneration

if TYPE_CHECKING:
    from genai_hwreq.estimates import Kind
    from genai_hwreq.models import PipelineNetwork

__all__ = ["StableDiffusionCpp"]

_FP32_BYTES = 4
_DENOISER_WIDTHS = 16
"""Tensors as wide as the model in a transformer's buffer: FLUX takes 0.19 MiB a token, 3072 wide."""
_TOKENS = "batch_size * tokens * widths * hidden_dim * element_bytes"
_DECODE = "batch_size * pixels * (2 * second_width + first_width) * element_bytes"


@frozen(kw_only=True)
class StableDiffusionCpp:
    """stable-diffusion.cpp; guidance runs its two passes one after the other.

    Examples:
        >>> StableDiffusionCpp(diffusion_fa=True).name
        'stable-diffusion.cpp'

    """

    name: ClassVar[str] = "stable-diffusion.cpp"

    diffusion_fa: bool = False
    """Whether the denoiser's attention is fused; else its scores are held in full."""

    vae_tiling: bool = False
    """Whether images are decoded in tiles."""

    clip_on_cpu: bool = False
    """Whether text encoders run on the host."""

    vae_on_cpu: bool = False
    """Whether the autoencoder runs on the host."""

    def refuses(self, request: Request) -> str | None:
        """Say why this cannot be run, or `None` where it can."""
        if not isinstance(request.model, Pipeline):
            return "only pipelines whose networks are known are"
        if not isinstance(request.workload, ImageGeneration | VideoGeneration):
            return f"it makes images and video, not a {type(request.workload).__name__}"
        if not isinstance(request.weight_format, WeightFormat):
            return f"{request.weight_format.id} is a recipe of text models; pass gguf_type('q4_0') or another type"
        return None

    def memory(self, request: Request) -> Memory:
        """Turn a request into memory, network by network."""
        model, workload, weight_format = request.model, request.workload, request.weight_format
        assert isinstance(model, Pipeline)
        assert isinstance(workload, ImageGeneration | VideoGeneration)
        assert isinstance(weight_format, WeightFormat)
        formats = Formats(default=weight_format)
        run = _pass(model, workload, tiling=self.vae_tiling)
        here = tuple(part for part in model.networks if not self._on_host(part))
        away = tuple(part for part in model.networks if self._on_host(part))
        weights = _weights(here, formats)
        phases = [Phase(name="load", components=(*weights, context_component()))]
        for part in here:
            found = self._buffer(part, run)
            phases.append(Phase(name=PHASES[part.role], components=(*weights, *found, context_component())))
        host = Phase(name="load", components=(*_weights(away, formats), host_runtime_component()))
        return Memory(
            devices=(DeviceMemory(name="gpu:0", phases=_distinct(phases)),),
            host=DeviceMemory(name="host", phases=(host,)),
            disk=tuple(
                file for part in model.networks for file in network_weights(part, weight_format, 1, "file")
            ),
        )

    def _on_host(self, part: PipelineNetwork) -> bool:
        return (part.role == "text_encoder" and self.clip_on_cpu) or (part.role == "vae" and self.vae_on_cpu)

    def _buffer(self, part: PipelineNetwork, run: MediaPass) -> tuple[Component, ...]:
        network = part.network
        if isinstance(network, EnumeratedNetwork) and isinstance(network.work, TokenWork):
            return self._tokens(network.work, _width(network), run)
        if isinstance(network, Autoencoder):
            return (_decode(network, run),)
        if isinstance(network, EnumeratedNetwork) and isinstance(network.work, FrameWork):
            return ()
        return tuple(
            _buffer_part("compute_buffer", found.name, found.bytes, found.formula, found.inputs)
            for found in working_components(part, run)
        )

    def _tokens(self, work: TokenWork, width: int, run: MediaPass) -> tuple[Component, ...]:
        sides = (ceil_div(run.width_px, run.latent_scale), ceil_div(run.height_px, run.latent_scale))
        tokens = dit.patch_tokens(*sides, run.latent_frames, work.patch, work.patch_frames) + run.text_tokens
        inputs = (
            ("batch_size", run.samples),
            ("tokens", tokens),
            ("widths", _DENOISER_WIDTHS),
            ("hidden_dim", width),
            ("element_bytes", _FP32_BYTES),
        )
        size = run.samples * tokens * _DENOISER_WIDTHS * width * _FP32_BYTES
        own = _buffer_part("compute_buffer", "denoiser", size, _TOKENS, inputs)
        if self.diffusion_fa:
            return (own,)
        values = (1, run.samples, work.n_heads, tokens, tokens, _FP32_BYTES)
        names = ("n_copies", "batch_size", "n_heads", "queries", "keys", "score_bytes")
        scores = attention.score_bytes(*values)
        held = tuple(zip(names, values, strict=True))
        return (own, _buffer_part("compute_buffer", "attention scores", scores, attention.SCORES, held))


_TILE_PX = 256
"""Side of a tile: 32 latent elements."""


def _pass(model: Pipeline, workload: ImageGeneration | VideoGeneration, *, tiling: bool) -> MediaPass:
    frames = workload.n_frames if isinstance(workload, VideoGeneration) else None
    return MediaPass(
        batch_size=1,
        width_px=workload.width_px or model.width_px,
        height_px=workload.height_px or model.height_px,
        n_frames=frames or model.n_frames,
        frame_scale=model.frame_scale,
        latent_scale=model.latent_scale,
        text_tokens=workload.text_tokens or model.text_tokens,
        samples=1,
        element_bytes=_FP32_BYTES,
        eager=False,
        vae_slicing=True,
        vae_tiling=tiling,
        vae_bytes=_FP32_BYTES,
        cudnn_workspaces=False,
    )


def _weights(parts: tuple[PipelineNetwork, ...], formats: Formats) -> tuple[Component, ...]:
    """Return stored weights; nothing is kept in fp32 beside a 16-bit file, and tables are part of the graph."""
    found = (weight for part in parts for weight in network_weights(part, formats.of(part), 1, "weights"))
    return tuple(found)


def _width(network: EnumeratedNetwork) -> int:
    """Return the model's width: that of the rows of its blocks' queries."""
    tensors = (tensor for group in network.groups for tensor in group.tensors)
    return next(tensor.row_elements for tensor in tensors if tensor.role == "attention_q")


def _decode(network: Autoencoder, run: MediaPass) -> Component:
    """Return the buffer of a decode: two tensors of the second finest width over all pixels, and one of the finest."""
    side = _TILE_PX if run.vae_tiling else max(run.width_px, run.height_px)
    pixels = min(run.width_px, side) * min(run.height_px, side)
    second, first = network.widths[min(1, len(network.widths) - 1)], network.widths[0]
    inputs = (
        ("batch_size", 1),
        ("pixels", pixels),
        ("second_width", second),
        ("first_width", first),
        ("element_bytes", _FP32_BYTES),
    )
    size = pixels * (2 * second + first) * _FP32_BYTES
    return _buffer_part("compute_buffer", "decoder", size, _DECODE, inputs)


def _buffer_part(
    kind: Kind, name: str, size: int, formula: str, inputs: tuple[tuple[str, int], ...]
) -> Component:
    span = ByteRange(size * 3 // 4, size, size * 3 // 2)
    return Component(kind, name, size, formula, inputs, "modelled", None, span)


def _distinct(phases: list[Phase]) -> tuple[Phase, ...]:
    """Number the phases of second networks of a role."""
    seen: dict[str, int] = {}
    found = []
    for phase in phases:
        seen[phase.name] = seen.get(phase.name, 0) + 1
        name = phase.name if seen[phase.name] == 1 else f"{phase.name}_{seen[phase.name]}"
        found.append(Phase(name=name, components=phase.components))
    return tuple(found)
