"""What follows when a gang starts or stops: clocks, traffic and transfers."""

from dcsim.program.records import WHOLE
from dcsim.program.world import World
from dcsim.rules.ageing import refresh_gang
from dcsim.rules.rule import rule
from dcsim.rules.storage import share_gateways, transfers_begin, transfers_stop
from dcsim.rules.traffic import refresh_network, sends_from_now, sends_no_more, touch_reached


@rule
def gang_has_changed(w: World, gang: int, now: int) -> None:
    """A gang has started or stopped: so have its clocks, its traffic and its transfers."""
    if w.one.clocks:
        refresh_gang(w, gang, now)
    if w.one.has_traffic:
        traffic_has_changed(w, gang, now)
    if w.one.has_storage:
        if w.gangs[gang].phase == WHOLE:
            transfers_begin(w, gang, now)
        else:
            transfers_stop(w, gang, now)


@rule
def traffic_has_changed(w: World, gang: int, now: int) -> None:
    """A gang has started or stopped to send, if it ever does."""
    if w.jobs[w.gangs[gang].job].comm == 0:
        return
    touched = sends_from_now(w, gang, now) if w.gangs[gang].phase == WHOLE else sends_no_more(w, gang, now)
    if touched and w.one.has_storage:
        share_gateways(w, now)


@rule
def network_has_changed(w: World, everywhere: bool, now: int) -> None:
    """The plant has changed: let those whom it reaches run at the speed that the network leaves."""
    touch_reached(w, everywhere)
    if refresh_network(w, now) and w.one.has_storage:
        share_gateways(w, now)
