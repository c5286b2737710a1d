"""Where facts come from: records by name."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from genai_hwreq.catalog._catalog import Catalog

if TYPE_CHECKING:
    from genai_hwreq.formats import Format
    from genai_hwreq.hardware import Accelerator, Cpu, Machine, Tier
    from genai_hwreq.models import Model

__all__ = [
    "Catalog",
    "get_accelerator",
    "get_cpu",
    "get_format",
    "get_machine",
    "get_model",
    "get_tier",
    "list_accelerators",
    "list_formats",
    "list_models",
]


@lru_cache(maxsize=1024)
def get_model(name: str) -> Model:
    """Return a model of the shipped catalog by id, alias or Hub id, in any case and punctuation.

    Raises:
        UnknownNameError: when no model bears the name; close names are suggested.

    Examples:
        >>> get_model("Llama 2 7B").identity.hub_id
        'meta-llama/Llama-2-7b-hf'

    """
    return Catalog.default().model(name)


@lru_cache(maxsize=1024)
def get_format(name: str) -> Format:
    """Return a weight format of the shipped catalog by id or alias.

    Raises:
        UnknownNameError: when no format bears the name; close names are suggested.
    """
    return Catalog.default().format(name)


def get_accelerator(name: str) -> Accelerator:
    """Return an accelerator of the shipped catalog by id or alias.

    Raises:
        UnknownNameError: when no accelerator bears the name; close names are suggested.
    """
    return Catalog.default().accelerator(name)


def get_cpu(name: str) -> Cpu:
    """Return a processor of the shipped catalog by id or alias.

    Raises:
        UnknownNameError: when no processor bears the name; close names are suggested.
    """
    return Catalog.default().cpu(name)


def get_machine(name: str) -> Machine:
    """Return a machine of the shipped catalog by id or alias.

    Raises:
        UnknownNameError: when no machine bears the name; close names are suggested.
    """
    return Catalog.default().machine(name)


def get_tier(name: str) -> Tier:
    """Return a tier of the shipped catalog by id or alias.

    Raises:
        UnknownNameError: when no tier bears the name; close names are suggested.
    """
    return Catalog.default().tier(name)


def list_models() -> tuple[str, ...]:
    """Return the ids of every model that ships."""
    return Catalog.default().ids("model")


def list_accelerators() -> tuple[str, ...]:
    """Return the ids of every accelerator that ships."""
    return Catalog.default().ids("accelerator")


def list_formats() -> tuple[str, ...]:
    """Return the ids of every weight format that ships."""
    return Catalog.default().ids("format")
