"""Vision towers that belong to one family: Qwen-VL, GLM-V, Llama 4, Kimi, Step, MiniMax.

As in `_vision_towers`, each function returns the network; the mergers of Qwen and GLM, which already
put out rows as wide as the decoder, are part of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from genai_hwreq.errors import ConfigurationError
from genai_hwreq.models import Tensor, Tower, Transformer
from genai_hwreq.readers.hf_config._encoder import (
    EncoderTraits,
    encoder_depth,
    encoder_layer,
    flatten,
    image_sides,
    layer_run,
    linear,
    n_patches,
    norm_weights,
    patch_convolution,
    plain_layer,
    scaled_width,
    vector,
)

if TYPE_CHECKING:
    from genai_hwreq.models import Layer
    from genai_hwreq.readers.hf_config._fields import Fields

__all__ = [
    "glm4v_vision",
    "kimi_k3_vision",
    "kimi_vision",
    "llama4_vision",
    "minimax_vision",
    "qwen2_5_vl_vision",
    "qwen2_vl_vision",
    "qwen3_vl_vision",
    "step_vision",
]


def llama4_vision(fields: Fields) -> Tower:
    """Read Llama 4's vision transformer: patches unfolded, a class token, and a shuffle that quarters the rows."""
    dim = fields.count("hidden_size", default=768)
    patches = n_patches(fields, image_px=448, patch_px=14)
    patch = image_sides(fields, "patch_size", 14)
    unfolded = fields.count("num_channels", default=3) * patch[0] * patch[1]
    traits = EncoderTraits(layer_norms=("input_layernorm", "post_attention_layernorm"))
    intermediate = fields.count("intermediate_size", default=5632)
    layer = plain_layer(fields, dim, heads=16, intermediate=5632, activation="gelu", traits=traits)
    joined = fields.count("projector_input_dim", default=4096)
    output = fields.count("projector_output_dim", default=4096)
    network = Transformer(
        model_type="llama4_vision_model",
        hidden_dim=dim,
        embeddings=(
            vector("class_embedding", dim),
            Tensor("positional_embedding_vlm", "position_embedding", (patches + 1, dim)),
            *linear("patch_embedding.linear", dim, unfolded, bias=False),
            *norm_weights("layernorm_pre", dim),
        ),
        layers=layer_run(layer, encoder_depth(fields, 34)),
        closing=(
            *norm_weights("layernorm_post", dim),
            *linear("vision_adapter.mlp.fc1", joined, intermediate, bias=False),
            *linear("vision_adapter.mlp.fc2", output, joined, bias=False),
        ),
    )
    return Tower(
        role="vision", network=network, stream_tokens=patches + 1, output_tokens=max(1, patches // 4)
    )


def kimi_vision(fields: Fields) -> Tower:
    """Read Kimi's vision transformer (MoonViT): learned positions on a grid, one more norm at the end."""
    dim = fields.count("hidden_size", "vt_hidden_size", default=1152)
    grid = (
        fields.count("pos_emb_height", "init_pos_emb_height", default=64),
        fields.count("pos_emb_width", "init_pos_emb_width", default=64),
    )
    layer = encoder_layer(
        dim,
        fields.count("num_attention_heads", "vt_num_attention_heads", default=16),
        fields.count("intermediate_size", "vt_intermediate_size", default=4304),
        EncoderTraits(layer_norms=("norm1", "norm2")),
        activation="gelu_pytorch_tanh",
    )
    network = Transformer(
        model_type="kimi_k25_vision",
        hidden_dim=dim,
        embeddings=(
            *patch_convolution("patch_embed.proj", fields, dim, patch_px=14, bias=True),
            Tensor("patch_embed.pos_emb.position_embeddings", "position_embedding", (*grid, dim)),
        ),
        layers=layer_run(layer, encoder_depth(fields, 27, "num_hidden_layers", "vt_num_hidden_layers")),
        closing=norm_weights("final_layernorm", dim),
    )
    return Tower(role="vision", network=network)


def kimi_k3_vision(fields: Fields) -> Tower:
    """Read Kimi K3's vision transformer: Kimi's without biases, with plainer norms and a wider attention."""
    dim = fields.count("vt_hidden_size", default=1024)
    heads = fields.count("vt_num_attention_heads", default=12)
    attention_dim = fields.count("qkv_hidden_size", default=1536)
    if attention_dim % heads:
        msg = f"{heads} heads do not divide an attention {attention_dim} wide"
        raise ConfigurationError(msg, field="qkv_hidden_size")
    attention_bias = fields.flag("attn_bias", default=False)
    traits = EncoderTraits(
        query_bias=attention_bias,
        output_bias=attention_bias,
        feed_forward_bias=fields.flag("linear_bias", default=False),
        fused_qkv=True,
        norm_kind="rms",
        layer_norms=("norm0", "norm1"),
    )
    layer = encoder_layer(
        dim,
        heads,
        fields.count("vt_intermediate_size", default=4096),
        traits,
        activation="gelu_pytorch_tanh",
        head_dim=attention_dim // heads,
    )
    grid = tuple(fields.count(f"init_pos_emb_{side}", default=64) for side in ("height", "width"))
    bias = fields.flag("patch_embed_proj_bias", default=False)
    network = Transformer(
        model_type="kimi_k3_vision",
        hidden_dim=dim,
        embeddings=(
            *patch_convolution("patch_embed.proj", fields, dim, patch_px=14, bias=bias),
            Tensor("patch_embed.pos_emb.weight", "position_embedding", (*grid, dim)),
        ),
        layers=layer_run(layer, encoder_depth(fields, 27, "vt_num_hidden_layers")),
        closing=norm_weights("final_layernorm", dim, "rms"),
    )
    return Tower(role="vision", network=network)


def step_vision(fields: Fields) -> Tower:
    """Read Step's vision transformer: scaled layers, then two convolutions that halve height and width each."""
    dim = fields.count("hidden_size", "width", default=1536)
    patches = n_patches(fields, image_px=728, patch_px=14)
    heads = fields.count("num_attention_heads", "heads", default=16)
    traits = EncoderTraits(layer_norms=("layernorm_before", "layernorm_after"), layer_scale=True)
    layer = encoder_layer(dim, heads, scaled_width(fields, dim, 8960 / 1536), traits, activation="quick_gelu")
    positions = fields.count("max_position_embeddings", default=2704)
    network = Transformer(
        model_type="step3p5_vision",
        hidden_dim=dim,
        embeddings=(
            *patch_convolution("patch_embedding", fields, dim, patch_px=14, bias=False),
            Tensor("position_embedding.weight", "position_embedding", (positions, dim)),
            *norm_weights("pre_layernorm", dim),
        ),
        layers=layer_run(layer, encoder_depth(fields, 47, "num_hidden_layers", "layers")),
        closing=(
            Tensor("downsampler1.weight", "convolution", (2 * dim, dim, 3, 3)),
            Tensor("downsampler1.bias", "bias", (2 * dim,)),
            Tensor("downsampler2.weight", "convolution", (4 * dim, 2 * dim, 3, 3)),
            Tensor("downsampler2.bias", "bias", (4 * dim,)),
        ),
    )
    return Tower(role="vision", network=network, stream_tokens=patches, output_tokens=max(1, patches // 16))


def minimax_vision(fields: Fields) -> Tower:
    """Read MiniMax M3's vision transformer: CLIP's layers, with rotary positions and no class token."""
    dim = fields.count("hidden_size", default=1280)
    frames = fields.count("temporal_patch_size", default=2)
    layer = plain_layer(fields, dim, heads=16, intermediate=5120, activation="gelu")
    network = Transformer(
        model_type="minimax_m3_vl_vision",
        hidden_dim=dim,
        embeddings=(
            *patch_convolution("embeddings.proj", fields, dim, patch_px=14, frames=frames, bias=False),
            *norm_weights("pre_layrnorm", dim),
        ),
        layers=layer_run(layer, encoder_depth(fields, 32)),
    )
    return Tower(role="vision", network=network)


def qwen2_vl_vision(fields: Fields) -> Tower:
    """Read Qwen2-VL's vision transformer; `hidden_size` is what its merger puts out."""
    dim = fields.count("embed_dim", default=1280)
    output = fields.count("hidden_size", default=3584)
    layer = _qwen_layer(fields, dim, scaled_width(fields, dim, 4))
    merger = (
        *norm_weights("merger.ln_q", dim),
        *_merger_mlp(fields, dim, output, ("merger.mlp.0", "merger.mlp.2")),
    )
    network = Transformer(
        model_type="qwen2_vl_vision",
        hidden_dim=dim,
        embeddings=_qwen_patches(fields, dim, patch_px=14, bias=False),
        layers=layer_run(layer, encoder_depth(fields, 32, "depth")),
        closing=merger,
    )
    return Tower(role="vision", network=network)


def qwen2_5_vl_vision(fields: Fields) -> Tower:
    """Read Qwen2.5-VL's vision transformer: gated, with root-mean-square norms."""
    dim = fields.count("hidden_size", default=3584)
    output = fields.count("out_hidden_size", default=3584)
    layer = _qwen_layer(fields, dim, fields.count("intermediate_size", default=3420), gated=True)
    merger = (
        *norm_weights("merger.ln_q", dim, "rms"),
        *_merger_mlp(fields, dim, output, ("merger.mlp.0", "merger.mlp.2")),
    )
    network = Transformer(
        model_type="qwen2_5_vl_vision",
        hidden_dim=dim,
        embeddings=_qwen_patches(fields, dim, patch_px=14, bias=False),
        layers=layer_run(layer, encoder_depth(fields, 32, "depth")),
        closing=merger,
    )
    return Tower(role="vision", network=network)


def qwen3_vl_vision(fields: Fields, *, deepstack: bool = True) -> Tower:
    """Read Qwen3-VL's vision transformer; with `deepstack`, inner layers have mergers of their own."""
    dim = fields.count("hidden_size", default=1152)
    output = fields.count("out_hidden_size", default=3584)
    positions = fields.count("num_position_embeddings", default=2304)
    layer = _qwen_layer(fields, dim, fields.count("intermediate_size", default=4304))
    merged = dim * _merge_area(fields)
    mergers = [norm_weights("merger.norm", dim)]
    mergers.append(_merger_mlp(fields, dim, output, ("merger.linear_fc1", "merger.linear_fc2")))
    for index in range(_n_deepstack(fields) if deepstack else 0):
        name = f"deepstack_merger_list.{index}"
        mergers.append(norm_weights(f"{name}.norm", merged))
        mergers.append(_merger_mlp(fields, dim, output, (f"{name}.linear_fc1", f"{name}.linear_fc2")))
    network = Transformer(
        model_type="qwen3_vl_vision",
        hidden_dim=dim,
        embeddings=(
            *_qwen_patches(fields, dim, patch_px=16, bias=True),
            Tensor("pos_embed.weight", "position_embedding", (positions, dim)),
        ),
        layers=layer_run(layer, encoder_depth(fields, 27, "depth")),
        closing=flatten(mergers),
    )
    return Tower(role="vision", network=network)


def _n_deepstack(fields: Fields) -> int:
    indexes = fields.items("deepstack_visual_indexes")
    return 3 if indexes is None else len(indexes)


def _merge_area(fields: Fields) -> int:
    return int(fields.count("spatial_merge_size", default=2) ** 2)


def _merger_mlp(fields: Fields, dim: int, output: int, names: tuple[str, str]) -> tuple[Tensor, ...]:
    merged = dim * _merge_area(fields)
    return (*linear(names[0], merged, merged), *linear(names[1], output, merged))


def _qwen_layer(fields: Fields, dim: int, intermediate_dim: int, *, gated: bool = False) -> Layer:
    traits = EncoderTraits(
        fused_qkv=True, gated=gated, norm_kind="rms" if gated else "layer", layer_norms=("norm1", "norm2")
    )
    activation = fields.text("hidden_act", default="silu" if gated else "gelu_pytorch_tanh")
    return encoder_layer(
        dim, fields.count("num_heads", default=16), intermediate_dim, traits, activation=activation
    )


def _qwen_patches(fields: Fields, dim: int, *, patch_px: int, bias: bool) -> tuple[Tensor, ...]:
    frames = fields.count("temporal_patch_size", default=2)
    return patch_convolution("patch_embed.proj", fields, dim, patch_px=patch_px, frames=frames, bias=bias)


def glm4v_vision(fields: Fields) -> Tower:
    """Read GLM-4V's vision transformer: a convolution merges the rows, a gated network maps them."""
    dim = fields.count("hidden_size", default=1536)
    output = fields.count("out_hidden_size", default=4096)
    inner = fields.count("intermediate_size", default=13696)
    merge = fields.count("spatial_merge_size", default=2)
    patches = n_patches(fields, image_px=336, patch_px=14)
    traits = EncoderTraits(
        query_bias=fields.flag("attention_bias", default=False),
        output_bias=False,
        feed_forward_bias=False,
        gated=True,
        fused_qkv=True,
        norm_kind="rms",
        layer_norms=("norm1", "norm2"),
    )
    layer = encoder_layer(dim, fields.count("num_heads", default=12), output, traits, activation="silu")
    frames = fields.count("temporal_patch_size", default=2)
    network = Transformer(
        model_type="glm4v_vision",
        hidden_dim=dim,
        embeddings=(
            Tensor("embeddings.position_embedding.weight", "position_embedding", (patches, dim)),
            *patch_convolution("patch_embed.proj", fields, dim, patch_px=14, frames=frames, bias=True),
            *norm_weights("post_conv_layernorm", dim, "rms"),
        ),
        layers=layer_run(layer, encoder_depth(fields, 24, "depth")),
        closing=(
            *norm_weights("post_layernorm", dim, "rms"),
            Tensor("downsample.weight", "convolution", (output, dim, merge, merge)),
            Tensor("downsample.bias", "bias", (output,)),
            *linear("merger.proj", output, output, bias=False),
            *norm_weights("merger.post_projection_norm", output),
            *linear("merger.gate_proj", inner, output, bias=False),
            *linear("merger.up_proj", inner, output, bias=False),
            *linear("merger.down_proj", output, inner, bias=False),
        ),
    )
    output_tokens = max(1, patches // merge**2)
    return Tower(role="vision", network=network, stream_tokens=patches, output_tokens=output_tokens)
