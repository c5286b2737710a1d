"""How much memory a case's GPU reports.

Next: _serving.
"""

from __future__ import annotations

import re
from functools import lru_cache

from genai_hwreq.catalog import get_accelerator, list_accelerators

__all__ = ["reported_bytes"]


@lru_cache(maxsize=256)
def reported_bytes(gpu: str | None) -> int | None:
    """Return the memory a driver reports for a GPU of that name, or `None` where none is known.

    Of several cards of a name the one with the shortest name is meant: `RTX 4090` is not the laptop's.
    """
    words = set(re.findall(r"[a-z0-9]+", (gpu or "").casefold()))
    ids = [name for name in list_accelerators() if words <= set(name.split("-"))]
    if not words or not ids:
        return None
    card = get_accelerator(min(ids, key=lambda name: (name.count("-"), name)))
    return card.reported_memory_bytes or card.memory_bytes
