"""What a lender and equity ask of an owner's statement: cover of the debt, breaches, returns, and what they hang on."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from math import sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dcsim.economics.finance import Convention, Finance, Flow, expected_shortfall
from dcsim.economics.statement import Statement
from dcsim.montecarlo import Summary, summarise
from dcsim.montecarlo.statistics import variance_of

Values = NDArray[np.float64]
TAIL = 0.05
"""The worst share of the runs that a shortfall is the mean of, and the least one that a break-even leaves out."""
CONVENTIONS: tuple[Convention, ...] = ("yearly", "monthly")


@dataclass(frozen=True)
class Risk:
    """A figure over runs: ``shortfall`` is the mean of its worst twentieth. None where some run has no such figure."""

    mean: float
    p5: float
    p50: float
    p95: float
    shortfall: float

    @classmethod
    def of(cls, values: Values, lower_is_better: bool = False) -> "Risk | None":
        """Fold one number for each run, float64 (n,)."""
        if not np.isfinite(values).all():
            return None
        low, middle, high = np.quantile(values, (TAIL, 0.5, 1 - TAIL)).tolist()
        worst = expected_shortfall(values, TAIL, "high" if lower_is_better else "low")
        return cls(float(values.mean()), low, middle, high, worst)

    def to_json(self) -> dict[str, float]:
        """Return it as plain data."""
        return {
            "mean": self.mean,
            "p5": self.p5,
            "p50": self.p50,
            "p95": self.p95,
            "expected_shortfall": self.shortfall,
        }


@dataclass(frozen=True)
class Causes:
    """By how much single runs differ, one standard deviation, from three causes that are told apart.

    ``chance``: when and what fails. ``failures``: uncertain inputs of the simulation. ``prices``: uncertain prices,
    rates and terms. Source: variance components of pairs that share their inputs, with prices drawn and with prices at
    their means.
    """

    chance: float
    failures: float
    prices: float

    def to_json(self) -> dict[str, float]:
        """Return it as plain data."""
        return {"chance": self.chance, "failures": self.failures, "prices": self.prices}


@dataclass(frozen=True)
class DebtBreakEven:
    """At which ``rent`` [USD per GPU-hour] and ``occupancy`` a condition is just met, the other at its own value.

    None: at no value that there can be.
    """

    condition: str
    rent: float | None
    occupancy: float | None


@dataclass(frozen=True, eq=False)
class Lender:
    """What a statement with debt says, month by month and run by run; ``shared``: runs in a row that share inputs."""

    statement: Statement
    finance: Finance
    shared: int = 1

    @property
    def month_h(self) -> float:
        """Length of a month [h]."""
        return float(np.mean(self.statement.inputs["month_hours"].value))

    @property
    def has_debt(self) -> bool:
        """Whether any debt is drawn in any run."""
        return bool(self.statement.values["drawn"].any())

    def mean(self, name: str) -> float:
        """Return the mean over all runs of what stands for the whole term of a line."""
        return float(self.statement.total(name).mean())

    # --- the lender ---------------------------------------------------------------------------------------------------

    @cached_property
    def min_dscr(self) -> Values:
        """The least DSCR of the months in which it is tested, by run, float64 (n,); inf where none is."""
        return min_dscr(self.statement)

    @cached_property
    def below_floor(self) -> Values:
        """1 for a run whose DSCR is below the floor in some month, else 0, float64 (n,)."""
        return (self.min_dscr < self.finance.floor).astype(np.float64)

    @cached_property
    def trapped(self) -> Values:
        """1 for a run in which equity gets no cash in some month, else 0, float64 (n,)."""
        return (self.statement.total("trapping") > 0).astype(np.float64)

    @cached_property
    def breaks(self) -> Values:
        """1 for a run that breaks a covenant in some month, else 0, float64 (n,)."""
        return (self.statement.total("broken") > 0).astype(np.float64)

    @cached_property
    def short(self) -> Values:
        """1 for a run whose cash does not pay the debt service of some month, else 0, float64 (n,)."""
        return (self.min_dscr < 1).astype(np.float64)

    def dscr_by_month(self) -> dict[str, list[float | None]]:
        """Return mean, P5, P50 and P95 of the DSCR by month, None where it is not tested in all runs."""
        values, tested = self.statement.values["dscr"], self.statement.values["tested"].min(axis=0) > 0
        rows = {"mean": values.mean(axis=0)}
        rows |= dict(zip(("p5", "p50", "p95"), np.quantile(values, (TAIL, 0.5, 1 - TAIL), axis=0), strict=True))
        return {
            name: [float(value) if tested[month] else None for month, value in enumerate(each)]
            for name, each in rows.items()
        }

    @cached_property
    def weakest_month(self) -> int | None:
        """The month whose mean DSCR is least; None where none is tested."""
        found = [(value, month) for month, value in enumerate(self.dscr_by_month()["mean"]) if value is not None]
        return min(found)[1] if found else None

    @cached_property
    def bearable_usd(self) -> float | None:
        """The debt, drawn on the same terms, whose DSCR stays above the floor in 95 % of the runs [USD].

        Debt service is in proportion to it. None where it is not: where a tranche is sculpted, or no DSCR is tested.
        """
        risk = self.risks["min_dscr"]
        if risk is None or self.finance.sculpted or not self.finance.floor:
            return None
        most = self.mean("drawn") / sum(each.ltv for each in self.finance.tranches)
        return max(0.0, min(most, self.mean("drawn") * risk.p5 / self.finance.floor))

    @property
    def overdrawn(self) -> bool:
        """Whether more is borrowed than is covered as the lender asks in 95 % of the runs."""
        return self.bearable_usd is not None and self.bearable_usd < self.mean("drawn")

    @cached_property
    def peak_ltv(self) -> float:
        """The highest debt by value of the collateral at the end of any month, in the mean of all runs."""
        return float(self.statement.values["loan_to_value"].max(axis=1).mean())

    @cached_property
    def without_failures(self) -> "Lender":
        """The same, had nothing failed: all that has power is in service, no repair is paid and no credit given."""
        its = self.statement
        series = dict(its.series) | {"failures": 0 * its.series["failures"]}
        series["in_service_gpu_hours"] = its.series["powered_gpu_hours"]
        lines = [line if line.name != "credits" else replace(line, formula="0") for line in its.lines]
        found = Statement.of(lines, list(its.inputs.values()), series)
        return Lender(found, self.finance, self.shared)

    # --- equity -------------------------------------------------------------------------------------------------------

    def flow(self, line: str) -> Flow:
        """Return a line as a flow of cash: ``equity_cash``, or ``free_cash``, which is before debt."""
        return Flow(self.statement.values[line], self.month_h)

    @cached_property
    def equity_npv(self) -> Values:
        """What equity gains over its hurdle, at closing, from monthly flows, float64 (n,) [USD]."""
        return self._npv(self.statement)

    @cached_property
    def equity_irr(self) -> Values:
        """Return on equity a year, from monthly flows, float64 (n,); nan where there is none."""
        return self.flow("equity_cash").irr("monthly")

    @cached_property
    def equity_paid(self) -> Values:
        """The most that equity has paid in at any time, float64 (n,) [USD]."""
        return np.asarray(np.maximum(0.0, -self.statement.values["equity_so_far"].min(axis=1)))

    @cached_property
    def risks(self) -> dict[str, Risk | None]:
        """Figures over runs, by the names that JSON gives them."""
        return {
            "min_dscr": Risk.of(self.min_dscr) if self.has_debt else None,
            "cash_usd": Risk.of(self.statement.total("free_cash")),
            "equity_cash_usd": Risk.of(self.statement.total("equity_cash")),
            "equity_npv_usd": Risk.of(self.equity_npv),
            "npv_usd": Risk.of(self.flow("free_cash").npv(self.finance.discount, "monthly")),
            "equity_irr": Risk.of(self.equity_irr),
            "irr": Risk.of(self.flow("free_cash").irr("monthly")),
        }

    def total(self, values: Values) -> Summary:
        """Return the mean of one number for each run with its error and quantiles."""
        return summarise(values, float(values.mean()), shared=self.shared)

    @cached_property
    def causes(self) -> dict[str, Causes]:
        """What makes runs differ, by figure; only of those where some input is uncertain."""
        if self.shared == 1:
            return {}
        at_means = self._at_mean_prices()
        found = {}
        for name, of in FIGURES.items():
            values = [of(each) for each in (self, at_means)]
            if not np.isfinite(values).all():
                continue
            drawn, fixed = (variance_of(each, self.shared) for each in values)
            if drawn is None or fixed is None:
                continue
            prices = max(0.0, drawn.inputs - fixed.inputs)
            found[name] = Causes(sqrt(fixed.luck), sqrt(fixed.inputs), sqrt(prices))
        return found

    def _at_mean_prices(self) -> "Lender":
        inputs = self.statement.inputs.values()
        vary = {each.name: float(each.value.mean()) for each in inputs if isinstance(each.value, np.ndarray)}
        return Lender(self.statement.changed(**vary), self.finance, self.shared)

    # --- break-even ---------------------------------------------------------------------------------------------------

    @cached_property
    def break_evens(self) -> tuple[DebtBreakEven, ...]:
        """At which rent and occupancy equity gets its hurdle and the floor holds, by bisection on the statement."""
        conditions: list[tuple[str, Callable[[Statement], float]]] = [
            ("the capital comes back", lambda its: float(its.total("free_cash").mean())),
            ("equity gets its hurdle, in the mean", self._gain),
        ]
        if self.has_debt:
            told = f"the DSCR stays above {self.finance.floor:g} in 95 % of the runs"
            conditions.append((told, lambda its: float(np.quantile(min_dscr(its), TAIL)) - self.finance.floor))
        return tuple(DebtBreakEven(name, self._at("rent", of), self._at("occupancy", of)) for name, of in conditions)

    def _gain(self, its: Statement) -> float:
        return float(self._npv(its).mean())

    def _npv(self, its: Statement) -> Values:
        return Flow(its.values["equity_cash"], self.month_h).npv(self.finance.hurdle, "monthly")

    def _at(self, name: str, of: Callable[[Statement], float]) -> float | None:
        """Return the mean value of an input at which a figure of the statement is zero; None where there is none."""
        from scipy.optimize import brentq

        own = self.statement.inputs[name].value
        most = 1 / float(np.max(own)) if name == "occupancy" else MOST_RENT
        if not np.all(own):
            return None

        def gap(factor: float) -> float:
            return of(self.statement.changed(**{name: own * factor}))

        if gap(0.0) >= 0 or gap(most) < 0:
            return None
        return float(brentq(gap, 0.0, most, xtol=1e-7)) * float(np.mean(own))

    # --- plain data ---------------------------------------------------------------------------------------------------

    def returns(self) -> dict[str, dict[str, float | None]]:
        """Return IRR and value at closing [USD] of all capital and of equity, means over the runs, by convention."""
        free, equity = self.flow("free_cash"), self.flow("equity_cash")
        return {
            convention: {
                "irr": _number(free.irr(convention).mean()),
                "equity_irr": _number(equity.irr(convention).mean()),
                "npv_usd": float(free.npv(self.finance.discount, convention).mean()),
                "equity_npv_usd": float(equity.npv(self.finance.hurdle, convention).mean()),
            }
            for convention in CONVENTIONS
        }

    def expected_json(self) -> dict[str, Any]:
        """Return what a statement of one expected run says, as plain data: nothing of risk."""
        least = self.min_dscr[0]
        debt = {"drawn_usd": self.mean("drawn"), "min_dscr": _number(least), "weakest_month": self.weakest_month}
        terms = {"hurdle": self.finance.hurdle, "discount": self.finance.discount, "floor": self.finance.floor}
        return terms | {"debt": debt if self.has_debt else None, "returns": self.returns()}

    def to_json(self) -> dict[str, Any]:
        """Return it as plain data: fractions, USD and months, unrounded."""
        free, equity = self.flow("free_cash"), self.flow("equity_cash")
        debt = None
        if self.has_debt:
            debt = {
                "drawn_usd": self.mean("drawn"),
                "interest_usd": self.mean("interest"),
                **({"interest_added_usd": self.mean("added")} if self.finance.capitalised else {}),
                "fees_usd": self.mean("fees"),
                "balloon_usd": self.mean("balloon"),
                "peak_ltv": self.peak_ltv,
                "p_below_floor": float(self.below_floor.mean()),
                "p_covenant_broken": float(self.breaks.mean()),
                "p_cash_trap": float(self.trapped.mean()),
                "p_short": float(self.short.mean()),
                "bearable_usd": self.bearable_usd,
                "weakest_month": self.weakest_month,
                "dscr_by_month": self.dscr_by_month(),
                "mean_min_dscr_without_failures": _number(self.without_failures.min_dscr.mean()),
            }
        return {
            "hurdle": self.finance.hurdle,
            "discount": self.finance.discount,
            "floor": self.finance.floor,
            "trap": self.finance.trap,
            "dscr_months": self.finance.months,
            "debt": debt,
            "returns": self.returns(),
            "payback_months": {
                "owner": _number(np.median(free.payback_months())),
                "equity": _number(np.median(equity.payback_months())),
            },
            "risk": {name: None if each is None else each.to_json() for name, each in self.risks.items()},
            "causes": {name: each.to_json() for name, each in self.causes.items()},
            "break_even": [
                {"condition": each.condition, "rent": each.rent, "occupancy": each.occupancy}
                for each in self.break_evens
            ],
        }


MOST_RENT = 20.0
"""Rents beyond so many times the scenario's are not looked for; source: assumed."""

FIGURES: dict[str, Callable[[Lender], Values]] = {
    "min_dscr": lambda its: its.min_dscr,
    "cash_usd": lambda its: its.statement.total("free_cash"),
    "equity_npv_usd": lambda its: its.equity_npv,
}
"""The figures whose causes are told apart."""


def min_dscr(statement: Statement) -> Values:
    """Return the least DSCR of the months in which it is tested, by run, float64 (n,); inf where none is."""
    return np.asarray(np.where(statement.values["tested"] > 0, statement.values["dscr"], np.inf).min(axis=1))


def _number(value: Any) -> float | None:
    return float(value) if np.isfinite(value) else None
