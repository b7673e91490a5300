"""The reference's gangs that know what comes: failures with a notice, checkpoints just in time, moves, time limits."""

import bisect
from collections.abc import Iterator
from typing import Any

from dcsim.hazards import Draws
from tests.property import reference_strategy as strategy
from tests.property.reference_absence import Absence
from tests.property.reference_objects import WHOLE, Gang, Gpu


class Stops(Absence):
    """What gangs do before something happens. ``coming``: (when, order, what, gang, more) of what is to come."""

    draws: list[Draws]

    def __init__(self, scenario: Any, replication: int) -> None:
        self.coming: list[tuple[int, tuple[int, ...], str, Gang | None, Any]] = []
        self.asked = 0
        self.saving: list[Gang] = []  # in the order in which they stopped
        super().__init__(scenario, replication)

    def run_short(self, gang: Gang) -> None:
        """Send a gang to wait; see ``Service``."""
        raise TypeError("a world without service")

    def end_check(self, gang: Gang) -> None:
        """End the check of a gang that is to start; see ``Preflights``."""
        raise TypeError("a world without failures")

    def come(self, at: int, what: str, gang: Gang, more: Any = None) -> None:
        """Let something happen to a gang at a time, after what was asked for before."""
        self.asked += 1
        self.insert(at, (1, self.asked), what, gang, more)

    def announce(self, known: list[tuple[int, int, int, int]]) -> None:
        """List what to do about announced failures (time, hazard, draw, component): first to move, then to save."""
        for at, number, draw, component in known:
            hazard = self.hazards[number]
            if not hazard.notice or at < hazard.notice or not self.draws[number].noticed[draw]:
                continue
            if hazard.evacuate is not None:
                self.insert(at - hazard.evacuate, (0, number, draw, 0), "move", None, (number, component, at))
            for gang in self.gangs:
                if gang.tiers and strategy.saves(gang.tiers) <= hazard.notice:
                    begin = at - strategy.saves(gang.tiers)
                    self.insert(begin, (0, number, draw, 1), "save", None, (number, component, at))

    def insert(self, at: int, order: tuple[int, ...], what: str, gang: Gang | None, more: Any) -> None:
        """Add something to what is to come."""
        bisect.insort(self.coming, (at, order, what, gang, more), key=lambda row: row[:2])

    def comes(self) -> Iterator[int]:
        """Yield when the next of it comes, and when gangs are safe or may queue again."""
        yield from (row[0] for row in self.coming[:1])
        for gang in self.gangs:
            if gang.phase in ("save", "check"):
                yield gang.until
            if gang.kept:
                yield gang.not_before

    def begin_stop(self) -> bool:
        """Do the first thing that is due: move from or save before a failure, save before the end, or end a time."""
        if not self.coming or self.coming[0][0] != self.now:
            return False
        _, _, what, gang, more = self.coming.pop(0)
        if what == "over":
            if gang.ends == more and gang.phase in WHOLE:
                self.go_back(gang)
        elif what == "last":
            if gang.ends == more and gang.phase == "run":
                self.stop(gang, "checkpoint", gang.ends)
        else:
            self.heed(what, *more)
        return True

    # --- failures that are announced

    def doomed(self, number: int, component: int) -> list[Gpu]:
        """Return the GPUs of the part that goes down with a component."""
        kind, part = self.hazards[number].component, self.hazards[number].struck_part
        first = self.part(kind, component)[0].index
        return self.part(part, first // self.topology.gpus_per(part))

    def heed(self, what: str, number: int, component: int, at: int) -> None:
        """Let gangs that run on what will fail do something, in the order of their first GPUs there."""
        hazard, doomed, seen = self.hazards[number], self.doomed(number, component), []
        if not self.standing(hazard.component, component):
            return
        for gpu in doomed:
            gang = gpu.gang
            if gpu.condition != "up" or gang is None or gang in seen:
                continue
            seen.append(gang)
            if gang.phase != "run":
                continue
            cold = gang.recovery.spare == "cold"
            own = [each for each in self.members(gang) if each in doomed]
            others = [each for each in self.members(None) if each not in doomed]
            if what == "move":
                if not cold and len(others) >= len(own):
                    self.stop(gang, "failover", at, doomed)
            elif self.may_need(gang) and strategy.saves(gang.tiers) == at - self.now:
                late = not cold and hazard.evacuate is not None and hazard.evacuate < at - self.now
                if not late:  # else it will move instead, or knows too late that it cannot
                    self.stop(gang, "checkpoint", at)

    def may_need(self, gang: Gang) -> bool:
        """Whether a gang writes checkpoints and may be rolled back to one."""
        least = min(hazard.coverage for hazard in self.hazards)
        return bool(gang.tiers) and strategy.may_roll_back(gang.recovery, least)

    # --- stopping

    def stop(self, gang: Gang, booked: str, until: int, leaves: list[Gpu] | None = None) -> None:
        """Stop a gang until its work is safe, or it has left some GPUs."""
        self.end_stretch(gang)
        gang.phase, gang.booked, gang.until, gang.leaves = "save", booked, until, leaves or []
        self.saving = [each for each in self.saving if each is not gang] + [gang]

    def end_save(self) -> bool:
        """End the first stop that is due: the gang computes again, unless its time is over."""
        for gang in self.saving:
            if gang.phase == "check" and gang.until == self.now:
                self.saving.remove(gang)
                self.end_check(gang)
                return True
            if gang.phase == "save" and gang.until == self.now:
                self.saving.remove(gang)
                gang.durable = [gang.position] * len(gang.tiers)
                gang.failed_restores = 0
                own = [gpu for gpu in self.members(gang) if gpu in gang.leaves]
                others = [gpu for gpu in self.members(None) if gpu not in gang.leaves]
                if own and len(others) >= len(own):
                    for gpu in own:
                        gpu.gang = None
                    for gpu in others[: len(own)]:
                        gpu.gang = gang
                    self.forget(own, out=False)
                if self.is_over(gang):
                    self.go_back(gang)
                else:
                    self.resume(gang)
                return True
        for gang in self.gangs:
            if gang.kept and gang.not_before == self.now:
                gang.kept = False
                if gang.phase == "wait":
                    self.run_short(gang)
                return True
        return False

    # --- time limits

    def begin_time(self, gang: Gang) -> None:
        """Let the time of a gang begin, if it is limited and has not begun."""
        limit = self.scenario.jobs[gang.plan.job].time_limit
        if limit is None or gang.ends is not None:
            return
        gang.ends = self.now + limit
        if gang.tiers and gang.ends < self.horizon:
            self.come(gang.ends - strategy.saves(gang.tiers), "last", gang, gang.ends)
        self.come(gang.ends, "over", gang, gang.ends)

    def is_over(self, gang: Gang) -> bool:
        """Whether the time of a gang has begun and is over."""
        return gang.ends is not None and gang.ends <= self.now

    def go_back(self, gang: Gang) -> None:
        """Put a gang out of the queue for a while, with what is safe; then it starts like a new one."""
        self.end_stretch(gang)
        self.cut(gang, max(gang.durable, default=gang.position))
        gang.phase, gang.kept, gang.ends, gang.short_since = "wait", True, None, None
        gang.has_run = gang.ever_struck = False
        gang.struck, gang.deepest, gang.failed_restores, gang.windows = 0, -1, 0, []
        times = self.scenario.jobs[gang.plan.job].requeues
        if gang.requeues is None:
            gang.requeues = self.plan.requeues(self.replication, gang.plan)
        gang.not_before = self.now + int(times.draw(gang.requeues, 1)[0])
