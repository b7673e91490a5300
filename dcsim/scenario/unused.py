"""Keys that are set though no simulation of the scenario reads them: allowed, and named."""

from collections import Counter
from collections.abc import Iterator

from dcsim.hazards import Hazard
from dcsim.hazards.shifts import start_of
from dcsim.recovery import Recovery
from dcsim.scenario.errors import KeyPath, dotted
from dcsim.scenario.model import Job, Scenario
from dcsim.scenario.plan import lay_out
from dcsim.topology import Topology
from dcsim.topology.build import build

_LOADS = frozenset({"restore", "restore_success", "restore_per_doubling", "restore_gpus"})


def unused_keys(scenario: Scenario) -> list[str]:
    """Return the keys, as ``--set`` takes them, that are set though the simulation ignores them.

    The closed-form accounting may still read such a key of the first job: restore in the modes hot and cold,
    checkpoint_every where ``identify`` needs it.
    """
    corrupts = any(hazard.effect == "corrupt" or hazard.coverage < 1 for hazard in scenario.hazards)
    unused: list[KeyPath] = []
    topology = build(scenario.cluster.topology, scenario.cluster.gpus)
    for job in scenario.jobs:
        unused += [("jobs", job.name, "recovery", key) for key in _of_job(job, corrupts)]
        if job.comm and scenario.cluster.topology.fabric is None:
            unused.append(("jobs", job.name, "comm"))
        if job.storage is not None and (scenario.cluster.topology.storage is None or not _moves(job)):
            unused.append(("jobs", job.name, "storage"))
    for hazard in scenario.hazards:
        unused += [("hazards", hazard.key, *key) for key in _of_hazard(hazard, scenario.cluster.in_rack_spares > 0)]
        unused += [("hazards", hazard.key, "lemons", *key) for key in _of_lemons(hazard, topology)]
    hidden = [each for each in scenario.hazards if _is_hidden(each) and not each.wrong_node]
    for each in scenario.maintenance:
        if each.finds and not any(
            topology.gpus_per(each.component) >= topology.gpus_per(one.component) for one in hidden
        ):
            unused.append(("maintenance", each.name, "finds"))
    if start_of(scenario.starts) and not any(_has_days(hazard) for hazard in scenario.hazards):
        unused.append(("starts",))
    if scenario.cluster.burn_in and scenario.tco is None and not any(hazard.ages for hazard in scenario.hazards):
        unused.append(("cluster", "burn_in"))
    layout = lay_out(scenario)
    for hazard in scenario.hazards:
        if hazard.notice and not layout.leads(hazard):  # too short for any checkpoint
            unused.append(("hazards", hazard.key, "notice"))
    for job in scenario.jobs:
        if job.time_limit and job.time_limit >= scenario.horizon:
            unused.append(("jobs", job.name, "time_limit"))
        if job.preflight is not None and job.preflight.finds and not any(map(_is_hidden, scenario.hazards)):
            unused.append(("jobs", job.name, "preflight", "finds"))
    unused += [("maintenance", each.name) for each in scenario.maintenance if each.start >= scenario.horizon]
    return [dotted(path) for path in unused]


def _is_hidden(hazard: Hazard) -> bool:
    """Whether members may be slow or faulty and nobody knows, so that a preflight can find them."""
    if hazard.effect == "corrupt":
        return hazard.placed
    return hazard.wrong_node > 0 or (hazard.effect in ("straggle", "degrade") and not hazard.serves)


def _has_days(hazard: Hazard) -> bool:
    """Whether those who repair have hours of a week."""
    return any(stage.shifts is not None or stage.visits is not None for stage in hazard.stages)


def _moves(job: Job) -> bool:
    """Whether a job ever moves anything through the gateways."""
    tiers = job.recovery.tiers
    return bool(job.storage and job.storage.load) or bool(tiers and tiers[-1].write and not tiers[-1].drain)


def _of_job(job: Job, corrupts: bool) -> Iterator[str]:
    """Yield the common keys that are not at their default though the job's kind does not use them.

    Whatever its kind, a job that is submitted later or whose time is limited starts with a restore; one that a hazard
    corrupts, or from which it does not always recover as designed, rolls back.
    """
    recovery = job.recovery
    used = set(recovery.uses)
    if job.submit or job.after or job.time_limit or corrupts:
        used |= _LOADS - recovery.unused
    if corrupts and recovery.tiers:
        used.add("bad_checkpoint")
    if not recovery.restore_per_doubling:
        used.discard("restore_gpus")
    for key, field in Recovery.model_fields.items():
        if key not in used and getattr(recovery, key) != field.default:
            yield key


def _of_hazard(hazard: Hazard, in_rack: bool) -> Iterator[KeyPath]:
    """Yield the keys that this effect, these lives or these repairs leave without effect."""
    effect = hazard.effect
    if hazard.age and not hazard.ages:
        yield ("age",)
    if effect == "degrade" and hazard.blast is not None:  # only the component itself is slow
        yield ("blast",)
    if effect == "kill":  # the hardware stays: nothing is repaired
        if hazard.repair:
            yield ("repair",)
        for key in ("requalify", "burn_in"):
            if getattr(hazard, key):
                yield (key,)
    else:
        yield from _of_repair(hazard)
    if hazard.returns == "job" and (effect in ("kill", "degrade") or in_rack):  # nothing leaves, or it has its own rack
        yield ("returns",)


def _of_lemons(hazard: Hazard, topology: Topology) -> Iterator[KeyPath]:
    """Yield lemons that are none: as good as others, or fewer than half a component; and a cure that never comes."""
    lemons = hazard.lemons
    if lemons is None:
        return
    alike = lemons.factor == 1 or not lemons.count(topology.components(hazard.component))
    if alike and lemons.retire_after is None:
        yield ()
    elif lemons.cured_by == "repair" and (alike or not hazard.cures):
        yield ("cured_by",)


def _of_repair(hazard: Hazard) -> Iterator[KeyPath]:
    """Yield what a record's own repair times replace, and what a repair cannot change: a component without a state."""
    if hazard.lifetime.mean_repair_ms is not None and hazard.repair:
        typed = hazard.stages[0].duration.mean_ms > 0
        if typed:
            yield ("repair", *_entry(hazard, 0), "time") if _has_stages(hazard) else ("repair",)
    if not hazard.ages and (hazard.lemons is None or hazard.lemons.cured_by == "replacement"):
        for place, stage in enumerate(hazard.stages):
            if stage.silent and not hazard.requalify_finds:
                yield ("repair", *_entry(hazard, place), "silent")


def _has_stages(hazard: Hazard) -> bool:
    return hazard.stages[0] is hazard.repair or isinstance(hazard.repair, tuple)


def _entry(hazard: Hazard, place: int) -> KeyPath:
    """Return how a stage is reached in ``repair``: by its name if that is its own, else by its place in the list."""
    if not isinstance(hazard.repair, tuple):
        return ()
    names = Counter(stage.name for stage in hazard.stages)
    name = hazard.stages[place].name
    return (place if name is None or names[name] > 1 else name,)
