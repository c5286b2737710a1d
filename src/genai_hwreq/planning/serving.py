"""How much a server's pool of cache blocks holds.

Next: inverse.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import field, frozen

from genai_hwreq._validators import count, non_empty
from genai_hwreq.errors import UnsupportedError

if TYPE_CHECKING:
    from genai_hwreq.estimates import Component, DeviceMemory, Estimate

__all__ = ["ServingCapacity", "pool_is_set", "serving_capacity"]


@frozen(kw_only=True)
class ServingCapacity:
    """What the cache of a server holds."""

    engine: str = field(validator=non_empty)
    """Which server."""

    pool_tokens: int = field(validator=count)
    """Tokens that the pool holds, of all sequences together."""

    least_tokens: int = field(validator=count)
    """The same where everything else takes the most it may."""

    most_tokens: int = field(validator=count)
    """The same where everything else takes the least it may."""

    n_sequences: int = field(validator=count)
    """Sequences as long as the workload's that fit at once."""

    as_needed: bool
    """Whether the pool was taken as large as the workload needs, because the engine was not told its device's memory."""

    def __str__(self) -> str:
        """Say it in one line."""
        span = self.least_tokens, self.most_tokens
        between = f" ({span[0]:,} to {span[1]:,})" if span[0] < span[1] else ""
        why = "; as large as the workload needs, the device's memory was not given" if self.as_needed else ""
        sequences = "sequence" if self.n_sequences == 1 else "sequences"
        return f"{self.engine}: {self.pool_tokens:,} tokens{between}, {self.n_sequences} {sequences} at once{why}"


def serving_capacity(estimate: Estimate) -> ServingCapacity:
    """Return how many tokens a server's pool holds and how many of the workload's sequences it serves at once.

    Devices that share the layers hold the same tokens; where stages differ, the smallest pool counts.

    Args:
        estimate: what `estimate_vram()` returned for an engine with a pool, such as vLLM or SGLang.

    Raises:
        UnsupportedError: when the estimate has no pool.

    Examples:
        >>> from genai_hwreq import engines, estimate_vram
        >>> server = engines.VLLM(gpu_memory_bytes=24 * 2**30)
        >>> estimate = estimate_vram("llama-3.1-8b", engine=server, precision="bf16", context_tokens=2048)
        >>> capacity = serving_capacity(estimate)
        >>> capacity.n_sequences == capacity.pool_tokens // 2048
        True

    """
    pools = [pool for pool in map(_pool, estimate.devices) if pool is not None]
    if not pools:
        raise UnsupportedError(estimate.engine, "it keeps no pool of cache blocks; estimate with a server such as vllm")
    least = min(pools, key=_tokens)
    row_bytes = max(1, dict(least.inputs)["bytes_per_token"])
    span = least.range
    return ServingCapacity(
        engine=estimate.engine,
        pool_tokens=_tokens(least),
        least_tokens=min(_tokens(least), span.low // row_bytes),
        most_tokens=max(_tokens(least), span.high // row_bytes),
        n_sequences=min(dict(pool.inputs)["pool_sequences"] for pool in pools),
        as_needed=not pool_is_set(estimate),
    )


def pool_is_set(estimate: Estimate) -> bool:
    """Tell whether a pool's size follows from the device or a setting rather than from the workload."""
    return all(item.code != "cache-as-needed" for item in estimate.assumptions)


def _pool(device: DeviceMemory) -> Component | None:
    for phase in device.phases:
        for part in phase.components:
            if any(name == "pool_tokens" for name, _ in part.inputs):
                return part
    return None


def _tokens(pool: Component) -> int:
    return dict(pool.inputs)["pool_tokens"]
