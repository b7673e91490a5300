"""Cash of an owner: means and ranges by month and over the horizon, what failures cost, and what moves it."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dcsim.decide.accounts import MoneyBook
from dcsim.economics.finance import payback
from dcsim.economics.statement import Line, Statement
from dcsim.economics.unit_costs import UNIT_LINES, published_price, unit_costs
from dcsim.montecarlo import Summary, summarise

Values = NDArray[np.float64]
FLOW = "free_cash"
"""The line that is the owner's cash, before debt and tax."""
SHOWN = ("mean", "p5", "p95")
POINT = 0.01
"""What one point of occupancy is."""


@dataclass(frozen=True, eq=False)
class Months:
    """A line month by month over all runs, float64 (m + 1,) each; month 0 is the closing."""

    mean: Values
    p5: Values
    p95: Values

    @classmethod
    def of(cls, values: Values) -> "Months":
        """Fold values of all runs, float64 (n, m + 1)."""
        return cls(values.mean(axis=0), *np.quantile(values, (0.05, 0.95), axis=0))

    def to_json(self) -> dict[str, list[float]]:
        """Return it as plain data."""
        return {name: getattr(self, name).tolist() for name in SHOWN}


@dataclass(frozen=True)
class Lever:
    """What one change is worth to the owner over the whole term: ``usd`` more cash, in the mean of all runs."""

    name: str
    change: str
    usd: float


@dataclass(frozen=True, eq=False)
class Cash:
    """What the statement of an owner says, month by month and run by run.

    ``topology``: whose GPUs it owns. ``shared``: runs in a row that share their inputs. ``reliable``: whether the runs
    are enough for intervals.
    """

    statement: Statement
    topology: str
    shared: int = 1
    reliable: bool = True

    @classmethod
    def of(cls, book: MoneyBook, shared: int, reliable: bool) -> "Cash | None":
        """Return the owner's part of a money book; None without [owner]."""
        scenario = book.activity.scenario
        if scenario.owner is None:
            return None
        return cls(book.statement, scenario.cluster.topology.name, shared, reliable)

    def by_month(self, name: str) -> Months:
        """Return a line or series month by month."""
        return Months.of(self.statement.values[name])

    def total(self, name: str) -> Summary:
        """Return what stands for the whole term of a line, with its error and its quantiles over runs."""
        values = self.statement.total(name)
        return replace(summarise(values, float(values.mean()), shared=self.shared), reliable=self.reliable)

    def mean(self, name: str) -> float:
        """Return the mean over all runs of what stands for the whole term."""
        return float(self.statement.total(name).mean())

    @cached_property
    def unit_costs(self) -> dict[str, Summary | None]:
        """What a GPU-hour costs and earns, by the names of ``UNIT_LINES``; None where some run has no such number.

        A mean is one of means by one of means: of costs by that of hours.
        """
        found, means = unit_costs(self.statement), unit_costs(self.statement, mean=True)
        values = {line.name: found.values[line.name][:, 0] for line in UNIT_LINES}
        return {
            name: summarise(each, float(each.mean()), shared=self.shared).moved(float(means.values[name][0, 0]))
            if np.isfinite(each).all()
            else None
            for name, each in values.items()
        }

    def unit_cost(self, name: str) -> float | None:
        """Return the mean of a row of ``unit_costs``; None where there is none."""
        found = self.unit_costs[name]
        return None if found is None else found.mean

    @cached_property
    def one_month(self) -> tuple[float, float, float]:
        """Cash from operations in a month: the mean of all months of all runs, and the P5 and P95 of single ones."""
        each = self.statement.values["operating_cash"][:, 1:]
        low, high = np.quantile(each, (0.05, 0.95))
        return float(each.mean()), float(low), float(high)

    @cached_property
    def payback_months(self) -> Values:
        """Months until the capital is back, by run, float64 (n,)."""
        return payback(self.statement.values["cash_so_far"])

    @cached_property
    def levers(self) -> tuple[Lever, ...]:
        """What changes are worth, the largest first; spares on sale at the occupancy of the rest, before credits."""
        its = self.statement.inputs
        point = min(POINT, 1 - float(np.max(its["occupancy"].value)))
        changes: list[tuple[str, str, dict[str, Any]]] = []
        if point > 0:
            changes.append(("occupancy", "one point more rented", {"occupancy": its["occupancy"].value + point}))
        changes += [
            ("rent", "1 % more rent", {"rent": 1.01 * its["rent"].value}),
            ("electricity", "electricity 10 % cheaper", {"electricity_price": 0.9 * its["electricity_price"].value}),
            ("price", "1 % cheaper hardware", {"unit_price": 0.99 * its["unit_price"].value}),
        ]
        found = [Lever(name, change, self._worth(inputs)) for name, change, inputs in changes]
        found.append(Lever("failures", "no failure at all", self.mean("failures_cost")))
        if self.statement.total("spares_rent").any():
            found.append(Lever("spares", "spares rented out too", self.mean("all_on_sale") - self.mean("revenue")))
        return tuple(sorted(found, key=lambda each: -each.usd))

    def _worth(self, inputs: dict[str, Any]) -> float:
        changed = self.statement.changed(**inputs)
        return float((changed.total(FLOW) - self.statement.total(FLOW)).mean())

    def lines(self) -> Iterator[Line]:
        """Yield the lines of all parties that are not zero throughout."""
        for line in self.statement.lines:
            if self.statement.values[line.name].any():
                yield line

    def to_json(self) -> dict[str, Any]:
        """Return it as plain data: every line with its formula, its total and its months, unrounded."""
        from dcsim.decide.documents import summary_json

        months = self.payback_months
        back = np.isfinite(months)
        priced = published_price(self.topology)
        return {
            "month_h": float(self.statement.inputs["month_hours"].value),
            "inputs": {
                each.name: {
                    "value": float(np.mean(each.value)),
                    "unit": each.unit,
                    "key": each.path,
                    "source": each.source or None,
                }
                for each in self.statement.inputs.values()
            },
            "lines": {
                line.name: {
                    "label": line.label,
                    "party": line.party,
                    "unit": line.unit,
                    "formula": line.formula,
                    "source": line.source or None,
                    "total": None if line.fold == "none" else summary_json(self.total(line.name)),
                    "by_month": self.by_month(line.name).to_json(),
                }
                for line in self.statement.lines
            },
            "unit_costs": {name: summary_json(each) for name, each in self.unit_costs.items()},
            "month": dict(zip(SHOWN, self.one_month, strict=True)),
            "payback": {
                "share": float(back.mean()),
                "months": float(np.median(months)) if np.isfinite(np.median(months)) else None,
            },
            "levers": [{"name": each.name, "change": each.change, "usd": each.usd} for each in self.levers],
            "published_usd_per_gpu_hour": None if priced is None else {"gpu": priced[0], "usd": priced[1]},
        }
