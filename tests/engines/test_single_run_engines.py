"""Engines that run a request on its own: worked examples, and what holds for all."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from attrs import evolve
from hypothesis import given

from formula_text import evaluate
from genai_hwreq.catalog import get_format, get_model
from genai_hwreq.engines import (
    MLX,
    AutoAWQ,
    AutoGPTQ,
    CTranslate2,
    Engine,
    ExLlama,
    ExLlamaV2,
    ExLlamaV3,
    GptFast,
    LitGPT,
    Memory,
    Request,
)
from genai_hwreq.placement import Placement
from genai_hwreq.units import MIB
from genai_hwreq.workloads import Generation
from strategies import attentions, generations, latent_attentions, state_spaces, transformer_models

if TYPE_CHECKING:
    from genai_hwreq.estimates import Component
    from genai_hwreq.models import TransformerModel

LLAMA = get_model("llama-2-7b")
N_PARAMS = 6_738_415_616
VOCABULARY = 32_000 * 4096
LINEAR = 32 * (4 * 4096 * 4096 + 3 * 4096 * 11_008)
TOKEN = 524_288
ALL = [GptFast(), LitGPT(), ExLlama(), ExLlamaV2(), ExLlamaV3(), MLX(), CTranslate2(), AutoAWQ()]
MODELS = transformer_models(attentions() | latent_attentions() | state_spaces())


def request(precision: str = "fp16", model: str = "llama-2-7b", tokens: int = 2048, new: int = 128, n: int = 1) -> Request:
    """Make a request."""
    return Request(
        model=get_model(model),
        weight_format=get_format(precision),
        workload=Generation(context_tokens=tokens, new_tokens=new),
        placement=Placement(n_devices=n),
    )


def parts(memory: Memory, phase: str = "prefill", device: int = 0) -> dict[str, Component]:
    """Return the parts of a phase by name."""
    found = memory.devices[device].phase(phase)
    assert found is not None
    return {part.name: part for part in found.components}


# --- gpt-fast, LitGPT ---------------------------------------------------------------------------------


def test_gpt_fast_quantises_the_head_too() -> None:
    """Llama-2-7B at 8 bits: only the embedding and norms stay at 16."""
    weights = parts(GptFast().memory(request("torchao-int8")))["weights"].bytes
    assert LINEAR + VOCABULARY < weights - 2 * VOCABULARY < (LINEAR + VOCABULARY) * 1001 // 1000


def test_gpt_fast_rounds_its_cache_up() -> None:
    """206 tokens become 208."""
    cache = parts(GptFast().memory(request(tokens=206)))["key/value cache"]
    assert 208 * TOKEN == cache.bytes


def test_gpt_fast_keeps_more_segments_after_quantising() -> None:
    """16-bit matrices that were quantised leave their space behind."""
    assert "segments left by quantising" in parts(GptFast().memory(request("torchao-int8")))
    assert "graph pool and held segments" in parts(GptFast().memory(request()))


def test_litgpt_quantises_the_head_and_makes_it_whole_again() -> None:
    """Two copies of 32,000 by 4096 in 16 bit."""
    plain, quantised = (parts(LitGPT().memory(request(name))) for name in ("bf16", "bnb-nf4"))
    assert 2 * N_PARAMS == plain["weights"].bytes
    assert 2 * 2 * VOCABULARY == quantised["head in 16 bit, twice"].bytes
    assert "head in 16 bit, twice" not in plain


def test_litgpt_stores_a_head_of_its_own() -> None:
    """A tied model has its embedding twice."""
    tied = request(model="llama-3.2-1b")
    file = LitGPT().memory(tied).disk[0].bytes
    assert file + 2 * 128_256 * 2048 == parts(LitGPT().memory(tied))["weights"].bytes


# --- the ExLlama family -------------------------------------------------------------------------------


def test_exllama_keeps_the_embedding_on_the_host() -> None:
    """Llama-2-7B: what is on the device is short of one vocabulary."""
    assert 2 * (N_PARAMS - VOCABULARY) == parts(ExLlamaV2().memory(request()))["weights"].bytes


def test_exllama_keeps_an_embedding_that_is_also_the_head() -> None:
    """A tied one is on the device."""
    tied = request(model="llama-3.2-1b")
    assert ExLlamaV2().memory(tied).disk[0].bytes == parts(ExLlamaV2().memory(tied))["weights"].bytes


def test_exllama_deals_layers_out() -> None:
    """Two devices hold sixteen layers' cache each."""
    memory = ExLlama().memory(request("gptq-int4-g128", n=2))
    assert [1024 * MIB // 2] * 2 == [parts(memory, device=index)["key/value cache"].bytes for index in (0, 1)]


def test_quantised_caches_have_a_scale_for_32_elements() -> None:
    """Keys at 4 bits in 18 bytes, values at 8 in 34, instead of 64 each."""
    plain = parts(ExLlamaV3().memory(request()))["key/value cache"].bytes
    mixed = parts(ExLlamaV3(cache_type="q4/q8").memory(request()))["key/value cache"].bytes
    assert plain * (18 + 34) // 128 == mixed


def test_without_flash_attention_scores_are_held() -> None:
    """4 bytes a score: 32 heads, 1920 tokens that see 2048."""
    rest = 1920 * (2 * 4096 + 4 * 4096) * 2
    attention = parts(ExLlamaV2(flash_attn=False).memory(request()))["attention"]
    assert rest + 32 * 1920 * 2048 * 4 == attention.bytes
    assert "attention" not in parts(ExLlamaV2().memory(request()))


def test_prompts_pass_in_pieces() -> None:
    """A prompt of 8000 tokens needs no more at once than one of 2048."""
    long, short = (parts(ExLlamaV3().memory(request(tokens=n, new=0))) for n in (8000, 2048))
    assert short["feed-forward network"].bytes == long["feed-forward network"].bytes


# --- MLX, CTranslate2 ---------------------------------------------------------------------------------


def test_mlx_holds_scores_of_heads_its_kernel_does_not_know() -> None:
    """Qwen3.6-35B's heads are 256 wide: 2048 tokens by 32,768 seen by 16 heads; Llama-2's 128 are fused."""
    odd = parts(MLX().memory(request("mlx-4bit", model="qwen3.6-35b-a3b", tokens=32_768, new=0)))
    assert 2048 * 32_768 * 16 * 2 == odd["attention scores"].bytes
    assert 0 == parts(MLX().memory(request("mlx-4bit")))["attention scores"].bytes


def test_mlx_makes_logits_of_a_whole_chunk() -> None:
    """Or of the last token."""
    assert 512 * 32_000 * 2 == parts(MLX(prefill_step_size=512).memory(request()))["logits"].bytes
    assert 32_000 * 2 == parts(MLX(logits="last").memory(request()))["logits"].bytes


def test_mlx_caches_grow_in_steps() -> None:
    """2000 tokens take the space of 2048; a window takes its own."""
    assert 2048 * TOKEN == parts(MLX().memory(request(tokens=2000, new=1)), "decode")["key/value cache"].bytes
    sliding = parts(MLX().memory(request(model="gemma-3-27b", tokens=8192, new=0)), "decode")["key/value cache"]
    assert (10 * 8192 + 52 * 1024) * 2 * 16 * 128 * 2 == sliding.bytes


def test_ctranslate2_quantises_embeddings() -> None:
    """One byte for every parameter, norms apart, and a scale a row."""
    weights = parts(CTranslate2().memory(request("int8")))["weights"].bytes
    assert N_PARAMS < weights < N_PARAMS * 1001 // 1000


def test_ctranslate2_computes_as_wide_as_it_stores() -> None:
    """32-bit weights have a 32-bit cache."""
    wide, half = (parts(CTranslate2().memory(request(name)))["key/value cache"].bytes for name in ("fp32", "fp16"))
    assert 2 * half == wide


# --- AutoAWQ, AutoGPTQ --------------------------------------------------------------------------------


def test_autoawq_loads_queries_keys_and_values_twice() -> None:
    """Three matrices of 4096 by 4096 in 32 layers at 4 bits, with a scale and a zero for each 128."""
    elements = 32 * 3 * 4096 * 4096
    fused = parts(AutoAWQ().memory(request("awq-int4-g128")), "load")["matrices before they were fused"]
    assert elements // 2 + elements // 128 * 20 // 8 == fused.bytes


def test_autoawq_stacks_experts_layer_by_layer() -> None:
    """One layer's experts are there twice while it does."""
    mixture = parts(AutoAWQ().memory(request("awq-int4-g128", model="mixtral-8x7b")), "load")
    elements = 8 * 3 * 4096 * 14_336
    assert elements // 2 + elements // 128 * 20 // 8 == mixture["experts before they were stacked"].bytes


def test_autoawq_holds_scores_where_heads_share_keys() -> None:
    """8 bytes each; with a key head for each query head they are fused."""
    grouped = parts(AutoAWQ().memory(request("awq-int4-g128", model="llama-3.1-8b", tokens=4096, new=0)))
    assert 32 * 4096 * 4096 * 8 < grouped["attention"].bytes
    assert "attention" not in parts(AutoAWQ().memory(request("awq-int4-g128", tokens=4096, new=0)))


def test_autoawq_makes_logits_on_the_last_device_only() -> None:
    """The first of two has no head."""
    memory = AutoAWQ(max_seq_len=4096).memory(request("awq-int4-g128", n=2))
    assert "logits" not in parts(memory)
    assert 1920 * 32_000 * 6 == parts(memory, device=1)["logits"].bytes


def test_autogptq_is_transformers_with_other_matrices() -> None:
    """It answers as Transformers of its time does."""
    engine = AutoGPTQ()
    asked = request("gptq-int4-g128")
    assert engine.refuses(asked) is None
    mine, theirs = engine.memory(asked).devices[0], engine._loader().memory(asked).devices[0]
    assert theirs.process_bytes == mine.process_bytes
    assert theirs.range.high < mine.range.high


# --- what they refuse ---------------------------------------------------------------------------------


@pytest.mark.parametrize("engine", ALL, ids=lambda engine: engine.name)
def test_they_refuse_another_programs_format(engine: Engine) -> None:
    """GGUF is llama.cpp's."""
    assert engine.refuses(request()) is None
    assert "llama.cpp" in str(engine.refuses(request("q4_k_m")))


@pytest.mark.parametrize("engine", [GptFast(), LitGPT(), MLX(), CTranslate2()], ids=lambda engine: engine.name)
def test_some_run_on_one_device(engine: Engine) -> None:
    """They say so."""
    assert "one" in str(engine.refuses(request(n=2)))


@pytest.mark.parametrize("engine", [ExLlama(), AutoAWQ()], ids=lambda engine: engine.name)
def test_there_must_be_a_layer_for_each_device(engine: Engine) -> None:
    """32 layers cannot be dealt to 33 devices."""
    assert "cannot be dealt" in str(engine.refuses(request(n=33)))


def test_caches_must_be_known() -> None:
    """A type that is not known is named."""
    assert "'q1'" in str(ExLlamaV3(cache_type="q4/q1").refuses(request()))


def test_ctranslate2_has_no_groups() -> None:
    """It knows one scale a row only."""
    assert "one scale a row" in str(CTranslate2().refuses(request("awq-int4-g128")))


def test_mlx_does_not_know_compressed_caches() -> None:
    """DeepSeek-V4's merged rows are not modelled."""
    assert "not modelled" in str(MLX().refuses(request(model="deepseek-v4-flash")))


# --- laws ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("engine", ALL, ids=lambda engine: engine.name)
@given(model=MODELS, workload=generations())
def test_formulas_evaluate_to_their_bytes(engine: Engine, model: TransformerModel, workload: Generation) -> None:
    """Every component's text gives its number, and its interval holds it."""
    memory = engine.memory(evolve(request(), model=model, workload=workload))
    for place in (*memory.devices, memory.host):
        for phase in place.phases:
            for part in phase.components:
                assert part.bytes == evaluate(part)
                assert part.range.low <= part.bytes <= part.range.high
