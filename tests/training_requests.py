"""A small model and questions about training it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import evolve
from hypothesis import strategies as st

from genai_hwreq.catalog import get_format, get_model
from genai_hwreq.engines import Memory, Request, get_engine
from genai_hwreq.models import (
    Attention,
    Dense,
    Layer,
    LayerRun,
    Norm,
    Tensor,
    Transformer,
    TransformerModel,
)
from genai_hwreq.placement import Placement
from genai_hwreq.training import OPTIMIZERS, Full, Lora, Training

if TYPE_CHECKING:
    from genai_hwreq.estimates import Component, Phase
    from genai_hwreq.formats import Format

FRAMEWORKS = (
    "pytorch", "trl", "torchtune", "torchtitan", "axolotl", "llama-factory", "ms-swift", "unsloth", "litgpt",
    "deepspeed", "fsdp", "megatron", "fms-acceleration",
)  # fmt: skip

HIDDEN, INNER, VOCAB, LAYERS, TOKENS = 64, 160, 1000, 3, 32


def small_model(n_kv_heads: int = 2) -> TransformerModel:
    """Return a small model of Llama's kind."""
    norms = (Norm(name="input_layernorm", dim=HIDDEN), Norm(name="post_attention_layernorm", dim=HIDDEN))
    attention = Attention(n_heads=4, n_kv_heads=n_kv_heads, head_dim=16)
    layer = Layer(mixers=(attention,), feed_forward=(Dense(intermediate_dim=INNER),), norms=norms)
    network = Transformer(
        model_type="llama",
        hidden_dim=HIDDEN,
        vocab_size=VOCAB,
        embeddings=(Tensor("embed_tokens.weight", "embedding", (VOCAB, HIDDEN)),),
        layers=(LayerRun(layer=layer, n_layers=LAYERS),),
        closing=Norm(name="norm", dim=HIDDEN).tensors(),
        head=(Tensor("lm_head.weight", "head", (VOCAB, HIDDEN)),),
    )
    return TransformerModel(
        identity=evolve(get_model("llama-2-7b").identity, id="small", name="small"), decoder=network
    )


SMALL = small_model()


def answer(
    training: Training, engine: str = "pytorch", precision: str = "bf16", placement: Placement | None = None
) -> Memory:
    """Ask a framework about the small model."""
    return answer_for(SMALL, training, engine, get_format(precision), placement)


def answer_for(
    model: TransformerModel,
    training: Training,
    engine: str,
    weight_format: Format,
    placement: Placement | None = None,
) -> Memory:
    """Ask a framework."""
    request = Request(
        model=model, weight_format=weight_format, workload=training, placement=placement or Placement()
    )
    chosen = get_engine(engine)
    assert chosen.refuses(request) is None
    return chosen.memory(request)


def phase(memory: Memory, name: str) -> Phase:
    """Return a phase of the first device."""
    found = memory.devices[0].phase(name)
    assert found is not None
    return found


def peak(memory: Memory) -> int:
    """Return what is allocated at the fullest moment."""
    return memory.devices[0].allocated_bytes


def states(memory: Memory) -> int:
    """Return weights, gradients and optimizer states of the optimizer's step."""
    return phase(memory, "optimizer_step").bytes_of("weights", "gradients", "optimizer")


def parts(memory: Memory) -> list[Component]:
    """Return every component."""
    return [part for device in memory.devices for item in device.phases for part in item.components]


trainings = st.builds(
    Training,
    method=st.builds(Full)
    | st.builds(Lora, rank=st.sampled_from((1, 4, 8)), adapter_dtype=st.sampled_from(("fp32", "bf16"))),
    sequence_tokens=st.sampled_from((8, 32, 128)),
    micro_batch=st.integers(1, 4),
    optimizer=st.sampled_from(OPTIMIZERS),
    gradient_checkpointing=st.sampled_from(("none", "full", "selective")),
    loss=st.sampled_from(("torch", "liger", "cce", "chunked")),
    attention=st.sampled_from(("eager", "sdpa", "flash")),
)
frameworks = st.sampled_from(FRAMEWORKS)
