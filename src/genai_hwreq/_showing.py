"""How an estimate is shown: text, one line, HTML, Markdown, plain data, and every formula with its numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from genai_hwreq._tables import html_table, markdown_table, text_table
from genai_hwreq.units import format_bytes

if TYPE_CHECKING:
    from genai_hwreq.estimates import Component, DeviceMemory, Estimate, Phase
    from genai_hwreq.provenance import Source
    from genai_hwreq.ranges import ByteRange

__all__ = [
    "estimate_dict",
    "estimate_html",
    "estimate_line",
    "estimate_markdown",
    "estimate_text",
    "explanation",
]

_HEADER = ("component", "size", "basis", "between")
_RIGHT = frozenset({1})


def estimate_line(estimate: Estimate) -> str:
    """Return one line: model, engine, size and number of components at the peak."""
    if not estimate.devices:
        return f"<Estimate {estimate.model}: hosted, nothing needed here>"
    parts = len(_fullest(estimate).peak.components)
    size = format_bytes(estimate.vram_bytes)
    return f"<Estimate {estimate.model} in {estimate.precision} on {estimate.engine}: {size}, {parts} components>"


def estimate_text(estimate: Estimate) -> str:
    """Return a table of the peak, the other totals and the assumptions."""
    lines = [_title(estimate)]
    if estimate.devices:
        lines += ["", text_table(_HEADER, _rows(_fullest(estimate).peak), _RIGHT), ""]
        lines += _totals(estimate)
    return "\n".join([*lines, *_assumption_lines(estimate)])


def estimate_markdown(estimate: Estimate) -> str:
    """Return the same in Markdown."""
    lines = [f"**{_title(estimate)}**"]
    if estimate.devices:
        lines += ["", markdown_table(_HEADER, _rows(_fullest(estimate).peak), _RIGHT), ""]
        lines += [f"- {line}" for line in _totals(estimate)]
    return "\n".join([*lines, *(f"- {line}" for line in _assumed(estimate))])


def estimate_html(estimate: Estimate) -> str:
    """Return the same in HTML, with a bar for each component's share of the peak and, folded, every formula."""
    from html import escape  # noqa: PLC0415  (notebooks only)

    parts = [f"<p><b>{escape(_title(estimate))}</b></p>"]
    if estimate.devices:
        peak = _fullest(estimate).peak
        total = max(1, peak.process_bytes)
        shares: list[float | None] = [part.bytes / total for part in peak.components]
        parts.append(html_table(_HEADER, _rows(peak), _RIGHT, shares))
    notes = [*(_totals(estimate) if estimate.devices else ()), *_assumed(estimate)]
    parts.append("<ul>" + "".join(f"<li>{escape(note)}</li>" for note in notes) + "</ul>")
    if estimate.devices:
        formulas = f"<pre>{escape(explanation(estimate))}</pre>"
        parts.append(f"<details><summary>every formula with its numbers</summary>{formulas}</details>")
    return "<div>" + "".join(parts) + "</div>"


def explanation(estimate: Estimate) -> str:
    """Return every phase's components, each with its formula, numbers, interval and source."""
    lines = [_title(estimate)]
    for device in (*estimate.devices, *((estimate.host,) if estimate.host else ())):
        for phase in device.phases:
            mark = "  ← peak" if phase is device.peak and len(device.phases) > 1 else ""
            lines += ["", f"{device.name}, {phase.name}: {format_bytes(phase.process_bytes)}{mark}"]
            lines += [line for part in phase.components for line in _explained(part)]
    for part in estimate.disk:
        lines += ["", "disk:", *_explained(part)]
    return "\n".join([*lines, *_assumption_lines(estimate)])


def _explained(part: Component) -> list[str]:
    numbers = ", ".join(f"{name} = {value:,}" for name, value in part.inputs)
    lines = [
        f"  {part.name}: {format_bytes(part.bytes)} ({part.bytes:,} bytes, {part.basis})",
        f"    = {part.formula}",
    ]
    if numbers:
        lines.append(f"    with {numbers}")
    if part.interval is not None:
        lines.append(f"    between {_between(part.interval)}")
    if part.source is not None:
        lines.append(f"    source: {part.source.title}" + (f" <{part.source.url}>" if part.source.url else ""))
    return lines


def estimate_dict(estimate: Estimate) -> dict[str, Any]:
    """Return the estimate as plain data."""
    span = estimate.vram_range
    return {
        "model": estimate.model,
        "engine": estimate.engine,
        "precision": estimate.precision,
        "vram_bytes": estimate.vram_bytes,
        "ram_bytes": estimate.ram_bytes,
        "disk_bytes": estimate.disk_bytes,
        "range": {"low": span.low, "likely": span.likely, "high": span.high},
        "devices": [_device_dict(device) for device in estimate.devices],
        "host": _device_dict(estimate.host) if estimate.host else None,
        "disk": [_component_dict(part) for part in estimate.disk],
        "assumptions": [{"code": item.code, "text": item.text} for item in estimate.assumptions],
    }


def _device_dict(device: DeviceMemory) -> dict[str, Any]:
    return {
        "name": device.name,
        "allocated_bytes": device.allocated_bytes,
        "reserved_bytes": device.reserved_bytes,
        "process_bytes": device.process_bytes,
        "phases": [
            {
                "name": phase.name,
                "bytes": phase.process_bytes,
                "components": [_component_dict(part) for part in phase.components],
            }
            for phase in device.phases
        ],
    }


def _component_dict(part: Component) -> dict[str, Any]:
    span = part.range
    return {
        "kind": part.kind,
        "name": part.name,
        "bytes": part.bytes,
        "basis": part.basis,
        "formula": part.formula,
        "inputs": dict(part.inputs),
        "range": {"low": span.low, "likely": span.likely, "high": span.high},
        "source": _source_dict(part.source) if part.source else None,
    }


def _source_dict(source: Source) -> dict[str, Any]:
    return {"title": source.title, "url": source.url, "as_of": source.as_of.isoformat()}


def _title(estimate: Estimate) -> str:
    if not estimate.devices:
        return f"{estimate.model}: hosted; nothing is needed here"
    return f"{estimate.model} in {estimate.precision} on {estimate.engine}: {format_bytes(estimate.vram_bytes)}"


def _fullest(estimate: Estimate) -> DeviceMemory:
    return max(estimate.devices, key=lambda device: device.process_bytes)


def _rows(phase: Phase) -> list[tuple[str, str, str, str]]:
    rows = [
        (part.name, format_bytes(part.bytes), part.basis, _between(part.interval) if part.interval else "")
        for part in phase.components
    ]
    total = phase.range
    spread = _between(total) if total.low < total.high else ""
    return [*rows, (f"peak, in {phase.name}", format_bytes(phase.process_bytes), "", spread)]


def _between(span: ByteRange) -> str:
    return f"{format_bytes(span.low)} to {format_bytes(span.high)}"


def _totals(estimate: Estimate) -> list[str]:
    device = _fullest(estimate)
    allocated, reserved, process = device.allocated_bytes, device.reserved_bytes, device.process_bytes
    lines = [
        f"allocated {format_bytes(allocated)}, reserved {format_bytes(reserved)}, process {format_bytes(process)}",
        f"RAM {format_bytes(estimate.ram_bytes)}, disk {format_bytes(estimate.disk_bytes)}",
    ]
    if len(estimate.devices) > 1:
        lines.insert(0, _others(estimate, device))
    return lines


def _others(estimate: Estimate, shown: DeviceMemory) -> str:
    """Say which device is shown, and what the others need."""
    sizes = [(device.name, format_bytes(device.process_bytes)) for device in estimate.devices if device is not shown]
    if {size for _, size in sizes} == {format_bytes(shown.process_bytes)}:
        return f"one of {len(estimate.devices)} equal devices is shown"
    others = ", ".join(f"{name} {size}" for name, size in sizes)
    return f"{shown.name}, the fullest of {len(estimate.devices)} devices, is shown; {others}"


def _assumed(estimate: Estimate) -> list[str]:
    return [f"assumed: {item.text} ({item.code})" for item in estimate.assumptions]


def _assumption_lines(estimate: Estimate) -> list[str]:
    if not estimate.assumptions:
        return []
    return ["assumed:", *(f"  - {item.text} ({item.code})" for item in estimate.assumptions)]
