"""Cases of Transformers' `generate()`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal

from genai_hwreq.engines import Transformers
from genai_hwreq.placement import Placement
from genai_hwreq.scoring.mapping._gpus import compute_capability
from genai_hwreq.scoring.mapping._run import Run
from genai_hwreq.scoring.settings import DeclinedError, Settings
from genai_hwreq.workloads import Generation

if TYPE_CHECKING:
    from genai_hwreq.models import Model

__all__ = ["generation"]

_NAMES_ONLY = ("task", "engine", "engine_version", "gpu", "stage")
_SETTINGS = ("weights", "compute_dtype", "attention", "kv_cache", "logits", "compile")
_SPREAD = ("gpus", "offload", "tensor_parallel", "pipeline_parallel")
_ASKED = ("batch", "prompt_tokens", "new_tokens", "context", "images", "padded")

_Attention = Literal["eager", "sdpa", "flash_attention_2"]
_ATTENTION: dict[str, _Attention] = {"eager": "eager", "sdpa": "sdpa", "flash": "flash_attention_2"}
_LOGITS: dict[str, Literal["last", "all"] | None] = {"last": "last", "all": "all"}
_OFFLOAD: dict[str, Literal["none", "model", "sequential"]] = {
    "none": "none",
    "model": "model",
    "sequential": "sequential",
}
_CURRENT = Transformers().version
_SDPA_SINCE = (4, 36)
"""First version that runs `sdpa` where nothing is asked for.

Source: https://github.com/huggingface/transformers/releases/tag/v4.36.0
"""


def generation(settings: Settings, model: Model) -> Run:  # noqa: ARG001  (some engines look at the model)
    """Read a case of text generation."""
    settings.only(*_NAMES_ONLY, *_SETTINGS, *_SPREAD, *_ASKED)
    settings.refuse("compile", False)
    _refuse_other_compute(settings)
    return Run(
        engine=_engine(settings),
        workload=workload(settings),
        sized=any(settings.has(key) for key in ("prompt_tokens", "new_tokens", "context")),
        precision=settings.text("weights"),
        placement=placement(settings),
        stage=settings.text("stage"),
    )


def _engine(settings: Settings) -> Transformers:
    version = _version(settings)
    return Transformers(
        version=version,
        attn_implementation=settings.choice("attention", _ATTENTION, _usual_attention(version)),
        logits=settings.choice("logits", _LOGITS, None),
        kv_cache=settings.text("kv_cache"),
        compute_capability=compute_capability(settings.text("gpu")),
    )


def _version(settings: Settings) -> str:
    """Return a version number; a date or a commit in its place says nothing about the code, as if left out."""
    stated = re.fullmatch(r"~?v?(\d{1,2}(\.\d+)+)", settings.text("engine_version") or "")
    return stated[1] if stated else _CURRENT


def _usual_attention(version: str) -> _Attention:
    return "eager" if tuple(map(int, version.split(".")[:2])) < _SDPA_SINCE else "sdpa"


def _refuse_other_compute(settings: Settings) -> None:
    weights, compute = settings.text("weights"), settings.text("compute_dtype")
    if compute is None or compute == weights:
        return
    if compute in ("fp16", "bf16") and weights not in ("fp32", "fp16", "bf16"):
        return
    msg = f"compute_dtype {compute!r} over weights {weights!r} is not modelled"
    raise DeclinedError(msg)


def workload(settings: Settings) -> Generation:
    """Read what was asked; without a number of tokens, the usual request."""
    prompt = settings.whole("prompt_tokens", 0)
    new = settings.whole("new_tokens", 0)
    context = prompt + new or settings.whole("context", Generation().context_tokens)
    return Generation(
        context_tokens=context,
        new_tokens=new,
        batch_size=settings.whole("batch", 1),
        padded=settings.flag("padded", default=False),
        n_images=settings.whole("images", 0),
    )


def placement(settings: Settings) -> Placement:
    """Read how the layers were spread."""
    settings.refuse("tensor_parallel", 1)
    n_devices = settings.whole("gpus", 1)
    if n_devices == 0:
        msg = "a run without an accelerator is not modelled"
        raise DeclinedError(msg)
    stages = settings.whole("pipeline_parallel", n_devices)
    if stages != n_devices:
        msg = f"pipeline_parallel {stages} on {n_devices} devices is not modelled"
        raise DeclinedError(msg)
    offload = settings.choice("offload", _OFFLOAD, "none")
    return Placement(n_devices=n_devices, offload=offload)
