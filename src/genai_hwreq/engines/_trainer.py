"""Hugging Face transformers' `Trainer`, alone or with PEFT: the training side of the transformers engine.

Defaults: https://github.com/huggingface/transformers/blob/main/src/transformers/training_args.py.
Methodology: docs/explanation/methodology/training.md. Next: trl.
"""

from __future__ import annotations

from typing import ClassVar

from attrs import frozen

from genai_hwreq.engines._training import TrainingEngine
from genai_hwreq.engines._training_plan import Habits

__all__ = ["TRAINER_HABITS", "Trainer"]

TRAINER_HABITS = Habits(
    optimizer="adamw-fused",
    precision="bf16",
    gradient_checkpointing="none",
    autocast=True,
    adapter_bytes=4,
    upcasts_quantized=True,
)
"""What `Trainer` does where nothing is set; fused AdamW since version 5."""


@frozen(kw_only=True)
class Trainer(TrainingEngine):
    """`Trainer`: bf16 autocast where asked, adapters in 32 bit, a k-bit model prepared by PEFT.

    Examples:
        >>> Trainer().name
        'transformers'

    """

    name: ClassVar[str] = "transformers"

    habits: ClassVar[Habits] = TRAINER_HABITS
