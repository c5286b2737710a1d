"""Records of models: what each refuses, and the weights of kinds that other tests do not reach."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from attrs import evolve
from hypothesis import given

from genai_hwreq.errors import QuantityError
from genai_hwreq.models import (
    Attention,
    CrossAttention,
    Dense,
    Experts,
    Identity,
    LatentAttention,
    Norm,
    SizedModel,
    StateSpace,
    Tensor,
    Transformer,
)
from strategies import attentions, dense_networks, latent_attentions, mixtures

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


def names(tensors: Iterable[Tensor]) -> list[str]:
    """Return the tensors' names, in order."""
    return [tensor.name for tensor in tensors]


def count(tensors: Iterable[Tensor]) -> int:
    """Return the number of elements of all tensors."""
    return sum(tensor.n_elements for tensor in tensors)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: Attention(n_heads=6, n_kv_heads=4, head_dim=8),
            "n_heads is 6; expected a multiple of n_kv_heads",
        ),
        (lambda: Attention(n_heads=0, n_kv_heads=1, head_dim=8), r"Attention\.n_heads is 0"),
        (
            lambda: Experts(n_experts=2, n_experts_per_token=3, intermediate_dim=8),
            "n_experts_per_token is 3; expected at most n_experts, 2",
        ),
        (lambda: Dense(intermediate_dim=True), r"Dense\.intermediate_dim is True"),
        (lambda: Dense(intermediate_dim=8, activation=""), r"Dense\.activation is empty"),
        (lambda: Norm(name="", dim=8), r"Norm\.name is empty"),
        (lambda: Tensor("w", "norm", ()), r"Tensor\.shape is empty"),
        (lambda: StateSpace(kind="mamba", inner_dim=-8), r"StateSpace\.inner_dim is -8"),
        (lambda: Transformer(model_type="x", hidden_dim=8, layers=()), r"Transformer\.layers is empty"),
        (
            lambda: SizedModel(identity=Identity(id="x", name="X"), networks=()),
            r"SizedModel\.networks is empty",
        ),
        (lambda: Identity(id="", name="X"), r"Identity\.id is empty"),
    ],
)
def test_refused(make: Callable[[], Any], message: str) -> None:
    """A record that cannot be is refused when it is made, with the field and the value."""
    with pytest.raises(QuantityError, match=message):
        make()


def test_zero_experts_can_be_chosen() -> None:
    """Experts that hand their input on count among the choices."""
    experts = Experts(n_experts=2, n_experts_per_token=3, intermediate_dim=8, n_zero_experts=1)
    assert (3, 16) == next(iter(experts.tensors(16))).shape


@pytest.mark.property
@given(attentions())
def test_fusing_stores_the_same_matrices(attention: Attention) -> None:
    """One fused matrix has the elements of query, key and value together."""
    plain = evolve(attention, query_bias=False, key_bias=False, value_bias=False, value_is_key=False)
    assert count(evolve(plain, fused=False).tensors(32)) == count(evolve(plain, fused=True).tensors(32))


@pytest.mark.property
@given(dense_networks())
def test_fusing_gate_and_up_stores_the_same(network: Dense) -> None:
    """One gate-and-up matrix has the elements of both."""
    assert count(evolve(network, fused=False).tensors(32)) == count(evolve(network, fused=True).tensors(32))


@pytest.mark.property
@given(mixtures())
def test_experts_are_stored_alike(experts: Experts) -> None:
    """Twice the experts store twice the experts' weights."""

    def routed(some: Experts) -> int:
        return count(tensor for tensor in some.tensors(32) if tensor.name.startswith("experts."))

    assert 2 * routed(experts) == routed(evolve(experts, n_experts=2 * experts.n_experts))


@pytest.mark.property
@given(latent_attentions())
def test_latent_widths(attention: LatentAttention) -> None:
    """A query head is content and position; a cached row is the compressed row and the position."""
    assert attention.qk_head_dim == attention.qk_nope_head_dim + attention.qk_rope_head_dim
    assert attention.latent_dim == attention.kv_lora_rank + attention.qk_rope_head_dim


def test_shared_cache_stores_queries_only() -> None:
    """A layer that reads another's keys and values has no matrices for them."""
    layer = Attention(n_heads=2, n_kv_heads=1, head_dim=8, cache="shared")
    assert names(layer.tensors(16)) == ["q_proj.weight", "o_proj.weight"]


@pytest.mark.parametrize(
    "part",
    [
        Attention(n_heads=2, n_kv_heads=1, head_dim=8, stored=False),
        Dense(intermediate_dim=8, stored=False),
        Norm(name="olmo", dim=8, weight=False),
    ],
)
def test_not_stored(part: Attention | Dense | Norm) -> None:
    """What uses an earlier layer's weights, or has none, stores none."""
    assert not list(part.tensors() if isinstance(part, Norm) else part.tensors(16))


def test_cross_attention() -> None:
    """Keys and values are as wide as what is attended to; Whisper's keys have no bias."""
    layer = CrossAttention(n_heads=2, n_kv_heads=2, head_dim=8, source_dim=24, query_bias=True)
    assert [tensor.shape for tensor in layer.tensors(16)] == [
        (16, 16),
        (16,),
        (16, 24),
        (16, 24),
        (16,),
        (16, 16),
    ]
