"""What the plant of a run answers: who is down, how much power and network is left. All of it is asked of Python."""

from copy import deepcopy

import numpy as np

from dcsim.plant import PlantState
from dcsim.program import records
from dcsim.program.program import Runs
from dcsim.program.records import FREE, NONE, OUT, PPB

POWERS = frozenset({"psu", "shelf", "busway", "feed", "site-feed", "generator", "cdu"})
"""Kinds whose failure may leave nodes less power or cooling than they ask for."""


class PlantAnswers:
    """The plant of one run at a time: ``PlantState`` and ``Traffic`` behind the questions that rules ask."""

    def __init__(self, runs: Runs) -> None:
        self.runs, self.plan = runs, runs.plan
        scenario, description = self.plan.scenario, self.plan.topology.description
        self.has_traffic = bool(description.fabric and any(job.comm for job in scenario.jobs))
        self.has_storage = bool(description.storage and any(job.storage for job in scenario.jobs))
        self.atom = int(runs.program.tables["one"]["atom"][0])
        self.per_node = self.plan.topology.gpus_per_node // self.atom
        self.put_off: list[int] = []
        self.healthy = PlantState(self.plan.topology)
        parts = (self.healthy.topology, self.healthy.demand, description.fabric, description.power, description.cooling)
        self.shared = {id(part): part for part in parts}  # what no run changes

    def begin(self) -> None:
        """Set the plant to t = 0 of a run: phases that come later are dark, and gangs that lie on them wait."""
        world, plan = self.runs.world, self.plan
        self.plant, self.put_off = deepcopy(self.healthy, dict(self.shared)), []
        one = world.tables["one"]
        one["has_plant"], one["has_traffic"], one["has_storage"] = True, self.has_traffic, self.has_storage
        one["node"], one["phases"] = self.per_node, len(plan.scenario.energisation)
        nodes, gangs = len(self.plant.down), len(plan.gangs)
        world.put("down", self.plant.down)
        world.put("changed", np.zeros(nodes, dtype=np.int64))
        world.put("reach", np.zeros(7, dtype=np.int64))
        world.put("node_power", np.full(nodes, PPB, dtype=np.int64))
        world.put("capacity", np.zeros(1))
        world.put("transfers", np.zeros(gangs, dtype=records.TRANSFER))
        if self.has_traffic:
            self._network()
        self._gateways()
        self._begin_dark()

    def _network(self) -> None:
        """Let rules read what is left of the network, and where nodes lie in it."""
        world, topology, plant = self.runs.world, self.plan.topology, self.plant
        fabric = topology.description.fabric
        assert fabric is not None
        gpus = np.arange(len(plant.down), dtype=np.int64) * topology.gpus_per_node
        segments, pods, gangs = len(plant.leaf), len(plant.core), len(self.plan.gangs)
        for name, array in (("access", plant.access), ("leaf", plant.leaf), ("core", plant.core)):
            world.put(name, array)
        world.put("domain_of", topology.part_of(topology.nvlink_domain, gpus))
        world.put("segment_of", topology.part_of("segment", gpus))
        firsts = topology.bounds("segment")[:-1]
        world.put("pod_of", topology.part_of("pod", firsts) if pods else np.zeros(segments, dtype=np.int64))
        world.put("sends_at", np.full(len(world.tables["owner"]), NONE, dtype=np.int64))
        for kind, parts in (("segment", segments), ("pod", pods)):
            world.put(f"{kind}_demand", np.zeros((gangs, parts)))
            world.put(f"{kind}_total", np.zeros(parts))
            world.put(f"{kind}_traffic", np.zeros(parts))
        one, spine, core = world.tables["one"], fabric.spine, fabric.core
        one["segments_of_network"], one["pods"] = segments, pods
        uplinks = fabric.leaf.uplinks * fabric.uplink_rate
        one["of_leaf"] = fabric.nics // fabric.rails * fabric.port / fabric.homes / uplinks if spine else 0.0
        pod = spine.count * spine.uplinks * fabric.core_rate if spine and core else 0.0
        one["of_pod"] = fabric.leaves * uplinks / pod if pod else 0.0

    def _begin_dark(self) -> None:
        world, plan = self.runs.world, self.plan
        phases = np.zeros(max(1, len(plan.scenario.energisation)), dtype=records.PHASE)
        dates = plan.dates(self.runs.numbers[self.runs.of_run])
        for number, (date, racks) in enumerate(zip(dates, plan.phase_racks, strict=True)):
            phases[number]["date"] = date
            if date > 0:
                self._switch(racks, False)
        world.put("phases", phases)
        down = np.flatnonzero(self.plant.down)
        dark = (down[:, None] * self.per_node + np.arange(self.per_node)).ravel()
        if not len(dark):
            return
        owner, gangs, one = world.tables["owner"], world.tables["gangs"], world.tables["one"]
        for gang in np.unique(owner[dark]).tolist():
            if gang < 0:
                continue
            owner[owner == gang] = FREE
            one["free"] += gangs[gang]["up"]
            line = gangs[gang]
            line["phase"], line["up"], line["active"], line["started"], line["late"] = records.ABSENT, 0, 0, 0, 1
        owner[dark] = OUT
        one["free"] -= len(dark) * self.atom
        world.tables["whose"][dark] = FREE
        links = world.tables["next_place"]
        links[dark] = np.append(dark[1:], NONE)
        absences = world.tables["absences"]
        absences[0] = (dark[0], dark[-1], 0, 0, records.IN_UNPOWERED, 0, NONE)
        one["absences"], one["first_absence"], one["last_absence"] = 1, 0, 0

    def _switch(self, racks: tuple[int, int], on: bool) -> None:
        """Give or take the power of a phase: of racks, or (0, 0) of the site's feeds."""
        if racks[1]:
            (self.plant.energise if on else self.plant.darken)(racks)
            return
        for feed in range(self.plan.topology.components("site-feed")):
            (self.plant.restore if on else self.plant.lose)("site-feed", feed)

    # --- answers ------------------------------------------------------------------------------------------------------

    def answer(self, what: int, about: int, value: int) -> int:
        """Answer a rule."""
        if what in (records.LOSE, records.RESTORE):
            return self._changes(what == records.LOSE, about, value)
        if what == records.POWER:
            return self._power()
        if what == records.GATEWAYS:
            self._gateways()
        elif what == records.ENERGISE:
            return self._energise(about)
        elif what == records.TRY_AGAIN:
            return self._try_again()
        return 0

    def _changes(self, loses: bool, about: int, component: int) -> int:
        scenario = self.plan.scenario
        if about >= 0:
            kind, keeps = scenario.hazards[about].component, scenario.hazards[about].keeps or 0.0
        else:
            kind, keeps = scenario.maintenance[-1 - about].component, 0.0
        change = (self.plant.lose if loses else self.plant.restore)(kind, component, keeps)
        tables = self.runs.world.tables
        count = len(change.down)
        tables["changed"][:count] = change.down
        tables["reach"][:] = (*change.nodes, *change.segments, *change.pods, kind in POWERS)
        return count

    def _power(self) -> int:
        if not self.plant.short:
            return 0
        shares = self.plant.powered(np.arange(len(self.plant.down)))
        self.runs.world.tables["node_power"][:] = np.maximum(1, np.rint(shares * PPB).astype(np.int64))
        return 1

    def _gateways(self) -> None:
        storage = self.plan.topology.description.storage
        if storage is not None and self.has_storage:
            self.runs.world.tables["capacity"][0] = float(self.plant.left("gateway").sum()) * storage.bandwidth

    def _energise(self, number: int) -> int:
        racks = self.plan.phase_racks[number]
        if racks[1] and self.plant.energise(racks).down.size:
            self.plant.darken(racks)
            self.put_off = sorted({*self.put_off, number})
            return 0
        if not racks[1]:
            self._switch(racks, True)
        return 1

    def _try_again(self) -> int:
        """Energise the phases that were put off, if they trip nobody any more; each that succeeds may help others."""
        waiting, self.put_off = self.put_off, []
        found = 0
        for number in waiting:
            if self._energise(number):
                found = 1
                self._try_again()
        return found
