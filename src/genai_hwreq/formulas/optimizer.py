"""What optimizers keep for each weight, and what they hold besides while they step.

Sizes follow each optimizer's own code; tensors are counted one by one because most keep a scale or a counter each.
"""

from __future__ import annotations

from attrs import frozen

from genai_hwreq.formulas.weights import ceil_div

__all__ = ["OPTIMIZER_RULES", "OptimizerRule", "block_state_bytes", "factored_bytes", "low_rank_bytes"]


@frozen(kw_only=True)
class OptimizerRule:
    """How an optimizer keeps its states."""

    moments: int = 2
    """States as large as the weight."""

    state_bits: int | None = None
    """Bits of a state's element; `None`: as the weight."""

    block_elements: int = 0
    """Elements that share a 32-bit scale; zero where none do."""

    least_elements: int = 0
    """Smaller tensors keep their states in 32 bit."""

    counter: bool = True
    """Whether each tensor counts its steps."""

    factored: bool = False
    """Whether a matrix keeps a row and a column instead of a state of its size (Adafactor)."""

    low_rank: int = 0
    """Rank that gradients of matrices are projected to (GaLore); zero without."""

    orthogonal: bool = False
    """Whether matrices keep one state and are orthogonalised, and the rest is AdamW's (Muon)."""

    paged: bool = False
    """Whether states lie in managed memory, which the framework's allocator does not count."""

    step_copies: int = 0
    """Copies of all weights that a step over all tensors at once holds (`foreach`)."""

    largest_copies: int = 0
    """Copies of the largest tensor that a step over one tensor at a time holds, in 32 bit."""

    keeps_gradients: bool = True
    """Whether gradients wait for the step; else each is used up as it is made (LOMO)."""


_ADAMW_8BIT = OptimizerRule(
    state_bits=8, block_elements=256, least_elements=4096, counter=False, largest_copies=0
)

OPTIMIZER_RULES: dict[str, OptimizerRule] = {
    "adamw": OptimizerRule(counter=False, step_copies=1),  # counts on the host
    "adamw-fused": OptimizerRule(),
    "adamw-bf16": OptimizerRule(state_bits=16, counter=False, step_copies=1),
    "adamw-8bit": _ADAMW_8BIT,
    "adamw-4bit": OptimizerRule(state_bits=4, block_elements=128, least_elements=4096, largest_copies=3),
    "adamw-fp8": OptimizerRule(state_bits=8, block_elements=256, least_elements=4096, largest_copies=3),
    "adamw-paged": OptimizerRule(state_bits=32, counter=False, paged=True),
    "adamw-paged-8bit": OptimizerRule(
        state_bits=8, block_elements=256, least_elements=4096, counter=False, paged=True
    ),
    "sgd": OptimizerRule(moments=0, counter=False),
    "sgd-momentum": OptimizerRule(moments=1, counter=False, step_copies=0),
    "adafactor": OptimizerRule(factored=True, counter=False, largest_copies=3),
    "lion": OptimizerRule(moments=1, counter=False),
    "lion-8bit": OptimizerRule(
        moments=1, state_bits=8, block_elements=256, least_elements=4096, counter=False
    ),
    "muon": OptimizerRule(orthogonal=True, largest_copies=2),
    "galore-adamw": OptimizerRule(low_rank=128, largest_copies=1),
    "galore-adamw-8bit": OptimizerRule(
        low_rank=128, state_bits=8, block_elements=256, least_elements=4096, counter=False, largest_copies=1
    ),
    "apollo": OptimizerRule(low_rank=256, largest_copies=1),
    "badam": OptimizerRule(),
    "lora-fa": OptimizerRule(counter=False, step_copies=1),
    "lomo": OptimizerRule(moments=0, counter=False, keeps_gradients=False),
}
"""Optimizer → how it keeps its states.

Sources: https://github.com/pytorch/pytorch/tree/v2.13.0/torch/optim,
https://github.com/bitsandbytes-foundation/bitsandbytes/tree/main/bitsandbytes/optim,
https://github.com/pytorch/ao/tree/main/torchao/optim, arXiv 1804.04235, 2403.03507, 2306.09782.
"""


def block_state_bytes(n_elements: int, state_bits: int, block_elements: int, least_elements: int) -> int:
    """Return one state of a tensor: codes, and a 32-bit scale for each block; small tensors stay in 32 bit.

    Examples:
        >>> block_state_bytes(4096 * 4096, 8, 256, 4096)
        17039360
        >>> block_state_bytes(1024, 8, 256, 4096)
        4096

    """
    if n_elements < least_elements:
        return 4 * n_elements
    scales = 4 * ceil_div(n_elements, block_elements) if block_elements else 0
    return ceil_div(n_elements * state_bits, 8) + scales


def factored_bytes(n_rows: int, row_elements: int) -> int:
    """Return Adafactor's second moment: one row and one column of a matrix, all of a vector, in 32 bit.

    Examples:
        >>> factored_bytes(4096, 11008), factored_bytes(1, 4096)
        (60416, 16384)

    """
    return 4 * (n_rows + row_elements) if n_rows > 1 else 4 * row_elements


def low_rank_bytes(n_rows: int, row_elements: int, rank: int, state_bytes: int) -> int:
    """Return GaLore's projector and two moments of a projected gradient; a vector keeps plain moments.

    Examples:
        >>> low_rank_bytes(4096, 11008, 128, 4)
        13369344

    """
    if n_rows == 1:
        return 2 * state_bytes * row_elements
    short, long = sorted((n_rows, row_elements))
    rank = min(rank, short)
    return state_bytes * (rank * short + 2 * rank * long)
