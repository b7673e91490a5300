"""A plant whose components fail and return one by one, for whoever asks about one of them.

The rules are those of ``dcsim.plant.changes``, as plain Python on arrays; runs of a simulation call the same ones.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dcsim.parts import PARTS
from dcsim.plant.changes import begin_shares, lose_part, restore_part, switch_racks
from dcsim.plant.demand import Demand
from dcsim.plant.supply import power_of
from dcsim.plant.tables import PLANT, PLANT_TABLES, PlantTables, Tables, component_tables, plant_tables
from dcsim.topology import Topology

Shares = NDArray[np.float64]
Nodes = NDArray[np.int64]
Range = tuple[int, int]
NOTHING: Range = (0, 0)


@dataclass
class Change:
    """What one change has done: nodes that went down and came up; where it has changed the network: a range of nodes
    that holds all whose share of links it has, and those of segments and pods whose share of uplinks it has."""

    down: Nodes = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    up: Nodes = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    nodes: Range = NOTHING
    segments: Range = NOTHING
    pods: Range = NOTHING


class PlantState:
    """The changing part of a plant: shares are arrays by node, rack, segment, ..., as ``PLANT_TABLES`` says."""

    def __init__(self, topology: Topology) -> None:
        self.topology, self.demand = topology, Demand(topology)
        description = topology.description
        self.fabric, self.power, self.cooling = description.fabric, description.power, description.cooling
        self.node_gpus = topology.gpus_per_node
        self._keeps: dict[str, dict[float, None]] = {}  # in the order in which they came
        self._lost: dict[tuple[str, int], int] = {}
        tables = plant_tables(topology, self._keeps)
        self.tables = shown(tables)
        self._plant = self.tables.plant
        self.down: NDArray[np.bool_] = tables["down"]
        self.access, self.leaf, self.core = tables["access"], tables["leaf"], tables["core"]
        self.supply, self.hall = tables["supply"], tables["hall"]
        self.domain = tables["domain"]
        if not self.fabric:
            self.access = np.ones(topology.nodes)
        begin_shares(self.tables)

    @property
    def site(self) -> float:
        """Share of the power that the site asks for."""
        return float(self._plant.site)

    @property
    def short(self) -> bool:
        """Whether anything has less power or cooling than it asks for."""
        return bool(self._plant.short)

    # --- changes --------------------------------------------------------------------------------------------------

    def lose(self, kind: str, index: int, keeps: float = 0.0) -> Change:
        """A component keeps only this share; several hazards may hold it at once, the worst of them counts."""
        self._admit(kind, keeps)
        self._lost[kind, index] = self._lost.get((kind, index), 0) + 1
        before = self.down.copy()
        lose_part(self.tables, PARTS.index(kind), index, keeps)
        return self._change(before)

    def restore(self, kind: str, index: int, keeps: float = 0.0) -> Change:
        """What was lost with the same ``keeps`` is given back."""
        self._lost[kind, index] -= 1
        if not self._lost[kind, index]:
            del self._lost[kind, index]
        before = self.down.copy()
        restore_part(self.tables, PARTS.index(kind), index, keeps)
        return self._change(before)

    def darken(self, racks: Range) -> Change:
        """Racks have no power yet."""
        return self._switch(racks, 1)

    def energise(self, racks: Range) -> Change:
        """Racks are energised."""
        return self._switch(racks, 0)

    def _switch(self, racks: Range, dark: int) -> Change:
        before = self.down.copy()
        switch_racks(self.tables, *racks, dark)
        return self._change(before)

    def _change(self, before: NDArray[np.bool_]) -> Change:
        p = self._plant
        reached = (p.first_node, p.end_node), (p.first_segment, p.end_segment), (p.first_pod, p.end_pod)
        return Change(np.flatnonzero(self.down & ~before), np.flatnonzero(before & ~self.down), *reached)

    def _admit(self, kind: str, keeps: float) -> None:
        """Make room for the state of a kind of which nothing has failed so far, or not with this ``keeps``."""
        if keeps in self._keeps.setdefault(kind, {}):
            return
        self._keeps[kind][keeps] = None
        old, new = self.tables, component_tables(self.topology, self._keeps)
        for before, after in zip(old.plant_kinds, rows_of(new["plant_kinds"]), strict=True):
            if before.first >= 0:
                rows, into = (slice(each.first, each.first + each.count) for each in (before, after))
                new["left"][into] = old.left[rows]
                new["held"][into, : old.held.shape[1]] = old.held[rows]
                parents = -(-before.count // before.per)
                rows, into = (slice(each.first_parent, each.first_parent + parents) for each in (before, after))
                new["of_parent"][into] = old.of_parent[rows]
        vars(old).update(new, plant_kinds=rows_of(new["plant_kinds"]))

    # --- what is left ---------------------------------------------------------------------------------------------

    def left(self, kind: str) -> Shares:
        """Share that is left of every component of a kind, (components,)."""
        line = self.tables.plant_kinds[PARTS.index(kind)]
        share: Shares = self.tables.left[line.first : line.first + line.count]
        return share if line.first >= 0 else np.ones(line.count)

    def of_parents(self, kind: str) -> Shares:
        """Share that the parts of a kind leave each of their parents, (parents,); 1 of a kind that nothing asks."""
        line = self.tables.plant_kinds[PARTS.index(kind)]
        parents = -(-line.count // max(1, line.per))
        share: Shares = self.tables.of_parent[line.first_parent : line.first_parent + parents]
        return share if line.first >= 0 else np.ones(parents)

    def lost(self) -> Iterator[tuple[str, int]]:
        """Yield (kind, index) of every component that is not whole."""
        yield from self._lost

    def powered(self, nodes: Nodes) -> Shares:
        """Return the share of full power (and cooling) that each of these nodes gets, (nodes,)."""
        of = nodes if self._plant.per_node else self.tables.rack_of[nodes]
        units, which = np.unique(of, return_inverse=True)
        shares: Shares = np.array([power_of(self.tables, unit) for unit in units.tolist()], dtype=np.float64)[which]
        return shares


def shown(tables: Tables) -> PlantTables:
    """Return the tables of a plant as plain rules read them: the same arrays, but records as rows with names."""
    plant = PlantTables()
    vars(plant).update({name: tables[name] for name in PLANT_TABLES})
    vars(plant).update(plant=rows_of(tables["plant"])[0], plant_kinds=rows_of(tables["plant_kinds"]))
    return plant


def as_arrays(plant: PlantTables) -> NDArray[Any]:
    """Return the record ``plant`` of what ``shown`` gave and rules have changed, as a table."""
    return np.array([tuple(vars(plant.plant).values())], dtype=PLANT)


def rows_of(table: NDArray[Any]) -> list[SimpleNamespace]:
    """Return the rows of a table of records; reading one of numpy's takes far longer, and none by name."""
    names = table.dtype.names or ()
    return [SimpleNamespace(**dict(zip(names, row, strict=True))) for row in table.tolist()]
