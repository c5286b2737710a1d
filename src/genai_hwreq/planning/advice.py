"""What to change so that a model fits on a device, the smallest changes first.

Next: table.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Unpack

from attrs import frozen

from genai_hwreq._tables import markdown_table, text_table
from genai_hwreq.catalog import get_accelerator
from genai_hwreq.estimation import estimate_vram, resolved
from genai_hwreq.models import HostedModel
from genai_hwreq.planning._changes import changes
from genai_hwreq.planning._options import Option, Question
from genai_hwreq.planning.fit import fit_on
from genai_hwreq.units import format_bytes

if TYPE_CHECKING:
    from genai_hwreq.engines import Engine
    from genai_hwreq.estimation import Shortcuts
    from genai_hwreq.formats import Format
    from genai_hwreq.hardware import Accelerator
    from genai_hwreq.models import Model
    from genai_hwreq.placement import Placement
    from genai_hwreq.workloads import Workload

__all__ = ["Advice", "Option", "advise"]

_HEADER = ("change", "gives up", "VRAM", "RAM", "verdict")
_RIGHT = frozenset({2, 3})


@frozen(kw_only=True)
class Advice:
    """What was asked, and the changes with which it fits, those that change least first."""

    asked: Option
    """What was asked, whether it fits or not."""

    options: tuple[Option, ...]
    """What fits, at least by the likely need: what was asked, if it does, then the changes."""

    @property
    def best(self) -> Option | None:
        """The smallest change of which even the upper bound fits, else the smallest that fits; `None` without any."""
        surely = (option for option in self.options if option.verdict == "fits")
        return next(surely, next(iter(self.options), None))

    def to_dict(self) -> dict[str, Any]:
        """Return the advice as plain data, ready for JSON."""
        return {"asked": self.asked.to_dict(), "options": [option.to_dict() for option in self.options]}

    def __str__(self) -> str:
        """Show what was asked and a table of the options."""
        lines = [f"as asked, {self.asked.fit}"]
        if not self.options:
            return f"{lines[0]}\nno change that is known here makes it fit"
        return "\n".join([*lines, "", text_table(_HEADER, self._rows(), _RIGHT)])

    def _repr_markdown_(self) -> str:
        return f"as asked, {self.asked.fit}\n\n{markdown_table(_HEADER, self._rows(), _RIGHT)}"

    def _rows(self) -> list[tuple[str, ...]]:
        return [
            (
                option.change,
                option.gives_up,
                format_bytes(option.estimate.vram_bytes),
                format_bytes(option.estimate.ram_bytes),
                option.verdict,
            )
            for option in self.options
        ]


def advise(
    model: str | int | Model,
    workload: Workload | None = None,
    *,
    on: str | Accelerator,
    precision: str | Format | None = None,
    engine: str | Engine | None = None,
    placement: Placement | None = None,
    display_reserved_bytes: int = 0,
    **shortcuts: Unpack[Shortcuts],
) -> Advice:
    """Say what to change so that a model fits on a device, the smallest changes first.

    Tried are, in this order: weight formats of fewer bits that the engine runs; a shorter context and fewer sequences;
    networks that wait in host memory; other engines; llama.cpp with some of the layers on the host; more devices.
    Changes that do not make it fit are left out. Where what was asked surely fits, nothing else is tried.

    Args:
        model: a name of the catalog, a number of parameters or a record.
        workload: what is asked; by default one built from the shortcuts.
        on: the accelerator, by name or record.
        precision: weight format or recipe; by default the model's native one.
        engine: the program that runs it; by default the usual one of the model's kind.
        placement: how the work is spread; by default one device.
        display_reserved_bytes: memory of the device that a screen or another program keeps.
        **shortcuts: `batch_size`, `context_tokens`, `new_tokens`, `width_px`, `height_px`, `n_frames`.

    Raises:
        UnknownNameError: when a name is not known; close names are suggested.
        QuantityError: when a count is not a whole number in its range.
        UnsupportedError: when the engine cannot run what is asked.

    Examples:
        >>> advice = advise("llama-2-13b", on="rtx-3060-12gb")
        >>> advice.asked.verdict, advice.options[0].kind
        ('does not fit', 'precision')

    """
    estimate = estimate_vram(
        model, workload, precision=precision, engine=engine, placement=placement, **shortcuts
    )
    device = get_accelerator(on) if isinstance(on, str) else on
    fit = fit_on(estimate.vram_range, device, display_reserved_bytes=display_reserved_bytes)
    asked = Option(kind="as asked", change="as asked", gives_up="Nothing.", estimate=estimate, fit=fit)
    if asked.verdict == "fits":
        return Advice(asked=asked, options=(asked,))
    found = resolved(model, workload, precision, engine, placement, shortcuts, [])
    assert not isinstance(found, HostedModel)  # which needs nothing, and so fits
    question = Question(
        model=model,
        request=found[0],
        engine=found[1],
        device=device,
        display_reserved_bytes=display_reserved_bytes,
        estimate=estimate,
    )
    return Advice(asked=asked, options=((asked,) if fit.fits else ()) + tuple(changes(question)))
