"""What the convolution library takes beside the tensors: none of it follows from the network, all of it is fitted.

Next: _diffusers_passes.
"""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

from genai_hwreq.engines._autoencoder_passes import tile_sides
from genai_hwreq.estimates import Component, Fitted
from genai_hwreq.formulas import vae
from genai_hwreq.provenance import Source
from genai_hwreq.ranges import ByteRange

if TYPE_CHECKING:
    from genai_hwreq.engines._passes import MediaPass
    from genai_hwreq.models import UNet

__all__ = ["VAE_WORKSPACE_ELEMENTS", "convolution_workspace", "workspace"]

VAE_WORKSPACE_ELEMENTS = Fitted(
    value=240,
    fitted_on="FLUX.1 bf16 (261 elements a pixel) and SDXL fp32 (217) decodes on an A100; a P100 took four times as much",
    engine_versions="diffusers 0.2x to 0.3x, torch 2.0 to 2.4",
    source=Source(
        title="simple_sdxl_optimizations blog and FLUX memory tables: measured peak less the tensors alive",
        as_of=date(2026, 11, 22),
        url="https://huggingface.co/blog/simple_sdxl_optimizations",
    ),
)
"""What cuDNN allocates beside the tensors while it decodes, in elements a pixel."""

OLD_GPU_WORKSPACE_ELEMENTS = Fitted(
    value=1000,
    fitted_on="fp16 decodes of SD 1.4, SD 2.1 and PixArt on a P100: 0.86 GiB where the tensors take 0.375",
    engine_versions="diffusers 0.2x to 0.3x, torch 2",
    source=Source(
        title="diffusers memory table on a Tesla P100: measured peaks under sequential offload",
        as_of=date(2026, 11, 25),
    ),
)
"""The same on a GPU without tensor cores, in 16 bit, in elements a pixel; in fp32 nothing is seen there."""

FREED_WORKSPACE_ELEMENTS = Fitted(
    value=285,
    fitted_on="SDXL fp16, four images of 1024 pixels on an A100 with model and with sequential offload: 20.2 and 19.9 GiB",
    engine_versions="diffusers 0.2x, torch 2.1",
    source=Source(
        title="simple_sdxl_optimizations blog: measured peak less weights and the tensors alive",
        as_of=date(2026, 11, 25),
        url="https://huggingface.co/blog/simple_sdxl_optimizations",
    ),
)
"""What a decode takes on top where weights have left: cuDNN chooses algorithms by the memory that is free."""

UNET_WORKSPACE_WIDTHS = Fitted(
    value=97,
    fitted_on="SDXL fp16, four images of 1024 pixels with guidance and sliced decoding on an A100: 15.4 GiB in all",
    engine_versions="diffusers 0.2x, torch 2.1",
    source=Source(
        title="simple_sdxl_optimizations blog: measured peak less weights and the tensors alive",
        as_of=date(2026, 11, 25),
        url="https://huggingface.co/blog/simple_sdxl_optimizations",
    ),
)
"""What cuDNN takes while a residual block of the finest level runs, in tensors as wide as the level."""

_FREED_WIDTHS = 34
"""What it takes on top under sequential offload, in the same run."""

_FIRST_WITH_TENSOR_CORES = 7
"""Major compute capability of the first GPUs with tensor cores."""
_TRANSFORMED = 4
"""Elements that a 3×3 filter becomes, to one of its own, when outputs are computed in blocks of 4×4: 36 for 9."""
_FP32_BYTES = 4
_WIDTHS = "batch_size * pixels * width * workspace_widths * element_bytes"


def _lacks_tensor_cores(run: MediaPass) -> bool:
    """Tell whether the device is known to be older than tensor cores."""
    return run.compute_major is not None and run.compute_major < _FIRST_WITH_TENSOR_CORES


def workspace(run: MediaPass, tile_px: int = 512) -> tuple[Component, ...]:
    """Return what the convolution library takes beside the tensors."""
    images = 1 if run.vae_slicing else run.batch_size
    width, height = tile_sides(run, tile_px)
    fitted, elements = VAE_WORKSPACE_ELEMENTS, VAE_WORKSPACE_ELEMENTS.value
    if _lacks_tensor_cores(run):
        fitted = OLD_GPU_WORKSPACE_ELEMENTS
        elements = fitted.value if run.vae_bytes < _FP32_BYTES else 0
    values = (images, width * height, elements, run.vae_bytes)
    names = ("batch_size", "pixels", "workspace_elements", "element_bytes")
    size = vae.workspace_bytes(*values)
    inputs = tuple(zip(names, values, strict=True))
    most = 4 * images * width * height * VAE_WORKSPACE_ELEMENTS.value * run.vae_bytes
    span = ByteRange(0, size, max(size, most))
    own = Component(
        "compute_buffer", "convolution workspace", size, vae.WORKSPACE, inputs, "fitted", fitted.source, span
    )
    if fitted is OLD_GPU_WORKSPACE_ELEMENTS:
        return (own,)
    return (own, *_freed(run, images * width * height * int(FREED_WORKSPACE_ELEMENTS.value) * run.vae_bytes))


def _freed(run: MediaPass, wanted: int) -> tuple[Component, ...]:
    """Return what is taken of the memory that offloaded weights leave; nothing where none left."""
    if not run.freed_bytes:
        return ()
    size = min(wanted, run.freed_bytes)
    inputs = (("wanted_bytes", wanted), ("freed_bytes", run.freed_bytes))
    formula, source = "min(wanted_bytes, freed_bytes)", FREED_WORKSPACE_ELEMENTS.source
    name = "convolution workspace, of freed memory"
    return (
        Component("compute_buffer", name, size, formula, inputs, "fitted", source, ByteRange(0, size, size)),
    )


def convolution_workspace(network: UNet, run: MediaPass, pixels: int) -> tuple[Component, ...]:
    """Return what a residual block of the finest level takes; nothing where workspaces are not counted."""
    if not run.cudnn_workspaces:
        return ()
    if _lacks_tensor_cores(run):
        return (_transformed_filters(network),)
    unit = run.samples * pixels * network.levels[0].width * run.element_bytes
    widths = int(UNET_WORKSPACE_WIDTHS.value)
    values = (run.samples, pixels, network.levels[0].width, widths, run.element_bytes)
    names = ("batch_size", "pixels", "width", "workspace_widths", "element_bytes")
    size = unit * widths
    inputs = tuple(zip(names, values, strict=True))
    source, span = UNET_WORKSPACE_WIDTHS.source, ByteRange(size // 8, size, size * 4 // 3)
    own = Component("compute_buffer", "convolution workspace", size, _WIDTHS, inputs, "fitted", source, span)
    return (own, *_freed(run, unit * _FREED_WIDTHS))


def _transformed_filters(network: UNet) -> Component:
    """Return what GPUs without tensor cores take for the largest convolution: its filters, transformed, in fp32.

    Measured denoising of SD 1.4, SD 2.1 and SDXL on a P100 took 0.37 to 0.54 GB more than its tensors, whatever
    the batch; the largest filters transformed are 0.47 GB.
    """
    largest = max(tensor.n_elements for tensor in network.tensors() if tensor.role == "convolution")
    values = (("filter_elements", largest), ("transformed", _TRANSFORMED), ("element_bytes", _FP32_BYTES))
    size = largest * _TRANSFORMED * _FP32_BYTES
    formula = "filter_elements * transformed * element_bytes"
    source = OLD_GPU_WORKSPACE_ELEMENTS.source
    span = ByteRange(size // 2, size, 2 * size)
    return Component("compute_buffer", "convolution workspace", size, formula, values, "fitted", source, span)
