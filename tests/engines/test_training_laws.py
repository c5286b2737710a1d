"""What holds for every framework, model and way of training."""

from __future__ import annotations

from typing import get_args

import pytest
from attrs import evolve
from hypothesis import given, strategies as st

from formula_text import evaluate
from genai_hwreq.placement import Placement, Sharding, Stage
from genai_hwreq.training import Full, Lora, Training
from training_requests import HIDDEN, answer, frameworks, parts, peak, phase, states, trainings

pytestmark = pytest.mark.property

ZERO: tuple[Stage, ...] = ("zero1", "zero2", "zero3")


@given(trainings, frameworks)
def test_every_formula_evaluates_to_its_bytes(training: Training, framework: str) -> None:
    """A component's text, evaluated over its inputs, is its size, and lies in its interval."""
    for part in parts(answer(training, framework)):
        assert part.bytes == evaluate(part)
        assert part.range.low <= part.bytes <= part.range.high


@given(trainings, frameworks, st.sampled_from(get_args(Stage)[1:]))
def test_more_ranks_never_raise_the_states_of_the_fullest(
    training: Training, framework: str, stage: Stage
) -> None:
    """Twice the devices hold at most as much each."""
    sizes = [
        states(
            answer(training, framework, placement=Placement(n_devices=count, sharding=Sharding(stage=stage)))
        )
        for count in (1, 2, 4, 8)
    ]
    assert sizes == sorted(sizes, reverse=True)


@given(trainings, frameworks)
def test_a_higher_zero_stage_never_holds_more(training: Training, framework: str) -> None:
    """Stage k + 1 shares out all that stage k does."""
    sizes = [
        states(answer(training, framework, placement=Placement(n_devices=4, sharding=Sharding(stage=stage))))
        for stage in ZERO
    ]
    assert sizes == sorted(sizes, reverse=True)


@given(trainings, frameworks)
def test_checkpointing_never_raises_the_peak(training: Training, framework: str) -> None:
    """Less is kept, and the peak rises by no more than the one layer's input that is held while it is made again."""
    plain = answer(evolve(training, gradient_checkpointing="none"), framework)
    forgetful = answer(evolve(training, gradient_checkpointing="full"), framework)
    kept = phase(plain, "forward").bytes_of("activations")
    assert phase(forgetful, "forward").bytes_of("activations") <= kept
    one_input = training.micro_batch * training.sequence_tokens * HIDDEN * 4
    assert peak(forgetful) <= peak(plain) + one_input


@given(trainings, frameworks, st.integers(1, 16))
def test_a_smaller_rank_never_needs_more(training: Training, framework: str, rank: int) -> None:
    """Adapters, their gradients and states grow with the rank."""
    small, large = (answer(evolve(training, method=Lora(rank=size)), framework) for size in (rank, 2 * rank))
    assert peak(small) <= peak(large)


@given(trainings, frameworks)
def test_longer_sequences_never_need_less(training: Training, framework: str) -> None:
    """Twice the tokens keep at least as much."""
    short = answer(training, framework)
    long = answer(evolve(training, sequence_tokens=2 * training.sequence_tokens), framework)
    assert peak(short) <= peak(long)


@given(trainings, frameworks)
def test_sharding_by_one_is_no_sharding(training: Training, framework: str) -> None:
    """One rank holds everything."""
    alone = answer(training, framework)
    sharded = answer(training, framework, placement=Placement(sharding=Sharding(stage="fsdp")))
    assert states(alone) == states(sharded)


@given(trainings, frameworks)
def test_states_do_not_depend_on_tokens(training: Training, framework: str) -> None:
    """Weights, gradients and optimizer states follow from the model alone."""
    longer = evolve(training, sequence_tokens=4 * training.sequence_tokens)
    assert states(answer(training, framework)) == states(answer(longer, framework))


@given(trainings, frameworks)
def test_offloading_the_optimizer_takes_its_states_away(training: Training, framework: str) -> None:
    """They wait in host memory."""
    placement = Placement(n_devices=2, sharding=Sharding(stage="zero2", offload="optimizer"))
    assert 0 == phase(answer(training, framework, placement=placement), "optimizer_step").bytes_of(
        "optimizer"
    )


def test_tensor_parallel_shares_weights_and_tokens() -> None:
    """Two devices that share each matrix hold half the weights and half the activations."""
    training = Training(method=Full(), sequence_tokens=64, gradient_checkpointing="none")
    alone = answer(training)
    placement = Placement(n_devices=2, sharding=Sharding(tensor_parallel=2))
    halved = answer(training, placement=placement)
    assert phase(alone, "load").bytes_of("weights") == 2 * phase(halved, "load").bytes_of("weights")
    assert phase(alone, "forward").bytes_of("activations") == 2 * phase(halved, "forward").bytes_of(
        "activations"
    )
