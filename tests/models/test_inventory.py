"""Inventories: counts of parameters, by group, layer and token."""

from __future__ import annotations

import pytest
from attrs import evolve
from hypothesis import given

from genai_hwreq.models import (
    Attention,
    Dense,
    Experts,
    Layer,
    LayerRun,
    Norm,
    Tensor,
    Transformer,
    TransformerModel,
    model_inventory,
    n_active_params,
    transformer_inventory,
)
from strategies import few, layers, mixers, transformer_models, transformers

pytestmark = pytest.mark.property


def enumerated(network: Transformer) -> list[Tensor]:
    """List every tensor of every layer, one by one."""
    tensors = [*network.embeddings, *network.closing, *network.head]
    for run in network.layers:
        for _ in range(run.n_layers):
            tensors += run.layer.tensors(network.hidden_dim)
    return tensors


@given(transformers())
def test_count_is_the_sum_over_tensors(network: Transformer) -> None:
    """The count equals that of tensors listed one by one, and the iteration gives each with its copies."""
    inventory = transformer_inventory(network)
    expected = sum(tensor.n_elements for tensor in enumerated(network))
    assert expected == inventory.n_params
    assert expected == sum(copies * tensor.n_elements for tensor, copies in inventory)
    assert len(enumerated(network)) == sum(copies for _, copies in inventory)


@given(transformers(), layers(mixers()), few)
def test_linear_in_layers(network: Transformer, layer: Layer, n_layers: int) -> None:
    """Each further layer adds the same number of parameters."""
    one_layer = sum(tensor.n_elements for tensor in layer.tensors(network.hidden_dim))
    longer = evolve(network, layers=(*network.layers, LayerRun(layer=layer, n_layers=n_layers)))
    added = transformer_inventory(longer).n_params - transformer_inventory(network).n_params
    assert n_layers * one_layer == added
    assert network.n_layers + n_layers == longer.n_layers


@given(transformers())
def test_layers_are_numbered(network: Transformer) -> None:
    """The groups of layers follow one another without a gap, from the first to the last."""
    groups = [group for group in transformer_inventory(network).groups if group.name == "layers"]
    starts = [group.first_layer for group in groups]
    ends = [group.first_layer + group.n_copies for group in groups]
    assert [0, *ends] == [*starts, network.n_layers]


@given(transformer_models())
def test_towers_add(model: TransformerModel) -> None:
    """A model's parameters are its decoder's and its towers'."""
    networks = (model.decoder, *(tower.network for tower in model.towers))
    expected = sum(transformer_inventory(network).n_params for network in networks)
    assert expected == model_inventory(model).n_params


@given(transformer_models())
def test_active_at_most_all(model: TransformerModel) -> None:
    """One token passes some of the parameters, and all where there are no experts."""
    active = n_active_params(model)
    assert 0 < active <= model_inventory(model).n_params
    layers_ = [run.layer for run in model.decoder.layers]
    if not any(layer.extra or any(isinstance(ff, Experts) for ff in layer.feed_forward) for layer in layers_):
        assert active == model_inventory(model).n_params


@given(transformers())
def test_tied(network: Transformer) -> None:
    """A network with a vocabulary and no head of its own uses its embedding as head."""
    assert network.tied == (network.vocab_size > 0 and not network.head)


def test_one_layer_by_hand() -> None:
    """A small grouped layer with a gated network and two norms."""
    layer = Layer(
        mixers=(Attention(n_heads=4, n_kv_heads=2, head_dim=8, query_bias=True),),
        feed_forward=(Dense(intermediate_dim=48),),
        norms=(Norm(name="a", dim=32), Norm(name="b", dim=32, kind="layer", bias=True)),
    )
    attention = 32 * 32 + 32 + 2 * (16 * 32 + 16) + 32 * 32
    total = attention + 3 * 48 * 32 + 3 * 32
    assert total == sum(tensor.n_elements for tensor in layer.tensors(32))
