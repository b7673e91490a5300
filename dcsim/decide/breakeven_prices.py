"""At which price two simulated offers are equally good, with its interval, beside formula and exact theory."""

import math
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from dcsim.decide.bills import use_each
from dcsim.decide.estimate import bill, job_size
from dcsim.decide.result import RunResult
from dcsim.decide.theory import cluster_loss
from dcsim.economics import Bill
from dcsim.economics.bill import equal_payment
from dcsim.ledger import STATE
from dcsim.montecarlo import Summary, summarise
from dcsim.units import MS_PER_MONTH

Values = NDArray[np.float64]
Method = Literal["paid", "lost_work", "discount", "cash"]
WAITING = 5e-4
"""Share of GPU-hours spent waiting for hardware from which on theory, which has none, says so; source: assumed."""


@dataclass(frozen=True)
class Price:
    """One price at which nothing is gained or lost, by simulation, by formula and by exact theory [USD].

    ``method``: "paid", a useful GPU-hour costs the same; "lost_work", it equals the lost work that is saved, at the
    rent, the published method; "discount", the other offer is so much cheaper instead; "cash", an owner's discounted
    cash is the same. None: there is no such figure.
    """

    method: Method
    simulated: Summary
    formula: float | None
    theory: float | None

    def to_json(self) -> dict[str, Any]:
        """Return it as plain data."""
        its = self.simulated
        told = {"mean": its.mean, "se": its.se, "ci95": its.ci95 and list(its.ci95), "reliable": its.reliable}
        return {"method": self.method, "simulated_usd": told, "formula_usd": self.formula, "theory_usd": self.theory}


@dataclass(frozen=True)
class _Side:
    """What one offer is paid, with lost work too [USD], and does [GPU-h]: by run float64 (n,), or once as (1,)."""

    paid: Values
    total: Values
    useful: Values

    @classmethod
    def of(cls, run: RunResult) -> "_Side":
        assert run.money is not None
        energy = energy_usd(run)
        return cls(run.money.paid + energy, run.money.with_lost_work + energy, run.money.useful_gpu_hours)

    @classmethod
    def by(cls, its: Bill | None, run: RunResult) -> "_Side | None":
        """Return a bill as a side; energy is that of the simulation."""
        if its is None or its.useful_gpu_hours <= 0:
            return None
        energy = float(energy_usd(run).mean())
        return cls(
            *(
                np.array([each])
                for each in (its.paid_usd + energy, its.with_lost_work_usd + energy, its.useful_gpu_hours)
            )
        )


def prices_of(
    a: RunResult, b: RunResult, units: Values, *, discount: bool = False, published: bool = True, free: float = 0.0
) -> tuple[Price, ...]:
    """Return the prices of each of so many ``units``, float64 (n,), at which ``a`` is as good as ``b``.

    ``free``: what is paid for ``a`` by the month and left out, because the price stands for it [USD/month].
    ``discount`` and ``published``: also by these methods.
    """
    methods: list[Method] = ["paid"]
    methods += ["lost_work"] if published else []
    methods += ["discount"] if discount else []
    pairs = [(_Side.of(a), _Side.of(b))]
    for one, other in ((formula_bill(a), formula_bill(b)), (theory_bill(a), theory_bill(b))):
        pairs.append((_Side.by(one, a), _Side.by(other, b)))  # type: ignore[arg-type]
    left_out = months(a) * free
    found = []
    for method in methods:
        each = [None if not (x and y) else _equal(method, x, y, units, left_out) for x, y in pairs]
        simulated, formula, theory = each
        assert simulated is not None
        summary = summarise(simulated, float(simulated.mean()), shared=shared_runs(a, b))
        reliable = a.runs_needed is None and b.runs_needed is None
        once = (None if one is None else float(one.mean()) for one in (formula, theory))
        found.append(Price(method, replace(summary, reliable=reliable), *once))
    return tuple(found)


def _equal(method: Method, a: _Side, b: _Side, units: Values, free: Values) -> Values:
    """Return the price as values by run whose mean it is and whose spread is that of the price (delta method)."""
    if len(a.paid) == 1:
        units, free = (np.array([each.mean()]) for each in (units, free))
    if method == "lost_work":
        return _ratio(b.total - a.total + free, units)
    if method == "discount":
        return -_ratio(_payment(b.paid, b.useful, a.paid - free, a.useful), units)
    return _ratio(_payment(a.paid - free, a.useful, b.paid, b.useful), units)


def _payment(paid: Values, useful: Values, other_paid: Values, other_useful: Values) -> Values:
    """Return ``equal_payment`` of the means, made linear in each run's figures."""
    p, u, q, v = (float(each.mean()) for each in (paid, useful, other_paid, other_useful))
    off = (other_paid - q) * u / v + (useful - u) * q / v - (other_useful - v) * q * u / v**2 - (paid - p)
    return equal_payment(p, u, q, v) + off


def _ratio(amounts: Values, units: Values) -> Values:
    """Return the ratio of the means, made linear in each run's figures."""
    below = float(units.mean())
    ratio = float(amounts.mean()) / below
    return ratio + (amounts - ratio * units) / below


# --- what is paid -----------------------------------------------------------------------------------------------------


def months(run: RunResult) -> Values:
    """Return for how many months each run's GPUs are rented, float64 (n,)."""
    return use_each(run.sample).months


def monthly(its: Bill | None) -> float:
    """Return what a bill comes to by the month [USD/month]."""
    assert its is not None
    return its.paid_usd / its.months


def energy_usd(run: RunResult) -> Values:
    """Return what is paid for energy beside the rent [USD], float64 (n,): the mean of all runs, by the month."""
    usd = 0.0 if run.energy is None or run.energy.usd is None else run.energy.usd
    return usd / run.scenario.horizon * MS_PER_MONTH * months(run)


def shared_runs(a: RunResult, b: RunResult) -> int:
    """Return how many runs after one another share what is uncertain in them."""
    found = [each.useful_hour_estimated for each in (a, b)]
    return max((each.shared for each in found if each is not None), default=1)


def formula_bill(run: RunResult) -> Bill | None:
    """Return the bill at the published formula's loss; None where the formula is about another time."""
    return None if run.scenario.ends else run.estimate.tco


def theory_bill(run: RunResult) -> Bill | None:
    """Return the bill at exact theory's loss of all jobs together; None where there is no closed form."""
    if run.scenario.ends:
        return run.estimate.until_done
    loss = cluster_loss(run.scenario)
    return None if loss is None else bill(run.scenario, loss)


def price_of(its: Bill | None, run: RunResult) -> float | None:
    """Return what a useful GPU-hour costs by a bill and the energy of the simulation [USD]; None without one."""
    side = _Side.by(its, run)
    return None if side is None else float(side.paid[0] / side.useful[0])


def notes_of(a: RunResult, b: RunResult) -> tuple[str, ...]:
    """Say why formula, theory and simulation may differ, and what else is compared."""
    said = []
    charged, own = job_size(a.scenario), sum(job.count * job.gpus**2 for job in a.scenario.jobs)
    struck = own / a.scenario.cluster.gpus
    if formula_bill(a) is not None and not math.isclose(charged, struck, rel_tol=1e-3):
        said.append(
            f"The formula charges every failure to a job of {charged:,.0f} GPUs, wherever it strikes; a failure of one "
            f"GPU stops {struck:,.0f} in the mean (the sum of squared job sizes / all GPUs)."
        )
    waited = max(_waited(run) for run in (a, b))
    if theory_bill(a) is not None and waited > WAITING:
        said.append(
            f"Exact theory has no waiting for hardware; in the simulation it takes {100 * waited:.2f} % of GPU-hours."
        )
    slower = max(_slower(run) for run in (a, b))
    if slower > WAITING:
        said.append(
            "Formula and exact theory count stops alone; in the simulation parts that are out also slow jobs down, by "
            f"{100 * slower:.2f} % of GPU-hours."
        )
    if formula_bill(a) is not None:
        said.append("dcsim explain says why formula and simulation differ, step by step.")
    return tuple(said)


def _slower(run: RunResult) -> float:
    hours = sum(time for cause, time in run.sample.overhead_by_cause.items() if cause != "strategy")
    return hours / run.sample.gpu_hours_total


def _waited(run: RunResult) -> float:
    waited = sum(run.sample.gpu_ms[:, :, STATE["wait"]].sum(axis=1).tolist())
    return float(waited / len(run.sample) / run.scenario.capacity_gpu_ms)
