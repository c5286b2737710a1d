"""llama.cpp: weights, key/value cells, recurrent states and compute buffers, on devices and host.

Methodology: docs/explanation/methodology/llama-cpp.md. Next: ollama.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, ClassVar

from attrs import evolve, field, frozen

from genai_hwreq._validators import count, optional_positive, positive
from genai_hwreq.engines._llama_cpp_buffers import BufferSettings, Side, compute_component, output_component
from genai_hwreq.engines._llama_cpp_caches import CacheSettings, Latent
from genai_hwreq.engines._llama_cpp_parts import cache_components, state_components
from genai_hwreq.engines._llama_cpp_versions import Era, era_of
from genai_hwreq.engines._llama_cpp_weights import (
    Offload,
    file_component,
    offload_of,
    weight_bytes,
    weight_components,
)
from genai_hwreq.engines._protocol import Memory, Request
from genai_hwreq.engines._runtime import context_component
from genai_hwreq.estimates import Assumption, Component, DeviceMemory, Phase
from genai_hwreq.formats import Format, RecipeFormat
from genai_hwreq.formulas.ggml_types import BLOCKS
from genai_hwreq.formulas.gguf_recipe import RECIPES
from genai_hwreq.formulas.weights import aligned
from genai_hwreq.models import CompressedAttention, CrossAttention, TransformerModel
from genai_hwreq.ranges import ByteRange
from genai_hwreq.units import MIB
from genai_hwreq.workloads import Generation

if TYPE_CHECKING:
    from genai_hwreq.engines._llama_cpp_graph import Fork
    from genai_hwreq.models import Transformer

__all__ = ["ALL_LAYERS", "LlamaCpp"]

ALL_LAYERS = 999
"""More layers than any model has: all of them."""

_CACHE_TYPES = frozenset({"F32", "F16", "BF16", "Q8_0", "Q4_0", "Q4_1", "IQ4_NL", "Q5_0", "Q5_1", "Q6_0"})
"""Types of keys and values that `--cache-type-k` takes."""

_HOST_ALIGNMENT = 32
"""Bytes to which a tensor in a buffer on the host is padded; without a device tensors are used from the mapped file.

Source: https://github.com/ggml-org/llama.cpp/blob/master/ggml/src/ggml-backend.cpp, `TENSOR_ALIGNMENT`
"""

_HOST_RUNTIME_BYTES = 200 * MIB
"""Program, driver libraries and vocabulary of a process that has opened a device: common observation."""


@frozen(kw_only=True)
class LlamaCpp:
    """llama.cpp under its own settings' names; what is not set is as its command line has it.

    Examples:
        >>> LlamaCpp(n_gpu_layers=20, type_k="q8_0", type_v="q8_0").name
        'llama.cpp'

    """

    name: ClassVar[str] = "llama.cpp"

    version: str = "2026-10"
    """Month or build (`2025-08`, `b6100`); before May 2025 and before spring 2026 memory was laid out otherwise."""

    n_ctx: int | None = field(default=None, validator=optional_positive)
    """Tokens of context of all sequences; `None`: the workload's, for each of its sequences."""

    n_batch: int = field(default=2048, validator=positive)
    """Tokens handed over at once."""

    n_ubatch: int = field(default=512, validator=positive)
    """Tokens computed in one pass."""

    n_gpu_layers: int = field(default=ALL_LAYERS, validator=count)
    """Layers on devices, the output layer counted as one; 999 for all, zero for none."""

    n_seq_max: int | None = field(default=None, validator=optional_positive)
    """Sequences (`--parallel`); `None`: as many as the workload has."""

    flash_attn: bool | None = None
    """Whether attention is fused; `None`: as the version does by itself, on since autumn 2025."""

    type_k: str = "f16"
    """Type of cached keys, such as `f16`, `q8_0`, `q4_0`."""

    type_v: str = "f16"
    """Type of cached values; a quantised one needs fused attention."""

    swa_full: bool = False
    """Whether layers with a sliding window keep the whole context."""

    kv_unified: bool = False
    """Whether all sequences share one stream of cells."""

    offload_kqv: bool = True
    """Whether caches are on devices with their layers."""

    cpu_moe: bool = False
    """Whether the matrices of routed experts stay on the host."""

    n_outputs_max: int | None = field(default=None, validator=optional_positive)
    """Rows of logits that are reserved; `None`: a batch's, as the library does. A recent server reserves one a
    sequence."""

    use_device: bool = True
    """Whether there is a device at all; without one everything is on the host, in one compute buffer."""

    def refuses(self, request: Request) -> str | None:
        """Say why this cannot be run, or `None` where it can."""
        model = request.model
        if not isinstance(model, TransformerModel):
            return "only transformer models are; an image pipeline runs on diffusers"
        if not isinstance(request.workload, Generation):
            return f"it generates text, not a {type(request.workload).__name__}; pass a Generation"
        for run in model.decoder.layers:
            for mixer in run.layer.mixers:
                if isinstance(mixer, CrossAttention | CompressedAttention):
                    return f"layers with {type(mixer).__name__} are not modelled here"
        return _refused_format(request.weight_format, self.name) or self._refused_cache()

    def _refused_cache(self) -> str | None:
        for kind in (self.type_k, self.type_v):
            if kind.upper() not in _CACHE_TYPES:
                return f"a {kind!r} cache is not one of {', '.join(sorted(name.lower() for name in _CACHE_TYPES))}"
        if BLOCKS[self.type_v.upper()][0] > 1 and not self.flash:
            return f"values in {self.type_v} need flash_attn=True"
        return None

    @property
    def era(self) -> Era:
        """Which way with memory the version follows."""
        return era_of(self.version)

    @property
    def latent(self) -> Latent:
        """What latent attention caches."""
        by_era: dict[Era, Latent] = {"2024": "full", "2025": "rows and values", "2026": "rows"}
        return by_era[self.era]

    @property
    def flash(self) -> bool:
        """Whether attention is fused, the version's own choice worked out."""
        return self.era == "2026" if self.flash_attn is None else self.flash_attn

    def memory(self, request: Request) -> Memory:
        """Turn a request into memory, phase by phase, device by device."""
        model, workload = request.model, request.workload
        assert isinstance(model, TransformerModel)
        assert isinstance(workload, Generation)
        network = model.decoder
        caches = self.cache_settings(workload)
        n_gpu_layers = self.n_gpu_layers if self.use_device else 0
        offload = offload_of(network.n_layers, n_gpu_layers, request.placement.n_devices, self.era)
        parts = _Parts(model, request.weight_format, caches, offload, self)
        n_devices = request.placement.n_devices if self.use_device else 0
        return Memory(
            devices=tuple(parts.device(index) for index in range(n_devices)),
            host=parts.host(),
            disk=(file_component(network, model.context_tokens, request.weight_format),),
            assumptions=_assumptions(model, caches),
        )

    @property
    def fork(self) -> Fork | None:
        """What a fork computes in its own way: nothing here."""
        return None

    def cache_settings(self, workload: Generation) -> CacheSettings:
        """Return the settings that decide caches, with every default worked out."""
        n_seq_max = self.n_seq_max or workload.batch_size
        n_ctx = self.n_ctx or workload.context_tokens * workload.batch_size
        if self.era == "2026":
            n_ctx = aligned(n_ctx, 256)
        return CacheSettings(
            era=self.era,
            n_ctx=n_ctx,
            n_seq_max=n_seq_max,
            n_ubatch=min(self.n_ubatch, self.n_batch, n_ctx),
            flash_attn=self.flash,
            kv_unified=self.kv_unified,
            swa_full=self.swa_full,
            latent=self.latent,
            type_k=self.type_k.upper(),
            type_v=self.type_v.upper(),
        )


@frozen
class _Parts:
    """The components of every device, put together."""

    model: TransformerModel
    weight_format: Format
    caches: CacheSettings
    offload: Offload
    engine: LlamaCpp

    @property
    def network(self) -> Transformer:
        return self.model.decoder

    def device(self, index: int) -> DeviceMemory:
        weights = self._weights(index, "weights")
        states = self._states(index)
        buffers = self._buffers()
        compute = (compute_component(self.network, buffers, "device"),)
        runtime = (context_component(),)
        return DeviceMemory(
            name=f"gpu:{index}",
            phases=(
                Phase(name="load", components=(*weights, *runtime)),
                Phase(name="prefill", components=(*weights, *states, *compute, *runtime)),
                Phase(name="decode", components=(*weights, *states, *compute, *runtime)),
            ),
        )

    def host(self) -> DeviceMemory:
        weights = self._weights(-1, "weights on the host")
        states = self._states(-1)
        side: Side = "host" if self.engine.use_device else "cpu"
        buffers = self._buffers()
        compute = (compute_component(self.network, buffers, side),)
        output = (output_component(self.network, self.caches.n_seq_max),)
        runtime = (_host_runtime(),)
        working = (*weights, *states, *compute, *output, *runtime)
        return DeviceMemory(
            name="host",
            phases=(
                Phase(name="load", components=(*weights, *runtime)),
                Phase(name="prefill", components=working),
                Phase(name="decode", components=working),
            ),
        )

    def _weights(self, device: int, name: str) -> tuple[Component, ...]:
        mapped = device < 0 and self.engine.era == "2025" and self.engine.cpu_moe
        offload = evolve(self.offload, layers=(-1,) * self.network.n_layers, output=-1) if mapped else self.offload
        found = weight_bytes(
            self.network,
            self.model.context_tokens,
            self.weight_format,
            offload,
            device,
            cpu_moe=self.engine.cpu_moe,
            host_alignment=_HOST_ALIGNMENT if self.engine.use_device else 1,
        )
        return weight_components(found, name)

    def _states(self, device: int) -> tuple[Component, ...]:
        layers = self.offload.layers if self.engine.offload_kqv else (-1,) * self.network.n_layers
        caches = cache_components(self.network, self.caches, layers, device)
        return caches + state_components(self.network, self.caches.n_seq_max, layers, device)

    def _buffers(self) -> BufferSettings:
        engine, caches = self.engine, self.caches
        host = weight_bytes(
            self.network, self.model.context_tokens, self.weight_format, self.offload, -1, cpu_moe=engine.cpu_moe
        )
        n_outputs = engine.n_outputs_max or min(engine.n_batch, caches.n_ctx)
        return BufferSettings(
            caches=caches,
            n_outputs=min(caches.n_ubatch, n_outputs),
            passing_layer_bytes=host.largest_matrix,
            passing_output_bytes=host.output,
            fork=engine.fork,
        )


def _refused_format(weight_format: Format, engine: str) -> str | None:
    if isinstance(weight_format, RecipeFormat):
        recipe = weight_format.recipe.partition("+")[0]
        return None if recipe in RECIPES else f"no rules of file type {recipe} are known"
    if weight_format.engines and not any(name.startswith(("llama.cpp", engine)) for name in weight_format.engines):
        return f"{weight_format.id} runs on {', '.join(weight_format.engines)}; pass precision='q4_k_m' or another GGUF type"
    return None


@lru_cache(maxsize=1)
def _host_runtime() -> Component:
    inputs = (("host_runtime_bytes", _HOST_RUNTIME_BYTES),)
    interval = ByteRange(_HOST_RUNTIME_BYTES // 4, _HOST_RUNTIME_BYTES, 3 * _HOST_RUNTIME_BYTES)
    return Component(
        "runtime", "program and driver libraries", _HOST_RUNTIME_BYTES, "host_runtime_bytes", inputs, "assumed",
        None, interval,
    )


def _assumptions(model: TransformerModel, caches: CacheSettings) -> tuple[Assumption, ...]:
    found = []
    limit = model.context_tokens
    if limit is not None and caches.n_ctx // caches.n_seq_max > limit:
        text = f"a context of {caches.n_ctx // caches.n_seq_max} tokens is beyond the {limit} the model was made for"
        found.append(Assumption(code="context-beyond-model", text=text))
    if model.towers:
        text = "vision and audio towers are a file of their own (mmproj), which is not counted"
        found.append(Assumption(code="towers-not-counted", text=text))
    return tuple(found)
