"""GGUF files become the models that their metadata and tensors describe, or are refused with the reason."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, strategies as st

import genai_hwreq as hw
from genai_hwreq.cli import main
from genai_hwreq.errors import FileFormatError
from genai_hwreq.readers import _checkpoints, read_model
from genai_hwreq.readers._gguf_configs import known_architectures
from genai_hwreq.readers.hf_config import read_config
from gguf_cases import DEEPSEEK, EXPERTS, MODELS, STATES
from gguf_files import BASE, LLAMA, described, tensors_of, tiny, write
from weight_files import told

if TYPE_CHECKING:
    from pathlib import Path


def refusal(path: Path) -> str:
    """The reason for which a file is refused, by an error that names it."""
    with pytest.raises(FileFormatError) as caught:
        read_model(path)
    assert str(path) == caught.value.path
    return caught.value.reason


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for files that laws write over and over."""
    return tmp_path_factory.mktemp("gguf")


@pytest.mark.parametrize(
    ("architecture", "entries", "named", "config"),
    MODELS,
    ids=[f"{number}-{case[0]}" for number, case in enumerate(MODELS)],
)
def test_model_is_that_of_its_configuration(
    tmp_path: Path, architecture: str, entries: dict[str, Any], named: tuple[str, ...], config: dict[str, Any]
) -> None:
    """A file's metadata gives the same network as the Hub-style configuration of the same model."""
    expected = read_config(config)
    file = write(tmp_path / "a.gguf", described(architecture, entries), tensors_of(expected, *named))

    assert expected.decoder == read_model(file).decoder


def test_identity(tmp_path: Path) -> None:
    """The name is the file's, and the note tells its type and its bytes; a file without name is named after its kind."""
    identity = read_model(tiny(tmp_path / "a.gguf", 1, "F16", **{"general.name": " Tiny LLM "})).identity

    assert ("tiny llm", "Tiny LLM") == (identity.id, identity.name)
    assert (identity.note or "").startswith("GGUF file type F16; stored in 2 tensors of")
    assert "llama model" == read_model(tiny(tmp_path / "b.gguf")).identity.name


@pytest.mark.parametrize(
    ("file_type", "kind", "expected"),
    [(15, "F32", "gguf-q4_k_m"), (None, "F16", "gguf-f16"), (1024, "Q8_0", "ggml-q8_0")],
)
def test_format_is_the_recipe_or_the_main_type(
    tmp_path: Path, file_type: int | None, kind: str, expected: str
) -> None:
    """The weight format is the recipe that the file names; without one, the type that most of it has."""
    model = read_model(tiny(tmp_path / "a.gguf", file_type, kind))

    assert expected == model.native_format
    assert expected == hw.estimate_vram(model, engine="llama.cpp", context_tokens=64).precision


def test_folder_with_a_file(tmp_path: Path) -> None:
    """A folder with one GGUF file is that model."""
    assert read_model(tiny(tmp_path / "a.gguf")) == read_model(tmp_path)


def test_split_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The tensors of all files count, whichever is named; an absent or repeated part is refused."""
    expected = read_config({"model_type": "llama", **BASE})
    shapes = tensors_of(expected)
    first, second = (tmp_path / f"a-0000{number}-of-00002.gguf" for number in (1, 2))
    write(first, described("llama", LLAMA), {"rest": shapes.pop("rest")})
    assert "cannot be read" in refused_for(first, second)
    write(second, {}, shapes)

    assert (
        expected.decoder
        == read_model(first).decoder
        == read_model(second).decoder
        == read_model(tmp_path).decoder
    )
    write(second, {}, {**shapes, "rest": (1,)})
    assert "two tensors named 'rest'" in refusal(first)
    monkeypatch.setattr(_checkpoints, "_MOST_SHARDS", 1)
    assert "is one of 2 files" in refusal(first)


def refused_for(path: Path, culprit: Path) -> str:
    """The reason for which a model is refused because of another of its files."""
    with pytest.raises(FileFormatError) as caught:
        read_model(path)
    assert str(culprit) == caught.value.path
    return caught.value.reason


# --- models that are refused --------------------------------------------------------------------------


def test_unknown_architecture(tmp_path: Path) -> None:
    """An architecture that is not known is refused with all that are; so is a file that names none."""
    reason = refusal(write(tmp_path / "a.gguf", {"general.architecture": "clip"}, {}))

    assert reason.startswith("general.architecture is 'clip', which is not known; known are ")
    assert all(name in reason for name in known_architectures())
    assert "is 'None'" in refusal(write(tmp_path / "b.gguf", {}, {}))


@pytest.mark.parametrize(
    ("entries", "reason"),
    [
        ({"llama.attention.head_count_kv": [1, 2]}, "differs from layer to layer"),
        ({"llama.block_count": "two"}, "llama.block_count is 'two'; expected a number"),
        ({"llama.block_count": 2.5}, "llama.block_count is 2.5; expected a whole number"),
        ({"llama.block_count": 5000}, "describes no model: 5000 layers"),
        ({"llama.attention.head_count": 3}, "describes no model: "),
        ({"llama.embedding_length": -1}, "describes no model: "),
        ({"llama.embedding_length": 2**40}, "where its architecture has"),
        ({"llama.feed_forward_length": 12_800}, "where its architecture has"),
    ],
)
def test_metadata_of_no_model(tmp_path: Path, entries: dict[str, Any], reason: str) -> None:
    """Metadata of wrong types, out of range, or of another model than the tensors' is refused."""
    assert reason in refusal(tiny(tmp_path / "a.gguf", **entries))


def test_file_without_an_embedding(tmp_path: Path) -> None:
    """The vocabulary is the embedding's: a file without one, such as a tokenizer alone, is refused."""
    assert "token_embd.weight has shape ()" in refusal(
        write(tmp_path / "a.gguf", described("llama", LLAMA), {})
    )


numbers = st.integers(-(2**63), 2**63 - 1) | st.integers(0, 300) | st.booleans() | st.floats()


@given(
    architecture=st.sampled_from(known_architectures()),
    entries=st.dictionaries(
        st.sampled_from(
            sorted({*LLAMA, *EXPERTS, *DEEPSEEK, *STATES, "nextn_predict_layers", "ssm.time_step_rank"})
        ),
        numbers | st.text(max_size=3) | st.lists(st.integers(0, 9), max_size=3),
    ),
    embedding=st.lists(st.integers(1, 99), min_size=1, max_size=3).map(tuple),
)
def test_metadata_of_anything(
    folder: Path, architecture: str, entries: dict[str, Any], embedding: tuple[int, ...]
) -> None:
    """Any values under any known architecture make a model or a clear error."""
    file = write(folder / "any.gguf", described(architecture, entries), {"token_embd.weight": embedding})
    assert str(file) in told(read_model, file)


def test_command_line_runs_files_on_llama_cpp(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A GGUF file is estimated in its own type on llama.cpp, unless another engine is asked for."""
    file = str(tiny(tmp_path / "a.gguf", 15))
    for arguments, expected in (((), "llama.cpp"), (("--engine", "ollama"), "ollama")):
        assert main(["estimate", file, "--json", *arguments]) == 0
        estimate = json.loads(capsys.readouterr().out)
        assert ("gguf-q4_k_m", expected) == (estimate["precision"], estimate["engine"])
