"""The working memory of one forward pass, as explained components: prefill, and one step of decoding."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from genai_hwreq.engines._moments import largest_moment

if TYPE_CHECKING:
    from genai_hwreq.engines._held import Pass
    from genai_hwreq.estimates import Component
    from genai_hwreq.models import Transformer

__all__ = ["pass_components"]


@lru_cache(maxsize=2048)
def pass_components(network: Transformer, run: Pass) -> tuple[Component, ...]:
    """Return what a pass holds at its largest moment, beside weights and caches."""
    return largest_moment(network, run).components(run)
