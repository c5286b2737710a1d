"""Cases of images, video and speech: what they say and what is run."""

from __future__ import annotations

from typing import Any

import pytest
from attrs import evolve

from genai_hwreq.engines import (
    ComfyUI,
    Diffusers,
    FasterWhisper,
    InvokeAI,
    SdWebui,
    StableDiffusionCpp,
    TransformersSpeech,
    Whisper,
    WhisperCpp,
)
from genai_hwreq.models import Pipeline
from genai_hwreq.scoring.mapping import Run, map_case
from genai_hwreq.scoring.predicting import Predictor, find_model
from genai_hwreq.scoring.settings import DeclinedError
from genai_hwreq.workloads import ImageGeneration, Transcription, VideoGeneration
from scoring_stubs import case


def mapped(model: str, **request: Any) -> Run:
    """Map a request."""
    made = evolve(case(arch=None, **request), model=model)
    return map_case(made, find_model(made))


def test_pipeline_of_images() -> None:
    """Sizes, guidance, offload and decoding are read; a GPU's name brings its workspaces."""
    run = mapped(
        "runwayml/stable-diffusion-v1-5", task="image", engine="diffusers", weights="fp16", height=512, width=768, batch=2,
        cfg=True, offload="model", attention="eager", vae_tiling=True, vae_dtype="fp32", gpu="A100 40GB",
    )  # fmt: skip
    assert run.workload == ImageGeneration(width_px=768, height_px=512, batch_size=2, guidance=True)
    assert isinstance(run.engine, Diffusers)
    assert (run.engine.attention, run.engine.enable_vae_tiling) == ("eager", True)
    assert run.engine.cudnn_workspaces
    assert run.engine.vae_format is not None
    assert run.placement.offload == "model"
    assert run.sized


def test_frames_make_a_video() -> None:
    """A case of a video asks for frames."""
    run = mapped(
        "Wan-AI/Wan2.1-T2V-1.3B-Diffusers", task="video", engine="diffusers", frames=81, height=480, width=832
    )
    assert run.workload == VideoGeneration(width_px=832, height_px=480, n_frames=81)


@pytest.mark.parametrize(
    ("component", "expected"),
    [
        ("denoiser", "UNet"), ("vae", "AutoencoderKL 4 channels"), ("clip_l", "CLIP ViT-L/14 text encoder"),
        ("clip_g", "OpenCLIP ViT-bigG text encoder"), ("vae_decoder", "AutoencoderKL 4 channels"),
    ],
)  # fmt: skip
def test_one_component(component: str, expected: str) -> None:
    """A case of one network runs a pipeline of that network."""
    run = mapped(
        "stabilityai/stable-diffusion-xl-base-1.0", task="image", engine="diffusers", component=component
    )
    assert isinstance(run.model, Pipeline)
    assert [part.name for part in run.model.networks] == [expected]


@pytest.mark.parametrize(
    ("model", "request_", "reason"),
    [
        ("stabilityai/stable-diffusion-xl-base-1.0", {"component": "t5"}, "no component 't5'"),
        ("stabilityai/stable-diffusion-xl-base-1.0", {"gpus": 2}, "on 2 devices"),
        ("warp-ai/wuerstchen", {"component": "denoiser"}, "whose architecture is known"),
        ("stabilityai/stable-diffusion-xl-base-1.0", {"denoiser_weights": "q4_k_m"}, "GGUF file type"),
        ("zai-org/CogVideoX-2b", {"component": "vae_decoder"}, "stores for decoding"),
    ],
)
def test_declined(model: str, request_: dict[str, Any], reason: str) -> None:
    """What is not known is declined with the reason."""
    with pytest.raises(DeclinedError, match=reason):
        mapped(model, task="image", engine="diffusers", **request_)


def test_other_programs() -> None:
    """InvokeAI and stable-diffusion.cpp read the same keys."""
    invoke = mapped(
        "Qwen/Qwen-Image",
        task="image",
        engine="invokeai",
        stage="vae_encode",
        component="vae",
        height=512,
        width=512,
    )
    assert isinstance(invoke.engine, InvokeAI)
    assert invoke.engine.encode_input
    ggml = mapped(
        "black-forest-labs/FLUX.1-dev",
        task="image",
        engine="stable-diffusion.cpp",
        weights="gguf-q4_0",
        attention="flash",
    )
    assert ggml.engine == StableDiffusionCpp(diffusion_fa=True)
    with pytest.raises(DeclinedError, match="decodes a video"):
        mapped(
            "zai-org/CogVideoX-2b", task="video", engine="stable-diffusion.cpp", frames=9, stage="vae_decode"
        )


def test_graphs_and_web_uis() -> None:
    """ComfyUI and Stable Diffusion web UI name their offloading in their own words."""
    comfy = mapped("zai-org/CogVideoX-2b", task="video", engine="comfyui", frames=9, offload="sequential")
    assert comfy.engine == ComfyUI(lowvram=True)
    web = mapped(
        "runwayml/stable-diffusion-v1-5", task="image", engine="sd-webui", offload="model", attention="eager"
    )
    assert web.engine == SdWebui(medvram=True, attention="eager")
    transformers = mapped("openai/whisper-tiny", task="transcribe", engine="transformers", beams=2)
    assert transformers.engine == TransformersSpeech()


def test_text_encoder_alone() -> None:
    """A text encoder that is a model of its own runs as a pipeline of one network; one of a pipeline as its part."""
    made = case(
        task="image",
        engine="transformers",
        weights="fp32",
        stage="text_encode",
        batch=2,
        max_sequence_length=77,
        component="clip_l",
    )
    arch = {
        "model_type": "clip_text_model",
        "hidden_size": 768,
        "intermediate_size": 3072,
        "num_hidden_layers": 12,
        "num_attention_heads": 12,
    }
    alone = evolve(made, arch=arch)
    run = map_case(alone, find_model(alone))
    assert isinstance(run.model, Pipeline)
    part = mapped(
        "stabilityai/stable-diffusion-xl-base-1.0", task="image", engine="transformers", component="clip_l"
    )
    assert isinstance(part.model, Pipeline)


@pytest.mark.parametrize(
    ("engine", "expected", "gpus"),
    [
        ("whisper", Whisper(), 1), ("whisper", Whisper(device="cpu"), 0), ("faster-whisper", FasterWhisper(), 1),
        ("faster-whisper", FasterWhisper(device="cpu"), 0), ("whisper.cpp", WhisperCpp(), 1), ("whisper.cpp", WhisperCpp(use_gpu=False), 0),
    ],
)  # fmt: skip
def test_speech(engine: str, expected: Any, gpus: int) -> None:
    """Beams and windows are read; a run without a GPU is counted on the host."""
    weights = "gguf-f16" if engine == "whisper.cpp" else "fp16"
    run = mapped(
        "openai/whisper-tiny",
        task="transcribe",
        engine=engine,
        weights=weights,
        beams=5,
        batch=8,
        audio_seconds=780,
        gpus=gpus,
    )
    assert run.engine == expected
    assert run.workload == Transcription(audio_seconds=780, batch_size=8, beams=5)
    assert run.place == ("devices" if gpus else "host")


def test_parameters_of_one_network() -> None:
    """A network that is given by its class is counted."""
    made = case("params", {"_class_name": "AutoencoderKLWan"})
    counted = evolve(made, request={"task": "count", "engine": "diffusers"})
    assert Predictor().predict(counted).likely == 126_892_531
