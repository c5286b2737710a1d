"""Whether a machine meets a class of machines."""

from __future__ import annotations

from datetime import date
from typing import Any

import attrs
import pytest
from hypothesis import given

from genai_hwreq.hardware import InstalledAccelerator, Machine, Storage, Tier
from genai_hwreq.planning.check import check
from genai_hwreq.provenance import Source
from genai_hwreq.units import GB, GIB, MIB
from strategies import machines

SOURCE = Source(title="An inventory", as_of=date(2026, 11, 22))
TIER = Tier(
    id="minimum",
    name="Minimum",
    n_cpu_cores=8,
    ram_bytes=16 * GIB,
    vram_bytes=6 * GIB,
    storage_kind="sata-ssd",
    storage_bytes=500 * GB,
    sources=(SOURCE,),
)


def machine(**facts: Any) -> Machine:
    """Make a machine that just meets the class, with some facts replaced."""
    just: dict[str, Any] = {
        "id": "box",
        "name": "Box",
        "accelerators": (InstalledAccelerator(accelerator_id="card", memory_bytes=6 * GIB),),
        "n_cpu_cores": 8,
        "ram_bytes": 16 * GIB,
        "storage": Storage(kind="sata-ssd", capacity_bytes=500 * GB),
        "sources": (SOURCE,),
    }
    return Machine(**{**just, **facts})


def test_bounds_themselves_meet() -> None:
    """A machine with exactly the bounds meets the class."""
    result = check(machine(), TIER)
    assert result.meets
    assert str(result) == "Box meets Minimum"


@pytest.mark.parametrize(
    ("facts", "message"),
    [
        ({"n_cpu_cores": 6}, "CPU cores: 6, wanted 8 or more"),
        (
            {"n_cpu_cores": None, "n_vcpus": 8},
            "CPU cores: 4 (taken as half of 8 virtual CPUs), wanted 8 or more",
        ),
        ({"ram_bytes": 8 * GIB}, "RAM: 8.00 GiB, wanted 16.00 GiB or more"),
        ({"accelerators": ()}, "VRAM: 0 B, wanted 6.00 GiB or more"),
        (
            {"storage": Storage(kind="hdd", capacity_bytes=500 * GB)},
            "storage kind: hdd, wanted sata-ssd or faster",
        ),
        (
            {"storage": Storage(kind="nvme", capacity_bytes=250 * GB)},
            "storage size: 232.83 GiB, wanted 465.66 GiB or more",
        ),
    ],
)
def test_what_is_short_is_named(facts: dict[str, Any], message: str) -> None:
    """The one thing that is short is listed with what is there and what is wanted."""
    result = check(machine(**facts), TIER)
    assert [message] == [lack.message for lack in result.shortfalls]
    assert (result.meets, result.verdict) == (False, "falls short of")


def test_everything_short_is_listed() -> None:
    """Every shortfall is named, not only the first."""
    poor = machine(
        n_cpu_cores=2,
        ram_bytes=4 * GIB,
        accelerators=(),
        storage=Storage(kind="hdd", capacity_bytes=100 * GB),
    )
    subjects = [lack.subject for lack in check(poor, TIER).shortfalls]
    assert subjects == ["CPU cores", "RAM", "VRAM", "storage kind", "storage size"]


def test_unknown_is_not_short() -> None:
    """What is not known is said to be so, and the machine may meet the class."""
    result = check(machine(n_cpu_cores=None, ram_bytes=None, storage=None), TIER)
    assert result.shortfalls == ()
    assert not result.meets
    assert str(result) == (
        "Box may meet Minimum\n"
        "  CPU cores: not known, wanted 8 or more\n"
        "  RAM: not known, wanted 16.00 GiB or more\n"
        "  storage kind: not known, wanted sata-ssd or faster\n"
        "  storage size: not known, wanted 465.66 GiB or more"
    )


def test_report_counts_as_its_nominal_size() -> None:
    """A driver's or system's report somewhat below a nominal size counts as that size."""
    reported = InstalledAccelerator(accelerator_id="card", memory_bytes=5730 * MIB)
    assert check(machine(accelerators=(reported,), ram_bytes=15_900 * MIB), TIER).meets


def test_two_small_devices_are_not_one_large() -> None:
    """VRAM is that of a single device."""
    pair = InstalledAccelerator(accelerator_id="card", memory_bytes=4 * GIB, n_devices=2)
    assert [lack.subject for lack in check(machine(accelerators=(pair,)), TIER).shortfalls] == ["VRAM"]


@pytest.mark.property
@given(machines())
def test_lower_bounds_never_add_shortfalls(box: Machine) -> None:
    """A class that asks for less finds no more lacking."""
    modest = attrs.evolve(TIER, n_cpu_cores=1, ram_bytes=1, vram_bytes=1, storage_kind="hdd", storage_bytes=1)
    subjects = {lack.subject for lack in check(box, TIER).shortfalls}
    assert {lack.subject for lack in check(box, modest).shortfalls} <= subjects
