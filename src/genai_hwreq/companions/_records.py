"""The kinds of companion, as users write them.

Next: _parts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from attrs import field, frozen
from attrs.validators import optional

from genai_hwreq._validators import non_empty, one_of, positive
from genai_hwreq.engines import Engine
from genai_hwreq.estimates import Estimate
from genai_hwreq.formats import Format
from genai_hwreq.models import Model

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Accompanying", "Adapter", "Companion", "Draft", "Projector"]


def _words(value: Iterable[str]) -> tuple[str, ...]:
    return tuple(value)


@frozen(kw_only=True)
class Adapter:
    """Low-rank adapters (LoRA) that are loaded beside the weights and not merged into them.

    Examples:
        >>> Adapter(rank=32, targets=("q_proj", "v_proj")).rank
        32

    """

    name: str = field(default="adapter", validator=non_empty)
    """What its components are called after."""

    rank: int = field(default=16, validator=positive)
    """Width of the adapters."""

    targets: tuple[str, ...] = field(default=("all-linear",), converter=_words, validator=non_empty)
    """Matrices that have one, as the model's checkpoint names them; `all-linear`: all but the head and the experts."""

    dtype: Literal["fp32", "bf16", "fp16"] | None = field(
        default=None, validator=optional(one_of("fp32", "bf16", "fp16"))
    )
    """Type they are held in; `None`: as the engine does, 32 bit in transformers and 16 bit elsewhere."""


@frozen(kw_only=True)
class Draft:
    """A small model that proposes tokens which the large one checks (speculative decoding).

    It reads the same sequences, and so keeps a cache of the same length.

    Examples:
        >>> Draft(model="llama-3.2-1b", precision="q8_0").name
        'draft'

    """

    name: str = field(default="draft", validator=non_empty)
    """What its components are called after."""

    model: str | int | Model
    """A name of the catalog, a number of parameters or a record."""

    precision: str | Format | None = None
    """Weight format or recipe; `None`: the model's native one."""

    engine: str | Engine | None = None
    """The same program with settings of its own; `None`: with the large model's settings."""


@frozen(kw_only=True)
class Projector:
    """A vision or audio tower with its projector, in a file of its own beside the decoder (`mmproj` in llama.cpp)."""

    name: str = field(default="projector", validator=non_empty)
    """What its components are called after."""

    dtype: Literal["fp32", "bf16", "fp16"] = field(default="fp16", validator=one_of("fp32", "bf16", "fp16"))
    """Type of its matrices; vectors are in 32 bit."""


@frozen(kw_only=True)
class Companion:
    """Anything else that shares the devices, by its own estimate."""

    name: str = field(validator=non_empty)
    """What its components are called after."""

    estimate: Estimate
    """What it needs by itself."""


Accompanying = Adapter | Draft | Projector | Companion
"""Anything that `estimate_vram(companions=…)` takes."""
