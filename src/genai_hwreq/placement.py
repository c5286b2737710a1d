"""How the work is spread over devices.

Next: estimates.
"""

from __future__ import annotations

from typing import Literal

from attrs import field, frozen

from genai_hwreq._validators import one_of, positive

__all__ = ["Placement", "Sharding", "Stage"]


Stage = Literal["none", "zero1", "zero2", "zero3", "fsdp", "fsdp-grad-op"]
"""What data-parallel ranks share out: nothing; optimizer states; gradients too; weights too (ZeRO 3, FSDP);
or all but the weights in use (`fsdp-grad-op`)."""


@frozen(kw_only=True)
class Sharding:
    """How a training run is shared out among devices. Ranks not named by a parallel degree work on other data."""

    stage: Stage = field(
        default="none", validator=one_of("none", "zero1", "zero2", "zero3", "fsdp", "fsdp-grad-op")
    )
    """What data-parallel ranks share out."""

    tensor_parallel: int = field(default=1, validator=positive)
    """Devices that share each matrix."""

    pipeline_parallel: int = field(default=1, validator=positive)
    """Devices that hold layers one after another."""

    context_parallel: int = field(default=1, validator=positive)
    """Devices that share each sequence."""

    expert_parallel: int = field(default=1, validator=positive)
    """Devices that share the experts."""

    offload: Literal["none", "optimizer", "optimizer+params", "layers"] = field(
        default="none", validator=one_of("none", "optimizer", "optimizer+params", "layers")
    )
    """What waits in host memory: nothing, optimizer states, weights too, or layers' activations."""


@frozen(kw_only=True)
class Placement:
    """The number of devices and what leaves them."""

    n_devices: int = field(default=1, validator=positive)
    """Devices that the layers are spread over, one after another."""

    offload: Literal["none", "model", "sequential"] = "none"
    """What waits in host memory: nothing, whole networks while another works, or single layers."""

    sharding: Sharding = field(factory=Sharding)
    """How a training run is shared out; it means nothing to other workloads."""
