"""whisper.cpp: ggml, caches in 16 bit made beforehand, for every decoder of a beam search.

Methodology: docs/explanation/methodology/speech.md. Next: estimation.
"""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, ClassVar

from attrs import frozen

from genai_hwreq.engines._runtime import context_component
from genai_hwreq.engines._speech import SpeechRun, speech_memory, speech_refusal
from genai_hwreq.estimates import Component, Fitted
from genai_hwreq.provenance import Source
from genai_hwreq.ranges import ByteRange
from genai_hwreq.units import MIB

if TYPE_CHECKING:
    from genai_hwreq.engines._protocol import Memory, Request

__all__ = ["WhisperCpp"]

_TEXT_CONTEXT = 448
_HALF_BYTES = 2

HOST_BYTES = Fitted(
    value=60 * MIB,
    fitted_on="small in f32 on a CPU, five beams: 1.02 GiB in all",
    engine_versions="whisper.cpp 1.7",
    source=Source(
        title="faster-whisper README, benchmark of small on a CPU",
        as_of=date(2026, 11, 25),
        url="https://github.com/SYSTRAN/faster-whisper",
    ),
)
"""The program itself and the recording, in host memory."""


@frozen(kw_only=True)
class WhisperCpp:
    """whisper.cpp.

    Examples:
        >>> WhisperCpp(use_gpu=False).name
        'whisper.cpp'

    """

    name: ClassVar[str] = "whisper.cpp"

    use_gpu: bool = True
    """Whether there is an accelerator at all."""

    def refuses(self, request: Request) -> str | None:
        """Say why this cannot be run, or `None` where it can."""
        return speech_refusal(request)

    def memory(self, request: Request) -> Memory:
        """Turn a request into memory, phase by phase."""
        run = SpeechRun(
            cross_copies_per_window=1,
            element_bytes=_HALF_BYTES,
            cache_tokens=_TEXT_CONTEXT,
            on_host=not self.use_gpu,
            alignment=32,
        )
        return speech_memory(request, run, context_component(), _host())


def _host() -> Component:
    size = int(HOST_BYTES.value)
    span = ByteRange(size // 2, size, 8 * size)
    return Component(
        "runtime",
        "the program",
        size,
        "runtime_bytes",
        (("runtime_bytes", size),),
        "fitted",
        HOST_BYTES.source,
        span,
    )
