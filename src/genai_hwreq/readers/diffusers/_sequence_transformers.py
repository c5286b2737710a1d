"""Image transformers after FLUX: Qwen-Image, Z-Image, Lumina 2.

Next: _video_transformers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from genai_hwreq.models import EnumeratedNetwork, Tensor, TokenMoment, TokenWork
from genai_hwreq.readers.diffusers._image_transformers import heads_and_width
from genai_hwreq.readers.diffusers._parts import (
    attention,
    feed_forward,
    group,
    linear,
    norm,
    raw,
    time_embedding,
)

if TYPE_CHECKING:
    from genai_hwreq.readers.hf_config._fields import Fields

__all__ = ["lumina2", "qwen_image", "z_image"]

Tensors = tuple[Tensor, ...]


def qwen_image(fields: Fields) -> EnumeratedNetwork:
    """Read Qwen-Image's transformer: all blocks have two streams, positions are complex numbers."""
    n_heads, head_dim, dim = heads_and_width(fields, 24, 128)
    channels, text = (
        fields.count("in_channels", default=64),
        fields.count("joint_attention_dim", default=3584),
    )
    patch, out = fields.count("patch_size", default=2), fields.count("out_channels", default=16)
    extra = (
        raw("time_text_embed.addition_t_embedding.weight", 2, dim)
        if fields.flag("use_additional_t_cond", default=False)
        else ()
    )
    ends = group(
        "embeddings", 1,
        time_embedding("time_text_embed.timestep_embedder", dim), extra,
        norm("txt_norm", text),
        linear("img_in", dim, channels),
        linear("txt_in", dim, text),
        linear("norm_out.linear", 2 * dim, dim),
        linear("proj_out", patch * patch * out, dim),
    )  # fmt: skip
    layers = group(
        "layers", fields.count("num_layers", default=60),
        linear("img_mod.1", 6 * dim, dim), linear("txt_mod.1", 6 * dim, dim),
        attention("attn", dim, norm_dim=head_dim, added=dim, added_norm=True),
        feed_forward("img_mlp", dim, 4 * dim), feed_forward("txt_mlp", dim, 4 * dim),
    )  # fmt: skip
    moment = TokenMoment(
        name="feed-forward network",
        per_token=8 * dim + 7 * dim + channels,
        per_text_token=5 * dim + text,
        bytes_per_token=3 * 8 * head_dim // 2,
    )
    return EnumeratedNetwork(
        class_name="QwenImageTransformer2DModel",
        groups=(*ends, *layers),
        work=TokenWork(patch=patch, n_heads=n_heads, moments=(moment,)),
    )


def z_image(fields: Fields) -> EnumeratedNetwork:
    """Read Z-Image's transformer: refiners of image and text, then blocks over both."""
    dim, n_heads = fields.count("dim", default=3840), fields.count("n_heads", default=30)
    head_dim = dim // n_heads
    channels, text = fields.count("in_channels", default=16), fields.count("cap_feat_dim", default=2560)
    patches = fields.counts("all_patch_size", minimum=1) or (2,)
    frames = fields.counts("all_f_patch_size", minimum=1) or (1,)
    refiners = fields.count("n_refiner_layers", default=2)
    modulation = min(dim, 256)
    ends: list[Tensors] = [raw("x_pad_token", 1, dim), raw("cap_pad_token", 1, dim)]
    for patch, frame in zip(patches, frames, strict=False):
        size = patch * patch * frame * channels
        ends += [
            linear(f"all_x_embedder.{patch}-{frame}", dim, size),
            linear(f"all_final_layer.{patch}-{frame}.linear", size, dim),
            linear(f"all_final_layer.{patch}-{frame}.adaLN_modulation.1", dim, modulation),
        ]
    ends += [
        linear("t_embedder.mlp.0", 1024, 256),
        linear("t_embedder.mlp.2", modulation, 1024),
        norm("cap_embedder.0", text),
        linear("cap_embedder.1", dim, text),
    ]
    inner = int(dim / 3 * 8)
    plain = _z_block(dim, head_dim, inner, fields.flag("qk_norm", default=True))
    modulated = (*plain, *linear("adaLN_modulation.0", 4 * dim, modulation))
    moment = TokenMoment(
        name="feed-forward network",
        per_token=4 * inner + 5 * dim + channels * patches[0] ** 2,
        per_text_token=4 * inner + 5 * dim + text,
        bytes_per_token=2 * 8 * head_dim // 2,
    )
    return EnumeratedNetwork(
        class_name="ZImageTransformer2DModel",
        groups=(
            *group("embeddings", 1, *ends),
            *group("layers", refiners, modulated),
            *group("layers", refiners, plain),
            *group("layers", fields.count("n_layers", default=30), modulated),
        ),
        work=TokenWork(patch=patches[0], n_heads=n_heads, moments=(moment,)),
    )


def _z_block(dim: int, head_dim: int, inner: int, normed: bool) -> Tensors:
    return (
        *attention("attention", dim, has_bias=False, norm_dim=head_dim if normed else 0),
        *linear("feed_forward.w1", inner, dim, has_bias=False),
        *linear("feed_forward.w2", dim, inner, has_bias=False),
        *linear("feed_forward.w3", inner, dim, has_bias=False),
        *(
            t
            for name in ("attention_norm1", "ffn_norm1", "attention_norm2", "ffn_norm2")
            for t in norm(name, dim)
        ),
    )


def lumina2(fields: Fields) -> EnumeratedNetwork:
    """Read Lumina Image 2's transformer: grouped keys, refiners of image and text, then blocks over both."""
    dim, n_heads = fields.count("hidden_size", default=2304), fields.count("num_attention_heads", default=24)
    head_dim = dim // n_heads
    kv = fields.count("num_kv_heads", default=8) * head_dim
    channels, patch = fields.count("in_channels", default=16), fields.count("patch_size", default=2)
    text, time = fields.count("cap_feat_dim", default=1024), min(dim, 1024)
    multiple = fields.count("multiple_of", default=256)
    inner = -(-4 * dim // multiple) * multiple
    refiners = fields.count("num_refiner_layers", default=2)
    shared = (
        *attention("attn", dim, kv_inner=kv, has_bias=False, norm_dim=head_dim),
        *linear("feed_forward.linear_1", inner, dim, has_bias=False),
        *linear("feed_forward.linear_2", dim, inner, has_bias=False),
        *linear("feed_forward.linear_3", inner, dim, has_bias=False),
        *(t for name in ("norm1.norm", "ffn_norm1", "norm2", "ffn_norm2") for t in norm(name, dim)),
    )
    modulated = (*shared, *linear("norm1.linear", 4 * dim, time))
    ends = group(
        "embeddings", 1,
        linear("x_embedder", dim, channels * patch * patch),
        time_embedding("time_caption_embed.timestep_embedder", time),
        norm("time_caption_embed.caption_embedder.0", text),
        linear("time_caption_embed.caption_embedder.1", dim, text),
        linear("norm_out.linear_1", dim, time),
        linear("norm_out.linear_2", patch * patch * fields.count("out_channels", default=channels), dim),
    )  # fmt: skip
    joint = 3 * inner + 5 * dim
    moment = TokenMoment(
        name="feed-forward network", per_token=joint + channels * patch * patch, per_text_token=joint + text
    )
    return EnumeratedNetwork(
        class_name="Lumina2Transformer2DModel",
        groups=(
            *ends,
            *group("layers", refiners, modulated),
            *group("layers", refiners, shared),
            *group("layers", fields.count("num_layers", default=26), modulated),
        ),
        work=TokenWork(patch=patch, n_heads=n_heads, moments=(moment,)),
    )
