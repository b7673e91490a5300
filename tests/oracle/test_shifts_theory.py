"""Shifts and visits against exact theory: closed forms, a chain with service on and off, M/D/1 with vacations."""

import math

import numpy as np
import pytest
from scipy.linalg import expm

from dcsim.closed_form import (
    repair_in_shifts,
    time_in_shifts,
    wait_at_most,
    wait_for_another_visit,
    wait_for_others,
    wait_for_shift,
    wait_for_visit,
)
from dcsim.distributions import Empirical, Exponential, Fixed, Gamma, Lognormal, Triangular, Uniform, Weibull
from dcsim.engine.compiled_clock import simulate_many
from dcsim.hazards import Hazard
from dcsim.ledger import STATE
from dcsim.montecarlo.crew_load import flows, in_service
from dcsim.scenario import Scenario
from dcsim.scenario.plan import plan
from tests.oracle.agreement import Comparison, objections

HOUR = 3_600_000
WEEK = 168.0
YEAR = 8_760
SEED = 151
RUNS = 64
OFFICE = [(24.0 * day + 9, 24.0 * day + 17) for day in range(5)]


def scenario(gpus, mtbf_h, repair, hours, **keys):
    """A cluster of single GPUs that nobody uses but one; each fails by itself and is found at once."""
    shape = {"node": {"gpus": 1}, "rack": {"nodes": 1}, "nvlink": {"domain": "node"}}
    hazard = {"component": "node", "blast": 1, "mtbf": f"{mtbf_h} h", "repair": repair}
    return Scenario.model_validate(
        {
            "name": "shifts",
            "horizon": f"{hours} h",
            "seed": SEED,
            "cluster": {"topology": {"name": "single", "description": "", **shape}, "gpus": gpus},
            "jobs": [{"name": "a", "gpus": 1, "recovery": {"kind": "stateless"}}],
            "hazards": [hazard],
            **keys,
        }
    )


def compared(name, made, theory):
    """The mean number of GPUs that are out beside its theory, both over the expected one: errors are relative."""
    repaired = simulate_many(made, list(range(RUNS)), False).gpu_ms[:, :, STATE["repair"]].sum(axis=1)
    return Comparison(name, repaired / made.horizon / theory, 1.0)


def out_for(gpus, mtbf_h, away_h):
    """Mean number of GPUs out of service, each up for ``mtbf_h`` and away for ``away_h`` on average."""
    return gpus * away_h / (mtbf_h + away_h)


# --- closed forms by hand -------------------------------------------------------------------------------------------


def test_the_wait_for_a_shift_by_hand():
    """Gaps of 16 h four times and 64 h once: (4 * 256 + 4096) / 336 h; around the clock none."""
    assert wait_for_shift(OFFICE, WEEK) == pytest.approx((4 * 16**2 + 64**2) / 336, rel=1e-12)
    assert wait_for_shift([(0.0, WEEK)], WEEK) == 0
    assert wait_for_shift([(0.0, 6.0), (6.0, 30.0), (166.0, WEEK)], WEEK) == pytest.approx(136**2 / 336, rel=1e-12)


def test_the_wait_for_a_visit_by_hand():
    """Once a week 84 h, on Monday and Thursday (72^2 + 96^2) / 336 h; of others, half of those that come before."""
    assert wait_for_visit([33.0], WEEK) == 84
    assert wait_for_visit([9.0, 81.0], WEEK) == pytest.approx((72**2 + 96**2) / 336, rel=1e-12)
    assert wait_for_visit([33.0], 2 * WEEK) == 168
    assert wait_for_visit([0.0, 72.0, 240.0], 2 * WEEK) == pytest.approx((72**2 + 168**2 + 96**2) / 672, rel=1e-12)
    assert wait_for_others(8, 0.5) == 7.0
    assert wait_for_others(1, 0.5) == 0.0
    assert wait_at_most(10.0, 0.1) == pytest.approx(10 * 1.5 / 2, rel=1e-12)
    assert wait_at_most(10.0, 0.0) == 10.0


def test_work_within_shifts_by_hand():
    """One shift L = 8 of P = 24 h: fixed work of 2 h, and exponential work s with q = e^(-L/s).

    From an instant within the shift on s P / L. From a gap on: half of it, the work, and the gaps that it meets.
    """
    day = [(9.0, 17.0)]
    assert repair_in_shifts(day, 24.0, 2.0, lambda h: float(h < 2)) == pytest.approx(
        8 / 24 * 2 * 24 / 8 + 16 / 24 * (8 + 2), rel=1e-12
    )
    for s in (0.5, 4.0, 40.0):
        q = math.exp(-8 / s)
        exact = 8 / 24 * s * 24 / 8 + 16 / 24 * (8 + s + 16 * q / (1 - q))
        assert repair_in_shifts(day, 24.0, s, lambda h, s=s: math.exp(-h / s)) == pytest.approx(exact, rel=1e-9)
    assert repair_in_shifts(day, 24.0, 16.0, lambda h: float(h < 16)) == pytest.approx(16 + 16 / 24 * (8 + 16 + 16))


@pytest.mark.parametrize(
    "law",
    [
        Fixed(time="1 h"),
        Exponential(kind="exponential", mean="1 h"),
        Lognormal(kind="lognormal", mean="1 h", sigma=0.5),
        Weibull(kind="weibull", mean="1 h", shape=1.7),
        Gamma(kind="gamma", mean="1 h", shape=2.5),
        Uniform(kind="uniform", low="30 min", high="4 h"),
        Triangular(kind="triangular", low="6 min", mode="1 h", high="5 h"),
        Empirical(kind="empirical", values=("0 s", "1 h", "2 h", "6 h")),
    ],
    ids=lambda law: law.kind,
)
def test_what_is_longer_is_that_of_the_draws(law):
    """Share of 100,000 draws beyond a quarter, one and three hours, within four standard errors."""
    times = law.draw(np.random.default_rng(SEED), 100_000)
    for hours in (0.25, 1.0, 3.0):
        chance = law.beyond(hours * HOUR)
        assert abs((times > hours * HOUR).mean() - chance) <= 4 * math.sqrt(chance * (1 - chance) / 100_000)
    assert law.beyond(0.0) == (0.75 if law.kind == "empirical" else 1.0)


# --- nobody queues ----------------------------------------------------------------------------------------------------


def test_repairs_within_shifts_and_in_overtime():
    """Without a limit of crews the mean time away is exact, for work of every law."""
    fixed, exponential = "3 h", {"kind": "exponential", "mean": "6 h"}
    lognormal = {"kind": "lognormal", "mean": "12 h", "sigma": 1.0}
    gpus, mtbf, hours = 64, 2_000, 10 * YEAR
    found = []
    for time, law in ((fixed, Fixed(time=fixed)), (exponential, Exponential(**exponential)),
                      (lognormal, Lognormal(**lognormal))):  # fmt: skip
        mean = law.mean_ms / HOUR
        away = repair_in_shifts(OFFICE, WEEK, mean, lambda h, law=law: law.beyond(h * HOUR))
        made = scenario(gpus, mtbf, {"time": time, "shifts": "weekdays 9-17"}, hours)
        found.append(compared(f"{law.kind}, pause", made, out_for(gpus, mtbf, away)))
        away = wait_for_shift(OFFICE, WEEK) + mean
        stage = {"time": time, "shifts": "weekdays 9-17", "at_shift_end": "finish"}
        found.append(compared(f"{law.kind}, finish", scenario(gpus, mtbf, stage, hours), out_for(gpus, mtbf, away)))
    assert objections(found, largest_error=0.005) == []


def test_weekly_visits():
    """Every Tuesday: half a week and the repair; on two days a week the mean of their intervals."""
    gpus, mtbf, hours = 64, 5_000, 20 * YEAR
    found = []
    for days, at in (("tue", [33.0]), ("mon 9, thu 9", [9.0, 81.0])):
        away = wait_for_visit(at, WEEK) + 4
        made = scenario(gpus, mtbf, {"time": "4 h", "visits": days}, hours)
        found.append(compared(days, made, out_for(gpus, mtbf, away)))
    assert objections(found, largest_error=0.005) == []


def test_visits_in_some_weeks():
    """Every second Tuesday: a week and the repair; with every Thursday as well the mean of the intervals.

    Lives are long beside the weeks: a GPU that is back after a visit would else fail a little more often soon after it.
    """
    gpus, mtbf, hours = 640, 50_000, 20 * YEAR
    found = []
    for days, at, weeks in (
        ("every second tue", [33.0], 2),
        ("every second mon 0, thu 0", [0.0, 72.0, 240.0], 2),
        ("every 3 weeks on mon 9", [9.0], 3),
    ):
        away = wait_for_visit(at, weeks * WEEK) + 4
        made = scenario(gpus, mtbf, {"time": "4 h", "visits": days}, hours)
        found.append(compared(days, made, out_for(gpus, mtbf, away)))
    assert objections(found, largest_error=0.005) == []


def test_a_visit_when_enough_wait():
    """K machines, a visit of no time with the N-th that waits: k are out for MTBF / (K - k), for k = 0 ... N - 1."""
    gpus, mtbf = 24, 2_000
    found = []
    for when in (2, 8):
        each = [mtbf / (gpus - k) for k in range(when)]
        out = sum(k * time for k, time in enumerate(each)) / sum(each)
        found.append(compared(f"{when}", scenario(gpus, mtbf, {"time": "0 s", "visit_when": when}, 50 * YEAR), out))
    assert objections(found, largest_error=0.005) == []


def test_a_visit_that_takes_time():
    """Many machines, failures at rate r, visits of s: those that fail meanwhile, Poisson (r s), count for the next one.

    A cycle begins with A of them, waits until there are N, and lasts s more: a renewal reward with max(A, N) repaired.
    """
    gpus, rate, time, when = 100_000, 0.1, 40.0, 6
    chances = [math.exp(-rate * time) * (rate * time) ** a / math.factorial(a) for a in range(60)]
    length = out = 0.0
    for begin, chance in enumerate(chances):
        waits = range(begin, when)
        length += chance * (len(waits) / rate + time)
        out += chance * (sum(k / rate for k in waits) + max(begin, when) * time)
    out += rate * time**2 / 2
    repair = {"time": f"{time} h", "visit_when": when}
    found = [compared("takes time", scenario(gpus, gpus / rate, repair, 40 * YEAR), out / length)]
    after = {"time": "0 s", "visit_after": "100 h"}
    wait = wait_at_most(100.0, rate)
    found.append(compared("after 100 h", scenario(gpus, gpus / rate, after, 20 * YEAR), rate * wait))
    assert objections(found, largest_error=0.005) == []


SILENT = {"silent": "50 %"}
FINDS = {"requalify": "1 h", "requalify_finds": "80 %"}


def away(name, repair, keys):
    """The simulated mean number of GPUs that are out over that of the formula; lives are long beside the weeks."""
    gpus, mtbf = 640, 40_000
    made = scenario(gpus, mtbf, repair, 10 * YEAR)
    hazard = {"component": "node", "blast": 1, "mtbf": f"{mtbf} h", "repair": repair, **keys}
    made = made.model_copy(update={"hazards": (Hazard.model_validate(hazard),)})
    (flow,) = flows(plan(made))
    assert flow.repair_h == pytest.approx(flow.work_h + flow.waits_h, rel=1e-12)
    return compared(name, made, flow.per_h * in_service([flow]) * flow.repair_h)


def test_what_a_visit_has_not_repaired_waits_for_the_next_one():
    """Half of the repairs are silent, four fifths of those found: 1 / (1 - 0.4) visits each. Two stages by visit."""
    first = {"time": "2 h", "success": "40 %", "visits": "tue"}
    found = [
        away("weekly", {"time": "4 h", "visits": "tue", **SILENT}, FINDS),
        away("twice a week", {"time": "4 h", "visits": "mon 9, thu 9", **SILENT}, FINDS),
        away("two stages", [first, {"time": "4 h", "visits": "tue"}], {}),
    ]
    assert objections(found, largest_error=0.005) == []


def test_what_is_sent_back_within_a_shift_waits_little():
    """It is taken as begun within a shift: within 20 % of the simulation, in which some comes after its end.

    If it came at any hour alike, the mean would be a third longer than simulated in overtime.
    """
    work = {"kind": "exponential", "mean": "3 h"}
    for end in ("finish", "pause"):
        repair = {"time": work, "shifts": "weekdays 9-17", "at_shift_end": end, **SILENT}
        assert away(end, repair, FINDS).values.mean() == pytest.approx(1, abs=0.2)


def test_moments_of_waits_by_hand():
    """A gap of 16 h of a day: E w^2 = 16^3 / 72; weekly visits 168^2 / 3; the last of two waits not, the other Exp."""
    day = [(9.0, 17.0)]
    assert wait_for_shift(day, 24.0, 2) == pytest.approx(16**3 / 72, rel=1e-12)
    assert wait_for_visit([33.0], WEEK, 3) == pytest.approx(168**3 / 4, rel=1e-12)
    assert wait_for_others(2, 0.5, 2) == pytest.approx(0.5 * 2 / 0.5**2, rel=1e-12)
    assert wait_for_others(3, 1.0, 3) == pytest.approx((6 + 24) / 3, rel=1e-12)
    assert wait_at_most(10.0, 0.1, 2) == pytest.approx((100 + 100 / 3) / 2, rel=1e-12)
    assert time_in_shifts(OFFICE, WEEK) == 40
    assert wait_for_another_visit([33.0], WEEK, 8.0) == 160
    assert wait_for_another_visit([9.0, 81.0], WEEK, 80.0) == pytest.approx(72 * 16 / 168, rel=1e-12)
    assert wait_for_another_visit([33.0], WEEK, 8.0, 2) == 160**2


# --- queues -----------------------------------------------------------------------------------------------------------


def test_one_crew_a_day_waits_as_with_vacations():
    """M/D/1 with vacations: W = rho D / (2 (1 - rho)) + D / 2 (Fuhrmann and Cooper 1985), D a day.

    Work is begun at nine o'clock, one repair a day, and takes until a minute before nine; where nothing waits the crew
    is gone for a day. The minute in which it would begin at once is left out: less than 0.1 % of W.
    """
    gpus, found = 100_000, []
    for load in (0.3, 0.7):
        stage = {"time": f"{24 * 60 - 1} min", "crews": 1, "shifts": "daily 9:00-9:01", "at_shift_end": "finish"}
        wait = load * 24 / (2 * (1 - load)) + 12
        made = scenario(gpus, gpus * 24 / load, stage, 100 * YEAR)
        found.append(compared(f"load {load}", made, load / 24 * (wait + 24)))
    assert objections(found, largest_error=0.005) == []


def out_on_shift(gpus, crews, mtbf, repair, on, hours):
    """Mean number of machines out, all up at first, by Kolmogorov's equations: crews work only in ``on`` of a day.

    Between the edges of shifts the rates are constant: the law and its integral follow from one matrix exponential.
    """
    law, area, at = np.eye(gpus + 1)[0], 0.0, 0.0
    down = np.arange(gpus + 1)
    steps = {}
    for works in (False, True):
        rates = np.zeros((gpus + 2, gpus + 2))  # the last state collects the number that is out
        for k in down[:-1]:
            rates[k, k + 1] = (gpus - k) / mtbf
        for k in down[1:]:
            rates[k, k - 1] = works * min(k, crews) / repair
        rates[np.diag_indices(gpus + 2)] = -rates.sum(axis=1)
        rates[:-1, -1] = down
        steps[works] = rates
    exponentials = {}
    while at < hours:
        for works, until in ((False, on[0]), (True, on[1]), (False, 24.0)):
            length = until - at % 24 if until < 24 or at % 24 else 24.0
            key = works, round(length, 6)
            if key not in exponentials:
                exponentials[key] = expm(steps[works] * length)
            after = np.append(law, area) @ exponentials[key]
            law, area, at = after[:-1], after[-1], at + length
    return area / hours


def test_crews_on_shift_are_the_repairmen_of_theory():
    """Exponential work that pauses has no memory: the machine repairman's chain, its repairs on and off."""
    gpus, mtbf, hours, found = 20, 800.0, 40 * YEAR, []
    for crews, repair in ((1, 5.0), (2, 16.0)):
        stage = {"time": {"kind": "exponential", "mean": f"{repair} h"}, "crews": crews, "shifts": "daily 8-20"}
        theory = out_on_shift(gpus, crews, mtbf, repair, (8.0, 20.0), hours)
        found.append(compared(f"{crews} crews", scenario(gpus, mtbf, stage, hours), theory))
    assert objections(found, largest_error=0.005) == []
