"""What llama.cpp leaves on the host of layers that a device computes for it.

A batch of 32 tokens or more is computed on the device whatever is kept where; what lies on the host is copied over.
Source: `op_offload` in `ggml_backend_sched_backend_id_from_cur`,
https://github.com/ggml-org/llama.cpp/blob/master/ggml/src/ggml-backend.cpp

Next: _llama_cpp_graph.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from attrs import frozen

from genai_hwreq.engines._gguf_tensors import stored_tensors
from genai_hwreq.engines._llama_cpp_weights import devices_of
from genai_hwreq.models._tensor import Role

if TYPE_CHECKING:
    from genai_hwreq.engines._gguf_tensors import Stored
    from genai_hwreq.engines._llama_cpp_weights import Offload
    from genai_hwreq.formats import Format
    from genai_hwreq.models import Transformer

__all__ = ["ON_DEVICE", "Home", "Homes", "homes_of"]

_VECTORS = frozenset({"norm", "bias"})


@frozen(kw_only=True)
class Home:
    """What a layer keeps on the host although a device computes it: copied over for each operation that reads it."""

    matrices: tuple[tuple[Role, int], ...] = ()
    """Bytes of the largest matrix of each role."""

    vectors: bool = False
    """Whether the weights of norms, and biases."""

    frequency_bytes: int = 0
    """Factors of the rotary embedding's frequencies, which layers share."""

    cache: bool = False
    """Whether keys and values."""

    attends: bool = False
    """Whether the heads' results, where attention is not fused, are put together there: without `offload_kqv`."""


ON_DEVICE = Home()
"""All of a layer is on the device that computes it."""


@frozen(kw_only=True, cache_hash=True)
class Homes:
    """The homes of a network."""

    layers: tuple[Home, ...]
    """Of each layer."""

    output: Home
    """Of the output layer."""


@lru_cache(maxsize=256)
def homes_of(
    network: Transformer,
    context_tokens: int | None,
    weight_format: Format,
    offload: Offload,
    *,
    cpu_moe: bool,
    offload_kqv: bool,
) -> Homes | None:
    """Return the homes of a network, `None` where all of it is on devices."""
    if offload.whole and offload_kqv and not cpu_moe:
        return None
    tensors = stored_tensors(network, context_tokens, weight_format)
    frequency_bytes = sum(part.n_bytes for part in tensors if part.place == "shared")
    matrices: list[dict[Role, int]] = [{} for _ in range(network.n_layers + 1)]
    for part in tensors:
        if part.role in _VECTORS or part.place not in ("layer", "output") or -1 not in devices_of(part, offload, cpu_moe=cpu_moe):
            continue
        found = matrices[network.n_layers if part.place == "output" else part.layer]
        for role, n_bytes in _as_read(part):
            found[role] = max(found.get(role, 0), n_bytes)
    if network.tied and offload.output < 0:
        matrices[-1]["head"] = next(part.n_bytes for part in tensors if part.embedding)
    *layers, output = (
        Home(
            matrices=tuple(found.items()),
            vectors=device < 0,
            frequency_bytes=frequency_bytes if device < 0 else 0,
            cache=device < 0 or not offload_kqv,
            attends=not offload_kqv,
        )
        for found, device in zip(matrices, (*offload.layers, offload.output), strict=True)
    )
    return Homes(layers=tuple(layers), output=output)


def _as_read(part: Stored) -> tuple[tuple[Role, int], ...]:
    """Return the roles in which a matrix is read: gate and up that are one matrix are read together or by halves."""
    if part.role == "expert_gate_up":  # one half of it
        return (("expert_gate_up", 2 * part.device_bytes), ("expert_gate", part.device_bytes), ("expert_up", part.device_bytes))
    if part.role == "ffn_gate_up":
        half = part.device_bytes // 2
        return (("ffn_gate_up", part.device_bytes), ("ffn_gate", half), ("ffn_up", half))
    return ((part.role, part.device_bytes),)
