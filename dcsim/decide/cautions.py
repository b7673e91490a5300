"""What a decision maker should know before anything is simulated: a scenario that cannot mean what it says."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from dcsim.decide.assumptions import assumption_differences, difference_sentence, differences_json
from dcsim.decide.caution import Caution, Kind, are, in_hours, in_time, one_in, percent
from dcsim.decide.estimate import formula_validity
from dcsim.decide.outcome import REPLICATIONS
from dcsim.decide.theory import gang_loss, gang_strikes, mean_stall_h
from dcsim.montecarlo.crew_load import RepairFlow, crew_pools, flows, gpus_in_repair, in_service, repairs_at_once
from dcsim.montecarlo.reliability import runs_needed
from dcsim.scenario import Job, Plan, Scenario
from dcsim.scenario.intervals import strikes_on
from dcsim.scenario.plan import plan
from dcsim.scenario.record_cautions import record_cautions
from dcsim.units import MS_PER_H
from dcsim.wording import counted, printable

FIRST_SCREEN = 3
"""Cautions that a first screen holds; source: assumed."""
NEARLY_BUSY = 0.8
"""Share of the crews that is busy from which on waits are long; source: assumed, as usual in queueing."""
LEAST_WAIT = 1e-3
"""Share of the GPU-hours that waits for repair below which a lack of spares is no caution; source: assumed."""
HARDLY = 100
"""Horizons beyond which the time that a job needs is no figure any more; source: assumed."""
MOST_JOBS = 100
"""Jobs that are looked at one by one, the largest; source: assumed, so that 10,000 jobs take no time."""
LEAST_UNASKED = 0.01
"""Share of the GPUs that no job asks for below which it is no caution; source: assumed."""


def cautions(scenarios: Sequence[Scenario], runs: int = REPLICATIONS) -> tuple[Caution, ...]:
    """Return what to know of scenarios that are run or compared together, the most important first.

    ``runs``: replications of each. Two or more scenarios are taken to be compared. What is said alike of several
    scenarios is one caution. Nothing is simulated.
    """
    merged: dict[tuple[str, str], Caution] = {}
    for each in (each for scenario in scenarios for each in _of(scenario, runs)):
        known = merged.get((each.kind, each.message))
        merged[each.kind, each.message] = each if known is None else known.joined(each)
    if len(scenarios) > 1:
        differences = assumption_differences(scenarios)
        sentence = difference_sentence(scenarios, differences)
        if sentence is not None:
            names = tuple(each.name for each in scenarios)
            figures = {"differences": differences_json(differences)}
            merged["assumptions", sentence] = Caution("assumptions", names, sentence, 1.0, figures)
    return tuple(sorted(merged.values(), key=lambda each: each.order))


def first_screen(found: Sequence[Caution]) -> tuple[Caution, ...]:
    """Return the ``FIRST_SCREEN`` cautions that matter most of ``found``, which is in order.

    In what compared offers differ comes first, then the worst of every kind, then the others.
    """
    worst = {each.kind: each for each in reversed(found)}
    return tuple(
        sorted(found, key=lambda each: (each.kind != "assumptions", each is not worst[each.kind]))[:FIRST_SCREEN]
    )


def cautions_json(scenarios: Sequence[Scenario], runs: int = REPLICATIONS) -> list[dict[str, Any]]:
    """Return the cautions for a JSON document."""
    return [each.to_json() for each in cautions(scenarios, runs)]


def _of(scenario: Scenario, runs: int) -> Iterator[Caution]:
    """Yield the cautions of one scenario."""
    layout = plan(scenario)
    found = flows(layout)
    yield from _crews(layout, found)
    yield from _formula(layout)
    yield from _jobs(layout)
    yield from _spares(layout, found)
    yield from _long_repairs(layout, found)
    yield from _repair_hours(layout, found)
    yield from _few_failures(layout, runs)
    yield from (_caution(scenario, "record", message, 1.0) for message in record_cautions(scenario))
    unasked = scenario.cluster.gpus - scenario.gpus_in_jobs - layout.idle_spares
    share = unasked / scenario.cluster.gpus
    if share >= LEAST_UNASKED:
        message = (
            f"no job asks for {unasked:,} of the {scenario.cluster.gpus:,} GPUs ({percent(share)}), and they are no "
            "spares: they are paid for and idle, which is no loss of work."
        )
        yield _caution(scenario, "unasked-gpus", message, share, gpus=unasked, share=share)
    if scenario.owner is not None and scenario.owner.billed == "in-service" and scenario.sla and scenario.sla.credits:
        message = (
            "downtime is charged twice: hours in repair are not invoiced (owner.billed), and [sla.credits] gives back "
            "more for them."
        )
        yield _caution(scenario, "downtime-twice", message, 0.0)


def _caution(scenario: Scenario, kind: Kind, message: str, severity: float, **figures: Any) -> Caution:
    return Caution(kind, (scenario.name,), message, severity, figures)


# --- repair -------------------------------------------------------------------------------------------------------


def _crews(layout: Plan, found: tuple[RepairFlow, ...]) -> Iterator[Caution]:
    scenario = layout.scenario
    horizon = scenario.horizon / MS_PER_H
    for pool in crew_pools(found):
        crews, name = counted(pool.size, "crew"), f'"{printable(pool.name)}"'
        figures = {"pool": pool.name, "crews": pool.size, "offered_load": pool.load, "crews_needed": pool.needed}
        if pool.overloaded:
            waiting = pool.waiting(horizon)
            gpus = min(waiting * pool.gpus, scenario.cluster.gpus)
            held = f", with {gpus:,.0f} GPUs out" if gpus >= 1 else ""
            message = (
                f"repair cannot keep up: {name} needs about {counted(pool.needed, 'crew')}, but has {pool.size:,}. "
                f"After {in_time(scenario.horizon)} about {counted(round(waiting), 'repair')} wait for a crew{held}."
            )
            severity = gpus / scenario.cluster.gpus
            figures |= {"waiting_at_horizon": waiting, "gpus_waiting_at_horizon": gpus}
            yield _caution(scenario, "repair-overload", message, severity, **figures)
        elif pool.load >= NEARLY_BUSY * pool.most_busy:
            busy, wait = pool.load / pool.most_busy, pool.wait_h
            when = "of the time" if pool.at_work == 1 else "of their working hours"
            message = f"repairs wait long: {crews} of {name} would be busy {percent(busy)} {when}"
            message += (
                "." if wait is None else f", so a repair waits about {in_hours(wait)} for a crew in the long run."
            )
            yield _caution(scenario, "repair-queue", message, busy, **figures, wait_h=wait)


def _long_repairs(layout: Plan, found: tuple[RepairFlow, ...]) -> Iterator[Caution]:
    scenario = layout.scenario
    for flow in found:
        failures = flow.per_h * scenario.horizon / MS_PER_H
        if flow.repair_h * MS_PER_H > scenario.horizon and failures >= 1:
            message = (
                f'a repair of "{printable(flow.hazard.key)}" takes {in_hours(flow.repair_h)} on average, longer than '
                f"the horizon of {in_time(scenario.horizon)}: most of what fails is never back."
            )
            severity = min(failures * flow.share, 1.0)
            yield _caution(scenario, "long-repair", message, severity, hazard=flow.hazard.key, repair_h=flow.repair_h)


def _repair_hours(layout: Plan, found: tuple[RepairFlow, ...]) -> Iterator[Caution]:
    """Yield that the published formula charges the work alone where repairs wait for a shift or a visit."""
    scenario = layout.scenario
    for flow in found:
        if flow.repair_h > flow.work_h and flow.repair_h < math.inf:
            message = (
                f'a repair of "{printable(flow.hazard.key)}" takes about {in_hours(flow.repair_h)} from identification '
                f"to return, because those who do it have their hours: the published formula charges "
                f"{in_hours(flow.work_h)}."
            )
            about = {"hazard": flow.hazard.key, "repair_h": flow.repair_h, "work_h": flow.work_h}
            yield _caution(
                scenario, "repair-hours", message, min(flow.per_h * flow.share * flow.repair_h, 1.0), **about
            )


# --- spares -------------------------------------------------------------------------------------------------------


def _spares(layout: Plan, found: tuple[RepairFlow, ...]) -> Iterator[Caution]:
    """Yield what free GPUs cannot replace: the worst that is true. Any free GPU replaces one that failed.

    Jobs that wait for their own repair (``spare = "cold"``) or run smaller need no spares.
    """
    scenario, cluster = layout.scenario, layout.scenario.cluster
    needy = [job for job in scenario.jobs if job.recovery.spare != "cold" and not job.recovery.runs_small]
    taking = [flow for flow in found if flow.gpus and flow.repair_h]
    if not needy or not taking:
        return
    free, in_rack = scenario.replacing, cluster.in_rack_spares
    serving, out = in_service(taking), gpus_in_repair(taking)
    lost = {flow: _most_lost(layout, flow) for flow in taking}
    waits = {flow: serving * flow.per_h * flow.repair_h * _waiting_gpus(scenario) / cluster.gpus for flow in taking}
    short = sorted((flow for flow in taking if lost[flow] > (in_rack or free)), key=lambda flow: -lost[flow])
    short = [flow for flow in short if waits[flow] >= LEAST_WAIT or (free and _spares_help(scenario, flow))]
    largest = max(needy, key=lambda job: job.gpus)
    stops = [flow for flow in short if cluster.gpus - flow.gpus < largest.gpus and not in_rack]
    told = short[:3]
    severity = min(sum(waits.values()), 1.0)
    figures: dict[str, Any] = {"free_gpus": free}
    if told:
        worst = told[0]
        figures |= {"hazard": worst.hazard.key, "gpus_lost": lost[worst], "repair_h": worst.repair_h}
    if out > free and repairs_at_once(taking) >= 1 and not in_rack:
        message = f"on average {out:,.0f} GPUs are in repair and {are(free)} free to replace them: jobs wait."
        yield _caution(scenario, "too-few-spares", message, severity, gpus_in_repair=out, **figures)
    elif stops:
        worst = stops[0]
        message = (
            f'job "{printable(largest.name)}" needs {largest.gpus:,} GPUs and cannot run while one failure of '
            f'"{printable(worst.hazard.key)}" is repaired ({in_hours(worst.repair_h)} on average): '
            f"{cluster.gpus - worst.gpus:,} of {cluster.gpus:,} are left."
        )
        yield _caution(scenario, "blast-stops-job", message, waits[worst], job=largest.name, **figures)
    elif told:
        spares = "no GPU is free to"
        if in_rack:
            spares = f"{counted(in_rack, 'spare')} in each rack cannot"
        elif free:
            spares = f"{counted(free, 'spare' if free == cluster.spares else 'free GPU')} cannot"
        failures = [
            f'the {lost[flow]:,} GPUs that one failure of "{printable(flow.hazard.key)}" takes out '
            f"(repair {in_hours(flow.repair_h)} on average)"
            for flow in told
        ]
        message = f"{spares} replace {', nor '.join(failures)}: a job waits for the repair."
        yield _caution(scenario, "spares-below-blast", message, severity, **figures)


def _most_lost(layout: Plan, flow: RepairFlow) -> int:
    """Return the most GPUs that jobs lose at one failure and that must be replaced from one pool of spares.

    Of one gang where ``blast`` is a number, else of all; with spares in each rack, those of one rack.
    """
    scenario, topology = layout.scenario, layout.topology
    typed = flow.hazard.struck_part is None and not flow.hazard.serves
    most = max(job.gpus for job in scenario.jobs) if typed else scenario.gpus_in_jobs
    if scenario.cluster.in_rack_spares:
        most = min(most, topology.gpus_per_rack - scenario.cluster.in_rack_spares)
    return min(flow.gpus, most)


def _spares_help(scenario: Scenario, flow: RepairFlow) -> bool:
    """Whether spares are kept for failures such as these: at least one is expected, of less than half the cluster."""
    return flow.per_h * scenario.horizon >= MS_PER_H and 2 * flow.gpus < scenario.cluster.gpus


def _waiting_gpus(scenario: Scenario) -> float:
    """Return the GPUs of the gang that waits: the one that is struck or, by priority, one of the lowest."""
    lowest = min(map(scenario.priority_of, scenario.jobs))
    jobs = [job for job in scenario.jobs if scenario.priority_of(job) == lowest]
    if len(jobs) < len(scenario.jobs):
        return max(job.gpus for job in jobs)
    return sum(job.count * job.gpus**2 for job in jobs) / scenario.gpus_in_jobs


# --- formula and jobs ---------------------------------------------------------------------------------------------


def _formula(layout: Plan) -> Iterator[Caution]:
    scenario, validity = layout.scenario, formula_validity(layout.scenario)
    figures = {"formula_loss": validity.loss, "formula_stopped_share": validity.stopped}
    if not validity.holds:
        gives = f"it gives a loss of {percent(validity.loss)}"
        if validity.loss < 1:
            gives = f"it stops jobs for {percent(validity.stopped)} of the time"
        exact = gang_loss(layout)
        theory = ""
        if exact is not None:
            lost = percent(exact) if exact < 0.995 else "more than 99 %"
            theory = f" By exact theory the first job loses {lost} of its time, if it never waits for hardware."
        message = f"the published formula does not hold: {gives}.{theory}"
        yield _caution(scenario, "formula", message, max(validity.loss, validity.stopped), theory_loss=exact, **figures)
    elif validity.size_remark:
        message = f"the published formula charges {validity.charged_gpus:,.0f} GPUs per failure, but the largest job "
        message += f"has {validity.largest_job:,}."
        yield _caution(scenario, "formula", message, 0.0, **figures)


def _jobs(layout: Plan) -> Iterator[Caution]:
    """Yield what keeps single jobs from getting on, by exact theory of their first gang."""
    scenario = layout.scenario
    first = [gang for gang in layout.gangs if not gang.instance]
    for gang in sorted(first, key=lambda gang: -gang.gpus)[:MOST_JOBS]:
        job, strikes = scenario.jobs[gang.job], gang_strikes(layout, gang.index)
        rate = sum(each.rate for each in strikes)
        share = job.gpus * job.count / scenario.cluster.gpus
        about = f'job "{printable(job.name)}"'
        figures = {"job": job.name, "job_mtbf_h": 1 / rate if rate else None}
        stall = mean_stall_h(layout, strikes, gang.index) if rate else 0.0
        if rate * stall > 1:
            message = (
                f"{about} is interrupted every {in_hours(1 / rate)} on average, but needs {in_hours(stall)} to run "
            )
            message += "again: it hardly runs."
            yield _caution(scenario, "recovery-time", message, share, stall_h=stall, **figures)
        for level, tier in enumerate(gang.recovery.tiers):
            back, every = sum(each.rate for each in strikes if each.level == level), tier.every / MS_PER_H
            needs = math.inf if gang.work is None else gang.work / gang.gpus / MS_PER_H
            saves, such = f"saves its work only every {in_hours(every)}", "intervals"
            if needs <= every:
                saves, such = f"saves no work before it is done, after {in_hours(needs)} at best", "attempts"
                every = needs
            if back * every > 1:
                ends = math.exp(-min(rate * (every + tier.write / MS_PER_H), 700.0))
                message = f"{about} rolls back every {in_hours(1 / back)} on average, but {saves}: "
                message += f"{one_in(ends)} such {such} ends without a failure."
                about_it = {"checkpoint_every_h": every, "interval_without_failure": ends}
                yield _caution(scenario, "checkpoint-interval", message, share, **about_it, **figures)
                break
        yield from _work(layout, gang.index, job, share, figures)


def _work(layout: Plan, index: int, job: Job, share: float, figures: Mapping[str, Any]) -> Iterator[Caution]:
    """Yield that a job's work is not done by the horizon: not even without failures, or by exact theory."""
    if job.work is None:
        return
    left, (least, likely) = (layout.scenario.horizon - job.submit) / MS_PER_H, _needed_h(layout, index, job.work)
    if likely <= left:
        return
    needs = f"{in_hours(least)} without any failure" if least > left else f"about {in_hours(likely)} with its failures"
    if least <= left and likely > HARDLY * left:
        needs = f"more than {in_hours(HARDLY * left)} with its failures"
    message = (
        f'job "{printable(job.name)}" does not end within the horizon: it needs {needs}, and has {in_hours(left)}.'
    )
    numbers = {"least_h": least, "expected_h": likely, "available_h": left}
    yield _caution(layout.scenario, "unfinished-work", message, share, **numbers, **figures)


def _needed_h(layout: Plan, index: int, work: int) -> tuple[float, float]:
    """Return how long a gang needs for its work [h]: without failures, and in the mean by exact theory.

    Theory takes rates as constant; where they are not (lemons that are repaired, ageing), it has no say.
    """
    gang = layout.gangs[index]
    alone = work / gang.gpus / MS_PER_H
    least = alone / (1 - gang.recovery.steady_overhead)
    varies = any(hazard.lemons or hazard.ages for hazard, _, _ in strikes_on(layout, index))
    loss = None if varies else gang_loss(layout, index)
    return least, least if loss is None else max(least, alone / max(1 - loss, 1e-9))


def _few_failures(layout: Plan, runs: int) -> Iterator[Caution]:
    """Yield that few failures reach jobs in all runs; a job that ends meets none after its end."""
    scenario = layout.scenario
    gpu_hours = 0.0
    for gang in layout.gangs:
        if not gang.instance:
            left = (scenario.horizon - gang.submit) / MS_PER_H
            active = left if gang.work is None else min(left, gang.work / gang.gpus / MS_PER_H)
            gpu_hours += active * gang.gpus * scenario.jobs[gang.job].count
    per_h = sum(
        layout.components(hazard) / hazard.mtbf_ms(layout.components(hazard)) * MS_PER_H
        for hazard, _, _ in strikes_on(layout)
    )
    each = per_h * gpu_hours / scenario.cluster.gpus
    needed = runs_needed(scenario, runs)
    if not each or runs >= needed or needed <= 2:  # one run has no interval anyway
        return
    message = (
        f"few failures: about {each:,.2g} in a run, {each * runs:,.2g} in {counted(runs, 'run')}. A reliable interval "
        f"of the loss needs about {counted(needed, 'run')}."
    )
    numbers = {"failures_per_run": each, "runs": runs, "runs_needed": needed}
    yield _caution(scenario, "few-failures", message, 1 / (each * runs), **numbers)
