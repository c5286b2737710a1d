"""A model's base and its tuned variants share one architecture: either stands for the other where memory is asked.

Next: predicting.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

from genai_hwreq.catalog import list_models

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["same_architecture"]

_STAGES = frozenset({"base", "chat", "hd", "hf", "instruct", "instr", "it", "preview", "pt", "sft"})
"""Words of a name that tell how far a model was trained, not what it is."""

_PROGRESS = re.compile(r"v?\d+(\.\d+)+|\d+(\.\d+)?[kt]|intermediate|step|v\d+")
"""Words that count versions, steps and tokens of training."""


def same_architecture(name: str) -> str | None:
    """Return the catalog's name of a variant with the same architecture, or `None` where there is not exactly one.

    Examples:
        >>> same_architecture("meta-llama/Llama-3.2-3B-Instruct")
        'llama-3.2-3b'

    """
    for bare in (_without_stages, _without_progress):
        found = _by_architecture(bare).get(bare(name), ())
        if len(found) == 1:
            return found[0]
    return None


def _words(name: str) -> list[str]:
    return re.split(r"[-_ ]+", name.rpartition("/")[2].casefold())


def _without_stages(name: str) -> str:
    return "-".join(word for word in _words(name) if word not in _STAGES)


def _without_progress(name: str) -> str:
    words = (word for word in _words(name) if word not in _STAGES)
    return "-".join(word for word in words if not _PROGRESS.fullmatch(word))


@lru_cache(maxsize=2)
def _by_architecture(bare: Callable[[str], str]) -> dict[str, tuple[str, ...]]:
    names: dict[str, tuple[str, ...]] = {}
    for name in list_models():
        key = bare(name)
        names[key] = (*names.get(key, ()), name)
    return names
