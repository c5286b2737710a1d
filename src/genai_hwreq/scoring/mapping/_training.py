"""Cases of training: every framework's are read alike, for what is asked is the same."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Literal, cast

from attrs import evolve

from genai_hwreq.engines import TorchTune, get_engine
from genai_hwreq.placement import Placement, Sharding
from genai_hwreq.scoring.mapping._run import Run
from genai_hwreq.scoring.settings import DeclinedError, Settings
from genai_hwreq.training import (
    CHECKPOINTING,
    LOSSES,
    OPTIMIZERS,
    PRECISIONS,
    Full,
    Lora,
    Training,
)

if TYPE_CHECKING:
    from genai_hwreq.engines import Engine
    from genai_hwreq.models import Model
    from genai_hwreq.training import Method

__all__ = ["media_training", "training"]

_NAMES_ONLY = ("task", "engine", "engine_version", "gpu", "stage")
_METHOD = ("method", "lora_rank", "lora_targets", "adapter_dtype", "weights")
_STEP = (
    "optimizer", "precision", "micro_batch", "seq_len", "packed", "gradient_checkpointing", "attention", "loss",
    "activation_offload", "optimizer_in_backward", "compile", "compute_dtype",
)  # fmt: skip
_SPREAD = (
    "gpus", "sharding", "offload", "tensor_parallel", "pipeline_parallel", "context_parallel", "expert_parallel",
)  # fmt: skip
_MEDIA = ("height", "width", "frames", "cached_latents", "cached_text", "vae_tiling", "vae_slicing")
_STAGES = {"load": "load"}
_METHODS = ("full", "lora", "qlora", "dora", "full-dpo", "dpo-lora")
_ATTENTION = {"eager": "eager", "sdpa": "sdpa", "flash": "flash"}
_ADAPTERS = {"fp32": "fp32", "bf16": "bf16", "fp16": "fp16"}
_SHARDING = {name: name for name in ("none", "zero1", "zero2", "zero3", "fsdp", "fsdp-grad-op")}
_OFFLOAD = {name: name for name in ("none", "optimizer", "optimizer+params", "layers")}


def training(settings: Settings, model: Model) -> Run:  # noqa: ARG001  (some engines look at the model)
    """Read a case of training."""
    settings.only(*_NAMES_ONLY, *_METHOD, *_STEP, *_SPREAD)
    return Run(
        engine=_engine(settings),
        workload=_workload(settings),
        sized=settings.has("seq_len") or _states_only(settings),
        precision=settings.text("weights"),
        placement=_placement(settings),
        stage=_STAGES.get(settings.text("stage") or ""),
    )


def media_training(settings: Settings, model: Model) -> Run:
    """Read a case of fine-tuning an image or video model."""
    settings.only(*_NAMES_ONLY, *_METHOD, *_STEP, *_SPREAD, *_MEDIA)
    run = training(
        Settings({key: value for key, value in settings.values.items() if key not in _MEDIA}), model
    )
    assert isinstance(run.workload, Training)
    height, width = (settings.whole(key, 0) for key in ("height", "width"))
    workload = evolve(
        run.workload,
        image_px=(height, width) if height and width else None,
        frames=settings.whole("frames", 1, 1),
        cached_latents=settings.flag("cached_latents", default=False),
        cached_text=settings.flag("cached_text", default=False),
    )
    return evolve(run, workload=workload, sized=True)


def _engine(settings: Settings) -> Engine:
    name = settings.text("engine")
    assert name is not None
    stated = re.fullmatch(r"~?v?(\d+\.\d+)(\.\d+)*", settings.text("engine_version") or "")
    if name == "torchtune" and stated:
        return TorchTune(version=stated[1])
    return get_engine(name)


def _states_only(settings: Settings) -> bool:
    """Tell whether nothing of a step is stated: then only what does not depend on tokens can be asked."""
    return not settings.has("micro_batch")


def _workload(settings: Settings) -> Training:
    stated: dict[str, Any] = {}
    if settings.has("micro_batch"):
        stated["micro_batch"] = settings.whole("micro_batch", 1, 1)
    if settings.has("seq_len"):
        stated["sequence_tokens"] = settings.whole("seq_len", 1, 1)
    for key, choices in (
        ("optimizer", OPTIMIZERS), ("precision", PRECISIONS), ("gradient_checkpointing", CHECKPOINTING),
        ("loss", LOSSES), ("attention", tuple(_ATTENTION)),
    ):  # fmt: skip
        if settings.has(key):
            stated[key] = settings.choice(key, {name: name for name in choices}, "")
    return Training(
        method=_method(settings),
        packed=settings.flag("packed", default=False) if settings.has("packed") else None,
        optimizer_in_backward=settings.flag("optimizer_in_backward", default=False),
        activation_offload=settings.flag("activation_offload", default=False),
        compiled=settings.flag("compile", default=False),
        **stated,
    )


def _method(settings: Settings) -> Method:
    name = settings.choice("method", {name: name for name in _METHODS}, "full")
    if name.startswith("full"):
        return Full(with_reference=name == "full-dpo")
    targets = settings.values.get("lora_targets")
    if targets is None:
        found: tuple[str, ...] = ("all-linear",)
    elif isinstance(targets, list):
        found = tuple(str(target) for target in targets)
    else:
        found = (str(targets),)
    adapter = settings.choice("adapter_dtype", _ADAPTERS, "") or None
    return Lora(
        rank=settings.whole("lora_rank", 16, 1),
        targets=found,
        dora=name == "dora",
        adapter_dtype=cast("Literal['fp32', 'bf16', 'fp16'] | None", adapter),
        quantized_base=name == "qlora",
        with_reference=name == "dpo-lora",
    )


def _placement(settings: Settings) -> Placement:
    n_devices = settings.whole("gpus", 1)
    if n_devices == 0:
        msg = "a run without an accelerator is not modelled"
        raise DeclinedError(msg)
    sharding = Sharding(
        stage=settings.choice("sharding", _SHARDING, "none"),  # type: ignore[arg-type]
        tensor_parallel=settings.whole("tensor_parallel", 1, 1),
        pipeline_parallel=settings.whole("pipeline_parallel", 1, 1),
        context_parallel=settings.whole("context_parallel", 1, 1),
        expert_parallel=settings.whole("expert_parallel", 1, 1),
        offload=settings.choice("offload", _OFFLOAD, "none"),  # type: ignore[arg-type]
    )
    return Placement(n_devices=n_devices, sharding=sharding)
