"""From what a case says was run to a run that can be estimated, by engine and task.

An engine is added by one line of `MAPPINGS` and one function that reads its settings.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from genai_hwreq.scoring.mapping._run import Run
from genai_hwreq.scoring.settings import DeclinedError, Settings

if TYPE_CHECKING:
    from genai_hwreq.models import Model
    from genai_hwreq.scoring.cases import Case

__all__ = ["MAPPINGS", "Run", "map_case"]

_TRAINERS = (
    "transformers",
    "pytorch",
    "trl",
    "torchtune",
    "torchtitan",
    "axolotl",
    "llama-factory",
    "ms-swift",
    "unsloth",
    "deepspeed",
    "fsdp",
    "megatron",
    "fms-acceleration",
    "litgpt",
)
"""Engines that train language models, whose cases are read alike."""

MAPPINGS: dict[tuple[str, str], str] = {
    ("invokeai", "image"): "_media:invokeai",
    ("stable-diffusion.cpp", "image"): "_media:stable_diffusion_cpp",
    ("stable-diffusion.cpp", "video"): "_media:stable_diffusion_cpp",
    ("deepfloyd-if", "image"): "_media:diffusers",
    ("whisper", "transcribe"): "_speech:whisper",
    ("faster-whisper", "transcribe"): "_speech:faster_whisper",
    ("whisper.cpp", "transcribe"): "_speech:whisper_cpp",
    ("transformers", "transcribe"): "_speech:transformers",
    ("comfyui", "image"): "_media:comfyui",
    ("comfyui", "video"): "_media:comfyui",
    ("sd-webui", "image"): "_media:sd_webui",
    ("diffusers", "image"): "_media:diffusers",
    ("diffusers", "video"): "_media:diffusers",
    ("transformers", "image"): "_media:text_encoder",
    ("transformers", "generate"): "_transformers:generation",
    ("vllm", "generate"): "_serving:vllm",
    ("sglang", "generate"): "_single_runs:sglang",
    ("tgi", "generate"): "_single_runs:tgi",
    ("tensorrt-llm", "generate"): "_single_runs:tensorrt_llm",
    ("lmdeploy", "generate"): "_single_runs:lmdeploy",
    ("mlc-llm", "generate"): "_single_runs:mlc_llm",
    ("mlx", "generate"): "_single_runs:mlx",
    ("exllama", "generate"): "_single_runs:exllama",
    ("exllamav2", "generate"): "_single_runs:exllamav2",
    ("exllamav3", "generate"): "_single_runs:exllamav3",
    ("ctranslate2", "generate"): "_single_runs:ctranslate2",
    ("gpt-fast", "generate"): "_single_runs:gpt_fast",
    ("litgpt", "generate"): "_single_runs:litgpt",
    ("autoawq", "generate"): "_single_runs:autoawq",
    ("autogptq", "generate"): "_single_runs:autogptq",
    ("llama.cpp", "generate"): "_llama_cpp:llama_cpp",
    ("ik_llama.cpp", "generate"): "_llama_cpp:ik_llama_cpp",
    ("ollama", "generate"): "_llama_cpp:ollama",
    ("simpletuner", "train"): "_training:media_training",
    ("finetrainers", "train"): "_training:media_training",
    ("diffusers", "train"): "_training:media_training",
    **dict.fromkeys(((engine, "train") for engine in _TRAINERS), "_training:training"),
}
"""Engine and task → module of this package and its function, which takes `Settings` and the model and returns a `Run`."""


def map_case(case: Case, model: Model) -> Run:
    """Return what to estimate for a case.

    Raises:
        DeclinedError: when the engine, the task or a setting is not modelled.
    """
    target = MAPPINGS.get((case.engine, case.task))
    if target is None:
        raise DeclinedError(_unmodelled(case))
    module, _, function = target.partition(":")
    read = getattr(import_module(f"{__name__}.{module}"), function)
    run: Run = read(Settings(case.request), model)
    return run


def _unmodelled(case: Case) -> str:
    if any(engine == case.engine for engine, _ in MAPPINGS):
        return f"task {case.task!r} of engine {case.engine!r} is not modelled yet"
    return f"engine {case.engine!r} is not modelled yet"
