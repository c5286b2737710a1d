"""From what a case says was trained to a run."""

from __future__ import annotations

from typing import Any

import pytest

from genai_hwreq.engines import TorchTune
from genai_hwreq.placement import Placement, Sharding
from genai_hwreq.scoring._variants import same_architecture
from genai_hwreq.scoring.mapping import Run, map_case
from genai_hwreq.scoring.predicting import find_model
from genai_hwreq.scoring.settings import DeclinedError
from genai_hwreq.training import Full, Lora, Training
from scoring_stubs import case


def mapped(engine: str = "trl", **request: Any) -> Run:
    """Map a request to a framework."""
    made = case(task="train", engine=engine, **request)
    return map_case(made, find_model(made))


def training(engine: str = "trl", **request: Any) -> Training:
    """Return the workload of a request."""
    found = mapped(engine, **request).workload
    assert isinstance(found, Training)
    return found


def test_what_is_not_stated_is_left_to_the_framework() -> None:
    """No optimizer, precision, checkpointing or loss is made up."""
    found = training(method="full")
    assert Full() == found.method
    assert (None, None, None, None) == (
        found.optimizer,
        found.precision,
        found.gradient_checkpointing,
        found.loss,
    )


def test_everything_stated_is_read() -> None:
    """Each key lands in the field that means it."""
    found = training(
        method="full", micro_batch=4, seq_len=512, optimizer="adamw-8bit", precision="bf16", loss="liger",
        gradient_checkpointing="full", attention="flash", packed=True, activation_offload=True,
        optimizer_in_backward=True, compile=True,
    )  # fmt: skip
    expected = Training(
        method=Full(), micro_batch=4, sequence_tokens=512, optimizer="adamw-8bit", precision="bf16", loss="liger",
        gradient_checkpointing="full", attention="flash", packed=True, activation_offload=True,
        optimizer_in_backward=True, compiled=True,
    )  # fmt: skip
    assert expected == found


@pytest.mark.parametrize(
    ("expected", "request_"),
    [
        (Lora(rank=8, targets=("q_proj",)), {"method": "lora", "lora_rank": 8, "lora_targets": ["q_proj"]}),
        (Lora(quantized_base=True), {"method": "qlora"}),
        (Lora(dora=True, targets=("all-linear",)), {"method": "dora", "lora_targets": "all-linear"}),
        (Lora(adapter_dtype="bf16"), {"method": "lora", "adapter_dtype": "bf16"}),
        (Lora(with_reference=True), {"method": "dpo-lora"}),
        (Full(with_reference=True), {"method": "full-dpo"}),
    ],
)
def test_methods(expected: Full | Lora, request_: dict[str, Any]) -> None:
    """A method and its settings become one record."""
    assert expected == training(**request_).method


def test_an_unmodelled_method_is_declined() -> None:
    """A reinforcement method needs more than is modelled."""
    with pytest.raises(DeclinedError, match="full-ppo"):
        mapped(method="full-ppo")


def test_sharding() -> None:
    """Stages, parallel degrees and offload become a placement."""
    run = mapped(method="full", gpus=8, sharding="zero2", offload="optimizer", tensor_parallel=2)
    sharding = Sharding(stage="zero2", offload="optimizer", tensor_parallel=2)
    assert Placement(n_devices=8, sharding=sharding) == run.placement


def test_a_run_without_a_device_is_declined() -> None:
    """Nothing is modelled of it."""
    with pytest.raises(DeclinedError, match="without an accelerator"):
        mapped(method="full", gpus=0)


@pytest.mark.parametrize("name", ["transformers", "diffusers"])
def test_engines_that_generate_also_train(name: str) -> None:
    """Cases of training go to the record of that name."""
    assert name == mapped(name, method="lora").engine.name


def test_a_version_of_torchtune_is_passed_on() -> None:
    """It decides how the loss is made."""
    assert TorchTune(version="0.2") == mapped("torchtune", method="full", engine_version="~0.2").engine
    assert TorchTune() == mapped("torchtune", method="full", engine_version="main").engine


def test_a_load_is_the_phase_of_that_name() -> None:
    """Other stages count the whole run."""
    assert "load" == mapped(method="full", stage="load").stage
    assert mapped(method="full", stage="train_step").stage is None


def test_a_case_without_tokens_is_marked() -> None:
    """A step without a length cannot be sized; states alone can."""
    assert not mapped(method="full", micro_batch=1).sized
    assert mapped(method="full").sized


def test_images_and_clips() -> None:
    """Pixels, frames and what was cached."""
    found = training(
        "diffusers", method="lora", height=480, width=720, frames=49, cached_text=True, vae_tiling=True
    )
    assert ((480, 720), 49, True, False) == (
        found.image_px,
        found.frames,
        found.cached_text,
        found.cached_latents,
    )
    assert training("diffusers", method="lora").image_px is None


@pytest.mark.parametrize(
    ("expected", "name"),
    [
        ("llama-3.2-3b", "meta-llama/Llama-3.2-3B-Instruct"),
        ("chroma1-hd", "lodestones/Chroma1-Base"),
        ("auraflow", "fal/AuraFlow-v0.3"),
        (None, "nobody/nothing-7b-chat"),
    ],
)
def test_tuned_variants_share_their_base_s_architecture(expected: str | None, name: str) -> None:
    """Words for training stages are left out; a name that fits no or several models stays unknown."""
    assert expected == same_architecture(name)
