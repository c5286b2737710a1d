"""Hugging Face transformers: what `from_pretrained` and `generate` keep on a device.

Methodology: docs/explanation/methodology/transformers.md. Next: estimation.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from attrs import frozen

from genai_hwreq.engines._held import Pass
from genai_hwreq.engines._moments_inputs import windows
from genai_hwreq.engines._protocol import Engine, Memory, Request
from genai_hwreq.engines._runtime import context_component, workspace_bytes
from genai_hwreq.engines._transformers_caches import cache_components
from genai_hwreq.engines._transformers_passes import pass_components
from genai_hwreq.engines._transformers_spread import host_memory, share_by_layers
from genai_hwreq.engines._transformers_versions import (
    caches_latent,
    layer_table_component,
    loose_head_component,
    makes_all_logits,
    old_cache_component,
    version_numbers,
)
from genai_hwreq.engines._weights import weights_component
from genai_hwreq.estimates import Assumption, Component, DeviceMemory, Phase
from genai_hwreq.formats import PlainType, RecipeFormat, WeightFormat
from genai_hwreq.models import TransformerModel, model_inventory
from genai_hwreq.ranges import ByteRange
from genai_hwreq.workloads import Generation, Training

if TYPE_CHECKING:
    from collections.abc import Callable

    from genai_hwreq.formats import Format

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
        if isinstance(request.workload, Training):
            return _trainer().refuses(request)
        if not isinstance(request.model, TransformerModel):
            return "only transformer models are; an image pipeline runs on diffusers"
        if not isinstance(request.workload, Generation):
            return f"it generates text, not a {type(request.workload).__name__}; pass a Generation"
        if request.placement.offload != "none":
            return f"offload {request.placement.offload!r} of a language model is not modelled; pass offload='none'"
        return _refused_format(request.weight_format) or self._refused_cache()

    def _refused_cache(self) -> str | None:
        if self.kv_cache is not None and self.kv_cache not in _CACHE_BITS:
            return f"a {self.kv_cache!r} cache is not one of {', '.join(_CACHE_BITS)}"
        return None

    def memory(self, request: Request) -> Memory:
        """Turn a request into memory, phase by phase, device by device."""
        if isinstance(request.workload, Training):
            return _trainer().memory(request)
        model, workload = request.model, request.workload
        assert isinstance(model, TransformerModel)
        assert isinstance(workload, Generation)
        assert isinstance(request.weight_format, WeightFormat)
        weights = weights_component(model_inventory(model), request.weight_format, _ALLOCATION_BYTES)
        devices = self._devices(model, workload, weights, request.weight_format, request.placement.n_devices)
        return Memory(
            devices=devices,
            host=host_memory(weights),
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
        shared = tuple(share_by_layers(phase, n_devices) for phase in phases)
        return tuple(DeviceMemory(name=f"gpu:{index}", phases=shared) for index in range(n_devices))

    def _phases(
        self, model: TransformerModel, workload: Generation, weights: Component, weight_format: WeightFormat
    ) -> tuple[Phase, ...]:
        element_bytes = _compute_bytes(weight_format)
        cache_bits = _CACHE_BITS[self.kv_cache] if self.kv_cache else 8 * element_bytes
        widen = _widening(model, version_numbers(self.version))
        version = version_numbers(self.version)
        tables = layer_table_component(version, model, element_bytes)
        is_fp8 = weight_format.matrices.name.startswith("fp8")
        loose = loose_head_component(version, model, is_fp8=is_fp8, element_bytes=element_bytes)
        common = (weights, *tables, *loose, *_workspace(self.compute_capability))
        read = self._read(model, workload, element_bytes, cache_bits)
        steps = self._steps(model, workload, element_bytes, cache_bits)
        phases = [Phase(name="load", components=(*common, context_component()))]
        for name, working in (("prefill", read), ("decode", max(steps, key=_live_bytes))):
            held = tuple(widen(part) for part in working) if widen else working
            phases.append(Phase(name=name, components=(*common, *held, _spare(held), context_component())))
        return tuple(phases)

    def _read(
        self, model: TransformerModel, workload: Generation, element_bytes: int, cache_bits: int
    ) -> tuple[Component, ...]:
        """Return the caches and the working memory of reading the prompt."""
        tokens = workload.prompt_tokens
        old = makes_all_logits(version_numbers(self.version))
        whole_prompt = self.logits == "all" if self.logits else old
        run = self._pass(model, workload, element_bytes, tokens, tokens, tokens if whole_prompt else 1)
        return self._caches(model, workload, tokens, cache_bits, just_read=True) + pass_components(
            model.decoder, run
        )

    def _steps(
        self, model: TransformerModel, workload: Generation, element_bytes: int, cache_bits: int
    ) -> tuple[tuple[Component, ...], ...]:
        """Return what decoding holds in its last step, and in its first where a window cuts the prompt then."""
        network, last, first = model.decoder, workload.context_tokens, workload.prompt_tokens + 1
        cut = any(window is not None and window < first for window in windows(network))
        found = []
        for tokens in (last, first) if cut and first < last else (last,):
            run = self._pass(model, workload, element_bytes, 1, tokens, 1, first_step=tokens <= first)
            earlier = self._caches(model, workload, tokens - 1, cache_bits)
            found.append(
                self._caches(model, workload, tokens, cache_bits)
                + pass_components(network, run)
                + old_cache_component(version_numbers(self.version), sum(part.bytes for part in earlier))
            )
        return tuple(found)

    def _caches(
        self,
        model: TransformerModel,
        workload: Generation,
        tokens: int,
        cache_bits: int,
        *,
        just_read: bool = False,
    ) -> tuple[Component, ...]:
        return cache_components(
            model.decoder,
            workload.batch_size,
            tokens,
            cache_bits,
            just_read=just_read,
            full_latent=not caches_latent(version_numbers(self.version)),
        )

    def _pass(
        self,
        model: TransformerModel,
        workload: Generation,
        element_bytes: int,
        tokens: int,
        seen: int,
        logit_tokens: int,
        *,
        first_step: bool = False,
    ) -> Pass:
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
            first_step=first_step,
            position_limit=model.context_tokens or 0,
        )


def _trainer() -> Engine:
    """Return the library's `Trainer`, which runs everything that learns."""
    from genai_hwreq.engines._trainer import Trainer  # noqa: PLC0415  (text generation does without)

    return Trainer()


def _refused_format(weight_format: Format) -> str | None:
    if isinstance(weight_format, RecipeFormat):
        return f"{weight_format.id} is a GGUF file type, which it unpacks; pass precision='bf16' for what it then holds"
    if weight_format.engines and not any(
        engine.startswith("transformers") for engine in weight_format.engines
    ):
        return f"{weight_format.id} runs on {', '.join(weight_format.engines)}"
    return None


def _compute_bytes(weight_format: WeightFormat) -> int:
    """Return the bytes of an element of activations: those of the tensors that are not quantised, at least 16 bit."""
    rest = weight_format.rest
    return max(2, rest.bits // 8) if isinstance(rest, PlainType) else 2


def _workspace(compute_capability: str | None) -> tuple[Component, ...]:
    size = workspace_bytes(compute_capability)
    inputs = (("workspace_bytes", size),)
    return (
        (Component("compute_buffer", "cuBLAS workspace", size, "workspace_bytes", inputs, "exact"),)
        if size
        else ()
    )


def _spare(working: tuple[Component, ...]) -> Component:
    """Return what the allocator holds beyond what is handed out: freed blocks that no later tensor fits."""
    live = _live_bytes(working)
    size = live * _SPARE_PERCENT // 100
    interval = ByteRange(0, size, max(size, live))
    inputs = (("working_bytes", live), ("spare_percent", _SPARE_PERCENT))
    return Component(
        "fragmentation",
        "held spare by the allocator",
        size,
        "working_bytes * spare_percent // 100",
        inputs,
        "assumed",
        None,
        interval,
    )


def _live_bytes(working: tuple[Component, ...]) -> int:
    return sum(part.bytes for part in working)


_SPARE_PERCENT = 20
"""Share of the working memory that the caching allocator holds beyond it, by which a process outgrows its peak."""


def _widening(model: TransformerModel, version: tuple[int, ...]) -> Callable[[Component], Component] | None:
    """Return how the working memory is widened: for weak facts, for versions that were not replayed, or not."""
    weak, old = model.identity.confidence == "low", version < _UNDERSTOOD_FROM
    if weak and old:
        return lambda part: _unsure(_outside_versions(part))
    if weak:
        return _unsure
    return _outside_versions if old else None


def _unsure(part: Component) -> Component:
    """Widen a component of a model whose shape is assumed: grouped heads may need an eighth, wide layers half more."""
    span = part.range
    interval = ByteRange(min(span.low, part.bytes // 8), part.bytes, max(span.high, part.bytes * 3 // 2))
    return Component(
        part.kind, part.name, part.bytes, part.formula, part.inputs, "assumed", part.source, interval
    )


_UNDERSTOOD_FROM = (5, 0)
"""Versions whose code was replayed tensor by tensor; of earlier ones we know what their release notes tell."""


def _outside_versions(part: Component) -> Component:
    """Widen the working memory of a version that was not replayed; caches are the same in all."""
    if part.kind in {"kv_cache", "recurrent_state"}:
        return part
    interval = ByteRange(0, part.bytes, 2 * part.bytes)
    return Component(
        part.kind, part.name, part.bytes, part.formula, part.inputs, part.basis, part.source, interval
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
        found.append(
            Assumption(
                code="weak-facts", text="the model's facts are weak: caches and activations may differ"
            )
        )
    return tuple(found)
