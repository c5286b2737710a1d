"""Hypothesis strategies for the records of this library, shared by all tests."""

from __future__ import annotations

from datetime import date
from typing import Any

from hypothesis import strategies as st

from genai_hwreq.hardware import (
    Accelerator,
    CloudOffer,
    Cpu,
    InstalledAccelerator,
    Machine,
    MemoryOption,
    Storage,
    Tier,
)
from genai_hwreq.provenance import Source
from genai_hwreq.ranges import ByteRange

# --- provenance, ranges -------------------------------------------------------------------------------

words = st.text("abcdefgh XYZ-.0123456789é", min_size=1, max_size=12)
slugs = st.from_regex(r"[a-z0-9]{1,6}(-[a-z0-9]{1,4}){0,2}", fullmatch=True)
sizes = st.integers(2**20, 2**42)
days = st.dates(date(2015, 1, 1), date(2030, 12, 31))
months = st.dates(date(2015, 1, 1), date(2030, 12, 31)).map(lambda day: f"{day:%Y-%m}")
confidences = st.sampled_from(["high", "medium", "low"])


def maybe(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Draw a value, or `None` for what is not known."""
    return st.none() | strategy


def sources() -> st.SearchStrategy[Source]:
    """Draw sources with and without link and note."""
    return st.builds(Source, title=words, as_of=days, url=maybe(words), note=maybe(words))


some_sources = st.lists(sources(), min_size=1, max_size=2).map(tuple)
some_words = st.lists(words, max_size=2).map(tuple)
some_slugs = st.lists(slugs, max_size=2).map(tuple)


def byte_ranges() -> st.SearchStrategy[ByteRange]:
    """Draw intervals of bytes, bounds in order."""
    return st.lists(st.integers(0, 2**42), min_size=3, max_size=3).map(
        lambda three: ByteRange(*sorted(three))
    )


# --- hardware -----------------------------------------------------------------------------------------


def accelerators() -> st.SearchStrategy[Accelerator]:
    """Draw accelerators of every segment, with a report never above the nominal size."""
    fractions = st.floats(0.1, 1)
    options = st.builds(MemoryOption, memory_bytes=sizes, gpu_limit_fraction=fractions)

    def build(memory_bytes: int) -> st.SearchStrategy[Accelerator]:
        return st.builds(
            Accelerator,
            id=slugs,
            name=words,
            vendor=st.sampled_from(["nvidia", "amd", "intel", "apple"]),
            segment=st.sampled_from(
                ["desktop", "laptop", "workstation", "datacenter", "embedded", "unified"]
            ),
            architecture=words,
            memory_bytes=st.just(memory_bytes),
            memory_type=st.sampled_from(["GDDR6", "HBM3", "LPDDR5X"]),
            reported_memory_bytes=maybe(st.integers(1, memory_bytes)),
            unified=st.booleans(),
            gpu_limit_fraction=maybe(fractions),
            memory_options=st.lists(options, max_size=2).map(tuple),
            bandwidth_bytes_per_s=maybe(sizes),
            fp16_flop_per_s=maybe(sizes),
            tdp_watts=maybe(st.integers(1, 2000)),
            released_on=maybe(months),
            aliases=some_slugs,
            confidence=confidences,
            sources=some_sources,
            notes=some_words,
        )

    return sizes.flatmap(build)


def cpus() -> st.SearchStrategy[Cpu]:
    """Draw processors with as many threads as cores, or twice as many."""

    def build(n_cores: int) -> st.SearchStrategy[Cpu]:
        return st.builds(
            Cpu,
            id=slugs,
            name=words,
            vendor=words,
            segment=st.sampled_from(["desktop", "laptop", "workstation", "server"]),
            architecture=words,
            n_cores=st.just(n_cores),
            n_threads=st.sampled_from([n_cores, 2 * n_cores]),
            n_performance_cores=maybe(st.just(n_cores)),
            n_memory_channels=st.integers(1, 12),
            memory_types=st.lists(words, min_size=1, max_size=2).map(tuple),
            max_memory_bytes=sizes,
            bandwidth_bytes_per_s=sizes,
            instruction_sets=st.sampled_from([(), ("avx2",), ("avx2", "avx512")]),
            tdp_watts=maybe(st.integers(1, 500)),
            released_on=maybe(months),
            confidence=confidences,
            sources=some_sources,
        )

    return st.integers(1, 256).flatmap(build)


def machines() -> st.SearchStrategy[Machine]:
    """Draw machines, owned and rented, with much or little known about them."""
    installed = st.builds(
        InstalledAccelerator,
        accelerator_id=slugs,
        memory_bytes=sizes,
        n_devices=st.integers(1, 16),
        device_fraction=st.sampled_from([1.0, 0.5]),
    )
    offers = st.builds(
        CloudOffer,
        provider=words,
        instance_type=words,
        price_usd_per_hour=maybe(st.floats(0.1, 200)),
        price_as_of=maybe(months),
    )
    return st.builds(
        Machine,
        id=slugs,
        name=words,
        accelerators=st.lists(installed, max_size=2).map(tuple),
        unified=st.booleans(),
        cpu=maybe(cpus()),
        n_cpu_cores=maybe(st.integers(1, 256)),
        n_vcpus=maybe(st.integers(1, 512)),
        ram_bytes=maybe(sizes),
        storage=maybe(drives()),
        offer=maybe(offers),
        aliases=some_slugs,
        confidence=confidences,
        sources=some_sources,
    )


def drives() -> st.SearchStrategy[Storage]:
    """Draw drives of every kind."""
    return st.builds(Storage, kind=st.sampled_from(["hdd", "sata-ssd", "nvme"]), capacity_bytes=sizes)


def tiers() -> st.SearchStrategy[Tier]:
    """Draw classes of machines."""
    return st.builds(
        Tier,
        id=slugs,
        name=words,
        n_cpu_cores=st.integers(1, 64),
        ram_bytes=sizes,
        vram_bytes=sizes,
        storage_kind=st.sampled_from(["hdd", "sata-ssd", "nvme"]),
        storage_bytes=sizes,
        ideal_vram_bytes=maybe(sizes),
        example_cpus=some_slugs,
        sources=some_sources,
    )
