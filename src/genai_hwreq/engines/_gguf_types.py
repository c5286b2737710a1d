"""How ggml programs beside llama.cpp store networks: one type for all matrices.

Next: stable_diffusion_cpp.
"""

from __future__ import annotations

from genai_hwreq.errors import UnknownNameError
from genai_hwreq.formats import BlockType, PlainType, WeightFormat

__all__ = ["F16", "F32", "gguf_type"]

F16, F32 = PlainType("f16", 16), PlainType("f32", 32)

_BLOCKS: dict[str, tuple[int, int]] = {
    "q4_0": (32, 18), "q4_1": (32, 20), "q5_0": (32, 22), "q5_1": (32, 24), "q8_0": (32, 34),
    "q2_k": (256, 84), "q3_k": (256, 110), "q4_k": (256, 144), "q5_k": (256, 176), "q6_k": (256, 210),
}  # fmt: skip
"""Type → elements and bytes of a block.

Source: https://github.com/ggml-org/ggml/blob/master/src/ggml-common.h.
"""


def gguf_type(name: str, rest: PlainType = F16) -> WeightFormat:
    """Return how a type given by `--type` stores a network: matrices in it, everything else as `rest`.

    Raises:
        UnknownNameError: when the type is not known.

    Examples:
        >>> gguf_type("q8_0").id
        'gguf-q8_0'

    """
    plain = {"f16": F16, "f32": F32}.get(name)
    if plain is not None:
        return WeightFormat(
            id=f"gguf-{name}",
            name=name,
            matrices=plain,
            embedding=plain,
            rest=rest if plain is F16 else plain,
        )
    if name not in _BLOCKS:
        raise UnknownNameError("GGUF type", name, sorted(_BLOCKS))  # noqa: EM101, TRY003  (a kind of name, no message)
    elements, size = _BLOCKS[name]
    block = BlockType(name=name, block_elements=elements, block_bytes=size)
    return WeightFormat(id=f"gguf-{name}", name=name, matrices=block, embedding=block, rest=rest)
