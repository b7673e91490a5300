"""What a token seller earns: of a scenario by the formulas, and of every run from its money book."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dcsim.closed_form import Accounting
from dcsim.closed_form.inference import margin, usd_per_mtok
from dcsim.decide.accounts import MoneyBook, owner_rent
from dcsim.decide.lender import Risk
from dcsim.economics.bill import monthly_bill
from dcsim.economics.statement import Statement
from dcsim.economics.tokens import token_inputs, token_lines
from dcsim.montecarlo import Estimated
from dcsim.scenario import Scenario
from dcsim.units import HOURS_PER_MONTH, MS_PER_H

Values = NDArray[np.float64]
FIGURES: Mapping[str, str] = {
    "served_mtok": "tokens sold, million",
    "revenue_usd": "revenue of tokens, USD",
    "cost_usd": "GPUs of the token seller, USD",
    "profit_usd": "profit on tokens, USD",
    "usd_per_mtok": "cost of a million tokens, USD",
    "usd_per_mtok_unused": "  of it GPUs without requests",
    "usd_per_mtok_lost": "  of it failed, waiting and idle GPUs",
    "price_usd_per_mtok": "sold for, USD per million tokens",
    "margin": "margin on tokens",
    "third_party_margin": "margin of an app that buys tokens",
    "first_party_margin": "margin of an app on its own tokens",
    "owner_margin": "margin of an owner who sells tokens",
}
"""What is told of a token seller: keys in JSON, and what people read."""


@dataclass(frozen=True, eq=False)
class TokenSales:
    """The token seller's figures by name (``FIGURES``), each one number for each run with its mean and errors.

    ``usd_per_mtok`` and the margins are ratios of means; their quantiles are those of single runs. None where nothing
    is sold in any run, and the two margins of apps without subscriptions.
    """

    figures: Mapping[str, Estimated | None]

    @classmethod
    def of(
        cls,
        book: MoneyBook,
        each: Callable[[Values], Estimated],
        ratio: Callable[[Values, Values], Estimated | None],
    ) -> "TokenSales | None":
        """Fold a money book; None without [tokens]. ``each``, ``ratio``: estimate a mean, and a ratio of means."""
        its = book.statement
        if "token_revenue" not in its.values:
            return None
        served, revenue, cost, profit = map(its.total, ("tokens_served", "token_revenue", "token_cost", "token_profit"))
        found: dict[str, Estimated | None] = {
            "served_mtok": each(served),
            "revenue_usd": each(revenue),
            "cost_usd": each(cost),
            "profit_usd": each(profit),
            "usd_per_mtok": ratio(cost, served),
            "usd_per_mtok_unused": ratio(its.total("paid_for_unused"), served),
            "usd_per_mtok_lost": ratio(its.total("paid_for_lost"), served),
            "price_usd_per_mtok": ratio(revenue, served),
            "margin": ratio(profit, revenue),
        }
        for party in ("third_party", "first_party"):
            sold = f"{party}_profit" in its.values
            found[f"{party}_margin"] = ratio(its.total(f"{party}_profit"), its.total("app_revenue")) if sold else None
        factory = its.total("factory_profit") if "factory_profit" in its.values else None
        found["owner_margin"] = None if factory is None else ratio(factory, revenue)
        return cls(found)

    def __getitem__(self, name: str) -> Estimated | None:
        return self.figures[name]

    def risk(self, name: str) -> Risk | None:
        """Return quantiles of single runs of a figure and the mean of its worst twentieth; None where it is None."""
        found = self.figures[name]
        if found is None:
            return None
        risk = Risk.of(found.values, lower_is_better="cost" in name or name.startswith("usd_per_mtok"))
        return None if risk is None else replace(risk, mean=found.shown.mean)


# --- by formula -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class TokenEstimate:
    """What tokens cost and earn by the published formula; a loss is a fraction of what the serving jobs asked for.

    ``replica_loss``: each failure is charged to the gang that it strikes. ``training_loss``: each is charged to one job
    of all GPUs that serve, as the formula does for training: it overcharges replicas, of which one is struck.
    ``usd_per_mtok``, by what is paid and lost: ``rent``, at the rent alone, full use and no loss, as the
    deck has it; ``paid``, all that is paid, at the replicas' loss; ``training``, all that is paid, at the training
    job's; None where a loss leaves nothing. ``figures``: as ``TokenSales`` has them, at the replicas' loss.
    """

    replica_loss: float
    training_loss: float
    usd_per_mtok: Mapping[str, float | None]
    figures: Mapping[str, float | None]

    def to_json(self) -> dict[str, Any]:
        """Return it as plain data."""
        return {
            "replica_loss": self.replica_loss,
            "training_loss": self.training_loss,
            "usd_per_mtok_by": dict(self.usd_per_mtok),
            **self.figures,
        }


def token_estimate(scenario: Scenario, account: Callable[[Scenario, float], Accounting]) -> TokenEstimate | None:
    """Return the token seller's figures by formula; None without [tokens].

    ``account``: the published formula for a scenario whose failures are charged to jobs of so many GPUs.
    """
    tokens = scenario.tokens
    if tokens is None:
        return None
    serving = [job for job in scenario.jobs if tokens.serves(job.name)]
    gpus = sum(job.gpus * job.count for job in serving)
    replica = sum(job.count * job.gpus**2 for job in serving) / gpus

    def loss(job_size: float) -> float:
        found = account(scenario, job_size)
        return found.downtime_loss + found.performance_overhead

    losses = {"paid": loss(replica), "training": loss(float(gpus))}
    statements = {name: _statement(scenario, gpus, its) for name, its in losses.items() if its < 1}
    costs = {
        "rent": usd_per_mtok(rent_of(scenario), tokens.speed, 0.0, 1.0),
        **dict.fromkeys(("paid", "training")),
        **{name: _total(its, "token_cost") / _total(its, "tokens_served") for name, its in statements.items()},
    }
    return TokenEstimate(losses["paid"], losses["training"], costs, _figures(statements.get("paid")))


def rent_of(scenario: Scenario) -> float:
    """Return the rent of a GPU-hour that a token seller pays [USD]: of [tco], else the owner's first."""
    return owner_rent(scenario) if scenario.tco is None else scenario.tco.gpu_hour


def paid_of(scenario: Scenario) -> float:
    """Return what a token seller pays for all GPUs in 720 h [USD]: the bill, else the owner's first rent."""
    gpus = scenario.cluster.gpus
    if scenario.tco is not None:
        return monthly_bill(scenario.tco, gpus, scenario.burn_in_gpu_hours)
    return rent_of(scenario) * (gpus - scenario.cluster.spares) * HOURS_PER_MONTH


def _statement(scenario: Scenario, gpus: int, loss: float) -> Statement:
    """Return the seller's statement where so many GPUs serve and lose the same share in every month.

    Of an owner the seller has all GPUs on sale, at the first rent.
    """
    tokens = scenario.tokens
    assert tokens is not None
    months = -(-scenario.horizon // scenario.month)
    ends = np.minimum(np.arange(months + 1) * scenario.month, scenario.horizon) / MS_PER_H
    hours = np.diff(ends, prepend=0.0)[None, :]
    inputs = token_inputs(tokens, scenario.month, paid_of(scenario))
    series = {
        "hours": hours,
        "cluster_gpu_hours": scenario.cluster.gpus * hours,
        "serving_gpu_hours": gpus * hours * (1 - loss),
    }
    return Statement.of(token_lines(tokens, "provider"), inputs, series)


def _total(its: Statement, name: str) -> float:
    return float(its.total(name)[0])


def _figures(its: Statement | None) -> dict[str, float | None]:
    if its is None:
        return dict.fromkeys(FIGURES)
    names = {
        "served_mtok": "tokens_served",
        "revenue_usd": "token_revenue",
        "cost_usd": "token_cost",
        "profit_usd": "token_profit",
    }
    found: dict[str, float | None] = {name: _total(its, line) for name, line in names.items()}
    revenue, cost, served = (_total(its, name) for name in ("token_revenue", "token_cost", "tokens_served"))
    found |= {
        "usd_per_mtok": cost / served,
        "usd_per_mtok_unused": _total(its, "paid_for_unused") / served,
        "usd_per_mtok_lost": _total(its, "paid_for_lost") / served,
        "price_usd_per_mtok": revenue / served,
        "margin": margin(revenue, cost),
    }
    app = _total(its, "app_revenue") if "app_revenue" in its.values else None
    return found | {
        "third_party_margin": None if app is None else margin(app, revenue),
        "first_party_margin": None if app is None else margin(app, cost),
        "owner_margin": None,
    }
