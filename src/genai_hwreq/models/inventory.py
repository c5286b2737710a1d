"""All stored weight tensors of a network, by role and layer: the parameter count follows from them.

Next: formats.
"""

from __future__ import annotations

from functools import cached_property, lru_cache
from typing import TYPE_CHECKING

from attrs import field, frozen

from genai_hwreq._validators import positive
from genai_hwreq.models._feed_forward import Experts
from genai_hwreq.models._tensor import Tensor

if TYPE_CHECKING:
    from collections.abc import Iterator

    from genai_hwreq.models._model import TransformerModel
    from genai_hwreq.models._transformer import LayerRun, Transformer

__all__ = ["Inventory", "TensorGroup", "model_inventory", "n_active_params", "transformer_inventory"]


@frozen(kw_only=True)
class TensorGroup:
    """Tensors that occur together, once or in each of several equal layers."""

    name: str
    """`embeddings`, `layers`, `closing` or `head`; a tower's groups carry its role before a dot."""

    first_layer: int = 0
    """Index of the first layer that holds them."""

    n_copies: int = field(default=1, validator=positive)
    """How many layers hold them."""

    tensors: tuple[Tensor, ...]
    """The tensors of one copy."""

    @property
    def n_params(self) -> int:
        """Number of parameters in all copies."""
        return self.n_copies * sum(tensor.n_elements for tensor in self.tensors)


@frozen(kw_only=True, cache_hash=True)
class Inventory:
    """Every stored weight of a network or model."""

    groups: tuple[TensorGroup, ...]
    """The tensors, grouped by where they stand."""

    @cached_property
    def n_params(self) -> int:
        """Number of parameters, tied ones counted once."""
        return sum(group.n_params for group in self.groups)

    def __iter__(self) -> Iterator[tuple[Tensor, int]]:
        """Yield each distinct tensor with its number of copies."""
        for group in self.groups:
            for tensor in group.tensors:
                yield tensor, group.n_copies


@lru_cache(maxsize=512)
def transformer_inventory(network: Transformer, prefix: str = "") -> Inventory:
    """List the weights of one network."""
    groups = [
        TensorGroup(name=prefix + name, tensors=tensors)
        for name, tensors in (("embeddings", network.embeddings), ("closing", network.closing), ("head", network.head))
        if tensors
    ]
    first_layer = 0
    for run in network.layers:
        groups.append(_run_group(run, first_layer, network.hidden_dim, prefix))
        first_layer += run.n_layers
    return Inventory(groups=tuple(groups))


def _run_group(run: LayerRun, first_layer: int, hidden_dim: int, prefix: str) -> TensorGroup:
    tensors = tuple(run.layer.tensors(hidden_dim))
    return TensorGroup(name=prefix + "layers", first_layer=first_layer, n_copies=run.n_layers, tensors=tensors)


@lru_cache(maxsize=512)
def model_inventory(model: TransformerModel) -> Inventory:
    """List the weights of a whole model: its decoder and its towers."""
    groups = list(transformer_inventory(model.decoder).groups)
    for tower in model.towers:
        groups.extend(transformer_inventory(tower.network, f"{tower.role}.").groups)
    return Inventory(groups=tuple(groups))


def n_active_params(model: TransformerModel) -> int:
    """Return the parameters that one token passes: all but the experts it is not sent to."""
    idle = sum(run.n_layers * _idle_layer_params(run, model.decoder.hidden_dim) for run in model.decoder.layers)
    return model_inventory(model).n_params - idle


def _idle_layer_params(run: LayerRun, hidden_dim: int) -> int:
    experts = (part for part in run.layer.feed_forward if isinstance(part, Experts))
    spare = sum(tensor.n_elements for tensor in run.layer.extra if tensor.role.startswith("expert_"))
    return spare + sum(_idle_params(part, hidden_dim) for part in experts)


def _idle_params(experts: Experts, hidden_dim: int) -> int:
    stored = sum(tensor.n_elements for tensor in experts.tensors(hidden_dim) if tensor.name.startswith("experts."))
    return stored * max(0, experts.n_experts - experts.n_experts_per_token) // experts.n_experts
