"""MLX (mlx-lm): prompts in chunks on unified memory, caches that grow in steps, attention scores held for odd heads.

Methodology: docs/explanation/methodology/other-engines.md. Next: estimation.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from attrs import field, frozen

from genai_hwreq._validators import positive
from genai_hwreq.engines._paged_cache import has_compressed_attention, paged_cache
from genai_hwreq.engines._serving import file_component, refused_request, staged_memory
from genai_hwreq.engines._static import CACHE_BLOCKS, part, refused_cache
from genai_hwreq.engines._weights import weights_component
from genai_hwreq.estimates import Component, Phase
from genai_hwreq.formats import WeightFormat
from genai_hwreq.formulas.weights import aligned
from genai_hwreq.models import Attention, Dense, Experts, Transformer, TransformerModel, transformer_inventory
from genai_hwreq.workloads import Generation

if TYPE_CHECKING:
    from genai_hwreq.engines._protocol import Memory, Request

__all__ = ["MLX"]

_FUSED_HEAD_DIMS = frozenset({64, 80, 128})
"""Widths of a head for which a prompt's attention is one kernel; for others the scores are held.

Source: https://github.com/ml-explore/mlx/blob/main/mlx/backend/metal/scaled_dot_product_attention.cpp, `use_fallback`
"""

_CACHE_STEP = 256
"""Tokens by which a cache grows.

Source: https://github.com/ml-explore/mlx-lm/blob/main/mlx_lm/models/cache.py, `KVCache.step`
"""


@frozen(kw_only=True)
class MLX:
    """mlx-lm's `generate` on one machine.

    Examples:
        >>> MLX(prefill_step_size=512).name
        'mlx'

    """

    name: ClassVar[str] = "mlx"

    prefill_step_size: int = field(default=2048, validator=positive)
    """Tokens of a prompt that pass at once."""

    kv_cache: str = "bf16"
    """Type of the cache."""

    logits: Literal["last", "all"] = "all"
    """Whether a chunk's logits are made for its last token or for all; runs that were measured fit `all`."""

    def refuses(self, request: Request) -> str | None:
        """Say why this cannot be run, or `None` where it can."""
        if request.placement.n_devices > 1:
            return "it runs on one machine here"
        refusal = refused_request(request, self.name) or refused_cache(self.kv_cache)
        if refusal:
            return refusal
        assert isinstance(request.model, TransformerModel)
        return "its compressed cache is not modelled" if has_compressed_attention(request.model.decoder) else None

    def memory(self, request: Request) -> Memory:
        """Turn a request into memory, phase by phase, device by device."""
        model, workload, weight_format = request.model, request.workload, request.weight_format
        assert isinstance(model, TransformerModel)
        assert isinstance(workload, Generation)
        assert isinstance(weight_format, WeightFormat)
        weights = weights_component(transformer_inventory(model.decoder), weight_format, 1)
        phases = [Phase(name="load", components=(weights,))]
        for name, tokens, chunk in (
            ("prefill", workload.prompt_tokens, min(self.prefill_step_size, workload.prompt_tokens)),
            ("decode", workload.context_tokens, 1),
        ):
            cache = _cache(model.decoder, workload.batch_size, tokens, CACHE_BLOCKS[self.kv_cache])
            working = self._working(model.decoder, workload.batch_size, tokens, chunk)
            phases.append(Phase(name=name, components=(weights, cache, *working)))
        return staged_memory((tuple(phases),), file_component(model, weight_format), device="unified")

    def _working(self, network: Transformer, batch_size: int, tokens: int, chunk: int) -> tuple[Component, ...]:
        rows = batch_size * chunk
        widths = [_width(part) for run in network.layers for part in run.layer.feed_forward]
        width = 4 * network.hidden_dim + max(widths, default=0)
        heads = _score_heads(network) if chunk > 1 else 0
        logit_rows = rows if self.logits == "all" else batch_size
        scores = part(
            "attention", "attention scores", rows * tokens * heads * 2, "rows * tokens * heads * 2",
            (("rows", rows), ("tokens", tokens), ("heads", heads)),
        )
        stream = part(
            "activations", "streams of a layer", rows * width * 2, "rows * width * 2", (("rows", rows), ("width", width))
        )
        logits = part(
            "logits", "logits", logit_rows * network.vocab_size * 2, "rows * vocab_size * 2",
            (("rows", logit_rows), ("vocab_size", network.vocab_size)),
        )
        return scores, stream, logits


def _cache(network: Transformer, batch_size: int, tokens: int, block_bytes: int) -> Component:
    """Return the caches: whole steps of tokens, and of a window as many as it has."""
    cache = paged_cache(network, 16, grouped=False)
    elements = sum(
        run.n_layers
        * run.row_bytes
        // 2
        * aligned(tokens if run.window_tokens is None else min(tokens, run.window_tokens), _CACHE_STEP)
        for run in cache.layers
    )
    size = batch_size * (elements * block_bytes // 32 + cache.state_bytes)
    inputs = (
        ("batch_size", batch_size),
        ("elements", elements),
        ("bytes_of_32", block_bytes),
        ("state_bytes", cache.state_bytes),
    )
    text = "batch_size * (elements * bytes_of_32 // 32 + state_bytes)"
    return Component("kv_cache", "key/value cache", size, text, inputs, "exact")


def _score_heads(network: Transformer) -> int:
    return max(
        (
            mixer.n_heads
            for run in network.layers
            for mixer in run.layer.mixers
            if isinstance(mixer, Attention) and mixer.window_tokens is None and mixer.head_dim not in _FUSED_HEAD_DIMS
        ),
        default=0,
    )


def _width(feed_forward: Dense | Experts) -> int:
    if isinstance(feed_forward, Experts):
        return 3 * (feed_forward.n_experts_per_token * feed_forward.intermediate_dim + feed_forward.shared_dim)
    return 3 * feed_forward.intermediate_dim
