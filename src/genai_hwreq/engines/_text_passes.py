"""Working memory of a pipeline's text encoders.

Next: _network_passes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from genai_hwreq.engines._modelled import modelled
from genai_hwreq.formulas import text_encoder
from genai_hwreq.models import Attention, Dense

if TYPE_CHECKING:
    from genai_hwreq.engines._passes import MediaPass
    from genai_hwreq.estimates import Component
    from genai_hwreq.models import Transformer

__all__ = ["text_encode"]

_BIASED = frozenset({"t5", "umt5", "mt5"})
"""Kinds of encoder that add a table of relative positions to their scores."""
_TWO_STEP = frozenset({"quick_gelu"})
"""Activations that are computed by two operators one after the other."""


def text_encode(network: Transformer, run: MediaPass) -> Component:
    """Return what is alive while a prompt is encoded."""
    dense = [part for part in network.layers[-1].layer.feed_forward if isinstance(part, Dense)]
    intermediate = max((part.intermediate_dim for part in dense), default=0)
    if network.model_type in _BIASED:
        return _biased(network, intermediate, run)
    n_wide = 3 if any(part.activation in _TWO_STEP or part.gated for part in dense) else 2
    values = (
        run.batch_size, run.text_tokens, network.n_layers, network.hidden_dim, intermediate, run.element_bytes, n_wide,
    )  # fmt: skip
    names = (
        "batch_size", "text_tokens", "n_layers", "hidden_dim", "intermediate_dim", "element_bytes", "n_wide",
    )  # fmt: skip
    size = text_encoder.text_encode_bytes(*values)
    return modelled("activations", "text states", size, text_encoder.TEXT_ENCODE, names, values)


def _biased(network: Transformer, intermediate: int, run: MediaPass) -> Component:
    """Return the fuller of T5's attention and its feed-forward network.

    In fp16 the second matrix is fp32 and so is what it reads and adds to.
    """
    dim, layer = network.hidden_dim, network.layers[-1].layer
    heads = max((mixer.n_heads for mixer in layer.mixers if isinstance(mixer, Attention)), default=1)
    attends = (2, 7 * dim, 0)
    feeds = (
        (1, 3 * intermediate + 2 * dim, intermediate + 2 * dim)
        if run.kept_fp32
        else (1, 4 * intermediate + 4 * dim, 0)
    )
    names = (
        "batch_size",
        "text_tokens",
        "n_heads",
        "n_tables",
        "half_elements",
        "fp32_elements",
        "element_bytes",
    )
    found = []
    for tables, half, full in (attends, feeds):
        values = (run.batch_size, run.text_tokens, heads, tables, half, full, run.element_bytes)
        found.append((text_encoder.biased_bytes(*values), values))
    size, values = max(found)
    return modelled("activations", "text states", size, text_encoder.BIASED, names, values)
