"""openai-whisper: PyTorch, fp32 parameters unless they were halved, caches for every beam.

Methodology: docs/explanation/methodology/speech.md. Next: faster_whisper.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from attrs import frozen

from genai_hwreq.engines._runtime import context_component
from genai_hwreq.engines._speech import SpeechRun, compute_bytes, speech_memory, speech_refusal
from genai_hwreq.formats import WeightFormat
from genai_hwreq.workloads import Transcription

if TYPE_CHECKING:
    from genai_hwreq.engines._protocol import Memory, Request

__all__ = ["Whisper"]


@frozen(kw_only=True)
class Whisper:
    """openai-whisper.

    The program loads fp32 parameters even where it computes in fp16, as the layers cast their weights for each
    call (`whisper/model.py`, `Linear`); pass a precision of fp16 where the model was halved first.

    Examples:
        >>> Whisper(fp16=True).name
        'whisper'

    """

    name: ClassVar[str] = "whisper"

    fp16: bool = True
    """Whether it computes in 16 bit whatever the weights are; it never does on the host."""

    device: str = "cuda"
    """`cuda`, or `cpu` for a run without an accelerator."""

    def refuses(self, request: Request) -> str | None:
        """Say why this cannot be run, or `None` where it can."""
        return speech_refusal(request)

    def memory(self, request: Request) -> Memory:
        """Turn a request into memory, phase by phase."""
        workload, weight_format = request.workload, request.weight_format
        assert isinstance(workload, Transcription)
        assert isinstance(weight_format, WeightFormat)
        on_host = self.device == "cpu"
        element_bytes = 2 if self.fp16 and not on_host else compute_bytes(weight_format)
        run = SpeechRun(cross_copies_per_window=workload.beams, element_bytes=element_bytes, on_host=on_host)
        return speech_memory(request, run, context_component())
