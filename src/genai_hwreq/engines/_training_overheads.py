"""What a training process takes beyond its tensors: freed blocks that no tensor fits, the driver's context, libraries.

None of it follows from the model. The figures are fitted and carry wide intervals.

Next: _training.
"""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

from genai_hwreq.estimates import Component, Fitted
from genai_hwreq.provenance import Source
from genai_hwreq.ranges import ByteRange
from genai_hwreq.units import GIB, MIB

if TYPE_CHECKING:
    from genai_hwreq.engines._training_plan import Plan

__all__ = ["overheads"]

SHARDED_PERCENT = Fitted(
    value=25,
    fitted_on="runs on several devices whose states are shared out, allocated and reserved or the driver's figure",
    engine_versions="torch 2.1 to 2.8",
    source=Source(
        title="public benchmark tables of fms-acceleration, fsdp_qlora and litgpt", as_of=date(2026, 11, 22)
    ),
)
"""Share of activations that the allocator holds beyond them where weights are gathered between them."""

RAGGED_PERCENT = Fitted(
    value=240,
    fitted_on="runs whose sequences differ in length from step to step",
    engine_versions="torch 2.1",
    source=Source(title="public benchmark table of ms-swift, peak reserved memory", as_of=date(2026, 11, 22)),
)
"""The same where lengths vary, up to `RAGGED_GIB` more than the working memory."""

RAGGED_GIB = 8

TRAINING_RUNTIME_BYTES = Fitted(
    value=1500 * MIB,
    fitted_on="the driver's figure less the allocator's reserved one, one device",
    engine_versions="CUDA 11.8 to 12.4",
    source=Source(title="public benchmark tables of Qwen and fms-acceleration", as_of=date(2026, 11, 22)),
)
"""Context, kernels, cuBLAS and cuDNN of a process that trains."""

COMMUNICATION_BYTES = Fitted(
    value=GIB,
    fitted_on="the driver's figure on several devices less that on one",
    engine_versions="NCCL 2.18 to 2.21",
    source=Source(title="public benchmark tables of Qwen and fms-acceleration", as_of=date(2026, 11, 22)),
)
"""Buffers of the communication library on each of several devices."""


def overheads(
    working: tuple[Component, ...], freed_bytes: int, plan: Plan, *, loading: bool
) -> tuple[Component, ...]:
    """Return fragmentation and runtime of a phase.

    Blocks that activations leave behind (`freed_bytes`) rarely fit what an optimizer's step asks for, so that they
    stay held beside it. So do those of gathered units: the next one is fetched before the last is let go.
    """
    if loading:
        return (_runtime(plan),)
    if freed_bytes:
        return (_left_behind(freed_bytes), *_buckets(plan), _runtime(plan))
    live = sum(part.bytes for part in working if part.kind in _CHANGING)
    gathered = sum(part.bytes for part in working if part.kind == "weights")
    return (_spare(live, gathered, plan), *_buckets(plan), _runtime(plan))


_CHANGING = frozenset({"activations", "logits"})


def _left_behind(freed: int) -> Component:
    inputs = (("freed_bytes", freed),)
    return Component(
        "fragmentation", "blocks that activations left", freed, "freed_bytes", inputs, "modelled",
        SHARDED_PERCENT.source, ByteRange(0, freed, 2 * freed + GIB),
    )  # fmt: skip


def _spare(live: int, gathered: int, plan: Plan) -> Component:
    percent, limit = plan.habits.spare_percent, live
    if plan.sharding.stage != "none" and plan.data_ranks > 1:
        percent = max(percent, plan.habits.sharded_spare_percent)
    ragged = plan.habits.ragged and not plan.training.packed
    if ragged:
        percent, limit = RAGGED_PERCENT.value, live + RAGGED_GIB * GIB
    size = gathered + min(live * percent // 100, limit)
    inputs = (
        ("gathered_bytes", gathered), ("working_bytes", live), ("spare_percent", percent), ("limit_bytes", limit),
    )  # fmt: skip
    text = "gathered_bytes + min(working_bytes * spare_percent // 100, limit_bytes)"
    high = max(size, gathered + live * (5 if ragged else 1))
    return Component(
        "fragmentation", "held spare by the allocator", size, text, inputs, "fitted", SHARDED_PERCENT.source,
        ByteRange(0, size, high),
    )  # fmt: skip


def _buckets(plan: Plan) -> tuple[Component, ...]:
    size = plan.habits.bucket_bytes
    if not size or plan.n_devices == 1 or plan.sharding.stage == "none":
        return ()
    inputs = (("bucket_bytes", size),)
    interval = ByteRange(0, size, 3 * size)
    return (
        Component(
            "compute_buffer",
            "communication buckets",
            size,
            "bucket_bytes",
            inputs,
            "modelled",
            None,
            interval,
        ),
    )


def _runtime(plan: Plan) -> Component:
    base = TRAINING_RUNTIME_BYTES.value
    extra = COMMUNICATION_BYTES.value if plan.n_devices > 1 else 0
    size = base + extra
    inputs = (("context_bytes", base), ("communication_bytes", extra))
    interval = ByteRange(500 * MIB, size, size + 3 * GIB)
    return Component(
        "runtime", "CUDA context and libraries", size, "context_bytes + communication_bytes", inputs, "fitted",
        TRAINING_RUNTIME_BYTES.source, interval,
    )  # fmt: skip
