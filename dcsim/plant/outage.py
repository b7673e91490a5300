"""What follows from a set of failed components: who goes down, who degrades, in the words of the topology."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dcsim.parts import PARTS, parts_of
from dcsim.plant.state import PlantState
from dcsim.topology import Topology


@dataclass(frozen=True)
class Outage:
    """``failed``: addresses; ``down``: ranges of nodes that go down, as (first, end); ``degraded``: what keeps only a
    share of something: (address, what, share)."""

    failed: tuple[str, ...]
    down: tuple[tuple[int, int], ...]
    gpus_down: int
    degraded: tuple[tuple[str, str, float], ...]


def outage(topology: Topology, failed: Sequence[tuple[str, int]]) -> Outage:
    """Return what follows from these components, (kind, index) each, being out together."""
    state = PlantState(topology)
    before = state.down.copy()
    direct = np.zeros(len(state.down), dtype=bool)
    for kind, index in failed:
        if kind in PARTS:
            state.lose(kind, index)
        else:
            low, high = topology.span(kind, index)
            direct[low // topology.gpus_per_node : -(-high // topology.gpus_per_node)] = True
    down = (state.down & ~before) | direct
    ends = np.flatnonzero(np.diff(np.concatenate([[0], down.astype(np.int8), [0]])))
    ranges = tuple((int(low), int(high)) for low, high in zip(ends[::2], ends[1::2], strict=True))
    per = topology.gpus_per_node
    gpus = sum(min(high * per, topology.gpus) - low * per for low, high in ranges)
    paths = tuple(topology.path(kind, index) for kind, index in failed)
    return Outage(paths, ranges, gpus, tuple(_degraded(state, down)))


def _degraded(state: PlantState, down: NDArray[np.bool_]) -> list[tuple[str, str, float]]:
    """Return what keeps only a share, the parts that are down left out."""
    found: list[tuple[str, str, float]] = []

    def below(kind: str, shares: NDArray[np.float64], what: str) -> None:
        for index in np.flatnonzero(shares < 1).tolist():
            low, high = state.topology.span(kind, index)
            nodes = slice(low // state.node_gpus, -(-high // state.node_gpus))
            if shares[index] > 0 and not down[nodes].all():
                found.append((state.topology.path(kind, index), what, float(shares[index])))

    if state.site < 1:
        found.append(("site", "power", state.site))
    if state.power:
        below("hall", state.hall, "power")
        below(state.power.per, state.supply, "power")
    for kind in parts_of("cooling"):
        if kind in state.topology.kinds:
            below(state.topology.kinds[kind].parent, state.of_parents(kind), "cooling")
    if state.fabric:
        below("node", state.access, "access links" if state.fabric.reroute else "access links of its worst NIC")
        below("segment", state.leaf, "uplinks of its worst leaf")
        below("pod", state.core, "uplinks to the cores")
    if state.topology.description.storage:
        left = state.left("gateway").mean()
        if left < 1:
            found.append(("storage", "gateways", float(left)))
    return found
