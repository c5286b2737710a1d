"""torchtitan: pre-training of its own models with FSDP2 and parallelism by tensor, sequence and stage.

Defaults: https://github.com/pytorch/torchtitan/blob/main/torchtitan/config/job_config.py.
Methodology: docs/explanation/methodology/training.md. Next: axolotl.
"""

from __future__ import annotations

from typing import ClassVar

from attrs import frozen

from genai_hwreq.engines._training import TrainingEngine
from genai_hwreq.engines._training_plan import Habits

__all__ = ["TorchTitan"]


@frozen(kw_only=True)
class TorchTitan(TrainingEngine):
    """Pre-training by torchtitan: 32-bit weights computed in bf16 by FSDP2, selective checkpointing, fused AdamW.

    Examples:
        >>> TorchTitan().name
        'torchtitan'

    """

    name: ClassVar[str] = "torchtitan"

    habits: ClassVar[Habits] = Habits(
        optimizer="adamw-fused",
        precision="bf16",
        gradient_checkpointing="selective",
        fused_kernels=True,
        sharded_spare_percent=10,
    )
