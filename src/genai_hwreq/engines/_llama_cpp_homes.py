"""What llama.cpp leaves on the host of layers that a device computes for it.

A batch of 32 tokens or more is computed on the device whatever is kept where; what lies on the host is copied over.
Source: `op_offload` in `ggml_backend_sched_backend_id_from_cur`,
https://github.com/ggml-org/llama.cpp/blob/master/ggml/src/ggml-backend.cpp

Next: _llama_cpp_splits.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from genai_hwreq.engines._gguf_tensors import stored_tensors
from genai_hwreq.engines._llama_cpp_graph import Home, Homes
from genai_hwreq.engines._llama_cpp_weights import devices_of

if TYPE_CHECKING:
    from genai_hwreq.engines._llama_cpp_weights import Offload
    from genai_hwreq.formats import Format
    from genai_hwreq.models import Transformer
    from genai_hwreq.models._tensor import Role

__all__ = ["homes_of"]

_VECTORS = frozenset({"norm", "bias"})
_HALVES: dict[Role, tuple[Role, Role]] = {
    "expert_gate_up": ("expert_gate", "expert_up"),
    "ffn_gate_up": ("ffn_gate", "ffn_up"),
}
"""Matrices of the checkpoint that most files hold as two."""


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
        for role in (part.role, *_HALVES.get(part.role, ())):
            found[role] = max(found.get(role, 0), part.device_bytes)
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
