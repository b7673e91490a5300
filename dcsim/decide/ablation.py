"""What the published formula leaves out and the simulation has: changes that can be taken back, one by one."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from dcsim.decide.estimate import mode_of
from dcsim.hazards import Hazard
from dcsim.hazards.repair import HOURS
from dcsim.parts import parts_of
from dcsim.plant import PlantState
from dcsim.scenario import Job, Scenario
from dcsim.scenario.intervals import settled
from dcsim.scenario.plan import blast_of, plan

FABRIC = frozenset(parts_of("network"))
BEFORE = ", before "
"""Between the scenario's name and the step's in the name of what is simulated before the step."""
BOTH = "both detection and rollback are paid, not the longer of the two"
POWER = frozenset(parts_of("power", "cooling"))
STORAGE = frozenset(parts_of("storage"))


@dataclass(frozen=True)
class AblationStep:
    """A change that the simulation makes to the formula's assumptions, and how to take it back."""

    name: str
    text: str
    undo: Callable[[Scenario], Scenario]


def ablation_steps(scenario: Scenario) -> tuple[AblationStep, ...]:
    """Return what the formula leaves out and the simulation has, in the order in which it is put back."""
    mode, fixed = mode_of(scenario), settled(scenario)
    steps = [AblationStep("checkpoint writes", "writes block the job", _jobs(checkpoint_write=0))]
    if mode == "tolerant":
        steps.append(AblationStep("restore", "a job that rolls back loads its state", _restore_of_rollback))
    else:
        hangs = "the job hangs until the failure is identified"
        steps.append(AblationStep("detection", BOTH if scenario.accounting.identify == "max" else hangs, _undetected))
        steps.append(AblationStep("failover", f"swapping hardware in takes time in {mode} mode too", _jobs(failover=0)))
    if mode != "cold":
        instant = _hazards(repair=0, requalify=0, requalify_finds=0.0, burn_in=0)
        steps.append(AblationStep("finite spares", _spares_text(scenario), instant))
        steps.append(
            AblationStep(
                "cold spares", "jobs wait for the repair of their own instead of taking free GPUs", _jobs(spare="hot")
            )
        )
    steps.append(AblationStep("finite crews", "repairs queue for their crews", _uncrewed))
    steps.append(AblationStep("working hours", "repairs wait for a shift, or for a visit", _always_at_work))
    return tuple(step for step in (*steps, *further(scenario)) if step.undo(fixed) != fixed)


def further(scenario: Scenario) -> tuple[AblationStep, ...]:
    """Return what no formula speaks of at all; without it failures are known beforehand, at a constant rate."""
    return (
        AblationStep(
            "mishaps",
            "failures that recovery does not cover, bad checkpoints, restores that fail or grow with the job",
            _certain,
        ),
        AblationStep(
            "wrong-node blame", "a healthy node is sent to repair and the job fails again", _hazards(wrong_node=0.0)
        ),
        AblationStep(
            "effects",
            "stragglers slow the job before they are found, corruption rolls back past checkpoints",
            _all_interrupt,
        ),
        AblationStep("exposure", "some components can fail only while they compute", _hazards(exposure="always")),
        AblationStep("correlated failures", "failures come in bursts at the same mean rate", _hazards(burst=None)),
        AblationStep(
            "lemons", "some components fail more often: the same mean rate until some leave", _hazards(lemons=None)
        ),
        AblationStep("ageing", "components wear out or settle in, at the same mean life", _ageless),
        AblationStep(
            "announced failures",
            "jobs save their work, or move away, before failures that are announced",
            _hazards(notice=0, noticed=1.0, evacuate=None),
        ),
        AblationStep("time limits", "jobs stop at the end of their time, queue and start again", _untimed),
        AblationStep("preflights", "members are checked before each start of a job", _unchecked),
        AblationStep("in-rack spares", "a spare helps only the rack that it stands in", _pooled),
        AblationStep(
            "maintenance",
            "planned windows stop jobs and take hardware out",
            lambda one: one.model_copy(update={"maintenance": ()}),
        ),
        AblationStep("work", "jobs end when their work is done", _endless),
        AblationStep("chains", "jobs take the place of others that are done", _unchained),
        AblationStep("work on spares", "a job works on the spares until they are needed", _idle_spares),
        AblationStep("fabric", "links slow jobs down: shared, degraded, or more out than redundancy covers", _unqueued),
        AblationStep("storage", "loads and writes share the gateways", _unshared),
        AblationStep("power", "racks are capped, or trip when more than the redundancy is out", _unlimited),
        AblationStep("energisation", "racks wait for power", lambda one: one.model_copy(update={"energisation": ()})),
    )


def simplified(scenario: Scenario) -> Scenario:
    """Return the scenario without everything that no formula speaks of; its checkpoint intervals stay what they are."""
    scenario = settled(scenario)
    for step in further(scenario)[::-1]:
        scenario = step.undo(scenario)
    return scenario


def ablated_scenarios(scenario: Scenario) -> list[tuple[str, str, Scenario]]:
    """Return (name, text, scenario to simulate) from the barest simulation to the scenario itself."""
    steps = ablation_steps(scenario)
    rolls_back = any(job.recovery.rolls_back for job in scenario.jobs)
    bare, fixed = (
        "a failure during recovery starts it again, and hardware that is out cannot fail",
        settled(scenario),
    )
    if rolls_back:
        back = BOTH if _charges_detection(fixed) else "the work since the last checkpoint is lost"
        bare = f"{back}; {bare}"
    if (mode_of(scenario) == "tolerant") is rolls_back:
        bare = f"jobs recover by their own strategies, not in the formula's {mode_of(scenario)} mode; " + bare
    found: list[tuple[str, str, Scenario]] = []
    changed = scenario  # a rule for the interval must not follow what is taken back
    for step in reversed(steps):
        found.append((step.name, step.text, changed))
        changed = step.undo(fixed if changed is scenario else changed).model_copy(
            update={"name": f"{scenario.name}{BEFORE}{step.name}"}
        )
    found.append(("simulated recovery", bare, changed))
    return found[::-1]


def _spares_text(scenario: Scenario) -> str:
    free = scenario.replacing
    blasts = [hazard.blast for hazard in scenario.hazards if isinstance(hazard.blast, int)]
    short = f", fewer than the {max(blasts):,} that one failure takes out" if blasts and max(blasts) > free > 0 else ""
    ranks = len(set(map(scenario.priority_of, scenario.jobs))) > 1
    instead = ", or take hardware from jobs of lower priority" if ranks else " for a repair"
    return f"free GPUs: {free:,}{short}; jobs wait{instead}"


# --- how each is taken back -------------------------------------------------------------------------------------------


def _with_jobs(scenario: Scenario, change: Callable[[Job], dict[str, Any]]) -> Scenario:
    jobs = tuple(
        job.model_copy(update={"recovery": job.recovery.model_copy(update=change(job))}) for job in scenario.jobs
    )
    return scenario.model_copy(update={"jobs": jobs})


def _with_hazards(scenario: Scenario, change: Callable[[Hazard], dict[str, Any]]) -> Scenario:
    hazards = tuple(hazard.model_copy(update=change(hazard)) for hazard in scenario.hazards)
    return scenario.model_copy(update={"hazards": hazards})


def _jobs(**change: Any) -> Callable[[Scenario], Scenario]:
    return lambda scenario: _with_jobs(scenario, lambda job: change)


def _hazards(**change: Any) -> Callable[[Scenario], Scenario]:
    return lambda scenario: _with_hazards(scenario, lambda hazard: change)


def _restore_of_rollback(scenario: Scenario) -> Scenario:
    return _with_jobs(scenario, lambda job: {"restore": 0} if job.recovery.rolls_back else {})


def _undetected(scenario: Scenario) -> Scenario:
    """Take detection back where the identify variant does not charge it."""
    variant, rollback = scenario.accounting.identify, _mean_rollback_ms(scenario)

    def change(hazard: Hazard) -> dict[str, Any]:
        charged = variant == "sum" or (variant == "max" and hazard.mean_detect_ms >= rollback)
        return {} if charged else {"detect": 0}

    return _with_hazards(scenario, change)


def _mean_rollback_ms(scenario: Scenario) -> float:
    """Half an interval between checkpoints of the first job [ms], as the formula charges it."""
    return (plan(scenario).gangs[0].recovery.checkpoint_every or 0) / 2


def _charges_detection(scenario: Scenario) -> bool:
    """Whether the formula charges detection in the place of the rollback, the longer of the two."""
    if scenario.accounting.identify != "max" or mode_of(scenario) == "tolerant":
        return False
    return any(hazard.mean_detect_ms >= _mean_rollback_ms(scenario) for hazard in scenario.hazards)


def _untimed(scenario: Scenario) -> Scenario:
    jobs = (job.model_copy(update={"time_limit": None, "requeue": 0}) for job in scenario.jobs)
    return scenario.model_copy(update={"jobs": tuple(jobs)})


def _unchecked(scenario: Scenario) -> Scenario:
    jobs = (job.model_copy(update={"preflight": None}) for job in scenario.jobs)
    return scenario.model_copy(update={"jobs": tuple(jobs)})


def _unchained(scenario: Scenario) -> Scenario:
    """Leave out the jobs that come after others."""
    return scenario.model_copy(update={"jobs": tuple(job for job in scenario.jobs if job.after is None)})


def _idle_spares(scenario: Scenario) -> Scenario:
    """Leave out the job that works on the spares: they stand idle."""
    name = scenario.cluster.spares_run
    if name is None:
        return scenario
    cluster = scenario.cluster.model_copy(update={"spares_run": None})
    jobs = tuple(job for job in scenario.jobs if job.name != name)
    return scenario.model_copy(update={"cluster": cluster, "jobs": jobs})


def _uncrewed(scenario: Scenario) -> Scenario:
    def change(hazard: Hazard) -> dict[str, Any]:
        if all(stage.crews is None for stage in hazard.stages):
            return {}
        return {"repair": tuple(stage.model_copy(update={"crews": None}) for stage in hazard.stages)}

    return _with_hazards(scenario, change)


def _always_at_work(scenario: Scenario) -> Scenario:
    def change(hazard: Hazard) -> dict[str, Any]:
        if not any(stage.waits for stage in hazard.stages):
            return {}
        hours = dict.fromkeys(HOURS)
        return {"repair": tuple(stage.model_copy(update=hours) for stage in hazard.stages)}

    return _with_hazards(scenario, change)


def _certain(scenario: Scenario) -> Scenario:
    certain = {"coverage": 1.0, "bad_checkpoint": 0.0, "restore_success": 1.0, "restore_per_doubling": 0}
    return _with_hazards(_with_jobs(scenario, lambda job: certain), lambda hazard: {"coverage": 1.0})


def _all_interrupt(scenario: Scenario) -> Scenario:
    """Let every hazard interrupt; what only slows down is not charged by the formula, and left out."""
    stopping = tuple(hazard for hazard in scenario.hazards if hazard.stops)
    if not stopping:
        return scenario
    kept = scenario.model_copy(update={"hazards": stopping})
    return _with_hazards(kept, lambda hazard: {"effect": "interrupt", "keeps": None})


def _ageless(scenario: Scenario) -> Scenario:
    layout = plan(scenario)

    def change(hazard: Hazard) -> dict[str, Any]:
        return {"mtbf": round(hazard.mtbf_ms(layout.components(hazard))), "age": 0}

    return _with_hazards(scenario, lambda hazard: change(hazard) if not hazard.lifetime.memoryless else {})


def _pooled(scenario: Scenario) -> Scenario:
    if not scenario.cluster.in_rack_spares:
        return scenario
    cluster = scenario.cluster.model_copy(update={"in_rack_spares": 0, "spares": plan(scenario).spares})
    return scenario.model_copy(update={"cluster": cluster})


def _without(scenario: Scenario, kinds: frozenset[str]) -> Scenario:
    """Take out what of these kinds of component does not strike a job when it fails alone, and work on it."""
    topology = plan(scenario).topology
    hazards = tuple(
        hazard
        for hazard in scenario.hazards
        if hazard.component not in kinds or (hazard.stops and blast_of(hazard, topology))
    )
    maintenance = tuple(planned for planned in scenario.maintenance if planned.component not in kinds)
    return scenario.model_copy(update={"hazards": hazards or scenario.hazards, "maintenance": maintenance})


def _unqueued(scenario: Scenario) -> Scenario:
    jobs = tuple(job.model_copy(update={"comm": 0.0}) for job in scenario.jobs)
    return _without(scenario, FABRIC).model_copy(update={"jobs": jobs})


def _unshared(scenario: Scenario) -> Scenario:
    jobs = tuple(job.model_copy(update={"storage": None}) for job in scenario.jobs)
    return _without(scenario, STORAGE).model_copy(update={"jobs": jobs})


def _unlimited(scenario: Scenario) -> Scenario:
    asks = POWER & {*(each.component for each in scenario.hazards), *(each.component for each in scenario.maintenance)}
    if not asks and not PlantState(plan(scenario).topology).short:
        return scenario
    scenario = _without(scenario, POWER)
    if any(hazard.component in POWER for hazard in scenario.hazards):
        return scenario
    cluster = scenario.cluster
    topology = cluster.topology.model_copy(update={"power": None, "cooling": None})
    return scenario.model_copy(update={"cluster": cluster.model_copy(update={"topology": topology})})


def _endless(scenario: Scenario) -> Scenario:
    return scenario.model_copy(update={"jobs": tuple(job.model_copy(update={"work": None}) for job in scenario.jobs)})
