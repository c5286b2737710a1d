"""Conformers that hear for Gemma 3n and Gemma 4: attention and a convolution between two half-step networks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from genai_hwreq.models import Attention, Dense, Layer, Norm, Tensor, Tower, Transformer
from genai_hwreq.readers.hf_config._encoder import encoder_depth, flatten, layer_run, linear, vector

if TYPE_CHECKING:
    from genai_hwreq.readers.hf_config._fields import Fields

__all__ = ["gemma3n_audio", "gemma4_audio"]


def gemma4_audio(fields: Fields) -> Tower:
    """Read Gemma 4's conformer, which projects its output once more."""
    dim = fields.count("hidden_size", default=1024)
    channels = fields.counts("subsampling_conv_channels", minimum=1) or (128, 32)
    heads, kernel = (
        fields.count("num_attention_heads", default=8),
        fields.count("conv_kernel_size", default=5),
    )
    network = Transformer(
        model_type="gemma4_audio",
        hidden_dim=dim,
        embeddings=_subsampling(dim, channels[0], channels[-1], n_bands=channels[0]),
        layers=layer_run(_conformer_layer(dim, heads, kernel), encoder_depth(fields, 12)),
        closing=linear("output_proj", fields.count("output_proj_dims", default=1536), dim),
    )
    return Tower(role="audio", network=network)


def gemma3n_audio(fields: Fields) -> Tower:
    """Read Gemma 3n's conformer."""
    dim = fields.count("hidden_size", default=1536)
    channels = fields.counts("sscp_conv_channel_size", minimum=1) or (128, 32)
    heads = fields.count("conf_num_attention_heads", default=8)
    layer = _conformer_layer(dim, heads, fields.count("conf_conv_kernel_size", default=5))
    n_bands = fields.count("input_feat_size", default=128)
    network = Transformer(
        model_type="gemma3n_audio",
        hidden_dim=dim,
        embeddings=_subsampling(dim, channels[0], channels[-1], n_bands=n_bands),
        layers=layer_run(layer, encoder_depth(fields, 12, "conf_num_hidden_layers")),
    )
    return Tower(role="audio", network=network)


def _subsampling(dim: int, first: int, second: int, *, n_bands: int) -> tuple[Tensor, ...]:
    """Return two convolutions, each of which halves the frames and the bands of the spectrogram."""
    name = "subsample_conv_projection"
    return (
        Tensor(f"{name}.layer0.conv.weight", "convolution", (first, 1, 3, 3)),
        *Norm(name=f"{name}.layer0.norm", dim=first, kind="layer").tensors(),
        Tensor(f"{name}.layer1.conv.weight", "convolution", (second, first, 3, 3)),
        *Norm(name=f"{name}.layer1.norm", dim=second, kind="layer").tensors(),
        *linear(f"{name}.input_proj_linear", dim, max(1, n_bands // 4) * second, bias=False),
    )


def _conformer_layer(dim: int, heads: int, kernel: int) -> Layer:
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
