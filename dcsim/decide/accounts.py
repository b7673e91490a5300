"""The money book of a scenario: one statement, month by month and run by run, of all parties that it has.

Each party brings its lines, the inputs that they name, and series beside those of ``Activity``. A line that others name
and that nobody brings is zero: a scenario without debt has no debt service.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from dcsim.decide.activity import Activity
from dcsim.decide.availability import sold_series
from dcsim.decide.bills import inputs_by_run
from dcsim.economics.bill import monthly_bill
from dcsim.economics.credits import credit_lines
from dcsim.economics.finance import finance_inputs, finance_lines
from dcsim.economics.grid import BEFORE_GRID, grid_inputs, grid_lines, share_between
from dcsim.economics.owner import PUE, Site, owner_inputs, owner_lines
from dcsim.economics.statement import Input, Line, Statement
from dcsim.economics.tokens import Landlord, factory_lines, token_inputs, token_lines
from dcsim.ledger import STATE
from dcsim.montecarlo import Sample
from dcsim.plant import Demand
from dcsim.scenario import Scenario
from dcsim.scenario.plan import lay_out
from dcsim.scenario.sampled import sampled
from dcsim.topology.build import build
from dcsim.units import MS_PER_H

Values = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Part:
    """What a party adds to the statement; ``series``: float64 (n, m + 1) each, by name."""

    lines: Sequence[Line]
    inputs: Sequence[Input] = ()
    series: dict[str, Values] = field(default_factory=dict)


def _token_seller(sample: Sample, activity: Activity) -> Part | None:
    """Return the lines of who sells tokens: what is useful of the jobs that serve, and what the GPUs cost."""
    scenario = sample.scenario
    tokens = scenario.tokens
    if tokens is None:
        return None
    landlord: Landlord = "owner" if scenario.tco is None else "provider"

    def inputs(each: Scenario) -> Sequence[Input]:
        assert each.tokens is not None  # only its values differ from run to run
        rent = monthly_bill(each.tco, each.cluster.gpus, each.burn_in_gpu_hours) if each.tco else None
        return token_inputs(each.tokens, each.month, rent)

    serving = activity.gpu_hours["useful"] * _serving_share(sample)[:, None]
    lines = token_lines(tokens, landlord) + (factory_lines() if landlord == "owner" else [])
    return Part(lines, inputs_by_run(sample, inputs), {"serving_gpu_hours": serving})


def _serving_share(sample: Sample) -> Values:
    """Return the share of each run's useful hours that serves, float64 (n,); 0 where nothing is useful.

    The ledger knows the months of all jobs together: where only some serve, theirs are spread as those are (assumed).
    """
    jobs, tokens = sample.scenario.jobs, sample.scenario.tokens
    useful = sample.gpu_ms[:, : len(jobs), STATE["useful"]].astype(np.float64)
    serves = np.array([tokens is not None and tokens.serves(job.name) for job in jobs])
    whole = useful.sum(axis=1)
    share = np.zeros(len(useful))
    np.divide(useful[:, serves].sum(axis=1), whole, out=share, where=whole > 0)
    return share


def site_of(scenario: Scenario) -> Site:
    """Return what an owner's statement needs to know of a scenario's cluster; only where it has an [owner]."""
    owner, gpus = scenario.owner, scenario.cluster.gpus
    assert owner is not None
    topology = build(scenario.cluster.topology, gpus)
    demand, power = Demand(topology), topology.description.power
    nodes = topology.components("node")
    of_topology = demand.it_w / 1e3 if power is not None else 0.0
    topology_kw = of_topology if float(demand.racks_w.sum()) else None
    topology_pue = power.meter_factor if power is not None else PUE
    return Site(
        gpus=gpus,
        sold_gpus=_sold_gpus(scenario),
        units=nodes if owner.server is not None else gpus / topology.gpus_per("rack"),
        nodes=nodes,
        it_kw=owner.power * nodes / 1e3 if owner.power is not None else of_topology,
        topology_kw=topology_kw,
        pue=owner.pue or topology_pue,
        topology_pue=topology_pue,
        month_h=scenario.month / MS_PER_H,
        horizon_months=scenario.horizon / scenario.month,
    )


def owner_rent(scenario: Scenario) -> float:
    """Return what an owner rents a GPU-hour out for [USD]: [owner] rent, or what [tco] says; only where it has one."""
    assert scenario.owner is not None
    if scenario.owner.rent is not None:
        return scenario.owner.rent
    assert scenario.tco is not None  # scenario.rules
    return scenario.tco.gpu_hour


def _sold_gpus(scenario: Scenario) -> int:
    """Return the GPUs on sale: all but spares, and of domains only those that [sla] says are needed."""
    free, sla = scenario.cluster.gpus - scenario.cluster.spares, scenario.sla
    if sla is None or (sla.needs is None and not sla.replicas):
        return free
    size, domains = lay_out(scenario).sold
    return min(free, domains * (sla.needs or size))


def _owner(sample: Sample, activity: Activity) -> Part | None:
    owner = sample.scenario.owner
    if owner is None:
        return None
    site = site_of(sample.scenario)

    def inputs(scenario: Scenario) -> Sequence[Input]:
        assert scenario.owner is not None
        return owner_inputs(scenario.owner, site, owner_rent(scenario))

    bridged = sample.scenario.grid is not None
    return Part(owner_lines(owner, site, bridged), inputs_by_run(sample, inputs), _shares(sample, activity))


def _grid(sample: Sample, activity: Activity) -> Part | None:
    """Return the lines of late power: what bridges it, and cash at its value at the closing."""
    scenario = sample.scenario
    if scenario.owner is None or scenario.grid is None:
        return None

    lines = grid_lines(scenario.owner, site_of(scenario))
    dates = grid_dates(scenario, sample.replications.tolist())
    before = share_between(np.zeros_like(dates), dates, activity.ends)
    return Part(lines, inputs_by_run(sample, grid_inputs_of), {BEFORE_GRID: before})


def grid_dates(scenario: Scenario, replications: Sequence[int]) -> Ints:
    """Return when the utility feeds have power in each run, int64 (n,) [ms]; 0 where no phase is about them."""
    phases = [index for index, phase in enumerate(scenario.energisation) if phase.grid]
    if not phases:
        return np.zeros(len(replications), dtype=np.int64)
    return phase_dates(scenario, replications)[0][:, phases[0]]


def phase_dates(scenario: Scenario, replications: Sequence[int]) -> tuple[Ints, Ints]:
    """Return when each phase has power, int64 (n, phases) [ms], and how long before it is paid, int64 (n,) [ms]."""
    known = None if scenario.uncertain else lay_out(scenario)
    layouts = [known or lay_out(sampled(scenario, each)) for each in replications]
    dates = [layout.dates(each) for layout, each in zip(layouts, replications, strict=True)]
    owners = [layout.scenario.owner for layout in layouts]
    leads = [0 if owner is None else owner.lead for owner in owners]
    return np.array(dates, dtype=np.int64).reshape(len(layouts), -1), np.array(leads, dtype=np.int64)


PAID, LIVE = "paid_share", "live_share"
"""Series: the share of the racks that is paid, and that has power, at the end of each month."""


def _shares(sample: Sample, activity: Activity) -> dict[str, Values]:
    """Return the series PAID and LIVE of a sample; none where no line needs them."""
    scenario = sample.scenario
    if not has_phases(scenario):
        return {}
    return shares_by_phase(scenario, *phase_dates(scenario, sample.replications.tolist()), activity.ends)


def has_phases(scenario: Scenario) -> bool:
    """Whether money hangs on when each phase is paid or has power."""
    finance = scenario.finance
    return by_phase(scenario) or (finance is not None and bool(finance.capitalised))


def shares_by_phase(scenario: Scenario, dates: Ints, leads: Ints, ends: Ints) -> dict[str, Values]:
    """Return the series PAID and LIVE, float64 (n, m + 1).

    ``dates``: of each phase, int64 (n, phases) [ms]; it is paid ``leads`` earlier, int64 (n,) [ms], where the owner
    pays by phase. ``ends``: of the months, int64 (m + 1,) [ms], the closing's 0.
    """
    assert scenario.owner is not None
    racks = build(scenario.cluster.topology, scenario.cluster.gpus).racks
    late = np.array([(phase.racks or 0) / racks for phase in scenario.energisation])

    def by(times: Ints) -> Values:
        """Share of the racks whose time has come by the end of each month."""
        open_yet = times[:, :, None] > ends
        return np.asarray(1 - np.einsum("p,npm->nm", late, open_yet))

    live = by(dates)
    paid = by(dates - leads[:, None]) if scenario.owner.paid == "energisation" else np.ones_like(live)
    return {PAID: paid, LIVE: live}


def grid_inputs_of(scenario: Scenario) -> list[Input]:
    """Return the inputs of the lines of late power; only where a scenario has a [grid]."""
    assert scenario.grid is not None
    power = scenario.cluster.topology.power
    site = power.site if power is not None else None
    generators_kw = site.generators * (site.generator or 0.0) / 1e3 if site is not None else 0.0
    return grid_inputs(scenario.grid, scenario.finance.discount if scenario.finance else None, generators_kw)


def _lender(sample: Sample, activity: Activity) -> Part | None:
    """Return the lines of debt and equity; ``energised``: share of the GPUs that had power by then, never falling."""
    scenario = sample.scenario
    finance = scenario.finance
    if finance is None:
        return None
    month_h = scenario.month / MS_PER_H

    def inputs(each: Scenario) -> Sequence[Input]:
        assert each.finance is not None  # only its values differ from run to run
        return finance_inputs(each.finance, month_h)

    share = activity.series["powered_gpu_hours"] / np.maximum(activity.series["cluster_gpu_hours"], 1e-9)
    series = {ENERGISED: energised(scenario, share)} | _shares(sample, activity)
    return Part(finance_lines(finance, by_phase(scenario)), inputs_by_run(sample, inputs), series)


def by_phase(scenario: Scenario) -> bool:
    """Whether the owner spends the capital phase by phase."""
    return scenario.owner is not None and scenario.owner.paid == "energisation"


ENERGISED = "energised"
"""Series of the share of the GPUs by which debt is drawn."""


def energised(scenario: Scenario, powered: Values) -> Values:
    """Return which share of the GPUs has had power by each month, never falling, from the share that has it in each.

    float64 (n, m + 1); at the closing all racks have it but those of a phase that comes later.
    """
    late = sum(phase.racks or 0 for phase in scenario.energisation if phase.when.mean_ms > 0)
    topology = build(scenario.cluster.topology, scenario.cluster.gpus)
    share = powered.copy()
    share[:, 0] = max(0.0, 1 - late * topology.gpus_per("rack") / scenario.cluster.gpus)
    return np.maximum.accumulate(share, axis=1)


def _credits(sample: Sample, activity: Activity) -> Part | None:
    """Return what an owner gives back for months below an availability that was sold; None without [sla.credits]."""
    sla = sample.scenario.sla
    if sla is None or sla.credits is None or sample.scenario.owner is None:
        return None
    lines, known = credit_lines(sla, "revenue")
    inputs = inputs_by_run(sample, lambda its: credit_lines(its.sla, "revenue")[1] if its.sla else known)
    return Part(lines, inputs, sold_series(sample))


PARTS: tuple[Callable[[Sample, Activity], Part | None], ...] = (_owner, _grid, _credits, _lender, _token_seller)
"""The parties, in the order in which they are told; each gives None where the scenario does not have it."""

TABLES = ("owner", "finance", "tokens")
"""The tables of a scenario that make such a book."""


def has_book(scenarios: Iterable[Scenario]) -> bool:
    """Whether some scenario has a money book, or SLA credits: then its runs must keep their months."""
    return any(
        any(getattr(each, table) is not None for table in TABLES) or (each.sla is not None and bool(each.sla.credits))
        for each in scenarios
    )


ABSENT = {
    "revenue": "rent invoiced",
    "opex": "operating costs",
    "capex": "capital spent",
    "credits": "SLA credits",
    "drawn": "debt drawn",
    "debt_service": "debt service",
    "residual": "sale of what is left",
}
"""Lines that others may name, and what they are; zero unless a party brings them."""


@dataclass(frozen=True, eq=False)
class MoneyBook:
    """The statement of a sample, and what it is computed from."""

    activity: Activity
    statement: Statement

    @classmethod
    def of(cls, sample: Sample) -> "MoneyBook | None":
        """Gather the parties of a scenario; None where it has none, or where months were not kept."""
        activity = Activity.of(sample)
        parts = [] if activity is None else [each for part in PARTS if (each := part(sample, activity))]
        if activity is None or not parts:
            return None
        return cls(activity, gathered(parts, activity.series))


def gathered(parts: Sequence[Part], series: dict[str, Values]) -> Statement:
    """Return the statement of some parties, of which the lines that nobody brings are zero."""
    lines = [line for part in parts for line in part.lines]
    brought = {line.name for line in lines}
    lines += [Line(name, label, "USD", "0") for name, label in ABSENT.items() if name not in brought]
    inputs = [each for part in parts for each in part.inputs]
    series = series | {name: each for part in parts for name, each in part.series.items()}
    if any("base_cash" in line.needs[0] for line in lines):
        series |= {"base_cash": _base_cash(lines, inputs, series)}
    return Statement.of(lines, inputs, series)


def _base_cash(lines: Sequence[Line], inputs: Sequence[Input], series: dict[str, Values]) -> Values:
    """Return the mean cash from operations of all runs in each month, which a lender plans with, float64 (n, m + 1)."""
    cash = Statement.of([line for line in lines if line.party != "lender"], inputs, series).values["operating_cash"]
    return np.broadcast_to(cash.mean(axis=0), cash.shape)
