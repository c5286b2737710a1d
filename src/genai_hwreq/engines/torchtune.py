"""torchtune: recipes over its own model code.

Defaults: https://github.com/pytorch/torchtune/tree/main/recipes/configs.
Methodology: docs/explanation/methodology/training.md. Next: torchtitan.
"""

from __future__ import annotations

from typing import ClassVar

from attrs import frozen

from genai_hwreq.engines._training import TrainingEngine
from genai_hwreq.engines._training_plan import Habits

__all__ = ["TorchTune"]


@frozen(kw_only=True)
class TorchTune(TrainingEngine):
    """Recipes of torchtune: pure bf16, adapters in bf16, a chunked loss, activation checkpointing on.

    Examples:
        >>> TorchTune().name
        'torchtune'

    """

    name: ClassVar[str] = "torchtune"

    habits: ClassVar[Habits] = Habits(optimizer="adamw-fused", precision="bf16", gradient_checkpointing="full", loss="chunked", adapter_bytes=2, fused_kernels=True)
