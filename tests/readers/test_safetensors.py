"""Headers of safetensors are read exactly, and damaged or hostile ones end in an error that says why."""

from __future__ import annotations

import os
import tracemalloc
from math import prod
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, strategies as st

from genai_hwreq.errors import FileFormatError
from genai_hwreq.readers import StoredTensor, read_model, read_safetensors_header, safetensors
from weight_files import BYTES, told, write, write_config, write_tensors

if TYPE_CHECKING:
    from pathlib import Path


def refusal(path: Path) -> str:
    """The reason for which a file is refused, by an error that names it."""
    with pytest.raises(FileFormatError) as caught:
        read_safetensors_header(path)
    assert caught.value.path in {str(path), repr(str(path))}
    return caught.value.reason


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for files that laws write over and over."""
    return tmp_path_factory.mktemp("safetensors")


# --- what is read -------------------------------------------------------------------------------------


def test_worked_example(tmp_path: Path) -> None:
    """A 4x8 matrix in BF16 takes 64 bytes, a vector of 8 in it 16, a scalar 2."""
    file = write_tensors(tmp_path / "model.safetensors", {"matrix": (4, 8), "vector": (8,), "scalar": ()})

    assert (
        StoredTensor(name="matrix", dtype="BF16", shape=(4, 8), n_bytes=64),
        StoredTensor(name="vector", dtype="BF16", shape=(8,), n_bytes=16),
        StoredTensor(name="scalar", dtype="BF16", shape=(), n_bytes=2),
    ) == read_safetensors_header(file)


shapes = st.dictionaries(
    st.text(min_size=1, max_size=8).filter(lambda name: name != "__metadata__"),
    st.lists(st.integers(0, 9), max_size=4).map(tuple),
    max_size=6,
)


@given(shapes=shapes, dtype=st.sampled_from(sorted(BYTES)))
def test_headers_round_trip(folder: Path, shapes: dict[str, tuple[int, ...]], dtype: str) -> None:
    """What was written is read: every name, type, shape and size."""
    file = write_tensors(folder / "round.safetensors", shapes, dtype)

    read = {
        (tensor.name, tensor.dtype, tensor.shape, tensor.n_bytes) for tensor in read_safetensors_header(file)
    }
    assert {(name, dtype, shape, prod(shape) * BYTES[dtype]) for name, shape in shapes.items()} == read


def test_types_below_a_byte(tmp_path: Path) -> None:
    """Two elements of F4 share a byte; half a byte is refused."""
    entry = {"dtype": "F4", "shape": [6], "data_offsets": [0, 3]}
    assert 3 == read_safetensors_header(write(tmp_path / "even", {"a": entry}, 3))[0].n_bytes
    assert "expected 2.5 bytes" in refusal(write(tmp_path / "odd", {"a": {**entry, "shape": [5]}}, 3))


# --- damaged and hostile files ------------------------------------------------------------------------

ENTRY = {"dtype": "U8", "shape": [4], "data_offsets": [0, 4]}
HOSTILE: list[tuple[str, object, str]] = [
    ("overlap", {"a": ENTRY, "b": {**ENTRY, "data_offsets": [2, 6]}}, "'b' at byte 2 overlaps another"),
    ("gap", {"a": {**ENTRY, "data_offsets": [4, 8]}}, "leaves a gap"),
    (
        "cut",
        {"a": {**ENTRY, "shape": [9], "data_offsets": [0, 9]}},
        "describes 9 bytes of tensors and holds 8",
    ),
    ("short", {"a": ENTRY}, "describes 4 bytes of tensors and holds 8"),
    ("reversed", {"a": {**ENTRY, "data_offsets": [4, 0]}}, "expected 4 bytes"),
    ("one offset", {"a": {**ENTRY, "data_offsets": [4]}}, "expected 4 bytes"),
    ("type", {"a": {**ENTRY, "dtype": "U7"}}, "has type 'U7'; known are"),
    ("type of type", {"a": {**ENTRY, "dtype": [1]}}, "has type '\\[1\\]'"),
    ("negative", {"a": {**ENTRY, "shape": [-4]}}, "not a short list of whole numbers"),
    ("true", {"a": {**ENTRY, "shape": [True]}}, "not a short list of whole numbers"),
    ("huge", {"a": {**ENTRY, "shape": [2**59] * 16}}, "not a short list of whole numbers"),
    ("many dimensions", {"a": {**ENTRY, "shape": [1] * 17}}, "not a short list of whole numbers"),
    ("no list", {"a": {**ENTRY, "shape": 4}}, "not a short list of whole numbers"),
    ("extra", {"a": {**ENTRY, "more": 1}}, "not described by dtype, shape and data_offsets"),
    ("no entry", {"a": 1}, "not described by dtype"),
    ("repeated", b'{"a": 1, "b": 2, "a": 3}', "'a' stands twice"),
    ("no object", b"[]", "holds a list"),
    ("no JSON", b"\xff\xfe", "is not JSON"),
    ("nested", b"[" * 50_000, "is not JSON"),
    ("crowded", b"[" * 1_100_000, "more than 1048576 values"),
    ("long number", b'{"a": ' + b"9" * 5000 + b"}", "is not JSON"),
]


@pytest.mark.parametrize(
    ("header", "reason"), [case[1:] for case in HOSTILE], ids=[case[0] for case in HOSTILE]
)
def test_hostile_header(tmp_path: Path, header: object, reason: str) -> None:
    """A header that contradicts itself or its file is refused with its fault."""
    with pytest.raises(FileFormatError, match=reason):
        read_safetensors_header(write(tmp_path / "a.safetensors", header, 8))


@pytest.mark.parametrize("length", [2**63, 2**64 - 1, 10**9, 40])
def test_length_that_the_file_does_not_have(tmp_path: Path, length: int) -> None:
    """A header that claims more than the file holds is refused, and takes no memory for it."""
    file = write(tmp_path / "a.safetensors", {}, 8, length)
    tracemalloc.start()
    try:
        assert f"claims a header of {length} bytes" in refusal(file)
        assert 2**20 > tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_header_beyond_limits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A header larger, or of more tensors, than any real one is refused although the file is as large."""
    assert "expected at most 33554432" in refusal(write(tmp_path / "large", b"", 2**26, 2**26))
    monkeypatch.setattr(safetensors, "MOST_TENSORS", 1)
    assert "holds 2 tensors" in refusal(write_tensors(tmp_path / "many", {"a": (1,), "b": (1,)}))


def test_what_is_no_file(tmp_path: Path) -> None:
    """A folder, an absent or empty file, a pipe that nobody writes to and an impossible path end in an error."""
    assert "not a plain file" in refusal(tmp_path)
    assert "cannot be read" in refusal(tmp_path / "absent")
    assert "null character" in refusal(tmp_path / "a\0b")
    (tmp_path / "empty").touch()
    assert "claims a header of 0 bytes and has 0" in refusal(tmp_path / "empty")
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe")
        assert "not a plain file" in refusal(tmp_path / "pipe")


@given(data=st.binary(max_size=200))
def test_random_bytes(folder: Path, data: bytes) -> None:
    """Whatever the bytes, the file is read or refused."""
    file = folder / "random.safetensors"
    file.write_bytes(data)
    assert str(file) in told(read_safetensors_header, file)


@given(data=st.data())
def test_mutated_headers(folder: Path, data: st.DataObject) -> None:
    """A good file with some bytes changed, cut or added is read or refused, as a header and as a model."""
    write_config(folder)
    good = bytearray(write_tensors(folder / "good.safetensors", {"a": (3, 4), "b": (5,)}).read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        good[data.draw(st.integers(0, len(good) - 1))] = data.draw(st.integers(0, 255))
    file = folder / "mutated.safetensors"
    file.write_bytes(good[: data.draw(st.integers(0, len(good)))] + data.draw(st.binary(max_size=9)))
    for read in (read_safetensors_header, read_model):
        assert str(file) in told(read, file)


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)


@given(
    header=st.dictionaries(
        st.text(max_size=5),
        values | st.fixed_dictionaries({"dtype": values, "shape": values, "data_offsets": values}),
        max_size=4,
    )
)
def test_headers_of_anything(folder: Path, header: dict[str, Any]) -> None:
    """Any JSON as a header is read or refused."""
    file = write(folder / "any.safetensors", header, 16)
    assert str(file) in told(read_safetensors_header, file)
