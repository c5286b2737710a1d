"""faster-whisper: CTranslate2, whose beams share the encoded sound's keys and values.

Methodology: docs/explanation/methodology/speech.md. Next: whisper_cpp.
"""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, ClassVar

from attrs import frozen

from genai_hwreq.engines._speech import SpeechRun, compute_bytes, speech_memory, speech_refusal
from genai_hwreq.estimates import Component, Fitted
from genai_hwreq.formats import WeightFormat
from genai_hwreq.provenance import Source
from genai_hwreq.ranges import ByteRange
from genai_hwreq.units import GIB, MIB

if TYPE_CHECKING:
    from genai_hwreq.engines._protocol import Memory, Request

__all__ = ["FasterWhisper"]

_SOURCE = Source(
    title="faster-whisper README, benchmark of large-v2 on an RTX 3070 Ti and of small on a CPU, version 1.1.0",
    as_of=date(2026, 11, 25),
    url="https://github.com/SYSTRAN/faster-whisper",
)

RUNTIME_BYTES = Fitted(
    value=850 * MIB,
    fitted_on="large-v2 in fp16 and int8, one and eight windows: what the driver counts beyond weights and caches",
    engine_versions="faster-whisper 1.1",
    source=_SOURCE,
)
"""Context, cuBLAS and cuDNN, and memory that the allocator keeps."""

HOST_BYTES = Fitted(
    value=900 * MIB,
    fitted_on="small in fp32 and int8 on a CPU, one and eight windows",
    engine_versions="faster-whisper 1.1",
    source=_SOURCE,
)
"""Interpreter, libraries, packed copies of weights and the recording, in host memory."""


_HOST_COPIES = 2
"""On a host the encoded sound is held twice: each further window of small took 0.30 GB in fp32, one cache being 0.11."""


@frozen(kw_only=True)
class FasterWhisper:
    """faster-whisper.

    Examples:
        >>> FasterWhisper().name
        'faster-whisper'

    """

    name: ClassVar[str] = "faster-whisper"

    device: str = "cuda"
    """`cuda`, or `cpu` for a run without an accelerator."""

    def refuses(self, request: Request) -> str | None:
        """Say why this cannot be run, or `None` where it can."""
        return speech_refusal(request)

    def memory(self, request: Request) -> Memory:
        """Turn a request into memory, phase by phase."""
        weight_format = request.weight_format
        assert isinstance(weight_format, WeightFormat)
        on_host = self.device == "cpu"
        element_bytes = 4 if on_host else compute_bytes(weight_format)
        copies = _HOST_COPIES if on_host else 1
        run = SpeechRun(
            cross_copies_per_window=copies, element_bytes=element_bytes, on_host=on_host, alignment=64
        )
        return speech_memory(
            request,
            run,
            _fitted("context, libraries and spare memory", RUNTIME_BYTES),
            _fitted("interpreter and libraries", HOST_BYTES),
        )


def _fitted(name: str, fitted: Fitted) -> Component:
    size = int(fitted.value)
    inputs = (("runtime_bytes", size),)
    span = ByteRange(size // 2, size, size + GIB)
    return Component("runtime", name, size, "runtime_bytes", inputs, "fitted", fitted.source, span)
