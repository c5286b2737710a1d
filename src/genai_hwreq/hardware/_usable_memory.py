"""How much of an accelerator's nominal memory can be used where nobody's driver report is at hand.

The shares are the least that drivers were seen to report for cards of the same sort (catalog of
2026-11-22, `nvidia-smi` totals and `ggml` device lists), so the assumption errs on the small side.

Next: _accelerator.
"""

from __future__ import annotations

__all__ = ["assumed_share"]

IN_BAND_ECC = (932, "least seen on NVIDIA professional cards with GDDR memory, whose ECC takes 1/16 of it")
"""Seen: 0.9326 (P40), 0.937 (A10, A40, L4, L40S), 0.9375 (T4)."""

INTEL = (942, "least seen on Intel Arc cards")
"""Seen: 0.9425 (A580, https://github.com/mattcurf/ollama-intel-gpu/issues/32) and 0.9444 (A770,
https://github.com/ggml-org/llama.cpp/issues/6036)."""

SHARED_WITH_SYSTEM = (930, "unified memory less what firmware and system keep")
"""Systems on chip show 0.93 to 0.96 of their memory as total; no limit of their own is known."""

PLAIN = (994, "least seen on cards without in-band ECC")
"""Seen: 0.9948 (B200, GB200), 0.995 (GeForce 50), 0.9956 (H100), 0.9995 (GeForce 40), 1.0 (A100)."""


def assumed_share(vendor: str, segment: str, memory_type: str, *, unified: bool) -> tuple[int, str]:
    """Return the assumed usable share of nominal memory in thousandths, and where it comes from."""
    if unified:
        return SHARED_WITH_SYSTEM
    if vendor == "intel":
        return INTEL
    if vendor == "nvidia" and segment in {"workstation", "datacenter"} and memory_type.startswith("GDDR"):
        return IN_BAND_ECC
    return PLAIN
