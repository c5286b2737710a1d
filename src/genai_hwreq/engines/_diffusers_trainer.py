"""diffusers' training scripts: the training side of the diffusers engine.

Source: https://github.com/huggingface/diffusers/tree/main/examples.
Methodology: docs/explanation/methodology/training.md. Next: simpletuner.
"""

from __future__ import annotations

from typing import ClassVar

from attrs import frozen

from genai_hwreq.engines._media_training import MediaTrainingEngine
from genai_hwreq.engines._training_plan import Habits

__all__ = ["DiffusersTrainer"]


@frozen(kw_only=True)
class DiffusersTrainer(MediaTrainingEngine):
    """The scripts' defaults: adapters in 32 bit under autocast.

    Examples:
        >>> DiffusersTrainer().name
        'diffusers'

    """

    name: ClassVar[str] = "diffusers"

    habits: ClassVar[Habits] = Habits(
        optimizer="adamw", precision="bf16", gradient_checkpointing="none", adapter_bytes=4, autocast=True
    )
