"""An owner's cash by formula, from expected availability; and what a power budget carries, costs and earns."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import isfinite
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic_core import PydanticCustomError

from dcsim.decide.accounts import (
    ENERGISED,
    Part,
    by_phase,
    energised,
    gathered,
    grid_inputs_of,
    has_phases,
    owner_rent,
    shares_by_phase,
    site_of,
)
from dcsim.decide.cash import FLOW
from dcsim.decide.estimate import SCHEMA, account_scenario, charged
from dcsim.decide.sla_theory import sla_theory
from dcsim.decide.variants import read_axes
from dcsim.economics.credits import credit_lines
from dcsim.economics.finance import finance_inputs, finance_lines, payback
from dcsim.economics.grid import BEFORE_GRID, grid_lines, share_between
from dcsim.economics.owner import Site, owner_inputs, owner_lines
from dcsim.economics.statement import Statement
from dcsim.economics.unit_costs import gpus_within, unit_costs
from dcsim.montecarlo.crew_load import flows
from dcsim.problems import wrong
from dcsim.scenario import Problem, Scenario, ScenarioError, Source, certain, read, sha256
from dcsim.scenario.intervals import settled
from dcsim.scenario.plan import blast_of, plan
from dcsim.topology.build import build
from dcsim.units import MS_PER_H, POWER, parse

Values = NDArray[np.float64]
BUDGETS = ("1 MW", "5 MW", "20 MW", "50 MW", "100 MW", "200 MW")
"""Power budgets that are told unless some are asked for; source: assumed."""


@dataclass(frozen=True, eq=False)
class Expected:
    """A month as it is expected, of a cluster of ``gpus``: shares of all GPU-hours, float64 (m + 1,).

    ``hours``: of each month, the closing's 0. ``failures``: of one GPU in an hour.
    """

    gpus: int
    hours: Values
    powered: Values
    in_service: Values
    useful: float
    failures: float

    @classmethod
    def of(cls, scenario: Scenario) -> "Expected":
        """Return what is expected of a scenario: phases get power at their mean dates, failures do not meet."""
        fixed = settled(certain(scenario))
        gpus, topology = fixed.cluster.gpus, build(fixed.cluster.topology, fixed.cluster.gpus)
        ends = np.minimum(np.arange(-(-fixed.horizon // fixed.month) + 1) * fixed.month, fixed.horizon)
        spans = np.diff(ends, prepend=0).astype(np.float64)
        powered = np.ones_like(spans)
        for phase in fixed.energisation:
            if phase.racks:
                dark = np.clip(phase.when.mean_ms - (ends - spans), 0, spans) / np.maximum(spans, 1)
                powered -= phase.racks / topology.racks * dark
        out = failures = 0.0
        waits = {flow.hazard.key: flow.waits_h * MS_PER_H for flow in flows(plan(fixed))}
        for hazard in charged(fixed.hazards, topology):
            components = topology.components(hazard.component)
            rate = components / hazard.mtbf_ms(components)  # failures per ms
            repair = 0.0 if hazard.effect == "kill" else hazard.mean_repair_ms + waits[hazard.key]
            out += rate * min(blast_of(hazard, topology), gpus) * repair / gpus
            failures += rate * MS_PER_H / gpus
        useful = 1 - account_scenario(fixed).goodput_loss
        return cls(gpus, spans / MS_PER_H, powered, powered * max(0.0, 1 - out), useful, failures)

    def statement(self, scenario: Scenario, site: Site) -> Statement:
        """Return the owner's statement of a site that does as expected: one run, energy at full load."""
        assert scenario.owner is not None
        site = replace(site, topology_kw=None)
        whole = site.gpus * self.hours
        series = {
            "hours": self.hours,
            "cluster_gpu_hours": whole,
            "powered_gpu_hours": whole * self.powered,
            "in_service_gpu_hours": whole * self.in_service,
            "useful_gpu_hours": whole * self.useful,
            "failures": whole * self.failures,
        }
        lines = owner_lines(scenario.owner, site, scenario.grid is not None)
        parts = [Part(lines, owner_inputs(scenario.owner, site, owner_rent(scenario)))]
        if scenario.grid is not None:
            date = sum(round(phase.when.mean_ms) for phase in scenario.energisation if phase.grid)
            ends = np.rint(np.cumsum(self.hours) * MS_PER_H).astype(np.int64)
            before = share_between(np.array([0]), np.array([date]), ends)
            parts.append(Part(grid_lines(scenario.owner, site), grid_inputs_of(scenario), {BEFORE_GRID: before}))
        theory = sla_theory(scenario)
        if scenario.sla is not None and theory is not None:
            counts = theory.series(scenario.sla, self.hours)
            parts.append(Part(*credit_lines(scenario.sla, "revenue"), _of_one(counts)))
        if scenario.finance is not None:
            known = finance_inputs(scenario.finance, site.month_h)
            share = energised(scenario, self.powered[None, :])
            parts.append(Part(finance_lines(scenario.finance, by_phase(scenario)), known, {ENERGISED: share}))
        if has_phases(scenario):
            parts.append(Part((), (), self._shares(scenario)))
        return gathered(parts, _of_one(series))

    def _shares(self, scenario: Scenario) -> dict[str, Values]:
        """Return the shares of the racks that are paid and have power, at the mean dates of the phases."""
        assert scenario.owner is not None
        dates = np.array([[round(phase.when.mean_ms) for phase in scenario.energisation]], dtype=np.int64)
        ends = np.rint(np.cumsum(self.hours) * MS_PER_H).astype(np.int64)
        return shares_by_phase(scenario, dates, np.array([scenario.owner.lead]), ends)


def _of_one(series: dict[str, Values]) -> dict[str, Values]:
    """Return series of months as those of a single run."""
    return {name: each[None, :] for name, each in series.items()}


def owner_by_formula(scenario: Scenario) -> Statement | None:
    """Return an owner's statement without a simulation, of one run; None without [owner].

    Energy is that of full load while there is power. SLA credits are in it where they have a closed form.
    """
    if scenario.owner is None:
        return None
    fixed = certain(scenario)
    return Expected.of(fixed).statement(fixed, site_of(fixed))


# --- a power budget ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Budget:
    """What a power at the site's meter carries: money in USD over the term, its months in ``months``.

    ``payback``: months until the capital is back, infinite where it is not.
    """

    site_kw: float
    it_kw: float
    gpus: int
    capex: float
    opex: float
    revenue: float
    cash: float
    cost_hour: float
    watt_year: float
    payback: float
    months: int

    @classmethod
    def of(cls, statement: Statement, site_kw: float) -> "Budget":
        """Read it off a statement."""
        unit = unit_costs(statement)
        months = statement.months
        inputs = statement.inputs
        total = {name: float(statement.total(name)[0]) for name in ("capex", "opex", "revenue", FLOW)}
        return cls(
            site_kw=site_kw,
            it_kw=float(inputs["it_kw"].value),
            gpus=round(float(inputs["gpus"].value)),
            capex=total["capex"],
            opex=total["opex"],
            revenue=total["revenue"],
            cash=total[FLOW],
            cost_hour=float(unit.values["cost_hour"][0, 0]),
            watt_year=float(unit.values["watt_year"][0, 0]),
            payback=float(payback(statement.values["cash_so_far"])[0]),
            months=months,
        )


@dataclass(frozen=True, eq=False)
class PowerTable:
    """What power budgets carry, least first; ``own``: the scenario's own cluster, and the power that it takes."""

    scenario: Scenario
    budgets: tuple[Budget, ...]
    own: Budget

    def __str__(self) -> str:
        return f"{self.scenario.name}: {self.own.gpus:,} GPUs take {self.own.site_kw / 1e3:.2f} MW at the meter"

    def __repr__(self) -> str:
        return str(self)

    def to_json(self) -> dict[str, Any]:
        """Return the document that ``dcsim table power --json`` prints."""
        return {
            "schema": SCHEMA,
            "table": "power",
            "name": self.scenario.name,
            "scenario_sha256": sha256(self.scenario),
            "own": _plain(self.own),
            "budgets": [_plain(each) for each in self.budgets],
        }


def _plain(found: Budget) -> dict[str, Any]:
    its = {name: getattr(found, name) for name in Budget.__dataclass_fields__}
    return its | {"payback": found.payback if isfinite(found.payback) else None}


def power_table(source: Source, axes: Sequence[str] = ()) -> PowerTable:
    """Return what power budgets carry of a scenario's hardware, in whole racks or servers, and what that earns.

    ``axes``: 'power=20 MW,50 MW', at the site's meter: IT times PUE. The share of spares stays that of the scenario,
    and so does what one GPU draws with its share of switches. Raises ScenarioError without [owner], or where the
    topology says nothing of power and [owner] power is missing.
    """
    scenario = certain(read(source))
    where = "table power"
    if scenario.owner is None:
        raise ScenarioError([Problem(where, None, "owner", f"{scenario.name}: missing; the table is about an owner")])
    site = site_of(scenario)
    if not site.it_kw:
        told = f"{scenario.name}: missing; the topology does not say what its nodes draw"
        raise ScenarioError([Problem(where, None, "owner.power", told)])
    expected = Expected.of(scenario)
    own = Budget.of(expected.statement(scenario, site), site.it_kw * site.pue)
    per_unit = round(site.gpus / site.units)
    spares = (site.gpus - site.sold_gpus) / site.gpus
    found = []
    for kw in _budgets(axes):
        gpus = gpus_within(kw, site.it_kw / site.gpus, site.pue, per_unit)
        if not gpus:
            told = wrong(f"{kw:g} kW", f"must carry one {'server' if scenario.owner.rack is None else 'rack'}")
            raise ScenarioError([Problem("-L", None, "power", told)])
        scaled = gpus / site.gpus
        sized = replace(
            site,
            gpus=gpus,
            sold_gpus=gpus - round(spares * gpus),
            units=site.units * scaled,
            nodes=site.nodes * scaled,
            it_kw=site.it_kw * scaled,
        )
        found.append(Budget.of(expected.statement(scenario, sized), kw))
    return PowerTable(scenario, tuple(found), own)


def _budgets(axes: Sequence[str]) -> list[float]:
    """Return the powers that are asked for [kW], least first; raises ScenarioError."""
    asked = read_axes(axes)
    if not asked:
        return [float(parse(text, POWER)) / 1e3 for text in BUDGETS]
    if len(asked) > 1 or asked[0].key != "power":
        raise ScenarioError([Problem("-L", None, "", wrong(asked[0].key, "table power is about power"))])
    found = []
    for text in asked[0].values:
        try:
            found.append(float(parse(text, POWER)) / 1e3)
        except PydanticCustomError as error:
            raise ScenarioError([Problem("-L", None, "power", error.message())]) from None
    return sorted(set(found))
