"""Stored weights of a model in a format: by role, tensor by tensor."""

from __future__ import annotations

from typing import get_args

import pytest
from hypothesis import given, strategies as st

from formula_text import evaluate
from genai_hwreq.engines._weights import storage_of, stored_bytes, weights_component
from genai_hwreq.formats import BlockType, GroupType, MeanType, PlainType, Storage, WeightFormat
from genai_hwreq.formulas.weights import aligned
from genai_hwreq.models import Inventory, Tensor, TensorGroup, Transformer, transformer_inventory
from genai_hwreq.models._tensor import MATRIX_ROLES, Role
from strategies import storages, transformers, weight_formats

ROLES = get_args(Role)
FOUR, EIGHT, HALF, FULL, SIX = (PlainType(f"int{bits}", bits) for bits in (4, 8, 16, 32, 6))
FORMAT = WeightFormat(id="x", name="X", matrices=FOUR, experts=SIX, embedding=EIGHT, head=HALF, rest=FULL)


@pytest.mark.parametrize("role", ROLES)
def test_role_decides_the_storage(role: Role) -> None:
    """Experts, matrices, embedding and head have storages of their own; everything else is the rest."""
    expected: Storage = {"embedding": EIGHT, "head": HALF}.get(role, FULL)
    if role in MATRIX_ROLES:
        expected = SIX if role.startswith("expert_") else FOUR
    assert expected == storage_of(Tensor("w", role, (4, 4)), FORMAT)


@pytest.mark.parametrize(
    ("n_bytes", "storage"),
    [
        (32, FOUR),
        (4 * 18, BlockType(name="q4_0", block_elements=32, block_bytes=18)),
        (32 + 4 * 2, GroupType(name="rows", code_bits=4, group_elements=0, scale_bits=16)),
        (
            32 + 8 * 2 + 8 // 2,
            GroupType(name="groups", code_bits=4, group_elements=8, scale_bits=16, zero_bits=4),
        ),
        (
            32 + 8 + 4 * 4 + 16 * 4 + 100,
            GroupType(
                name="all",
                code_bits=4,
                group_elements=8,
                scale_bits=8,
                super_group_elements=16,
                super_scale_bits=32,
                row_index_bits=32,
                tensor_bytes=100,
            ),
        ),
        (20, MeanType(name="exl", milli_bits=2500)),
    ],
)
def test_bytes_of_one_matrix(n_bytes: int, storage: Storage) -> None:
    """A matrix of 4 rows of 16, by hand."""
    assert n_bytes == stored_bytes(Tensor("w", "projection", (4, 16)), storage)


@pytest.mark.property
@given(storages(), st.integers(1, 64), st.integers(1, 512), st.integers(1, 64))
def test_larger_tensors_are_not_smaller(storage: Storage, rows: int, columns: int, more: int) -> None:
    """More rows or longer rows never take fewer bytes."""
    size = stored_bytes(Tensor("w", "projection", (rows, columns)), storage)
    assert size <= stored_bytes(Tensor("w", "projection", (rows + more, columns)), storage)
    assert size <= stored_bytes(Tensor("w", "projection", (rows, columns + more)), storage)


@pytest.mark.property
@given(transformers(), weight_formats(), st.sampled_from([1, 512]))
def test_slow_enumeration(network: Transformer, weight_format: WeightFormat, alignment: int) -> None:
    """The sum over every tensor of every layer, one by one, is what the component says, and its formula."""
    tensors = [*network.embeddings, *network.closing, *network.head]
    for run in network.layers:
        for _ in range(run.n_layers):
            tensors += run.layer.tensors(network.hidden_dim)
    sizes = [stored_bytes(tensor, storage_of(tensor, weight_format)) for tensor in tensors]
    expected = sum(aligned(size, alignment) for size in sizes)
    part = weights_component(transformer_inventory(network), weight_format, alignment)
    assert expected == part.bytes == evaluate(part)
    assert len(part.inputs) == len(dict(part.inputs))


@pytest.mark.property
@given(transformers(), weight_formats())
def test_linear_in_layers(network: Transformer, weight_format: WeightFormat) -> None:
    """Each run of layers adds its own bytes, as often as it is repeated."""

    def size(some: Inventory) -> int:
        return weights_component(some, weight_format, 512).bytes

    inventory = transformer_inventory(network)
    assert size(inventory) == sum(size(Inventory(groups=(group,))) for group in inventory.groups)
    for group in inventory.groups:
        once = TensorGroup(name=group.name, tensors=group.tensors)
        assert size(Inventory(groups=(group,))) == group.n_copies * size(Inventory(groups=(once,)))


def test_no_weights_at_all() -> None:
    """A network without tensors takes nothing, and its formula says so."""
    part = weights_component(Inventory(groups=()), FORMAT, 512)
    assert part.bytes == evaluate(part) == 0
