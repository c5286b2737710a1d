"""A processor: cores, memory channels, and the instructions that matter for inference.

Next: _storage.
"""

from __future__ import annotations

from typing import Literal

from attrs import field, frozen

from genai_hwreq._types import Bytes
from genai_hwreq._validators import month, non_empty, one_of, optional_positive, positive, slug
from genai_hwreq.errors import QuantityError
from genai_hwreq.provenance import Source

__all__ = ["Cpu"]


@frozen(kw_only=True)
class Cpu:
    """A processor, as one socket holds it."""

    id: str = field(validator=slug)
    """Lower-case name that is unique in the catalog."""

    name: str = field(validator=non_empty)
    """Name as people write it."""

    vendor: str = field(validator=non_empty)
    """Who makes it, in lower case."""

    segment: Literal["desktop", "laptop", "workstation", "server"] = field(
        validator=one_of("desktop", "laptop", "workstation", "server")
    )
    """The sort of machine it is made for."""

    architecture: str = field(validator=non_empty)
    """Generation, as its maker names it."""

    n_cores: int = field(validator=positive)
    """Physical cores of every kind."""

    n_threads: int = field(validator=positive)
    """Hardware threads."""

    n_performance_cores: int | None = field(default=None, validator=optional_positive)
    """Fast cores, where there are two kinds."""

    n_efficient_cores: int | None = field(default=None, validator=optional_positive)
    """Small cores, where there are two kinds."""

    n_memory_channels: int = field(validator=positive)
    """Memory channels, as its maker counts them."""

    memory_types: tuple[str, ...] = field(validator=non_empty)
    """Memory it takes at its highest supported speed, fastest first."""

    max_memory_bytes: Bytes = field(validator=positive)
    """Most memory it takes."""

    bandwidth_bytes_per_s: Bytes = field(validator=positive)
    """Peak memory rate with every channel filled."""

    instruction_sets: tuple[str, ...] = ()
    """Of `avx2`, `avx512`, `avx512-vnni`, `avx512-bf16` and `amx`, those it has."""

    tdp_watts: int | None = field(default=None, validator=optional_positive)
    """Base power; `None` where its maker states none."""

    released_on: str | None = field(default=None, validator=month)
    """Month of release, `YYYY-MM`."""

    aliases: tuple[str, ...] = ()
    """Other names it is looked up by."""

    confidence: Literal["high", "medium", "low"] = field(
        default="high", validator=one_of("high", "medium", "low")
    )
    """How far the facts can be trusted: read, part recalled, recalled only."""

    sources: tuple[Source, ...] = field(validator=non_empty)
    """Where the facts come from."""

    notes: tuple[str, ...] = ()
    """What else one should know."""

    def __attrs_post_init__(self) -> None:
        """Refuse fewer threads than cores."""
        if self.n_threads < self.n_cores:
            msg = (
                f"{self.id} has {self.n_threads} threads on {self.n_cores} cores; expected one a core or more"
            )
            raise QuantityError(msg)
