"""GGUF file types: worked examples of the rules, and what holds for every one."""

from __future__ import annotations

import pytest
from attrs import evolve
from hypothesis import given, strategies as st

from genai_hwreq.formulas.ggml_types import BLOCKS, row_bytes
from genai_hwreq.formulas.gguf_recipe import (
    RECIPES,
    Category,
    RecipeFacts,
    fitting_type,
    more_bits,
    tensor_type,
)

LLAMA_2_7B = RecipeFacts(n_layers=32, n_values=32, heads_per_kv=1)
LLAMA_3_8B = RecipeFacts(n_layers=32, n_values=32, heads_per_kv=4)
LLAMA_3_70B = RecipeFacts(n_layers=80, n_values=80, heads_per_kv=8)
MIXTRAL = RecipeFacts(n_layers=32, n_values=32, heads_per_kv=4, n_experts=8)
FALCON = RecipeFacts(n_layers=32, n_values=32, heads_per_kv=71, falcon=True)
CATEGORIES: tuple[Category, ...] = (
    "output", "token_embd", "attn_v", "attn_qkv", "attn_k", "attn_q", "attn_output", "ffn_up", "ffn_gate", "ffn_down",
    "other", "keep",
)  # fmt: skip
FACTS = (LLAMA_2_7B, LLAMA_3_8B, LLAMA_3_70B, MIXTRAL, FALCON)


@pytest.mark.parametrize(
    ("expected", "recipe", "category", "facts", "order"),
    [
        ("Q6_K", "Q4_K_M", "output", LLAMA_2_7B, 0),
        ("Q4_K", "Q4_K_M", "token_embd", LLAMA_2_7B, 0),
        ("Q6_K", "Q4_K_M", "token_embd", evolve(LLAMA_2_7B, tied=True), 0),
        ("Q5_K", "IQ2_XS", "output", LLAMA_2_7B, 0),
        ("Q8_0", "Q4_K_M", "output", FALCON, 0),
        ("Q8_0", "Q8_0", "output", LLAMA_2_7B, 0),
        ("Q8_0", "MXFP4_MOE", "output", MIXTRAL, 0),
        ("Q2_K", "IQ1_M", "token_embd", LLAMA_2_7B, 0),
        ("IQ3_S", "IQ2_M", "token_embd", LLAMA_2_7B, 0),
        ("Q4_K", "TQ1_0", "token_embd", LLAMA_2_7B, 0),
        ("Q4_K", "Q2_K", "attn_v", LLAMA_3_8B, 9),
        ("Q3_K", "Q2_K", "attn_v", LLAMA_2_7B, 9),
        ("Q4_K", "IQ2_XS", "attn_v", LLAMA_3_8B, 9),
        ("IQ3_S", "IQ2_S", "attn_v", LLAMA_2_7B, 9),
        ("Q2_K", "IQ2_XXS", "attn_v", LLAMA_2_7B, 9),
        ("Q5_K", "Q3_K_M", "attn_v", LLAMA_2_7B, 1),
        ("Q4_K", "Q3_K_M", "attn_v", LLAMA_2_7B, 2),
        ("Q5_K", "Q3_K_M", "attn_v", LLAMA_3_70B, 40),
        ("Q8_0", "Q4_K_M", "attn_v", MIXTRAL, 9),
        ("Q5_K", "IQ4_XS", "attn_v", LLAMA_3_8B, 9),
        ("IQ3_S", "IQ3_XXS", "attn_v", LLAMA_2_7B, 9),
        ("IQ3_XXS", "IQ3_XXS", "attn_v", evolve(LLAMA_2_7B, imatrix=True), 9),
        ("Q4_K", "IQ3_XXS", "attn_v", LLAMA_3_8B, 9),
        ("Q4_K", "IQ3_M", "attn_v", LLAMA_2_7B, 9),
        ("Q8_0", "Q4_K_M", "attn_k", MIXTRAL, 9),
        ("Q4_K", "IQ2_XS", "attn_k", MIXTRAL, 9),
        ("IQ3_XXS", "IQ3_XS", "attn_k", LLAMA_3_8B, 9),
        ("IQ2_S", "IQ3_XXS", "attn_q", LLAMA_3_8B, 9),
        ("Q5_K", "Q4_K_M", "attn_output", MIXTRAL, 9),
        ("Q6_K", "Q6_K", "attn_output", MIXTRAL, 9),
        ("Q4_K", "Q3_K_M", "attn_output", LLAMA_2_7B, 9),
        ("Q3_K", "Q3_K_M", "attn_output", FALCON, 9),
        ("Q4_K", "Q3_K_L", "attn_output", FALCON, 9),
        ("Q3_K", "Q2_K", "ffn_down", LLAMA_2_7B, 9),
        ("Q4_K", "Q2_K_S", "ffn_down", LLAMA_2_7B, 3),
        ("Q2_K", "Q2_K_S", "ffn_down", LLAMA_2_7B, 4),
        ("Q5_K", "Q3_K_M", "ffn_down", LLAMA_2_7B, 1),
        ("Q4_K", "Q3_K_M", "ffn_down", LLAMA_2_7B, 2),
        ("Q3_K", "Q3_K_M", "ffn_down", FALCON, 4),
        ("Q5_K", "Q3_K_L", "ffn_down", LLAMA_2_7B, 9),
        ("Q4_K", "Q3_K_L", "ffn_down", FALCON, 9),
        ("Q6_K", "Q4_K_M", "ffn_down", FALCON, 1),
        ("Q5_K", "Q4_K_M", "ffn_down", FALCON, 2),
        ("Q4_K", "Q4_K_M", "ffn_down", FALCON, 4),
        ("Q5_K", "Q4_K_S", "ffn_down", LLAMA_2_7B, 3),
        ("Q6_K", "Q5_K_M", "ffn_down", LLAMA_2_7B, 3),
        ("Q4_K", "IQ3_XXS", "ffn_down", LLAMA_2_7B, 3),
        ("Q3_K", "IQ3_XXS", "ffn_down", LLAMA_2_7B, 4),
        ("IQ3_XXS", "IQ3_XXS", "ffn_down", evolve(LLAMA_2_7B, imatrix=True), 4),
        ("Q4_K", "IQ3_M", "ffn_down", LLAMA_2_7B, 3),
        ("Q4_K", "IQ3_M", "ffn_down", MIXTRAL, 6),
        ("Q5_K", "IQ4_NL", "ffn_down", LLAMA_2_7B, 3),
        ("Q4_1", "Q4_0", "ffn_down", evolve(LLAMA_2_7B, imatrix=True), 3),
        ("Q4_0", "Q4_0", "ffn_down", LLAMA_2_7B, 3),
        ("Q2_K", "IQ2_XS", "ffn_down", LLAMA_2_7B, 3),
        ("IQ3_XXS", "IQ3_XS", "ffn_up", LLAMA_2_7B, 4),
        ("IQ3_S", "IQ3_XS", "ffn_gate", LLAMA_2_7B, 3),
        ("Q4_K", "Q4_K_M", "other", LLAMA_2_7B, 3),
        ("F32", "Q4_K_M", "keep", LLAMA_2_7B, 0),
        ("F16", "F16", "output", LLAMA_2_7B, 0),
    ],
)
def test_rules(expected: str, recipe: str, category: Category, facts: RecipeFacts, order: int) -> None:
    """A tensor gets the type that llama.cpp's quantiser gives it."""
    assert expected == tensor_type(recipe, category, facts, 4096, order)


def test_experts_are_mxfp4() -> None:
    """MXFP4_MOE stores experts in MXFP4 and other matrices in Q8_0."""
    assert tensor_type("MXFP4_MOE", "ffn_up", MIXTRAL, 4096, expert=True) == "MXFP4"
    assert tensor_type("MXFP4_MOE", "attn_q", MIXTRAL, 4096) == "Q8_0"


def test_llama_2_7b_has_its_published_size() -> None:
    """Llama-2-7B in Q4_0 takes 3.56 GiB, in Q4_K_M 3.80 GiB: the sizes printed for the published files."""
    matrices: tuple[tuple[Category, int, int], ...] = (
        ("attn_q", 4096, 4096), ("attn_k", 4096, 4096), ("attn_v", 4096, 4096), ("attn_output", 4096, 4096),
        ("ffn_gate", 11008, 4096), ("ffn_up", 11008, 4096), ("ffn_down", 4096, 11008),
    )  # fmt: skip

    def size(recipe: str) -> int:
        total = 65 * 4096 * 4  # two normalisations a layer and the last one
        for category in ("output", "token_embd"):
            block = tensor_type(recipe, category, LLAMA_2_7B, 4096)
            total += 32000 * row_bytes(block, 4096)
        for layer in range(32):
            for category, rows, row in matrices:
                total += rows * row_bytes(tensor_type(recipe, category, LLAMA_2_7B, row, layer), row)
        return total

    assert size("Q4_0") == 3_825_065_984
    assert size("Q4_K_M") == 4_080_263_168


def test_rows_that_do_not_divide_fall_back() -> None:
    """A row that does not divide into blocks of 256 gets a type with blocks of 32, or F16."""
    assert [fitting_type(block, 896) for block in ("Q2_K", "Q4_K", "Q5_K", "Q6_K", "IQ3_S")] == [
        "Q4_0", "Q5_0", "Q5_1", "Q8_0", "IQ4_NL",
    ]  # fmt: skip
    assert fitting_type("Q8_0", 4544) == "Q8_0"
    assert fitting_type("Q8_0", 71) == "F16"


@given(st.sampled_from(sorted(RECIPES)), st.sampled_from(CATEGORIES), st.sampled_from(FACTS), st.integers(1, 300), st.data())
def test_a_row_always_divides(recipe: str, category: Category, facts: RecipeFacts, blocks: int, data: st.DataObject) -> None:
    """Whatever the recipe, the type that is chosen divides the row."""
    row = blocks * data.draw(st.sampled_from((1, 32, 256)))
    block = tensor_type(recipe, category, facts, row, data.draw(st.integers(0, facts.n_layers - 1)))
    assert row % BLOCKS[block][0] == 0
    assert row_bytes(block, row) * BLOCKS[block][0] == row * BLOCKS[block][1]


@given(st.integers(8, 200))
def test_about_half_of_the_layers_get_more_bits(n_layers: int) -> None:
    """The first and last eighth and a third of the rest get more bits."""
    raised = sum(more_bits(layer, n_layers) for layer in range(n_layers))
    assert n_layers // 3 <= raised <= 2 * n_layers // 3 + 2
