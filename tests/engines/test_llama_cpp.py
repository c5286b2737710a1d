"""llama.cpp and its kin: worked examples from published logs, and what holds for every model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import pytest
from attrs import evolve
from hypothesis import given, strategies as st

from formula_text import evaluate
from genai_hwreq.catalog import get_format, get_model
from genai_hwreq.engines import IkLlamaCpp, LlamaCpp, Memory, Ollama, Request
from genai_hwreq.engines._llama_cpp_caches import CacheSettings, Cells, cells_of
from genai_hwreq.engines._llama_cpp_versions import Era, era_of
from genai_hwreq.engines._llama_cpp_weights import offload_of
from genai_hwreq.errors import QuantityError, UnsupportedError
from genai_hwreq.estimation import estimate_vram
from genai_hwreq.formats import RecipeFormat
from genai_hwreq.placement import Placement
from genai_hwreq.readers.hf_config import read_config
from genai_hwreq.units import MIB
from genai_hwreq.workloads import Generation, ImageGeneration
from llama_cpp_runs import Q4_K_M, model, on_device, on_host, run
from strategies import attentions, latent_attentions, state_spaces, transformer_models

if TYPE_CHECKING:
    from genai_hwreq.estimates import Component, Kind
    from genai_hwreq.models import TransformerModel

RUNNABLE = transformer_models(attentions() | latent_attentions() | state_spaces())
VERSIONS = st.sampled_from(("2024-11", "2025-08", "2026-10"))


def parts(memory: Memory) -> list[Component]:
    """Return every component."""
    places = (*memory.devices, memory.host)
    found = [part for place in places for phase in place.phases for part in phase.components]
    return [*found, *memory.disk]


@pytest.mark.parametrize(
    ("device_mib", "host_mib", "name", "precision"),
    [
        (4403.49, 281.81, "llama-3.1-8b", "q4_k_m"),
        (3577.56, 70.31, "llama-2-7b", "q4_0"),
        (4095.05, 70.31, "mistral-7b-v0.1", "q4_k_m"),
        (4455.34, 333.84, "qwen3-8b", "q4_k_m"),
        (3127.61, 315.30, "qwen2.5-3b", "q8_0"),
    ],
)
def test_weights_as_logged(device_mib: float, host_mib: float, name: str, precision: str) -> None:
    """The model buffers on device and host are those that public logs print (a tied table is held twice)."""
    memory = run(LlamaCpp(), name, get_format(precision))
    assert on_device(memory, "weights") / MIB == pytest.approx(device_mib, abs=0.0051)
    assert on_host(memory, "weights") / MIB == pytest.approx(host_mib, abs=0.0051)


@pytest.mark.parametrize(
    ("device_mib", "kv_mib", "engine", "name", "n_ctx"),
    [
        (258.50, 64.0, LlamaCpp(version="2024-04", n_batch=512, flash_attn=False), "llama-3-8b", 512),
        (70.50, 256.0, LlamaCpp(version="2024-03", n_batch=512, flash_attn=False), "llama-2-7b", 512),
        (97.51, 256.0, LlamaCpp(version="2026-05", n_batch=512, flash_attn=False), "llama-2-7b", 512),
        (304.00, 224.0, LlamaCpp(version="2025-08", n_batch=512, flash_attn=True), "qwen2.5-7b", 4096),
        (304.00, 896.0, LlamaCpp(version="2026-08"), "qwen2.5-7b", 16384),
    ],
)
def test_buffers_as_logged(device_mib: float, kv_mib: float, engine: LlamaCpp, name: str, n_ctx: int) -> None:
    """Compute buffer and key/value cache are those that public logs of each era print."""
    memory = run(engine, name, context_tokens=n_ctx)
    assert on_device(memory, "compute_buffer") / MIB == pytest.approx(device_mib, abs=0.0051)
    assert on_device(memory, "kv_cache") / MIB == kv_mib


def test_sliding_windows_have_caches_of_their_own() -> None:
    """Gemma-3-4B at 4096 tokens: 29 windowed layers keep 1024 + 512 cells (174 MiB), 5 layers all (80 MiB)."""
    memory = run(LlamaCpp(), "gemma-3-4b", context_tokens=4096)
    per_cell = 2 * 4 * 256 * 2
    assert on_device(memory, "kv_cache") == (29 * 1536 + 5 * 4096) * per_cell
    whole = run(LlamaCpp(swa_full=True), "gemma-3-4b", context_tokens=4096)
    assert on_device(whole, "kv_cache") == 34 * 4096 * per_cell


@pytest.mark.parametrize(
    ("per_cell", "version"), [(128 * (192 + 128), "2024-11"), (576 + 512, "2025-08"), (576, "2026-10")]
)
def test_latent_caches_by_era(per_cell: int, version: str) -> None:
    """DeepSeek-V3 kept every head's keys and values, then the latent row with its values, then the row alone."""
    memory = run(LlamaCpp(version=version, flash_attn=False), "deepseek-v3", context_tokens=4096)
    assert on_device(memory, "kv_cache") == 61 * 4096 * per_cell * 2


@pytest.mark.parametrize(
    ("cells", "streams", "era", "unified", "hybrid"),
    [
        (4096, 1, "2024", False, False),
        (1024, 4, "2025", False, False),
        (4096, 1, "2025", True, False),
        (1024, 4, "2026", False, False),
        (4096, 4, "2025", False, True),
    ],
)
def test_cells_of_four_sequences(cells: int, streams: int, era: Era, unified: bool, hybrid: bool) -> None:
    """Four sequences share one stream of cells or have one each; hybrids of 2025 had too many."""
    settings = CacheSettings(
        era=era,
        n_ctx=4096,
        n_seq_max=4,
        n_ubatch=512,
        flash_attn=True,
        kv_unified=unified,
        swa_full=False,
        type_k="F16",
        type_v="F16",
    )
    assert cells_of(settings, None, hybrid=hybrid) == Cells(cells, streams)


def test_recurrent_states_do_not_grow() -> None:
    """The 64 layers of Mamba-2.8B keep 23.75 MiB a sequence, whatever the context."""
    for context_tokens in (512, 4096):
        memory = run(LlamaCpp(), "mamba-2.8b", context_tokens=context_tokens)
        assert on_device(memory, "recurrent_state") == 64 * (5120 * 16 + 5120 * 3) * 4


def test_experts_can_stay_on_the_host() -> None:
    """With `cpu_moe` only what every token passes is on the device; the experts of a large batch are copied over."""
    memory = run(LlamaCpp(cpu_moe=True), "qwen3-30b-a3b", context_tokens=8192)
    assert on_device(memory, "weights") == 822_523_904
    assert on_host(memory, "weights") == 17_728_192_512
    whole = run(LlamaCpp(), "qwen3-30b-a3b", context_tokens=8192)
    assert on_device(memory, "compute_buffer") >= on_device(whole, "compute_buffer")


def test_versions_of_2025_map_the_whole_file_for_experts() -> None:
    """In 2025 the mapped range on the host reached from the first to the last tensor kept there: all of the file."""
    memory = run(LlamaCpp(version="2025-08", cpu_moe=True), "qwen3-30b-a3b", context_tokens=8192)
    assert on_host(memory, "weights") > 18 * 10**9


def test_caches_can_stay_on_the_host() -> None:
    """Without `offload_kqv` caches are on the host."""
    memory = run(LlamaCpp(offload_kqv=False))
    assert on_device(memory, "kv_cache") == 0
    assert on_host(memory, "kv_cache") == 32 * 2048 * 2 * 1024 * 2


def test_the_output_layer_goes_first_or_last() -> None:
    """Recent versions offload the output layer first, older ones last."""
    assert offload_of(4, 1, (1,), "2026").output == 0
    assert offload_of(4, 1, (1,), "2025").output == -1
    assert offload_of(4, 5, (1,), "2025").output == 0
    assert offload_of(4, 0, (1,), "2026").output == -1


def test_layers_are_spread_over_devices() -> None:
    """Two devices get half of the layers each, and the last one the output layer."""
    offload = offload_of(4, 999, (1, 1), "2026")
    assert offload.layers == (0, 0, 0, 1)
    assert offload.output == 1
    memory = run(LlamaCpp(), n_devices=2)
    assert len(memory.devices) == 2
    assert all(on_device(memory, "weights", index=index) for index in range(2))


def test_unequal_devices_get_their_shares() -> None:
    """Two cards of 24 and 12 GiB get layers two to one, and the buffers of their own layers alone."""
    memory = run(LlamaCpp(tensor_split=(24, 12)), n_devices=2)
    assert [on_device(memory, "kv_cache", index=index) // (2048 * 2 * 1024 * 2) for index in range(2)] == [22, 10]
    first, last = (on_device(memory, "compute_buffer", index=index) for index in range(2))
    assert last - first > 4 * 128256 * 300  # only the last device computes logits


def test_a_device_without_a_share_stays_empty() -> None:
    """A share of zero keeps layers off a device."""
    memory = run(LlamaCpp(tensor_split=(1, 0)), n_devices=2)
    assert on_device(memory, "kv_cache", index=1) == 0


@pytest.mark.parametrize("tensor_split", [(), (0, 0), (1, -1), (1.5, 1), [1, 1]])
def test_shares_that_mean_nothing(tensor_split: Any) -> None:
    """Shares are whole numbers from zero, not all zero."""
    with pytest.raises(QuantityError, match="tensor_split"):
        LlamaCpp(tensor_split=tensor_split)


def test_shares_for_other_devices_are_refused() -> None:
    """Shares for three devices do not spread a model over two."""
    with pytest.raises(UnsupportedError, match=r"Placement\(n_devices=3\)"):
        estimate_vram(
            "llama-3.1-8b",
            precision="q4_k_m",
            engine=LlamaCpp(tensor_split=(1, 1, 1)),
            placement=Placement(n_devices=2),
        )


def test_a_run_without_a_device() -> None:
    """Without a device everything is on the host."""
    memory = run(LlamaCpp(use_device=False))
    assert memory.devices == ()
    assert on_host(memory, "kv_cache") == 32 * 2048 * 2 * 1024 * 2
    assert on_host(memory, "weights") == 4_912_898_304


@pytest.mark.parametrize(
    ("era", "version"),
    [("2024", "2024-11"), ("2024", "b4300-b4900"), ("2025", "b6000"), ("2026", "b9000"), ("2026", "unknown")],
)
def test_eras(era: str, version: str) -> None:
    """Months and builds name an era; anything else is current."""
    assert era_of(version) == era


def test_plain_formats_are_stored_by_role() -> None:
    """A format that is no file type stores each tensor by its role."""
    memory = run(LlamaCpp(), weight_format=get_format("bf16"))
    assert on_device(memory, "weights") + on_host(memory, "weights") >= 2 * 8_030_261_248


def test_refusals() -> None:
    """Other kinds of model, workload and format are refused with a reason."""
    llama = model("llama-3.1-8b")
    asked = Request(model=llama, weight_format=Q4_K_M, workload=Generation())
    engine = LlamaCpp()
    assert "diffusers" in str(engine.refuses(evolve(asked, model=get_model("stable-diffusion-2.1"))))
    assert "Generation" in str(engine.refuses(evolve(asked, workload=ImageGeneration())))
    assert "gptq" in str(engine.refuses(evolve(asked, weight_format=get_format("gptq-int4-g128"))))
    assert "fp8" in str(LlamaCpp(type_k="fp8").refuses(asked))
    assert "flash_attn" in str(LlamaCpp(type_v="q8_0", flash_attn=False).refuses(asked))
    assert isinstance(Q4_K_M, RecipeFormat)
    unknown = evolve(Q4_K_M, recipe="Q9_X")
    assert "Q9_X" in str(engine.refuses(evolve(asked, weight_format=unknown)))
    assert "CrossAttention" in str(engine.refuses(evolve(asked, model=get_model("whisper-large-v3"))))


def test_assumptions() -> None:
    """A context beyond the model's, and towers that are files of their own, are said."""
    long = run(LlamaCpp(), "llama-2-7b", context_tokens=8192)
    assert [assumption.code for assumption in long.assumptions] == ["context-beyond-model"]
    assert any(assumption.code == "towers-not-counted" for assumption in run(LlamaCpp(), "gemma-3-4b").assumptions)


def test_ollama_sets_llama_cpp() -> None:
    """Ollama's settings are llama.cpp's under other names."""
    ours = run(Ollama(num_ctx=4096, num_parallel=2, kv_cache_type="q8_0", flash_attention=True))
    theirs = run(LlamaCpp(n_ctx=8192, n_seq_max=2, n_batch=512, type_k="q8_0", type_v="q8_0", flash_attn=True))
    assert ours == theirs
    request = Request(model=model("llama-3.1-8b"), weight_format=Q4_K_M, workload=ImageGeneration())
    assert Ollama().refuses(request) is not None


@pytest.mark.parametrize(("per_cell", "mla", "flash"), [(40960, 0, True), (1088, 1, False), (576, 1, True), (576, 3, True)])
def test_ik_llama_cpp_caches(per_cell: int, mla: Literal[0, 1, 2, 3], flash: bool) -> None:
    """ik_llama.cpp's `mla` chooses what latent attention caches."""
    engine = IkLlamaCpp(mla=mla, flash_attn=flash)
    assert on_device(run(engine, "deepseek-v3", context_tokens=2048), "kv_cache") == 61 * 2048 * per_cell * 2


def test_other_recurrences_are_approximated() -> None:
    """A kind of recurrence whose graph is not followed still has a compute buffer."""
    assert on_device(run(LlamaCpp(), "kimi-linear-48b-a3b-instruct"), "compute_buffer") > 100 * MIB


def test_a_fused_query_key_value_matrix() -> None:
    """Phi-2's three projections are one matrix of the file."""
    config = {
        "model_type": "phi", "vocab_size": 51200, "hidden_size": 2560, "num_hidden_layers": 32, "num_attention_heads": 32,
        "intermediate_size": 10240, "max_position_embeddings": 2048, "tie_word_embeddings": False,
    }  # fmt: skip
    phi_2 = read_config(config)
    assert on_host(run(LlamaCpp(use_device=False), phi_2), "weights") == 1_789_890_560


@given(RUNNABLE, st.sampled_from(("q4_k_m", "q8_0", "f16", "iq2_xs")), VERSIONS, st.integers(1, 4), st.booleans())
def test_formulas_evaluate_to_bytes(
    asked: TransformerModel, precision: str, version: str, batch_size: int, flash: bool
) -> None:
    """Every component's formula evaluates to its bytes, and its interval holds them."""
    name = "gguf-f16" if precision == "f16" else precision
    memory = run(LlamaCpp(version=version, flash_attn=flash), asked, get_format(name), 256, batch_size)
    for part in parts(memory):
        assert part.bytes == evaluate(part), part.name
        assert part.range.low <= part.bytes <= part.range.high


@given(RUNNABLE, VERSIONS, st.integers(0, 20))
def test_offload_moves_bytes_and_creates_none(asked: TransformerModel, version: str, n_gpu_layers: int) -> None:
    """Layers on the device and on the host are together the whole model, but for a tied table's copy and padding."""
    engine = LlamaCpp(version=version, n_gpu_layers=n_gpu_layers)

    def stored(memory: Memory) -> int:
        places = (*memory.devices, memory.host)
        loads = [phase for place in places if (phase := place.phase("load"))]
        weights = [part for phase in loads for part in phase.components if part.kind == "weights"]
        counted = [dict(part.inputs) for part in weights]
        return sum(inputs.get("layer_bytes", 0) + inputs.get("embedding_bytes", 0) for inputs in counted)

    assert stored(run(engine, asked)) == stored(run(evolve(engine, use_device=False), asked))


@given(RUNNABLE, VERSIONS, st.integers(0, 20))
def test_fewer_layers_on_the_device_are_never_more(asked: TransformerModel, version: str, n_gpu_layers: int) -> None:
    """One layer more on the device never takes less of its memory for weights and caches."""
    few = run(LlamaCpp(version=version, n_gpu_layers=n_gpu_layers), asked)
    more = run(LlamaCpp(version=version, n_gpu_layers=n_gpu_layers + 1), asked)
    kinds: tuple[Kind, ...] = ("weights", "kv_cache", "recurrent_state")
    assert on_device(few, *kinds) <= on_device(more, *kinds)


@given(RUNNABLE, VERSIONS, st.integers(1, 4096), st.integers(1, 4096))
def test_more_context_is_never_less(asked: TransformerModel, version: str, tokens: int, more: int) -> None:
    """More context never takes less for caches."""
    engine = LlamaCpp(version=version)
    few = run(engine, asked, context_tokens=tokens)
    assert on_device(few, "kv_cache") <= on_device(run(engine, asked, context_tokens=tokens + more), "kv_cache")
