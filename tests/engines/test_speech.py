"""Speech to text: Whisper in four programs, against a simulation and figures that were measured."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, strategies as st

from formula_text import evaluate
from genai_hwreq.catalog import get_format
from genai_hwreq.engines import FasterWhisper, TransformersSpeech, Whisper, WhisperCpp
from genai_hwreq.engines._gguf_types import F32, gguf_type
from genai_hwreq.errors import UnknownNameError, UnsupportedError
from genai_hwreq.estimation import estimate_vram
from genai_hwreq.workloads import Generation, Transcription

if TYPE_CHECKING:
    from genai_hwreq.estimates import Estimate, Phase

ENGINES = (TransformersSpeech(), Whisper(), FasterWhisper(), WhisperCpp())


def estimate(model: str, engine: Any, precision: Any = "fp16", **asked: Any) -> Estimate:
    """Estimate a transcription."""
    return estimate_vram(model, Transcription(**asked), precision=precision, engine=engine)


def phase(found: Estimate, name: str) -> Phase:
    """Return a phase of the device."""
    chosen = found.devices[0].phase(name)
    assert chosen is not None
    return chosen


def test_tiny_as_simulated() -> None:
    """Whisper tiny on fake tensors: weights and caches equal, activations within a tenth of a per cent."""
    found = estimate("whisper-tiny", TransformersSpeech(), "fp32", prompt_tokens=4)
    assert phase(found, "load").bytes_of("weights") == 151_042_560
    assert phase(found, "prefill").bytes_of("kv_cache") == 18_481_152
    assert phase(found, "encode").bytes_of("activations") == pytest.approx(28_620_288, rel=1e-3)
    assert phase(found, "prefill").bytes_of("activations") == pytest.approx(7_909_888, rel=1e-3)


@pytest.mark.parametrize(
    ("measured", "engine", "precision", "batch"),
    [
        (5_200_936_960, TransformersSpeech(), "fp16", 1),
        (4_936_695_808, Whisper(), "fp16", 1),
        (4_744_806_400, FasterWhisper(), "fp16", 1),
        (6_385_827_840, FasterWhisper(), "fp16", 8),
        (3_068_133_376, FasterWhisper(), "int8", 1),
        (4_327_473_152, WhisperCpp(), gguf_type("f16", F32), 1),
    ],
)
def test_large_as_measured(measured: int, engine: Any, precision: Any, batch: int) -> None:
    """Whisper large v2 with five beams on an RTX 3070 Ti, within a tenth."""
    found = estimate("whisper-large-v2", engine, precision, beams=5, batch_size=batch)
    assert measured == pytest.approx(found.vram_bytes, rel=0.1)


@pytest.mark.parametrize(
    ("measured", "engine", "precision"),
    [
        (2_448_424_960, Whisper(device="cpu"), "fp32"),
        (2_366_636_032, FasterWhisper(device="cpu"), "fp32"),
        (1_099_956_224, WhisperCpp(use_gpu=False), gguf_type("f32", F32)),
    ],
)
def test_small_on_a_host(measured: int, engine: Any, precision: Any) -> None:
    """Whisper small with five beams on a CPU, within an eighth; no device is used."""
    found = estimate("whisper-small", engine, precision, beams=5)
    assert found.devices == ()
    assert measured == pytest.approx(found.ram_bytes, rel=0.125)


def test_beams_of_ctranslate2_share_the_sound() -> None:
    """The encoded sound's keys and values are held once a window there, and once a beam in PyTorch."""
    one, five = (
        phase(estimate("whisper-tiny", FasterWhisper(), beams=n, new_tokens=1), "decode") for n in (1, 5)
    )
    assert five.bytes_of("kv_cache") - one.bytes_of("kv_cache") == 4 * 2 * 4 * 5 * 384 * 2
    torch = phase(estimate("whisper-tiny", Whisper(), beams=5, new_tokens=1), "decode")
    assert torch.bytes_of("kv_cache") == 5 * (2 * 4 * 1500 * 384 * 2 + 2 * 4 * 5 * 384 * 2)


def test_whisper_computes_in_half_whatever_its_weights() -> None:
    """openai-whisper's caches are 16 bit wide beside fp32 weights, unless it is told otherwise."""
    half = phase(estimate("whisper-tiny", Whisper(), "fp32"), "decode").bytes_of("kv_cache")
    full = phase(estimate("whisper-tiny", Whisper(fp16=False), "fp32"), "decode").bytes_of("kv_cache")
    assert full == 2 * half


@pytest.mark.parametrize("engine", ENGINES)
def test_refuses(engine: Any) -> None:
    """Text models, other workloads and file types of text models are refused with the reason."""
    with pytest.raises(UnsupportedError, match="only Whisper's architecture"):
        estimate("llama-2-7b", engine)
    with pytest.raises(UnsupportedError, match="pass a Transcription"):
        estimate_vram("whisper-tiny", Generation(), precision="fp16", engine=engine)
    with pytest.raises(UnsupportedError, match="recipe of text models"):
        estimate("whisper-tiny", engine, get_format("q4_k_m"))


def test_a_transcription_is_run_by_transformers() -> None:
    """Where no program is named, the classes of transformers run it."""
    found = estimate_vram("whisper-tiny", Transcription(), precision="fp32")
    assert found.engine == "transformers-speech"


def test_gguf_types() -> None:
    """A type that is not listed raises, with those that are close."""
    with pytest.raises(UnknownNameError, match="q9_9"):
        gguf_type("q9_9")


@pytest.mark.parametrize("engine", ENGINES)
def test_formulas_evaluate_to_bytes(engine: Any) -> None:
    """Every component's formula text gives its bytes."""
    for step in estimate("whisper-base", engine, beams=3).devices[0].phases:
        for part in step.components:
            assert evaluate(part) == part.bytes


@pytest.mark.property
@given(st.sampled_from(ENGINES), *[st.integers(1, 8)] * 2, st.integers(1, 200), *[st.integers(0, 4)] * 2)
def test_more_is_never_less(engine: Any, batch: int, beams: int, tokens: int, more: int, wider: int) -> None:
    """More windows, beams or tokens never take less."""
    small = estimate("whisper-tiny", engine, batch_size=batch, beams=beams, new_tokens=tokens)
    large = estimate(
        "whisper-tiny", engine, batch_size=batch + more, beams=beams + wider, new_tokens=tokens + more
    )
    assert small.vram_bytes <= large.vram_bytes
