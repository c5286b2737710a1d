"""Weight formats that an engine runs on a device, lighter than the one asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import evolve

from genai_hwreq.catalog import get_format, list_formats
from genai_hwreq.formats import Format, RecipeFormat, WeightFormat

if TYPE_CHECKING:
    from collections.abc import Iterable

    from genai_hwreq.engines import Engine, Request
    from genai_hwreq.hardware import Accelerator

__all__ = ["lighter_formats"]


def lighter_formats(request: Request, engine: Engine, device: Accelerator) -> tuple[Format, ...]:
    """Return one format for each whole number of bits below the one asked for, from many bits to few.

    Of those with as many whole bits it is the one that most programs run, for then others publish files in it, and of
    these the most exact. Where an engine has file types with rules of their own (GGUF), only these count, not their
    block types alone.
    """
    asked_bits = request.weight_format.bits_per_weight
    known = [
        each
        for each in map(get_format, list_formats())
        if each.bits_per_weight < asked_bits and _runs(each, request, engine) and _computes(each, device)
    ]
    recipes = [each for each in known if isinstance(each, RecipeFormat)]
    return _one_for_each_bit(recipes or known)


def _one_for_each_bit(formats: Iterable[Format]) -> tuple[Format, ...]:
    best: dict[int, Format] = {}
    for each in sorted(formats, key=lambda one: (-len(one.engines), -one.bits_per_weight, one.id)):
        best.setdefault(int(each.bits_per_weight), each)
    return tuple(best[bits] for bits in sorted(best, reverse=True))


def _runs(each: Format, request: Request, engine: Engine) -> bool:
    """Tell whether the format is said to be made for the engine, and the engine takes it."""
    if engine.name not in each.engines or each.confidence != "high":
        return False
    return engine.refuses(evolve(request, weight_format=each)) is None


def _computes(each: Format, device: Accelerator) -> bool:
    """Tell whether the device has what the format needs, as far as that is known."""
    if not isinstance(each, WeightFormat) or each.compute_capability is None or device.compute_capability is None:
        return True
    return _number(device.compute_capability) >= _number(each.compute_capability)


def _number(capability: str) -> tuple[int, ...]:
    return tuple(int(part) for part in capability.split("."))
