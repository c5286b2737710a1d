"""Engines by name: ours from a table, others from entry points."""

from __future__ import annotations

from difflib import get_close_matches
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, cast

from genai_hwreq.errors import UnknownNameError

if TYPE_CHECKING:
    from genai_hwreq.engines._protocol import Engine

__all__ = ["ENGINES", "engine_class", "get_engine"]

ENGINES: dict[str, str] = {
    "transformers": "transformers:Transformers",
    "vllm": "vllm:VLLM",
    "sglang": "sglang:SGLang",
    "tgi": "tgi:TGI",
    "tensorrt-llm": "tensorrt_llm:TensorRTLLM",
    "lmdeploy": "lmdeploy:LMDeploy",
    "mlc-llm": "mlc_llm:MLCLLM",
    "mlx": "mlx:MLX",
    "exllama": "exllama:ExLlama",
    "exllamav2": "exllamav2:ExLlamaV2",
    "exllamav3": "exllamav3:ExLlamaV3",
    "ctranslate2": "ctranslate2:CTranslate2",
    "gpt-fast": "gpt_fast:GptFast",
    "litgpt": "litgpt:LitGPT",
    "autoawq": "autoawq:AutoAWQ",
    "autogptq": "autogptq:AutoGPTQ",
    "diffusers": "diffusers:Diffusers",
    "sd-webui": "sd_webui:SdWebui",
    "comfyui": "comfyui:ComfyUI",
    "transformers-speech": "transformers_speech:TransformersSpeech",
    "whisper.cpp": "whisper_cpp:WhisperCpp",
    "faster-whisper": "faster_whisper:FasterWhisper",
    "whisper": "whisper:Whisper",
    "stable-diffusion.cpp": "stable_diffusion_cpp:StableDiffusionCpp",
    "invokeai": "invokeai:InvokeAI",
    "llama.cpp": "llama_cpp:LlamaCpp",
    "ik_llama.cpp": "ik_llama_cpp:IkLlamaCpp",
    "ollama": "ollama:Ollama",
    "pytorch": "pytorch:PyTorch",
    "trl": "trl:TRL",
    "torchtune": "torchtune:TorchTune",
    "torchtitan": "torchtitan:TorchTitan",
    "axolotl": "axolotl:Axolotl",
    "llama-factory": "llama_factory:LlamaFactory",
    "ms-swift": "ms_swift:MsSwift",
    "unsloth": "unsloth:Unsloth",
    "deepspeed": "deepspeed:DeepSpeed",
    "fsdp": "fsdp:Fsdp",
    "megatron": "megatron:Megatron",
    "fms-acceleration": "fms_acceleration:FmsAcceleration",
    "simpletuner": "simpletuner:SimpleTuner",
    "finetrainers": "finetrainers:FineTrainers",
}
"""Engine name → module of this package and class. A module is imported when its engine is first asked for."""


def get_engine(name: str) -> Engine:
    """Return an engine with its own default settings.

    Raises:
        UnknownNameError: when neither this library nor an installed entry point knows the name.

    Examples:
        >>> get_engine("transformers").name
        'transformers'

    """
    return _default(name.casefold().strip())


@cache
def _default(name: str) -> Engine:
    return engine_class(name)()


def engine_class(name: str) -> type[Engine]:
    """Return the class of an engine."""
    if name in ENGINES:
        module, _, attribute = ENGINES[name].partition(":")
        return cast("type[Engine]", getattr(import_module(f"genai_hwreq.engines.{module}"), attribute))
    return _third_party(name)


def _third_party(name: str) -> type[Engine]:
    from importlib.metadata import entry_points  # noqa: PLC0415  (searched for unknown names only)

    for entry in entry_points(group="genai_hwreq.engines", name=name):
        return cast("type[Engine]", entry.load())
    msg = "engine"
    raise UnknownNameError(msg, name, get_close_matches(name, ENGINES, n=3))
