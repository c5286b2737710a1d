"""Hugging Face transformers on speech: Whisper's `generate()`, whose beams each hold the encoded sound.

Methodology: docs/explanation/methodology/speech.md. Next: whisper.
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

__all__ = ["TransformersSpeech"]


@frozen(kw_only=True)
class TransformersSpeech:
    """Whisper's classes of transformers.

    Examples:
        >>> TransformersSpeech().name
        'transformers-speech'

    """

    name: ClassVar[str] = "transformers-speech"

    def refuses(self, request: Request) -> str | None:
        """Say why this cannot be run, or `None` where it can."""
        return speech_refusal(request)

    def memory(self, request: Request) -> Memory:
        """Turn a request into memory, phase by phase."""
        workload, weight_format = request.workload, request.weight_format
        assert isinstance(workload, Transcription)
        assert isinstance(weight_format, WeightFormat)
        run = SpeechRun(cross_copies_per_window=workload.beams, element_bytes=compute_bytes(weight_format))
        return speech_memory(request, run, context_component())
