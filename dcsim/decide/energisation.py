"""What power that comes late costs the owner, phase by phase: on time against late on the same random numbers.

Cash is discounted to the closing ([grid] discount). Capital is spent at the closing whether its racks have power or
not, unless [owner] pays for it by phase. Two rules say when earnings end: at the horizon, whatever the dates, which is
what is simulated; or for each phase as long after its date as the horizon is, which a formula says: the cluster is
bought for so many years of use.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dcsim.decide.accounts import MoneyBook, site_of
from dcsim.decide.bills import runs_per_price
from dcsim.decide.breakeven_prices import Price
from dcsim.decide.documents import summary_json
from dcsim.decide.estimate import SCHEMA
from dcsim.decide.outcome import REPLICATIONS, Executor, How
from dcsim.decide.owner_by_formula import Expected
from dcsim.decide.result import RunResult
from dcsim.decide.variants import simulate_variants
from dcsim.economics.grid import Grid, share_between
from dcsim.files import on_disk, remove_unfinished, write_whole
from dcsim.montecarlo import Progress, Resume, Summary, WantedEngine, slug, summarise
from dcsim.power.keys import Phase
from dcsim.scenario import Problem, Scenario, ScenarioError, Source, certain, read, sha256
from dcsim.scenario.provenance import origins as origins_of
from dcsim.topology.build import build
from dcsim.units import MS_PER_H

Values = NDArray[np.float64]
CASH, ENERGY = "present_cash", "present_kwh"
DOCUMENT, RUNS = "energisation.json", "runs"
"""In the folder of a table: what ``--json`` prints, and the folders of its runs."""


@dataclass(frozen=True)
class Late:
    """What the owner would gain if a phase had power at the closing, the others as they are; ``name`` "" is all.

    ``date_h``: its mean date. ``lost``: cash, discounted [USD], simulated. ``by_formula``: the same without failures,
    at mean dates; ``whole_life``: and if each phase earned as long after its date as the horizon is. ``premium``: what
    each kWh behind the meter may cost more than from the grid until then, at full load [USD/kWh]; None where no racks
    are dark.
    """

    name: str
    date_h: float | None
    lost: Summary
    by_formula: float
    whole_life: float
    premium: float | None

    def to_json(self) -> dict[str, Any]:
        """Return it as plain data."""
        its = {name: getattr(self, name) for name in ("date_h", "by_formula", "whole_life", "premium")}
        return {"name": self.name or None, **its, "lost": summary_json(self.lost)}


@dataclass(frozen=True, eq=False)
class EnergisationTable:
    """``phases``: in order of listing; ``all``: if nothing came late.

    ``npv``: discounted cash of the scenario as it is; ``on_time``: if nothing came late [USD]. ``folder``: what keeps
    the runs, None if they were not kept; ``notices`` say what was found damaged in it.
    """

    scenario: Scenario
    runs: int
    discount: float
    npv: Summary
    on_time: Summary
    phases: tuple[Late, ...]
    all: Late
    folder: Path | None = None
    notices: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.scenario.name}: late power costs {self.all.lost.mean / 1e6:,.1f} million USD"

    def __repr__(self) -> str:
        return str(self)

    def to_json(self) -> dict[str, Any]:
        """Return the document that ``dcsim table energisation --json`` prints."""
        return {
            "schema": SCHEMA,
            "table": "energisation",
            "name": self.scenario.name,
            "scenario_sha256": sha256(self.scenario),
            "seed": self.scenario.seed,
            "replications": self.runs,
            "discount": self.discount,
            "npv": summary_json(self.npv),
            "npv_on_time": summary_json(self.on_time),
            "phases": [each.to_json() for each in self.phases],
            "all": self.all.to_json(),
        }


def energisation_table(
    source: Source,
    *,
    replications: int | None = None,
    workers: int | None = None,
    output: Path | str | None = None,
    resume: Resume = False,
    progress: Progress | None = None,
    engine: WantedEngine = "auto",
    executor: Executor = "local",
    command: Sequence[str] = (),
    origins: Sequence[Mapping[str, str]] | None = None,
) -> EnergisationTable:
    """Simulate a scenario as it is, with each phase on time, and with all; n runs each on the same random numbers.

    All keywords are those of ``dcsim.run``. Raises ScenarioError where nothing comes late or nobody owns the cluster,
    else as ``dcsim.run``.
    """
    scenario = asked_of("table energisation", read(source))
    phases = scenario.energisation
    wanted = [scenario, on_time(scenario, range(len(phases)))]
    wanted += [on_time(scenario, [index]) for index in range(len(phases))] if len(phases) > 1 else []
    variants = _each_once(wanted)
    folder = None if output is None else Path(output) / _folder_name(variants)
    given = dict(origins[0] if origins else origins_of(scenario))
    how: How = {
        "replications": REPLICATIONS if replications is None else replications,
        "workers": workers,
        "output": None if folder is None else folder / RUNS,
        "resume": resume,
        "progress": progress,
        "engine": engine,
        "executor": executor,
        "command": command,
        "origins": [given] * len(variants),
    }
    results = simulate_variants(variants, **how)
    notices = tuple(dict.fromkeys(notice for each in results for notice in each.notices))
    found = _found(wanted, [results[variants.index(each)] for each in wanted], folder, notices)
    if folder is not None:
        with on_disk(folder):
            remove_unfinished(folder)
        write_whole(folder / DOCUMENT, (json.dumps(found.to_json(), indent=1, allow_nan=False) + "\n").encode())
    return found


def _found(
    wanted: Sequence[Scenario], members: Sequence[RunResult], folder: Path | None, notices: tuple[str, ...]
) -> EnergisationTable:
    """Fold the runs of a scenario as it is, of all on time, and of each of several phases on time."""
    books = [MoneyBook.of(each.sample) for each in members]
    statements = [book.statement for book in books if book is not None]  # each has an owner
    cash = [each.total(CASH) for each in statements]
    shared = runs_per_price(wanted[0])
    formulas = [(by_formula(each, False), by_formula(each, True)) for each in wanted]

    def told(values: Values) -> Summary:
        return summarise(values, float(values.mean()), shared=shared)

    def late(name: str, date: float | None, at: int) -> Late:
        best, own = formulas[at], formulas[0]
        usd, kwh = best[0][0] - own[0][0], best[0][1] - own[0][1]
        whole_life = best[1][0] - own[1][0]
        premium = usd / kwh if kwh > 1e-9 * own[0][1] else None
        return Late(name, date, told(cash[at] - cash[0]), usd, whole_life, premium)

    phases = tuple(
        late(each.name, each.when.mean_ms / MS_PER_H, 2 + index if len(wanted) > 2 else 1)
        for index, each in enumerate(certain(wanted[0]).energisation)
    )
    discount = float(np.mean(statements[0].inputs["grid_discount"].value))
    runs, everything = len(members[0].sample), late("", None, 1)
    return EnergisationTable(
        wanted[0], runs, discount, told(cash[0]), told(cash[1]), phases, everything, folder, notices
    )


def asked_of(where: str, scenario: Scenario) -> Scenario:
    """Return a scenario whose owner waits for power, with a [grid]; raise ScenarioError where there is no such."""
    for key, there, why in (
        ("energisation", scenario.energisation, "missing; all has power at once"),
        ("owner", scenario.owner, "missing; this is about an owner"),
    ):
        if not there:
            raise ScenarioError([Problem(where, None, key, f"{scenario.name}: {why}")])
    return scenario if scenario.grid is not None else scenario.model_copy(update={"grid": Grid()})


def _each_once(scenarios: Sequence[Scenario]) -> list[Scenario]:
    """Return scenarios without those that are there already: a phase may be on time as it is."""
    found: list[Scenario] = []
    for each in scenarios:
        if each not in found:
            found.append(each)
    return found


def _folder_name(variants: Sequence[Scenario]) -> str:
    """Return the name of a table's folder: it follows from its scenarios alone."""
    digest = hashlib.sha256("\n".join(map(sha256, variants)).encode()).hexdigest()
    return f"table-energisation-{slug(variants[0].name)}-{digest[:8]}"


def on_time(scenario: Scenario, phases: Sequence[int]) -> Scenario:
    """Return a scenario in which these phases have power at the closing; no other random number changes."""
    its = tuple(
        each.model_copy(update={"date": 0}) if index in phases else each
        for index, each in enumerate(scenario.energisation)
    )
    return scenario.model_copy(update={"energisation": its})


def by_formula(scenario: Scenario, whole_life: bool = False) -> tuple[float, float]:
    """Return an owner's discounted cash [USD] and energy [kWh] by formula, at mean dates and full load."""
    fixed = certain(scenario)
    if not whole_life:
        return _cash(fixed, Expected.of(fixed))
    dark: list[Phase] = [phase for phase in fixed.energisation if phase.racks]
    latest = max((round(phase.when.mean_ms) for phase in dark), default=0)
    longer = fixed.model_copy(update={"horizon": fixed.horizon + latest})
    expected = Expected.of(longer)
    ends = np.rint(np.cumsum(expected.hours) * MS_PER_H).astype(np.int64)
    racks = build(fixed.cluster.topology, fixed.cluster.gpus).racks
    shares = [(phase.racks or 0) / racks for phase in dark]
    powered = (1 - sum(shares)) * _live(0, fixed.horizon, ends)
    for phase, share in zip(dark, shares, strict=True):
        powered = powered + share * _live(round(phase.when.mean_ms), fixed.horizon, ends)
    up = np.divide(expected.in_service, expected.powered, out=np.ones_like(powered), where=expected.powered > 0)
    return _cash(longer, replace(expected, powered=powered, in_service=powered * up))


def _live(date: int, life: int, ends: NDArray[np.int64]) -> Values:
    return np.asarray(share_between(np.array([date]), np.array([date + life]), ends)[0])


def _cash(scenario: Scenario, expected: Expected) -> tuple[float, float]:
    found = expected.statement(scenario, site_of(scenario))
    return float(found.total(CASH)[0]), float(found.total(ENERGY)[0])


# --- what a kWh behind the meter may cost -----------------------------------------------------------------------------


def is_bridged(scenario: Scenario) -> bool:
    """Whether a scenario has power behind the meter until its grid comes."""
    return any(phase.grid for phase in scenario.energisation)


def bridge_price(bridged: RunResult, waits: RunResult) -> Price:
    """Return what a kWh behind the meter may cost more than one from the grid until that comes [USD/kWh].

    At that price an owner's discounted cash is the same as if he waited, in the mean of all runs: found by bisection,
    since the premium is an input of the statement. Where no phase of ``bridged`` is about the grid, all energy that it
    takes beyond ``waits`` is from behind the meter. Raises ScenarioError where there is none.
    """
    from scipy.optimize import bisect

    statements = [book.statement for run in (bridged, waits) if (book := MoneyBook.of(run.sample)) is not None]
    offer, other = statements
    dark, counted = other.total(CASH), is_bridged(bridged.scenario)

    def gaps(premium: float) -> Values:
        """Cash that is left beyond that of waiting, at a premium, by run, float64 (n,)."""
        if counted:
            return offer.changed(grid_premium=premium).total(CASH) - dark
        return offer.total(CASH) - premium * (offer.total(ENERGY) - other.total(ENERGY)) - dark

    kwh = float((gaps(0.0) - gaps(1.0)).mean())
    if kwh <= 0:
        told = f"{bridged.scenario.name}: no energy is taken before the grid comes, so no premium is paid"
        raise ScenarioError([Problem("WHAT", None, "bridge-power", told)])
    reach = 1.0
    while float(gaps(-reach).mean()) < 0 or float(gaps(reach).mean()) > 0:
        reach *= 2
    premium = float(bisect(lambda at: float(gaps(at).mean()), -reach, reach, xtol=1e-12, rtol=1e-12))
    values = premium + gaps(premium) / kwh  # linear in each run's figures (delta method)
    found = summarise(values, premium, shared=max(runs_per_price(run.scenario) for run in (bridged, waits)))
    reliable = bridged.runs_needed is None and waits.runs_needed is None
    return Price("cash", replace(found, reliable=reliable), _bridge_by_formula(bridged.scenario, waits.scenario), None)


def _bridge_by_formula(bridged: Scenario, waits: Scenario) -> float | None:
    """Return the same by formula, at full load, at mean dates and without failures; None where no energy is bridged."""
    (cash, energy), (dark, less) = (by_formula(_at_premium(bridged, 0.0)), by_formula(waits))
    kwh = cash - by_formula(_at_premium(bridged, 1.0))[0] if is_bridged(bridged) else energy - less
    return (cash - dark) / kwh if kwh > 0 else None


def _at_premium(scenario: Scenario, premium: float) -> Scenario:
    fixed = certain(scenario)
    assert fixed.grid is not None
    return fixed.model_copy(update={"grid": fixed.grid.model_copy(update={"premium": premium})})
