"""Reading a metric off an estimate."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import pytest

from genai_hwreq.ranges import ByteRange
from genai_hwreq.scoring.cases import Measured, Scope
from genai_hwreq.scoring.measures import measure
from genai_hwreq.scoring.settings import DeclinedError
from scoring_stubs import RUN, device, estimate, part

if TYPE_CHECKING:
    from genai_hwreq.estimates import DeviceMemory, Estimate

WORK = device(
    load=(part("weights", 100), part("runtime", 5, (3, 9))),
    prefill=(
        part("weights", 100),
        part("kv_cache", 10),
        part("attention", 40, (30, 50)),
        part("logits", 2),
        part("fragmentation", 7, (0, 20)),
        part("runtime", 5, (3, 9)),
    ),
    decode=(part("weights", 100), part("kv_cache", 11), part("activations", 1), part("runtime", 5, (3, 9))),
)
SMALL = device(prefill=(part("weights", 50), part("kv_cache", 5), part("activations", 1), part("runtime", 5)))
ONE = estimate(WORK, host=device(run=(part("system", 77, (70, 80)),)))


def figure(
    metric: str,
    of: Estimate = ONE,
    stage: str | None = None,
    scope: Scope = "device",
    *,
    host: bool = False,
) -> ByteRange:
    """Read a metric of a stage, or of the whole run."""
    run = attrs.evolve(RUN, stage=stage, place="host" if host else "devices")
    return measure(of, Measured(metric=metric, value=1, scope=scope), run)


@pytest.mark.parametrize(
    ("low", "likely", "high", "metric", "stage"),
    [
        (100, 100, 100, "weights", None),
        (11, 11, 11, "kv_cache", None),  # at the end, not at its largest
        (10, 10, 10, "kv_cache", "prefill"),
        (32, 42, 52, "activations", None),  # attention and logits of the peak
        (32, 42, 52, "activations", "prefill"),
        (1, 1, 1, "activations", "decode"),
        (142, 152, 162, "peak_allocated", None),
        (112, 112, 112, "peak_allocated", "decode"),
        (100, 100, 100, "peak_allocated", "load"),
        (142, 159, 182, "peak_reserved", None),
        (145, 164, 191, "process", None),
        (3, 5, 9, "runtime", None),
        (70, 77, 80, "ram_peak", None),
        (9, 9, 9, "file", None),
    ],
)
def test_metrics_by_hand(low: int, likely: int, high: int, metric: str, stage: str | None) -> None:
    """A metric sums its kinds and their intervals, in its stage or where it is largest."""
    assert ByteRange(low, likely, high) == figure(metric, stage=stage)


def test_a_run_without_decode_has_its_cache_where_it_is_largest() -> None:
    """Nothing was generated: the prompt's cache is all there is."""
    assert ByteRange.exactly(5) == figure("kv_cache", estimate(SMALL))


def test_scope_takes_the_fullest_device_or_all() -> None:
    """Of two devices, the figure is the larger one's or the sum."""
    both = estimate(SMALL, WORK)

    assert ByteRange(142, 152, 162) == figure("peak_allocated", both)
    assert ByteRange(198, 208, 218) == figure("peak_allocated", both, scope="sum")


def test_a_run_measured_in_host_memory_is_read_from_the_host() -> None:
    """Engines keep parts of a model in host memory, under the same kinds."""
    split = estimate(WORK, host=device(run=(part("weights", 33),)))

    assert ByteRange.exactly(33) == figure("weights", split, host=True)


@pytest.mark.parametrize(
    ("message", "metric", "stage", "devices"),
    [
        ("metric 'fun' is not known", "fun", None, (WORK,)),
        ("no phase 'denoise' is modelled; load, prefill, decode are", "weights", "denoise", (WORK,)),
        ("no optimizer is modelled on gpu:0", "optimizer", None, (WORK,)),
        ("nothing is needed here", "weights", None, ()),
        ("nothing is needed here", "ram_peak", None, ()),
    ],
)
def test_what_is_not_modelled_is_declined(
    message: str, metric: str, stage: str | None, devices: tuple[DeviceMemory, ...]
) -> None:
    """No component is no answer: an estimate of nothing would be a guess."""
    with pytest.raises(DeclinedError, match=message):
        figure(metric, estimate(*devices), stage)
