"""From cases of serving and single-run engines to runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from genai_hwreq import engines
from genai_hwreq.scoring.mapping import Run, map_case
from genai_hwreq.scoring.mapping._device_memory import reported_bytes
from genai_hwreq.scoring.predicting import find_model
from genai_hwreq.scoring.settings import DeclinedError
from genai_hwreq.units import MIB
from scoring_stubs import case

if TYPE_CHECKING:
    from genai_hwreq.engines import Engine


def mapped(engine: str, **request: Any) -> Run:
    """Map a request to an engine."""
    made = case(engine=engine, **request)
    return map_case(made, find_model(made))


def test_every_setting_of_vllm_is_read() -> None:
    """Its own keys become its own settings; the GPU says how much memory there is and how it computes."""
    run = mapped(
        "vllm", engine_version="0.8.5.post1 V0", gpu="A100 80GB", gpu_memory_utilization=0.5, max_model_len=4096,
        max_num_seqs=8, max_num_batched_tokens=512, enforce_eager=True, gpus=4, tensor_parallel=2, pipeline_parallel=2,
        expert_parallel=2, kv_cache="fp8", kv_tokens=160, lora_rank=16,
    )
    expected = engines.VLLM(
        version="0.8.5.post1 V0", gpu_memory_bytes=81_920 * MIB, gpu_memory_utilization=0.5, max_model_len=4096,
        max_num_seqs=8, max_num_batched_tokens=512, enforce_eager=True, tensor_parallel_size=2,
        pipeline_parallel_size=2, enable_expert_parallel=True, kv_cache_dtype="fp8", num_gpu_blocks_override=10,
        max_lora_rank=16, n_multiprocessors=108, cublas_workspace_bytes=8_519_680,
    )
    assert expected == run.engine
    assert 4096 == run.workload.context_tokens  # type: ignore[union-attr]  # text is generated


def test_what_is_not_said_is_vllms_default() -> None:
    """A bare case is the record's defaults; words in place of a version say nothing."""
    assert engines.VLLM() == mapped("vllm", engine_version="nightly").engine


@pytest.mark.parametrize(
    ("expected", "name", "request_"),
    [
        (engines.GptFast(kv_cache="fp16"), "gpt-fast", {"kv_cache": "fp16", "compile": True}),
        (engines.LitGPT(), "litgpt", {}),
        (engines.ExLlama(), "exllama", {}),
        (engines.ExLlamaV2(flash_attn=False), "exllamav2", {"engine_version": "0.0.1"}),
        (engines.ExLlamaV3(cache_type="q4/q8"), "exllamav3", {"kv_cache": "q4/q8"}),
        (engines.MLX(prefill_step_size=512, logits="last"), "mlx", {"prefill_chunk": 512, "logits": "last"}),
        (engines.CTranslate2(), "ctranslate2", {}),
        (engines.AutoAWQ(max_seq_len=128), "autoawq", {"context": 128}),
        (engines.AutoGPTQ(), "autogptq", {}),
        (engines.SGLang(tp_size=2, max_total_tokens=9), "sglang", {"gpus": 2, "kv_tokens": 9}),
        (engines.TGI(num_shard=2), "tgi", {"gpus": 2}),
        (engines.TensorRTLLM(kv_cache_dtype="fp8"), "tensorrt-llm", {"kv_cache": "fp8"}),
        (engines.LMDeploy(max_cache_tokens=9, max_batch_size=3, max_prefill_token_num=2048), "lmdeploy",
         {"kv_tokens": 9, "batch": 3}),
        (engines.MLCLLM(), "mlc-llm", {}),
    ],
)
def test_settings_of_the_others(expected: Engine, name: str, request_: dict[str, Any]) -> None:
    """Each engine reads what it has."""
    assert expected == mapped(name, **request_).engine


def test_a_case_without_tokens_is_marked() -> None:
    """Engines whose memory depends on the request cannot answer for its figures then."""
    assert not mapped("litgpt").sized
    assert not mapped("sglang").sized
    assert mapped("sglang", kv_tokens=9).sized
    assert mapped("vllm").sized


@pytest.mark.parametrize(
    ("words", "name", "request_"),
    [
        ("without an accelerator", "vllm", {"gpus": 0}),
        ("without an accelerator", "litgpt", {"gpus": 0}),
        ("tensor_parallel 4", "vllm", {"gpus": 2, "tensor_parallel": 4}),
        ("compute_dtype", "vllm", {"weights": "fp32", "compute_dtype": "fp16"}),
        ("pipeline_parallel 2", "sglang", {"gpus": 2, "pipeline_parallel": 2}),
        ("kv_cache", "autoawq", {"kv_cache": "fp8"}),
        ("compile", "gpt-fast", {"compile": False}),
        ("unknown request key", "litgpt", {"n_ctx": 5}),
    ],
)
def test_what_is_not_modelled_is_declined(words: str, name: str, request_: dict[str, Any]) -> None:
    """The message says what."""
    with pytest.raises(DeclinedError, match=words):
        mapped(name, **request_)


def test_memory_that_drivers_report() -> None:
    """Of cards of a name the plainest is meant; where no driver was seen, what the maker says."""
    assert reported_bytes(None) is None
    assert reported_bytes("Riva 128") is None
    desktop, laptop = reported_bytes("RTX 4090"), reported_bytes("RTX 4090 Laptop")
    assert desktop is not None
    assert laptop is not None
    assert laptop < desktop
