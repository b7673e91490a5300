"""All random numbers of one hazard in one replication, by failure and by life; no engine draws anything itself."""

from collections.abc import Callable
from copy import copy
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from dcsim.distributions import Distribution, Fixed, Times
from dcsim.hazards.arrivals import burst_times, in_a_row, poisson_times
from dcsim.hazards.hazard import Hazard
from dcsim.hazards.lifetimes import Lifetime
from dcsim.streams import Purpose


@dataclass(frozen=True)
class Failures:
    """Failures that are known beforehand, by draw number; arrays of one length.

    ``times`` int64 [ms] ascending in [0, horizon); ``marks`` int64: which slot or component; ``excess`` bool: one that
    only a lemon has.
    """

    times: Times
    marks: NDArray[np.int64]
    excess: NDArray[np.bool_]


@dataclass(frozen=True)
class Outcomes:
    """What follows each of n failures. Arrays may be read-only views of one value.

    ``detect`` int64 [ms]; ``wrong`` int64: wrong blames before the right one; ``stages`` int64 (stages, n) [ms], -1
    where a stage is not reached; ``fixed`` bool: it comes back repaired; ``missed`` int64: checks of a slow component
    that do not find it (default: 0). ``sent_on`` int64: bit k, whether a test after stage k, which is not the last,
    finds that it did not help; ``sent_back`` int64: how often one does so after the last stage, and ``redos`` int64
    [ms]: how long each of these takes that is done again, one failure after the other (default: 0, none).
    """

    detect: Times
    wrong: NDArray[np.int64]
    stages: Times
    fixed: NDArray[np.bool_]
    missed: NDArray[np.int64] | int = 0
    sent_on: NDArray[np.int64] | int = 0
    sent_back: NDArray[np.int64] | int = 0
    redos: Times | tuple[()] = ()


class Draws:
    """The random numbers of one hazard in one replication.

    Every purpose has a stream of its own that is used in the order of failures (or lives), so that no number depends on
    how many are taken at a time. ``components``: how many the rate applies to; ``marked``: marks are in [0, marked);
    ``horizon`` [ms]; ``stream``: purpose -> a new generator of its stream; ``missed``: probability that a check of a
    slow component does not find it; ``age``: of every component at t = 0 [ms], if it is not
    the hazard's.
    """

    def __init__(
        self,
        hazard: Hazard,
        components: int,
        marked: int,
        horizon: int,
        stream: Callable[[Purpose], np.random.Generator],
        missed: float = 0.0,
        age: int | None = None,
    ) -> None:
        self.hazard, self.components, self.marked, self.horizon = hazard, components, marked, horizon
        self._stream, self._missed = stream, missed
        self._age = hazard.age if age is None else age
        self._streams: dict[Purpose, np.random.Generator] = {}
        self._lifetime = hazard.lifetime
        self._stages = hazard.stages
        self._law = law_of_lives(hazard, components)
        self._taken = 0

    def of(self, stream: Callable[[Purpose], np.random.Generator]) -> "Draws":
        """Return the draws of another replication, of which nothing has been drawn; nor has of this one."""
        found = copy(self)
        found._stream, found._streams = stream, {}
        return found

    # --- failures that are known beforehand -----------------------------------------------------------------------

    @cached_property
    def failures(self) -> Failures:
        """The failures of a hazard whose components do not age; TypeError for one whose components do."""
        if self.hazard.ages:
            raise TypeError(f'"{self.hazard.key}" ages: its failures are not known beforehand')
        if self._lifetime.recorded:
            times, rows = self._replayed
            named = self._lifetime.components_of(rows)
            marks = self._marks(len(times))[0] if named is None else named % self.marked
            return Failures(times, marks, np.broadcast_to(np.False_, len(times)))
        gap, burst = self._lifetime.mean_ms / self.components, self.hazard.burst
        if burst is None:
            times = poisson_times(self._rng("gaps"), gap, self.horizon)
        else:
            streams = self._rng("gaps"), self._rng("burst"), self._rng("spread")
            times = burst_times(*streams, gap, burst.size, burst.within, self.horizon)
        return Failures(times, *self._marks(len(times)))

    @cached_property
    def noticed(self) -> NDArray[np.bool_]:
        """Whether each of the failures that are known beforehand is announced; by draw number."""
        count, share = len(self.failures.times), self.hazard.noticed
        if share == 1:
            return np.broadcast_to(np.True_, count)
        return self._rng("noticed").random(count) < share

    @cached_property
    def _replayed(self) -> tuple[Times, NDArray[np.int64]]:
        return self._lifetime.replay(self._rng("start"), self.horizon)

    def _marks(self, count: int) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """Return what each of ``count`` failures marks, and which of them only a lemon has.

        u is uniform in [0, W), W = C + (factor - 1) L: below C it is a component, above it a lemon.
        """
        uniform = self._rng("marks").random(count)
        lemons = self.hazard.lemons
        if lemons is None or lemons.factor == 1:
            return (uniform * self.marked).astype(np.int64), np.broadcast_to(np.False_, count)
        places = uniform * self._weight
        marks = places.astype(np.int64)
        excess = marks >= self.components
        which = (places[excess] - self.components) / (lemons.factor - 1)
        marks[excess] = self.lemons[np.minimum(which.astype(np.int64), len(self.lemons) - 1)]
        return marks, excess

    @cached_property
    def lemons(self) -> NDArray[np.int64]:
        """Components that are lemons at t = 0, in the order in which they were chosen."""
        lemons = self.hazard.lemons
        if lemons is None:
            return np.empty(0, dtype=np.int64)
        count = lemons.count(self.components)
        return self._rng("lemons").permutation(self.components)[:count].astype(np.int64)

    @property
    def _weight(self) -> float:
        """How many sound components would fail as often as all do (``Lemons.weight``)."""
        lemons = self.hazard.lemons
        return lemons.weight(self.components) if lemons else float(self.components)

    # --- what follows a failure -----------------------------------------------------------------------------------

    def outcomes(self, count: int) -> Outcomes:
        """Return what follows each of the next ``count`` failures."""
        detect = self._times(self.hazard.detection, "detect", count)
        wrong = self._in_a_row("wrong", self.hazard.wrong_node, count)
        times, silent, sent_on = self._pipeline(count)
        if any(stage.silent for stage in self._stages):
            fixed = self._rng("silent").random(count) >= silent
        else:
            fixed = np.broadcast_to(np.True_, count)
        self._taken += count
        missed = self._in_a_row("check", self._missed, count)
        return Outcomes(detect, wrong, times, fixed, missed, sent_on, *self._sent_back(times[-1] >= 0))

    def _sent_back(self, reached: NDArray[np.bool_]) -> tuple[NDArray[np.int64] | int, Times | tuple[()]]:
        """Return how often a test finds that the last stage did not help, and how long each further one takes."""
        stage = self._stages[-1]
        found = stage.silent * self.hazard.requalify_finds
        if not found:
            return 0, ()
        often = np.where(reached, self._in_a_row("sent back", found, len(reached)), 0)
        count = int(often.sum())
        times = self._times(stage.duration, "redo", count)
        further = self._further(stage.duration, 1 - stage.success, np.ones(count, dtype=bool), ("redo again", "redone"))
        return often, times + further

    def _pipeline(self, count: int) -> tuple[Times, NDArray[np.float64], NDArray[np.int64] | int]:
        """Return the times of all stages, how likely what comes back is not repaired, and the stages sent on from."""
        first, last, finds = self._stages[0], len(self._stages) - 1, self.hazard.requalify_finds
        if self._lifetime.mean_repair_ms is not None:
            _, rows = self._replayed
            recorded = self._lifetime.repairs_of(rows[self._taken : self._taken + count])
            return recorded[None, :], np.broadcast_to(first.silent, count), 0
        if last == 0 and first.success == 1:
            silent = np.broadcast_to(_unfound(first.silent, finds), count)
            return self._times(first.duration, "repair", count)[None, :], silent, 0
        found = np.full((last + 1, count), -1, dtype=np.int64)
        silent = np.zeros(count)
        sent_on = np.zeros(count, dtype=np.int64)
        reached = np.ones(count, dtype=bool)
        for number, stage in enumerate(self._stages):
            times = self._times(stage.duration, ("repair", number) if number else "repair", count)
            if number == last:
                times = times + self._further(stage.duration, 1 - stage.success, reached)
            found[number, reached] = times[reached]
            silent[reached] = _unfound(stage.silent, finds)
            if number == last or (stage.success == 1 and not stage.silent * finds):
                break
            helps = np.ones(count, dtype=bool)
            if stage.success < 1:
                helps = self._rng(("success", number)).random(count) < stage.success
            if stage.silent * finds:
                caught = helps & (self._rng(("sent on", number)).random(count) < stage.silent * finds)
                sent_on[reached & caught] |= 1 << number
                helps &= ~caught
            reached = reached & ~helps
        return found, silent, sent_on

    def _further(
        self,
        duration: Distribution,
        fails: float,
        reached: NDArray[np.bool_],
        purposes: tuple[Purpose, Purpose] = ("again", "further"),
    ) -> Times:
        """Return the time [ms] that further attempts at the last stage take, 0 where it is not reached."""
        attempts = np.where(reached, self._in_a_row(purposes[0], fails, len(reached)), 0)
        ends = np.cumsum(attempts)
        total = np.concatenate([[0], np.cumsum(self._times(duration, purposes[1], int(attempts.sum())))])
        taken: Times = total[ends] - total[ends - attempts]
        return taken

    def _times(self, distribution: Distribution, purpose: Purpose, count: int) -> Times:
        if isinstance(distribution, Fixed):
            return np.broadcast_to(np.int64(distribution.time), count)
        return distribution.draw(self._rng(purpose), count)

    def _in_a_row(self, purpose: Purpose, chance: float, count: int) -> NDArray[np.int64]:
        return in_a_row(self._rng(purpose), chance, count) if chance else np.broadcast_to(np.int64(0), count)

    # --- lives of components that age -----------------------------------------------------------------------------

    def lives(self, row: int) -> Times:
        """Return the ``row``-th life of every component [ms], int64 (components,), at least 1.

        Row 0 is what is left at the hazard's ``age``. With lemons all lives are W/C times longer, which keeps the mean
        rate: a lemon's is to be divided by its factor. (At age a a lemon is worn as others are at factor * a.)
        """
        rng = self._stream(("lives", row))
        age = self._age if row == 0 else 0
        if not age:
            return np.maximum(self._law.draw(rng, self.components), 1)
        ages = np.full(self.components, age, dtype=np.int64)
        if self.hazard.lemons is not None:
            ages[self.lemons] = round(age * self.hazard.lemons.factor)
        return np.maximum(self._law.residual(rng, ages), 1)

    def left(self, age: int) -> int:
        """Return what is left [ms] of a life that has lasted ``age`` [ms] and goes on as bad as old; at least 1."""
        return max(1, self._law.left(self._rng("residual"), age))

    def _rng(self, purpose: Purpose) -> np.random.Generator:
        """Return the one generator of a purpose, which goes on where it stopped."""
        if purpose not in self._streams:
            self._streams[purpose] = self._stream(purpose)
        return self._streams[purpose]


def law_of_lives(hazard: Hazard, components: int) -> Lifetime:
    """Return the law of the lives of a hazard's components, those that are no lemons: all together have its mean."""
    scale = hazard.lemons.weight(components) / components if hazard.lemons else 1
    return hazard.lifetime if scale == 1 else hazard.lifetime.with_mean(hazard.lifetime.mean_ms * scale)


def _unfound(silent: float, finds: float) -> float:
    """Return how likely a repair is silent that a test has passed, which finds this share of silent ones."""
    return silent * (1 - finds) / (1 - silent * finds) if finds else silent
