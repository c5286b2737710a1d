"""vLLM: what a server holds of a device that it fills to a set share.

Methodology: docs/explanation/methodology/vllm.md. Next: estimation.
"""

from __future__ import annotations

from typing import ClassVar

from attrs import field, frozen

from genai_hwreq._validators import count, optional_positive, positive
from genai_hwreq.engines._block_pool import Pool, Rest, pool_component, pool_of
from genai_hwreq.engines._paged_cache import CACHE_BITS, PagedCache, paged_cache
from genai_hwreq.engines._protocol import Memory, Request
from genai_hwreq.engines._serving import file_component, refused_serving, staged_host, system_component
from genai_hwreq.engines._tensor_parallel import share_of_model, stages
from genai_hwreq.engines._vllm_fitted import graphs_component, non_torch_component
from genai_hwreq.engines._vllm_profile import Step, profile_components
from genai_hwreq.engines._vllm_weights import weight_components
from genai_hwreq.estimates import Assumption, Component, DeviceMemory, Phase
from genai_hwreq.formats import WeightFormat
from genai_hwreq.models import TransformerModel
from genai_hwreq.units import GIB, MIB
from genai_hwreq.workloads import Generation

__all__ = ["VLLM"]

_LARGE_DEVICE_BYTES = 70 * GIB
"""From this size on a server takes on more sequences and tokens a step by default.

Source: https://github.com/vllm-project/vllm/blob/v0.19.0/vllm/engine/arg_utils.py, `get_batch_defaults`
"""


@frozen(kw_only=True)
class VLLM:
    """vLLM, by its own settings.

    Without `gpu_memory_bytes` the cache is as large as the workload needs; with it vLLM fills what the other parts
    leave of `gpu_memory_utilization`.

    Examples:
        >>> VLLM(tensor_parallel_size=2).name
        'vllm'

    """

    name: ClassVar[str] = "vllm"

    version: str = "0.19.0"
    """Version; ending in `V0` where the old engine is used."""

    gpu_memory_bytes: int | None = field(default=None, validator=optional_positive)
    """Total memory of a device, as its driver reports it; `None`: not known."""

    gpu_memory_utilization: float = 0.9
    """Share of it that is filled."""

    max_model_len: int | None = field(default=None, validator=optional_positive)
    """Longest sequence; `None`: as long as the workload's."""

    max_num_seqs: int | None = field(default=None, validator=optional_positive)
    """Most sequences of a step; `None`: 1024 from 70 GiB on, else 256."""

    max_num_batched_tokens: int | None = field(default=None, validator=optional_positive)
    """Most tokens of a step; `None`: 8192 from 70 GiB on, else 2048."""

    enforce_eager: bool = False
    """Whether CUDA graphs are left out."""

    tensor_parallel_size: int = field(default=1, validator=positive)
    """Devices that share each layer."""

    pipeline_parallel_size: int = field(default=1, validator=positive)
    """Stages of consecutive layers."""

    enable_expert_parallel: bool = False
    """Whether experts are dealt out whole instead of being cut."""

    kv_cache_dtype: str = "auto"
    """Type of the cache: `auto`, `fp8`, …"""

    block_size: int = field(default=16, validator=positive)
    """Tokens of a cache block."""

    num_gpu_blocks_override: int | None = field(default=None, validator=optional_positive)
    """Blocks of the cache, whatever there is room for."""

    max_lora_rank: int = field(default=0, validator=count)
    """Rank that slots for adapters are made for; zero without adapters."""

    max_loras: int = field(default=1, validator=positive)
    """Slots for adapters."""

    limit_images: int | None = None
    """Images that a prompt may hold; zero leaves the encoder out of the profiling run. `None`: no limit."""

    n_multiprocessors: int = field(default=132, validator=positive)
    """Multiprocessors of the device: 132 on an H100, 108 on an A100."""

    cublas_workspace_bytes: int = field(default=32 * MIB, validator=count)
    """cuBLAS's workspace: 32 MiB from Hopper on, 8.1 MiB before."""

    def refuses(self, request: Request) -> str | None:
        """Say why this cannot be run, or `None` where it can."""
        n_devices = self.tensor_parallel_size * self.pipeline_parallel_size
        refusal = refused_serving(request, self.name, self.kv_cache_dtype, self.tensor_parallel_size, n_devices)
        if refusal:
            return refusal
        assert isinstance(request.model, TransformerModel)
        n_layers = request.model.decoder.n_layers
        if self.pipeline_parallel_size > n_layers:
            return f"{n_layers} layers cannot be cut into {self.pipeline_parallel_size} stages"
        return None

    def memory(self, request: Request) -> Memory:
        """Turn a request into memory, phase by phase, device by device."""
        model, workload = request.model, request.workload
        assert isinstance(model, TransformerModel)
        assert isinstance(workload, Generation)
        assert isinstance(request.weight_format, WeightFormat)
        phases = [
            self._phases(stage, workload, request.weight_format)
            for stage in stages(model, self.pipeline_parallel_size)
            for _ in range(self.tensor_parallel_size)
        ]
        file = file_component(model, request.weight_format)
        return Memory(
            devices=tuple(DeviceMemory(name=f"gpu:{index}", phases=each) for index, each in enumerate(phases)),
            host=staged_host(file),
            disk=(file,),
            assumptions=self._assumptions(),
        )

    def _phases(
        self, model: TransformerModel, workload: Generation, weight_format: WeightFormat
    ) -> tuple[Phase, ...]:
        share = share_of_model(model, self.tensor_parallel_size, whole_experts=self.enable_expert_parallel)
        weights = weight_components(
            share, weight_format, self.max_lora_rank, self.max_loras, pads_stream=self._era == "recent"
        )
        working = profile_components(model, share, weight_format, self._step())
        outside = non_torch_component(self._era, self.tensor_parallel_size)
        context = system_component()
        held = (*weights, *working, outside)
        counted = (*held, context) if self._era == "v0" else held
        cache = paged_cache(share.decoder, CACHE_BITS[self.kv_cache_dtype], grouped=self._era != "v0")
        pool = self._pool(cache, workload, counted)
        graphs = () if self.enforce_eager else (self._graphs(share),)
        return (
            Phase(name="load", components=(*weights, context)),
            Phase(name="profile", components=(*held, context)),
            Phase(name="serve", components=(*held, pool_component(pool, cache), *graphs, context)),
        )

    def _graphs(self, share: TransformerModel) -> Component:
        return graphs_component(share.decoder, self._era, self._n_graphs(), adapters=bool(self.max_lora_rank))

    @property
    def _era(self) -> str:
        """Which generation of the engine it is: `v0`, `v1`, or `recent` from 0.17 on."""
        number = _number(self.version)
        if self.version.endswith("V0") or number < _FIRST_V1:
            return "v0"
        return "v1" if number < _FIRST_WITHOUT_SORT else "recent"

    def _step(self) -> Step:
        tokens = self._batched_tokens()
        return Step(
            tokens=tokens,
            sequences=min(self._sequences(), tokens),
            sorts_logits=self._era != "recent",
            keeps_workspaces=self._era == "recent",
            sees_images=self.limit_images != 0,
            n_multiprocessors=self.n_multiprocessors,
            workspace_bytes=self.cublas_workspace_bytes,
        )

    def _batched_tokens(self) -> int:
        if self.max_num_batched_tokens is not None:
            return self.max_num_batched_tokens
        return 8192 if self._is_large else 2048

    def _sequences(self) -> int:
        if self.max_num_seqs is not None:
            return self.max_num_seqs
        return 1024 if self._is_large else 256

    @property
    def _is_large(self) -> bool:
        return (self.gpu_memory_bytes or 0) >= _LARGE_DEVICE_BYTES

    def _n_graphs(self) -> int:
        """Return the batch sizes that are captured: 1, 2, 4, each multiple of 8, from 256 on each multiple of 16."""
        most = min(256 if self._era == "v0" else 512, (1 if self._era == "v0" else 2) * self._sequences())
        return min(most.bit_length(), 3) + min(most, 256) // 8 + max(0, most - 256) // 16

    def _pool(self, cache: PagedCache, workload: Generation, held: tuple[Component, ...]) -> Pool:
        context = self.max_model_len or workload.context_tokens
        sequence = cache.sequence_bytes(min(context, workload.context_tokens), self._batched_tokens(), self.block_size)
        budget = None
        if self.gpu_memory_bytes is not None:
            budget = int(self.gpu_memory_bytes * self.gpu_memory_utilization)
        return pool_of(
            cache,
            Rest(parts=held, budget_bytes=budget),
            block_tokens=self.block_size,
            n_blocks=self.num_gpu_blocks_override,
            sequence_bytes=sequence,
            n_sequences=workload.batch_size,
        )

    def _assumptions(self) -> tuple[Assumption, ...]:
        found = []
        if self.gpu_memory_bytes is None and self.num_gpu_blocks_override is None:
            text = "the cache is as large as the request needs; pass gpu_memory_bytes= for how vLLM fills a device"
            found.append(Assumption(code="cache-as-needed", text=text))
        if not _TESTED[0] <= _number(self.version) <= _TESTED[1]:
            text = f"version {self.version} is beyond those that were measured, 0.7 to 0.21"
            found.append(Assumption(code="engine-version", text=text))
        return tuple(found)


_FIRST_V1 = (0, 10)
_FIRST_WITHOUT_SORT = (0, 17)
_TESTED = ((0, 7), (0, 21))


def _number(version: str) -> tuple[int, int]:
    digits = [part for part in version.split(maxsplit=1)[0].split(".")[:2] if part.isdigit()]
    return (int(digits[0]), int(digits[1])) if len(digits) == len(_TESTED) else _TESTED[1]
