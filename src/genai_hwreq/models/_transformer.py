"""A network of layers: embeddings, runs of equal layers, what closes it, and its head.

Next: _identity.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Literal

from attrs import field, frozen

from genai_hwreq._validators import count, non_empty, positive
from genai_hwreq.models._attention import Attention, CrossAttention, LatentAttention
from genai_hwreq.models._compressed_attention import CompressedAttention
from genai_hwreq.models._feed_forward import Dense, Experts
from genai_hwreq.models._state_space import StateSpace
from genai_hwreq.models._tensor import Norm, Tensor

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["FeedForward", "Layer", "LayerRun", "Mixer", "Transformer"]

Mixer = Attention | LatentAttention | CompressedAttention | CrossAttention | StateSpace
"""What lets tokens see each other in a layer."""

FeedForward = Dense | Experts
"""What every token passes on its own."""


@frozen(kw_only=True, cache_hash=True)
class Layer:
    """One layer: its mixers, its feed-forward networks, its normalisations."""

    mixers: tuple[Mixer, ...] = ()
    """Usually one; two where attention and a state space work side by side, or with cross-attention."""

    feed_forward: tuple[FeedForward, ...] = ()
    """Usually one; none in layers that only mix, two where a dense network stands beside experts."""

    norms: tuple[Norm, ...] = ()
    """Normalisations of the stream."""

    residual: Literal["sequential", "parallel"] = "sequential"
    """Whether mixer and feed-forward network read the same input and are added together."""

    extra: tuple[Tensor, ...] = ()
    """Weights of this layer that no other field holds; those with an expert's role are ones no token is sent to."""

    def tensors(self, hidden_dim: int) -> Iterator[Tensor]:
        """Yield the stored weights of one such layer."""
        for part in (*self.mixers, *self.feed_forward):
            yield from part.tensors(hidden_dim)
        for norm in self.norms:
            yield from norm.tensors()
        yield from self.extra


@frozen(kw_only=True, cache_hash=True)
class LayerRun:
    """Equal layers that follow one another."""

    layer: Layer
    """What each of them is."""

    n_layers: int = field(validator=positive)
    """How many of them."""


@frozen(kw_only=True, cache_hash=True)
class Transformer:
    """A network of layers over one stream of tokens (or patches, or frames)."""

    model_type: str = field(validator=non_empty)
    """The implementation it belongs to, spelled as in the Hub configuration; engines treat some differently."""

    hidden_dim: int = field(validator=positive)
    """Width of the stream."""

    vocab_size: int = field(default=0, validator=count)
    """Width of the logits; zero for a network without a head."""

    embeddings: tuple[Tensor, ...] = ()
    """What turns input into the stream: token and position embeddings, patch convolutions."""

    layers: tuple[LayerRun, ...] = field(validator=non_empty)
    """All layers, first to last, as runs of equal ones."""

    closing: tuple[Tensor, ...] = ()
    """Weights after the last layer and before the head: final normalisation, projections."""

    head: tuple[Tensor, ...] = ()
    """What turns the stream into logits; empty where the embedding serves (tied) or there is no head."""

    @cached_property
    def n_layers(self) -> int:
        """Number of layers."""
        return sum(run.n_layers for run in self.layers)

    @property
    def tied(self) -> bool:
        """Whether the token embedding also serves as the head."""
        return bool(self.vocab_size) and not any(tensor.role == "head" for tensor in self.head)
