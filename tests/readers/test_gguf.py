"""GGUF headers are read exactly, and damaged or hostile ones end in an error that says why."""

from __future__ import annotations

import struct
import tracemalloc
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, strategies as st

from genai_hwreq import readers
from genai_hwreq.catalog import get_format
from genai_hwreq.errors import FileFormatError
from genai_hwreq.formulas.ggml_types import BLOCKS
from genai_hwreq.readers import GgufHeader, LongList, StoredTensor, gguf, read_gguf_header, read_model
from genai_hwreq.readers._ggml_types import FILE_TYPES, TENSOR_TYPES
from gguf_files import Shapes, entry, stored, text, tiny, typed, write, write_parts
from weight_files import told

if TYPE_CHECKING:
    from pathlib import Path

NUMBERS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}


def refusal(path: Path) -> str:
    """The reason for which a file is refused, by an error that names it."""
    with pytest.raises(FileFormatError) as caught:
        read_gguf_header(path)
    assert str(path) == caught.value.path
    return caught.value.reason


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for files that laws write over and over."""
    return tmp_path_factory.mktemp("gguf")


# --- headers ------------------------------------------------------------------------------------------


def test_worked_example(tmp_path: Path) -> None:
    """256 x 512 elements in Q4_K are 512 blocks of 144 bytes; sizes are told outermost first."""
    file = write(tmp_path / "a.gguf", {"general.name": "Tiny", "a.list": [1, 2]}, {"w": (256, 512)}, "Q4_K")

    tensor = StoredTensor(name="w", dtype="Q4_K", shape=(256, 512), n_bytes=512 * 144)
    expected = GgufHeader(metadata={"general.name": "Tiny", "a.list": (1, 2)}, tensors=(tensor,))
    assert expected == read_gguf_header(file)


def test_long_lists_are_counted_only(tmp_path: Path) -> None:
    """Of a tokenizer's strings, and of more numbers than a model has layers, the length is kept."""
    metadata = {"tokens": ["a", "bc"], "scores": list(range(4097)), "last": 7}

    expected = {"tokens": LongList(n_items=2), "scores": LongList(n_items=4097), "last": 7}
    assert expected == read_gguf_header(write(tmp_path / "a.gguf", metadata, {})).metadata


@pytest.mark.parametrize(("kind", "code"), NUMBERS.items())
def test_every_type_of_number(tmp_path: Path, kind: int, code: str) -> None:
    """Each type of number is read alone and in a list."""
    one = text("one") + struct.pack(f"<I{code}", kind, 1)
    both = text("both") + struct.pack(f"<IIQ2{code}", 9, kind, 2, 1, 0)

    header = read_gguf_header(write_parts(tmp_path / "a.gguf", [one, both], [], 0))
    assert {"one": 1, "both": (1, 0)} == header.metadata


metadata = st.dictionaries(
    st.text(max_size=9),
    st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | st.text(max_size=20),
    max_size=6,
).filter(lambda entries: "general.alignment" not in entries)
shapes = st.dictionaries(
    st.text(max_size=9), st.lists(st.integers(1, 9), min_size=1, max_size=4).map(tuple), max_size=5
)


@given(entries=metadata, tensors=shapes, kind=st.sampled_from(["F32", "F16", "BF16", "I8", "F64"]))
def test_headers_round_trip(folder: Path, entries: dict[str, Any], tensors: Shapes, kind: str) -> None:
    """What was written is read: every key, value, name, type, shape and size."""
    header = read_gguf_header(write(folder / "round.gguf", entries, tensors, kind))

    assert entries == header.metadata
    assert [(name, kind, shape, stored(shape, kind)) for name, shape in tensors.items()] == [
        (tensor.name, tensor.dtype, tensor.shape, tensor.n_bytes) for tensor in header.tensors
    ]


def test_tensor_types_are_those_of_the_formulas() -> None:
    """Blocks have the same elements and bytes here and where files are predicted."""
    both = {name: (elements, size) for name, elements, size in TENSOR_TYPES.values() if name in BLOCKS}

    assert both == {name: BLOCKS[name] for name in both}
    assert 28 <= len(both)


@pytest.mark.parametrize("recipe", FILE_TYPES.values())
def test_file_types_are_recipes_of_the_catalog(recipe: str) -> None:
    """Every file type is a weight format that can be estimated with."""
    assert recipe == getattr(get_format(f"gguf-{recipe.lower()}"), "recipe", None)


# --- damaged and hostile files ------------------------------------------------------------------------

START = b"GGUF" + struct.pack("<I", 3)
HOSTILE: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "claims 4 bytes for the magic number"),
    "magic": (b"GGML" + bytes(40), "does not begin with 'GGUF'"),
    "version": (b"GGUF" + struct.pack("<I", 1) + bytes(40), "is of version 1; expected 2 or 3"),
    "big-endian": (b"GGUF" + struct.pack(">I", 3) + bytes(40), "little-endian"),
    "cut": (START + bytes(4), "claims 8 bytes for the number of tensors, up to byte 16, and has 12 bytes"),
    "tensors": (START + struct.pack("<QQ", 2**63, 0), "the number of tensors is 9223372036854775808"),
    "entries": (START + struct.pack("<QQ", 0, 2**40), "the number of metadata entries is"),
    "key": (START + struct.pack("<QQQ", 0, 1, 2**16), "the length of a metadata key is 65536"),
    "cut key": (START + struct.pack("<QQQ", 0, 1, 60_000), "claims 60000 bytes for a metadata key"),
    "string": (
        START + struct.pack("<QQ", 0, 1) + text("a") + struct.pack("<IQ", 8, 2**63),
        "the length of the value of 'a' is 9223372036854775808",
    ),
    "list": (
        START + struct.pack("<QQ", 0, 1) + text("a") + struct.pack("<IIQ", 9, 4, 2**62),
        "the length of the value of 'a' is",
    ),
    "long list": (
        START + struct.pack("<QQ", 0, 1) + text("a") + struct.pack("<IIQ", 9, 12, 2**21),
        "claims 16777216 bytes for the value of 'a'",
    ),
    "list of lists": (
        START + struct.pack("<QQ", 0, 1) + text("a") + struct.pack("<IIQ", 9, 9, 1),
        "is a list of type 9; expected numbers or strings",
    ),
    "type": (START + struct.pack("<QQ", 0, 1) + text("a") + struct.pack("<I", 13), "is of type 13"),
    "repeated": (START + struct.pack("<QQ", 0, 2) + (text("a") + typed(1)) * 2, "two metadata entries named 'a'"),
}  # fmt: skip


@pytest.mark.parametrize(("data", "reason"), HOSTILE.values(), ids=HOSTILE)
def test_hostile_header(tmp_path: Path, data: bytes, reason: str) -> None:
    """A header that claims what the file does not hold is refused with its fault, and takes no memory for it."""
    file = tmp_path / "a.gguf"
    file.write_bytes(data)
    tracemalloc.start()
    try:
        assert reason in refusal(file)
        assert 2**21 > tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


TENSORS: list[tuple[list[bytes], str]] = [
    ([entry("a", (4,), 0, 0), entry("b", (4,), 0, 0)], "'b' at byte 0 of the weights overlaps another"),
    ([entry("a", (4,), 0, 8)], "is not at a multiple of 32"),
    ([entry("a", (4,), 0, 64)], "expected a file that was not cut"),
    ([entry("a", (4,), 0, 2**63)], "expected a file that was not cut"),
    ([entry("a", (2**59, 2**59), 0, 0)], "expected a file that was not cut"),
    ([entry("a", (2**60,), 0, 0)], "expected one to four sizes above zero"),
    ([entry("a", (0,), 0, 0)], "expected one to four sizes above zero"),
    ([entry("a", (), 0, 0)], "expected one to four sizes above zero"),
    ([entry("a", (1,) * 5, 0, 0)], "the number of dimensions of tensor 'a' is 5"),
    ([entry("a", (4,), 99, 0)], "is of type 99, which is not known"),
    ([entry("a", (40,), 2, 0)], "has rows of 40; expected a multiple of 32 for Q4_0"),
    ([entry("a", (4,), 0, 0), entry("a", (4,), 0, 32)], "two tensors named 'a'"),
]


@pytest.mark.parametrize(("tensors", "reason"), TENSORS)
def test_hostile_tensors(tmp_path: Path, tensors: list[bytes], reason: str) -> None:
    """Tensors of no type or size, out of the file, over each other or of one name are refused."""
    assert reason in refusal(write_parts(tmp_path / "a.gguf", [], tensors, 64))


@pytest.mark.parametrize("alignment", [0, 24, 2**17, "wide"])
def test_alignment(tmp_path: Path, alignment: int | str) -> None:
    """An alignment is a power of two."""
    assert "expected a power of two" in refusal(
        write(tmp_path / "a.gguf", {"general.alignment": alignment}, {})
    )


def test_other_alignment(tmp_path: Path) -> None:
    """A file may align its tensors otherwise."""
    entries = [text("general.alignment") + typed(8)]
    tensors = [entry("a", (2,), 0, 0), entry("b", (2,), 0, 8)]

    assert 2 == len(read_gguf_header(write_parts(tmp_path / "a.gguf", entries, tensors, 16)).tensors)


def test_lists_beyond_limits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All lists together may not have more items than any tokenizer, nor a header more bytes."""
    file = write(tmp_path / "a.gguf", {"a": ["x"] * 30, "b": ["y"] * 30}, {})
    monkeypatch.setattr(gguf, "_MOST_ITEMS", 50)
    assert "has lists of 60 items; expected at most 50" in refusal(file)
    monkeypatch.setattr(gguf, "_MOST_HEADER_BYTES", 100)
    assert "has its limit for headers there" in refusal(file)


def test_file_that_shrinks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that is cut while it is read is refused."""
    file = tiny(tmp_path / "a.gguf")
    whole = gguf._Cursor.__init__

    def cut(self: gguf._Cursor, path: Path, stream: Any, size: int) -> None:
        whole(self, path, stream, size)
        with file.open("r+b") as other:
            other.truncate(6)

    monkeypatch.setattr(gguf._Cursor, "__init__", cut)
    assert "ended early" in refusal(file)


@given(data=st.binary(max_size=300), begins=st.booleans())
def test_random_bytes(folder: Path, data: bytes, begins: bool) -> None:
    """Whatever the bytes, the file is read or refused."""
    file = folder / "random.gguf"
    file.write_bytes(START + data if begins else data)
    for read in (read_gguf_header, read_model):
        assert str(file) in told(read, file)


@given(data=st.data())
def test_mutated_files(folder: Path, data: st.DataObject) -> None:
    """A good file with some bytes changed or cut is read or refused."""
    good = bytearray(tiny(folder / "good.gguf").read_bytes())
    header = 700  # the rest are weights
    for _ in range(data.draw(st.integers(1, 4))):
        good[data.draw(st.integers(0, header))] = data.draw(st.integers(0, 255))
    file = folder / "mutated.gguf"
    file.write_bytes(good[: data.draw(st.sampled_from([len(good), header, 300]))])
    assert str(file) in told(read_model, file)


def test_unknown_attribute() -> None:
    """The module has what it names and nothing else."""
    assert all(getattr(readers, name) for name in readers.__all__)
    with pytest.raises(AttributeError, match="no attribute 'read_weights'"):
        _ = readers.read_weights
