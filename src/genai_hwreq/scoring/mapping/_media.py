"""Cases of images and video: diffusers, and programs that run its networks.

A case without a GPU's name was counted without a device: tensors alone, no convolution library's workspaces.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from attrs import evolve

from genai_hwreq.catalog import get_format
from genai_hwreq.engines import ComfyUI, Diffusers, InvokeAI, SdWebui, StableDiffusionCpp
from genai_hwreq.engines._gguf_types import gguf_type
from genai_hwreq.formats import WeightFormat
from genai_hwreq.models import (
    Autoencoder,
    EnumeratedNetwork,
    Pipeline,
    PipelineNetwork,
    TensorGroup,
    TransformerModel,
)
from genai_hwreq.placement import Placement
from genai_hwreq.scoring.mapping._gpus import compute_capability
from genai_hwreq.scoring.mapping._run import Run
from genai_hwreq.scoring.settings import DeclinedError, Settings
from genai_hwreq.workloads import ImageGeneration, VideoGeneration

if TYPE_CHECKING:
    from genai_hwreq.models import Model

__all__ = [
    "comfyui",
    "diffusers",
    "invokeai",
    "part_of",
    "sd_webui",
    "stable_diffusion_cpp",
    "text_encoder",
    "workload",
]

KEYS = (
    "task", "engine", "engine_version", "gpu", "gpus", "stage", "component", "weights", "compute_dtype", "attention",
    "compile", "offload", "height", "width", "frames", "batch", "cfg", "vae_tiling", "vae_slicing", "vae_dtype",
    "text_encoder_weights", "denoiser_weights", "max_sequence_length",
)  # fmt: skip
"""Keys of requests for images and video."""

_OFFLOAD: dict[str, Literal["none", "model", "sequential"]] = {
    "none": "none",
    "model": "model",
    "sequential": "sequential",
    "group": "none",  # a setting of the engine
}
_ATTENTION: dict[str, Literal["sdpa", "eager", "sliced"]] = {
    "sdpa": "sdpa",
    "flash": "sdpa",
    "eager": "eager",
    "sliced": "sliced",
}
_ROLES = {"denoiser": "denoiser", "vae": "vae", "vae_decoder": "vae"}
_ENCODERS = {"clip_l": "CLIP ViT-L", "clip_g": "bigG", "clip_h": "ViT-H", "t5": "T5"}


def diffusers(settings: Settings, model: Model) -> Run:
    """Read a case of diffusers."""
    settings.only(*KEYS)
    n_devices = settings.whole("gpus", 1)
    if n_devices != 1:
        msg = f"a pipeline on {n_devices} devices is not modelled"
        raise DeclinedError(msg)
    component = settings.text("component")
    stage = settings.text("stage")
    return Run(
        engine=_engine(settings),
        model=part_of(model, component) if component else None,
        workload=workload(settings),
        sized=_is_sized(settings),
        precision=settings.text("weights"),
        placement=Placement(offload=settings.choice("offload", _OFFLOAD, "none")),
        stage=stage,
    )


def _is_sized(settings: Settings) -> bool:
    return settings.has("height") or settings.text("stage") in ("text_encode", "load")


def _engine(settings: Settings) -> Diffusers:
    return Diffusers(
        attention=settings.choice("attention", _ATTENTION, "sdpa"),
        enable_vae_slicing=settings.flag("vae_slicing", default=False),
        enable_vae_tiling=settings.flag("vae_tiling", default=False),
        enable_group_offload=settings.text("offload") == "group",
        encode_input=settings.text("stage") == "vae_encode",
        denoiser_format=_own_format(settings, "denoiser_weights"),
        text_encoder_format=_own_format(settings, "text_encoder_weights"),
        vae_format=_own_format(settings, "vae_dtype"),
        cudnn_workspaces=settings.has("gpu"),
        compute_capability=compute_capability(settings.text("gpu")),
    )


def _own_format(settings: Settings, key: str) -> WeightFormat | None:
    name = settings.text(key)
    if name is None:
        return None
    found = get_format(name)
    if not isinstance(found, WeightFormat):
        msg = f"{key} {name!r} is a GGUF file type; diffusers' components take plain and quantised formats"
        raise DeclinedError(msg)
    return found


def workload(settings: Settings) -> ImageGeneration | VideoGeneration:
    """Read what was asked; a video pipeline makes frames, an image pipeline one image."""
    sides = {
        "width_px": settings.whole("width", 0) or None,
        "height_px": settings.whole("height", 0) or None,
        "text_tokens": settings.whole("max_sequence_length", 0) or None,
        "batch_size": settings.whole("batch", 1),
    }
    guidance = settings.flag("cfg", default=False) if settings.has("cfg") else None
    if settings.text("task") == "video" or settings.has("frames"):
        return VideoGeneration(n_frames=settings.whole("frames", 0) or None, guidance=guidance, **sides)  # type: ignore[arg-type]
    return ImageGeneration(guidance=guidance, **sides)  # type: ignore[arg-type]


def part_of(model: Model, component: str) -> Pipeline:
    """Return a pipeline of only the networks that a case names.

    Raises:
        DeclinedError: when the pipeline has no such network.
    """
    if isinstance(model, Pipeline):
        found = tuple(part for part in model.networks if _is(part, component))
        if found and component == "vae_decoder":
            found = (_decoder_of(found[0]),)
        if found:
            return evolve(model, networks=found[:1])
    msg = f"{model.identity.name} has no component {component!r} whose architecture is known"
    raise DeclinedError(msg)


def _decoder_of(part: PipelineNetwork) -> PipelineNetwork:
    """Return the half of an autoencoder that makes images.

    Raises:
        DeclinedError: when its halves are not known.
    """
    if not isinstance(part.network, Autoencoder):
        msg = f"what {part.name} stores for decoding is not known"
        raise DeclinedError(msg)
    tensors = tuple(
        tensor for tensor in part.network.tensors() if tensor.name.startswith(("decoder.", "post_quant"))
    )
    half = EnumeratedNetwork(class_name="Decoder", groups=(TensorGroup(name="decoder", tensors=tensors),))
    return evolve(part, network=half)


def _is(part: PipelineNetwork, component: str) -> bool:
    if component in _ROLES:
        return part.role == _ROLES[component]
    return part.role == "text_encoder" and _ENCODERS.get(component, component) in part.name


def text_encoder(settings: Settings, model: Model) -> Run:
    """Read a case of one text encoder that runs by itself."""
    settings.only(*KEYS)
    if not isinstance(model, TransformerModel):
        return diffusers(settings, model)
    part = PipelineNetwork(role="text_encoder", name="text encoder", network=model.decoder)
    alone = Pipeline(
        identity=model.identity, networks=(part,), width_px=512, height_px=512, latent_scale=8, guidance=False
    )
    run = diffusers(
        Settings({key: value for key, value in settings.values.items() if key != "component"}), alone
    )
    return evolve(run, model=alone)


def invokeai(settings: Settings, model: Model) -> Run:
    """Read a case of InvokeAI."""
    engine = InvokeAI(
        tiled_decode=settings.flag("vae_tiling", default=False),
        encode_input=settings.text("stage") == "vae_encode",
        compute_capability=compute_capability(settings.text("gpu")),
    )
    return evolve(_plain(settings, model), engine=engine)


def stable_diffusion_cpp(settings: Settings, model: Model) -> Run:
    """Read a case of stable-diffusion.cpp; a buffer of a video decoder is not modelled."""
    settings.only(*KEYS)
    component, stage = settings.text("component"), settings.text("stage")
    if settings.has("frames") and stage == "vae_decode":
        msg = "the buffer that decodes a video is not modelled"
        raise DeclinedError(msg)
    stated = (settings.text("weights") or "gguf-f16").removeprefix("gguf-")
    return Run(
        engine=StableDiffusionCpp(
            diffusion_fa=settings.text("attention") == "flash",
            vae_tiling=settings.flag("vae_tiling", default=False),
        ),
        model=part_of(model, component) if component else None,
        workload=workload(settings),
        sized=_is_sized(settings),
        precision=gguf_type(stated),
        stage=stage,
    )


def comfyui(settings: Settings, model: Model) -> Run:
    """Read a case of ComfyUI."""
    offload = settings.text("offload")
    engine = ComfyUI(
        attention=settings.choice("attention", _ATTENTION, "sdpa"),
        highvram=offload == "none",
        lowvram=offload in ("sequential", "layers"),
        tiled_decode=settings.flag("vae_tiling", default=False),
    )
    return evolve(_plain(settings, model), engine=engine)


def sd_webui(settings: Settings, model: Model) -> Run:
    """Read a case of Stable Diffusion web UI."""
    offload = settings.text("offload")
    engine = SdWebui(
        attention=settings.choice("attention", _ATTENTION, "sdpa"),
        medvram=offload == "model",
        lowvram=offload in ("sequential", "layers"),
        tiled_decode=settings.flag("vae_tiling", default=False),
    )
    return evolve(_plain(settings, model), engine=engine)


def _plain(settings: Settings, model: Model) -> Run:
    settings.only(*KEYS)
    component = settings.text("component")
    return Run(
        engine=Diffusers(),
        model=part_of(model, component) if component else None,
        workload=workload(settings),
        sized=_is_sized(settings),
        precision=settings.text("weights"),
        stage=settings.text("stage"),
    )
