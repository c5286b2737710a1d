"""How programs spend memory: one file an engine, loaded when it is first asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from genai_hwreq.engines._protocol import Engine, Memory, Request
from genai_hwreq.engines._registry import ENGINES, engine_class, get_engine

if TYPE_CHECKING:
    from genai_hwreq.engines.autoawq import AutoAWQ
    from genai_hwreq.engines.autogptq import AutoGPTQ
    from genai_hwreq.engines.axolotl import Axolotl
    from genai_hwreq.engines.comfyui import ComfyUI
    from genai_hwreq.engines.ctranslate2 import CTranslate2
    from genai_hwreq.engines.deepspeed import DeepSpeed
    from genai_hwreq.engines.diffusers import Diffusers
    from genai_hwreq.engines.exllama import ExLlama
    from genai_hwreq.engines.exllamav2 import ExLlamaV2
    from genai_hwreq.engines.exllamav3 import ExLlamaV3
    from genai_hwreq.engines.faster_whisper import FasterWhisper
    from genai_hwreq.engines.finetrainers import FineTrainers
    from genai_hwreq.engines.fms_acceleration import FmsAcceleration
    from genai_hwreq.engines.fsdp import Fsdp
    from genai_hwreq.engines.gpt_fast import GptFast
    from genai_hwreq.engines.ik_llama_cpp import IkLlamaCpp
    from genai_hwreq.engines.invokeai import InvokeAI
    from genai_hwreq.engines.litgpt import LitGPT
    from genai_hwreq.engines.llama_cpp import LlamaCpp
    from genai_hwreq.engines.llama_factory import LlamaFactory
    from genai_hwreq.engines.lmdeploy import LMDeploy
    from genai_hwreq.engines.megatron import Megatron
    from genai_hwreq.engines.mlc_llm import MLCLLM
    from genai_hwreq.engines.mlx import MLX
    from genai_hwreq.engines.ms_swift import MsSwift
    from genai_hwreq.engines.ollama import Ollama
    from genai_hwreq.engines.pytorch import PyTorch
    from genai_hwreq.engines.sd_webui import SdWebui
    from genai_hwreq.engines.sglang import SGLang
    from genai_hwreq.engines.simpletuner import SimpleTuner
    from genai_hwreq.engines.stable_diffusion_cpp import StableDiffusionCpp
    from genai_hwreq.engines.tensorrt_llm import TensorRTLLM
    from genai_hwreq.engines.tgi import TGI
    from genai_hwreq.engines.torchtitan import TorchTitan
    from genai_hwreq.engines.torchtune import TorchTune
    from genai_hwreq.engines.transformers import Transformers
    from genai_hwreq.engines.transformers_speech import TransformersSpeech
    from genai_hwreq.engines.trl import TRL
    from genai_hwreq.engines.unsloth import Unsloth
    from genai_hwreq.engines.vllm import VLLM
    from genai_hwreq.engines.whisper import Whisper
    from genai_hwreq.engines.whisper_cpp import WhisperCpp

__all__ = [
    "ENGINES",
    "MLCLLM",
    "MLX",
    "TGI",
    "TRL",
    "VLLM",
    "AutoAWQ",
    "AutoGPTQ",
    "Axolotl",
    "CTranslate2",
    "ComfyUI",
    "DeepSpeed",
    "Diffusers",
    "Engine",
    "ExLlama",
    "ExLlamaV2",
    "ExLlamaV3",
    "FasterWhisper",
    "FineTrainers",
    "FmsAcceleration",
    "Fsdp",
    "GptFast",
    "IkLlamaCpp",
    "InvokeAI",
    "LMDeploy",
    "LitGPT",
    "LlamaCpp",
    "LlamaFactory",
    "Megatron",
    "Memory",
    "MsSwift",
    "Ollama",
    "PyTorch",
    "Request",
    "SGLang",
    "SdWebui",
    "SimpleTuner",
    "StableDiffusionCpp",
    "TensorRTLLM",
    "TorchTitan",
    "TorchTune",
    "Transformers",
    "TransformersSpeech",
    "Unsloth",
    "Whisper",
    "WhisperCpp",
    "get_engine",
]


def __getattr__(name: str) -> Any:  # noqa: ANN401  (an engine class, or nothing)
    for engine, target in ENGINES.items():
        if target.endswith(f":{name}"):
            return engine_class(engine)
    msg = f"module 'genai_hwreq.engines' has no attribute {name!r}"
    raise AttributeError(msg)


def __dir__() -> list[str]:
    return [*__all__, *(target.partition(":")[2] for target in ENGINES.values())]
