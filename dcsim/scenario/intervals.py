"""Checkpoint intervals that name a rule: what the rule gives at the rate at which a gang is rolled back."""

import math
from collections.abc import Iterator

from dcsim.closed_form import Retirement, Served, daly_interval, optimal_interval, served, young_interval
from dcsim.hazards import Hazard
from dcsim.recovery import Recovery
from dcsim.recovery.keys import NO_CHECKPOINT
from dcsim.scenario.model import Scenario
from dcsim.scenario.plan import Plan, blast_of, lay_out
from dcsim.units import MS_PER_H


def fleet(hazard: Hazard, components: int, horizon: int) -> Served:
    """Return what all ``components`` of a hazard have over ``horizon`` [ms] in the mean: h in service, and failures.

    Failures are those of a Poisson stream at the rate that lemons have while they are lemons, and others without end:
    exact for memoryless lives that fail ``always``, repairs that take no time and no other reason to be out. Lives that
    age have their long-run rate. Without lemons failures = components * horizon / MTBF; with lemons too, unless they
    are retired or cured (``closed_form.served``).
    """
    hours, mtbf, lemons = horizon / MS_PER_H, hazard.mtbf_ms(components) / MS_PER_H, hazard.lemons
    if lemons is None or not _fewer(hazard):
        return Served(components * hours, components * hours / mtbf)
    rule = None
    if lemons.retire_after is not None:
        assert lemons.window is not None
        replace = math.inf if lemons.replace is None else lemons.replace / MS_PER_H
        rule = Retirement(lemons.retire_after, lemons.window / MS_PER_H, replace)
    ill = lemons.count(components)
    rate = components / lemons.weight(components) / mtbf
    sound, lemon = served(rate, lemons.factor, hazard.cures, rule, hours)
    well = components - ill
    return Served(well * sound.hours + ill * lemon.hours, well * sound.failures + ill * lemon.failures)


def mtbf_in_service(hazard: Hazard, components: int, horizon: int) -> float:
    """Return the time in service per failure [ms], in the mean over ``horizon`` [ms]: MTBF unless lemons leave."""
    if not _fewer(hazard):
        return hazard.mtbf_ms(components)
    found = fleet(hazard, components, horizon)
    return found.hours / found.failures * MS_PER_H


def _fewer(hazard: Hazard) -> bool:
    """Whether lemons become fewer."""
    return hazard.lemons is not None and (hazard.lemons.retire_after is not None or hazard.cures > 0)


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


def rolled_back(recovery: Recovery, hazard: Hazard, struck: int) -> float:
    """Return the share of a hazard's strikes of this size that cost work.

    All, what is not covered, or none; announced ones do not if there is time for a checkpoint.
    """
    saves = recovery.saves_ms
    share = 1 - hazard.noticed if hazard.notice and saves is not None and saves <= hazard.notice else 1.0
    if recovery.level(struck, False) >= 0:
        return share
    return (1 - recovery.coverage * hazard.coverage) * share if recovery.level(struck, True) >= 0 else 0.0


def settled(scenario: Scenario) -> Scenario:
    """Return the scenario with rules for checkpoint intervals replaced by ms; itself, if it has none.

    The rate is that of the strikes that roll back the job's first gang (``strikes_on``, ``rolled_back``); "optimal"
    is exact where every strike does. An interval is at least 1 ms and the tier's drain, and at most the horizon;
    "never" is the horizon: its first checkpoint would begin when all is over.
    """
    if not any(isinstance(job.recovery.checkpoint_every, str) for job in scenario.jobs):
        return scenario
    layout = lay_out(scenario)
    first = {gang.job: gang.index for gang in layout.gangs if gang.instance == 0}
    jobs = []
    for number, job in enumerate(scenario.jobs):
        recovery, rule = job.recovery, job.recovery.checkpoint_every
        if isinstance(rule, str):
            strikes = strikes_on(layout, first[number])
            rate = sum(each * rolled_back(recovery, hazard, struck) for hazard, each, struck in strikes)
            least = max([1, *(tier.drain for tier in recovery.tiers)])
            best = float(scenario.horizon)
            if rule != NO_CHECKPOINT:
                best = min(best, RULES[rule](rate, recovery.checkpoint_write))
            changed = recovery.model_copy(update={"checkpoint_every": max(round(best), least)})
            job = job.model_copy(update={"recovery": changed})
        jobs.append(job)
    return scenario.model_copy(update={"jobs": tuple(jobs)})
