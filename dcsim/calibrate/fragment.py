"""A calibration as tables of a scenario: hazards, and what is not known of them as uncertain inputs drawn together."""

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dcsim.calibrate.priors import Belief
from dcsim.calibrate.repairs import RepairTimes
from dcsim.calibrate.site import FEW, Calibration, ClassEstimate
from dcsim.scenario.uncertain import CUT
from dcsim.units import HOURS_PER_MONTH
from dcsim.wording import printable

Values = NDArray[np.float64]

MOST_OBSERVED = 200
"""Observed repairs that a scenario lists where no lognormal law fits, at equal chances; source: assumed."""
DRAWS = 20_000
"""Joint draws from which the spread of inputs and their rank correlations are taken; source: assumed."""
PARTS = 100
"""Equally likely values in the place of the gamma law of few failures; source: assumed."""
MOST_SIGMA = 1.5
"""Widest spread of an uncertain mean repair [of its logarithm]; source: assumed, a factor of 20 to either side. Three
repairs allow for means of years."""
LONGEST_H = 1e9
"""Longest time that a scenario takes [h]."""
ENDS = {"mean": (1e-5, 0.99 * LONGEST_H), "sigma": (1e-4, 9.9), "shape": (0.11, 99.0)}
"""Values of uncertain inputs, by the last part of their keys, that a scenario takes."""
MOST_LEMONS, GRID = 0.5, 60
"""Largest share of lemons, and how many shares and factors are tried; source: assumed."""
LEAST_FOR_LEMONS = 20
"""Failures of a class without which no factor of lemons is told; source: assumed, of fewer it is mostly chance."""
MOST_FACTOR = 300.0
"""How many times as often a lemon fails, at most; source: assumed."""
APPLICATION = "application"
"""The class of errors that the application makes, in records of Xid errors; no hardware leaves service."""
BURST = "1 h"
"""Time within which the failures of a burst come; source: assumed, well below the day in which they are counted."""
REPAIR = ("6 h", 1.9, 0.7)
"""Mean, sigma and spread of the mean where a record tells no repairs; source: public (LANL 1996-2005): 355 min in the
mean and 60 min at the median; its spread is assumed, a factor of four to either side."""


@dataclass(frozen=True)
class Entry:
    """A table of a scenario's file: ``of`` "hazards", "uncertain" or "correlated"; each key's value and its source."""

    of: str
    values: Mapping[str, tuple[Any, str]]

    def text(self) -> str:
        """Return it as TOML, each source as the comment of its line."""
        lines = [f"[[{self.of}]]"]
        for key, (value, source) in self.values.items():
            line = f"{key} = {toml(value)}"
            lines.append(f"{line:<39} # {printable(source, 200)}" if source else line)
        return "\n".join(lines)


def toml(value: Any) -> str:
    """Return a value as TOML writes it on one line."""
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{key} = {toml(each)}" for key, each in value.items()) + " }"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(toml, value)) + "]"
    if isinstance(value, bool):
        return str(value).lower()
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else repr(value)


def entries(found: Calibration, component: str, seed: int = 0) -> list[Entry]:
    """Return the tables of all classes that failed, or of the whole record if nothing did; ``component``: what fails.

    The law of failures is a constant rate unless lives rule it out; that of repairs is lognormal unless the repairs
    rule that out, and then the repairs themselves. Few failures are a choice of equally likely values, many a lognormal
    value, both with the mean rate of the gamma law that is believed.
    """
    names = hazard_names(found, component)
    rng = np.random.default_rng(seed)
    return [entry for name, each in names.items() for entry in _tables(name, each, component, rng)]


def hazard_names(found: Calibration, component: str) -> dict[str, ClassEstimate]:
    """Return the name of each hazard and the class that it stands for."""
    names: dict[str, ClassEstimate] = {}
    for each in found.classes:
        slug = re.sub(r"[^A-Za-z0-9_]+", "-", each.name).strip("-")[:60]
        slug = component if len(found.classes) == 1 else slug or "not-told"
        slug = f"kind-{slug}" if slug[0].isdigit() else slug
        number, name = 1, slug
        while name in names:
            number += 1
            name = f"{slug}-{number}"
        names[name] = each
    return names


def _tables(name: str, each: ClassEstimate, component: str, rng: np.random.Generator) -> Iterator[Entry]:
    key = f"hazards.{name}"
    hazard: dict[str, tuple[Any, str]] = {"name": (name, ""), "component": (component, "")}
    inputs: list[Entry] = []
    count = f"{each.rate.failures:,} failures in {_amount(each.rate.exposure_h)} {component}-hours"
    if is_worn(each) and each.lives is not None:
        lives = each.lives
        shapes, scales = lives.draws(DRAWS, rng)
        means = scales * np.exp(_log_gamma(1 + 1 / shapes))
        law = {"kind": "weibull", "mean": hours(lives.mean_h), "shape": round(lives.shape, 4)}
        hazard["mtbf"] = law, f"measured: {len(lives.ended):,} lives of {component}s, {len(lives.going_on):,} go on"
        source = f"measured: joint draws of mean and shape after {len(lives.ended):,} lives"
        inputs += _together(f"{key}.mtbf", {"mean": means, "shape": shapes}, source, 3.0)
    else:
        hazard["mtbf"] = hours(min(LONGEST_H, each.belief.mtbf_h)), f"measured: {count}{_with_prior(each)}"
        inputs.append(_rate_input(f"{key}.mtbf", each.belief, f"measured: gamma law after {count}{_with_prior(each)}"))
    if (lemons := _lemons(each)) is not None:
        hazard["lemons"] = lemons
    if each.name == APPLICATION:
        hazard["effect"] = "kill", "public (NVIDIA, Xid catalogue): the application is started again, the GPU stays"
    if each.together:
        size = round((each.dispersion + 1) / 2, 2)
        source = f"measured: variance by mean of daily counts {each.dispersion:.2f} = 2 size - 1; within: assumed"
        hazard["burst"] = {"size": size, "within": BURST}, source
    detect, late = _detection(each)
    hazard["detect"] = detect
    of_repair: list[Entry] = []
    if each.name != APPLICATION:
        hazard["repair"], of_repair = _repair(key, each, late, rng)
    yield Entry("hazards", hazard)
    yield from (*inputs, *of_repair)


def is_worn(each: ClassEstimate) -> bool:
    """Whether lives rule a constant rate out, and give the rate of the record.

    A few units that fail often look like lives with a shape below 1, though no unit ages; the mean of such lives is not
    that of all units.
    """
    if not each.ages or each.lives is None or (each.lemons is not None and each.lemons.found):
        return False
    if each.own is not None and each.own.ageless:
        return False
    low, high = each.rate.mtbf_interval_h
    return low <= each.lives.mean_h <= (high or math.inf)


def _with_prior(each: ClassEstimate) -> str:
    if each.prior is None:
        return ""
    return f" and a prior of {each.prior.failures:.3g} failures ({each.prior.name})"


def _rate_input(key: str, belief: Belief, source: str) -> Entry:
    """Return the MTBF as an uncertain input: few failures as equally likely values, many as a lognormal one."""
    if belief.shape < FEW:
        parts = belief.equal_parts(PARTS)
        values = [hours(min(LONGEST_H, 1 / each)) for each in np.maximum(parts, 1 / LONGEST_H)[::-1].tolist()]
        return _uncertain(key, {"kind": "choice", "values": values}, source)
    mean = math.exp(-belief.log_mean + belief.log_sigma**2 / 2)
    return _uncertain(key, _lognormal(mean, belief.log_sigma, "h"), source)


def _lognormal(mean: float, sigma: float, unit: str) -> dict[str, Any]:
    return {"kind": "lognormal", "mean": hours(mean) if unit else round(mean, 5), "sigma": round(sigma, 4)}


def _uncertain(key: str, value: dict[str, Any], source: str) -> Entry:
    return Entry("uncertain", {"key": (key, ""), "value": (value, source)})


def _together(key: str, draws: Mapping[str, Values], source: str, widest: float) -> list[Entry]:
    """Return two inputs that are drawn together, a mean in hours first: lognormal, with the draws' rank correlation."""
    found = []
    for name, values in draws.items():
        low, middle, high = (float(each) for each in np.quantile(np.log(values), (0.16, 0.5, 0.84)))
        least, most = np.log(ENDS[name]).tolist()
        middle = min(max(middle, least), most)
        sigma = max(1e-4, min(widest, (high - low) / 2, (middle - least) / CUT, (most - middle) / CUT))
        mean = math.exp(middle + sigma**2 / 2)
        found.append(_uncertain(f"{key}.{name}", _lognormal(mean, sigma, "h" if name == "mean" else ""), source))
    first, second = (np.argsort(np.argsort(each)) for each in draws.values())
    ranks = round(float(np.corrcoef(first, second)[0, 1]), 3)
    keys = [f"{key}.{name}" for name in draws]
    return [*found, Entry("correlated", {"keys": (keys, ""), "rank_correlation": (ranks, source)})]


def _lemons(each: ClassEstimate) -> tuple[dict[str, Any], str] | None:
    """Return the likeliest share and factor of lemons, with their source; None where units are alike.

    Units are of two kinds that fail at two constant rates; the mean of all is that of the record.
    """
    few = each.rate.failures < LEAST_FOR_LEMONS
    if few or each.lemons is None or not each.lemons.found or each.by_unit is None:
        return None
    values, times = np.unique(each.by_unit, return_counts=True)
    units, mean = len(each.by_unit), float(each.by_unit.mean())
    count = np.unique(np.geomspace(1, max(1, units * MOST_LEMONS), GRID).round())[:, None, None] / units
    factor = np.geomspace(1.1, MOST_FACTOR, GRID)[None, :, None]
    sound = mean / (1 + count * (factor - 1))
    bad, log = factor * sound, np.log
    chance = np.logaddexp(log(1 - count) + values * log(sound) - sound, log(count) + values * log(bad) - bad)
    row, column = np.unravel_index(int((chance @ times).argmax()), (count.size, factor.size))
    told = {"fraction": f"{100 * float(count[row, 0, 0]):.4g} %", "factor": round(float(factor[0, column, 0]), 2)}
    worst = f"{100 * each.lemons.worst_share:.0f} % of the failures, {100 * each.lemons.expected_share:.0f} % by chance"
    return told, f"measured: the likeliest two kinds of units; the worst tenth has {worst}"


def _detection(each: ClassEstimate) -> tuple[tuple[Any, str], float]:
    """Return the key ``detect``, and how much of an outage it is [h]."""
    if len(each.noticed_h):
        late = max(0.0, float(each.noticed_h.mean()))
        return (hours(late), f"measured: mean of {len(each.noticed_h):,} times from failure to notice"), late
    return ("0 s", "not told: the record begins an outage when somebody noticed it; put what passes before"), 0.0


def _repair(
    key: str, each: ClassEstimate, late: float, rng: np.random.Generator
) -> tuple[tuple[Any, str], list[Entry]]:
    """Return the key ``repair`` and the inputs that are not known of it; ``late``: what detection takes of it [h]."""
    repairs = each.repairs
    if repairs is None:
        if len(each.short) > 1 and np.ptp(each.short) == 0:
            return (hours(float(each.short[0])), f"measured: all {each.outages - each.open:,} repairs take that"), []
        usual, deviation, spread = REPAIR
        law = {"kind": "lognormal", "mean": usual, "sigma": deviation}
        source = "public (LANL 1996-2005), as the record tells too few repairs: put yours"
        wide = {"kind": "lognormal", "mean": usual, "sigma": spread}
        return (law, source), [_uncertain(f"{key}.repair.mean", wide, f"assumed: {source}")]
    ended, going_on = len(repairs.hours), len(repairs.open_hours)
    count = f"{ended:,} repairs" + (f", {going_on:,} more go on" if going_on else "")
    if repairs.understated or repairs.overstated:
        listed = np.maximum(0.0, observed(repairs) - late)
        source = f"measured: {count}, {'each' if ended <= MOST_OBSERVED else 'means of equal parts of them'}"
        source += f"; a lognormal law has the mean {hours(repairs.law_mean_h)}, they have {hours(repairs.mean_h)}"
        return ({"kind": "empirical", "values": [hours(value) for value in listed.tolist()]}, source), []
    means, sigmas = repairs.draws(DRAWS, rng)
    mean = max(repairs.law_mean_h - late, 0.01 * repairs.law_mean_h)
    law = {
        "kind": "lognormal",
        "mean": hours(min(mean, 0.99 * LONGEST_H)),
        "sigma": max(1e-3, min(9.9, round(repairs.sigma, 4))),
    }
    source = f"measured: joint draws of mean and sigma after {count}"
    inputs = _together(
        f"{key}.repair", {"mean": means * mean / repairs.law_mean_h, "sigma": sigmas}, source, MOST_SIGMA
    )
    return (law, f"measured: {count}, half of them within {hours(repairs.median_h)}"), inputs


def observed(repairs: RepairTimes) -> Values:
    """Return at most ``MOST_OBSERVED`` times [h], ascending, that have the mean of all repairs.

    Of more repairs each stands for an equal part of them; the longest is then a mean of long ones.
    """
    ordered = np.sort(repairs.hours)
    if len(ordered) <= MOST_OBSERVED:
        return ordered
    parts = np.array_split(ordered, MOST_OBSERVED)
    weights = MOST_OBSERVED * np.array([len(part) for part in parts]) / len(ordered)
    return np.array([part.mean() for part in parts]) * weights


def hours(value: float) -> str:
    """Return a time [h] as a scenario has it, in five digits."""
    if value and value < 1 / 60:
        return f"{float(f'{value * 3600:.5g}'):.10g} s"
    return f"{float(f'{value:.5g}'):.10g} h" if value >= 1 else f"{float(f'{value * 60:.5g}'):.10g} min"


def _amount(value: float) -> str:
    return f"{float(f'{value:.4g}'):,.10g}"


def _log_gamma(values: Values) -> Values:
    from scipy.special import gammaln

    return np.asarray(gammaln(values))


# --- a whole scenario ---------------------------------------------------------------------------------------------

TERM = "12 mo"
SPARES = 0.03
"""Share of the nodes that stand by; source: deck, 2-6 % are usual."""


@dataclass(frozen=True)
class Site:
    """What the scenario is of. ``component``: what fails; ``gpus``, ``node``: GPUs in all and of one node.

    ``record``: the name of the record; ``told``: the finding in a sentence.
    """

    name: str
    record: str
    component: str
    topology: str
    gpus: int
    node: int
    told: str


def scenario_text(found: Calibration, site: Site, seed: int = 0) -> str:
    """Return a whole scenario file: what the record tells, and the rest assumed and marked so."""
    nodes = max(1, site.gpus // site.node)
    spares = min(nodes - 1, max(1, round(SPARES * nodes))) * site.node
    put = "assumed: put yours"
    rows = [
        ("name", site.name, ""),
        ("description", f"calibrated from {printable(site.record, 80)}", ""),
        ("horizon", TERM, f"{put}; a month is {HOURS_PER_MONTH} h"),
        ("seed", 1, "assumed: any"),
        "[cluster]",
        ("topology", site.topology, f"{put} (dcsim list topologies)"),
        ("gpus", site.gpus, _gpus_source(found, site)),
        ("spares", spares, "assumed: 3 % of the nodes, 2-6 % are usual (deck); dcsim table spares looks for the best"),
        "[[jobs]]",
        ("name", "train", ""),
        ("gpus", site.gpus - spares, f"{put}; here one job on all that is no spare"),
        "[jobs.recovery]",
        ("kind", "checkpoint-restart", put),
        ("checkpoint_every", "60 min", "assumed: put yours; dcsim table checkpoint looks for the best"),
        ("checkpoint_write", "30 s", put),
        ("failover", "1 min", put),
        ("restore", "454 s", "public (ByteRobust, arXiv 2509.16293): requeue of a job on 2,048 GPUs"),
    ]
    lines = [f"# {printable(site.told, 400)}", "# measured = from that record; public = named; assumed = ours."]
    for row in rows:
        if isinstance(row, str):
            lines += ["", row] if row != "[jobs.recovery]" else [row]
            continue
        key, value, source = row
        line = f"{key} = {toml(value)}"
        lines.append(f"{line:<39} # {source}" if source else line)
    return "\n".join(lines) + "\n\n" + fragment_text(entries(found, site.component, seed))


def _gpus_source(found: Calibration, site: Site) -> str:
    whole = found.whole
    counted = " that the record names" if whole.counted else ""
    if site.component in ("gpu", "node", "rack"):
        return f"measured: {whole.units:,} {site.component}s{counted}, {site.node} GPUs in a node"
    return f"assumed: put yours; the record has {whole.units:,} of the kind {site.component}{counted}"


def fragment_text(parts: Sequence[Entry]) -> str:
    """Return tables as TOML, hazards first."""
    order = ("hazards", "uncertain", "correlated")
    return "\n\n".join(each.text() for each in sorted(parts, key=lambda each: order.index(each.of))) + "\n"


_HEADER = re.compile(r"^\s*\[{1,2}\s*([A-Za-z0-9_-]+)\s*[\].]")


def replaced(text: str, parts: Sequence[Entry]) -> str:
    """Return a scenario's file with its hazards, and what is uncertain of hazards, in the place of those in it.

    All else stays as it is, comments too. Raises ValueError where lines do not tell the tables apart.
    """
    import tomllib

    before = tomllib.loads(text)
    kept, gone = list[str](), False
    for line in _blocks(text):
        found = _HEADER.match(line.lstrip("\n").partition("\n")[0])
        gone = found is not None and found[1] in ("hazards", "uncertain", "correlated")
        if gone and found is not None and found[1] != "hazards" and not _of_hazards(line):
            gone = False
        if not gone:
            kept.append(line)
    rest = "".join(kept).rstrip("\n")
    after = tomllib.loads(rest)
    if "hazards" in after or {key: before[key] for key in before if key not in _TABLES} != {
        key: after[key] for key in after if key not in _TABLES
    }:
        raise ValueError("its hazards are not in [[hazards]] tables of their own")
    return f"{rest}\n\n{fragment_text(parts)}"


_TABLES = ("hazards", "uncertain", "correlated")


def _of_hazards(block: str) -> bool:
    return re.search(r"[\"']hazards\.", block) is not None


def _blocks(text: str) -> Iterator[str]:
    """Yield what stands before the first table, and each array's entry with the tables that are within it."""
    block, name = "", ""
    for line in text.splitlines(keepends=True):
        found = _HEADER.match(line)
        if found and not (line.lstrip().startswith("[") and not line.lstrip().startswith("[[") and found[1] == name):
            yield block
            block, name = "", found[1]
        block += line
    yield block
