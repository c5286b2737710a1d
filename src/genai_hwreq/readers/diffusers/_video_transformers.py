"""Video and audio transformers: Wan, CogVideoX, HunyuanVideo, LTX, Allegro, Mochi, Stable Audio.

What is alive at the fullest moment was read off the classes' own forward pass, tensor by tensor.

Next: _autoencoders.
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
    word,
)

if TYPE_CHECKING:
    from genai_hwreq.readers.hf_config._fields import Fields

__all__ = ["allegro", "cogvideox", "ltx_video", "wan"]

Tensors = tuple[Tensor, ...]


def wan(fields: Fields) -> EnumeratedNetwork:
    """Read Wan's transformer; time embedding, modulation tables and norms stay in fp32."""
    n_heads, head_dim, dim = heads_and_width(fields, 40, 128)
    frames, patch = (fields.counts("patch_size", minimum=1) or (1, 2, 2))[:2]
    channels, out = fields.count("in_channels", default=16), fields.count("out_channels", default=16)
    text, inner = fields.count("text_dim", default=4096), fields.count("ffn_dim", default=13824)
    image, added = fields.optional_count("image_dim"), fields.optional_count("added_kv_proj_dim")
    normed = dim if word(fields, "qk_norm", "rms_norm_across_heads") else 0
    cell = channels * frames * patch * patch
    ends = group(
        "embeddings", 1,
        raw("scale_shift_table", 1, 2, dim),
        patch_convolution("patch_embedding", dim, channels, frames, patch, patch),
        embedding("condition_embedder.time_embedder", dim, fields.count("freq_dim", default=256)),
        linear("condition_embedder.time_proj", 6 * dim, dim),
        embedding("condition_embedder.text_embedder", dim, text),
        _wan_image(image, dim, fields.optional_count("pos_embed_seq_len")) if image else (),
        linear("proj_out", out * frames * patch * patch, dim),
    )  # fmt: skip
    layers = group(
        "layers", fields.count("num_layers", default=40),
        raw("scale_shift_table", 1, 6, dim),
        attention("attn1", dim, norm_dim=normed),
        attention("attn2", dim, norm_dim=normed),
        _wan_added(dim, added) if added else (),
        norm("norm2", dim, has_bias=True) if fields.flag("cross_attn_norm", default=True) else (),
        feed_forward("ffn", dim, inner),
    )  # fmt: skip
    rotary = TokenMoment(
        name="rotary positions",
        per_token=5 * dim + 2 * cell,
        per_text_token=3 * dim + text,
        fp32_per_token=3 * dim,
        bytes_per_token=2 * 2 * head_dim,
    )
    feed = TokenMoment(
        name="feed-forward network",
        per_token=2 * inner + 4 * dim + cell,
        per_text_token=dim + text,
        bytes_per_token=2 * 2 * head_dim,
    )
    return EnumeratedNetwork(
        class_name="WanTransformer3DModel",
        groups=(*ends, *layers),
        kept_in_fp32=("time_embedder", "scale_shift_table", "norm1", "norm2", "norm3"),
        work=TokenWork(patch=patch, patch_frames=frames, n_heads=n_heads, moments=(rotary, feed)),
    )


def _wan_image(image: int, dim: int, positions: int | None) -> Tensors:
    name = "condition_embedder.image_embedder"
    return (
        *norm(f"{name}.norm1", image, has_bias=True),
        *feed_forward(f"{name}.ff", image, image, outputs=dim),
        *norm(f"{name}.norm2", dim, has_bias=True),
        *(raw(f"{name}.pos_embed", 1, positions, image) if positions else ()),
    )


def _wan_added(dim: int, added: int) -> Tensors:
    return (
        *linear("attn2.add_k_proj", dim, added),
        *linear("attn2.add_v_proj", dim, added),
        *norm("attn2.norm_added_k", dim),
    )


def cogvideox(fields: Fields) -> EnumeratedNetwork:
    """Read CogVideoX's transformer; the smaller model has sine positions, the larger ones rotate in fp32."""
    n_heads, head_dim, dim = heads_and_width(fields, 30, 64)
    channels, out = fields.count("in_channels", default=16), fields.count("out_channels", default=16)
    patch, frames = fields.count("patch_size", default=2), fields.optional_count("patch_size_t")
    text, time = fields.count("text_embed_dim", default=4096), fields.count("time_embed_dim", default=512)
    cell = channels * patch * patch * (frames or 1)
    offset = fields.optional_count("ofs_embed_dim")
    rotary = fields.flag("use_rotary_positional_embeddings", default=False)
    learned = fields.flag("use_learned_positional_embeddings", default=False)
    ends = group(
        "embeddings", 1,
        linear("patch_embed.proj", dim, cell)
        if frames else patch_convolution("patch_embed.proj", dim, channels, patch, patch, has_bias=fields.flag("patch_bias", default=True)),
        linear("patch_embed.text_proj", dim, text),
        embedding("time_embedding", time, dim),
        embedding("ofs_embedding", offset, offset) if offset else (),
        norm("norm_final", dim, has_bias=True),
        linear("norm_out.linear", 2 * dim, time), norm("norm_out.norm", dim, has_bias=True),
        linear("proj_out", patch * patch * out * (frames or 1), dim),
    )  # fmt: skip
    layers = group(
        "layers", fields.count("num_layers", default=30),
        linear("norm1.linear", 6 * dim, time), norm("norm1.norm", dim, has_bias=True),
        attention("attn1", dim, has_bias=fields.flag("attention_bias", default=True), output_bias=True, norm_dim=head_dim, norm_bias=True),
        linear("norm2.linear", 6 * dim, time), norm("norm2.norm", dim, has_bias=True),
        feed_forward("ff", dim, 4 * dim),
    )  # fmt: skip
    feed = TokenMoment(name="feed-forward network", per_token=12 * dim + cell, per_text_token=13 * dim + text)
    rotate = TokenMoment(
        name="rotary positions",
        per_token=7 * dim + cell,
        per_text_token=6 * dim + text,
        fp32_per_token=3 * dim,
        fp32_shared=2 * head_dim,
    )
    table = _sine_positions(fields, patch)
    positions = Tensor("patch_embed.pos_embedding", "position_embedding", (1, table, dim))
    return EnumeratedNetwork(
        class_name="CogVideoXTransformer3DModel",
        groups=(*ends, *layers),
        tables=(positions,) if learned or not rotary else (),
        work=TokenWork(
            patch=patch,
            patch_frames=frames or 1,
            n_heads=n_heads,
            moments=(rotate, feed) if rotary else (feed,),
        ),
    )


def _sine_positions(fields: Fields, patch: int) -> int:
    width, height = fields.count("sample_width", default=90), fields.count("sample_height", default=60)
    ratio = fields.count("temporal_compression_ratio", default=4)
    frames = (fields.count("sample_frames", default=49) - 1) // ratio + 1
    return (width // patch) * (height // patch) * frames + fields.count("max_text_seq_length", default=226)


def ltx_video(fields: Fields) -> EnumeratedNetwork:
    """Read LTX-Video's transformer: rotary tables are as wide as the model, for each sample, in fp32."""
    n_heads, _, dim = heads_and_width(fields, 32, 64)
    channels = fields.count("in_channels", default=128)
    caption, cross = (
        fields.count("caption_channels", default=4096),
        fields.count("cross_attention_dim", default=2048),
    )
    biased, closing = (
        fields.flag("attention_bias", default=True),
        fields.flag("attention_out_bias", default=True),
    )
    ends = group(
        "embeddings", 1,
        raw("scale_shift_table", 2, dim),
        linear("proj_in", dim, channels),
        time_embedding("time_embed.emb.timestep_embedder", dim),
        linear("time_embed.linear", 6 * dim, dim),
        embedding("caption_projection", dim, caption),
        linear("proj_out", fields.count("out_channels", default=channels), dim),
    )  # fmt: skip
    layers = group(
        "layers", fields.count("num_layers", default=28),
        raw("scale_shift_table", 6, dim),
        attention("attn1", dim, has_bias=biased, output_bias=closing, norm_dim=dim),
        attention("attn2", dim, source=cross, has_bias=biased, output_bias=closing, norm_dim=dim),
        feed_forward("ff", dim, 4 * dim),
    )  # fmt: skip
    moment = TokenMoment(
        name="rotary positions",
        per_token=6 * dim + channels,
        per_text_token=dim + caption,
        fp32_per_token=5 * dim,
    )
    return EnumeratedNetwork(
        class_name="LTXVideoTransformer3DModel",
        groups=(*ends, *layers),
        work=TokenWork(
            patch=fields.count("patch_size", default=1),
            patch_frames=fields.count("patch_size_t", default=1),
            n_heads=n_heads,
            moments=(moment,),
        ),
    )


def allegro(fields: Fields) -> EnumeratedNetwork:
    """Read Allegro's transformer: PixArt's blocks with rotary positions over space and time."""
    n_heads, head_dim, dim = heads_and_width(fields, 24, 96)
    channels, out = fields.count("in_channels", default=4), fields.count("out_channels", default=4)
    patch, frames = fields.count("patch_size", default=2), fields.count("patch_size_t", default=1)
    caption, cross = (
        fields.count("caption_channels", default=4096),
        fields.count("cross_attention_dim", default=2304),
    )
    biased = fields.flag("attention_bias", default=True)
    ends = group(
        "embeddings", 1,
        raw("scale_shift_table", 2, dim),
        patch_convolution("pos_embed.proj", dim, channels, patch, patch),
        linear("proj_out", frames * patch * patch * out, dim),
        time_embedding("adaln_single.emb.timestep_embedder", dim),
        linear("adaln_single.linear", 6 * dim, dim),
        embedding("caption_projection", dim, caption),
    )  # fmt: skip
    layers = group(
        "layers", fields.count("num_layers", default=32),
        raw("scale_shift_table", 6, dim),
        attention("attn1", dim, has_bias=biased, output_bias=True),
        attention("attn2", dim, source=cross, has_bias=biased, output_bias=True),
        feed_forward("ff", dim, 4 * dim),
    )  # fmt: skip
    moment = TokenMoment(
        name="feed-forward network",
        per_token=12 * dim + channels * frames * patch * patch,
        per_text_token=dim + caption,
        fp32_shared=2 * head_dim,
    )
    return EnumeratedNetwork(
        class_name="AllegroTransformer3DModel",
        groups=(*ends, *layers),
        work=TokenWork(patch=patch, patch_frames=frames, n_heads=n_heads, moments=(moment,)),
    )
