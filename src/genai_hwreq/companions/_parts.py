"""The need of adapters and projectors, which have no engine of their own.

Next: _joining.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from genai_hwreq.companions._records import Adapter, Companion, Projector
from genai_hwreq.errors import QuantityError, UnsupportedError
from genai_hwreq.estimates import Assumption, Component, DeviceMemory, Estimate, Phase
from genai_hwreq.formulas.lora import adapter_elements
from genai_hwreq.formulas.weights import ceil_div
from genai_hwreq.models import Attention, TransformerModel, transformer_inventory
from genai_hwreq.ranges import ByteRange

if TYPE_CHECKING:
    from collections.abc import Iterator

    from genai_hwreq.engines import Engine, Request
    from genai_hwreq.models import Tensor, Tower, Transformer

__all__ = ["adapter_part", "projector_part"]

_ELEMENT_BYTES = {"fp32": 4, "bf16": 2, "fp16": 2}

_LINEAR = ("attention_", "ffn_", "projection")
"""Roles of linear layers start so; routed experts are stacked tensors, which PEFT's `all-linear` leaves out.

Source: https://github.com/huggingface/peft/blob/v0.18.0/src/peft/tuners/tuners_utils.py, `_maybe_include_all_linear_layers`
"""

_WITH_OWN_FILE = frozenset({"llama.cpp", "ik_llama.cpp", "ollama"})
"""Programs that read towers from a file of their own; the others read one checkpoint with all networks."""

_STREAMS = 5
"""Streams of activations that an encoder of llama.cpp holds at once: the layer's input and a widened feed-forward."""


def adapter_part(adapter: Adapter, request: Request, engine: Engine, n_devices: int) -> Companion:
    """Return the need of adapters: their weights, shared out among the devices with the layers they belong to.

    Raises:
        UnsupportedError: when the engine keeps slots for adapters.
        QuantityError: when the model has no matrix of a target's name.
    """
    if hasattr(engine, "max_lora_rank"):
        reason = f"adapters have slots there; pass max_lora_rank={adapter.rank} and max_loras= as its own settings"
        raise UnsupportedError(engine.name, reason)
    model = request.model
    assert isinstance(model, TransformerModel)  # nothing else generates text
    elements = _adapter_elements(adapter, model.decoder)
    # PEFT casts 16-bit adapters to 32 bit: https://huggingface.co/docs/peft, `autocast_adapter_dtype`
    dtype = adapter.dtype or ("fp32" if engine.name == "transformers" else "fp16")
    inputs = (("params", elements), ("element_bytes", _ELEMENT_BYTES[dtype]))
    size = elements * _ELEMENT_BYTES[dtype]
    file = Component("file", "file", size, "params * element_bytes", inputs, "exact")
    shares = max(1, n_devices)
    text = "ceil_div(params * element_bytes, devices)"
    weights = Component("weights", "weights", ceil_div(size, shares), text, (*inputs, ("devices", shares)), "exact")
    return _placed(adapter.name, f"adapter of rank {adapter.rank}", engine, dtype, ((weights,), file), n_devices)


def _adapter_elements(adapter: Adapter, network: Transformer) -> int:
    linear = [(_leaf(tensor), tensor, copies) for tensor, copies in transformer_inventory(network) if _is_linear(tensor)]
    known = sorted({name for name, _, _ in linear})
    strange = [target for target in adapter.targets if target not in (*known, "all-linear")]
    if strange:
        msg = f"no matrix is called {', '.join(strange)}; expected all-linear or some of {', '.join(known)}"
        raise QuantityError(msg)
    return sum(
        copies * adapter_elements(adapter.rank, tensor.row_elements, tensor.n_rows)
        for name, tensor, copies in linear
        if name in adapter.targets or "all-linear" in adapter.targets
    )


def _is_linear(tensor: Tensor) -> bool:
    return tensor.role.startswith(_LINEAR) and len(tensor.shape) > 1


def _leaf(tensor: Tensor) -> str:
    return tensor.name.removesuffix(".weight").rpartition(".")[2]


def projector_part(projector: Projector, request: Request, engine: Engine, n_devices: int) -> Companion:
    """Return the need of a model's towers where they are a file of their own: weights and a compute buffer.

    Raises:
        UnsupportedError: when the engine counts towers with the weights, or the model has none.
    """
    if engine.name not in _WITH_OWN_FILE:
        raise UnsupportedError(engine.name, "towers are counted with the weights there; leave the projector out")
    towers = request.model.towers if isinstance(request.model, TransformerModel) else ()
    if not towers:
        raise UnsupportedError(engine.name, f"{request.model.identity.name} has no tower to project from")
    sizes = _tower_inputs(towers, _ELEMENT_BYTES[projector.dtype])
    size = sizes[0][1] * sizes[1][1] + 4 * sizes[2][1]
    text = "matrix_params * element_bytes + 4 * vector_params"
    held = (Component("weights", "weights", size, text, sizes, "modelled"), *_buffers(towers))
    file = Component("file", "file", size, text, sizes, "modelled")
    return _placed(projector.name, "projector", engine, projector.dtype, (held, file), min(1, n_devices))


def _tower_inputs(towers: tuple[Tower, ...], element_bytes: int) -> tuple[tuple[str, int], ...]:
    matrices = vectors = 0
    for tower in towers:
        for tensor, copies in transformer_inventory(tower.network):
            if len(tensor.shape) > 1:
                matrices += copies * tensor.n_elements
            else:
                vectors += copies * tensor.n_elements
    return (("matrix_params", matrices), ("element_bytes", element_bytes), ("vector_params", vectors))


def _buffers(towers: tuple[Tower, ...]) -> Iterator[Component]:
    """Yield a tower's compute buffer for one input: streams in 32 bit, and the scores of its attention."""
    for tower in towers:
        tokens, dim, heads = tower.stream_tokens, tower.network.hidden_dim, _n_heads(tower.network)
        if tokens is None:
            continue
        streams = 4 * _STREAMS * tokens * dim
        size = streams + 4 * heads * tokens * tokens
        text = f"4 * {_STREAMS} * tokens * hidden_dim + 4 * n_heads * tokens * tokens"
        inputs = (("tokens", tokens), ("hidden_dim", dim), ("n_heads", heads))
        interval = ByteRange(streams // 2, size, 2 * size)  # without scores where attention is fused
        yield Component(
            "compute_buffer", f"compute buffer, {tower.role}", size, text, inputs, "modelled", None, interval
        )


def _n_heads(network: Transformer) -> int:
    mixers = (mixer for run in network.layers for mixer in run.layer.mixers)
    return max((mixer.n_heads for mixer in mixers if isinstance(mixer, Attention)), default=0)


def _placed(
    name: str,
    model: str,
    engine: Engine,
    precision: str,
    parts: tuple[tuple[Component, ...], Component],
    n_devices: int,
) -> Companion:
    """Put the same parts on every device, or on the host where there is none."""
    held, file = parts
    phases = (Phase(name="load", components=held),)
    estimate = Estimate(
        model=model,
        engine=engine.name,
        precision=precision,
        devices=tuple(DeviceMemory(name=f"gpu:{index}", phases=phases) for index in range(n_devices)),
        host=None if n_devices else DeviceMemory(name="host", phases=phases),
        disk=(file,),
        assumptions=() if len(held) > 1 or model != "projector" else (_NO_BUFFER,),
    )
    return Companion(name=name, estimate=estimate)


_NO_BUFFER = Assumption(
    code="projector-buffer", text="how much the projector's tower reads at once is not known: its compute buffer is left out"
)
