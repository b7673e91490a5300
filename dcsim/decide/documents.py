"""What ``dcsim run --json`` prints: results as plain data, unrounded, in fractions, hours and USD, and never NaN."""

from collections.abc import Sequence
from dataclasses import asdict, replace
from math import isfinite
from typing import TYPE_CHECKING, Any

from dcsim.decide.estimate import SCHEMA, money_json
from dcsim.ledger import STATES
from dcsim.montecarlo import Estimated, Paired, Stopped, Summary
from dcsim.montecarlo.statistics import QUANTILES
from dcsim.scenario import sha256

if TYPE_CHECKING:
    from dcsim.decide.result import Finish, RunResult
    from dcsim.decide.tokens import TokenSales

NOT_DONE = dict.fromkeys(("mean", "se", "ci95", *QUANTILES, *(f"{name}_ci95" for name in QUANTILES)))


def runs_json(runs: "Sequence[RunResult]") -> dict[str, Any]:
    """Return one document for several runs; ``relative`` is against the first."""
    from dcsim.decide.cautions import cautions_json  # cautions rest on what runs are made of

    found = cautions_json([each.scenario for each in runs], len(runs[0].sample))
    return {"schema": SCHEMA, "cautions": found, "scenarios": [run_entry(each, runs[0]) for each in runs]}


def run_entry(run: "RunResult", first: "RunResult") -> dict[str, Any]:
    """Return one run's part of a document whose first run is ``first``."""
    reliable = run.runs_needed is None
    return {
        "name": run.scenario.name,
        "scenario_sha256": sha256(run.scenario),
        "seed": run.scenario.seed,
        **run.engine.to_json(),
        "replications": len(run.sample),
        "precision": None if run.stopped is None else _precision(run.stopped),
        "uncertain": [each.key for each in run.scenario.uncertain],
        "warnings": list(run.warnings),
        "runs_needed": run.runs_needed,
        "gpu_hours_total": run.sample.gpu_hours_total,
        "ledger": run.ledger,
        "ledger_by_month": run.sample.mean_gpu_hours_by_month or None,
        "availability": None if run.availability is None else run.availability.to_json(),
        **({} if run.credits is None else {"sla_credits": run.credits.to_json()}),
        **_guarantee(run),
        "error_budget": None if run.error_budget is None else run.error_budget.to_json(),
        "loss_by_hazard": _by_cause(run.sample.mean_gpu_hours_by_cause),
        "overhead_by_cause": run.sample.overhead_by_cause,
        "goodput": {
            "loss": _estimated(run.loss_estimated, reliable),
            "lost": _estimated(run.lost_estimated, reliable),
            "unasked": run.unasked,
            "job_loss": _estimated(run.job_loss_estimated, reliable),
            "ettr": run.ettr,
            "job_loss_by_job": run.job_losses,
            "interruptions_per_month": mean_json(run.interruptions_per_month),
            "failures_per_month": mean_json(run.failures_per_month),
        },
        "finish_h": {name: finish_json(each) for name, each in run.finishes_h.items()},
        "done_h": None if run.done is None else finish_json(run.done),
        "estimate": run.estimate.entry(first.estimate),
        "tco": _money(run, first),
        **({} if run.cash is None else {"owner": run.cash.to_json()}),
        **({} if run.lender is None else {"finance": run.lender.to_json()}),
        **({} if run.tokens is None else {"tokens": token_json(run.tokens)}),
        **({} if run.swing is None else {"swing": run.swing.to_json()}),
        "energy": None if run.energy is None else run.energy.to_json(),
        "mtbf_range": None if run.mtbf_range is None else asdict(run.mtbf_range),
        "folder": None if run.folder is None else str(run.folder),
    }


def _guarantee(run: "RunResult") -> dict[str, Any]:
    from dcsim.decide.sla_credits import GuaranteeResult  # it rests on what documents are made of

    found = GuaranteeResult.of(run.sample)
    return {} if found is None else {"sla_guarantee": found.to_json()}


def _by_cause(hours: dict[str, dict[str, float]]) -> dict[str, dict[str, float]] | None:
    """Return what each cause cost, state by state; time that nothing took away is nobody's loss."""
    kept = ("useful", "overhead", "checkpoint", "spare", "idle")
    return {
        cause: {state: each[state] for state in STATES if state not in kept} for cause, each in hours.items()
    } or None


def _money(run: "RunResult", first: "RunResult") -> dict[str, Any] | None:
    if run.tco is None:
        return None
    return {
        "until": "done" if run.stops_when_done else "term",
        "paid_usd": summary_json(run.paid_usd),
        "with_lost_work_usd": summary_json(run.total_usd),
        "total_usd": summary_json(run.total_usd),
        **money_json(run.tco, first.tco),
        "all_in_usd_per_useful_gpu_hour": summary_json(run.useful_hour_usd),
    }


def token_json(found: "TokenSales") -> dict[str, Any]:
    """Return what the token seller earns as plain data."""
    documents: dict[str, Any] = {}
    for name, each in found.figures.items():
        risk = found.risk(name)
        worst = {} if risk is None else {"expected_shortfall": risk.shortfall}
        documents[name] = None if each is None else (summary_json(each.shown) or {}) | worst
    return documents


def finish_json(found: "Finish") -> dict[str, Any]:
    """Return when a job was done [h] as plain data."""
    return {"finished_share": found.share, **(summary_json(found.hours) or NOT_DONE)}


def _finite(value: float) -> float | None:
    """Return a number as JSON has it: None for what no number is, such as the price of no useful hour."""
    return value if isfinite(value) else None


def mean_json(summary: Summary | Paired) -> dict[str, Any]:
    """Return a mean with its error as plain data; ``reliable`` is there, and false, where too few failures struck."""
    reliable = {} if summary.reliable else {"reliable": False}
    return {"mean": summary.mean, "se": summary.se, "ci95": summary.ci95 and list(summary.ci95)} | reliable


def summary_json(summary: Summary | None) -> dict[str, Any] | None:
    """Return a mean, its error and the quantiles of single runs as plain data."""
    if summary is None:
        return None
    intervals = {f"{name}_ci95": getattr(summary, f"{name}_ci95") for name in QUANTILES}
    return (
        mean_json(summary)
        | {name: _finite(getattr(summary, name)) for name in QUANTILES}
        | {name: found and [_finite(end) for end in found] for name, found in intervals.items()}
    )


def _estimated(found: Estimated | None, reliable: bool) -> dict[str, Any] | None:
    """Return what is shown, then both estimators."""
    if found is None:
        return None
    better = found.adjusted
    controlled = None
    if better is not None:
        controlled = {
            "mean": better.mean,
            "se": better.se,
            "ci95": list(better.ci95),
            "correlation": better.correlation,
        }
    return (summary_json(replace(found.shown, reliable=reliable)) or {}) | {
        "estimator": found.estimator,
        "plain": mean_json(found.plain),
        "controlled": controlled,
        "variance": found.variance and asdict(found.variance),
    }


def _precision(stopped: Stopped) -> dict[str, Any]:
    looks = [{"replications": look.replications, "half_width": look.half_widths[0]} for look in stopped.looks]
    return {"half_width": stopped.wanted, "reached": stopped.reached, "looks": looks}


def difference_json(found: Paired | None) -> dict[str, Any] | None:
    """Return a paired difference as plain data."""
    return None if found is None else mean_json(found)
