"""What hardware does a generative model need, and does it fit on this machine?

Every public name is loaded when it is first used, so that importing the package costs next to nothing.

Reading the source: units → formats → models → workloads → formulas → estimates → engines.transformers → estimation.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from genai_hwreq import engines, errors, units
    from genai_hwreq.catalog import (
        Catalog,
        get_accelerator,
        get_cpu,
        get_format,
        get_machine,
        get_model,
        get_tier,
        list_accelerators,
        list_formats,
        list_models,
    )
    from genai_hwreq.companions import Adapter, Companion, Draft, Projector
    from genai_hwreq.estimates import Assumption, Component, DeviceMemory, Estimate, Phase
    from genai_hwreq.estimation import estimate_vram
    from genai_hwreq.placement import Placement, Sharding
    from genai_hwreq.planning import Check, Fit, check, fits
    from genai_hwreq.planning.advice import Advice, Option, advise
    from genai_hwreq.planning.inverse import MaxBatch, MaxContext, max_batch, max_context
    from genai_hwreq.planning.serving import ServingCapacity, serving_capacity
    from genai_hwreq.planning.table import recommendation_table
    from genai_hwreq.provenance import Source
    from genai_hwreq.ranges import ByteRange
    from genai_hwreq.readers import read_model
    from genai_hwreq.workloads import (
        AudioGeneration,
        Full,
        Generation,
        ImageGeneration,
        Lora,
        Training,
        Transcription,
        VideoGeneration,
    )

__all__ = [
    "Adapter",
    "Advice",
    "Assumption",
    "AudioGeneration",
    "ByteRange",
    "Catalog",
    "Check",
    "Companion",
    "Component",
    "DeviceMemory",
    "Draft",
    "Estimate",
    "Fit",
    "Full",
    "Generation",
    "ImageGeneration",
    "Lora",
    "MaxBatch",
    "MaxContext",
    "Option",
    "Phase",
    "Placement",
    "Projector",
    "ServingCapacity",
    "Sharding",
    "Source",
    "Training",
    "Transcription",
    "VideoGeneration",
    "advise",
    "check",
    "engines",
    "errors",
    "estimate_vram",
    "fits",
    "get_accelerator",
    "get_cpu",
    "get_format",
    "get_machine",
    "get_model",
    "get_tier",
    "list_accelerators",
    "list_formats",
    "list_models",
    "max_batch",
    "max_context",
    "read_model",
    "recommendation_table",
    "serving_capacity",
    "units",
]

_SUBMODULES = frozenset({"engines", "errors", "units"})

_HOMES = {
    "Adapter": "companions",
    "Advice": "planning.advice",
    "Assumption": "estimates",
    "AudioGeneration": "workloads",
    "ByteRange": "ranges",
    "Catalog": "catalog",
    "Check": "planning",
    "Companion": "companions",
    "Component": "estimates",
    "DeviceMemory": "estimates",
    "Draft": "companions",
    "Estimate": "estimates",
    "Fit": "planning",
    "Full": "workloads",
    "Generation": "workloads",
    "ImageGeneration": "workloads",
    "Lora": "workloads",
    "MaxBatch": "planning.inverse",
    "MaxContext": "planning.inverse",
    "Option": "planning.advice",
    "Phase": "estimates",
    "Placement": "placement",
    "Projector": "companions",
    "ServingCapacity": "planning.serving",
    "Sharding": "placement",
    "Source": "provenance",
    "Training": "workloads",
    "Transcription": "workloads",
    "VideoGeneration": "workloads",
    "advise": "planning.advice",
    "check": "planning",
    "estimate_vram": "estimation",
    "fits": "planning",
    "get_accelerator": "catalog",
    "get_cpu": "catalog",
    "get_format": "catalog",
    "get_machine": "catalog",
    "get_model": "catalog",
    "get_tier": "catalog",
    "list_accelerators": "catalog",
    "list_formats": "catalog",
    "list_models": "catalog",
    "max_batch": "planning.inverse",
    "max_context": "planning.inverse",
    "read_model": "readers",
    "recommendation_table": "planning.table",
    "serving_capacity": "planning.serving",
}
"""Public name → the module it lives in; a test holds this equal to the imports above."""


def __getattr__(name: str) -> Any:  # noqa: ANN401  (whatever the name stands for)
    if name in _SUBMODULES:
        return import_module(f"genai_hwreq.{name}")
    if name in _HOMES:
        found = getattr(import_module(f"genai_hwreq.{_HOMES[name]}"), name)
        globals()[name] = found
        return found
    if name == "__version__":
        from importlib.metadata import version  # noqa: PLC0415  (slow, and rarely asked for)

        return version("genai-hwreq")
    msg = f"module 'genai_hwreq' has no attribute {name!r}"
    raise AttributeError(msg)


def __dir__() -> list[str]:
    return sorted({*__all__, "__version__"})
