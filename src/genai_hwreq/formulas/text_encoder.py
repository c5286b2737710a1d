"""Working memory of a text encoder in an image pipeline: small beside its weights."""

from __future__ import annotations

__all__ = ["BIASED", "TEXT_ENCODE", "biased_bytes", "text_encode_bytes"]

TEXT_ENCODE = (
    "batch_size * text_tokens * ((n_layers + 2) * hidden_dim + n_wide * intermediate_dim) * element_bytes"
)
"""What `text_encode_bytes` computes."""

BIASED = (
    "n_tables * n_heads * text_tokens * text_tokens * element_bytes"
    " + batch_size * text_tokens * (half_elements * element_bytes + 4 * fp32_elements)"
)
"""What `biased_bytes` computes."""


def text_encode_bytes(
    batch_size: int,
    text_tokens: int,
    n_layers: int,
    hidden_dim: int,
    intermediate_dim: int,
    element_bytes: int,
    n_wide: int = 3,
) -> int:
    """Return every layer's states, which pipelines ask for, and the last feed-forward network's tensors.

    Those are three where the activation is computed from two operators, as CLIP's quick GELU is, else two.

    Examples:
        CLIP's text encoder on two prompts.

        >>> text_encode_bytes(2, 77, 12, 768, 3072, 2)
        6150144

    """
    own = (n_layers + 2) * hidden_dim + n_wide * intermediate_dim
    return batch_size * text_tokens * own * element_bytes


def biased_bytes(
    batch_size: int,
    text_tokens: int,
    n_heads: int,
    n_tables: int,
    half_elements: int,
    fp32_elements: int,
    element_bytes: int,
) -> int:
    """Return a moment of an encoder whose attention adds a table of positions, for each head every token by every token.

    Examples:
        T5-XXL on 512 tokens in bf16, while it attends: two such tables and seven tensors as wide as the model.

        >>> biased_bytes(1, 512, 64, 2, 7 * 4096, 0, 2)
        96468992

    """
    tables = n_tables * n_heads * text_tokens**2 * element_bytes
    return tables + batch_size * text_tokens * (half_elements * element_bytes + 4 * fp32_elements)
