"""Reading measured cases."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from genai_hwreq.errors import FileFormatError
from genai_hwreq.scoring import cases
from genai_hwreq.scoring.cases import Measured, read_cases

if TYPE_CHECKING:
    from pathlib import Path

FACTS: dict[str, Any] = {
    "id": "a-case",
    "source": {"url": "https://example.org/log", "title": "A log"},
    "model": "maker/model",
    "arch": {"model_type": "llama"},
    "request": {"task": "generate", "engine": "transformers"},
    "measured": {
        "metric": "weights",
        "bytes": 1000,
        "rounding_bytes": 5,
        "scope": "sum",
        "relation": "le",
    },
    "score": False,
    "notes": "left alone",
}


def written(path: Path, *lines: object) -> Path:
    """Write lines, JSON unless they are text already."""
    file = path / "cases.jsonl"
    text = "\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines)
    file.write_text(text, encoding="utf-8")
    return file


def test_a_case_is_read_whole(tmp_path: Path) -> None:
    """Every field of the format arrives, typed."""
    (case,) = read_cases(written(tmp_path, FACTS, "", "  "))

    assert case.id == "a-case"
    assert case.source == "https://example.org/log"
    assert case.model == "maker/model"
    assert case.arch == {"model_type": "llama"}
    assert (case.task, case.engine) == ("generate", "transformers")
    assert case.measured == Measured(metric="weights", value=1000, rounding=5, scope="sum", relation="le")
    assert case.scored is False


def test_what_is_left_out_has_the_format_s_default(tmp_path: Path) -> None:
    """Without score, arch, rounding, scope and relation a case counts, exactly, on one device."""
    facts = {key: FACTS[key] for key in ("id", "source", "model", "request")}
    (case,) = read_cases(written(tmp_path, facts | {"measured": {"metric": "weights", "bytes": 7}}))

    assert case.measured == Measured(metric="weights", value=7)
    assert case.arch is None
    assert case.scored is True


def test_a_source_without_an_address_is_known_by_its_title(tmp_path: Path) -> None:
    """Simulations have no address."""
    (case,) = read_cases(written(tmp_path, FACTS | {"source": {"url": "", "title": "A simulation"}}))

    assert case.source == "A simulation"


def test_parameters_are_counted_not_weighed(tmp_path: Path) -> None:
    """The figure of the metric `params` stands under `count`."""
    (case,) = read_cases(written(tmp_path, FACTS | {"measured": {"metric": "params", "count": 12}}))

    assert case.measured == Measured(metric="params", value=12)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"id": ""}, "id is ''; expected some text"),
        ({"model": None}, "model is None; expected some text"),
        ({"arch": []}, r"arch is \[\]; expected an object"),
        ({"source": {}}, "title is None; expected some text"),
        ({"source": "log"}, "source is 'log'; expected an object"),
        ({"request": {"engine": "x"}}, "task is None"),
        ({"request": {"task": "generate"}}, "engine is None"),
        ({"score": "yes"}, "score is 'yes'; expected true or false"),
        ({"measured": {"bytes": 1}}, "metric is None"),
        ({"measured": {"metric": "weights"}}, "bytes is None; expected a whole number of at least 1"),
        ({"measured": {"metric": "weights", "bytes": 0}}, "bytes is 0"),
        ({"measured": {"metric": "weights", "bytes": True}}, "bytes is True"),
        ({"measured": {"metric": "params", "bytes": 5}}, "count is None"),
        ({"measured": {"metric": "weights", "bytes": 5, "rounding_bytes": -1}}, "rounding_bytes is -1"),
        (
            {"measured": {"metric": "weights", "bytes": 5, "scope": "all"}},
            "scope is 'all'; expected device or sum",
        ),
        (
            {"measured": {"metric": "weights", "bytes": 5, "relation": "lt"}},
            "relation is 'lt'; expected eq or le or ge",
        ),
    ],
)
def test_a_fault_is_named_with_its_line(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    """A field that is missing or of the wrong kind names itself, its value and what was expected."""
    with pytest.raises(FileFormatError, match=f"line 2: {message}"):
        read_cases(written(tmp_path, FACTS, FACTS | change))


def test_all_faults_are_listed_up_to_ten(tmp_path: Path) -> None:
    """Ten faults are shown, the rest counted."""
    with pytest.raises(FileFormatError, match=r"line 1: .*line 10: .*; and 2 more$"):
        read_cases(written(tmp_path, *["[]"] * 12))


@pytest.mark.parametrize("line", ["{", "[1]", "null", "\x00", "[" * 100_000])
def test_a_line_that_is_no_object_is_a_fault(tmp_path: Path, line: str) -> None:
    """Whatever a line holds, the file is refused with a reason."""
    with pytest.raises(FileFormatError, match="line 1"):
        read_cases(written(tmp_path, line))


def test_text_that_is_not_utf8_is_a_fault(tmp_path: Path) -> None:
    """Files of cases are UTF-8."""
    file = tmp_path / "cases.jsonl"
    file.write_bytes(b'{"id": "\xff"}')

    with pytest.raises(FileFormatError, match="line 1"):
        read_cases(file)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    """The reason is the system's."""
    with pytest.raises(FileFormatError, match="cannot be read"):
        read_cases(tmp_path / "none.jsonl")


def test_sizes_are_limited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file or a line beyond its limit is not parsed."""
    file = written(tmp_path, FACTS)
    monkeypatch.setattr(cases, "MAX_LINE_BYTES", 20)
    with pytest.raises(FileFormatError, match="a case may have 20"):
        read_cases(file)
    monkeypatch.setattr(cases, "MAX_FILE_BYTES", 10)
    with pytest.raises(FileFormatError, match="a file of cases may have 10"):
        read_cases(file)
