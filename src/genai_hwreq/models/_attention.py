"""Attention kinds: what they store as weights and what decides their cache.

Next: _feed_forward.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from attrs import Factory, field, frozen

from genai_hwreq._validators import count, optional_positive, positive
from genai_hwreq.errors import QuantityError
from genai_hwreq.models._tensor import Norm, Tensor, bias, matrix

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Attention", "CrossAttention", "LatentAttention"]


def _head_dim(attention: Attention) -> int:
    return attention.head_dim


@frozen(kw_only=True)
class Attention:
    """Softmax attention; query heads may share key/value heads (grouped, multi-query), and see a window only."""

    n_heads: int = field(validator=positive)
    """Query heads."""

    n_kv_heads: int = field(validator=positive)
    """Key/value heads; equal to `n_heads` for plain multi-head attention, one for multi-query."""

    head_dim: int = field(validator=positive)
    """Width of a query and key head. Given, never derived: many models differ from hidden/heads."""

    value_head_dim: int = field(default=Factory(_head_dim, takes_self=True), validator=positive)
    """Width of a value head; as wide as `head_dim` unless stated."""

    query_bias: bool = False
    """Whether the query projection has a bias."""

    key_bias: bool = Factory(lambda self: self.query_bias, takes_self=True)
    """Whether the key projection has a bias; as the query projection unless stated."""

    value_bias: bool = Factory(lambda self: self.query_bias, takes_self=True)
    """Whether the value projection has a bias; as the query projection unless stated."""

    output_bias: bool = False
    """Whether the output projection has a bias."""

    fused: bool = False
    """Whether query, key and value are one stored matrix."""

    norms: tuple[Norm, ...] = ()
    """Normalisations of queries, keys or values inside the attention."""

    window_tokens: int | None = field(default=None, validator=optional_positive)
    """Tokens that a token can see; `None` where it sees all before it."""

    window_kind: Literal["sliding", "chunked"] = "sliding"
    """Whether the window moves with the token or in chunks."""

    sinks: bool = False
    """Whether each head stores a learned sink (gpt-oss)."""

    gate: Literal["none", "element", "element_apart", "head"] = "none"
    """A gate on the output: none, one value an element (in a doubled query matrix or one apart), or one a head."""

    value_is_key: bool = False
    """Whether values reuse the key projection, so that no value matrix is stored."""

    cache: Literal["own", "shared"] = "own"
    """Whether the layer keeps keys and values of its own or reads an earlier layer's, and so stores no
    matrices for them."""

    n_index_heads: int = field(default=0, validator=count)
    """Heads of the indexer that chooses which tokens are attended to; zero without one."""

    index_head_dim: int = field(default=0, validator=count)
    """Width of an indexer head; the indexer caches one key of this width a token."""

    input_dim: int | None = field(default=None, validator=optional_positive)
    """Width of what queries, keys and values are made from; the stream's unless stated (Zamba's is twice that)."""

    stored: bool = True
    """Whether the weights are stored with this layer; not where an earlier layer's are used again (Zamba)."""

    def __attrs_post_init__(self) -> None:
        """Refuse key/value heads that the query heads cannot share evenly."""
        if self.n_heads % self.n_kv_heads:
            msg = f"n_heads is {self.n_heads}; expected a multiple of n_kv_heads, which is {self.n_kv_heads}"
            raise QuantityError(msg)

    @property
    def query_dim(self) -> int:
        """Width of all query heads."""
        return self.n_heads * self.head_dim

    @property
    def key_dim(self) -> int:
        """Width of all key heads."""
        return self.n_kv_heads * self.head_dim

    @property
    def value_dim(self) -> int:
        """Width of all value heads."""
        return self.n_kv_heads * self.value_head_dim

    @property
    def output_dim(self) -> int:
        """Width of what the heads put out, before the output projection."""
        return self.n_heads * self.value_head_dim

    def tensors(self, hidden_dim: int) -> Iterator[Tensor]:
        """Yield the stored weights for a stream of `hidden_dim` elements."""
        if not self.stored:
            return
        yield from self._projections(self.input_dim or hidden_dim)
        yield from matrix(
            "o_proj", "attention_output", hidden_dim, self.output_dim, has_bias=self.output_bias
        )
        for norm in self.norms:
            yield from norm.tensors()
        if self.sinks:
            yield Tensor("sinks", "state", (self.n_heads,))
        if self.gate in {"head", "element_apart"}:
            rows = self.n_heads if self.gate == "head" else self.output_dim
            yield from matrix("g_proj", "projection", rows, hidden_dim)
        if self.n_index_heads:
            yield from self._indexer(hidden_dim)

    def _projections(self, hidden_dim: int) -> Iterator[Tensor]:
        query_rows = self.query_dim * (2 if self.gate == "element" else 1)
        if self.cache == "shared":
            yield from matrix("q_proj", "attention_q", query_rows, hidden_dim, has_bias=self.query_bias)
            return
        if self.fused:
            rows = query_rows + self.key_dim + self.value_dim
            yield from matrix("qkv_proj", "attention_qkv", rows, hidden_dim, has_bias=self.query_bias)
            return
        yield from matrix("q_proj", "attention_q", query_rows, hidden_dim, has_bias=self.query_bias)
        yield from matrix("k_proj", "attention_k", self.key_dim, hidden_dim, has_bias=self.key_bias)
        if not self.value_is_key:
            yield from matrix("v_proj", "attention_v", self.value_dim, hidden_dim, has_bias=self.value_bias)

    def _indexer(self, hidden_dim: int) -> Iterator[Tensor]:
        rows = self.n_index_heads * self.index_head_dim
        yield from matrix("indexer.q_proj", "projection", rows, hidden_dim)
        yield from matrix("indexer.k_proj", "projection", self.index_head_dim, hidden_dim)
        yield from Norm(name="indexer.q_norm", dim=self.index_head_dim).tensors()
        yield from Norm(name="indexer.k_norm", dim=self.index_head_dim).tensors()


@frozen(kw_only=True)
class LatentAttention:
    """Multi-head latent attention: keys and values of all heads from one compressed row a token.

    Source: DeepSeek-V2, arXiv 2405.04434, section 2.1.
    """

    n_heads: int = field(validator=positive)
    """Query heads."""

    q_lora_rank: int = field(validator=count)
    """Width of the compressed query; zero where queries are projected directly."""

    kv_lora_rank: int = field(validator=positive)
    """Width of the compressed keys and values."""

    qk_nope_head_dim: int = field(validator=positive)
    """Width of a query/key head without position."""

    qk_rope_head_dim: int = field(validator=positive)
    """Width of a query/key head with position; the key part is shared by all heads."""

    v_head_dim: int = field(validator=positive)
    """Width of a value head."""

    has_bias: bool = False
    """Whether the compressing and output projections have biases."""

    n_index_heads: int = field(default=0, validator=count)
    """Heads of the indexer that chooses which tokens are attended to; zero without one."""

    index_head_dim: int = field(default=0, validator=count)
    """Width of an indexer head."""

    index_shared: bool = False
    """Whether the layer reuses an earlier layer's choice, and so has no indexer of its own."""

    @property
    def qk_head_dim(self) -> int:
        """Width of a whole query/key head."""
        return self.qk_nope_head_dim + self.qk_rope_head_dim

    @property
    def latent_dim(self) -> int:
        """Elements a token leaves in a latent cache."""
        return self.kv_lora_rank + self.qk_rope_head_dim

    def tensors(self, hidden_dim: int) -> Iterator[Tensor]:
        """Yield the stored weights for a stream of `hidden_dim` elements."""
        yield from self._query(hidden_dim)
        yield from matrix(
            "kv_a_proj_with_mqa", "projection", self.latent_dim, hidden_dim, has_bias=self.has_bias
        )
        yield from Norm(name="kv_a_layernorm", dim=self.kv_lora_rank).tensors()
        expanded = self.n_heads * (self.qk_nope_head_dim + self.v_head_dim)
        yield from matrix("kv_b_proj", "attention_v", expanded, self.kv_lora_rank)
        output = self.n_heads * self.v_head_dim
        yield from matrix("o_proj", "attention_output", hidden_dim, output, has_bias=self.has_bias)
        if self.n_index_heads and not self.index_shared:
            yield from self._indexer(hidden_dim)

    def _query(self, hidden_dim: int) -> Iterator[Tensor]:
        rows = self.n_heads * self.qk_head_dim
        if not self.q_lora_rank:
            yield from matrix("q_proj", "attention_q", rows, hidden_dim)
            return
        yield from matrix("q_a_proj", "projection", self.q_lora_rank, hidden_dim, has_bias=self.has_bias)
        yield from Norm(name="q_a_layernorm", dim=self.q_lora_rank).tensors()
        yield from matrix("q_b_proj", "attention_q", rows, self.q_lora_rank)

    def _indexer(self, hidden_dim: int) -> Iterator[Tensor]:
        rows = self.n_index_heads * self.index_head_dim
        yield from matrix("indexer.wq_b", "projection", rows, self.q_lora_rank)
        yield from matrix("indexer.wk", "projection", self.index_head_dim, hidden_dim)
        yield from Norm(name="indexer.k_norm", dim=self.index_head_dim, kind="layer", bias=True).tensors()
        yield from matrix("indexer.weights_proj", "projection", self.n_index_heads, hidden_dim)


@frozen(kw_only=True)
class CrossAttention:
    """Attention to another network's output: a speech encoder, a vision tower, a text encoder."""

    n_heads: int = field(validator=positive)
    """Query heads."""

    n_kv_heads: int = field(validator=positive)
    """Key/value heads."""

    head_dim: int = field(validator=positive)
    """Width of a head."""

    source_dim: int = field(validator=positive)
    """Width of the rows attended to."""

    query_bias: bool = False
    """Whether query and value projections have biases."""

    key_bias: bool = False
    """Whether the key projection has a bias (Whisper's has none)."""

    output_bias: bool = False
    """Whether the output projection has a bias."""

    norms: tuple[Norm, ...] = ()
    """Normalisations of queries and keys."""

    def tensors(self, hidden_dim: int) -> Iterator[Tensor]:
        """Yield the stored weights for a stream of `hidden_dim` elements."""
        query_dim, kv_dim = self.n_heads * self.head_dim, self.n_kv_heads * self.head_dim
        yield from matrix("cross.q_proj", "attention_q", query_dim, hidden_dim, has_bias=self.query_bias)
        yield from matrix("cross.k_proj", "attention_k", kv_dim, self.source_dim, has_bias=self.key_bias)
        yield from matrix("cross.v_proj", "attention_v", kv_dim, self.source_dim)
        if self.query_bias:
            yield bias("cross.v_proj", kv_dim)
        yield from matrix(
            "cross.o_proj", "attention_output", hidden_dim, query_dim, has_bias=self.output_bias
        )
        for norm in self.norms:
            yield from norm.tensors()
