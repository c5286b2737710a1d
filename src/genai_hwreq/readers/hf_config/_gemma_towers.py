"""Gemma 4 with its towers: a vision transformer and, in the small ones, a conformer that hears."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import evolve

from genai_hwreq.models import Attention, Dense, Layer, Norm, Tensor, Tower, Transformer
from genai_hwreq.readers.hf_config._composite import read_text, text_fields
from genai_hwreq.readers.hf_config._encoder import (
    encoder_depth,
    image_sides,
    flatten,
    layer_run,
    linear,
    vector,
)
from genai_hwreq.readers.hf_config._gemma_text import with_defaults
from genai_hwreq.readers.hf_config._projectors import gemma4_projector

if TYPE_CHECKING:
    from genai_hwreq.readers.hf_config._fields import Fields

__all__ = ["gemma4_audio", "gemma4_vision", "read", "read_towers"]


def read(fields: Fields) -> Transformer:
    """Read the decoder."""
    return read_text(fields, "gemma4_text", tied=fields.flag("tie_word_embeddings", default=True))


def read_towers(fields: Fields) -> tuple[Tower, ...]:
    """Read those towers that the configuration has."""
    text_dim = with_defaults(text_fields(fields, "gemma4_text")).count("hidden_size")
    vision, audio = fields.section("vision_config"), fields.section("audio_config")
    towers: tuple[Tower, ...] = ()
    if vision is not None:
        tower = gemma4_vision(vision)
        projector = gemma4_projector(fields, vision, tower.network.hidden_dim, text_dim)
        tokens = fields.optional_count("vision_soft_tokens_per_image") or tower.output_tokens
        network = evolve(tower.network, closing=tower.network.closing + projector)
        towers += (evolve(tower, network=network, output_tokens=tokens),)
    if audio is not None:
        tower = gemma4_audio(audio)
        output = audio.count("output_proj_dims", default=1536)
        projector = linear("embed_audio.embedding_projection", text_dim, output, bias=False)
        towers += (evolve(tower, network=evolve(tower.network, closing=tower.network.closing + projector)),)
    return towers


def gemma4_vision(fields: Fields) -> Tower:
    """Read Gemma 4's vision transformer: unfolded patches, a table of positions for each side, pooled rows."""
    dim = fields.count("hidden_size", default=768)
    patch = image_sides(fields, "patch_size", 16)
    positions = fields.count("position_embedding_size", default=10240)
    pooled = fields.count("pooling_kernel_size", default=3) ** 2
    tokens = fields.optional_count("default_output_length")
    network = Transformer(
        model_type="gemma4_vision",
        hidden_dim=dim,
        embeddings=(
            Tensor("patch_embedder.position_embedding_table", "position_embedding", (2, positions, dim)),
            *linear("patch_embedder.input_proj", dim, 3 * patch[0] * patch[1], bias=False),
        ),
        layers=layer_run(_gemma4_vision_layer(fields, dim), encoder_depth(fields, 16)),
    )
    stream = tokens * pooled if tokens else None
    return Tower(role="vision", network=network, stream_tokens=stream, output_tokens=tokens)


def _gemma4_vision_layer(fields: Fields, dim: int) -> Layer:
    heads = fields.count("num_attention_heads", default=12)
    head_dim = fields.count("head_dim", default=64)
    mixer = Attention(
        n_heads=heads,
        n_kv_heads=fields.count("num_key_value_heads", default=12),
        head_dim=head_dim,
        norms=(Norm(name="q_norm", dim=head_dim), Norm(name="k_norm", dim=head_dim)),
    )
    network = Dense(
        intermediate_dim=fields.count("intermediate_size", default=3072),
        activation=fields.text("hidden_activation", default="gelu_pytorch_tanh"),
    )
    names = (
        "input_layernorm",
        "post_attention_layernorm",
        "pre_feedforward_layernorm",
        "post_feedforward_layernorm",
    )
    return Layer(
        mixers=(mixer,), feed_forward=(network,), norms=tuple(Norm(name=name, dim=dim) for name in names)
    )


def gemma4_audio(fields: Fields) -> Tower:
    """Read the conformer: two convolutions shorten the spectrogram, each layer has two half-step networks."""
    dim = fields.count("hidden_size", default=1024)
    channels = fields.counts("subsampling_conv_channels", minimum=1) or (128, 32)
    first, second = channels[0], channels[-1]
    joined = max(1, first // 4) * second  # each convolution halves the bands, which are as many as channels
    output = fields.count("output_proj_dims", default=1536)
    network = Transformer(
        model_type="gemma4_audio",
        hidden_dim=dim,
        embeddings=(
            Tensor("subsample_conv_projection.layer0.conv.weight", "convolution", (first, 1, 3, 3)),
            *Norm(name="subsample_conv_projection.layer0.norm", dim=first, kind="layer").tensors(),
            Tensor("subsample_conv_projection.layer1.conv.weight", "convolution", (second, first, 3, 3)),
            *Norm(name="subsample_conv_projection.layer1.norm", dim=second, kind="layer").tensors(),
            *linear("subsample_conv_projection.input_proj_linear", dim, joined, bias=False),
        ),
        layers=layer_run(_conformer_layer(fields, dim), encoder_depth(fields, 12)),
        closing=linear("output_proj", output, dim),
    )
    return Tower(role="audio", network=network)


def _conformer_layer(fields: Fields, dim: int) -> Layer:
    heads = fields.count("num_attention_heads", default=8)
    head_dim = max(1, dim // heads)
    half_step = Dense(intermediate_dim=4 * dim, gated=False)
    names = (
        "feed_forward1.pre_layer_norm",
        "feed_forward1.post_layer_norm",
        "feed_forward2.pre_layer_norm",
        "feed_forward2.post_layer_norm",
        "norm_pre_attn",
        "norm_post_attn",
        "lconv1d.pre_layer_norm",
        "lconv1d.conv_norm",
        "norm_out",
    )
    kernel = fields.count("conv_kernel_size", default=5)
    return Layer(
        mixers=(Attention(n_heads=heads, n_kv_heads=heads, head_dim=head_dim),),
        feed_forward=(half_step, half_step),
        norms=tuple(Norm(name=name, dim=dim) for name in names),
        extra=flatten(
            (
                (vector("self_attn.per_dim_scale", head_dim),),
                linear("self_attn.relative_k_proj", heads * head_dim, dim, bias=False),
                linear("lconv1d.linear_start", 2 * dim, dim, bias=False),
                (Tensor("lconv1d.depthwise_conv1d.weight", "convolution", (dim, 1, kernel)),),
                linear("lconv1d.linear_end", dim, dim, bias=False),
            )
        ),
    )
