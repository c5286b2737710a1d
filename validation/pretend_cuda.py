"""Pretend that PyTorch sees one CUDA device, so that autograd's engine goes back through fake CUDA tensors.

To be called before torch is imported: it asks for its hooks once.
"""

from __future__ import annotations

import ctypes
import importlib.util
import subprocess
import tempfile
from pathlib import Path

CUDA_HOOKS = """#include <ATen/detail/CUDAHooksInterface.h>
#include <c10/core/impl/DeviceGuardImplInterface.h>
struct Guard : c10::impl::NoOpDeviceGuardImpl<c10::DeviceType::CUDA> {
  c10::Device getDevice() const override { return c10::Device(c10::DeviceType::CUDA, 0); }
  c10::Device exchangeDevice(c10::Device) const override { return c10::Device(c10::DeviceType::CUDA, 0); }
  c10::Stream getStream(c10::Device) const noexcept override {
    return c10::Stream(c10::Stream::DEFAULT, c10::Device(c10::DeviceType::CUDA, 0));
  }
};
static c10::impl::DeviceGuardImplRegistrar registrar(c10::DeviceType::CUDA, new Guard());
namespace at {
struct CUDAHooks : CUDAHooksInterface {
  explicit CUDAHooks(CUDAHooksArgs) {}
  void init() const override {}
  bool hasCUDA() const override { return true; }
  bool isBuilt() const override { return true; }
  bool isAvailable() const override { return true; }
  bool hasPrimaryContext(DeviceIndex) const override { return true; }
  DeviceIndex deviceCount() const override { return 1; }
  DeviceIndex current_device() const override { return 0; }
};
REGISTER_CUDA_HOOKS(CUDAHooks)
}
"""


def pretend() -> None:
    """Build and load the hooks."""
    folder = Path(tempfile.mkdtemp())
    source, library = folder / "hooks.cpp", folder / "hooks.so"
    source.write_text(CUDA_HOOKS)
    spec = importlib.util.find_spec("torch")
    assert spec is not None
    assert spec.origin is not None
    root = Path(spec.origin).parent
    options = [
        "-std=c++20",
        "-fPIC",
        "-shared",
        f"-I{root}/include",
        f"-L{root}/lib",
        "-lc10",
        "-ltorch_cpu",
        f"-Wl,-rpath,{root}/lib",
    ]
    subprocess.run(["g++", str(source), *options, "-o", str(library)], check=True)
    ctypes.CDLL(str(library))
