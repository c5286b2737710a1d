"""torchtune: recipes over its own model code.

Defaults: https://github.com/pytorch/torchtune/tree/main/recipes/configs.
Methodology: docs/explanation/methodology/training.md. Next: torchtitan.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from attrs import evolve, frozen

from genai_hwreq.engines._training import TrainingEngine, training_memory
from genai_hwreq.engines._training_plan import Habits

if TYPE_CHECKING:
    from genai_hwreq.engines._protocol import Memory, Request

__all__ = ["TorchTune"]


@frozen(kw_only=True)
class TorchTune(TrainingEngine):
    """Recipes of torchtune: pure bf16, adapters in bf16, a chunked loss, activation checkpointing on.

    Examples:
        >>> TorchTune().name
        'torchtune'

    """

    name: ClassVar[str] = "torchtune"

    version: str = "0.6"
    """Version of the library. Before 0.4 its recipes made the loss of all logits at once."""

    habits: ClassVar[Habits] = Habits(
        optimizer="adamw-fused",
        precision="bf16",
        gradient_checkpointing="full",
        loss="chunked",
        adapter_bytes=2,
        quantizes_targets_only=True,
    )

    def memory(self, request: Request) -> Memory:
        """Turn a request into memory, phase by phase, device by device."""
        numbers = tuple(int(word) for word in self.version.split(".")[:2])
        return training_memory(
            request, self.habits if numbers >= _CHUNKED_SINCE else evolve(self.habits, loss="torch")
        )


_CHUNKED_SINCE = (0, 4)
"""Source: https://github.com/pytorch/torchtune/pull/1390."""
