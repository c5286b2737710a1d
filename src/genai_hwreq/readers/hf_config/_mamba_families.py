"""Families without attention: Mamba, Mamba-2, Falcon Mamba and RWKV-4."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from genai_hwreq.models import Dense, Layer, Norm, StateSpace, Tensor
from genai_hwreq.models._tensor import matrix
from genai_hwreq.readers.hf_config._decoder import hidden_dim
from genai_hwreq.readers.hf_config._hybrid_fields import assemble, auto_count, with_defaults
from genai_hwreq.readers.hf_config._state_spaces import mamba, mamba2

if TYPE_CHECKING:
    from genai_hwreq.models import Transformer
    from genai_hwreq.readers.hf_config._fields import Fields

__all__ = ["DEFAULTS", "read"]

_MAMBA: dict[str, Any] = {"state_size": 16, "expand": 2, "conv_kernel": 4, "tie_word_embeddings": True}

DEFAULTS: dict[str, dict[str, Any]] = {
    "mamba": _MAMBA,
    "falcon_mamba": _MAMBA,
    "mamba2": {
        "num_heads": 128,
        "head_dim": 64,
        "state_size": 128,
        "expand": 2,
        "conv_kernel": 4,
        "n_groups": 8,
        "chunk_size": 256,
    },
    "rwkv": {},
}
"""What the configuration classes take where a field is absent.

Source: https://github.com/huggingface/transformers/tree/main/src/transformers/models, `configuration_*.py`
"""


def read(fields: Fields) -> Transformer:
    """Read the network of one of these families."""
    model_type = fields.text("model_type", default="mamba")
    fields = with_defaults(fields, DEFAULTS[model_type])
    if model_type == "rwkv":
        return _read_rwkv(fields)
    dim = hidden_dim(fields)
    mixer = _mamba2(fields, dim) if model_type == "mamba2" else _mamba(fields, dim)
    layer = Layer(mixers=(mixer,), norms=(Norm(name="norm", dim=dim),))
    return assemble(fields, [layer] * fields.n_layers(), closing=Norm(name="norm_f", dim=dim).tensors())


def _mamba(fields: Fields, dim: int) -> StateSpace:
    return mamba(
        dim,
        inner_dim=fields.count("intermediate_size", default=fields.count("expand") * dim),
        state_dim=fields.count("state_size"),
        dt_rank=auto_count(fields, "time_step_rank", auto=-(-dim // 16)),
        kernel=fields.count("conv_kernel"),
        conv_bias=fields.flag("use_conv_bias", default=True),
        projection_bias=fields.flag("use_bias", default=False),
    )


def _mamba2(fields: Fields, dim: int) -> StateSpace:
    bias = fields.flag("use_bias", default=False)
    return mamba2(
        dim,
        inner_dim=fields.count("num_heads") * fields.count("head_dim"),
        n_heads=fields.count("num_heads"),
        n_groups=fields.count("n_groups"),
        state_dim=fields.count("state_size"),
        kernel=fields.count("conv_kernel"),
        chunk_tokens=fields.count("chunk_size"),
        conv_bias=fields.flag("use_conv_bias", default=True),
        in_bias=bias,
        out_bias=bias,
    )


def _read_rwkv(fields: Fields) -> Transformer:
    dim = hidden_dim(fields)
    mixer = _time_mix(dim, fields.count("attention_hidden_size", default=dim))
    norms = tuple(Norm(name=name, dim=dim, kind="layer", bias=True) for name in ("ln1", "ln2", "pre_ln"))
    network = (
        Dense(
            intermediate_dim=fields.count("intermediate_size", default=4 * dim),
            gated=False,
            activation="relu2",
        ),
    )
    gate = (
        *_shifts("feed_forward", ("key", "receptance"), dim),
        *matrix("feed_forward.receptance", "ffn_gate", dim, dim),
    )
    later = Layer(mixers=(mixer,), feed_forward=network, norms=norms[:2], extra=gate)
    first = Layer(mixers=(mixer,), feed_forward=network, norms=norms, extra=gate)
    closing = Norm(name="ln_out", dim=dim, kind="layer", bias=True).tensors()
    layers = [first, *[later] * (fields.n_layers() - 1)]
    return assemble(fields, layers, closing=closing)


def _time_mix(dim: int, inner_dim: int) -> StateSpace:
    """Return RWKV-4's attention: three state vectors a channel, and the last token of both halves of the layer.

    Source: https://github.com/huggingface/transformers/blob/main/src/transformers/models/rwkv/modeling_rwkv.py
    """
    return StateSpace(
        kind="rwkv",
        inner_dim=inner_dim,
        state_dim=3,
        shift_elements=2 * dim,
        weights=(
            *(Tensor(f"attention.{name}", "state", (inner_dim,)) for name in ("time_decay", "time_first")),
            *_shifts("attention", ("key", "value", "receptance"), dim),
            *(
                tensor
                for name in ("key", "value", "receptance")
                for tensor in matrix(f"attention.{name}", "projection", inner_dim, dim)
            ),
            *matrix("attention.output", "projection", dim, inner_dim),
        ),
    )


def _shifts(part: str, names: tuple[str, ...], dim: int) -> tuple[Tensor, ...]:
    return tuple(Tensor(f"{part}.time_mix_{name}", "state", (1, 1, dim)) for name in names)
