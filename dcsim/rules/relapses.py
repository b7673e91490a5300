"""Faulty members that were not found: they strike as soon as their gang computes again."""

from dcsim.program.records import RELAPSE, STRIKES_AGAIN
from dcsim.program.world import World
from dcsim.rules.due import push
from dcsim.rules.rule import rule


@rule
def plan_relapse(w: World, gang: int) -> None:
    """Faulty members strike as soon as their gang computes."""
    g = w.gangs[gang]
    if g.first_faulty >= 0:
        push(w, g.since + g.failover + g.restore, RELAPSE, STRIKES_AGAIN, gang, 0)
