"""Settings of diffusers that move or store networks otherwise, the programs that share its networks, and sound."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from attrs import evolve

from genai_hwreq.catalog import get_format, get_model
from genai_hwreq.engines import ComfyUI, Diffusers, InvokeAI, SdWebui
from genai_hwreq.errors import QuantityError, UnsupportedError
from genai_hwreq.estimation import estimate_vram
from genai_hwreq.formats import WeightFormat
from genai_hwreq.models import Pipeline
from genai_hwreq.workloads import AudioGeneration, ImageGeneration, Transcription, VideoGeneration

if TYPE_CHECKING:
    from genai_hwreq.estimates import Estimate, Phase


def estimate(name: str, engine: Any = None, precision: str = "bf16", **asked: Any) -> Estimate:
    """Estimate a pipeline of images."""
    return estimate_vram(name, ImageGeneration(**asked), precision=precision, engine=engine or Diffusers())


def phase(found: Estimate, name: str) -> Phase:
    """Return a phase of the device."""
    chosen = found.devices[0].phase(name)
    assert chosen is not None
    return chosen


def test_each_component_in_its_own_format() -> None:
    """A denoiser, text encoders and an autoencoder can each have a format of their own."""
    eight, full = get_format("torchao-int8"), get_format("fp32")
    assert isinstance(eight, WeightFormat)
    assert isinstance(full, WeightFormat)
    plain = phase(estimate("flux.1-dev"), "load").bytes_of("weights")
    one = phase(estimate("flux.1-dev", Diffusers(denoiser_format=eight)), "load").bytes_of("weights")
    both = Diffusers(denoiser_format=eight, text_encoder_format=eight, vae_format=full)
    two = phase(estimate("flux.1-dev", both), "load").bytes_of("weights")
    assert 20.3 * 2**30 < one < 20.4 * 2**30
    assert two < one < plain
    decode = phase(estimate("flux.1-dev", both), "vae_decode")
    assert decode.bytes_of("activations") == 768 * 1024**2 * 4


def test_groups_hold_one_block() -> None:
    """Offloaded in groups, a denoiser holds one block of its layers, and tables of positions stay."""
    group = Diffusers(enable_group_offload=True)
    flux = phase(estimate("flux.1-dev", group), "denoise").bytes_of("weights")
    assert flux == pytest.approx(2 * 339_831_296, rel=1e-3)
    sd3 = phase(estimate("stable-diffusion-3.5-medium", group, "fp16"), "text_encode").bytes_of("weights")
    assert sd3 > 2 * 384 * 384 * 1536
    unet, named = (
        phase(estimate(name, group, "fp16"), "denoise") for name in ("stable-diffusion-1.5", "kandinsky-3")
    )
    layer = Diffusers(enable_sequential_cpu_offload=True)
    one_by_one = (
        phase(estimate(name, layer, "fp16"), "denoise") for name in ("stable-diffusion-1.5", "kandinsky-3")
    )
    assert [unet.bytes_of("weights"), named.bytes_of("weights")] == [
        step.bytes_of("weights") for step in one_by_one
    ]


def test_freed_memory_is_taken_by_convolutions() -> None:
    """Where weights have left, cuDNN takes more, but never more than they left."""
    none, model = (
        phase(
            estimate("stable-diffusion-xl-base-1.0", Diffusers(enable_model_cpu_offload=moved), "fp16"),
            "vae_decode",
        )
        for moved in (False, True)
    )
    assert model.bytes_of("compute_buffer") - none.bytes_of("compute_buffer") == 285 * 1024**2 * 4
    assert model.process_bytes < none.process_bytes


@pytest.mark.parametrize(
    ("engine", "same"),
    [
        (ComfyUI(), Diffusers(enable_model_cpu_offload=True)),
        (ComfyUI(highvram=True, tiled_decode=True), Diffusers(enable_vae_tiling=True)),
        (ComfyUI(lowvram=True), Diffusers(enable_sequential_cpu_offload=True)),
        (SdWebui(attention="eager"), Diffusers(attention="eager")),
        (SdWebui(medvram=True), Diffusers(enable_model_cpu_offload=True)),
        (SdWebui(lowvram=True, medvram=True), Diffusers(enable_sequential_cpu_offload=True)),
    ],
)
def test_other_programs_run_the_same_networks(engine: Any, same: Diffusers) -> None:
    """ComfyUI and Stable Diffusion web UI hold what diffusers does with the settings that mean the same."""
    asked = {"width_px": 640, "height_px": 512}
    assert (
        estimate("stable-diffusion-1.5", engine, "fp16", **asked).vram_bytes
        == estimate("stable-diffusion-1.5", same, "fp16", **asked).vram_bytes
    )
    with pytest.raises(UnsupportedError, match="only image and video pipelines"):
        estimate_vram("llama-2-7b", ImageGeneration(), precision="fp16", engine=engine)


@pytest.mark.parametrize(
    ("measured", "side", "engine"),
    [
        (1_367_947_084, 512, InvokeAI(compute_capability="8.9")),
        (4_691_178_029, 1024, InvokeAI(compute_capability="8.9")),
        (17_989_470_519, 2048, InvokeAI(compute_capability="8.9")),
    ],
)
def test_invokeai_decodes_as_measured(measured: int, side: int, engine: InvokeAI) -> None:
    """Qwen-Image's autoencoder alone on an RTX 4090: tensors, and a convolution's input and output laid out anew."""
    model = get_model("qwen-image")
    assert isinstance(model, Pipeline)
    alone = evolve(model, networks=tuple(part for part in model.networks if part.role == "vae"))
    found = estimate_vram(
        alone, ImageGeneration(width_px=side, height_px=side), precision="fp16", engine=engine
    )
    assert measured == pytest.approx(phase(found, "vae_decode").allocated_bytes, rel=0.005)


def test_invokeai_refuses_as_diffusers_does() -> None:
    """What its networks cannot do is refused with the same reason."""
    assert InvokeAI(keep_models_in_vram=True).name == "invokeai"
    with pytest.raises(Exception, match="only image and video pipelines"):
        estimate_vram("llama-2-7b", ImageGeneration(), precision="fp16", engine=InvokeAI())


def test_old_gpus_transform_filters() -> None:
    """Without tensor cores a UNet's largest filters are transformed, whatever the batch; in fp32 decoding takes none."""
    old = Diffusers(compute_capability="6.0")
    one, four = (
        phase(estimate("stable-diffusion-1.5", old, "fp16", batch_size=n), "denoise") for n in (1, 4)
    )
    assert one.bytes_of("compute_buffer") == four.bytes_of("compute_buffer") == 4 * 2560 * 1280 * 9 * 4
    decode = phase(estimate("stable-diffusion-xl-base-1.0", old, "fp16"), "vae_decode")
    assert decode.bytes_of("compute_buffer") == 0


def test_sound_as_simulated() -> None:
    """Stable Audio's decoder on 1024 latents, 47.6 seconds, with its weights made of length and direction."""
    found = estimate_vram("stable-audio-open-1.0", AudioGeneration(), precision="fp16", engine=Diffusers())
    decode = phase(found, "vae_decode")
    made = sum(part.bytes for part in decode.components if part.name.endswith("tables"))
    assert decode.bytes_of("activations") + made == pytest.approx(2_572_156_928, rel=0.02)
    longer = estimate_vram("stable-audio-open-1.0", precision="fp16", audio_seconds=95)
    assert longer.vram_bytes > found.vram_bytes


@pytest.mark.parametrize(
    ("model", "workload", "reason"),
    [
        ("stable-audio-open-1.0", ImageGeneration(), "AudioGeneration is for pipelines of sound"),
        ("flux.1-dev", AudioGeneration(), "AudioGeneration is for pipelines of sound"),
        ("flux.1-dev", Transcription(), "makes images and video, not a Transcription"),
    ],
)
def test_what_a_pipeline_does_not_make_is_refused(model: str, workload: Any, reason: str) -> None:
    """Sound is asked of pipelines of sound, and nothing else is."""
    with pytest.raises(UnsupportedError, match=reason):
        estimate_vram(model, workload, precision="fp16", engine=Diffusers())


def test_usual_workload_of_a_pipeline() -> None:
    """A video pipeline makes a video of its own length, or of the frames that are asked for."""
    usual = estimate_vram("cogvideox-2b", precision="fp16")
    assert (
        usual.vram_bytes
        == estimate_vram("cogvideox-2b", VideoGeneration(n_frames=49), precision="fp16").vram_bytes
    )
    with pytest.raises(QuantityError, match="n_frames does not describe"):
        estimate_vram("flux.1-dev", precision="bf16", n_frames=9)
