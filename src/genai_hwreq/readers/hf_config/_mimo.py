"""MiMo: Qwen 2's decoder, and beside it layers that predict the tokens after the next one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import evolve

from genai_hwreq.models import Layer, LayerRun, Norm, Tensor, Tower
from genai_hwreq.readers.hf_config._decoder import DecoderTraits
from genai_hwreq.readers.hf_config._family import Family, read_family
from genai_hwreq.readers.hf_config._windows import from_layer

if TYPE_CHECKING:
    from genai_hwreq.models import Transformer
    from genai_hwreq.readers.hf_config._fields import Fields

__all__ = ["read", "read_towers"]

_FAMILY = Family(traits=DecoderTraits(query_bias=True, bias_field=None), windows=from_layer)


def read(fields: Fields) -> Transformer:
    """Read the decoder."""
    return read_family(fields, _FAMILY)


def read_towers(fields: Fields) -> tuple[Tower, ...]:
    """Read the predicting layers: a decoder layer each, with what joins its two inputs and a norm of its own."""
    if fields.optional_count("num_nextn_predict_layers") is None:
        return ()
    n_layers = fields.n_layers("num_nextn_predict_layers")
    decoder = read(fields)
    layer, width = decoder.layers[-1].layer, decoder.hidden_dim
    norms = tuple(
        Norm(name=name, dim=width) for name in ("token_layernorm", "hidden_layernorm", "final_layernorm")
    )
    joined = evolve(
        layer,
        norms=layer.norms + norms,
        extra=(Tensor("input_proj.weight", "projection", (width, 2 * width)),),
    )
    return (Tower(role="prediction", network=_network(decoder, joined, n_layers)),)


def _network(decoder: Transformer, layer: Layer, n_layers: int) -> Transformer:
    return evolve(
        decoder,
        vocab_size=0,
        embeddings=(),
        layers=(LayerRun(layer=layer, n_layers=n_layers),),
        closing=(),
        head=(),
    )
