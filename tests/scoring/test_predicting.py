"""From cases to predictions, whole files included."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import attrs
import pytest

from genai_hwreq.errors import HwReqError
from genai_hwreq.models import HostedModel, Identity, SizedModel, SizedNetwork
from genai_hwreq.ranges import ByteRange
from genai_hwreq.scoring import Measured, predicting, score, score_cases, score_file
from genai_hwreq.scoring.predicting import Predictor, find_model
from scoring_stubs import TINY, case

if TYPE_CHECKING:
    from pathlib import Path

    from genai_hwreq.scoring.cases import Case

N_PARAMS = 2 * 1000 * 64 + 2 * (4 * 64 * 64 + 3 * 64 * 128 + 2 * 64) + 64
"""Embedding and head, two layers of four square matrices, three of the feed-forward and two norms, a last norm."""
COUNT = attrs.evolve(
    case(),
    request={"task": "count", "engine": "transformers"},
    measured=Measured(metric="params", value=N_PARAMS),
)


def test_parameters_are_counted_exactly() -> None:
    """The prediction is the inventory's count, without width."""
    assert ByteRange.exactly(N_PARAMS) == Predictor().predict(COUNT)


def test_parts_of_known_size_are_added_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """A model known by its parts' sizes has the sum of them."""
    parts = tuple(SizedNetwork(role=name, name=name, n_params=10) for name in ("vae", "unet"))
    model = SizedModel(identity=Identity(id="m", name="M"), networks=parts)
    monkeypatch.setattr(predicting, "get_model", lambda _: model)

    assert ByteRange.exactly(20) == Predictor().predict(attrs.evolve(COUNT, arch=None))


def test_a_hosted_model_has_no_count(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is not published is declined."""
    monkeypatch.setattr(predicting, "get_model", lambda _: HostedModel(identity=Identity(id="m", name="M")))

    with pytest.raises(HwReqError, match="is not published"):
        Predictor().predict(attrs.evolve(COUNT, arch=None))


@pytest.mark.parametrize(
    ("message", "made"),
    [
        ("unknown model 'maker/unheard-of-model'", case(arch=None)),
        (
            "model_type 'abacus' cannot be read, and the catalog has no such model",
            case(arch={"model_type": "abacus"}),
        ),
        ("unknown model", case(arch={"n_params": 5})),
        ("_class_name 'UNet' is not known", case(arch={"_class_name": "UNet"})),
        ("is missing from the 'llama' configuration", case(arch={"model_type": "llama"})),
        ("unknown format 'mystery-4'", case(weights="mystery-4")),
        ("peak_allocated depends on how much is asked", case("peak_allocated")),
        ("metric 'fun' is not known", case("fun", context=8)),
        (
            "unknown request key 'weights'",
            attrs.evolve(COUNT, request=dict(COUNT.request) | {"weights": "bf16"}),
        ),
        ("metric 'weights' has no figure", attrs.evolve(COUNT, measured=Measured(metric="weights", value=1))),
    ],
)
def test_what_is_not_known_is_declined_with_its_reason(message: str, made: Case) -> None:
    """Every error of the library becomes a decline that says why."""
    (declined,) = score_cases([made]).rows

    assert declined.answer is None
    assert declined.declined is not None
    assert message in declined.declined


def test_other_errors_are_not_swallowed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A defect of ours must not look like a decline."""

    def broken(*_: Any, **__: Any) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(predicting, "estimate_vram", broken)
    with pytest.raises(ZeroDivisionError):
        score_cases([case()])


def test_equal_models_and_runs_are_worked_out_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A thousand cases of one model read it once, declined or not."""
    seen: list[Case] = []

    def counted(made: Case) -> Any:
        seen.append(made)
        return find_model(made)

    monkeypatch.setattr(predicting, "find_model", counted)
    score_cases([case(context=8), case("kv_cache", context=8), case(context=9)])
    assert len(seen) == 1
    score_cases([case(arch=None), case(arch=None)])
    assert len(seen) == 2


def test_the_catalog_answers_where_arch_is_silent() -> None:
    """Without `arch` a model is looked up by its name."""
    assert find_model(attrs.evolve(case(arch=None), model="gpt2")).identity.id == "gpt2"


def test_files_are_scored_without_their_unscored_cases(tmp_path: Path) -> None:
    """Unscored cases are never counted; files keep their groups apart."""
    facts = {
        "id": "a",
        "source": {"title": "t"},
        "model": "m",
        "arch": TINY,
        "request": {"task": "count", "engine": "transformers"},
        "measured": {"metric": "params", "count": N_PARAMS},
    }
    one, two = tmp_path / "one.jsonl", tmp_path / "two.jsonl"
    one.write_text(json.dumps(facts) + "\n" + json.dumps(facts | {"score": False}), encoding="utf-8")
    two.write_text(json.dumps(facts), encoding="utf-8")

    assert [(group.file, group.cases) for group in score([one, two]).groups] == [
        ("one.jsonl", 1),
        ("two.jsonl", 1),
    ]
    assert score_file(one).groups[0].share_equal == 1
