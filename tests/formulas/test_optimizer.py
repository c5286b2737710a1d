"""Optimizer states against arithmetic by hand, and laws over all of them."""

from __future__ import annotations

from hypothesis import given, strategies as st

from genai_hwreq.formulas.lora import adapter_elements, magnitude_elements
from genai_hwreq.formulas.optimizer import OPTIMIZER_RULES, block_state_bytes, factored_bytes, low_rank_bytes
from genai_hwreq.formulas.sharding import gathered_bytes, share_bytes
from genai_hwreq.training import OPTIMIZERS

sizes = st.integers(1, 1 << 20)


def test_every_optimizer_has_a_rule() -> None:
    """What a workload can name can be worked out."""
    assert set(OPTIMIZERS) == set(OPTIMIZER_RULES)


def test_an_eight_bit_state_is_codes_and_a_scale_for_each_block() -> None:
    """4096 x 4096 in 8 bit: 16 MiB of codes and 65536 scales of 4 bytes."""
    assert 16 * 2**20 + 4 * 65536 == block_state_bytes(4096 * 4096, 8, 256, 4096)


def test_a_small_tensor_keeps_its_state_in_32_bit() -> None:
    """A norm of 4095 elements is below the limit."""
    assert 4 * 4095 == block_state_bytes(4095, 8, 256, 4096)


def test_adafactor_keeps_a_row_and_a_column() -> None:
    """4096 rows and 11008 columns, 4 bytes each."""
    assert 4 * (4096 + 11008) == factored_bytes(4096, 11008)


def test_galore_keeps_a_projector_and_two_narrow_moments() -> None:
    """Rank 128 of 4096 x 11008: 128 x 4096, and twice 128 x 11008, 4 bytes each."""
    assert 4 * (128 * 4096 + 2 * 128 * 11008) == low_rank_bytes(4096, 11008, 128, 4)


def test_galore_keeps_plain_moments_of_a_vector() -> None:
    """There is nothing to project."""
    assert 2 * 4 * 4096 == low_rank_bytes(1, 4096, 128, 4)


def test_adapters_go_down_to_the_rank_and_up_again() -> None:
    """Rank 16 of 4096 to 11008; magnitudes one for each output."""
    assert 16 * (4096 + 11008) == adapter_elements(16, 4096, 11008)
    assert 11008 == magnitude_elements(11008)


def test_gathered_units() -> None:
    """Two units and the root."""
    assert 2 * 100 + 50 == gathered_bytes(2, 100, 50)


@given(sizes, st.sampled_from((4, 8, 16, 32)))
def test_fewer_bits_never_need_more(n_elements: int, bits: int) -> None:
    """A state in twice the bits is at least as large."""
    assert block_state_bytes(n_elements, bits, 0, 0) <= block_state_bytes(n_elements, 2 * bits, 0, 0)


@given(sizes, st.integers(1, 64))
def test_shares_cover_the_whole(whole: int, n_ranks: int) -> None:
    """All shares together hold at least everything, and none more than one byte too much."""
    assert whole <= n_ranks * share_bytes(whole, n_ranks) < whole + n_ranks
