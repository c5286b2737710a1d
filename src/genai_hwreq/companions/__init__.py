"""What runs beside a model in the same process: adapters, a draft model, a projector, as parts of one estimate."""

from __future__ import annotations

from genai_hwreq.companions._joining import joined
from genai_hwreq.companions._parts import adapter_part, projector_part
from genai_hwreq.companions._records import Accompanying, Adapter, Companion, Draft, Projector

__all__ = [
    "Accompanying",
    "Adapter",
    "Companion",
    "Draft",
    "Projector",
    "adapter_part",
    "joined",
    "projector_part",
]
