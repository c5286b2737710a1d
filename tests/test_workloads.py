"""What is asked of a model, and how it is spread."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given

from genai_hwreq.errors import QuantityError
from genai_hwreq.placement import Placement
from genai_hwreq.workloads import Generation, ImageGeneration
from strategies import generations


@pytest.mark.property
@given(generations())
def test_prompt_is_what_is_not_new(workload: Generation) -> None:
    """Prompt and new tokens make the context; a prompt has at least one token."""
    assert 1 <= workload.prompt_tokens <= workload.context_tokens
    if workload.new_tokens < workload.context_tokens:
        assert workload.context_tokens == workload.prompt_tokens + workload.new_tokens


def test_more_new_tokens_than_context() -> None:
    """More new tokens than the context holds are refused, with both numbers."""
    with pytest.raises(QuantityError, match="new_tokens is 9; expected at most context_tokens, 8"):
        Generation(context_tokens=8, new_tokens=9)


@pytest.mark.parametrize(
    ("record", "name", "value"),
    [
        (record, name, value)
        for record, names in (
            (Generation, ("context_tokens", "batch_size")),
            (ImageGeneration, ("width_px", "height_px", "batch_size")),
            (Placement, ("n_devices",)),
        )
        for name in names
        for value in (0, -1, True, 1.0, float("nan"), "1")
    ],
)
def test_counts_are_whole_and_above_zero(record: Any, name: str, value: object) -> None:
    """A count that is zero, negative, a bool, a float or text is refused by name."""
    with pytest.raises(QuantityError, match=rf"{record.__name__}\.{name} is .*; expected a whole number"):
        record(**{name: value})
