"""Which GPU belongs to whom: needed where components have an identity (derived blasts, ages, lemons, maintenance).

Places are counted in atoms, the greatest common divisor of everything that moves together, not in single GPUs.
"""

from math import gcd

import numpy as np
from numpy.typing import NDArray

from dcsim.hazards.hazard import SERVED
from dcsim.scenario import Plan

Atoms = NDArray[np.int64]
FREE, OUT = -1, -2


class Places:
    """One owner per atom: a gang's index, FREE or OUT (struck, in repair or in maintenance)."""

    def __init__(self, plan: Plan) -> None:
        topology, cluster = plan.topology, plan.scenario.cluster
        sizes = [cluster.gpus, *(gang.gpus for gang in plan.gangs)]
        if plan.has_plant:
            sizes.append(topology.gpus_per_node)  # the smallest thing that the plant serves
        for hazard in plan.scenario.hazards:
            if hazard.serves:
                continue
            if hazard.placed:
                sizes.append(topology.gpus_per(hazard.component))
            sizes.append(
                hazard.blast if isinstance(hazard.blast, int) else topology.gpus_per(hazard.struck_part or "gpu")
            )
        sizes += [
            topology.gpus_per(planned.component)
            for planned in plan.scenario.maintenance
            if planned.component not in SERVED
        ]
        held = cluster.in_rack_spares
        if held:
            sizes += [held, topology.gpus_per_rack]
        self.topology = topology
        self.atom = gcd(*sizes)
        self.owner = np.full(cluster.gpus // self.atom, FREE, dtype=np.int64)
        seats = plan.seats[:: self.atom] // self.atom
        for gang, place in zip(plan.gangs, plan.places.tolist(), strict=True):
            if place >= 0:
                self.owner[seats[place // self.atom : (place + gang.gpus) // self.atom]] = gang.index
        self.per_rack = topology.gpus_per_rack // self.atom if held else 0
        self.holes: dict[int, dict[int, int]] = {gang.index: {} for gang in plan.gangs} if held else {}

    # --- asking ---------------------------------------------------------------------------------------------------

    def span(self, part: str, index: int) -> tuple[int, int]:
        """Return the half-open range of a component's atoms."""
        low, high = self.topology.span(part, index)
        return low // self.atom, -(-high // self.atom)

    def in_service(self, span: tuple[int, int]) -> Atoms:
        """Return the atoms of a range that are in service, ascending."""
        return np.flatnonzero(self.owner[slice(*span)] != OUT) + span[0]

    def members(self, owner: int) -> Atoms:
        """Return the atoms of an owner, ascending."""
        return np.flatnonzero(self.owner == owner)

    def owners(self, atoms: Atoms) -> list[tuple[int, int]]:
        """Return (owner, GPUs) of these atoms, by owner."""
        found, counts = np.unique(self.owner[atoms], return_counts=True)
        return [(int(owner), int(count) * self.atom) for owner, count in zip(found, counts, strict=True)]

    def ranks(self, owner: int, first: int, gpus: int) -> Atoms:
        """Return the atoms of an owner's GPUs from rank ``first``; ranks follow the index."""
        return self.members(owner)[first // self.atom : (first + gpus) // self.atom]

    def blast_around(self, atom: int, blast: int) -> Atoms:
        """Return the group of ``blast`` GPUs that holds an atom among its owner's members in service."""
        members = self.members(int(self.owner[atom]))
        group = blast // self.atom
        first = int(np.searchsorted(members, atom)) // group * group
        return members[first : first + group]

    def following(self, owner: int, struck: Atoms) -> Atoms | None:
        """Return as many members that follow the struck ones, cyclic; None if there are too few."""
        others = np.setdiff1d(self.members(owner), struck)
        if len(others) < len(struck):
            return None
        first = int(np.searchsorted(others, struck[-1]))
        return np.sort(np.roll(others, -first)[: len(struck)])

    # --- moving ---------------------------------------------------------------------------------------------------

    def take_out(self, atoms: Atoms) -> None:
        """Take atoms out of service."""
        if self.holes:
            self._count_holes(atoms, 1)
        self.owner[atoms] = OUT

    def give_back(self, atoms: Atoms) -> None:
        """Free what was out of service."""
        self.owner[atoms] = FREE

    def take(self, owner: int, gpus: int) -> Atoms:
        """Give an owner the lowest free GPUs; with in-rack spares those of the racks where it lacks some."""
        wanted = gpus // self.atom
        taken = self.members(FREE)[:wanted]
        if self.holes:
            found: list[int] = []
            for rack, holes in sorted(self.holes[owner].items()):
                low = rack * self.per_rack
                free = np.flatnonzero(self.owner[low : low + self.per_rack] == FREE) + low
                found += free[: min(holes, wanted - len(found))].tolist()
            taken = np.array(found, dtype=np.int64)
        self.assign(owner, taken)
        return taken

    def assign(self, owner: int, atoms: Atoms) -> None:
        """Give an owner these free atoms."""
        self.owner[atoms] = owner
        if self.holes:
            self._count_holes(atoms, -1)

    def cede(self, owner: int, gpus: int) -> Atoms:
        """Free an owner's highest GPUs."""
        atoms = self.members(owner)[-(gpus // self.atom) :]
        self.owner[atoms] = FREE
        return atoms

    def reach(self, owner: int) -> int:
        """Return the free GPUs that lie in racks where the owner lacks some, as many as it lacks there."""
        found = 0
        for rack, holes in self.holes[owner].items():
            if holes:
                low = rack * self.per_rack
                found += min(holes, int((self.owner[low : low + self.per_rack] == FREE).sum()))
        return found * self.atom

    def _count_holes(self, atoms: Atoms, change: int) -> None:
        for atom in atoms.tolist():
            owner = int(self.owner[atom])
            if owner >= 0:
                holes = self.holes[owner]
                holes[atom // self.per_rack] = holes.get(atom // self.per_rack, 0) + change
