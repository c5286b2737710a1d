"""ms-swift: recipes over transformers' `Trainer` and Megatron.

Defaults: https://github.com/modelscope/ms-swift/blob/main/swift/llm/argument/train_args.py.
Methodology: docs/explanation/methodology/training.md. Next: unsloth.
"""

from __future__ import annotations

from typing import ClassVar

from attrs import frozen

from genai_hwreq.engines._training import TrainingEngine
from genai_hwreq.engines._training_plan import Habits

__all__ = ["MsSwift"]


@frozen(kw_only=True)
class MsSwift(TrainingEngine):
    """Fine-tuning by ms-swift: checkpointing on, adapters in 32 bit under autocast.

    Examples:
        >>> MsSwift().name
        'ms-swift'

    """

    name: ClassVar[str] = "ms-swift"

    habits: ClassVar[Habits] = Habits(
        optimizer="adamw",
        precision="bf16",
        gradient_checkpointing="full",
        autocast=True,
        adapter_bytes=4,
        logits="shifted",
        ragged=True,
    )
