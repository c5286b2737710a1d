"""Accelerators, processors and drives as records."""

from __future__ import annotations

import pickle
from datetime import date
from typing import Any

import attrs
import pytest
from hypothesis import given

from genai_hwreq.errors import QuantityError
from genai_hwreq.hardware import Accelerator, Cpu, MemoryOption, Storage
from genai_hwreq.provenance import Source
from genai_hwreq.units import GIB, MIB, TB
from strategies import accelerators, cpus

SOURCE = Source(title="A data sheet", as_of=date(2026, 11, 22))


def card(**facts: Any) -> Accelerator:
    """Make a plain 24 GiB card, with some facts replaced."""
    plain: dict[str, Any] = {
        "id": "maker-card",
        "name": "Maker Card",
        "vendor": "nvidia",
        "segment": "desktop",
        "architecture": "Any",
        "memory_bytes": 24 * GIB,
        "memory_type": "GDDR6",
        "sources": (SOURCE,),
    }
    return Accelerator(**{**plain, **facts})


class TestUsableMemory:
    """What of an accelerator can be used."""

    def test_driver_report_wins_over_nominal_size(self) -> None:
        """What a driver reported is what can be used."""
        reported = card(reported_memory_bytes=24_564 * MIB)
        assert reported.usable_memory_bytes == 24_564 * MIB
        assert reported.usable_memory_basis.startswith("reported")

    def test_limit_of_unified_memory_wins_over_report(self) -> None:
        """On unified memory the default limit of the GPU counts."""
        chip = card(unified=True, gpu_limit_fraction=0.75, reported_memory_bytes=23 * GIB)
        assert chip.usable_memory_bytes == 18 * GIB
        assert chip.usable_memory_basis == "limit: the GPU may use 75.0% of unified memory by default"

    @pytest.mark.parametrize(
        ("facts", "thousandths"),
        [
            ({}, 994),
            ({"segment": "datacenter"}, 932),
            ({"segment": "workstation"}, 932),
            ({"segment": "datacenter", "memory_type": "HBM3"}, 994),
            ({"vendor": "amd", "segment": "workstation"}, 994),
            ({"vendor": "intel"}, 942),
            ({"unified": True}, 930),
        ],
    )
    def test_without_report_a_cautious_share_is_assumed(
        self, facts: dict[str, Any], thousandths: int
    ) -> None:
        """Without a report, the least share seen on cards of the same sort is assumed, and said."""
        device = card(**facts)
        assert 24 * GIB * thousandths // 1000 == device.usable_memory_bytes
        assert device.usable_memory_basis.startswith(f"assumed: {thousandths / 10:.1f}%")

    @pytest.mark.property
    @given(accelerators())
    def test_never_above_nominal(self, device: Accelerator) -> None:
        """Usable memory lies between nothing and the nominal size."""
        assert 0 <= device.usable_memory_bytes <= device.memory_bytes


class TestMemoryOptions:
    """Chips that are sold with several memory sizes."""

    chip = card(
        unified=True,
        gpu_limit_fraction=0.75,
        memory_options=(
            MemoryOption(memory_bytes=16 * GIB, gpu_limit_fraction=0.5),
            MemoryOption(memory_bytes=24 * GIB, gpu_limit_fraction=0.75),
        ),
    )

    def test_smaller_option_brings_its_own_limit(self) -> None:
        """A chip with less memory has that memory and its limit."""
        small = self.chip.with_memory(16 * GIB)
        assert small.memory_bytes == 16 * GIB
        assert small.usable_memory_bytes == 8 * GIB

    def test_nominal_option_changes_nothing(self) -> None:
        """The chip with its own memory is the chip."""
        assert self.chip == self.chip.with_memory(24 * GIB)

    def test_other_size_is_refused_with_those_sold(self) -> None:
        """A size that is not sold is an error that lists those that are."""
        with pytest.raises(QuantityError, match=r"20\.00 GiB .* sold with 16\.00 GiB, 24\.00 GiB"):
            self.chip.with_memory(20 * GIB)

    def test_plain_card_has_one_size(self) -> None:
        """A card without options says its only size."""
        with pytest.raises(QuantityError, match=r"it has 24\.00 GiB only"):
            card().with_memory(48 * GIB)


class TestFacts:
    """What a record refuses."""

    @pytest.mark.parametrize(
        ("facts", "message"),
        [
            ({"id": "RTX 4090"}, "Accelerator.id is 'RTX 4090'; expected a lower-case name"),
            ({"memory_bytes": 24.0}, "Accelerator.memory_bytes is 24.0; expected a whole number above zero"),
            ({"segment": "toy"}, "Accelerator.segment is 'toy'; expected one of 'desktop'"),
            ({"released_on": "2024"}, "Accelerator.released_on is '2024'; expected a month"),
            ({"gpu_limit_fraction": 2}, "Accelerator.gpu_limit_fraction is 2; expected a share"),
            ({"sources": ()}, "Accelerator.sources is empty"),
            ({"fp16_flop_per_s": 0}, "Accelerator.fp16_flop_per_s is 0"),
            ({"bandwidth_bytes_per_s": True}, "Accelerator.bandwidth_bytes_per_s is True"),
            ({"confidence": "sure"}, "Accelerator.confidence is 'sure'"),
        ],
    )
    def test_wrong_fact_is_named(self, facts: dict[str, Any], message: str) -> None:
        """A fact that cannot be is refused with the field, the value and what was expected."""
        with pytest.raises(QuantityError, match=message):
            card(**facts)

    def test_fewer_threads_than_cores_are_refused(self) -> None:
        """A processor has a thread a core or more."""
        with pytest.raises(QuantityError, match="4 threads on 8 cores"):
            Cpu(
                id="maker-cpu",
                name="CPU",
                vendor="maker",
                segment="desktop",
                architecture="Any",
                n_cores=8,
                n_threads=4,
                n_memory_channels=2,
                memory_types=("DDR5-5600",),
                max_memory_bytes=128 * GIB,
                bandwidth_bytes_per_s=89_600_000_000,
                sources=(SOURCE,),
            )

    def test_unknown_kind_of_drive_is_refused(self) -> None:
        """A drive is of a known kind."""
        with pytest.raises(QuantityError, match=r"Storage.kind is 'tape'"):
            Storage(kind="tape", capacity_bytes=TB)  # type: ignore[arg-type]  # on purpose


@pytest.mark.property
class TestRecordLaws:
    """What holds for every record."""

    @given(accelerators())
    def test_accelerator_survives_pickle_and_hashes_alike(self, device: Accelerator) -> None:
        """A pickled accelerator comes back equal, with an equal hash."""
        again = pickle.loads(pickle.dumps(device))  # noqa: S301  (our own bytes)
        assert device == again
        assert hash(device) == hash(again)

    @given(accelerators())
    def test_evolve_without_change_is_identity(self, device: Accelerator) -> None:
        """Changing nothing gives an equal record."""
        assert device == attrs.evolve(device)

    @given(cpus())
    def test_cpu_survives_pickle_and_hashes_alike(self, cpu: Cpu) -> None:
        """A pickled processor comes back equal, with an equal hash."""
        again = pickle.loads(pickle.dumps(cpu))  # noqa: S301  (our own bytes)
        assert cpu == again
        assert hash(cpu) == hash(again)
