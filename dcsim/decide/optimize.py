"""The best of many settings: what costs least, or reaches a target for least, or does most within a budget."""

import hashlib
from collections.abc import Mapping, Sequence
from itertools import product, zip_longest
from pathlib import Path
from typing import Any

from dcsim.decide.accounts import has_book
from dcsim.decide.estimate import bill
from dcsim.decide.metrics import METRICS, Metric, metric, usual_metric
from dcsim.decide.optimize_race import Race, Requirement, worse_at_most
from dcsim.decide.optimize_result import Optimum, Setting
from dcsim.decide.outcome import Executor
from dcsim.decide.sweep_region import Measured
from dcsim.decide.theory import cluster_loss
from dcsim.decide.variants import Axis, Variant, at_one_seed, read_axes, switch_notes, variants
from dcsim.montecarlo import Progress, Resume, RunFolder, WantedEngine, choose, replicate_many, slug
from dcsim.problems import wrong
from dcsim.scenario import Problem, Scenario, ScenarioError, Source, sha256
from dcsim.scenario.provenance import origins as origins_of
from dcsim.units import DURATION, parse

RUNS_PER_POINT = 200
"""Default of ``runs`` for every setting, in the mean; source: assumed, ten seconds for 40 settings of the headline."""
FEWER = ("spares", "in_rack_spares", "crews", "gpus")
"""Keys whose lower value is simpler, the last part of each; in this order."""
LONGER = ("checkpoint_every",)
"""Keys whose higher value is simpler: checkpoints that are written less often."""
STOCK = (*FEWER, "needs")
"""Keys about hardware that jobs wait for, of which exact theory knows nothing."""
RUNS = "runs"
"""The folder, within that of a question, that holds the folders of its runs."""


def optimize(
    scenarios: Source | Sequence[Source],
    axes: Mapping[str, Any] | Sequence[str] = (),
    *,
    goal: str | None = None,
    budget: str | None = None,
    runs: int | None = None,
    seed: int | None = None,
    set: Sequence[str] = (),
    workers: int | None = None,
    output: Path | str | None = None,
    resume: Resume = False,
    progress: Progress | None = None,
    engine: WantedEngine = "auto",
    monthly: bool = False,
    executor: Executor = "local",
    command: Sequence[str] = (),
) -> Optimum:
    """Return which setting is best, and all that common random numbers cannot tell apart from it.

    ``scenarios``: one or more offers; ``axes``: key -> its values, a list or a text such as "5 min:60 min:5 min", or
    texts as ``-L`` takes them: "cluster.spares=0:64:8", and "KEY=VALUES; KEY=VALUES" for keys that change together. A
    stock of spares is bought (``variants.bought``).

    ``goal``: None for the least price of a useful GPU-hour (without [tco] the least loss); the name of a figure of
    ``dcsim.decide.metrics.METRICS``; or a target in a share of the runs, "goodput >= 95 % at 90 %", to be reached for
    the least price. ``budget``: "p95(paid_usd) <= 5.5e8"; then most useful GPU-hours are best, unless ``goal`` says
    otherwise. ``runs``: simulated at most, over all settings (default: 200 for each). Other keywords as in
    ``dcsim.run``; the seed is the first scenario's by default. Raises ScenarioError, else as ``dcsim.run``.
    """
    given, offers = at_one_seed(scenarios, set, seed)
    texts = [f"{key}={_listed(values)}" for key, values in axes.items()] if isinstance(axes, Mapping) else list(axes)
    linked = [_linked(text) for text in texts]
    keys = _keys(linked)
    found = _variants(offers, linked)
    if len(found) < 2:
        told = "found one setting" if linked else "missing"
        raise ScenarioError([Problem("-L", None, "", f"{told}; give a key and its values, or several files")])
    best_by, requirements = _goal(found, goal, budget)
    chosen_engine = choose(engine, monthly or has_book(each.scenario for each in found))
    most = RUNS_PER_POINT * len(found) if runs is None else runs
    race = Race([each.scenario for each in found], best_by, requirements, most, chosen_engine)
    folder = None if output is None else Path(output) / _folder_name(found, best_by, requirements)
    stores = [_store(folder, each, command) for each in found] if folder else []
    samples = replicate_many(
        list(zip_longest((each.scenario for each in found), stores)),
        race.counts,
        workers=workers,
        resume=resume,
        progress=progress,
        engine=chosen_engine,
        executor=executor,
        more=race.more,
    )
    del samples  # the race has looked at them
    notices = tuple(dict.fromkeys(notice for store in stores for notice in store.notices))
    return _answer(offers, keys, found, race, folder, (*_notes(given, offers[0].seed, found), *notices))


def _listed(values: Any) -> str:
    from dcsim.wording import shown

    if isinstance(values, str):
        return values
    return ",".join(f'"{each}"' if isinstance(each, str) else shown(each) for each in values)


def _linked(text: str) -> list[Axis]:
    """Return the axes that one option gives, whose values change together."""
    axes = read_axes([part for part in text.split(";") if part.strip()] or [text])
    most = max(len(axis.values) for axis in axes)
    if {len(axis.values) for axis in axes} - {1, most}:
        counts = ", ".join(f"{len(axis.values)} of {axis.key}" for axis in axes)
        told = f"found {counts}; keys that change together must have as many values, or one"
        raise ScenarioError([Problem("-L", None, "", told)])
    return [Axis(axis.key, axis.values if len(axis.values) == most else axis.values * most) for axis in axes]


def _keys(linked: Sequence[Sequence[Axis]]) -> tuple[str, ...]:
    keys = [axis.key for axes in linked for axis in axes]
    twice = [key for key in dict.fromkeys(keys) if keys.count(key) > 1]
    if twice:
        raise ScenarioError([Problem("-L", None, key, "found twice; give all of its values at once") for key in twice])
    return tuple(keys)


def _variants(offers: Sequence[Scenario], linked: Sequence[Sequence[Axis]]) -> list[Variant]:
    """Return every offer with every combination of values; keys of one option change together."""
    steps = [
        [
            dict(zip((axis.key for axis in axes), values, strict=True))
            for values in zip(*(a.values for a in axes), strict=True)
        ]
        for axes in linked
    ]
    settings = [{key: value for each in combination for key, value in each.items()} for combination in product(*steps)]
    asked = [(number, offer, inputs) for number, offer in enumerate(offers) for inputs in settings]
    return variants(asked, buys=True)


def _goal(found: Sequence[Variant], goal: str | None, budget: str | None) -> tuple[Metric, tuple[Requirement, ...]]:
    """Return the figure that decides, and what is required of a setting beside it."""
    scenarios = [each.scenario for each in found]
    requirements = [] if budget is None else [Requirement.read(budget, "--budget")]
    best_by = METRICS["useful_gpu_hours"] if budget is not None else usual_metric(scenarios)
    if goal is not None and goal.strip().replace("_", "").isalnum():
        best_by = metric(goal.strip(), "--goal")
    elif goal is not None:
        requirements.append(Requirement.read(goal, "--goal"))
        best_by = usual_metric(scenarios)
    problems = []
    for option, each in (("--goal", best_by), *(("--budget", its.metric) for its in requirements)):
        if lacking := each.lacking(scenarios):
            problems.append(Problem(option, None, "", wrong(each.name, lacking)))
        if each.name == "finish_h" and not all(one.ends for one in scenarios):
            problems.append(Problem(option, None, "", wrong(each.name, "every job needs work that it finishes")))
    if problems:
        raise ScenarioError(dict.fromkeys(problems))
    return best_by, tuple(requirements)


def _store(folder: Path, each: Variant, command: Sequence[str]) -> RunFolder:
    origins = origins_of(each.scenario) | {key: "-L" for key, _ in each.inputs}
    return RunFolder(folder / RUNS, each.scenario, command=command, origins=origins)


def _folder_name(found: Sequence[Variant], best_by: Metric, requirements: Sequence[Requirement]) -> str:
    """Return the name of the folder of a question: it follows from the question alone."""
    asked = [sha256(each.scenario) for each in found] + [best_by.name] + [each.text for each in requirements]
    digest = hashlib.sha256("\n".join(asked).encode()).hexdigest()
    names = " ".join(dict.fromkeys(each.scenario.name for each in found))
    return f"optimize-{slug(names)}-{digest[:8]}"


# --- the answer -------------------------------------------------------------------------------------------------------


def _answer(
    offers: tuple[Scenario, ...],
    keys: tuple[str, ...],
    found: Sequence[Variant],
    race: Race,
    folder: Path | None,
    notes: tuple[str, ...],
) -> Optimum:
    has_theory = race.metric.name in ("usd_per_useful_gpu_hour", "loss") and not any(
        key.rpartition(".")[2] in STOCK for key in keys
    )
    settings = []
    for number, each in enumerate(found):
        run = race.results[number]
        assert run is not None
        names = dict.fromkeys((race.metric.name, *(its.metric.name for its in race.requirements), *FIGURES))
        figures = {name: METRICS[name].summary(run) for name in names}
        settings.append(
            Setting(
                number=number,
                offer=each.offer,
                inputs=each.inputs,
                scenario=each.scenario,
                runs=len(run.sample),
                fate=race.fates[number],
                figure=figures[race.metric.name],
                met=race.met[number],
                theory=_theory(each.scenario, race.metric) if has_theory else None,
                figures={name: its for name, its in figures.items() if its is not None},
            )
        )
    members = tuple(sorted(race.members))
    best = next((number for number in members if race.fates[number] == "best"), None)
    chosen = min(members, key=lambda number: simplicity(found[number], number)) if members else None
    return Optimum(
        offers=offers,
        keys=keys,
        metric=race.metric,
        requirements=tuple(race.requirements),
        settings=tuple(settings),
        best=best,
        members=members,
        chosen=chosen,
        dearer=_dearer(race, chosen, best),
        looks=tuple(race.looks),
        used=race.used,
        most=race.most,
        exhausted=not race.settled,
        notes=notes,
        folder=folder,
    )


FIGURES = ("usd_per_useful_gpu_hour", "paid_usd", "goodput")
"""What is told of every setting beside what is asked for."""


def simplicity(each: Variant, number: int) -> tuple[Any, ...]:
    """Return what settings are ordered by, the simplest first.

    Fewest spares, then spares in racks, crews and GPUs, then the longest checkpoint interval, then the order in which
    files and values were given. Of keys that are no part of the question all settings have the same.
    """
    by_last: dict[str, list[float]] = {}
    for key, value in each.inputs:
        number_of = _amount(value)
        if number_of is not None:
            by_last.setdefault(key.rpartition(".")[2], []).append(number_of)
    fewer = [sum(by_last.get(name, [0.0])) for name in FEWER]
    longer = [-sum(by_last.get(name, [0.0])) for name in LONGER]
    return (*fewer, *longer, number)


def _amount(value: Any) -> float | None:
    from pydantic_core import PydanticCustomError

    if isinstance(value, int | float):
        return float(value)
    try:
        return float(parse(value, DURATION))
    except PydanticCustomError:
        return None


def _dearer(race: Race, chosen: int | None, best: int | None) -> float | None:
    """Return by how much the chosen setting is worse than the best mean at most; None where nothing can be said."""
    if chosen is None or best is None:
        return None
    one, other = (race.results[number] for number in (best, chosen))
    if one is None or other is None:
        return None
    first, second = Measured.of(one, race.metric), Measured.of(other, race.metric)
    if first is None or second is None or not ((first.reliable and second.reliable) or chosen == best):
        return None
    return worse_at_most(first, second, 1.0 if race.metric.lower_is_better else -1.0, race.error)


def _theory(scenario: Scenario, best_by: Metric) -> float | None:
    """Return the price of a useful GPU-hour, or the loss, by exact theory of every gang alone."""
    loss = cluster_loss(scenario)
    if loss is None or best_by.name == "loss":
        return loss
    its = bill(scenario, loss)
    return None if its is None else its.usd_per_useful_gpu_hour["all_in"]


def _notes(given: Sequence[Scenario], seed: int, found: Sequence[Variant]) -> tuple[str, ...]:
    notes = switch_notes(given, found)
    if len({each.seed for each in given}) > 1:
        notes.append(f"All scenarios are simulated with seed {seed}.")
    return tuple(notes)
