"""Image transformers with rotary positions computed in fp32: FLUX and its relatives, Qwen-Image, Z-Image, Lumina 2.

Next: _video_transformers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from genai_hwreq.models import EnumeratedNetwork, Tensor, TokenMoment, TokenWork
from genai_hwreq.models._tensor import matrix
from genai_hwreq.readers.diffusers._image_transformers import heads_and_width
from genai_hwreq.readers.diffusers._parts import (
    attention,
    embedding,
    feed_forward,
    group,
    linear,
    norm,
    time_embedding,
)

if TYPE_CHECKING:
    from genai_hwreq.models import TensorGroup
    from genai_hwreq.readers.hf_config._fields import Fields

__all__ = ["chroma", "double_block", "flux", "flux2", "longcat", "single_block"]

Tensors = tuple[Tensor, ...]


def double_block(dim: int, head_dim: int, inner: int, *, modulated: bool = True) -> Tensors:
    """Return a block of two streams: image and text each have their own weights and attend together."""
    modulation = (
        (*linear("norm1.linear", 6 * dim, dim), *linear("norm1_context.linear", 6 * dim, dim))
        if modulated
        else ()
    )
    return (
        *modulation,
        *attention("attn", dim, norm_dim=head_dim, added=dim, added_norm=True),
        *feed_forward("ff", dim, inner),
        *feed_forward("ff_context", dim, inner),
    )


def single_block(dim: int, head_dim: int, inner: int, *, modulated: bool = True) -> Tensors:
    """Return a block of one stream: attention beside the feed-forward network, projected back together."""
    return (
        *(linear("norm.linear", 3 * dim, dim) if modulated else ()),
        *linear("proj_mlp", inner, dim),
        *linear("proj_out", dim, dim + inner),
        *attention("attn", dim, norm_dim=head_dim, output=False),
    )


def _flux_work(dim: int, head_dim: int, n_heads: int, text: int, channels: int) -> TokenWork:
    """Return a single block's rotation of queries: the product and its parts are fp32 beside all 16-bit tensors."""
    joint = 4 * dim + 7 * dim
    moment = TokenMoment(
        name="rotary positions of a single block",
        per_token=joint + channels,
        per_text_token=joint + text,
        fp32_per_token=3 * dim,
        fp32_per_text_token=3 * dim,
        fp32_shared=2 * head_dim,
        fp32_shared_text=2 * head_dim,
    )
    return TokenWork(patch=2, n_heads=n_heads, moments=(moment,))


def flux(fields: Fields) -> EnumeratedNetwork:
    """Read FLUX.1's transformer."""
    n_heads, head_dim, dim = heads_and_width(fields, 24, 128)
    channels = fields.count("in_channels", default=64)
    text = fields.count("joint_attention_dim", default=4096)
    ends = group(
        "embeddings", 1,
        time_embedding("time_text_embed.timestep_embedder", dim),
        time_embedding("time_text_embed.guidance_embedder", dim) if fields.flag("guidance_embeds", default=False) else (),
        embedding("time_text_embed.text_embedder", dim, fields.count("pooled_projection_dim", default=768)),
        *_flux_ends(dim, text, channels, fields.count("out_channels", default=channels)),
    )  # fmt: skip
    return EnumeratedNetwork(
        class_name="FluxTransformer2DModel",
        groups=(*ends, *_flux_layers(fields, dim, head_dim)),
        work=_flux_work(dim, head_dim, n_heads, text, channels),
    )


def _flux_layers(
    fields: Fields, dim: int, head_dim: int, *, modulated: bool = True
) -> tuple[TensorGroup, ...]:
    """Return FLUX's blocks: those that keep text and image apart, then those that join them."""
    n_double, n_single = (
        fields.count("num_layers", default=19),
        fields.count("num_single_layers", default=38),
    )
    return (
        *group("layers", n_double, double_block(dim, head_dim, 4 * dim, modulated=modulated)),
        *group("layers", n_single, single_block(dim, head_dim, 4 * dim, modulated=modulated)),
    )


def _flux_ends(dim: int, text: int, channels: int, out: int) -> tuple[Tensors, ...]:
    return (
        linear("context_embedder", dim, text),
        linear("x_embedder", dim, channels),
        linear("norm_out.linear", 2 * dim, dim),
        linear("proj_out", out, dim),
    )


def longcat(fields: Fields) -> EnumeratedNetwork:
    """Read LongCat-Image's transformer: FLUX's without pooled text."""
    n_heads, head_dim, dim = heads_and_width(fields, 24, 128)
    channels, text = (
        fields.count("in_channels", default=64),
        fields.count("joint_attention_dim", default=3584),
    )
    ends = group(
        "embeddings", 1,
        time_embedding("time_embed.timestep_embedder", dim),
        *_flux_ends(dim, text, channels, fields.count("out_channels", default=channels)),
    )  # fmt: skip
    return EnumeratedNetwork(
        class_name="LongCatImageTransformer2DModel",
        groups=(*ends, *_flux_layers(fields, dim, head_dim)),
        work=_flux_work(dim, head_dim, n_heads, text, channels),
    )


def chroma(fields: Fields) -> EnumeratedNetwork:
    """Read Chroma's transformer: FLUX's with one small network in place of all modulations."""
    n_heads, head_dim, dim = heads_and_width(fields, 24, 128)
    channels, text = (
        fields.count("in_channels", default=64),
        fields.count("joint_attention_dim", default=4096),
    )
    inputs = fields.count("approximator_num_channels", default=64)
    inner = fields.count("approximator_hidden_dim", default=5120)
    name = "distilled_guidance_layer"
    depth = fields.count("approximator_layers", default=5)
    ends = group(
        "embeddings", 1,
        linear(f"{name}.in_proj", inner, inputs),
        linear(f"{name}.out_proj", dim, inner),
        linear("context_embedder", dim, text),
        linear("x_embedder", dim, channels),
        linear("proj_out", fields.count("out_channels", default=channels), dim),
    )  # fmt: skip
    guide = group("guidance", depth, embedding(f"{name}.layers", inner, inner), norm(f"{name}.norms", inner))
    return EnumeratedNetwork(
        class_name="ChromaTransformer2DModel",
        groups=(
            *ends,
            *guide,
            *_flux_layers(fields, dim, head_dim, modulated=False),
        ),
        work=_flux_work(dim, head_dim, n_heads, text, channels),
    )


def flux2(fields: Fields) -> EnumeratedNetwork:
    """Read FLUX.2's transformer: shared modulations, gated feed-forward networks, no biases."""
    n_heads, head_dim, dim = heads_and_width(fields, 48, 128)
    channels, text = (
        fields.count("in_channels", default=128),
        fields.count("joint_attention_dim", default=15360),
    )
    ratio = fields.config.get("mlp_ratio", 3.0)
    inner = int((ratio if isinstance(ratio, int | float) else 3.0) * dim)
    ends = group(
        "embeddings", 1,
        time_embedding("time_guidance_embed.timestep_embedder", dim, has_bias=False),
        time_embedding("time_guidance_embed.guidance_embedder", dim, has_bias=False)
        if fields.flag("guidance_embeds", default=True) else (),
        linear("double_stream_modulation_img.linear", 6 * dim, dim, has_bias=False),
        linear("double_stream_modulation_txt.linear", 6 * dim, dim, has_bias=False),
        linear("single_stream_modulation.linear", 3 * dim, dim, has_bias=False),
        linear("x_embedder", dim, channels, has_bias=False),
        linear("context_embedder", dim, text, has_bias=False),
        linear("norm_out.linear", 2 * dim, dim, has_bias=False),
        linear("proj_out", fields.count("out_channels", default=channels), dim, has_bias=False),
    )  # fmt: skip
    double = group(
        "layers", fields.count("num_layers", default=8),
        attention("attn", dim, has_bias=False, norm_dim=head_dim, added=dim, added_norm=True),
        _flux2_mlp("ff", dim, inner), _flux2_mlp("ff_context", dim, inner),
    )  # fmt: skip
    single = group(
        "layers", fields.count("num_single_layers", default=48),
        matrix("attn.to_qkv_mlp_proj", "projection", 3 * dim + 2 * inner, dim),
        norm("attn.norm_q", head_dim), norm("attn.norm_k", head_dim),
        matrix("attn.to_out", "projection", dim, dim + inner),
    )  # fmt: skip
    joint = 9 * dim + 4 * inner
    moment = TokenMoment(
        name="feed-forward network of a single block",
        per_token=joint + channels,
        per_text_token=joint + dim + text,
        fp32_shared=2 * head_dim,
        fp32_shared_text=2 * head_dim,
    )
    return EnumeratedNetwork(
        class_name="Flux2Transformer2DModel",
        groups=(*ends, *double, *single),
        work=TokenWork(patch=2, n_heads=n_heads, moments=(moment,)),
    )


def _flux2_mlp(name: str, dim: int, inner: int) -> Tensors:
    return (
        *linear(f"{name}.linear_in", 2 * inner, dim, has_bias=False),
        *linear(f"{name}.linear_out", dim, inner, has_bias=False),
    )
