"""What every weight file has in common: tensors that are stored in it, and checks that none of them escapes.

Files come from anywhere. Whatever one claims is held against its real size and fixed limits before it is used.
"""

from __future__ import annotations

from contextlib import contextmanager
from stat import S_ISREG
from typing import TYPE_CHECKING, BinaryIO

from attrs import frozen

from genai_hwreq.errors import FileFormatError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["MOST_TENSORS", "StoredTensor", "opened", "read_whole", "refuse_repeated", "shown"]

MOST_TENSORS = 2**16
"""Tensors of one file; the largest published ones have some ten thousand."""


@frozen(kw_only=True)
class StoredTensor:
    """One tensor as a weight file stores it."""

    name: str
    """Its name in the file."""

    dtype: str
    """Type of its elements, spelled as the file's format does: `BF16`, `F8_E4M3`, `Q4_K`."""

    shape: tuple[int, ...]
    """Sizes, outermost first."""

    n_bytes: int
    """Bytes it takes in the file, without padding."""


@contextmanager
def opened(path: Path) -> Iterator[tuple[BinaryIO, int]]:
    """Open a plain file and tell its size.

    Raises:
        FileFormatError: when it cannot be read, or is a pipe, a device or a folder, which might never end.
    """
    if "\0" in str(path):
        raise FileFormatError(repr(str(path)), "is no path: it holds a null character")
    try:
        if not S_ISREG(path.stat().st_mode):
            raise FileFormatError(str(path), "is not a plain file; expected a file with weights or a configuration")
        with path.open("rb") as stream:
            yield stream, stream.seek(0, 2)
    except OSError as error:
        raise FileFormatError(str(path), f"cannot be read: {error.strerror}") from error


def read_whole(path: Path, most_bytes: int, expected: str) -> bytes:
    """Return a small file's bytes; one that is larger than its kind ever is, is refused."""
    with opened(path) as (stream, size):
        if size > most_bytes:
            raise FileFormatError(str(path), f"larger than {most_bytes} bytes; expected {expected}")
        stream.seek(0)
        return stream.read(most_bytes)


def refuse_repeated(path: Path, tensors: list[StoredTensor]) -> None:
    """Refuse a file in which two tensors have one name."""
    seen: set[str] = set()
    for tensor in tensors:
        if tensor.name in seen:
            raise FileFormatError(str(path), f"holds two tensors named {shown(tensor.name)}; expected each name once")
        seen.add(tensor.name)


def shown(name: str) -> str:
    """Return a name from a file as an error repeats it: in quotes, and no more of it than can be read."""
    return repr(name[:_SHOWN_CHARACTERS])


_SHOWN_CHARACTERS = 80
