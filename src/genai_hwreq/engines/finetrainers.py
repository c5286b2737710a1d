"""finetrainers: fine-tuning of video models over diffusers.

Source: https://github.com/a-r-r-o-w/finetrainers.
Methodology: docs/explanation/methodology/training.md.
"""

from __future__ import annotations

from typing import ClassVar

from attrs import frozen

from genai_hwreq.engines._media_training import MediaTrainingEngine
from genai_hwreq.engines._training_plan import Habits

__all__ = ["FineTrainers"]


@frozen(kw_only=True)
class FineTrainers(MediaTrainingEngine):
    """Fine-tuning by finetrainers: encoders share the device with the denoiser until everything is encoded.

    Examples:
        >>> FineTrainers().name
        'finetrainers'

    """

    name: ClassVar[str] = "finetrainers"

    habits: ClassVar[Habits] = Habits(
        optimizer="adamw", precision="bf16", gradient_checkpointing="full", adapter_bytes=4, autocast=True
    )

    encodes_beside: ClassVar[bool] = True
