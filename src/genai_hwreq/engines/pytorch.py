"""Plain PyTorch: a training loop over a transformers model, as the documentation writes it.

Methodology: docs/explanation/methodology/training.md. Next: trl.
"""

from __future__ import annotations

from typing import ClassVar

from attrs import frozen

from genai_hwreq.engines._training import TrainingEngine
from genai_hwreq.engines._training_plan import Habits

__all__ = ["PyTorch"]


@frozen(kw_only=True)
class PyTorch(TrainingEngine):
    """A loop of forward, backward and step. The model's output, and with it the logits, lives through the step.

    Examples:
        >>> PyTorch().name
        'pytorch'

    """

    name: ClassVar[str] = "pytorch"

    habits: ClassVar[Habits] = Habits(logits="held", high_percent=105)
