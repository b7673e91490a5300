"""Whether what a scenario asks of the plant fits the topology: power at the start, phases, storage."""

from collections.abc import Iterator

from dcsim.plant import PlantState
from dcsim.scenario.errors import KeyPath
from dcsim.scenario.model import Job, Scenario
from dcsim.topology import Topology
from dcsim.units import DURATION, write

Broken = Iterator[tuple[KeyPath, str]]
"""Where, and what is wrong there."""


def plant_rules(scenario: Scenario, topology: Topology) -> Broken:
    """Yield every rule about the plant that a scenario of valid keys breaks."""
    yield from _healthy(topology)
    yield from _phases(scenario, topology)
    for index, job in enumerate(scenario.jobs):
        yield from _storage(job, ("jobs", index))


def _healthy(topology: Topology) -> Broken:
    """A plant in which nothing has failed must be able to run."""
    if topology.description.power is None and topology.description.cooling is None:
        return
    down = int(PlantState(topology).down.sum())
    if down:
        why = f"{down} of {topology.nodes} nodes have too little power or cooling even when nothing has failed"
        yield ("cluster", "topology"), f"found {topology.name}; {why}"


def _phases(scenario: Scenario, topology: Topology) -> Broken:
    taken: dict[str, int] = {}
    grids = 0
    site = topology.description.power.site if topology.description.power else None
    for index, phase in enumerate(scenario.energisation):
        path: KeyPath = ("energisation", index)
        if phase.name in taken:
            why = f'found "{phase.name}", the name of energisation.{taken[phase.name]} too; names must be unique'
            yield (*path, "name"), why
        taken.setdefault(phase.name, index)
        if (phase.racks is None) is not phase.grid:
            found = "both" if phase.grid else "neither"
            yield (*path, "racks"), f"found {found} of racks and grid = true; must be one of them"
        grids += phase.grid
        if phase.grid and not (site and site.feeds):
            yield (*path, "grid"), f"found true; topology {topology.name} describes no utility feeds of the site"
        elif phase.grid and grids > 1:
            yield (*path, "grid"), "found true a second time; there is one grid"
    racks = sum(phase.racks or 0 for phase in scenario.energisation)
    if racks > topology.racks:
        yield ("energisation",), f"found {racks} racks in phases; at most the {topology.racks} racks of the cluster"
    if scenario.energisation and scenario.cluster.in_rack_spares:
        yield ("energisation",), "found phases with in_rack_spares; jobs must lie in their racks from the start"


def _storage(job: Job, path: KeyPath) -> Broken:
    if job.storage is None:
        return
    recovery = job.recovery
    restore = recovery.tiers[-1].restore if recovery.tiers else recovery.restore
    if job.storage.load > restore:
        found, most = write(job.storage.load, DURATION), write(restore, DURATION)
        yield (*path, "storage", "load"), f"found {found}; at most restore = {most}, of which it is a part"
