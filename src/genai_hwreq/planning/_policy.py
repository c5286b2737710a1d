"""How the recommendation table is derived: one stated policy for text, one for images, one for tiers."""

from __future__ import annotations

from typing import Any

from attrs import field, fields, frozen, has

from genai_hwreq._validators import count, fraction, positive
from genai_hwreq.engines import Engine, get_engine
from genai_hwreq.units import GIB, format_bytes

__all__ = ["ImagePolicy", "TablePolicy", "TextPolicy"]


def _text_engine() -> Engine:
    return get_engine("transformers")


def _image_engine() -> Engine:
    from genai_hwreq.engines.diffusers import Diffusers  # noqa: PLC0415  (an engine is loaded when it is needed)

    return Diffusers(attention="eager", enable_model_cpu_offload=True)


def _resident_engine() -> Engine:
    from genai_hwreq.engines.diffusers import Diffusers  # noqa: PLC0415

    return Diffusers(attention="eager")


@frozen(kw_only=True)
class TextPolicy:
    """What a language model is asked for."""

    precision: str = "int4"
    """Weight format: four bits with one scale a row, what most 4-bit programs come close to."""

    context_tokens: int = field(default=512, validator=positive)
    """Prompt and answer together: a question and a short answer."""

    grown_context_tokens: int = field(default=2048, validator=positive)
    """A longer conversation; where it does not fit the tier, the row is open."""

    batch_size: int = field(default=1, validator=positive)
    """Conversations at once."""

    engine: Engine = field(factory=_text_engine)
    """The program; its own defaults."""


@frozen(kw_only=True)
class ImagePolicy:
    """What an image pipeline is asked for. The size is the one the model was made for."""

    precision: str = "fp16"
    """Weight format: half precision, as these models are run."""

    batch_size: int = field(default=1, validator=positive)
    """Images at once."""

    engine: Engine = field(factory=_image_engine)
    """The program: attention scores in full, as before fused kernels, and one network on the device at a time."""

    grown_engine: Engine = field(factory=_resident_engine)
    """The same with every network on the device; where that does not fit the tier, the row is open."""


@frozen(kw_only=True)
class TablePolicy:
    """How needs become a recommendation. Nothing in it knows a model."""

    text: TextPolicy = field(factory=TextPolicy)
    """What language models are asked for."""

    image: ImagePolicy = field(factory=ImagePolicy)
    """What image pipelines are asked for."""

    smallest_vram_bytes: int = field(default=6 * GIB, validator=positive)
    """The smallest class of card; each class above has twice as much."""

    smallest_ram_bytes: int = field(default=16 * GIB, validator=positive)
    """The smallest class of host memory; each class above has twice as much."""

    headroom_fraction: float = field(default=0.03, validator=fraction)
    """Share of a card's memory that the driver and a display keep."""

    system_ram_bytes: int = field(default=3 * GIB, validator=count)
    """What the operating system and a few programs keep of host memory."""

    staged_copies: int = field(default=2, validator=positive)
    """Copies of the device's working set that pass through host memory while loading: one the process stages,
    one in the file cache it is read from."""

    largest_card_bytes: int = field(default=32 * GIB, validator=positive)
    """The largest card for a desktop; a class above it takes several devices, and its row is open."""

    def vram_tier_bytes(self, need_bytes: int) -> int:
        """Return the smallest class of card whose usable memory holds a need."""
        tier = self.smallest_vram_bytes
        while self.usable_bytes(tier) < need_bytes:
            tier *= 2
        return tier

    def ram_tier_bytes(self, need_bytes: int) -> int:
        """Return the smallest class of host memory that holds a need."""
        tier = self.smallest_ram_bytes
        while tier < need_bytes:
            tier *= 2
        return tier

    def usable_bytes(self, tier_bytes: int) -> int:
        """Return what a program can have of a card's memory."""
        return tier_bytes - round(tier_bytes * self.headroom_fraction)

    def ram_need_bytes(self, process_ram_bytes: int, vram_need_bytes: int) -> int:
        """Return what the host needs: the process's own peak or the staged working set, and the system."""
        return self.system_ram_bytes + max(process_ram_bytes, self.staged_copies * vram_need_bytes)

    def lines(self) -> tuple[str, ...]:
        """Say the policy in words, with its numbers."""
        text, image = self.text, self.image
        headroom = f"{self.headroom_fraction:.0%} of a card is left to driver and display"
        system = f"{format_bytes(self.system_ram_bytes)} for the system"
        staged = f"the larger of the process's own peak and {self.staged_copies} × the VRAM need"
        grown = f"{text.grown_context_tokens} tokens, or every network resident, do not fit the class"
        largest = f"it is above {format_bytes(self.largest_card_bytes)}, the largest desktop card"
        return (
            f"text: {text.precision}, {text.context_tokens} tokens, batch {text.batch_size}, {_settings(text.engine)}",
            f"images: {image.precision}, the model's own size, batch {image.batch_size}, {_settings(image.engine)}",
            f"VRAM: classes from {format_bytes(self.smallest_vram_bytes)}, doubling; {headroom}",
            f"RAM: classes from {format_bytes(self.smallest_ram_bytes)}, doubling; {system} and {staged}",
            f"+: {grown}, or {largest}",
        )


def _settings(engine: Engine) -> str:
    """Name an engine and its settings that are not the defaults."""
    record: Any = type(engine)
    if not has(record):
        return engine.name
    values = (
        (attribute.name, getattr(engine, attribute.name), attribute.default) for attribute in fields(record)
    )
    changed = [f"{name}={value!r}" for name, value, default in values if value != default]
    return " with ".join([engine.name, *filter(None, [", ".join(changed)])])
