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
    "loose_head_component",
    "makes_all_logits",
    "old_cache_component",
    "version_numbers",
]

_LAST_TOKEN_LOGITS = (4, 45)
"""From here on the prefill makes the last token's logits only (`num_logits_to_keep`, v4.45.0)."""

_CACHE_OBJECTS = (4, 42)
"""From here on `generate()` hands a cache object from step to step, which is changed in place (v4.42.0). Before, it
held a tuple of tensors, which outlived the step that returned a tuple of longer ones."""

_SHARED_TABLES = (4, 45)
"""From here on rotary tables are made once a pass. Before, each layer kept tables for every position it could
ever see; Llama's and Gemma's classes stopped earlier (v4.38.0)."""

_SHARED_TABLES_EARLY = {"llama": (4, 38), "gemma": (4, 38)}

_DEFAULT_POSITIONS = {
    "gemma": 8192,
    "gpt_neox": 2048,
    "llama": 2048,
    "mistral": 131_072,
    "mixtral": 131_072,
    "phi": 2048,
    "qwen2": 32_768,
    "qwen2_moe": 32_768,
    "stablelm": 4096,
}
"""Positions that a class is made for where its configuration does not say (`max_position_embeddings`)."""

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
    return (
        Component("activations", "cache of the step before", cache_bytes, "cache_bytes", inputs, "modelled"),
    )


def layer_table_component(
    version: tuple[int, ...], model: TransformerModel, element_bytes: int
) -> tuple[Component, ...]:
    """Return every layer's own rotary tables, where each keeps them for the model's whole context."""
    network = model.decoder
    positions = model.context_tokens or _DEFAULT_POSITIONS.get(network.model_type)
    if version >= _SHARED_TABLES_EARLY.get(network.model_type, _SHARED_TABLES) or positions is None:
        return ()
    dims = sum(
        run.n_layers * mixer.head_dim
        for run in network.layers
        for mixer in run.layer.mixers
        if isinstance(mixer, Attention)
    )
    size = 2 * positions * dims * element_bytes
    inputs = (("positions", positions), ("head_dims", dims), ("element_bytes", element_bytes))
    text = "2 * positions * head_dims * element_bytes"
    return (Component("weights", "rotary tables of every layer", size, text, inputs, "modelled"),)


_LOOSE_HEAD_UNTIL = (5, 0)
"""Until here a checkpoint in FP8 blocks holds a tied head apart from the embedding: between the 16-bit and the FP8
figures of the same tied models (0.6, 1.7 and 4 billion parameters, v4.51.3) one embedding is missing.

Source: https://github.com/QwenLM/Qwen3/blob/main/docs/source/getting_started/speed_benchmark.md
"""


def loose_head_component(
    version: tuple[int, ...], model: TransformerModel, *, is_fp8: bool, element_bytes: int
) -> tuple[Component, ...]:
    """Return the head that an FP8 checkpoint holds although it is tied to the embedding."""
    network = model.decoder
    if version >= _LOOSE_HEAD_UNTIL or not is_fp8 or not network.tied:
        return ()
    size = network.vocab_size * network.hidden_dim * element_bytes
    inputs = (
        ("vocab_size", network.vocab_size),
        ("hidden_dim", network.hidden_dim),
        ("element_bytes", element_bytes),
    )
    text = "vocab_size * hidden_dim * element_bytes"
    return (Component("weights", "tied head held apart", size, text, inputs, "modelled"),)
