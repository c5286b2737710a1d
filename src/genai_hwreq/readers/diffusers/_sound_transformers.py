"""Transformers of video with sound and of sound alone: LTX-2, Mochi, Stable Audio.

Next: _autoencoders.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from genai_hwreq.errors import ConfigurationError
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

if TYPE_CHECKING:
    from genai_hwreq.readers.hf_config._fields import Fields

__all__ = ["ltx2_video", "mochi", "stable_audio"]

Tensors = tuple[Tensor, ...]


def mochi(fields: Fields) -> EnumeratedNetwork:
    """Read Mochi's transformer: a wide stream of video and a narrow one of text."""
    n_heads, head_dim, dim = heads_and_width(fields, 24, 128)
    channels, patch = fields.count("in_channels", default=12), fields.count("patch_size", default=2)
    text, pooled = (
        fields.count("text_embed_dim", default=4096),
        fields.count("pooled_projection_dim", default=1536),
    )
    n_layers = fields.count("num_layers", default=48)
    inner, text_inner = 4 * dim * 2 // 3, 4 * pooled * 2 // 3
    ends = group(
        "embeddings", 1,
        raw("pos_frequencies", 3, n_heads, head_dim // 2),
        patch_convolution("patch_embed.proj", dim, channels, patch, patch),
        time_embedding("time_embed.timestep_embedder", dim),
        linear("time_embed.pooler.to_kv", 2 * text, text), linear("time_embed.pooler.to_q", text, text),
        linear("time_embed.pooler.to_out", dim, text), linear("time_embed.caption_proj", pooled, text),
        linear("norm_out.linear", 2 * dim, dim),
        linear("proj_out", patch * patch * fields.count("out_channels", default=channels), dim),
    )  # fmt: skip

    def block(*, last: bool) -> Tensors:
        context = (
            linear("norm1_context.linear_1", pooled, dim)
            if last
            else linear("norm1_context.linear", 4 * pooled, dim)
        )
        joined = attention(
            "attn1", dim, has_bias=False, output_bias=True, norm_dim=head_dim, added=pooled, added_norm=True,
            added_bias=False, added_output=not last,
        )  # fmt: skip
        rest = () if last else feed_forward("ff_context", pooled, text_inner, gated=True, has_bias=False)
        return (
            *linear("norm1.linear", 4 * dim, dim), *context, *joined,
            *feed_forward("ff", dim, inner, gated=True, has_bias=False), *rest,
        )  # fmt: skip

    moment = TokenMoment(
        name="feed-forward network",
        per_token=4 * inner + 5 * dim + channels * patch * patch,
        per_text_token=text + 4 * pooled,
    )
    return EnumeratedNetwork(
        class_name="MochiTransformer3DModel",
        groups=(
            *ends,
            *group("layers", n_layers - 1, block(last=False)),
            *group("layers", 1, block(last=True)),
        ),
        work=TokenWork(patch=patch, n_heads=n_heads, moments=(moment,)),
    )


def stable_audio(fields: Fields) -> EnumeratedNetwork:
    """Read Stable Audio's transformer: grouped keys across to the text, one token a latent frame."""
    n_heads, head_dim, dim = heads_and_width(fields, 24, 64)
    channels, out = fields.count("in_channels", default=64), fields.count("out_channels", default=64)
    kv = fields.count("num_key_value_attention_heads", default=12) * head_dim
    cross = fields.count("cross_attention_dim", default=768)
    time, shared = (
        fields.count("time_proj_dim", default=256),
        fields.count("global_states_input_dim", default=1536),
    )
    ends = group(
        "embeddings", 1,
        raw("time_proj.weight", time // 2),
        linear("timestep_proj.0", dim, time), linear("timestep_proj.2", dim, dim),
        linear("global_proj.0", dim, shared, has_bias=False), linear("global_proj.2", dim, dim, has_bias=False),
        linear("cross_attention_proj.0", cross, fields.count("cross_attention_input_dim", default=768), has_bias=False),
        linear("cross_attention_proj.2", cross, cross, has_bias=False),
        patch_convolution("preprocess_conv", channels, channels, 1, has_bias=False),
        linear("proj_in", dim, channels, has_bias=False), linear("proj_out", out, dim, has_bias=False),
        patch_convolution("postprocess_conv", out, out, 1, has_bias=False),
    )  # fmt: skip
    layers = group(
        "layers", fields.count("num_layers", default=24),
        norm("norm1", dim, has_bias=True), attention("attn1", dim, has_bias=False),
        norm("norm2", dim, has_bias=True), attention("attn2", dim, kv_inner=kv, source=cross, has_bias=False),
        norm("norm3", dim, has_bias=True), feed_forward("ff", dim, 4 * dim, gated=True),
    )  # fmt: skip
    moment = TokenMoment(name="feed-forward network", per_token=20 * dim + channels, per_text_token=2 * cross)
    return EnumeratedNetwork(
        class_name="StableAudioDiTModel",
        groups=(*ends, *layers),
        work=TokenWork(n_heads=n_heads, moments=(moment,)),
    )


def ltx2_video(fields: Fields) -> EnumeratedNetwork:
    """Read LTX-2's transformer: a wide stream of video and a narrow one of sound, which attend to each other."""
    for name in ("gated_attn", "cross_attn_mod", "audio_gated_attn", "audio_cross_attn_mod"):
        if fields.flag(name, default=False):
            msg = f"{name} is true; LTX-2's variants with it are not known yet"
            raise ConfigurationError(msg, field=name)
    n_heads, _, dim = heads_and_width(fields, 32, 128)
    sound_heads = fields.count("audio_num_attention_heads", default=32)
    sound = sound_heads * fields.count("audio_attention_head_dim", default=64)
    channels, sounds = (
        fields.count("in_channels", default=128),
        fields.count("audio_in_channels", default=128),
    )
    cross, sound_cross = (
        fields.count("cross_attention_dim", default=4096),
        fields.count("audio_cross_attention_dim", default=2048),
    )
    caption = fields.count("caption_channels", default=3840)
    streams = (("", dim, channels, "out_channels"), ("audio_", sound, sounds, "audio_out_channels"))
    ends: list[tuple[Tensor, ...]] = []
    for prefix, width, inputs, outputs in streams:
        ends += [
            raw(f"{prefix}scale_shift_table", 2, width), linear(f"{prefix}proj_in", width, inputs),
            embedding(f"{prefix}caption_projection", width, caption),
            linear(f"{prefix}proj_out", fields.count(outputs, default=inputs), width),
        ]  # fmt: skip
    modulations = (
        ("time_embed", dim, 6), ("audio_time_embed", sound, 6), ("av_cross_attn_video_scale_shift", dim, 4),
        ("av_cross_attn_audio_scale_shift", sound, 4), ("av_cross_attn_video_a2v_gate", dim, 1), ("av_cross_attn_audio_v2a_gate", sound, 1),
    )  # fmt: skip
    for name, width, parts in modulations:
        ends += [
            time_embedding(f"{name}.emb.timestep_embedder", width),
            linear(f"{name}.linear", parts * width, width),
        ]
    layers = group(
        "layers", fields.count("num_layers", default=48),
        raw("scale_shift_table", 6, dim), raw("audio_scale_shift_table", 6, sound),
        raw("video_a2v_cross_attn_scale_shift_table", 5, dim), raw("audio_a2v_cross_attn_scale_shift_table", 5, sound),
        attention("attn1", dim, norm_dim=dim), attention("audio_attn1", sound, norm_dim=sound),
        attention("attn2", dim, source=cross, norm_dim=dim), attention("audio_attn2", sound, source=sound_cross, norm_dim=sound),
        attention("audio_to_video_attn", dim, inner=sound, source=sound, norm_dim=sound),
        attention("video_to_audio_attn", sound, source=dim, norm_dim=sound),
        feed_forward("ff", dim, 4 * dim), feed_forward("audio_ff", sound, 4 * sound),
    )  # fmt: skip
    moment = TokenMoment(
        name="rotary positions",
        per_token=6 * dim + channels,
        per_text_token=dim + caption,
        fp32_per_token=5 * dim,
    )
    return EnumeratedNetwork(
        class_name="LTX2VideoTransformer3DModel",
        groups=(*group("embeddings", 1, *ends), *layers),
        work=TokenWork(
            patch=fields.count("patch_size", default=1),
            patch_frames=fields.count("patch_size_t", default=1),
            n_heads=n_heads,
            moments=(moment,),
        ),
    )
