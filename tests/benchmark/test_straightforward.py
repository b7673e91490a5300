"""The baseline of the speed claims conserves, and agrees with exact theory and with the tuned engine."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import mean, stdev

import pytest

import dcsim.engine
from dcsim.ledger import STATES, Accounts
from dcsim.scenario import Scenario, load
from dcsim.units import MS_PER_H
from tests.benchmark.straightforward import Outcome, Workload, simulate

WORKLOAD = Workload()
CAPACITY = WORKLOAD.gpus * WORKLOAD.horizon  # GPU-hours


@pytest.fixture(scope="module")
def outcomes() -> list[Outcome]:
    """Twelve replications: about 50,000 strikes on the large job."""
    return [simulate(WORKLOAD, seed) for seed in range(12)]


def test_gpu_hours_are_conserved(outcomes: list[Outcome]) -> None:
    """Every GPU-hour has one place, and every GPU-hour that a job holds has one state."""
    for outcome in outcomes:
        assert sum(outcome.places.values()) == pytest.approx(CAPACITY, rel=1e-9)
        held = outcome.places["held"] + outcome.places["struck"]
        assert sum(sum(job.values()) for job in outcome.jobs) == pytest.approx(held, rel=1e-9)
        assert min(value for job in outcome.jobs for value in job.values()) >= 0


def test_every_strike_is_detected_once(outcomes: list[Outcome]) -> None:
    """A struck group stays in its job for the detection time, unless the horizon cuts it."""
    for outcome in outcomes:
        undetected = sum(outcome.strikes) - outcome.places["struck"] / (WORKLOAD.blast * WORKLOAD.detect)
        assert -1e-6 < undetected < 4


def test_failures_come_at_the_stated_rate(outcomes: list[Outcome]) -> None:
    """Failures less hours in service / MTBF are a martingale whose variance is the count of failures."""
    failures = sum(outcome.failures for outcome in outcomes)
    in_service = sum(outcome.places["held"] + outcome.places["free"] for outcome in outcomes)
    assert abs(failures - in_service / WORKLOAD.mtbf) < 4 * math.sqrt(failures)


def expected_stall(workload: Workload, gpus: int) -> float:
    """Return the mean time [h] from a strike to the next resume, strikes on the way included.

    With k groups struck or gone, detection passes in peace with q_k = exp(-λ_k detect); else one of the
    others is struck (rate λ_k), and detection starts anew with k + 1. Then the gang is whole again, and
    failover and restore must pass without a strike, q = exp(-λ (failover + restore)):
    T_k = (1 - q_k) (1/λ_k + T_(k+1)) + q_k S and S = (1 - q) (1/λ + T_1).
    Solved by iteration, which contracts by 1 - q; more than eight groups at once do not count.
    """
    rate, phases = gpus / workload.mtbf, workload.failover + workload.restore
    stall = 0.0
    for _ in range(100):
        after = -math.expm1(-rate * phases) * (1 / rate + stall)
        chain = 0.0
        for gone in range(8, 0, -1):
            left = rate - gone * workload.blast / workload.mtbf
            quiet = math.exp(-left * workload.detect)
            chain = (1 - quiet) * (1 / left + chain) + quiet * after
        stall = chain
    return stall


def test_large_job_agrees_with_renewal_theory(outcomes: list[Outcome]) -> None:
    """The large job never waits: its goodput is the useful work per run over the mean time between resumes."""
    # Useful per run: τ / (exp(λ (τ + C)) - 1), the whole intervals before a strike at rate λ. The start in full health
    # and the unsaved stretch at the horizon add about an hour in 25,920, a sixtieth of what is allowed here.
    gpus = WORKLOAD.jobs[0]
    rate, cycle = gpus / WORKLOAD.mtbf, WORKLOAD.checkpoint_every + WORKLOAD.checkpoint_write
    useful = WORKLOAD.checkpoint_every / math.expm1(rate * cycle)
    theory = useful / (1 / rate + expected_stall(WORKLOAD, gpus))
    goodputs = [outcome.jobs[0]["useful"] / (gpus * WORKLOAD.horizon) for outcome in outcomes]
    assert all(outcome.jobs[0]["wait"] == 0 for outcome in outcomes)
    assert abs(mean(goodputs) - theory) < 4 * stdev(goodputs) / math.sqrt(len(goodputs))


@pytest.fixture(scope="module")
def headline() -> Scenario:
    """The same workload as the engine reads it."""
    return load(Path(__file__).with_name("headline.toml"))


def test_both_models_read_the_same_numbers(headline: Scenario) -> None:
    """The scenario file of the engine and the dataclass of the baseline say the same."""
    hazard, recoveries = headline.hazards[0], {job.recovery for job in headline.jobs}
    (recovery,) = recoveries
    times = (hazard.lifetime.mean_ms, headline.horizon, hazard.detect, recovery.failover, recovery.restore)
    written = (recovery.checkpoint_every, recovery.checkpoint_write, hazard.stages[0].duration.mean_ms)
    assert (
        Workload(
            headline.cluster.gpus,
            tuple(job.gpus for job in headline.jobs),
            hazard.blast,
            *(time / MS_PER_H for time in times + written),
            hazard.stages[0].crews,
        )
        == WORKLOAD
    )
    assert headline.cluster.spares == WORKLOAD.gpus - sum(WORKLOAD.jobs)
    assert headline.jobs[0].priority > headline.jobs[1].priority


def figures(
    jobs: Sequence[Mapping[str, float]], strikes: Sequence[int], failures: int, repair: float, free: float
) -> dict[str, float]:
    """Return what one replication says: counts, GPU-hours, and GPU-hours per strike, which vary far less."""
    found = {"failures": failures, "free": free, "repair per failure": repair / failures}
    for number, (hours, struck) in enumerate(zip(jobs, strikes, strict=True)):
        found |= {f"strikes on job {number}": struck, f"useful of job {number}": hours["useful"]}
        for state in ("lost", "checkpoint", "detect", "failover", "restore", "wait"):
            found[f"{state} per strike on job {number}"] = hours[state] / struck
    return found


def figures_of_baseline(outcome: Outcome) -> dict[str, float]:
    """Return the figures of one replication of the straightforward model."""
    places = outcome.places
    return figures(outcome.jobs, outcome.strikes, outcome.failures, places["repair"], places["free"])


def figures_of_engine(accounts: Accounts) -> dict[str, float]:
    """Return the figures of one replication of the engine."""
    owners = [dict(zip(STATES, (row / MS_PER_H).tolist(), strict=True)) for row in accounts.gpu_ms]
    repair = sum(owner["repair"] for owner in owners)
    free = sum(owner["spare"] + owner["idle"] for owner in owners)
    return figures(owners[:2], accounts.strikes[:2].tolist(), accounts.failures, repair, free)


def test_engine_agrees_with_the_baseline(outcomes: list[Outcome], headline: Scenario) -> None:
    """Two models that share no line of code agree on every figure within 4 standard errors."""
    plain = [figures_of_baseline(outcome) for outcome in outcomes]
    tuned = [figures_of_engine(dcsim.engine.simulate(headline, replication)) for replication in range(64)]
    for name in plain[0]:
        samples = [[replication[name] for replication in model] for model in (plain, tuned)]
        difference = mean(samples[0]) - mean(samples[1])
        error = math.sqrt(sum(stdev(sample) ** 2 / len(sample) for sample in samples))
        assert abs(difference) <= 4 * error, name
