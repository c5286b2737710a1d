"""Pieces that diffusers' transformers share: projections, attention, feed-forward networks, modulation.

Next: _image_transformers.
"""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

from genai_hwreq.models import Tensor, TensorGroup
from genai_hwreq.models._tensor import bias as bias_vector, matrix

if TYPE_CHECKING:
    from collections.abc import Iterable

    from genai_hwreq.readers.hf_config._fields import Fields

__all__ = [
    "attention",
    "embedding",
    "feed_forward",
    "group",
    "linear",
    "norm",
    "patch_convolution",
    "raw",
    "time_embedding",
    "word",
]

TIME_CHANNELS = 256
"""Width of the sines that a time step becomes, in all of diffusers' transformers."""

Tensors = tuple[Tensor, ...]


def group(name: str, n_copies: int, *parts: Iterable[Tensor]) -> tuple[TensorGroup, ...]:
    """Return equal blocks as one group; none where there are no blocks."""
    if not n_copies:
        return ()
    return (TensorGroup(name=name, n_copies=n_copies, tensors=tuple(chain.from_iterable(parts))),)


def linear(name: str, outputs: int, inputs: int, *, has_bias: bool = True) -> Tensors:
    """Return a linear layer."""
    return matrix(name, "projection", outputs, inputs, has_bias=has_bias)


def norm(name: str, dim: int, *, has_bias: bool = False) -> Tensors:
    """Return a norm's weight, and its bias if it has one."""
    weight = Tensor(f"{name}.weight", "norm", (dim,))
    return (weight, bias_vector(name, dim)) if has_bias else (weight,)


def raw(name: str, *shape: int) -> Tensors:
    """Return a parameter that is neither matrix nor norm."""
    return (Tensor(name, "state", shape),)


def word(fields: Fields, name: str, default: str) -> str:
    """Return a word that a class defaults to; a null that is written down means none."""
    if name in fields.config and fields.config[name] is None:
        return ""
    return fields.text(name, default=default)


def patch_convolution(name: str, outputs: int, inputs: int, *sides: int, has_bias: bool = True) -> Tensors:
    """Return a convolution."""
    weight = Tensor(f"{name}.weight", "convolution", (outputs, inputs, *sides))
    return (weight, bias_vector(name, outputs)) if has_bias else (weight,)


def embedding(
    name: str, dim: int, inputs: int, *, has_bias: bool = True, outputs: int | None = None
) -> Tensors:
    """Return two linear layers, `linear_1` and `linear_2`."""
    last = dim if outputs is None else outputs
    return (
        *linear(f"{name}.linear_1", dim, inputs, has_bias=has_bias),
        *linear(f"{name}.linear_2", last, dim, has_bias=has_bias),
    )


def time_embedding(name: str, dim: int, *, has_bias: bool = True) -> Tensors:
    """Return the embedding of a time step."""
    return embedding(name, dim, TIME_CHANNELS, has_bias=has_bias)


def attention(  # noqa: PLR0913  (diffusers' own switches)
    name: str,
    dim: int,
    *,
    inner: int | None = None,
    kv_inner: int | None = None,
    source: int | None = None,
    has_bias: bool = True,
    output_bias: bool | None = None,
    output: bool = True,
    norm_dim: int = 0,
    norm_bias: bool = False,
    added: int = 0,
    added_norm: bool = False,
    added_bias: bool | None = None,
    added_output: bool = True,
) -> Tensors:
    """Return an attention as diffusers stores it; `added` is the width of a text stream joined to it.

    Queries and keys are normalised over `norm_dim` elements where that is not zero.
    """
    width = dim if inner is None else inner
    kv_width = width if kv_inner is None else kv_inner
    read = dim if source is None else source
    stored = [
        *matrix(f"{name}.to_q", "attention_q", width, dim, has_bias=has_bias),
        *matrix(f"{name}.to_k", "attention_k", kv_width, read, has_bias=has_bias),
        *matrix(f"{name}.to_v", "attention_v", kv_width, read, has_bias=has_bias),
    ]
    closing = has_bias if output_bias is None else output_bias
    if output:
        stored += matrix(f"{name}.to_out.0", "attention_output", dim, width, has_bias=closing)
    if norm_dim:
        stored += [
            *norm(f"{name}.norm_q", norm_dim, has_bias=norm_bias),
            *norm(f"{name}.norm_k", norm_dim, has_bias=norm_bias),
        ]
    if added:
        joined = has_bias if added_bias is None else added_bias
        for kind, role in (("q", "attention_q"), ("k", "attention_k"), ("v", "attention_v")):
            stored += matrix(f"{name}.add_{kind}_proj", role, width, added, has_bias=joined)  # type: ignore[arg-type]
        if added_output:
            stored += matrix(f"{name}.to_add_out", "attention_output", added, width, has_bias=closing)
    if added_norm:
        stored += [*norm(f"{name}.norm_added_q", norm_dim), *norm(f"{name}.norm_added_k", norm_dim)]
    return tuple(stored)


def feed_forward(
    name: str, dim: int, inner: int, *, gated: bool = False, has_bias: bool = True, outputs: int | None = None
) -> Tensors:
    """Return a feed-forward network; a gated one projects to twice the inner width."""
    width = 2 * inner if gated else inner
    last = dim if outputs is None else outputs
    return (
        *matrix(f"{name}.net.0.proj", "ffn_gate_up" if gated else "ffn_up", width, dim, has_bias=has_bias),
        *matrix(f"{name}.net.2", "ffn_down", last, inner, has_bias=has_bias),
    )
