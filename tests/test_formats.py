"""Weight formats: bits for display, and defaults that follow the matrices."""

from __future__ import annotations

import pytest
from hypothesis import given

from genai_hwreq.engines._weights import stored_bytes
from genai_hwreq.errors import QuantityError
from genai_hwreq.formats import BlockType, GroupType, MeanType, PlainType, RecipeFormat, Storage, WeightFormat
from genai_hwreq.models import Tensor
from strategies import storages

FOUR_BITS = PlainType("int4", 4)


@pytest.mark.parametrize(
    ("bits", "storage"),
    [
        (16, PlainType("bf16", 16)),
        (4.5, BlockType(name="q4_k", block_elements=256, block_bytes=144)),
        (4, GroupType(name="int4", code_bits=4, group_elements=0, scale_bits=16)),
        (4.25, GroupType(name="awq", code_bits=4, group_elements=128, scale_bits=16, zero_bits=16)),
        (
            4.126953125,
            GroupType(
                name="nf4",
                code_bits=4,
                group_elements=64,
                scale_bits=8,
                super_group_elements=64 * 256,
                super_scale_bits=32,
            ),
        ),
        (2.5, MeanType(name="exl3", milli_bits=2500)),
    ],
)
def test_bits_per_weight(bits: float, storage: Storage) -> None:
    """Bits per weight count codes, scales, zero points and scales of scales."""
    assert bits == storage.bits_per_weight
    assert bits == WeightFormat(id="x", name="X", matrices=storage).bits_per_weight


@pytest.mark.property
@given(storages())
def test_bits_agree_with_bytes(storage: Storage) -> None:
    """A large matrix takes the bytes that the bits for display promise, to two per mille."""
    tensor = Tensor("w", "projection", (2**15, 2**15))
    assert stored_bytes(tensor, storage) == pytest.approx(2**30 * storage.bits_per_weight / 8, rel=2e-3)


def test_experts_and_head_follow() -> None:
    """Experts are stored like matrices and the head like the embedding, unless stated."""
    plain = WeightFormat(id="x", name="X", matrices=FOUR_BITS, embedding=PlainType("int8", 8))
    assert (plain.matrices, plain.embedding) == (plain.experts, plain.head)
    own = WeightFormat(id="x", name="X", matrices=FOUR_BITS, head=FOUR_BITS)
    assert (PlainType("16-bit", 16), FOUR_BITS) == (own.embedding, own.head)


def test_recipe_bits() -> None:
    """A file type shows the bits of a whole typical file."""
    recipe = RecipeFormat(id="q4-k-m", name="Q4_K_M", recipe="Q4_K_M", typical_milli_bits=4893)
    assert recipe.bits_per_weight == 4.893


@pytest.mark.parametrize("bits", [0, -4, 4.0, True])
def test_bits_are_whole(bits: object) -> None:
    """A width that is not a whole number above zero is refused."""
    with pytest.raises(QuantityError, match=r"PlainType\.bits is"):
        PlainType("int4", bits)  # type: ignore[arg-type]
