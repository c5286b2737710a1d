"""The hardware in the catalog: every entry reads, and agrees with the others."""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import attrs
import pytest

import genai_hwreq.hardware
from genai_hwreq.catalog._converter import structure
from genai_hwreq.hardware import Accelerator, Cpu, Machine, Tier

DATA = Path(genai_hwreq.hardware.__file__).parents[1] / "catalog" / "data"
KINDS: dict[str, tuple[str, type]] = {
    "accelerators": ("accelerator", Accelerator),
    "cpus": ("cpu", Cpu),
    "machines": ("machine", Machine),
    "tiers": ("tier", Tier),
}


@cache
def records(kind: str) -> dict[str, tuple[Any, ...]]:
    """Read every file of a kind."""
    key, cls = KINDS[kind]
    paths = [DATA / f"{kind}.toml"] if kind == "tiers" else sorted((DATA / kind).rglob("*.toml"))
    return {
        path.name: structure(tomllib.loads(path.read_text("utf-8"))[key], tuple[cls, ...], str(path))  # type: ignore[valid-type]
        for path in paths
    }


def entries(kind: str) -> list[Any]:
    """List every entry of a kind."""
    return [record for of_file in records(kind).values() for record in of_file]


@pytest.mark.parametrize("kind", KINDS)
class TestEveryKind:
    """What holds for every kind of entry."""

    def test_entries_are_sorted(self, kind: str) -> None:
        """A file lists its entries by id."""
        for of_file in records(kind).values():
            ids = [record.id for record in of_file]
            assert sorted(ids) == ids

    def test_names_mean_one_entry(self, kind: str) -> None:
        """No id or alias, case and punctuation aside, belongs to two entries."""
        owners = Counter(
            folded
            for record in entries(kind)
            for folded in {re.sub(r"[^a-z0-9]", "", name.lower()) for name in (record.id, *record.aliases)}
        )
        assert [name for name, n_owners in owners.items() if n_owners > 1] == []

    def test_weak_facts_say_why(self, kind: str) -> None:
        """An entry of low confidence has a note at its sources."""
        weak = [record for record in entries(kind) if getattr(record, "confidence", "high") == "low"]
        assert [record.id for record in weak if not any(source.note for source in record.sources)] == []


def test_reports_are_near_nominal_memory() -> None:
    """A driver reports between 93 % and all of the nominal memory."""
    for device in entries("accelerators"):
        if device.reported_memory_bytes is not None:
            assert 0.93 <= device.reported_memory_bytes / device.memory_bytes <= 1, device.id


def test_assumed_memory_errs_on_the_small_side() -> None:
    """Where a driver's report is known, the assumption made without it would not have been larger."""
    for device in entries("accelerators"):
        if device.reported_memory_bytes is not None and device.vendor == "nvidia" and "300" not in device.id:
            assumed = attrs.evolve(device, reported_memory_bytes=None)
            assert assumed.usable_memory_bytes <= device.reported_memory_bytes, device.id


def test_unified_chips_state_their_options() -> None:
    """A chip with options is sold with its nominal memory at most, under the same limit."""
    for device in entries("accelerators"):
        if device.memory_options:
            assert device.memory_bytes == max(option.memory_bytes for option in device.memory_options)
            assert device == device.with_memory(device.memory_bytes)


def test_instances_hold_known_accelerators() -> None:
    """An instance's devices are in the catalog, and no larger than there (bar rounding by the provider)."""
    known = {device.id: device for device in entries("accelerators")}
    for machine in entries("machines"):
        for installed in machine.accelerators:
            device = known[installed.accelerator_id]
            assert installed.memory_bytes <= device.memory_bytes * 1.04, machine.id


def test_tiers_name_known_examples_that_meet_them() -> None:
    """The examples of a class are in the catalog and meet its bounds."""
    cpus = {cpu.id: cpu for cpu in entries("cpus")}
    devices = {device.id: device for device in entries("accelerators")}
    for tier in entries("tiers"):
        assert all(cpus[name].n_cores >= tier.n_cpu_cores for name in tier.example_cpus)
        assert all(devices[name].memory_bytes >= tier.vram_bytes for name in tier.example_accelerators)
