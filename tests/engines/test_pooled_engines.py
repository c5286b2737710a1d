"""SGLang, TGI, TensorRT-LLM, LMDeploy and MLC LLM: how each sizes its pool, and what holds for all."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from attrs import evolve
from hypothesis import given

from formula_text import evaluate
from genai_hwreq.catalog import get_format, get_model
from genai_hwreq.engines import MLCLLM, TGI, Engine, LMDeploy, Memory, Request, SGLang, TensorRTLLM
from genai_hwreq.engines._runtime import CUDA_CONTEXT_BYTES
from genai_hwreq.placement import Placement
from genai_hwreq.units import GIB
from genai_hwreq.workloads import Generation
from strategies import attentions, generations, latent_attentions, state_spaces, transformer_models

if TYPE_CHECKING:
    from genai_hwreq.estimates import Component
    from genai_hwreq.models import TransformerModel

LLAMA = get_model("llama-3.1-8b")
ASKED = Request(model=LLAMA, weight_format=get_format("bf16"), workload=Generation(context_tokens=2048))
WEIGHTS = 2 * 8_030_261_248
TOKEN = 131_072
ALL = [SGLang(), TGI(), TensorRTLLM(), LMDeploy(), MLCLLM()]
MODELS = transformer_models(attentions() | latent_attentions() | state_spaces())


def parts(memory: Memory) -> dict[str, Component]:
    """Return the parts of the serving phase by name."""
    phase = memory.devices[0].phase("serve")
    assert phase is not None
    return {part.name: part for part in phase.components}


def pool_tokens(engine: Engine) -> int:
    """Return the tokens of the pool that an engine makes for Llama-3.1-8B."""
    return dict(parts(engine.memory(ASKED))["key/value cache"].inputs)["pool_tokens"]


def step_bytes(engine: Engine) -> int:
    """Return the bytes of a step's tensors."""
    found = parts(engine.memory(ASKED)).values()
    return sum(part.bytes for part in found if part.kind in {"activations", "logits"})


def test_sglang_fills_a_share_with_weights_and_cache() -> None:
    """What a step needs is outside that share."""
    engine = SGLang(gpu_memory_bytes=80 * GIB, mem_fraction_static=0.5)
    assert (40 * GIB - WEIGHTS) // TOKEN == pool_tokens(engine)


def test_tgi_leaves_a_twentieth() -> None:
    """The rest of what weights, step and context leave is cache."""
    engine = TGI(gpu_memory_bytes=80 * GIB)
    left = 80 * GIB - WEIGHTS - step_bytes(engine) - CUDA_CONTEXT_BYTES.value
    assert left * 95 // 100 // TOKEN == pool_tokens(engine)


def test_tensorrt_llm_takes_nine_tenths_of_what_is_free() -> None:
    """In blocks of 32 tokens."""
    engine = TensorRTLLM(gpu_memory_bytes=80 * GIB)
    free = 80 * GIB - WEIGHTS - step_bytes(engine) - CUDA_CONTEXT_BYTES.value
    assert int(free * 0.9) // (32 * TOKEN) * 32 == pool_tokens(engine)


def test_lmdeploy_takes_four_fifths_of_what_weights_leave() -> None:
    """In blocks of 64 tokens."""
    free = 80 * GIB - WEIGHTS - CUDA_CONTEXT_BYTES.value
    assert int(free * 0.8) // (64 * TOKEN) * 64 == pool_tokens(LMDeploy(gpu_memory_bytes=80 * GIB))


def test_mlc_fills_a_share_with_everything() -> None:
    """Weights and the temporary buffer come off 85 %."""
    engine = MLCLLM(gpu_memory_bytes=80 * GIB)
    assert (int(80 * GIB * 0.85) - WEIGHTS - step_bytes(engine)) // (16 * TOKEN) * 16 == pool_tokens(engine)


@pytest.mark.parametrize("engine", ALL, ids=lambda engine: engine.name)
def test_without_a_device_the_pool_is_what_is_asked_for(engine: Engine) -> None:
    """The assumption is listed."""
    assert 2048 == pool_tokens(engine)
    assert ["cache-as-needed"] == [found.code for found in engine.memory(ASKED).assumptions]


@pytest.mark.parametrize(
    "engine",
    [
        SGLang(max_total_tokens=640), TGI(max_batch_total_tokens=640), TensorRTLLM(max_tokens=640),
        LMDeploy(max_cache_tokens=640), MLCLLM(max_total_sequence_length=640),
    ],
    ids=lambda engine: engine.name,
)
def test_a_pool_can_be_set(engine: Engine) -> None:
    """Then nothing is assumed about it."""
    assert 640 == pool_tokens(engine)
    assert () == engine.memory(ASKED).assumptions


@pytest.mark.parametrize(
    "engine",
    [SGLang(tp_size=2), TGI(num_shard=2), TensorRTLLM(tp_size=2), LMDeploy(tp=2), MLCLLM(tensor_parallel_shards=2)],
    ids=lambda engine: engine.name,
)
def test_two_devices_halve_weights_and_cache(engine: Engine) -> None:
    """All but 65 norms of 4096."""
    memory = engine.memory(ASKED)
    assert ["gpu:0", "gpu:1"] == [device.name for device in memory.devices]
    assert WEIGHTS // 2 + 65 * 4096 == parts(memory)["weights"].bytes
    assert TOKEN // 2 == dict(parts(memory)["key/value cache"].inputs)["bytes_per_token"]


@pytest.mark.parametrize("engine", ALL, ids=lambda engine: engine.name)
def test_they_refuse_what_they_cannot_run(engine: Engine) -> None:
    """A placement beyond the settings, or another program's format."""
    assert engine.refuses(ASKED) is None
    assert "set both alike" in str(engine.refuses(evolve(ASKED, placement=Placement(n_devices=2))))
    assert "llama.cpp" in str(engine.refuses(evolve(ASKED, weight_format=get_format("q4_k_m"))))


@pytest.mark.parametrize("engine", ALL, ids=lambda engine: engine.name)
@given(model=MODELS, workload=generations())
def test_formulas_evaluate_to_their_bytes(engine: Engine, model: TransformerModel, workload: Generation) -> None:
    """Every component's text gives its number, and its interval holds it."""
    memory = engine.memory(evolve(ASKED, model=model, workload=workload))
    for part in parts(memory).values():
        assert part.bytes == evaluate(part)
        assert part.range.low <= part.bytes <= part.range.high
