"""What no single key can tell: whether the parts of a scenario fit together."""

from collections.abc import Iterator
from fractions import Fraction

from dcsim.hazards import Hazard
from dcsim.ledger import REST, SPARES
from dcsim.recovery import Recovery
from dcsim.scenario.errors import KeyPath, dotted
from dcsim.scenario.model import Scenario
from dcsim.topology import Topology, TopologyError, build
from dcsim.units import DURATION, MS_PER_H, write

MOST_GANGS = 100_000
"""Gangs in a scenario; source: assumed, a gang of ten GPUs each on a million."""
MOST_FAILURES = 2 * 10**7
"""Expected failures of one replication; source: assumed: 2.2 GB at 110 B each (measured, one hazard)."""
MOST_GPU_MS = 2**62
"""N * H [GPU-ms]; source: accounts are int64, and a sum of two must not overflow."""

Broken = Iterator[tuple[KeyPath, str]]
"""Where, and what is wrong there."""


def broken_rules(scenario: Scenario) -> Broken:
    """Yield every rule that a scenario of valid keys breaks."""
    yield from _capacity(scenario)
    yield from _jobs(scenario)
    yield from _names(scenario)
    yield from _crews(scenario)
    try:
        topology = build(scenario.cluster.topology, scenario.cluster.gpus)
    except TopologyError as error:
        yield from ((("cluster", "gpus"), problem) for problem in error.problems)
        return
    yield from _hazards(scenario, topology)


def unused_keys(scenario: Scenario) -> list[str]:
    """Return the common recovery keys that are set though the simulation of their job's kind ignores them.

    A job that is submitted later uses ``restore`` whatever its kind: it starts. The closed-form accounting may still
    read such a key of the first job: restore in the modes hot and cold, checkpoint_every where ``identify`` needs it.
    """
    unused = []
    for job in scenario.jobs:
        used = job.recovery.uses | ({"restore"} if job.submit else set())
        for key, field in Recovery.model_fields.items():
            if key not in used and getattr(job.recovery, key) != field.default:
                unused.append(dotted(("jobs", job.name, "recovery", key)))
    return unused


def _capacity(scenario: Scenario) -> Broken:
    cluster, jobs = scenario.cluster, scenario.jobs
    asked = scenario.gpus_in_jobs + cluster.spares
    if asked > cluster.gpus:
        terms = " + ".join(f"{job.gpus} x {job.count}" for job in jobs[:5]) + (" + ..." if jobs[5:] else "")
        why = f"found {asked} GPUs = {terms} in jobs + {cluster.spares} spares; at most {cluster.gpus} (cluster.gpus)"
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
        if recovery.checkpoint_write and recovery.checkpoint_every is None:
            yield (*path, "checkpoint_every"), "missing; required (checkpoint_write is given)"


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
    first: dict[str, Hazard] = {}
    for index, hazard in enumerate(scenario.hazards):
        stage = hazard.stage
        if stage.name is None:
            continue
        other = first.setdefault(stage.name, hazard)
        if stage.crews != other.stage.crews:
            path: KeyPath = ("hazards", index, "repair", *([0] if isinstance(hazard.repair, tuple) else []), "crews")
            found, wanted = stage.crews or "unlimited", other.stage.crews or "unlimited"
            why = f'found {found}; hazard "{other.key}" has {wanted}, and crews named "{stage.name}" are shared'
            yield path, why


def _hazards(scenario: Scenario, topology: Topology) -> Broken:
    failures = Fraction(0)
    for index, hazard in enumerate(scenario.hazards):
        path = ("hazards", index)
        part, component = hazard.struck_part, hazard.component
        if part is None and isinstance(hazard.blast, int) and hazard.blast > topology.gpus:
            yield (*path, "blast"), f"found {hazard.blast}; at most {topology.gpus} (cluster.gpus)"
        least = topology.gpus_per(component)
        if part is not None and topology.gpus_per(part) < least:
            allowed = ", ".join(each for each in ("gpu", "node", "rack") if topology.gpus_per(each) >= least)
            yield (*path, "blast"), f"found '{part}', smaller than the {component} that fails; allowed: {allowed}"
        mean = hazard.lifetime.mean_ms
        if hazard.mtbf_range and hazard.mtbf_range[0] > hazard.mtbf_range[1]:
            low, high = (write(end, DURATION) for end in hazard.mtbf_range)
            yield (*path, "mtbf_range"), f"found {low} to {high}; must be the lowest, then the highest"
        failures += topology.components(component) * Fraction(scenario.horizon) / Fraction(mean)
    if failures > MOST_FAILURES:
        why = f"found {float(failures):,.0f} expected failures in one replication (components x horizon / MTBF)"
        yield ("hazards",), f"{why}; at most {MOST_FAILURES:,}"
