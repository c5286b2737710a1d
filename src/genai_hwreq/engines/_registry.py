"""Engines by name: ours from a table, others from entry points."""

from __future__ import annotations

from difflib import get_close_matches
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, cast

from genai_hwreq.errors import UnknownNameError

if TYPE_CHECKING:
    from genai_hwreq.engines._protocol import Engine

__all__ = ["ENGINES", "engine_class", "get_engine"]

ENGINES: dict[str, str] = {
    "transformers": "transformers:Transformers",
    "diffusers": "diffusers:Diffusers",
}
"""Engine name → module of this package and class. A module is imported when its engine is first asked for."""


def get_engine(name: str) -> Engine:
    """Return an engine with its own default settings.

    Raises:
        UnknownNameError: when neither this library nor an installed entry point knows the name.

    Examples:
        >>> get_engine("transformers").name
        'transformers'

    """
    return _default(name.casefold().strip())


@cache
def _default(name: str) -> Engine:
    return engine_class(name)()


def engine_class(name: str) -> type[Engine]:
    """Return the class of an engine."""
    if name in ENGINES:
        module, _, attribute = ENGINES[name].partition(":")
        return cast("type[Engine]", getattr(import_module(f"genai_hwreq.engines.{module}"), attribute))
    return _third_party(name)


def _third_party(name: str) -> type[Engine]:
    from importlib.metadata import entry_points  # noqa: PLC0415  (searched for unknown names only)

    for entry in entry_points(group="genai_hwreq.engines", name=name):
        return cast("type[Engine]", entry.load())
    raise UnknownNameError("engine", name, get_close_matches(name, ENGINES, n=3))
