"""The strict converter between plain data and records."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, ClassVar, Literal

import attrs
import pytest
from hypothesis import given

from genai_hwreq._types import Bytes
from genai_hwreq.catalog._converter import structure, unstructure
from genai_hwreq.errors import CatalogDataError
from genai_hwreq.hardware import Accelerator, Cpu, Machine, Tier
from strategies import accelerators, cpus, machines, tiers


@attrs.frozen(kw_only=True)
class GroupedQuery:
    """A record that is known by its class name."""

    n_heads: int


@attrs.frozen(kw_only=True)
class LatentKV:
    """A record that states its kind."""

    kind: ClassVar[str] = "latent"

    rank: int = 4


@attrs.frozen(kw_only=True)
class Recurrence:
    """A record with a field that tells its kinds apart."""

    kind: Literal["mamba", "rwkv"] = "mamba"
    width: int = 1


Mixer = GroupedQuery | LatentKV | Recurrence


@attrs.frozen(kw_only=True)
class Everything:
    """A record with a field of every sort."""

    text: str = ""
    whole: int = 0
    share: float = 0.0
    flag: bool = False
    size: Bytes = 0
    day: date | None = None
    word: Literal["a", "b"] = "a"
    words: tuple[str, ...] = ()
    pair: tuple[int, str] | None = None
    mixer: Mixer | None = None
    mixers: tuple[Mixer, ...] = ()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"whole": "3"}, "expected int, got str '3' @ $.whole"),
        ({"whole": 3.0}, "expected int, got float 3.0 @ $.whole"),
        ({"whole": True}, "expected int, got bool True @ $.whole"),
        ({"text": 3}, "expected str, got int 3 @ $.text"),
        ({"flag": 1}, "expected bool, got int 1 @ $.flag"),
        ({"share": True}, "expected a number, got bool True @ $.share"),
        ({"share": "1"}, "expected a number, got str '1' @ $.share"),
        ({"size": 1.5}, "expected whole bytes or a size with its unit, got float 1.5 @ $.size"),
        ({"size": True}, "expected whole bytes or a size with its unit, got bool True @ $.size"),
        ({"day": "soon"}, "expected a date, got str 'soon' @ $.day"),
        ({"word": "c"}, "expected one of 'a', 'b', got str 'c' @ $.word"),
        ({"words": "ab"}, "expected a list, got str 'ab' @ $.words"),
        ({"words": ["a", 3]}, "expected str, got int 3 @ $.words[1]"),
        ({"pair": [1]}, "expected a list of 2, got list [1] @ $.pair"),
        ({"extra": 1}, "extra fields found (extra) @ $"),
        ({"mixer": 3}, "expected a table, got int 3 @ $.mixer"),
        ({"mixer": {"kind": "grouped_query"}}, "required field missing @ $.mixer.n_heads"),
        (3, "expected a table, got int 3 @ $"),
        (None, "expected a table, got nothing @ $"),
    ],
)
def test_fault_is_named_with_its_path(data: object, message: str) -> None:
    """Nothing is guessed: each fault is reported with what was expected, what came and where."""
    with pytest.raises(CatalogDataError) as caught:
        structure(data, Everything, "facts.toml")
    assert (message,) == caught.value.problems
    assert caught.value.path == "facts.toml"


@pytest.mark.parametrize("size", ["24G", "much", "-1 GiB"])
def test_size_needs_a_known_unit(size: str) -> None:
    """A size without a clear unit is a fault of its field."""
    with pytest.raises(CatalogDataError, match=r"@ \$\.size"):
        structure({"size": size}, Everything, "facts.toml")


def test_time_of_day_is_not_a_date() -> None:
    """A date with a time is not a date."""
    with pytest.raises(CatalogDataError, match="expected a date"):
        structure({"day": datetime(2026, 1, 1)}, Everything, "facts.toml")  # noqa: DTZ001  (TOML has local times)


def test_unknown_kind_lists_the_known() -> None:
    """A kind that no record has is answered with those there are."""
    with pytest.raises(
        CatalogDataError, match=r"one of 'grouped_query', 'latent', 'mamba', 'rwkv', got str 'x'"
    ):
        structure({"kind": "x"}, Mixer, "facts.toml")


def test_all_faults_are_reported_at_once() -> None:
    """One reading reports every fault."""
    with pytest.raises(CatalogDataError) as caught:
        structure([{"whole": "3", "word": "c"}, {"flag": 0}], tuple[Everything, ...], "facts.toml")
    paths = [problem.split(" @ ")[1] for problem in caught.value.problems]
    assert paths == ["$[0].whole", "$[0].word", "$[1].flag"]


def test_fault_found_by_a_record_is_reported() -> None:
    """What a record itself refuses is reported with the record's path."""
    data = {"id": "X", "name": "x", "n_cpu_cores": 1, "ram_bytes": 1, "vram_bytes": 1}
    data |= {
        "storage_kind": "hdd",
        "storage_bytes": 1,
        "sources": [{"title": "t", "as_of": date(2026, 1, 1)}],
    }
    with pytest.raises(CatalogDataError, match=r"Tier.id is 'X'.* @ \$\[0\]"):
        structure([data], tuple[Tier, ...], "facts.toml")


def test_sizes_and_dates_are_read() -> None:
    """Sizes may carry a unit, dates may be ISO text, whole numbers may stand for shares."""
    record = structure({"size": "24 GiB", "day": "2026-11-22", "share": 1, "pair": [1, "a"]}, Everything, "")
    assert record == Everything(size=24 * 2**30, day=date(2026, 11, 22), share=1.0, pair=(1, "a"))


@pytest.mark.parametrize(
    ("data", "record"),
    [
        ({"kind": "grouped_query", "n_heads": 8}, GroupedQuery(n_heads=8)),
        ({"kind": "latent"}, LatentKV()),
        ({"kind": "mamba"}, Recurrence()),
        ({"kind": "rwkv", "width": 3}, Recurrence(kind="rwkv", width=3)),
    ],
)
def test_kind_tells_records_apart(data: dict[str, Any], record: object) -> None:
    """The key `kind` says which record it is, and is written back."""
    assert record == structure(data, Mixer, "")
    assert data == unstructure(record, Mixer)


def test_nested_unions_round_trip() -> None:
    """Unions inside records and tuples come back as they were."""
    record = Everything(mixer=Recurrence(), mixers=(GroupedQuery(n_heads=1), LatentKV()), pair=(1, "x"))
    data = unstructure(record)
    assert data["mixers"] == [{"kind": "grouped_query", "n_heads": 1}, {"kind": "latent"}]
    assert record == structure(data, Everything, "")


def test_nothing_stands_for_no_record() -> None:
    """A union that allows nothing reads and writes it."""
    assert structure(None, Mixer | None, "") is None
    assert unstructure(None, Mixer | None) is None


@pytest.mark.property
class TestRoundTrips:
    """Records come back from plain data as they were."""

    @given(accelerators())
    def test_accelerator(self, record: Accelerator) -> None:
        """An accelerator comes back from plain data as it was."""
        assert record == structure(unstructure(record), Accelerator, "")

    @given(cpus())
    def test_cpu(self, record: Cpu) -> None:
        """A processor comes back from plain data as it was."""
        assert record == structure(unstructure(record), Cpu, "")

    @given(machines())
    def test_machine(self, record: Machine) -> None:
        """A machine comes back from plain data as it was."""
        assert record == structure(unstructure(record), Machine, "")

    @given(tiers())
    def test_tier(self, record: Tier) -> None:
        """A class of machines comes back from plain data as it was."""
        assert record == structure(unstructure(record), Tier, "")
