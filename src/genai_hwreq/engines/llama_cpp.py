"""llama.cpp: weights, key/value cells, recurrent states and compute buffers, on devices and host.

Methodology: docs/explanation/methodology/llama-cpp.md. Next: ollama.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from attrs import field, frozen

from genai_hwreq._validators import count, optional_positive, optional_shares, positive
from genai_hwreq.engines._llama_cpp_caches import CacheSettings, Latent
from genai_hwreq.engines._llama_cpp_devices import DeviceParts
from genai_hwreq.engines._llama_cpp_versions import Era, era_of
from genai_hwreq.engines._llama_cpp_weights import file_component, offload_of
from genai_hwreq.engines._protocol import Memory, Request
from genai_hwreq.estimates import Assumption
from genai_hwreq.formats import Format, RecipeFormat
from genai_hwreq.formulas.ggml_types import BLOCKS
from genai_hwreq.formulas.gguf_recipe import RECIPES
from genai_hwreq.formulas.weights import aligned
from genai_hwreq.models import CompressedAttention, CrossAttention, TransformerModel
from genai_hwreq.workloads import Generation

if TYPE_CHECKING:
    from genai_hwreq.engines._llama_cpp_graph import Fork

__all__ = ["ALL_LAYERS", "LlamaCpp"]

ALL_LAYERS = 999
"""More layers than any model has: all of them."""

_CACHE_TYPES = frozenset({"F32", "F16", "BF16", "Q8_0", "Q4_0", "Q4_1", "IQ4_NL", "Q5_0", "Q5_1", "Q6_0"})
"""Types of keys and values that `--cache-type-k` takes."""


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

    tensor_split: tuple[int, ...] | None = field(default=None, validator=optional_shares)
    """Share of the layers that each device gets, such as `(24, 12)`; `None`: equal shares. The program itself takes
    shares of what memory is free."""

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
        return (
            self._refused_split(request.placement.n_devices)
            or _refused_format(request.weight_format, self.name)
            or self._refused_cache()
        )

    def _refused_split(self, n_devices: int) -> str | None:
        if self.tensor_split is None or len(self.tensor_split) == n_devices:
            return None
        named = len(self.tensor_split)
        return f"tensor_split has shares for {named} devices, not {n_devices}; pass placement=Placement(n_devices={named})"

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
        shares = self.tensor_split or (1,) * request.placement.n_devices
        offload = offload_of(network.n_layers, n_gpu_layers, shares, self.era)
        parts = DeviceParts(
            model=model,
            weight_format=request.weight_format,
            caches=caches,
            offload=offload,
            use_device=self.use_device,
            offload_kqv=self.offload_kqv,
            cpu_moe=self.cpu_moe,
            n_outputs=min(caches.n_ubatch, self.n_outputs_max or min(self.n_batch, caches.n_ctx)),
            fork=self.fork,
        )
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


def _refused_format(weight_format: Format, engine: str) -> str | None:
    if isinstance(weight_format, RecipeFormat):
        recipe = weight_format.recipe.partition("+")[0]
        return None if recipe in RECIPES else f"no rules of file type {recipe} are known"
    if weight_format.engines and not any(name.startswith(("llama.cpp", engine)) for name in weight_format.engines):
        return f"{weight_format.id} runs on {', '.join(weight_format.engines)}; pass precision='q4_k_m' or another GGUF type"
    return None


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
