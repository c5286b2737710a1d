"""The compiled catalog: equal to the TOML it was made from, record by record and name by name."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from genai_hwreq.catalog import Catalog, _schema
from genai_hwreq.catalog._catalog import names_of
from genai_hwreq.catalog._compiled import decode, encode
from genai_hwreq.catalog._load import KINDS, compiled_index, compiled_line, data_text, toml_texts
from genai_hwreq.catalog._schema import uncompiled
from genai_hwreq.errors import CatalogDataError


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_equal_to_the_toml(kind: str) -> None:
    """Every record of the TOML files is in the compiled form, as it is, under every name it bears."""
    records = uncompiled(kind)
    index = compiled_index(kind)
    assert tuple(sorted(records)) == Catalog.default().ids(kind)
    assert {name for record in records.values() for name in names_of(record)} == index.keys()
    lines = {entry[0]: entry[1] for entry in index.values()}
    for key, record in records.items():
        assert record == decode(compiled_line(kind, lines[key])), key
        assert encode(record) == compiled_line(kind, lines[key]), key


@pytest.mark.parametrize("value", [None, 3, 2.5, "x", (1, (2,)), date(2026, 1, 2), {"a": [1, {"b": 2}]}])
def test_plain_values(value: Any) -> None:
    """Scalars, tuples, dates and configurations come back as they were."""
    assert value == decode(encode(value))


def test_unknown_record() -> None:
    """A compiled record that this version does not have is refused by name."""
    with pytest.raises(LookupError, match="names a record 'Quantum'"):
        decode({"_": "Quantum"})


TIER = """
[[tier]]
id = "{id}"
name = "{name}"
n_cpu_cores = 4
ram_bytes = "16 GiB"
vram_bytes = "8 GiB"
storage_kind = "nvme"
storage_bytes = "1 TB"
sources = [{{title = "x", as_of = 2026-01-02}}]
"""


@pytest.mark.parametrize(
    ("first", "second", "fault"),
    [
        (("a", "A"), ("a", "B"), "b.toml: id 'a' is taken"),
        (("a", "Same"), ("b", "Same"), "tiers.toml: 'b' and 'a' both claim the name 'same'"),
    ],
)
def test_names_clash(
    monkeypatch: pytest.MonkeyPatch, first: tuple[str, str], second: tuple[str, str], fault: str
) -> None:
    """Two records with one id, or one name, do not load."""
    texts = [
        (path, TIER.format(id=key, name=name))
        for path, (key, name) in (("a.toml", first), ("b.toml", second))
    ]
    monkeypatch.setattr(_schema, "toml_texts", lambda _: iter(texts))
    with pytest.raises(CatalogDataError) as caught:
        uncompiled("tier")
    assert fault == str(caught.value)


def test_data_files() -> None:
    """TOML files come in a fixed order, and a file of data by its name."""
    paths = [path for path, _ in toml_texts("format")]
    assert sorted(paths) == paths
    assert data_text("tiers.toml").startswith(next(toml_texts("tier"))[1][:20])
