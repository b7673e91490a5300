"""Rows about jobs: what each loses, when its work is done, what replicas are worth, and the energy of all of them."""

from collections.abc import Sequence
from functools import partial

from dcsim.decide import RunResult
from dcsim.report.figures import Figure, loss, number, per_cent, span, usd
from dcsim.report.page import Row, and_list, printable
from dcsim.report.uncertainty import MakeRow, with_error
from dcsim.units import HOURS_PER_YEAR

# --- replicas -----------------------------------------------------------------------------------------------------


def serves(runs: Sequence[RunResult]) -> bool:
    """Whether all jobs are replicas: they keep nothing, so what counts is how long one of them is out of service."""
    found = (job.recovery for run in runs for job in run.scenario.jobs)
    return all(recovery.restores_always and not recovery.tiers for recovery in found)


def out_of_service(run: RunResult) -> str:
    """Say how long a replica is out of service in the mean: of the time, and in hours of a year."""
    lost = 0.0 if run.job_loss is None else run.job_loss.mean
    hours = HOURS_PER_YEAR * lost
    return f"{loss(lost)} % of the time ({f'{hours:.2g}' if hours < 100 else f'{hours:,.0f}'} h a year)"


def replicas_sentence(runs: Sequence[RunResult]) -> str:
    """Say how long a replica is out of service with each offer; offers that are alike are named together."""
    alike: dict[str, list[str]] = {}
    for run in runs:
        alike.setdefault(out_of_service(run), []).append(printable(run.scenario.name))
    told = [f"{share} at {and_list(names)}" for share, names in alike.items()]
    return f"A replica is out of service {', '.join(told)}."


# --- rows ---------------------------------------------------------------------------------------------------------


def energy_rows(runs: Sequence[RunResult], row: MakeRow) -> list[Row]:
    """Return what is drawn and what it costs, where any scenario pays for energy beside the rent."""
    if not any(run.energy and run.energy.usd is not None for run in runs):
        return []
    converted = any(run.energy and run.energy.conversion_kwh is not None for run in runs)

    def lost(run: RunResult) -> Figure:
        kwh = run.energy.conversion_kwh if run.energy else None
        return number(None if kwh is None else kwh / 1e3, 0)

    return [
        row("energy over the horizon, MWh", lambda r: number(r.energy.total_kwh / 1e3 if r.energy else None, 0)),
        *([row("  of it lost in conversion, MWh", lost)] if converted else []),
        row("  beside the rent, USD", lambda r: usd(r.energy.usd if r.energy else None)),
    ]


def objective_rows(runs: Sequence[RunResult], row: MakeRow) -> list[Row]:
    """Return in how many months the goodput objective is kept, and how much of the error budget is used."""
    found = {run.error_budget.objective for run in runs if run.error_budget}
    if len(found) != 1:
        return []  # nobody has one, or not the same: no row would be about all of them
    (objective,) = found

    def within(run: RunResult) -> Figure:
        return Figure(None) if run.error_budget is None else with_error(run.error_budget.within)

    def used(run: RunResult) -> Figure:
        return Figure(None) if run.error_budget is None else with_error(run.error_budget.mean_used)

    def worst(run: RunResult) -> Figure:
        return per_cent(run.error_budget.quantile(0.95) if run.error_budget else None, 1)

    return [
        row(f"months that lose {100 - 100 * objective:.6g} % or less, %", within),
        row("  error budget used, mean of months, %", used),
        row("  error budget used, P95 of single months, %", worst),
    ]


def job_rows(runs: Sequence[RunResult], row: MakeRow) -> list[Row]:
    """Return the loss of each job where there are several, and when those that have work were done."""
    jobs = list(dict.fromkeys(job.name for run in runs for job in run.scenario.jobs))
    many = {job.name for run in runs for job in run.scenario.jobs if job.count > 1}
    rows = []
    told = len(jobs) > 1 or any(str(_job_loss(jobs[0], run)) != str(loss(run.loss.mean)) for run in runs)
    for job in jobs if told and (len(jobs) > 1 or many) else []:
        per = ", per replica" if job in many else ""
        rows.append(row(f"  {printable(job, 16)}{per}, %", partial(_job_loss, job)))
    for job in dict.fromkeys(name for run in runs for name in run.finishes_h):
        rows.append(row(f"{printable(job, 16)} done after, h", partial(_finish, job)))
        rows.append(row("  one run, P5 to P95, h", partial(_finish_spread, job)))
        if any(run.finishes_h[job].share < 1 for run in runs if job in run.finishes_h):
            rows.append(row("  done within the horizon, % of runs", partial(_finish_share, job)))
    return rows


def _job_loss(job: str, run: RunResult) -> Figure:
    return loss(run.job_losses.get(job))


def _finish(job: str, run: RunResult) -> Figure:
    found = run.finishes_h.get(job)
    return with_error(found.hours if found else None, 1)


def _finish_spread(job: str, run: RunResult) -> Figure:
    found = run.finishes_h.get(job)
    if found is None or found.hours is None or found.hours.se is None:
        return Figure(None)
    return span(found.hours.p5, found.hours.p95, 2)  # as many decimals as the mean has


def _finish_share(job: str, run: RunResult) -> Figure:
    found = run.finishes_h.get(job)
    return per_cent(found.share if found else None, 1)
