"""Networks beside a decoder: encoder layers, patch embeddings and projectors, from which towers are built.

An encoder's layers differ from a decoder's in biases, layer norms and ungated feed-forward networks.
`EncoderTraits` states what sets one encoder apart; the towers themselves are in `_vision_towers` and
`_audio_towers`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from attrs import frozen

from genai_hwreq.errors import ConfigurationError
from genai_hwreq.models import Attention, Dense, Layer, LayerRun, Norm, Tensor

if TYPE_CHECKING:
    from collections.abc import Iterable

    from genai_hwreq.readers.hf_config._fields import Fields

__all__ = [
    "EncoderTraits",
    "encoder_depth",
    "encoder_layer",
    "flatten",
    "image_sides",
    "layer_run",
    "linear",
    "n_patches",
    "norm_weights",
    "patch_convolution",
    "plain_layer",
    "scaled_width",
    "vector",
]


@frozen(kw_only=True)
class EncoderTraits:
    """What sets an encoder's layers apart from CLIP's."""

    query_bias: bool = True
    """Bias of query, key and value projections."""

    key_bias: bool | None = None
    """Bias of the key projection; `None` where it is as the query's (Whisper's has none)."""

    output_bias: bool = True
    """Bias of the attention's output projection."""

    feed_forward_bias: bool = True
    """Bias of the feed-forward projections."""

    gated: bool = False
    """Whether the feed-forward network has a gate."""

    fused_qkv: bool = False
    """Whether query, key and value are one matrix."""

    norm_kind: Literal["rms", "layer"] = "layer"
    """Kind of the normalisations; layer norms store biases."""

    layer_norms: tuple[str, ...] = ("layer_norm1", "layer_norm2")
    """Their names in a layer."""

    qk_norm: Literal["none", "head", "width"] = "none"
    """Normalisation of queries and keys: none, one vector for all heads, or as wide as all heads."""

    layer_scale: bool = False
    """Whether each half of a layer is scaled by a learned vector."""


def encoder_layer(
    dim: int,
    n_heads: int,
    intermediate_dim: int,
    traits: EncoderTraits,
    *,
    activation: str = "gelu",
    head_dim: int = 0,
) -> Layer:
    """Return one layer of an encoder whose stream is `dim` wide."""
    width = head_dim or _head_dim(dim, n_heads)
    query_bias = traits.query_bias
    mixer = Attention(
        n_heads=n_heads,
        n_kv_heads=n_heads,
        head_dim=width,
        query_bias=query_bias,
        key_bias=query_bias if traits.key_bias is None else traits.key_bias,
        output_bias=traits.output_bias,
        fused=traits.fused_qkv,
        norms=_query_key_norms(traits, n_heads * width, width),
    )
    network = Dense(
        intermediate_dim=intermediate_dim,
        gated=traits.gated,
        activation=activation,
        up_bias=traits.feed_forward_bias,
    )
    norms = tuple(_norm(name, dim, traits.norm_kind) for name in traits.layer_norms)
    scales = ("lambda_1", "lambda_2") if traits.layer_scale else ()
    extra = tuple(vector(name, dim) for name in scales)
    return Layer(mixers=(mixer,), feed_forward=(network,), norms=norms, extra=extra)


def plain_layer(
    fields: Fields,
    dim: int,
    *,
    heads: int,
    intermediate: int,
    activation: str,
    traits: EncoderTraits | None = None,
) -> Layer:
    """Read a layer from the usual field names, given the defaults of its kind."""
    return encoder_layer(
        dim,
        fields.count("num_attention_heads", default=heads),
        fields.count("intermediate_size", default=intermediate),
        traits or EncoderTraits(),
        activation=fields.text("hidden_act", default=activation),
    )


def encoder_depth(fields: Fields, default: int, *names: str) -> int:
    """Return the number of layers, or the default of the kind where the configuration does not say."""
    spellings = names or ("num_hidden_layers",)
    return fields.n_layers(*spellings) if fields.has(*spellings) else default


def scaled_width(fields: Fields, dim: int, default: float) -> int:
    """Return a feed-forward width that is given as a multiple, `mlp_ratio`, of the stream's."""
    ratio = fields.config.get("mlp_ratio")
    ratio = default if ratio is None else ratio
    if isinstance(ratio, bool) or not isinstance(ratio, int | float) or not 0 < ratio < 1024:
        msg = f"mlp_ratio is {ratio!r}; expected a number above 0 and below 1024"
        raise ConfigurationError(msg, field="mlp_ratio")
    return max(1, int(dim * ratio))


def _head_dim(dim: int, n_heads: int) -> int:
    if dim % n_heads:
        msg = f"{n_heads} heads do not divide a width of {dim}"
        raise ConfigurationError(msg, field="num_attention_heads")
    return dim // n_heads


def _query_key_norms(traits: EncoderTraits, width: int, head_dim: int) -> tuple[Norm, ...]:
    if traits.qk_norm == "none":
        return ()
    dim = head_dim if traits.qk_norm == "head" else width
    return (Norm(name="q_norm", dim=dim), Norm(name="k_norm", dim=dim))


def _norm(name: str, dim: int, kind: Literal["rms", "layer"]) -> Norm:
    return Norm(name=name, dim=dim, kind=kind, bias=kind == "layer")


def layer_run(layer: Layer, n_layers: int) -> tuple[LayerRun, ...]:
    """Return `n_layers` equal layers."""
    return (LayerRun(layer=layer, n_layers=n_layers),)


def norm_weights(name: str, dim: int, kind: Literal["rms", "layer"] = "layer") -> tuple[Tensor, ...]:
    """Return the weights of a normalisation outside the layers."""
    return _norm(name, dim, kind).tensors()


def linear(name: str, rows: int, columns: int, *, bias: bool = True) -> tuple[Tensor, ...]:
    """Return a projection of `columns` inputs to `rows` outputs."""
    weight = Tensor(f"{name}.weight", "projection", (rows, columns))
    return (weight, Tensor(f"{name}.bias", "bias", (rows,))) if bias else (weight,)


def vector(name: str, dim: int) -> Tensor:
    """Return a learned vector that is neither a normalisation nor a bias: a gate, a scale, a class token."""
    return Tensor(name, "state", (dim,))


def flatten(groups: Iterable[tuple[Tensor, ...]]) -> tuple[Tensor, ...]:
    """Join tuples of tensors into one."""
    return tuple(tensor for group in groups for tensor in group)


def image_sides(fields: Fields, name: str, default: int) -> tuple[int, int]:
    """Return height and width of an image or patch, given as one number for a square or as two."""
    if isinstance(fields.config.get(name), list | tuple):
        sides = fields.counts(name, minimum=1) or ()
        if len(sides) != 2:
            msg = f"{name} has {len(sides)} sizes; expected a height and a width"
            raise ConfigurationError(msg, field=name)
        return sides[0], sides[1]
    side = fields.count(name, default=default)
    return side, side


def n_patches(fields: Fields, *, image_px: int, patch_px: int) -> int:
    """Return the patches of an image of the usual size, given the defaults of both sizes."""
    image, patch = image_sides(fields, "image_size", image_px), image_sides(fields, "patch_size", patch_px)
    patches = (image[0] // patch[0]) * (image[1] // patch[1])
    if not patches:
        msg = (
            f"a patch of {patch[0]} × {patch[1]} pixels does not fit into an image of {image[0]} × {image[1]}"
        )
        raise ConfigurationError(msg, field="patch_size")
    return patches


def patch_convolution(
    name: str, fields: Fields, dim: int, *, patch_px: int, frames: int = 0, bias: bool
) -> tuple[Tensor, ...]:
    """Return the convolution that turns patches of an image, or of several frames, into the stream."""
    channels = fields.count("num_channels", "in_channels", "in_chans", default=3)
    depth = (frames,) if frames else ()
    weight = Tensor(
        f"{name}.weight", "convolution", (dim, channels, *depth, *image_sides(fields, "patch_size", patch_px))
    )
    return (weight, Tensor(f"{name}.bias", "bias", (dim,))) if bias else (weight,)
