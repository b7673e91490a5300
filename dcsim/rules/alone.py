"""Failures that stand alone: all is in service, and is again before anything else happens.

They are most of all failures of a large cluster with spares. The same rules apply to them, one after the other at once:
no entry of ``due`` and no record is needed for what nobody else will see.
"""

from dcsim.program.records import DETECT, IN_DETECT, IN_REPAIR, NONE, TICKS, WHOLE
from dcsim.program.world import World
from dcsim.rules.booking import book, change_free
from dcsim.rules.gangs import resume, strike_gang
from dcsim.rules.rule import quotient, rule


@rule
def stands_alone(w: World, hazard: int, target: int, rank: int, now: int, outcome: int) -> bool:
    """Settle a failure of a slot that stands alone; return False, and change nothing, if it does not."""
    h, one = w.hazards[hazard], w.one
    if not h.plain or one.logs or one.due or one.free != one.free_slots:
        return False
    found = now + w.outcomes[outcome].detect
    back = found + w.stage_times[outcome, 0]
    if back >= one.horizon or back > one.month_end or TICKS * back > one.next_failure:  # that is the next one's
        return False
    first = quotient(rank, h.blast) * h.blast
    if target == one.gangs:
        hit = min(h.blast, one.free - first)
        change_free(w, -hit, now)
        book(w, one.gangs, IN_REPAIR, hazard, hit, now, back)
    else:
        g = w.gangs[target]
        hit = min(h.blast, g.gpus - first)
        if hit > one.free or g.phase != WHOLE or w.jobs[g.job].cold:
            return False
        strike_gang(w, target, hit, hazard, now, NONE)
        book(w, target, IN_DETECT, g.why, g.gpus, now, found)
        book(w, target, IN_REPAIR, hazard, hit, found, back)
        g.phase = DETECT
        change_free(w, -hit, found)
        resume(w, target, found)
    change_free(w, hit, back)
    one.failures += 1
    return True
