"""The plant of a scenario as tables at t = 0: as it is if all has power, and without the phases that come later."""

import numpy as np

from dcsim.parts import PARTS
from dcsim.plant.changes import begin_shares, lose_part, switch_racks
from dcsim.plant.state import as_arrays, shown
from dcsim.plant.tables import CHANGING_PLANT, PLANT_TABLES, SITE_FEED, Tables, plant_tables
from dcsim.program import records
from dcsim.program.records import FREE, NONE, OUT
from dcsim.scenario import Plan


def plant_of(plan: Plan, atom: int, tables: Tables) -> None:
    """Add the tables of a plant in which everything is energised, of traffic and of transfers."""
    scenario, topology = plan.scenario, plan.topology
    description = topology.description
    one = tables["one"]
    one["has_plant"] = True
    one["has_traffic"] = bool(description.fabric and any(job.comm for job in scenario.jobs))
    one["has_storage"] = bool(description.storage and any(job.storage for job in scenario.jobs))
    one["phases"] = len(scenario.energisation)
    tables["phases"] = np.zeros(max(1, len(scenario.energisation)), dtype=records.PHASE)
    for line, racks in zip(tables["phases"], plan.phase_racks, strict=False):
        line["first_rack"], line["end_rack"] = racks
    tables["transfers"] = np.zeros(len(plan.gangs), dtype=records.TRANSFER)
    tables |= plant_tables(topology, _keeps(plan))
    layout = tables["plant"][0]
    tables["power"] = np.zeros(int(layout["nodes"] if layout["per_node"] else layout["racks"]), dtype=np.int64)
    plant = shown(tables)
    begin_shares(plant)
    tables["plant"] = as_arrays(plant)
    if one["has_traffic"][0]:
        _traffic(plan, tables)


def _keeps(plan: Plan) -> dict[str, list[float]]:
    """Return the shares that failures, maintenance and energisation may leave, by kind of component."""
    scenario = plan.scenario
    found = [(hazard.component, hazard.keeps or 0.0) for hazard in scenario.hazards if hazard.serves]
    found += [(planned.component, 0.0) for planned in scenario.maintenance if planned.component in PARTS]
    found += [("site-feed", 0.0) for phase in scenario.energisation if not phase.racks]
    kinds = dict.fromkeys(kind for kind, _ in found)
    return {kind: sorted({share for other, share in found if other == kind}) for kind in kinds}


def _traffic(plan: Plan, tables: Tables) -> None:
    fabric, one, plant = plan.topology.description.fabric, tables["one"], tables["plant"][0]
    assert fabric is not None
    parts = int(plant["segments"] + plant["pods"])
    tables["first_demand"] = np.full(parts, NONE, dtype=np.int64)
    tables["total_demand"], tables["mean_traffic"] = np.zeros(parts), np.zeros(parts)
    tables["touching"] = np.zeros(len(plan.gangs), dtype=np.int64)
    tables["sends_at"] = np.zeros(len(tables["owner"]), dtype=np.int64)
    one["group"] = records.GROUP_OF_NODES * one["node"]
    groups = -(-len(tables["owner"]) // int(one["group"][0]))
    tables["lies_in"] = np.zeros((len(plan.gangs), -(-groups // records.GROUPS)), dtype=np.int64)
    spine, core = fabric.spine, fabric.core
    uplinks = fabric.leaf.uplinks * fabric.uplink_rate
    one["of_leaf"] = fabric.nics // fabric.rails * fabric.port / fabric.homes / uplinks if spine else 0.0
    pod = spine.count * spine.uplinks * fabric.core_rate if spine and core else 0.0
    one["of_pod"] = fabric.leaves * uplinks / pod if pod else 0.0


class Energisation:
    """The plant at t = 0, by which phases come later; worked out once for all runs of which that is so."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.at_start: dict[tuple[bool, ...], Tables] = {}

    def begin(self, tables: Tables, replication: int) -> None:
        """Darken what has no power at t = 0 of a run; ``tables`` are those of a run in which all of it has."""
        if not self.plan.scenario.energisation:
            return
        dates = self.plan.dates(replication)
        tables["phases"]["date"] = dates
        late = tuple(date > 0 for date in dates)
        if late not in self.at_start:
            self.at_start[late] = self._without(late, tables)
        for name, table in self.at_start[late].items():
            np.copyto(tables[name], table)
        self._take_out(tables)

    def _without(self, late: tuple[bool, ...], tables: Tables) -> Tables:
        plant = shown({name: tables[name].copy() for name in PLANT_TABLES})
        for is_late, racks in zip(late, self.plan.phase_racks, strict=True):
            if is_late and racks[1]:
                switch_racks(plant, *racks, 1)
            elif is_late:
                for feed in range(plant.plant.site_feeds):
                    lose_part(plant, SITE_FEED, feed, 0.0)
        return {**{name: vars(plant)[name] for name in CHANGING_PLANT}, "plant": as_arrays(plant)}

    def _take_out(self, tables: Tables) -> None:
        """Take what has no power out of service; gangs that lie on it give up their places and wait."""
        owner, gangs, one = tables["owner"], tables["gangs"], tables["one"]
        per_node, down = int(one["node"][0]), np.flatnonzero(tables["down"])
        dark = (down[:, None] * per_node + np.arange(per_node)).ravel()
        if not len(dark):
            return
        for gang in np.unique(owner[dark]).tolist():
            if gang < 0:
                continue
            owner[owner == gang] = FREE
            line = gangs[gang]
            one["free"] += line["up"]
            line["phase"], line["up"], line["active"], line["started"], line["late"] = records.ABSENT, 0, 0, 0, 1
        owner[dark] = OUT
        one["free"] -= len(dark) * one["atom"]
        tables["whose"][dark] = FREE
        tables["next_place"][dark] = np.append(dark[1:], NONE)
        tables["absences"][0] = (dark[0], dark[-1], 0, 0, records.IN_UNPOWERED, 0, NONE, NONE)
        one["absences"], one["first_absence"], one["last_absence"] = 1, 0, 0
