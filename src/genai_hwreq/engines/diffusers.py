"""Hugging Face diffusers: what an image pipeline keeps on a device, network by network.

Methodology: docs/explanation/methodology/diffusers.md. Next: estimation.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from attrs import frozen

from genai_hwreq.engines._diffusers_passes import ImagePass, working_components
from genai_hwreq.engines._pipeline_weights import Offload, host_weights, network_weights, resident_weights
from genai_hwreq.engines._protocol import Memory, Request
from genai_hwreq.engines._runtime import context_component, host_runtime_component
from genai_hwreq.estimates import Assumption, Component, DeviceMemory, Phase
from genai_hwreq.formats import PlainType, RecipeFormat, WeightFormat
from genai_hwreq.models import Pipeline, UnknownNetwork
from genai_hwreq.ranges import ByteRange
from genai_hwreq.workloads import ImageGeneration

if TYPE_CHECKING:
    from collections.abc import Iterable

    from genai_hwreq.models import NetworkRole, PipelineNetwork
    from genai_hwreq.placement import Placement

__all__ = ["Diffusers"]

_PHASES: dict[NetworkRole, str] = {
    "text_encoder": "text_encode",
    "denoiser": "denoise",
    "upscaler": "upscale",
    "vae": "vae_decode",
    "safety_checker": "safety_check",
}
"""What happens while a network of a role works."""


@frozen(kw_only=True)
class Diffusers:
    """Hugging Face diffusers, one pipeline on one device.

    Examples:
        >>> Diffusers(enable_model_cpu_offload=True).name
        'diffusers'

    """

    name: ClassVar[str] = "diffusers"

    attention: Literal["sdpa", "eager"] = "sdpa"
    """Whether a fused kernel computes attention piece by piece, or scores are held in full as before torch 2."""

    enable_model_cpu_offload: bool = False
    """Whether networks wait in host memory while another works."""

    enable_sequential_cpu_offload: bool = False
    """Whether single layers wait in host memory until they are called."""

    enable_vae_slicing: bool = False
    """Whether images are decoded one by one."""

    enable_vae_tiling: bool = False
    """Whether an image is decoded in tiles of 512 pixels."""

    def refuses(self, request: Request) -> str | None:
        """Say why this cannot be run, or `None` where it can."""
        if not isinstance(request.model, Pipeline):
            return "only image pipelines whose networks are known are; text models run on transformers"
        if not isinstance(request.workload, ImageGeneration):
            return f"it makes images, not a {type(request.workload).__name__}; pass an ImageGeneration"
        if isinstance(request.weight_format, RecipeFormat):
            return f"{request.weight_format.id} is a GGUF file type; pass a plain or bitsandbytes format"
        if request.placement.n_devices > 1:
            return "a pipeline is counted on one device; pass n_devices=1"
        return None

    def memory(self, request: Request) -> Memory:
        """Turn a request into memory, phase by phase."""
        model, workload, weight_format = request.model, request.workload, request.weight_format
        assert isinstance(model, Pipeline)
        assert isinstance(workload, ImageGeneration)
        assert isinstance(weight_format, WeightFormat)
        offload = self._offload(request.placement)
        run = self._run(model, workload, weight_format)
        phases = _device_phases(model, run, offload, weight_format)
        return Memory(
            devices=(DeviceMemory(name="gpu:0", phases=phases),),
            host=DeviceMemory(name="host", phases=_host_phases(model, offload, weight_format)),
            disk=_files(model, weight_format),
            assumptions=_assumptions(model, workload),
        )

    def _offload(self, placement: Placement) -> Offload:
        if self.enable_sequential_cpu_offload:
            return "sequential"
        return "model" if self.enable_model_cpu_offload else placement.offload

    def _run(self, model: Pipeline, workload: ImageGeneration, weight_format: WeightFormat) -> ImagePass:
        guidance = model.guidance if workload.guidance is None else workload.guidance
        element_bytes = _compute_bytes(weight_format)
        return ImagePass(
            batch_size=workload.batch_size,
            width_px=workload.width_px or model.width_px,
            height_px=workload.height_px or model.height_px,
            latent_scale=model.latent_scale,
            text_tokens=model.text_tokens,
            samples=workload.batch_size * (2 if guidance else 1),
            element_bytes=element_bytes,
            eager=self.attention == "eager",
            vae_slicing=self.enable_vae_slicing,
            vae_tiling=self.enable_vae_tiling,
            vae_bytes=4 if model.upcast_vae else element_bytes,
        )


def _compute_bytes(weight_format: WeightFormat) -> int:
    """Return the bytes of an element of activations: those of the tensors that are not quantised."""
    rest = weight_format.rest
    return rest.bits // 8 if isinstance(rest, PlainType) else 2


def _device_phases(
    model: Pipeline, run: ImagePass, offload: Offload, weight_format: WeightFormat
) -> tuple[Phase, ...]:
    phases = []
    for name, part in _named(model.networks):
        weights = resident_weights(model.networks, part, offload, weight_format)
        working = working_components(part, run)
        phases.append(
            Phase(name=name, components=(*weights, *working, *_spare(working), context_component()))
        )
    return tuple(phases)


def _host_phases(model: Pipeline, offload: Offload, weight_format: WeightFormat) -> tuple[Phase, ...]:
    moments = (("load", None), *_named(model.networks))
    return tuple(
        Phase(
            name=name,
            components=(
                *host_weights(model.networks, part, offload, weight_format),
                host_runtime_component(),
            ),
        )
        for name, part in moments
    )


def _named(networks: Iterable[PipelineNetwork]) -> tuple[tuple[str, PipelineNetwork], ...]:
    """Name each network's phase; a second network of a role gets a number."""
    seen: dict[str, int] = {}
    found = []
    for part in networks:
        name = _PHASES[part.role]
        seen[name] = seen.get(name, 0) + 1
        found.append((name if seen[name] == 1 else f"{name}_{seen[name]}", part))
    return tuple(found)


_SPARE_PERCENT = 20
"""Share of the working memory that the caching allocator holds beyond it; decoders reach 70 to 85 at times."""


def _spare(working: tuple[Component, ...]) -> tuple[Component, ...]:
    live = sum(part.bytes for part in working)
    if not live:
        return ()
    size = live * _SPARE_PERCENT // 100
    inputs = (("working_bytes", live), ("spare_percent", _SPARE_PERCENT))
    formula = "working_bytes * spare_percent // 100"
    span = ByteRange(0, size, live * 85 // 100)
    return (
        Component(
            "fragmentation", "held spare by the allocator", size, formula, inputs, "fitted", None, span
        ),
    )


def _files(model: Pipeline, weight_format: WeightFormat) -> tuple[Component, ...]:
    return tuple(file for part in model.networks for file in network_weights(part, weight_format, 1, "file"))


def _assumptions(model: Pipeline, workload: ImageGeneration) -> tuple[Assumption, ...]:
    found = []
    if workload.width_px is None or workload.height_px is None:
        size = f"{workload.width_px or model.width_px} × {workload.height_px or model.height_px}"
        text = f"images of {size} pixels; pass width_px= and height_px= for others"
        found.append(Assumption(code="native-resolution", text=text))
    unknown = [part.name for part in model.networks if isinstance(part.network, UnknownNetwork)]
    if unknown:
        text = f"only the size of {', '.join(unknown)} is known: working memory in Stable Diffusion's proportions"
        found.append(Assumption(code="typical-unet", text=text))
    return tuple(found)
