"""Runs on llama.cpp and its kin, and what they need while the prompt passes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from genai_hwreq.catalog import get_format, get_model
from genai_hwreq.engines import LlamaCpp, Memory, Ollama, Request
from genai_hwreq.models import TransformerModel
from genai_hwreq.placement import Placement
from genai_hwreq.workloads import Generation

if TYPE_CHECKING:
    from genai_hwreq.estimates import Kind
    from genai_hwreq.formats import Format

Q4_K_M = get_format("q4_k_m")


def model(name: str) -> TransformerModel:
    """Look up a transformer."""
    found = get_model(name)
    assert isinstance(found, TransformerModel)
    return found


def run(
    engine: LlamaCpp | Ollama,
    asked: TransformerModel | str = "llama-3.1-8b",
    weight_format: Format = Q4_K_M,
    context_tokens: int = 2048,
    batch_size: int = 1,
    n_devices: int = 1,
) -> Memory:
    """Run a model."""
    found = model(asked) if isinstance(asked, str) else asked
    workload = Generation(context_tokens=context_tokens, batch_size=batch_size)
    placement = Placement(n_devices=n_devices)
    asked_for = Request(model=found, weight_format=weight_format, workload=workload, placement=placement)
    assert engine.refuses(asked_for) is None
    return engine.memory(asked_for)


def on_device(memory: Memory, *kinds: Kind, index: int = 0) -> int:
    """Return bytes of the prefill on a device."""
    phase = memory.devices[index].phase("prefill")
    assert phase is not None
    return phase.bytes_of(*kinds)


def on_host(memory: Memory, *kinds: Kind) -> int:
    """Return bytes of the prefill on the host."""
    phase = memory.host.phase("prefill")
    assert phase is not None
    return phase.bytes_of(*kinds)
