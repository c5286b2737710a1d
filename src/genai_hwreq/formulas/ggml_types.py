"""GGML's tensor types: elements and bytes of a block, and of a row.

Next: gguf_recipe.
"""

from __future__ import annotations

__all__ = ["BLOCKS", "row_bytes", "row_fragment_bytes"]

BLOCKS: dict[str, tuple[int, int]] = {
    "F32": (1, 4), "F16": (1, 2), "BF16": (1, 2),
    "Q4_0": (32, 18), "Q4_1": (32, 20), "Q5_0": (32, 22), "Q5_1": (32, 24), "Q8_0": (32, 34), "Q8_1": (32, 36),
    "Q2_K": (256, 84), "Q3_K": (256, 110), "Q4_K": (256, 144), "Q5_K": (256, 176), "Q6_K": (256, 210),
    "IQ1_S": (256, 50), "IQ1_M": (256, 56), "IQ2_XXS": (256, 66), "IQ2_XS": (256, 74), "IQ2_S": (256, 82),
    "IQ3_XXS": (256, 98), "IQ3_S": (256, 110), "IQ4_NL": (32, 18), "IQ4_XS": (256, 136),
    "MXFP4": (32, 17), "NVFP4": (64, 36), "Q1_0": (128, 18), "Q2_0": (64, 18), "TQ1_0": (256, 54), "TQ2_0": (256, 66),
    "IQ1_BN": (64, 13), "IQ2_BN": (64, 16), "IQ2_KS": (256, 70), "IQ2_K": (256, 76), "IQ2_KL": (256, 86),
    "IQ3_KS": (256, 102), "IQ3_K": (256, 110), "IQ4_KSS": (256, 128), "IQ4_KS": (256, 136), "IQ4_K": (256, 144),
    "IQ5_KS": (256, 168), "IQ5_K": (256, 176), "IQ6_K": (256, 212), "Q6_0": (32, 26),
}  # fmt: skip
"""Elements and bytes of a block, by type. The last twelve are ik_llama.cpp's own.

Sources: https://github.com/ggml-org/llama.cpp/blob/master/ggml/src/ggml-common.h,
https://github.com/ikawrakow/ik_llama.cpp/blob/main/gguf-py/gguf/constants.py, `GGML_QUANT_SIZES`
"""


_ROW_ELEMENTS = 512
"""Elements that a CUDA kernel reads at once of a quantised row.

Source: https://github.com/ggml-org/llama.cpp/blob/master/ggml/src/ggml-cuda/common.cuh, `MATRIX_ROW_PADDING`
"""


def row_fragment_bytes(block_type: str, row_elements: int) -> int:
    """Return what CUDA adds to a quantised tensor: the elements its last row lacks to a multiple of 512.

    Examples:
        >>> row_fragment_bytes("Q8_0", 128), row_fragment_bytes("F16", 128)
        (408, 0)

    """
    elements, size = BLOCKS[block_type]
    return -row_elements % _ROW_ELEMENTS * size // elements if elements > 1 else 0


def row_bytes(block_type: str, row_elements: int) -> int:
    """Return the bytes of a row that divides into blocks.

    Examples:
        >>> row_bytes("Q4_K", 4096)
        2304

    """
    elements, size = BLOCKS[block_type]
    return row_elements * size // elements
