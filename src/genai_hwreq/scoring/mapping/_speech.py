"""Cases of speech to text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from genai_hwreq.engines import FasterWhisper, TransformersSpeech, Whisper, WhisperCpp
from genai_hwreq.engines._gguf_types import F32, gguf_type
from genai_hwreq.scoring.mapping._run import Run
from genai_hwreq.workloads import Transcription

if TYPE_CHECKING:
    from genai_hwreq.engines import Engine
    from genai_hwreq.formats import Format
    from genai_hwreq.models import Model
    from genai_hwreq.scoring.settings import Settings

__all__ = ["faster_whisper", "transformers", "whisper", "whisper_cpp"]

_KEYS = (
    "task", "engine", "engine_version", "gpu", "gpus", "stage", "weights", "compute_dtype", "attention", "batch", "beams",
    "audio_seconds", "prompt_tokens", "new_tokens",
)  # fmt: skip
_USUAL_BEAMS = 5


def transformers(settings: Settings, model: Model) -> Run:  # noqa: ARG001  (some engines look at the model)
    """Read a case of transformers."""
    return _run(settings, TransformersSpeech(), settings.text("weights"), beams=1)


def whisper(settings: Settings, model: Model) -> Run:  # noqa: ARG001
    """Read a case of openai-whisper."""
    fp16 = settings.text("compute_dtype") != "fp32"
    engine = Whisper(fp16=fp16, device="cpu" if settings.whole("gpus", 1) == 0 else "cuda")
    return _run(settings, engine, settings.text("weights"), beams=_USUAL_BEAMS)


def faster_whisper(settings: Settings, model: Model) -> Run:  # noqa: ARG001
    """Read a case of faster-whisper."""
    engine = FasterWhisper(device="cpu" if settings.whole("gpus", 1) == 0 else "cuda")
    return _run(settings, engine, settings.text("weights"), beams=_USUAL_BEAMS)


def whisper_cpp(settings: Settings, model: Model) -> Run:  # noqa: ARG001
    """Read a case of whisper.cpp; positions and biases stay in 32 bit."""
    stated = (settings.text("weights") or "gguf-f16").removeprefix("gguf-")
    engine = WhisperCpp(use_gpu=settings.whole("gpus", 1) != 0)
    return _run(settings, engine, gguf_type(stated, F32), beams=_USUAL_BEAMS)


def _run(settings: Settings, engine: Engine, precision: str | Format | None, beams: int) -> Run:
    settings.only(*_KEYS)
    return Run(
        engine=engine,
        workload=Transcription(
            audio_seconds=settings.whole("audio_seconds", 30),
            batch_size=settings.whole("batch", 1),
            beams=settings.whole("beams", beams),
            prompt_tokens=settings.whole("prompt_tokens", Transcription().prompt_tokens),
            new_tokens=settings.whole("new_tokens", 0) or None,
        ),
        precision=precision,
        stage=settings.text("stage"),
        place="host" if settings.whole("gpus", 1) == 0 else "devices",
    )
