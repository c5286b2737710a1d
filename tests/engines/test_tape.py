"""A tape of a few steps, replayed by hand."""

from __future__ import annotations

from genai_hwreq.engines._tape import Node, Tape, Value


def test_a_kept_tensor_is_freed_once_its_step_is_done() -> None:
    """Two linears of width 10 and 20: both inputs are kept; going back, the second one's goes first."""
    source, middle, out = Value("source", 10), Value("middle", 20), Value("out", 10)
    tape = Tape()
    tape.add(Node("first", (source,), middle, (source,), weight_gradient_bytes=7))
    tape.add(Node("second", (middle,), out, (middle,), weight_gradient_bytes=5))
    replay = tape.replay(2)
    assert 2 * 30 == replay.saved_bytes
    assert 12 == replay.weight_gradient_bytes
    # second: both kept, gradients of out and middle flow, its weights' gradient is made
    assert (60, 2 * (10 + 20), 5) == (
        replay.backward_peak.saved_bytes,
        replay.backward_peak.flowing_bytes,
        replay.backward_peak.weight_gradient_bytes,
    )


def test_an_addition_hands_its_gradient_on_without_a_copy() -> None:
    """Both branches get the same tensor."""
    left, right, total = Value("left", 8), Value("right", 8), Value("total", 8)
    tape = Tape()
    tape.add(Node("add", (left, right), total, passes=True))
    assert 8 == tape.replay(1).backward_peak.flowing_bytes


def test_a_gradient_that_two_branches_share_is_not_added_to_in_place() -> None:
    """A residual's gradient is still needed when the branch's arrives: their sum is a third tensor."""
    stream, inner, total = Value("stream", 8), Value("inner", 8), Value("total", 8)
    tape = Tape()
    tape.add(Node("branch", (stream,), inner))
    tape.add(Node("add", (stream, inner), total, passes=True))
    assert 8 + 8 == tape.replay(1).backward_peak.flowing_bytes


def test_a_held_tensor_stays_to_the_end() -> None:
    """Returned logits are alive whatever autograd frees."""
    source, out = Value("source", 4), Value("logits", 6)
    tape = Tape()
    tape.add(Node("head", (source,), out, (source,)))
    tape.held.append(out)
    replay = tape.replay(1)
    assert 10 == replay.saved_bytes
    assert ["source", "logits"] == [saved.name for saved in replay.saved]
    assert 10 == replay.backward_peak.saved_bytes


def test_a_forward_step_counts_what_it_makes_and_its_temporaries() -> None:
    """Output of 6 and a temporary of 5 beside the kept 4."""
    source, out = Value("source", 4), Value("out", 6)
    tape = Tape()
    tape.add(Node("step", (source,), out, (source,), forward_temporary=Value("copy", 5)))
    assert 15 == tape.replay(1).forward_peak.total_bytes
