"""A scenario as tables: what never changes, and how everything is at t = 0."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from dcsim.hazards import Hazard
from dcsim.hazards.repair import RepairStage
from dcsim.hazards.shifts import Span, start_of, week_from
from dcsim.ledger import STATES
from dcsim.parts import PARTS
from dcsim.program import records
from dcsim.program.draws import add_draws
from dcsim.program.levels import levels_of
from dcsim.program.place_tables import atom_of, index_places, place_tables, sold_tables
from dcsim.program.plant_tables import plant_of
from dcsim.program.records import NEVER, NONE, PPB, TABLES, Tables
from dcsim.recovery import Recovery
from dcsim.recovery.timetable import levels
from dcsim.scenario import Plan

EFFECTS = {
    "interrupt": records.INTERRUPT,
    "kill": records.KILL,
    "straggle": records.STRAGGLE,
    "degrade": records.DEGRADE,
    "corrupt": records.CORRUPT,
}
CHANCES_AT_A_TIME = 16
ROOM = 64
"""Rows that growing tables have at first (assumed)."""


def tables_of(plan: Plan, monthly: bool = True) -> Tables:
    """Return all tables of a plan, as they are at t = 0; none of its failures is in them.

    ``monthly``: whether GPU-time is booked by month and by cause too.
    """
    atom = atom_of(plan)
    tables: Tables = {}
    _one(plan, atom, monthly, tables)
    _months(plan, tables)
    _jobs(plan, tables)
    _gangs(plan, tables)
    _hazards(plan, atom, tables)
    place_tables(plan, atom, tables)
    sold_tables(plan, atom, tables)
    add_draws(plan, tables)
    _maintenance(plan, atom, tables)
    if plan.has_plant:
        plant_of(plan, atom, tables)
    if atom:
        index_places(tables)
    for name, (dtype, indices) in TABLES.items():
        if name not in tables:
            shape: tuple[int, ...] = (ROOM, 1) if indices == 2 else (ROOM,)
            tables[name] = np.zeros(shape, dtype=dtype)
    return tables


def _one(plan: Plan, atom: int, monthly: bool, tables: Tables) -> None:
    scenario = plan.scenario
    one = tables["one"] = np.zeros(1, dtype=records.ONE)
    running = sum(gang.gpus for gang in plan.gangs if gang.at_once)
    held = scenario.cluster.in_rack_spares
    for name, value in {
        "horizon": scenario.horizon,
        "spares": plan.idle_spares,
        "free_slots": scenario.cluster.gpus - scenario.gpus_in_jobs,
        "gangs": len(plan.gangs),
        "hazards": len(scenario.hazards),
        "jobs": len(scenario.jobs),
        "plans": len(scenario.maintenance),
        "months": -(-scenario.horizon // scenario.month) if monthly else 0,
        "month_end": scenario.month if monthly else NEVER,
        "month_ms": scenario.month,
        "causes": len(scenario.hazards) + len(scenario.maintenance),
        "clocks": sum(hazard.ages for hazard in scenario.hazards),
        "atom": atom,
        "atoms": scenario.cluster.gpus // atom if atom else 0,
        "rack": plan.topology.gpus_per_rack // atom if held else 0,
        "node": plan.topology.gpus_per_node // atom if atom else 0,
        "preflights": any(job.preflight for job in scenario.jobs),
        "head_blocks": head_blocks(plan),
        "free": scenario.cluster.gpus - running,
        "serving": NONE,
        "adds_up": 1,
        "away": NONE,
        "free_failure": NONE,
        "free_repair": NONE,
        "free_return": NONE,
        "free_part": NONE,
        "free_piece": NONE,
        "free_segment": NONE,
        "first_absence": NONE,
        "last_absence": NONE,
        "free_demand": NONE,
    }.items():
        one[name] = value


def _months(plan: Plan, tables: Tables) -> None:
    months, jobs = int(tables["one"]["months"][0]), len(plan.scenario.jobs)
    shapes = {
        "by_month": (months, len(STATES)),
        "weight_by_month": (jobs, months),
        "rest_by_month": (jobs, months),
        "kept_at": (len(plan.gangs), months),
    }
    for name, shape in shapes.items():
        tables[name] = np.zeros(shape, dtype=np.int64)
    tables["this_month"] = np.zeros(len(STATES), dtype=np.int64)
    tables["done_this_month"] = np.zeros(jobs, dtype=records.DONE_WORK)


def head_blocks(plan: Plan) -> bool:
    """Whether nobody behind a waiting gang that is still short can be helped: each of them lacks a free GPU too.

    Not so where a gang may run small, where its own come back to it or are free in its racks, or where it waits though
    it is whole: what killed it took no GPU, it has drained, its time was over, or it is checked before it starts.
    """
    scenario = plan.scenario
    return not (
        scenario.cluster.in_rack_spares
        or scenario.maintenance
        or plan.has_plant
        or any(job.recovery.runs_small or job.time_limit or job.preflight for job in scenario.jobs)
        or any(each.effect != "interrupt" or each.returns == "job" or each.wrong_node for each in scenario.hazards)
    )


def _jobs(plan: Plan, tables: Tables) -> None:
    """Tabulate the strategies: what they answer for every number of members and every tier."""
    scenario = plan.scenario
    jobs = tables["jobs"] = np.zeros(len(scenario.jobs), dtype=records.JOB)
    most = max(1, *(len(job.recovery.tiers) for job in scenario.jobs))
    tiers = tables["tiers"] = np.zeros((len(jobs), most), dtype=records.TIER)
    by_struck: list[NDArray[np.int64]] = []
    legal: list[NDArray[np.int64]] = []
    names = [job.name for job in scenario.jobs]
    for number, job in enumerate(scenario.jobs):
        recovery, line = job.recovery, jobs[number]
        line["first_level"] = sum(len(each) for each in by_struck)
        line["levels"] = 2 * job.gpus + 2
        by_struck.append(levels_of(recovery, int(line["levels"])))
        line["first_legal"] = NONE
        if recovery.runs_small:
            line["first_legal"] = sum(len(each) for each in legal)
            legal.append(np.asarray(recovery.legal(np.arange(job.gpus + 1, dtype=np.int64), job.gpus)))
        chancy = recovery.coverage * plan.covered < 1 or recovery.bad_checkpoint > 0 or recovery.restore_success < 1
        needed = NONE
        if job.work is not None:  # more than it can do is enough
            needed = min(-(-job.work * PPB // recovery.useful_ppb), 2 * job.gpus * scenario.horizon + 1)
        for name, value in {
            "cold": recovery.spare == "cold",
            "failover": recovery.failover,
            "rejoin": recovery.rejoin_ms,
            "start": recovery.start_ms(job.gpus),
            "rolls_back": recovery.rolls_back,
            "restores_always": recovery.restores_always,
            "tiers": len(recovery.tiers),
            "step": recovery.step,
            "chancy": chancy,
            "useful_ppb": recovery.useful_ppb,
            "needed": needed,
            "coverage": recovery.coverage,
            "saves": NONE if recovery.saves_ms is None else recovery.saves_ms,
            "may_lose": recovery.rolls_back_at(plan.covered),
            "limit": job.time_limit or 0,
            "after": NONE if job.after is None else names.index(job.after),
            "followed": any(each.after == job.name for each in scenario.jobs),
            "submit": job.submit,
            "preflight": NONE if job.preflight is None else job.preflight.time,
            "retest": NONE if job.preflight is None or job.preflight.retest is None else job.preflight.retest,
            "stores": job.storage is not None and scenario.cluster.topology.storage is not None,
            "load": job.storage.load if job.storage else 0,
            "state": job.storage.state if job.storage else 0.0,
            "comm": job.comm,
        }.items():
            line[name] = value
        write_tiers(recovery, job.gpus, tiers[number])
        line["simple"] = is_simple(line, tiers[number][0], by_struck[-1])
    tables["level_of"] = np.ascontiguousarray(np.concatenate(by_struck), dtype=np.int64)
    tables["legal_of"] = np.concatenate([np.zeros(1, dtype=np.int64)[:0], *legal]).astype(np.int64)
    if not len(tables["legal_of"]):
        tables["legal_of"] = np.zeros(1, dtype=np.int64)


def is_simple(job: np.void, tier: np.void, levels: NDArray[np.int64]) -> bool:
    """Whether gangs run whole, unchecked and without end, and go back to one kind of checkpoint, safe once written."""
    endless = job["needed"] == NONE and job["first_legal"] == NONE and not job["limit"] and not job["cold"]
    copies = job["tiers"] == 1 and not tier["drain"] and not job["stores"] and not levels[2 : 2 * len(levels) : 2].any()
    return bool(endless and copies and not job["chancy"] and job["preflight"] == NONE)


def write_tiers(recovery: Recovery, gpus: int, lines: NDArray[np.void]) -> None:
    """Write what follows from the tiers of a strategy into its lines, one each; one more for a strategy without."""
    for tier in range(max(1, len(recovery.tiers))):
        lines[tier]["restore"] = recovery.restore_ms(tier, gpus)
    for tier, (its, (every, period, most)) in enumerate(zip(recovery.tiers, levels(recovery.tiers), strict=True)):
        for name in ("every", "write", "drain"):
            lines[tier][name] = getattr(its, name)
        lines[tier]["level_every"], lines[tier]["level_period"] = every, period
        lines[tier]["level_most"] = NONE if most is None else most
        lines[tier]["level_rate"] = 1 / period


def _gangs(plan: Plan, tables: Tables) -> None:
    count = len(plan.gangs)
    gangs = tables["gangs"] = np.zeros(count, dtype=records.GANG)
    for gang in plan.gangs:
        line = gangs[gang.index]
        line["job"], line["gpus"], line["priority"], line["submit"] = gang.job, gang.gpus, gang.priority, gang.submit
        if gang.follows:  # nobody knows when; it asks for nothing until then
            line["submit"] = plan.scenario.horizon
    late = gangs["submit"] > 0
    gangs["phase"] = np.where(late, records.ABSENT, records.WHOLE)
    gangs["started"] = ~late
    gangs["up"] = np.where(late, 0, gangs["gpus"])
    gangs["active"] = gangs["up"]
    for name in ("straggle", "powered", "network", "speed_0", "speed_1", "speed_2"):
        gangs[name] = PPB
    for name in ("short_since", "finish", "level", "piece", "first_segment", "last_segment"):
        gangs[name] = NONE
    for name in ("first_faulty", "last_faulty", "first_clean", "why", "first_demand", "ends", "moves_from"):
        gangs[name] = NONE
    gangs["joined_low"], gangs["joined_high"] = NEVER, NONE
    gangs["runs_from"] = NEVER
    checked = any(job.preflight for job in plan.scenario.jobs)
    tables["passing"] = np.zeros((count if checked else 1, 2), dtype=records.PASSING)
    tables["passing"]["left"], tables["passing"]["used"] = NONE, records.PASSES_AT_A_TIME
    tables["passes"] = np.zeros((2 * count if checked else 1, records.PASSES_AT_A_TIME), dtype=np.int64)
    gangs["chances"] = CHANCES_AT_A_TIME
    chancy = bool(tables["jobs"]["chancy"].any())
    tables["chances"] = np.zeros((count if chancy else 1, CHANCES_AT_A_TIME), dtype=records.CHANCE)
    tables["durable"] = np.zeros((count, tables["tiers"].shape[1]), dtype=np.int64)
    jobs, rows = len(tables["jobs"]), int(tables["one"]["causes"][0]) + records.BEFORE_CAUSES
    tables["booked"] = np.zeros(((jobs + 2) * rows, len(STATES)), dtype=np.int64)
    tables["books"] = np.append(gangs["job"], (jobs + 1, jobs)) * rows + records.BEFORE_CAUSES
    losers = sorted(plan.gangs, key=lambda gang: (gang.priority, -gang.index))
    tables["losers"] = np.array([gang.index for gang in losers], dtype=np.int64)
    tables["queue"] = np.zeros(count, dtype=np.int64)
    tables["slots"] = plan.slot_bounds.copy()


def _hazards(plan: Plan, atom: int, tables: Tables) -> None:
    scenario, topology = plan.scenario, plan.topology
    count = len(scenario.hazards)
    hazards = tables["hazards"] = np.zeros(count, dtype=records.HAZARD)
    most = max(len(hazard.stages) for hazard in scenario.hazards)
    tables["stage_crews"] = np.full((count, most), NONE, dtype=np.int64)
    tables["stage_times"], tables["own_times"] = (np.zeros((ROOM, most), dtype=np.int64) for _ in range(2))
    tables["first_life"] = np.full((count, 4), NONE, dtype=np.int64)
    named: dict[str | tuple[int, int], int] = {}  # crews without a name are one hazard's own
    listed: list[RepairStage] = []
    components = 0
    for number, hazard in enumerate(scenario.hazards):
        line = hazards[number]
        for place, stage in enumerate(hazard.stages):
            crews = named.setdefault(stage.name or (number, place), len(named))
            if crews == len(listed):
                listed.append(stage)
            tables["stage_crews"][number, place] = crews
        line["crews"] = tables["stage_crews"][number, 0]
        for name, value in _of_hazard(hazard).items():
            line[name] = value
        line["components"] = plan.components(hazard)
        check = plan.check_of(hazard)
        line["checked"] = NONE if check is None else check
        line["plain"] = not atom and is_plain(hazard)
        line["first_component"] = NONE
        if hazard.placed and not hazard.serves:
            line["size"] = topology.gpus_per(hazard.component) // atom
            line["part"] = topology.gpus_per(hazard.struck_part) // atom if hazard.struck_part else 0
        if line["remembers"]:
            line["first_component"] = components
            components += int(line["components"])
    _crews(listed, start_of(scenario.starts), tables)
    states = tables["components"] = np.zeros(max(1, components), dtype=records.COMPONENT)
    for name in ("slow", "next_slow", "previous_slow"):
        states[name] = NONE
    for number, hazard in enumerate(scenario.hazards):
        first = int(hazards[number]["first_component"])
        if first >= 0:
            states[first : first + int(hazards[number]["components"])]["age"] = plan.age(hazard)
    states["begin"] = NEVER
    ring = max(1, int(hazards["retire_after"].max()))
    tables["recent_strikes"] = np.zeros((max(1, components), ring), dtype=np.int64)


def _crews(listed: list[RepairStage], starts: int, tables: Tables) -> None:
    """Say of all crews how many there are and when they work; the horizon begins ``starts`` into a week."""
    crews = tables["crews"] = np.zeros(len(listed), dtype=records.CREWS)
    shifts: list[Span] = []
    for line, stage in zip(crews, listed, strict=True):
        spans = week_from(stage.on_shift, starts)
        line["size"] = NONE if stage.crews is None else stage.crews
        line["on_shift"] = sum(end - begin for begin, end in spans)
        line["first_shift"] = len(shifts)
        shifts += [*spans, *sorted(((at - starts) % stage.visit_cycle,) * 2 for at in stage.visit_times)]
        line["end_shift"] = len(shifts)
        line["finishes"], line["visits"], line["cycle"] = stage.finishes, stage.is_visited, stage.visit_cycle
        line["visit_when"] = NEVER if stage.visit_when is None else stage.visit_when
        line["visit_after"] = NEVER if stage.visit_after is None else stage.visit_after
    crews["first"], crews["last"] = NONE, NONE
    tables["shifts"] = np.array(shifts or [(0, 0)], dtype=records.SHIFT)


def is_plain(hazard: Hazard) -> bool:
    """Whether counts settle what a failure does: members leave, are found and repaired at once, and are back, free."""
    simple = hazard.effect == "interrupt" and hazard.exposure == "always" and not hazard.wrong_node
    at_once = len(hazard.stages) == 1 and not hazard.stages[0].waits
    return simple and at_once and not (hazard.requalify or hazard.burn_in) and hazard.returns == "pool"


def _of_hazard(hazard: Hazard) -> dict[str, Any]:
    lemons = hazard.lemons
    slow = hazard.effect in ("straggle", "degrade")
    return {
        "effect": EFFECTS[hazard.effect],
        "blast": hazard.blast if isinstance(hazard.blast, int) else 0,
        "placed": hazard.placed,
        "serves": hazard.serves,
        "running": hazard.exposure == "running",
        "keeps_ppb": hazard.keeps_ppb,
        "remembers": hazard.ages or hazard.serves or lemons is not None or slow,
        "ages": hazard.ages,
        "stages": len(hazard.stages),
        "requalify": hazard.requalify,
        "burn_in": hazard.burn_in,
        "returns_job": hazard.returns == "job",
        "lemons": lemons is not None,
        "retire_after": NONE if lemons is None or lemons.retire_after is None else lemons.retire_after,
        "window": 0 if lemons is None or lemons.window is None else lemons.window,
        "replace": NONE if lemons is None or lemons.replace is None else lemons.replace,
        "cured_by_repair": lemons is not None and lemons.cured_by == "repair",
        "first_slow": NONE,
        "coverage": hazard.coverage,
        "evacuate": NONE if hazard.evacuate is None else hazard.evacuate,
        "factor": 1.0 if lemons is None else lemons.factor,
        "plant_kind": PARTS.index(hazard.component) if hazard.serves else NONE,
        "keeps": hazard.keeps or 0.0,
    }


def _maintenance(plan: Plan, atom: int, tables: Tables) -> None:
    scenario, topology = plan.scenario, plan.topology
    planned = tables["planned"] = np.zeros(max(1, len(scenario.maintenance)), dtype=records.PLANNED_WORK)
    for number, work in enumerate(scenario.maintenance):
        line = planned[number]
        line["drain"], line["duration"] = work.drain, work.duration
        line["serves"] = work.component in PARTS
        line["plant_kind"] = PARTS.index(work.component) if work.component in PARTS else NONE
        line["size"] = 0 if work.component in PARTS else topology.gpus_per(work.component) // atom
    listed = np.array(list(plan.windows()), dtype=np.int64).reshape(-1, 3)
    windows = tables["windows"] = np.zeros(max(1, len(listed)), dtype=records.WINDOW)
    for column, name in enumerate(("at", "planned", "component")):
        windows[: len(listed)][name] = listed[:, column]
    tables["one"]["last_window"] = len(listed)
    tables["window_at"] = np.zeros(max(1, len(listed)), dtype=np.int64)
    before = 0
    for number, work in enumerate(scenario.maintenance):
        own = np.flatnonzero(listed[:, 1] == number)
        line, components = planned[number], plan.components(work)
        line["start"], line["every"], line["rolling"] = work.start, work.every, work.rolling
        line["components"], line["first_window"] = components, before
        behind = listed[own, 0] - work.start
        rounds = behind // work.every
        order = np.lexsort((listed[own, 2], rounds))
        tables["window_at"][before : before + len(own)] = own[order]
        before += len(own)
