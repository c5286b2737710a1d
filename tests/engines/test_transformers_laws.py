"""What holds for every model, format and request that the transformers engine answers."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
from attrs import evolve
from hypothesis import assume, given, strategies as st

from formula_text import evaluate
from genai_hwreq.catalog import get_format
from genai_hwreq.engines import Memory, Request
from genai_hwreq.engines.transformers import Transformers
from genai_hwreq.formats import WeightFormat
from genai_hwreq.formulas.weights import ceil_div
from genai_hwreq.models import Attention, Layer, LayerRun, Transformer, TransformerModel
from genai_hwreq.placement import Placement
from genai_hwreq.workloads import Generation
from strategies import (
    attentions,
    cross_attentions,
    engines,
    few,
    generations,
    latent_attentions,
    state_spaces,
    transformer_models,
    transformers,
    weight_formats,
)

if TYPE_CHECKING:
    from genai_hwreq.estimates import Component, DeviceMemory

pytestmark = pytest.mark.property

FP16 = get_format("fp16")
PLACEMENTS = st.builds(Placement, n_devices=few)
GROWING = attentions() | latent_attentions() | cross_attentions() | state_spaces()
"""Mixers whose memory never shrinks with the context; merged rows (CompressedAttention) free those they replace."""


def answer(
    model: TransformerModel,
    workload: Generation,
    engine: Transformers | None = None,
    weight_format: object = FP16,
    n_devices: int = 1,
) -> Memory:
    """Ask the engine."""
    assert isinstance(weight_format, WeightFormat)
    request = Request(
        model=model,
        weight_format=weight_format,
        workload=workload,
        placement=Placement(n_devices=n_devices),
    )
    return (engine or Transformers()).memory(request)


def peak(memory: Memory) -> int:
    """Return what the fullest device needs."""
    return max(device.process_bytes for device in memory.devices)


def places(memory: Memory) -> tuple[DeviceMemory, ...]:
    """Return devices and host."""
    return (*memory.devices, memory.host)


def parts(memory: Memory) -> list[Component]:
    """Return every component of every phase, device, host and disk."""
    in_phases = [part for place in places(memory) for phase in place.phases for part in phase.components]
    return [*in_phases, *memory.disk]


def cache_bytes(memory: Memory, phase_name: str = "decode") -> int:
    """Return the bytes of key/value caches in a phase of the first device."""
    phase = memory.devices[0].phase(phase_name)
    assert phase is not None
    return phase.bytes_of("kv_cache")


@given(transformer_models(), weight_formats(), generations(), engines(), few)
def test_formula_text_gives_the_bytes(
    model: TransformerModel,
    weight_format: WeightFormat,
    workload: Generation,
    engine: Transformers,
    n_devices: int,
) -> None:
    """The text of every component's formula, evaluated over its inputs, is its number of bytes."""
    for part in parts(answer(model, workload, engine, weight_format, n_devices)):
        assert evaluate(part) == part.bytes, part.name


@given(transformer_models(), weight_formats(), generations(), engines(), few)
def test_intervals_hold_their_figure(
    model: TransformerModel,
    weight_format: WeightFormat,
    workload: Generation,
    engine: Transformers,
    n_devices: int,
) -> None:
    """Every interval is around the component's own bytes, and so are the sums of phases and devices."""
    memory = answer(model, workload, engine, weight_format, n_devices)
    for part in parts(memory):
        assert part.bytes == part.range.likely, part.name
    for place in places(memory):
        assert place.process_bytes == place.range.likely


@given(transformer_models(), weight_formats(), generations(), engines(), few)
def test_totals_are_sums_and_nested(
    model: TransformerModel,
    weight_format: WeightFormat,
    workload: Generation,
    engine: Transformers,
    n_devices: int,
) -> None:
    """A phase's total is the sum of its components; allocated ≤ reserved ≤ process."""
    for place in places(answer(model, workload, engine, weight_format, n_devices)):
        for phase in place.phases:
            assert sum(part.bytes for part in phase.components) == phase.process_bytes
            assert phase.allocated_bytes <= phase.reserved_bytes <= phase.process_bytes
        assert place.allocated_bytes <= place.reserved_bytes <= place.process_bytes


@given(transformer_models(GROWING), generations(), engines(), st.integers(1, 64))
def test_more_context_is_never_less(
    model: TransformerModel, workload: Generation, engine: Transformers, more: int
) -> None:
    """Longer contexts never take less memory, from two tokens on: one token alone is read and never followed."""
    assume(workload.context_tokens > 1)
    longer = evolve(workload, context_tokens=workload.context_tokens + more)
    assert peak(answer(model, workload, engine)) <= peak(answer(model, longer, engine))


@given(transformer_models(GROWING), generations(), engines(), st.integers(1, 64))
def test_more_prompt_is_never_less(
    model: TransformerModel, workload: Generation, engine: Transformers, less: int
) -> None:
    """At one context, a longer prompt (fewer new tokens) never takes less memory."""
    longer = evolve(workload, new_tokens=max(0, workload.new_tokens - less))
    assert peak(answer(model, workload, engine)) <= peak(answer(model, longer, engine))


@given(transformer_models(), generations(), engines(), few)
def test_larger_batch_is_never_less(
    model: TransformerModel, workload: Generation, engine: Transformers, more: int
) -> None:
    """More sequences never take less memory."""
    larger = evolve(workload, batch_size=workload.batch_size + more)
    assert peak(answer(model, workload, engine)) <= peak(answer(model, larger, engine))


@given(transformer_models(), generations(), engines())
def test_fewer_bits_are_never_more(
    model: TransformerModel, workload: Generation, engine: Transformers
) -> None:
    """int4 ≤ int8 ≤ fp16 in all; fp16 ≤ fp32 in weights, caches and files, for in fp16 some tensors are copied to fp32."""
    int4, int8, fp16, fp32 = (
        answer(model, workload, engine, get_format(name)) for name in ("int4", "int8", "fp16", "fp32")
    )
    assert peak(int4) <= peak(int8) <= peak(fp16)
    for fewer, more in pairwise((int4, int8, fp16, fp32)):
        assert fewer.devices[0].phases[0].process_bytes <= more.devices[0].phases[0].process_bytes
        assert cache_bytes(fewer) <= cache_bytes(more)
        assert fewer.disk[0].bytes <= more.disk[0].bytes


@given(transformer_models(), st.integers(192, 512), few, st.booleans())
def test_eager_is_never_less(
    model: TransformerModel, context_tokens: int, batch_size: int, padded: bool
) -> None:
    """Scores held in full never take less, once prompts are longer than heads are wide: below, queries weigh more."""
    asked = Generation(context_tokens=context_tokens, batch_size=batch_size, padded=padded)
    sdpa = answer(model, asked, Transformers(attn_implementation="sdpa"))
    assert peak(sdpa) <= peak(answer(model, asked, Transformers(attn_implementation="eager")))


@given(transformer_models(), weight_formats(), generations(), engines(), st.integers(2, 9))
def test_spreading_never_fills_a_device_more(
    model: TransformerModel,
    weight_format: WeightFormat,
    workload: Generation,
    engine: Transformers,
    n_devices: int,
) -> None:
    """Layers over several devices: the fullest holds no more, and together they hold all weights."""
    alone = answer(model, workload, engine, weight_format)
    spread = answer(model, workload, engine, weight_format, n_devices)
    assert n_devices == len(spread.devices)
    assert peak(spread) <= peak(alone)
    whole = alone.devices[0].phases[0].bytes_of("weights")
    shares = [device.phases[0].bytes_of("weights") for device in spread.devices]
    assert whole <= sum(shares)
    assert max(shares) >= ceil_div(whole, n_devices)


@given(transformer_models(), generations(), engines())
def test_one_device_is_no_placement(
    model: TransformerModel, workload: Generation, engine: Transformers
) -> None:
    """One device is what there is without a placement."""
    plain = Request(model=model, weight_format=FP16, workload=workload)
    assert engine.memory(plain) == answer(model, workload, engine)


def with_attention(network: Transformer, **changes: Any) -> Transformer:
    """Return a network whose attentions are all changed."""

    def changed(layer: Layer) -> Layer:
        mixers = (
            evolve(mixer, **changes) if isinstance(mixer, Attention) else mixer for mixer in layer.mixers
        )
        return evolve(layer, mixers=tuple(mixers))

    runs = tuple(LayerRun(layer=changed(run.layer), n_layers=run.n_layers) for run in network.layers)
    return evolve(network, layers=runs)


@given(transformer_models(attentions()), generations(), engines())
def test_window_never_caches_more(
    model: TransformerModel, workload: Generation, engine: Transformers
) -> None:
    """A windowed cache is at most the full one."""
    full = evolve(model, decoder=with_attention(model.decoder, window_tokens=None))
    for phase in ("prefill", "decode"):
        windowed = cache_bytes(answer(model, workload, engine), phase)
        assert windowed <= cache_bytes(answer(full, workload, engine), phase)


@given(transformer_models(), transformers(attentions()), generations(), engines(), few)
def test_grouped_heads_never_cache_more(
    model: TransformerModel,
    network: Transformer,
    workload: Generation,
    engine: Transformers,
    n_kv_heads: int,
) -> None:
    """Grouped heads cache at most what as many key/value heads as query heads do."""
    grouped = with_attention(network, n_heads=4 * n_kv_heads, n_kv_heads=n_kv_heads)
    every = with_attention(network, n_heads=4 * n_kv_heads, n_kv_heads=4 * n_kv_heads)
    least = cache_bytes(answer(evolve(model, decoder=grouped), workload, engine))
    assert least <= cache_bytes(answer(evolve(model, decoder=every), workload, engine))


@given(transformer_models(), generations(), engines())
def test_weak_facts_widen_downwards(
    model: TransformerModel, workload: Generation, engine: Transformers
) -> None:
    """Facts of low confidence change no figure, only the interval and the list of assumptions."""
    assume(model.identity.confidence != "low")
    weak = evolve(model, identity=evolve(model.identity, confidence="low"))
    sure, unsure = answer(model, workload, engine), answer(weak, workload, engine)
    assert peak(sure) == peak(unsure)
    assert unsure.devices[0].range.low <= sure.devices[0].range.low
    assert "weak-facts" in {assumption.code for assumption in unsure.assumptions}
