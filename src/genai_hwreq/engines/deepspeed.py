"""DeepSpeed: ZeRO over any PyTorch model.

Defaults: https://www.deepspeed.ai/docs/config-json/.
Methodology: docs/explanation/methodology/training.md. Next: fsdp.
"""

from __future__ import annotations

from typing import ClassVar

from attrs import frozen

from genai_hwreq.engines._training import TrainingEngine
from genai_hwreq.engines._training_plan import Habits

__all__ = ["DeepSpeed"]


@frozen(kw_only=True)
class DeepSpeed(TrainingEngine):
    """Training by DeepSpeed: 16-bit weights with a 32-bit master copy, states shared out by ZeRO.

    Examples:
        >>> DeepSpeed().name
        'deepspeed'

    """

    name: ClassVar[str] = "deepspeed"

    habits: ClassVar[Habits] = Habits(
        optimizer="adamw",
        precision="bf16-master",
        gradient_checkpointing="full",
        adapter_bytes=2,
        master_weights=True,
        bucket_bytes=2_000_000_000,
    )
