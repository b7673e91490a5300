"""A gang with everything: tiers of checkpoints, chances, shapes, speeds, work to finish, maintenance.

Its work is a stack of pieces, each so many ms of computing at one shape and one speed; a position in it is ms of
computing. A rollback pops the stack down to a position, so whatever was slow or small in what is lost goes with it.
"""

import math
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from dcsim.engine.gang import DETECT, DRAIN, WAIT, WHOLE, GangState
from dcsim.engine.log import EventLog
from dcsim.ledger import STATE, STATES
from dcsim.scenario import Gang

if TYPE_CHECKING:
    from dcsim.engine.gateways import Transfer

PPB = 10**9
SHRUNK = "shrunk"
"""Why members of a gang are not part of its shape, in the log."""
NEVER = 2**62
Speed = tuple[int, int, int]
"""Parts per billion of full speed that stragglers leave, then power too, then the fabric too: never rising."""
FULL: Speed = (PPB, PPB, PPB)
MOST_REPEATS = 1_000
"""Consecutive mishaps at most (assumed): a probability of 100 % would never end."""


def repeats(chance: float, probability: float) -> int:
    """Return how often something of this probability happens in a row; ``chance`` uniform in (0, 1]."""
    return 0 if probability == 0 else min(MOST_REPEATS, int(math.log(chance) / math.log(probability)))


class FullGang(GangState):
    """A gang whose bookings are in GPU-ms from the start."""

    __slots__ = (
        "active",
        "booked",
        "chances",
        "clean",
        "computed",
        "draining",
        "durable",
        "extra",
        "faulty",
        "held",
        "kept",
        "level",
        "loads",
        "log",
        "needed",
        "network",
        "nominal",
        "owner",
        "pieces",
        "powered",
        "queued",
        "recovery",
        "shrunk_gpu_ms",
        "speed",
        "speeds",
        "straggle",
        "struck",
        "surplus_from",
        "transfer",
        "weights",
        "writes",
    )

    def __init__(
        self, gang: Gang, owner: str, chances: Callable[[], np.random.Generator], log: EventLog | None
    ) -> None:
        super().__init__(gang)
        self.recovery, self.owner, self.log = gang.recovery, owner, log
        self.active = self.up
        self.booked = [0] * len(STATES)
        self.shrunk_gpu_ms = 0
        self.pieces: list[tuple[int, int, Speed]] = []  # ms, GPUs, speed
        self.kept = 0  # position: ms in the stack
        self.weights = [0, 0, 0]  # sums of ms * GPUs * ppb, one for each part of the speed
        self.durable = [0] * len(self.recovery.tiers)  # position that each tier's newest copy holds
        self.level, self.struck, self.extra, self.computed = -1, 0, 0, 0
        self.straggle = self.powered = self.network = PPB  # what each leaves of full speed
        self.speed = FULL
        self.speeds = [(0, FULL)]  # from which computing of this stretch on, at what speed
        self.surplus_from = 0
        self.nominal = 0  # its restore with storage to itself [ms]
        self.loads = 0  # how often the restore of this stretch reads state from storage
        self.writes = 0  # to storage, done in this stretch
        self.held = 0  # by which the storage queue has made them longer [ms]
        self.transfer: Transfer | None = None
        self.draining: set[Any] = set()
        self.faulty: list[Any] = []
        self.clean: dict[Any, int] = {}
        self.queued = False
        recovery = self.recovery
        chancy = recovery.coverage < 1 or recovery.bad_checkpoint > 0 or recovery.restore_success < 1
        self.chances = _rows(chances) if chancy else None
        work = gang.work
        self.needed = None if work is None else -(-work * PPB // recovery.useful_ppb) * PPB

    # --- bookings -------------------------------------------------------------------------------------------------

    def put(self, state: str, gpus: int, start: int, end: int, **further: Any) -> None:
        """Book ``gpus`` GPUs from ``start`` to ``end``; nothing if that is no time. ``further``: for the log only."""
        if end > start and gpus:
            self.booked[STATE[state]] += gpus * (end - start)
            self.note(state, gpus, start, end, **further)

    def note(self, state: str, gpus: int, start: int, end: int, what: str = "phase", **further: Any) -> None:
        """Log time that is booked."""
        if self.log is not None:
            self.log.add(what, self.owner, self.index, state, gpus, start, end, **further)

    def stop(self, now: int) -> None:
        """Book everything up to now; what was computed goes onto the stack."""
        self.computed = 0
        if self.phase == WHOLE:
            self._stop_whole(now)
        elif self.phase == DETECT:
            self.put("detect", self.up + self.pending, self.since, now)
        elif self.phase == WAIT:
            self.put("wait", self.up, self.since, now)
        elif self.phase == DRAIN:
            self.put("maintenance", self.up, self.since, now)
        self.since = now
        self.transfer, self.held, self.writes = None, 0, 0

    def _stop_whole(self, now: int) -> None:
        self.book_surplus(now)
        swapped = self.since + self.failover
        running = swapped + self.restore
        self.put("failover", self.active, self.since, min(now, swapped))
        self.put("restore", self.active, swapped, min(now, running))
        if now < running:
            return
        self.started = True
        self.level, self.struck = -1, 0
        late = self.late(now)
        run = now - running - late
        blocked = self.recovery.blocked(run)
        writing = self.active * (blocked + late)
        if writing:
            self.booked[STATE["checkpoint"]] += writing
            self.note("checkpoint", self.active, running, now, gpu_ms=writing)
        start, self.computed = self.kept, run - blocked
        for (low, speed), (high, _) in pairwise([*self.speeds, (self.computed, FULL)]):
            if high > low:
                self._push(high - low, speed)
                self.note("running", self.active, running, now, gpu_ms=(high - low) * self.active, speed=speed[-1])
        for tier, safe in enumerate(self.recovery.durable(run)):
            if safe:
                self.durable[tier] = start + safe

    def _push(self, ms: int, speed: Speed) -> None:
        if self.pieces and self.pieces[-1][1:] == (self.active, speed):
            self.pieces[-1] = (self.pieces[-1][0] + ms, self.active, speed)
        else:
            self.pieces.append((ms, self.active, speed))
        self.kept += ms
        self._weigh(ms * self.active, speed)

    def _weigh(self, gpu_ms: int, speed: Speed) -> None:
        for part, keeps in enumerate(speed):
            self.weights[part] += gpu_ms * keeps

    def lose(self, target: int, now: int) -> None:
        """Roll back to a position; every copy of something later is worthless."""
        while self.kept > target:
            held, gpus, speed = self.pieces.pop()
            ms = min(held, self.kept - target)
            if held > ms:
                self.pieces.append((held - ms, gpus, speed))
            self.kept -= ms
            self._weigh(-ms * gpus, speed)
            self.booked[STATE["lost"]] += ms * gpus
            self.note("running", gpus, now, now, "rollback", gpu_ms=-ms * gpus, speed=speed[-1])
            self.note("lost", gpus, now, now, "rollback", gpu_ms=ms * gpus)
        self.durable = [min(copy, target) for copy in self.durable]
        if self.clean:  # what is computed again may be corrupt again, from here on
            self.clean = {case: min(position, target) for case, position in self.clean.items()}

    def book_surplus(self, now: int) -> None:
        """Book the members that a smaller shape has no use for: they stall with the gang, then stand by."""
        surplus = self.up - self.active
        if surplus:
            swapped = self.since + self.failover
            running = swapped + self.restore
            low = self.surplus_from
            self.put("failover", surplus, low, min(now, swapped), why=SHRUNK)
            self.put("restore", surplus, max(low, swapped), min(now, running), why=SHRUNK)
            begin = max(low, running)
            if now > begin:
                self.shrunk_gpu_ms += surplus * (now - begin)
                self.note("overhead", surplus, begin, now, why=SHRUNK)
        self.surplus_from = now

    # --- strikes --------------------------------------------------------------------------------------------------

    def strike(self, struck: int, now: int, clean: int | None = None) -> None:
        """Members are struck; ``clean``: the work is corrupt from this position on."""
        self.stop(now)
        self.strikes += 1
        cover, bad, again = next(self.chances) if self.chances else (0.0, 1.0, 1.0)
        recovery = self.recovery
        self.extra = repeats(again, 1 - recovery.restore_success)
        self.roll_back(struck, now, cover >= recovery.coverage, repeats(bad, recovery.bad_checkpoint), clean)

    def cede(self, gpus: int, now: int) -> None:
        """Members are taken by another gang: a strike without chances."""
        self.stop(now)
        self.extra = 0
        self.roll_back(gpus, now)

    def roll_back(
        self, struck: int, now: int, uncovered: bool = False, back: int = 0, clean: int | None = None
    ) -> None:
        """Lose what the strategy loses when this many more members are gone."""
        recovery = self.recovery
        self.struck += struck
        level = int(recovery.level(self.struck, uncovered))
        if clean is not None:  # copies of what came later are worthless
            self.lose(min(clean, self.kept), now)
            self.durable = [min(copy, clean) for copy in self.durable]
            level = max(level, 0)
        if level < 0:
            self.lose(self.kept - min(recovery.step, self.computed), now)
            return
        self.level = max(self.level, level)
        target = self.kept
        if self.durable:
            target = max(0, max(self.durable[level:]) - back * recovery.tiers[level].every)
        self.lose(target, now)

    def durable_at(self, now: int) -> int:
        """Return the position of the best durable copy at this instant; without copies what is done is out already."""
        run = max(self.run_at(now), 0)
        if not self.durable:
            return self.kept + run - int(self.recovery.blocked(run))
        safe = [self.kept + int(done) for done in self.recovery.durable(run) if done]
        return max(self.durable + safe)

    def run_at(self, now: int) -> int:
        """Return how long the gang has been in the running part of this stretch [ms]; below 0: it is not.

        What the storage queue adds to its writes is left out: the strategy's timetable knows nothing of it.
        """
        return now - self.since - self.failover - self.restore - self.late(now) if self.phase == WHOLE else -1

    def late(self, now: int) -> int:
        """Return by how much the storage queue has made the writes of this stretch longer [ms]."""
        if self.transfer is None or not self.transfer.write:
            return self.held
        return self.held + self.transfer.late(now)

    # --- coming back ----------------------------------------------------------------------------------------------

    def gain(self, gpus: int, now: int) -> None:
        """Take GPUs while waiting, or while running small."""
        if self.phase == WHOLE:
            self.book_surplus(now)
        else:
            self.put("wait", self.up, self.since, now)
            self.since = now
        self.up += gpus

    def legal(self) -> int:
        """Return the largest shape that the members up allow; 0: none."""
        return int(self.recovery.legal(self.up, self.gpus))

    def resume(self, now: int) -> None:
        """Go through failover, then restore, then run with the largest legal shape."""
        recovery = self.recovery
        grows = self.phase == WHOLE
        ran = grows and self.run_at(now) >= 0
        if grows:
            self.stop(now)
            self.restore = self.nominal
        if not self.started:  # there is no state to keep yet: its first start is still due
            self.failover = recovery.failover if self.strikes else 0
            self.loads = 1 + self.extra
            self.restore = recovery.start_ms(self.gpus) * self.loads
        elif ran:
            self.failover, self.restore, self.loads = recovery.rejoin_ms, 0, 0
        elif not grows:  # else the stall that it was in begins anew
            self.failover = recovery.failover
            restores = self.level >= 0 or recovery.restores_always
            slowest = max(self.level, 0) >= len(recovery.tiers) - 1
            self.restore = recovery.restore_ms(max(self.level, 0), self.gpus) * (1 + self.extra) if restores else 0
            self.loads = 1 + self.extra if restores and slowest else 0
        self.nominal = self.restore
        self.active = self.legal()
        self.phase, self.since, self.surplus_from = WHOLE, now, now
        self.speeds = [(0, self.speed)]
        if self.up == self.gpus:
            self.short_since = -1

    def drained(self) -> None:
        """A drain is complete: everything is safe, and the gang starts again by its strategy."""
        self.durable = [self.kept] * len(self.durable)
        self.extra = 0
        if self.rolls_back:
            self.level = max(self.level, 0)

    def change_speed(self, now: int) -> bool:
        """From now on the members yield what stragglers, power and network leave; return whether that is anything new.

        The slowest member sets the pace; the network slows all of them.
        """
        slowest = min(self.straggle, self.powered)
        speed = self.straggle, slowest, max(1, slowest * self.network // PPB)
        if speed == self.speed:
            return False
        self.speed = speed
        if self.phase == WHOLE:
            run = max(self.run_at(now), 0)
            computed = run - self.recovery.blocked(run)
            if self.speeds[-1][0] == computed:
                self.speeds.pop()
            self.speeds.append((computed, speed))
        return True

    def finish_at(self) -> int | None:
        """Return when the work will be done if nothing happens [ms]; None: there is no end to it."""
        if self.needed is None:
            return None
        done, computed = self.weights[-1], self.speeds[-1][0]
        for (low, speed), (high, _) in pairwise(self.speeds):
            done += (high - low) * self.active * speed[-1]
        rest = -((done - self.needed) // (self.active * self.speed[-1]))
        late = self.held
        if self.transfer is not None and self.transfer.write:  # nothing is done before it ends
            late += self.transfer.late(self.transfer.end(NEVER))
        return self.since + self.failover + self.restore + late + int(self.recovery.wall(computed + rest))

    def close(self, now: int) -> None:
        """Book what the horizon cuts: it survives."""
        self.stop(now)

    def accounts(self) -> tuple[list[int], tuple[int, int, int], int]:
        """Return GPU-ms by ledger state, what slowed it and what was too small for it, as a plain gang does."""
        row = list(self.booked)
        row[STATE["useful"]] = sum(ms * gpus for ms, gpus, _ in self.pieces)
        left = [row[STATE["useful"]], *(weight // PPB for weight in self.weights)]
        return row, (left[0] - left[1], left[1] - left[2], left[2] - left[3]), self.shrunk_gpu_ms


def _rows(chances: Callable[[], np.random.Generator]) -> Iterator[tuple[float, float, float]]:
    """Yield a gang's chances, one row for each strike; the last two in (0, 1]."""
    rng = chances()
    while True:
        for cover, bad, again in rng.random((16, 3)).tolist():
            yield cover, 1 - bad, 1 - again
