"""Feed-forward kinds: dense networks and mixtures of experts.

Next: _state_space.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import Factory, field, frozen

from genai_hwreq._validators import count, non_empty, positive
from genai_hwreq.errors import QuantityError
from genai_hwreq.models._tensor import Role, Tensor, matrix

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Dense", "Experts"]


@frozen(kw_only=True)
class Dense:
    """A feed-forward network that every token passes."""

    intermediate_dim: int = field(validator=positive)
    """Width between the two projections."""

    gated: bool = True
    """Whether a gate projection multiplies the up projection (SwiGLU and kin)."""

    activation: str = field(default="silu", validator=non_empty)
    """The non-linearity, spelled as in the Hub configuration."""

    up_bias: bool = False
    """Whether the gate and up projections have biases."""

    down_bias: bool = Factory(lambda self: self.up_bias, takes_self=True)
    """Whether the down projection has a bias; as the up projection unless stated."""

    fused: bool = False
    """Whether gate and up are one stored matrix."""

    stored: bool = True
    """Whether the weights are stored with this layer; not where an earlier layer's are used again (Zamba)."""

    def tensors(self, hidden_dim: int) -> Iterator[Tensor]:
        """Yield the stored weights for a stream of `hidden_dim` elements."""
        if not self.stored:
            return
        rows = self.intermediate_dim
        if self.gated and self.fused:
            yield from matrix("gate_up_proj", "ffn_gate_up", 2 * rows, hidden_dim, has_bias=self.up_bias)
        else:
            if self.gated:
                yield from matrix("gate_proj", "ffn_gate", rows, hidden_dim, has_bias=self.up_bias)
            yield from matrix("up_proj", "ffn_up", rows, hidden_dim, has_bias=self.up_bias)
        yield from matrix("down_proj", "ffn_down", hidden_dim, rows, has_bias=self.down_bias)


@frozen(kw_only=True)
class Experts:
    """A mixture of experts: a router sends each token to a few of many feed-forward networks."""

    n_experts: int = field(validator=positive)
    """Routed experts stored."""

    n_experts_per_token: int = field(validator=positive)
    """Routed experts that one token passes."""

    intermediate_dim: int = field(validator=positive)
    """Width inside one routed expert."""

    gated: bool = True
    """Whether an expert has a gate projection."""

    activation: str = field(default="silu", validator=non_empty)
    """The non-linearity, spelled as in the Hub configuration."""

    has_bias: bool = False
    """Whether an expert's projections have biases."""

    fused: bool = False
    """Whether an expert's gate and up are one stored matrix."""

    router_bias: bool = False
    """Whether the router stores a bias or a correction per expert as a parameter."""

    n_zero_experts: int = field(default=0, validator=count)
    """Experts that hand their input on: the router has rows for them, but they have no weights."""

    shared_dim: int = field(default=0, validator=count)
    """Width of the shared expert that every token passes; zero without one."""

    shared_bias: bool = False
    """Whether the shared expert's projections have biases."""

    shared_gate: bool = False
    """Whether the shared expert's output is scaled by a learned gate."""

    latent_dim: int = field(default=0, validator=count)
    """Width into which tokens are projected before the experts; zero where they keep the stream's width."""

    def __attrs_post_init__(self) -> None:
        """Refuse more active experts than there are."""
        choices = self.n_experts + self.n_zero_experts
        if self.n_experts_per_token > choices:
            msg = f"n_experts_per_token is {self.n_experts_per_token}; expected at most n_experts, {choices}"
            raise QuantityError(msg)

    def tensors(self, hidden_dim: int) -> Iterator[Tensor]:
        """Yield the stored weights for a stream of `hidden_dim` elements."""
        choices = self.n_experts + self.n_zero_experts
        yield Tensor("gate.weight", "router", (choices, hidden_dim))
        if self.router_bias:
            yield Tensor("gate.bias", "bias", (choices,))
        yield from self._routed(self.latent_dim or hidden_dim)
        if self.latent_dim:
            yield from matrix("latent_down", "projection", self.latent_dim, hidden_dim)
            yield from matrix("latent_up", "projection", hidden_dim, self.latent_dim)
        if self.shared_dim:
            shared = Dense(
                intermediate_dim=self.shared_dim,
                gated=self.gated,
                activation=self.activation,
                up_bias=self.shared_bias,
            )
            yield from shared.tensors(hidden_dim)
        if self.shared_gate:
            yield Tensor("shared_expert_gate.weight", "router", (1, hidden_dim))

    def _routed(self, hidden_dim: int) -> Iterator[Tensor]:
        rows = self.intermediate_dim
        if self.gated and self.fused:
            yield from self._expert_matrix("gate_up_proj", "expert_gate_up", 2 * rows, hidden_dim)
        else:
            if self.gated:
                yield from self._expert_matrix("gate_proj", "expert_gate", rows, hidden_dim)
            yield from self._expert_matrix("up_proj", "expert_up", rows, hidden_dim)
        yield from self._expert_matrix("down_proj", "expert_down", hidden_dim, rows)

    def _expert_matrix(self, name: str, role: Role, rows: int, columns: int) -> Iterator[Tensor]:
        yield Tensor(f"experts.{name}.weight", role, (self.n_experts, rows, columns))
        if self.has_bias:
            yield Tensor(f"experts.{name}.bias", "bias", (self.n_experts, rows))
