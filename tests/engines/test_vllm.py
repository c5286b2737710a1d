"""vLLM: worked examples of its weights, its profiling run and its pool, and what holds for every model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from attrs import evolve
from hypothesis import given, strategies as st

from formula_text import evaluate
from genai_hwreq.catalog import get_format, get_model
from genai_hwreq.engines import VLLM, Memory, Request
from genai_hwreq.engines._paged_cache import CachedLayers, _padded
from genai_hwreq.engines._tensor_parallel import (
    _layers_by_stage,
    indivisible_heads,
    share_of_model,
    share_of_network,
    stages,
)
from genai_hwreq.formats import WeightFormat
from genai_hwreq.models import Attention, Tensor, TransformerModel, model_inventory, transformer_inventory
from genai_hwreq.placement import Placement
from genai_hwreq.units import GIB, MIB
from genai_hwreq.workloads import Generation, ImageGeneration
from strategies import attentions, generations, latent_attentions, state_spaces, transformer_models

if TYPE_CHECKING:
    from genai_hwreq.estimates import Component

BF16 = get_format("bf16")
H100 = 85_031_714_816  # what nvidia-smi reports: 81,092 MiB
SERVABLE = transformer_models(attentions() | latent_attentions() | state_spaces())


def model(name: str) -> TransformerModel:
    """Look up a transformer."""
    found = get_model(name)
    assert isinstance(found, TransformerModel)
    return found


def request(
    asked: TransformerModel, workload: Generation | None = None, weight_format: object = BF16, n_devices: int = 1
) -> Request:
    """Make a request."""
    assert isinstance(weight_format, WeightFormat)
    return Request(
        model=asked,
        weight_format=weight_format,
        workload=workload or Generation(context_tokens=2048),
        placement=Placement(n_devices=n_devices),
    )


def served(memory: Memory, index: int = 0) -> dict[str, Component]:
    """Return the parts of the serving phase by name."""
    phase = memory.devices[index].phase("serve")
    assert phase is not None
    return {part.name: part for part in phase.components}


def pool(memory: Memory, index: int = 0) -> dict[str, int]:
    """Return what the pool's formula was evaluated with."""
    return dict(served(memory, index)["key/value cache"].inputs)


def start(engine: VLLM, name: str = "llama-3.1-8b") -> Memory:
    """Start a server."""
    return engine.memory(request(model(name)))


# --- the profiling run --------------------------------------------------------------------------------


def test_sampling_without_sorting_takes_14_bytes_a_logit() -> None:
    """From 0.17 on a logit is held as computed, in 32 bit, as a probability and as noise; each multiprocessor has a row."""
    logits = served(start(VLLM(max_num_seqs=1024, max_num_batched_tokens=8192)))["logits while sampling"]
    assert (1024 * (2 + 4 + 4 + 4) + 132 * 4) * 128_256 == logits.bytes


def test_sampling_by_sorting_takes_38_bytes_a_logit() -> None:
    """Before, values and indices are sorted with as much scratch."""
    logits = served(start(VLLM(version="0.11.0", max_num_seqs=1024, max_num_batched_tokens=8192)))["logits while sampling"]
    assert 1024 * 38 * 128_256 == logits.bytes


def test_no_more_sequences_than_tokens_are_sampled() -> None:
    """A step of 256 tokens has at most 256 sequences."""
    logits = served(start(VLLM(max_num_seqs=1024, max_num_batched_tokens=256)))["logits while sampling"]
    assert dict(logits.inputs)["sequences"] == 256


def test_a_large_step_peaks_in_the_feed_forward_network() -> None:
    """With few sequences the gate, the up projection and their product are larger than the logits."""
    parts = served(start(VLLM(max_num_seqs=1, max_num_batched_tokens=8192)))
    assert 8192 * (3 * 14_336 + 2 * 4096) * 2 == parts["feed-forward network"].bytes


def test_experts_leave_their_workspaces() -> None:
    """From 0.17 on two workspaces stay: the wider of twice the experts' width and the stream, and of their width."""
    parts = served(start(VLLM(max_num_seqs=1024, max_num_batched_tokens=8192), "qwen3-30b-a3b"))
    assert 8192 * 8 * (2048 + 2048) * 2 == parts["workspaces of the experts"].bytes


def test_experts_in_blocks_have_none() -> None:
    """The kernels of MXFP4 experts keep no workspace."""
    memory = VLLM().memory(request(model("gpt-oss-20b"), weight_format=get_format("mxfp4")))
    assert "workspaces of the experts" not in served(memory)


def test_images_are_encoded_while_profiling() -> None:
    """A model that sees holds a step's images and what they became; not where it is told to take none."""
    seeing = model("gemma-3-4b")
    assert "images and their encodings" in served(VLLM().memory(request(seeing)))
    assert "images and their encodings" not in served(VLLM(limit_images=0).memory(request(seeing)))


def test_the_image_encoder_can_be_the_peak() -> None:
    """With one sequence and images of many patches a layer of the encoder is the largest moment."""
    seeing = model("gemma-3-4b")
    (tower,) = seeing.towers
    crowded = evolve(seeing, towers=(evolve(tower, stream_tokens=65_536, output_tokens=1),))
    assert "image encoder" in served(VLLM(max_num_seqs=1).memory(request(crowded)))


def test_an_encoder_of_unknown_size_counts_its_output_only() -> None:
    """Where patches are not known, a step's encodings are all that is counted of images."""
    seeing = model("gemma-3-4b")
    (tower,) = seeing.towers
    unknown = evolve(seeing, towers=(evolve(tower, stream_tokens=None, output_tokens=None, role="vision"),))
    parts = served(VLLM(max_num_batched_tokens=2048).memory(request(unknown)))
    assert 2 * 2048 * seeing.decoder.hidden_dim == parts["images and their encodings"].bytes


def test_an_encoder_only_network_samples_nothing() -> None:
    """Without a vocabulary there are no logits."""
    asked = model("llama-3.1-8b")
    silent = evolve(asked, decoder=evolve(asked.decoder, vocab_size=0, head=()))
    assert "logits while sampling" not in served(VLLM().memory(request(silent)))


# --- weights ------------------------------------------------------------------------------------------


def test_weights_of_one_device() -> None:
    """Llama-3.1-8B: 8,030,261,248 parameters at 2 bytes, sines and cosines of 131,072 positions of 128."""
    parts = served(start(VLLM()))
    assert 2 * 8_030_261_248 == parts["weights"].bytes
    assert 131_072 * 128 * 2 == parts["rotary table"].bytes


def test_two_devices_share_all_but_norms() -> None:
    """Matrices, embedding and head are halved: only 65 norms of 4096 are held twice."""
    whole = served(start(VLLM()))["weights"].bytes
    assert whole // 2 + 65 * 4096 == served(start(VLLM(tensor_parallel_size=2)))["weights"].bytes


def test_key_heads_are_replicated_when_they_run_out() -> None:
    """Eight key/value heads on sixteen devices: each has one, and so half of a token's cache is held twice."""
    eight, sixteen = (
        pool(start(VLLM(tensor_parallel_size=n, num_gpu_blocks_override=100)))["bytes_per_token"] for n in (8, 16)
    )
    assert eight == sixteen == 32 * 2 * 128 * 2


def test_experts_are_dealt_out_or_cut() -> None:
    """Either way a device holds as many of the experts' weights."""
    cut = VLLM(tensor_parallel_size=4)
    dealt = evolve(cut, enable_expert_parallel=True)
    assert served(start(cut, "qwen3-30b-a3b"))["weights"].bytes == served(start(dealt, "qwen3-30b-a3b"))["weights"].bytes


def test_latent_attention_keeps_a_second_copy_of_its_expanding_matrix() -> None:
    """DeepSeek-V2-Lite: 27 layers of 16 heads, 128 + 128 wide, from 512."""
    parts = served(start(VLLM(), "deepseek-v2-lite"))
    assert 27 * 16 * 256 * 512 * 2 == parts["expanding matrices for decoding"].bytes


def test_slots_for_adapters_have_two_sides_at_every_matrix() -> None:
    """Llama-3.2-3B, rank 64: the sides of seven matrices in 28 layers, and the vocabulary twice."""
    sides = 28 * (2 * (3072 + 3072) + 2 * (3072 + 1024) + 3 * (3072 + 8192)) + 2 * 128_256
    slots = served(start(VLLM(max_lora_rank=64), "llama-3.2-3b"))["slots for adapters"]
    assert 64 * sides * 2 == slots.bytes


def test_experts_in_blocks_are_padded() -> None:
    """gpt-oss: 2880 becomes 3072; before 0.17 inside the experts only, then in the stream's width too."""
    asked = request(model("gpt-oss-20b"), weight_format=get_format("mxfp4"))
    before = served(VLLM(version="0.11.0").memory(asked))["padding of the experts"]
    since = served(VLLM().memory(asked))["padding of the experts"]
    elements = 24 * 32 * 3
    assert elements * 2880 * (3072 - 2880) * 17 // 32 == before.bytes
    assert elements * (3072 * 3072 - 2880 * 2880) * 17 // 32 == since.bytes


def test_experts_that_fit_the_kernels_are_not_padded() -> None:
    """Sizes that are multiples of 256 stay as they are."""
    memory = VLLM().memory(request(model("qwen3-30b-a3b"), weight_format=get_format("mxfp4")))
    assert "padding of the experts" not in served(memory)


def test_towers_stay_whole_in_quantised_checkpoints() -> None:
    """Eight bits halve the decoder, not the encoder beside it."""
    seeing = model("gemma-3-4b")
    plain, halved = (
        served(VLLM().memory(request(seeing, weight_format=get_format(name)))) for name in ("bf16", "int8")
    )
    assert plain["vision tower"].bytes == halved["vision tower"].bytes
    assert plain["weights"].bytes > halved["weights"].bytes


def test_a_stretched_rotary_table_covers_the_stretched_context() -> None:
    """Gemma 3: eight times 131,072 positions for layers that see everything, once for those with a window."""
    parts = served(VLLM().memory(request(model("gemma-3-4b"))))
    assert 8 * 131_072 * 256 * 2 == parts["rotary table"].bytes
    assert 131_072 * 256 * 2 == parts["rotary table, layers with a window"].bytes


def test_without_positions_there_is_no_table() -> None:
    """A model whose context is not known counts none."""
    asked = evolve(model("llama-3.1-8b"), context_tokens=None)
    assert "rotary table" not in served(VLLM().memory(request(asked)))


@pytest.mark.parametrize(
    ("name", "role"),
    [("gpt2", "position_embedding"), ("deepseek-v2-lite", "projection"), ("qwen3.6-35b-a3b", "norm")],
)
def test_some_tensors_are_held_by_every_device(name: str, role: str) -> None:
    """Position tables, latent attention's compressing projections and norms are not cut."""
    whole = model(name).decoder
    share = share_of_network(whole, 2)
    held, all_of_them = (
        [tensor.shape for tensor, _ in transformer_inventory(network) if _is_whole(tensor, role)]
        for network in (share, whole)
    )
    assert all_of_them
    assert all_of_them == held


def _is_whole(tensor: Tensor, role: str) -> bool:
    return tensor.role == role and ("a_proj" in tensor.name or role != "projection")


def test_compressed_attention_is_left_as_it_is() -> None:
    """Its one row a token serves all heads; how its heads are dealt is not modelled."""
    network = model("deepseek-v4-flash").decoder
    assert network.layers[0].layer.mixers == share_of_network(network, 2).layers[0].layer.mixers


def test_a_stage_has_its_own_layers_only() -> None:
    """Gemma-3-27B's 62 layers of two kinds: the second half of them is the second stage."""
    whole = model("gemma-3-27b")
    first, second = stages(whole, 2)
    assert (31, 31) == (first.decoder.n_layers, second.decoder.n_layers)
    assert whole.decoder.layers[0].layer == first.decoder.layers[0].layer
    assert () == second.towers


def test_key_heads_must_divide_or_be_divided() -> None:
    """Ten key heads of twenty query heads cannot be dealt to four devices, nor two held by five."""
    network = model("llama-3.1-8b").decoder
    (run,) = network.layers
    (attention,) = run.layer.mixers
    assert isinstance(attention, Attention)
    uneven = evolve(attention, n_heads=20, n_kv_heads=10)
    layer = evolve(run.layer, mixers=(uneven,))
    asked = evolve(network, layers=(evolve(run, layer=layer),))
    assert 10 == indivisible_heads(asked, 4)
    assert indivisible_heads(asked, 5) is None


def test_an_encoder_without_patches_has_no_pixels() -> None:
    """Where nothing reads patches, the encodings are all that is counted."""
    seeing = model("gemma-3-4b")
    (tower,) = seeing.towers
    blind = evolve(tower, network=evolve(tower.network, embeddings=tower.network.embeddings[-1:]))
    parts = served(VLLM().memory(request(evolve(seeing, towers=(blind,)))))
    assert 0 == dict(parts["images and their encodings"].inputs)["elements_per_patch"]


# --- the pool -----------------------------------------------------------------------------------------


def test_the_pool_is_what_a_device_has_left() -> None:
    """Nine tenths of a device, less weights, step and libraries, in whole blocks of 16 tokens of 128 KiB."""
    engine = VLLM(gpu_memory_bytes=H100, max_num_seqs=256, max_num_batched_tokens=8192)
    parts = served(start(engine))
    others = sum(part.bytes for part in parts.values() if part.kind not in {"kv_cache", "cuda_graphs", "system"})
    blocks = (int(H100 * 0.9) - others) // (16 * 131_072)
    assert blocks * 16 * 131_072 == parts["key/value cache"].bytes
    assert blocks * 16 == pool(start(engine))["pool_tokens"]


def test_the_pool_tells_how_many_sequences_it_holds() -> None:
    """4096 tokens hold two sequences of 2048."""
    assert pool(start(VLLM(num_gpu_blocks_override=256)))["pool_sequences"] == 2


def test_without_a_device_the_pool_is_what_is_asked_for() -> None:
    """Three sequences of 2048 tokens; the assumption is listed."""
    memory = VLLM().memory(request(model("llama-3.1-8b"), Generation(context_tokens=2048, batch_size=3)))
    assert pool(memory)["pool_tokens"] == 3 * 2048
    assert "cache-as-needed" in {assumption.code for assumption in memory.assumptions}


def test_a_model_too_large_leaves_no_pool() -> None:
    """Where the rest fills the device, the cache has no block."""
    assert pool(start(VLLM(gpu_memory_bytes=16 * GIB)))["pool_tokens"] == 0


def test_a_large_device_takes_larger_steps() -> None:
    """From 70 GiB on 1024 sequences of 8192 tokens, else 256 of 2048."""
    large, small = VLLM(gpu_memory_bytes=H100), VLLM(gpu_memory_bytes=24 * GIB)
    assert (8192, 1024) == (large._batched_tokens(), large._sequences())
    assert (2048, 256) == (small._batched_tokens(), small._sequences())


def test_windows_and_full_layers_form_groups_of_equal_size() -> None:
    """Gemma-3-27B: 52 layers with a window and 10 without become six and one groups of ten."""
    grouped = pool(start(VLLM(), "gemma-3-27b"))["bytes_per_token"]
    plain = pool(start(VLLM(version="0.9.0 V0"), "gemma-3-27b"))["bytes_per_token"]
    row = 2 * 16 * 128 * 2
    assert (70 * row, 62 * row) == (grouped, plain)


def test_nearly_equal_groups_are_padded_to_the_larger() -> None:
    """Five and four layers become two groups of five, not three of four."""
    layers = (CachedLayers(n_layers=11, row_bytes=8), CachedLayers(n_layers=10, row_bytes=8, window_tokens=4))
    assert [11, 11] == [part.n_layers for part in _padded(layers)]


def test_a_window_bounds_what_a_sequence_holds() -> None:
    """Beyond its window and a step a sliding layer gives its blocks back."""
    asked = request(model("gemma-3-27b"), Generation(context_tokens=65_536))
    full = 65_536 * 10 * 16_384
    sliding = (-(-(1023 + 2048) // 16) * 16 + 16) * 60 * 16_384
    assert -(-(full + sliding) // (16 * 70 * 16_384)) == pool(VLLM().memory(asked))["pool_blocks"]


def test_an_indexer_caches_a_byte_an_element_and_a_scale() -> None:
    """DeepSeek-V3.2: 576 elements of two bytes, and 128 of one with a scale of four."""
    assert 61 * (576 * 2 + 132) == pool(start(VLLM(), "deepseek-v3.2"))["bytes_per_token"]


# --- the rest -----------------------------------------------------------------------------------------


def test_graphs_grow_with_the_batch_sizes_that_are_captured() -> None:
    """1, 2, 4, each multiple of 8 up to 256, each of 16 up to 512: 51 of them; none where graphs are left out."""
    assert VLLM(max_num_seqs=1024)._n_graphs() == 51
    assert VLLM(max_num_seqs=1, version="0.9.2 V0")._n_graphs() == 1
    assert "captured CUDA graphs" not in served(start(VLLM(enforce_eager=True)))


def test_more_devices_talk_through_larger_buffers() -> None:
    """Two devices take more than one outside PyTorch, four more than two."""
    sizes = [served(start(VLLM(tensor_parallel_size=n)))["outside PyTorch"].bytes for n in (1, 2, 4)]
    assert sorted(set(sizes)) == sizes


def test_stages_divide_the_layers() -> None:
    """Two stages hold all weights between them; the first has the embedding, the last the head."""
    memory = start(VLLM(pipeline_parallel_size=2, tensor_parallel_size=2))
    assert ["gpu:0", "gpu:1", "gpu:2", "gpu:3"] == [device.name for device in memory.devices]
    halves = served(memory, 0)["weights"].bytes + served(memory, 2)["weights"].bytes
    assert served(start(VLLM(tensor_parallel_size=2)))["weights"].bytes == halves


def test_layers_that_do_not_divide_go_to_the_stages_before_the_last() -> None:
    """Seven layers in three stages: two, three, two."""
    assert [2, 3, 2] == _layers_by_stage(7, 3)


def test_an_unmeasured_version_is_an_assumption() -> None:
    """What was fitted to other versions is said to be."""
    assert "engine-version" in {found.code for found in start(VLLM(version="0.5.4")).assumptions}
    assert "engine-version" not in {found.code for found in start(VLLM()).assumptions}
    assert "engine-version" not in {found.code for found in start(VLLM(version="nightly")).assumptions}


@pytest.mark.parametrize(
    ("words", "engine", "changed"),
    [
        ("only transformer models", VLLM(), {"model": get_model("stable-diffusion-2.1")}),
        ("not a ImageGeneration", VLLM(), {"workload": ImageGeneration()}),
        ("GGUF", VLLM(), {"weight_format": get_format("q4_k_m")}),
        ("runs on exllamav2", VLLM(), {"weight_format": get_format("exl2-4bpw")}),
        ("cache is not one of", VLLM(kv_cache_dtype="int1"), {}),
        ("heads cannot be dealt", VLLM(tensor_parallel_size=3), {}),
        ("set both alike", VLLM(), {"placement": Placement(n_devices=2)}),
        ("cannot be cut into", VLLM(pipeline_parallel_size=64), {}),
        ("compressed attention", VLLM(), {"model": get_model("deepseek-v4-flash")}),
    ],
)
def test_it_refuses_what_it_cannot_run(words: str, engine: VLLM, changed: dict[str, Any]) -> None:
    """Each refusal says why."""
    refusal = engine.refuses(evolve(request(model("llama-3.1-8b")), **changed))
    assert refusal is not None
    assert words in refusal


def test_the_placement_may_repeat_the_settings() -> None:
    """Two devices asked for and two in the settings agree."""
    assert VLLM(tensor_parallel_size=2).refuses(request(model("llama-3.1-8b"), n_devices=2)) is None


# --- laws ---------------------------------------------------------------------------------------------


@given(SERVABLE, generations())
def test_formulas_evaluate_to_their_bytes(asked: TransformerModel, workload: Generation) -> None:
    """Every component's text gives its number, and its interval holds it."""
    memory = VLLM(max_num_batched_tokens=64, gpu_memory_bytes=24 * GIB, max_lora_rank=4).memory(request(asked, workload))
    parts = [part for place in (*memory.devices, memory.host) for phase in place.phases for part in phase.components]
    for part in parts:
        assert part.bytes == evaluate(part)
        assert part.range.low <= part.bytes <= part.range.high


@given(SERVABLE)
def test_one_device_holds_the_whole(asked: TransformerModel) -> None:
    """A share of one is the model itself, and so is one stage."""
    assert asked == share_of_model(asked, 1)
    assert (asked,) == stages(asked, 1)
    whole = share_of_network(asked.decoder, 1)
    assert [run.n_layers for run in asked.decoder.layers] == [run.n_layers for run in whole.layers]


@given(SERVABLE, st.integers(2, 4))
def test_a_share_is_no_larger_than_the_whole(asked: TransformerModel, n_devices: int) -> None:
    """Cutting never adds weights, but for the vocabulary's padding."""
    networks = (asked.decoder, *(tower.network for tower in asked.towers))
    vocabularies = [tensor for network in networks for tensor in (*network.embeddings, *network.head)]
    padding = 64 * sum(tensor.row_elements for tensor in vocabularies)
    assert model_inventory(share_of_model(asked, n_devices)).n_params <= model_inventory(asked).n_params + padding


@given(SERVABLE, generations(), st.integers(1, 3))
def test_more_is_never_less(asked: TransformerModel, workload: Generation, factor: int) -> None:
    """More sequences never need a smaller pool, larger steps never less memory for a step."""
    more = evolve(workload, batch_size=workload.batch_size * factor)
    few, many = (pool(VLLM().memory(request(asked, each)))["pool_blocks"] for each in (workload, more))
    assert few <= many
    small, large = (
        VLLM(max_num_batched_tokens=tokens, cublas_workspace_bytes=8 * MIB).memory(request(asked, workload))
        for tokens in (64, 64 * factor)
    )
    small_peak, large_peak = (memory.devices[0].phase("profile") for memory in (small, large))
    assert small_peak is not None
    assert large_peak is not None
    assert small_peak.process_bytes <= large_peak.process_bytes
