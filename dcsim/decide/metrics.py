"""The figures that a question may be about, by the names that its options take."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from dcsim.decide.result import RunResult
from dcsim.decide.theory import Theory, theory
from dcsim.ledger import STATE
from dcsim.montecarlo import Estimated, Summary, runs_per_draw
from dcsim.problems import not_one_of
from dcsim.scenario import Problem, Scenario, ScenarioError
from dcsim.units import MS_PER_H


@dataclass(frozen=True)
class Formula:
    """What theory says of a figure, shown beside it: ``of`` the first job's theory; None where it says nothing."""

    name: str
    of: Callable[[Theory], float | None]


@dataclass(frozen=True)
class Metric:
    """A figure of a run: ``label`` is what tables call it, ``unit`` "1" for a share, else "USD", "GPU-h" and so on.

    ``of``: one number for each run with its mean and errors; None where a scenario has no such figure. A share is a
    fraction here and shown in per cent. ``table``: the table that a scenario needs for it, "" if none. ``formulas``:
    of theory, for a figure that is about the first job alone.
    """

    name: str
    label: str
    unit: str
    lower_is_better: bool
    of: Callable[[RunResult], Estimated | None]
    table: str = ""
    formulas: tuple[Formula, ...] = ()

    def by_formula(self, scenario: Scenario) -> dict[str, float | None]:
        """Return what each formula says of a scenario, by name; empty for a figure that has none."""
        if not self.formulas:
            return {}
        known = theory(scenario)
        return {each.name: each.of(known) for each in self.formulas}

    def lacking(self, scenarios: Sequence[Scenario]) -> str:
        """Say which table some scenario lacks for this figure; empty: all have it."""
        if not self.table or all(getattr(each, self.table) is not None for each in scenarios):
            return ""
        return f"every scenario needs [{self.table}] for it"

    def hit(self, result: RunResult, lost: float) -> float:
        """Return by how much the figure is worse where a run loses so many GPU-hours more; infinite: nobody knows."""
        return HITS.get(self.name, _unknown)(result, lost)

    def summary(self, result: RunResult) -> Summary | None:
        """Return the mean, its error and the quantiles over runs; without an interval where the runs are too few."""
        found = self.of(result)
        return None if found is None else replace(found.shown, reliable=result.runs_needed is None)


def metric(name: str, option: str = "--metric") -> Metric:
    """Return the figure of that name; raise ScenarioError."""
    if name not in METRICS:
        raise ScenarioError([Problem(option, None, "", not_one_of(METRICS, name))])
    return METRICS[name]


def usual_metric(scenarios: Sequence[Scenario]) -> Metric:
    """Return what a question is about unless it says so: the price of a useful hour, or what ``run`` tells without one.

    That is the time until the last job is done where all jobs end, for idle hours after it are no loss; else the loss.
    """
    if all(each.tco for each in scenarios):
        return METRICS["usd_per_useful_gpu_hour"]
    return METRICS["finish_h" if all(each.ends for each in scenarios) else "loss"]


def loss_metric(scenario: Scenario) -> Metric:
    """Return the loss that stands beside a closed form: until the last job is done where all end, else of all hours."""
    return METRICS["lost" if scenario.ends else "loss"]


def beyond_the_jobs(metric: Metric, scenario: Scenario) -> str:
    """Say of a gate's share of the horizon that it counts what comes after the last job's end; empty: it does not."""
    if metric.name not in ("loss", "goodput") or not scenario.ends:
        return ""
    return (
        f"Where all jobs end, the gate's {metric.name} is a share of the horizon, after the last job's end included; "
        "lost (the loss until that end) and finish_h (when it is) are of the jobs alone"
    )


def _goodput(result: RunResult) -> Estimated:
    loss = result.loss_estimated
    return _of(result, 1 - loss.values, 1 - loss.plain.mean)


def _useful(result: RunResult) -> Estimated:
    """Return the useful hours that a price is a price of; without a price those of the horizon."""
    if result.money is not None:
        values = result.money.useful_gpu_hours
        return _of(result, values, math.fsum(values) / len(values))
    hours = np.array([each / MS_PER_H for each in result.sample.useful_gpu_ms])
    return _of(result, hours, sum(result.sample.useful_gpu_ms) / MS_PER_H / len(hours))


def _of_owner(line: str, result: RunResult) -> Estimated | None:
    return None if result.cash is None else result.of_money(result.cash.statement.total(line))


def _of_lender(figure: str, result: RunResult) -> Estimated | None:
    if result.lender is None:
        return None
    values: NDArray[np.float64] = getattr(result.lender, figure)
    return result.of_money(values) if np.isfinite(values).all() else None


def _of_tokens(figure: str, result: RunResult) -> Estimated | None:
    return None if result.tokens is None else result.tokens[figure]


def _wait(result: RunResult) -> Estimated:
    waited = result.sample.gpu_ms[:, :, STATE["wait"]].sum(axis=1)
    return _of(result, waited / MS_PER_H, sum(waited.tolist()) / MS_PER_H / len(waited))


def _finish(result: RunResult) -> Estimated | None:
    if not result.scenario.ends or not result.sample.done.all():
        return None  # a mean over the runs that were done would leave out the slow ones
    hours = result.sample.answer_ms / MS_PER_H
    return _of(result, hours, sum(result.sample.answer_ms.tolist()) / MS_PER_H / len(hours))


def _ettr(result: RunResult) -> Estimated | None:
    first = result.scenario.jobs[0].name
    values, mean = result.sample.ettr(first), result.sample.mean_ettr(first)
    return None if values is None or mean is None else _of(result, values, mean)


def _exact_ettr(known: Theory) -> float | None:
    return None if known.goodput_loss is None else 1 - known.goodput_loss


def _credits(result: RunResult) -> Estimated | None:
    found = result.credits
    return None if found is None else result.of_money(found.share_by_run)


def _credits_usd(result: RunResult) -> Estimated | None:
    found = result.credits
    return None if found is None or not found.priced else result.of_money(found.usd_by_run)


def _of(result: RunResult, values: NDArray[np.float64], mean: float) -> Estimated:
    shared, controls = runs_per_draw(result.scenario), result.stopped is not None
    return Estimated.of(values, mean, result.control, shared=shared, controls=controls)


def _share(result: RunResult, lost: float) -> float:
    return lost / result.sample.gpu_hours_total


def _share_of_asked(result: RunResult, lost: float) -> float:
    capacity = result.sample.capacity_gpu_ms
    return lost * MS_PER_H * len(capacity) / sum(capacity)


def _hours(_: RunResult, lost: float) -> float:
    return lost


def _useful_less(result: RunResult, lost: float) -> float:
    """Return what is lost of the useful hours, which are those of the term where there is a price."""
    goodput = 1 - result.sample.mean_loss
    return math.inf if goodput <= 0 else _useful(result).plain.mean * _share(result, lost) / goodput


def _paid(result: RunResult, _: float) -> float:
    return math.inf if result.scenario.ends else 0.0  # a failure makes only what ends cost more


def _dearer(result: RunResult, lost: float) -> float:
    found, goodput, share = result.useful_hour_estimated, 1 - result.sample.mean_loss, _share(result, lost)
    return math.inf if found is None or share >= goodput else found.plain.mean * share / (goodput - share)


def _share_of_first_job(result: RunResult, lost: float) -> float:
    job = result.scenario.jobs[0]
    hours = job.gpus * job.count * (result.scenario.horizon - job.submit) / MS_PER_H
    return math.inf if job.work or hours <= 0 else lost / hours  # nobody knows how long one that ends would take


def _unknown(_: RunResult, lost: float) -> float:
    return math.inf if lost else 0.0


METRICS = {
    each.name: each
    for each in (
        Metric("loss", "loss, all GPU-hours", "1", True, lambda run: run.loss_estimated),
        Metric("lost", "loss, GPU-hours asked for and spares", "1", True, lambda run: run.lost_estimated),
        Metric("goodput", "goodput", "1", False, _goodput),
        Metric("paid_usd", "paid", "USD", True, lambda run: run.paid_estimated, "tco"),
        Metric(
            "total_usd", "paid and lost work, published method", "USD", True, lambda run: run.total_estimated, "tco"
        ),
        Metric(
            "usd_per_useful_gpu_hour",
            "paid per useful GPU-hour",
            "USD",
            True,
            lambda run: run.useful_hour_estimated,
            "tco",
        ),
        Metric("owner_cash_usd", "cash of the owner", "USD", False, partial(_of_owner, "free_cash"), "owner"),
        Metric(
            "discounted_cash_usd",
            "cash of the owner, discounted",
            "USD",
            False,
            partial(_of_owner, "present_cash"),
            "grid",
        ),
        Metric("failures_cost_usd", "what failures cost", "USD", True, partial(_of_owner, "failures_cost"), "owner"),
        Metric("min_dscr", "DSCR of the least month", "times", False, partial(_of_lender, "min_dscr"), "finance"),
        Metric("p_below_floor", "runs below the DSCR floor", "1", True, partial(_of_lender, "below_floor"), "finance"),
        Metric("equity_npv_usd", "equity over its hurdle", "USD", False, partial(_of_lender, "equity_npv"), "finance"),
        Metric("equity_irr", "IRR of equity, monthly flows", "1", False, partial(_of_lender, "equity_irr"), "finance"),
        *(
            Metric(name, label, unit, lower, partial(_of_tokens, figure), "tokens")
            for name, figure, label, unit, lower in (
                ("usd_per_mtok", "usd_per_mtok", "cost of a million tokens", "USD", True),
                ("token_profit_usd", "profit_usd", "profit on tokens", "USD", False),
                ("token_margin", "margin", "margin on tokens", "1", False),
                ("first_party_margin", "first_party_margin", "margin of an app on its own tokens", "1", False),
            )
        ),
        Metric("useful_gpu_hours", "useful GPU-hours, of the term or the horizon", "GPU-h", False, _useful),
        Metric("wait_gpu_hours", "waiting", "GPU-h", True, _wait),
        Metric("sla_credits", "SLA credit, share of the price", "1", True, _credits, "sla"),
        Metric("sla_credits_usd", "SLA credit a month", "USD", True, _credits_usd, "sla"),
        Metric(
            "finish_h",
            "time until the last job is done",
            "h",
            True,
            _finish,
            formulas=(Formula("exact theory of one gang", lambda known: known.done_h),),
        ),
        Metric(
            "ettr",
            "ETTR of the first job",
            "1",
            False,
            _ettr,
            formulas=(
                Formula("first order (Kokolis)", lambda known: known.ettr_first_order),
                Formula("exact theory of one gang", _exact_ettr),
            ),
        ),
    )
}
"""Name -> figure."""
HITS = {
    "loss": _share,
    "lost": _share_of_asked,
    "goodput": _share,
    "paid_usd": _paid,
    "usd_per_useful_gpu_hour": _dearer,
    "useful_gpu_hours": _useful_less,
    "ettr": _share_of_first_job,
    "wait_gpu_hours": _hours,
}
"""Name of a figure -> by how much it is worse where a run loses so many GPU-hours more."""
