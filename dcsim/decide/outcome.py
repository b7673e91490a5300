"""Simulate scenarios: how many replications of what, and what comes of them."""

from collections.abc import Mapping, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Any, Literal, TypedDict, Unpack

from dcsim.decide.accounts import has_book
from dcsim.decide.estimate import estimate
from dcsim.decide.result import RunResult
from dcsim.decide.run_table import keep_table
from dcsim.decide.study import Study, StudySamples
from dcsim.montecarlo import (
    UNSHARDED,
    Progress,
    Resume,
    RunFolder,
    Sample,
    Shard,
    Stopped,
    WantedEngine,
    choose,
    replicate_many,
    write_events,
)
from dcsim.montecarlo.manifest import Manifest
from dcsim.montecarlo.run_reader import read_sample
from dcsim.montecarlo.sequential_stopping import StoppingRule
from dcsim.scenario import PER_SAMPLE, Scenario, Source, read
from dcsim.scenario.provenance import origins as origins_of

REPLICATIONS = 100
"""Default number of replications: three tiers and their bridges take 47 s of CPU, 25 s on two cores (measured)."""


Executor = Literal["local", "ray"]


class How(TypedDict, total=False):
    """How to simulate; every key may be left out.

    ``replications`` 0 to n - 1 are simulated by ``workers`` processes (default: the cores at hand). With ``output``
    each is kept, as it finishes, in a folder of its scenario under it, and ``resume`` reads what is there; ``command``
    is noted beside it. ``progress`` is called after each. ``events``: of how many replications, from 0 on, the event
    log is kept there too. ``engine``: "auto" (compiled rules) or "simpy". ``monthly``: whether GPU-time is kept by
    month and by cause too (default: yes). ``executor``: "local" or "ray". ``shard``: only that part of the
    replications, in a folder of its own.

    ``precision``: "0.05 pp" goes on until the 95 % interval of every scenario's loss is as narrow as that to either
    side, with looks after 64, 128, 256, … replications; ``replications`` are then the most. Where inputs are uncertain,
    replications come in pairs: an odd number is raised by one. ``origins``: where the values of each scenario are from,
    to be kept with it (``scenario.origins``).
    """

    replications: int
    precision: str | None
    workers: int | None
    output: Path | str | None
    resume: Resume
    progress: Progress | None
    command: Sequence[str]
    events: int
    engine: WantedEngine
    monthly: bool
    executor: Executor
    shard: Shard
    origins: Sequence[Mapping[str, str]]


def run(
    scenario: Source,
    *,
    replications: int | None = None,
    precision: str | None = None,
    seed: int | None = None,
    set: Sequence[str] = (),
    workers: int | None = None,
    output: Path | str | None = None,
    resume: Resume = False,
    progress: Progress | None = None,
    events: int = 0,
    engine: WantedEngine = "auto",
    monthly: bool = True,
    executor: Executor = "local",
    shard: Shard = UNSHARDED,
    command: Sequence[str] = (),
    origins: Sequence[Mapping[str, str]] | None = None,
) -> RunResult:
    """Simulate one scenario: a path, a shipped name, a dict or a Scenario.

    ``replications``: runs 0 to n - 1 (default 100); with ``precision``, such as "0.05 pp", the most, and it goes on
    until the 95 % interval of the loss is as narrow as that to either side. ``seed`` and ``set`` (texts such as
    "cluster.spares=64") change the scenario first. ``workers``: processes (default: the cores at hand). ``output``: a
    folder under which every finished run is kept, and ``resume`` reads what is there. ``progress`` is called after each
    run. ``events``: of how many runs, from 0 on, the event log is kept there too. ``engine``: "auto" (compiled rules)
    or "simpy". ``monthly``: whether GPU-time is kept by month and by cause too. ``executor``: "local" or "ray".
    ``shard``: only that part of the runs, in a folder of its own. ``command`` and ``origins`` are noted beside the
    runs.

    Raises ScenarioError for a scenario with mistakes, StoreError for a folder that cannot be used, ValueError for a
    precision that is none, or that allows fewer runs than the first look has, Interrupted on Ctrl-C.
    """
    how: How = {
        "workers": workers,
        "output": output,
        "resume": resume,
        "progress": progress,
        "events": events,
        "engine": engine,
        "monthly": monthly,
        "executor": executor,
        "shard": shard,
        "command": command,
        "precision": precision,
    }
    if origins is not None:
        how["origins"] = origins
    if replications is not None:
        how["replications"] = replications
    results, _ = run_many([read(scenario, set=set, **({} if seed is None else {"seed": seed}))], **how)
    return results[0]


def run_many(
    scenarios: Sequence[Scenario], ablations: bool = False, ranges: bool = True, **how: Unpack[How]
) -> tuple[tuple[RunResult, ...], StudySamples]:
    """Simulate scenarios together, each with its own seed; return their results, and all that was simulated for them.

    ``ablations``: also the steps from each formula to its simulation. ``ranges``: also the ends of ranges of MTBF.
    Raises as ``run``.
    """
    if unknown := how.keys() - How.__annotations__.keys():
        raise TypeError(f"unknown: {', '.join(sorted(unknown))}; allowed: {', '.join(How.__annotations__)}")
    output, stopping_rule = how.get("output"), None
    if (precision := how.get("precision")) is not None:
        stopping_rule = StoppingRule(scenarios, precision, how.get("replications"))
    replications = how.get("replications", REPLICATIONS) if stopping_rule is None else stopping_rule.first
    if any(each.uncertain for each in scenarios):
        replications += replications % PER_SAMPLE
    workers, progress = how.get("workers"), how.get("progress")
    command, shard, wanted = how.get("command", ()), how.get("shard", UNSHARDED), how.get("engine", "auto")
    events = how.get("events", 0)
    given = how.get("origins") or [origins_of(each) for each in scenarios]
    about: dict[str, Any] = {"shard": shard, "command": command, "precision": precision}
    stores = [
        None if output is None else RunFolder(Path(output), each, origins=its, **about)
        for each, its in zip(scenarios, given, strict=True)
    ]
    study = Study.of(scenarios, replications, ablations=ablations, ranges=ranges and shard == UNSHARDED)
    engine = choose(wanted, how.get("monthly", True) or has_book(scenarios))
    samples = replicate_many(
        list(zip_longest(study.scenarios, stores)),
        study.replications,
        workers=workers,
        resume=how.get("resume", False),
        progress=progress,
        engine=engine,
        executor=how.get("executor", "local"),
        shard=shard,
        more=None if stopping_rule is None else stopping_rule.more,
    )
    stopped: Sequence[Stopped | None] = [None] * len(scenarios) if stopping_rule is None else stopping_rule.stopped
    simulated = StudySamples(study, samples)
    results = []
    for index, (scenario, sample, store, stop) in enumerate(zip(scenarios, samples, stores, stopped, strict=False)):
        folder, notices = (store.folder, tuple(store.notices)) if store else (None, ())
        if folder is not None:
            for number in sample.replications[sample.replications < events].tolist():
                write_events(folder, scenario, number)
        result = RunResult(sample, estimate(scenario), simulated.mtbf_range(index), folder, notices, stop, engine)
        if folder is not None and shard == UNSHARDED:
            keep_table(sample, folder)
        results.append(result)
    return tuple(results), simulated


def reopen(
    folders: Sequence[Path], ablations: bool = False, workers: int | None = None
) -> tuple[tuple[RunResult, ...], StudySamples]:
    """Return runs as they were, from their folders, and all that is simulated for them.

    What was not kept is simulated again, so everything is what ``run_many`` returned then. Where some have more
    replications than others, only as many as all of them have. Raises StoreError for a folder that cannot be believed,
    and whatever a simulation raises.
    """
    manifests, samples = [Manifest.read(folder) for folder in folders], [read_sample(folder) for folder in folders]
    scenarios = [sample.scenario for sample in samples]
    least = min(len(sample) for sample in samples)  # of one that was run again since, what the others have
    samples = [Sample(sample.scenario, sample.ledgers.chosen(slice(least))) for sample in samples]
    study = Study.of(scenarios, len(samples[0]), ablations=ablations)
    known = [*samples, *[None] * (len(study.members) - len(samples))]
    runs = [(each, None) for each in study.scenarios]
    simulated = StudySamples(study, replicate_many(runs, study.replications, workers=workers, known=known))
    looked = _looked_again(samples, manifests)
    return tuple(
        RunResult(sample, estimate(sample.scenario), simulated.mtbf_range(index), folder, (), stop, manifest.engine)
        for index, (sample, folder, stop, manifest) in enumerate(zip(samples, folders, looked, manifests, strict=True))
    ), simulated


def _looked_again(samples: Sequence[Sample], manifests: Sequence[Manifest]) -> Sequence[Stopped | None]:
    """Return how runs with a precision ended: the looks at what was finished then."""
    precision = manifests[0].precision
    if precision is None or any(each.precision != precision for each in manifests):
        return [None] * len(samples)
    stopping_rule = StoppingRule([sample.scenario for sample in samples], precision, len(samples[0]))
    for looked in stopping_rule.schedule:
        stopping_rule.more([Sample(each.scenario, each.ledgers.chosen(slice(looked))) for each in samples])
    return stopping_rule.stopped
