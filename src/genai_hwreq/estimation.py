"""`estimate_vram()`: names to records, records to an engine, its answer to an estimate.

Next: planning.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypedDict, Unpack

from attrs import evolve

from genai_hwreq._validators import whole
from genai_hwreq.catalog import get_format, get_model
from genai_hwreq.companions import (
    Accompanying,
    Adapter,
    Companion,
    Draft,
    Projector,
    adapter_part,
    joined,
    projector_part,
)
from genai_hwreq.engines import Engine, Memory, Request, get_engine
from genai_hwreq.errors import QuantityError, UnsupportedError
from genai_hwreq.estimates import Assumption, Estimate
from genai_hwreq.formats import RecipeFormat, WeightFormat
from genai_hwreq.models import HostedModel, Model, Pipeline, SizedModel, TransformerModel
from genai_hwreq.placement import Placement
from genai_hwreq.training import Lora, Training
from genai_hwreq.typical import typical_model
from genai_hwreq.workloads import (
    AudioGeneration,
    Generation,
    ImageGeneration,
    Transcription,
    VideoGeneration,
    Workload,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from genai_hwreq.formats import Format

__all__ = ["Shortcuts", "estimate_vram", "resolved"]


class Shortcuts(TypedDict, total=False):
    """Keywords that describe the default workload of the model's kind."""

    batch_size: int
    """Sequences or images at once."""

    context_tokens: int
    """Prompt and generated tokens together, at the end."""

    new_tokens: int
    """How many of them are generated."""

    width_px: int
    """Width of an image."""

    height_px: int
    """Height of an image."""

    n_frames: int
    """Frames of a video."""

    audio_seconds: int
    """Length of a sound."""


def estimate_vram(
    model: str | int | Model,
    workload: Workload | None = None,
    *,
    precision: str | Format | None = None,
    engine: str | Engine | None = None,
    placement: Placement | None = None,
    companions: tuple[Accompanying, ...] = (),
    **shortcuts: Unpack[Shortcuts],
) -> Estimate:
    """Estimate the memory a model needs, with every part explained.

    Args:
        model: a name of the catalog, a record, or just a number of parameters (a typical shape is assumed then).
        workload: what is asked; by default one built from the shortcuts.
        precision: weight format or recipe, by name or record; by default the model's native one.
        engine: the program that runs it, by name or record; by default the usual one of the model's kind.
        placement: how the work is spread; by default one device.
        companions: what runs beside it in the same process: `Adapter`, `Draft`, `Projector` or `Companion` records.
        **shortcuts: `batch_size`, `context_tokens`, `new_tokens`, `width_px`, `height_px`, `n_frames`, `audio_seconds`.

    Raises:
        UnknownNameError: when a name is not known; close names are suggested.
        QuantityError: when a count is not a whole number in its range.
        UnsupportedError: when the engine cannot run the model, format or workload.

    Examples:
        >>> estimate = estimate_vram("llama-2-7b", precision="int4", batch_size=1, context_tokens=2048)
        >>> estimate.vram_bytes > 4 * 2**30
        True

    """
    assumptions: list[Assumption] = []
    found = resolved(model, workload, precision, engine, placement, shortcuts, assumptions)
    if isinstance(found, HostedModel):
        if companions:
            raise UnsupportedError(found.identity.id, "nothing runs beside a model that is reached by an API")
        return _hosted(found)
    request, chosen_engine = found
    refusal = chosen_engine.refuses(request)
    if refusal:
        raise UnsupportedError(chosen_engine.name, refusal)
    estimate = _estimate(request, chosen_engine, chosen_engine.memory(request), tuple(assumptions))
    return _accompanied(estimate, request, chosen_engine, companions) if companions else estimate


def _accompanied(
    estimate: Estimate, request: Request, engine: Engine, companions: tuple[Accompanying, ...]
) -> Estimate:
    if not isinstance(request.workload, Generation):
        raise UnsupportedError(engine.name, "companions are counted for text generation only")
    n_devices = len(estimate.devices)
    parts = tuple(_companion(each, request, engine, n_devices) for each in companions)
    if any(isinstance(each, Projector) for each in companions):
        told = tuple(item for item in estimate.assumptions if item.code != "towers-not-counted")
        estimate = evolve(estimate, assumptions=told)
    return joined(estimate, parts)


def _companion(each: Accompanying, request: Request, engine: Engine, n_devices: int) -> Companion:
    if isinstance(each, Adapter):
        return adapter_part(each, request, engine, n_devices)
    if isinstance(each, Projector):
        return projector_part(each, request, engine, n_devices)
    if isinstance(each, Draft):
        draft = estimate_vram(
            each.model,
            request.workload,
            precision=each.precision,
            engine=each.engine or engine,
            placement=request.placement,
        )
        if draft.engine != engine.name:
            raise UnsupportedError(engine.name, f"a draft model runs in the same program, not in {draft.engine}")
        return Companion(name=each.name, estimate=draft)
    return each


def resolved(
    model: str | int | Model,
    workload: Workload | None,
    precision: str | Format | None,
    engine: str | Engine | None,
    placement: Placement | None,
    shortcuts: Mapping[str, Any],
    assumptions: list[Assumption],
) -> tuple[Request, Engine] | HostedModel:
    """Work out every name and default of `estimate_vram()`; what had to be assumed is added to `assumptions`."""
    record = _runnable(_model(model, assumptions), assumptions)
    if isinstance(record, HostedModel):
        return record
    chosen_format = _format(precision or _quantized_base(workload, assumptions), record, assumptions)
    chosen_engine = _engine(engine, record, chosen_format, workload, assumptions)
    asked = _workload(workload, record, shortcuts, assumptions)
    request = Request(
        model=record, weight_format=chosen_format, workload=asked, placement=placement or _ONE_DEVICE
    )
    return request, chosen_engine


_ONE_DEVICE = Placement()


def _estimate(request: Request, engine: Engine, memory: Memory, assumed: tuple[Assumption, ...]) -> Estimate:
    return Estimate(
        model=request.model.identity.id,
        engine=engine.name,
        precision=request.weight_format.id,
        devices=memory.devices,
        host=memory.host,
        disk=memory.disk,
        assumptions=assumed + memory.assumptions,
    )


def _hosted(model: HostedModel) -> Estimate:
    text = f"{model.identity.name} runs at its maker's and is reached by an API: nothing is needed here"
    return Estimate(
        model=model.identity.id,
        engine="hosted",
        precision="hosted",
        devices=(),
        assumptions=(Assumption(code="hosted-model", text=text),),
    )


def _model(model: str | int | Model, assumptions: list[Assumption]) -> Model:
    if isinstance(model, str):
        return get_model(model)
    if isinstance(model, int | float):
        record, assumption = typical_model(whole(model, "number of parameters", 1))
        assumptions.append(assumption)
        return record
    if not isinstance(model, TransformerModel | Pipeline | SizedModel | HostedModel):
        msg = f"model is {model!r}; expected a name of the catalog, a number of parameters or a model record"
        raise QuantityError(msg)
    return model


_TEXT_MODALITIES = frozenset({"text", "text+image", "multimodal"})
"""Modalities of models whose decoder writes text."""


def _runnable(model: Model, assumptions: list[Assumption]) -> Model:
    """Give a text model of which only the size is known a typical shape; leave every other model as it is."""
    if not isinstance(model, SizedModel) or model.identity.modality not in _TEXT_MODALITIES:
        return model
    record, assumption = typical_model(sum(network.n_params for network in model.networks))
    assumptions.append(assumption)
    identity = evolve(model.identity, confidence="low")
    return evolve(record, identity=identity, native_format=model.native_format)


def _format(precision: str | Format | None, model: Model, assumptions: list[Assumption]) -> Format:
    if precision is None:
        native = get_format(model.native_format)  # type: ignore[union-attr]  # hosted models ended before
        text = f"weights as published, {native.name}; pass precision= for another format"
        assumptions.append(Assumption(code="native-precision", text=text))
        return native
    return get_format(precision) if isinstance(precision, str) else precision


def _quantized_base(workload: Workload | None, assumptions: list[Assumption]) -> str | None:
    if isinstance(workload, Training) and isinstance(workload.method, Lora) and workload.method.quantized_base:
        text = "the frozen base in 4 bits, bnb-nf4; pass precision= for another format"
        assumptions.append(Assumption(code="quantized-base", text=text))
        return "bnb-nf4"
    return None


def _engine(
    engine: str | Engine | None,
    model: Model,
    weight_format: Format,
    workload: Workload | None,
    assumptions: list[Assumption],
) -> Engine:
    if engine is None:
        usual = get_engine(_usual_engine(model, weight_format, workload))
        assumptions.append(Assumption(code="usual-engine", text=f"run by {usual.name}; pass engine= for another"))
        return usual
    return get_engine(engine) if isinstance(engine, str) else engine


def _usual_engine(model: Model, weight_format: Format, workload: Workload | None) -> str:
    if not isinstance(model, TransformerModel):
        return "diffusers"
    if isinstance(workload, Training | Transcription):
        return "trl" if isinstance(workload, Training) else "transformers-speech"
    is_gguf = isinstance(weight_format, RecipeFormat) or "llama.cpp" in weight_format.engines
    return "llama.cpp" if is_gguf and not _runs_on_transformers(weight_format) else "transformers"


def _runs_on_transformers(weight_format: Format) -> bool:
    return isinstance(weight_format, WeightFormat) and "transformers" in weight_format.engines


def _workload(
    workload: Workload | None, model: Model, shortcuts: Mapping[str, Any], assumptions: list[Assumption]
) -> Workload:
    if workload is not None:
        if shortcuts:
            msg = f"{', '.join(shortcuts)} and a workload were given; put them into the workload"
            raise QuantityError(msg)
        return workload
    kind = _usual_workload(model)
    strange = [name for name in shortcuts if name not in _SHORTCUTS[kind]]
    if strange:
        known = ", ".join(_SHORTCUTS[kind])
        msg = f"{', '.join(strange)} does not describe what {model.identity.id} does; known are {known}"
        raise QuantityError(msg)
    if kind is Generation and "context_tokens" not in shortcuts:
        text = f"a context of {_DEFAULT_CONTEXT_TOKENS} tokens; pass context_tokens= for another"
        assumptions.append(Assumption(code="default-context", text=text))
    return kind(**shortcuts)


def _usual_workload(model: Model) -> type[_Usual]:
    if isinstance(model, TransformerModel):
        return Generation
    if isinstance(model, Pipeline) and model.sample_rate_hz is not None:
        return AudioGeneration
    return VideoGeneration if isinstance(model, Pipeline) and model.n_frames > 1 else ImageGeneration


_Usual = Generation | ImageGeneration | VideoGeneration | AudioGeneration
_SHORTCUTS: dict[type[_Usual], tuple[str, ...]] = {
    Generation: ("batch_size", "context_tokens", "new_tokens"),
    ImageGeneration: ("batch_size", "width_px", "height_px"),
    VideoGeneration: ("batch_size", "width_px", "height_px", "n_frames"),
    AudioGeneration: ("batch_size", "audio_seconds"),
}

_DEFAULT_CONTEXT_TOKENS = Generation().context_tokens
