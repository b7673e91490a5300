"""What a sweep asks: which scenarios at which settings, and by which figure they are judged."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import Any

import numpy as np

from dcsim.decide.comparison import shared
from dcsim.decide.metrics import METRICS, Metric, metric, usual_metric
from dcsim.decide.variants import (
    GPUS,
    MOST_VARIANTS,
    SPARES,
    Axis,
    Variant,
    at_one_seed,
    read_axes,
    switch_notes,
    variants,
)
from dcsim.ledger import CAUSES, STATES
from dcsim.montecarlo import slug
from dcsim.montecarlo.runner import physics
from dcsim.problems import wrong
from dcsim.scenario import Problem, Scenario, ScenarioError, Source, sha256

FIGURES = tuple(
    METRICS[name] for name in ("loss", "lost", "paid_usd", "useful_gpu_hours", "usd_per_useful_gpu_hour", "finish_h")
)
"""What is kept of every point, beside the figure that the sweep is about."""
BATCH_BYTES = 128 << 20
"""Ledgers that are in memory at a time [B]; source: assumed."""


@dataclass(frozen=True, eq=False)
class SweepQuestion:
    """Every point's scenario, in order, and the figure that decides; ``figures``: what else is kept of each point.

    ``verb``: what the folder is called after.
    """

    offers: tuple[Scenario, ...]
    axes: tuple[Axis, ...]
    drawn: bool
    metric: Metric
    variants: tuple[Variant, ...]
    notes: tuple[str, ...]
    figures: tuple[Metric, ...] = FIGURES
    verb: str = "sweep"

    @cached_property
    def sha256(self) -> list[str]:
        """Hash of every point's scenario."""
        return [sha256(each.scenario) for each in self.variants]

    @property
    def folder_name(self) -> str:
        """Name of the sweep's folder: it follows from the points alone."""
        digest = hashlib.sha256("\n".join(self.sha256).encode()).hexdigest()
        return f"{self.verb}-{slug(' '.join(each.name for each in self.offers))}-{digest[:8]}"


def question(
    scenarios: Source | Sequence[Source],
    axes: Mapping[str, Any] | Sequence[str | Axis],
    lhs: int | None,
    wanted: str | None,
    seed: int | None,
    changes: Sequence[str],
) -> SweepQuestion:
    """Read what ``sweep`` is given; raises ScenarioError."""
    given, offers = at_one_seed(scenarios, changes, seed)
    its_axes = _axes(axes)
    if not its_axes and len(offers) < 2:
        raise ScenarioError([Problem("-L", None, "", "missing; give a key and its values, or several files")])
    decides = usual_metric(offers) if wanted is None else metric(wanted)
    settings = _settings(its_axes, lhs, offers[0].seed)
    asked = [(number, offer, inputs) for number, offer in enumerate(offers) for inputs in settings]
    found = tuple(variants(asked, buys=True))
    if lacking := decides.lacking([each.scenario for each in found]):
        raise ScenarioError([Problem("--metric", None, "", wrong(decides.name, lacking))])
    notes = _notes(given, offers, its_axes, lhs, found)
    return SweepQuestion(offers, its_axes, lhs is not None, decides, found, notes, figures_of(found))


def figures_of(found: Sequence[Variant]) -> tuple[Metric, ...]:
    """Return what is kept of every point: the usual figures, and those of tables that all scenarios have besides."""
    scenarios = [each.scenario for each in found]
    more = [each for each in METRICS.values() if each.table not in ("", "tco") and not each.lacking(scenarios)]
    return (*FIGURES, *more)


def _axes(given: Mapping[str, Any] | Sequence[str | Axis]) -> tuple[Axis, ...]:
    if isinstance(given, Mapping):
        return tuple(
            Axis.read(f"{key}={values}", "axes") if isinstance(values, str) else Axis.of(key, values, "axes")
            for key, values in given.items()
        )
    texts = [each for each in given if isinstance(each, str)]
    return (*(each for each in given if isinstance(each, Axis)), *read_axes(texts))


def _settings(axes: Sequence[Axis], lhs: int | None, seed: int) -> list[dict[str, Any]]:
    """Return the inputs of every setting: all combinations, or those that a Latin hypercube draws."""
    keys = [axis.key for axis in axes]
    count = int(np.prod([len(axis.values) for axis in axes], dtype=np.float64)) if axes else 1
    if lhs is None:
        if count > MOST_VARIANTS:
            told = f"found {count:,} combinations; must be at most {MOST_VARIANTS:,}, or drawn by --lhs"
            raise ScenarioError([Problem("-L", None, "", told)])
        return [dict(zip(keys, values, strict=True)) for values in product(*(axis.values for axis in axes))]
    if lhs > count:
        told = wrong(lhs, f"must be at most {count:,}, the number of combinations")
        raise ScenarioError([Problem("--lhs", None, "", told)])
    from scipy.stats import qmc

    units = qmc.LatinHypercube(len(axes), rng=np.random.default_rng(seed)).random(lhs)
    places = np.floor(units * [len(axis.values) for axis in axes]).astype(int)
    chosen = sorted(dict.fromkeys(map(tuple, places.tolist())))
    return [{axis.key: axis.values[place] for axis, place in zip(axes, places, strict=True)} for places in chosen]


def _notes(
    given: Sequence[Scenario],
    offers: Sequence[Scenario],
    axes: Sequence[Axis],
    lhs: int | None,
    found: Sequence[Variant],
) -> tuple[str, ...]:
    """Say what a reader of the sweep must know about its points."""
    keys = {axis.key for axis in axes}
    notes = []
    if lhs is not None and lhs * len(offers) > len(found):
        notes.append(f"{len(found) // len(offers):,} of the {lhs:,} settings drawn are different.")
    if SPARES in keys and GPUS not in keys and any(not each.cluster.in_rack_spares for each in offers):
        notes.append(
            "Spares are bought: jobs keep their GPUs, and cluster.gpus is larger or smaller by what the stock is. "
            "Give cluster.gpus too for a cluster of one size."
        )
    notes += switch_notes(offers, found)
    if len({each.seed for each in given}) > 1:
        notes.append(f"All scenarios are simulated with seed {offers[0].seed}.")
    if len({sha256(each) for each in offers}) < len(offers):
        notes.append("Two of the files hold the same scenario.")
    sample = [found[0].scenario, *(each.scenario for each in found[1 :: max(1, len(found) // 16)])]
    if shared(sample) == "nothing":
        notes.append("Some points share no random numbers: their differences are as uncertain as the points.")
    return tuple(notes)


# --- what is simulated together ---------------------------------------------------------------------------------------


def batches(found: Sequence[Variant], runs: int) -> Iterator[tuple[list[int], int]]:
    """Yield numbers of points to simulate together, and how many simulations of each run serve them.

    Points that differ only in money share their runs, so they are always together.
    """
    by_physics: dict[Scenario, list[int]] = {}
    for number, each in enumerate(found):
        by_physics.setdefault(physics(each.scenario), []).append(number)
    numbers: list[int] = []
    groups, size = 0, 0
    for scenario, members in by_physics.items():
        takes = runs * (len(scenario.jobs) + 2) * (len(STATES) + len(CAUSES) + 4) * 8
        if numbers and size + takes > BATCH_BYTES:
            yield numbers, groups
            numbers, groups, size = [], 0, 0
        numbers += members
        groups, size = groups + 1, size + takes
    yield numbers, groups


def one_folder_each(asked: SweepQuestion) -> None:
    """Refuse points whose runs would be kept in one folder, whose name has eight digits of the scenario's hash."""
    by_name: dict[tuple[str, str, int], str] = {}
    for each, digest in zip(asked.variants, asked.sha256, strict=True):
        key = (slug(each.scenario.name), digest[:8], each.scenario.seed)
        if by_name.setdefault(key, digest) != digest:
            told = "two points would keep their runs in one folder; leave one value out, or change the seed"
            raise ScenarioError([Problem("-L", None, "", told)])
