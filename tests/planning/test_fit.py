"""Whether a need fits on a device."""

from __future__ import annotations

from datetime import date

import attrs
import pytest
from hypothesis import given, strategies as st

from genai_hwreq.engines import LlamaCpp
from genai_hwreq.errors import QuantityError
from genai_hwreq.estimation import estimate_vram
from genai_hwreq.hardware import Accelerator
from genai_hwreq.placement import Placement
from genai_hwreq.planning import fits
from genai_hwreq.planning.fit import fit_on
from genai_hwreq.provenance import Source
from genai_hwreq.ranges import ByteRange
from genai_hwreq.units import GIB
from strategies import accelerators, byte_ranges

CARD = Accelerator(
    id="maker-card",
    name="Maker Card",
    vendor="nvidia",
    segment="desktop",
    architecture="Any",
    memory_bytes=24 * GIB,
    reported_memory_bytes=24 * GIB,
    memory_type="GDDR6",
    sources=(Source(title="A log", as_of=date(2026, 11, 22)),),
)


@pytest.mark.parametrize(
    ("low", "likely", "high", "verdict"),
    [
        (10, 20, 24, "fits"),
        (10, 20, 25, "tight"),
        (10, 24, 25, "tight"),
        (10, 25, 26, "does not fit"),
        (25, 26, 27, "does not fit"),
    ],
)
def test_verdict_follows_interval(low: int, likely: int, high: int, verdict: str) -> None:
    """All of the interval fits, the likely need fits, or not even that."""
    assert verdict == fit_on(ByteRange(low * GIB, likely * GIB, high * GIB), CARD).verdict


def test_display_takes_its_part() -> None:
    """What a display keeps cannot be used."""
    fit = fit_on(ByteRange.exactly(23 * GIB), CARD, display_reserved_bytes=2 * GIB)
    assert fit.usable_bytes == 22 * GIB
    assert fit.headroom_bytes == -1 * GIB
    assert not fit.fits


def test_display_may_take_all() -> None:
    """A display that keeps more than there is leaves nothing."""
    assert fit_on(ByteRange.exactly(0), CARD, display_reserved_bytes=99 * GIB).usable_bytes == 0


def test_negative_reserve_is_refused() -> None:
    """A display cannot give memory."""
    with pytest.raises(QuantityError, match="display_reserved_bytes is -1"):
        fit_on(ByteRange.exactly(0), CARD, display_reserved_bytes=-1)


def test_text_says_need_and_rest() -> None:
    """The text names the device, the verdict, the need and what is left or missing."""
    exact = fit_on(ByteRange.exactly(20 * GIB), CARD)
    assert str(exact) == "Maker Card: fits; needs 20.00 GiB of 24.00 GiB usable, 4.00 GiB left"
    wide = fit_on(ByteRange(20 * GIB, 30 * GIB, 40 * GIB), CARD)
    assert str(wide) == (
        "Maker Card: does not fit; needs 30.00 GiB (20.00 GiB to 40.00 GiB) of 24.00 GiB usable, 6.00 GiB missing"
    )


@pytest.mark.property
class TestLaws:
    """What holds for every need and device."""

    @given(byte_ranges(), accelerators())
    def test_fits_and_headroom_agree(self, needed: ByteRange, device: Accelerator) -> None:
        """A need fits exactly where headroom is not negative, and the verdict agrees."""
        fit = fit_on(needed, device)
        assert fit.fits == (fit.headroom_bytes >= 0) == (fit.verdict != "does not fit")

    @given(byte_ranges(), st.integers(1, 2**40), st.integers(0, 2**40))
    def test_more_memory_never_fits_less(self, needed: ByteRange, memory_bytes: int, more: int) -> None:
        """A device with more memory takes whatever one with less takes."""
        order = ["does not fit", "tight", "fits"]
        small = attrs.evolve(CARD, memory_bytes=memory_bytes, reported_memory_bytes=None)
        large = attrs.evolve(small, memory_bytes=memory_bytes + more)
        assert order.index(fit_on(needed, small).verdict) <= order.index(fit_on(needed, large).verdict)

    @given(byte_ranges(), accelerators(), st.integers(0, 2**40))
    def test_display_never_helps(self, needed: ByteRange, device: Accelerator, reserved: int) -> None:
        """Reserving memory never makes a need fit."""
        assert fit_on(needed, device).fits or not fit_on(needed, device, display_reserved_bytes=reserved).fits


def test_each_of_two_unequal_devices() -> None:
    """One device of an estimate is held against its own card; without a choice it is the fullest."""
    both = estimate_vram(
        "llama-3.1-8b",
        precision="q4_k_m",
        engine=LlamaCpp(tensor_split=(3, 1)),
        placement=Placement(n_devices=2),
    )
    first, second = (fits(both, CARD, index=index) for index in range(2))
    assert first == fits(both, CARD)
    assert second.needed == both.devices[1].range
    assert second.needed.high < first.needed.low


def test_a_device_that_the_estimate_lacks() -> None:
    """An index beyond the devices is refused, from either end."""
    one = estimate_vram("llama-3.1-8b", precision="q4_k_m")
    for index in (1, -1):
        with pytest.raises(QuantityError, match="has 1 devices"):
            fits(one, CARD, index=index)
