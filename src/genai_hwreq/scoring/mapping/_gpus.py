"""What a case's name of a GPU tells about the program's memory.

Next: _transformers.
"""

from __future__ import annotations

import re
from functools import lru_cache

from genai_hwreq.catalog import get_accelerator, list_accelerators

__all__ = ["compute_capability"]


@lru_cache(maxsize=256)
def compute_capability(gpu: str | None) -> str | None:
    """Return the CUDA compute capability that every accelerator of that name shares, or `None` where none is known.

    Cases say `A100 80GB` where the catalog knows several such cards: what counts is what they have in common.
    """
    words = set(re.findall(r"[a-z0-9]+", (gpu or "").casefold()))
    if not words:
        return None
    cards = [get_accelerator(name) for name in list_accelerators() if words <= set(name.split("-"))]
    shared = {card.compute_capability for card in cards}
    return shared.pop() if len(shared) == 1 else None
