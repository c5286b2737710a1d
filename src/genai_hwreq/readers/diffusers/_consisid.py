"""ConsisID's transformer: CogVideoX's, with an extractor of faces and attention to them.

Next: _registry.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import evolve

from genai_hwreq.readers.diffusers._parts import group, linear, norm, raw
from genai_hwreq.readers.diffusers._video_transformers import cogvideox

if TYPE_CHECKING:
    from genai_hwreq.models import EnumeratedNetwork, Tensor
    from genai_hwreq.readers.hf_config._fields import Fields

__all__ = ["consisid"]

Tensors = tuple["Tensor", ...]


def consisid(fields: Fields) -> EnumeratedNetwork:
    """Read ConsisID's transformer; without faces it is CogVideoX's."""
    base = evolve(cogvideox(fields), class_name="ConsisIDTransformer3DModel")
    if not fields.flag("is_train_face", default=False):
        return base
    heads, head_dim = (
        fields.count("num_attention_heads", default=30),
        fields.count("attention_head_dim", default=64),
    )
    faces, layers = fields.count("LFE_output_dim", default=2048), fields.count("num_layers", default=30)
    inner = fields.count("cross_attn_num_heads", default=16) * fields.count(
        "cross_attn_dim_head", default=128
    )
    interval = fields.count("cross_attn_interval", default=2)
    attention = _perceiver("perceiver_cross_attention", heads * head_dim, faces, inner)
    return evolve(
        base,
        groups=(
            *base.groups,
            *group("faces", 1, *_extractor(fields, faces)),
            *group("faces", -(-layers // interval), attention),
        ),
    )


def _perceiver(name: str, dim: int, source: int, inner: int) -> Tensors:
    return (
        *norm(f"{name}.norm1", source, has_bias=True),
        *norm(f"{name}.norm2", dim, has_bias=True),
        *linear(f"{name}.to_q", inner, dim, has_bias=False),
        *linear(f"{name}.to_kv", 2 * inner, source, has_bias=False),
        *linear(f"{name}.to_out", dim, inner, has_bias=False),
    )


def _extractor(fields: Fields, faces: int) -> tuple[Tensors, ...]:
    name = "local_facial_extractor"
    width, identity = fields.count("LFE_vit_dim", default=1024), fields.count("LFE_id_dim", default=1280)
    inner = fields.count("LFE_num_heads", default=16) * fields.count("LFE_dim_head", default=64)
    tokens, ratio = fields.count("LFE_num_id_token", default=5), fields.count("LFE_ff_mult", default=4)
    depth, scales = fields.count("LFE_depth", default=10), fields.count("LFE_num_scale", default=5)
    parts: list[Tensors] = [
        raw(f"{name}.latents", 1, fields.count("LFE_num_querie", default=32), width),
        raw(f"{name}.proj_out", width, faces),
        _mapping(f"{name}.id_embedding_mapping", identity, width, width * tokens),
    ]
    parts += [_mapping(f"{name}.mapping_{index}", width, width, width) for index in range(scales)]
    for index in range(depth):
        layer = f"{name}.layers.{index}"
        parts += [
            _perceiver(f"{layer}.0", width, width, inner),
            norm(f"{layer}.1.0", width, has_bias=True),
            linear(f"{layer}.1.1", ratio * width, width, has_bias=False),
            linear(f"{layer}.1.3", width, ratio * width, has_bias=False),
        ]
    return tuple(parts)


def _mapping(name: str, inputs: int, width: int, outputs: int) -> Tensors:
    return (
        *linear(f"{name}.0", width, inputs), *norm(f"{name}.1", width, has_bias=True),
        *linear(f"{name}.3", width, width), *norm(f"{name}.4", width, has_bias=True),
        *linear(f"{name}.6", outputs, width),
    )  # fmt: skip
