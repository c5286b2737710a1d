"""Adapters, draft models, projectors and other companions, as parts of one estimate."""

from __future__ import annotations

from typing import Any

import pytest
from attrs import evolve
from hypothesis import given, settings, strategies as st

from genai_hwreq.catalog import get_model
from genai_hwreq.companions import Accompanying, Adapter, Companion, Draft, Projector, joined
from genai_hwreq.engines.llama_cpp import LlamaCpp
from genai_hwreq.engines.vllm import VLLM
from genai_hwreq.errors import QuantityError, UnsupportedError
from genai_hwreq.estimates import Component, DeviceMemory, Estimate, Phase
from genai_hwreq.estimation import estimate_vram
from genai_hwreq.models import TransformerModel, model_inventory
from genai_hwreq.placement import Placement
from genai_hwreq.units import GIB
from genai_hwreq.workloads import Training
from strategies import estimates

MODEL, SMALL, SEEING = "llama-3.1-8b", "llama-3.2-1b", "gemma-3-4b-it"
GGUF: dict[str, Any] = {"engine": "llama.cpp", "precision": "q4_k_m"}
ENGINES = st.sampled_from(
    [
        {"engine": "transformers", "precision": "bf16"},
        {"engine": "transformers", "precision": "int4", "placement": Placement(n_devices=2)},
        {"engine": "vllm", "precision": "bf16"},
        {"engine": VLLM(tensor_parallel_size=2), "precision": "bf16"},
        {"engine": "llama.cpp", "precision": "q8_0"},
        {"engine": LlamaCpp(n_gpu_layers=10), "precision": "q8_0"},
        {"engine": LlamaCpp(use_device=False), "precision": "q8_0"},
    ]
)


def weights_of(estimate: Estimate, name: str) -> int:
    """Return the bytes of a companion's weights, on all devices together."""
    return sum(
        part.bytes
        for device in (*estimate.devices, *((estimate.host,) if estimate.host else ()))
        for part in device.phases[0].components
        if part.name == f"{name}: weights"
    )


def named_apart(device: DeviceMemory) -> bool:
    """Tell whether no two phases bear the same name, as those of every engine."""
    return len({phase.name for phase in device.phases}) == len(device.phases)


@pytest.mark.property
class TestLaws:
    """What holds for every estimate and companion."""

    @given(estimates())
    def test_none_is_identity(self, estimate: Estimate) -> None:
        """Without companions an estimate is what it was."""
        assert estimate == joined(estimate, ())

    @settings(deadline=None)
    @given(estimates(), st.lists(estimates(), max_size=3))
    def test_companions_only_add(self, estimate: Estimate, others: list[Estimate]) -> None:
        """No device, bound, host or disk shrinks, and no device grows by more than all companions need."""
        companions = tuple(
            Companion(name=f"c{i}", estimate=each)
            for i, each in enumerate(others)
            if len(each.devices) <= len(estimate.devices)
        )
        both = joined(estimate, companions)

        assert len(estimate.devices) == len(both.devices)
        for index, (before, after) in enumerate(zip(estimate.devices, both.devices, strict=True)):
            beside = [each.estimate.devices[index] for each in companions if index < len(each.estimate.devices)]
            assert before.process_bytes <= after.process_bytes
            assert before.allocated_bytes <= after.allocated_bytes
            assert before.reserved_bytes <= after.reserved_bytes
            assert all(
                getattr(before.range, bound) <= getattr(after.range, bound) for bound in ("low", "likely", "high")
            )
            if all(named_apart(device) for device in beside):
                assert after.process_bytes <= before.process_bytes + sum(each.process_bytes for each in beside)
        assert estimate.ram_bytes <= both.ram_bytes
        assert both.disk_bytes == estimate.disk_bytes + sum(each.estimate.disk_bytes for each in companions)

    @settings(deadline=None)
    @given(estimates(), estimates())
    def test_order_does_not_matter(self, first: Estimate, second: Estimate) -> None:
        """Totals are the same whichever companion is named first."""
        model = estimate_vram(MODEL, precision="bf16", placement=Placement(n_devices=8))
        a, b = Companion(name="a", estimate=first), Companion(name="b", estimate=second)

        assert joined(model, (a, b)).vram_range == joined(model, (b, a)).vram_range

    @settings(max_examples=30, deadline=None)
    @given(ENGINES, st.integers(1, 4096), st.booleans())
    def test_a_draft_adds_what_it_keeps(self, run: dict[str, Any], context: int, adapted: bool) -> None:
        """A draft's weights and caches stand beside the model's, and the process is counted once."""
        beside: tuple[Accompanying, ...] = (Draft(model=SMALL, precision=run["precision"]),)
        if adapted and not isinstance(run["engine"], VLLM) and run["engine"] != "vllm":
            beside += (Adapter(rank=8),)
        alone = estimate_vram(MODEL, context_tokens=context, **run)
        draft = estimate_vram(SMALL, context_tokens=context, **run)
        both = estimate_vram(MODEL, context_tokens=context, companions=beside, **run)

        for mine, small, after in zip(alone.devices, draft.devices, both.devices, strict=True):
            kept = small.phases[-1].bytes_of("weights", "kv_cache")
            last = after.phase(mine.phases[-1].name)
            assert last is not None
            assert last.process_bytes >= mine.phases[-1].process_bytes + kept
            assert last.bytes_of("runtime", "system") == mine.phases[-1].bytes_of("runtime", "system")
        assert both.ram_bytes >= alone.ram_bytes

    @given(st.integers(1, 256), st.integers(0, 64))
    def test_a_higher_rank_never_needs_less(self, rank: int, more: int) -> None:
        """An adapter's weights are in proportion to its rank."""
        small, large = (
            weights_of(estimate_vram(MODEL, companions=(Adapter(rank=each),), **GGUF), "adapter")
            for each in (rank, rank + more)
        )
        assert small * (rank + more) == large * rank


def test_an_adapter_is_counted_by_hand() -> None:
    """Rank times inputs and outputs of each target in each layer, 4 bytes in transformers and 2 in llama.cpp."""
    adapter = Adapter(rank=16, targets=["q_proj", "v_proj"])
    elements = 32 * 16 * ((4096 + 4096) + (4096 + 1024))
    peft = estimate_vram(MODEL, engine="transformers", precision="bf16", companions=(adapter,))
    gguf = estimate_vram(MODEL, companions=(adapter,), **GGUF)
    half = estimate_vram(
        MODEL, engine="transformers", precision="bf16", companions=(evolve(adapter, dtype="bf16"),)
    )

    assert [4 * elements, 2 * elements, 2 * elements] == [weights_of(each, "adapter") for each in (peft, gguf, half)]
    assert 2 * elements == gguf.disk_bytes - estimate_vram(MODEL, **GGUF).disk_bytes


def test_an_adapter_follows_its_layers() -> None:
    """On several devices each holds its share; without a device the host holds all."""
    spread = estimate_vram(MODEL, placement=Placement(n_devices=2), companions=(Adapter(),), **GGUF)
    one = estimate_vram(MODEL, companions=(Adapter(),), **GGUF)
    host = estimate_vram(MODEL, engine=LlamaCpp(use_device=False), precision="q4_k_m", companions=(Adapter(),))

    assert weights_of(one, "adapter") == weights_of(spread, "adapter") == weights_of(host, "adapter")
    assert () == host.devices


def test_an_unknown_target_is_named() -> None:
    """A target that no matrix is called, and a type there is none of, are refused with those there are."""
    with pytest.raises(QuantityError, match=r"Adapter\.dtype is 'int3'"):
        Adapter(dtype="int3")  # type: ignore[arg-type]
    with pytest.raises(QuantityError, match="no matrix is called abacus; expected all-linear or some of down_proj"):
        estimate_vram(MODEL, companions=(Adapter(targets=("abacus",)),), **GGUF)


def test_experts_have_no_adapter() -> None:
    """All linear layers are adapted but routed experts."""
    dense = estimate_vram("qwen3-30b-a3b", companions=(Adapter(),), **GGUF)
    only = estimate_vram(
        "qwen3-30b-a3b", companions=(Adapter(targets=("q_proj", "k_proj", "v_proj", "o_proj")),), **GGUF
    )

    assert weights_of(dense, "adapter") == weights_of(only, "adapter")


def test_a_server_has_slots_for_adapters() -> None:
    """The own setting of vLLM is named instead of counting twice."""
    with pytest.raises(UnsupportedError, match="pass max_lora_rank=16"):
        estimate_vram(MODEL, engine="vllm", precision="bf16", companions=(Adapter(),))


def test_model_and_draft_compute_in_turn() -> None:
    """The draft's own activations make a phase of their own, beside what the model keeps."""
    run: dict[str, Any] = {"engine": "transformers", "precision": "bf16", "context_tokens": 4096}
    both = estimate_vram(MODEL, companions=(Draft(model=SMALL, precision="bf16"),), **run)
    alone, draft = estimate_vram(MODEL, **run), estimate_vram(SMALL, **run)
    own = both.devices[0].phase("draft: prefill")

    assert own is not None
    assert own.bytes_of("weights") == alone.phases[0].bytes_of("weights") + draft.phases[0].bytes_of("weights")
    assert own.bytes_of("activations") == draft.devices[0].peak.bytes_of("activations")
    assert both.vram_bytes < alone.vram_bytes + draft.vram_bytes


def test_a_draft_says_what_it_assumed() -> None:
    """A companion's assumptions bear its name."""
    both = estimate_vram(MODEL, engine="transformers", precision="bf16", companions=(Draft(model=SMALL),))

    assert any(item.text.startswith("draft: weights as published") for item in both.assumptions)


def test_a_draft_has_settings_of_its_own() -> None:
    """The large model's layers may be split while the draft is on the device whole, by the same program."""
    split = LlamaCpp(n_gpu_layers=10)
    both = estimate_vram(
        MODEL, engine=split, precision="q4_k_m",
        companions=(Draft(model=SMALL, precision="q8_0", engine=LlamaCpp()),),
    )  # fmt: skip
    whole = estimate_vram(SMALL, engine=LlamaCpp(), precision="q8_0")

    assert whole.phases[0].bytes_of("weights") == sum(
        part.bytes for part in both.phases[0].components if part.name == "draft: weights"
    )
    with pytest.raises(UnsupportedError, match="same program, not in transformers"):
        estimate_vram(MODEL, companions=(Draft(model=SMALL, engine="transformers", precision="bf16"),), **GGUF)


def test_a_projector_is_the_towers() -> None:
    """Matrices in 16 bit and vectors in 32: between two and four bytes a parameter of the towers, and a buffer."""
    both = estimate_vram(SEEING, companions=(Projector(),), **GGUF)
    model = get_model(SEEING)
    assert isinstance(model, TransformerModel)
    params = model_inventory(model).n_params - model_inventory(evolve(model, towers=())).n_params

    assert 2 * params < weights_of(both, "projector") < 2.02 * params
    assert any(part.name == "projector: compute buffer, vision" for part in both.phases[-1].components)
    assert "towers-not-counted" in {item.code for item in estimate_vram(SEEING, **GGUF).assumptions}
    assert "towers-not-counted" not in {item.code for item in both.assumptions}


def test_a_tower_of_unknown_input_has_no_buffer() -> None:
    """Where images vary in size only the weights are counted, and that is said."""
    model = get_model(SEEING)
    assert isinstance(model, TransformerModel)
    vague = evolve(model, towers=tuple(evolve(tower, stream_tokens=None) for tower in model.towers))
    both = estimate_vram(vague, companions=(Projector(dtype="fp32"),), **GGUF)

    assert "projector-buffer" in {item.code for item in both.assumptions}
    assert not any(part.name.startswith("projector: compute") for part in both.phases[-1].components)


@pytest.mark.parametrize(
    ("reason", "model", "run"),
    [
        ("counted with the weights", SEEING, {"engine": "transformers", "precision": "bf16"}),
        ("has no tower", MODEL, GGUF),
    ],
)
def test_a_projector_is_refused_where_there_is_none(reason: str, model: str, run: dict[str, Any]) -> None:
    """Programs with one checkpoint and models without towers have no projector."""
    with pytest.raises(UnsupportedError, match=reason):
        estimate_vram(model, companions=(Projector(),), **run)


def test_a_server_that_fills_its_device_has_no_room_beside() -> None:
    """What would stand beside a pool that takes all memory is refused, not added."""
    server = VLLM(gpu_memory_bytes=24 * GIB)
    with pytest.raises(UnsupportedError, match="taken from a pool that fills the device"):
        estimate_vram(MODEL, engine=server, precision="bf16", companions=(Draft(model=SMALL, precision="bf16"),))


def test_companions_need_the_models_devices() -> None:
    """A companion on more devices than the model is refused."""
    spread = estimate_vram(SMALL, precision="bf16", placement=Placement(n_devices=2))
    with pytest.raises(QuantityError, match="other is on 2 devices; expected at most the model's 1"):
        estimate_vram(MODEL, precision="bf16", companions=(Companion(name="other", estimate=spread),))


def test_companions_are_for_text_generation() -> None:
    """Training, images and hosted models have none."""
    with pytest.raises(UnsupportedError, match="text generation only"):
        estimate_vram(MODEL, Training(), companions=(Adapter(),))
    with pytest.raises(UnsupportedError, match="reached by an API"):
        estimate_vram("gpt-4o", companions=(Adapter(),))


def test_a_companion_of_one_phase_stands_beside_all() -> None:
    """What has no phase of the same name counts with its last phase."""
    part = Component("weights", "weights", 100, "size", (("size", 100),), "exact")
    other = Estimate(
        model="other", engine="any", precision="any",
        devices=(DeviceMemory(name="gpu:0", phases=(Phase(name="whenever", components=(part,)),)),),
    )  # fmt: skip
    alone = estimate_vram(MODEL, precision="bf16")
    both = estimate_vram(MODEL, precision="bf16", companions=(Companion(name="other", estimate=other),))

    assert [phase.process_bytes + 100 for phase in alone.phases] == [phase.process_bytes for phase in both.phases]
