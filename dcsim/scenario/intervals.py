"""Checkpoint intervals that name a rule: what the rule gives at the rate at which a gang is rolled back."""

from collections.abc import Iterator

from dcsim.closed_form import daly_interval, optimal_interval, young_interval
from dcsim.hazards import Hazard
from dcsim.recovery import Recovery
from dcsim.scenario.model import Scenario
from dcsim.scenario.plan import Plan, blast_of, lay_out
from dcsim.scenario.rates import mtbf_in_service

RULES = {"young": young_interval, "daly": daly_interval, "optimal": optimal_interval}


def strikes_on(layout: Plan, index: int = 0) -> Iterator[tuple[Hazard, float, int]]:
    """Yield every hazard that stops jobs, its strikes on one gang per ms, and how many members one of them takes.

    Rates are means over the horizon: bursts, ageing and lemons change when strikes come, not how many; lemons that are
    retired or cured lower them (``mtbf_in_service``). A hazard that only kills processes takes no member.
    """
    topology, gang = layout.topology, layout.gangs[index]
    for hazard in layout.scenario.hazards:
        blast = blast_of(hazard, topology)
        if not hazard.stops or not blast:
            continue
        mtbf = mtbf_in_service(hazard, layout.components(hazard), layout.scenario.horizon)
        rate = layout.reaching(hazard, index) / mtbf
        yield hazard, rate, 0 if hazard.effect == "kill" else min(blast, gang.gpus)


def rolled_back(recovery: Recovery, struck: int) -> float:
    """Return the share of strikes of this size that roll back: all, what is not covered, or none."""
    if recovery.level(struck, False) >= 0:
        return 1.0
    return 1 - recovery.coverage if recovery.level(struck, True) >= 0 else 0.0


def settled(scenario: Scenario) -> Scenario:
    """Return the scenario with rules for checkpoint intervals replaced by ms; itself, if it has none.

    The rate is that of the strikes that roll back the job's first gang (``strikes_on``, ``rolled_back``); "optimal"
    is exact where every strike does. An interval is at least 1 ms and the tier's drain, and at most the horizon.
    """
    if not any(isinstance(job.recovery.checkpoint_every, str) for job in scenario.jobs):
        return scenario
    layout = lay_out(scenario)
    first = {gang.job: gang.index for gang in layout.gangs if gang.instance == 0}
    jobs = []
    for number, job in enumerate(scenario.jobs):
        recovery, rule = job.recovery, job.recovery.checkpoint_every
        if isinstance(rule, str):
            rate = sum(each * rolled_back(recovery, struck) for _, each, struck in strikes_on(layout, first[number]))
            least = max([1, *(tier.drain for tier in recovery.tiers)])
            best = min(RULES[rule](rate, recovery.checkpoint_write), scenario.horizon)
            changed = recovery.model_copy(update={"checkpoint_every": max(round(best), least)})
            job = job.model_copy(update={"recovery": changed})
        jobs.append(job)
    return scenario.model_copy(update={"jobs": tuple(jobs)})
