"""AutoGPTQ and its forerunner GPTQ-for-LLaMa: Transformers' models of their time with GPTQ matrices.

Methodology: docs/explanation/methodology/other-engines.md. Next: estimation.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from attrs import evolve, frozen

from genai_hwreq.engines.transformers import Transformers
from genai_hwreq.estimates import Component, DeviceMemory
from genai_hwreq.ranges import ByteRange

if TYPE_CHECKING:
    from genai_hwreq.engines._protocol import Memory, Request

__all__ = ["AutoGPTQ"]


@frozen(kw_only=True)
class AutoGPTQ:
    """AutoGPTQ's `from_quantized` and Transformers' `generate`.

    Examples:
        >>> AutoGPTQ().name
        'autogptq'

    """

    name: ClassVar[str] = "autogptq"

    transformers_version: str = "4.42.0"
    """Version of Transformers beside it. GPTQ-for-LLaMa's own loop lets go of each layer's old cache, as this one does."""

    def refuses(self, request: Request) -> str | None:
        """Say why this cannot be run, or `None` where it can."""
        return self._loader().refuses(request)

    def memory(self, request: Request) -> Memory:
        """Turn a request into memory, phase by phase, device by device."""
        memory = self._loader().memory(request)
        return evolve(memory, devices=tuple(_with_kernels(device) for device in memory.devices))

    def _loader(self) -> Transformers:
        return Transformers(version=self.transformers_version, attn_implementation="eager")


def _with_kernels(device: DeviceMemory) -> DeviceMemory:
    """Widen the weights: kernels keep scales and zeros in forms of their own, up to 4 % in runs that were measured."""
    return evolve(
        device, phases=tuple(evolve(phase, components=tuple(map(_widened, phase.components))) for phase in device.phases)
    )


def _widened(part: Component) -> Component:
    if part.kind != "weights":
        return part
    interval = ByteRange(part.bytes * 99 // 100, part.bytes, part.bytes * 104 // 100)
    return Component(part.kind, part.name, part.bytes, part.formula, part.inputs, "modelled", part.source, interval)
