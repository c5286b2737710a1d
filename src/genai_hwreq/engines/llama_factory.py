"""LLaMA-Factory: recipes over transformers' `Trainer`.

Defaults: https://github.com/hiyouga/LLaMA-Factory/tree/main/src/llamafactory/hparams.
Methodology: docs/explanation/methodology/training.md. Next: ms_swift.
"""

from __future__ import annotations

from typing import ClassVar

from attrs import frozen

from genai_hwreq.engines._training import TrainingEngine
from genai_hwreq.engines._training_plan import Habits

__all__ = ["LlamaFactory"]


@frozen(kw_only=True)
class LlamaFactory(TrainingEngine):
    """Fine-tuning by LLaMA-Factory: checkpointing on, adapters in 32 bit under autocast.

    Examples:
        >>> LlamaFactory().name
        'llama-factory'

    """

    name: ClassVar[str] = "llama-factory"

    habits: ClassVar[Habits] = Habits(
        optimizer="adamw", precision="bf16", gradient_checkpointing="full", autocast=True, adapter_bytes=4
    )
