"""Axolotl: configurations over transformers' `Trainer`.

Defaults: https://github.com/axolotl-ai-cloud/axolotl/tree/main/examples.
Methodology: docs/explanation/methodology/training.md. Next: llama_factory.
"""

from __future__ import annotations

from typing import ClassVar

from attrs import frozen

from genai_hwreq.engines._training import TrainingEngine
from genai_hwreq.engines._training_plan import Habits

__all__ = ["Axolotl"]


@frozen(kw_only=True)
class Axolotl(TrainingEngine):
    """Fine-tuning by axolotl: as its examples do, 8-bit AdamW, checkpointing, and a loss without logits where asked.

    Examples:
        >>> Axolotl().name
        'axolotl'

    """

    name: ClassVar[str] = "axolotl"

    habits: ClassVar[Habits] = Habits(
        optimizer="adamw-8bit",
        precision="bf16",
        gradient_checkpointing="full",
        autocast=True,
        adapter_bytes=4,
        high_percent=200,
    )
