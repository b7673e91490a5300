"""Money replication by replication: what a term cost in each of them, at the prices that it drew."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from dcsim.decide.estimate import Bill, bill
from dcsim.economics import Tco, lines, total, useful_hour_prices
from dcsim.montecarlo import Sample
from dcsim.scenario import PER_SAMPLE, Scenario, sampled
from dcsim.units import HOURS_PER_MONTH

Values = NDArray[np.float64]


def prices_vary(scenario: Scenario) -> bool:
    """Whether replications have prices of their own."""
    return any(each.money for each in scenario.uncertain)


def totals_usd(sample: Sample) -> Values | None:
    """Return the cost of the term [USD] of each replication, float64 (n,); None without [tco]."""
    gpus = sample.scenario.cluster.gpus
    return _each(sample, lambda tco, loss: total(tco, gpus, loss))


def all_in_usd(sample: Sample) -> Values | None:
    """Return the all-in price of a useful GPU-hour [USD] of each replication.

    None without [tco], or if one of them has no useful hour.
    """
    gpus = sample.scenario.cluster.gpus
    if not (sample.loss < 1).all():
        return None
    return _each(sample, lambda tco, loss: useful_hour_prices(tco, gpus, loss)["all_in"])


def mean_bill(sample: Sample, loss: float) -> Bill | None:
    """Return the renter's table at a mean loss; where prices vary, the mean of the tables of all replications.

    Its prices of a useful hour are then ratios of means, mean cost per mean useful hour, and ``loss`` is not read.
    """
    scenario = sample.scenario
    if scenario.tco is None or not prices_vary(scenario):
        return bill(scenario, loss)
    gpus, months, loss = scenario.cluster.gpus, scenario.tco.months, sample.mean_loss
    rows = {}
    for name in lines(scenario.tco, gpus, loss):

        def line(tco: Tco, each: Values, name: str = name) -> Values:
            return lines(tco, gpus, each)[name]

        found = _each(sample, line)
        assert found is not None
        rows[name] = float(found.mean())
    month = sum(rows.values())
    hours = gpus * HOURS_PER_MONTH
    prices = {
        "deck": (rows["gpu"] + rows["goodput"]) / hours,
        "physical": rows["gpu"] / hours / (1 - loss) if loss < 1 else None,
        "all_in": (month - rows["goodput"]) / hours / (1 - loss) if loss < 1 else None,
    }
    return Bill(loss, rows, month, month * months, prices)


def _each(sample: Sample, price: Callable[[Tco, Values], Values | None]) -> Values | None:
    """Apply a price to the losses of all replications, pair by pair where their prices differ."""
    scenario, losses = sample.scenario, sample.loss
    if scenario.tco is None:
        return None
    if not prices_vary(scenario):
        return price(scenario.tco, losses)
    found = np.empty(len(losses))
    draws = sample.replications // PER_SAMPLE
    for draw in np.unique(draws).tolist():
        its = draws == draw
        tco = sampled(scenario, draw * PER_SAMPLE).tco
        assert tco is not None
        found[its] = price(tco, losses[its])
    return found
