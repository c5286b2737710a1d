"""The only reader of the package's data files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["KINDS", "compiled_index", "compiled_line", "data_text", "parse_toml", "toml_texts"]

KINDS: dict[str, str] = {
    "model": "models",
    "accelerator": "accelerators",
    "cpu": "cpus",
    "machine": "machines",
    "format": "formats",
    "tier": "tiers.toml",
}
"""Kind of record → its folder (or file) below `data/`; the kind is also the name of its TOML tables."""


def toml_texts(kind: str) -> Iterator[tuple[str, str]]:
    """Yield the path and text of every TOML file of a kind, in a fixed order."""
    yield from _walk(_data().joinpath(KINDS[kind]), KINDS[kind])


def _walk(place: Any, path: str) -> Iterator[tuple[str, str]]:  # noqa: ANN401  (a Traversable of the backport)
    if place.is_file():
        if path.endswith(".toml"):
            yield path, place.read_text(encoding="utf-8")
        return
    for child in sorted(place.iterdir(), key=lambda item: str(item.name)):
        yield from _walk(child, f"{path}/{child.name}")


def parse_toml(text: str) -> dict[str, Any]:
    """Parse TOML."""
    import tomllib  # noqa: PLC0415  (only the uncompiled catalog needs it)

    return tomllib.loads(text)


def compiled_index(kind: str) -> dict[str, list[Any]]:
    """Return, for a kind, every folded name with its id and line number."""
    import json  # noqa: PLC0415  (the catalog is read when it is first asked for)

    text = _data().joinpath("compiled").joinpath(f"{kind}-names.json").read_text(encoding="utf-8")
    index: dict[str, list[Any]] = json.loads(text)
    return index


def compiled_line(kind: str, number: int) -> Any:  # noqa: ANN401  (JSON)
    """Return one compiled record as JSON data."""
    import json  # noqa: PLC0415

    text = _data().joinpath("compiled").joinpath(f"{kind}.jsonl").read_text(encoding="utf-8")
    return json.loads(text.split("\n")[number])


def data_text(name: str) -> str:
    """Return the text of one file of data."""
    text: str = _data().joinpath(name).read_text(encoding="utf-8")
    return text


def _data() -> Any:  # noqa: ANN401  (a Traversable of the backport)
    from importlib_resources import files  # noqa: PLC0415  (costs more than the rest of the library)

    return files("genai_hwreq.catalog").joinpath("data")
