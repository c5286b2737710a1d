"""Mixers with a state of fixed size: state spaces, linear attention, short convolutions, recurrences.

One record serves them all: their weights are listed, their state is stated in elements. What a state costs
does not grow with the context, which is the point of these layers.

Next: _transformer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from attrs import Factory, field, frozen

from genai_hwreq._validators import count, positive

if TYPE_CHECKING:
    from collections.abc import Iterator

from genai_hwreq.models._tensor import Tensor

__all__ = ["StateSpace", "StateSpaceKind"]

StateSpaceKind = Literal[
    "mamba",
    "mamba2",
    "gated_delta_net",
    "kimi_delta_attention",
    "lightning_attention",
    "mlstm",
    "rg_lru",
    "rwkv",
    "short_convolution",
]
"""Which recurrence it is."""


def _conv_channels(mixer: StateSpace) -> int:
    return mixer.inner_dim + 2 * mixer.n_groups * mixer.state_dim if mixer.conv_kernel else 0


@frozen(kw_only=True)
class StateSpace:
    """A mixer that carries a state of fixed size from token to token.

    Examples:
        >>> layer = StateSpace(
        ...     kind="mamba2",
        ...     inner_dim=8192,
        ...     n_heads=128,
        ...     head_dim=64,
        ...     n_groups=8,
        ...     state_dim=128,
        ...     conv_kernel=4,
        ... )
        >>> layer.conv_channels, layer.state_elements
        (10240, 1048576)

    """

    kind: StateSpaceKind
    """Which recurrence it is; engines differ in what they keep for each."""

    inner_dim: int = field(validator=positive)
    """Width of the recurrence's stream: all (value) heads together."""

    n_heads: int = field(default=1, validator=positive)
    """Heads of the recurrence, value heads where keys and values differ; one where it has no heads."""

    head_dim: int = field(
        default=Factory(lambda self: self.inner_dim // self.n_heads, takes_self=True), validator=count
    )
    """Width of one (value) head; an even share of `inner_dim` unless stated."""

    n_groups: int = field(default=0, validator=count)
    """Groups of heads that share B and C (Mamba-2), key heads of linear attention; zero where neither exists."""

    state_dim: int = field(default=0, validator=count)
    """State elements an element of the stream carries: Mamba's state size, the key head's width of linear attention."""

    conv_kernel: int = field(default=0, validator=count)
    """Length of the short convolution before the recurrence; zero without one."""

    conv_channels: int = field(default=Factory(_conv_channels, takes_self=True), validator=count)
    """Channels of that convolution; the stream's and those of all groups' B and C (or queries and keys) unless stated."""

    state_elements: int = field(
        default=Factory(lambda self: self.inner_dim * self.state_dim, takes_self=True), validator=count
    )
    """Elements of the recurrent state of one sequence in one layer, without the convolution's."""

    shift_elements: int = field(default=0, validator=count)
    """Elements kept of the last token alone, to be mixed with the next one (RWKV's token shift)."""

    chunk_tokens: int = field(default=0, validator=count)
    """Tokens that a long input is worked through at a time; zero where it is not cut."""

    weights: tuple[Tensor, ...] = ()
    """All stored weights of the mixer."""

    def tensors(self, hidden_dim: int) -> Iterator[Tensor]:  # noqa: ARG002  (the weights are listed in full)
        """Yield the stored weights; they are listed in full, so the stream's width is not needed."""
        yield from self.weights
