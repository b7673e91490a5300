"""Offers side by side on the same random numbers: which is cheaper, by how much, and where the gap comes from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from pathlib import Path
from typing import Any, Literal

from dcsim.decide.bridge import Bridge, bridge_of
from dcsim.decide.display import Displayed
from dcsim.decide.documents import runs_json
from dcsim.decide.outcome import Executor, How, reopen, run_many
from dcsim.decide.pair import Pair
from dcsim.decide.result import RunResult
from dcsim.decide.study import StudySamples
from dcsim.decide.verdict import By, TailVerdict, Verdict, tail_verdict, verdict
from dcsim.decide.walk import RUNS, RUNS_PLAIN, Walk, walk
from dcsim.hazards import Hazard
from dcsim.montecarlo import UNSHARDED, Interrupted, Progress, Resume, Shard, StoreError, WantedEngine, choose
from dcsim.montecarlo.manifest import Manifest
from dcsim.scenario import Scenario, Source, read
from dcsim.scenario.provenance import origins as origins_of
from dcsim.scenario.uncertain import MONEY, is_money
from dcsim.topology.build import build

MOST_WALKS = 4
"""Offers for which it is told why they differ from the first; source: assumed, more fill pages."""
COMMON_SEED = "of the first scenario, the same for all that are compared"
"""Origin of a seed that took the place of the scenario's own."""
COMMON_SEEDS = (COMMON_SEED, "of the first scenario, so that the same failures strike all")
"""The same in the folders of runs that earlier versions left."""


@dataclass(frozen=True, repr=False)
class Comparison(Displayed):
    """Runs in the order asked for, every pair of them, why each differs from its formula, and what to know.

    ``walks``: why each one differs from the first. ``by``: what offers are ranked by.
    """

    runs: tuple[RunResult, ...]
    pairs: tuple[Pair, ...]
    bridges: tuple[Bridge, ...]
    notes: tuple[str, ...]
    walks: tuple[Walk, ...] = ()
    by: By = "mean"

    @cached_property
    def tail(self) -> TailVerdict | None:
        """Which offer is cheapest by the P95 of its runs; None unless that is asked for and there is a price."""
        return tail_verdict(self.runs) if self.by == "p95" else None

    @cached_property
    def verdict(self) -> Verdict | None:
        """Which offer is cheapest for a useful GPU-hour; None where there is no price to compare."""
        return verdict(self.runs)

    def __str__(self) -> str:
        """Return the cheapest offer and every run in a line each."""
        found = self.verdict
        name = None if found is None or found.cheapest is None else found.names[found.cheapest]
        first = [] if name is None else [f"{name} is cheapest per useful GPU-hour"]
        return "\n".join([*first, *map(str, self.runs)])

    def to_json(self) -> dict[str, Any]:
        """Return the document that ``dcsim compare --json`` prints."""
        return runs_json(self.runs) | {
            "verdict": None if self.verdict is None else self.verdict.to_json(),
            **({"verdict_p95": None if self.tail is None else self.tail.to_json()} if self.by == "p95" else {}),
            "comparisons": [pair.entry() for pair in self.pairs],
            "walks": [each.to_json() for each in self.walks],
            "notes": list(self.notes),
        }


def compare(
    scenarios: Sequence[Source],
    *,
    replications: int | None = None,
    precision: str | None = None,
    seed: int | None = None,
    set: Sequence[str] = (),
    bridges: bool = True,
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
) -> Comparison:
    """Simulate two or more scenarios from the random numbers of one seed (default: the first one's).

    ``scenarios``: paths, shipped names, dicts or Scenarios; ``set`` changes keys of all of them. ``bridges``: also
    simulate the steps from each formula to its simulation, and those from the first scenario to each other one
    (``walk``). All other keywords are those of ``run``. Raises ValueError for fewer than two scenarios, else as
    ``run``.
    """
    made = [read(each, set=set) for each in scenarios]
    if len(made) < 2:
        raise ValueError("a comparison needs at least two scenarios")
    common = made[0].seed if seed is None else seed
    notes = _notes(made, common)
    seeded = [each.model_copy(update={"seed": common}) for each in made]
    its_origins = [
        its if each.seed == common else {**its, "seed": COMMON_SEED}
        for its, each in zip(origins or map(origins_of, made), made, strict=True)
    ]
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
        "origins": its_origins,
    }
    if replications is not None:
        how["replications"] = replications
    results, simulated = run_many(seeded, bridges, **how)
    try:
        return _compared(results, simulated, notes, bridges=bridges, workers=workers if executor == "local" else None)
    except Interrupted as stopped:  # the offers are finished; only why they differ is not
        samples = [each.sample for each in results]
        finished = sum(map(len, samples))
        raise Interrupted(finished, finished + stopped.wanted, samples) from None


def recompare(folders: Sequence[Path], workers: int | None = None) -> Comparison:
    """Compare runs that were kept in folders, of one seed each: what ``compare`` returned when it made them.

    Raises as ``outcome.reopen``, StoreError also for runs of several seeds.
    """
    results, simulated = reopen(folders, True, workers)
    seeds = [each.scenario.seed for each in results]
    if len(set(seeds)) > 1:
        raise StoreError(folders[0], f"has not the seed of the others: {', '.join(map(str, seeds))}")
    scenarios = [each.scenario for each in results]
    notes = _notes(scenarios, seeds[0])
    if any(Manifest.read(folder).origins.get("seed") in COMMON_SEEDS for folder in folders):
        notes = (_common(scenarios, seeds[0]), *notes)
    return _compared(results, simulated, notes, bridges=True, workers=workers)


def _compared(
    results: Sequence[RunResult],
    simulated: StudySamples,
    notes: tuple[str, ...],
    *,
    bridges: bool,
    workers: int | None,
) -> Comparison:
    steps = [simulated.of("ablation", index) for index in range(len(results))]
    found = [bridge_of(result.scenario, each) for result, each in zip(results, steps, strict=True) if each]
    short = [each for each in found if each.replications < len(results[0].sample)]
    if short:
        notes += (f"why they differ is told over the first {short[0].replications} replications",)
    pairs = tuple(Pair(a, b) for a, b in combinations(results, 2))
    walks = _walks(results, workers) if bridges else ()
    if walks and len(results) - 1 > MOST_WALKS:
        notes += (f"why offers differ is told of the first {MOST_WALKS + 1}; dcsim diff tells it of any two",)
    return Comparison(tuple(results), pairs, tuple(found), notes, walks)


def _walks(results: Sequence[RunResult], workers: int | None) -> tuple[Walk, ...]:
    """Walk from the first offer to each other one that differs from it in more than its name."""
    first, *others = results
    count = min(len(first.sample), RUNS if choose().name == "compiled" else RUNS_PLAIN)
    found = (
        walk(first.scenario, each.scenario, (first, each), replications=count, workers=workers, monthly=False)
        for each in others[:MOST_WALKS]
    )
    return tuple(each for each in found if each.steps)


def _common(scenarios: Sequence[Scenario], seed: int) -> str:
    """Say that one seed is used, and what that makes common to all."""
    common = shared([each.model_copy(update={"seed": seed}) for each in scenarios])
    follows = {
        "failures": ": they draw the same failures",
        "random numbers": ": they draw their failures from the same random numbers",
        "nothing": "",
    }
    return f"all scenarios are simulated with seed {seed}{follows[common]}"


def _notes(scenarios: Sequence[Scenario], seed: int) -> tuple[str, ...]:
    """Say what a reader of the comparison must know about its pairs."""
    notes = []
    if any(each.seed != seed for each in scenarios):
        notes.append(_common(scenarios, seed))
    if len({frozenset(hazard.key for hazard in each.hazards) for each in scenarios}) > 1:
        notes.append("hazards of different names have failures of their own: those pairs share none of them")
    for what, values in (
        ("[tco] term", {each.tco.term for each in scenarios if each.tco}),
        ("cluster.gpus", {each.cluster.gpus for each in scenarios}),
    ):
        if len(values) > 1:
            notes.append(f"{what} differs between the scenarios: compare the prices of a useful GPU-hour, not totals")
    if len({each.horizon for each in scenarios}) > 1:
        notes.append("horizon differs between the scenarios: their runs do not spread alike")
    if len({each.name for each in scenarios}) < len(scenarios):
        notes.append("scenarios of one name are told apart by their order only")
    return tuple(notes)


Shared = Literal["failures", "random numbers", "nothing"]
"""What two scenarios have in common: each failure, only the random numbers behind them, or neither."""


def same_failures(a: Scenario, b: Scenario) -> bool:
    """Return whether the same components fail at the same times in both, replication by replication.

    Both need one seed, one horizon and one cluster size, and hazards of the same names that draw alike: component,
    lifetime, bursts, lemons, and whether a failure marks a component or a slot. What follows a failure (blast,
    detection, repair, recovery) may differ. A failure of what is out of service is dropped, so a scenario that repairs
    more slowly meets fewer of the same failures. Components that age fail by their own history: they meet the same
    failures only where all that the engine reads is equal.
    """
    if a.seed != b.seed or a.horizon != b.horizon or a.cluster.gpus != b.cluster.gpus:
        return False
    if any(hazard.ages or hazard.exposure == "running" for each in (a, b) for hazard in each.hazards):
        return _engine_reads(a) == _engine_reads(b)
    return _laws(a) == _laws(b) and _unknown(a) == _unknown(b)


def shared(scenarios: Sequence[Scenario]) -> Shared:
    """Return what every two of several scenarios have in common."""
    pairs = list(combinations(scenarios, 2))
    if all(same_failures(a, b) for a, b in pairs):
        return "failures"
    streams = [(each.seed, {hazard.key for hazard in each.hazards}) for each in scenarios]
    common = all(a[0] == b[0] and a[1] & b[1] for a, b in combinations(streams, 2))
    return "random numbers" if common else "nothing"


def _laws(scenario: Scenario) -> dict[str, tuple[Any, ...]]:
    """Return all that the times and marks of each hazard's failures depend on, by hazard."""
    topology = build(scenario.cluster.topology, scenario.cluster.gpus)
    return {
        hazard.key: (topology.components(hazard.component), hazard.component, *_law(hazard))
        for hazard in scenario.hazards
    }


def _law(hazard: Hazard) -> tuple[Any, ...]:
    lemons = hazard.lemons and (hazard.lemons.fraction, hazard.lemons.factor)
    return hazard.lifetime, hazard.burst, lemons, hazard.placed


def _unknown(scenario: Scenario) -> list[Any]:
    """Return the uncertain inputs that failures depend on, and what correlates them."""
    unread = (*MONEY, "jobs", "accounting")
    keys = [each.key for each in scenario.uncertain if each.key.partition(".")[0] not in unread]
    inputs = sorted((each for each in scenario.uncertain if each.key in keys), key=lambda each: each.key)
    return [*inputs, sorted((sorted(each.keys), each.rank_correlation) for each in scenario.correlated if keys)]


def _engine_reads(scenario: Scenario) -> Scenario:
    """Return the scenario without what only people and bills read."""
    ranges = tuple(hazard.model_copy(update={"mtbf_range": None}) for hazard in scenario.hazards)
    bare: dict[str, Any] = {"name": "", "description": "", "hazards": ranges, **dict.fromkeys(MONEY)}
    bare["accounting"] = type(scenario.accounting)()
    bare["uncertain"] = tuple(each for each in scenario.uncertain if not each.money)
    bare["correlated"] = tuple(each for each in scenario.correlated if not any(map(is_money, each.keys)))
    return scenario.model_copy(update=bare)
