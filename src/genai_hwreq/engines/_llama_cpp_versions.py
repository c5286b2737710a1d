"""Which of llama.cpp's three ways with memory a version follows.

Next: _llama_cpp_caches.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Literal

__all__ = ["Era", "era_of"]

Era = Literal["2024", "2025", "2026"]
"""`2024`: one cache for all layers; `2025`: sliding-window caches and one stream a sequence; `2026`: compressed
latent caches, a compute buffer that is reserved for fewer outputs, the output layer offloaded first."""

_CACHES_SPLIT = (2025, 5)
_LATENT_KEYS = (2026, 3)
_BUILDS: tuple[tuple[int, Era], ...] = ((5400, "2024"), (8200, "2025"))
"""First build after each era: sliding-window caches came with b5400 (May 2025), the rest by b8200 (spring 2026)."""


@lru_cache(maxsize=64)
def era_of(version: str) -> Era:
    """Return the era of a version: `YYYY-MM` or a build number `bNNNN`; anything else counts as current.

    Examples:
        >>> era_of("2024-11"), era_of("b6100"), era_of("2026-10 (ggml 0.25.3)")
        ('2024', '2025', '2026')

    """
    month = re.match(r"(20\d\d)-(\d\d)", version)
    if month:
        date = int(month[1]), int(month[2])
        return "2024" if date < _CACHES_SPLIT else "2025" if date < _LATENT_KEYS else "2026"
    build = re.match(r"b(\d+)", version)
    if build:
        return next((era for limit, era in _BUILDS if int(build[1]) < limit), "2026")
    return "2026"
