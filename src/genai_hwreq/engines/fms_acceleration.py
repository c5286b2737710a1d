"""fms-acceleration: plugins for transformers' `Trainer` with quantised bases and fused kernels.

Source: https://github.com/foundation-model-stack/fms-acceleration.
Methodology: docs/explanation/methodology/training.md.
"""

from __future__ import annotations

from typing import ClassVar

from attrs import frozen

from genai_hwreq.engines._training import TrainingEngine
from genai_hwreq.engines._training_plan import Habits

__all__ = ["FmsAcceleration"]


@frozen(kw_only=True)
class FmsAcceleration(TrainingEngine):
    """Fine-tuning with fms-acceleration: TRL's loop, without copying a quantised model to 32 bit.

    Examples:
        >>> FmsAcceleration().name
        'fms-acceleration'

    """

    name: ClassVar[str] = "fms-acceleration"

    habits: ClassVar[Habits] = Habits(
        optimizer="adamw",
        precision="bf16",
        gradient_checkpointing="full",
        autocast=True,
        adapter_bytes=4,
        logits="shifted",
    )
