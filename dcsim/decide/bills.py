"""Money run by run: what GPUs were rented for, did and drew, and what that cost at the prices of each run."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from dcsim.economics import LINES, Bill, Use
from dcsim.economics.bill import USED, bill_inputs, bill_statement
from dcsim.economics.statement import Input, Statement
from dcsim.montecarlo import Sample, runs_per_draw
from dcsim.plant import Demand
from dcsim.power import energy_kwh
from dcsim.scenario import PER_SAMPLE, Scenario
from dcsim.scenario.sampled import sampled
from dcsim.topology.build import build
from dcsim.units import HOURS_PER_MONTH, MS_PER_H, MS_PER_MONTH

Values = NDArray[np.float64]


def prices_vary(scenario: Scenario) -> bool:
    """Whether runs have prices of their own."""
    return any(each.money for each in scenario.uncertain)


def runs_per_price(scenario: Scenario) -> int:
    """Return how many replications after one another share what is uncertain in their money: 1 if nothing is."""
    return PER_SAMPLE if prices_vary(scenario) else runs_per_draw(scenario)


def ends_when_done(scenario: Scenario) -> bool:
    """Whether the rent stops when the last job is done."""
    until = scenario.tco.until if scenario.tco else None
    return scenario.ends and until != "term"


def least_months(scenario: Scenario) -> float:
    """Return the months of rent that are paid even if the last job is done before: none, or the term that runs on."""
    return 0.0 if scenario.tco is None or ends_when_done(scenario) else scenario.tco.months


def use_each(sample: Sample) -> Use[Values]:
    """Return what each run's GPUs were rented for and did, arrays float64 (n,).

    Where every job has work: until the last job is done, or the term if the contract runs on (``[tco] until``) and is
    longer; no hour after the last job is lost. Else over the term, at the loss of the horizon.
    """
    scenario, tco = sample.scenario, sample.scenario.tco
    gpus = scenario.cluster.gpus
    if not scenario.ends:
        months = tco.months if tco else scenario.horizon / MS_PER_MONTH
        return Use.at(gpus, np.full(len(sample), months), sample.loss, scenario.burn_in_gpu_hours)
    useful = np.array(sample.useful_gpu_ms, dtype=np.float64) / MS_PER_H
    lasted = sample.answer_ms / MS_PER_MONTH
    lost = gpus * HOURS_PER_MONTH * lasted - useful
    return Use(np.maximum(lasted, least_months(scenario)), useful, lost, scenario.burn_in_gpu_hours)


@dataclass(frozen=True, eq=False)
class Money:
    """What every run of a scenario cost [USD], float64 (n,), and what it did [GPU-hours]."""

    paid: Values
    with_lost_work: Values
    useful_gpu_hours: Values

    @classmethod
    def of(cls, sample: Sample) -> "Money | None":
        """Price every run of a sample; None without [tco]."""
        found = bill_of_runs(sample)
        if found is None:
            return None
        return cls(found.total("paid"), found.total("with_lost_work"), found.total("useful_gpu_hours"))


def inputs_by_run(sample: Sample, inputs: Callable[[Scenario], Sequence[Input]]) -> list[Input]:
    """Return the inputs of a scenario; one that differs by run is float64 (n,)."""
    scenario = sample.scenario
    first = list(inputs(scenario))
    if not prices_vary(scenario):
        return first
    draws = sample.replications // PER_SAMPLE
    values = np.empty((len(first), len(sample)))
    for draw in np.unique(draws).tolist():
        its = inputs(sampled(scenario, draw * PER_SAMPLE))
        values[:, draws == draw] = np.array([[each.value] for each in its])
    return [
        replace(each, value=column) if np.ptp(column) else replace(each, value=float(column[0]))
        for each, column in zip(first, values, strict=True)
    ]


def bill_of_runs(sample: Sample) -> Statement | None:
    """Return the bill of every run, each at its own prices, as ``bill_statement`` has it; None without [tco]."""
    if sample.scenario.tco is None:
        return None

    def inputs(its: Scenario) -> list[Input]:
        assert its.tco is not None  # only its values differ from run to run
        return bill_inputs(its.tco, its.cluster.gpus)

    return bill_statement(inputs_by_run(sample, inputs), use_each(sample))


def mean_bill(sample: Sample) -> Bill | None:
    """Return the mean of the bills of all runs, each at its own prices; None without [tco].

    Its prices of a useful hour are ratios of means: mean cost by mean useful hours.
    """
    found = bill_of_runs(sample)
    if found is None:
        return None
    months, useful, lost = (float(found.total(name).mean()) for name in USED[:3])
    lines = {line.name: float(found.total(line.name).mean()) for line in LINES}
    asked, gpus = useful + lost, sample.scenario.cluster.gpus
    return Bill(months, lost / asked if asked else 0.0, lines, gpus * HOURS_PER_MONTH * months, useful)


def price_all_in(found: Bill | None) -> float | None:
    """Return the all-in price of a useful GPU-hour [USD]; None without a bill, or where nothing is useful."""
    return None if found is None else found.usd_per_useful_gpu_hour["all_in"]


Amount = TypeVar("Amount", float, Values)


def energy_at_meter(
    scenario: Scenario, gpu_hours: Mapping[str, Amount], overhead: Mapping[str, Amount], hours: Amount
) -> dict[str, Amount] | None:
    """Return what the site takes, by state of the ledger and of the network [kWh]; see ``power.energy_kwh``.

    ``overhead``: GPU-hours by its causes. Amounts are floats, or float64 arrays of one shape by run and month. None
    where the topology gives no power.
    """
    topology = build(scenario.cluster.topology, scenario.cluster.gpus)
    demand, power = Demand(topology), topology.description.power
    kw_per_gpu = float(demand.racks_w.sum()) / topology.gpus / 1e3
    if not kw_per_gpu or power is None:
        return None
    switches_kw = demand.switches_w / 1e3
    return energy_kwh(gpu_hours, overhead, kw_per_gpu, power.idle, switches_kw, hours, power.meter_factor)


@dataclass(frozen=True)
class Energy:
    """Energy over the horizon at the site's meter [kWh]: by state of the ledger, and of the network.

    ``usd``: what it costs if [tco] gives a price of energy, else None. ``converted``: share of it that conversion
    loses, from the meter to the racks; None where it is not told apart.
    """

    kwh: Mapping[str, float]
    pue: float
    usd: float | None
    converted: float | None = None

    @classmethod
    def of(cls, scenario: Scenario, gpu_hours: Mapping[str, float], overhead: Mapping[str, float]) -> "Energy | None":
        """Fold a mean ledger [GPU-h]; None where the topology gives no power."""
        kwh = energy_at_meter(scenario, gpu_hours, overhead, scenario.horizon / MS_PER_H)
        power = scenario.cluster.topology.power
        if kwh is None or power is None:
            return None
        price = scenario.tco.energy if scenario.tco else None
        lost = power.conversion.lost if power.conversion else None
        usd = None if price is None else price * sum(kwh.values())
        return cls(kwh, power.meter_factor, usd, lost / power.meter_factor if lost else None)

    @cached_property
    def total_kwh(self) -> float:
        """All of it [kWh]."""
        return sum(self.kwh.values())

    @property
    def conversion_kwh(self) -> float | None:
        """What is lost from the meter to the racks [kWh]; None where it is not told apart."""
        return None if self.converted is None else self.total_kwh * self.converted

    def to_json(self) -> dict[str, Any]:
        """Return it as plain data."""
        found = {"kwh": dict(self.kwh), "total_kwh": self.total_kwh, "pue": self.pue, "usd": self.usd}
        return found if self.conversion_kwh is None else found | {"conversion_kwh": self.conversion_kwh}
