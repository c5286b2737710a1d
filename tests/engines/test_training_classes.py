"""Peaks of training steps against the frameworks' own code, replayed, for every class that was."""

from __future__ import annotations

import pytest

import genai_hwreq as hw
from formula_text import evaluate
from genai_hwreq.catalog import get_model
from genai_hwreq.models import TransformerModel
from genai_hwreq.readers.hf_config import read_config
from genai_hwreq.training import Full, Lora, Training
from simulated_training import CONFIGS, PEAKS
from training_requests import answer_for, peak

WITHIN = {"cohere": 0.035, "nemotron": 0.025, "gemma2": 0.012, "gpt_neox": 0.016}
"""Classes of which not every tensor is understood, and how far off they are. With adapters and only two layers it
shows that the first layer's input needs no gradient, which is passed over."""


def step(model: TransformerModel, kind: str, attention: str = "sdpa") -> hw.Estimate:
    """Estimate a step as it was replayed."""
    autocast = kind.startswith("amp") or kind == "lora-amp"
    training = Training(
        method=Lora(rank=16, adapter_dtype="fp32") if kind == "lora-amp" else Full(),
        sequence_tokens=1024,
        micro_batch=4,
        optimizer="adamw-fused",
        precision="amp-bf16" if autocast else "bf16",
        gradient_checkpointing="full" if kind.endswith("-gc") else "none",
        attention=attention,  # type: ignore[arg-type]
    )
    stored = "fp32" if kind.startswith("amp") else "bf16"
    return hw.estimate_vram(model, training, engine="pytorch", precision=stored)


@pytest.mark.parametrize(
    ("name", "kind"), [key for key in PEAKS if "moe" not in key[0] and key[0] != "mixtral"]
)
def test_the_peak_is_that_of_the_class_s_own_code(name: str, kind: str) -> None:
    """Within one per cent, most within a thousandth."""
    model = read_config(CONFIGS[name])
    assert isinstance(model, TransformerModel)
    estimate = step(model, kind, "eager" if name == "gemma2" else "sdpa")
    assert PEAKS[name, kind] == pytest.approx(
        estimate.devices[0].allocated_bytes, rel=WITHIN.get(name, 0.0075)
    )


@pytest.mark.parametrize(
    ("name", "kind"), [("mixtral", "bf16"), ("mixtral", "bf16-gc"), ("qwen3_moe", "bf16")]
)
def test_experts_keep_the_rows_of_those_that_are_chosen(name: str, kind: str) -> None:
    """Gathered rows, gate and up, activation, product and outputs of each chosen expert."""
    model = read_config(CONFIGS[name])
    assert isinstance(model, TransformerModel)
    assert PEAKS[name, kind] == pytest.approx(step(model, kind).devices[0].allocated_bytes, rel=0.001)


@pytest.mark.parametrize(
    "name", ["deepseek-v2-lite", "mamba-2.8b", "falcon-7b", "gpt-oss-20b", "phi-2", "bloom-7b1", "jamba-v0.1"]
)
@pytest.mark.parametrize("attention", ["eager", "sdpa"])
def test_formulas_of_every_kind_of_layer_evaluate(name: str, attention: str) -> None:
    """Latent attention, recurrences, fused projections, biases, experts: each component's text is its size."""
    model = get_model(name)
    assert isinstance(model, TransformerModel)
    for kind in ("bf16", "lora-amp"):
        estimate = step(model, kind, attention)
        for phase in estimate.phases:
            assert all(part.bytes == evaluate(part) for part in phase.components)


def test_recurrences_are_answered_with_their_states() -> None:
    """A state space trains too, more roughly."""
    model = get_model("mamba-2.8b")
    assert isinstance(model, TransformerModel)
    memory = answer_for(model, Training(method=Full()), "pytorch", hw.get_format("bf16"))
    assert peak(memory) > 8 * 2_700_000_000
