"""Stored weights of a model in a weight format, as one explained component.

Next: transformers.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

from genai_hwreq.estimates import Component, Inputs, Kind
from genai_hwreq.formats import BlockType, GroupType, MeanType, PlainType, Storage, WeightFormat
from genai_hwreq.formulas.weights import aligned, block_bytes, ceil_div, group_count, mean_bytes, plain_bytes
from genai_hwreq.models._tensor import MATRIX_ROLES

if TYPE_CHECKING:
    from collections.abc import Callable

    from genai_hwreq.models import Inventory, Tensor

__all__ = ["storage_of", "stored_bytes", "weights_component"]


def storage_of(tensor: Tensor, weight_format: WeightFormat) -> Storage:
    """Return how a format stores a tensor: by its role."""
    if tensor.role.startswith("expert_"):
        return weight_format.experts
    if tensor.role in MATRIX_ROLES:
        return weight_format.matrices
    if tensor.role == "embedding":
        return weight_format.embedding
    if tensor.role == "head":
        return weight_format.head
    return weight_format.rest


def stored_bytes(tensor: Tensor, storage: Storage) -> int:
    """Return the bytes of one tensor."""
    rows, columns = tensor.n_rows, tensor.row_elements
    if isinstance(storage, PlainType):
        return plain_bytes(rows * columns, storage.bits)
    if isinstance(storage, BlockType):
        return block_bytes(rows, columns, storage.block_elements, storage.block_bytes)
    if isinstance(storage, MeanType):
        return mean_bytes(rows * columns, storage.milli_bits)
    return _group_bytes(rows, columns, storage)


def _group_bytes(rows: int, columns: int, storage: GroupType) -> int:
    groups = group_count(rows, columns, storage.group_elements)
    total = plain_bytes(rows * columns, storage.code_bits)
    total += plain_bytes(groups, storage.scale_bits) + plain_bytes(groups, storage.zero_bits)
    if storage.super_group_elements:
        total += plain_bytes(ceil_div(rows * columns, storage.super_group_elements), storage.super_scale_bits)
    return total + plain_bytes(columns, storage.row_index_bits) + storage.tensor_bytes


@lru_cache(maxsize=1024)
def weights_component(
    inventory: Inventory, weight_format: WeightFormat, alignment: int, kind: Kind = "weights", name: str = "weights"
) -> Component:
    """Sum a model's weights; each tensor is rounded up to the allocator's `alignment`.

    The formula names, for each storage the format uses, how many parameters have it and what they take.
    """
    n_params: dict[Storage, int] = {}
    n_bytes: dict[Storage, int] = {}
    padded = 0
    for tensor, copies in inventory:
        storage = storage_of(tensor, weight_format)
        size = stored_bytes(tensor, storage)
        n_params[storage] = n_params.get(storage, 0) + copies * tensor.n_elements
        n_bytes[storage] = n_bytes.get(storage, 0) + copies * size
        padded += copies * aligned(size, alignment)
    formula, inputs = _sum_formula(n_params, n_bytes, padded)
    return Component(kind, name, padded, formula, inputs, "exact")


def _sum_formula(n_params: dict[Storage, int], n_bytes: dict[Storage, int], padded: int) -> tuple[str, Inputs]:
    terms: list[str] = []
    inputs: list[tuple[str, int]] = []
    for storage, params in n_params.items():
        name = _unused_name(storage, inputs)
        bits = storage.bits if isinstance(storage, PlainType) else None
        inputs.append((f"params_in_{name}", params))
        if bits is not None and params * bits % 8 == 0 and params * bits // 8 == n_bytes[storage]:
            terms.append(f"params_in_{name} * {bits} // 8")
        else:
            overhead = n_bytes[storage] - params * _floor_bits(storage) // 8
            terms.append(f"params_in_{name} * {_floor_bits(storage)} // 8 + scales_in_{name}")
            inputs.append((f"scales_in_{name}", overhead))
    padding = padded - sum(n_bytes.values())
    if padding:
        terms.append("padding")
        inputs.append(("padding", padding))
    return " + ".join(terms) or "0", tuple(inputs)


def _unused_name(storage: Storage, inputs: list[tuple[str, int]]) -> str:
    """Return a storage's name as a formula can spell it, numbered where another storage bears it already."""
    name = re.sub(r"\W", "_", storage.name)
    same = [key for key, _ in inputs if re.fullmatch(rf"params_in_{name}(_no_\d+)?", key)]
    return f"{name}_no_{len(same) + 1}" if same else name


_FLOOR: dict[type, Callable[..., int]] = {
    PlainType: lambda storage: storage.bits,
    GroupType: lambda storage: storage.code_bits,
    BlockType: lambda storage: 8 * storage.block_bytes // storage.block_elements,
    MeanType: lambda storage: storage.milli_bits // 1000,
}


def _floor_bits(storage: Storage) -> int:
    return _FLOOR[type(storage)](storage)
