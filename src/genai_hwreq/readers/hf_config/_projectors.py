"""Projectors: what maps a tower's rows to the width of the decoder.

Each function takes the whole configuration, the tower's own, and both widths.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from genai_hwreq.models import Tensor
from genai_hwreq.readers.hf_config._encoder import linear, norm_weights, vector

if TYPE_CHECKING:
    from genai_hwreq.readers.hf_config._fields import Fields

__all__ = [
    "aya_projector",
    "cohere_projector",
    "deepseek_projector",
    "gemma3_projector",
    "gemma4_projector",
    "idefics3_projector",
    "internvl_projector",
    "kimi_k3_projector",
    "kimi_projector",
    "lfm2_projector",
    "llama4_projector",
    "llava_next_projector",
    "llava_projector",
    "minimax_projector",
    "mistral3_projector",
    "no_projector",
    "paligemma_projector",
    "step_projector",
    "vipllava_projector",
]


def no_projector(fields: Fields, tower: Fields, dim: int, text_dim: int) -> tuple[Tensor, ...]:  # noqa: ARG001
    """Return nothing: the tower's own merger puts out rows as wide as the decoder."""
    return ()


def _n_feature_layers(fields: Fields) -> int:
    chosen = fields.config.get("vision_feature_layer")
    return max(1, len(chosen)) if isinstance(chosen, list | tuple) else 1


def llava_projector(fields: Fields, tower: Fields, dim: int, text_dim: int) -> tuple[Tensor, ...]:  # noqa: ARG001
    """Return two linear layers over the rows of the chosen vision layers."""
    has_bias = fields.flag("multimodal_projector_bias", default=True)
    features = dim * _n_feature_layers(fields)
    first = linear("multi_modal_projector.linear_1", text_dim, features, bias=has_bias)
    return (*first, *linear("multi_modal_projector.linear_2", text_dim, text_dim, bias=has_bias))


def llava_next_projector(fields: Fields, tower: Fields, dim: int, text_dim: int) -> tuple[Tensor, ...]:
    """Return Llava's projector and the row that ends each line of an image's tiles."""
    return (*llava_projector(fields, tower, dim, text_dim), vector("image_newline", text_dim))


def vipllava_projector(fields: Fields, tower: Fields, dim: int, text_dim: int) -> tuple[Tensor, ...]:  # noqa: ARG001
    """Return a norm and two linear layers over the rows of several vision layers, five of them by default."""
    n_features = (
        _n_feature_layers(fields) if fields.has("vision_feature_layers", "vision_feature_layer") else 5
    )
    features = dim * n_features
    return (
        *norm_weights("multi_modal_projector.projector_layernorm", features),
        *linear("multi_modal_projector.linear_1", text_dim, features),
        *linear("multi_modal_projector.linear_2", text_dim, text_dim),
    )


def deepseek_projector(fields: Fields, tower: Fields, dim: int, text_dim: int) -> tuple[Tensor, ...]:  # noqa: ARG001
    """Return two linear layers."""
    return (*linear("aligner.linear1", text_dim, dim), *linear("aligner.linear2", text_dim, text_dim))


def lfm2_projector(fields: Fields, tower: Fields, dim: int, text_dim: int) -> tuple[Tensor, ...]:  # noqa: ARG001
    """Return two linear layers over rows shuffled together, after a norm unless it is left out."""
    inner, has_bias = (
        fields.count("projector_hidden_size", default=2560),
        fields.flag("projector_bias", default=True),
    )
    merged = dim * fields.count("downsample_factor", default=2) ** 2
    has_norm = fields.flag("projector_use_layernorm", default=True)
    return (
        *(norm_weights("multi_modal_projector.layer_norm", merged) if has_norm else ()),
        *linear("multi_modal_projector.linear_1", inner, merged, bias=has_bias),
        *linear("multi_modal_projector.linear_2", text_dim, inner, bias=has_bias),
    )


def minimax_projector(fields: Fields, tower: Fields, dim: int, text_dim: int) -> tuple[Tensor, ...]:
    """Return two linear layers over single rows, then two over merged neighbours."""
    inner = fields.count("projector_hidden_size", default=6144)
    merged = text_dim * tower.count("spatial_merge_size", default=2) ** 2
    return (
        *linear("multi_modal_projector.linear_1", inner, dim),
        *linear("multi_modal_projector.linear_2", text_dim, inner),
        *linear("multi_modal_projector.merge_linear_1", inner, merged),
        *linear("multi_modal_projector.merge_linear_2", text_dim, inner),
    )


def mistral3_projector(fields: Fields, tower: Fields, dim: int, text_dim: int) -> tuple[Tensor, ...]:  # noqa: ARG001
    """Return a norm, the merger of neighbouring patches and two linear layers."""
    has_bias = fields.flag("multimodal_projector_bias", default=False)
    area = fields.count("spatial_merge_size", default=2) ** 2
    features = dim * _n_feature_layers(fields)
    return (
        *norm_weights("multi_modal_projector.norm", dim, "rms"),
        *linear("multi_modal_projector.patch_merger.merging_layer", dim, dim * area, bias=False),
        *linear("multi_modal_projector.linear_1", text_dim, features, bias=has_bias),
        *linear("multi_modal_projector.linear_2", text_dim, text_dim, bias=has_bias),
    )


def gemma3_projector(fields: Fields, tower: Fields, dim: int, text_dim: int) -> tuple[Tensor, ...]:  # noqa: ARG001
    """Return one matrix, stored inputs first, and the norm before it."""
    weight = Tensor("multi_modal_projector.mm_input_projection_weight", "projection", (dim, text_dim))
    return (weight, *norm_weights("multi_modal_projector.mm_soft_emb_norm", dim, "rms"))


def gemma4_projector(fields: Fields, tower: Fields, dim: int, text_dim: int) -> tuple[Tensor, ...]:  # noqa: ARG001
    """Return one linear layer."""
    return linear("embed_vision.embedding_projection", text_dim, dim, bias=False)


def llama4_projector(fields: Fields, tower: Fields, dim: int, text_dim: int) -> tuple[Tensor, ...]:  # noqa: ARG001
    """Return one linear layer from the adapter's output."""
    features = tower.count("vision_output_dim", default=7680)
    return linear("multi_modal_projector.linear_1", text_dim, features, bias=False)


def kimi_projector(fields: Fields, tower: Fields, dim: int, text_dim: int) -> tuple[Tensor, ...]:  # noqa: ARG001
    """Return a norm and two linear layers over merged neighbours."""
    kernel = tower.counts("merge_kernel_size", minimum=1) or (2, 2)
    merged = dim * kernel[0] * kernel[-1]
    return (
        *norm_weights("mm_projector.pre_norm", dim),
        *linear("mm_projector.in_proj", merged, merged),
        *linear("mm_projector.out_proj", text_dim, merged),
    )


def kimi_k3_projector(fields: Fields, tower: Fields, dim: int, text_dim: int) -> tuple[Tensor, ...]:  # noqa: ARG001
    """Return two linear layers over merged neighbours and a norm after them."""
    kernel = tower.counts("merge_kernel_size", minimum=1) or (2, 2)
    merged = tower.count("mm_hidden_size", default=dim) * kernel[0] * kernel[-1]
    return (
        *linear("mm_projector.proj.0", merged, merged, bias=False),
        *linear("mm_projector.proj.2", text_dim, merged, bias=False),
        *norm_weights("mm_projector.post_norm", text_dim, "rms"),
    )


def step_projector(fields: Fields, tower: Fields, dim: int, text_dim: int) -> tuple[Tensor, ...]:  # noqa: ARG001
    """Return one linear layer from the downsampled rows, four times as wide as the stream."""
    return linear(
        "multi_modal_projector", text_dim, 4 * dim, bias=fields.flag("projector_bias", default=False)
    )


def internvl_projector(fields: Fields, tower: Fields, dim: int, text_dim: int) -> tuple[Tensor, ...]:  # noqa: ARG001
    """Return a norm and two linear layers over rows shuffled four into one."""
    merged = 4 * dim
    return (
        *norm_weights("multi_modal_projector.layer_norm", merged),
        *linear("multi_modal_projector.linear_1", text_dim, merged),
        *linear("multi_modal_projector.linear_2", text_dim, text_dim),
    )


def paligemma_projector(fields: Fields, tower: Fields, dim: int, text_dim: int) -> tuple[Tensor, ...]:  # noqa: ARG001
    """Return one linear layer."""
    return linear("multi_modal_projector.linear", fields.count("projection_dim", default=2048), dim)


def idefics3_projector(fields: Fields, tower: Fields, dim: int, text_dim: int) -> tuple[Tensor, ...]:  # noqa: ARG001
    """Return one linear layer over rows shuffled together."""
    area = fields.count("scale_factor", default=2) ** 2
    return linear("connector.modality_projection.proj", text_dim, dim * area, bias=False)


def cohere_projector(
    fields: Fields,
    tower: Fields,  # noqa: ARG001
    dim: int,
    text_dim: int,
    *,
    inner: int = 36864,
) -> tuple[Tensor, ...]:
    """Return two linear layers with a gate between them, over rows shuffled together."""
    width = fields.count("alignment_intermediate_size", default=inner)
    merged = dim * fields.count("downsample_factor", default=2) ** 2
    first = linear("multi_modal_projector.linear_1", width, merged)
    return (*first, *linear("multi_modal_projector.linear_2", text_dim, max(1, width // 2)))


def aya_projector(fields: Fields, tower: Fields, dim: int, text_dim: int) -> tuple[Tensor, ...]:
    """Return a norm and Cohere's gated projector, by default as wide as the decoder."""
    merged = dim * fields.count("downsample_factor", default=2) ** 2
    norm = norm_weights("multi_modal_projector.layernorm", merged)
    return (*norm, *cohere_projector(fields, tower, dim, text_dim, inner=text_dim))
