"""Whether jobs fit together: one after the other, on the spares, for a time only, or where their tokens are sold."""

from collections.abc import Iterator

from dcsim.economics.credits import Sla, mistakes
from dcsim.problems import not_one_of
from dcsim.recovery.keys import RULES
from dcsim.scenario.errors import KeyPath
from dcsim.scenario.model import Job, Scenario
from dcsim.units import DURATION, write
from dcsim.wording import did_you_mean, printable, shown

Broken = Iterator[tuple[KeyPath, str]]
"""Where, and what is wrong there."""


def time_limit(job: Job, index: int) -> Broken:
    """Yield what keeps a job from stopping at the end of its time and starting again where it was."""
    recovery, limit = job.recovery, job.time_limit
    if limit is None:
        if job.requeue:
            yield ("jobs", index, "time_limit"), "missing; required (requeue is given)"
        return
    saves = recovery.saves_ms
    if saves is None and not recovery.restores_always:
        why = "missing; required (time_limit is given: the job starts again from a checkpoint)"
        yield ("jobs", index, "recovery", "checkpoint_every"), why
    elif saves is not None and saves >= limit:
        found, takes = write(limit, DURATION), write(saves, DURATION)
        yield ("jobs", index, "time_limit"), f"found {found}; must be longer than the {takes} that a checkpoint takes"


def interval(scenario: Scenario, index: int) -> Broken:
    """Refuse a rule for the best interval where no failure of any hazard rolls the job back."""
    recovery, covered = scenario.jobs[index].recovery, min(hazard.coverage for hazard in scenario.hazards)
    every: int | str | None = recovery.checkpoint_every
    asks = isinstance(every, str) and every in RULES and "checkpoint_every" in recovery.uses
    if asks and not recovery.rolls_back_at(covered):
        why = f'found "{every}"; nothing is ever rolled back, so no interval is best'
        yield ("jobs", index, "recovery", "checkpoint_every"), why


def preflight(job: Job, index: int) -> Broken:
    """Yield what is wrong with a check before each start."""
    check, path = job.preflight, ("jobs", index, "preflight", "retest")
    if check is not None and check.false_alarms and check.retest is None:
        yield path, "missing; required (false_alarms is given)"
    if check is not None and check.retest is not None and not check.false_alarms:
        yield path, f"found {write(check.retest, DURATION)}; only false_alarms are tested again"


def chains(scenario: Scenario) -> Broken:
    """Yield what keeps a job that comes after another from ever being submitted."""
    by_name = {job.name: job for job in scenario.jobs}
    fine: set[str] = set()  # they are submitted some day
    for index, job in enumerate(scenario.jobs):
        if job.after is None:
            continue
        path: KeyPath = ("jobs", index, "after")
        before = by_name.get(job.after)
        if before is None:
            yield path, f"found {shown(job.after)}; {_one_of(scenario, job.after)}"
        elif before.work is None:
            yield path, f"found {shown(job.after)}, which has no work and is never done"
        elif scenario.cluster.in_rack_spares:
            why = "in_rack_spares is given: jobs are placed in racks from the start"
            yield path, f"found {shown(job.after)}; leave it out ({why})"
        else:
            passed = {job.name}
            while before is not None and before.name not in passed and before.name not in fine:
                passed.add(before.name)
                before = by_name.get(before.after or "")
            if before is not None and before.name == job.name:
                yield path, f"found {shown(job.after)}, which comes after this job itself"
            else:
                fine |= passed


def on_spares(scenario: Scenario) -> Broken:
    """Yield why a job cannot run on the spares."""
    name, spares, path = scenario.cluster.spares_run, scenario.cluster.spares, ("cluster", "spares_run")
    if name is None:
        return
    job = next((job for job in scenario.jobs if job.name == name), None)
    others = [each for each in scenario.jobs if each is not job]
    if job is None:
        yield path, f"found {shown(name)}; {_one_of(scenario, name)}"
    elif scenario.cluster.in_rack_spares:
        yield path, f"found {shown(name)}; leave it out (in_rack_spares is given: no pre-emption)"
    elif scenario.gpus_on_spares > spares:
        why = f"which asks for {scenario.gpus_on_spares} GPUs; at most {spares} (cluster.spares)"
        yield path, f"found {shown(name)}, {why}"
    elif not others:
        yield path, f"found {shown(name)}, the only job; there is nobody who would need the spares"
    elif job.priority and job.priority >= min(each.priority for each in others):
        index, lowest = scenario.jobs.index(job), min(each.priority for each in others)
        why = f"leave it out, or below {lowest} (cluster.spares_run: others take the spares when they need them)"
        yield ("jobs", index, "priority"), f"found {job.priority}; {why}"


def _one_of(scenario: Scenario, name: str) -> str:
    """Say which names of jobs are allowed, and the nearest."""
    names = [job.name for job in scenario.jobs]
    listed = ", ".join(printable(each) for each in names[:12]) + (", ..." if names[12:] else "")
    return f"allowed: {listed}{did_you_mean(name, names)}"


def replicas(scenario: Scenario, sla: Sla) -> Broken:
    """Refuse replicas of jobs that are not there, end or begin later, or have several sizes; and phases."""
    names = [job.name for job in scenario.jobs]
    for index, name in enumerate(sla.jobs or ()):
        if name not in names:
            yield ("sla", "jobs", index), not_one_of(names, name)
    sold = [job for job in scenario.jobs if sla.sells(job.name)]
    for job in sold:
        if job.work is not None or job.submit or job.time_limit is not None:
            yield ("sla", "sold"), f'found "replica" of job "{job.name}", which does not run over the whole horizon'
    if len({job.gpus for job in sold}) > 1:
        sizes = " and ".join(map(str, sorted({job.gpus for job in sold})))
        yield ("sla", "sold"), f"found replicas of {sizes} GPUs; must be of one size: name their jobs in jobs"
    if scenario.energisation:
        yield ("sla", "sold"), 'found "replica" with [[energisation]]; replicas are counted from t = 0 on'
    yield from ((("sla", *path), why) for path, why in mistakes(sla))
