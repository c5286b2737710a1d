"""Which block type each tensor of a GGUF file gets: a file type is a base type and rules that raise or lower some tensors.

Source: `llama_tensor_get_type_impl` and `tensor_type_fallback`,
https://github.com/ggml-org/llama.cpp/blob/master/src/llama-quant.cpp

Next: ggml_graph.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Literal

from attrs import field, frozen

from genai_hwreq._validators import count, positive
from genai_hwreq.formulas.ggml_types import BLOCKS

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["LOW_RECIPES", "RECIPES", "Category", "RecipeFacts", "fitting_type", "more_bits", "tensor_type"]

Category = Literal[
    "output", "token_embd", "attn_v", "attn_qkv", "attn_k", "attn_q", "attn_output", "ffn_up", "ffn_gate", "ffn_down",
    "other", "keep",
]  # fmt: skip
"""What the rules call a tensor; `keep` stays in F32: vectors, normalisations, routers, small convolutions."""

RECIPES: dict[str, str] = {
    "F32": "F32", "F16": "F16", "BF16": "BF16",
    "Q4_0": "Q4_0", "Q4_1": "Q4_1", "Q5_0": "Q5_0", "Q5_1": "Q5_1", "Q8_0": "Q8_0", "Q1_0": "Q1_0", "Q2_0": "Q2_0",
    "Q2_K": "Q2_K", "Q2_K_S": "Q2_K", "Q3_K_S": "Q3_K", "Q3_K_M": "Q3_K", "Q3_K_L": "Q3_K",
    "Q4_K_S": "Q4_K", "Q4_K_M": "Q4_K", "Q5_K_S": "Q5_K", "Q5_K_M": "Q5_K", "Q6_K": "Q6_K",
    "TQ1_0": "TQ1_0", "TQ2_0": "TQ2_0", "IQ1_S": "IQ1_S", "IQ1_M": "IQ1_M",
    "IQ2_XXS": "IQ2_XXS", "IQ2_XS": "IQ2_XS", "IQ2_S": "IQ2_XS", "IQ2_M": "IQ2_S",
    "IQ3_XXS": "IQ3_XXS", "IQ3_XS": "IQ3_S", "IQ3_S": "IQ3_S", "IQ3_M": "IQ3_S",
    "IQ4_NL": "IQ4_NL", "IQ4_XS": "IQ4_XS", "MXFP4_MOE": "MXFP4",
    "IQ1_BN": "IQ1_BN", "IQ2_BN": "IQ2_BN", "IQ2_KS": "IQ2_KS", "IQ2_K": "IQ2_K", "IQ2_KL": "IQ2_KL",
    "IQ3_KS": "IQ3_KS", "IQ3_K": "IQ3_K", "IQ4_KSS": "IQ4_KSS", "IQ4_KS": "IQ4_KS", "IQ4_K": "IQ4_K",
    "IQ5_KS": "IQ5_KS", "IQ5_K": "IQ5_K", "IQ6_K": "IQ6_K", "Q6_0": "Q6_0",
}  # fmt: skip
"""File type → its base block type. Types whose rows are interleaved (`_R4`, `_R8`) store the same bytes."""

LOW_RECIPES = frozenset({"IQ1_S", "IQ1_M", "IQ2_XXS", "IQ2_XS", "IQ2_S", "IQ2_M"})
"""File types with rules of their own; they count a layer's matrices one by one even where it has several."""

_PLAIN = frozenset({"F32", "F16", "BF16"})
_GROUPED = 4
"""From this many query heads a key/value head on, the small value matrices are raised."""

_EIGHT_EXPERTS = 8
_BIG_LAYERS = 80


@frozen(kw_only=True)
class RecipeFacts:
    """What the rules ask about a model."""

    n_layers: int = field(validator=positive)
    """Layers."""

    n_values: int = field(validator=count)
    """Tensors that count as attention values: one a layer, fewer in hybrids."""

    heads_per_kv: int = field(validator=count)
    """Query heads a key/value head of the first layer; zero where that layer has no attention."""

    n_experts: int = field(default=0, validator=count)
    """Routed experts."""

    falcon: bool = False
    """Whether it is of the Falcon architecture, which has rules of its own."""

    tied: bool = False
    """Whether the token embedding is the output matrix too."""

    imatrix: bool = False
    """Whether the file was made with an importance matrix."""


def more_bits(layer: int, n_layers: int) -> bool:
    """Tell whether a layer gets more bits: the first and last eighth and every third between.

    Examples:
        >>> [layer for layer in range(32) if more_bits(layer, 32)]
        [0, 1, 2, 3, 6, 9, 12, 15, 18, 21, 24, 27, 28, 29, 30, 31]

    """
    eighth = n_layers // 8
    return layer < eighth or layer >= 7 * n_layers // 8 or (layer - eighth) % 3 == 2


@lru_cache(maxsize=65536)
def tensor_type(
    recipe: str, category: Category, facts: RecipeFacts, row_elements: int, order: int = 0, *, expert: bool = False
) -> str:
    """Return the block type of a tensor.

    Args:
        recipe: file type, such as `Q4_K_M`.
        category: what the rules call the tensor.
        facts: what the rules ask about the model.
        row_elements: length of its rows, which must divide into blocks.
        order: how many tensors of its category come before it (with experts: its layer).
        expert: whether it is three-dimensional: the matrices of all experts (or heads) in one.

    Examples:
        >>> llama_2_7b = RecipeFacts(n_layers=32, n_values=32, heads_per_kv=1)
        >>> tensor_type("Q4_K_M", "ffn_down", llama_2_7b, 11008, 0), tensor_type("Q4_K_M", "attn_q", llama_2_7b, 4096)
        ('Q6_K', 'Q4_K')

    """
    base = RECIPES[recipe]
    if category == "keep":
        return "F32"
    if base in _PLAIN:
        return base
    return fitting_type(_chosen(recipe, base, category, facts, row_elements, order, expert=expert), row_elements)


def fitting_type(block_type: str, row_elements: int) -> str:
    """Return the type, or what replaces it where a row does not divide into its blocks.

    Examples:
        >>> fitting_type("Q4_K", 896), fitting_type("Q4_K", 71)
        ('Q5_0', 'F16')

    """
    if row_elements % BLOCKS[block_type][0] == 0:
        return block_type
    smaller = _REPLACEMENTS.get(block_type, block_type)
    return smaller if row_elements % BLOCKS[smaller][0] == 0 else "F16"


_REPLACEMENTS = {
    **dict.fromkeys(("Q2_0", "Q2_K", "Q3_K", "TQ1_0", "TQ2_0"), "Q4_0"),
    **dict.fromkeys(("IQ1_S", "IQ1_M", "IQ2_XXS", "IQ2_XS", "IQ2_S", "IQ3_XXS", "IQ3_S", "IQ4_XS"), "IQ4_NL"),
    **dict.fromkeys(("IQ2_KS", "IQ2_K", "IQ2_KL", "IQ3_KS", "IQ3_K", "IQ4_KSS", "IQ4_KS"), "IQ4_NL"),
    **dict.fromkeys(("Q4_K", "IQ4_K"), "Q5_0"),
    **dict.fromkeys(("Q5_K", "IQ5_K", "IQ5_KS"), "Q5_1"),
    **dict.fromkeys(("Q6_K", "IQ6_K"), "Q8_0"),
}
"""What takes the place of a type whose blocks are too long for a row."""


def _chosen(
    recipe: str, base: str, category: Category, facts: RecipeFacts, row_elements: int, order: int, *, expert: bool
) -> str:
    if category == "output" or (category == "token_embd" and facts.tied):
        return _output(recipe, base, facts, row_elements)
    if recipe == "MXFP4_MOE":
        return "MXFP4" if expert else "Q8_0"
    if category == "token_embd":
        return _EMBEDDING.get(recipe, base)
    rule = _RULES.get(category)
    return rule(recipe, base, facts, order) if rule else base


_EMBEDDING = {
    **dict.fromkeys(("IQ1_S", "IQ1_M", "IQ2_XXS", "IQ2_XS"), "Q2_K"),
    **dict.fromkeys(("IQ2_S", "IQ2_M", "IQ3_XXS"), "IQ3_S"),
    **dict.fromkeys(("TQ1_0", "TQ2_0", "Q2_0", "IQ1_BN", "IQ2_BN"), "Q4_K"),
}
"""Type of an untied token embedding where it is not the base type."""


def _output(recipe: str, base: str, facts: RecipeFacts, row_elements: int) -> str:
    if recipe == "MXFP4_MOE" or facts.falcon or row_elements % BLOCKS[base][0]:
        return "Q8_0"
    if recipe in LOW_RECIPES or recipe == "IQ3_XXS":
        return "Q5_K"
    return base if base == "Q8_0" else "Q6_K"


def _value(recipe: str, base: str, facts: RecipeFacts, order: int) -> str:
    grouped = facts.heads_per_kv >= _GROUPED
    if recipe in LOW_RECIPES:
        if grouped or facts.n_experts >= _GROUPED:
            return "Q4_K"
        return "IQ3_S" if recipe in ("IQ2_S", "IQ2_M") else "Q2_K"
    if facts.n_experts == _EIGHT_EXPERTS:
        return "Q8_0"
    chosen = _value_by_recipe(recipe, base, facts, order, grouped=grouped)
    big = facts.n_layers == _BIG_LAYERS and facts.heads_per_kv > 1
    return "Q5_K" if big and chosen in ("Q3_K", "Q4_K") else chosen


def _value_by_recipe(recipe: str, base: str, facts: RecipeFacts, order: int, *, grouped: bool) -> str:
    if recipe in _FIRST_VALUES:
        n_first, first, rest = _FIRST_VALUES[recipe]
        return first if order < n_first else rest
    if recipe in {"Q4_K_M", "Q5_K_M"}:
        return "Q6_K" if more_bits(order, facts.n_values) else base
    if grouped and recipe in _RAISED_IF_GROUPED:
        return _RAISED_IF_GROUPED[recipe]
    if recipe == "IQ3_XXS":
        return base if facts.imatrix else "IQ3_S"
    return _RAISED_VALUES.get(recipe, base)


_FIRST_VALUES = {"Q3_K_M": (2, "Q5_K", "Q4_K"), "Q4_K_S": (4, "Q5_K", "Q4_K")}
"""File type → how many layers at the start get which type, and the rest which."""

_RAISED_VALUES = {"Q2_K": "Q3_K", "Q3_K_L": "Q5_K", "IQ3_M": "Q4_K"}
_RAISED_IF_GROUPED = {
    **dict.fromkeys(("Q2_K", "Q2_K_S", "IQ3_XXS", "IQ3_XS", "IQ3_S"), "Q4_K"),
    **dict.fromkeys(("IQ4_NL", "IQ4_XS"), "Q5_K"),
}


def _key(recipe: str, base: str, facts: RecipeFacts, order: int) -> str:
    if facts.n_experts == _EIGHT_EXPERTS:
        return "Q4_K" if recipe in LOW_RECIPES else "Q8_0"
    return _query(recipe, base, facts, order)


def _query(recipe: str, base: str, _facts: RecipeFacts, _order: int) -> str:
    return {"IQ3_XS": "IQ3_XXS", "IQ3_XXS": "IQ2_S"}.get(recipe, base)


_OUTPUT_OF_EIGHT = LOW_RECIPES | {
    "Q2_K", "Q3_K_S", "Q3_K_M", "Q4_K_S", "Q4_K_M", "IQ3_XXS", "IQ3_XS", "IQ3_S", "IQ3_M", "IQ4_NL", "IQ4_XS",
}  # fmt: skip
_OUTPUT_PROJECTION = {
    "Q2_K": "Q3_K", "Q3_K_M": "Q4_K", "Q3_K_L": "Q5_K", "IQ3_XXS": "IQ3_S", "IQ3_M": "Q4_K",
    "IQ1_S": "IQ2_XXS", "IQ1_M": "IQ2_XXS", "IQ2_S": "IQ3_S", "IQ2_M": "IQ3_S",
}  # fmt: skip


def _output_projection(recipe: str, base: str, facts: RecipeFacts, _order: int) -> str:
    if facts.falcon and recipe not in LOW_RECIPES:
        return "Q4_K" if recipe == "Q3_K_L" else base
    if facts.n_experts == _EIGHT_EXPERTS:
        return "Q5_K" if recipe in _OUTPUT_OF_EIGHT else base
    return _OUTPUT_PROJECTION.get(recipe, base)


def _up(recipe: str, base: str, facts: RecipeFacts, order: int) -> str:
    n = facts.n_layers
    return "IQ3_XXS" if recipe == "IQ3_XS" and n // 8 <= order < 7 * n // 8 else base


def _down(recipe: str, base: str, facts: RecipeFacts, order: int) -> str:
    early = order < facts.n_layers // 8
    if recipe in _DOWN:
        return _DOWN[recipe]
    if recipe in _DOWN_EARLY:
        return _DOWN_EARLY[recipe] if early else base
    rule = _DOWN_RULES.get(recipe)
    return rule(base, facts, order, early) if rule else base


_DOWN = {"Q2_K": "Q3_K"}
_DOWN_EARLY = {
    "Q2_K_S": "Q4_K", "IQ2_S": "IQ3_S", "IQ2_M": "IQ3_S",
    "IQ1_S": "Q2_K", "IQ1_M": "Q2_K", "IQ2_XXS": "Q2_K", "IQ2_XS": "Q2_K",
}  # fmt: skip


def _down_3_medium(base: str, facts: RecipeFacts, order: int, _early: bool) -> str:
    if order < facts.n_layers // 16:
        return "Q5_K"
    return base if facts.falcon and not more_bits(order, facts.n_layers) else "Q4_K"


def _down_3_large(_base: str, facts: RecipeFacts, _order: int, _early: bool) -> str:
    return "Q4_K" if facts.falcon else "Q5_K"


def _down_4_medium(base: str, facts: RecipeFacts, order: int, _early: bool) -> str:
    more = more_bits(order, facts.n_layers)
    if not facts.falcon:
        return "Q6_K" if more else base
    if order < facts.n_layers // 16:
        return "Q6_K"
    return "Q5_K" if more else base


def _down_4_small(base: str, facts: RecipeFacts, _order: int, early: bool) -> str:
    return "Q5_K" if early and not facts.falcon else base


def _down_5_medium(base: str, facts: RecipeFacts, order: int, _early: bool) -> str:
    return "Q6_K" if more_bits(order, facts.n_layers) else base


def _down_iq3_smallest(base: str, facts: RecipeFacts, _order: int, early: bool) -> str:
    if facts.imatrix:
        return base
    return "Q4_K" if early else "Q3_K"


def _down_iq3_medium(base: str, facts: RecipeFacts, order: int, early: bool) -> str:
    raised = early or (facts.n_experts == _EIGHT_EXPERTS and more_bits(order, facts.n_layers))
    return "Q4_K" if raised else base


def _down_iq4(base: str, facts: RecipeFacts, _order: int, early: bool) -> str:
    return "Q5_K" if early and not facts.imatrix else base


def _down_plain(base: str, facts: RecipeFacts, _order: int, early: bool) -> str:
    return {"Q4_0": "Q4_1", "Q5_0": "Q5_1"}[base] if early and facts.imatrix else base


_DOWN_RULES: dict[str, Callable[[str, RecipeFacts, int, bool], str]] = {
    "Q3_K_M": _down_3_medium,
    "Q3_K_L": _down_3_large,
    "Q4_K_M": _down_4_medium,
    "Q4_K_S": _down_4_small,
    "Q5_K_M": _down_5_medium,
    "IQ3_XXS": _down_iq3_smallest,
    "IQ3_M": _down_iq3_medium,
    "IQ4_NL": _down_iq4,
    "IQ4_XS": _down_iq4,
    "Q4_0": _down_plain,
    "Q5_0": _down_plain,
}

_RULES: dict[Category, Callable[[str, str, RecipeFacts, int], str]] = {
    "attn_v": _value,
    "attn_qkv": _value,
    "attn_k": _key,
    "attn_q": _query,
    "attn_output": _output_projection,
    "ffn_up": _up,
    "ffn_gate": _up,
    "ffn_down": _down,
}
