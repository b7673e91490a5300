"""One gang in the engine: how many members are up, what it is doing, and where its time went."""

from dcsim.scenario import Gang

ABSENT, WHOLE, DETECT, WAIT = range(4)
"""Not submitted; whole (failover, restore, running: told apart by elapsed time, not by events); hung; short."""


class GangState:
    """The changing part of a gang. Times in ms since t = 0, ``*_ms`` gang time, ``*_gpu_ms`` GPU time."""

    __slots__ = (
        "checkpoint_ms",
        "cold",
        "detect_gpu_ms",
        "failover",
        "failover_ms",
        "gang",
        "gpus",
        "index",
        "lost_ms",
        "order",
        "out",
        "pending",
        "phase",
        "phases",
        "priority",
        "repair_gpu_ms",
        "restore",
        "restore_ms",
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
        self.cold = gang.recovery.spare == "cold"
        self.settle = gang.recovery.settle
        self.phases = gang.recovery.phases
        self.started = gang.submit == 0
        self.phase = WHOLE if self.started else ABSENT
        self.up = gang.gpus if self.started else 0
        self.pending = 0  # struck members that are not identified yet
        self.out = 0  # members struck from this gang that are not repaired yet
        self.since = 0
        self.failover = self.restore = 0  # of the stall that began at `since`, if the gang is whole
        self.short_since = -1
        self.order = (0, 0, 0)
        self.saved_ms = self.checkpoint_ms = self.lost_ms = self.failover_ms = self.restore_ms = 0
        self.detect_gpu_ms = self.wait_gpu_ms = self.repair_gpu_ms = self.strikes = 0

    def book(self, now: int, *, rolled_back: bool) -> None:
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

    def resume(self, now: int) -> None:
        """The gang is whole: all of failover, then restore, then it runs."""
        if self.started:
            self.failover, self.restore = self.phases
        else:  # its first start is not complete: there is no state to keep yet, so the restore is still due
            failover, restore = self.gang.recovery.start_phases
            self.failover, self.restore = (self.phases[0] if self.strikes else failover), restore
        self.phase, self.since, self.short_since = WHOLE, now, -1
