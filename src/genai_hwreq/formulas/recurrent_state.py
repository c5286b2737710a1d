"""What layers with a state of fixed size keep for each sequence: convolution tails and recurrent states.

Nothing here grows with the context. Engines differ in three ways only: how many tokens of a convolution's
input they keep (all that the kernel sees, or one less), and in which dtype they keep tail and state.

Sources: Mamba, arXiv 2312.00752, section 3; Mamba-2, arXiv 2405.21060, section 7; Gated DeltaNet,
arXiv 2412.06464, section 3; Lightning Attention, arXiv 2401.04658; RWKV, arXiv 2305.13048, appendix on the
recurrent form; Griffin (RG-LRU), arXiv 2402.19427, section 2.4; xLSTM, arXiv 2405.04517, section 2.3.

Next: logits.
"""

from __future__ import annotations

__all__ = [
    "LLAMA_CPP_STATE_BYTES",
    "STATE_IN_MODEL_DTYPE",
    "TRANSFORMERS_STATE_BYTES",
    "conv_channels",
    "conv_tail_elements",
    "delta_state_elements",
    "llama_cpp_state_bytes",
    "mamba_state_elements",
    "mlstm_state_elements",
    "recurrent_state_bytes",
    "rwkv_state_elements",
    "transformers_state_bytes",
]

TRANSFORMERS_STATE_BYTES = 4
"""Transformers keeps recurrent states in float32, whatever the model's dtype (but see `STATE_IN_MODEL_DTYPE`).

Source: https://github.com/huggingface/transformers/blob/main/src/transformers/cache_utils.py,
`LinearAttentionLayer.update_recurrent_state`, which takes the dtype of the scan, and the scans run in float32.
"""

LLAMA_CPP_STATE_BYTES = 4
"""llama.cpp keeps convolution tails and recurrent states in F32.

Source: https://github.com/ggml-org/llama.cpp/blob/master/src/llama-memory-recurrent.cpp
"""

STATE_IN_MODEL_DTYPE: frozenset[str] = frozenset({"lightning_attention", "mlstm"})
"""Kinds whose recurrent state Transformers keeps in the model's dtype: MiniMax's and xLSTM's own caches.

Source: https://github.com/huggingface/transformers/blob/main/src/transformers/models/minimax/modeling_minimax.py,
`MiniMaxLightningAttention.forward`.
"""


def conv_channels(inner_dim: int, n_groups: int, state_dim: int) -> int:
    """Return the channels of the short convolution: the stream, and B and C (or queries and keys) of each group.

    Examples:
        >>> conv_channels(inner_dim=8192, n_groups=8, state_dim=128)  # Mamba-2 of Codestral Mamba
        10240
        >>> conv_channels(inner_dim=4096, n_groups=16, state_dim=128)  # gated delta net of Qwen3-Next
        8192

    """
    return inner_dim + 2 * n_groups * state_dim


def conv_tail_elements(channels: int, n_tokens: int) -> int:
    """Return the elements kept of a convolution's input: `n_tokens` of the kernel's, in each channel.

    Transformers keeps as many tokens as the kernel is long, llama.cpp and vLLM one less.

    Examples:
        >>> conv_tail_elements(channels=10240, n_tokens=4)
        40960

    """
    return channels * n_tokens


def mamba_state_elements(inner_dim: int, state_dim: int) -> int:
    """Return the elements of a Mamba or Mamba-2 state: `state_dim` for each element of the stream.

    Examples:
        >>> mamba_state_elements(inner_dim=5120, state_dim=16)
        81920

    """
    return inner_dim * state_dim


def delta_state_elements(n_value_heads: int, key_head_dim: int, value_head_dim: int) -> int:
    """Return the elements of linear attention's state: a key by value matrix for each value head.

    So it is for gated delta nets, Kimi delta attention and lightning attention.

    Examples:
        >>> delta_state_elements(n_value_heads=32, key_head_dim=128, value_head_dim=128)
        524288

    """
    return n_value_heads * key_head_dim * value_head_dim


def mlstm_state_elements(n_heads: int, key_head_dim: int, value_head_dim: int) -> int:
    """Return the elements of an mLSTM state: a matrix, a normaliser and a stabiliser for each head.

    Examples:
        >>> mlstm_state_elements(n_heads=8, key_head_dim=256, value_head_dim=512)
        1050632

    """
    return n_heads * (key_head_dim * value_head_dim + key_head_dim + 1)


def rwkv_state_elements(attention_dim: int) -> int:
    """Return the elements of an RWKV-4 state: numerator, denominator and running maximum of each channel.

    Examples:
        >>> rwkv_state_elements(attention_dim=4096)
        12288

    """
    return 3 * attention_dim


def recurrent_state_bytes(
    *,
    tail_elements: int,
    tail_element_bytes: int,
    state_elements: int,
    state_element_bytes: int,
    n_sequences: int = 1,
) -> int:
    """Return what one layer keeps for all sequences: convolution tails (or shifted tokens) and recurrent states.

    Examples:
        One layer of Codestral Mamba in bfloat16, as Transformers holds it.

        >>> recurrent_state_bytes(
        ...     tail_elements=40960, tail_element_bytes=2, state_elements=1_048_576, state_element_bytes=4
        ... )
        4276224

    """
    return n_sequences * (tail_elements * tail_element_bytes + state_elements * state_element_bytes)


def transformers_state_bytes(
    *,
    kind: str,
    channels: int,
    kernel: int,
    shift_elements: int,
    state_elements: int,
    element_bytes: int,
    n_sequences: int = 1,
) -> int:
    """Return what Transformers keeps for one layer of a `kind`, for a model of `element_bytes` an element.

    The convolution's tail is as long as its kernel, except in RecurrentGemma's own cache, which keeps one less:
    https://github.com/huggingface/transformers/blob/main/src/transformers/models/recurrent_gemma/modeling_recurrent_gemma.py

    Examples:
        One layer of MiniMax-Text-01, whose state stays in bfloat16.

        >>> transformers_state_bytes(
        ...     kind="lightning_attention",
        ...     channels=0,
        ...     kernel=0,
        ...     shift_elements=0,
        ...     state_elements=1_048_576,
        ...     element_bytes=2,
        ... )
        2097152

    """
    return recurrent_state_bytes(
        tail_elements=conv_tail_elements(channels, kernel - (kind == "rg_lru")) + shift_elements,
        tail_element_bytes=element_bytes,
        state_elements=state_elements,
        state_element_bytes=element_bytes if kind in STATE_IN_MODEL_DTYPE else TRANSFORMERS_STATE_BYTES,
        n_sequences=n_sequences,
    )


def llama_cpp_state_bytes(
    *, channels: int, kernel: int, shift_elements: int, state_elements: int, n_sequences: int = 1
) -> int:
    """Return what llama.cpp keeps for one layer: a tail one token shorter than the kernel, all in F32.

    Examples:
        The 36 gated delta nets of Qwen3-Next: 75.38 MiB.

        >>> 36 * llama_cpp_state_bytes(channels=8192, kernel=4, shift_elements=0, state_elements=524_288)
        79036416

    """
    return recurrent_state_bytes(
        tail_elements=conv_tail_elements(channels, max(0, kernel - 1)) + shift_elements,
        tail_element_bytes=LLAMA_CPP_STATE_BYTES,
        state_elements=state_elements,
        state_element_bytes=LLAMA_CPP_STATE_BYTES,
        n_sequences=n_sequences,
    )
