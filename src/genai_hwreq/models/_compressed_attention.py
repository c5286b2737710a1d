"""Attention that sees a window of tokens as they are and all earlier ones compressed (DeepSeek-V4).

Next: _feed_forward.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import field, frozen

from genai_hwreq._validators import count, positive
from genai_hwreq.models._tensor import Norm, Tensor, matrix

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["CompressedAttention"]


@frozen(kw_only=True)
class CompressedAttention:
    """Multi-query attention whose one row a token is key and value at once, with rows of earlier tokens merged.

    What stays: the rows of the window; one merged row (and one of the indexer) for each full stretch of
    `compress_tokens`; the projections of the stretch not yet full; where stretches overlap, those of the last full one.

    Source: https://github.com/huggingface/transformers/blob/main/src/transformers/models/deepseek_v4/modeling_deepseek_v4.py
    """

    n_heads: int = field(validator=positive)
    """Query heads."""

    head_dim: int = field(validator=positive)
    """Width of a query head and of the row that all heads share as key and value."""

    q_lora_rank: int = field(validator=positive)
    """Width of the compressed query."""

    n_output_groups: int = field(validator=positive)
    """Groups of heads whose outputs are projected apart."""

    output_lora_rank: int = field(validator=positive)
    """Width that each group's output is projected to."""

    window_tokens: int = field(validator=positive)
    """Latest tokens that are kept as they are."""

    compress_tokens: int = field(default=0, validator=count)
    """Tokens that one compressed row stands for; zero where nothing beyond the window is seen."""

    overlapping: bool = False
    """Whether a compressed row draws on two neighbouring stretches, which doubles the compressor."""

    n_index_heads: int = field(default=0, validator=count)
    """Heads of the indexer that chooses compressed rows; zero where all are seen."""

    index_head_dim: int = field(default=0, validator=count)
    """Width of an indexer head; the indexer caches one row of this width a compressed row."""

    def tensors(self, hidden_dim: int) -> Iterator[Tensor]:
        """Yield the stored weights for a stream of `hidden_dim` elements."""
        query_dim = self.n_heads * self.head_dim
        yield Tensor("sinks", "state", (self.n_heads,))
        yield from matrix("q_a_proj", "projection", self.q_lora_rank, hidden_dim)
        yield from Norm(name="q_a_norm", dim=self.q_lora_rank).tensors()
        yield from matrix("q_b_proj", "attention_q", query_dim, self.q_lora_rank)
        yield from matrix("kv_proj", "attention_k", self.head_dim, hidden_dim)
        yield from Norm(name="kv_norm", dim=self.head_dim).tensors()
        output_dim = self.n_output_groups * self.output_lora_rank
        yield from matrix("o_a_proj", "projection", output_dim, query_dim // self.n_output_groups)
        yield from matrix("o_b_proj", "attention_output", hidden_dim, output_dim)
        if self.compress_tokens:
            yield from self._compressor("compressor", self.head_dim, hidden_dim)
        if self.n_index_heads:
            yield from self._indexer(hidden_dim)

    def _compressor(self, name: str, row_dim: int, hidden_dim: int) -> Iterator[Tensor]:
        width = row_dim * (2 if self.overlapping else 1)
        yield Tensor(f"{name}.position_bias", "position_embedding", (self.compress_tokens, width))
        yield from matrix(f"{name}.kv_proj", "projection", width, hidden_dim)
        yield from matrix(f"{name}.gate_proj", "projection", width, hidden_dim)
        yield from Norm(name=f"{name}.kv_norm", dim=row_dim).tensors()

    def _indexer(self, hidden_dim: int) -> Iterator[Tensor]:
        yield from self._compressor("indexer", self.index_head_dim, hidden_dim)
        yield from matrix(
            "indexer.q_b_proj", "projection", self.n_index_heads * self.index_head_dim, self.q_lora_rank
        )
        yield from matrix("indexer.weights_proj", "projection", self.n_index_heads, hidden_dim)
