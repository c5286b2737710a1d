"""What engines that serve many sequences have in common: what they refuse, their files and their host memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

from genai_hwreq.engines._paged_cache import CACHE_BITS, has_compressed_attention
from genai_hwreq.engines._protocol import Memory
from genai_hwreq.engines._runtime import CUDA_CONTEXT_BYTES, host_runtime_component
from genai_hwreq.engines._tensor_parallel import indivisible_heads
from genai_hwreq.engines._weights import weights_component
from genai_hwreq.estimates import Component, DeviceMemory, Phase
from genai_hwreq.formats import RecipeFormat, WeightFormat
from genai_hwreq.models import TransformerModel, model_inventory
from genai_hwreq.ranges import ByteRange
from genai_hwreq.units import MIB
from genai_hwreq.workloads import Generation

if TYPE_CHECKING:
    from collections.abc import Iterable

    from genai_hwreq.engines._protocol import Request

__all__ = [
    "file_component",
    "refused_request",
    "refused_serving",
    "staged_host",
    "staged_memory",
    "system_component",
]


_FORMATS_OF_ONE_PROGRAM = frozenset({"exllamav2", "exllamav3", "mlc-llm", "mlx"})
"""Programs whose formats no other family of programs reads."""


def refused_request(request: Request, name: str) -> str | None:
    """Say why no engine that reads a transformer's own checkpoint can run this, or `None`.

    Args:
        request: what is asked.
        name: the engine's name.
    """
    if not isinstance(request.model, TransformerModel):
        return "only transformer models are; an image pipeline runs on diffusers"
    if not isinstance(request.workload, Generation):
        return f"it generates text, not a {type(request.workload).__name__}; pass a Generation"
    weight_format = request.weight_format
    if isinstance(weight_format, RecipeFormat):
        return f"{weight_format.id} is a GGUF file type; pass it to llama.cpp"
    if _FORMATS_OF_ONE_PROGRAM.intersection(weight_format.engines[:1]) and name not in weight_format.engines:
        return f"{weight_format.id} runs on {', '.join(weight_format.engines)}"
    return None


def refused_serving(request: Request, name: str, cache_type: str, n_shards: int, n_devices: int) -> str | None:
    """Say why an engine with a paged cache and tensor parallelism cannot run this, or `None`.

    Args:
        request: what is asked.
        name: the engine's name.
        cache_type: name of the cache's type.
        n_shards: devices that share each layer.
        n_devices: devices in all.
    """
    refusal = refused_request(request, name)
    if refusal:
        return refusal
    assert isinstance(request.model, TransformerModel)
    if cache_type not in CACHE_BITS:
        return f"a {cache_type!r} cache is not one of {', '.join(CACHE_BITS)}"
    if has_compressed_attention(request.model.decoder):
        return "how it caches compressed attention is not modelled"
    heads = indivisible_heads(request.model.decoder, n_shards)
    if heads is not None:
        return f"{heads} heads cannot be dealt to {n_shards} devices"
    if request.placement.n_devices not in {1, n_devices}:
        return f"the placement has {request.placement.n_devices} devices, its own settings {n_devices}; set both alike"
    return None


def file_component(model: TransformerModel, weight_format: WeightFormat) -> Component:
    """Return the weight files."""
    return weights_component(model_inventory(model), weight_format, 1, "file", "weight files")


def staged_memory(phases_by_device: Iterable[tuple[Phase, ...]], file: Component, device: str = "gpu") -> Memory:
    """Return the memory of devices whose weights pass through the host's memory on their way from their files.

    Args:
        phases_by_device: the phases of each device.
        file: the weight files.
        device: what the devices are called.
    """
    devices = tuple(
        DeviceMemory(name=f"{device}:{index}", phases=phases) for index, phases in enumerate(phases_by_device)
    )
    return Memory(devices=devices, host=staged_host(file), disk=(file,))


def staged_host(file: Component) -> DeviceMemory:
    """Return host memory: weights pass through it, mapped from their files, on their way to the devices."""
    interval = ByteRange(0, file.bytes, 2 * file.bytes)
    staged = Component(
        "weights", "weights on their way to the devices", file.bytes, file.formula, file.inputs, "modelled", None, interval
    )
    return DeviceMemory(
        name="host",
        phases=(
            Phase(name="load", components=(staged, host_runtime_component())),
            Phase(name="serve", components=(host_runtime_component(),)),
        ),
    )


def system_component() -> Component:
    """Return the driver's context, which the engine's own report of memory outside its allocator leaves out."""
    size = CUDA_CONTEXT_BYTES.value
    interval = ByteRange(300 * MIB, size, 750 * MIB)
    return Component(
        "system", "CUDA context", size, "context_bytes", (("context_bytes", size),), "fitted", CUDA_CONTEXT_BYTES.source,
        interval,
    )
