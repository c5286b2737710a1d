"""Unsloth: fine-tuning with its own kernels over transformers and TRL.

Source: https://github.com/unslothai/unsloth/tree/main/unsloth/kernels.
Methodology: docs/explanation/methodology/training.md. Next: deepspeed.
"""

from __future__ import annotations

from typing import ClassVar

from attrs import frozen

from genai_hwreq.engines._training import TrainingEngine
from genai_hwreq.engines._training_plan import Habits

__all__ = ["Unsloth"]


@frozen(kw_only=True)
class Unsloth(TrainingEngine):
    """Fine-tuning by Unsloth: fused kernels, a loss without logits, activations checkpointed and offloaded.

    Examples:
        >>> Unsloth().name
        'unsloth'

    """

    name: ClassVar[str] = "unsloth"

    habits: ClassVar[Habits] = Habits(
        optimizer="adamw-8bit",
        precision="bf16",
        gradient_checkpointing="full",
        autocast=True,
        loss="cce",
        adapter_bytes=4,
        fused_kernels=True,
        activation_offload=True,
        high_percent=300,
    )
