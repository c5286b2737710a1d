"""Megatron-LM: parallelism by tensor, sequence, stage, context and expert.

Source: Korthikanti et al., arXiv 2205.05198.
Methodology: docs/explanation/methodology/training.md. Next: fms_acceleration.
"""

from __future__ import annotations

from typing import ClassVar

from attrs import frozen

from genai_hwreq.engines._training import TrainingEngine
from genai_hwreq.engines._training_plan import Habits

__all__ = ["Megatron"]


@frozen(kw_only=True)
class Megatron(TrainingEngine):
    """Training by Megatron: 32-bit gradients and master weights, selective recomputation.

    Examples:
        >>> Megatron().name
        'megatron'

    """

    name: ClassVar[str] = "megatron"

    habits: ClassVar[Habits] = Habits(
        optimizer="adamw-fused",
        precision="bf16-master",
        gradient_checkpointing="selective",
        gradient_bytes=4,
        fused_kernels=True,
        adapter_bytes=2,
        shares_optimizer=True,
    )
