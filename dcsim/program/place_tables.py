"""The places of GPUs as tables, and what is sold of them."""

from math import gcd

import numpy as np

from dcsim.parts import PARTS
from dcsim.program import records
from dcsim.program.records import FREE, NEVER, NONE, NOT_YET, OUT, Tables
from dcsim.scenario import Plan


def atom_of(plan: Plan) -> int:
    """Return the GPUs of a place, the greatest common divisor of all that moves together; 0: nothing has a place."""
    scenario, topology = plan.scenario, plan.topology
    held, sla = scenario.cluster.in_rack_spares, scenario.sla
    placed = any(hazard.placed for hazard in scenario.hazards)
    checked = any(job.preflight for job in scenario.jobs)
    parts_sold = sla is not None and not sla.replicas
    if not (placed or scenario.maintenance or held or plan.has_plant or parts_sold or checked):
        return 0
    sizes = [scenario.cluster.gpus, *(gang.gpus for gang in plan.gangs)]
    if plan.has_plant or checked:
        sizes.append(topology.gpus_per_node)  # the smallest thing that the plant serves, or that fails a preflight
    for hazard in scenario.hazards:
        if hazard.serves:
            continue
        if hazard.placed:
            sizes.append(topology.gpus_per(hazard.component))
        typed = hazard.blast if isinstance(hazard.blast, int) else None
        sizes.append(typed or topology.gpus_per(hazard.struck_part or "gpu"))
    sizes += [
        topology.gpus_per(planned.component) for planned in scenario.maintenance if planned.component not in PARTS
    ]
    if held:
        sizes += [held, topology.gpus_per_rack]
    if sla is not None and parts_sold:
        sizes += [topology.gpus_per(sla.sold), sla.needs or 0]
    return gcd(*sizes)


def place_tables(plan: Plan, atom: int, tables: Tables) -> None:
    """Add the tables of who has which place at t = 0."""
    cluster = plan.scenario.cluster
    atoms = cluster.gpus // atom if atom else 1
    owner = tables["owner"] = np.full(atoms, FREE, dtype=np.int64)
    for name in ("whose", "next_place", "next_faulty"):
        tables[name] = np.full(atoms, NONE, dtype=np.int64)
    tables["moving"] = np.zeros(atoms, dtype=np.int64)
    tables["joined_at"] = np.zeros(atoms if any(job.preflight for job in plan.scenario.jobs) else 1, dtype=np.int64)
    blocks = -(-atoms // records.BLOCK_OF_PLACES)
    tables["free_in_block"] = np.zeros(blocks, dtype=np.int64)
    tables["free_in_group"] = np.zeros(-(-blocks // records.BLOCK_OF_PLACES), dtype=np.int64)
    held = cluster.in_rack_spares
    tables["holes"] = np.zeros((len(plan.gangs) if held else 1, plan.topology.racks if held else 1), dtype=np.int64)
    if not atom:
        return
    seats = plan.seats[::atom] // atom
    for gang, place in zip(plan.gangs, plan.places.tolist(), strict=True):
        if place >= 0:
            owner[seats[place // atom : (place + gang.gpus) // atom]] = gang.index


def index_places(tables: Tables) -> None:
    """Count the free places block by block, and note between which places those of every gang lie."""
    owner, gangs = tables["owner"], tables["gangs"]
    size = records.BLOCK_OF_PLACES
    free = np.flatnonzero(owner == FREE)
    for name, width in (("free_in_block", size), ("free_in_group", size * size)):
        tables[name][:] = np.bincount(free // width, minlength=len(tables[name]))
    gangs["lowest"], gangs["highest"] = len(owner), NONE
    held = np.flatnonzero(owner >= 0)
    np.minimum.at(gangs["lowest"], owner[held], held)
    np.maximum.at(gangs["highest"], owner[held], held)
    gangs["places"] = np.bincount(owner[held], minlength=len(gangs))
    if tables["one"]["has_traffic"][0]:
        groups = held // tables["one"]["group"][0]
        bits = np.left_shift(1, groups % records.GROUPS)
        np.bitwise_or.at(tables["lies_in"], (owner[held], groups // records.GROUPS), bits)


def sold_tables(plan: Plan, atom: int, tables: Tables) -> None:
    """Add the tables of what is sold: whole domains, counted month by month, if months are kept."""
    one, sla = tables["one"][0], plan.scenario.sla
    months = int(one["months"])
    domains, shares = 1, 1
    tables["gangs"]["domain"] = NONE
    first_lost = NEVER
    if sla is not None and months:
        (size, domains), shares = plan.sold, len(sla.counted)
        one["excuses"] = sla.excludes_announced
        if sla.replicas:
            one["replicas"], first_lost = domains, 0  # until they compute
            sold = [gang.index for gang in plan.gangs if sla.sells(plan.scenario.jobs[gang.job].name)]
            tables["gangs"]["domain"][sold] = np.arange(len(sold))
        else:
            one["sold"], one["lets"] = size // atom, (size - (sla.needs or size)) // atom
    tables["domains"] = np.zeros(domains, dtype=records.DOMAIN)
    for name in ("since", "since_unplanned"):
        tables["domains"][name] = first_lost
    tables["out_planned"] = np.zeros(len(tables["owner"]), dtype=np.int64)
    handed = int(sla is not None and bool(plan.scenario.energisation))
    tables["available"] = np.zeros((max(1, months), 2 * shares + handed), dtype=np.int64)
    allowed = tables["allowed"] = np.zeros((max(1, months), shares), dtype=np.int64)
    if sla is not None:
        for month in range(months):
            length = min(plan.scenario.month, plan.scenario.horizon - month * plan.scenario.month)
            allowed[month] = [round((1 - share) * length) for share in sla.counted]


def count_sold_out(tables: Tables) -> None:
    """Note of what is sold what is out of service at t = 0: it has no power yet."""
    one, domains = tables["one"][0], tables["domains"]
    if not one["sold"]:
        return
    out = np.flatnonzero(tables["owner"] == OUT)
    domains["out"] = np.bincount(out // one["sold"], minlength=len(domains))[: len(domains)]
    tables["out_planned"][out] = NOT_YET
    domains["to_come"] = domains["out"]
    domains["pending"] = domains["out"] > one["lets"]
    lost = domains["out"] > one["lets"]
    domains["since"][lost] = domains["since_unplanned"][lost] = 0
