"""The renter's bill as a statement: a column for the term, by run, so that a reader sees each line's formula."""

import numpy as np

from dcsim.decide.accounts import inputs_by_run
from dcsim.decide.bills import use_each
from dcsim.economics.bill import PRICES, USED, bill_lines
from dcsim.economics.statement import Input, Statement
from dcsim.montecarlo import Sample
from dcsim.scenario import Scenario
from dcsim.units import HOURS_PER_MONTH


def renter_statement(sample: Sample) -> Statement | None:
    """Return the bill of every run as a statement whose month 1 is the whole term; None without [tco]."""
    scenario = sample.scenario
    if scenario.tco is None:
        return None
    use = use_each(sample)
    burnt_in = np.full(len(sample), use.burn_in_gpu_hours)
    columns = (use.months, use.useful_gpu_hours, use.lost_gpu_hours, burnt_in)
    series = {name: np.stack([np.zeros(len(sample)), each], axis=1) for name, each in zip(USED, columns, strict=True)}

    def inputs(its: Scenario) -> list[Input]:
        assert its.tco is not None
        gpus = Input("gpus", float(its.cluster.gpus), "GPUs", "cluster.gpus")
        hours = Input("hours_per_month", float(HOURS_PER_MONTH), "h", "720 h (deck)")
        return [
            *(Input(name, float(of(its.tco)), unit, path) for name, (unit, path, of) in PRICES.items()),
            *(gpus, hours),
        ]

    return Statement.of(bill_lines(), inputs_by_run(sample, inputs), series)
