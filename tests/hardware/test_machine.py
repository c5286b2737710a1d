"""Machines: what they count and where their cores come from."""

from __future__ import annotations

import pickle
from datetime import date
from typing import Any

import attrs
import pytest
from hypothesis import given

from genai_hwreq.errors import QuantityError
from genai_hwreq.hardware import Accelerator, Cpu, InstalledAccelerator, Machine
from genai_hwreq.provenance import Source
from genai_hwreq.units import GIB
from strategies import accelerators, cpus, machines

SOURCE = Source(title="An inventory", as_of=date(2026, 11, 22))


def machine(**facts: Any) -> Machine:
    """Make a machine of which nothing is known but the facts given."""
    return Machine(**{"id": "box", "name": "Box", "sources": (SOURCE,), **facts})


class TestMemory:
    """What a machine counts."""

    def test_largest_single_device_and_total(self) -> None:
        """VRAM is that of the largest device; the total counts every device."""
        box = machine(
            accelerators=(
                InstalledAccelerator(accelerator_id="small", memory_bytes=8 * GIB),
                InstalledAccelerator(accelerator_id="large", memory_bytes=24 * GIB, n_devices=2),
            )
        )
        assert box.vram_bytes == 24 * GIB
        assert box.total_vram_bytes == 56 * GIB
        assert box.n_devices == 3

    def test_no_accelerator_is_no_vram(self) -> None:
        """A machine without accelerators has none of their memory."""
        assert (machine().vram_bytes, machine().total_vram_bytes, machine().n_devices) == (0, 0, 0)

    @pytest.mark.property
    @given(accelerators())
    def test_installed_card_keeps_nominal_memory(self, device: Accelerator) -> None:
        """A card brings its nominal memory, a unified chip what its GPU may use."""
        wanted = device.usable_memory_bytes if device.unified else device.memory_bytes
        assert wanted == InstalledAccelerator.of(device, 2).memory_bytes


class TestCores:
    """Where its cores come from."""

    @pytest.mark.property
    @given(cpus())
    def test_stated_cores_win_over_processor(self, cpu: Cpu) -> None:
        """Cores are those stated, else those of the processor."""
        assert cpu.n_cores == machine(cpu=cpu, n_vcpus=2).n_cores
        assert machine(cpu=cpu, n_cpu_cores=7).n_cores == 7

    def test_virtual_cpus_count_half(self) -> None:
        """Virtual CPUs are hardware threads, two a core."""
        assert machine(n_vcpus=16).n_cores == 8
        assert machine(n_vcpus=1).n_cores == 1

    def test_unknown_stays_unknown(self) -> None:
        """Cores that nobody stated are not known."""
        assert machine().n_cores is None

    def test_zero_ram_is_refused(self) -> None:
        """No machine has no memory."""
        with pytest.raises(QuantityError, match=r"Machine.ram_bytes is 0"):
            machine(ram_bytes=0)


@pytest.mark.property
@given(machines())
def test_machine_survives_pickle_and_evolve(box: Machine) -> None:
    """A pickled machine comes back equal, with an equal hash; so does an unchanged one."""
    again = pickle.loads(pickle.dumps(box))  # noqa: S301  (our own bytes)
    assert box == again == attrs.evolve(box)
    assert hash(box) == hash(again)
