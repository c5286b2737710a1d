"""Cases of engines that run a request on its own, and of small servers with a pool that the case states."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from genai_hwreq import engines
from genai_hwreq.placement import Placement
from genai_hwreq.scoring.mapping._device_memory import reported_bytes
from genai_hwreq.scoring.mapping._run import Run
from genai_hwreq.scoring.mapping._serving import asked, parallel, refuse_other_compute
from genai_hwreq.scoring.settings import DeclinedError

if TYPE_CHECKING:
    from genai_hwreq.engines import Engine
    from genai_hwreq.models import Model
    from genai_hwreq.scoring.settings import Settings

__all__ = [
    "autoawq", "autogptq", "ctranslate2", "exllama", "exllamav2", "exllamav3", "gpt_fast", "litgpt", "lmdeploy",
    "mlc_llm", "mlx", "sglang", "tensorrt_llm", "tgi",
]

_COMMON = (
    "task", "engine", "engine_version", "gpu", "gpus", "stage", "weights", "compute_dtype", "batch", "prompt_tokens",
    "new_tokens", "context", "kv_cache",
)
_LOGITS: dict[str, Literal["last", "all"]] = {"last": "last", "all": "all"}


def _single(settings: Settings, engine: Engine, *more: str) -> Run:
    """Return a run spread by layers over its devices."""
    settings.only(*_COMMON, *more)
    refuse_other_compute(settings)
    devices = settings.whole("gpus", 1)
    if devices == 0:
        msg = "a run without an accelerator is not modelled"
        raise DeclinedError(msg)
    return Run(
        engine=engine,
        workload=asked(settings),
        sized=any(settings.has(key) for key in ("prompt_tokens", "new_tokens", "context")),
        precision=settings.text("weights"),
        placement=Placement(n_devices=devices),
        stage=settings.text("stage"),
    )


def gpt_fast(settings: Settings, model: Model) -> Run:  # noqa: ARG001  (some engines look at the model)
    """Read a case of gpt-fast."""
    settings.refuse("compile", True)
    return _single(settings, engines.GptFast(kv_cache=settings.text("kv_cache") or "bf16"), "compile")


def litgpt(settings: Settings, model: Model) -> Run:  # noqa: ARG001
    """Read a case of LitGPT."""
    return _single(settings, engines.LitGPT(kv_cache=settings.text("kv_cache") or "bf16"))


def exllama(settings: Settings, model: Model) -> Run:  # noqa: ARG001
    """Read a case of ExLlama."""
    return _single(settings, engines.ExLlama(kv_cache=settings.text("kv_cache") or "fp16"))


def exllamav2(settings: Settings, model: Model) -> Run:  # noqa: ARG001
    """Read a case of ExLlamaV2."""
    first_days = (settings.text("engine_version") or "").startswith("0.0.1")
    engine = engines.ExLlamaV2(cache_mode=settings.text("kv_cache") or "fp16", flash_attn=not first_days)
    return _single(settings, engine)


def exllamav3(settings: Settings, model: Model) -> Run:  # noqa: ARG001
    """Read a case of ExLlamaV3."""
    return _single(settings, engines.ExLlamaV3(cache_type=settings.text("kv_cache") or "fp16"))


def mlx(settings: Settings, model: Model) -> Run:  # noqa: ARG001
    """Read a case of MLX."""
    engine = engines.MLX(
        prefill_step_size=settings.whole("prefill_chunk", 0) or engines.MLX().prefill_step_size,
        kv_cache=settings.text("kv_cache") or "bf16",
        logits=settings.choice("logits", _LOGITS, "all"),
    )
    return _single(settings, engine, "prefill_chunk", "logits")


def ctranslate2(settings: Settings, model: Model) -> Run:  # noqa: ARG001
    """Read a case of CTranslate2."""
    return _single(settings, engines.CTranslate2())


def autoawq(settings: Settings, model: Model) -> Run:  # noqa: ARG001
    """Read a case of AutoAWQ."""
    settings.refuse("kv_cache", "fp16")
    return _single(settings, engines.AutoAWQ(max_seq_len=settings.whole("context", 0) or None))


def autogptq(settings: Settings, model: Model) -> Run:  # noqa: ARG001
    """Read a case of AutoGPTQ or GPTQ-for-LLaMa."""
    settings.refuse("kv_cache", "fp16")
    return _single(settings, engines.AutoGPTQ())


_POOLED = ("kv_tokens", "tensor_parallel", "pipeline_parallel")


def _pooled(settings: Settings, engine: Engine) -> Run:
    settings.only(*_COMMON, *_POOLED)
    refuse_other_compute(settings)
    return Run(
        engine=engine, workload=asked(settings), precision=settings.text("weights"), stage=settings.text("stage"),
        sized=any(settings.has(key) for key in ("prompt_tokens", "context", "kv_tokens")),
    )


def _shards(settings: Settings) -> int:
    tensor, stages = parallel(settings)
    if stages > 1:
        msg = f"pipeline_parallel {stages} is not modelled for this engine"
        raise DeclinedError(msg)
    return tensor


def sglang(settings: Settings, model: Model) -> Run:  # noqa: ARG001
    """Read a case of SGLang."""
    engine = engines.SGLang(
        tp_size=_shards(settings),
        gpu_memory_bytes=reported_bytes(settings.text("gpu")),
        kv_cache_dtype=settings.text("kv_cache") or "auto",
        max_total_tokens=settings.whole("kv_tokens", 0) or None,
    )
    return _pooled(settings, engine)


def tgi(settings: Settings, model: Model) -> Run:  # noqa: ARG001
    """Read a case of Text Generation Inference."""
    engine = engines.TGI(
        num_shard=_shards(settings),
        gpu_memory_bytes=reported_bytes(settings.text("gpu")),
        kv_cache_dtype=settings.text("kv_cache") or "auto",
        max_batch_total_tokens=settings.whole("kv_tokens", 0) or None,
    )
    return _pooled(settings, engine)


def tensorrt_llm(settings: Settings, model: Model) -> Run:  # noqa: ARG001
    """Read a case of TensorRT-LLM."""
    engine = engines.TensorRTLLM(
        tp_size=_shards(settings),
        gpu_memory_bytes=reported_bytes(settings.text("gpu")),
        kv_cache_dtype=settings.text("kv_cache") or "auto",
        max_tokens=settings.whole("kv_tokens", 0) or None,
    )
    return _pooled(settings, engine)


def lmdeploy(settings: Settings, model: Model) -> Run:  # noqa: ARG001
    """Read a case of LMDeploy."""
    engine = engines.LMDeploy(
        tp=_shards(settings),
        gpu_memory_bytes=reported_bytes(settings.text("gpu")),
        quant_policy=settings.text("kv_cache") or "auto",
        max_cache_tokens=settings.whole("kv_tokens", 0) or None,
        max_prefill_token_num=2048,
        max_batch_size=settings.whole("batch", 1),
    )
    return _pooled(settings, engine)


def mlc_llm(settings: Settings, model: Model) -> Run:  # noqa: ARG001
    """Read a case of MLC LLM."""
    engine = engines.MLCLLM(
        tensor_parallel_shards=_shards(settings),
        gpu_memory_bytes=reported_bytes(settings.text("gpu")),
        kv_cache_dtype=settings.text("kv_cache") or "auto",
        max_total_sequence_length=settings.whole("kv_tokens", 0) or None,
    )
    return _pooled(settings, engine)
