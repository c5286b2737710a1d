"""`estimate_vram()`: names, records and shortcuts to an estimate, defaults listed, bad input refused."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from attrs import evolve
from hypothesis import given, strategies as st

from genai_hwreq.catalog import get_format, get_model
from genai_hwreq.catalog._entries import HostedEntry
from genai_hwreq.engines import get_engine
from genai_hwreq.errors import QuantityError, UnknownNameError, UnsupportedError
from genai_hwreq.estimation import estimate_vram
from genai_hwreq.models import HostedModel, Identity, SizedModel, SizedNetwork, model_inventory
from genai_hwreq.placement import Placement
from genai_hwreq.typical import typical_model
from genai_hwreq.workloads import Generation, ImageGeneration

if TYPE_CHECKING:
    from genai_hwreq.estimates import Estimate

MODEL = "llama-2-7b"
IMAGES = "stable-diffusion-2.1"


def codes(estimate: Estimate) -> set[str]:
    """Return the codes of an estimate's assumptions."""
    return {assumption.code for assumption in estimate.assumptions}


def test_names_and_records_agree() -> None:
    """A name and the record it means give the same estimate; so do shortcuts and a workload."""
    by_name = estimate_vram(
        MODEL, precision="int4", engine="transformers", context_tokens=512, batch_size=2, new_tokens=8
    )
    by_record = estimate_vram(
        get_model(MODEL),
        Generation(context_tokens=512, batch_size=2, new_tokens=8),
        precision=get_format("int4"),
        engine=get_engine("transformers"),
        placement=Placement(),
    )
    assert by_name == by_record
    assert ("llama-2-7b", "transformers", "int4") == (by_name.model, by_name.engine, by_name.precision)
    assert not codes(by_name)


def test_defaults_are_listed() -> None:
    """Every default that mattered is an assumption with its value."""
    estimate = estimate_vram(MODEL)
    assert codes(estimate) == {"native-precision", "usual-engine", "default-context"}
    named = estimate_vram(MODEL, precision=estimate.precision, engine=estimate.engine, context_tokens=2048)
    assert estimate == evolve(named, assumptions=estimate.assumptions)


def test_a_file_type_has_its_own_program() -> None:
    """A GGUF file type is run by llama.cpp unless another program is named."""
    estimate = estimate_vram(MODEL, precision="q4_k_m")
    assert "llama.cpp" == estimate.engine
    assert "usual-engine" in codes(estimate)


def test_images_have_their_own_defaults() -> None:
    """A pipeline runs on its own engine and has no context to assume."""
    estimate = estimate_vram(IMAGES)
    assert estimate.engine == "diffusers"
    assert codes(estimate) >= {"native-precision", "usual-engine"}
    assert "default-context" not in codes(estimate)


def test_parameter_count() -> None:
    """A number of parameters alone gives a wide interval and says that the shape is assumed."""
    estimate = estimate_vram(7_000_000_000, precision="int8", context_tokens=2048)
    assert {"typical-shape", "weak-facts"} <= codes(estimate)
    assert estimate.vram_range.low < estimate.vram_bytes < estimate.vram_range.high
    assert 7_000_000_000 < estimate.disk_bytes < 7_500_000_000


@pytest.mark.property
@given(st.integers(0, 12).flatmap(lambda power: st.integers(10**power, 10 ** (power + 1))))
def test_every_parameter_count(n_params: int) -> None:
    """Any count from 1 to 10¹³ is answered, in fp16 with two bytes a parameter on disk, and goes through JSON."""
    estimate = estimate_vram(n_params, precision="fp16")
    assert 2 * n_params == estimate.disk_bytes
    assert estimate.vram_range.low <= estimate.vram_bytes <= estimate.vram_range.high
    data = estimate.to_dict()
    assert data == json.loads(json.dumps(data))


@pytest.mark.parametrize("count", [0, -1, True, False, 7e9, float("nan"), float("inf")])
def test_bad_parameter_counts(count: Any) -> None:
    """A count that is not a whole number above zero is refused with its value."""
    with pytest.raises(
        QuantityError, match=r"number of parameters is .*; expected a whole number above zero"
    ):
        estimate_vram(count)


@pytest.mark.parametrize("name", ["context_tokens", "batch_size"])
@pytest.mark.parametrize("count", [0, -1, True, 2048.0, float("nan"), "2048", None])
def test_bad_counts(name: Any, count: Any) -> None:
    """A context or batch that is not a whole number above zero is refused by name."""
    with pytest.raises(QuantityError, match=rf"Generation\.{name} is .*; expected a whole number above zero"):
        estimate_vram(MODEL, **{name: count})


@pytest.mark.parametrize("count", [0, -1, True, 2.0])
def test_bad_number_of_devices(count: Any) -> None:
    """So is a number of devices."""
    with pytest.raises(QuantityError, match=r"Placement\.n_devices is"):
        estimate_vram(MODEL, placement=Placement(n_devices=count))


@pytest.mark.parametrize(
    ("kind", "arguments"),
    [
        ("model", {"model": "lama-2-7b"}),
        ("format", {"model": MODEL, "precision": "in4"}),
        ("engine", {"model": MODEL, "engine": "transformer"}),
    ],
)
def test_unknown_names(kind: str, arguments: dict[str, Any]) -> None:
    """An unknown model, format or engine is refused with suggestions."""
    with pytest.raises(UnknownNameError, match=f"unknown {kind} .*did you mean") as caught:
        estimate_vram(**arguments)
    assert caught.value.suggestions


def test_context_beyond_the_model() -> None:
    """A context beyond the model's own is answered, and said to be beyond."""
    model = get_model(MODEL)
    limit = getattr(model, "context_tokens", None)
    assert limit == 4096
    assert "context-beyond-model" not in codes(estimate_vram(model, context_tokens=4096))
    assert "context-beyond-model" in codes(estimate_vram(model, context_tokens=4097))


def test_recipe_on_transformers() -> None:
    """A GGUF file type is refused by transformers, which says what to pass instead."""
    with pytest.raises(UnsupportedError, match=r"is a GGUF file type.*pass precision='bf16'"):
        estimate_vram(MODEL, precision="q4_k_m", engine="transformers")


def test_image_shortcuts_on_a_language_model() -> None:
    """Shortcuts that do not describe what a model does are refused with those that do."""
    with pytest.raises(
        QuantityError, match="width_px does not describe what llama-2-7b does; known are batch"
    ):
        estimate_vram(MODEL, width_px=512)
    with pytest.raises(QuantityError, match=f"context_tokens does not describe what {IMAGES}"):
        estimate_vram(IMAGES, context_tokens=512)


def test_shortcuts_beside_a_workload() -> None:
    """Shortcuts and a workload together are refused."""
    with pytest.raises(
        QuantityError, match="batch_size and a workload were given; put them into the workload"
    ):
        estimate_vram(MODEL, Generation(), batch_size=2)


@pytest.mark.parametrize(
    ("model", "workload", "engine", "reason"),
    [
        (MODEL, ImageGeneration(), "transformers", "it generates text, not a ImageGeneration"),
        (IMAGES, ImageGeneration(), "transformers", "only transformer models are"),
    ],
)
def test_engine_that_cannot(model: str, workload: Any, engine: str, reason: str) -> None:
    """An engine that cannot run a model or workload says why."""
    with pytest.raises(UnsupportedError, match=f"{engine} cannot run this: {reason}"):
        estimate_vram(model, workload, engine=engine)


def test_hosted_models_need_nothing() -> None:
    """A model reached by an API only needs nothing here, whatever is asked of it."""
    estimate = estimate_vram(HostedModel(identity=Identity(id="far", name="Far")), context_tokens=10**6)
    assert (estimate.vram_bytes, estimate.ram_bytes, estimate.disk_bytes) == (0, 0, 0)
    assert codes(estimate) == {"hosted-model"}
    entry = HostedEntry(identity=Identity(id="far", name="Far"))
    assert estimate == estimate_vram(entry.model())


def test_sized_text_model() -> None:
    """A text model of which only the size is known gets a typical shape of that size."""
    networks = tuple(SizedNetwork(role="decoder", name=name, n_params=10**9) for name in "ab")
    model = SizedModel(identity=Identity(id="sized", name="Sized"), networks=networks)
    estimate = estimate_vram(model, precision="fp16")
    assert {"typical-shape", "weak-facts"} <= codes(estimate)
    assert estimate.model == "sized"
    assert estimate.disk_bytes == 2 * model_inventory(typical_model(2 * 10**9)[0]).n_params


@pytest.mark.parametrize("model", [None, [], object()])
def test_a_model_of_no_known_kind_is_refused(model: object) -> None:
    """What is neither name, number nor record is refused with what was expected."""
    with pytest.raises(QuantityError, match="expected a name of the catalog"):
        estimate_vram(model)  # type: ignore[arg-type]  # the error is the point
