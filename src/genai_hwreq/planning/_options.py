"""One way to run a model on a device, and the question it answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from attrs import frozen

from genai_hwreq.engines import Engine, Request
from genai_hwreq.errors import UnsupportedError
from genai_hwreq.estimates import Estimate
from genai_hwreq.estimation import estimate_vram
from genai_hwreq.hardware import Accelerator
from genai_hwreq.models import Model
from genai_hwreq.planning.fit import Fit, Verdict, fit_on

if TYPE_CHECKING:
    from genai_hwreq.formats import Format
    from genai_hwreq.placement import Placement
    from genai_hwreq.workloads import Workload

__all__ = ["Kind", "Option", "Question"]

Kind = Literal["as asked", "precision", "context", "batch", "offload", "engine", "layers on the host", "devices"]
"""What is changed."""


@frozen(kw_only=True)
class Option:
    """One way to run the model on the device."""

    kind: Kind
    """What is changed."""

    change: str
    """The change in words, with its value."""

    gives_up: str
    """What is given up, in one sentence."""

    estimate: Estimate
    """The need after the change."""

    fit: Fit
    """That need held against the device, or against each of several."""

    @property
    def verdict(self) -> Verdict:
        """Whether it then fits."""
        return self.fit.verdict

    def to_dict(self) -> dict[str, Any]:
        """Return the option as plain data."""
        need = self.fit.needed
        return {
            "kind": self.kind,
            "change": self.change,
            "gives_up": self.gives_up,
            "verdict": self.verdict,
            "engine": self.estimate.engine,
            "precision": self.estimate.precision,
            "n_devices": len(self.estimate.devices),
            "vram_bytes": self.estimate.vram_bytes,
            "ram_bytes": self.estimate.ram_bytes,
            "needed": {"low": need.low, "likely": need.likely, "high": need.high},
            "headroom_bytes": self.fit.headroom_bytes,
        }


@frozen(kw_only=True)
class Question:
    """What was asked, with every name and default worked out."""

    model: str | int | Model
    """The model, as the caller named it."""

    request: Request
    """The model's record, its weight format, what is asked and how it is spread."""

    engine: Engine
    """The program that was asked for."""

    device: Accelerator
    """The device it is to fit on."""

    display_reserved_bytes: int
    """Memory of the device that a screen or another program keeps."""

    estimate: Estimate
    """The need as asked."""

    def tried(
        self,
        *,
        workload: Workload | None = None,
        precision: Format | None = None,
        engine: Engine | None = None,
        placement: Placement | None = None,
    ) -> Estimate | None:
        """Estimate with something changed; `None` where the engine does not do it."""
        try:
            return estimate_vram(
                self.model,
                workload or self.request.workload,
                precision=precision or self.request.weight_format,
                engine=engine or self.engine,
                placement=placement or self.request.placement,
            )
        except UnsupportedError:
            return None

    def fit(self, estimate: Estimate) -> Fit:
        """Hold a need against the device."""
        return fit_on(estimate.vram_range, self.device, display_reserved_bytes=self.display_reserved_bytes)

    def helps(self, estimate: Estimate | None) -> bool:
        """Tell whether a change makes it fit, with a smaller need than as asked."""
        if estimate is None or not estimate.devices:
            return False
        return self.fit(estimate).fits and estimate.vram_bytes < self.estimate.vram_bytes

    def option(self, kind: Kind, change: str, gives_up: str, estimate: Estimate) -> Option:
        """Make an option of a change that was tried."""
        return Option(kind=kind, change=change, gives_up=gives_up, estimate=estimate, fit=self.fit(estimate))
