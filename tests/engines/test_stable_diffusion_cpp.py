"""stable-diffusion.cpp: weights and buffers as it prints them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from attrs import evolve

from formula_text import evaluate
from genai_hwreq.catalog import get_format, get_model
from genai_hwreq.engines import StableDiffusionCpp
from genai_hwreq.engines._gguf_types import gguf_type
from genai_hwreq.errors import UnsupportedError
from genai_hwreq.estimation import estimate_vram
from genai_hwreq.models import Pipeline
from genai_hwreq.workloads import Generation, ImageGeneration, VideoGeneration

if TYPE_CHECKING:
    from genai_hwreq.estimates import Estimate, Phase


def alone(
    name: str, role: str, kind: str, engine: StableDiffusionCpp | None = None, **asked: Any
) -> Estimate:
    """Estimate one network of a pipeline."""
    model = get_model(name)
    assert isinstance(model, Pipeline)
    part = next(part for part in model.networks if part.role == role)
    pipeline = evolve(model, networks=(part,))
    return estimate_vram(
        pipeline, ImageGeneration(**asked), precision=gguf_type(kind), engine=engine or StableDiffusionCpp()
    )


def phase(found: Estimate, name: str) -> Phase:
    """Return a phase of the device."""
    chosen = found.devices[0].phase(name)
    assert chosen is not None
    return chosen


@pytest.mark.parametrize(
    ("printed", "kind"),
    [
        (12_654_309_540, "q8_0"),
        (6_705_150_689, "q4_0"),
        (6_705_821_778, "q4_k"),
        (5_125_607_260, "q3_k"),
        (3_917_196_820, "q2_k"),
    ],
)
def test_weights_as_printed(printed: int, kind: str) -> None:
    """FLUX.1's transformer in each type, within two parts in a thousand."""
    found = phase(alone("flux.1-dev", "denoiser", kind), "load").bytes_of("weights")
    assert printed == pytest.approx(found, rel=2e-3)


def test_t5_keeps_nothing_in_fp32() -> None:
    """A file in f16 is 16 bit throughout: 8.87 GiB."""
    model = get_model("flux.1-dev")
    assert isinstance(model, Pipeline)
    t5 = evolve(model, networks=model.networks[1:2])
    found = estimate_vram(t5, ImageGeneration(), precision=gguf_type("f16"), engine=StableDiffusionCpp())
    assert phase(found, "load").bytes_of("weights") == 2 * 4_762_310_656


def test_decoder_buffer_as_printed() -> None:
    """SDXL's decoder at 1024 pixels takes 2560 MiB, and less in tiles."""
    whole = phase(alone("stable-diffusion-xl-base-1.0", "vae", "f16"), "vae_decode")
    assert whole.bytes_of("compute_buffer") == 2560 * 2**20
    tiled = phase(
        alone("stable-diffusion-xl-base-1.0", "vae", "f16", StableDiffusionCpp(vae_tiling=True)), "vae_decode"
    )
    assert tiled.bytes_of("compute_buffer") == 256 * 256 * 2560


def test_scores_as_printed() -> None:
    """Without fused attention FLUX holds 600 MiB of scores at 768 pixels, for 2560 tokens."""
    fused = phase(
        alone(
            "flux.1-dev",
            "denoiser",
            "q8_0",
            StableDiffusionCpp(diffusion_fa=True),
            width_px=768,
            height_px=768,
            text_tokens=256,
        ),
        "denoise",
    )
    full = phase(
        alone("flux.1-dev", "denoiser", "q8_0", width_px=768, height_px=768, text_tokens=256), "denoise"
    )
    assert full.bytes_of("compute_buffer") - fused.bytes_of("compute_buffer") == 600 * 2**20


def test_networks_on_the_host_leave_the_device() -> None:
    """Text encoders and autoencoder can stay in host memory."""
    asked = ImageGeneration()
    here = estimate_vram("flux.1-dev", asked, precision=gguf_type("q8_0"), engine=StableDiffusionCpp())
    away = estimate_vram(
        "flux.1-dev",
        asked,
        precision=gguf_type("q8_0"),
        engine=StableDiffusionCpp(clip_on_cpu=True, vae_on_cpu=True),
    )
    assert here.host is not None
    assert away.host is not None
    moved = phase(here, "load").bytes_of("weights") - phase(away, "load").bytes_of("weights")
    assert moved == away.host.phases[0].bytes_of("weights")


def test_unets_and_videos_have_buffers_too() -> None:
    """A UNet's buffer follows its tensors; a video decoder's is not known, and a second encoder is numbered."""
    found = alone("stable-diffusion-1.5", "denoiser", "f16")
    assert phase(found, "denoise").bytes_of("compute_buffer") > 0
    video = estimate_vram(
        "wan2.1-t2v-1.3b-diffusers",
        VideoGeneration(n_frames=9),
        precision=gguf_type("f16"),
        engine=StableDiffusionCpp(),
    )
    assert phase(video, "vae_decode").bytes_of("compute_buffer") == 0
    two = estimate_vram(
        "flux.1-dev", ImageGeneration(), precision=gguf_type("f16"), engine=StableDiffusionCpp()
    )
    assert [step.name for step in two.devices[0].phases][1:3] == ["text_encode", "text_encode_2"]
    for step in two.devices[0].phases:
        assert all(evaluate(part) == part.bytes for part in step.components)


@pytest.mark.parametrize(
    ("model", "workload", "precision", "reason"),
    [
        ("llama-2-7b", ImageGeneration(), gguf_type("f16"), "only pipelines"),
        ("flux.1-dev", Generation(), gguf_type("f16"), "makes images and video"),
        ("flux.1-dev", ImageGeneration(), get_format("q4_k_m"), "recipe of text models"),
    ],
)
def test_refuses(model: str, workload: Any, precision: Any, reason: str) -> None:
    """What it cannot run is refused with the reason."""
    with pytest.raises(UnsupportedError, match=reason):
        estimate_vram(model, workload, precision=precision, engine=StableDiffusionCpp())
