"""The command line."""

from __future__ import annotations

import json
import subprocess
import sys
from types import ModuleType, SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from genai_hwreq import cli, planning
from genai_hwreq.cli import main
from genai_hwreq.planning.fit import Fit
from genai_hwreq.ranges import ByteRange
from genai_hwreq.units import GIB

if TYPE_CHECKING:
    from pathlib import Path

TINY = {
    "model_type": "llama",
    "hidden_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 128,
    "vocab_size": 1000,
}
CASE = {
    "id": "a-case",
    "source": {"title": "a log"},
    "model": "maker/model",
    "arch": TINY,
    "request": {"task": "count", "engine": "transformers"},
    "measured": {"metric": "params", "count": 210_240},
}


@pytest.fixture
def config(tmp_path: Path) -> str:
    """A configuration of a tiny model."""
    file = tmp_path / "config.json"
    file.write_text(json.dumps(TINY), encoding="utf-8")
    return str(file)


def printed(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """Run a command line that succeeds and return what it printed."""
    assert main(arguments) == 0
    out, error = capsys.readouterr()
    assert not error
    return out


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """Run a command line that fails and return its message."""
    assert main(arguments) == 2
    out, error = capsys.readouterr()
    assert not out
    return error


def test_estimate_shows_a_table(capsys: pytest.CaptureFixture[str], config: str) -> None:
    """Text names the components; JSON is the estimate's own data; `--explain` adds formulas."""
    asked = (
        "estimate",
        config,
        "--precision",
        "fp16",
        "--context",
        "128",
        "--batch",
        "2",
        "--new-tokens",
        "8",
    )

    assert "weights" in printed(capsys, *asked)
    assert "params_in_" in printed(capsys, *asked, "--explain")
    data = json.loads(printed(capsys, *asked, "--json"))
    assert data["precision"] == "fp16"
    assert data["vram_bytes"] > 0


@pytest.mark.parametrize(
    ("expected", "text"),
    [
        (7_000_000_000, "7000000000"),
        (7_000_000_000, "7b"),
        (1_500_000_000, "1.5B"),
        (350_000_000, "350 M"),
        (7_000_000_000, "7_000_000_000"),
        ("llama-2-7b", "llama-2-7b"),
    ],
)
def test_a_model_may_be_a_count(expected: str | int, text: str) -> None:
    """A number with or without a letter is a number of parameters, all else a name."""
    assert expected == cli._model(text)


def test_a_number_of_parameters_is_enough(capsys: pytest.CaptureFixture[str]) -> None:
    """A typical shape is assumed."""
    data = json.loads(
        printed(capsys, "estimate", "7b", "--precision", "int8", "--engine", "transformers", "--json")
    )

    assert 6 * GIB < data["vram_bytes"] < 12 * GIB
    assert "typical-shape" in {item["code"] for item in data["assumptions"]}


@pytest.mark.parametrize(
    ("message", "model"),
    [
        ("unknown model 'abacus-9000'", "abacus-9000"),
        ("cannot be read", "nowhere.json"),
        ("above zero", "0"),
    ],
)
def test_what_is_not_known_is_said_on_standard_error(
    capsys: pytest.CaptureFixture[str], message: str, model: str
) -> None:
    """An error of the library is a line on standard error and exit code 2, without a traceback."""
    error = refused(capsys, "estimate", model)

    assert error.startswith("genai-hwreq: ")
    assert message in error
    assert "Traceback" not in error


@pytest.mark.parametrize(
    ("message", "text"),
    [
        ("is not JSON", "{"),
        ("is not JSON", "[" * 100_000),
        ("expected an object", "[]"),
        ("model_type", "{}"),
    ],
)
def test_a_damaged_configuration_is_refused(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, message: str, text: str
) -> None:
    """Whatever the file holds, the answer is a reason."""
    file = tmp_path / "config.json"
    file.write_text(text, encoding="utf-8")

    assert message in refused(capsys, "estimate", str(file))


def test_a_configuration_has_a_largest_size(
    capsys: pytest.CaptureFixture[str], config: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Weights given by mistake are not parsed."""
    monkeypatch.setattr("genai_hwreq.readers._checkpoints._LARGEST_CONFIG_BYTES", 10)

    assert "larger than 10 bytes" in refused(capsys, "estimate", config)


def test_fit_says_whether_it_fits(
    capsys: pytest.CaptureFixture[str], config: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The verdict is the library's; JSON holds its numbers."""
    fit = Fit(device="A Card", usable_bytes=24, usable_basis="stated", needed=ByteRange(1, 20, 30))
    monkeypatch.setattr(
        planning, "fits", lambda _, device: fit if device == "a-card" else None, raising=False
    )

    assert printed(capsys, "fit", config, "--on", "a-card").startswith("A Card: tight")
    data = json.loads(printed(capsys, "fit", config, "--on", "a-card", "--json"))
    assert data == {
        "device": "A Card",
        "verdict": "tight",
        "fits": True,
        "usable_bytes": 24,
        "usable_basis": "stated",
        "headroom_bytes": 4,
        "needed": {"low": 1, "likely": 20, "high": 30},
    }


def test_advise_says_what_to_change(capsys: pytest.CaptureFixture[str]) -> None:
    """Text shows the options in a table; JSON is the advice's own data."""
    asked = ("advise", "llama-2-13b", "--on", "rtx-3060-12gb", "--precision", "fp16", "--context", "1024")

    assert printed(capsys, *asked).startswith("as asked, NVIDIA GeForce RTX 3060 12 GB: does not fit")
    data = json.loads(printed(capsys, *asked, "--json"))
    assert data["asked"]["verdict"] == "does not fit"
    assert data["options"][0]["kind"] == "precision"


def test_models_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    """Each word of a filter begins a part of the name, in any case and punctuation."""
    everything = printed(capsys, "models").split()
    some = printed(capsys, "models", "Llama 2").split()

    assert "llama-2-7b" in some
    assert not any("13b" in name for name in printed(capsys, "models", "llama 3").split())
    assert set(some) < set(everything)
    assert json.loads(printed(capsys, "models", "llama-2-7b", "--json"))["models"][0] == "llama-2-7b"


def test_gpus_are_listed_with_their_memory(capsys: pytest.CaptureFixture[str]) -> None:
    """Text shows GiB, JSON bytes."""
    assert "24.00 GiB" in printed(capsys, "gpus", "rtx 4090")
    cards = json.loads(printed(capsys, "gpus", "geforce-rtx-4090", "--json"))["gpus"]
    assert {"id": "nvidia-geforce-rtx-4090", "memory_bytes": 24 * GIB}.items() <= cards[0].items()


def test_score_compares_with_cases(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """A table of groups, every case on request, or plain data."""
    file = tmp_path / "cases.jsonl"
    file.write_text(json.dumps(CASE), encoding="utf-8")

    assert "params" in printed(capsys, "score", str(file))
    assert "a-case" in printed(capsys, "score", str(file), "--rows")
    data = json.loads(printed(capsys, "score", str(file), "--json"))
    assert data["groups"][0]["share_equal"] == 1
    assert data["rows"][0]["predicted"] == 210_240


def test_score_refuses_what_is_no_case(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """A fault names its line."""
    file = tmp_path / "cases.jsonl"
    file.write_text("{}", encoding="utf-8")

    assert "line 1: id is None" in refused(capsys, "score", str(file))


class Table:
    """What the recommendation table offers to the command line."""

    def __init__(self, models: tuple[str, ...] = ("all",)) -> None:
        """Keep which rows were asked for."""
        self.models = models

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return {"rows": [{"model": model} for model in self.models]}

    def __str__(self) -> str:
        """Show text."""
        return f"table of {', '.join(self.models)}"


def test_table_shows_all_or_some_rows(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without names every row is shown."""
    module = ModuleType("table")
    vars(module).update(recommendation_table=Table)
    monkeypatch.setitem(sys.modules, "genai_hwreq.planning.table", module)

    assert printed(capsys, "table") == "table of all\n"
    assert printed(capsys, "table", "gpt2", "bert") == "table of gpt2, bert\n"
    assert json.loads(printed(capsys, "table", "--json")) == {"rows": [{"model": "all"}]}


@pytest.mark.parametrize(
    "arguments", [[], ["abacus"], ["estimate"], ["fit", "7b"], ["estimate", "7b", "--batch", "x"]]
)
def test_a_wrong_command_line_shows_how_it_is_used(
    capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    """What the parser refuses ends with its usage and exit code 2."""
    with pytest.raises(SystemExit) as stopped:
        main(arguments)

    assert stopped.value.code == 2
    assert "usage: genai-hwreq" in capsys.readouterr().err


def test_the_module_runs_as_a_program(config: str) -> None:
    """`python -m genai_hwreq` is the command line."""
    command = [sys.executable, "-m", "genai_hwreq", "estimate", config, "--json"]
    result = subprocess.run(command, capture_output=True, check=True, text=True)

    assert SimpleNamespace(**json.loads(result.stdout)).engine == "transformers"
