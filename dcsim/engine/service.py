"""Free GPUs and who gets them: spares, waiting gangs, pre-emption."""

from operator import attrgetter
from typing import Generic, TypeVar

from dcsim.engine.gang import DRAIN, WAIT, WHOLE, GangState
from dcsim.engine.timeline import ADMIT, SERVICE, TICKS, Timeline
from dcsim.scenario import Plan

ORDER = attrgetter("order")
G = TypeVar("G", bound=GangState)


class Service(Timeline, Generic[G]):
    """The pool of free GPUs and the queue for it; all times in ms."""

    head_blocks = True
    """Whether nobody behind a gang that is still short can be helped: shapes and places may allow it."""

    def __init__(self, plan: Plan, gangs: list[G]) -> None:
        super().__init__(plan.scenario.horizon)
        self.plan, self.gangs = plan, gangs
        self.preemptible = sorted(gangs, key=lambda gang: (gang.priority, -gang.index))
        self.waiting: list[G] = []
        self.spares = plan.spares
        self.free = plan.scenario.cluster.gpus - sum(gang.up for gang in gangs)
        self.free_since = self.spare_gpu_ms = self.idle_gpu_ms = 0
        self.serving = -1

    # --- what the full engine does more ---------------------------------------------------------------------------

    def begin(self, gang: G, now: int) -> None:
        """A gang has what it needs: it starts, or starts again."""
        gang.resume(now)

    def assign(self, gang: G, gpus: int, now: int) -> None:
        """GPUs that were free belong to a gang from now on."""

    def ceded(self, gang: G, gpus: int, now: int) -> None:
        """A gang has lost GPUs to another."""

    def within_reach(self, gang: G) -> int:
        """Return how many of the free GPUs the gang may take."""
        return self.free

    def runs_small(self, gang: G, now: int) -> None:
        """Let a gang that is short run as large as it may."""

    # --- service --------------------------------------------------------------------------------------------------

    def change_free(self, gpus: int, now: int) -> None:
        """Book the free GPUs up to now, then change their number."""
        elapsed = now - self.free_since
        spare = self.free if self.free < self.spares else self.spares
        self.spare_gpu_ms += spare * elapsed
        self.idle_gpu_ms += (self.free - spare) * elapsed
        self.free_since = now
        self.free += gpus

    def want(self, gang: G, now: int, alone: bool) -> None:
        """A gang is short of hardware, or must see whether it is; ``alone``: its handler brings no other gang."""
        short = gang.gpus - gang.up
        if alone and short <= self.free and not self.waiting and not gang.cold:
            tick = TICKS * now + ADMIT
            if self.quiet_until > tick and (not self.agenda or self.agenda[0][0] > tick):
                gang.up = gang.gpus  # nothing else ends in this millisecond: no need to queue for service
                if short:
                    self.change_free(-short, now)
                    self.assign(gang, short, now)
                self.begin(gang, now)
                return
        gang.phase, gang.since = WAIT, now
        if gang.short_since < 0:
            gang.short_since = now
        gang.order = (-gang.priority, gang.short_since, gang.index)
        self.waiting.append(gang)
        self.call_service(now)

    def call_service(self, now: int) -> None:
        """Have waiting gangs served once everything of this millisecond has ended."""
        if self.serving != now:
            self.serving = now
            self.push(now, self.serve, None, SERVICE)

    def serve(self, now: int, _: object) -> None:
        """Give free GPUs to waiting gangs, the head first; then take its deficit from gangs of lower priority."""
        waiting = self.waiting
        if len(waiting) > 1:
            waiting.sort(key=ORDER)
        position = 0
        while position < len(waiting):
            gang = waiting[position]
            need = gang.gpus - gang.up - (gang.out if gang.cold else 0)
            if need > 0:
                free = self.within_reach(gang)
                taken = need if need < free else free
                if taken:
                    self.change_free(-taken, now)
                    gang.gain(taken, now)
                    self.assign(gang, taken, now)
                if taken < need and self.preempt(gang, need - taken, now):
                    waiting.sort(key=ORDER)  # the losers stand behind this gang
            if gang.up == gang.gpus:
                del waiting[position]
                gang.gain(0, now)
                self.begin(gang, now)
            elif (
                self.head_blocks and need > 0 and not self.free and gang.up + (gang.out if gang.cold else 0) < gang.gpus
            ):
                break  # nothing is left for those behind: they outrank nobody whom this gang does not
            else:
                self.runs_small(gang, now)
                position += 1
        self.serving = -1

    def preempt(self, gang: G, need: int, now: int) -> bool:
        """Take up to ``need`` GPUs from gangs of strictly lower priority, lowest first; return whether any were."""
        wanted = need
        for loser in self.preemptible:
            if not need or loser.priority >= gang.priority:
                break
            if not loser.up:
                continue
            ceded = need if need < loser.up else loser.up
            loser.cede(ceded, now)
            loser.up -= ceded
            self.ceded(loser, ceded, now)
            if loser.phase in (WHOLE, DRAIN):
                self.requeue(loser, now)
            gang.gain(ceded, now)
            self.assign(gang, ceded, now)
            need -= ceded
        return need < wanted

    def requeue(self, gang: G, now: int) -> None:
        """A gang that was whole has lost members without a failure: it waits for others."""
        self.want(gang, now, False)
