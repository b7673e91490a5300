"""The plant of a scenario as tables, as it is at t = 0 if everything is energised (see ``energisation``)."""

import numpy as np

from dcsim.parts import PARTS
from dcsim.plant.changes import begin_shares
from dcsim.plant.state import as_arrays, shown
from dcsim.plant.tables import Tables, plant_tables
from dcsim.program import records
from dcsim.program.records import NONE
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
