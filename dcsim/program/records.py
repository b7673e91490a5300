"""The records that the rules read and change: tables of named columns, one row for each thing, times in ms.

A table is a numpy array of records, or of plain numbers where it has no columns. ``World`` holds all tables of a run.
What never changes in a run and what does stand in one record, because a rule needs both.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from dcsim.ledger import STATE
from dcsim.plant.tables import CHANGING_PLANT, PLANT_TABLES
from dcsim.units import MS_PER_WEEK

# --- words --------------------------------------------------------------------------------------------------------

NEVER = 2**62
"""Later than any horizon."""
PPB = 10**9
WEEK = MS_PER_WEEK
BLOCK_OF_PLACES = 64
"""Places that are searched one by one, and blocks of them."""
GROUP_OF_NODES, GROUPS = 256, 32
"""Nodes that are looked through one by one for a gang's places, and how many groups of them are bits of a number."""
NONE = -1
"""No row of a table, no limit, no value."""
FREE, OUT = -1, -2
"""Owners of a place that no gang has: in service, and out of it."""

TICKS = 15
"""Ticks in a millisecond: the order of what happens within it (docs/model.md, "Ties")."""
REPAIRED, FINISHED, BACK, DRAINED, SAVED, IDENTIFY, LEAVE = range(7)
ADMIT, VISIT, SERVICE, RELAPSE, NOTICE, LIMIT, PLANNED, STRIKE = range(7, TICKS)

(
    ARRIVES,  # a gang is submitted
    CREW_IS_DONE,  # with a stage of a repair
    RETURNS,  # a repair is over
    IS_SENT_BACK,  # a repair, by the test
    WORK_IS_DONE,  # of a gang
    LOADS,  # a gang begins to read its state through the storage gateways
    WRITES,  # a gang begins to write
    HAS_MOVED,  # a load or a write ends
    GETS_POWER,  # a phase of energisation
    WINDOW_ENDS,  # of maintenance
    IS_WITHDRAWN,  # the component of a window whose gangs have drained
    IS_FOUND,  # a failure is identified
    SLOW_IS_FOUND,  # a slow component
    CORRUPT_IS_FOUND,  # wrong results
    LEAVES_DETECTION,  # a gang
    ASKS_FOR_CREW,  # a repair, for its next stage
    CANNOT_START,  # a gang that has no power at t = 0
    IS_SERVED,  # the queue for hardware
    STRIKES_AGAIN,  # faulty members of gangs that begin to compute
    VISIT_BEGINS,  # of those who repair all that waits for them, if there is reason for one
    IS_COMING,  # a failure that was announced
    IS_SAFE,  # a gang has written what it has, or moved
    SAVES,  # a gang begins to write before its time is over
    TIME_IS_OVER,  # of a gang
    QUEUES_AGAIN,  # a gang whose time was over
    IS_CHECKED,  # a gang, before it starts
    PASSES_RETEST,  # a node that failed such a check by mistake
    GROUP_IS_FOUND,  # that was struck (``rules.returns``)
    GROUP_ASKS,  # for a crew
    GROUP_IS_BACK,
) = range(30)
"""What a due event is about; ``due.what`` is the gang, the repair, the failure, the window, the phase."""
FIXED, BY_EXPONENTIAL, BY_LOGNORMAL, BY_WEIBULL = range(4)
"""Laws of a time that rules draw."""
OF_GAPS, OF_MARKS, OF_DETECT, OF_REPAIR, OF_SILENT, OF_LEFT = range(STREAMS := 6)
"""Streams of a hazard, as ``dcsim.streams.PURPOSES`` has them."""
BLOCK = 256
"""Outcomes drawn at a time for a hazard whose failures are not known beforehand (assumed)."""
(
    MAKE_ROOM,  # in a table, for so many rows
    LIVES,  # of all components of a hazard: the row of the lives
    RESIDUAL,  # of a hazard, at an age
    OUTCOMES,  # of a hazard: the next ones
    CHANCES,  # of a gang: the next ones
    LEVEL,  # that a gang rolls back to, with so many members struck
    EXPONENTIALS,  # powers of e: of so many of ``units``
    REQUEUE,  # how long a gang whose time is over is kept from the queue
    PASSES,  # of a gang: how many pass its preflight in a row before one does not
) = range(9)
"""What a rule may ask Python (``rule.ask``)."""
ABSENT, WHOLE, DETECT, WAIT, DRAIN, DONE, SAVE = range(7)
"""Phases of a gang: not submitted; whole or running small (failover, restore, running: told apart by elapsed time, not
by events); hung; short, or kept from the queue; stopped for maintenance; finished; stopped until a known time: to save
its work or to move, because it knows what comes, or for a check before it starts."""
OF_FAULTS, OF_NODES, PASSES_AT_A_TIME = 0, 1, 64
"""What passes a preflight: faulty members that it misses, or good nodes; how many draws of it at once (assumed)."""
INTERRUPT, KILL, STRAGGLE, DEGRADE, CORRUPT = range(5)
"""Effects of a failure."""

IN_OVERHEAD, IN_CHECKPOINT, IN_LOST, IN_DETECT = (STATE[each] for each in ("overhead", "checkpoint", "lost", "detect"))
IN_FAILOVER, IN_RESTORE, IN_WAIT, IN_REPAIR = (STATE[each] for each in ("failover", "restore", "wait", "repair"))
IN_MAINTENANCE, IN_SPARE, IN_IDLE = (STATE[each] for each in ("maintenance", "spare", "idle"))
IN_RUNNING, IN_UNPOWERED, IN_NONE = STATE["useful"], STATE["unpowered"], -1
"""Columns of the ledger; running time is split when the run is closed."""

TIME, ROLLBACK, FAILS, IS_STRUCK, IDENTIFIED, IS_CORRUPT, STARTS, DRAINS, FINISHES, IS_PLACED = range(10)
QUEUES, IS_WORKED_ON, IS_TESTED, IS_REPLACED, READS, WROTE, PART_OUT, PART_BACK, HALTS, CHECKS = range(10, 20)
"""What a row of the log is about, in the order of ``event_log.WHAT``; TIME: is booked, ROLLBACK: is booked anew."""
OF_CAUSE, OF_GPU, OF_GATEWAY = 1, 2, 3
"""Kinds of component that a row of the log counts: the kind that its cause is about, or these; 0: none."""
SHRUNK = -2
"""Why members of a gang are not part of its shape, in the log."""
BEFORE_CAUSES = 2
"""Rows of bookings that each owner has before those of the causes: of SHRUNK, then of NONE."""

# --- columns --------------------------------------------------------------------------------------------------------


def _record(whole: str, real: str = "") -> np.dtype[Any]:
    """Return a record of int64 and float64 columns."""
    return np.dtype([(name, np.int64) for name in whole.split()] + [(name, np.float64) for name in real.split()])


ONE = _record(
    "horizon spares free_slots gangs hazards jobs clocks atom atoms rack head_blocks "  # of the scenario
    "free free_since failures drawn faulty slowed "  # the pool; relapses to come; whether any gang is slow
    "waiting serving due number "  # gangs that wait; ms of the next service; due events; number of the next one
    "next_failure next_hazard units window last_window "  # tick of the next known failure; next window
    "ages moving "  # sizes of `ages` and `moving`
    "failed repairs parts free_failure free_repair free_part away pieces free_piece "
    "segments free_segment drains absences first_absence last_absence "
    "has_plant has_traffic has_storage node capped power_alike plant_changed phases run last_run error "
    "demands free_demand touching group sendings plans months logs logged about about_where about_failure "
    "now sold lets planned_out month month_begin month_end month_ms causes notice last_notice preflights retests "
    "replicas excuses adds_up returns free_return",
    "of_leaf of_pod",
)
"""Single numbers. ``failed``, ``repairs``, ``parts``, ...: rows in use of these tables; ``free_failure``,
``free_piece``, ...: first of those given back; ``atom``: GPUs of a place, 0: nothing has a place; ``rack``: places of a
rack that holds spares, 0: none does; ``node``: places of a node; ``capped``: some power is short; ``power_alike``: if
so, the parts per billion that all racks get, NONE: not all get the same; ``of_leaf``, ``of_pod``: what a node asks of a
leaf's uplinks, and a segment's uplinks of a pod's; ``run``, ``last_run``: which of the runs; ``error``: Python could
not answer; ``free_demand``: first of the demands given back; ``touching``: size of it; ``group``: places of a group;
``sendings``: so many times has a gang begun to send; ``plans``: kinds of maintenance; ``months``: of the horizon, 0:
they are not kept; ``logs``: 1: events, 2: places too; ``logged``: rows of the log; ``about_...``: what the log says of
the time that is booked now; ``now``: the time [ms]; ``sold``: places of what is sold, 0: nothing is; ``lets``: how many
of them may be out of service; ``planned_out``: what leaves service now, or stalls, is no downtime; ``month``,
``month_begin``, ``month_end``: this month, from 0, and its time [ms]; ``month_ms``: length of a month; ``causes``:
hazards and kinds of maintenance; ``notice``: the next of ``notices``; ``last_notice``: how many; ``preflights``: some
job has them; ``replicas``: gangs that are sold; ``excuses``: what is announced is excused; ``adds_up``: failures may be
added up (``rules.alone``)."""
GANG = _record(
    "job gpus priority submit "
    "up pending open out phase since queued order short_since started strikes finish "
    "failover restore nominal loads active surplus_from "
    "kept computed level struck extra piece "
    "straggle powered network speed_0 speed_1 speed_2 computed_from first_segment last_segment "
    "weight_0 weight_1 weight_2 rest_0 rest_1 rest_2 "
    "writes held transfer late draining drain_number first_faulty last_faulty first_clean chances why "
    "tally ready sends touched lowest highest first_demand months kept_before "
    "saves_as moves_from stops ends not_before struck_before places begun checks checked_start "
    "domain excused joined_low joined_high "
    "runs_from added added_stalls added_run added_safe added_writes added_detect added_away"
)
"""``pending``: members struck and not identified; ``open``: failures not identified; ``out``: members struck and not
back. ``failover``, ``restore``: of the stretch since ``since``. ``kept``: ms of computing in its pieces, of which
``piece`` is the newest; ``straggle``, ``powered``, ``network``: parts per billion of full speed that each leaves;
``speed_0``: stragglers, ``speed_1``: power too, ``speed_2``: the network too; ``weight``, ``rest``: sums of GPU-ms
times speed, whole and remainder; ``lowest``, ``highest``: no place of it lies beyond; ``why``: what it stalls for, a
cause (``booking.book``); ``months``: whose ends are known in ``kept_at``; ``kept_before``: its position at the end of
the last of them. While it saves: ``saves_as``: the state that is booked,
``moves_from``: the notice of what it moves from, or NONE; ``stops``: so often has it. ``ends``: of its time, NONE: it
has not begun; ``not_before``: kept from the queue until then [ms]; ``struck_before``: strikes until then;
``places``: how many it has. ``begun``: its starts so far; ``checks``: its preflights; ``checked_start``: the start
that the last of them was for. ``joined_low``, ``joined_high``: members since then. ``domain``: its number among those
that are sold, NONE: it is not; ``excused``: what it stalls for is no downtime. ``runs_from``: since when it computes as
``rules.alone`` asks, NEVER: it may not in this month; ``added``: there is something to be booked, ``added_...`` the
sums of it."""
PASSING = _record("left used")
"""``left``: so many more pass a gang's preflights before one does not, NONE: not known yet; ``used``: of ``passes``."""

JOB = _record(
    "cold failover rejoin start rolls_back restores_always tiers step chancy useful_ppb needed "
    "first_level levels first_legal stores load saves may_lose limit after followed submit simple preflight retest",
    "coverage state comm",
)
"""A job's strategy, tabulated. ``needed``: GPU-ms at full speed until its work is done, NONE: no end; ``saves``: what a
checkpoint takes that survives everything, NONE: it writes none; ``may_lose``: whether a strike may roll it back;
``limit``: how long it may run at a time, 0: without end; ``after``: the job before it, NONE; ``followed``: it is one;
``submit``: when it is submitted at the earliest [ms]; ``simple``: numbers say all (``rules.alone``); ``preflight``:
what a check before a start takes, NONE: there is none; ``retest``: how long a good node is out that fails it [ms],
NONE: none does."""
TIER = _record("every write drain restore level_every level_period level_most", "level_rate")
"""``restore``: one attempt; ``level_*``: of the timetable's levels, slow to fast; ``level_rate``: 1 / its period."""

HAZARD = _record(
    "effect blast size part placed serves running keeps_ppb remembers ages stages requalify burn_in returns_job "
    "lemons retire_after window replace cured_by_repair components first_component "
    "first_outcome used drawn first_slow plain plant_kind "
    "checked draws more clock first_known rows_known next_known end_known next_time first_unit evacuate "
    "detect_law detect_time repair_law repair_time left_law left_begun crews",
    "factor keeps gap marked detect_mean detect_sigma detect_shift repair_mean repair_sigma repair_shift silent "
    "coverage shape scale",
)
"""``size``, ``part``: places of a component and of what goes down with it; ``first_component``: row of its first
component, NONE: they have no state; ``plain``: its failures may stand alone; ``checked``: by which of ``planned``,
NONE: by none; ``first_slow``: a slow component;
``plant_kind``, ``keeps``: of the plant's components that it takes, and the share that it leaves of one.
``draws``: its failures are drawn by rules, a block of ``rows_known`` rows from ``first_known`` at a time; ``more``:
another block may follow, of failures after ``clock``; ``next_known``, ``end_known``: of this one; ``next_time``: of its
next failure, NEVER: none; ``*_law``: BY_...; ``*_shift``: subtracted from the logarithm of a lognormal time;
``left_law``: of what is left of a life, BY_WEIBULL with ``shape`` and ``scale``, else Python is asked;
``left_begun``: its stream has begun; ``crews``: of its first stage; ``evacuate``: how long gangs take to move from
where an announced failure comes, NONE: they stay."""
COMPONENT = _record("failed slow next_slow previous_slow lemon begin left life age row stopped strikes")
"""``slow``: its failure; ``begin``, ``left``: since when its clock runs, and the life left then."""
AGE = _record("at hazard component")
KNOWN = _record("time target rank outcome told")
"""``told``: it is announced, and therefore no downtime of what is sold."""
NOTICE_ROW = _record("at until hazard component moves")
"""A failure that was announced: when to do something about it, and when it comes; ``moves``: move away, else save."""
STREAM = _record("a b c d")
"""The state of a stream of random numbers, SFC64."""
OUTCOME = _record("detect wrong fixed missed sent_on sent_back first_redo")
"""``missed``: so many checks of a slow component do not find it. ``sent_on``: bit k: a test finds that stage k was
silent; ``sent_back``: so often it finds that of the last one, which takes ``redo_times`` from ``first_redo`` on."""
FAILURE = _record(
    "hazard component detect wrong fixed at rank gpus first_part parts placed first_place last_place "
    "retired unfound clean gang next_clean next_faulty repairs over number sent_on sent_back first_redo checked"
)
"""A failure on its way. ``repairs``: of its own that are under way; ``over``: what failed is back; ``first_part``,
``parts``: whose GPUs it took; ``first_place``: of these places; ``number``: by onset; ``checked``: a check finds it."""
PART = _record("gang gpus following")
REPAIR = _record(
    "failure first_part gpus placed first_place last_place mends since stage again asked "
    "following next_away previous_away"
)
RETURN = _record("who hazard gpus since time following")
"""A group in repair (``rules.returns``); ``who``: as in ``booking.book``; ``time``: that its repair takes."""
CREWS = _record(
    "size busy first last first_shift end_shift on_shift finishes visits cycle waiting visit_when visit_after"
)
"""``first_shift``, ``end_shift``: of its rows of ``shifts``; ``on_shift``: ms of a week, 0: always; ``finishes``: what
is begun in a shift goes on after it; ``visits``: repairs wait for one: on its days, rows of ``shifts`` that repeat
after ``cycle`` [ms], when ``visit_when`` wait, or one for ``visit_after`` [ms], NEVER: not for that; ``waiting``: how
many wait; ``busy``: of a visit, repairs that it is about."""
SHIFT = _record("begin end")
"""In a week, or in the cycle of visits, that begins at t = 0 [ms]."""
DUE = _record("key number kind what further")
PIECE = _record("ms gpus speed_0 speed_1 speed_2 below")
SEGMENT = _record("computed_from speed_0 speed_1 speed_2 following")
WINDOW = _record("at planned component since first_part first_place last_place first_drain last_drain out retest")
"""``retest``: so much longer does it last, because of a false alarm [ms]."""
PLANNED_WORK = _record("size serves drain duration plant_kind start every rolling components first_window")
"""``first_window``: of its rows of ``window_at``, by the number of the round and then by component."""
RETEST = _record("first_place first_part since out")
"""Good members that failed a preflight and are tested again."""
DRAINED_GANG = _record("gang number following")
DOMAIN = _record("out planned to_come pending month down down_unplanned since since_unplanned")
"""What is sold: places, or a gang. ``out``, ``planned``: of its places, out of service, and those of them that the
contract excludes; ``to_come``: those without power so far; ``pending``: too few others, so nobody had it as the month
began; ``month``: whose times follow; ``down``: in this month so far [ms]; ``since``: when it was lost, NEVER: it is
there. ``..._unplanned``: without maintenance."""
NOT_YET = 2
"""In ``out_planned``: the place has had no power yet."""
ABSENCE = _record("first_place last_place since free_since state awaited following why")
TRANSFER = _record("active time left start at pace write turn", "limit rate")
"""A gang's load or write. ``left``: time that it still needs with storage to itself [ms * ppb]; ``turn``: what was
planned in an earlier one is void; ``limit``, ``rate``: with storage to itself, and now [GB/s]."""
PHASE = _record("date first_rack end_rack put_off")
"""Of energisation: racks, none: the grid; ``put_off``: its date has come, but its power would have tripped others."""
DEMAND = _record("gang part next_of_gang next_of_part", "demand")
"""What a gang asks of the uplinks of a segment or a pod; of one part, by gang."""
CHANCE = _record("back extra", "cover")
COUNTED = _record("strikes asked finished last_finish")
COUNTS = _record("failures drawn logged")
DONE_WORK = _record("weight rest")
"""GPU-ms at full speed, and what is left, in parts per billion of it."""
LOG = _record("what who state why gpus start end gpu_ms speed where kind failure stage")
"""A row of the log. ``who``: as in ``booking.book``, NONE: nobody, or several; ``stage``: of a repair, NONE."""

TABLES: dict[str, tuple[np.dtype[Any], int]] = {
    "one": (ONE, 0),
    "gangs": (GANG, 1),
    "jobs": (JOB, 1),
    "tiers": (TIER, 2),  # by job
    "hazards": (HAZARD, 1),
    "components": (COMPONENT, 1),
    "crews": (CREWS, 1),
    "stage_crews": (np.dtype(np.int64), 2),  # by hazard and stage
    "shifts": (SHIFT, 1),
    "failures": (FAILURE, 1),
    "parts": (PART, 1),
    "repairs": (REPAIR, 1),
    "returns": (RETURN, 1),
    "due": (DUE, 1),
    "ages": (AGE, 1),
    "known": (KNOWN, 1),  # of each hazard by itself
    "notices": (NOTICE_ROW, 1),  # by time, hazard and failure; moves first
    "outcomes": (OUTCOME, 1),
    "stage_times": (np.dtype(np.int64), 2),  # by outcome; NONE: the stage is not reached
    "own_times": (np.dtype(np.int64), 2),  # the same by failure
    "redo_times": (np.dtype(np.int64), 1),  # of a last stage that is done again, by failure
    "lives": (np.dtype(np.int64), 1),
    "first_life": (np.dtype(np.int64), 2),  # by hazard and row
    "recent_strikes": (np.dtype(np.int64), 2),  # by component: the last times at which it failed
    "chances": (CHANCE, 2),  # by gang
    "durable": (np.dtype(np.int64), 2),  # by gang and tier: position that its newest copy holds
    "booked": (np.dtype(np.int64), 2),  # by owner and cause (``BEFORE_CAUSES``), and by state
    "books": (np.dtype(np.int64), 1),  # of gangs, then of free GPUs, then of spares: their owner's row for cause 0
    "pieces": (PIECE, 1),
    "segments": (SEGMENT, 1),
    "level_of": (np.dtype(np.int64), 1),
    "legal_of": (np.dtype(np.int64), 1),
    "losers": (np.dtype(np.int64), 1),  # gangs in the order in which they lose GPUs
    "queue": (np.dtype(np.int64), 1),  # gangs in the order in which they are served
    "slots": (np.dtype(np.int64), 1),  # first slot of every gang, then of the free GPUs
    "owner": (np.dtype(np.int64), 1),  # of every place: a gang, FREE or OUT
    "free_in_block": (np.dtype(np.int64), 1),  # of BLOCK_OF_PLACES
    "free_in_group": (np.dtype(np.int64), 1),  # of so many blocks
    "whose": (np.dtype(np.int64), 1),  # of every place that is out: whose it was
    "next_place": (np.dtype(np.int64), 1),  # of those that left service together
    "next_faulty": (np.dtype(np.int64), 1),  # of those that are faulty together
    "moving": (np.dtype(np.int64), 1),  # places that a rule is about, ascending
    "holes": (np.dtype(np.int64), 2),  # by gang and rack: places that it lacks there
    "windows": (WINDOW, 1),
    "planned": (PLANNED_WORK, 1),
    "window_at": (np.dtype(np.int64), 1),  # rows of ``windows``
    "drains": (DRAINED_GANG, 1),
    "retests": (RETEST, 1),
    "passing": (PASSING, 2),  # by gang: faulty members, good nodes
    "passes": (np.dtype(np.int64), 2),  # by gang and as above, twice as many rows as gangs: what ``left`` will be next
    "joined_at": (np.dtype(np.int64), 1),  # of every place: how many preflights its gang had been through by then
    "absences": (ABSENCE, 1),
    "transfers": (TRANSFER, 1),  # by gang
    "phases": (PHASE, 1),  # of energisation
    "sends_at": (np.dtype(np.int64), 1),  # of every place: which sending it was last a part of
    "by_month": (np.dtype(np.int64), 2),  # by month and state
    "this_month": (np.dtype(np.int64), 1),  # by state: what is not in the row of this month yet
    "done_this_month": (DONE_WORK, 1),  # by job: the same of its work
    "weight_by_month": (np.dtype(np.int64), 2),  # by job and month: GPU-ms at full speed
    "rest_by_month": (np.dtype(np.int64), 2),  # and what is left, in parts per billion of it
    "kept_at": (np.dtype(np.int64), 2),  # by gang and month: position at its end
    "log": (LOG, 1),
    "domains": (DOMAIN, 1),
    "out_planned": (np.dtype(np.int64), 1),  # of every place: whether it is out for maintenance, or NOT_YET
    "allowed": (np.dtype(np.int64), 2),  # by month and availability: ms that what is sold may be lost
    # by month: domains of each availability, then of each without maintenance; with energisation, all handed over
    "available": (np.dtype(np.int64), 2),
    "sold_ledger": (np.dtype(np.int64), 2),  # by run and month: the same, what comes out
    "month_ledger": (np.dtype(np.int64), 2),  # by run and month, and by state: what comes out
    "cause_ledger": (np.dtype(np.int64), 2),  # by run and cause, and by state
    "ledger": (np.dtype(np.int64), 2),  # by run and owner, and by state: what comes out
    "overhead": (np.dtype(np.int64), 2),  # by run and owner, and by cause
    "counted": (COUNTED, 1),  # by run and owner
    "counts": (COUNTS, 1),  # by run
    "demands": (DEMAND, 1),  # of gangs that send
    "first_demand": (np.dtype(np.int64), 1),  # of every segment, then of every pod
    "total_demand": (np.dtype(np.float64), 1),  # of every segment, then of every pod: the sum
    "power": (np.dtype(np.int64), 1),  # of racks, or nodes: parts per billion that they get, while some is short
    "mean_traffic": (np.dtype(np.float64), 1),  # of it, in the mean over time
    "lies_in": (np.dtype(np.int64), 2),  # by gang and GROUPS groups of places: bits; in no others does it have any
    "touching": (np.dtype(np.int64), 1),  # gangs that a change of traffic is about
    **PLANT_TABLES,
    "numbers": (np.dtype(np.int64), 1),  # of the runs
    "streams": (STREAM, 1),  # by hazard and purpose
    "entropy": (np.dtype(np.int64), 2),  # by stream: words, place of the run's number among them, then these words
    "pool": (np.dtype(np.int64), 1),  # of a SeedSequence
    "seeds": (np.dtype(np.int64), 1),  # that come of it
    "units": (np.dtype(np.float64), 1),  # numbers that Python is asked to work on
}
"""Name -> record or number, and how many indices it has."""
STATES_WIDE = frozenset(("booked", "by_month", "ledger", "month_ledger", "cause_ledger"))
"""Tables whose second index is a state, so that its range is known when rules are compiled."""
Tables = dict[str, NDArray[Any]]
"""Name -> table."""
NAMES = tuple(TABLES)
TABLE = {name: number for number, name in enumerate(NAMES)}
GROWING = frozenset(
    (
        *("failures", "parts", "repairs", "returns", "due", "ages", "outcomes", "stage_times", "own_times", "lives"),
        *("first_life", "pieces", "segments", "drains", "retests", "redo_times", "absences", "demands", "log"),
        "level_of",
    )
)
"""Tables that may lie elsewhere after ``ask``; all others stay where they are while a run is played."""
ANSWERS = 3 * len(NAMES)
"""Where the address of the function that answers is, behind those of the tables."""
CHANGING = (
    *("one", "gangs", "hazards", "components", "crews", "durable", "booked", "owner", "holes", "windows"),
    *("first_life", "free_in_block", "free_in_group", "by_month", "weight_by_month", "rest_by_month", "kept_at"),
    *("this_month", "done_this_month", "joined_at", "passing"),
    *("domains", "out_planned", "available", "transfers", "phases", "sends_at", "lies_in", "first_demand"),
    *CHANGING_PLANT,
)
"""Tables that every run begins anew; behind the address of the function come those of their copies at t = 0."""
