"""What an engine is: a frozen record of a program's settings that turns a request into memory.

Next: _weights.
"""

from __future__ import annotations

from typing import ClassVar, Protocol, runtime_checkable

from attrs import field, frozen

from genai_hwreq.estimates import Assumption, Component, DeviceMemory
from genai_hwreq.formats import Format
from genai_hwreq.models import Model
from genai_hwreq.placement import Placement
from genai_hwreq.workloads import Workload

__all__ = ["Engine", "Memory", "Request"]


@frozen(kw_only=True)
class Request:
    """Everything an engine needs to know: the model, its weight format, what is asked and where it runs."""

    model: Model
    """What is run."""

    weight_format: Format
    """How its weights are stored."""

    workload: Workload
    """What is asked of it."""

    placement: Placement = field(factory=Placement)
    """How the work is spread."""


@frozen(kw_only=True)
class Memory:
    """What an engine answers: memory by device, host and disk, and what it had to assume."""

    devices: tuple[DeviceMemory, ...]
    """Accelerators, in order."""

    host: DeviceMemory
    """Host memory."""

    disk: tuple[Component, ...]
    """Files to keep."""

    assumptions: tuple[Assumption, ...] = ()
    """What was not given and mattered."""


@runtime_checkable
class Engine(Protocol):
    """A program that runs models. Third parties add one by the entry-point group `genai_hwreq.engines`."""

    name: ClassVar[str]
    """The program's name, as users write it."""

    def refuses(self, request: Request) -> str | None:
        """Say why this cannot be run, or `None` where it can."""
        ...

    def memory(self, request: Request) -> Memory:
        """Turn a request into memory, phase by phase, device by device."""
        ...
