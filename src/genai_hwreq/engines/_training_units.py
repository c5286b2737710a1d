"""Weights that ranks gather in full for the layer at work, although each keeps only its share.

Next: _training_overheads.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from genai_hwreq.estimates import Component
from genai_hwreq.formulas.sharding import GATHERED_UNITS, gathered_bytes
from genai_hwreq.ranges import ByteRange

if TYPE_CHECKING:
    from genai_hwreq.engines._training_plan import Plan
    from genai_hwreq.models import Transformer

__all__ = ["gathered_component"]

_GATHERING = frozenset({"zero3", "fsdp"})


def gathered_component(network: Transformer, plan: Plan) -> tuple[Component, ...]:
    """Return the gathered units: layers in use and fetched ahead, and the root with embedding and head."""
    if plan.sharding.stage not in _GATHERING or plan.data_ranks == 1:
        return ()
    element = plan.types.compute_bytes
    parts = plan.sharding.tensor_parallel
    largest = max(sum(t.n_elements for t in run.layer.tensors(network.hidden_dim)) for run in network.layers)
    root = sum(t.n_elements for t in (*network.embeddings, *network.closing, *network.head))
    unit = largest * element // parts
    root_bytes = root * element // parts
    units = plan.habits.prefetched_units
    gradient = unit + root_bytes if plan.types.trains_weights else 0
    size = gathered_bytes(units, unit, root_bytes) + gradient
    inputs = (
        ("n_units", units),
        ("unit_bytes", unit),
        ("root_bytes", root_bytes),
        ("whole_gradient_bytes", gradient),
    )
    interval = ByteRange(unit, size, size + unit + root_bytes)
    text = f"{GATHERED_UNITS} + whole_gradient_bytes"
    return (Component("weights", "gathered units", size, text, inputs, "modelled", None, interval),)
