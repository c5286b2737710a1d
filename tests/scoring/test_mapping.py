"""From what a case says was run to a run."""

from __future__ import annotations

from typing import Any

import pytest

from genai_hwreq.engines import Transformers
from genai_hwreq.errors import QuantityError
from genai_hwreq.placement import Placement
from genai_hwreq.scoring import mapping
from genai_hwreq.scoring.mapping import MAPPINGS, Run, map_case
from genai_hwreq.scoring.mapping._gpus import compute_capability
from genai_hwreq.scoring.predicting import find_model
from genai_hwreq.scoring.settings import DeclinedError, Settings
from genai_hwreq.workloads import Generation
from scoring_stubs import case


def mapped(**request: Any) -> Run:
    """Map a request to Transformers."""
    made = case(**request)
    return map_case(made, find_model(made))


def engine(**request: Any) -> Transformers:
    """Return the engine that a request is mapped to."""
    found = mapped(**request).engine
    assert isinstance(found, Transformers)
    return found


@pytest.mark.parametrize(
    ("expected", "request_"),
    [
        (Generation(context_tokens=640, new_tokens=128), {"prompt_tokens": 512, "new_tokens": 128}),
        (Generation(context_tokens=512, new_tokens=0, batch_size=4), {"prompt_tokens": 512, "batch": 4}),
        (Generation(context_tokens=4096, new_tokens=0), {"context": 4096}),
        (Generation(context_tokens=2048, new_tokens=0), {}),
        (
            Generation(context_tokens=8, new_tokens=0, padded=True, n_images=2),
            {"prompt_tokens": 8, "padded": True, "images": 2},
        ),
    ],
)
def test_what_is_asked(expected: Generation, request_: dict[str, Any]) -> None:
    """Prompt and new tokens make up the context; a context alone is a prompt."""
    assert expected == mapped(**request_).workload


def test_a_case_without_tokens_is_marked() -> None:
    """Only figures that do not depend on tokens can be answered then."""
    assert not mapped().sized
    assert mapped(context=9).sized


@pytest.mark.parametrize(
    ("expected", "version", "attention"),
    [
        ("sdpa", None, None),
        ("sdpa", "4.36.0", None),
        ("eager", "~4.33", None),
        ("flash_attention_2", "~4.33", "flash"),
        ("eager", "5.23.0", "eager"),
        ("sdpa", "2023-05", None),
    ],
)
def test_attention_is_the_version_s_unless_stated(
    expected: str, version: str | None, attention: str | None
) -> None:
    """Transformers runs sdpa by itself from 4.36 on."""
    request = {"engine_version": version, "attention": attention}

    assert expected == engine(**{key: value for key, value in request.items() if value}).attn_implementation


@pytest.mark.parametrize(
    ("expected", "stated"),
    [("4.46.0", "4.46.0"), ("4.32", "~4.32"), (Transformers().version, "commit 8641822"), ("4.1", "v4.1")],
)
def test_versions(expected: str, stated: str) -> None:
    """A version may be marked as about; what is no version is as if left out."""
    assert expected == engine(engine_version=stated).version


def test_settings_arrive() -> None:
    """Cache type, logits, devices, offload, format and stage are passed on."""
    run = mapped(
        kv_cache="int8",
        logits="all",
        gpus=2,
        offload="model",
        weights="bnb-nf4",
        compute_dtype="bf16",
        stage="decode",
    )

    assert run.engine == Transformers(kv_cache="int8", logits="all")
    assert run.placement == Placement(n_devices=2, offload="model")
    assert (run.precision, run.stage, run.place) == ("bnb-nf4", "decode", "devices")


@pytest.mark.parametrize(
    ("message", "request_"),
    [
        ("unknown request key 'mystery'", {"mystery": 1}),
        ("compile True is not modelled", {"compile": True}),
        ("tensor_parallel 2 is not modelled", {"tensor_parallel": 2}),
        ("without an accelerator", {"gpus": 0}),
        ("pipeline_parallel 4 on 2 devices", {"gpus": 2, "pipeline_parallel": 4}),
        ("attention 'sliced' is not modelled; eager, sdpa, flash are", {"attention": "sliced"}),
        ("offload 'layers' is not modelled", {"offload": "layers"}),
        ("compute_dtype 'fp32' over weights 'bf16'", {"compute_dtype": "fp32"}),
        ("compute_dtype 'bf16' over weights 'fp32'", {"compute_dtype": "bf16", "weights": "fp32"}),
        ("'batch' is 1.5; expected a whole number", {"batch": 1.5}),
        ("'batch' is True; expected a whole number", {"batch": True}),
        ("'prompt_tokens' is -1", {"prompt_tokens": -1}),
        ("'padded' is 'no'; expected true or false", {"padded": "no"}),
        ("'stage' is 3; expected some text", {"stage": 3}),
        ("task 'video' of engine 'transformers' is not modelled yet", {"task": "video"}),
        ("engine 'abacus' is not modelled yet", {"engine": "abacus"}),
    ],
)
def test_what_is_not_understood_is_declined(message: str, request_: dict[str, Any]) -> None:
    """No setting is guessed or passed over."""
    with pytest.raises(DeclinedError, match=message):
        mapped(**request_)


def test_records_refuse_what_cannot_be() -> None:
    """A batch of nothing is refused by the workload, as an error of the library."""
    with pytest.raises(QuantityError, match="batch_size"):
        mapped(batch=0, prompt_tokens=1)


def test_the_same_compute_type_is_no_news() -> None:
    """Compute in the weights' own type is what the engine does."""
    assert mapped(compute_dtype="bf16") == mapped()
    assert mapped(compile=False, tensor_parallel=1, pipeline_parallel=1, gpus=1) == mapped()


def test_every_mapping_can_be_found() -> None:
    """Each line of the table names a function that exists."""
    for target in MAPPINGS.values():
        module, _, function = target.partition(":")
        assert callable(getattr(__import__(f"{mapping.__name__}.{module}", fromlist=[function]), function))


def test_an_absent_key_is_not_known() -> None:
    """`null` and a missing key are the same."""
    assert Settings({"batch": None}).whole("batch", 3) == 3
    assert not Settings({"batch": None}).has("batch")


@pytest.mark.parametrize(
    ("expected", "gpu"),
    [
        ("8.9", "RTX 4090"),
        ("8.0", "A100 80GB"),
        ("9.0", "H100 80GB"),
        (None, "abacus"),
        (None, ""),
        (None, None),
    ],
)
def test_gpus_of_a_name_share_their_compute_capability(expected: str | None, gpu: str | None) -> None:
    """A name may mean several cards; what they share is known, and a card nobody knows tells nothing."""
    assert expected == compute_capability(gpu)
