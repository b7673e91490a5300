"""SimPy's clock: real processes over the rules of ``dcsim.rules``, to be stepped, watched and extended.

There is one kind of process for each thing that a cluster is made of (``simpy_clock_processes``). A rule says what
follows by ``push``; the entry wakes its process in its turn, and the process calls the rule that ``happenings`` has for
it. SimPy orders the entries of a millisecond by their tick, and within a tick by the order in which they were pushed:
that is the order of the compiled clock's heap, so both clocks give the same integers (``simpy_clock_calendar``).

The compiled clock settles at once what nobody sees (``rules.alone``). Here every failure takes its time, because
somebody may look, or step in, before it is repaired.
"""

from collections.abc import Callable, Sequence
from typing import Any

from dcsim.engine import simpy_clock_processes as processes
from dcsim.engine.simpy_clock_calendar import Box, Calendar, Entry, Waits
from dcsim.engine.simpy_clock_rules import Hook, RunRules
from dcsim.engine.simpy_clock_views import Views
from dcsim.ledger import Accounts, Ledgers
from dcsim.program.event_log import EventLog
from dcsim.program.plain_world import PlainWorld
from dcsim.program.program import LEDGER, Program, Runs, program_of
from dcsim.program.records import (
    ARRIVES,
    ASKS_FOR_CREW,
    CANNOT_START,
    CORRUPT_IS_FOUND,
    CREW_IS_DONE,
    GETS_POWER,
    HAS_MOVED,
    IS_CHECKED,
    IS_COMING,
    IS_FOUND,
    IS_SAFE,
    IS_SENT_BACK,
    IS_SERVED,
    IS_WITHDRAWN,
    LEAVES_DETECTION,
    LOADS,
    NONE,
    PASSES_RETEST,
    QUEUES_AGAIN,
    RETURNS,
    SAVES,
    SLOW_IS_FOUND,
    STRIKES_AGAIN,
    TIME_IS_OVER,
    VISIT_BEGINS,
    WINDOW_ENDS,
    WORK_IS_DONE,
    WRITES,
)
from dcsim.rules.booking import come_to
from dcsim.scenario import Scenario
from dcsim.units import DURATION, parse

Process = Callable[..., Waits]
PROCESS_OF: dict[int, tuple[Process, bool]] = {
    **dict.fromkeys((IS_FOUND, SLOW_IS_FOUND, CORRUPT_IS_FOUND), (processes.detection, True)),
    **dict.fromkeys((ASKS_FOR_CREW, CREW_IS_DONE, IS_SENT_BACK, RETURNS), (processes.repair, True)),
    **dict.fromkeys((IS_SERVED, LEAVES_DETECTION, CANNOT_START), (processes.service, False)),
    **dict.fromkeys((LOADS, WRITES, HAS_MOVED), (processes.transfers, True)),
    **dict.fromkeys((IS_WITHDRAWN, WINDOW_ENDS), (processes.window, True)),
    ARRIVES: (processes.arrival, True),
    WORK_IS_DONE: (processes.end_of_work, True),
    GETS_POWER: (processes.energisation, True),
    STRIKES_AGAIN: (processes.relapses, False),
    VISIT_BEGINS: (processes.visits, True),
    IS_COMING: (processes.notices, False),
    **dict.fromkeys((IS_SAFE, IS_CHECKED), (processes.saving, True)),
    PASSES_RETEST: (processes.retests, True),
    **dict.fromkeys((SAVES, TIME_IS_OVER, QUEUES_AGAIN), (processes.time_limit, True)),
}
"""Kind of a due event -> the process that it is for, and whether each failure, repair, gang, ... has one of its own."""


class SimPyRun(Views):
    """One run of a scenario, played by SimPy's processes; the state is read by name (see ``Views``).

    ``env``: SimPy's environment, at 0; its time is in ms from the begin of the run (``ms`` makes it of text). Processes
    of your own may wait in it; they change the cluster by ``apply`` alone, so that the ledger stays complete.
    ``world``: the records of the run. The failures come from the scenario's seed and ``replication`` alone.
    """

    def __init__(self, scenario: Scenario, replication: int = 0, events: bool = False) -> None:
        """Make a run ready at its beginning; ``events``: it keeps the event log (see ``log``)."""
        self._make_ready(Program(scenario), replication, events)

    @classmethod
    def of(cls, program: Program, replication: int) -> "SimPyRun":
        """Return a run of a scenario that is made ready already."""
        run = cls.__new__(cls)
        run._make_ready(program, replication, False)
        return run

    def _make_ready(self, program: Program, replication: int, events: bool) -> None:
        world = PlainWorld()
        self.runs = Runs(program, [replication], world, 2 if events else 0)
        self.scenario, self.plan, self.world = self.runs.plan.scenario, self.runs.plan, world
        world.answer = self.runs.answer_at_once
        self.runs.begin(0)
        world.take()
        for hazard in world.hazards:
            hazard.plain = 0  # nothing stands alone where somebody looks
        world.one.adds_up = 0
        self.calendar = Calendar(world, len(self.scenario.maintenance))
        self.env = self.calendar.env
        self.under_way: set[int] = set()
        """Repairs that are under way."""
        self._boxes: dict[tuple[Process, int], Box] = {}
        self._accounts: Accounts | None = None
        self._happened = ""
        self._rules = RunRules(lambda: self.now)
        self._rules.extend("push", self._wakes)
        self._rules.extend("push_age", self._wakes_ageing)
        self._rules.extend("new_repair", self._begins_repair)
        self._rules.extend("is_away_no_more", self._ends_repair)
        self._rules.extend("give_back_repair", lambda _: lambda w, repair: None)  # who looks finds all of them
        self._begin()

    # --- playing ------------------------------------------------------------------------------------------------------

    @staticmethod
    def ms(duration: str) -> int:
        """Return a duration such as "7 d" or "90 min" in ms, the unit of ``env``; raises ValueError for others."""
        return int(parse(duration, DURATION))

    def step(self) -> str | None:
        """Let the next event of SimPy happen; return the rule that came of it, None once the horizon is reached.

        "" stands for what is no rule of the model: a process begins or ends, or an event of your own.
        """
        if self.env.peek() >= self.scenario.horizon:
            self.run()
            return None
        self._happened = ""
        self.env.step()
        return self._happened

    def run(self, until: int | str | None = None) -> None:
        """Play on up to a time [ms, or text such as "30 d"], at most and by default to the horizon.

        What is due at that very millisecond has not happened then. Raises ValueError for a time that is over.
        """
        horizon = self.scenario.horizon
        at = horizon if until is None else min(horizon, self.ms(until) if isinstance(until, str) else until)
        if at < self.now:
            raise ValueError(f"until: found {at} ms; the run is at {self.now} ms already")
        if at > self.now:
            self.env.run(until=at)

    def accounts(self) -> Accounts:
        """Play to the horizon, and return the ledger; LedgerError if it does not conserve N * H exactly.

        The run is over then: the books are closed.
        """
        if self._accounts is None:
            self.run()
            self.call("end_run")
            self.call("close_run")
            self.world.give(*LEDGER, *(("log",) if self.runs.logs else ()))
            self._accounts = self.runs.ledgers().verified(self.scenario.capacity_gpu_ms).account(0)
        return self._accounts

    def log(self) -> EventLog:
        """Play to the horizon, and return the event log; empty unless ``events`` were asked for."""
        self.accounts()
        return self.runs.log()

    # --- rules --------------------------------------------------------------------------------------------------------

    def before(self, rule: str, hook: Hook) -> Callable[[], None]:
        """Call ``hook(w, now=..., ...)`` before each call of a rule; return a function that takes the hook away.

        It gets the world, then by name the rule's own arguments (rows, numbers) and ``now`` [ms]. A hook watches; what
        it changes, it changes by ``apply``. Raises ValueError if there is no rule of this name.
        """
        return self._rules.add(rule, hook, after=False)

    def after(self, rule: str, hook: Hook) -> Callable[[], None]:
        """Call a hook after each call of a rule, as ``before``; with ``result`` if the rule answers something."""
        return self._rules.add(rule, hook, after=True)

    def apply(self, rule: str, **arguments: int) -> Any:
        """Apply a rule now, as the clock does; return what it answers.

        ``arguments``: by name, all but the world and ``now``. Raises ValueError for a rule that there is not, for other
        arguments than the rule's, and after the end of the run.
        """
        self._rules.check(rule)
        asked = [name for name in RunRules.arguments(rule) if name != "now"]
        if sorted(arguments) != sorted(asked):
            raise ValueError(f"{rule}: found arguments {sorted(arguments)}; it takes {asked}")
        if self._accounts is not None:
            raise ValueError(f"{rule}: the run is over")
        come_to(self.world, self.now)
        return self._rules.calls[rule](
            self.world, *({"now": self.now, **arguments}[name] for name in RunRules.arguments(rule))
        )

    def call(self, rule: str, *arguments: int) -> None:
        """Call a rule: what a process is there for."""
        self._happened = rule
        come_to(self.world, self.now)
        self._rules.calls[rule](self.world, *arguments)

    def happen(self, entry: Entry) -> None:
        """Call the rule of an entry."""
        kind, what, further, at = entry
        self.call("happen", kind, what, further, at)

    # --- processes ----------------------------------------------------------------------------------------------------

    def _begin(self) -> None:
        """Start the processes of failures and of maintenance; all others begin when something is due for them."""
        world, hazards, horizon = self.world, self.scenario.hazards, self.scenario.horizon
        known = [[each.time for each in world.known[row.next_known : row.end_known]] for row in world.hazards]
        self._ageing = [Box(self.env) for _ in hazards]
        for number, hazard in enumerate(hazards):
            if hazard.ages:
                self.env.process(processes.ageing_failures(self, self._ageing[number]))
            else:
                self.env.process(processes.known_failures(self, number, known[number]))
        opens: list[list[int]] = [[] for _ in self.scenario.maintenance]
        for window in world.windows[: world.one.last_window]:
            if window.at < horizon:
                opens[window.planned].append(window.at)
        for listing, times in enumerate(opens):
            self.env.process(processes.maintenance(self, listing, times))
        self.call("begin_run")

    def _box(self, process: Process, number: int, *further: int) -> Box:
        """Return the box of a process; a new one is started if there is none."""
        key = process, number
        found = self._boxes.get(key)
        if found is None:
            found = self._boxes[key] = Box(self.env)

            def is_over(_: Any) -> None:
                if self._boxes.get(key) is found:
                    del self._boxes[key]

            self.env.process(process(self, found, *further)).callbacks.append(is_over)
        return found

    # --- what the rules say follows -----------------------------------------------------------------------------------

    def _wakes(self, push: Callable[..., None]) -> Callable[..., None]:
        one, calls, entry = self.world.one, self._rules.calls, self.calendar.entry

        def pushes(w: PlainWorld, at: int, tick: int, kind: int, what: int, further: int) -> None:
            number = one.number
            push(w, at, tick, kind, what, further)
            if one.number == number:
                return  # beyond the horizon
            process, each = PROCESS_OF[kind]
            box = self._box(process, what if each else NONE)
            entry(box, at, tick, number, (kind, what, further, at), calls["drop_first"])

        return pushes

    def _wakes_ageing(self, push_age: Callable[..., None]) -> Callable[..., None]:
        calendar = self.calendar

        def pushes(w: PlainWorld, at: int, hazard: int, component: int) -> None:
            push_age(w, at, hazard, component)
            box = self._ageing[hazard]
            box.due += 1
            calendar.at(at, calendar.failures_strike + hazard, lambda _: box.deliver(at))

        return pushes

    def _begins_repair(self, new_repair: Callable[..., int]) -> Callable[..., int]:
        def begins(w: PlainWorld, *arguments: Any) -> int:
            repair = new_repair(w, *arguments)
            self.under_way.add(repair)
            self._box(processes.repair, repair, repair)
            return repair

        return begins

    def _ends_repair(self, is_away_no_more: Callable[..., None]) -> Callable[..., None]:
        def ends(w: PlainWorld, repair: int) -> None:
            is_away_no_more(w, repair)
            self.under_way.discard(repair)

        return ends


def simulate_by_simpy(scenario: Scenario, replication: int) -> Accounts:
    """Simulate one run by SimPy's clock; the ledger is verified to conserve N * H exactly."""
    return SimPyRun(scenario, replication).accounts()


def simulate_many(scenario: Scenario, numbers: Sequence[int], monthly: bool = True) -> Ledgers:
    """Simulate these runs, ascending, one after the other; see ``compiled_clock.simulate_many``."""
    program = program_of(scenario, monthly)
    return Ledgers.of([SimPyRun.of(program, number).accounts() for number in numbers])
