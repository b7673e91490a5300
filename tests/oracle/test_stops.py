"""Gangs that know what comes, against renewal theory: announced failures, moves away from them, ends of their time.

A gang is one node, and enough others are free. Failures strike it only while it computes, so it is a renewal process: a
cycle lasts from a resume to the next. It starts running, which moves a mean over n cycles by less than 1/n.
"""

import math

import numpy as np
import pytest
from scipy.special import gammainc

from dcsim.engine.compiled_clock import simulate_many
from dcsim.ledger import STATE
from dcsim.program.records import NONE
from dcsim.scenario import Scenario
from tests.oracle.agreement import Comparison, objections
from tests.planted import plant

RUNS = 32
ERROR = 4e-3
"""Largest standard error: 32 runs of 600 cycles or more; the start moves a mean by less than a third of it."""


def scenario(seed, mtbf, horizon, recovery, hazard, **job):
    """One gang on a node of 8 GPUs, among three nodes with this MTBF [h]."""
    node = {"component": "node", "mtbf": f"{mtbf} h", "exposure": "running", "repair": "1 min", **hazard}
    return Scenario.model_validate(
        {
            "name": "gang",
            "horizon": f"{horizon} h",
            "seed": seed,
            "cluster": {"topology": "hgx-h100", "gpus": 24, "spares": 16},
            "jobs": [{"name": "gang", "gpus": 8, "recovery": recovery, **job}],
            "hazards": [node],
        }
    )


def useful(given):
    """Useful share of the gang's time, by run."""
    ledgers = simulate_many(given, range(RUNS)).gpu_ms[:, 0]
    return ledgers[:, STATE["useful"]] / (8 * given.horizon)


def compare(given, theory):
    """Simulated useful time beside theory."""
    return Comparison(f"seed {given.seed}", useful(given), theory)


# --- a checkpoint just in time --------------------------------------------------------------------------------------
# (seed, share announced, interval [h], write, detection, failover, restore [min])

SAVES = [(1, 1.0, 4.0, 6, 15, 5, 10), (2, 0.5, 4.0, 6, 15, 5, 10), (3, 0.9, 12.0, 30, 5, 0, 20)]
MTBF = 10.0


def saving(seed, share, every, write, detect, failover, restore):
    """Return a gang that restarts from checkpoints; this share of its failures is announced an hour before."""
    recovery = {"kind": "checkpoint-restart", "checkpoint_every": f"{every} h", "checkpoint_write": f"{write} min"}
    recovery |= {"failover": f"{failover} min", "restore": f"{restore} min"}
    told = {"notice": "1 h", "noticed": f"{share:.0%}".replace("%", " %"), "detect": f"{detect} min"}
    return scenario(seed, MTBF, 7_000, recovery, told)


def goodput_of_saving(share, every, write, detect, failover, restore):
    """Useful share of a cycle.

    The first announced failure comes at Y, the first other at V, both from the resume on. With c the write: if Y < c,
    nothing is saved before min(V, Y). Else the gang computes for W = min(V, Y - c), exponential at the whole rate. If V
    is first, what is in finished checkpoints is kept; if Y is, all that was computed, and c more has passed.
    """
    rate, c, stall = 1 / MTBF, write / 60, (detect + failover + restore) / 60
    a, b, tau = share * rate, (1 - share) * rate, every
    runs_on = math.exp(-rate * (tau + c))
    computed = -math.expm1(-rate * tau) / rate / (1 - runs_on)
    checkpointed = tau * runs_on / (1 - runs_on)
    early = -math.expm1(-a * c)  # P(Y < c)
    short = early / a - c * math.exp(-a * c)  # E[min(V, Y); Y < c]
    if b:
        short = (early - a / rate * -math.expm1(-rate * c)) / b
    kept = (1 - early) * (share * computed + (1 - share) * checkpointed)
    return kept / ((1 - early) * (1 / rate + share * c) + short + stall)


def test_a_checkpoint_just_in_time():
    """Useful time of gangs that are warned of all, half and nine tenths of their failures."""
    found = [compare(saving(*each), goodput_of_saving(*each[1:])) for each in SAVES]
    assert objections(found, ERROR) == []


def test_a_notice_that_nobody_heeds_would_be_seen(monkeypatch):
    """With the rule of the warning taken away, the same gang loses a tenth of its time more."""

    def deaf(honest):
        def heed(w, notice, now):
            w.one.notice = w.one.last_notice
            assert w.notices[notice].moves != NONE

        return heed

    plant(monkeypatch, heed=deaf)
    assert objections([compare(saving(*SAVES[0]), goodput_of_saving(*SAVES[0][1:]))], ERROR)


# --- moves ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("seed", "move", "detect"), [(4, 30, 60), (5, 120, 240)])
def test_a_move_away(seed, move, detect):
    """A gang that moves in time e before each failure; one that comes within e of a resume strikes it and costs D.

    Useful per cycle 1/l - e exp(-l e), of 1/l + (1 - exp(-l e)) D; interruptions per failure 1 - exp(-l e).
    """
    recovery = {"kind": "fault-tolerant", "failover": "10 min"}
    told = {"notice": f"{move} min", "evacuate": f"{move} min", "detect": f"{detect} min"}
    given, rate, e, stall = scenario(seed, MTBF, 7_000, recovery, told), 1 / MTBF, move / 60, (detect + 10) / 60
    late = -math.expm1(-rate * e)
    cycle = 1 / rate + late * stall
    assert objections([compare(given, (1 / rate - e * (1 - late)) / cycle)], ERROR) == []
    strikes = simulate_many(given, range(RUNS)).strikes[:, 0]
    assert strikes.mean() == pytest.approx(7_000 / cycle * late, abs=4 * strikes.std(ddof=1) / math.sqrt(RUNS))


# --- time limits ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", [6, 7])
def test_a_time_limit(seed):
    """A gang has its hardware for L = 24 h at a time, and is kept from the queue for R in the mean.

    It restores, then computes but for stalls of D; the k-th begins after k - 1 of them. So it computes for the sum over
    k of P(Gamma(k + 1) < l (L - r - k D)) / l of each L + R. Failures lose nothing, and are found at once.
    """
    mean, stall, restore, rate = 2.0, 0.5, 0.25, 1 / 5
    recovery = {"kind": "fault-tolerant", "failover": "30 min", "restore": "15 min", "checkpoint_every": "1 s"}
    law = {6: {"kind": "exponential", "mean": "2 h"}, 7: {"kind": "uniform", "low": "1 h", "high": "3 h"}}[seed]
    given = scenario(seed, 5, 16_000, recovery, {}, time_limit="24 h", requeue=law)
    left = [24 - restore - k * stall for k in range(int((24 - restore) / stall) + 1)]
    computes = sum(gammainc(k + 1, rate * hours) / rate for k, hours in enumerate(left))
    assert objections([compare(given, computes / (24 + mean))], ERROR) == []


def test_a_time_limit_without_failures_is_arithmetic():
    """Each 24 h + 2 h holds 24 h less the restore and the last write: 23.65 h of 26, less the writes of each 4 h."""
    recovery = {
        "kind": "checkpoint-restart",
        "checkpoint_every": "4 h",
        "checkpoint_write": "6 min",
        "restore": "15 min",
    }
    given = scenario(8, 1e8, 26 * 100, recovery, {}, time_limit="24 h", requeue="2 h")
    (found,) = np.unique(useful(given))
    first = 24 - 0.1 - 5 * 0.1  # it runs already at t = 0: no restore
    assert found == pytest.approx((first + 99 * (24 - 0.25 - 0.1 - 5 * 0.1)) / (26 * 100), rel=1e-12)
