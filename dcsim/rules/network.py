"""What follows when a gang starts or stops: clocks, traffic, transfers; and how fast the network lets gangs run."""

from dcsim.program.records import REACHED, SENDS, WHOLE, World
from dcsim.rules.ageing import refresh_gang
from dcsim.rules.movements import set_pace
from dcsim.rules.rule import ask, rule
from dcsim.rules.storage import share_gateways, transfers_begin, transfers_stop


@rule
def gang_has_changed(w: World, gang: int, now: int) -> None:
    """A gang has started or stopped: so have its clocks, its traffic and its transfers."""
    if w.one.clocks:
        refresh_gang(w, gang, now)
    if w.one.has_traffic:
        sends(w, gang, now)
    if w.one.has_storage:
        if w.gangs[gang].phase == WHOLE:
            transfers_begin(w, gang, now)
        else:
            transfers_stop(w, gang, now)


@rule
def sends(w: World, gang: int, now: int) -> None:
    """A gang has started or stopped to send."""
    if w.jobs[w.gangs[gang].job].sends:
        count = ask(w, SENDS, gang, 1 if w.gangs[gang].phase == WHOLE else 0)
        refresh_network(w, count, now)


@rule
def network_has_changed(w: World, everywhere: bool, now: int) -> None:
    """The plant has changed: let those whom it reaches run at the speed that the network leaves."""
    refresh_network(w, ask(w, REACHED, 1 if everywhere else 0, 0), now)


@rule
def refresh_network(w: World, count: int, now: int) -> None:
    """Let the gangs in ``changed`` run at the speed that the network leaves."""
    for number in range(count):
        gang = w.changed[number]
        if w.network[gang] != w.gangs[gang].network:
            w.gangs[gang].network = int(w.network[gang])
            set_pace(w, gang, now)
    if count and w.one.has_storage:
        share_gateways(w, now)
