"""CLIP and SigLIP: a text and a vision encoder trained to agree, and either of them alone.

Text encoders also serve diffusion pipelines, without the projection unless `architectures` names it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import evolve

from genai_hwreq.models import Tensor, Tower, Transformer
from genai_hwreq.readers.hf_config._encoder import (
    encoder_depth,
    layer_run,
    linear,
    norm_weights,
    plain_layer,
    vector,
)
from genai_hwreq.readers.hf_config._fields import Fields
from genai_hwreq.readers.hf_config._vision_towers import clip_vision, shared_vision

if TYPE_CHECKING:
    from genai_hwreq.models import LayerRun

__all__ = ["read", "read_towers"]


def _clip_text(fields: Fields) -> Transformer:
    dim = fields.count("hidden_size", default=512)
    layer = plain_layer(fields, dim, heads=8, intermediate=2048, activation="quick_gelu")
    layers = layer_run(layer, encoder_depth(fields, 12))
    return _text_encoder(fields, "clip_text_model", dim, layers, vocab_size=49408, positions=77)


def _siglip_text(fields: Fields) -> Transformer:
    dim = fields.count("hidden_size", default=768)
    layer = plain_layer(fields, dim, heads=12, intermediate=3072, activation="gelu_pytorch_tanh")
    layers = layer_run(layer, encoder_depth(fields, 12))
    network = _text_encoder(fields, "siglip_text_model", dim, layers, vocab_size=32000, positions=64)
    return _closed(network, linear("head", fields.count("projection_size", default=dim), dim))


def _text_encoder(
    fields: Fields,
    model_type: str,
    dim: int,
    layers: tuple[LayerRun, ...],
    *,
    vocab_size: int,
    positions: int,
) -> Transformer:
    words = (fields.count("vocab_size", default=vocab_size), dim)
    rows = (fields.count("max_position_embeddings", default=positions), dim)
    return Transformer(
        model_type=model_type,
        hidden_dim=dim,
        embeddings=(
            Tensor("token_embedding.weight", "embedding", words),
            Tensor("position_embedding.weight", "position_embedding", rows),
        ),
        layers=layers,
        closing=norm_weights("final_layer_norm", dim),
    )


def _closed(network: Transformer, weights: tuple[Tensor, ...]) -> Transformer:
    return evolve(network, closing=network.closing + weights)


def read(fields: Fields) -> Transformer:
    """Read the text encoder, or the one network there is."""
    kind = fields.text("model_type", default="clip")
    text = fields.section("text_config") or Fields({})
    match kind:
        case "clip":
            return _closed(
                _clip_text(text), _clip_projection("text_projection", fields, text, default_dim=512)
            )
        case "siglip" | "siglip2":
            scales = (vector("logit_scale", 1), vector("logit_bias", 1))
            return _closed(_siglip_text(text), scales)
        case "clip_text_model" | "clip_text_model_with_projection":
            network = _clip_text(fields)
            names = fields.items("architectures") or (kind,)
            projected = any("withprojection" in str(name).lower().replace("_", "") for name in names)
            weights = linear("text_projection", _projection_dim(fields), network.hidden_dim, bias=False)
            return _closed(network, weights) if projected else network
        case "siglip_text_model" | "siglip2_text_model":
            return _siglip_text(fields)
        case _:
            return shared_vision(fields, kind).network


def _projection_dim(fields: Fields) -> int:
    return fields.count("projection_dim", default=512)


def _clip_projection(name: str, fields: Fields, part: Fields, *, default_dim: int) -> tuple[Tensor, ...]:
    columns = part.count("hidden_size", default=default_dim)
    return linear(name, _projection_dim(fields), columns, bias=False)


def read_towers(fields: Fields) -> tuple[Tower, ...]:
    """Read the vision encoder beside the text encoder."""
    vision = fields.section("vision_config") or Fields({})
    match fields.text("model_type", default="clip"):
        case "clip":
            tower = clip_vision(vision)
            weights = _clip_projection("visual_projection", fields, vision, default_dim=768)
            return (evolve(tower, network=_closed(tower.network, (*weights, vector("logit_scale", 1)))),)
        case "siglip" | "siglip2" as kind:
            return (shared_vision(vision, f"{kind}_vision_model"),)
        case _:
            return ()
