"""PyTorch's fully sharded data parallel, as its examples use it.

Source: https://docs.pytorch.org/docs/stable/fsdp.html.
Methodology: docs/explanation/methodology/training.md. Next: megatron.
"""

from __future__ import annotations

from typing import ClassVar

from attrs import frozen

from genai_hwreq.engines._training import TrainingEngine
from genai_hwreq.engines._training_plan import Habits

__all__ = ["Fsdp"]


@frozen(kw_only=True)
class Fsdp(TrainingEngine):
    """Training with FSDP: layers are gathered one by one, embedding and head stay gathered as the root.

    Examples:
        >>> Fsdp().name
        'fsdp'

    """

    name: ClassVar[str] = "fsdp"

    habits: ClassVar[Habits] = Habits(
        optimizer="adamw", precision="bf16", gradient_checkpointing="full", adapter_bytes=2, spare_percent=35
    )
