"""What earlier versions of transformers did differently, and kept more memory for.

Sources: the library's own code at the tags named below, https://github.com/huggingface/transformers.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from genai_hwreq.estimates import Component
from genai_hwreq.models import Attention

if TYPE_CHECKING:
    from genai_hwreq.models import TransformerModel

__all__ = [
    "caches_latent",
    "layer_table_component",
    "makes_all_logits",
    "old_cache_component",
    "version_numbers",
]

_LAST_TOKEN_LOGITS = (4, 45)
"""From here on the prefill makes the last token's logits only (`num_logits_to_keep`, v4.45.0)."""

_CACHE_OBJECTS = (4, 36)
"""From here on a cache object is changed in place (`DynamicCache`, v4.36.0). Before, each step returned a tuple
of new tensors while the caller still held the old one."""

_SHARED_TABLES = (4, 45)
"""From here on rotary tables are made once a pass. Before, each layer kept tables for every position it could
ever see; Llama's and Gemma's classes stopped earlier (v4.38.0)."""

_SHARED_TABLES_EARLY = {"llama": (4, 38), "gemma": (4, 38)}

_LATENT_CACHE = (5, 0)
"""From here on DeepSeek's classes cache the latent row; before, every head's keys and values."""


@lru_cache(maxsize=64)
def version_numbers(version: str) -> tuple[int, ...]:
    """Return the numbers of a version; what is not a number ends them.

    Examples:
        >>> version_numbers("4.51.3"), version_numbers("~4.38"), version_numbers("5.0.0rc1")
        ((4, 51, 3), (4, 38), (5, 0))

    """
    numbers = []
    for part in version.lstrip("~v").split("."):
        if not part.isdigit():
            break
        numbers.append(int(part))
    return tuple(numbers)


def makes_all_logits(version: tuple[int, ...]) -> bool:
    """Tell whether the prefill makes the logits of the whole prompt, and copies them to 32 bit."""
    return version < _LAST_TOKEN_LOGITS


def caches_latent(version: tuple[int, ...]) -> bool:
    """Tell whether latent attention caches its latent row."""
    return version >= _LATENT_CACHE


def old_cache_component(version: tuple[int, ...], cache_bytes: int) -> tuple[Component, ...]:
    """Return the cache of the step before, where it outlives the step."""
    if version >= _CACHE_OBJECTS or not cache_bytes:
        return ()
    inputs = (("cache_bytes", cache_bytes),)
    return (Component("activations", "cache of the step before", cache_bytes, "cache_bytes", inputs, "modelled"),)


def layer_table_component(
    version: tuple[int, ...], model: TransformerModel, element_bytes: int
) -> tuple[Component, ...]:
    """Return every layer's own rotary tables, where each keeps them for the model's whole context."""
    network = model.decoder
    if version >= _SHARED_TABLES_EARLY.get(network.model_type, _SHARED_TABLES) or model.context_tokens is None:
        return ()
    dims = sum(
        run.n_layers * mixer.head_dim
        for run in network.layers
        for mixer in run.layer.mixers
        if isinstance(mixer, Attention)
    )
    size = 2 * model.context_tokens * dims * element_bytes
    inputs = (("context_tokens", model.context_tokens), ("head_dims", dims), ("element_bytes", element_bytes))
    text = "2 * context_tokens * head_dims * element_bytes"
    return (Component("weights", "rotary tables of every layer", size, text, inputs, "modelled"),)
