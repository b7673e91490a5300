"""A scenario made ready once, and the tables of one of its runs with who answers what the rules ask."""

import math
from collections import OrderedDict
from collections.abc import Collection
from typing import Any

import numpy as np

from dcsim.hazards import Draws
from dcsim.hazards.arrivals import in_a_row
from dcsim.ledger import CAUSES, STATES, Ledgers
from dcsim.program import records
from dcsim.program.draws import EXPONENTIAL, laws_needed
from dcsim.program.event_log import EventLog
from dcsim.program.levels import levels_of
from dcsim.program.place_tables import count_sold_out, index_places
from dcsim.program.plant_tables import Energisation
from dcsim.program.records import BLOCK, FIXED, NAMES, NEVER, NONE, OF_FAULTS, PASSES_AT_A_TIME, TABLE, Tables
from dcsim.program.simple import is_counted
from dcsim.program.tables import CHANCES_AT_A_TIME, tables_of
from dcsim.program.world import Block, World
from dcsim.scenario import Plan, Scenario
from dcsim.scenario.plan import plan

MOST_REPEATS = 1_000
"""Consecutive mishaps at most (assumed): a probability of 100 % would never end."""
LEDGER = ("ledger", "overhead", "counted", "counts", "month_ledger", "cause_ledger", "sold_ledger", "numbers")
FAILURES = TABLE["failures"]


class Program:
    """A scenario made ready: ``tables`` as they are at t = 0. Made once for all of its runs.

    ``monthly``: whether GPU-time is booked by month and by cause too. ``counted``: as ``simple.is_counted`` says.
    """

    def __init__(self, scenario: Scenario, monthly: bool = True) -> None:
        self.plan: Plan = plan(scenario)
        self.block = Block(tables_of(self.plan, monthly))
        self.tables: Tables = self.block.tables
        self.counted = is_counted(self.tables)


_MADE: OrderedDict[tuple[int, bool], tuple[Scenario, Program]] = OrderedDict()
MOST_MADE = 64
"""Programs that are kept (assumed): those of a comparison and the steps to each of its scenarios."""


def program_of(scenario: Scenario, monthly: bool = True) -> Program:
    """Return the program of a scenario, the same one for the same object: it is made once for all of its tasks."""
    key = id(scenario), monthly
    if key not in _MADE:
        _MADE[key] = scenario, Program(scenario, monthly)  # the scenario is held, so that nothing else gets its id
        if len(_MADE) > MOST_MADE:
            _MADE.popitem(last=False)
    _MADE.move_to_end(key)
    return _MADE[key][1]


class Runs:
    """The world in which runs of a program are played, one after the other, and their ledgers.

    ``laws``: those that rules may draw by themselves, of ``dcsim.program.draws``. ``logs``: 1: with the event log of
    the last of them, 2: and with who holds which places.
    """

    def __init__(
        self, program: Program, numbers: list[int], world: World, logs: int = 0, laws: Collection[int] = ()
    ) -> None:
        self.program, self.plan, self.numbers, self.world = program, program.plan, numbers, world
        self.logs = logs
        self.drawn_here = [
            needed is None or not needed <= set(laws) or max(numbers, default=0) >= 2**32
            for needed in (laws_needed(self.plan, hazard) for hazard in self.plan.scenario.hazards)
        ]
        world.take_block(program.block)
        one, hazards = world.begin_with("one"), world.begin_with("hazards")
        one["logs"] = logs
        one["adds_up"] = program.counted and not logs  # else more may have to be known of a gang
        hazards["draws"] &= ~np.array(self.drawn_here, dtype=bool)
        if EXPONENTIAL not in laws or max(numbers, default=0) >= 2**32:
            hazards["left_law"] = FIXED
        rows, owners = len(numbers), len(self.plan.owners)
        world.put("numbers", np.array(numbers, dtype=np.int64))
        world.put("ledger", np.zeros((rows * owners, len(STATES)), dtype=np.int64))
        world.put("overhead", np.zeros((rows * owners, len(CAUSES)), dtype=np.int64))
        world.put("counted", np.zeros(rows * owners, dtype=records.COUNTED))
        world.put("counts", np.zeros(rows, dtype=records.COUNTS))
        months = int(program.tables["one"]["months"][0])
        causes = int(program.tables["one"]["causes"][0]) + 1 if months else 0
        world.put("month_ledger", np.zeros((rows * months, len(STATES)), dtype=np.int64))
        sells = program.tables["one"]["sold"][0] or program.tables["one"]["replicas"][0]
        shape = (rows * months, program.tables["available"].shape[1]) if sells else (0, 0)
        world.put("sold_ledger", np.zeros(shape, dtype=np.int64))
        world.put("cause_ledger", np.zeros((rows * causes, len(STATES)), dtype=np.int64))
        self.alarms = any(each.false_alarms for each in self.plan.scenario.maintenance)
        self.error: BaseException | None = None
        self.energisation = Energisation(self.plan)
        self._draws: list[Draws] | None = None
        self.chances: dict[int, np.random.Generator] = {}
        self.requeues: dict[int, np.random.Generator] = {}
        self.preflights: dict[int, tuple[np.random.Generator, np.random.Generator]] = {}
        self.regions: dict[int, int] = {}
        self.first_free = len(program.tables["outcomes"])
        self.outcomes = self.lives = self.redos = 0
        self.of_run = NONE

    @property
    def need_nobody(self) -> bool:
        """Whether rules set everything to t = 0 of a run by themselves."""
        return not (
            self.alarms
            or any(self.drawn_here)
            or self.plan.scenario.energisation
            or self.world.at_start["one"]["clocks"][0]
        )

    def begin(self, row: int) -> None:
        """Set everything to t = 0 of a run, and draw the failures that rules do not draw."""
        world = self.world
        world.reset()
        world.tables["one"]["run"] = row
        self._follow()
        count, hazards = len(self.program.tables["known"]), world.tables["hazards"]
        for number, (hazard, draws) in enumerate(zip(self.plan.scenario.hazards, self.draws, strict=True)):
            if hazard.lemons is not None:
                first = int(hazards[number]["first_component"])
                world.tables["components"]["lemon"][first + draws.lemons] = 1
            if self.drawn_here[number] and not hazard.ages:
                count = self._known(number, draws, hazard.placed, count)
        if self.alarms:
            windows = world.tables["windows"][: world.tables["one"]["last_window"][0]]
            windows["retest"] = self.plan.retests(self.numbers[row])
        self._announce()
        if self.plan.scenario.energisation:
            self.energisation.begin(world.tables, self.numbers[row])
            if world.tables["one"]["atom"][0]:
                index_places(world.tables)
            count_sold_out(world.tables)

    def _follow(self) -> None:
        """Have the draws of the run that is played now."""
        row = int(self.world.tables["one"]["run"][0])
        if row != self.of_run:
            self.of_run = row
            self.chances.clear()
            self.requeues.clear()
            self.preflights.clear()
            self.regions.clear()
            self.outcomes, self.lives, self.redos = self.first_free, 0, 0
            self._draws = None

    @property
    def draws(self) -> list[Draws]:
        """What Python draws of the run that is played now, by hazard."""
        if self._draws is None:
            self._draws = self.plan.draws(self.numbers[self.of_run])
        return self._draws

    def _known(self, number: int, draws: Draws, placed: bool, first: int) -> int:
        """Put the failures of a hazard that are known beforehand behind others, and draw what follows them."""
        failures = draws.failures
        count = len(failures.times)
        self._make_room("known", first + count)
        rows, line = self.world.tables["known"][first : first + count], self.world.tables["hazards"][number]
        rows["time"] = failures.times
        rows["outcome"] = self._more_outcomes(draws, count) + np.arange(count)
        rows["told"] = 0
        if self.world.tables["one"]["excuses"][0] and draws.hazard.notice:
            rows["told"] = draws.noticed & (failures.times >= draws.hazard.notice)
        if placed:
            rows["target"], rows["rank"] = failures.marks, failures.excess
        else:
            target = self.plan.gang_at(failures.marks)
            rows["target"], rows["rank"] = target, failures.marks - self.plan.slot_bounds[target]
        line["next_known"], line["end_known"], line["more"] = first, first + count, 0
        if count:
            line["next_time"] = failures.times[0]
        if self.plan.counted(draws.hazard):
            self.world.tables["one"]["drawn"] += count
        return first + count

    def _announce(self) -> None:
        """List when gangs can do something about failures that are announced: move away, or write a checkpoint.

        A failure that would be announced before t = 0 is not.
        """
        found = []
        for number, hazard in enumerate(self.plan.scenario.hazards):
            if not hazard.notice:
                continue
            failures, told = self.draws[number].failures, self.draws[number].noticed
            draws = np.flatnonzero(told & (failures.times >= hazard.notice))
            for turn, lead in enumerate(self.plan.leads(hazard)):
                until, moves = failures.times[draws], turn == 0 and hazard.evacuate is not None
                columns = until - lead, until, number, failures.marks[draws], moves
                found.append(np.stack([*np.broadcast_arrays(*columns), draws, np.full(len(draws), turn)]))
        rows = np.concatenate(found, axis=1).astype(np.int64) if found else np.zeros((7, 0), dtype=np.int64)
        at, _, hazards, _, _, draws, turns = rows
        order = np.lexsort((turns, draws, hazards, at))
        self._make_room("notices", len(order))
        for name, column in zip(records.NOTICE_ROW.names or (), rows, strict=False):
            self.world.tables["notices"][name][: len(order)] = column[order]
        self.world.tables["one"]["last_notice"] = len(order)

    # --- answers ------------------------------------------------------------------------------------------------------

    def answer(self, what: int, about: int, value: int) -> int:
        """Answer a rule; what goes wrong stops the run, and ``check`` raises it."""
        try:
            return self.answer_at_once(what, about, value)
        except BaseException as error:  # it must not pass through machine code
            self.error = error
            self.world.tables["one"]["error"] = 1
            return 0

    def check(self) -> None:
        """Raise what went wrong in an answer."""
        if self.error is not None:
            raise self.error

    def answer_at_once(self, what: int, about: int, value: int) -> int:
        """Answer a rule; what goes wrong is raised here."""
        self._follow()
        if what == records.MAKE_ROOM:
            self._make_room(NAMES[about], value)
            if about == FAILURES:
                self._make_room("own_times", len(self.world.tables["failures"]))
        elif what == records.EXPONENTIALS:
            units = self.world.tables["units"][:about]
            np.exp(units, out=units)
            self.world.show("units", 0, about)
        elif what == records.LIVES:
            self._more_lives(about, value)
        elif what == records.RESIDUAL:
            return self.draws[about].left(value)
        elif what == records.OUTCOMES:
            return self._next_outcomes(about)
        elif what == records.CHANCES:
            self._more_chances(about)
        elif what == records.REQUEUE:
            return self._requeue(about)
        elif what == records.PASSES:
            self._more_passes(about, value)
        elif what == records.LEVEL:
            return self._more_levels(about, value)
        return 0

    def _make_room(self, name: str, rows: int) -> None:
        table = self.world.tables[name]
        if rows <= len(table):
            return
        larger = np.zeros((max(rows, 2 * len(table)), *table.shape[1:]), dtype=table.dtype)
        larger[: len(table)] = table
        self.world.put(name, larger)
        self.world.show(name, len(table), len(larger))

    def _more_outcomes(self, draws: Draws, count: int) -> int:
        """Draw what follows the next failures of a hazard; return the row of the first one."""
        first, end = self.outcomes, self.outcomes + count
        self.outcomes = end
        self._make_room("outcomes", end)
        self._make_room("stage_times", end)
        drawn, tables = draws.outcomes(count), self.world.tables
        rows = tables["outcomes"][first:end]
        rows["detect"], rows["wrong"], rows["fixed"] = drawn.detect, drawn.wrong, drawn.fixed
        rows["missed"] = drawn.missed
        rows["sent_on"], rows["sent_back"] = drawn.sent_on, drawn.sent_back
        if len(drawn.redos):
            rows["first_redo"] = self.redos + np.cumsum(drawn.sent_back) - drawn.sent_back
            begin, self.redos = self.redos, self.redos + len(drawn.redos)
            self._make_room("redo_times", self.redos)
            tables["redo_times"][begin : self.redos] = drawn.redos
            self.world.show("redo_times", begin, self.redos)
        stages = len(drawn.stages)
        tables["stage_times"][first:end, :stages] = drawn.stages.T
        tables["stage_times"][first:end, stages:] = NONE
        self.world.show("outcomes", first, end)
        self.world.show("stage_times", first, end)
        return first

    def _next_outcomes(self, hazard: int) -> int:
        """Draw the next outcomes of a hazard, in the place of those before, which are used; return the first row."""
        if hazard not in self.regions:
            self.regions[hazard] = self._more_outcomes(self.draws[hazard], BLOCK)
        else:
            end, self.outcomes = self.outcomes, self.regions[hazard]
            self._more_outcomes(self.draws[hazard], BLOCK)
            self.outcomes = end
        return self.regions[hazard]

    def _more_levels(self, job: int, value: int) -> int:
        """Tabulate a strategy for more members struck (a gang that never runs is struck often); return what it says."""
        tables, count = self.world.tables, 2 * (value // 2) + 2
        first = len(tables["level_of"])
        self.world.put(
            "level_of", np.append(tables["level_of"], levels_of(self.plan.scenario.jobs[job].recovery, count))
        )
        tables["jobs"][job]["first_level"], tables["jobs"][job]["levels"] = first, count
        self.world.show("level_of", first, len(tables["level_of"]))
        self.world.show("jobs", job, job + 1)
        return int(tables["level_of"][first + value])

    def _more_lives(self, hazard: int, row: int) -> None:
        lives = self.draws[hazard].lives(row)
        first, end = self.lives, self.lives + len(lives)
        self.lives = end
        self._make_room("lives", end)
        self.world.tables["lives"][first:end] = lives
        table = self.world.tables["first_life"]
        if row >= table.shape[1]:
            wider = np.full((len(table), 2 * row), NONE, dtype=np.int64)
            wider[:, : table.shape[1]] = table
            self.world.put("first_life", wider)
        self.world.tables["first_life"][hazard, row] = first
        self.world.show("lives", first, end)
        self.world.show("first_life", 0, len(table))

    def _requeue(self, gang: int) -> int:
        """Return how long a gang whose time is over is kept from the queue [ms]."""
        if gang not in self.requeues:
            self.requeues[gang] = self.plan.requeues(self.numbers[self.of_run], self.plan.gangs[gang])
        times = self.plan.scenario.jobs[self.plan.gangs[gang].job].requeues
        return int(times.draw(self.requeues[gang], 1)[0])

    def _more_passes(self, gang: int, what: int) -> None:
        """Draw how many faulty members, or good nodes, pass a gang's preflights before one does not."""
        preflight = self.plan.scenario.jobs[self.plan.gangs[gang].job].preflight
        assert preflight is not None
        passes, row = 1 - (preflight.finds if what == OF_FAULTS else preflight.false_alarms), 2 * gang + what
        if passes < 1:
            if gang not in self.preflights:
                self.preflights[gang] = self.plan.preflights(self.numbers[self.of_run], self.plan.gangs[gang])
            drawn = in_a_row(self.preflights[gang][what], passes, PASSES_AT_A_TIME, NEVER)
        else:
            drawn = np.broadcast_to(np.int64(NEVER), PASSES_AT_A_TIME)
        self.world.tables["passes"][row] = drawn
        self.world.show("passes", row, row + 1)

    def _more_chances(self, gang: int) -> None:
        if gang not in self.chances:
            self.chances[gang] = self.plan.chances(self.numbers[self.of_run], self.plan.gangs[gang])
        recovery, line = self.plan.gangs[gang].recovery, self.world.tables["chances"][gang]
        drawn = self.chances[gang].random((CHANCES_AT_A_TIME, 3)).tolist()
        for number, (cover, bad, again) in enumerate(drawn):
            back = repeats(1 - bad, recovery.bad_checkpoint)
            line[number] = (back, repeats(1 - again, 1 - recovery.restore_success), cover)
        self.world.show("chances", gang, gang + 1)

    # --- what comes out -----------------------------------------------------------------------------------------------

    def log(self) -> EventLog:
        """Return the event log of the last run."""
        rows = int(self.world.tables["counts"]["logged"][self.of_run])
        return EventLog(self.plan, self.world.tables["log"][:rows].copy())

    def ledgers(self) -> Ledgers:
        """Return the ledgers of all runs, not verified yet."""
        tables, rows, owners = self.world.tables, len(self.numbers), self.plan.owners
        shape = rows, len(owners)

        def column(name: str) -> Any:
            return np.ascontiguousarray(tables["counted"][name]).reshape(shape)

        return Ledgers(
            owners=owners,
            replications=np.array(self.numbers, dtype=np.int64),
            gpu_ms=tables["ledger"].reshape(*shape, len(STATES)),
            overhead_gpu_ms=tables["overhead"].reshape(*shape, len(CAUSES)),
            strikes=column("strikes"),
            failures=tables["counts"]["failures"].copy(),
            drawn=tables["counts"]["drawn"].copy(),
            asked_gpu_ms=column("asked"),
            finished=column("finished"),
            last_finish_ms=column("last_finish"),
            gpu_ms_by_month=tables["month_ledger"].reshape(rows, -1, len(STATES)),
            gpu_ms_by_cause=tables["cause_ledger"].reshape(rows, -1, len(STATES)),
            available_domains=tables["sold_ledger"].reshape(rows, -1, max(1, tables["sold_ledger"].shape[1])),
        )


def repeats(chance: float, probability: float) -> int:
    """Return how often something of this probability happens in a row; ``chance`` uniform in (0, 1]."""
    return 0 if probability == 0 else min(MOST_REPEATS, int(math.log(chance) / math.log(probability)))
