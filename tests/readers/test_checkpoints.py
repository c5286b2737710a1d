"""Models from configurations and safetensors: one file, several with an index, a folder."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

import genai_hwreq as hw
from genai_hwreq.cli import main
from genai_hwreq.errors import ConfigurationError, FileFormatError, MissingFactError
from genai_hwreq.models import model_inventory
from genai_hwreq.readers import read_config, read_model, read_safetensors_header, safetensors
from weight_files import BYTES, TINY, tiny_shapes, write_config, write_tensors

if TYPE_CHECKING:
    from pathlib import Path


def refusal(path: Path) -> str:
    """The reason for which a file is refused, by an error that names it."""
    with pytest.raises(FileFormatError) as caught:
        read_safetensors_header(path)
    assert caught.value.path in {str(path), repr(str(path))}
    return caught.value.reason


# --- models -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("dtype", "native"), [("F32", "fp32"), ("F16", "fp16"), ("BF16", "bf16")])
def test_model_beside_its_configuration(tmp_path: Path, dtype: str, native: str) -> None:
    """The architecture is the configuration's, the format what is stored, and the note counts its bytes."""
    write_config(tmp_path)
    file = write_tensors(tmp_path / "model.safetensors", tiny_shapes(), dtype)
    model = read_model(file)

    assert read_config(TINY).decoder == model.decoder
    assert native == model.native_format
    assert f"({dtype} {model_inventory(model).n_params * BYTES[dtype]})" in (model.identity.note or "")
    assert model == read_model(tmp_path)


def test_model_of_codes_keeps_the_format_of_its_configuration(tmp_path: Path) -> None:
    """Quantised checkpoints store codes, not parameters: they are not counted against the architecture."""
    write_config(tmp_path, dtype="float16")
    model = read_model(write_tensors(tmp_path / "model.safetensors", {"packed": (10, 10)}, "I32"))

    assert "fp16" == model.native_format
    assert "stored in 1 tensors of 400 bytes (I32 400)" == model.identity.note


def test_weights_without_configuration(tmp_path: Path) -> None:
    """Weights alone do not tell the caches: the error says what to add, and what to pass for a rough estimate."""
    file = write_tensors(tmp_path / "model.safetensors", {"a": (4, 8), "b": (8,)})

    with pytest.raises(MissingFactError, match=r"config\.json beside the file.*pass the 40 elements"):
        read_model(file)


@pytest.mark.parametrize("shape", [(100, 100), (1000, 1000)])
def test_weights_of_another_model(tmp_path: Path, shape: tuple[int, ...]) -> None:
    """An adapter, or weights of a larger model, beside a configuration are refused."""
    write_config(tmp_path)

    with pytest.raises(FileFormatError, match="where its architecture has 210240 parameters"):
        read_model(write_tensors(tmp_path / "adapter.safetensors", {"a": shape}))


def test_configuration_alone(tmp_path: Path) -> None:
    """A folder with nothing but a configuration, and the configuration itself, are the same model."""
    write_config(tmp_path)

    assert read_config(TINY) == read_model(tmp_path) == hw.read_model(str(tmp_path / "config.json"))


def test_folder_of_several_models(tmp_path: Path) -> None:
    """Where two files may be the model, the error asks for the path of one."""
    for name in ("a", "b"):
        write_tensors(tmp_path / f"{name}.safetensors", {"a": (1,)})

    with pytest.raises(
        FileFormatError, match=r"several models: a\.safetensors, b\.safetensors; give the path"
    ):
        read_model(tmp_path)


def test_folder_prefers_the_usual_name(tmp_path: Path) -> None:
    """Beside `model.safetensors` other weights, such as an adapter, do not count."""
    write_config(tmp_path)
    write_tensors(tmp_path / "model.safetensors", tiny_shapes())
    write_tensors(tmp_path / "adapter_model.safetensors", {"a": (1,)})

    assert read_config(TINY).decoder == read_model(tmp_path).decoder


def test_configuration_that_cannot_be_read(tmp_path: Path) -> None:
    """A configuration that is absent, too large, no JSON, no object or of unknown type is refused by name."""
    file = tmp_path / "config.json"
    with pytest.raises(FileFormatError, match="cannot be read: No such file"):
        read_model(file)
    file.write_bytes(b" " * (16 * 2**20 + 1))
    with pytest.raises(FileFormatError, match="larger than 16777216 bytes"):
        read_model(file)
    for text, reason in (("{", "is not JSON"), ("[" * 100_000, "is not JSON"), ("[]", "holds a list")):
        file.write_text(text)
        with pytest.raises(FileFormatError, match=reason):
            read_model(file)
    file.write_text('{"model_type": "none of ours"}')
    with pytest.raises(ConfigurationError, match="is not known"):
        read_model(file)


# --- checkpoints of several files ---------------------------------------------------------------------


def write_shards(folder: Path, **changes: str) -> Path:
    """Write the tiny model's tensors into two files with an index, which may be wrong in places."""
    tensors = tiny_shapes()
    names = {name: f"model-0000{1 + number % 2}-of-00002.safetensors" for number, name in enumerate(tensors)}
    for file in set(names.values()):
        write_tensors(folder / file, {name: tensors[name] for name, place in names.items() if place == file})
    index = folder / "model.safetensors.index.json"
    index.write_text(json.dumps({"metadata": {}, "weight_map": {**names, **changes}}), encoding="utf-8")
    return index


def test_sharded_checkpoint(tmp_path: Path) -> None:
    """Folder, index and any one of the files are all the whole checkpoint."""
    write_config(tmp_path)
    index = write_shards(tmp_path)

    assert len(tiny_shapes()) == len(read_safetensors_header(index))
    assert (
        read_model(tmp_path) == read_model(index) == read_model(tmp_path / "model-00002-of-00002.safetensors")
    )


@pytest.mark.parametrize(
    "name", ["../model.safetensors", "a/b.safetensors", "a\\b.safetensors", "/etc/passwd", "C:a.safetensors"]
)
def test_index_stays_in_its_folder(tmp_path: Path, name: str) -> None:
    """An index that points anywhere but beside itself is refused before anything is opened."""
    assert "beside the index" in refusal(write_shards(tmp_path, strange=name))


def test_index_of_what_is_not_there(tmp_path: Path) -> None:
    """A tensor that its file does not hold, and a file that is absent, are refused."""
    assert "'more' is not in 'model-00001" in refusal(
        write_shards(tmp_path, more="model-00001-of-00002.safetensors")
    )
    with pytest.raises(FileFormatError, match="cannot be read"):
        read_safetensors_header(write_shards(tmp_path, more="absent.safetensors"))


def test_index_of_repeated_tensors(tmp_path: Path) -> None:
    """One tensor in two files is refused."""
    index = write_shards(tmp_path, more="third.safetensors")
    write_tensors(tmp_path / "third.safetensors", {"more": (1,), next(iter(tiny_shapes())): (1,)})

    assert "holds two tensors named" in refusal(index)


@pytest.mark.parametrize(
    "text", ["{}", '{"weight_map": {}}', '{"weight_map": []}', '{"weight_map": {"a": 1}}']
)
def test_index_without_a_map(tmp_path: Path, text: str) -> None:
    """An index must map names to files."""
    index = tmp_path / "model.safetensors.index.json"
    index.write_text(text)

    assert "expected" in refusal(index)


def test_index_beyond_limits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """More files, and more tensors in all, than any checkpoint has are refused."""
    index = write_shards(tmp_path)
    monkeypatch.setattr(safetensors, "_MOST_SHARDS", 1)
    assert "names 2 files" in refusal(index)
    monkeypatch.setattr(safetensors, "_MOST_SHARDS", 2)
    monkeypatch.setattr(safetensors, "_MOST_CHECKPOINT_TENSORS", 3)
    assert "more than 3 tensors" in refusal(index)


# --- on the command line ------------------------------------------------------------------------------


def test_command_line_reads_weights_and_folders(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """MODEL may be a weight file or a folder with a slash or dot in its name; any other word is a name."""
    folder = tmp_path / "llama-2-7b"
    folder.mkdir()
    write_config(folder)
    file = write_tensors(folder / "model.safetensors", tiny_shapes())
    monkeypatch.chdir(folder)
    told = {}
    for model in (str(file), str(folder), "."):
        assert main(["estimate", model, "--json"]) == 0
        told[model] = json.loads(capsys.readouterr().out)["model"]
    assert {"llama model"} == set(told.values())

    monkeypatch.chdir(tmp_path)
    assert main(["estimate", "llama-2-7b", "--json"]) == 0
    assert "llama-2-7b" == json.loads(capsys.readouterr().out)["model"]


def test_path_that_the_system_refuses(tmp_path: Path) -> None:
    """A path that is too long for the system ends in an error like any that cannot be read."""
    with pytest.raises(FileFormatError, match="cannot be read: File name too long"):
        read_model(tmp_path / ("a" * 5000))
