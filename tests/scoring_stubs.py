"""Cases and estimates to score with, built by hand."""

from __future__ import annotations

from typing import Any

from genai_hwreq.engines import Transformers
from genai_hwreq.estimates import Component, DeviceMemory, Estimate, Kind, Phase
from genai_hwreq.ranges import ByteRange
from genai_hwreq.scoring.cases import Case, Measured, Relation
from genai_hwreq.scoring.mapping import Run
from genai_hwreq.scoring.scores import Row
from genai_hwreq.workloads import Generation

TINY = {
    "model_type": "llama",
    "hidden_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 128,
    "vocab_size": 1000,
}
RUN = Run(engine=Transformers(), workload=Generation())


def case(metric: str = "weights", arch: dict[str, Any] | None = TINY, **request: Any) -> Case:
    """Make a case of 100 bytes."""
    asked = {"task": "generate", "engine": "transformers", "weights": "bf16"} | request
    return Case(
        id="a-case",
        source="a log",
        model="maker/unheard-of-model",
        arch=arch,
        request=asked,
        measured=Measured(metric=metric, value=100),
    )


def row(
    predicted: int | None,
    measured: int = 100,
    *,
    rounding: int = 0,
    source: str = "a log",
    relation: Relation = "eq",
    span: tuple[int, int] | None = None,
) -> Row:
    """Make a row: predicted (`None`: declined), measured, rounding, interval."""
    figure = Measured(metric="weights", value=measured, rounding=rounding, relation=relation)
    asked = {"task": "generate", "engine": "transformers"}
    made = Case(id="a-case", source=source, model="m", request=asked, measured=figure)
    if predicted is None:
        return Row(file="f", case=made, answer=None, declined="no reason")
    low, high = span or (predicted, predicted)
    return Row(file="f", case=made, answer=ByteRange(low, predicted, high))


def part(kind: Kind, n_bytes: int, span: tuple[int, int] | None = None) -> Component:
    """Make a component."""
    interval = ByteRange(span[0], n_bytes, span[1]) if span else None
    return Component(kind, kind, n_bytes, "n", (("n", n_bytes),), "exact", None, interval)


def estimate(*devices: DeviceMemory, host: DeviceMemory | None = None, file_bytes: int = 9) -> Estimate:
    """Make an estimate of some devices."""
    return Estimate(
        model="m",
        engine="e",
        precision="p",
        devices=devices,
        host=host,
        disk=(part("file", file_bytes),),
    )


def device(**phases: tuple[Component, ...]) -> DeviceMemory:
    """Make a device from its phases by name."""
    return DeviceMemory(
        name="gpu:0", phases=tuple(Phase(name=name, components=parts) for name, parts in phases.items())
    )
