"""HunyuanVideo"s transformer and HunyuanImage"s: FLUX"s blocks, with a refiner of the text.

Next: _video_transformers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from genai_hwreq.models import EnumeratedNetwork, Tensor, TokenMoment, TokenWork
from genai_hwreq.readers.diffusers._image_transformers import heads_and_width
from genai_hwreq.readers.diffusers._parts import (
    attention,
    embedding,
    feed_forward,
    group,
    linear,
    norm,
    patch_convolution,
    raw,
    time_embedding,
)
from genai_hwreq.readers.diffusers._rotary_transformers import double_block, single_block

if TYPE_CHECKING:
    from genai_hwreq.models import TensorGroup
    from genai_hwreq.readers.hf_config._fields import Fields

__all__ = ["hunyuan_image", "hunyuan_video", "hunyuan_video_15"]

Tensors = tuple[Tensor, ...]


def hunyuan_video(fields: Fields) -> EnumeratedNetwork:
    """Read HunyuanVideo's transformer: FLUX's blocks, with a refiner of the text."""
    n_heads, head_dim, dim = heads_and_width(fields, 24, 128)
    channels, out = fields.count("in_channels", default=16), fields.count("out_channels", default=16)
    patch, frames = fields.count("patch_size", default=2), fields.count("patch_size_t", default=1)
    text = fields.count("text_embed_dim", default=4096)
    ends = group(
        "embeddings", 1,
        patch_convolution("x_embedder.proj", dim, channels, frames, patch, patch),
        _refiner(dim, text, fields.count("num_refiner_layers", default=2)),
        time_embedding("time_text_embed.timestep_embedder", dim),
        embedding("time_text_embed.text_embedder", dim, fields.count("pooled_projection_dim", default=768)),
        time_embedding("time_text_embed.guidance_embedder", dim) if fields.flag("guidance_embeds", default=True) else (),
        linear("norm_out.linear", 2 * dim, dim),
        linear("proj_out", frames * patch * patch * out, dim),
    )  # fmt: skip
    cell = channels * frames * patch * patch
    return EnumeratedNetwork(
        class_name="HunyuanVideoTransformer3DModel",
        groups=(*ends, *_hunyuan_blocks(fields, dim, head_dim)),
        work=TokenWork(
            patch=patch,
            patch_frames=frames,
            n_heads=n_heads,
            moments=(_hunyuan_moment(dim, head_dim, text, cell),),
        ),
    )


def _hunyuan_blocks(fields: Fields, dim: int, head_dim: int) -> tuple[TensorGroup, ...]:
    return (
        *group("layers", fields.count("num_layers", default=20), double_block(dim, head_dim, 4 * dim)),
        *group("layers", fields.count("num_single_layers", default=40), single_block(dim, head_dim, 4 * dim)),
    )


def _hunyuan_moment(dim: int, head_dim: int, text: int, cell: int) -> TokenMoment:
    return TokenMoment(
        name="rotary positions of a single block",
        per_token=4 * dim + 8 * dim + cell,
        per_text_token=4 * dim + 7 * dim + text,
        fp32_per_token=3 * dim,
        fp32_shared=2 * head_dim,
    )


def _refiner(dim: int, text: int, n_blocks: int) -> Tensors:
    name = "context_embedder"
    stored = [
        *time_embedding(f"{name}.time_text_embed.timestep_embedder", dim),
        *embedding(f"{name}.time_text_embed.text_embedder", dim, text),
        *linear(f"{name}.proj_in", dim, text),
    ]
    for index in range(n_blocks):
        block = f"{name}.token_refiner.refiner_blocks.{index}"
        stored += [
            *norm(f"{block}.norm1", dim, has_bias=True),
            *attention(f"{block}.attn", dim),
            *norm(f"{block}.norm2", dim, has_bias=True),
            *feed_forward(f"{block}.ff", dim, 4 * dim),
            *linear(f"{block}.norm_out.linear", 2 * dim, dim),
        ]
    return tuple(stored)


def hunyuan_image(fields: Fields) -> EnumeratedNetwork:
    """Read HunyuanImage's transformer: HunyuanVideo's on single frames, without pooled text."""
    n_heads, head_dim, dim = heads_and_width(fields, 28, 128)
    channels, out = fields.count("in_channels", default=64), fields.count("out_channels", default=64)
    patch = (fields.counts("patch_size", minimum=1) or (1, 1))[0]
    text, glyphs = fields.count("text_embed_dim", default=3584), fields.optional_count("text_embed_2_dim")
    flow = fields.flag("use_meanflow", default=False)
    time = "time_guidance_embed"
    ends = group(
        "embeddings", 1,
        patch_convolution("x_embedder.proj", dim, channels, patch, patch),
        _refiner(dim, text, fields.count("num_refiner_layers", default=2)),
        _glyph_embedder(dim, glyphs) if glyphs else (),
        time_embedding(f"{time}.timestep_embedder", dim),
        time_embedding(f"{time}.timestep_embedder_r", dim) if flow else (),
        time_embedding(f"{time}.guidance_embedder", dim) if fields.flag("guidance_embeds", default=False) else (),
        linear("norm_out.linear", 2 * dim, dim),
        linear("proj_out", patch * patch * out, dim),
    )  # fmt: skip
    return EnumeratedNetwork(
        class_name="HunyuanImageTransformer2DModel",
        groups=(*ends, *_hunyuan_blocks(fields, dim, head_dim)),
        work=TokenWork(
            patch=patch, n_heads=n_heads, moments=(_hunyuan_moment(dim, head_dim, text, channels),)
        ),
    )


def _glyph_embedder(dim: int, glyphs: int) -> Tensors:
    """Return the embedder of a second text encoder, which reads letters."""
    name, inner = "context_embedder_2", dim if dim < 3072 else 2048
    return (
        *norm(f"{name}.norm", glyphs, has_bias=True),
        *linear(f"{name}.linear_1", inner, glyphs),
        *linear(f"{name}.linear_2", inner, inner),
        *linear(f"{name}.linear_3", dim, inner),
    )


def hunyuan_video_15(fields: Fields) -> EnumeratedNetwork:
    """Read HunyuanVideo 1.5's transformer: blocks of two streams only, an image and two texts as conditions."""
    n_heads, head_dim, dim = heads_and_width(fields, 16, 128)
    channels, out = fields.count("in_channels", default=65), fields.count("out_channels", default=32)
    patch, frames = fields.count("patch_size", default=1), fields.count("patch_size_t", default=1)
    text, glyphs = (
        fields.count("text_embed_dim", default=3584),
        fields.count("text_embed_2_dim", default=1472),
    )
    image, flow = fields.count("image_embed_dim", default=1152), fields.flag("use_meanflow", default=False)
    cell = channels * frames * patch * patch
    ends = group(
        "embeddings", 1,
        patch_convolution("x_embedder.proj", dim, channels, frames, patch, patch),
        norm("image_embedder.norm_in", image, has_bias=True), linear("image_embedder.linear_1", image, image),
        linear("image_embedder.linear_2", dim, image), norm("image_embedder.norm_out", dim, has_bias=True),
        _refiner(dim, text, fields.count("num_refiner_layers", default=2)),
        norm("context_embedder_2.norm", glyphs, has_bias=True), linear("context_embedder_2.linear_1", 2048, glyphs),
        linear("context_embedder_2.linear_2", 2048, 2048), linear("context_embedder_2.linear_3", dim, 2048),
        time_embedding("time_embed.timestep_embedder", dim),
        time_embedding("time_embed.timestep_embedder_r", dim) if flow else (),
        raw("cond_type_embed.weight", 3, dim),
        linear("norm_out.linear", 2 * dim, dim), linear("proj_out", frames * patch * patch * out, dim),
    )  # fmt: skip
    blocks = group("layers", fields.count("num_layers", default=54), double_block(dim, head_dim, 4 * dim))
    moment = TokenMoment(
        name="feed-forward network",
        per_token=8 * dim + 7 * dim + cell,
        per_text_token=5 * dim + text,
        fp32_shared=2 * head_dim,
    )
    return EnumeratedNetwork(
        class_name="HunyuanVideo15Transformer3DModel",
        groups=(*ends, *blocks),
        work=TokenWork(patch=patch, patch_frames=frames, n_heads=n_heads, moments=(moment,)),
    )
