"""The interconnect: switches and links as keys, what is left of them, and how much a job slows down."""

from dcsim.fabric.keys import FabricKeys, LeafKeys, Optics, SpineKeys, StorageKeys, shipped_optics
from dcsim.fabric.slowdown import md1_factor, stretch
from dcsim.fabric.wiring import core_of

__all__ = [
    "FabricKeys",
    "LeafKeys",
    "Optics",
    "SpineKeys",
    "StorageKeys",
    "core_of",
    "md1_factor",
    "shipped_optics",
    "stretch",
]
