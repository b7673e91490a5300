"""Which GPU belongs to whom: needed only where a derived blast strikes places rather than ranks.

Places are counted in atoms, the greatest common divisor of everything that moves together, not in single GPUs.
"""

from math import gcd

import numpy as np
from numpy.typing import NDArray

from dcsim.scenario import Plan

Atoms = NDArray[np.int64]
FREE, OUT = -1, -2


class Places:
    """One owner per atom: a gang's index, FREE or OUT (struck or in repair)."""

    def __init__(self, plan: Plan) -> None:
        topology, cluster = plan.topology, plan.scenario.cluster
        sizes = [cluster.gpus, *(gang.gpus for gang in plan.gangs)]
        for hazard in plan.scenario.hazards:
            if isinstance(hazard.blast, int):
                sizes.append(hazard.blast)
            elif hazard.struck_part == "gpu":
                sizes.append(1)
            else:
                sizes.append(topology.gpus_per_node)
        self.atom = gcd(*sizes)
        self.owner = np.full(cluster.gpus // self.atom, FREE, dtype=np.int64)
        for gang, place in zip(plan.gangs, plan.places.tolist(), strict=True):
            if place >= 0:
                self.owner[place // self.atom : (place + gang.gpus) // self.atom] = gang.index

    def members(self, owner: int) -> Atoms:
        """Return the atoms of an owner, ascending."""
        return np.flatnonzero(self.owner == owner)

    def strike(self, owner: int, first: int, gpus: int) -> Atoms:
        """Take ``gpus`` GPUs from rank ``first`` of an owner out of service; ranks follow the index."""
        atoms = self.members(owner)[first // self.atom : (first + gpus) // self.atom]
        self.owner[atoms] = OUT
        return atoms

    def any_up(self, low: int, high: int) -> bool:
        """Whether any of the GPUs [low, high) is in service."""
        return bool((self.owner[low // self.atom : -(-high // self.atom)] != OUT).any())

    def strike_span(self, low: int, high: int) -> tuple[list[tuple[int, int]], Atoms]:
        """Strike the GPUs [low, high) that are up; return ([(owner, GPUs)], atoms)."""
        start = low // self.atom
        owners = self.owner[start : high // self.atom]
        up = np.flatnonzero(owners != OUT)
        found, counts = np.unique(owners[up], return_counts=True)
        atoms = up + start
        self.owner[atoms] = OUT
        return [(int(owner), int(count) * self.atom) for owner, count in zip(found, counts, strict=True)], atoms

    def take(self, owner: int, gpus: int) -> None:
        """Give an owner the lowest free GPUs."""
        self.owner[self.members(FREE)[: gpus // self.atom]] = owner

    def cede(self, owner: int, gpus: int) -> None:
        """Free an owner's highest GPUs."""
        self.owner[self.members(owner)[-(gpus // self.atom) :]] = FREE

    def give_back(self, atoms: Atoms) -> None:
        """Free what has been repaired."""
        self.owner[atoms] = FREE
