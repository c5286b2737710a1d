"""Phases of a speech model that encodes windows of sound and writes text, shared by the programs that run it.

Next: whisper.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import frozen

from genai_hwreq.engines._protocol import Memory
from genai_hwreq.engines._runtime import host_runtime_component
from genai_hwreq.engines._weights import weights_component
from genai_hwreq.estimates import Component, DeviceMemory, Phase
from genai_hwreq.formats import PlainType, WeightFormat
from genai_hwreq.formulas import speech
from genai_hwreq.models import Dense, TransformerModel, model_inventory
from genai_hwreq.ranges import ByteRange
from genai_hwreq.workloads import Transcription

if TYPE_CHECKING:
    from genai_hwreq.engines._protocol import Request
    from genai_hwreq.estimates import Inputs, Kind
    from genai_hwreq.models import Transformer

__all__ = ["SpeechRun", "compute_bytes", "speech_memory", "speech_refusal", "usual_tokens"]

_SPEECH_TYPES = frozenset({"whisper"})
"""Kinds of model whose encoder reads fixed windows of sound."""


@frozen(kw_only=True)
class SpeechRun:
    """How a program runs a speech model."""

    cross_copies_per_window: int
    """How often the encoded sound's keys and values are held for a window: once, or for each beam."""

    element_bytes: int
    """Bytes of an element of activations and caches."""

    cache_tokens: int | None = None
    """Tokens for which the decoder's cache is made beforehand; `None`: it grows."""

    alignment: int = 512
    """What the allocator rounds tensors up to."""

    on_host: bool = False
    """Whether there is no accelerator."""


def speech_refusal(request: Request) -> str | None:
    """Say why a request is not speech to text, or `None` where it is."""
    model = request.model
    if (
        not isinstance(model, TransformerModel)
        or model.decoder.model_type not in _SPEECH_TYPES
        or not model.towers
    ):
        return "only Whisper's architecture is"
    if not isinstance(request.workload, Transcription):
        return f"it turns speech to text, not a {type(request.workload).__name__}; pass a Transcription"
    if not isinstance(request.weight_format, WeightFormat):
        return f"{request.weight_format.id} is a recipe of text models; pass a plain or quantised format"
    return None


_TOKENS_PER_WINDOW = 100
"""Words of half a minute of speech, 75 or so, in tokens."""


def usual_tokens(workload: Transcription) -> int:
    """Return the tokens written for a window where the request does not say: those of ordinary speech."""
    return workload.new_tokens or _TOKENS_PER_WINDOW


def speech_memory(
    request: Request, run: SpeechRun, runtime: Component, host_runtime: Component | None = None
) -> Memory:
    """Return memory phase by phase; `runtime` is what the program takes on the device beside its tensors."""
    model, workload, weight_format = request.model, request.workload, request.weight_format
    assert isinstance(model, TransformerModel)
    assert isinstance(workload, Transcription)
    assert isinstance(weight_format, WeightFormat)
    inventory = model_inventory(model)
    weights = weights_component(inventory, weight_format, run.alignment)
    host_side = host_runtime or host_runtime_component()
    place = host_side if run.on_host else runtime
    phases = tuple(
        Phase(name=name, components=(weights, *parts, place)) for name, parts in _phases(model, workload, run)
    )
    waiting = (weights, host_side)
    host = phases if run.on_host else (Phase(name="load", components=waiting),)
    return Memory(
        devices=() if run.on_host else (DeviceMemory(name="gpu:0", phases=phases),),
        host=DeviceMemory(name="host", phases=host),
        disk=(weights_component(inventory, weight_format, 1, "file"),),
    )


def _phases(
    model: TransformerModel, workload: Transcription, run: SpeechRun
) -> tuple[tuple[str, tuple[Component, ...]], ...]:
    encoder, decoder = model.towers[0].network, model.decoder
    positions, vocabulary = _rows(encoder.embeddings[-1].shape), _rows(decoder.embeddings[0].shape)
    sequences = workload.batch_size * workload.beams
    copies = workload.batch_size * run.cross_copies_per_window
    new = usual_tokens(workload)
    last = run.cache_tokens or workload.prompt_tokens + new
    shape = (decoder.n_layers, decoder.hidden_dim)
    return (
        ("load", ()),
        ("encode", (_encode(encoder, workload.batch_size, positions, run),)),
        (
            "prefill",
            (
                *_caches(
                    copies, sequences, positions, run.cache_tokens or workload.prompt_tokens, shape, run
                ),
                _prefill(decoder, sequences, positions, workload.prompt_tokens, vocabulary, run),
            ),
        ),
        (
            "decode",
            (
                *_caches(copies, sequences, positions, last, shape, run),
                _step(decoder, sequences, positions, vocabulary, run),
            ),
        ),
    )


def _rows(shape: tuple[int, ...]) -> int:
    return shape[0]


def _caches(
    copies: int, sequences: int, positions: int, tokens: int, shape: tuple[int, int], run: SpeechRun
) -> tuple[Component, ...]:
    n_layers, dim = shape
    cross = (copies, n_layers, positions, dim, run.element_bytes)
    own = (sequences, n_layers, tokens, dim, run.element_bytes)
    names = ("sequences", "n_layers", "positions", "kv_dim", "element_bytes")
    own_names = ("sequences", "n_layers", "tokens", "kv_dim", "element_bytes")
    return (
        _part(
            "kv_cache",
            "cache of the sound",
            speech.cross_cache_bytes(*cross),
            speech.CROSS_CACHE,
            names,
            cross,
        ),
        _part(
            "kv_cache", "cache of the text", speech.self_cache_bytes(*own), speech.SELF_CACHE, own_names, own
        ),
    )


def _encode(encoder: Transformer, batch_size: int, positions: int, run: SpeechRun) -> Component:
    mel_bins = encoder.embeddings[0].shape[1]
    values = (batch_size, positions, _intermediate(encoder), encoder.hidden_dim, mel_bins, run.element_bytes)
    names = ("batch_size", "positions", "intermediate_dim", "hidden_dim", "mel_bins", "element_bytes")
    return _part("activations", "encoder layer", speech.encode_bytes(*values), speech.ENCODE, names, values)


def _prefill(
    decoder: Transformer, sequences: int, positions: int, tokens: int, vocabulary: int, run: SpeechRun
) -> Component:
    values = (
        sequences, positions, decoder.hidden_dim, tokens, vocabulary, _intermediate(decoder), run.element_bytes,
    )  # fmt: skip
    names = (
        "sequences", "positions", "hidden_dim", "tokens", "vocabulary", "intermediate_dim", "element_bytes",
    )  # fmt: skip
    return _part("activations", "first tokens", speech.prefill_bytes(*values), speech.PREFILL, names, values)


def _step(decoder: Transformer, sequences: int, positions: int, vocabulary: int, run: SpeechRun) -> Component:
    values = (sequences, positions, decoder.hidden_dim, vocabulary, run.element_bytes)
    names = ("sequences", "positions", "hidden_dim", "vocabulary", "element_bytes")
    return _part("activations", "one token", speech.step_bytes(*values), speech.STEP, names, values)


def _intermediate(network: Transformer) -> int:
    layer = network.layers[-1].layer
    return max((part.intermediate_dim for part in layer.feed_forward if isinstance(part, Dense)), default=0)


def _part(
    kind: Kind, name: str, size: int, formula: str, names: tuple[str, ...], values: tuple[int, ...]
) -> Component:
    inputs: Inputs = tuple(zip(names, values, strict=True))
    if kind == "kv_cache":
        return Component(kind, name, size, formula, inputs, "exact")
    return Component(
        kind, name, size, formula, inputs, "modelled", None, ByteRange(size * 9 // 10, size, 4 * size)
    )


def compute_bytes(weight_format: WeightFormat) -> int:
    """Return the bytes of an element that is not quantised."""
    rest = weight_format.rest
    return rest.bits // 8 if isinstance(rest, PlainType) else 2
