"""Who a model is: names, maker, licence, sources.

Next: _model.
"""

from __future__ import annotations

from typing import Literal

from attrs import field, frozen

from genai_hwreq._validators import non_empty
from genai_hwreq.provenance import Source

__all__ = ["Availability", "Confidence", "Identity"]

Availability = Literal["open", "gated", "hosted"]
"""Whether the weights can be had by anyone, after accepting terms, or not at all (an API only)."""

Confidence = Literal["high", "medium", "low"]
"""How far the facts can be trusted: read or reproduced, part from memory, size only."""


@frozen(kw_only=True)
class Identity:
    """What a model is called and where its facts come from."""

    id: str = field(validator=non_empty)
    """Lower-case name that is unique in the catalog."""

    name: str = field(validator=non_empty)
    """Name as people write it."""

    developer: str = ""
    """Who made it."""

    family: str = ""
    """The family it belongs to."""

    hub_id: str | None = None
    """Its id on the Hub."""

    aliases: tuple[str, ...] = ()
    """Other names it is looked up by."""

    modality: str = "text"
    """What it takes and makes: text, text+image, image, video, audio, multimodal."""

    tasks: tuple[str, ...] = ()
    """What it is used for."""

    released_on: str | None = None
    """Month of release, `YYYY-MM`."""

    availability: Availability = "open"
    """Whether the weights can be had."""

    licence: str | None = None
    """Licence as its maker names it; left out where we are not sure."""

    confidence: Confidence = "high"
    """How far the facts can be trusted."""

    note: str | None = None
    """What the reader should know about the entry."""

    sources: tuple[Source, ...] = ()
    """Where the facts were read. The catalog demands at least one; a record of your own may have none."""
