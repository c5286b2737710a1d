"""Where llama.cpp puts each tensor: layers and the output matrix on devices, the token embedding on the host.

Source: `llama_model::load_tensors`, https://github.com/ggml-org/llama.cpp/blob/master/src/llama-model.cpp

Next: _llama_cpp_homes.
"""

from __future__ import annotations

from bisect import bisect_right
from functools import lru_cache
from itertools import accumulate
from typing import TYPE_CHECKING

from attrs import frozen

from genai_hwreq.engines._gguf_tensors import Stored, stored_tensors
from genai_hwreq.estimates import Component, Inputs
from genai_hwreq.formulas.weights import aligned
from genai_hwreq.ranges import ByteRange

if TYPE_CHECKING:
    from genai_hwreq.engines._llama_cpp_versions import Era
    from genai_hwreq.formats import Format
    from genai_hwreq.models import Transformer

__all__ = ["Offload", "WeightBytes", "devices_of", "file_component", "offload_of", "weight_bytes", "weight_components"]

_FILE_ALIGNMENT = 32
"""Bytes to which a tensor is padded in the file.

Source: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md, `general.alignment`
"""


@frozen
class Offload:
    """Which layers are on which device; the host is -1."""

    layers: tuple[int, ...]
    """Device of each layer."""

    output: int
    """Device of the output layer."""

    @property
    def whole(self) -> bool:
        """Whether nothing that is computed stays on the host."""
        return self.output >= 0 and -1 not in self.layers


@lru_cache(maxsize=4096)
def offload_of(n_layers: int, n_gpu_layers: int, shares: tuple[int, ...], era: Era) -> Offload:
    """Spread the last layers over devices by their shares; the output layer counts as one more.

    Recent versions take the output layer first, older ones last.

    Examples:
        >>> offload_of(4, 2, (1,), "2026"), offload_of(4, 2, (1,), "2025")
        (Offload(layers=(-1, -1, -1, 0), output=0), Offload(layers=(-1, -1, 0, 0), output=-1))
        >>> offload_of(4, 999, (3, 1), "2026")
        Offload(layers=(0, 0, 0, 0), output=1)

    """
    taken = min(n_gpu_layers, n_layers + 1)
    first = max(0, n_layers - max(0, taken - 1)) if era == "2026" else max(0, n_layers - taken)
    output = taken > 0 if era == "2026" else taken > n_layers
    spread = n_layers - first + output
    ends = [end * spread for end in accumulate(shares)]
    devices = [bisect_right(ends, index * sum(shares)) for index in range(spread)]
    layers = (-1,) * first + tuple(devices[: n_layers - first])
    return Offload(layers, devices[-1] if output else -1)


@frozen
class WeightBytes:
    """What the tensors of one device take."""

    layers: int
    """Tensors of layers."""

    output: int
    """Output matrix and closing normalisation."""

    embedding: int
    """Token embedding and other tables that rows are taken from."""

    padding: int
    """Alignment, and the fragments that fill quantised rows."""

    @property
    def total(self) -> int:
        """All of it."""
        return self.layers + self.output + self.embedding + self.padding


@lru_cache(maxsize=1024)
def weight_bytes(
    network: Transformer,
    context_tokens: int | None,
    weight_format: Format,
    offload: Offload,
    device: int,
    *,
    cpu_moe: bool,
    host_alignment: int = 1,
) -> WeightBytes:
    """Add up what one device (or the host, -1) keeps."""
    layers = output = embedding = padding = 0
    for part in stored_tensors(network, context_tokens, weight_format):
        if device in devices_of(part, offload, cpu_moe=cpu_moe):
            if part.place in ("layer", "shared"):
                layers += part.n_bytes
            elif part.place == "output":
                output += part.n_bytes
            else:
                embedding += part.n_bytes
            padding += aligned(part.n_bytes, host_alignment) - part.n_bytes if device < 0 else part.device_bytes - part.n_bytes
        if part.embedding and network.tied and offload.output == device >= 0:
            output += part.n_bytes  # a copy serves as the output matrix
            padding += part.device_bytes - part.n_bytes
    return WeightBytes(layers, output, embedding, padding)


def devices_of(part: Stored, offload: Offload, *, cpu_moe: bool) -> tuple[int, ...]:
    """Return the devices that keep a tensor; the host is -1."""
    if part.place == "shared":
        return offload.layers
    if part.place == "input" or (part.stacked and cpu_moe):
        return (-1,)
    return (offload.output if part.place == "output" else offload.layers[part.layer],)


_PARTS = (
    ("layers", "layer_bytes"), ("output", "output_bytes"), ("embedding", "embedding_bytes"), ("padding", "padding_bytes"),
)  # fmt: skip


@lru_cache(maxsize=1024)
def weight_components(weights: WeightBytes, name: str) -> tuple[Component, ...]:
    """Return weights as a component; none where there are none."""
    inputs: Inputs = tuple((label, getattr(weights, part)) for part, label in _PARTS if getattr(weights, part))
    if not inputs:
        return ()
    text = " + ".join(label for label, _ in inputs)
    return (Component("weights", name, weights.total, text, inputs, "exact"),)


@lru_cache(maxsize=512)
def file_component(network: Transformer, context_tokens: int | None, weight_format: Format) -> Component:
    """Return the file: tensors padded to 32 bytes, and the vocabulary and names before them."""
    parts = stored_tensors(network, context_tokens, weight_format)
    tensors = sum(aligned(part.n_bytes, _FILE_ALIGNMENT) for part in parts)
    inputs = (
        ("tensor_bytes", tensors),
        ("vocabulary_size", network.vocab_size),
        ("bytes_per_token", _VOCABULARY_BYTES),
    )
    size = tensors + network.vocab_size * _VOCABULARY_BYTES
    text = "tensor_bytes + vocabulary_size * bytes_per_token"
    interval = ByteRange(size * 99 // 100, size, size * 101 // 100)
    return Component("file", "GGUF file", size, text, inputs, "modelled", None, interval)


_VOCABULARY_BYTES = 40
"""A token's text, score, type and merge in the file's header: about 7 letters twice, two lengths of 8 bytes, 8 bytes."""
