"""The kinds of model: a transformer, a pipeline of networks, one known by size only, a hosted one.

Next: inventory.
"""

from __future__ import annotations

from attrs import field, frozen

from genai_hwreq._validators import non_empty, optional_positive, positive
from genai_hwreq.models._identity import Identity
from genai_hwreq.models._transformer import Transformer

__all__ = ["HostedModel", "SizedModel", "SizedNetwork", "Tower", "TransformerModel"]


@frozen(kw_only=True, cache_hash=True)
class Tower:
    """A network beside the decoder: a vision or audio encoder with its projector, an encoder of text."""

    role: str = field(validator=non_empty)
    """What it reads: `vision`, `audio`, `text`, `projector`, `prediction` (extra token predictors)."""

    network: Transformer
    """Its layers, with the projector to the decoder's width among its closing weights."""

    stream_tokens: int | None = field(default=None, validator=optional_positive)
    """Patches or frames that pass its layers for one input of its usual size; `None` where that is not known."""

    output_tokens: int | None = field(default=None, validator=optional_positive)
    """Tokens that one such input becomes in the decoder; `None` where that is not known."""


@frozen(kw_only=True, cache_hash=True)
class TransformerModel:
    """A model that is one decoder, with towers beside it if it sees, hears or encodes."""

    identity: Identity
    """Who it is."""

    decoder: Transformer
    """The network that produces tokens (for an encoder-only model: its one network)."""

    towers: tuple[Tower, ...] = ()
    """Networks beside the decoder."""

    native_format: str = "bf16"
    """Weight format of the published checkpoint."""

    context_tokens: int | None = field(default=None, validator=optional_positive)
    """Longest context the model was made for; `None` where it is not known."""


@frozen(kw_only=True)
class SizedNetwork:
    """A network of which only the number of parameters is known."""

    role: str = field(validator=non_empty)
    """What it does in its model."""

    name: str = field(validator=non_empty)
    """What it is called."""

    n_params: int = field(validator=positive)
    """Number of parameters, counted or stated."""


@frozen(kw_only=True, cache_hash=True)
class SizedModel:
    """A model of which the parts' sizes are known, but not their architecture."""

    identity: Identity
    """Who it is."""

    networks: tuple[SizedNetwork, ...] = field(validator=non_empty)
    """Its parts; one where even those are not known."""

    native_format: str = "bf16"
    """Weight format of the published checkpoint."""


@frozen(kw_only=True, cache_hash=True)
class HostedModel:
    """A model reached by its maker's API only: it asks nothing of local hardware."""

    identity: Identity
    """Who it is."""
