"""What a training process takes beyond its tensors: freed blocks that no tensor fits, the driver's context, libraries.

Next: _training.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from genai_hwreq.engines._runtime import context_component
from genai_hwreq.estimates import Component
from genai_hwreq.ranges import ByteRange

if TYPE_CHECKING:
    from genai_hwreq.engines._training_plan import Plan

__all__ = ["overheads"]

_SPARE_PERCENT = 10
"""Share of the working memory that the caching allocator holds beyond it."""


def overheads(
    resting: tuple[Component, ...], working: tuple[Component, ...], plan: Plan, *, loading: bool
) -> tuple[Component, ...]:
    """Return fragmentation and runtime of a phase."""
    live = sum(part.bytes for part in working)
    size = live * _SPARE_PERCENT // 100
    inputs = (("working_bytes", live), ("spare_percent", _SPARE_PERCENT))
    spare = Component(
        "fragmentation", "held spare by the allocator", size, "working_bytes * spare_percent // 100", inputs,
        "fitted", None, ByteRange(0, size, max(size, live)),
    )  # fmt: skip
    return (context_component(),) if loading else (spare, context_component())
