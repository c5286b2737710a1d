"""A pool of cache blocks on one device: from a number of blocks, from what a device has left, or from a need."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import frozen

from genai_hwreq.estimates import Basis, Component
from genai_hwreq.formulas.weights import ceil_div
from genai_hwreq.ranges import ByteRange

if TYPE_CHECKING:
    from genai_hwreq.engines._paged_cache import PagedCache

__all__ = ["Pool", "Rest", "pool_component", "pool_of"]


@frozen(kw_only=True)
class Rest:
    """What is on the device beside the pool."""

    parts: tuple[Component, ...]
    """Everything that is subtracted."""

    budget_bytes: int | None
    """The share of the device it may fill; `None`: not known."""

    def left(self) -> ByteRange | None:
        """Return what is left for the pool, with how far that is sure; `None` without a budget."""
        if self.budget_bytes is None:
            return None
        least = max(0, self.budget_bytes - sum(part.range.high for part in self.parts))
        likely = max(0, self.budget_bytes - sum(part.bytes for part in self.parts))
        most = max(0, self.budget_bytes - sum(part.range.low for part in self.parts))
        return ByteRange(least, likely, most)


@frozen(kw_only=True)
class Pool:
    """A pool of cache blocks on one device."""

    n_blocks: int
    """Blocks; each holds `block_tokens` tokens of every layer."""

    block_tokens: int
    """Tokens of a block."""

    n_sequences: int
    """Sequences of the workload's length that fit at once."""

    interval: ByteRange | None
    """Within what its size may really lie; `None` where it was set."""

    @property
    def n_tokens(self) -> int:
        """Tokens that it holds."""
        return self.n_blocks * self.block_tokens


def pool_of(
    cache: PagedCache, rest: Rest, *, block_tokens: int, n_blocks: int | None, sequence_bytes: int, n_sequences: int
) -> Pool:
    """Return the pool: as many blocks as were set, as fit, or as the sequences need."""
    block_bytes = max(1, cache.token_bytes * block_tokens)
    left = rest.left()
    interval = None
    if n_blocks is None and left is not None:
        n_blocks, interval = left.likely // block_bytes, left
    elif n_blocks is None:
        n_blocks = ceil_div(n_sequences * sequence_bytes, block_bytes) if cache.layers else n_sequences
    return Pool(
        n_blocks=n_blocks,
        block_tokens=block_tokens,
        n_sequences=n_blocks * block_bytes // max(1, sequence_bytes),
        interval=interval,
    )


def pool_component(pool: Pool, cache: PagedCache) -> Component:
    """Return the pool as a component; its inputs say how many tokens and how many sequences it holds."""
    size = pool.n_tokens * cache.token_bytes
    inputs = (
        ("pool_blocks", pool.n_blocks),
        ("block_tokens", pool.block_tokens),
        ("bytes_per_token", cache.token_bytes),
        ("pool_tokens", pool.n_tokens),
        ("pool_sequences", pool.n_sequences),
    )
    interval = ByteRange(min(pool.interval.low, size), size, max(pool.interval.high, size)) if pool.interval else None
    basis: Basis = "modelled" if pool.interval else "exact"
    text = "pool_blocks * block_tokens * bytes_per_token"
    return Component("kv_cache", "key/value cache", size, text, inputs, basis, None, interval)
