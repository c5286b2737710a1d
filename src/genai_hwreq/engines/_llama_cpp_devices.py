"""What llama.cpp needs on each device and on the host: weights, caches, states, buffers and the program itself.

Next: llama_cpp.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from attrs import evolve, frozen

from genai_hwreq.engines._llama_cpp_buffers import (
    HOST_ALIGNMENT,
    BufferSettings,
    Side,
    compute_component,
    output_component,
)
from genai_hwreq.engines._llama_cpp_caches import CacheSettings
from genai_hwreq.engines._llama_cpp_graph import Fork
from genai_hwreq.engines._llama_cpp_homes import homes_of
from genai_hwreq.engines._llama_cpp_layers import Stretch
from genai_hwreq.engines._llama_cpp_parts import cache_components, state_components
from genai_hwreq.engines._llama_cpp_weights import Offload, weight_bytes, weight_components
from genai_hwreq.engines._runtime import context_component
from genai_hwreq.estimates import Component, DeviceMemory, Phase
from genai_hwreq.formats import Format
from genai_hwreq.models import TransformerModel
from genai_hwreq.ranges import ByteRange
from genai_hwreq.units import MIB

if TYPE_CHECKING:
    from genai_hwreq.engines._llama_cpp_homes import Homes
    from genai_hwreq.models import Transformer

__all__ = ["DeviceParts"]

_HOST_RUNTIME_BYTES = 200 * MIB
"""Program, driver libraries and vocabulary of a process that has opened a device: common observation."""


@frozen(kw_only=True)
class DeviceParts:
    """The components of every device, put together."""

    model: TransformerModel
    """What is run."""

    weight_format: Format
    """How its weights are stored."""

    caches: CacheSettings
    """The settings that decide caches."""

    offload: Offload
    """Which layers are where."""

    use_device: bool
    """Whether there is a device at all."""

    offload_kqv: bool
    """Whether caches are on devices with their layers."""

    cpu_moe: bool
    """Whether the matrices of routed experts stay on the host."""

    n_outputs: int
    """Rows of logits that a pass has room for."""

    fork: Fork | None
    """What ik_llama.cpp computes in its own way."""

    @property
    def _network(self) -> Transformer:
        return self.model.decoder

    def device(self, index: int) -> DeviceMemory:
        """Return the memory of a device."""
        weights = self._weights(index, "weights")
        states = self._states(index)
        buffers = self._buffers()
        compute = (compute_component(self._network, buffers, "device", self._stretch(index)),)
        runtime = (context_component(),)
        return DeviceMemory(
            name=f"gpu:{index}",
            phases=(
                Phase(name="load", components=(*weights, *runtime)),
                Phase(name="prefill", components=(*weights, *states, *compute, *runtime)),
                Phase(name="decode", components=(*weights, *states, *compute, *runtime)),
            ),
        )

    def host(self) -> DeviceMemory:
        """Return the memory of the host."""
        weights = self._weights(-1, "weights on the host")
        states = self._states(-1)
        side: Side = "host" if self.use_device else "cpu"
        buffers = self._buffers()
        compute = (compute_component(self._network, buffers, side, self._everything),)
        output = (output_component(self._network, self.caches.n_seq_max),)
        runtime = (_host_runtime(),)
        working = (*weights, *states, *compute, *output, *runtime)
        return DeviceMemory(
            name="host",
            phases=(
                Phase(name="load", components=(*weights, *runtime)),
                Phase(name="prefill", components=working),
                Phase(name="decode", components=working),
            ),
        )

    @property
    def _everything(self) -> Stretch:
        return Stretch(0, self._network.n_layers, output=True)

    def _stretch(self, device: int) -> Stretch:
        """Return what a device computes: its layers, or where layers are left on the host, as if it had all of them."""
        layers = self.offload.layers
        if not self.offload.whole:
            return self._everything
        first = sum(1 for placed in layers if placed < device)
        return Stretch(first, first + layers.count(device), output=self.offload.output == device)

    @property
    def _pipelined(self) -> bool:
        """Whether devices work on one batch after another at the same time: only with everything on several of them."""
        several = max((*self.offload.layers, self.offload.output), default=0) > 0
        return several and self.offload.whole and self.offload_kqv and not self.cpu_moe

    def _weights(self, device: int, name: str) -> tuple[Component, ...]:
        mapped = device < 0 and self.caches.era == "2025" and self.cpu_moe
        offload = evolve(self.offload, layers=(-1,) * self._network.n_layers, output=-1) if mapped else self.offload
        found = weight_bytes(
            self._network,
            self.model.context_tokens,
            self.weight_format,
            offload,
            device,
            cpu_moe=self.cpu_moe,
            host_alignment=HOST_ALIGNMENT if self.use_device else 1,  # without a device used from the mapped file
        )
        return weight_components(found, name)

    def _states(self, device: int) -> tuple[Component, ...]:
        layers = self.offload.layers if self.offload_kqv else (-1,) * self._network.n_layers
        caches = cache_components(self._network, self.caches, layers, device)
        return caches + state_components(self._network, self.caches.n_seq_max, layers, device)

    def _homes(self) -> Homes | None:
        return homes_of(
            self._network,
            self.model.context_tokens,
            self.weight_format,
            self.offload,
            cpu_moe=self.cpu_moe,
            offload_kqv=self.offload_kqv,
        )

    def _buffers(self) -> BufferSettings:
        return BufferSettings(
            caches=self.caches,
            n_outputs=self.n_outputs,
            homes=self._homes() if self.use_device else None,
            fork=self.fork,
            pipelined=self._pipelined,
        )


@lru_cache(maxsize=1)
def _host_runtime() -> Component:
    inputs = (("host_runtime_bytes", _HOST_RUNTIME_BYTES),)
    interval = ByteRange(_HOST_RUNTIME_BYTES // 4, _HOST_RUNTIME_BYTES, 3 * _HOST_RUNTIME_BYTES)
    return Component(
        "runtime", "program and driver libraries", _HOST_RUNTIME_BYTES, "host_runtime_bytes", inputs, "assumed",
        None, interval,
    )
