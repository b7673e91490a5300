"""What no single key can tell: whether the parts of a scenario fit together."""

from fractions import Fraction

import numpy as np

from dcsim.economics.credits import mistakes
from dcsim.hazards import Hazard, RepairStage
from dcsim.hazards.lifetimes.trace import TraceLifetime
from dcsim.hazards.repair import PEOPLE
from dcsim.ledger import REST, SPARES
from dcsim.parts import PARTS
from dcsim.plant import PlantState
from dcsim.scenario.errors import KeyPath
from dcsim.scenario.model import Job, Scenario
from dcsim.scenario.rules_of_jobs import Broken, chains, interval, on_spares, preflight, replicas, time_limit
from dcsim.scenario.rules_of_money import of_money
from dcsim.topology import Topology, TopologyError
from dcsim.topology.build import build
from dcsim.units import DURATION, MS_PER_H, write
from dcsim.wording import shown

MOST_GANGS = 100_000
"""Gangs in a scenario; source: assumed, a gang of ten GPUs each on a million."""
MOST_FAILURES = 2 * 10**7
"""Expected failures of one replication; source: assumed: 2.2 GB at 110 B each (measured, one hazard)."""
MOST_WINDOWS = 5 * 10**6
"""Maintenance windows of one replication; source: assumed: 0.8 GB at 159 B each (measured)."""
MOST_GPU_MS = 2**62
"""N * H [GPU-ms]; source: accounts are int64, and a sum of two must not overflow."""


def broken_rules(scenario: Scenario) -> Broken:
    """Yield every rule that a scenario of valid keys breaks."""
    yield from _capacity(scenario)
    yield from _jobs(scenario)
    yield from chains(scenario)
    yield from _names(scenario)
    yield from _crews(scenario)
    yield from of_money(scenario)
    yield from _records(scenario)
    try:
        topology = build(scenario.cluster.topology, scenario.cluster.gpus)
    except TopologyError as error:
        yield from ((("cluster", "gpus"), problem) for problem in error.problems)
        return
    yield from _in_rack(scenario, topology)
    missing = list(_described(scenario, topology))
    yield from missing
    if not missing:
        yield from _hazards(scenario, topology)
        yield from _maintenance(scenario, topology)
        yield from _sold(scenario, topology)
        yield from plant_rules(scenario, topology)


def _capacity(scenario: Scenario) -> Broken:
    cluster, jobs = scenario.cluster, scenario.jobs
    asked = scenario.gpus_in_jobs + cluster.spares - scenario.gpus_on_spares
    yield from on_spares(scenario)
    if asked > cluster.gpus:
        terms = " + ".join(f"{job.gpus} x {job.count}" for job in jobs[:5]) + (" + ..." if jobs[5:] else "")
        if on := scenario.gpus_on_spares:
            terms += f" - {on} on spares"
        equal = "=" if scenario.gpus_in_jobs == sum(job.gpus * job.count for job in jobs) else "of"
        found = f"found {asked} GPUs {equal} {terms} in jobs + {cluster.spares} spares"
        why = f"{found}; at most {cluster.gpus} (cluster.gpus)"
        yield ("jobs",), why
    gangs = sum(job.count for job in jobs)
    if gangs > MOST_GANGS:
        yield ("jobs",), f"found {gangs} gangs; at most {MOST_GANGS}"
    if scenario.capacity_gpu_ms >= MOST_GPU_MS:
        most = write(MOST_GPU_MS // cluster.gpus // MS_PER_H * MS_PER_H, DURATION)
        yield ("horizon",), f"too long for {cluster.gpus} GPUs to be counted in GPU-milliseconds; at most {most}"
    job_size = scenario.accounting.job_size
    if job_size is not None and job_size > cluster.gpus:
        yield ("accounting", "job_size"), f"found {job_size}; at most {cluster.gpus} (cluster.gpus)"


def _jobs(scenario: Scenario) -> Broken:
    for index, job in enumerate(scenario.jobs):
        recovery, path = job.recovery, ("jobs", index, "recovery")
        if job.submit >= scenario.horizon:
            found, horizon = write(job.submit, DURATION), write(scenario.horizon, DURATION)
            yield ("jobs", index, "submit"), f"found {found}; must be before the horizon of {horizon}"
        if recovery.steady_overhead >= 1:
            shares = f"{recovery.network_overhead:.6g} + {recovery.memory_overhead:.6g}"
            yield path, f"found network_overhead + memory_overhead = {shares}; must be below 100 % together"
        needed = "checkpoint_every" not in recovery.unused
        if recovery.checkpoint_write and recovery.checkpoint_every is None and needed:
            yield (*path, "checkpoint_every"), "missing; required (checkpoint_write is given)"
        for where, why in recovery.problems(job.gpus):
            yield (*path, *where), why
        yield from interval(scenario, index)
        yield from time_limit(job, index)
        yield from preflight(job, index)
        for hazard in scenario.hazards:
            if hazard.coverage < 1 and not recovery.tiers and "coverage" not in recovery.unused:
                why = f'missing; required (hazard "{hazard.key}" has a coverage: the job falls back to a checkpoint)'
                yield (*path, "checkpoint_every"), why
                break
        corrupting = [hazard.key for hazard in scenario.hazards if hazard.effect == "corrupt"]
        if corrupting and not recovery.tiers and not recovery.restores_always:
            why = f'missing; required (hazard "{corrupting[0]}" corrupts results: the job rolls back to a checkpoint)'
            yield (*path, "checkpoint_every"), why


def _names(scenario: Scenario) -> Broken:
    owners = {SPARES: "the ledger's row of idle spares", REST: "the ledger's row of all other GPUs"}
    for index, job in enumerate(scenario.jobs):
        if job.name in owners:
            yield ("jobs", index, "name"), f'found "{job.name}", the name of {owners[job.name]}; choose another'
        owners.setdefault(job.name, f"jobs.{index} too")
    taken: dict[str, int] = {}
    for index, hazard in enumerate(scenario.hazards):
        if hazard.key in taken:
            why = f'found "{hazard.key}", the name of hazards.{taken[hazard.key]} too; names must be unique'
            yield ("hazards", index, "name"), why
        taken.setdefault(hazard.key, index)


def _crews(scenario: Scenario) -> Broken:
    first: dict[str, tuple[Hazard, RepairStage]] = {}
    for index, hazard in enumerate(scenario.hazards):
        for place, stage in enumerate(hazard.stages):
            if stage.name is None:
                continue
            other, same = first.setdefault(stage.name, (hazard, stage))
            path: KeyPath = ("hazards", index, "repair", *([place] if isinstance(hazard.repair, tuple) else []))
            for key in PEOPLE:
                found, wanted = _people(stage, key), _people(same, key)
                if found != wanted:
                    why = f'must be {wanted} as in hazard "{other.key}": crews named "{stage.name}" are shared'
                    yield (*path, key), f"found {found}; {why}"


def _people(stage: RepairStage, key: str) -> str:
    """Write what a stage says of who does it."""
    value = getattr(stage, key)
    if value is None:
        return "unlimited" if key == "crews" else "nothing"
    if isinstance(value, int):
        return write(value, DURATION) if key == "visit_after" else str(value)
    return f'"{value}"'


def _records(scenario: Scenario) -> Broken:
    """Yield where traces of one record do not agree on its clock."""
    first: dict[str, tuple[Hazard, TraceLifetime]] = {}
    for index, hazard in enumerate(scenario.hazards):
        trace = hazard.lifetime
        if not isinstance(trace, TraceLifetime) or trace.record is None:
            continue
        other, same = first.setdefault(trace.record, (hazard, trace))
        for key, found, wanted in (
            ("span", write(trace.span_ms, DURATION), write(same.span_ms, DURATION)),
            ("start", f'"{trace.start}"', f'"{same.start}"'),
            ("repeat", shown(trace.repeat), shown(same.repeat)),
        ):
            if found != wanted:
                why = f'hazard "{other.key}" has {wanted}, and traces of record "{trace.record}" share one clock'
                yield ("hazards", index, "mtbf", key), f"found {found}; {why}"


def _described(scenario: Scenario, topology: Topology) -> Broken:
    asked = [("hazards", index, hazard.component) for index, hazard in enumerate(scenario.hazards)]
    asked += [("maintenance", index, planned.component) for index, planned in enumerate(scenario.maintenance)]
    for key, index, component in asked:
        if component not in topology.kinds:
            has = ", ".join(kind for kind in topology.kinds if kind in (*PARTS, "gpu", "node", "rack"))
            why = f"found '{component}', which topology {topology.name} does not describe; it has: {has}"
            yield (key, index, "component"), why


def _in_rack(scenario: Scenario, topology: Topology) -> Broken:
    cluster, held = scenario.cluster, scenario.cluster.in_rack_spares
    if not held:
        return
    rack, racks = topology.gpus_per_rack, topology.racks
    spares = held * racks
    seats = cluster.gpus - spares
    if held >= rack:
        yield ("cluster", "in_rack_spares"), f"found {held}; must be below the {rack} GPUs of a rack"
    elif cluster.gpus % rack:
        yield ("cluster", "gpus"), f"found {cluster.gpus}; must be whole racks of {rack} GPUs (in_rack_spares is given)"
    elif cluster.spares not in (0, spares):
        why = f"found {cluster.spares}; leave out, or {spares} = {held} in_rack_spares x {racks} racks"
        yield ("cluster", "spares"), why
    elif not cluster.spares and seats < scenario.gpus_in_jobs <= cluster.gpus:  # else _capacity says it
        why = f"at most {seats} = {cluster.gpus} - {held} in_rack_spares x {racks} racks"
        yield ("jobs",), f"found {scenario.gpus_in_jobs} GPUs in jobs; {why}"
    for index, job in enumerate(scenario.jobs):
        if job.submit:
            why = "must be 0 s (in_rack_spares is given: jobs are placed in racks from the start)"
            yield ("jobs", index, "submit"), f"found {write(job.submit, DURATION)}; {why}"
        for number, hazard in enumerate(scenario.hazards if index == 0 else ()):
            if hazard.evacuate is not None:
                why = "leave it out (in_rack_spares is given: a gang has seats in its racks)"
                yield ("hazards", number, "evacuate"), f"found {write(hazard.evacuate, DURATION)}; {why}"
        if job.priority != scenario.jobs[0].priority:
            why = f"must be {scenario.jobs[0].priority} for all jobs (in_rack_spares is given: no pre-emption)"
            yield ("jobs", index, "priority"), f"found {job.priority}; {why}"
        if job.recovery.spare == "cold":
            why = 'must be "hot" (in_rack_spares is given: the spares of its racks are there for it)'
            yield ("jobs", index, "recovery", "spare"), f'found "cold"; {why}'


def _maintenance(scenario: Scenario, topology: Topology) -> Broken:
    taken: dict[str, int] = {}
    windows = 0.0
    for index, planned in enumerate(scenario.maintenance):
        if planned.name in taken:
            why = f'found "{planned.name}", the name of maintenance.{taken[planned.name]} too; names must be unique'
            yield ("maintenance", index, "name"), why
        taken.setdefault(planned.name, index)
        yield from _check(scenario, topology, index)
        out = planned.drain + planned.duration + (planned.retest or 0)
        if out >= planned.every:
            found, every = write(out, DURATION), write(planned.every, DURATION)
            keys = "drain + duration + retest" if planned.retest else "drain + duration"
            why = f"found {keys} = {found}; must be below every = {every}"
            yield ("maintenance", index, "duration"), why
        windows += topology.components(planned.component) * scenario.horizon / planned.every
    if windows > MOST_WINDOWS:
        why = f"found {windows:,.0f} windows in one replication (components x horizon / every)"
        yield ("maintenance",), f"{why}; at most {MOST_WINDOWS:,}"


def _check(scenario: Scenario, topology: Topology, index: int) -> Broken:
    """Yield what is wrong with a maintenance as a check of health."""
    planned, path = scenario.maintenance[index], ("maintenance", index)
    if planned.false_alarms and planned.retest is None:
        yield (*path, "retest"), "missing; required (false_alarms is given)"
    if planned.retest is not None and not planned.false_alarms:
        yield (*path, "retest"), f"found {write(planned.retest, DURATION)}; only false_alarms are tested again"
    serves = planned.component in PARTS
    for key in ("finds", "false_alarms"):
        if getattr(planned, key) and serves:
            yield (*path, key), f"found with component = '{planned.component}'; only what holds GPUs is checked"
    earlier = [each.name for each in scenario.maintenance[:index] if each.finds]
    if planned.finds and earlier:
        yield (*path, "finds"), f'found a second time; "{earlier[0]}" is the check that finds what is hidden'


def _sold(scenario: Scenario, topology: Topology) -> Broken:
    if scenario.sla is None:
        return
    if scenario.sla.replicas:
        yield from replicas(scenario, scenario.sla)
        return
    size, needs = topology.gpus_per(scenario.sla.sold), scenario.sla.needs
    if scenario.cluster.gpus < size:
        yield ("sla", "sold"), f"found {scenario.sla.sold}, of {size} GPUs; the cluster has {scenario.cluster.gpus}"
    if needs is not None and needs > size:
        yield ("sla", "needs"), f"found {needs} GPUs; at most {size} (a {scenario.sla.sold})"
    yield from ((("sla", *path), why) for path, why in mistakes(scenario.sla))


def _hazards(scenario: Scenario, topology: Topology) -> Broken:
    failures = Fraction(0)
    for index, hazard in enumerate(scenario.hazards):
        path = ("hazards", index)
        part, component = hazard.struck_part, hazard.component
        if part is None and isinstance(hazard.blast, int) and hazard.blast > topology.gpus:
            yield (*path, "blast"), f"found {hazard.blast}; at most {topology.gpus} (cluster.gpus)"
        least = 1 if component in PARTS else topology.gpus_per(component)
        if part is not None and topology.gpus_per(part) < least:
            allowed = ", ".join(each for each in ("gpu", "node", "rack") if topology.gpus_per(each) >= least)
            yield (*path, "blast"), f"found '{part}', smaller than the {component} that fails; allowed: {allowed}"
        horizon, longest = write(scenario.horizon, DURATION), hazard.lifetime.longest_ms
        if longest is not None and longest < scenario.horizon:
            found = write(longest, DURATION)
            why = f"found a record of {found}, shorter than the horizon of {horizon}; repeat = true starts it again"
            yield (*path, "mtbf"), why
        if hazard.burst is not None and hazard.burst.within > scenario.horizon:
            found = write(hazard.burst.within, DURATION)
            yield (*path, "burst", "within"), f"found {found}; at most the horizon of {horizon}"
        if hazard.mtbf_range and hazard.mtbf_range[0] > hazard.mtbf_range[1]:
            low, high = (write(end, DURATION) for end in hazard.mtbf_range)
            yield (*path, "mtbf_range"), f"found {low} to {high}; must be the lowest MTBF, then the highest"
        burnt_in = scenario.cluster.burn_in
        if burnt_in and hazard.ages and hazard.lifetime.log_survival(np.array([hazard.age + burnt_in]))[0] == -np.inf:
            aged = f"{write(burnt_in, DURATION)}; with hazards.{hazard.key}.age = {write(hazard.age, DURATION)}"
            yield ("cluster", "burn_in"), f"found {aged} no component of that lifetime lives that long"
        failures += _expected_failures(hazard, topology.components(component), burnt_in, scenario.horizon)
    if failures > MOST_FAILURES:
        found = f"{float(failures):,.0f}" if failures < 10**30 else "countless"
        why = f"found {found} expected failures in one replication (components x horizon / MTBF)"
        yield ("hazards",), f"{why}; at most {MOST_FAILURES:,}"


def _expected_failures(hazard: Hazard, components: int, burnt_in: int, horizon: int) -> Fraction:
    """Return components * horizon / MTBF; more where components age and come back as bad as they were.

    If a share s of repairs leaves the age as it is, a life has 1 / (1 - s) failures; if all do, they come at the
    failure rate of that age, and up to the horizon there are -log S(horizon) (minimal repair); a lemon's age runs
    ``factor`` times as fast, in lives W / C times as long. Repair time is left out.
    """
    lives = components * Fraction(horizon) / Fraction(hazard.mtbf_ms(components))
    silent = max(stage.silent for stage in hazard.stages)
    if not silent or not hazard.ages:
        return lives
    law, lemons, ages = hazard.lifetime, hazard.lemons, [(1.0, components)]
    if lemons is not None:
        law = law.with_mean(law.mean_ms * lemons.weight(components) / components)
        ages = [(1.0, components - lemons.count(components)), (lemons.factor, lemons.count(components))]
    often = Fraction(0)
    for factor, count in ages:
        with np.errstate(over="ignore"):
            worn = -float(law.log_survival(np.array([(hazard.age + burnt_in + horizon) * factor]))[0])
        often += count * Fraction(min(worn, 1e300))
    return min(lives / (1 - Fraction(silent)), often) if silent < 1 else often


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
