"""The denoiser of an image or video model as a stack of blocks: how many, how wide, and what their matrices put out.

Next: _media_training.
"""

from __future__ import annotations

from collections import Counter
from functools import lru_cache
from typing import TYPE_CHECKING

from attrs import frozen

from genai_hwreq.formulas import dit
from genai_hwreq.formulas.weights import ceil_div
from genai_hwreq.models import (
    EnumeratedNetwork,
    Inventory,
    Pipeline,
    SizedModel,
    Tensor,
    TensorGroup,
    TokenWork,
    network_inventory,
)

if TYPE_CHECKING:
    from genai_hwreq.training import Lora, Training

__all__ = ["Denoiser", "adapter_pairs", "denoiser_of", "full_tensors"]


@frozen(kw_only=True)
class Denoiser:
    """The network that is trained."""

    inventory: Inventory
    """Its weights."""

    n_blocks: int
    """Blocks that follow one another."""

    width: int
    """Width of the stream between them."""

    mean_outputs: int
    """Elements that the matrices of a block put out for an image token, a mean over the blocks."""

    latent_scale: int = 8
    """Pixels along the side of a latent element."""

    patch: int = 2
    """Latent elements along the side of a token."""

    frame_scale: int = 4
    """Frames of one latent frame."""

    text_tokens: int = 256
    """Tokens of a caption."""

    usual_px: tuple[int, int] = (1024, 1024)
    """Height and width it was made for."""

    def n_tokens(self, training: Training) -> int:
        """Return the tokens of one sample: patches of all latent frames, and the caption's."""
        height, width = training.image_px or self.usual_px
        frames = dit.latent_frames(training.frames or 1, self.frame_scale)
        side = self.latent_scale * self.patch
        return ceil_div(height, side) * ceil_div(width, side) * frames + self.text_tokens


@lru_cache(maxsize=256)
def denoiser_of(model: Pipeline | SizedModel) -> Denoiser | None:
    """Return the denoiser of a model, or `None` where it has none."""
    if isinstance(model, SizedModel):
        sizes = [part.n_params for part in model.networks if part.role == "denoiser"]
        return _typical(max(sizes)) if sizes else None
    parts = [part for part in model.networks if part.role == "denoiser"]
    if not parts:
        return None
    network = parts[0].network
    if not isinstance(network, EnumeratedNetwork) or not isinstance(network.work, TokenWork):
        return _typical(network_inventory(parts[0]).n_params)
    blocks = [group for group in network.groups if group.name == "layers"]
    n_blocks = sum(group.n_copies for group in blocks)
    outputs = sum(group.n_copies * _outputs(group) for group in blocks)
    widths = Counter(
        tensor.row_elements for group in blocks for tensor in group.tensors if len(tensor.shape) > 1
    )
    return Denoiser(
        inventory=Inventory(groups=network.groups), n_blocks=n_blocks, width=widths.most_common(1)[0][0],
        mean_outputs=outputs // n_blocks, latent_scale=model.latent_scale, patch=network.work.patch,
        frame_scale=model.frame_scale, text_tokens=model.text_tokens, usual_px=(model.height_px, model.width_px),
    )  # fmt: skip


_NOT_FOR_IMAGES = ("context", "add_", "added", "txt", "mod.", "mod_", "norm", "adaln")
"""Parts of names of matrices that work on captions or on the time step, not on every image token."""


_CHOSEN_EXPERTS = 2
"""Routed experts that a token passes, in the pipelines that have any."""


def _outputs(group: TensorGroup) -> int:
    works = [tensor for tensor in group.tensors if _works_on_images(tensor)]
    routed = [tensor for tensor in works if tensor.role.startswith("expert_")]
    n_experts = max(1, sum(tensor.role == "expert_down" for tensor in routed))
    everywhere = sum(tensor.n_rows for tensor in works) - sum(tensor.n_rows for tensor in routed)
    return everywhere + sum(tensor.n_rows for tensor in routed) * min(_CHOSEN_EXPERTS, n_experts) // n_experts


def _works_on_images(tensor: Tensor) -> bool:
    if len(tensor.shape) != 2 or any(word in tensor.name.casefold() for word in _NOT_FOR_IMAGES):
        return False
    return not any(word.endswith("_t") for word in tensor.name.split("."))


def _typical(n_params: int) -> Denoiser:
    """Return a network of which only the size is known: twelve squares of its width a block, a block for each 64."""
    width = 64 * max(1, round((n_params / (12 * 64 * 64)) ** (1 / 3)))
    n_blocks = max(1, n_params // (12 * width * width))
    tensor = Tensor("weights", "projection", (1, n_params))
    inventory = Inventory(groups=(TensorGroup(name="layers", tensors=(tensor,)),))
    return Denoiser(inventory=inventory, n_blocks=n_blocks, width=width, mean_outputs=9 * width)


def full_tensors(denoiser: Denoiser) -> tuple[tuple[Tensor, int], ...]:
    """Return every tensor with its copies."""
    return tuple(denoiser.inventory)


_USUAL_TARGETS = ("to_q", "to_k", "to_v", "to_out.0")


def adapter_pairs(denoiser: Denoiser, lora: Lora) -> tuple[tuple[Tensor, int], ...]:
    """Return the adapters of every targeted matrix; of a network known by size, those of four matrices a block."""
    targets = _USUAL_TARGETS if "all-linear" in lora.targets else lora.targets
    found: list[tuple[Tensor, int]] = []
    for tensor, copies in denoiser.inventory:
        name = tensor.name.removesuffix(".weight")
        if len(tensor.shape) == 2 and any(
            name == target or name.endswith(f".{target}") for target in targets
        ):
            found += [(pair, copies) for pair in _pair(name, tensor.n_rows, tensor.row_elements, lora)]
    if not found:
        pairs = _pair("attention", denoiser.width, denoiser.width, lora)
        found = [(pair, 4 * denoiser.n_blocks) for pair in pairs]
    return tuple(found)


def _pair(name: str, rows: int, columns: int, lora: Lora) -> tuple[Tensor, ...]:
    down = Tensor(f"{name}.adapter_down", "projection", (lora.rank, columns))
    return (down, Tensor(f"{name}.adapter_up", "projection", (rows, lora.rank)))
