"""Hugging Face transformers: what `from_pretrained` and `generate` keep on a device.

Methodology: docs/explanation/methodology/transformers.md. Next: estimation.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from attrs import frozen

from genai_hwreq.engines._moments import Pass
from genai_hwreq.engines._protocol import Memory, Request
from genai_hwreq.engines._runtime import context_component, host_runtime_component, workspace_bytes
from genai_hwreq.engines._transformers_caches import cache_components
from genai_hwreq.engines._transformers_passes import pass_components
from genai_hwreq.engines._transformers_versions import (
    caches_latent,
    layer_table_component,
    makes_all_logits,
    old_cache_component,
    version_numbers,
)
from genai_hwreq.engines._weights import weights_component
from genai_hwreq.estimates import Assumption, Component, DeviceMemory, Phase
from genai_hwreq.formats import PlainType, RecipeFormat, WeightFormat
from genai_hwreq.formulas.weights import ceil_div
from genai_hwreq.models import TransformerModel, model_inventory
from genai_hwreq.ranges import ByteRange
from genai_hwreq.workloads import Generation

if TYPE_CHECKING:
    from genai_hwreq.formats import Format
    from genai_hwreq.models import Transformer

__all__ = ["Transformers"]

_ALLOCATION_BYTES = 512
"""PyTorch's CUDA allocator rounds every tensor up to this.

Source: https://github.com/pytorch/pytorch/blob/main/c10/cuda/CUDACachingAllocator.cpp, `kMinBlockSize`.
"""

_CACHE_BITS = {"fp32": 32, "fp16": 16, "bf16": 16, "fp8": 8, "int8": 8, "int4": 4, "int2": 2}
"""Widths of a cached element, by the name of its type."""

@frozen(kw_only=True)
class Transformers:
    """Hugging Face transformers and its `generate()`, on one device or spread by layers.

    Examples:
        >>> Transformers(attn_implementation="eager").name
        'transformers'

    """

    name: ClassVar[str] = "transformers"

    version: str = "5.23.0"
    """Version of the library. Before 4.45 the logits of the whole prompt are made, and copied to 32 bit."""

    attn_implementation: Literal["eager", "sdpa", "flash_attention_2"] = "sdpa"
    """How attention is computed: `eager` holds all scores, the others do not."""

    logits: Literal["last", "all"] | None = None
    """Whether the prefill makes the last token's logits or all; `None`: as the version does."""

    kv_cache: str | None = None
    """Type of the cache, such as `fp16` or `int8`; `None`: as the compute type."""

    compute_capability: str | None = None
    """CUDA compute capability of the device, which decides cuBLAS's workspace; `None`: it is not counted."""

    def refuses(self, request: Request) -> str | None:
        """Say why this cannot be run, or `None` where it can."""
        if not isinstance(request.model, TransformerModel):
            return "only transformer models are; an image pipeline runs on diffusers"
        if not isinstance(request.workload, Generation):
            return f"it generates text, not a {type(request.workload).__name__}; pass a Generation"
        return _refused_format(request.weight_format) or self._refused_cache()

    def _refused_cache(self) -> str | None:
        if self.kv_cache is not None and self.kv_cache not in _CACHE_BITS:
            return f"a {self.kv_cache!r} cache is not one of {', '.join(_CACHE_BITS)}"
        return None

    def memory(self, request: Request) -> Memory:
        """Turn a request into memory, phase by phase, device by device."""
        model, workload = request.model, request.workload
        assert isinstance(model, TransformerModel)
        assert isinstance(workload, Generation)
        assert isinstance(request.weight_format, WeightFormat)
        weights = weights_component(model_inventory(model), request.weight_format, _ALLOCATION_BYTES)
        devices = self._devices(model, workload, weights, request.weight_format, request.placement.n_devices)
        return Memory(
            devices=devices,
            host=_host(weights),
            disk=(_file(model, request.weight_format),),
            assumptions=_assumptions(model, workload),
        )

    def _devices(
        self,
        model: TransformerModel,
        workload: Generation,
        weights: Component,
        weight_format: WeightFormat,
        n_devices: int,
    ) -> tuple[DeviceMemory, ...]:
        phases = self._phases(model, workload, weights, weight_format)
        if n_devices == 1:
            return (DeviceMemory(name="gpu:0", phases=phases),)
        shared = tuple(_share(phase, n_devices) for phase in phases)
        return tuple(DeviceMemory(name=f"gpu:{index}", phases=shared) for index in range(n_devices))

    def _phases(
        self, model: TransformerModel, workload: Generation, weights: Component, weight_format: WeightFormat
    ) -> tuple[Phase, ...]:
        network = model.decoder
        element_bytes = _compute_bytes(weight_format)
        cache_bits = _CACHE_BITS[self.kv_cache] if self.kv_cache else 8 * element_bytes
        unsure = model.identity.confidence == "low"
        version = version_numbers(self.version)
        tables = layer_table_component(version, model, element_bytes)
        common = (weights, *tables, *_workspace(self.compute_capability))
        phases = [Phase(name="load", components=(*common, context_component()))]
        for name, tokens, run in (
            ("prefill", workload.prompt_tokens, self._prefill(workload, element_bytes)),
            ("decode", workload.context_tokens, self._step(workload, element_bytes)),
        ):
            working = cache_components(
                network, workload.batch_size, tokens, cache_bits,
                just_read=name == "prefill", full_latent=not caches_latent(version),
            ) + pass_components(network, run)
            if name == "decode":
                working += _uncut_windows(network, workload, cache_bits)
                working += old_cache_component(version, _cached(network, workload.batch_size, tokens - 1, cache_bits))
            if unsure:
                working = tuple(_unsure(part) for part in working)
            elif version < _UNDERSTOOD_FROM:
                working = tuple(_outside_versions(part) for part in working)
            phases.append(Phase(name=name, components=(*common, *working, _spare(working), context_component())))
        return tuple(phases)

    def _prefill(self, workload: Generation, element_bytes: int) -> Pass:
        tokens = workload.prompt_tokens
        old = makes_all_logits(version_numbers(self.version))
        whole_prompt = self.logits == "all" if self.logits else old
        return self._pass(workload, element_bytes, tokens, tokens, tokens if whole_prompt else 1)

    def _step(self, workload: Generation, element_bytes: int) -> Pass:
        return self._pass(workload, element_bytes, 1, workload.context_tokens, 1)

    def _pass(self, workload: Generation, element_bytes: int, tokens: int, seen: int, logit_tokens: int) -> Pass:
        copied = makes_all_logits(version_numbers(self.version)) and element_bytes < 4
        return Pass(
            batch_size=workload.batch_size,
            tokens=tokens,
            seen_tokens=seen,
            element_bytes=element_bytes,
            logit_tokens=logit_tokens,
            bytes_per_logit=element_bytes + 4 if copied else element_bytes,
            eager=self.attn_implementation == "eager",
            padded=workload.padded,
        )


def _refused_format(weight_format: Format) -> str | None:
    if isinstance(weight_format, RecipeFormat):
        return f"{weight_format.id} is a GGUF file type, which it unpacks; pass precision='bf16' for what it then holds"
    if weight_format.engines and not any(engine.startswith("transformers") for engine in weight_format.engines):
        return f"{weight_format.id} runs on {', '.join(weight_format.engines)}"
    return None


def _compute_bytes(weight_format: WeightFormat) -> int:
    """Return the bytes of an element of activations: those of the tensors that are not quantised."""
    rest = weight_format.rest
    return rest.bits // 8 if isinstance(rest, PlainType) else 2


def _workspace(compute_capability: str | None) -> tuple[Component, ...]:
    size = workspace_bytes(compute_capability)
    inputs = (("workspace_bytes", size),)
    return (Component("compute_buffer", "cuBLAS workspace", size, "workspace_bytes", inputs, "exact"),) if size else ()


def _spare(working: tuple[Component, ...]) -> Component:
    """Return what the allocator holds beyond what is handed out: freed blocks that no later tensor fits."""
    live = sum(part.bytes for part in working)
    size = live * _SPARE_PERCENT // 100
    interval = ByteRange(0, size, max(size, live))
    inputs = (("working_bytes", live), ("spare_percent", _SPARE_PERCENT))
    return Component(
        "fragmentation", "held spare by the allocator", size, "working_bytes * spare_percent // 100", inputs, "fitted",
        None, interval,
    )


_SPARE_PERCENT = 20
"""Share of the working memory that the caching allocator holds beyond it, by which a process outgrows its peak."""


def _uncut_windows(network: Transformer, workload: Generation, cache_bits: int) -> tuple[Component, ...]:
    """Return what the first step still holds of a prompt longer than a window: caches are cut as they grow."""
    batch_size = workload.batch_size
    whole = _cached(network, batch_size, workload.prompt_tokens, cache_bits, just_read=True)
    cut = _cached(network, batch_size, workload.context_tokens, cache_bits, just_read=False)
    rest = whole - cut
    if rest <= 0:
        return ()
    inputs = (("whole_prompt", whole), ("within_windows", cut))
    text = "whole_prompt - within_windows"
    return (Component("activations", "prompt not yet cut to the window", rest, text, inputs, "modelled"),)


def _cached(
    network: Transformer, batch_size: int, tokens: int, cache_bits: int, *, just_read: bool = False
) -> int:
    parts = cache_components(network, batch_size, tokens, cache_bits, just_read=just_read, full_latent=False)
    return sum(part.bytes for part in parts)


def _unsure(part: Component) -> Component:
    """Widen a component of a model whose shape is assumed: grouped heads may need an eighth, wide layers half more."""
    interval = ByteRange(part.bytes // 8, part.bytes, part.bytes * 3 // 2)
    return Component(part.kind, part.name, part.bytes, part.formula, part.inputs, "assumed", part.source, interval)


_UNDERSTOOD_FROM = (5, 0)
"""Versions whose code was replayed tensor by tensor; of earlier ones we know what their release notes tell."""


def _outside_versions(part: Component) -> Component:
    """Widen the working memory of a version that was not replayed; caches are the same in all."""
    if part.kind in {"kv_cache", "recurrent_state"}:
        return part
    interval = ByteRange(0, part.bytes, 2 * part.bytes)
    return Component(part.kind, part.name, part.bytes, part.formula, part.inputs, part.basis, part.source, interval)


def _share(phase: Phase, n_devices: int) -> Phase:
    """Return one device's part of a phase: layers, and so weights and caches, are split; the rest is not."""
    parts = tuple(_split(part, n_devices) if part.kind in _BY_LAYER else part for part in phase.components)
    return Phase(name=phase.name, components=parts)


_BY_LAYER = frozenset({"weights", "kv_cache", "recurrent_state"})


def _split(part: Component, n_devices: int) -> Component:
    size = ceil_div(part.bytes, n_devices)
    formula = f"ceil_div({part.formula}, n_devices)"
    inputs = (*part.inputs, ("n_devices", n_devices))
    interval = ByteRange(size, size, part.bytes) if part.kind == "weights" else part.interval
    return Component(part.kind, part.name, size, formula, inputs, "modelled", part.source, interval)


def _host(weights: Component) -> DeviceMemory:
    """Return host memory: the weights pass through it on their way to the device."""
    interval = ByteRange(0, weights.bytes, 2 * weights.bytes)
    staged = Component(
        "weights", "weights on their way to the device", weights.bytes, weights.formula, weights.inputs, "modelled",
        None, interval,
    )
    return DeviceMemory(
        name="host",
        phases=(
            Phase(name="load", components=(staged, host_runtime_component())),
            Phase(name="run", components=(host_runtime_component(),)),
        ),
    )


def _file(model: TransformerModel, weight_format: WeightFormat) -> Component:
    return weights_component(model_inventory(model), weight_format, 1, "file", "weight files")


def _assumptions(model: TransformerModel, workload: Generation) -> tuple[Assumption, ...]:
    found = []
    limit = model.context_tokens
    if limit is not None and workload.context_tokens > limit:
        text = f"a context of {workload.context_tokens} tokens is beyond the {limit} the model was made for"
        found.append(Assumption(code="context-beyond-model", text=text))
    if model.identity.confidence == "low":
        found.append(Assumption(code="weak-facts", text="the model's facts are weak: caches and activations may differ"))
    return tuple(found)
