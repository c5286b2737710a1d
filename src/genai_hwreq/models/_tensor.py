"""One stored weight tensor and one normalisation: the atoms of an inventory.

Next: _attention.
"""

from __future__ import annotations

from math import prod
from typing import Literal

from attrs import field, frozen

from genai_hwreq._validators import non_empty, positive

__all__ = ["MATRIX_ROLES", "Norm", "Role", "Tensor", "bias", "matrix"]

Role = Literal[
    "embedding",
    "position_embedding",
    "head",
    "norm",
    "bias",
    "attention_q",
    "attention_k",
    "attention_v",
    "attention_qkv",
    "attention_output",
    "ffn_gate",
    "ffn_up",
    "ffn_gate_up",
    "ffn_down",
    "expert_gate",
    "expert_up",
    "expert_gate_up",
    "expert_down",
    "router",
    "projection",
    "convolution",
    "state",
]
"""What a tensor does. Recipes give each role its own block type."""

MATRIX_ROLES: frozenset[Role] = frozenset(
    {
        "attention_q",
        "attention_k",
        "attention_v",
        "attention_qkv",
        "attention_output",
        "ffn_gate",
        "ffn_up",
        "ffn_gate_up",
        "ffn_down",
        "expert_gate",
        "expert_up",
        "expert_gate_up",
        "expert_down",
        "projection",
    }
)
"""Roles of linear layers inside the network: what a quantised format shrinks."""


@frozen
class Tensor:
    """A stored weight tensor: its name, what it does and its exact shape."""

    name: str = field(validator=non_empty)
    """Name inside its layer, spelled as in the Hub checkpoint where it has one."""

    role: Role
    """What it does."""

    shape: tuple[int, ...] = field(validator=non_empty)
    """Sizes, outermost first; the last one is the row that block formats cut into blocks."""

    @property
    def n_elements(self) -> int:
        """Number of stored elements."""
        return prod(self.shape)

    @property
    def n_rows(self) -> int:
        """Number of rows: the product of all sizes but the last."""
        return prod(self.shape[:-1])

    @property
    def row_elements(self) -> int:
        """Elements of one row."""
        return self.shape[-1]


@frozen(kw_only=True)
class Norm:
    """A normalisation and the weights it stores."""

    name: str = field(validator=non_empty)
    """Name inside its layer."""

    dim: int = field(validator=positive)
    """Width of the weight vector."""

    kind: Literal["rms", "layer"] = "rms"
    """Root-mean-square or layer normalisation."""

    weight: bool = True
    """Whether a weight vector is stored (OLMo stores none)."""

    bias: bool = False
    """Whether a bias vector is stored."""

    def tensors(self) -> tuple[Tensor, ...]:
        """Return the stored vectors."""
        weights = (Tensor(f"{self.name}.weight", "norm", (self.dim,)),) if self.weight else ()
        biases = (Tensor(f"{self.name}.bias", "bias", (self.dim,)),) if self.bias else ()
        return weights + biases


def matrix(name: str, role: Role, rows: int, columns: int, *, has_bias: bool = False) -> tuple[Tensor, ...]:
    """Return a linear layer's weight of `rows` outputs by `columns` inputs, and its bias if it has one."""
    weight = Tensor(f"{name}.weight", role, (rows, columns))
    return (weight, bias(name, rows)) if has_bias else (weight,)


def bias(name: str, rows: int) -> Tensor:
    """Return the bias vector of a linear layer."""
    return Tensor(f"{name}.bias", "bias", (rows,))
