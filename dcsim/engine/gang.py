"""One gang in the engine: how many members are up, what it is doing, and where its time went.

This one books plain gangs: one shape, one speed, a strategy without chances. ``engine.full`` books all others by the
same rules; a test holds the two equal where both apply.
"""

from dcsim.ledger import STATE, STATES
from dcsim.scenario import Gang

ABSENT, WHOLE, DETECT, WAIT, DRAIN, DONE = range(6)
"""Not submitted; whole or running small (failover, restore, running: told apart by elapsed time, not by events); hung;
short; stopped for maintenance; finished."""


class GangState:
    """The changing part of a gang. Times in ms since t = 0, ``*_ms`` gang time, ``*_gpu_ms`` GPU time."""

    __slots__ = (
        "checkpoint_ms",
        "cold",
        "detect_gpu_ms",
        "failover",
        "failover_ms",
        "finish",
        "gang",
        "gpus",
        "index",
        "lost_ms",
        "open",
        "order",
        "out",
        "pending",
        "phase",
        "phases",
        "priority",
        "repair_gpu_ms",
        "restore",
        "restore_ms",
        "rolls_back",
        "saved_ms",
        "settle",
        "short_since",
        "since",
        "started",
        "strikes",
        "up",
        "wait_gpu_ms",
    )

    def __init__(self, gang: Gang) -> None:
        self.gang = gang
        self.index, self.gpus, self.priority = gang.index, gang.gpus, gang.priority
        recovery = gang.recovery
        self.cold = recovery.spare == "cold"
        self.settle = recovery.settle
        self.rolls_back = recovery.rolls_back
        restore = recovery.restore_ms(0, gang.gpus) if self.rolls_back or recovery.restores_always else 0
        self.phases = recovery.failover, restore
        self.started = gang.submit == 0
        self.phase = WHOLE if self.started else ABSENT
        self.up = gang.gpus if self.started else 0
        self.pending = 0  # struck members that are not identified yet
        self.open = 0  # strikes that are not identified yet
        self.out = 0  # members struck from this gang that are not back yet
        self.since = 0
        self.failover = self.restore = 0  # of the stall that began at `since`, if the gang is whole
        self.short_since = -1
        self.order = (0, 0, 0)
        self.finish = -1
        self.saved_ms = self.checkpoint_ms = self.lost_ms = self.failover_ms = self.restore_ms = 0
        self.detect_gpu_ms = self.wait_gpu_ms = self.repair_gpu_ms = self.strikes = 0

    def strike(self, struck: int, now: int) -> None:
        """Members are struck: what is not saved is lost. The caller changes the phase."""
        self.strikes += 1
        self.book(now, self.rolls_back)

    def cede(self, gpus: int, now: int) -> None:
        """Members are taken by another gang: as a strike."""
        self.book(now, self.rolls_back)

    def book(self, now: int, rolled_back: bool) -> None:
        """Book the time from ``since`` to ``now`` in the phase that the gang was in.

        ``rolled_back``: the unsaved part of a running stretch is lost (a strike); else it survives (the horizon).
        """
        elapsed = now - self.since
        self.since = now
        if self.phase == WHOLE:
            stall = self.failover + self.restore
            if elapsed < stall:
                failover = elapsed if elapsed < self.failover else self.failover
                self.failover_ms += failover
                self.restore_ms += elapsed - failover
                return
            self.started = True
            self.failover_ms += self.failover
            self.restore_ms += self.restore
            saved, checkpoint, unsaved = self.settle(elapsed - stall)
            self.checkpoint_ms += checkpoint
            if rolled_back:
                self.saved_ms += saved
                self.lost_ms += unsaved
            else:
                self.saved_ms += saved + unsaved
        elif self.phase == DETECT:
            self.detect_gpu_ms += (self.up + self.pending) * elapsed
        elif self.phase == WAIT:
            self.wait_gpu_ms += self.up * elapsed

    def gain(self, gpus: int, now: int) -> None:
        """Take GPUs while waiting."""
        self.wait_gpu_ms += self.up * (now - self.since)
        self.since = now
        self.up += gpus

    def resume(self, now: int) -> None:
        """The gang is whole: all of failover, then restore, then it runs."""
        if self.started:
            self.failover, self.restore = self.phases
        else:  # its first start is not complete: there is no state to keep yet, so the restore is still due
            self.failover = self.phases[0] if self.strikes else 0
            self.restore = self.gang.recovery.start_ms(self.gpus)
        self.phase, self.since, self.short_since = WHOLE, now, -1

    def close(self, now: int) -> None:
        """Book what the horizon cuts: it survives."""
        self.book(now, rolled_back=False)

    def accounts(self) -> tuple[list[int], tuple[int, int, int], int]:
        """Return GPU-ms by ledger state, surviving running time under ``useful``; the parts of it that stragglers,
        power and the fabric take; and the time of members that a small shape has no use for."""
        row = [0] * len(STATES)
        row[STATE["useful"]] = self.saved_ms * self.gpus
        row[STATE["checkpoint"]] = self.checkpoint_ms * self.gpus
        row[STATE["lost"]] = self.lost_ms * self.gpus
        row[STATE["failover"]] = self.failover_ms * self.gpus
        row[STATE["restore"]] = self.restore_ms * self.gpus
        row[STATE["detect"]] = self.detect_gpu_ms
        row[STATE["wait"]] = self.wait_gpu_ms
        row[STATE["repair"]] = self.repair_gpu_ms
        return row, (0, 0, 0), 0
