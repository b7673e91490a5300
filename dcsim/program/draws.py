"""What rules need to draw the failures of plain hazards themselves: laws, streams and room (``dcsim.rules.draws``)."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from dcsim import streams
from dcsim.distributions import Distribution, Exponential, Fixed, Lognormal
from dcsim.hazards import Hazard
from dcsim.hazards.draws import law_of_lives
from dcsim.hazards.lifetimes.weibull import WeibullLifetime
from dcsim.program import records
from dcsim.program.records import BY_EXPONENTIAL, BY_LOGNORMAL, BY_WEIBULL, FIXED, NEVER
from dcsim.scenario import Plan

FEW, MANY = 64, 256
"""Failures of a hazard that are drawn at a time (assumed): so few stay in the nearest cache; where Python is asked for
powers of e, it is asked less often."""
PURPOSES = ("gaps", "marks", "detect", "repair", "silent", "residual")
UNIFORM, EXPONENTIAL, NORMAL = range(3)
"""Laws that must give numpy's numbers."""
EVERY_LAW = frozenset((UNIFORM, EXPONENTIAL, NORMAL))


class Law(NamedTuple):
    """A time in the words of the rules: BY_..., or FIXED."""

    law: int
    time: int = 0
    mean: float = 0.0
    sigma: float = 0.0
    shift: float = 0.0


def law_of(time: Distribution) -> Law | None:
    """Return a distribution in the words of the rules; None where they have none."""
    if type(time) is Fixed:
        return Law(FIXED, time=time.time)
    if type(time) is Exponential:
        return Law(BY_EXPONENTIAL, mean=time.mean)
    if type(time) is Lognormal:
        return Law(BY_LOGNORMAL, mean=time.mean, sigma=time.sigma, shift=time.sigma**2 / 2)
    return None


def laws_needed(plan: Plan, hazard: Hazard) -> frozenset[int] | None:
    """Return the laws that it takes to draw a hazard's failures and what follows them; None: rules cannot."""
    plain = hazard.lifetime.memoryless and not hazard.lifetime.recorded and not hazard.burst and not hazard.lemons
    plain = plain and not hazard.notice
    stage, times = hazard.stages[0], (law_of(hazard.detection), law_of(hazard.stages[0].duration))
    if (
        not plain
        or hazard.wrong_node
        or plan.missed(hazard)
        or hazard.requalify_finds
        or len(hazard.stages) > 1
        or stage.success < 1
        or None in times
    ):
        return None
    normal = any(time and time.law == BY_LOGNORMAL for time in times)
    return EVERY_LAW if normal else frozenset((UNIFORM, EXPONENTIAL))


def add_draws(plan: Plan, tables: dict[str, NDArray[Any]]) -> None:
    """Add the tables of the draws; ``draws`` says which hazards rules can draw, and ``Runs`` whether they do."""
    scenario, hazards = plan.scenario, tables["hazards"]
    words: list[list[int]] = []
    room = units = 0
    for number, hazard in enumerate(scenario.hazards):
        line = hazards[number]
        needed = laws_needed(plan, hazard)
        line["draws"], line["next_time"], line["first_known"] = needed is not None, NEVER, room
        found, fixed = law_of(hazard.detection), law_of(hazard.stages[0].duration)
        drawn, lives = needed is not None, law_of_lives(hazard, plan.components(hazard)) if hazard.ages else None
        if type(lives) is WeibullLifetime:
            line["left_law"], line["shape"], line["scale"] = BY_WEIBULL, lives.shape, lives.scale
        silent = hazard.stages[0].silent > 0
        used = [drawn and each for each in (True, True, found and found.law, fixed and fixed.law, silent)]
        for purpose, is_used in zip(PURPOSES, (*used, line["left_law"]), strict=True):
            before, after = streams.entropy(scenario.seed, hazard.key, purpose)
            words.append([len(before) + 1 + len(after), len(before), *before, 0, *after] if is_used else [0])
        if needed is None or found is None or fixed is None:
            continue
        expected = scenario.horizon * plan.components(hazard) / hazard.lifetime.mean_ms
        lognormal = sum(time.law == BY_LOGNORMAL for time in (found, fixed))
        line["rows_known"] = min(MANY if lognormal else FEW, int(expected + 6 * expected**0.5) + 16)
        line["gap"] = hazard.lifetime.mean_ms / plan.components(hazard)
        line["marked"] = plan.components(hazard) if hazard.placed else scenario.cluster.gpus
        line["silent"] = hazard.stages[0].silent
        for name, law in (("detect", found), ("repair", fixed)):
            for column, value in law._asdict().items():
                line[f"{name}_{column}"] = value
        room += int(line["rows_known"]) + 1
        units += int(line["rows_known"]) * lognormal
    tables["known"] = np.zeros(max(1, room), dtype=records.KNOWN)
    tables["outcomes"] = np.zeros(max(1, room), dtype=records.OUTCOME)
    tables["stage_times"] = np.zeros((max(1, room), tables["stage_times"].shape[1]), dtype=np.int64)
    for line in hazards[hazards["draws"] != 0]:  # what is drawn is written over it
        rows = slice(int(line["first_known"]), int(line["first_known"] + line["rows_known"]) + 1)
        tables["known"]["outcome"][rows] = np.arange(rows.start, rows.stop)
        tables["outcomes"]["detect"][rows], tables["outcomes"]["fixed"][rows] = line["detect_time"], 1
        tables["stage_times"][rows, 0] = line["repair_time"]
    tables["units"] = np.zeros(max(1, units))
    width = max(len(each) for each in words)
    tables["entropy"] = np.zeros((len(words), max(2, width)), dtype=np.int64)
    for number, each in enumerate(words):
        tables["entropy"][number, : len(each)] = each
    tables["streams"] = np.zeros(len(words), dtype=records.STREAM)
    tables["pool"], tables["seeds"] = np.zeros(4, dtype=np.int64), np.zeros(6, dtype=np.int64)
