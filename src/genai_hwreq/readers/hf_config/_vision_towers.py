"""Vision towers that many models share: CLIP, SigLIP, Idefics3, Pixtral, InternVL.

Each function takes the `vision_config` of its kind and returns the network without the projector, whose
weights the families append to `closing`. Defaults are those of the configuration classes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from genai_hwreq.errors import ConfigurationError
from genai_hwreq.models import Tensor, Tower, Transformer
from genai_hwreq.readers.hf_config._encoder import (
    EncoderTraits,
    encoder_depth,
    flatten,
    image_sides,
    layer_run,
    linear,
    n_patches,
    norm_weights,
    patch_convolution,
    plain_layer,
    vector,
)
from genai_hwreq.readers.hf_config._fields import Fields

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "clip_vision",
    "gemma3_vision",
    "idefics3_vision",
    "internvl_vision",
    "pixtral_vision",
    "shared_vision",
    "siglip_vision",
]


def clip_vision(fields: Fields) -> Tower:
    """Read CLIP's vision transformer: a class token, learned positions, norms before and after the layers."""
    dim = fields.count("hidden_size", default=768)
    patches = n_patches(fields, image_px=224, patch_px=32)
    layer = plain_layer(fields, dim, heads=12, intermediate=3072, activation="quick_gelu")
    network = Transformer(
        model_type="clip_vision_model",
        hidden_dim=dim,
        embeddings=(
            vector("class_embedding", dim),
            *patch_convolution("patch_embedding", fields, dim, patch_px=32, bias=False),
            Tensor("position_embedding.weight", "position_embedding", (patches + 1, dim)),
            *norm_weights("pre_layrnorm", dim),
        ),
        layers=layer_run(layer, encoder_depth(fields, 12)),
        closing=norm_weights("post_layernorm", dim),
    )
    return Tower(role="vision", network=network, stream_tokens=patches + 1, output_tokens=patches)


def siglip_vision(fields: Fields) -> Tower:
    """Read SigLIP's vision transformer: no class token, and a pooling head unless it is left out."""
    dim = fields.count("hidden_size", default=768)
    patches = n_patches(fields, image_px=224, patch_px=16)
    patch = patch_convolution("patch_embedding", fields, dim, patch_px=16, bias=True)
    return _siglip(fields, "siglip_vision_model", dim, patches, patch)


def siglip2_vision(fields: Fields) -> Tower:
    """Read SigLIP 2's vision transformer: SigLIP's, for patches that come unfolded, as many as the image has."""
    dim = fields.count("hidden_size", default=768)
    sides = image_sides(fields, "patch_size", 16)
    unfolded = fields.count("num_channels", default=3) * sides[0] * sides[1]
    patches = fields.count("num_patches", default=256)
    return _siglip(fields, "siglip2_vision_model", dim, patches, linear("patch_embedding", dim, unfolded))


def _siglip(fields: Fields, model_type: str, dim: int, patches: int, patch: tuple[Tensor, ...]) -> Tower:
    intermediate = fields.count("intermediate_size", default=3072)
    layer = plain_layer(fields, dim, heads=12, intermediate=3072, activation="gelu_pytorch_tanh")
    has_head = fields.flag("vision_use_head", default=True)
    network = Transformer(
        model_type=model_type,
        hidden_dim=dim,
        embeddings=(*patch, Tensor("position_embedding.weight", "position_embedding", (patches, dim))),
        layers=layer_run(layer, encoder_depth(fields, 12)),
        closing=norm_weights("post_layernorm", dim)
        + (_attention_pool(dim, intermediate) if has_head else ()),
    )
    return Tower(role="vision", network=network, stream_tokens=patches, output_tokens=patches)


def _attention_pool(dim: int, intermediate_dim: int) -> tuple[Tensor, ...]:
    return flatten(
        (
            (vector("head.probe", dim),),
            linear("head.attention.in_proj", 3 * dim, dim),
            linear("head.attention.out_proj", dim, dim),
            norm_weights("head.layernorm", dim),
            linear("head.mlp.fc1", intermediate_dim, dim),
            linear("head.mlp.fc2", dim, intermediate_dim),
        )
    )


def idefics3_vision(fields: Fields) -> Tower:
    """Read Idefics3's vision transformer: SigLIP without the pooling head, in larger patches."""
    defaults = {"hidden_size": 1152, "num_attention_heads": 16, "patch_size": 32}
    return siglip_vision(Fields({**fields.with_defaults(defaults).config, "vision_use_head": False}))


def pixtral_vision(fields: Fields) -> Tower:
    """Read Pixtral's vision transformer: rotary positions, root-mean-square norms, gated, without biases."""
    dim = fields.count("hidden_size", default=1024)
    traits = EncoderTraits(
        query_bias=False,
        output_bias=False,
        feed_forward_bias=False,
        gated=True,
        norm_kind="rms",
        layer_norms=("attention_norm", "ffn_norm"),
    )
    layer = plain_layer(fields, dim, heads=16, intermediate=4096, activation="gelu", traits=traits)
    network = Transformer(
        model_type="pixtral",
        hidden_dim=dim,
        embeddings=(
            *patch_convolution("patch_conv", fields, dim, patch_px=16, bias=False),
            *norm_weights("ln_pre", dim, "rms"),
        ),
        layers=layer_run(layer, encoder_depth(fields, 24)),
    )
    patches = n_patches(fields, image_px=1024, patch_px=16)
    return Tower(role="vision", network=network, stream_tokens=patches, output_tokens=patches)


def internvl_vision(fields: Fields) -> Tower:
    """Read InternVL's vision transformer: a class token, scaled layers, optional norms of queries and keys."""
    dim = fields.count("hidden_size", default=1024)
    patches = n_patches(fields, image_px=448, patch_px=14)
    kind = "rms" if fields.text("norm_type", default="layer_norm") == "rms_norm" else "layer"
    traits = EncoderTraits(
        query_bias=fields.flag("attention_bias", default=False),
        norm_kind="rms" if kind == "rms" else "layer",
        layer_norms=("layernorm_before", "layernorm_after"),
        qk_norm="width" if fields.flag("use_qk_norm", default=False) else "none",
        layer_scale=True,
    )
    layer = plain_layer(fields, dim, heads=16, intermediate=4096, activation="gelu", traits=traits)
    positions = fields.flag("use_absolute_position_embeddings", default=True)
    pooled = fields.flag("use_mean_pooling", default=True)
    network = Transformer(
        model_type="internvl_vision",
        hidden_dim=dim,
        embeddings=(
            vector("cls_token", dim),
            *((vector("mask_token", dim),) if fields.flag("use_mask_token", default=False) else ()),
            *patch_convolution("patch_embeddings.projection", fields, dim, patch_px=14, bias=True),
            *(
                (Tensor("position_embeddings", "position_embedding", (patches + 1, dim)),)
                if positions
                else ()
            ),
        ),
        layers=layer_run(layer, encoder_depth(fields, 24)),
        closing=() if pooled else norm_weights("layernorm", dim),
    )
    return Tower(role="vision", network=network, stream_tokens=patches + 1, output_tokens=patches)


_KINDS: dict[str, Callable[[Fields], Tower]] = {
    "clip_vision_model": clip_vision,
    "idefics3": idefics3_vision,
    "idefics3_vision": idefics3_vision,
    "internvl_vision": internvl_vision,
    "pixtral": pixtral_vision,
    "siglip2_vision_model": siglip2_vision,
    "siglip_vision_model": siglip_vision,
    "smolvlm_vision": idefics3_vision,
}


def gemma3_vision(fields: Fields) -> Tower:
    """Read Gemma 3's SigLIP; its checkpoints have no pooling head, and old configurations do not say so."""
    return siglip_vision(fields.with_defaults({"vision_use_head": False}))


def shared_vision(fields: Fields, default: str) -> Tower:
    """Read a tower by the `model_type` of its own configuration, or of the `default` kind where it has none."""
    kind = fields.text("model_type", default=default)
    if kind not in _KINDS:
        msg = f"vision model_type {kind!r} is not known; expected one of {', '.join(sorted(_KINDS))}"
        raise ConfigurationError(msg, field="vision_config.model_type")
    return _KINDS[kind](fields)
