"""A named class of machine with its bounds."""

from __future__ import annotations

from attrs import field, frozen

from genai_hwreq._types import Bytes
from genai_hwreq._validators import non_empty, one_of, optional_positive, positive, slug
from genai_hwreq.hardware._storage import STORAGE_KINDS, StorageKind
from genai_hwreq.provenance import Source

__all__ = ["Tier"]


@frozen(kw_only=True)
class Tier:
    """The least that a machine of this class has."""

    id: str = field(validator=slug)
    """Lower-case name that is unique in the catalog."""

    name: str = field(validator=non_empty)
    """Name as people write it."""

    n_cpu_cores: int = field(validator=positive)
    """Least physical cores."""

    ram_bytes: Bytes = field(validator=positive)
    """Least memory of the host."""

    vram_bytes: Bytes = field(validator=positive)
    """Least memory of its largest accelerator."""

    storage_kind: StorageKind = field(validator=one_of(*STORAGE_KINDS))
    """Slowest kind of drive."""

    storage_bytes: Bytes = field(validator=positive)
    """Smallest drive."""

    ideal_ram_bytes: Bytes | None = field(default=None, validator=optional_positive)
    """Memory of the host that leaves room, where the class names one."""

    ideal_vram_bytes: Bytes | None = field(default=None, validator=optional_positive)
    """Memory of an accelerator that leaves room, where the class names one."""

    example_cpus: tuple[str, ...] = ()
    """Ids of processors named as examples."""

    example_accelerators: tuple[str, ...] = ()
    """Ids of accelerators named as examples."""

    aliases: tuple[str, ...] = ()
    """Other names it is looked up by."""

    sources: tuple[Source, ...] = field(validator=non_empty)
    """Where the bounds come from."""

    notes: tuple[str, ...] = ()
    """What else one should know."""
