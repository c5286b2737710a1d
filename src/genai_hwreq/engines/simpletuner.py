"""SimpleTuner: fine-tuning of image and video models from cached latents and captions.

Defaults: https://github.com/bghira/SimpleTuner/blob/main/documentation/OPTIONS.md.
Methodology: docs/explanation/methodology/training.md. Next: finetrainers.
"""

from __future__ import annotations

from typing import ClassVar

from attrs import frozen

from genai_hwreq.engines._media_training import MediaTrainingEngine
from genai_hwreq.engines._training_plan import Habits

__all__ = ["SimpleTuner"]


@frozen(kw_only=True)
class SimpleTuner(MediaTrainingEngine):
    """Fine-tuning by SimpleTuner: everything is encoded beforehand, adapters are in bf16, blocks are compiled.

    Compiled blocks keep less for the way back; how much was fitted on the project's own table of 2026.

    Examples:
        >>> SimpleTuner().name
        'simpletuner'

    """

    name: ClassVar[str] = "simpletuner"

    habits: ClassVar[Habits] = Habits(
        optimizer="adamw-bf16",
        precision="bf16",
        gradient_checkpointing="full",
        adapter_bytes=2,
        block_quarter_bytes=7,
    )
