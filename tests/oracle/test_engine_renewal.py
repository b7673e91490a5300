"""One gang in the engine against exact renewal theory, and planted errors that the same rule must find.

The gang never waits (spares abound, though what is struck while free is out as well), so it is a renewal process. Two
exact terms join the formula of `closed_form`; the tests state how large they are:

- *Voids.* What is struck cannot fail again before it is back, so a gang in detection fails at a rate that falls by b/n
  with every blast of b GPUs (`mean_stall`).
- *Horizon.* The gang starts running, and the stretch that the horizon cuts is useful: (gained GPU-time)/H
  (`head_start`). What is left after it falls off exponentially in the number of cycles.
"""

import math
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from dcsim.closed_form import no_rollback_goodput, restart_goodput
from dcsim.engine import simulate
from dcsim.engine.gang import WHOLE
from dcsim.engine.simulation import Simulation, Strike
from dcsim.ledger import STATE
from dcsim.recovery import Recovery
from dcsim.recovery.timetable import Tier, Timetable
from dcsim.scenario import Scenario
from tests.oracle.agreement import Comparison, objections

pytestmark = pytest.mark.xdist_group("renewal")  # one worker: the honest runs are shared


@dataclass(frozen=True)
class Setting:
    """A gang, what strikes it, and how long it is watched; ``mtbf`` of a GPU [h], all else in minutes.

    ``part``: the component that fails, with all that depends on it (`blast` GPUs); None: a GPU with a typed blast.
    """

    number: int  # also the seed
    kind: str
    gpus: int
    fleet: int
    mtbf: float
    horizon: float  # [h]
    every: float = 60
    write: float = 0
    detect: float = 0
    failover: float = 0
    restore: float = 0
    blast: int = 1
    count: int = 1
    overhead: int = 0  # [%]
    repair: float = 0
    part: str | None = None
    replications: int = 64

    @property
    def rolls_back(self) -> bool:
        """Whether a strike costs the work since the last checkpoint."""
        return self.kind == "checkpoint-restart"

    @property
    def rate(self) -> float:
        """Failures of the whole gang per hour, n/MTBF."""
        return self.gpus / self.mtbf

    @property
    def after(self) -> float:
        """From the last identification to running again [h]."""
        return (self.failover + self.restore * self.rolls_back) / 60

    @property
    def stall(self) -> float:
        """From a strike to running again if nothing else happens [h]."""
        return self.detect / 60 + self.after

    @property
    def scenario(self) -> Scenario:
        """The setting as users would write it."""
        recovery = {
            "kind": self.kind,
            "checkpoint_every": f"{self.every} min",
            "checkpoint_write": f"{self.write} min",
            "failover": f"{self.failover} min",
            "restore": f"{self.restore} min",
            "memory_overhead": f"{self.overhead} %",
        }
        hazard: dict[str, Any] = {"component": "gpu", "mtbf": f"{self.mtbf} h", "blast": self.blast}
        if self.part:
            parts = self.blast if self.part == "rack" else 1  # a rack's MTBF is a GPU's over the GPUs that it holds
            hazard = {"component": self.part, "mtbf": f"{self.mtbf / parts} h"}
        return Scenario.model_validate(
            {
                "name": f"setting {self.number}",
                "horizon": f"{self.horizon} h",
                "seed": self.number,
                "cluster": {"topology": "gb300-nvl72", "gpus": self.fleet},
                "jobs": [{"name": "gang", "gpus": self.gpus, "count": self.count, "recovery": recovery}],
                "hazards": [{"detect": f"{self.detect} min", "repair": f"{self.repair} min", **hazard}],
            }
        )


RESTART, TOLERANT = "checkpoint-restart", "fault-tolerant"
SETTINGS = (
    Setting(1, RESTART, 256, 288, 5_000, 15_000, every=120, detect=30, restore=15),
    Setting(2, RESTART, 1024, 1152, 15_000, 40_000, every=60, write=2, detect=60, failover=5, restore=15, blast=8),
    Setting(3, RESTART, 4096, 5184, 25_000, 10_000, every=60, detect=15, failover=5, restore=10, blast=64),
    Setting(4, RESTART, 4096, 4224, 15_000, 10_000, every=45, write=5, detect=30, restore=15, blast=16),
    Setting(5, RESTART, 8192, 8256, 50_677, 10_000, every=30, write=1, detect=10, restore=20, blast=8),
    Setting(6, RESTART, 16384, 20736, 50_677, 5_000, every=30, write=0.5, failover=3, restore=10, blast=4),
    Setting(7, RESTART, 16384, 16512, 10_000, 2_500, every=10, write=1, detect=10, failover=5, restore=5, blast=8),
    Setting(8, RESTART, 512, 2048, 2_000, 3_500, every=40, write=4, detect=20, failover=5, restore=5, blast=8),
    Setting(9, TOLERANT, 256, 1024, 1_000, 2_000, detect=15, failover=5, restore=10),
    Setting(10, TOLERANT, 4096, 5184, 25_000, 4_000, detect=15, failover=5, blast=64),
    Setting(11, TOLERANT, 16384, 16512, 50_677, 4_000, every=60, write=3, detect=10, failover=10, blast=8),
    Setting(12, TOLERANT, 2048, 4608, 3_000, 5_000, detect=60, failover=5, blast=256),
    Setting(13, RESTART, 1152, 1368, 4_000, 2_500, every=30, write=2, detect=20, restore=10, blast=72, part="rack"),
    Setting(14, RESTART, 512, 2304, 4_000, 1_500, every=45, detect=20, restore=10, blast=4, part="gpu", count=4,
            overhead=5, repair=120),
    Setting(15, TOLERANT, 512, 576, 700, 4_000, every=20, write=4, detect=15, failover=10, blast=4),
    Setting(16, RESTART, 4096, 4160, 4_096, 40, every=30, write=2, detect=30, failover=30, restore=30, blast=4,
            replications=7500),
)  # fmt: skip


def mean_stall(setting: Setting) -> float:
    """Mean time from a strike to running again [h], at a rate that falls by b/n with every group struck in detection.

    E(j) = P(j)/r(j) + P(j) E(j + 1) is the mean rest of detection after the j-th strike: r(j) = λ(1 − jb/n), and
    P(j) = 1 − e^(−r(j) D) is the chance of another. A strike after it begins everything anew.
    """
    detect, after, groups = setting.detect / 60, setting.after, setting.gpus // setting.blast
    hung = detect
    for struck in range(groups - 1, 0, -1):
        rate = setting.rate * (1 - struck / groups)
        another = -math.expm1(-rate * detect)
        hung = another / rate + another * hung
    return math.exp(setting.rate * after) * hung + math.expm1(setting.rate * after) / setting.rate


def steady_goodput(setting: Setting) -> float:
    """Goodput of the formula, times its mean cycle e^(λR)/λ over the one with voids; overhead taken off."""
    formula = restart_goodput if setting.rolls_back else no_rollback_goodput
    plain = formula(setting.rate, setting.every / 60, setting.write / 60, setting.stall)
    cycle = math.exp(setting.rate * setting.stall) / (1 + setting.rate * mean_stall(setting))
    return plain * cycle * (1 - setting.overhead / 100)


def head_start(setting: Setting) -> float:
    """Useful time beyond goodput × H of a gang that starts running [h], up to terms that vanish exponentially in H.

    With cycles L = X + S of reward W and useful time w(a) at age a: E[useful] = (H/m + E[L²]/2m²) E[W] −
    E ∫(W − w(a)) da / m over the running part of a cycle (renewal reward: all cycles begun by H, less what the last one
    still owes). The variance of S, (e^(2x) − 2x e^x − 1)/λ² at x = λR, leaves voids out: a term of a term.
    """
    rate, every, window = setting.rate, setting.every / 60, (setting.every + setting.write) / 60
    x = rate * setting.stall
    mean = 1 / rate + mean_stall(setting)
    square = mean**2 + (1 + math.exp(2 * x) - 2 * x * math.exp(x) - 1) / rate**2
    survives = math.exp(-rate * window)
    computing = -math.expm1(-rate * every) / rate  # ∫ e^(−λs) ds over one interval
    if setting.rolls_back:
        run_times_saved = every * survives * (window / (1 - survives) + 1 / rate) / (1 - survives)
        owed = run_times_saved - computing / (1 - survives) / rate
    else:
        later = (computing - every * math.exp(-rate * every)) / rate  # ∫ s e^(−λs) ds
        owed = window * computing * survives / (1 - survives) ** 2 + later / (1 - survives)
    steady, kept = steady_goodput(setting), 1 - setting.overhead / 100
    return steady * square / (2 * mean) - kept * owed / mean


def goodput(setting: Setting) -> float:
    """What the mean of `useful` over the gang's own GPU-hours must be."""
    return steady_goodput(setting) + head_start(setting) / setting.horizon


def simulated(setting: Setting) -> NDArray[np.float64]:
    """Simulated `useful` over the GPU-hours of the gangs, one per replication."""
    scenario = setting.scenario
    ledgers = [simulate(scenario, number).gpu_ms[0] for number in range(setting.replications)]
    assert not any(ledger[STATE["wait"]] for ledger in ledgers)  # else theory says nothing
    return np.array([ledger[STATE["useful"]] for ledger in ledgers]) / (scenario.gpus_in_jobs * scenario.horizon)


@cache
def honest(setting: Setting) -> Comparison:
    """The engine as it is, beside theory; simulated once for all tests."""
    return Comparison(f"setting {setting.number}", simulated(setting), goodput(setting))


@pytest.mark.parametrize(
    ("replications", "error", "z", "settings", "words"),
    [
        (32, 1e-3, 0.0, 16, []),
        (64, 0.9e-3, 3.9, 1, ["sum"]),  # 15.2 > 10.8
        (64, 0.9e-3, 3.9, 16, ["sum"]),
        (64, 0.9e-3, 1.5, 16, []),  # 16 x 2.25 = 36 < 39.3
        (64, 0.9e-3, -1.6, 16, ["sum"]),  # 41 > 39.3
        (64, 0.9e-3, -3.2, 1, []),  # 10.2 < 10.8
        (64, 0.9e-3, 4.1, 1, ["|z|", "sum"]),
        (30, 1e-3, 0.0, 1, ["30 replications"]),
        (64, 1.1e-3, 0.0, 1, ["error"]),
        (64, 0.0, 0.0, 1, ["|z|", "sum"]),
    ],
)
def test_the_rule(replications, error, z, settings, words):
    """Too few replications, too large an error, one |z| above 4 or too large a sum of z^2: each is objected to."""
    spread = np.tile([-1.0, 1.0], replications // 2) * math.sqrt(replications - 1)  # standard error of the mean: 1
    one = Comparison("exact", 0.5 + (z + spread) * error * 0.999999, 0.5)
    found = objections([one] * settings)
    assert [line.startswith(word) for line, word in zip(found, words, strict=True)] == [True] * len(words)


def test_simulated_gangs_agree_with_exact_renewal_theory():
    """Sixteen gangs of 256 to 16,384 GPUs, both strategies, free and blocking writes: the rule has no objection."""
    comparisons = [honest(setting) for setting in SETTINGS]
    print(*comparisons, sep="\n")
    assert objections(comparisons) == []


def test_the_formula_alone_is_nearly_enough():
    """Voids and horizon move all but settings 12 and 16 by less than half a standard error."""
    for setting in SETTINGS[:11] + SETTINGS[12:15]:
        formula = restart_goodput if setting.rolls_back else no_rollback_goodput
        plain = formula(setting.rate, setting.every / 60, setting.write / 60, setting.stall)
        assert abs(goodput(setting) - plain * (1 - setting.overhead / 100)) < 0.5 * honest(setting).error


def objections_if(number: int, changed: Comparison) -> list[str]:
    """What the rule says of all settings if this one is measured otherwise; as it is, it must have no objection."""
    comparisons = [honest(setting) for setting in SETTINGS]
    assert objections(comparisons) == []
    comparisons[number - 1] = changed
    return objections(comparisons)


def test_the_horizon_term_is_needed():
    """Without what a gang gains by starting whole, 40-hour runs do not agree with theory."""
    short = SETTINGS[15]
    assert head_start(short) / short.horizon > 5 * honest(short).error
    assert objections_if(16, Comparison("no head start", honest(short).values, steady_goodput(short)))


def test_voids_are_needed():
    """With blasts of an eighth of the gang, theory in which the struck fail again does not agree."""
    large = SETTINGS[11]
    plain = no_rollback_goodput(large.rate, large.every / 60, large.write / 60, large.stall)
    assert objections_if(12, Comparison("no voids", honest(large).values, plain))


# --- planted errors ---------------------------------------------------------------------------------------------------


class Planted(Simulation):
    """The engine with an error."""

    def recovering(self, strike: Strike) -> bool:
        """Whether the strike falls on a gang in detect, failover or restore."""
        if strike[2] == len(self.gangs):
            return False
        gang = self.gangs[strike[2]]
        return gang.phase != WHOLE or strike[0] - gang.since < gang.failover + gang.restore


class SafeStall(Planted):
    """Nothing fails while the gang recovers."""

    def strike_slot(self, strike: Strike) -> None:
        if not self.recovering(strike):
            super().strike_slot(strike)


class DetectsOnce(Planted):
    """A strike in recovery restarts failover and restore, but is known at once."""

    def strike_slot(self, strike: Strike) -> None:
        detect = self.detect
        if self.recovering(strike):
            self.detect = [0] * len(detect)
        super().strike_slot(strike)
        self.detect = detect


class ResumesRecovery(Planted):
    """A strike in failover or restore costs its detection; then recovery goes on where it was."""

    def strike_slot(self, strike: Strike) -> None:
        gang = self.gangs[0]
        if strike[2] == 0 and gang.phase == WHOLE:
            left = gang.failover + gang.restore - (strike[0] - gang.since)
            recovery = gang.gang.recovery
            restore = recovery.restore_ms(0, gang.gpus) if recovery.rolls_back else 0
            gang.phases = (0, left) if left > 0 else (recovery.failover, restore)
        super().strike_slot(strike)


class FleetStrikesGang(Planted):
    """Every failure of the cluster is charged to the one gang."""

    def strike_slot(self, strike: Strike) -> None:
        now, hazard, _, rank, *rest = strike
        super().strike_slot((now, hazard, 0, rank % self.gangs[0].gpus, *rest))


class StruckFailAgain(Planted):
    """Members that are struck already can be struck."""

    def strike_slot(self, strike: Strike) -> None:
        now, hazard, target, rank, *rest = strike
        if self.recovering(strike):
            rank %= self.gangs[target].up or self.gangs[target].gpus
        super().strike_slot((now, hazard, target, rank, *rest))


def settle_with_writes(run: int, every: int, write: int) -> tuple[int, int, int]:
    """Settle a stretch of one tier."""
    return Timetable((Tier.model_construct(every=every, write=write, drain=0, restore=0),)).settle(run)


def dropped_write(recovery: Recovery, run: int) -> tuple[int, int, int]:
    """A write's time is not charged."""
    return settle_with_writes(run, recovery.checkpoint_every or run + 1, 0)


def never_writes(recovery: Recovery, run: int) -> tuple[int, int, int]:
    """Nothing is written and nothing rolled back."""
    return run, 0, 0


def one_checkpoint_too_far(recovery: Recovery, run: int) -> tuple[int, int, int]:
    """A rollback goes to the checkpoint before the last."""
    saved, checkpoint, unsaved = settle_with_writes(run, recovery.checkpoint_every or 1, recovery.checkpoint_write)
    undone = min(saved, recovery.checkpoint_every or 1)
    return saved - undone, checkpoint, unsaved + undone


def torn_write_counts(recovery: Recovery, run: int) -> tuple[int, int, int]:
    """A checkpoint is durable as soon as its write begins."""
    saved, checkpoint, unsaved = settle_with_writes(run, recovery.checkpoint_every or 1, recovery.checkpoint_write)
    return (saved + unsaved, checkpoint, 0) if unsaved == recovery.checkpoint_every else (saved, checkpoint, unsaved)


ENGINE = "dcsim.engine.replication.Simulation"
SETTLES = "dcsim.recovery.keys.Recovery.settle"


@pytest.mark.parametrize(
    ("place", "error", "number"),
    [
        (ENGINE, SafeStall, 3),
        (ENGINE, SafeStall, 9),
        (ENGINE, DetectsOnce, 4),
        (ENGINE, DetectsOnce, 15),
        (ENGINE, ResumesRecovery, 7),
        (ENGINE, FleetStrikesGang, 3),
        (ENGINE, FleetStrikesGang, 10),
        (ENGINE, StruckFailAgain, 12),
        (SETTLES, dropped_write, 6),
        (SETTLES, never_writes, 11),
        (SETTLES, never_writes, 1),
        (SETTLES, one_checkpoint_too_far, 3),
        (SETTLES, torn_write_counts, 4),
    ],
)
def test_planted_errors_are_caught(monkeypatch, place, error, number):
    """The rule that the engine passes objects as soon as one of the settings is simulated with the error."""
    monkeypatch.setattr(place, error)
    setting = SETTINGS[number - 1]
    wrong = Comparison(f"setting {number} with {error.__name__}", simulated(setting), goodput(setting))
    print(wrong)
    monkeypatch.undo()
    assert objections_if(number, wrong)
