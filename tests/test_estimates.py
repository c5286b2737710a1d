"""Results: they add up what an engine put in, and show all of it."""

from __future__ import annotations

import json
from datetime import date
from html import escape

import pytest
from attrs import evolve
from hypothesis import given

from formula_text import evaluate
from genai_hwreq.errors import QuantityError
from genai_hwreq.estimates import Assumption, Component, DeviceMemory, Estimate, Fitted, Phase
from genai_hwreq.provenance import Source
from genai_hwreq.ranges import ByteRange
from genai_hwreq.units import GIB
from strategies import components, device_memories, estimates

SOURCE = Source(title="a paper", as_of=date(2026, 1, 2), url="https://example.org")
WEIGHTS = Component("weights", "weights", 3 * GIB, "n * 2", (("n", 3 * GIB // 2),), "exact")
CACHE = Component("kv_cache", "a|b <cache>", GIB, "n", (("n", GIB),), "modelled", SOURCE)
SPARE = Component(
    "fragmentation", "spare", GIB, "n", (("n", GIB),), "fitted", None, ByteRange(0, GIB, 2 * GIB)
)
CONTEXT = Component(
    "runtime", "context", GIB, str(GIB), (), "fitted", Source(title="logs", as_of=SOURCE.as_of)
)
LOAD = Phase(name="load", components=(WEIGHTS, CONTEXT))
RUN = Phase(name="run", components=(WEIGHTS, CACHE, SPARE, CONTEXT))
GPU = DeviceMemory(name="gpu:0", phases=(LOAD, RUN))
ESTIMATE = Estimate(
    model="tiny",
    engine="transformers",
    precision="fp16",
    devices=(GPU,),
    host=DeviceMemory(name="host", phases=(LOAD,)),
    disk=(evolve(WEIGHTS, kind="file"),),
    assumptions=(Assumption(code="default-context", text="a context of 2048 tokens"),),
)
HOSTED = Estimate(model="far", engine="hosted", precision="hosted", devices=())


@pytest.mark.property
@given(components())
def test_formula_is_independent(part: Component) -> None:
    """The evaluator of the tests agrees with components made by the tests."""
    assert part.bytes == evaluate(part) == part.range.likely


@pytest.mark.property
@given(device_memories())
def test_device_is_its_largest_phase(device: DeviceMemory) -> None:
    """A device's peak is its largest phase, bound by bound too, and never the sum."""
    totals = [phase.process_bytes for phase in device.phases]
    assert max(totals) == device.process_bytes == device.peak.process_bytes == device.range.likely
    assert device.allocated_bytes <= device.reserved_bytes <= device.process_bytes
    assert device.range.low <= device.range.likely <= device.range.high


@pytest.mark.property
@given(estimates())
def test_estimate_is_its_fullest_device(estimate: Estimate) -> None:
    """What must fit is the fullest device; RAM is the host's and disk the files' sum."""
    assert estimate.host is not None
    assert max(device.process_bytes for device in estimate.devices) == estimate.vram_bytes
    assert estimate.vram_bytes == estimate.vram_range.likely
    assert estimate.vram_bytes == max(phase.process_bytes for phase in estimate.phases)
    assert estimate.host.process_bytes == estimate.ram_bytes
    assert sum(part.bytes for part in estimate.disk) == estimate.disk_bytes


@pytest.mark.property
@given(estimates())
def test_plain_data(estimate: Estimate) -> None:
    """Plain data goes through JSON as it is and has every documented key."""
    data = estimate.to_dict()
    assert data == json.loads(json.dumps(data))
    documented = {"model", "engine", "precision", "vram_bytes", "ram_bytes", "disk_bytes", "range"}
    assert documented | {"devices", "host", "disk", "assumptions"} == data.keys()
    totals = {"allocated_bytes", "reserved_bytes", "process_bytes"}
    for device, record in zip(data["devices"], estimate.devices, strict=True):
        assert totals | {"name", "phases"} == device.keys()
        assert {name: device[name] for name in totals} == {name: getattr(record, name) for name in totals}
        for phase in device["phases"]:
            assert phase.keys() == {"name", "bytes", "components"}
            for part in phase["components"]:
                assert part.keys() == {
                    "kind",
                    "name",
                    "bytes",
                    "basis",
                    "formula",
                    "inputs",
                    "range",
                    "source",
                }


@pytest.mark.property
@given(estimates())
def test_everything_is_shown(estimate: Estimate) -> None:
    """Model and every assumption are in text, Markdown and HTML; every formula is in the explanation."""
    for text in (str(estimate), estimate._repr_markdown_(), estimate._repr_html_()):
        assert estimate.model in text
        assert all(assumption.code in text for assumption in estimate.assumptions)
    explained = estimate.explain()
    for device in estimate.devices:
        for phase in device.phases:
            assert all(f"= {part.formula}" in explained for part in phase.components)
    assert "\n" not in repr(estimate)


def test_text() -> None:
    """A table of the peak with a total, the other totals, and what was assumed."""
    assert str(ESTIMATE).splitlines() == [
        "tiny in fp16 on transformers: 6.00 GiB",
        "",
        "component         size  basis     between",
        "------------  --------  --------  --------------------",
        "weights       3.00 GiB  exact",
        "a|b <cache>   1.00 GiB  modelled",
        "spare         1.00 GiB  fitted    0 B to 2.00 GiB",
        "context       1.00 GiB  fitted",
        "peak, in run  6.00 GiB            5.00 GiB to 7.00 GiB",
        "",
        "allocated 4.00 GiB, reserved 5.00 GiB, process 6.00 GiB",
        "RAM 4.00 GiB, disk 3.00 GiB",
        "assumed:",
        "  - a context of 2048 tokens (default-context)",
    ]


def test_line() -> None:
    """One line has model, format, engine, size and number of components."""
    assert repr(ESTIMATE) == "<Estimate tiny in fp16 on transformers: 6.00 GiB, 4 components>"


def test_markdown_and_html_escape() -> None:
    """Names that hold marks of the format are escaped."""
    assert "a\\|b <cache>" in ESTIMATE._repr_markdown_()
    assert "a context of 2048 tokens (default-context)" in ESTIMATE._repr_markdown_()
    assert "a|b &lt;cache&gt;" in ESTIMATE._repr_html_()
    assert "width:80px" in ESTIMATE._repr_html_()
    assert escape(ESTIMATE.explain()) in ESTIMATE._repr_html_()


def test_explanation() -> None:
    """Each component has its numbers, interval and source; the peak is marked."""
    text = ESTIMATE.explain()
    assert "gpu:0, run: 6.00 GiB  ← peak" in text
    assert f"= n * 2\n    with n = {3 * GIB // 2:,}" in text
    assert "between 0 B to 2.00 GiB" in text
    assert "source: a paper <https://example.org>" in text
    assert "source: logs\n" in text
    assert "disk:" in text


def test_several_devices() -> None:
    """With several devices the fullest is shown, with what the others need."""
    small = DeviceMemory(name="gpu:1", phases=(LOAD,))
    several = evolve(ESTIMATE, devices=(small, GPU))
    assert "gpu:0, the fullest of 2 devices, is shown; gpu:1 " in str(several)
    assert "one of 2 equal devices is shown" in str(evolve(ESTIMATE, devices=(GPU, evolve(GPU, name="gpu:1"))))
    assert GPU.phases == several.phases
    assert ESTIMATE.vram_bytes == several.vram_bytes


def test_hosted_needs_nothing() -> None:
    """An estimate without devices is zero everywhere and says so in every form."""
    assert (HOSTED.vram_bytes, HOSTED.ram_bytes, HOSTED.disk_bytes, HOSTED.phases) == (0, 0, 0, ())
    assert ByteRange.exactly(0) == HOSTED.vram_range
    for text in (repr(HOSTED), str(HOSTED), HOSTED._repr_html_(), HOSTED._repr_markdown_(), HOSTED.explain()):
        assert "hosted" in text
        assert "nothing" in text
    assert HOSTED.to_dict()["host"] is None


def test_phases_by_name_and_kind() -> None:
    """A phase is found by its name, and bytes by kind."""
    assert RUN == GPU.phase("run")
    assert GPU.phase("denoise") is None
    assert RUN.bytes_of("kv_cache", "runtime") == 2 * GIB


def test_fitted_says_on_what() -> None:
    """A fitted constant without its data is refused."""
    with pytest.raises(QuantityError, match=r"Fitted\.fitted_on is empty"):
        Fitted(value=1, fitted_on="", engine_versions="1", source=SOURCE)


def test_negative_component() -> None:
    """A component cannot be smaller than nothing."""
    with pytest.raises(QuantityError, match=r"Component\.bytes is -1"):
        Component("weights", "w", -1, "0 - 1", (), "exact")
