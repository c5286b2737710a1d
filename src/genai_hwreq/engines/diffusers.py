"""Hugging Face diffusers: what an image or video pipeline keeps on a device, network by network.

Methodology: docs/explanation/methodology/diffusers.md. Next: estimation.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from attrs import evolve, field, frozen

from genai_hwreq._validators import optional_positive
from genai_hwreq.engines._diffusers_passes import encode_components, working_components
from genai_hwreq.engines._passes import MediaPass
from genai_hwreq.engines._pipeline_runs import (
    WORKLOADS,
    Asked,
    compute_bytes,
    is_fp16,
    named_networks,
    sizes_of,
)
from genai_hwreq.engines._pipeline_weights import (
    Formats,
    Offload,
    host_weights,
    network_weights,
    resident_weights,
)
from genai_hwreq.engines._protocol import Engine, Memory, Request
from genai_hwreq.engines._runtime import context_component, host_runtime_component
from genai_hwreq.engines._sized_pipelines import assumed_pipeline
from genai_hwreq.estimates import Assumption, Component, DeviceMemory, Phase
from genai_hwreq.formats import RecipeFormat, WeightFormat
from genai_hwreq.models import Pipeline, SizedModel, UnknownNetwork
from genai_hwreq.ranges import ByteRange
from genai_hwreq.workloads import AudioGeneration, Training

if TYPE_CHECKING:
    from genai_hwreq.models import Model, PipelineNetwork
    from genai_hwreq.placement import Placement

__all__ = ["Diffusers"]


@frozen(kw_only=True)
class Diffusers:
    """Hugging Face diffusers, one pipeline on one device.

    Examples:
        >>> Diffusers(enable_model_cpu_offload=True).name
        'diffusers'

    """

    name: ClassVar[str] = "diffusers"

    attention: Literal["sdpa", "eager", "sliced"] = "sdpa"
    """Whether a fused kernel computes attention piece by piece, or scores are held in full as before torch 2.

    Sliced attention holds the scores of half the heads at a time.
    """

    enable_model_cpu_offload: bool = False
    """Whether networks wait in host memory while another works."""

    enable_sequential_cpu_offload: bool = False
    """Whether single layers wait in host memory until they are called."""

    enable_group_offload: bool = False
    """Whether blocks of layers wait in host memory until they are called."""

    enable_vae_slicing: bool = False
    """Whether images are decoded one by one."""

    enable_vae_tiling: bool = False
    """Whether an image is decoded in tiles, of the size that its autoencoder was made for."""

    decode_chunk_size: int | None = field(default=None, validator=optional_positive)
    """Frames that Stable Video Diffusion decodes at once; `None`: all."""

    encode_input: bool = False
    """Whether an image or video is encoded first, as in image-to-image."""

    denoiser_format: WeightFormat | None = None
    """Weight format of denoisers where it differs from the pipeline's."""

    text_encoder_format: WeightFormat | None = None
    """Weight format of text encoders where it differs."""

    vae_format: WeightFormat | None = None
    """Weight format of the autoencoder where it differs; it decides in what the autoencoder computes."""

    cudnn_workspaces: bool = True
    """Whether the convolution library's workspaces are counted; without them only tensors are."""

    compute_capability: str | None = None
    """CUDA compute capability of the device; workspaces differ on old ones."""

    def refuses(self, request: Request) -> str | None:
        """Say why this cannot be run, or `None` where it can."""
        if isinstance(request.workload, Training):
            return _trainer().refuses(request)
        if not _makes_images(request.model):
            return _why_not(request.model)
        if not isinstance(request.workload, WORKLOADS):
            return (
                f"it makes images and video, not a {type(request.workload).__name__}; pass an ImageGeneration"
            )
        makes_sound = isinstance(request.model, Pipeline) and request.model.sample_rate_hz is not None
        if makes_sound != isinstance(request.workload, AudioGeneration):
            return "an AudioGeneration is for pipelines of sound, and they make nothing else"
        return _refused_setting(request)

    def memory(self, request: Request) -> Memory:
        """Turn a request into memory, phase by phase."""
        if isinstance(request.workload, Training):
            return _trainer().memory(request)
        workload, weight_format = request.workload, request.weight_format
        model, assumed = _pipeline(request.model)
        assert isinstance(workload, WORKLOADS)
        assert isinstance(weight_format, WeightFormat)
        formats = Formats(
            default=weight_format,
            denoiser=self.denoiser_format,
            text_encoder=self.text_encoder_format,
            vae=self.vae_format,
        )
        offload = self._offload(request.placement)
        run = self._run(model, workload, formats)
        phases = self._device_phases(model, run, offload, formats)
        return Memory(
            devices=(DeviceMemory(name="gpu:0", phases=phases),),
            host=DeviceMemory(name="host", phases=_host_phases(model, offload, formats)),
            disk=_files(model, formats),
            assumptions=assumed + _assumptions(model, workload),
        )

    def _offload(self, placement: Placement) -> Offload:
        if self.enable_sequential_cpu_offload:
            return "sequential"
        if self.enable_group_offload:
            return "group"
        return "model" if self.enable_model_cpu_offload else placement.offload

    def _run(self, model: Pipeline, workload: Asked, formats: Formats) -> MediaPass:
        guidance = model.guidance if workload.guidance is None else workload.guidance
        doubled = guidance and not model.sequential_guidance
        element_bytes = compute_bytes(formats.default)
        vae_bytes = compute_bytes(formats.vae) if formats.vae else (4 if model.upcast_vae else element_bytes)
        width, height, frames, text = sizes_of(model, workload)
        major = self.compute_capability.partition(".")[0] if self.compute_capability else None
        return MediaPass(
            batch_size=workload.batch_size,
            width_px=width,
            height_px=height,
            n_frames=frames,
            frame_scale=model.frame_scale,
            latent_scale=model.latent_scale,
            text_tokens=text,
            samples=workload.batch_size * (2 if doubled else 1),
            element_bytes=element_bytes,
            eager=self.attention != "sdpa",
            sliced=self.attention == "sliced",
            vae_slicing=self.enable_vae_slicing,
            vae_tiling=self.enable_vae_tiling,
            decode_chunk=self.decode_chunk_size,
            vae_bytes=vae_bytes,
            kept_fp32=is_fp16(formats.text_encoder or formats.default),
            cudnn_workspaces=self.cudnn_workspaces,
            compute_major=int(major) if major else None,
        )

    def _device_phases(
        self, model: Pipeline, run: MediaPass, offload: Offload, formats: Formats
    ) -> tuple[Phase, ...]:
        loaded = resident_weights(model.networks, (), offload, formats)
        phases = [Phase(name="load", components=(*loaded, context_component()))]
        for name, part in named_networks(model.networks):
            weights = resident_weights(model.networks, _at_work(model, part, offload), offload, formats)
            here = run if offload == "none" else evolve(run, freed_bytes=_freed(model, part, run, formats))
            if self.encode_input and part.role == "vae":
                phases.insert(1, _device_phase("vae_encode", weights, encode_components(part, here), run))
            phases.append(_device_phase(name, weights, working_components(part, here), run))
        return tuple(phases)


def _freed(model: Pipeline, part: PipelineNetwork, run: MediaPass, formats: Formats) -> int:
    """Return what networks that are not at work leave, less what the allocator would hold spare of it."""
    whole = resident_weights(model.networks, (part,), "none", formats)
    stays = resident_weights(model.networks, _at_work(model, part, "model"), "model", formats)
    left = sum(weight.bytes for weight in whole) - sum(weight.bytes for weight in stays)
    return max(0, left * 100 // (100 + _spare_percent(run)) - 1)  # a byte for the spare memory's rounding


def _spare_percent(run: MediaPass) -> int:
    return _SPARE_PERCENT if run.n_frames == 1 else _VIDEO_SPARE_PERCENT


def _device_phase(
    name: str, weights: tuple[Component, ...], working: tuple[Component, ...], run: MediaPass
) -> Phase:
    spare = _spare(working, _spare_percent(run))
    return Phase(name=name, components=(*weights, *working, *spare, context_component()))


def _at_work(model: Pipeline, part: PipelineNetwork, offload: Offload) -> tuple[PipelineNetwork, ...]:
    """Return what is on the device together under offload.

    With guidance the encoders run again for the empty prompt while the last one of the first pass is still there.
    """
    encoders = tuple(other for other in model.networks if other.role == "text_encoder")
    stays = offload == "model" and model.guidance and part in encoders[:-1]
    return (part, encoders[-1]) if stays else (part,)


def _why_not(model: Model) -> str:
    if isinstance(model, SizedModel):
        return f"of {model.identity.name} only the number of parameters is known; pass a Pipeline of your own"
    return "only image and video pipelines are; text models run on transformers"


def _refused_setting(request: Request) -> str | None:
    if isinstance(request.weight_format, RecipeFormat):
        return f"{request.weight_format.id} is a GGUF file type; pass a plain or bitsandbytes format"
    if request.placement.n_devices > 1:
        return "a pipeline is counted on one device; pass n_devices=1"
    return None


def _trainer() -> Engine:
    """Return the library's training scripts, which run everything that learns."""
    from genai_hwreq.engines._diffusers_trainer import DiffusersTrainer  # noqa: PLC0415  (pictures do without)

    return DiffusersTrainer()


def _makes_images(model: Model) -> bool:
    return isinstance(model, Pipeline) or (
        isinstance(model, SizedModel) and model.identity.modality in ("image", "video")
    )


def _pipeline(model: Model) -> tuple[Pipeline, tuple[Assumption, ...]]:
    if isinstance(model, SizedModel):
        return assumed_pipeline(model)
    assert isinstance(model, Pipeline)
    return model, ()


def _host_phases(model: Pipeline, offload: Offload, formats: Formats) -> tuple[Phase, ...]:
    named = ((name, _at_work(model, part, offload)) for name, part in named_networks(model.networks))
    moments: tuple[tuple[str, tuple[PipelineNetwork, ...] | None], ...] = (("load", None), *named)
    return tuple(
        Phase(
            name=name,
            components=(
                *host_weights(model.networks, working, offload, formats),
                host_runtime_component(),
            ),
        )
        for name, working in moments
    )


_SPARE_PERCENT = 20
"""Share of the working memory that the caching allocator holds beyond it; decoders reach 70 to 85 at times."""

_VIDEO_SPARE_PERCENT = 45
"""The same for video, whose decoders ask for tensors of many sizes: 40 to 70 for ConsisID and CogVideoX on A100s."""


def _spare(working: tuple[Component, ...], percent: int) -> tuple[Component, ...]:
    live = sum(part.bytes for part in working)
    if not live:
        return ()
    size = live * percent // 100
    inputs = (("working_bytes", live), ("spare_percent", percent))
    formula = "working_bytes * spare_percent // 100"
    span = ByteRange(0, size, live * 85 // 100)
    return (
        Component(
            "fragmentation", "held spare by the allocator", size, formula, inputs, "fitted", None, span
        ),
    )


def _files(model: Pipeline, formats: Formats) -> tuple[Component, ...]:
    return tuple(
        file for part in model.networks for file in network_weights(part, formats.of(part), 1, "file")
    )


def _assumptions(model: Pipeline, workload: Asked) -> tuple[Assumption, ...]:
    found = []
    if not isinstance(workload, AudioGeneration) and (
        workload.width_px is None or workload.height_px is None
    ):
        size = f"{workload.width_px or model.width_px} × {workload.height_px or model.height_px}"
        text = f"images of {size} pixels; pass width_px= and height_px= for others"
        found.append(Assumption(code="native-resolution", text=text))
    samplers = [part for part in model.networks if part.role in ("denoiser", "upscaler", "vae")]
    unknown = [part.name for part in samplers if isinstance(part.network, UnknownNetwork)]
    if unknown:
        text = f"only the size of {', '.join(unknown)} is known: working memory in Stable Diffusion's proportions"
        found.append(Assumption(code="typical-networks", text=text))
    return tuple(found)
