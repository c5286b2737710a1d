"""Cases of engines that serve many sequences from a pool of cache blocks: vLLM and its kin."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from genai_hwreq.engines import VLLM
from genai_hwreq.engines._runtime import workspace_bytes
from genai_hwreq.scoring.mapping._device_memory import reported_bytes
from genai_hwreq.scoring.mapping._gpus import compute_capability
from genai_hwreq.scoring.mapping._run import Run
from genai_hwreq.scoring.settings import DeclinedError, Settings
from genai_hwreq.workloads import Generation

if TYPE_CHECKING:
    from genai_hwreq.models import Model

__all__ = ["asked", "parallel", "refuse_other_compute", "vllm"]

_NAMES = ("task", "engine", "engine_version", "gpu", "stage", "weights", "compute_dtype", "kv_cache", "kv_tokens")
_SPREAD = ("gpus", "tensor_parallel", "pipeline_parallel", "expert_parallel")
_ASKED = ("batch", "prompt_tokens", "new_tokens", "context", "images")
_VLLM = (
    "gpu_memory_utilization", "max_model_len", "max_num_seqs", "max_num_batched_tokens", "enforce_eager", "lora_rank",
)

_MULTIPROCESSORS = {"7.5": 40, "8.0": 108, "8.6": 84, "8.9": 128, "9.0": 132, "10.0": 148, "12.0": 170}
"""Multiprocessors of the usual card of a compute capability: T4, A100, RTX 3090, RTX 4090, H100, B200, RTX 5090."""


def vllm(settings: Settings, model: Model) -> Run:  # noqa: ARG001  (some engines look at the model)
    """Read a case of vLLM."""
    settings.only(*_NAMES, *_SPREAD, *_ASKED, *_VLLM)
    refuse_other_compute(settings)
    tensor, pipeline = parallel(settings)
    capability = compute_capability(settings.text("gpu"))
    blocks = settings.whole("kv_tokens", 0) // VLLM().block_size
    return Run(
        engine=VLLM(
            version=_version(settings),
            gpu_memory_bytes=reported_bytes(settings.text("gpu")),
            gpu_memory_utilization=settings.values.get("gpu_memory_utilization") or VLLM().gpu_memory_utilization,
            max_model_len=settings.whole("max_model_len", 0) or None,
            max_num_seqs=settings.whole("max_num_seqs", 0) or None,
            max_num_batched_tokens=settings.whole("max_num_batched_tokens", 0) or None,
            enforce_eager=settings.flag("enforce_eager", default=False),
            tensor_parallel_size=tensor,
            pipeline_parallel_size=pipeline,
            enable_expert_parallel=settings.whole("expert_parallel", 1) > 1,
            kv_cache_dtype=settings.text("kv_cache") or "auto",
            num_gpu_blocks_override=blocks or None,
            max_lora_rank=settings.whole("lora_rank", 0),
            n_multiprocessors=_MULTIPROCESSORS.get(capability or "", VLLM().n_multiprocessors),
            cublas_workspace_bytes=workspace_bytes(capability) or VLLM().cublas_workspace_bytes,
        ),
        workload=asked(settings),
        precision=settings.text("weights"),
        stage=settings.text("stage"),
    )


def parallel(settings: Settings) -> tuple[int, int]:
    """Return the devices that share each layer, and the stages of layers."""
    devices = settings.whole("gpus", 1)
    if devices == 0:
        msg = "a run without an accelerator is not modelled"
        raise DeclinedError(msg)
    stages = settings.whole("pipeline_parallel", 1)
    tensor = settings.whole("tensor_parallel", devices // stages)
    if tensor * stages != devices:
        msg = f"{devices} devices with tensor_parallel {tensor} and pipeline_parallel {stages} are not modelled"
        raise DeclinedError(msg)
    return tensor, stages


def refuse_other_compute(settings: Settings) -> None:
    """Decline a compute type in which unquantised weights would be stored otherwise than stated."""
    weights, compute = settings.text("weights"), settings.text("compute_dtype")
    plain = ("fp32", "fp16", "bf16")
    if compute is None or compute == weights or (compute in plain[1:] and weights not in plain):
        return
    msg = f"compute_dtype {compute!r} over weights {weights!r} is not modelled"
    raise DeclinedError(msg)


def asked(settings: Settings) -> Generation:
    """Read what was asked; without a number of tokens, as many as the longest sequence or the usual request has."""
    new = settings.whole("new_tokens", 0)
    tokens = settings.whole("prompt_tokens", 0) + new
    longest = settings.whole("context", 0) or settings.whole("max_model_len", 0)
    return Generation(
        context_tokens=tokens or longest or Generation().context_tokens,
        new_tokens=new,
        batch_size=settings.whole("batch", 1),
        n_images=settings.whole("images", 0),
    )


def _version(settings: Settings) -> str:
    stated = re.fullmatch(r"~?v?(\d{1,2}(?:\.\d+)+(?:\.post\d+)?)( V[01])?", settings.text("engine_version") or "")
    return stated[1] + (stated[2] or "") if stated else VLLM().version
