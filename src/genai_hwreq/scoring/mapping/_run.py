"""What a case asks to be estimated.

Next: _gpus.
"""

from __future__ import annotations

from typing import Literal

from attrs import field, frozen

from genai_hwreq.engines import Engine
from genai_hwreq.formats import Format
from genai_hwreq.models import Model
from genai_hwreq.placement import Placement
from genai_hwreq.workloads import Workload

__all__ = ["Run"]


@frozen(kw_only=True)
class Run:
    """A run of one model, ready for `estimate_vram`."""

    engine: Engine
    """The program with its settings."""

    workload: Workload
    """What is asked of the model."""

    sized: bool = True
    """Whether the case says how much is asked; without that only figures that do not depend on it are answered."""

    precision: str | Format | None = None
    """Name of the weight format; `None`: the model's native one."""

    placement: Placement = field(factory=Placement)
    """How the work is spread."""

    stage: str | None = None
    """Which phase was measured; `None`: the whole run."""

    model: Model | None = None
    """What was run, where that is a part of the case's model; `None`: all of it."""

    place: Literal["devices", "host"] = "devices"
    """Whether memory of the accelerators or of the host was measured."""
