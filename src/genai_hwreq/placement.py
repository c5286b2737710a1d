"""How the work is spread over devices.

Next: estimates.
"""

from __future__ import annotations

from typing import Literal

from attrs import field, frozen

from genai_hwreq._validators import positive

__all__ = ["Placement"]


@frozen(kw_only=True)
class Placement:
    """The number of devices and what leaves them."""

    n_devices: int = field(default=1, validator=positive)
    """Devices that the layers are spread over, one after another."""

    offload: Literal["none", "model", "sequential"] = "none"
    """What waits in host memory: nothing, whole networks while another works, or single layers."""
