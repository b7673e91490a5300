"""Kinds of component: which part holds which, how many, and how one is addressed (``rack/3/shelf/1``)."""

from dataclasses import dataclass

from dcsim.parts import KINDS, PARTS, UNITS
from dcsim.problems import not_one_of
from dcsim.topology.description import TopologyDescription, TopologyError
from dcsim.wording import shown

ALIASES = {"tray": "node"}


@dataclass(frozen=True)
class Kind:
    """One kind of component. ``per``: how many one ``parent`` holds; 0: its size says it (racks, segments)."""

    name: str
    parent: str
    per: int


def kinds_of(description: TopologyDescription, pods: int) -> dict[str, Kind]:
    """Return the kinds that a cluster of so many pods has, by name, in the order of a tour from GPU to site."""
    kinds = {}
    for row in KINDS:
        per = row.per(description, pods)
        if per is not None:
            parent = row.parent if isinstance(row.parent, str) else row.parent(description)
            kinds[row.name] = Kind(row.name, parent, per)
    return kinds


def named(kind: str, kinds: dict[str, Kind], name: str) -> str:
    """Return the name of a kind that a topology has; raises TopologyError for any other."""
    found = ALIASES.get(kind, kind)
    if found in kinds:
        return found
    allowed = [each for known in kinds for each in ((known, "tray") if known == "node" else (known,))]
    if kind in (*PARTS, *UNITS):
        told = f"found {shown(kind)}, which a {name} of this size does not have"
        raise TopologyError([not_one_of(allowed, kind, told, hint="")])
    raise TopologyError([not_one_of(allowed, kind)])
