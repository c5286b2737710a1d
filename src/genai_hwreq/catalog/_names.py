"""How names are compared: case and punctuation do not matter."""

from __future__ import annotations

import re
from difflib import get_close_matches
from typing import TYPE_CHECKING

from genai_hwreq.errors import AmbiguousNameError, UnknownNameError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["find_id", "folded", "squeezed"]

_PUNCTUATION = re.compile(r"[^a-z0-9]+")


def folded(name: str) -> str:
    """Fold case, and every run of punctuation to one dash.

    Examples:
        >>> folded("Llama 2 (7B)"), folded("llama_2.7b")
        ('llama-2-7b', 'llama-2-7b')

    """
    return _PUNCTUATION.sub("-", name.casefold()).strip("-")


def squeezed(name: str) -> str:
    """Fold case and drop punctuation; this joins names that differ (`qwen2-57b`, `qwen2.5-7b`), so it comes second.

    Examples:
        >>> squeezed("GPT-2 XL")
        'gpt2xl'

    """
    return _PUNCTUATION.sub("", name.casefold())


def find_id(kind: str, name: str, ids: Mapping[str, str]) -> str:
    """Return the id that a name means, by its folded form first and by its squeezed form where that is unique.

    A Hub id whose maker is not known is taken for a copy of the model that it names.

    Args:
        kind: what is looked for, for the error.
        name: what the user wrote.
        ids: every known folded name with the id it means.

    Raises:
        UnknownNameError: when nothing bears the name; close names are suggested.
        AmbiguousNameError: when only the squeezed form is known, and it means several.

    """
    exact = ids.get(folded(name)) or ids.get(folded(name.rpartition("/")[2]))
    if exact is not None:
        return exact
    squeezed_name = squeezed(name)
    candidates = sorted({known for key, known in ids.items() if key.replace("-", "") == squeezed_name})
    if len(candidates) == 1:
        return candidates[0]
    if candidates:
        raise AmbiguousNameError(kind, name, candidates)
    raise UnknownNameError(kind, name, _suggestions(folded(name), ids))


def _suggestions(name: str, ids: Mapping[str, str]) -> list[str]:
    """Return ids whose names hold this one whole, shortest first, and after them ids with a name close to it."""
    holding = [key for key in sorted(ids, key=lambda key: (len(key), key)) if f"-{name}-" in f"-{key}-"] if name else []
    close = get_close_matches(name, ids, n=6, cutoff=0.5)
    return list(dict.fromkeys(ids[key] for key in (*holding, *close)))[:3]
