"""What happens next, and which rule it is: the table that both clocks go by, and how a run begins and ends."""

from dcsim.program.records import (
    ARRIVES,
    ASKS_FOR_CREW,
    CANNOT_START,
    CORRUPT_IS_FOUND,
    CREW_IS_DONE,
    GETS_POWER,
    GROUP_ASKS,
    GROUP_IS_BACK,
    GROUP_IS_FOUND,
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
    PASSES_RETEST,
    QUEUES_AGAIN,
    REPAIRED,
    RETURNS,
    SAVES,
    SLOW_IS_FOUND,
    STRIKE,
    STRIKES_AGAIN,
    TICKS,
    TIME_IS_OVER,
    VISIT_BEGINS,
    WHOLE,
    WINDOW_ENDS,
    WORK_IS_DONE,
    WRITES,
)
from dcsim.program.world import World
from dcsim.rules.ageing import wind_clocks
from dcsim.rules.allocation import arrive, begin_time, finish, leave_detection, queue_again, serve
from dcsim.rules.booking import come_to
from dcsim.rules.closing import close_run, end_run
from dcsim.rules.detection import find_corrupt, find_slow, identify, strike_again
from dcsim.rules.draws import begin_draws
from dcsim.rules.due import drop_first, next_failure_or_window, push
from dcsim.rules.failures import next_age_failure, next_known_failure
from dcsim.rules.log import note_beginning
from dcsim.rules.maintenance import bring_back, open_window, withdraw
from dcsim.rules.movements import plan_finish
from dcsim.rules.plant import begin_plant, cannot_start, energise
from dcsim.rules.preflight import is_checked, passes_retest
from dcsim.rules.repairs import come_back, end_stage, is_sent_back, next_stage
from dcsim.rules.returns import group_asks, group_is_back, group_is_found
from dcsim.rules.rule import reset, rule
from dcsim.rules.shifts import begin_visit
from dcsim.rules.stops import announce_next, heed, is_safe, save_at_last, time_is_over
from dcsim.rules.storage import begin_load, begin_write, end_transfer


@rule
def run(w: World) -> None:
    """A run from its beginning to its ledger."""
    begin_run(w)
    play(w)
    end_run(w)
    close_run(w)


@rule
def run_many(w: World) -> None:
    """Runs from ``run`` to ``last_run``, one after the other, of a program that needs nobody to set it to t = 0."""
    first, last = w.one.run, w.one.last_run
    for number in range(first, last):
        reset(w)
        w.one.run = number
        run(w)
        if w.one.error:
            break


@rule
def play(w: World) -> None:
    """The compiled clock: let everything happen up to the horizon, in order."""
    end = TICKS * w.one.horizon
    while True:
        tick = next_failure_or_window(w)
        if w.one.due and w.due[0].key < tick:
            entry = w.due[0]
            now, kind, what, further = entry.key // TICKS, entry.kind, entry.what, entry.further
            drop_first(w)
            happen(w, kind, what, further, now)
        elif tick < end:
            strike_or_open(w, tick)
        else:
            break
        if w.one.error:
            break


@rule
def happen(w: World, kind: int, what: int, further: int, now: int) -> None:
    """Something that was due happens now."""
    come_to(w, now)
    if kind == IS_FOUND:
        identify(w, what, now)
    elif kind == LEAVES_DETECTION:
        leave_detection(w, what, now)
    elif kind == ASKS_FOR_CREW:
        next_stage(w, what, now)
    elif kind == CREW_IS_DONE:
        end_stage(w, what, now)
    elif kind == RETURNS:
        come_back(w, what, now)
    elif kind == GROUP_IS_FOUND:
        group_is_found(w, what, now)
    elif kind == GROUP_IS_BACK:
        group_is_back(w, what, now)
    elif kind == GROUP_ASKS:
        group_asks(w, what, now)
    elif kind == IS_SENT_BACK:
        is_sent_back(w, what, now)
    elif kind == IS_SERVED:
        serve(w, now)
    elif kind == WORK_IS_DONE:
        finish(w, what, now)
    elif kind == STRIKES_AGAIN:
        strike_again(w, now)
    elif kind == SLOW_IS_FOUND:
        find_slow(w, what, further, now)
    elif kind == CORRUPT_IS_FOUND:
        find_corrupt(w, what, further, now)
    elif kind == ARRIVES:
        arrive(w, what, now)
    elif kind == IS_WITHDRAWN:
        withdraw(w, what, now)
    elif kind == WINDOW_ENDS:
        bring_back(w, what, now)
    elif kind == GETS_POWER:
        energise(w, what, now)
    elif kind == CANNOT_START:
        cannot_start(w, what, now)
    elif kind == LOADS:
        begin_load(w, what, further, now)
    elif kind == WRITES:
        begin_write(w, what, further, now)
    elif kind == HAS_MOVED:
        end_transfer(w, what, further, now)
    elif kind == VISIT_BEGINS:
        begin_visit(w, what, now)
    elif kind == IS_COMING:
        heed(w, what, now)
    elif kind == IS_SAFE:
        is_safe(w, what, further, now)
    elif kind == SAVES:
        save_at_last(w, what, further, now)
    elif kind == TIME_IS_OVER:
        time_is_over(w, what, further, now)
    elif kind == QUEUES_AGAIN:
        queue_again(w, what, further, now)
    elif kind == IS_CHECKED:
        is_checked(w, what, further, now)
    elif kind == PASSES_RETEST:
        passes_retest(w, what, now)


@rule
def strike_or_open(w: World, tick: int) -> None:
    """The next failure strikes, or the next window opens: planned windows first, known failures by hazard."""
    one = w.one
    known = one.next_failure == tick
    now = w.hazards[one.next_hazard].next_time if known else tick // TICKS
    come_to(w, now)
    if not known and tick % TICKS != STRIKE:
        open_window(w, now)
        return
    if known and one.ages and w.ages[0].at == now:
        known = one.next_hazard < w.ages[0].hazard
    if known:
        next_known_failure(w, now)
    else:
        next_age_failure(w, now)


@rule
def begin_run(w: World) -> None:
    """Let a run begin: failures are drawn, late gangs are due, clocks run, and so do the gangs that are there."""
    begin_draws(w)
    for gang in range(w.one.gangs):
        if w.gangs[gang].submit and w.jobs[w.gangs[gang].job].after < 0:
            push(w, w.gangs[gang].submit, REPAIRED, ARRIVES, gang, 0)
        if w.gangs[gang].phase == WHOLE and w.jobs[w.gangs[gang].job].limit:
            begin_time(w, gang, 0)
    announce_next(w)
    if w.one.clocks:
        wind_clocks(w)
    for gang in range(w.one.gangs):
        if w.gangs[gang].phase == WHOLE:
            plan_finish(w, gang)
    if w.one.has_plant:
        begin_plant(w)
    note_beginning(w)
