"""What layers with a state of fixed size keep: laws over all sizes."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from genai_hwreq.formulas.recurrent_state import (
    STATE_IN_MODEL_DTYPE,
    conv_channels,
    delta_state_elements,
    llama_cpp_state_bytes,
    mamba_state_elements,
    mlstm_state_elements,
    recurrent_state_bytes,
    rwkv_state_elements,
    transformers_state_bytes,
)

SIZES = st.integers(min_value=1, max_value=2**20)


@given(n_sequences=SIZES, tail=SIZES, state=SIZES)
def test_linear_in_sequences(n_sequences: int, tail: int, state: int) -> None:
    """Sequences share nothing: many cost as much as one, that many times."""
    one = recurrent_state_bytes(
        tail_elements=tail, tail_element_bytes=2, state_elements=state, state_element_bytes=4
    )
    many = recurrent_state_bytes(
        tail_elements=tail,
        tail_element_bytes=2,
        state_elements=state,
        state_element_bytes=4,
        n_sequences=n_sequences,
    )
    assert n_sequences * one == many


@given(n_heads=SIZES, key_dim=SIZES, value_dim=SIZES)
def test_delta_state_is_stream_times_key(n_heads: int, key_dim: int, value_dim: int) -> None:
    """A delta net's state is a Mamba state whose state size is the key head's width."""
    assert mamba_state_elements(n_heads * value_dim, key_dim) == delta_state_elements(
        n_heads, key_dim, value_dim
    )


@pytest.mark.parametrize("kind", sorted(STATE_IN_MODEL_DTYPE))
def test_model_dtype_halves_the_state(kind: str) -> None:
    """A state kept in 16 bit costs half of one kept in float32."""
    sizes = {"channels": 0, "kernel": 0, "shift_elements": 0, "state_elements": 96, "element_bytes": 2}
    in_float32 = transformers_state_bytes(kind="gated_delta_net", **sizes)
    assert in_float32 == 2 * transformers_state_bytes(kind=kind, **sizes)


def test_known_layers() -> None:
    """Single layers of published models, by hand."""
    assert conv_channels(inner_dim=5120, n_groups=0, state_dim=16) == 5120
    assert rwkv_state_elements(4096) == 3 * 4096
    assert mlstm_state_elements(n_heads=1, key_head_dim=2, value_head_dim=3) == 9


def test_no_convolution_no_tail() -> None:
    """Without a convolution llama.cpp keeps the state alone."""
    assert llama_cpp_state_bytes(channels=8, kernel=0, shift_elements=0, state_elements=5) == 20
