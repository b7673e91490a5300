"""Whether strikes, crews, spares and shapes are all that a scenario is about; and if not, what else is."""

from collections.abc import Iterator

from dcsim.hazards import Hazard
from dcsim.recovery import Recovery
from dcsim.scenario.model import Job
from dcsim.scenario.plan import Plan


def needs_more(plan: Plan) -> tuple[str, ...]:
    """Return what in a scenario asks for ages, chances, effects, work to finish or a plant, in words; () if nothing.

    What is left is what the published calculators speak of: constant rates, blasts that are typed or a part of the
    topology, one stage of repair that always mends, and gangs that roll back alike whatever strikes them.
    """
    scenario, found = plan.scenario, []
    if scenario.maintenance:
        found.append("planned maintenance")
    if plan.has_plant:
        found.append("a plant: power, network, storage or energisation")
    if scenario.cluster.in_rack_spares:
        found.append("spares kept in their racks")
    for job in scenario.jobs:
        found += [f"job {job.name!r}: {why}" for why in _of_job(job)]
    for hazard in scenario.hazards:
        found += [f"hazard {hazard.key!r}: {why}" for why in _of_hazard(hazard)]
    return tuple(found)


def runs_small(recovery: Recovery) -> bool:
    """Whether a gang may run with fewer of its members."""
    return type(recovery).legal is not Recovery.legal


def _of_job(job: Job) -> Iterator[str]:
    recovery = job.recovery
    if job.work is not None:
        yield "work to finish"
    if recovery.bad_checkpoint or recovery.restore_success < 1:
        yield "chances of a restore"
    levels = {int(recovery.level(*case)) for case in ((0, False), (job.gpus, False), (job.gpus, recovery.coverage < 1))}
    if len(levels) > 1:
        yield "strikes that roll back unlike one another"
    if len(recovery.tiers) > 1:
        yield "several tiers of checkpoints"


def _of_hazard(hazard: Hazard) -> Iterator[str]:
    stages = hazard.stages
    if hazard.placed and (hazard.struck_part is None or hazard.serves):
        yield "it names components, not slots"
    if hazard.lemons is not None:
        yield "lemons"
    if hazard.ages:
        yield "its components age"
    if hazard.effect != "interrupt":
        yield f"effect {hazard.effect!r}"
    if hazard.exposure != "always":
        yield "it needs its gang to run"
    if not isinstance(hazard.detect, int):
        yield "its detection time is drawn"
    if hazard.wrong_node:
        yield "it may blame a healthy node"
    if len(stages) > 1 or stages[0].success < 1:
        yield "a repair of several stages or attempts"
    if hazard.requalify:
        yield "a test after repair"
    if hazard.returns != "pool":
        yield "what is repaired returns to its job"
