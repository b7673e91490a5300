"""The storage queue: loads and blocking writes of all gangs share the gateways.

A transfer that has storage to itself takes the time that the scenario says. What its gang can take at most (its state
over that time) is its own limit, divided by how much its links are stretched; the gateways' bandwidth is shared max-min
fairly. Progress is counted in ms of that time and parts per billion, so that everything stays an integer.
"""

from collections.abc import Callable, Sequence

from dcsim.engine.full import PPB, FullGang
from dcsim.engine.gang import WHOLE
from dcsim.engine.log import EventLog
from dcsim.engine.timeline import FINISHED, Handler
from dcsim.scenario import Plan

GB_PER_GIB = 2**30 / 1e9
MS_PER_S = 1000


class Transfer:
    """A load or a write under way. ``left``: time that it still needs with storage to itself [ms * ppb]."""

    __slots__ = ("at", "gang", "left", "limit", "pace", "start", "time", "write")

    def __init__(self, gang: FullGang, time: int, limit: float, write: bool, now: int) -> None:
        self.gang, self.time, self.limit, self.write = gang, time, limit, write
        self.left = time * PPB
        self.start = self.at = now
        self.pace = 0  # ppb

    def advance(self, now: int) -> None:
        """Count what has been moved up to now."""
        self.left -= (now - self.at) * self.pace
        self.at = now

    def end(self, never: int) -> int:
        """Return when it will be done at its pace [ms]."""
        return never if not self.pace else self.at - (-self.left // self.pace)

    def late(self, now: int) -> int:
        """Return how much longer it has taken so far than with storage to itself [ms]."""
        left = max(0, self.left - (now - self.at) * self.pace)
        return now - self.start - (self.time - -(-left // PPB))


def fair(limits: Sequence[float], capacity: float) -> list[float]:
    """Return the max-min fair rates of transfers with these limits under one capacity, all [GB/s]."""
    rates = [0.0] * len(limits)
    order = sorted(range(len(limits)), key=lambda each: limits[each])
    for place, each in enumerate(order):
        rates[each] = min(limits[each], capacity / (len(order) - place))
        capacity -= rates[each]
    return rates


class Gateways:
    """Transfers under way and those to come; ``push`` puts a handler on the agenda."""

    def __init__(
        self,
        plan: Plan,
        push: Callable[[int, Handler, object, int], None],
        changed: Callable[[FullGang, int], None],
        stretch: Callable[[FullGang], float],
        log: EventLog | None = None,
    ) -> None:
        self.push, self.changed, self.stretch, self.log = push, changed, stretch, log
        self.never = 2 * plan.scenario.horizon + 1
        storage = plan.topology.description.storage
        assert storage is not None
        self.bandwidth = storage.bandwidth
        self.capacity = storage.gateways * storage.bandwidth
        self.uses = [plan.scenario.jobs[gang.job].storage for gang in plan.gangs]
        self.active: dict[int, Transfer] = {}
        self.turns = [0] * len(plan.gangs)  # what was planned in an earlier turn is void

    def starts(self, gang: FullGang, now: int) -> None:
        """A gang goes through failover and restore, then runs: plan its load and its first write."""
        if self.uses[gang.index] is None:
            return
        self.stops(gang, now)
        if gang.loads:
            at = gang.since + gang.failover + gang.restore - self._load_ms(gang)
            self.push(at, self._load, (gang, self.turns[gang.index]), FINISHED)
        else:
            self._plan_write(gang)

    def stops(self, gang: FullGang, now: int) -> None:
        """A gang moves nothing any more."""
        self.turns[gang.index] += 1
        stopped = self.active.pop(gang.index, None)
        if stopped is not None:
            self.note(stopped, now)
            self.share(now)

    def set_capacity(self, left: float, now: int) -> None:
        """Gateways have failed or are back; ``left``: how many gateways' worth there is."""
        self.capacity = left * self.bandwidth
        self.share(now)

    def _load_ms(self, gang: FullGang) -> int:
        use = self.uses[gang.index]
        assert use is not None
        return gang.loads * use.load

    def _plan_write(self, gang: FullGang) -> None:
        """The next write to the slowest tier begins after the computing and the faster writes before it."""
        tiers = gang.recovery.tiers
        if not tiers or not tiers[-1].write or tiers[-1].drain:
            return  # what drains while the gang computes is background traffic: it gives way to all others
        at = gang.since + gang.failover + gang.restore + gang.held
        period = gang.recovery.timetable.period
        done = (gang.writes + 1) * period - tiers[-1].write
        self.push(at + done, self._write, (gang, self.turns[gang.index]), FINISHED)

    def _load(self, now: int, what: tuple[FullGang, int]) -> None:
        gang, turn = what
        time = self._load_ms(gang)
        if turn == self.turns[gang.index] and gang.phase == WHOLE and time:
            self._begin(gang, time, gang.loads, False, now)
        elif turn == self.turns[gang.index]:
            self._plan_write(gang)

    def _write(self, now: int, what: tuple[FullGang, int]) -> None:
        gang, turn = what
        if turn == self.turns[gang.index] and gang.phase == WHOLE:
            self._begin(gang, gang.recovery.tiers[-1].write, 1, True, now)

    def _begin(self, gang: FullGang, time: int, times: int, write: bool, now: int) -> None:
        use = self.uses[gang.index]
        assert use is not None
        limit = use.state * GB_PER_GIB * times / time * MS_PER_S
        transfer = self.active[gang.index] = Transfer(gang, time, limit, write, now)
        gang.transfer = transfer
        self.share(now)

    def share(self, now: int) -> None:
        """Share the gateways among what is under way; plan every end anew that has changed."""
        transfers = [self.active[index] for index in sorted(self.active)]
        limits = [each.limit / self.stretch(each.gang) for each in transfers]
        for transfer, rate in zip(transfers, fair(limits, self.capacity), strict=True):
            pace = min(PPB, round(rate / transfer.limit * PPB))
            if pace == transfer.pace:
                continue
            self.note(transfer, now)
            transfer.advance(now)
            transfer.pace = pace
            gang, end = transfer.gang, transfer.end(self.never)
            if not transfer.write:
                gang.restore = end - gang.since - gang.failover
            self.push(min(end, self.never), self._end, (transfer, end), FINISHED)
            self.changed(gang, now)

    def _end(self, now: int, what: tuple[Transfer, int]) -> None:
        transfer, end = what
        gang = transfer.gang
        if self.active.get(gang.index) is not transfer or transfer.end(self.never) != end:
            return  # planned at another pace
        del self.active[gang.index]
        self.note(transfer, now)
        gang.transfer = None
        if transfer.write:
            gang.writes += 1
            gang.held += transfer.late(now)
        self._plan_write(gang)
        self.share(now)
        self.changed(gang, now)

    def close(self, now: int) -> None:
        """Log what the horizon cuts."""
        for index in sorted(self.active):
            self.note(self.active[index], now)

    def note(self, transfer: Transfer, now: int) -> None:
        """Log a transfer since its pace last changed."""
        if self.log is not None and now > transfer.at:
            gang, what = transfer.gang, "write" if transfer.write else "load"
            self.log.add(
                what, gang.owner, gang.index, "", gang.active, transfer.at, now, 0, transfer.pace, kind="gateway"
            )  # fmt: skip
