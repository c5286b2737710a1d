"""A family of decoders as data: its traits, its own field names, its defaults and its rules.

The common decoder reads common names; a family's table says how to get there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from attrs import Factory, evolve, frozen

from genai_hwreq.models import Tensor
from genai_hwreq.readers.hf_config._decoder import DecoderTraits, read_decoder
from genai_hwreq.readers.hf_config._fields import Fields
from genai_hwreq.readers.hf_config._windows import Windows, every_layer

if TYPE_CHECKING:
    from genai_hwreq.models import Transformer

__all__ = ["Family", "common_fields", "read_family"]


@frozen(kw_only=True)
class Family:
    """What a family's configuration class and layers do differently from Llama's."""

    traits: DecoderTraits = Factory(DecoderTraits)
    """Its stored vectors and names."""

    switches: Mapping[str, Mapping[str, Any]] = Factory(dict)
    """Configuration flag → traits that it changes when true."""

    names: Mapping[str, str] = Factory(dict)
    """Its own field names → the common ones."""

    defaults: Mapping[str, Any] = Factory(dict)
    """Values of common fields that are absent; a field that is there but null keeps its null."""

    derived: Callable[[Fields], Mapping[str, Any]] | None = None
    """Common fields that follow from others."""

    windows: Callable[[Fields], Windows] = every_layer
    """Each layer's window."""

    layer_weights: Callable[[Fields], tuple[Tensor, ...]] | None = None
    """Weights of each layer that the common decoder does not have."""

    embeddings: Callable[[Fields], tuple[Tensor, ...]] | None = None
    """Weights beside the token embedding, such as learned positions."""


def common_fields(fields: Fields, family: Family) -> Fields:
    """Return the configuration under common names, with the family's defaults."""
    config = dict(fields.config)
    for own, common in family.names.items():
        if config.get(own) is not None:
            config[common] = config[own]
    for name, value in family.defaults.items():
        config.setdefault(name, value)
    renamed = Fields(config)
    if family.derived is None:
        return renamed
    return Fields({**config, **family.derived(renamed)})


def read_family(fields: Fields, family: Family) -> Transformer:
    """Read a decoder of the family."""
    fields = common_fields(fields, family)
    traits = family.traits
    for flag, changes in family.switches.items():
        if fields.flag(flag, default=False):
            traits = evolve(traits, **changes)
    extra = family.layer_weights(fields) if family.layer_weights is not None else ()
    decoder = read_decoder(fields, traits, windows=family.windows(fields), extra=extra)
    if family.embeddings is None:
        return decoder
    return evolve(decoder, embeddings=decoder.embeddings + family.embeddings(fields))
