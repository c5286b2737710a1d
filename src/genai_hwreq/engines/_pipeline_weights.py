"""Weights of a pipeline's networks: what is resident while one of them works, and what waits in host memory."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Literal

from genai_hwreq.engines._weights import storage_of, stored_bytes, weights_component
from genai_hwreq.estimates import Component, Kind
from genai_hwreq.formats import PlainType, WeightFormat
from genai_hwreq.formulas.weights import aligned, ceil_div
from genai_hwreq.models import (
    Inventory,
    PipelineNetwork,
    TensorGroup,
    Transformer,
    UnknownNetwork,
    network_inventory,
)
from genai_hwreq.ranges import ByteRange

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["ALLOCATION_BYTES", "Offload", "host_weights", "network_weights", "resident_weights"]

Offload = Literal["none", "model", "sequential"]
"""What waits in host memory: nothing, networks that do not work, or all layers but the one at work."""

ALLOCATION_BYTES = 512
"""PyTorch's CUDA allocator rounds every tensor up to this.

Source: https://github.com/pytorch/pytorch/blob/main/c10/cuda/CUDACachingAllocator.cpp, `kMinBlockSize`.
"""

_FP32 = PlainType("fp32", 32)
_WHOLE = WeightFormat(id="fp32", name="FP32", matrices=_FP32, embedding=_FP32, rest=_FP32)

_KEPT_IN_FP32 = frozenset({"t5", "umt5", "mt5"})
"""Kinds of network whose second feed-forward matrix stays in fp32 when the rest is fp16, as its sums overflow.

Source: https://github.com/huggingface/transformers/blob/main/src/transformers/models/t5/modeling_t5.py,
`_keep_in_fp32_modules = ["wo"]`. With bf16 nothing is kept.
"""


@lru_cache(maxsize=512)
def network_weights(
    part: PipelineNetwork, weight_format: WeightFormat, alignment: int, kind: Kind = "weights"
) -> tuple[Component, ...]:
    """Return one network's stored weights: one component, or two where part of it is kept in fp32."""
    inventory = network_inventory(part)
    if not _keeps_fp32(part, weight_format):
        return (weights_component(inventory, weight_format, alignment, kind, part.name),)
    rest = _only(inventory, kept=False)
    kept = _only(inventory, kept=True)
    return (
        weights_component(rest, weight_format, alignment, kind, part.name),
        weights_component(kept, _WHOLE, alignment, kind, f"{part.name}, kept in fp32"),
    )


def _keeps_fp32(part: PipelineNetwork, weight_format: WeightFormat) -> bool:
    matrices = weight_format.matrices
    is_half = isinstance(matrices, PlainType) and matrices.name == "fp16"
    return is_half and isinstance(part.network, Transformer) and part.network.model_type in _KEPT_IN_FP32


def _only(inventory: Inventory, *, kept: bool) -> Inventory:
    groups = []
    for group in inventory.groups:
        tensors = tuple(tensor for tensor in group.tensors if (tensor.role == "ffn_down") == kept)
        if tensors:
            groups.append(
                TensorGroup(
                    name=group.name, first_layer=group.first_layer, n_copies=group.n_copies, tensors=tensors
                )
            )
    return Inventory(groups=tuple(groups))


def resident_weights(
    networks: Iterable[PipelineNetwork],
    working: PipelineNetwork,
    offload: Offload,
    weight_format: WeightFormat,
) -> tuple[Component, ...]:
    """Return the weights on the device while one network works."""
    found: list[Component] = []
    for part in networks:
        if offload == "none" or part.always_resident or (offload == "model" and part == working):
            found += network_weights(part, weight_format, ALLOCATION_BYTES)
        elif part == working:
            found.append(_largest_layer(part, weight_format))
    return tuple(found)


def _largest_layer(part: PipelineNetwork, weight_format: WeightFormat) -> Component:
    """Return the largest single matrix: layers come one at a time and go at once."""
    size = max(
        stored_bytes(tensor, storage_of(tensor, weight_format)) for tensor, _ in network_inventory(part)
    )
    name = f"{part.name}, one layer"
    if isinstance(part.network, UnknownNetwork):
        inputs = (("network_bytes", size), ("typical_layers", _TYPICAL_LAYERS))
        layer = ceil_div(size, _TYPICAL_LAYERS)
        span = ByteRange(layer // 4, layer, 4 * layer)
        formula = "ceil_div(network_bytes, typical_layers)"
        return Component("weights", name, layer, formula, inputs, "assumed", None, span)
    layer = aligned(size, ALLOCATION_BYTES)
    return Component(
        "weights", name, layer, "largest_layer_bytes", (("largest_layer_bytes", layer),), "modelled"
    )


_TYPICAL_LAYERS = 29
"""How many times the largest layer of Stable Diffusion 1.5's UNet goes into the whole."""


def host_weights(
    networks: Iterable[PipelineNetwork],
    working: PipelineNetwork | None,
    offload: Offload,
    weight_format: WeightFormat,
) -> tuple[Component, ...]:
    """Return the weights that wait in host memory while one network works; before any works (`None`), all do."""
    found: list[Component] = []
    for part in networks:
        moved = offload == "none" or part.always_resident or (offload == "model" and part == working)
        if working is None or not moved:
            found += network_weights(part, weight_format, ALLOCATION_BYTES)
    return tuple(found)
