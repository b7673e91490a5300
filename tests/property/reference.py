"""A slow, obvious simulator of one replication, written from docs/model.md: what engines must equal.

Each GPU is an object with an owner and a condition. Between two events every GPU's time is booked one GPU at a time;
the next event is found by looking at everything that could happen; stretches are walked write by write. It shares with
the engines the scenario's models, the drawn random numbers and the names of the ledger, and no arithmetic.
"""

from collections.abc import Iterator

import numpy as np

from dcsim.ledger import CAUSES, STATE, STATES, Accounts
from dcsim.scenario import Scenario
from dcsim.streams import generator
from tests.property.reference_preflight import Preflights


class Reference(Preflights):
    """One replication from event to event."""

    def __init__(self, scenario: Scenario, replication: int) -> None:
        super().__init__(scenario, replication)
        self.planned: list[tuple[int, int, int]] = []  # (start, maintenance, component)
        for number, each in enumerate(self.scenario.maintenance):
            components = self.topology.components(each.component)
            for component in range(components):
                start = each.every if each.first is None else each.first
                start += component * each.every // components if each.rolling else 0
                self.planned += [(at, number, component) for at in range(start, self.horizon, each.every)]
        self.planned.sort()
        self.retests = self.false_alarms(replication)
        self.checks = list(self.planned)
        for gang in self.gangs:
            if gang.phase == "run":
                self.begin_time(gang)
        self.announce([row[:4] for row in self.known])

    def false_alarms(self, replication: int) -> dict[tuple[int, int, int], int]:
        """Return how much longer the windows are in which good hardware fails the check, in order of their drawing."""
        streams = {
            number: generator(self.scenario.seed, replication, f"maintenance {each.name}", "check")
            for number, each in enumerate(self.scenario.maintenance)
        }
        found = {}
        for window in self.planned:
            planned = self.scenario.maintenance[window[1]]
            if planned.false_alarms and streams[window[1]].random() < planned.false_alarms:
                found[window] = planned.retest
        return found

    def run(self) -> Accounts:
        """Step from event to event up to the horizon."""
        self.settle_down()
        while (event := min(self.upcoming(), default=self.horizon)) < self.horizon:
            self.elapse(event)
            self.settle_down()
            while self.begin_something():
                self.settle_down()
        self.elapse(self.horizon)
        return self.accounts()

    def upcoming(self) -> Iterator[int]:
        """Yield the time of everything that could happen next."""
        yield from (phase.date for phase in self.phases if not phase.due)
        yield from (row[0] for row in self.known[:1])
        yield from (row[0] for row in self.planned[:1])
        yield from (self.now + clock.left for key, clock in self.clocks.items() if self.runs(*key))
        yield from (each.found for each in self.incidents if each.state in ("latent", "struck"))
        yield from self.repair_ends()
        yield from self.comes()
        yield from (window.back if window.out else window.leaves for window in self.windows)
        yield from (back for back, _ in self.tested)
        speeds = self.transfers()
        for gang in self.gangs:
            if gang.phase == "absent":
                yield from () if gang.submit is None else (gang.submit,)
            elif gang.phase == "restore" and gang.loads:
                yield self.now + gang.load_ends_in(speeds[gang.plan.index])
            elif gang.phase in ("detect", "failover", "restore"):
                yield gang.until
            elif gang.phase == "run":
                yield from self.next_of(gang, speeds.get(gang.plan.index, 0))

    def settle_down(self) -> None:
        """Let all that is due at this millisecond end, serve, and let what that brings end too."""
        while self.end_something():
            pass
        self.serve()
        while any(gang.kept and gang.not_before == self.now for gang in self.gangs):  # they queue again at once
            while self.end_something():
                pass
            self.serve()
        while self.end_something():
            pass

    def end_something(self) -> bool:
        """End the first thing that is due: repairs (crews go on to the next), phases, identifications, detection."""
        steps = (self.end_repair, self.begin_repair, self.end_phase)
        return any(step() for step in (*steps, self.identify, self.leave_detect, self.admit, self.begin_visit))

    def begin_something(self) -> bool:
        """Begin the first thing that is due: relapses, maintenance, failures by hazard and number."""
        if self.relapse():
            return True
        if self.begin_stop():
            return True
        if self.planned and self.planned[0][0] == self.now:
            self.open_window(*self.planned.pop(0)[1:])
            return True
        due = [(number, component) for (number, component), clock in self.clocks.items() if clock.left == 0]
        due = [key for key in due if self.runs(*key)]
        known = self.known[0] if self.known and self.known[0][0] == self.now else None
        if known and (not due or known[1:3] < min(due)):
            self.known.pop(0)
            self.fail(known[1], *known[3:])
        elif due:
            self.fail(*min(due), excess=False, outcome=None)
        return bool(known or due)

    def accounts(self) -> Accounts:
        """Split what survived into useful and overhead, once per gang."""
        jobs = self.scenario.jobs
        asked, finished, last = ([0] * len(self.books) for _ in range(3))
        for gang in self.gangs:
            row, useful = gang.plan.job, gang.useful
            slowest, powered, weight = (gang.left(reason) // 10**9 for reason in range(3))
            self.book(row, "useful", useful)
            self.book(row, "overhead/strategy", weight - useful)
            self.book(row, "overhead/straggler", gang.surviving - slowest)
            self.book(row, "overhead/power", slowest - powered)
            self.book(row, "overhead/fabric", powered - weight)
            end = self.horizon if gang.finish is None else gang.finish
            asked[row] += gang.plan.gpus * (end - (self.horizon if gang.submit is None else gang.submit))
            finished[row] += gang.finish is not None
            last[row] = max(last[row], end)
        for row in range(len(self.books)):
            if row >= len(jobs) or finished[row] < jobs[row].count:
                last[row] = -1
        gpu_ms = np.zeros((len(self.books), len(STATES)), dtype=np.int64)
        causes = np.zeros((len(self.books), len(CAUSES)), dtype=np.int64)
        for row, book in enumerate(self.books):
            for name, booked in book.items():
                state, _, cause = name.partition("/")
                gpu_ms[row, STATE[state]] += booked
                if cause:
                    causes[row, CAUSES.index(cause)] += booked
        counts = (np.array(column, dtype=np.int64) for column in (asked, finished, last))
        strikes = np.array(self.strikes_on, dtype=np.int64)
        unknown = {number for number, each in enumerate(self.hazards) if each.ages or each.lifetime.recorded}
        drawn = sum(len(each.failures.times) for number, each in enumerate(self.draws) if number not in unknown)
        return Accounts(self.replication, self.plan.owners, gpu_ms, causes, strikes, self.failures, drawn, *counts)


def simulate(scenario: Scenario, replication: int) -> Accounts:
    """Simulate one replication the slow way."""
    return Reference(scenario, replication).run()
