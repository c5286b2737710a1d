"""JSON objects from files that nobody has checked: bounded in size and items, and no name twice where that would hide something."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from genai_hwreq.errors import FileFormatError
from genai_hwreq.readers._weight_files import shown

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["json_object"]

_MOST_ITEMS = 2**20
"""Values of one document: a header of as many tensors as a file may have stays below."""


def json_object(path: Path, data: bytes, expected: str, *, repeatable: bool = False) -> dict[str, Any]:
    """Parse one JSON object; if it is `repeatable`, of two entries with one name the last counts, as usual in JSON.

    Raises:
        FileFormatError: when the bytes are no JSON object, hold a name twice, or more values than any real file.
    """
    import json  # noqa: PLC0415  (only files need it)

    # A list or an entry takes two bytes here and some sixty in memory: count before anything is made of them.
    if sum(data.count(mark) for mark in (b",", b"[", b"{")) > _MOST_ITEMS:
        raise FileFormatError(str(path), f"holds more than {_MOST_ITEMS} values; expected {expected}")
    try:
        parsed = json.loads(data, object_pairs_hook=None if repeatable else _without_repetition)
    except (ValueError, RecursionError) as error:
        raise FileFormatError(str(path), f"is not JSON: {error}; expected {expected}") from error
    if not isinstance(parsed, dict):
        raise FileFormatError(str(path), f"holds a {type(parsed).__name__}; expected an object: {expected}")
    return parsed


def _without_repetition(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        seen: set[str] = set()
        repeated = next(name for name, _ in pairs if name in seen or seen.add(name))  # type: ignore[func-returns-value]
        msg = f"{shown(repeated)} stands twice in one object"
        raise ValueError(msg)
    return found
