"""Hugging Face TRL: `SFTTrainer` and its kin over transformers' `Trainer`.

Defaults: https://github.com/huggingface/trl/blob/main/trl/trainer/sft_config.py.
Methodology: docs/explanation/methodology/training.md. Next: torchtune.
"""

from __future__ import annotations

from typing import ClassVar

from attrs import frozen

from genai_hwreq.engines._training import TrainingEngine
from genai_hwreq.engines._training_plan import Habits

__all__ = ["TRL"]


@frozen(kw_only=True)
class TRL(TrainingEngine):
    """Supervised fine-tuning by `SFTTrainer`: bf16 autocast, gradient checkpointing on, adapters in 32 bit.

    Examples:
        >>> TRL().name
        'trl'

    """

    name: ClassVar[str] = "trl"

    habits: ClassVar[Habits] = Habits(
        optimizer="adamw",
        precision="bf16",
        gradient_checkpointing="full",
        autocast=True,
        adapter_bytes=4,
        upcasts_quantized=True,
    )
