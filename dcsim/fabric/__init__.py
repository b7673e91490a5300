"""The interconnect: switches and links as keys, what is left of them, and how much a job slows down."""

from dcsim.fabric.keys import FabricKeys, LeafKeys, Optics, SpineKeys, StorageKeys, shipped_optics
from dcsim.fabric.shares import access_share, core_of, core_share, leaf_share, uplink_means
from dcsim.fabric.slowdown import md1_factor, stretch

__all__ = [
    "FabricKeys",
    "LeafKeys",
    "Optics",
    "SpineKeys",
    "StorageKeys",
    "access_share",
    "core_of",
    "core_share",
    "leaf_share",
    "md1_factor",
    "shipped_optics",
    "stretch",
    "uplink_means",
]
