"""What vLLM keeps of a model on one device: its share of the weights, and tables made from them at load.

Sources: https://github.com/vllm-project/vllm/blob/v0.19.0/vllm/model_executor/layers/rotary_embedding/base.py;
https://github.com/vllm-project/vllm/blob/v0.19.0/vllm/model_executor/layers/attention/mla_attention.py,
`process_weights_after_loading`; https://github.com/vllm-project/vllm/blob/v0.19.0/vllm/lora/layers/base_linear.py.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import evolve

from genai_hwreq.engines._weights import weights_component
from genai_hwreq.estimates import Component
from genai_hwreq.formats import HALF, BlockType, PlainType
from genai_hwreq.formulas.weights import aligned
from genai_hwreq.models import (
    Attention,
    Experts,
    LatentAttention,
    TransformerModel,
    model_inventory,
    transformer_inventory,
)
from genai_hwreq.models._tensor import MATRIX_ROLES
from genai_hwreq.ranges import ByteRange

if TYPE_CHECKING:
    from genai_hwreq.estimates import Inputs
    from genai_hwreq.formats import WeightFormat
    from genai_hwreq.models import Transformer

__all__ = ["weight_components"]

_ALLOCATION_BYTES = 512
"""PyTorch's CUDA allocator rounds every tensor up to this."""


_BLOCK_PADDING = 256
"""Both sizes of experts stored in 4-bit blocks are padded to this for their kernels; the stream's from 0.17 on.

Source: https://github.com/vllm-project/vllm/blob/v0.19.0/vllm/model_executor/layers/quantization/mxfp4.py, `create_weights`
"""

_STRETCHED_POSITIONS = {"gemma3_text": (131_072, 8)}
"""Class → its usual context, from which on the rotary table is stretched, and by how much: linear scaling fills
the table for the context times its factor.

Source: https://github.com/vllm-project/vllm/blob/v0.19.0/vllm/model_executor/layers/rotary_embedding/linear_scaling_rope.py
"""


def weight_components(
    share: TransformerModel, weight_format: WeightFormat, lora_rank: int, n_adapters: int, *, pads_stream: bool
) -> tuple[Component, ...]:
    """Return the weights of one device's share with the tables that are loaded beside them.

    Args:
        share: what the device holds of the model.
        weight_format: how its weights are stored; towers stay at 16 bit in quantised checkpoints.
        lora_rank: rank that slots for adapters are made for; zero without.
        n_adapters: slots for adapters.
        pads_stream: whether experts in 4-bit blocks are padded in the stream's width too (from 0.17 on).
    """
    decoder = transformer_inventory(share.decoder)
    found = [_unsure(weights_component(decoder, weight_format, _ALLOCATION_BYTES))]
    found += _towers(share, weight_format)
    found += _padding(share.decoder, weight_format, pads_stream=pads_stream)
    found += _rotary_tables(share)
    found += _absorbed(share.decoder)
    if lora_rank:
        found.append(_adapters(share, lora_rank, n_adapters))
    return tuple(found)


def _unsure(part: Component) -> Component:
    """Give the weights the width that was seen: loading leaves up to 0.7 % beside them on some starts."""
    interval = ByteRange(part.bytes * 998 // 1000, part.bytes, part.bytes * 1007 // 1000)
    return Component(part.kind, part.name, part.bytes, part.formula, part.inputs, "modelled", part.source, interval)


def _towers(share: TransformerModel, weight_format: WeightFormat) -> list[Component]:
    quantised = not isinstance(weight_format.matrices, PlainType)
    held = evolve(weight_format, matrices=HALF, experts=HALF) if quantised else weight_format
    return [
        weights_component(transformer_inventory(tower.network), held, _ALLOCATION_BYTES, "weights", f"{tower.role} tower")
        for tower in share.towers
        if tower.role != "prediction"
    ]


def _padding(network: Transformer, weight_format: WeightFormat, *, pads_stream: bool) -> list[Component]:
    """Return what experts in 4-bit blocks grow by when their sizes are padded for the kernels."""
    storage = weight_format.experts
    if not isinstance(storage, BlockType):
        return []
    hidden_dim = aligned(network.hidden_dim, _BLOCK_PADDING) if pads_stream else network.hidden_dim
    elements = sum(
        run.n_layers
        * part.n_experts
        * (3 if part.gated else 2)
        * (hidden_dim * aligned(part.intermediate_dim, _BLOCK_PADDING) - network.hidden_dim * part.intermediate_dim)
        for run in network.layers
        for part in run.layer.feed_forward
        if isinstance(part, Experts)
    )
    if not elements:
        return []
    inputs = (
        ("elements", elements), ("block_elements", storage.block_elements), ("block_bytes", storage.block_bytes),
    )
    size = elements // storage.block_elements * storage.block_bytes
    return [_table("padding of the experts", "elements // block_elements * block_bytes", inputs, size)]


def _rotary_tables(share: TransformerModel) -> list[Component]:
    """Return sines and cosines of every position: a table for layers with a window, one for those without."""
    found: dict[bool, int] = {}
    for run in share.decoder.layers:
        for mixer in run.layer.mixers:
            windowed = isinstance(mixer, Attention) and mixer.window_tokens is not None
            found[windowed] = max(found.get(windowed, 0), _rotary_dim(mixer))
    least, factor = _STRETCHED_POSITIONS.get(share.decoder.model_type, (0, 1))
    positions = share.context_tokens or least
    stretched = positions * factor if positions >= least else positions
    return [
        _table(
            "rotary table, layers with a window" if windowed else "rotary table",
            "positions * rotary_dim * 2",
            (("positions", rows := positions if windowed else stretched), ("rotary_dim", width)),
            rows * width * 2,
        )
        for windowed, width in found.items()
        if positions * width and (not windowed or factor > 1 or len(found) == 1)
    ]


def _rotary_dim(mixer: object) -> int:
    if isinstance(mixer, LatentAttention):
        return 2 * mixer.qk_rope_head_dim  # kept in 32 bit
    return mixer.head_dim if isinstance(mixer, Attention) else 0


def _absorbed(network: Transformer) -> list[Component]:
    """Return the second copy of latent attention's expanding matrix, cut for decoding in the latent space."""
    elements = sum(
        run.n_layers * mixer.n_heads * (mixer.qk_nope_head_dim + mixer.v_head_dim) * mixer.kv_lora_rank
        for run in network.layers
        for mixer in run.layer.mixers
        if isinstance(mixer, LatentAttention)
    )
    if not elements:
        return []
    return [_table("expanding matrices for decoding", "elements * 2", (("elements", elements),), 2 * elements)]


def _adapters(share: TransformerModel, rank: int, n_adapters: int) -> Component:
    """Return the slots for adapters: two thin matrices at every linear layer, embedding and head included."""
    sides = sum(
        copies * (tensor.shape[0] + tensor.shape[1])
        for tensor, copies in model_inventory(share)
        if tensor.role in MATRIX_ROLES and len(tensor.shape) == 2
    )
    sides += 2 * share.decoder.vocab_size
    inputs = (("adapters", n_adapters), ("rank", rank), ("sides", sides))
    return _table("slots for adapters", "adapters * rank * sides * 2", inputs, n_adapters * rank * sides * 2)


def _table(name: str, formula: str, inputs: Inputs, size: int) -> Component:
    return Component("weights", name, size, formula, inputs, "modelled")
