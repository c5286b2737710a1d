"""Image transformers whose text is read by cross-attention or joined in a plain block: PixArt, Sana, SD3, AuraFlow.

What is alive at the fullest moment was read off the classes' own forward pass, tensor by tensor.

Next: _rotary_transformers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from genai_hwreq.models import EnumeratedNetwork, Tensor, TokenMoment, TokenWork
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

if TYPE_CHECKING:
    from genai_hwreq.models import TensorGroup
    from genai_hwreq.readers.hf_config._fields import Fields

__all__ = ["auraflow", "cogview3_plus", "cogview4", "heads_and_width", "pixart", "sana", "sd3"]

_ADALN_SINGLE = 6
"""Shifts, scales and gates of a block that share one projection of the time step."""


def heads_and_width(fields: Fields, heads: int, head_dim: int) -> tuple[int, int, int]:
    """Return heads, their width, and both together."""
    n_heads = fields.count("num_attention_heads", default=heads)
    width = fields.count("attention_head_dim", default=head_dim)
    return n_heads, width, n_heads * width


def sd3(fields: Fields) -> EnumeratedNetwork:
    """Read Stable Diffusion 3's joint transformer; the last block does not return its text."""
    n_heads, head_dim, dim = heads_and_width(fields, 18, 64)
    n_layers = fields.n_layers("num_layers") if fields.has("num_layers") else 18
    text = fields.count("joint_attention_dim", default=4096)
    caption = fields.count("caption_projection_dim", default=1152)
    patch = fields.count("patch_size", default=2)
    channels = fields.count("in_channels", default=16)
    dual = fields.counts("dual_attention_layers") or ()
    normed = head_dim if fields.has("qk_norm") else 0
    table = fields.count("pos_embed_max_size", default=96)
    out = fields.count("out_channels", default=channels)
    groups: list[TensorGroup] = []
    for is_last in (False, True):
        for is_dual in (False, True):
            layers = [i for i in range(n_layers) if (i == n_layers - 1) == is_last and (i in dual) == is_dual]
            groups += group(
                "layers", len(layers), _sd3_block(dim, caption, normed, last=is_last, dual=is_dual)
            )
    ends = group(
        "embeddings", 1,
        patch_convolution("pos_embed.proj", dim, channels, patch, patch),
        time_embedding("time_text_embed.timestep_embedder", dim),
        embedding("time_text_embed.text_embedder", dim, fields.count("pooled_projection_dim", default=2048)),
        linear("context_embedder", caption, text),
        linear("norm_out.linear", 2 * dim, dim),
        linear("proj_out", patch * patch * out, dim),
    )  # fmt: skip
    per_token = 8 * dim + (6 if dual else 5) * dim + channels * patch * patch
    moment = TokenMoment(name="feed-forward network", per_token=per_token, per_text_token=text + 3 * dim)
    return EnumeratedNetwork(
        class_name="SD3Transformer2DModel",
        groups=(*ends, *groups),
        tables=(Tensor("pos_embed.pos_embed", "position_embedding", (1, table * table, dim)),),
        work=TokenWork(patch=patch, n_heads=n_heads, moments=(moment,)),
    )


def _sd3_block(dim: int, text: int, normed: int, *, last: bool, dual: bool) -> tuple[Tensor, ...]:
    stored = [
        *linear("norm1.linear", (9 if dual else 6) * dim, dim),
        *linear("norm1_context.linear", (2 if last else 6) * text, dim),
        *attention("attn", dim, norm_dim=normed, added=text, added_output=not last, added_norm=bool(normed)),
        *feed_forward("ff", dim, 4 * dim),
    ]
    if dual:
        stored += attention("attn2", dim, norm_dim=normed)
    if not last:
        stored += feed_forward("ff_context", text, 4 * text)
    return tuple(stored)


def pixart(fields: Fields) -> EnumeratedNetwork:
    """Read PixArt's transformer: attention among the patches, then to the text."""
    n_heads, _, dim = heads_and_width(fields, 16, 72)
    channels, patch = fields.count("in_channels", default=4), fields.count("patch_size", default=2)
    sample = fields.count("sample_size", default=128)
    biased = fields.flag("attention_bias", default=True)
    sized = fields.flag("use_additional_conditions", default=sample == 128)
    caption = fields.optional_count("caption_channels")
    out = fields.count("out_channels", default=8)
    sizes: tuple[Tensor, ...] = ()
    if sized:
        third = dim // 3
        sizes = (
            *time_embedding("adaln_single.emb.resolution_embedder", third),
            *time_embedding("adaln_single.emb.aspect_ratio_embedder", third),
        )  # fmt: skip
    ends = group(
        "embeddings", 1,
        raw("scale_shift_table", 2, dim),
        patch_convolution("pos_embed.proj", dim, channels, patch, patch),
        linear("proj_out", patch * patch * out, dim),
        time_embedding("adaln_single.emb.timestep_embedder", dim),
        sizes,
        linear("adaln_single.linear", _ADALN_SINGLE * dim, dim),
        embedding("caption_projection", dim, caption) if caption else (),
    )  # fmt: skip
    layers = group(
        "layers", fields.count("num_layers", default=28),
        raw("scale_shift_table", _ADALN_SINGLE, dim),
        attention("attn1", dim, has_bias=biased, output_bias=True),
        attention("attn2", dim, source=fields.count("cross_attention_dim", default=1152), has_bias=biased, output_bias=True),
        feed_forward("ff", dim, 4 * dim),
    )  # fmt: skip
    moment = TokenMoment(
        name="feed-forward network",
        per_token=8 * dim + 4 * dim + channels * patch * patch,
        per_text_token=(caption or 0) + dim,
    )
    side = sample // patch
    return EnumeratedNetwork(
        class_name="PixArtTransformer2DModel",
        groups=(*ends, *layers),
        tables=(Tensor("pos_embed.pos_embed", "position_embedding", (1, side * side, dim)),),
        work=TokenWork(patch=patch, n_heads=n_heads, moments=(moment,)),
    )


def sana(fields: Fields) -> EnumeratedNetwork:
    """Read Sana's transformer: linear attention, and convolutions in place of the feed-forward network."""
    n_heads, _, dim = heads_and_width(fields, 70, 32)
    channels, patch = fields.count("in_channels", default=32), fields.count("patch_size", default=1)
    caption = fields.count("caption_channels", default=2304)
    cross_inner = fields.count("num_cross_attention_heads", default=20) * fields.count(
        "cross_attention_head_dim", default=112
    )
    cross = fields.count("cross_attention_dim", default=2240)
    ratio = fields.config.get("mlp_ratio", 2.5)
    inner = int((ratio if isinstance(ratio, int | float) else 2.5) * dim)
    biased = fields.flag("attention_bias", default=False)
    across = dim if fields.has("qk_norm") else 0
    guided = fields.flag("guidance_embeds", default=False)
    time = "time_embed" if guided else "time_embed.emb"
    ends = group(
        "embeddings", 1,
        raw("scale_shift_table", 2, dim),
        patch_convolution("patch_embed.proj", dim, channels, patch, patch),
        time_embedding(f"{time}.timestep_embedder", dim),
        time_embedding("time_embed.guidance_embedder", dim) if guided else (),
        linear("time_embed.linear", _ADALN_SINGLE * dim, dim),
        embedding("caption_projection", dim, caption),
        norm("caption_norm", dim),
        linear("proj_out", patch * patch * fields.count("out_channels", default=channels), dim),
    )  # fmt: skip
    layers = group(
        "layers", fields.count("num_layers", default=20),
        raw("scale_shift_table", _ADALN_SINGLE, dim),
        attention("attn1", dim, has_bias=biased, output_bias=True, norm_dim=across),
        attention("attn2", dim, inner=cross_inner, source=cross, has_bias=True, norm_dim=cross_inner if across else 0),
        patch_convolution("ff.conv_inverted", 2 * inner, dim, 1, 1),
        patch_convolution("ff.conv_depth", 2 * inner, 1, 3, 3),
        patch_convolution("ff.conv_point", dim, inner, 1, 1, has_bias=False),
    )  # fmt: skip
    moment = TokenMoment(
        name="convolutions of the feed-forward network",
        per_token=4 * inner + 4 * dim + channels * patch * patch,
        per_text_token=caption + dim,
    )
    return EnumeratedNetwork(
        class_name="SanaTransformer2DModel",
        groups=(*ends, *layers),
        work=TokenWork(patch=patch, n_heads=n_heads, moments=(moment,)),
    )


def auraflow(fields: Fields) -> EnumeratedNetwork:
    """Read AuraFlow's transformer: joint blocks, then single ones; no layer but the embeddings has biases."""
    n_heads, _, dim = heads_and_width(fields, 12, 256)
    channels, patch = fields.count("in_channels", default=4), fields.count("patch_size", default=2)
    text = fields.count("joint_attention_dim", default=2048)
    caption = fields.count("caption_projection_dim", default=3072)
    inner = -(-(2 * 4 * dim // 3) // 256) * 256
    ends = group(
        "embeddings", 1,
        raw("register_tokens", 1, 8, dim),
        raw("pos_embed.pos_embed", 1, fields.count("pos_embed_max_size", default=1024), dim),
        linear("pos_embed.proj", dim, channels * patch * patch),
        linear("context_embedder", caption, text, has_bias=False),
        time_embedding("time_step_proj", dim),
        linear("norm_out.linear", 2 * dim, dim, has_bias=False),
        linear("proj_out", patch * patch * fields.count("out_channels", default=channels), dim, has_bias=False),
    )  # fmt: skip
    joint = group(
        "layers", fields.count("num_mmdit_layers", default=4),
        linear("norm1.linear", 6 * dim, dim, has_bias=False),
        linear("norm1_context.linear", 6 * dim, dim, has_bias=False),
        attention("attn", dim, has_bias=False, added=dim),
        _swiglu("ff", dim, inner), _swiglu("ff_context", dim, inner),
    )  # fmt: skip
    single = group(
        "layers", fields.count("num_single_dit_layers", default=32),
        linear("norm1.linear", 6 * dim, dim, has_bias=False),
        attention("attn", dim, has_bias=False),
        _swiglu("ff", dim, inner),
    )  # fmt: skip
    moment = TokenMoment(
        name="feed-forward network",
        per_token=3 * inner + 5 * dim + channels * patch * patch,
        per_text_token=3 * inner + 5 * dim + text,
    )
    return EnumeratedNetwork(
        class_name="AuraFlowTransformer2DModel",
        groups=(*ends, *joint, *single),
        work=TokenWork(patch=patch, n_heads=n_heads, moments=(moment,)),
    )


def _swiglu(name: str, dim: int, inner: int) -> tuple[Tensor, ...]:
    return (
        *linear(f"{name}.linear_1", inner, dim, has_bias=False),
        *linear(f"{name}.linear_2", inner, dim, has_bias=False),
        *linear(f"{name}.out_projection", dim, inner, has_bias=False),
    )


def cogview3_plus(fields: Fields) -> EnumeratedNetwork:
    """Read CogView3-Plus's transformer, which runs text and image as one sequence."""
    network, dim, text, channels = _cogview(fields)
    moment = TokenMoment(
        name="feed-forward network",
        per_token=12 * dim + 4 * channels,
        per_text_token=13 * dim + text,
    )
    size = fields.count("pos_embed_max_size", default=128)
    table = Tensor("patch_embed.pos_embed", "position_embedding", (size, size, dim))
    heads = fields.count("num_attention_heads", default=64)
    return EnumeratedNetwork(
        class_name="CogView3PlusTransformer2DModel",
        groups=network,
        tables=(table,),
        work=TokenWork(patch=fields.count("patch_size", default=2), n_heads=heads, moments=(moment,)),
    )


def cogview4(fields: Fields) -> EnumeratedNetwork:
    """Read CogView4's transformer: the same with rotary positions, computed in fp32 for the image."""
    network, dim, text, channels = _cogview(fields)
    heads = fields.count("num_attention_heads", default=64)
    rotary = TokenMoment(
        name="rotary positions",
        per_token=7 * dim + 4 * channels,
        per_text_token=6 * dim + text,
        fp32_per_token=3 * dim,
        fp32_shared=2 * dim // heads,
    )
    feed = TokenMoment(
        name="feed-forward network", per_token=13 * dim + 4 * channels, per_text_token=5 * dim + text
    )
    return EnumeratedNetwork(
        class_name="CogView4Transformer2DModel",
        groups=network,
        work=TokenWork(patch=fields.count("patch_size", default=2), n_heads=heads, moments=(rotary, feed)),
    )


def _cogview(fields: Fields) -> tuple[tuple[TensorGroup, ...], int, int, int]:
    _, _, dim = heads_and_width(fields, 64, 40)
    channels, patch = fields.count("in_channels", default=16), fields.count("patch_size", default=2)
    text, time = fields.count("text_embed_dim", default=4096), fields.count("time_embed_dim", default=512)
    condition = fields.count("condition_dim", default=256)
    sizes = 3 * 2 * condition
    ends = group(
        "embeddings", 1,
        linear("patch_embed.proj", dim, channels * patch * patch),
        linear("patch_embed.text_proj", dim, text),
        embedding("time_condition_embed.timestep_embedder", time, dim),
        embedding("time_condition_embed.condition_embedder", time, sizes),
        linear("norm_out.linear", 2 * dim, time),
        linear("proj_out", patch * patch * fields.count("out_channels", default=16), dim),
    )  # fmt: skip
    layers = group(
        "layers", fields.count("num_layers", default=30),
        linear("norm1.linear", 12 * dim, time),
        attention("attn1", dim),
        feed_forward("ff", dim, 4 * dim),
    )  # fmt: skip
    return (*ends, *layers), dim, text, channels
