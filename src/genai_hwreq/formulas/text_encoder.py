"""Working memory of a text encoder in an image pipeline: small beside its weights."""

from __future__ import annotations

__all__ = ["TEXT_ENCODE", "text_encode_bytes"]

TEXT_ENCODE = (
    "batch_size * text_tokens * ((n_layers + 2) * hidden_dim + 3 * intermediate_dim) * element_bytes"
)
"""What `text_encode_bytes` computes."""


def text_encode_bytes(
    batch_size: int,
    text_tokens: int,
    n_layers: int,
    hidden_dim: int,
    intermediate_dim: int,
    element_bytes: int,
) -> int:
    """Return every layer's states, which pipelines ask for, and the last feed-forward network's tensors.

    Examples:
        CLIP's text encoder on two prompts.

        >>> text_encode_bytes(2, 77, 12, 768, 3072, 2)
        6150144

    """
    return batch_size * text_tokens * ((n_layers + 2) * hidden_dim + 3 * intermediate_dim) * element_bytes
