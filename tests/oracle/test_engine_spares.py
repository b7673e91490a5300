"""Repair crews, spares and rates in the engine against the machine-repairman chain and exact identities.

With strikes that are known at once, exponential repairs and gangs that resume at once, the number of machines down is
the chain of `closed_form.spares` whatever the gangs do: hot spares fail too, and nothing that is down can. Gangs only
share out what is up. A machine is a group of GPUs that one blast strikes.
"""

import math
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from dcsim.closed_form import down_probabilities, enough_up, mean_availability
from dcsim.engine import simulate
from dcsim.engine.compiled_clock import simulate_many
from dcsim.ledger import STATE, Accounts
from dcsim.program.records import NONE
from dcsim.scenario import Scenario
from tests.oracle.agreement import Comparison, objections
from tests.planted import plant

pytestmark = pytest.mark.xdist_group("spares")  # one worker: the runs are shared
HOUR = 3_600_000
OF_COUNTS = 0.01  # the rule's 0.1 pp is one of GPU-hours; a count of k failures has a relative error of k^-1/2


@dataclass(frozen=True)
class Work:
    """Gangs of a number of machines."""

    machines: int
    count: int = 1
    priority: int = 0


@dataclass(frozen=True)
class Fleet:
    """Machines that fail every ``mtbf`` hours and take ``repair`` hours of a crew each; horizon in hours.

    ``blast``: GPUs of a machine, typed; None: a tray of 4 as the topology has it.
    """

    number: int  # also the seed
    machines: int
    crews: int | None
    mtbf: float
    repair: float
    horizon: float
    jobs: tuple[Work, ...]
    blast: int | None = 1
    replications: int = 64

    @property
    def scenario(self) -> Scenario:
        """The fleet as users would write it."""
        size = self.blast or 4
        repair: dict[str, Any] = {"time": {"kind": "exponential", "mean": f"{self.repair} h"}}
        return Scenario.model_validate(
            {
                "name": f"fleet {self.number}",
                "horizon": f"{self.horizon} h",
                "seed": self.number,
                "cluster": {
                    "topology": "gb300-nvl72",
                    "gpus": self.machines * size,
                    "spares": size * (self.machines - sum(job.machines * job.count for job in self.jobs)),
                },
                "jobs": [
                    {
                        "name": f"job {number}",
                        "gpus": job.machines * size,
                        "count": job.count,
                        "priority": job.priority,
                        "recovery": {"kind": "fault-tolerant"},
                    }
                    for number, job in enumerate(self.jobs)
                ],
                "hazards": [
                    {
                        "component": "gpu",
                        "mtbf": f"{self.mtbf * size} h",
                        "repair": repair | ({"crews": self.crews} if self.crews else {}),
                        **({"blast": self.blast} if self.blast else {}),
                    }
                ],
            }
        )


PUBLISHED = Fleet(1, 512, 8, 2_400, 48, 36 * 720, (Work(4),), replications=320)  # docs/model.md: 0.80018 over 36 months
SINGLES = Fleet(2, 512, 8, 2_400, 48, 720, (Work(1, count=512),), replications=192)
CREWED = Fleet(3, 132, 2, 24 / 6.5e-3, 24, 50_000, (Work(128),))
UNCREWED = Fleet(4, 132, None, 24 / 6.5e-3, 48, 36_000, (Work(128),))
TRAYS = Fleet(5, 33, None, 24 / 6.5e-3, 48, 120_000, (Work(32),), blast=None)
RANKED = Fleet(6, 24, 4, 120, 10, 22_000, (Work(2, priority=1), Work(16, priority=2), Work(2)), blast=64)
EQUALS = Fleet(7, 36, 2, 900, 24, 60_000, (Work(16), Work(8, count=2)), blast=8)
FLEETS = (PUBLISHED, SINGLES, CREWED, UNCREWED, TRAYS, RANKED, EQUALS)


@cache
def ledgers(fleet: Fleet) -> tuple[Accounts, ...]:
    """Simulate every replication once for all tests."""
    scenario = fleet.scenario
    return tuple(simulate(scenario, number) for number in range(fleet.replications))


@cache
def down(fleet: Fleet) -> list[float]:
    """Time average of the chain from an all-up start."""
    return down_probabilities(fleet.machines, fleet.crews or fleet.machines, fleet.mtbf, fleet.repair, fleet.horizon)


def share(fleet: Fleet, *states: str, job: int | None = None) -> NDArray[np.float64]:
    """Share of the GPU-hours of the fleet (or of a job) in these states, float64 (replications,)."""
    columns = [STATE[state] for state in states]
    rows = slice(None) if job is None else slice(job, job + 1)
    jobs, gpus = fleet.scenario.jobs, fleet.scenario.cluster.gpus
    size = gpus if job is None else jobs[job].gpus * jobs[job].count
    return np.array([each.gpu_ms[rows, columns].sum() for each in ledgers(fleet)]) / (size * fleet.scenario.horizon)


def repair_of(fleet: Fleet) -> Comparison:
    """Share of the GPU-hours in repair, queueing for crews included, beside the chain's E[k]/K."""
    return Comparison(f"fleet {fleet.number}", share(fleet, "repair"), 1 - mean_availability(down(fleet)))


def spares_of(fleet: Fleet) -> Comparison:
    """Share of the GPU-hours that are idle spares beside E[max(K - k - slots, 0)]/K."""
    spares = fleet.machines - sum(job.machines * job.count for job in fleet.jobs)
    theory = math.fsum((spares - k) * p for k, p in enumerate(down(fleet)[:spares])) / fleet.machines
    return Comparison(f"fleet {fleet.number}", share(fleet, "spare"), theory)


def whole_of(fleet: Fleet, job: int = 0) -> Comparison:
    """Share of time that a gang runs beside P(enough machines for it and for all of higher priority)."""
    needed = sum(each.machines for each in fleet.jobs if each.priority >= fleet.jobs[job].priority)
    return Comparison(
        f"fleet {fleet.number} job {job}", share(fleet, "useful", job=job), enough_up(down(fleet), needed)
    )


def test_machines_down_follow_the_machine_repairman_chain():
    """Typed and derived blasts, scarce and abundant crews, from an all-up start: the share in repair is the chain's."""
    comparisons = [repair_of(fleet) for fleet in FLEETS]
    print(*comparisons, sep="\n")
    assert objections(comparisons) == []


def test_idle_spares_follow_the_chain():
    """What the gangs leave over is as much as the chain says: a gang takes no more and no less than it lacks."""
    comparisons = [spares_of(fleet) for fleet in (PUBLISHED, CREWED, UNCREWED, TRAYS, RANKED, EQUALS)]
    print(*comparisons, sep="\n")
    assert objections(comparisons) == []


def test_a_gang_waits_while_the_spares_are_used_up():
    """A gang that fills all but the spares runs while no more machines than those are down: the chain's probability."""
    comparisons = [whole_of(fleet) for fleet in (CREWED, UNCREWED, TRAYS)]
    print(*comparisons, sep="\n")
    assert objections(comparisons) == []


@pytest.mark.parametrize("job", [0, 1, 2])
def test_gangs_of_higher_priority_run_as_if_alone(job):
    """With pre-emption each gang lacks machines only when those above it and it together exceed what is up."""
    comparison = whole_of(RANKED, job)
    print(comparison)
    assert objections([comparison]) == []


def test_failures_follow_what_is_in_service():
    """Failures less (GPU-hours in service)/MTBF have mean zero: all that is up fails, spares too, and nothing else."""
    comparisons = []
    for fleet in FLEETS:
        expected = fleet.machines * fleet.horizon / fleet.mtbf
        failures = np.array([each.failures for each in ledgers(fleet)])
        excess = failures / expected - (1 - share(fleet, "repair"))
        comparisons.append(Comparison(f"fleet {fleet.number}", excess, 0.0))
    print(*comparisons, sep="\n")
    assert objections(comparisons, OF_COUNTS) == []


# --- rates without outages, and Little's law --------------------------------------------------------------------------

SIZES = {"large": (768, 1), "middle": (160, 2), "small": (16, 8)}


def rates(seed: int, **hazard: Any) -> Scenario:
    """1,440 GPUs, of which 1,216 in eleven gangs that migrate at once; blasts of 16 fit into everything."""
    return Scenario.model_validate(
        {
            "name": "rates",
            "horizon": "4000 h",
            "seed": seed,
            "cluster": {"topology": "gb300-nvl72", "gpus": 1440, "spares": 100},
            "jobs": [
                {"name": name, "gpus": gpus, "count": count, "recovery": {"kind": "fault-tolerant"}}
                for name, (gpus, count) in SIZES.items()
            ],
            "hazards": [{"component": "gpu", "mtbf": "1920 h", "blast": 16, **hazard}],
        }
    )


def test_failures_and_strikes_meet_their_rates():
    """If nothing is ever out of service, failures come at 720 N/MTBF a month, and each job gets its share by size."""
    runs = [simulate(rates(8), number) for number in range(64)]
    months = 4000 / 720
    failures = Comparison("failures", np.array([each.failures for each in runs]) / (months * 720 * 1440 / 1920), 1.0)
    strikes = [
        Comparison(name, np.array([each.strikes[row] for each in runs]) / (4000 * gpus * count / 1920), 1.0)
        for row, (name, (gpus, count)) in enumerate(SIZES.items())
    ]
    print(failures, *strikes, sep="\n")
    assert objections([failures], OF_COUNTS) == []
    assert objections(strikes, OF_COUNTS) == []


def test_repair_hours_obey_littles_law():
    """Repair GPU-hours are failures x 16 x mean repair; free GPUs are out from the strike, the horizon cuts some."""
    # A strike at t is cut by R - (H - D - t) if that is positive: with strikes uniform in time (m2/2 + D m1)/H each in
    # the mean, m1 and m2 = m1^2 e^(sigma^2) the moments of the lognormal repair: 0.24 % of it here.
    mean, detect, horizon = 6.0, 0.25, 4000.0
    repair = {"kind": "lognormal", "mean": "6 h", "sigma": 1.0}
    runs = [simulate(rates(9, detect="15 min", repair=repair), number) for number in range(64)]
    hours = np.array([each.gpu_ms[:, STATE["repair"]].sum() for each in runs]) / HOUR
    failures = np.array([each.failures for each in runs])
    free = failures - np.array([each.strikes.sum() for each in runs])
    cut = (mean**2 * math.e / 2 + detect * mean) / horizon
    expected = 16 * (failures * (mean - cut) + free * detect)
    comparison = Comparison("repair hours", (hours - expected) / expected.mean(), 0.0)
    print(comparison)
    assert objections([comparison], OF_COUNTS) == []


# --- planted errors ---------------------------------------------------------------------------------------------------


def spares_never_fail(honest):
    """Failures of free GPUs are dropped."""

    def fail_slot(w, hazard, target, rank, now, draw):
        if target < w.one.gangs:
            honest(w, hazard, target, rank, now, draw)

    return fail_slot


def nobody_waits(honest):
    """A gang without replacements runs on at full speed: its wait is booked as useful."""

    def enter(w, who, state, why, gpu_ms):
        if state == STATE["wait"]:
            w.gangs[who].weight_0 += gpu_ms
            w.gangs[who].weight_1 += gpu_ms
            w.gangs[who].weight_2 += gpu_ms
            state = STATE["useful"]
        honest(w, who, state, why, gpu_ms)

    return enter


ALL_ALONE = {"settles": lambda _: lambda *_: NONE}
"""So that every failure takes the long way, in which errors are planted."""
SPARES_NEVER_FAIL = ALL_ALONE | {"fail_slot": spares_never_fail}
CREWS_FOR_EVERYONE = ALL_ALONE | {"takes_crew": lambda _: lambda *_: True}
NOBODY_WAITS = ALL_ALONE | {"enter": nobody_waits}
NO_PREEMPTION = ALL_ALONE | {"preempt": lambda _: lambda *_: None}


@pytest.mark.parametrize(
    ("error", "fleet", "measure", "runs"),
    [
        (SPARES_NEVER_FAIL, EQUALS, repair_of, 8),
        (SPARES_NEVER_FAIL, RANKED, spares_of, 8),
        (CREWS_FOR_EVERYONE, EQUALS, repair_of, 8),
        (CREWS_FOR_EVERYONE, CREWED, whole_of, 8),
        (NOBODY_WAITS, UNCREWED, whole_of, 8),
        (NO_PREEMPTION, RANKED, whole_of, 32),
    ],
)
def test_planted_errors_are_caught(monkeypatch, error, fleet, measure, runs):
    """The rule objects to means of rules by which spares, crews, waiting or pre-emption are wrong; few runs show it."""
    assert objections([measure(fleet)]) == []
    with monkeypatch.context() as patch:
        plant(patch, **error)
        patch.setitem(globals(), "ledgers", ledgers.__wrapped__)  # not the honest runs that are kept
        patch.setitem(globals(), "simulate", without_months)
        wrong = measure(replace(fleet, replications=runs))
    print(wrong)
    assert [each for each in objections([wrong]) if each.startswith("|z|")]


def without_months(scenario: Scenario, number: int) -> Accounts:
    """Simulate a run whose months would not sum to a ledger that is wrong."""
    return simulate_many(scenario, [number], monthly=False).account(0)


def test_the_start_is_needed():
    """A month from an all-up start does not agree with the steady state."""
    steady = 1 - mean_availability(down_probabilities(512, 8, 2_400, 48))
    assert objections([Comparison("steady state", share(SINGLES, "repair"), steady)])
