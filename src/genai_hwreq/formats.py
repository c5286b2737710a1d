"""How weights are stored: plain types, blocks, groups with scales, and formats that give each role its storage.

Storage is exact: a tensor's bytes follow from its rows and their length, never from rounded bits per weight.
Bits per weight is a property for display.

Next: models.
"""

from __future__ import annotations

from typing import Literal

from attrs import Factory, field, frozen

from genai_hwreq._validators import count, non_empty, positive
from genai_hwreq.provenance import Source

__all__ = ["BlockType", "Format", "GroupType", "MeanType", "PlainType", "RecipeFormat", "Storage", "WeightFormat"]


@frozen
class PlainType:
    """Elements stored one by one, such as `bf16` or per-channel `int4`."""

    name: str = field(validator=non_empty)
    """Name of the type."""

    bits: int = field(validator=positive)
    """Bits of one element."""

    @property
    def bits_per_weight(self) -> float:
        """Bits per weight, for display."""
        return self.bits


@frozen(kw_only=True)
class BlockType:
    """Blocks of elements inside a row, each stored with its own scales (GGML types, MXFP4)."""

    name: str = field(validator=non_empty)
    """Name of the type."""

    block_elements: int = field(validator=positive)
    """Elements of one block."""

    block_bytes: int = field(validator=positive)
    """Bytes of one block, scales and all."""

    @property
    def bits_per_weight(self) -> float:
        """Bits per weight, for display."""
        return 8 * self.block_bytes / self.block_elements


@frozen(kw_only=True)
class GroupType:
    """Codes of few bits beside separate scales (and zero points), one for each group of elements."""

    name: str = field(validator=non_empty)
    """Name of the type."""

    code_bits: int = field(validator=positive)
    """Bits of one element's code."""

    group_elements: int = field(validator=count)
    """Elements that share a scale; zero where a whole row does."""

    scale_bits: int = field(validator=count)
    """Bits of one scale."""

    zero_bits: int = field(default=0, validator=count)
    """Bits of one zero point; zero without one."""

    super_group_elements: int = field(default=0, validator=count)
    """Elements that share a scale of scales (double quantisation); zero without one."""

    super_scale_bits: int = field(default=0, validator=count)
    """Bits of one scale of scales."""

    row_index_bits: int = field(default=0, validator=count)
    """Bits kept for each input column, such as GPTQ's group index; zero without one."""

    tensor_bytes: int = field(default=0, validator=count)
    """Bytes kept once for each matrix, such as AQLM's codebooks; zero without any."""

    @property
    def bits_per_weight(self) -> float:
        """Bits per weight of a large matrix, for display."""
        bits = float(self.code_bits)
        if self.group_elements:
            bits += (self.scale_bits + self.zero_bits) / self.group_elements
        if self.super_group_elements:
            bits += self.super_scale_bits / self.super_group_elements
        return bits


@frozen(kw_only=True)
class MeanType:
    """A mixture whose mean is set beforehand (EXL2, EXL3): only the mean is known, not each matrix's share."""

    name: str = field(validator=non_empty)
    """Name of the type."""

    milli_bits: int = field(validator=positive)
    """Thousandths of a bit per weight, scales included."""

    @property
    def bits_per_weight(self) -> float:
        """Bits per weight, for display."""
        return self.milli_bits / 1000


Storage = PlainType | BlockType | GroupType | MeanType
"""How the elements of one tensor are stored."""

HALF = PlainType("16-bit", 16)
"""What most formats keep unquantised tensors in."""


@frozen(kw_only=True, cache_hash=True)
class WeightFormat:
    """A weight format: which storage each part of a model gets."""

    id: str = field(validator=non_empty)
    """Lower-case name that is unique in the catalog."""

    name: str = field(validator=non_empty)
    """Name as people write it."""

    aliases: tuple[str, ...] = ()
    """Other names it is looked up by."""

    matrices: Storage
    """Storage of the linear layers' weights."""

    experts: Storage = Factory(lambda self: self.matrices, takes_self=True)
    """Storage of routed experts; as the other matrices unless stated."""

    embedding: Storage = HALF
    """Storage of the token embedding."""

    head: Storage = Factory(lambda self: self.embedding, takes_self=True)
    """Storage of the head; as the embedding unless stated."""

    rest: Storage = HALF
    """Storage of everything else: norms, biases, routers, convolutions, states."""

    engines: tuple[str, ...] = ()
    """Programs that run it; empty where every program does."""

    compute_capability: str | None = None
    """Least CUDA compute capability it needs; `None` where any will do."""

    confidence: Literal["high", "medium", "low"] = "high"
    """How far the facts can be trusted."""

    note: str | None = None
    """What the reader should know about the entry."""

    sources: tuple[Source, ...] = ()
    """Where the facts were read."""

    @property
    def bits_per_weight(self) -> float:
        """Bits per weight of the linear layers, for display."""
        return self.matrices.bits_per_weight


@frozen(kw_only=True, cache_hash=True)
class RecipeFormat:
    """A GGUF file type: a base block type, and rules that raise some tensors above it."""

    id: str = field(validator=non_empty)
    """Lower-case name that is unique in the catalog."""

    name: str = field(validator=non_empty)
    """Name as people write it."""

    aliases: tuple[str, ...] = ()
    """Other names it is looked up by."""

    recipe: str = field(validator=non_empty)
    """The file type in llama.cpp's spelling, such as `Q4_K_M`."""

    typical_milli_bits: int = field(validator=positive)
    """Thousandths of a bit per weight of a whole Llama-3.1-8B file, for display."""

    engines: tuple[str, ...] = ()
    """Programs that run it."""

    confidence: Literal["high", "medium", "low"] = "high"
    """How far the facts can be trusted."""

    note: str | None = None
    """What the reader should know about the entry."""

    sources: tuple[Source, ...] = ()
    """Where the facts were read."""

    @property
    def bits_per_weight(self) -> float:
        """Bits per weight of a whole Llama-3.1-8B file, for display."""
        return self.typical_milli_bits / 1000


Format = WeightFormat | RecipeFormat
"""Anything `precision=` can name."""
