"""From TOML tables to checked records: every kind's class, and every fault of a file at once."""

from __future__ import annotations

from collections import Counter
from types import GenericAlias
from typing import Any

from genai_hwreq.catalog._catalog import names_of, record_id
from genai_hwreq.catalog._converter import structure
from genai_hwreq.catalog._entries import ModelEntry
from genai_hwreq.catalog._load import KINDS, parse_toml, toml_texts
from genai_hwreq.errors import CatalogDataError
from genai_hwreq.formats import Format
from genai_hwreq.hardware import Accelerator, Cpu, Machine, Tier

__all__ = ["CLASSES", "structure_tables", "uncompiled"]

CLASSES: dict[str, Any] = {
    "model": ModelEntry,
    "accelerator": Accelerator,
    "cpu": Cpu,
    "machine": Machine,
    "format": Format,
    "tier": Tier,
}
"""Kind of record → its class, or union of classes."""


def structure_tables(tables: dict[str, Any], path: str) -> dict[str, dict[str, Any]]:
    """Return the records of a parsed file by kind and id.

    Raises:
        CatalogDataError: when a table is of no known kind, breaks its schema, lacks a source or repeats an id.
    """
    found: dict[str, dict[str, Any]] = {}
    problems: list[str] = []
    for kind, rows in tables.items():
        if kind not in CLASSES:
            problems.append(f"unknown table {kind!r}; known are {', '.join(CLASSES)}")
            continue
        try:
            records = structure(rows, GenericAlias(tuple, (CLASSES[kind], ...)), path)
        except CatalogDataError as error:
            problems += [problem.replace(" @ $", f" @ $.{kind}") for problem in error.problems]
            continue
        problems += [f"{record_id(record)}: no source is given" for record in records if not _sources(record)]
        n_by_id = Counter(record_id(record) for record in records)
        problems += [f"id {key!r} occurs {n} times" for key, n in n_by_id.items() if n > 1]
        found[kind] = {record_id(record): record for record in records}
    if problems:
        raise CatalogDataError(path, problems)
    return found


def _sources(record: Any) -> tuple[Any, ...]:  # noqa: ANN401  (any record of the catalog)
    sources: tuple[Any, ...] = getattr(record, "identity", record).sources
    return sources


def uncompiled(kind: str) -> dict[str, Any]:
    """Read and check every TOML file of a kind; names must not clash.

    Raises:
        CatalogDataError: at the first file with faults, or when two records claim one name.
    """
    records: dict[str, Any] = {}
    for path, text in toml_texts(kind):
        for key, record in structure_tables(parse_toml(text), path)[kind].items():
            if key in records:
                raise CatalogDataError(path, [f"id {key!r} is taken"])
            records[key] = record
    claimed: dict[str, str] = {}
    for key, record in records.items():
        for name in names_of(record):
            other = claimed.setdefault(name, key)
            if other != key:
                raise CatalogDataError(KINDS[kind], [f"{key!r} and {other!r} both claim the name {name!r}"])
    return records
