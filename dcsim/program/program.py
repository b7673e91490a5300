"""A scenario made ready once, and the tables of one of its runs with who answers what the rules ask."""

import math
from typing import Any

import numpy as np

from dcsim.hazards import Draws
from dcsim.ledger import CAUSES, STATES, Ledgers
from dcsim.plant.tables import CHANGING_PLANT
from dcsim.program import records
from dcsim.program.energisation import Energisation
from dcsim.program.event_log import EventLog
from dcsim.program.records import BLOCK, NAMES, NONE, World
from dcsim.program.tables import CHANCES_AT_A_TIME, Tables, index_places, tables_of
from dcsim.scenario import Plan, Scenario
from dcsim.scenario.plan import plan

MOST_REPEATS = 1_000
"""Consecutive mishaps at most (assumed): a probability of 100 % would never end."""
CHANGING = (
    "one",
    "gangs",
    "hazards",
    "components",
    "crews",
    "durable",
    "booked",
    "owner",
    "holes",
    "windows",
    "first_life",
    "by_month",
    "weight_by_month",
    "rest_by_month",
    "kept_at",
    "by_cause",
    "transfers",
    "phases",
    "sends_at",
    "lies_in",
    "first_demand",
    *CHANGING_PLANT,
)
"""Tables that every run begins anew."""
LEDGER = ("ledger", "overhead", "counted", "counts", "month_ledger", "cause_ledger")


class Program:
    """A scenario made ready: ``tables`` as they are at t = 0. Made once for all of its runs.

    ``monthly``: whether GPU-time is booked by month and by cause too.
    """

    def __init__(self, scenario: Scenario, monthly: bool = True) -> None:
        self.plan: Plan = plan(scenario)
        self.tables: Tables = tables_of(self.plan, monthly)
        for table in self.tables.values():
            table.flags.writeable = False


class Runs:
    """The world in which runs of a program are played, one after the other, and their ledgers.

    ``logs``: 1: with the event log of the last of them, 2: and with who holds which places.
    """

    def __init__(self, program: Program, numbers: list[int], world: World, logs: int = 0) -> None:
        self.program, self.plan, self.numbers, self.world = program, program.plan, numbers, world
        self.logs = logs
        for name in NAMES:
            if name not in LEDGER:
                world.put(name, program.tables[name].copy())
        rows, owners = len(numbers), len(self.plan.owners)
        world.put("ledger", np.zeros((rows * owners, len(STATES)), dtype=np.int64))
        world.put("overhead", np.zeros((rows * owners, len(CAUSES)), dtype=np.int64))
        world.put("counted", np.zeros(rows * owners, dtype=records.COUNTED))
        world.put("counts", np.zeros(rows, dtype=records.COUNTS))
        months = int(program.tables["one"]["months"][0])
        causes = len(program.tables["by_cause"]) if months else 0
        world.put("month_ledger", np.zeros((rows * months, len(STATES)), dtype=np.int64))
        world.put("cause_ledger", np.zeros((rows * causes, len(STATES)), dtype=np.int64))
        self.error: BaseException | None = None
        self.energisation = Energisation(self.plan)
        self.draws: list[Draws] = []
        self.chances: dict[int, np.random.Generator] = {}
        self.outcomes = self.lives = self.row = 0

    def begin(self, row: int) -> None:
        """Set everything to t = 0 of a run, and draw its failures."""
        world, at_start = self.world, self.program.tables
        for name in CHANGING:
            table = world.tables[name]
            if table.shape != at_start[name].shape:
                world.put(name, at_start[name].copy())
            else:
                np.copyto(table, at_start[name])
        self.row = row
        self.chances.clear()
        self.outcomes = self.lives = 0
        self.draws = self.plan.draws(self.numbers[row])
        one, hazards = world.tables["one"], world.tables["hazards"]
        one["run"], one["logs"] = row, self.logs
        one["drawn"] = self.plan.drawn(self.draws)
        count = several = 0
        for number, (hazard, draws) in enumerate(zip(self.plan.scenario.hazards, self.draws, strict=True)):
            if hazard.lemons is not None:
                first = int(hazards[number]["first_component"])
                world.tables["components"]["lemon"][first + draws.lemons] = 1
            if not hazard.ages:
                count, several = self._known(number, draws, hazard.placed, count), several + 1
        if several > 1:
            rows = world.tables["known"][:count]
            rows[:] = rows[np.argsort(rows["time"], kind="stable")]
        one["last_known"] = count
        self.energisation.begin(world.tables, self.numbers[row])
        if one["atom"][0]:
            index_places(world.tables)

    def _known(self, number: int, draws: Draws, placed: bool, first: int) -> int:
        """Put the failures of a hazard that are known beforehand behind others, and draw what follows them."""
        failures = draws.failures
        count = len(failures.times)
        self._make_room("known", first + count)
        rows = self.world.tables["known"][first : first + count]
        rows["time"], rows["hazard"], rows["draw"] = failures.times, number, np.arange(count)
        if placed:
            rows["target"], rows["rank"] = failures.marks, failures.excess
        else:
            target = self.plan.gang_at(failures.marks)
            rows["target"], rows["rank"] = target, failures.marks - self.plan.slot_bounds[target]
        self.world.tables["hazards"][number]["first_outcome"] = self._more_outcomes(draws, count)
        return first + count

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
        if what == records.MAKE_ROOM:
            self._make_room(NAMES[about], value)
        elif what == records.LIVES:
            self._more_lives(about, value)
        elif what == records.RESIDUAL:
            return int(self.draws[about].residual(np.array([value], dtype=np.int64))[0])
        elif what == records.OUTCOMES:
            return self._more_outcomes(self.draws[about], BLOCK)
        elif what == records.CHANCES:
            self._more_chances(about)
        elif what == records.LEVEL:
            return int(self.plan.scenario.jobs[about].recovery.level(value // 2, bool(value % 2)))
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
        stages = len(drawn.stages)
        tables["stage_times"][first:end, :stages] = drawn.stages.T
        tables["stage_times"][first:end, stages:] = NONE
        self.world.show("outcomes", first, end)
        self.world.show("stage_times", first, end)
        return first

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

    def _more_chances(self, gang: int) -> None:
        if gang not in self.chances:
            self.chances[gang] = self.plan.chances(self.numbers[self.row], self.plan.gangs[gang])
        recovery, line = self.plan.gangs[gang].recovery, self.world.tables["chances"][gang]
        drawn = self.chances[gang].random((CHANCES_AT_A_TIME, 3)).tolist()
        for number, (cover, bad, again) in enumerate(drawn):
            back = repeats(1 - bad, recovery.bad_checkpoint)
            line[number] = (back, repeats(1 - again, 1 - recovery.restore_success), cover)
        self.world.show("chances", gang, gang + 1)

    # --- what comes out -----------------------------------------------------------------------------------------------

    def log(self) -> EventLog:
        """Return the event log of the last run."""
        rows = int(self.world.tables["counts"]["logged"][self.row])
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
        )


def repeats(chance: float, probability: float) -> int:
    """Return how often something of this probability happens in a row; ``chance`` uniform in (0, 1]."""
    return 0 if probability == 0 else min(MOST_REPEATS, int(math.log(chance) / math.log(probability)))
