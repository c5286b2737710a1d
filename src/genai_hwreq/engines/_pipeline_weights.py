"""Weights of a pipeline's networks: what is resident while one of them works, and what waits in host memory."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Literal

from attrs import evolve, frozen

from genai_hwreq.engines._weights import storage_of, stored_bytes, weights_component
from genai_hwreq.estimates import Component, Kind
from genai_hwreq.formats import PlainType, WeightFormat
from genai_hwreq.formulas.weights import aligned, ceil_div
from genai_hwreq.models import (
    EnumeratedNetwork,
    Inventory,
    PipelineNetwork,
    TensorGroup,
    Transformer,
    UnknownNetwork,
    network_inventory,
)
from genai_hwreq.ranges import ByteRange

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from genai_hwreq.models import Tensor

__all__ = ["ALLOCATION_BYTES", "Formats", "Offload", "host_weights", "network_weights", "resident_weights"]

Offload = Literal["none", "model", "group", "sequential"]
"""What waits in host memory: nothing, networks that do not work, or all blocks or layers but the one at work."""

ALLOCATION_BYTES = 512
"""PyTorch's CUDA allocator rounds every tensor up to this.

Source: https://github.com/pytorch/pytorch/blob/main/c10/cuda/CUDACachingAllocator.cpp, `kMinBlockSize`.
"""


@frozen(kw_only=True)
class Formats:
    """How each network of a pipeline is stored."""

    default: WeightFormat
    """Format of every network that has none of its own."""

    denoiser: WeightFormat | None = None
    """Format of denoisers and upscalers."""

    text_encoder: WeightFormat | None = None
    """Format of text encoders."""

    vae: WeightFormat | None = None
    """Format of the autoencoder."""

    def of(self, part: PipelineNetwork) -> WeightFormat:
        """Return the format of one network."""
        own = {
            "denoiser": self.denoiser,
            "upscaler": self.denoiser,
            "text_encoder": self.text_encoder,
            "vae": self.vae,
        }.get(part.role)
        return self.default if own is None else own


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
    """Return one network's stored weights: what is kept in fp32 apart from the rest, and tables of positions."""
    inventory = network_inventory(part)
    kept = _kept(part, weight_format)
    found = [
        weights_component(_only(inventory, lambda t: not kept(t)), weight_format, alignment, kind, part.name)
    ]
    apart = _only(inventory, kept)
    if apart.groups:
        found.append(weights_component(apart, _WHOLE, alignment, kind, f"{part.name}, kept in fp32"))
    return (*found, *_tables(part, weight_format)) if kind == "weights" else tuple(found)


def _tables(part: PipelineNetwork, weight_format: WeightFormat) -> tuple[Component, ...]:
    """Return a network's tables of positions, which are no parameters; most have none."""
    if not isinstance(part.network, EnumeratedNetwork) or not part.network.tables:
        return ()
    tables = Inventory(groups=(TensorGroup(name="tables", tensors=part.network.tables),))
    return (weights_component(tables, weight_format, ALLOCATION_BYTES, "weights", f"{part.name}, tables"),)


def _kept(part: PipelineNetwork, weight_format: WeightFormat) -> Callable[[Tensor], bool]:
    """Return which tensors stay in fp32: T5's second matrices in fp16, and what a network of diffusers names."""
    rest = weight_format.rest
    name = rest.name if isinstance(rest, PlainType) else ""
    network = part.network
    if isinstance(network, EnumeratedNetwork) and name in ("fp16", "bf16"):
        names = network.kept_in_fp32
        return lambda tensor: any(word in tensor.name.split(".") for word in names)
    matrices = weight_format.matrices
    half = isinstance(matrices, PlainType) and matrices.name == "fp16"
    if half and isinstance(network, Transformer) and network.model_type in _KEPT_IN_FP32:
        return lambda tensor: tensor.role == "ffn_down"
    return lambda _: False


def _only(inventory: Inventory, wanted: Callable[[Tensor], bool]) -> Inventory:
    groups = []
    for group in inventory.groups:
        tensors = tuple(tensor for tensor in group.tensors if wanted(tensor))
        if tensors:
            groups.append(evolve(group, tensors=tensors))
    return Inventory(groups=tuple(groups))


def resident_weights(
    networks: Iterable[PipelineNetwork],
    working: tuple[PipelineNetwork, ...],
    offload: Offload,
    formats: Formats,
) -> tuple[Component, ...]:
    """Return the weights on the device while some networks are at work; while none is, what always stays."""
    found: list[Component] = []
    for part in networks:
        if offload == "none" or part.always_resident or (offload == "model" and part in working):
            found += network_weights(part, formats.of(part), ALLOCATION_BYTES)
        elif offload in ("sequential", "group"):
            if part in working:
                size_of = _largest_block if offload == "group" else _largest_layer
                found.append(size_of(part, formats.of(part)))
            found += _tables(part, formats.of(part))  # buffers stay on the device unless told otherwise
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


def _largest_block(part: PipelineNetwork, weight_format: WeightFormat) -> Component:
    """Return the largest block of layers that come and go together; a network known by size has none."""
    if isinstance(part.network, UnknownNetwork):
        return _largest_layer(part, weight_format)
    blocks = [group for group in network_inventory(part).groups if group.n_copies > 1]
    if not blocks:
        return _largest_layer(part, weight_format)
    sizes = [
        sum(
            aligned(stored_bytes(tensor, storage_of(tensor, weight_format)), ALLOCATION_BYTES)
            for tensor in block.tensors
        )
        for block in blocks
    ]
    block = max(sizes)
    return Component(
        "weights",
        f"{part.name}, one block",
        block,
        "largest_block_bytes",
        (("largest_block_bytes", block),),
        "modelled",
    )


_TYPICAL_LAYERS = 29
"""How many times the largest layer of Stable Diffusion 1.5's UNet goes into the whole."""


def host_weights(
    networks: Iterable[PipelineNetwork],
    working: tuple[PipelineNetwork, ...] | None,
    offload: Offload,
    formats: Formats,
) -> tuple[Component, ...]:
    """Return the weights that wait in host memory while some networks are at work; before any is (`None`), all do."""
    found: list[Component] = []
    for part in networks:
        moved = (
            offload == "none"
            or part.always_resident
            or (offload == "model" and working is not None and part in working)
        )
        if working is None or not moved:
            found += network_weights(part, formats.of(part), ALLOCATION_BYTES)
    return tuple(found)
