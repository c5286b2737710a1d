"""MobileNet V5, the convolutional network through which Gemma 3n sees.

Its layers are not those of a transformer: each is listed as the weights it stores. Three kinds of blocks
alternate: an edge residual, a universal inverted residual, and attention with one shared key/value head.

Source: the `mobilenetv5_300m` definition of pytorch-image-models 1.0,
https://github.com/huggingface/pytorch-image-models/blob/main/timm/models/mobilenetv5.py
"""

from __future__ import annotations

from genai_hwreq.models import Layer, Tensor, Tower, Transformer
from genai_hwreq.readers.hf_config._decoder import runs
from genai_hwreq.readers.hf_config._encoder import vector

__all__ = ["mobilenet_v5"]

_OUTPUT_DIM = 2048
_IMAGE_TOKENS = 256
_STEM_DIM = 64
_FUSED_DIMS = (640, 1280)
"""Widths of the last two stages, which are fused into the output."""


def mobilenet_v5() -> Tower:
    """Return the 300-million-parameter encoder; its configuration has no sizes."""
    fused = sum(_FUSED_DIMS)
    network = Transformer(
        model_type="mobilenetv5_300m_enc",
        hidden_dim=_OUTPUT_DIM,
        embeddings=(
            *_convolution("conv_stem", _STEM_DIM, 3, 3),
            Tensor("conv_stem.conv.bias", "bias", (_STEM_DIM,)),
        ),
        layers=runs(_blocks()),
        closing=(
            *_convolution("msfa.ffn.pw_exp", 2 * fused, fused, 1),
            *_convolution("msfa.ffn.pw_proj", _OUTPUT_DIM, 2 * fused, 1),
            Tensor("msfa.norm.weight", "norm", (_OUTPUT_DIM,)),
        ),
    )
    return Tower(role="vision", network=network, output_tokens=_IMAGE_TOKENS)


def _blocks() -> list[Layer]:
    wide, widest = _FUSED_DIMS
    first = [_edge(_STEM_DIM, 128), _edge(128, 128), _edge(128, 128)]
    second = [_inverted(128, 256, expansion=6, start=3, middle=5)]
    second += [_inverted(256, 256, expansion=4, start=kernel) for kernel in (5, 3, 5, 3)]
    third = [_inverted(256, wide, expansion=6, start=5, middle=5)]
    third += [_inverted(wide, wide, expansion=4, start=5)] * 7
    third += [_inverted(wide, wide, expansion=1)]
    third += [
        _attention(wide, n_heads=12, head_dim=64, shrinks=True),
        _inverted(wide, wide, expansion=2),
    ] * 14
    fourth = [_inverted(wide, widest, expansion=6, start=5, middle=5)]
    fourth += [
        _attention(widest, n_heads=16, head_dim=96, shrinks=False),
        _inverted(widest, widest, expansion=2),
    ] * 19
    return first + second + third + fourth


def _convolution(name: str, outputs: int, inputs: int, kernel: int) -> tuple[Tensor, ...]:
    weight = Tensor(f"{name}.conv.weight", "convolution", (outputs, inputs, kernel, kernel))
    return (weight, Tensor(f"{name}.bn.weight", "norm", (outputs,)))


def _edge(inputs: int, outputs: int) -> Layer:
    inner = 4 * inputs
    return Layer(
        extra=(*_convolution("conv_exp", inner, inputs, 3), *_convolution("conv_pwl", outputs, inner, 1))
    )


def _inverted(inputs: int, outputs: int, *, expansion: int, start: int = 0, middle: int = 0) -> Layer:
    """Return an inverted residual; `start` and `middle` are sizes of its depth-wise kernels, zero without one."""
    inner = expansion * inputs
    return Layer(
        extra=(
            *(_convolution("dw_start", inputs, 1, start) if start else ()),
            *_convolution("pw_exp", inner, inputs, 1),
            *(_convolution("dw_mid", inner, 1, middle) if middle else ()),
            *_convolution("pw_proj", outputs, inner, 1),
            vector("layer_scale.gamma", outputs),
        )
    )


def _attention(dim: int, *, n_heads: int, head_dim: int, shrinks: bool) -> Layer:
    """Return an attention block; where it `shrinks`, a depth-wise convolution thins out keys and values."""
    width = n_heads * head_dim
    thinning = tuple(
        tensor
        for name in ("key", "value")
        for tensor in (
            Tensor(f"attn.{name}.down_conv.weight", "convolution", (dim, 1, 3, 3)),
            Tensor(f"attn.{name}.norm.weight", "norm", (dim,)),
        )
    )
    return Layer(
        extra=(
            Tensor("norm.weight", "norm", (dim,)),
            Tensor("attn.query.proj.weight", "convolution", (width, dim, 1, 1)),
            *(thinning if shrinks else ()),
            Tensor("attn.key.proj.weight", "convolution", (head_dim, dim, 1, 1)),
            Tensor("attn.value.proj.weight", "convolution", (head_dim, dim, 1, 1)),
            Tensor("attn.output.proj.weight", "convolution", (dim, width, 1, 1)),
            vector("layer_scale.gamma", dim),
        )
    )
