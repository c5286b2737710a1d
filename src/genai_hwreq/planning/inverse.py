"""The inverse questions: the longest context, or the most sequences at once, that a device holds.

Next: advice.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Literal, TypedDict, Unpack

from attrs import field, frozen

from genai_hwreq._validators import count, whole
from genai_hwreq.catalog import get_accelerator, get_model
from genai_hwreq.errors import UnsupportedError
from genai_hwreq.estimates import Estimate
from genai_hwreq.estimation import estimate_vram
from genai_hwreq.models import TransformerModel
from genai_hwreq.planning._search import largest
from genai_hwreq.planning.fit import Fit, fit_on
from genai_hwreq.planning.serving import pool_is_set, serving_capacity

if TYPE_CHECKING:
    from genai_hwreq.engines import Engine
    from genai_hwreq.formats import Format
    from genai_hwreq.hardware import Accelerator
    from genai_hwreq.models import Model
    from genai_hwreq.placement import Placement

__all__ = ["Limit", "MaxBatch", "MaxContext", "Shape", "max_batch", "max_context"]

Limit = Literal["memory", "model", "search"]
"""What ends it: one more does not fit; the model was not made for more; nothing up to where the search ends."""

_LONGEST_CONTEXT = 2**24
"""Tokens at which the search ends for a model whose own limit is not known."""

_LARGEST_BATCH = 2**16
"""Sequences at which the search ends."""


class Shape(TypedDict, total=False):
    """Keywords that describe one sequence or image."""

    context_tokens: int
    """Prompt and generated tokens together, at the end."""

    new_tokens: int
    """How many of them are generated."""

    width_px: int
    """Width of an image."""

    height_px: int
    """Height of an image."""

    n_frames: int
    """Frames of a video."""


@frozen(kw_only=True)
class MaxContext:
    """The longest context that a device holds."""

    tokens: int = field(validator=count)
    """Most tokens with which the likely need fits; zero where not even the shortest context does."""

    safe_tokens: int = field(validator=count)
    """Most tokens with which even the upper bound fits; zero where it never does."""

    limited_by: Limit
    """What ends `tokens`."""

    estimate: Estimate
    """The need at `tokens`, or at the shortest context where nothing fits."""

    fit: Fit
    """That need held against the device."""

    def __str__(self) -> str:
        """Say it in one line."""
        return _line(f"{self.tokens:,} tokens", f"{self.safe_tokens:,}", self.tokens, self.limited_by, self.fit)


@frozen(kw_only=True)
class MaxBatch:
    """The most sequences or images at once that a device holds."""

    batch_size: int = field(validator=count)
    """Most at once with which the likely need fits; zero where not even one does."""

    safe_batch_size: int = field(validator=count)
    """Most at once with which even the upper bound fits; zero where it never does."""

    limited_by: Limit
    """What ends `batch_size`."""

    estimate: Estimate
    """The need at `batch_size`, or of one where nothing fits."""

    fit: Fit
    """That need held against the device."""

    def __str__(self) -> str:
        """Say it in one line."""
        size = self.batch_size
        return _line(f"{size:,} at once", f"{self.safe_batch_size:,}", size, self.limited_by, self.fit)


def max_context(
    model: str | int | Model,
    *,
    on: str | Accelerator,
    precision: str | Format | None = None,
    engine: str | Engine | None = None,
    placement: Placement | None = None,
    batch_size: int = 1,
    new_tokens: int = 1,
    display_reserved_bytes: int = 0,
) -> MaxContext:
    """Find the longest context that a device holds, up to what the model was made for.

    Args:
        model: a name of the catalog, a number of parameters or a record.
        on: the accelerator, by name or record; with several devices each of them.
        precision: weight format or recipe; by default the model's native one.
        engine: the program that runs it; by default the usual one of the model's kind.
        placement: how the work is spread; by default one device.
        batch_size: sequences at once, each of that length.
        new_tokens: how many tokens of the context are generated; the context is never shorter.
        display_reserved_bytes: memory of the device that a screen or another program keeps.

    Raises:
        UnknownNameError: when a name is not known; close names are suggested.
        QuantityError: when a count is out of its range, or the model has no context.
        UnsupportedError: when the engine cannot run this, or nothing of the model is on a device.

    Examples:
        >>> found = max_context("llama-3.1-8b", on="rtx-3060-12gb", precision="q4_k_m", engine="llama.cpp")
        >>> found.limited_by, found.fit.fits
        ('memory', True)

    """
    shortest = max(1, whole(new_tokens, "new_tokens", 0))
    made_for = _made_for(model)
    longest = max(shortest, made_for or _LONGEST_CONTEXT)

    @cache
    def tried(tokens: int) -> _Trial:
        estimate = estimate_vram(
            model, precision=precision, engine=engine, placement=placement,
            batch_size=batch_size, context_tokens=tokens, new_tokens=new_tokens,
        )  # fmt: skip
        return _trial(estimate, on, display_reserved_bytes, batch_size)

    tokens = largest(lambda size: tried(size).fits, shortest, longest)
    end: Limit = "memory" if tokens < longest else "model" if made_for else "search"
    return MaxContext(
        tokens=tokens,
        safe_tokens=largest(lambda size: tried(size).fits_surely, shortest, tokens),
        limited_by=end,
        estimate=tried(tokens or shortest).estimate,
        fit=tried(tokens or shortest).fit,
    )


def max_batch(
    model: str | int | Model,
    *,
    on: str | Accelerator,
    precision: str | Format | None = None,
    engine: str | Engine | None = None,
    placement: Placement | None = None,
    display_reserved_bytes: int = 0,
    **shape: Unpack[Shape],
) -> MaxBatch:
    """Find how many sequences or images a device holds at once.

    Args:
        model: a name of the catalog, a number of parameters or a record.
        on: the accelerator, by name or record; with several devices each of them.
        precision: weight format or recipe; by default the model's native one.
        engine: the program that runs it; by default the usual one of the model's kind.
        placement: how the work is spread; by default one device.
        display_reserved_bytes: memory of the device that a screen or another program keeps.
        **shape: what each of them is: `context_tokens`, `new_tokens`, `width_px`, `height_px`, `n_frames`.

    Raises:
        UnknownNameError: when a name is not known; close names are suggested.
        QuantityError: when a count is out of its range, or does not describe what the model does.
        UnsupportedError: when the engine cannot run this, or nothing of the model is on a device.

    Examples:
        >>> max_batch("llama-2-7b", on="rtx-4090-24gb", precision="int4", context_tokens=2048).batch_size > 1
        True

    """
    @cache
    def tried(size: int) -> _Trial:
        estimate = estimate_vram(
            model, precision=precision, engine=engine, placement=placement, batch_size=size, **shape
        )
        return _trial(estimate, on, display_reserved_bytes, size)

    size = largest(lambda n: tried(n).fits, 1, _LARGEST_BATCH)
    return MaxBatch(
        batch_size=size,
        safe_batch_size=largest(lambda n: tried(n).fits_surely, 1, size),
        limited_by="memory" if size < _LARGEST_BATCH else "search",
        estimate=tried(size or 1).estimate,
        fit=tried(size or 1).fit,
    )


@frozen(kw_only=True)
class _Trial:
    """One estimate of a search, held against the device."""

    estimate: Estimate
    fit: Fit
    serves: bool
    """Whether the pool of a server that fills its device holds all sequences at once."""

    @property
    def fits(self) -> bool:
        return self.fit.fits and self.serves

    @property
    def fits_surely(self) -> bool:
        return self.fit.verdict == "fits" and self.serves


def _trial(estimate: Estimate, on: str | Accelerator, display_reserved_bytes: int, n_sequences: int) -> _Trial:
    if not estimate.devices:
        raise UnsupportedError(estimate.engine, "nothing of it is on a device, so no device limits it")
    device = get_accelerator(on) if isinstance(on, str) else on
    fit = fit_on(estimate.vram_range, device, display_reserved_bytes=display_reserved_bytes)
    return _Trial(estimate=estimate, fit=fit, serves=_serves(estimate, n_sequences))


def _serves(estimate: Estimate, n_sequences: int) -> bool:
    try:
        capacity = serving_capacity(estimate)
    except UnsupportedError:  # no server with a pool: what fits is all that matters
        return True
    return not pool_is_set(estimate) or capacity.n_sequences >= n_sequences


def _made_for(model: str | int | Model) -> int | None:
    """Return the longest context that the model was made for, where that is known."""
    record = get_model(model) if isinstance(model, str) else model
    return record.context_tokens if isinstance(record, TransformerModel) else None


_ENDS: dict[Limit, str] = {
    "memory": "then memory is full",
    "model": "the most the model was made for",
    "search": "where the search ended",
}


def _line(size: str, safe: str, found: int, limit: Limit, fit: Fit) -> str:
    if not found and fit.fits:
        return "nothing: the server's pool does not hold all sequences at once"
    if not found:
        return f"nothing: {fit}"
    return f"{size}, {_ENDS[limit]}; {safe} even at the upper bound. {fit}"
