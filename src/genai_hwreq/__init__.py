"""What hardware does a generative model need, and does it fit on this machine?

Reading the source: units → formats → models → workloads → formulas → estimates → engines.transformers → estimation.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

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
from genai_hwreq.estimates import Assumption, Component, DeviceMemory, Estimate, Phase
from genai_hwreq.estimation import estimate_vram
from genai_hwreq.placement import Placement
from genai_hwreq.provenance import Source
from genai_hwreq.ranges import ByteRange
from genai_hwreq.workloads import Generation, ImageGeneration

__all__ = [
    "Assumption",
    "ByteRange",
    "Catalog",
    "Component",
    "DeviceMemory",
    "Estimate",
    "Generation",
    "ImageGeneration",
    "Phase",
    "Placement",
    "Source",
    "engines",
    "errors",
    "estimate_vram",
    "get_accelerator",
    "get_cpu",
    "get_format",
    "get_machine",
    "get_model",
    "get_tier",
    "list_accelerators",
    "list_formats",
    "list_models",
    "units",
]
