"""What dcsim says of an anchor: a formula's value, an estimate's figure, the mean of runs, or a file of field data."""

import math
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dcsim.decide import RunResult, estimates_json, run_many
from dcsim.decide.estimate import estimate
from dcsim.decide.metrics import METRICS
from dcsim.montecarlo.statistics import summarise
from dcsim.scenario import Scenario, read
from tests.validation.registry import Anchor, number

ROOT = Path(__file__).parents[2]
SCENARIOS = Path(__file__).parent / "scenarios"
FIELD_DATA = "DCSIM_FIELD_DATA"
"""Variable that names the folder of field data that does not come with dcsim."""
EXHAUSTIVE = 16
"""Times as many runs as usual that --exhaustive takes."""


@dataclass(frozen=True)
class Found:
    """What dcsim says, in the anchor's unit; ``half``: half of the 95 % interval of a mean of runs, 0 of a formula."""

    value: float
    half: float = 0.0


def objections(anchor: Anchor, found: Found) -> list[str]:
    """Return why an anchor does not hold; nothing if it does.

    An interval must lie within the bounds as a whole where they are one-sided, and be no wider than the tolerance
    where a figure is expected: otherwise too few runs would pass for agreement.
    """
    low, high = anchor.bounds
    wrong = []
    sure = found.half if anchor.expected is None else 0.0
    if not low <= found.value - sure or not found.value + sure <= high:
        wrong.append(f"found {shown(anchor, found)}; published {anchor.printed}, accepted {allowed(anchor)}")
    if anchor.expected is not None and found.half > anchor.within:
        wrong.append(f"found {shown(anchor, found)}: too few runs for a tolerance of {anchor.within:g}")
    return wrong


def shown(anchor: Anchor, found: Found) -> str:
    """Return what was found with its interval."""
    if not found.half:
        return anchor.shown(found.value)
    digits = max(anchor.digits, 1 - math.floor(math.log10(found.half)) - 1)
    text = f"{found.value:,.{digits}f} ± {found.half:,.{digits}f} {anchor.unit}"
    return text.rstrip()


def allowed(anchor: Anchor) -> str:
    """Return what is accepted."""
    if anchor.expected is not None:
        within = np.format_float_positional(anchor.within, precision=3, fractional=False, trim="-")
        return f"± {within} {anchor.unit}".rstrip()
    return anchor.limits


def field_file(name: str) -> Path | None:
    """Return where a file of field data is; None if it is not there."""
    folder = os.environ.get(FIELD_DATA)
    for each in (folder, ROOT.parent / "shared" / "data"):
        if each and (Path(each) / name).is_file():
            return Path(each) / name
    return None


def ask(anchor: Anchor, times: int = 1) -> Found | None:
    """Return what dcsim says of an anchor; None where a file of field data is missing.

    ``times``: so many times as many runs as the anchor says.
    """
    if anchor.needs:
        path = field_file(anchor.needs)
        return None if path is None else Found(RECORDS[anchor.figure](path) * anchor.scale)
    if anchor.formula:
        return Found(_formula(anchor) * anchor.scale)
    if anchor.road == "simulation":
        value, half = _simulated(anchor, times)
        return Found(value * anchor.scale, half * anchor.scale)
    document = _estimated(anchor.scenario, anchor.set)
    return Found(float(_at(document, anchor.figure)) * anchor.scale)


# --- formulas ---------------------------------------------------------------------------------------------------------


def function(name: str) -> Callable[..., Any]:
    """Return a function of dcsim by its dotted name below the package."""
    module, _, attribute = f"dcsim.{name}".rpartition(".")
    found: Callable[..., Any] = getattr(import_module(module), attribute)
    return found


def _formula(anchor: Anchor) -> float:
    return float(_at(_called(anchor.formula, anchor.inputs), anchor.figure))


def _called(name: str, inputs: dict[str, Any]) -> Any:
    return function(name)(**{key: _evaluated(value) for key, value in inputs.items()})


def _evaluated(value: Any) -> Any:
    """Return an input with its arithmetic done; what begins with a letter is text, a table a formula of its own."""
    if isinstance(value, dict):
        return _called(value["formula"], value["inputs"])
    if isinstance(value, list):
        return [_evaluated(each) for each in value]
    if isinstance(value, str) and not value[:1].isalpha():
        return number(value)
    return value


def _at(found: Any, path: str) -> Any:
    """Return what stands at a dotted path of keys, attributes and indices."""
    for key in path.split(".") if path else ():
        if isinstance(found, dict):
            found = found[key]
        elif isinstance(found, Sequence) and key.lstrip("-").isdigit():
            found = found[int(key)]
        else:
            found = getattr(found, key)
    return found


# --- scenarios --------------------------------------------------------------------------------------------------------


@cache
def scenario(name: str, changes: tuple[str, ...]) -> Scenario:
    """Return a shipped scenario, or one of scenarios/ beside this file, with changes."""
    own = SCENARIOS / f"{name}.toml"
    return read(own if own.is_file() else name, set=changes)


@cache
def _estimated(name: str, changes: tuple[str, ...]) -> dict[str, Any]:
    document: dict[str, Any] = estimates_json([estimate(scenario(name, changes))])["scenarios"][0]
    return document


@cache
def runs(name: str, changes: tuple[str, ...], count: int) -> RunResult:
    """Return runs 0 to n - 1 of a scenario."""
    (result,), _ = run_many([scenario(name, changes)], ranges=False, replications=count, workers=1, monthly=False)
    return result


def _simulated(anchor: Anchor, times: int) -> tuple[float, float]:
    """Return the mean of a figure over runs, and half of its 95 % interval."""
    result = runs(anchor.scenario, anchor.set, anchor.runs * times)
    if anchor.figure in METRICS:
        summary = METRICS[anchor.figure].summary(result)
        assert summary is not None, f"{anchor.id}: the scenario has no {anchor.figure}"
    else:
        values = of_each_run(result, anchor.figure)
        summary = summarise(values, float(values.mean()))
    assert summary.half_width is not None, f"{anchor.id}: no interval"
    return summary.mean, summary.half_width


def of_each_run(result: RunResult, figure: str) -> NDArray[np.float64]:
    """Return a figure of each run, float64 (n,): "interruptions JOB", "ETTR JOB", "finish JOB", "failures"."""
    kind, _, job = figure.partition(" ")
    sample = result.sample
    if kind == "failures":
        return sample.failures.astype(np.float64)
    row = [each.name for each in result.scenario.jobs].index(job)
    if kind == "interruptions":
        return sample.ledgers.strikes[:, row].astype(np.float64)
    if kind == "finish":
        return sample.finish_h(job)
    if kind == "ETTR":
        found = sample.ettr(job)
        assert found is not None, job
        return found
    raise ValueError(f"figure: found {figure}; allowed: a metric, interruptions JOB, ETTR JOB, finish JOB, failures")


# --- field data -------------------------------------------------------------------------------------------------------


@cache
def _lanl(path: Path, *where: str) -> Any:
    from dcsim.records import read_outages

    columns = {"start": "Prob Started", "repair_min": "Down Time", "component": "System"}  # 126 rows name no node
    return read_outages(path, columns, where)


def _repairs(path: Path) -> NDArray[np.float64]:
    """Repairs [min] that took time."""
    hours: NDArray[np.float64] = _lanl(path).repair_h
    return 60 * hours[hours > 0]


@cache
def _lognormal_mean(path: Path) -> float:
    """Mean [min] of the lognormal law through the repairs."""
    from dcsim.calibrate import repair_times

    law = repair_times(_repairs(path) / 60, np.array([]))
    assert law is not None
    return 60 * math.exp(law.log_mean + law.sigma**2 / 2)


def _shape(path: Path) -> float:
    """Shape of the Weibull law of the times between two failures of system 20, whichever node, second half."""
    from dcsim.calibrate import weibull

    starts = np.sort(_lanl(path, "System=20").start_h)
    gaps = np.diff(starts[starts > (starts[0] + starts[-1]) / 2])
    law = weibull(gaps[gaps > 0], np.array([]))
    assert law is not None
    return law.shape


RECORDS: dict[str, Callable[[Path], float]] = {
    "outages": lambda path: len(_lanl(path)),
    "mean repair": lambda path: float(_repairs(path).mean()),
    "median repair": lambda path: float(np.median(_repairs(path))),
    "lognormal mean": _lognormal_mean,
    "shape of system 20": _shape,
}
"""Figure -> what a file of field data says of it."""
