"""Changes that make a model fit on a device, one function a kind, those that change least first."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Literal

from attrs import evolve, fields_dict

from genai_hwreq.engines import get_engine
from genai_hwreq.models import TransformerModel
from genai_hwreq.planning._formats import lighter_formats
from genai_hwreq.planning._search import largest
from genai_hwreq.units import format_bytes
from genai_hwreq.workloads import Generation, Training

if TYPE_CHECKING:
    from collections.abc import Iterator

    from genai_hwreq.engines import Engine
    from genai_hwreq.estimates import Estimate
    from genai_hwreq.formats import Format
    from genai_hwreq.planning._options import Option, Question
    from genai_hwreq.workloads import Workload

__all__ = ["changes"]

_N_FORMATS = 3
"""Lighter formats that are shown: the heaviest ones that fit."""

_SHORTEST_USEFUL_TOKENS = 512
"""Contexts below this hold neither a question of some length nor its answer."""

_FAITHFUL_BITS, _SOUND_BITS = 7, 4
"""From so many bits on, perplexity rises by well below one per cent, and by a few per cent; below by far more.

Source: https://github.com/ggml-org/llama.cpp/blob/master/tools/perplexity/README.md, Llama 3 8B: Q8_0 0.1 %,
Q4_K_M 2.6 %, Q2_K 52 %
"""

_USUAL_ENGINES = ("transformers", "llama.cpp", "vllm")
"""Programs that are tried where another was asked for."""

_SPLIT_ENGINE = "llama.cpp"
"""The program that keeps some layers on the host where the one asked for does not."""

_FEWEST_SPLIT_BITS = 4
"""Layers are moved to the host as asked, and in the lightest format of at least so many bits."""

_MOST_DEVICES = 8
"""Devices of one machine, as they are sold."""

_OFFLOADS: tuple[tuple[Literal["model", "sequential"], str], ...] = (
    ("model", "Networks move to the device one after another: slower, and more RAM."),
    ("sequential", "Every layer moves to the device each time it is used: much slower, and more RAM."),
)
"""What may wait in host memory, and what that costs."""

_SHARD_SETTINGS = ("tensor_parallel_size", "tp_size", "num_shard", "tp", "tensor_parallel_shards")
"""What servers call the number of devices that share each layer."""


def changes(question: Question) -> Iterator[Option]:
    """Yield every kind of change that makes it fit."""
    yield from _precisions(question)
    yield from _contexts(question)
    yield from _batches(question)
    yield from _offloads(question)
    yield from _engines(question)
    yield from _splits(question)
    yield from _devices(question)


def _precisions(question: Question) -> Iterator[Option]:
    yield from islice(_lighter(question), _N_FORMATS)


def _lighter(question: Question) -> Iterator[Option]:
    asked = question.request.weight_format
    for lighter in lighter_formats(question.request, question.engine, question.device):
        estimate = question.tried(precision=lighter)
        if estimate is not None and question.helps(estimate):
            lost = f"Weights of {_lost_bits(lighter, asked)}."
            yield question.option("precision", f"precision={lighter.id!r}", lost, estimate)


def _contexts(question: Question) -> Iterator[Option]:
    asked = question.request.workload
    if not isinstance(asked, Generation):
        return

    def tried(tokens: int) -> Estimate | None:
        return question.tried(workload=evolve(asked, context_tokens=tokens))

    least = max(_SHORTEST_USEFUL_TOKENS, asked.new_tokens)
    tokens = largest(lambda size: question.helps(tried(size)), least, asked.context_tokens - 1)
    estimate = tried(tokens) if tokens else None
    if estimate is not None:
        lost = f"Prompt and answer together hold {tokens:,} tokens instead of {asked.context_tokens:,}."
        yield question.option("context", f"context_tokens={tokens}", lost, estimate)


def _batches(question: Question) -> Iterator[Option]:
    asked = question.request.workload
    setting = "micro_batch" if isinstance(asked, Training) else "batch_size"
    most = getattr(asked, setting)

    def tried(size: int) -> Estimate | None:
        return question.tried(workload=_sized(asked, setting, size))

    size = largest(lambda size: question.helps(tried(size)), 1, most - 1)
    estimate = tried(size) if size else None
    if estimate is not None:
        lost = f"{size} at once instead of {most}: the same work takes longer."
        yield question.option("batch", f"{setting}={size}", lost, estimate)


def _sized(asked: Workload, setting: str, size: int) -> Workload:
    return evolve(asked, **{setting: size})  # type: ignore[arg-type]  # every workload has its own


def _offloads(question: Question) -> Iterator[Option]:
    for offload, lost in _OFFLOADS:
        estimate = question.tried(placement=evolve(question.request.placement, offload=offload))
        if estimate is not None and question.helps(estimate):
            yield question.option("offload", f"Placement(offload={offload!r})", lost, estimate)


def _engines(question: Question) -> Iterator[Option]:
    asked = question.request.weight_format
    for name in _USUAL_ENGINES:
        if name == question.engine.name:
            continue
        engine = get_engine(name)
        for each in (asked, *lighter_formats(question.request, engine, question.device)):
            estimate = question.tried(engine=engine, precision=each)
            if estimate is not None and question.helps(estimate):
                yield question.option("engine", _named(name, each), _lost_engine(each, asked), estimate)
                break


def _lost_engine(chosen: Format, asked: Format) -> str:
    if chosen is asked:
        return "Another program, with its own features and speed."
    return f"Another program, and weights of {_lost_bits(chosen, asked)}."


def _lost_bits(chosen: Format, asked: Format) -> str:
    """Say how many bits go, and roughly what answers suffer: little at 8 bits, much below 4."""
    bits = chosen.bits_per_weight
    quality = "hardly any quality" if bits >= _FAITHFUL_BITS else "some quality" if bits >= _SOUND_BITS else "much quality"
    return f"{bits:.3g} bits instead of {asked.bits_per_weight:.3g}: {quality}"


def _splits(question: Question) -> Iterator[Option]:
    model = question.request.model
    if not isinstance(model, TransformerModel):
        return
    engine = question.engine if _splits_layers(question.engine) else get_engine(_SPLIT_ENGINE)
    n_layers = model.decoder.n_layers
    asked = question.request.weight_format
    lighter = [
        each
        for each in lighter_formats(question.request, engine, question.device)
        if each.bits_per_weight >= _FEWEST_SPLIT_BITS
    ]
    for each in (asked, *lighter[-1:]):
        yield from _split(question, engine, each, n_layers)


def _split(question: Question, engine: Engine, chosen: Format, n_layers: int) -> Iterator[Option]:
    def tried(layers: int) -> Estimate | None:
        return question.tried(engine=_with(engine, n_gpu_layers=layers), precision=chosen)

    total = n_layers + 1  # the output layer counts as one
    layers = largest(lambda count: question.helps(tried(count)), 1, total)
    estimate = tried(layers) if layers else None
    if estimate is not None and layers < total:
        lost = (
            f"{total - layers} of {total} layers are computed on the host: "
            f"several times slower, and {format_bytes(estimate.ram_bytes)} of RAM."
        )
        change = f"{_named(engine.name, chosen)}, n_gpu_layers={layers}"
        yield question.option("layers on the host", change, lost, estimate)


def _splits_layers(engine: Engine) -> bool:
    return "n_gpu_layers" in _settings(engine)


def _devices(question: Question) -> Iterator[Option]:
    first = question.request.placement.n_devices + 1
    for n_devices in range(first, _MOST_DEVICES + 1):
        estimate = _spread(question, n_devices)
        if estimate is not None and question.helps(estimate):
            lost = f"Money, room and power for {n_devices} devices."
            yield question.option("devices", f"{n_devices} × {question.device.name}", lost, estimate)
            return


def _spread(question: Question, n_devices: int) -> Estimate | None:
    """Return the need of each of several devices, shared out as the engine does it."""
    placement = evolve(question.request.placement, n_devices=n_devices)
    sharded = [setting for setting in _SHARD_SETTINGS if setting in _settings(question.engine)]
    engine = _with(question.engine, **{sharded[0]: n_devices}) if sharded else question.engine
    return question.tried(placement=placement, engine=engine)


def _settings(engine: Engine) -> dict[str, object]:
    return dict(fields_dict(type(engine)))  # type: ignore[arg-type]  # engines are attrs records


def _with(engine: Engine, **settings: int) -> Engine:
    return evolve(engine, **settings)  # type: ignore[misc]  # engines are attrs records


def _named(engine: str, chosen: Format) -> str:
    return f"engine={engine!r}, precision={chosen.id!r}"
