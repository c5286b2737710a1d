"""Models of which only the number of parameters is known."""

from __future__ import annotations

import pytest
from hypothesis import example, given, strategies as st

from genai_hwreq.models import model_inventory
from genai_hwreq.typical import typical_model

SMALLEST_USUAL = 8_388_736
"""Parameters of one layer of width 128 and its embeddings."""


@pytest.mark.property
@given(st.integers(0, 12).flatmap(lambda power: st.integers(10**power, 10 ** (power + 1))))
@example(1)
@example(SMALLEST_USUAL - 1)
@example(SMALLEST_USUAL)
@example(10**13)
def test_exactly_that_many_parameters(n_params: int) -> None:
    """Whatever the count, from 1 to 10¹³, the model has exactly that many parameters, and says it is assumed."""
    model, assumption = typical_model(n_params)
    assert n_params == model_inventory(model).n_params
    assert model.identity.confidence == "low"
    assert assumption.code == "typical-shape"
    assert f"{n_params:,}" in assumption.text


@pytest.mark.property
@given(st.integers(10**7, 10**12), st.integers(1, 10**11))
def test_deeper_with_size(n_params: int, more: int) -> None:
    """More parameters never make a shallower or narrower network."""
    small, large = typical_model(n_params)[0].decoder, typical_model(n_params + more)[0].decoder
    assert small.n_layers <= large.n_layers
    assert small.hidden_dim <= large.hidden_dim


@pytest.mark.parametrize(
    ("n_params", "n_layers", "dim"), [(6_738_415_616, 32, 4096), (13_015_864_320, 40, 5120)]
)
def test_llama_2(n_params: int, n_layers: int, dim: int) -> None:
    """Llama 2's own counts give its own depth and width."""
    network = typical_model(n_params)[0].decoder
    assert (n_layers, dim) == (network.n_layers, network.hidden_dim)


def test_no_rest() -> None:
    """A count that a shape meets exactly needs no further matrix."""
    assert not typical_model(SMALLEST_USUAL)[0].decoder.closing
    assert typical_model(SMALLEST_USUAL + 1)[0].decoder.closing
