"""Cases of llama.cpp, ik_llama.cpp and Ollama.

A case without a device counts all of a kind of memory, wherever it is: it is read from the host of a run without one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from genai_hwreq.engines import IkLlamaCpp, LlamaCpp, Ollama
from genai_hwreq.formats import MeanType, WeightFormat
from genai_hwreq.placement import Placement
from genai_hwreq.scoring.mapping._run import Run
from genai_hwreq.workloads import Generation

if TYPE_CHECKING:
    from genai_hwreq.engines import Engine
    from genai_hwreq.formats import Format
    from genai_hwreq.models import Model
    from genai_hwreq.scoring.settings import Settings

__all__ = ["ik_llama_cpp", "llama_cpp", "ollama"]

_NAMES_ONLY = ("task", "engine", "engine_version", "gpu")
_OURS = (
    "weights", "bits_per_weight", "gpus", "device", "n_ctx", "n_batch", "n_ubatch", "n_gpu_layers", "n_seq_max",
    "flash_attn", "type_k", "type_v", "swa_full", "kv_unified", "offload_kqv", "cpu_moe", "n_outputs_max",
)  # fmt: skip
_IK = ("mla", "attn_max_batch", "fused_moe")
_COUNTS = ("n_ctx", "n_batch", "n_ubatch", "n_gpu_layers", "n_seq_max", "n_outputs_max")
_FLAGS = ("flash_attn", "swa_full", "kv_unified", "offload_kqv", "cpu_moe")

_USUAL_VERSION = "2025-08"
"""What a case that names no version is taken for: logs of that year are the most."""


def llama_cpp(settings: Settings, _model: Model) -> Run:
    """Read a case of llama.cpp."""
    settings.only(*_NAMES_ONLY, *_OURS)
    stated = _stated(settings)
    return _run(settings, LlamaCpp(version=settings.text("engine_version") or _USUAL_VERSION, **stated))


def ik_llama_cpp(settings: Settings, _model: Model) -> Run:
    """Read a case of ik_llama.cpp."""
    settings.only(*_NAMES_ONLY, *_OURS, *_IK)
    stated = _stated(settings)
    stated |= {key: settings.whole(key, 0) for key in ("mla", "attn_max_batch") if settings.has(key)}
    if settings.has("fused_moe"):
        stated["fused_moe"] = settings.flag("fused_moe", default=False)
    return _run(settings, IkLlamaCpp(**stated))


def ollama(settings: Settings, _model: Model) -> Run:
    """Read a case of Ollama; naming the cache's type only takes effect with fused attention."""
    settings.only(*_NAMES_ONLY, *_OURS)
    stated: dict[str, Any] = {"flash_attn": True} if settings.has("type_k") else {}
    stated |= _stated(settings)
    names = {
        "n_ctx": "num_ctx", "n_batch": "num_batch", "n_gpu_layers": "num_gpu", "n_seq_max": "num_parallel",
        "flash_attn": "flash_attention", "type_k": "kv_cache_type", "use_device": "use_device",
    }  # fmt: skip
    version = "2024-08" if (settings.text("engine_version") or "").startswith("0.2") else Ollama().version
    chosen: dict[str, Any] = {names[key]: value for key, value in stated.items() if key in names}
    return _run(settings, Ollama(version=version, **chosen))


def _stated(settings: Settings) -> dict[str, Any]:
    found: dict[str, Any] = {key: settings.whole(key, 0) for key in _COUNTS if settings.has(key)}
    found |= {key: settings.flag(key, default=False) for key in _FLAGS if settings.has(key)}
    found |= {key: settings.text(key) for key in ("type_k", "type_v") if settings.has(key)}
    found["use_device"] = _on_device(settings)
    return found


def _on_device(settings: Settings) -> bool:
    if settings.text("device") == "cpu" or settings.whole("gpus", 1) == 0:
        return False
    return any(settings.has(key) for key in ("device", "n_gpu_layers", "gpus")) or settings.text("engine") == "ollama"


def _run(settings: Settings, engine: Engine) -> Run:
    on_device = _on_device(settings)
    return Run(
        engine=engine,
        workload=Generation(context_tokens=settings.whole("n_ctx", 1) or 1),
        sized=settings.has("n_ctx"),
        precision=_precision(settings),
        placement=Placement(n_devices=max(1, settings.whole("gpus", 1))),
        place="devices" if on_device and settings.text("device") != "host" else "host",
    )


def _precision(settings: Settings) -> str | Format | None:
    """Return the file type, or where a file mixes types of its own the mean that the case states."""
    bits = settings.values.get("bits_per_weight")
    if not isinstance(bits, int | float):
        return settings.text("weights") or "q4_k_m"
    mean = MeanType(name="stated mean", milli_bits=round(1000 * bits))
    return WeightFormat(id="gguf-mean", name="GGUF of mixed types", matrices=mean, embedding=mean, rest=mean)
